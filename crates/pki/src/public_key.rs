//! Public keys: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) as it was given, and what verifies under it.
use crate::Result;
use crate::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};

/// A public key of a kind we know. Keeps its SubjectPublicKeyInfo octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    der: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl PublicKey {
    /// Reads SubjectPublicKeyInfo.
    pub fn from_der(der: &[u8]) -> Result<PublicKey> { todo!() }
    /// From modulus and exponent, big-endian without sign (what PKCS#11 gives).
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey> { todo!() }
    /// From an uncompressed point `04 ‖ x ‖ y` (what PKCS#11 gives inside an OCTET STRING).
    pub fn from_point(algorithm: KeyAlgorithm, point: &[u8]) -> Result<PublicKey> { todo!() }
    /// SubjectPublicKeyInfo as given.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// `PUBLIC KEY` in PEM.
    pub fn to_pem(&self) -> String { todo!() }
    /// Type and size.
    pub fn algorithm(&self) -> KeyAlgorithm { self.algorithm }
    /// SHA-1 of the key's bits, RFC 5280 §4.2.1.2 (1). 20 octets.
    pub fn key_identifier(&self) -> Vec<u8> { todo!() }
    /// Verifies a signature over a message. ECDSA signatures are ECDSA-Sig-Value DER.
    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<()> { todo!() }
    /// Verifies a signature over a digest.
    pub fn verify_digest(&self, algorithm: SignatureAlgorithm, digest: &Digest, signature: &[u8]) -> Result<()> { todo!() }
    /// Modulus and exponent, big-endian, of an RSA key.
    pub fn rsa(&self) -> Option<(Vec<u8>, Vec<u8>)> { todo!() }
    /// The uncompressed point of an EC key.
    pub fn point(&self) -> Option<Vec<u8>> { todo!() }
}
