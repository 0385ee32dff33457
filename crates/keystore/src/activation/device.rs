//! The device key and its signature.

use crate::activation::Refusal;

/// How a device signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// A non-extractable P-256 key of the browser (Web Cryptography): ES256 over the statement's bytes.
    WebCrypto,
    /// A passkey (WebAuthn level 2): an assertion with user verification, whose challenge is SHA-256 of the statement.
    WebAuthn {
        /// The relying party id, e.g. `ky.example.vn`.
        rp_id: String,
        /// The only origin accepted, e.g. `https://ky.example.vn`.
        origin: String,
        /// The credential id the browser knows the passkey by.
        credential_id: Vec<u8>,
    },
}

/// A device's public key: P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// How it signs.
    pub kind: DeviceKind,
    /// DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}

/// A device's signature over a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceSignature {
    /// As `crypto.subtle.sign` returns it.
    WebCrypto {
        /// r ‖ s, 64 bytes.
        signature: Vec<u8>,
    },
    /// As `navigator.credentials.get` returns it.
    WebAuthn {
        /// Authenticator data.
        authenticator_data: Vec<u8>,
        /// Client data, the browser's JSON bytes.
        client_data_json: Vec<u8>,
        /// DER ECDSA signature.
        signature: Vec<u8>,
    },
}

#[allow(unused_variables)]
impl DeviceKey {
    /// Checks that the public key is one a device may have.
    pub fn check(&self) -> Result<(), Refusal> {
        todo!()
    }

    /// Verifies the device's signature over `statement`.
    pub fn verify(&self, statement: &[u8], signature: &DeviceSignature) -> Result<(), Refusal> {
        todo!()
    }
}
