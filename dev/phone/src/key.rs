//! The device key: P-256, ES256 over a statement's bytes as a browser's WebCrypto makes it (r ‖ s).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// A device key that never leaves this value.
pub struct DeviceKey {
    pair: EcdsaKeyPair,
    spki: Vec<u8>,
}

impl DeviceKey {
    /// A new key.
    pub fn generate() -> Result<Self, Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
        let spki = der.as_ref().to_vec();
        Ok(Self { pair, spki })
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// r ‖ s over SHA-256 of `statement`.
    pub fn sign(&self, statement: &[u8]) -> Result<Vec<u8>, Unspecified> {
        Ok(self
            .pair
            .sign(&SystemRandom::new(), statement)?
            .as_ref()
            .to_vec())
    }
}

/// The uncompressed point at the end of a P-256 SubjectPublicKeyInfo.
pub fn point_of(spki: &[u8]) -> Option<&[u8]> {
    spki.len()
        .checked_sub(65)
        .map(|start| &spki[start..])
        .filter(|point| point[0] == 4)
}
