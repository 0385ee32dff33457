//! Certification requests (PKCS #10, RFC 2986): what we send to an outside root, and what comes from elsewhere.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::pem::LineEnding;
use spki::AlgorithmIdentifierOwned;

use crate::algorithm::SignatureAlgorithm;
use crate::limits::REQUEST_OCTETS_MOST;
use crate::name::Name;
use crate::profile::{Kind, Profile};
use crate::public_key::PublicKey;
use crate::signed::{self, Signed};
use crate::wire::{self, Reader, SEQUENCE, SET, context};
use crate::{Error, Result};

const WHAT: &str = "certification request";
/// extensionRequest, RFC 2985 §5.4.2.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// A request whose signature verified: its sender held the private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    der: Vec<u8>,
    subject: Name,
    public_key: PublicKey,
}

/// The exact octets of CertificationRequestInfo. Asks for the extensions of the kind: usages, constraints, identifier.
pub fn prepare(subject: &Name, key: &PublicKey, kind: Kind) -> Result<Vec<u8>> {
    let extensions = Profile::requested_extensions(kind, &key.key_identifier())?;
    let values = wire::tlv(SET, &[&wire::sequence(&[&extensions])]);
    let attribute = wire::sequence(&[&wire::oid(EXTENSION_REQUEST), &values]);
    Ok(wire::sequence(&[
        &wire::integer(0),
        subject.as_der(),
        key.as_der(),
        &wire::tlv(context(0), &[&attribute]),
    ]))
}

/// The request: exactly these octets and the signature over them, which must verify under the key inside.
pub fn assemble(info: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Result<Vec<u8>> {
    let der = signed::join(info, algorithm, signature, &[]);
    Request::from_der(&der)?;
    Ok(der)
}

impl Request {
    /// Reads a request and verifies possession of its key.
    pub fn from_der(der: &[u8]) -> Result<Request> {
        let reader = Reader::open(WHAT, der, SEQUENCE, REQUEST_OCTETS_MOST)?;
        let signed = Signed::read(reader)?;
        signed.rest.end()?;
        let (subject, public_key) = read_info(signed.to_be_signed)?;
        let algorithm: &AlgorithmIdentifierOwned = &signed.algorithm;
        signed::verify(
            &public_key,
            algorithm,
            signed.to_be_signed,
            signed.signature,
        )?;
        Ok(Request {
            der: der.to_vec(),
            subject,
            public_key,
        })
    }

    /// Reads the one request of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Request> {
        match crate::pem::blocks("CERTIFICATE REQUEST", pem)?.as_slice() {
            [der] => Request::from_der(der),
            _ => Err(Error::malformed("PEM with one certification request")),
        }
    }

    /// `CERTIFICATE REQUEST` in PEM (RFC 7468 §7).
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &self.der)
            .expect("a short label and any octets make PEM")
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it is for.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// The key whose possession was proved.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Request({:?})", self.public_key)
    }
}

fn read_info(der: &[u8]) -> Result<(Name, PublicKey)> {
    let mut reader = Reader::new(WHAT, der);
    let mut info = reader.inside(SEQUENCE)?;
    if info.small()? != 0 {
        return Err(info.malformed());
    }
    let subject = Name::from_der(info.element(SEQUENCE)?.octets)?;
    let public_key = PublicKey::from_der(info.element(SEQUENCE)?.octets)?;
    // Attributes belong to the signed part even when empty; some tools leave the tag out.
    info.optional(context(0))?;
    info.end()?;
    Ok((subject, public_key))
}
