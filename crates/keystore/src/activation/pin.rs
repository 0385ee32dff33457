//! The PIN on its way to the keystore.

use crate::error::Result;

/// The public key PINs are sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalKey {
    /// Names the key: hex of the first 8 bytes of SHA-256 of `spki`.
    pub key_id: String,
    /// DER SubjectPublicKeyInfo, P-256.
    pub spki: Vec<u8>,
}

/// A PIN sealed to the keystore for one statement: HPKE base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPin {
    /// The encapsulated key: an uncompressed P-256 point, 65 bytes.
    pub enc: Vec<u8>,
    /// The sealed PIN.
    pub ciphertext: Vec<u8>,
}

/// Seals a PIN for a statement, as a client does: info `kyso.pin.v1`, aad SHA-256 of the statement.
pub fn seal_pin(key: &ApprovalKey, statement: &[u8], pin: &str) -> Result<SealedPin> {
    let _ = (key, statement, pin);
    todo!()
}
