//! OCSP.
use crate::{Result, algorithm::*, certificate::{Certificate, Serial}, revocation::Reason};
/// Hash in a CertID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdHash { 
    /// SHA-1, as nearly all clients send.
    Sha1, 
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512 }
/// CertID, kept as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertId { serial: Serial }
impl CertId {
    /// For asking.
    pub fn of(hash: IdHash, issuer: &Certificate, serial: &Serial) -> Result<CertId> { todo!() }
    /// Serial asked about.
    pub fn serial(&self) -> &Serial { &self.serial }
    /// Whether it names this issuer.
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool { todo!() }
}
/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request { 
    /// What is asked.
    pub ids: Vec<CertId>, 
    /// 1..=128 octets.
    pub nonce: Option<Vec<u8>> }
impl Request {
    /// Reads with limits.
    pub fn from_der(der: &[u8]) -> Result<Request> { todo!() }
    /// Writes.
    pub fn to_der(&self) -> Result<Vec<u8>> { todo!() }
}
/// Status of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status { 
    /// Issued, not revoked.
    Good, 
    /// Revoked or suspended.
    Revoked { 
        /// Milliseconds.
        at: i64, 
        /// Why.
        reason: Option<Reason> }, 
    /// Not ours.
    Unknown }
/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer { 
    /// CertID as asked.
    pub id: CertId, 
    /// Status.
    pub status: Status, 
    /// Milliseconds.
    pub this_update: i64, 
    /// Milliseconds.
    pub next_update: Option<i64> }
/// What is answered.
#[derive(Clone)]
pub struct ResponseTemplate<'a> { 
    /// Signs the response.
    pub responder: &'a Certificate, 
    /// Milliseconds.
    pub produced_at: i64, 
    /// Answers.
    pub answers: Vec<Answer>, 
    /// Echoed.
    pub nonce: Option<Vec<u8>> }
/// ResponseData to be signed.
pub fn prepare(template: &ResponseTemplate<'_>) -> Result<Vec<u8>> { todo!() }
/// OCSPResponse.
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8], responder: &Certificate) -> Result<Vec<u8>> { todo!() }
/// Errors, RFC 6960 §4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure { 
    /// malformedRequest
    Malformed, 
    /// internalError
    Internal, 
    /// tryLater
    TryLater, 
    /// sigRequired
    SignatureRequired,
    /// unauthorized
    Unauthorized }
/// An error response; not signed.
pub fn failure(failure: Failure) -> Vec<u8> { todo!() }
/// Parsed response (successful ones only; errors become `Error::Responder`).
#[derive(Clone, PartialEq, Eq)]
pub struct Response { der: Vec<u8> }
impl Response {
    /// Reads.
    pub fn from_der(der: &[u8]) -> Result<Response> { todo!() }
    /// Octets.
    pub fn as_der(&self) -> &[u8] { &self.der }
    /// Answers.
    pub fn answers(&self) -> &[Answer] { todo!() }
    /// Nonce.
    pub fn nonce(&self) -> Option<&[u8]> { todo!() }
    /// Milliseconds.
    pub fn produced_at(&self) -> i64 { todo!() }
    /// Certificates inside.
    pub fn certificates(&self) -> &[Certificate] { todo!() }
    /// Signed by the issuer or by a responder it delegated to, valid at produced_at.
    pub fn verify(&self, issuer: &Certificate) -> Result<()> { todo!() }
    /// The answer about one certificate, current at `at`.
    pub fn answer_for(&self, issuer: &Certificate, serial: &Serial, at: i64) -> Result<&Answer> { todo!() }
}
