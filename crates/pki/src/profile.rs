//! Profiles.
use crate::Result;
use const_oid::ObjectIdentifier;
/// Kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind { 
    /// Root.
    Root, 
    /// Issuing CA.
    Issuing, 
    /// A citizen.
    Citizen, 
    /// An organisation's seal.
    Seal, 
    /// OCSP responder.
    Ocsp, 
    /// TSA.
    Timestamp }
/// Certificate policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Policy OID.
    pub oid: ObjectIdentifier,
    /// CPS URI.
    pub cps_uri: Option<String>,
    /// explicitText, at most 200 characters.
    pub user_notice: Option<String>,
}
impl Policy { 
    /// From dotted text.
    pub fn new(oid: &str, cps_uri: Option<&str>, user_notice: Option<&str>) -> Result<Policy> { todo!() } }
/// Where things about the issuer are found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// AIA caIssuers.
    pub issuer_certificate: Option<String>,
    /// AIA OCSP.
    pub ocsp: Option<String>,
    /// CRL distribution point.
    pub crl: Option<String>,
}
/// Profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Kind.
    pub kind: Kind,
    /// Policy.
    pub policy: Option<Policy>,
    /// Addresses.
    pub addresses: Addresses,
    /// Adds digitalSignature to the key usage of a citizen or seal.
    pub digital_signature: bool,
    /// rfc822Name, only when the citizen asked.
    pub email: Option<String>,
}
impl Profile {
    /// Root.
    pub fn root() -> Profile { todo!() }
    /// Issuing; pathlen 0.
    pub fn issuing(policy: Option<Policy>, addresses: Addresses) -> Profile { todo!() }
    /// Citizen.
    pub fn citizen(policy: Policy, addresses: Addresses) -> Profile { todo!() }
    /// Seal.
    pub fn seal(policy: Policy, addresses: Addresses) -> Profile { todo!() }
    /// OCSP responder: no revocation addresses (ocsp-nocheck).
    pub fn ocsp(addresses: Addresses) -> Profile { todo!() }
    /// Timestamp.
    pub fn timestamp(policy: Option<Policy>, addresses: Addresses) -> Profile { todo!() }
}
