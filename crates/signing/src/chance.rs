//! Secrets and nonces for the web role, which owns no keystore: from the store's source of entropy.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kyso_store::Entropy;

/// 32 random bytes.
pub(crate) fn bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    Entropy::System.fill(&mut bytes);
    bytes
}

/// A bearer secret: base64url of 256 random bits.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes())
}

/// A nonce: base64url of 128 random bits. Unguessable is more than it needs; it must never come twice.
pub(crate) fn nonce() -> String {
    URL_SAFE_NO_PAD.encode(&bytes()[..16])
}

/// A version 4 UUID (RFC 9562 5.4).
pub(crate) fn uuid() -> String {
    let mut bytes = bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(&bytes[..16]);
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// SHA-256: how secrets are stored and things are compared.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut value = [0; 32];
    value.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    value
}

/// A webhook secret as Standard Webhooks writes it.
pub(crate) fn webhook_secret_text(secret: &[u8]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!("89ab".contains(&uuid[19..20]));
        assert_ne!(uuid, super::uuid());
    }
}
