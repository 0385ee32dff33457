//! Rows of `device`, `device_challenge` and `device_session`, and how device keys, signatures and sealed PINs are stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_keystore::{DeviceKey, DeviceKind, DeviceSignature, SealedPin};
use kyso_store::{Row, Store, Tx};
use serde::{Deserialize, Serialize};

use super::state::{Device, Session};
use crate::{CredentialId, DeviceId, Error, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    ADD_CHALLENGE,
    USE_CHALLENGE,
    CHALLENGE_ENDS,
    FORGET_CHALLENGES,
    INSERT,
    BY_KEY,
    BOUND_TO,
    TAKEN,
    REMOVE,
    INSERT_SESSION,
    SESSION,
    ROTATE_SESSION,
    END_FAMILY,
    ROTATED_AWAY,
    FORGET_SESSIONS,
];

const ADD_CHALLENGE: &str = "-- device.add_challenge
INSERT INTO device_challenge (nonce, expires_at) VALUES ($1, $2)";

const USE_CHALLENGE: &str = "-- device.use_challenge
DELETE FROM device_challenge WHERE nonce = $1 AND expires_at > $2";

const CHALLENGE_ENDS: &str = "-- device.challenge_ends
SELECT expires_at FROM device_challenge WHERE nonce = $1 AND expires_at > $2";

const FORGET_CHALLENGES: &str = "-- device.forget_challenges
DELETE FROM device_challenge WHERE expires_at <= $1";

const INSERT: &str = "-- device.insert
INSERT INTO device (id, credential_id, citizen, device_key, device_digest, bound_at) VALUES ($1, $2, $3, $4, $5, $6)";

const BY_KEY: &str = "-- device.by_key
SELECT id, credential_id, citizen, device_key, bound_at FROM device WHERE device_digest = $1 AND removed_at IS NULL";

const BOUND_TO: &str = "-- device.bound_to
SELECT id, credential_id, citizen, device_key, bound_at FROM device WHERE credential_id = $1 AND removed_at IS NULL";

const TAKEN: &str = "-- device.taken
SELECT credential_id FROM device WHERE device_digest = $1 AND removed_at IS NULL";

const REMOVE: &str = "-- device.remove
UPDATE device SET removed_at = $2 WHERE credential_id = $1 AND removed_at IS NULL";

const INSERT_SESSION: &str = "-- device.insert_session
INSERT INTO device_session (token_digest, device_id, family, created_at, expires_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)";

const SESSION: &str = "-- device.session
SELECT d.id, d.credential_id, d.citizen, s.expires_at, s.family, s.ends_at
FROM device_session s JOIN device d ON d.id = s.device_id
WHERE s.token_digest = $1 AND s.expires_at > $2 AND d.removed_at IS NULL";

const ROTATE_SESSION: &str = "-- device.rotate_session
UPDATE device_session SET rotated_at = $2, expires_at = CASE WHEN expires_at > $3 THEN $3 ELSE expires_at END WHERE token_digest = $1";

const END_FAMILY: &str = "-- device.end_family
UPDATE device_session SET expires_at = $2 WHERE expires_at > $2 AND family = (SELECT family FROM device_session WHERE token_digest = $1)";

const ROTATED_AWAY: &str = "-- device.rotated_away
SELECT device_id FROM device_session WHERE token_digest = $1 AND rotated_at IS NOT NULL AND expires_at <= $2 AND ends_at > $2";

const FORGET_SESSIONS: &str = "-- device.forget_sessions
DELETE FROM device_session WHERE ends_at <= $1 OR (rotated_at IS NULL AND expires_at <= $1)";

pub(crate) async fn add_challenge(tx: &mut Tx, nonce: &str, expires_at: i64) -> Result<()> {
    Ok(tx
        .change(
            "device_challenge",
            1,
            ADD_CHALLENGE,
            &[nonce.into(), expires_at.into()],
        )
        .await?)
}

/// Spends the nonce; `false` if it is unknown, spent or too old.
pub(crate) async fn use_challenge(tx: &mut Tx, nonce: &str) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(USE_CHALLENGE, &[nonce.into(), now.into()])
        .await?
        == 1)
}

/// When an open nonce ends; `None` if it is unknown, spent or too old.
pub(crate) async fn challenge_ends(store: &Store, nonce: &str) -> Result<Option<i64>> {
    let row = store
        .optional(CHALLENGE_ENDS, &[nonce.into(), store.now().into()])
        .await?;
    Ok(row.map(|row| row.int("expires_at")).transpose()?)
}

/// Removes nonces and sessions that ended; nothing refers to them.
pub(crate) async fn forget_ended(tx: &mut Tx) -> Result<()> {
    let now = tx.now();
    tx.execute(FORGET_CHALLENGES, &[now.into()]).await?;
    tx.execute(FORGET_SESSIONS, &[now.into()]).await?;
    Ok(())
}

pub(crate) async fn insert(
    tx: &mut Tx,
    id: DeviceId,
    credential: CredentialId,
    citizen: &str,
    key: &DeviceKey,
) -> Result<()> {
    let args = [
        id.into(),
        credential.into(),
        citizen.into(),
        device_key_bytes(key).into(),
        device_digest(key).into(),
        tx.now().into(),
    ];
    Ok(tx.change("device", 1, INSERT, &args).await?)
}

/// The bound device that has this key.
pub(crate) async fn by_key(store: &Store, key: &DeviceKey) -> Result<Option<Device>> {
    store
        .optional(BY_KEY, &[device_digest(key).into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn bound_to(store: &Store, credential: CredentialId) -> Result<Option<Device>> {
    store
        .optional(BOUND_TO, &[credential.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// Which credential has this device key now.
pub(crate) async fn taken(store: &Store, key: &DeviceKey) -> Result<Option<CredentialId>> {
    let row = store.optional(TAKEN, &[device_digest(key).into()]).await?;
    Ok(row.map(|row| row.id("credential_id")).transpose()?)
}

pub(crate) async fn remove(tx: &mut Tx, credential: CredentialId) -> Result<()> {
    let now = tx.now();
    tx.execute(REMOVE, &[credential.into(), now.into()]).await?;
    Ok(())
}

pub(crate) async fn insert_session(
    tx: &mut Tx,
    token_digest: &[u8; 32],
    device: DeviceId,
    expires_at: i64,
    (family, ends_at): (&[u8], i64),
) -> Result<()> {
    let args = [
        token_digest.into(),
        device.into(),
        family.into(),
        tx.now().into(),
        expires_at.into(),
        ends_at.into(),
    ];
    Ok(tx
        .change("device_session", 1, INSERT_SESSION, &args)
        .await?)
}

/// A live session, its family, and when that ends.
pub(crate) struct LiveSession {
    pub(crate) session: Session,
    pub(crate) family: Vec<u8>,
    pub(crate) ends_at: i64,
}

pub(crate) async fn session(store: &Store, token_digest: &[u8; 32]) -> Result<Option<LiveSession>> {
    let row = store
        .optional(SESSION, &[token_digest.into(), store.now().into()])
        .await?;
    row.map(|row| {
        Ok(LiveSession {
            session: Session {
                device: row.id("id")?,
                credential: row.id("credential_id")?,
                citizen: row.text("citizen")?,
                expires_at: row.int("expires_at")?,
            },
            family: row.bytes("family")?,
            ends_at: row.int("ends_at")?,
        })
    })
    .transpose()
}

/// The token was rotated: it works until `until` at the latest.
pub(crate) async fn rotate_session(tx: &mut Tx, token_digest: &[u8; 32], until: i64) -> Result<()> {
    let args = [token_digest.into(), tx.now().into(), until.into()];
    Ok(tx
        .change("device_session", 1, ROTATE_SESSION, &args)
        .await?)
}

/// Every session of this token's family ends now.
pub(crate) async fn end_family(tx: &mut Tx, token_digest: &[u8; 32]) -> Result<()> {
    let now = tx.now();
    tx.execute(END_FAMILY, &[token_digest.into(), now.into()])
        .await?;
    Ok(())
}

/// Whose token it is, if it was rotated away and works no more: nobody honest has it still.
pub(crate) async fn rotated_away(
    store: &Store,
    token_digest: &[u8; 32],
) -> Result<Option<DeviceId>> {
    let args = [token_digest.into(), store.now().into()];
    let row = store.optional(ROTATED_AWAY, &args).await?;
    Ok(row.map(|row| row.id("device_id")).transpose()?)
}

fn read(row: &Row) -> Result<Device> {
    let id: DeviceId = row.id("id")?;
    let key = device_key_from(&row.bytes("device_key")?).ok_or_else(|| corrupt("device", &id))?;
    Ok(Device {
        id,
        credential: row.id("credential_id")?,
        key,
        bound_at: row.int("bound_at")?,
    })
}

pub(crate) fn corrupt(table: &'static str, id: &impl ToString) -> Error {
    Error::Corrupt {
        table,
        id: id.to_string(),
    }
}

/// What makes two device keys the same device: SHA-256 of the public key.
pub(crate) fn device_digest(key: &DeviceKey) -> [u8; 32] {
    crate::chance::sha256(&key.spki)
}

/// The same as a phone can write it.
pub(crate) fn thumbprint(key: &DeviceKey) -> String {
    text(&device_digest(key))
}

// These three are stored: mind their form.

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum StoredKey {
    Webcrypto {
        spki: String,
    },
    Webauthn {
        spki: String,
        rp_id: String,
        origin: String,
        credential_id: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum StoredSignature {
    Webcrypto {
        signature: String,
    },
    Webauthn {
        authenticator_data: String,
        client_data_json: String,
        signature: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPin {
    enc: String,
    ciphertext: String,
}

/// A device key as it is stored: JSON.
pub fn device_key_bytes(key: &DeviceKey) -> Vec<u8> {
    let spki = text(&key.spki);
    json(&match &key.kind {
        DeviceKind::WebCrypto => StoredKey::Webcrypto { spki },
        DeviceKind::WebAuthn {
            rp_id,
            origin,
            credential_id,
        } => StoredKey::Webauthn {
            spki,
            rp_id: rp_id.clone(),
            origin: origin.clone(),
            credential_id: text(credential_id),
        },
    })
}

/// Reads a stored device key; `None` for what [`device_key_bytes`] would not have written.
pub fn device_key_from(stored: &[u8]) -> Option<DeviceKey> {
    Some(match serde_json::from_slice(stored).ok()? {
        StoredKey::Webcrypto { spki } => DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki: bytes(&spki)?,
        },
        StoredKey::Webauthn {
            spki,
            rp_id,
            origin,
            credential_id,
        } => DeviceKey {
            kind: DeviceKind::WebAuthn {
                rp_id,
                origin,
                credential_id: bytes(&credential_id)?,
            },
            spki: bytes(&spki)?,
        },
    })
}

/// A device's signature as it is stored: JSON.
pub fn signature_bytes(signature: &DeviceSignature) -> Vec<u8> {
    json(&match signature {
        DeviceSignature::WebCrypto { signature } => StoredSignature::Webcrypto {
            signature: text(signature),
        },
        DeviceSignature::WebAuthn {
            authenticator_data,
            client_data_json,
            signature,
        } => StoredSignature::Webauthn {
            authenticator_data: text(authenticator_data),
            client_data_json: text(client_data_json),
            signature: text(signature),
        },
    })
}

/// Reads a stored signature; `None` for what [`signature_bytes`] would not have written.
pub fn signature_from(stored: &[u8]) -> Option<DeviceSignature> {
    Some(match serde_json::from_slice(stored).ok()? {
        StoredSignature::Webcrypto { signature } => DeviceSignature::WebCrypto {
            signature: bytes(&signature)?,
        },
        StoredSignature::Webauthn {
            authenticator_data,
            client_data_json,
            signature,
        } => DeviceSignature::WebAuthn {
            authenticator_data: bytes(&authenticator_data)?,
            client_data_json: bytes(&client_data_json)?,
            signature: bytes(&signature)?,
        },
    })
}

pub(crate) fn pin_bytes(pin: &SealedPin) -> Vec<u8> {
    json(&StoredPin {
        enc: text(&pin.enc),
        ciphertext: text(&pin.ciphertext),
    })
}

pub(crate) fn pin_from(stored: &[u8]) -> Option<SealedPin> {
    let StoredPin { enc, ciphertext } = serde_json::from_slice(stored).ok()?;
    Some(SealedPin {
        enc: bytes(&enc)?,
        ciphertext: bytes(&ciphertext)?,
    })
}

fn json(stored: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(stored).expect("invariant: strings always become JSON")
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_signatures_and_pins_read_back_as_they_were_stored() {
        let keys = [
            DeviceKey {
                kind: DeviceKind::WebCrypto,
                spki: vec![1, 2],
            },
            DeviceKey {
                kind: DeviceKind::WebAuthn {
                    rp_id: "ky.example.vn".into(),
                    origin: "https://ky.example.vn".into(),
                    credential_id: vec![9],
                },
                spki: vec![3],
            },
        ];
        for key in keys {
            assert_eq!(device_key_from(&device_key_bytes(&key)), Some(key));
        }
        let signatures = [
            DeviceSignature::WebCrypto {
                signature: vec![0; 64],
            },
            DeviceSignature::WebAuthn {
                authenticator_data: vec![1],
                client_data_json: b"{}".to_vec(),
                signature: vec![2],
            },
        ];
        for signature in signatures {
            assert_eq!(
                signature_from(&signature_bytes(&signature)),
                Some(signature)
            );
        }
        let pin = SealedPin {
            enc: vec![4; 65],
            ciphertext: vec![5; 22],
        };
        assert_eq!(pin_from(&pin_bytes(&pin)), Some(pin));
    }

    #[test]
    fn anything_else_is_not_read() {
        assert_eq!(device_key_from(b""), None);
        assert_eq!(device_key_from(br#"{"kind":"webcrypto","spki":"%"}"#), None);
        assert_eq!(signature_from(br#"{"kind":"other","signature":""}"#), None);
        assert_eq!(pin_from(br#"{"enc":"","ciphertext":"","more":1}"#), None);
    }
}
