//! Certification requests.
use crate::{Result, algorithm::*, name::Name, profile::Kind, public_key::PublicKey};
/// CertificationRequestInfo to be signed.
pub fn prepare(subject: &Name, key: &PublicKey, kind: Kind) -> Result<Vec<u8>> { todo!() }
/// The request.
pub fn assemble(info: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>> { todo!() }
/// Parsed; its self-signature was verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Request { der: Vec<u8> }
impl Request {
    /// Reads and verifies possession.
    pub fn from_der(der: &[u8]) -> Result<Request> { todo!() }
    /// Reads PEM.
    pub fn from_pem(pem: &str) -> Result<Request> { todo!() }
    /// PEM.
    pub fn to_pem(&self) -> String { todo!() }
    /// Octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// Subject.
    pub fn subject(&self) -> &Name { todo!() }
    /// Key.
    pub fn public_key(&self) -> &PublicKey { todo!() }
}
