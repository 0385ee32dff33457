//! The row of a citizen's key, and of a pooled key pair, as the caller stores them.
//!
//! These types are stored: mind their format. A row is `magic ‖ fields ‖ MAC`; the MAC is HMAC-SHA256 under a key that
//! never leaves the keystore, over every byte before it. Lengths precede what they measure, so a row has one reading.
//!
//! ```text
//! citizen  "KCK1" backend u8 · algorithm u8 · key set [8] · version u64 · failures u8 · credential · public key · wrapped
//!          · device (0 | 1 spki | 2 spki rp_id origin id) · PIN (0 | 1 salt [16] verifier [32])
//!          · attempt (0 | 1 digest [32]) · spent u8 × (statement digest [32], expires_at i64) · MAC [32]
//! pooled   "KPK1" backend u8 · algorithm u8 · key set [8] · public key · wrapped · MAC [32]
//! ```
//!
//! Variable fields are u16 length and bytes; integers are big-endian.

use std::fmt;

use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;

use crate::activation::{DeviceKey, DeviceKind};
use crate::backend::BackendName;
use crate::error::{Error, Result};

/// Wrong PINs in a row that lock a key.
pub const FAILURES_MAX: u8 = 5;
/// How many used approvals a row remembers; each is forgotten when it would be refused as expired.
pub(crate) const SPENT_MAX: usize = 32;

const CITIZEN_MAGIC: &[u8; 4] = b"KCK1";
const POOLED_MAGIC: &[u8; 4] = b"KPK1";
const MAC_BYTES: usize = 32;
const ROW_BYTES_MAX: usize = 16 * 1024;

/// A citizen's key: the wrapped private key and everything that decides whether it may be used.
///
/// Reading one checks its shape only; the keystore authenticates it at every use.
#[derive(Clone)]
pub struct CitizenKey {
    bytes: Vec<u8>,
    pub(crate) fields: CitizenFields,
}

/// What a citizen's row says.
#[derive(Clone)]
pub(crate) struct CitizenFields {
    pub(crate) key: WrappedKey,
    pub(crate) credential: String,
    pub(crate) version: u64,
    /// Tries begun since the last right PIN; raised before the PIN is compared.
    pub(crate) failures: u8,
    pub(crate) device: Option<DeviceKey>,
    pub(crate) pin: Option<PinVerifier>,
    /// The try that raised `failures` last, so that repeating it costs nothing.
    pub(crate) attempt: Option<[u8; 32]>,
    /// Statements already signed for.
    pub(crate) spent: Vec<Spent>,
}

/// A private key wrapped under a backend's wrapping key, with its public half.
#[derive(Clone)]
pub(crate) struct WrappedKey {
    pub(crate) backend: BackendName,
    pub(crate) algorithm: KeyAlgorithm,
    /// Names the internal keys of the backend that wrapped it.
    pub(crate) key_set: [u8; 8],
    pub(crate) public_key: PublicKey,
    /// RFC 5649 over PKCS#8.
    pub(crate) wrapped: Vec<u8>,
}

/// What a PIN is compared with.
#[derive(Clone)]
pub(crate) struct PinVerifier {
    pub(crate) salt: [u8; 16],
    pub(crate) verifier: [u8; 32],
}

/// A statement that was signed for.
#[derive(Clone)]
pub(crate) struct Spent {
    pub(crate) statement: [u8; 32],
    pub(crate) expires_at: i64,
}

impl CitizenKey {
    /// Parses stored bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let fields = read_citizen(&bytes).ok_or(Error::RowForged)?;
        Ok(Self { bytes, fields })
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Grows by one with every change; store with `WHERE version = …`.
    pub fn version(&self) -> u64 {
        self.fields.version
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.fields.key.algorithm
    }

    /// The backend that can unwrap it.
    pub fn backend(&self) -> BackendName {
        self.fields.key.backend
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.fields.key.public_key
    }

    /// The device it is bound to; `None` while unclaimed.
    pub fn device(&self) -> Option<&DeviceKey> {
        self.fields.device.as_ref()
    }

    /// Tries begun since the last right PIN, 0 to 5.
    pub fn failures(&self) -> u8 {
        self.fields.failures
    }

    /// Whether the tries are used up. A key stays locked; the citizen gets a new credential.
    pub fn is_locked(&self) -> bool {
        self.fields.failures >= FAILURES_MAX
    }

    pub(crate) fn sealed(body: Vec<u8>, mac: &[u8; MAC_BYTES], fields: CitizenFields) -> Self {
        let mut bytes = body;
        bytes.extend_from_slice(mac);
        Self { bytes, fields }
    }

    /// The bytes under the MAC, and the MAC.
    pub(crate) fn body_and_mac(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.bytes.len() - MAC_BYTES)
    }
}

impl PartialEq for CitizenKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for CitizenKey {}

impl fmt::Debug for CitizenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "CitizenKey({} {}, version {})",
            self.backend(),
            self.algorithm().as_str(),
            self.version()
        )
    }
}

/// A wrapped key pair made ahead of need. Opaque; the caller stores it in a table.
///
/// The caller deletes the row in the transaction that stores the citizen's key, so that no pair serves two citizens.
#[derive(Clone)]
pub struct PooledKey {
    bytes: Vec<u8>,
    pub(crate) key: WrappedKey,
}

impl PooledKey {
    /// Parses stored bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let key = read_pooled(&bytes).ok_or(Error::RowForged)?;
        Ok(Self { bytes, key })
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm
    }

    /// The backend that made it.
    pub fn backend(&self) -> BackendName {
        self.key.backend
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.key.public_key
    }

    pub(crate) fn sealed(body: Vec<u8>, mac: &[u8; MAC_BYTES], key: WrappedKey) -> Self {
        let mut bytes = body;
        bytes.extend_from_slice(mac);
        Self { bytes, key }
    }

    pub(crate) fn body_and_mac(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.bytes.len() - MAC_BYTES)
    }
}

impl PartialEq for PooledKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PooledKey {}

impl fmt::Debug for PooledKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "PooledKey({} {})",
            self.backend(),
            self.algorithm().as_str()
        )
    }
}

/// The bytes of a citizen's row before its MAC.
pub(crate) fn citizen_body(fields: &CitizenFields) -> Vec<u8> {
    let mut writer = Writer(CITIZEN_MAGIC.to_vec());
    writer.fixed(&[
        backend_code(fields.key.backend),
        algorithm_code(fields.key.algorithm),
    ]);
    writer.fixed(&fields.key.key_set);
    writer.fixed(&fields.version.to_be_bytes());
    writer.fixed(&[fields.failures]);
    writer.variable(fields.credential.as_bytes());
    writer.variable(fields.key.public_key.as_der());
    writer.variable(&fields.key.wrapped);
    match &fields.device {
        None => writer.fixed(&[0]),
        Some(DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki,
        }) => {
            writer.fixed(&[1]);
            writer.variable(spki);
        }
        Some(DeviceKey {
            kind:
                DeviceKind::WebAuthn {
                    rp_id,
                    origin,
                    credential_id,
                },
            spki,
        }) => {
            writer.fixed(&[2]);
            for field in [spki, rp_id.as_bytes(), origin.as_bytes(), credential_id] {
                writer.variable(field);
            }
        }
    }
    match &fields.pin {
        None => writer.fixed(&[0]),
        Some(pin) => {
            writer.fixed(&[1]);
            writer.fixed(&pin.salt);
            writer.fixed(&pin.verifier);
        }
    }
    match &fields.attempt {
        None => writer.fixed(&[0]),
        Some(digest) => {
            writer.fixed(&[1]);
            writer.fixed(digest);
        }
    }
    writer.fixed(&[fields.spent.len() as u8]);
    for spent in &fields.spent {
        writer.fixed(&spent.statement);
        writer.fixed(&spent.expires_at.to_be_bytes());
    }
    writer.0
}

/// The bytes of a pooled key before its MAC.
pub(crate) fn pooled_body(key: &WrappedKey) -> Vec<u8> {
    let mut writer = Writer(POOLED_MAGIC.to_vec());
    writer.fixed(&[backend_code(key.backend), algorithm_code(key.algorithm)]);
    writer.fixed(&key.key_set);
    writer.variable(key.public_key.as_der());
    writer.variable(&key.wrapped);
    writer.0
}

fn read_citizen(bytes: &[u8]) -> Option<CitizenFields> {
    let mut reader = Reader::new(bytes, CITIZEN_MAGIC)?;
    let backend = backend_of(reader.byte()?)?;
    let algorithm = algorithm_of(reader.byte()?)?;
    let key_set = reader.fixed()?;
    let version = u64::from_be_bytes(reader.fixed()?);
    let failures = reader.byte()?;
    let credential = reader.text()?;
    let public_key = reader.public_key(algorithm)?;
    let wrapped = reader.variable()?.to_vec();
    let device = read_device(&mut reader)?;
    let pin = match reader.byte()? {
        0 => None,
        1 => Some(PinVerifier {
            salt: reader.fixed()?,
            verifier: reader.fixed()?,
        }),
        _ => return None,
    };
    let attempt = match reader.byte()? {
        0 => None,
        1 => Some(reader.fixed()?),
        _ => return None,
    };
    let count = usize::from(reader.byte()?);
    let spent = (0..count)
        .map(|_| {
            Some(Spent {
                statement: reader.fixed()?,
                expires_at: i64::from_be_bytes(reader.fixed()?),
            })
        })
        .collect::<Option<Vec<_>>>()?;
    let shaped =
        failures <= FAILURES_MAX && count <= SPENT_MAX && device.is_some() == pin.is_some();
    (shaped && reader.is_done()).then_some(CitizenFields {
        key: WrappedKey {
            backend,
            algorithm,
            key_set,
            public_key,
            wrapped,
        },
        credential,
        version,
        failures,
        device,
        pin,
        attempt,
        spent,
    })
}

fn read_device(reader: &mut Reader<'_>) -> Option<Option<DeviceKey>> {
    Some(match reader.byte()? {
        0 => None,
        1 => Some(DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki: reader.variable()?.to_vec(),
        }),
        2 => {
            let spki = reader.variable()?.to_vec();
            let (rp_id, origin) = (reader.text()?, reader.text()?);
            let credential_id = reader.variable()?.to_vec();
            Some(DeviceKey {
                kind: DeviceKind::WebAuthn {
                    rp_id,
                    origin,
                    credential_id,
                },
                spki,
            })
        }
        _ => return None,
    })
}

fn read_pooled(bytes: &[u8]) -> Option<WrappedKey> {
    let mut reader = Reader::new(bytes, POOLED_MAGIC)?;
    let backend = backend_of(reader.byte()?)?;
    let algorithm = algorithm_of(reader.byte()?)?;
    let key_set = reader.fixed()?;
    let public_key = reader.public_key(algorithm)?;
    let wrapped = reader.variable()?.to_vec();
    reader.is_done().then_some(WrappedKey {
        backend,
        algorithm,
        key_set,
        public_key,
        wrapped,
    })
}

/// Writes fields; lengths precede what they measure.
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn variable(&mut self, bytes: &[u8]) {
        let length = u16::try_from(bytes.len())
            .expect("no field of a row is as long as 64 kB: all are checked before");
        self.fixed(&length.to_be_bytes());
        self.fixed(bytes);
    }
}

/// Reads what [`Writer`] wrote, up to the MAC.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], magic: &[u8; 4]) -> Option<Self> {
        let body = bytes
            .len()
            .checked_sub(MAC_BYTES)
            .filter(|_| bytes.len() <= ROW_BYTES_MAX)?;
        bytes[..body].strip_prefix(magic).map(Reader)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn variable(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.fixed()?);
        self.take(usize::from(length))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.variable()?.to_vec()).ok()
    }

    pub(crate) fn public_key(&mut self, algorithm: KeyAlgorithm) -> Option<PublicKey> {
        PublicKey::from_der(self.variable()?)
            .ok()
            .filter(|key| key.algorithm() == algorithm)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn backend_code(backend: BackendName) -> u8 {
    match backend {
        BackendName::Software => 1,
        BackendName::Pkcs11 => 2,
    }
}

pub(crate) fn backend_of(code: u8) -> Option<BackendName> {
    [BackendName::Software, BackendName::Pkcs11]
        .into_iter()
        .find(|backend| backend_code(*backend) == code)
}

pub(crate) fn algorithm_code(algorithm: KeyAlgorithm) -> u8 {
    match algorithm {
        KeyAlgorithm::Rsa2048 => 1,
        KeyAlgorithm::Rsa3072 => 2,
        KeyAlgorithm::Rsa4096 => 3,
        KeyAlgorithm::P256 => 4,
        KeyAlgorithm::P384 => 5,
    }
}

pub(crate) fn algorithm_of(code: u8) -> Option<KeyAlgorithm> {
    KeyAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm_code(*algorithm) == code)
}
