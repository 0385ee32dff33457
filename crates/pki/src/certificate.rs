//! Certificates.
use crate::{Result, algorithm::*, name::Name, profile::Profile, public_key::PublicKey};
/// A serial number: positive, at most 20 octets. `Display` is lower-case hex; `FromStr` reads it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);
impl Serial {
    /// 16 random octets; two top bits are set to 01, so positive and always 16 octets (126 random bits).
    pub fn from_random(random: [u8; 16]) -> Serial { todo!() }
    /// From content octets.
    pub fn from_bytes(octets: &[u8]) -> Result<Serial> { todo!() }
    /// Content octets.
    pub fn as_bytes(&self) -> &[u8] { &self.0 }
}
impl std::fmt::Display for Serial { fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { todo!() } }
impl std::str::FromStr for Serial { type Err = crate::Error; fn from_str(_: &str) -> Result<Serial> { todo!() } }
/// Who issues: name and key identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer { 
    /// Subject of the issuing certificate.
    pub name: Name, 
    /// Its subject key identifier.
    pub key_identifier: Vec<u8> }
impl Issuer {
    /// From the issuing certificate.
    pub fn of(certificate: &Certificate) -> Result<Issuer> { todo!() }
    /// For a self-issued certificate.
    pub fn itself(name: &Name, key: &PublicKey) -> Issuer { todo!() }
}
/// Everything in a certificate.
#[derive(Clone)]
pub struct Template {
    /// Serial.
    pub serial: Serial,
    /// Issuer.
    pub issuer: Issuer,
    /// Subject.
    pub subject: Name,
    /// Milliseconds since 1970, cut to the second.
    pub not_before: i64,
    /// Milliseconds since 1970, cut to the second.
    pub not_after: i64,
    /// Subject's key.
    pub public_key: PublicKey,
    /// Extensions.
    pub profile: Profile,
    /// What the issuer will sign with.
    pub signature_algorithm: SignatureAlgorithm,
}
/// TBSCertificate DER to be signed.
pub fn prepare(template: &Template) -> Result<Vec<u8>> { todo!() }
/// The certificate.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>> { todo!() }
/// A parsed view that keeps the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate { der: Vec<u8> }
impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Certificate> { todo!() }
    /// Reads one PEM certificate.
    pub fn from_pem(pem: &str) -> Result<Certificate> { todo!() }
    /// Reads all PEM certificates in order.
    pub fn chain_from_pem(pem: &str) -> Result<Vec<Certificate>> { todo!() }
    /// The octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// PEM.
    pub fn to_pem(&self) -> String { todo!() }
    /// TBSCertificate as signed.
    pub fn to_be_signed(&self) -> &[u8] { todo!() }
    /// Subject.
    pub fn subject(&self) -> &Name { todo!() }
    /// Issuer.
    pub fn issuer(&self) -> &Name { todo!() }
    /// Serial.
    pub fn serial(&self) -> &Serial { todo!() }
    /// Milliseconds.
    pub fn not_before(&self) -> i64 { todo!() }
    /// Milliseconds.
    pub fn not_after(&self) -> i64 { todo!() }
    /// `Err` when of a kind we do not know.
    pub fn public_key(&self) -> Result<&PublicKey> { todo!() }
    /// Subject key identifier.
    pub fn key_identifier(&self) -> Option<&[u8]> { todo!() }
    /// Authority key identifier.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> { todo!() }
    /// CA:TRUE.
    pub fn is_authority(&self) -> bool { todo!() }
    /// What it was signed with.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm> { todo!() }
    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> Digest { todo!() }
    /// In its validity.
    pub fn check_valid_at(&self, at: i64) -> Result<()> { todo!() }
    /// Name, key identifier, CA flag, key usage and signature.
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<()> { todo!() }
}
