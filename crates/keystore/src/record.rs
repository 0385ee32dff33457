//! Records of the institution, kept in a database that others can write: a seal says that a holder of this keystore
//! wrote them, and what they said.
//!
//! HMAC-SHA256 under the key that authenticates citizens' rows, over `kyso.record.v1` ‖ NUL ‖ length and name of the kind
//! ‖ the record; no other message begins so. The seal names its backend and key set, so that it still verifies when
//! the default backend has changed. It does not say that a record is the newest: whoever keeps an older record with its
//! seal can put both back.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::backend::{BackendName, Fault, MacKey, Vault};
use crate::error::{Error, Result};
use crate::row::{Writer, backend_code, backend_of};

const RECORD_DOMAIN: &[u8] = b"kyso.record.v1\0";
const KEY_SET_BYTES: usize = 8;
const SEAL_BYTES: usize = 1 + KEY_SET_BYTES + 32;

/// Seals a record: backend ‖ key set ‖ MAC.
pub(crate) fn seal(
    vault: &mut dyn Vault,
    backend: BackendName,
    kind: &str,
    record: &[u8],
) -> Result<Vec<u8>, Fault> {
    let mac = vault.authenticate(MacKey::Row, &message(kind, record))?;
    let mut seal = vec![backend_code(backend)];
    seal.extend_from_slice(&vault.key_set());
    seal.extend_from_slice(&mac);
    Ok(seal)
}

/// The backend that a seal says made it.
pub(crate) fn backend_of_seal(seal: &[u8]) -> Result<BackendName> {
    if seal.len() != SEAL_BYTES {
        return Err(Error::RecordForged);
    }
    backend_of(seal[0]).ok_or(Error::RecordForged)
}

/// Refuses a record that this seal was not made for.
pub(crate) fn check(
    vault: &mut dyn Vault,
    kind: &str,
    record: &[u8],
    seal: &[u8],
) -> Result<(), Fault> {
    let (key_set, mac) = seal[1..].split_at(KEY_SET_BYTES);
    let expected = vault.authenticate(MacKey::Row, &message(kind, record))?;
    if key_set != vault.key_set() || verify_slices_are_equal(&expected, mac).is_err() {
        return Err(Error::RecordForged.into());
    }
    Ok(())
}

fn message(kind: &str, record: &[u8]) -> Vec<u8> {
    let mut writer = Writer(RECORD_DOMAIN.to_vec());
    writer.variable(kind.as_bytes());
    writer.fixed(record);
    writer.0
}
