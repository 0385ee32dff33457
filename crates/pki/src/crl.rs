//! CRLs.
use crate::{Result, algorithm::*, certificate::{Certificate, Issuer, Serial}, name::Name, revocation::Reason};
/// One revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry { 
    /// Serial.
    pub serial: Serial, 
    /// Milliseconds.
    pub revoked_at: i64, 
    /// Why.
    pub reason: Option<Reason> }
impl std::fmt::Debug for Serial { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{self}") } }
/// TBSCertList to be signed.
pub fn prepare(issuer: &Issuer, algorithm: SignatureAlgorithm, number: u64, this_update: i64, next_update: i64, entries: &[Entry]) -> Result<Vec<u8>> { todo!() }
/// The CRL.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>> { todo!() }
/// Parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Crl { der: Vec<u8> }
impl Crl {
    /// Reads.
    pub fn from_der(der: &[u8]) -> Result<Crl> { todo!() }
    /// Octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// PEM.
    pub fn to_pem(&self) -> String { todo!() }
    /// Issuer.
    pub fn issuer(&self) -> &Name { todo!() }
    /// cRLNumber.
    pub fn number(&self) -> Option<u64> { todo!() }
    /// Milliseconds.
    pub fn this_update(&self) -> i64 { todo!() }
    /// Milliseconds.
    pub fn next_update(&self) -> Option<i64> { todo!() }
    /// All entries.
    pub fn entries(&self) -> &[Entry] { todo!() }
    /// One.
    pub fn find(&self, serial: &Serial) -> Option<&Entry> { todo!() }
    /// Name, AKI, key usage, signature.
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<()> { todo!() }
}
