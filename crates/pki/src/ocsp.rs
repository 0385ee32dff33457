//! OCSP: requests read with limits, responses prepared and assembled, failures, and the asking side for evidence.
//!
//! RFC 6960; nonces RFC 9654 (1 to 128 octets, echoed); caching fields as RFC 5019. The responder is delegated: its
//! certificate, issued by the authority whose certificates it speaks for, travels in the response (RFC 6960 §4.2.2.2).
//!
//! # Invariants
//! - A CertID is answered in the octets it was asked in, whatever its hash and parameters.
//! - `Good` is said only by the caller who knows the serial was issued; this module never invents a status.
//!
//! # Known issues
//! Signed requests are read and their signature ignored: we answer everybody.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc6960};
use der::asn1::Null;
use der::{Any, Decode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{CrlReason, KeyUsage};

use crate::algorithm::SignatureAlgorithm;
use crate::certificate::{Certificate, Serial};
use crate::limits::{
    self, CERTIFICATES_MOST, OCSP_IDS_MOST, OCSP_NONCE_OCTETS_MOST, OCSP_REQUEST_OCTETS_MOST,
    OCSP_RESPONSE_OCTETS_MOST,
};
use crate::name::Name;
use crate::profile::OCSP_SIGNING;
use crate::revocation::Reason;
use crate::signed::{self, Signed};
use crate::wire::{self, ENUMERATED, OCTET_STRING, Reader, SEQUENCE, context, context_primitive};
use crate::{Error, Result};

const REQUEST: &str = "OCSP request";
const RESPONSE: &str = "OCSP response";

/// The hash inside a CertID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdHash {
    /// What nearly every client sends. It identifies and protects nothing.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// Which certificate is meant: hashes of its issuer's name and key, and its serial. Keeps the octets it came as.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CertId {
    der: Vec<u8>,
    is_plain: bool,
    hash: Option<IdHash>,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Serial,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked about, 1 to 64, in order.
    pub ids: Vec<CertId>,
    /// To be echoed, 1 to 128 octets.
    pub nonce: Option<Vec<u8>>,
}

/// The status of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Issued, and neither revoked nor suspended.
    Good,
    /// Revoked or suspended.
    Revoked {
        /// Since when, milliseconds since 1970.
        at: i64,
        /// Why.
        reason: Option<Reason>,
    },
    /// Not a certificate this responder knows.
    Unknown,
}

/// The answer about one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which one, as it was asked.
    pub id: CertId,
    /// Its status.
    pub status: Status,
    /// When this was known to be true, milliseconds since 1970.
    pub this_update: i64,
    /// Until when it may be relied on, milliseconds since 1970.
    pub next_update: Option<i64>,
}

/// What a response says.
#[derive(Clone, Debug)]
pub struct ResponseTemplate<'a> {
    /// The certificate of the key that signs; named by its key hash.
    pub responder: &'a Certificate,
    /// When it is signed, milliseconds since 1970.
    pub produced_at: i64,
    /// At least one.
    pub answers: Vec<Answer>,
    /// The request's nonce.
    pub nonce: Option<Vec<u8>>,
}

/// Answers that need no signature (RFC 6960 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// The request is not one: `malformedRequest`.
    Malformed,
    /// We are at fault: `internalError`.
    Internal,
    /// Ask again later: `tryLater`.
    TryLater,
    /// Requests must be signed: `sigRequired`. Only read, never said.
    SignatureRequired,
    /// Not about certificates of ours, or we never issued it (RFC 5019 §2.2.3): `unauthorized`.
    Unauthorized,
}

/// A successful basic response: the octets, and what they say.
#[derive(Clone)]
pub struct Response {
    der: Vec<u8>,
    to_be_signed: Range<usize>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    certificates: Vec<Certificate>,
    fields: Fields,
}

#[derive(Clone)]
struct Fields {
    responder: Responder,
    produced_at: i64,
    answers: Vec<Answer>,
    nonce: Option<Vec<u8>>,
}

#[derive(Clone)]
enum Responder {
    Name(Name),
    KeyHash(Vec<u8>),
}

impl Request {
    /// Reads a request: at most 64 kB, 64 CertIDs, and a nonce of 1 to 128 octets, or it is malformed.
    pub fn from_der(der: &[u8]) -> Result<Request> {
        let mut request = Reader::open(REQUEST, der, SEQUENCE, OCSP_REQUEST_OCTETS_MOST)?;
        let mut fields = request.inside(SEQUENCE)?;
        request.optional(context(0))?; // the signature, see "Known issues"
        request.end()?;
        if let Some(mut version) = fields.optional_inside(context(0))?
            && version.small()? != 0
        {
            return Err(fields.malformed());
        }
        fields.optional(context(1))?; // requestorName
        let mut list = fields.inside(SEQUENCE)?;
        let mut ids = Vec::new();
        while !list.is_empty() {
            if ids.len() == OCSP_IDS_MOST {
                return Err(Error::TooMany {
                    what: REQUEST,
                    most: OCSP_IDS_MOST,
                });
            }
            let mut one = list.inside(SEQUENCE)?;
            ids.push(CertId::read(&mut one)?);
            if let Some(mut extensions) = one.optional_inside(context(0))? {
                refuse_critical(&extensions.extensions()?)?;
                extensions.end()?;
            }
            one.end()?;
        }
        let nonce = match fields.optional_inside(context(2))? {
            Some(mut inside) => {
                let extensions = inside.extensions()?;
                inside.end()?;
                refuse_critical(&extensions)?;
                nonce_in(REQUEST, &extensions)?
            }
            None => None,
        };
        fields.end()?;
        if ids.is_empty() {
            return Err(Error::malformed(REQUEST));
        }
        Ok(Request { ids, nonce })
    }

    /// The request in DER, unsigned.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        if self.ids.is_empty() || self.ids.len() > OCSP_IDS_MOST {
            return Err(Error::Field {
                field: "CertIDs",
                rule: "must be 1 to 64",
            });
        }
        let list: Vec<u8> = self
            .ids
            .iter()
            .flat_map(|id| wire::sequence(&[&id.der]))
            .collect();
        let extensions = match &self.nonce {
            Some(nonce) => wire::tlv(context(2), &[&wire::sequence(&[&nonce_extension(nonce)?])]),
            None => Vec::new(),
        };
        Ok(wire::sequence(&[&wire::sequence(&[
            &wire::sequence(&[&list]),
            &extensions,
        ])]))
    }
}

/// The exact octets of ResponseData. Times are cut to the second.
pub fn prepare(template: &ResponseTemplate<'_>) -> Result<Vec<u8>> {
    if template.answers.is_empty() || template.answers.len() > OCSP_IDS_MOST {
        return Err(Error::Field {
            field: "answers",
            rule: "must be 1 to 64",
        });
    }
    let mut answers = Vec::new();
    for answer in &template.answers {
        answers.extend(answer.to_der()?);
    }
    let key_hash = template.responder.public_key()?.key_identifier();
    let responder = wire::tlv(context(2), &[&wire::tlv(OCTET_STRING, &[&key_hash])]);
    let extensions = match &template.nonce {
        Some(nonce) => wire::tlv(context(1), &[&wire::sequence(&[&nonce_extension(nonce)?])]),
        None => Vec::new(),
    };
    Ok(wire::sequence(&[
        &responder,
        &wire::generalized_time(template.produced_at)?,
        &wire::sequence(&[&answers]),
        &extensions,
    ]))
}

/// The response: exactly these octets, the signature over them, and the delegated responder's certificate.
pub fn assemble(
    to_be_signed: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
    responder: &Certificate,
) -> Result<Vec<u8>> {
    limits::check(RESPONSE, to_be_signed, OCSP_RESPONSE_OCTETS_MOST)?;
    let certificates = wire::tlv(context(0), &[&wire::sequence(&[responder.as_der()])]);
    let basic = signed::join(to_be_signed, algorithm, signature, &certificates);
    let bytes = wire::sequence(&[
        &wire::oid(rfc6960::ID_PKIX_OCSP_BASIC),
        &wire::tlv(OCTET_STRING, &[&basic]),
    ]);
    Ok(wire::sequence(&[
        &[ENUMERATED, 1, 0],
        &wire::tlv(context(0), &[&bytes]),
    ]))
}

/// A failure in DER; not signed, so it never says anything about a certificate.
pub fn failure(failure: Failure) -> Vec<u8> {
    wire::sequence(&[&[ENUMERATED, 1, failure.code()]])
}

impl CertId {
    /// For asking about a certificate of this issuer.
    pub fn of(hash: IdHash, issuer: &Certificate, serial: &Serial) -> Result<CertId> {
        // SHA-1 has NULL parameters here since every client writes it so; SHA-2 has none (RFC 5754 §2).
        let algorithm = AlgorithmIdentifierOwned {
            oid: hash.oid(),
            parameters: (hash == IdHash::Sha1).then(|| Any::from(Null)),
        };
        let key = key_bits(issuer.public_key_der())?;
        let der = wire::sequence(&[
            &wire::encode(&algorithm),
            &wire::tlv(OCTET_STRING, &[&hash.of(issuer.subject().as_der())]),
            &wire::tlv(OCTET_STRING, &[&hash.of(key)]),
            &serial.to_der(),
        ]);
        CertId::read(&mut Reader::new(REQUEST, &der))
    }

    /// The serial asked about.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// The hash, when it is one we know.
    pub fn hash(&self) -> Option<IdHash> {
        self.hash
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether nothing in it is the asker's choice but the hash: its parameters are absent or NULL, all is DER. There are eight
    /// such spellings of one certificate, so answers to them can be kept.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether it means a certificate of this issuer: both hashes agree.
    pub fn is_issued_by(&self, issuer: &Certificate) -> bool {
        let Some(hash) = self.hash else { return false };
        let Ok(key) = key_bits(issuer.public_key_der()) else {
            return false;
        };
        self.issuer_name_hash == hash.of(issuer.subject().as_der())
            && self.issuer_key_hash == hash.of(key)
    }

    fn read(reader: &mut Reader<'_>) -> Result<CertId> {
        let element = reader.element(SEQUENCE)?;
        let mut id = Reader::new(REQUEST, element.value);
        let algorithm = id.algorithm()?;
        let issuer_name_hash = id.element(OCTET_STRING)?.value.to_vec();
        let issuer_key_hash = id.element(OCTET_STRING)?.value.to_vec();
        let serial = Serial::read(&mut id)?;
        id.end()?;
        let parameters = algorithm.parameters.as_ref();
        let again = wire::sequence(&[
            &wire::encode(&algorithm),
            &wire::tlv(OCTET_STRING, &[&issuer_name_hash]),
            &wire::tlv(OCTET_STRING, &[&issuer_key_hash]),
            &serial.to_der(),
        ]);
        Ok(CertId {
            is_plain: parameters.is_none_or(Any::is_null) && again == element.octets,
            der: element.octets.to_vec(),
            hash: IdHash::ALL
                .into_iter()
                .find(|hash| hash.oid() == algorithm.oid),
            issuer_name_hash,
            issuer_key_hash,
            serial,
        })
    }
}

impl IdHash {
    const ALL: [IdHash; 4] = [IdHash::Sha1, IdHash::Sha256, IdHash::Sha384, IdHash::Sha512];

    fn oid(self) -> ObjectIdentifier {
        match self {
            IdHash::Sha1 => rfc5912::ID_SHA_1,
            IdHash::Sha256 => rfc5912::ID_SHA_256,
            IdHash::Sha384 => rfc5912::ID_SHA_384,
            IdHash::Sha512 => rfc5912::ID_SHA_512,
        }
    }

    fn of(self, octets: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            IdHash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            IdHash::Sha256 => &digest::SHA256,
            IdHash::Sha384 => &digest::SHA384,
            IdHash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, octets).as_ref().to_vec()
    }
}

impl Failure {
    const ALL: [Failure; 5] = [
        Failure::Malformed,
        Failure::Internal,
        Failure::TryLater,
        Failure::SignatureRequired,
        Failure::Unauthorized,
    ];

    /// The status' name in RFC 6960.
    pub const fn as_str(self) -> &'static str {
        match self {
            Failure::Malformed => "malformedRequest",
            Failure::Internal => "internalError",
            Failure::TryLater => "tryLater",
            Failure::SignatureRequired => "sigRequired",
            Failure::Unauthorized => "unauthorized",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Failure::Malformed => 1,
            Failure::Internal => 2,
            Failure::TryLater => 3,
            Failure::SignatureRequired => 5,
            Failure::Unauthorized => 6,
        }
    }
}

impl Answer {
    fn to_der(&self) -> Result<Vec<u8>> {
        let status = match self.status {
            Status::Good => vec![context_primitive(0), 0],
            Status::Unknown => vec![context_primitive(2), 0],
            Status::Revoked { at, reason } => {
                let reason = match Reason::written(reason) {
                    Some(reason) => wire::tlv(context(0), &[&wire::encode(&reason)]),
                    None => Vec::new(),
                };
                wire::tlv(context(1), &[&wire::generalized_time(at)?, &reason])
            }
        };
        let next_update = match self.next_update {
            Some(at) if at < self.this_update => {
                return Err(Error::Field {
                    field: "next update",
                    rule: "must not come before this update",
                });
            }
            Some(at) => wire::tlv(context(0), &[&wire::generalized_time(at)?]),
            None => Vec::new(),
        };
        Ok(wire::sequence(&[
            &self.id.der,
            &status,
            &wire::generalized_time(self.this_update)?,
            &next_update,
        ]))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Answer> {
        let mut answer = reader.inside(SEQUENCE)?;
        let id = CertId::read(&mut answer)?;
        let element = answer.any()?;
        let status = match (element.tag, element.value) {
            (0x80, []) => Status::Good,
            (0x82, []) => Status::Unknown,
            (0xa1, value) => read_revoked(value)?,
            _ => return Err(answer.malformed()),
        };
        let this_update = answer.time()?;
        let next_update = match answer.optional_inside(context(0))? {
            Some(mut inside) => {
                let at = inside.time()?;
                inside.end()?;
                Some(at)
            }
            None => None,
        };
        if let Some(mut extensions) = answer.optional_inside(context(1))? {
            refuse_critical(&extensions.extensions()?)?;
            extensions.end()?;
        }
        answer.end()?;
        Ok(Answer {
            id,
            status,
            this_update,
            next_update,
        })
    }
}

impl Response {
    /// Reads a successful response; a failure becomes [`Error::Responder`].
    pub fn from_der(der: &[u8]) -> Result<Response> {
        let basic = basic_in(der)?;
        let reader = Reader::open(RESPONSE, basic, SEQUENCE, OCSP_RESPONSE_OCTETS_MOST)?;
        let signed = Signed::read(reader)?;
        let mut rest = signed.rest.clone();
        let mut certificates = Vec::new();
        if let Some(mut inside) = rest.optional_inside(context(0))? {
            let mut list = inside.inside(SEQUENCE)?;
            inside.end()?;
            while !list.is_empty() {
                if certificates.len() == CERTIFICATES_MOST {
                    return Err(Error::TooMany {
                        what: "certificates",
                        most: CERTIFICATES_MOST,
                    });
                }
                certificates.push(Certificate::from_der(list.element(SEQUENCE)?.octets)?);
            }
        }
        rest.end()?;
        let fields = Fields::read(signed.to_be_signed)?;
        // `basic` is a slice of `der`, and the signed part the first thing behind its header.
        let (header, _) = limits::header(RESPONSE, basic)?;
        let start = basic.as_ptr() as usize - der.as_ptr() as usize + header;
        Ok(Response {
            der: der.to_vec(),
            to_be_signed: start..start + signed.to_be_signed.len(),
            algorithm: signed.algorithm,
            signature: signed.signature.to_vec(),
            certificates,
            fields,
        })
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Every answer, in order.
    pub fn answers(&self) -> &[Answer] {
        &self.fields.answers
    }

    /// The echoed nonce.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.fields.nonce.as_deref()
    }

    /// When it was signed, milliseconds since 1970.
    pub fn produced_at(&self) -> i64 {
        self.fields.produced_at
    }

    /// The certificates inside.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Who signed is allowed to (RFC 6960 §4.2.2.2): the issuer itself, or a responder whose certificate the issuer
    /// signed for OCSP and that was valid when the response was produced. And the signature verifies.
    pub fn verify(&self, issuer: &Certificate) -> Result<()> {
        let responder = self
            .certificates
            .iter()
            .chain([issuer])
            .find(|certificate| self.fields.responder.is(certificate))
            .ok_or(Error::NotTheIssuer {
                what: RESPONSE,
                field: "responder",
            })?;
        if responder != issuer {
            responder.verify_issued_by(issuer)?;
            if !responder.is_for(OCSP_SIGNING) {
                return Err(Error::NotForThisPurpose {
                    purpose: "OCSP",
                    field: "extended key usage",
                });
            }
            responder.check_valid_at(self.produced_at())?;
        }
        let may_sign = responder
            .key_usage()
            .is_none_or(|usage: &KeyUsage| usage.digital_signature() || responder == issuer);
        if !may_sign {
            return Err(Error::NotForThisPurpose {
                purpose: "OCSP",
                field: "key usage",
            });
        }
        signed::verify(
            responder.public_key()?,
            &self.algorithm,
            &self.der[self.to_be_signed.clone()],
            &self.signature,
        )
    }

    /// The answer about one certificate of this issuer that is current at `at`. Call [`Response::verify`] first.
    pub fn answer_for(&self, issuer: &Certificate, serial: &Serial, at: i64) -> Result<&Answer> {
        let answer = self
            .answers()
            .iter()
            .find(|answer| answer.id.serial() == serial && answer.id.is_issued_by(issuer))
            .ok_or(Error::NotTheIssuer {
                what: RESPONSE,
                field: "CertID",
            })?;
        let until = answer.next_update.unwrap_or(i64::MAX);
        if at < answer.this_update || at > until {
            return Err(Error::NotValidAt {
                what: RESPONSE,
                at,
                from: answer.this_update,
                until,
            });
        }
        Ok(answer)
    }
}

impl Responder {
    fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Responder::Name(name) => name == certificate.subject(),
            Responder::KeyHash(hash) => key_bits(certificate.public_key_der())
                .is_ok_and(|key| IdHash::Sha1.of(key) == *hash),
        }
    }
}

impl Fields {
    fn read(der: &[u8]) -> Result<Fields> {
        let mut reader = Reader::new(RESPONSE, der);
        let mut fields = reader.inside(SEQUENCE)?;
        reader.end()?;
        if let Some(mut version) = fields.optional_inside(context(0))?
            && version.small()? != 0
        {
            return Err(fields.malformed());
        }
        let mut choice = fields.any()?;
        let responder = match choice.tag {
            0xa1 => Responder::Name(Name::from_der(choice.value)?),
            0xa2 => {
                let mut inside = Reader::new(RESPONSE, choice.value);
                choice = inside.element(OCTET_STRING)?;
                inside.end()?;
                Responder::KeyHash(choice.value.to_vec())
            }
            _ => return Err(fields.malformed()),
        };
        let produced_at = fields.time()?;
        let mut list = fields.inside(SEQUENCE)?;
        let mut answers = Vec::new();
        while !list.is_empty() {
            answers.push(Answer::read(&mut list)?);
        }
        let nonce = match fields.optional_inside(context(1))? {
            Some(mut inside) => {
                let extensions = inside.extensions()?;
                inside.end()?;
                refuse_critical(&extensions)?;
                nonce_in(RESPONSE, &extensions)?
            }
            None => None,
        };
        fields.end()?;
        Ok(Fields {
            responder,
            produced_at,
            answers,
            nonce,
        })
    }
}

/// The octets of BasicOCSPResponse inside OCSPResponse.
fn basic_in(der: &[u8]) -> Result<&[u8]> {
    let mut response = Reader::open(RESPONSE, der, SEQUENCE, OCSP_RESPONSE_OCTETS_MOST)?;
    let status = response.element(ENUMERATED)?.value;
    if status != [0] {
        let failure = Failure::ALL
            .into_iter()
            .find(|failure| status == [failure.code()])
            .ok_or(Error::malformed(RESPONSE))?;
        return Err(Error::Responder {
            status: failure.as_str(),
        });
    }
    let mut inside = response.inside(context(0))?;
    response.end()?;
    let mut bytes = inside.inside(SEQUENCE)?;
    inside.end()?;
    let kind = bytes.oid()?;
    if kind != rfc6960::ID_PKIX_OCSP_BASIC {
        return Err(Error::Unsupported {
            what: RESPONSE,
            found: kind.to_string(),
        });
    }
    let basic = bytes.element(OCTET_STRING)?.value;
    bytes.end()?;
    Ok(basic)
}

fn read_revoked(value: &[u8]) -> Result<Status> {
    let mut revoked = Reader::new(RESPONSE, value);
    let at = revoked.time()?;
    let reason = match revoked.optional_inside(context(0))? {
        Some(mut inside) => {
            let octets = inside.element(ENUMERATED)?.octets;
            inside.end()?;
            let reason = CrlReason::from_der(octets).map_err(Error::decoding(RESPONSE))?;
            Some(Reason::read(reason)?)
        }
        None => None,
    };
    revoked.end()?;
    Ok(Status::Revoked { at, reason })
}

/// The content of the BIT STRING in SubjectPublicKeyInfo: what issuerKeyHash and KeyHash are over.
fn key_bits(public_key_der: &[u8]) -> Result<&[u8]> {
    let mut reader = Reader::new("public key", public_key_der).inside(SEQUENCE)?;
    reader.element(SEQUENCE)?;
    reader.bits()
}

fn nonce_extension(nonce: &[u8]) -> Result<Vec<u8>> {
    if nonce.is_empty() || nonce.len() > OCSP_NONCE_OCTETS_MOST {
        return Err(Error::Field {
            field: "nonce",
            rule: "must be 1 to 128 octets",
        });
    }
    let value = wire::tlv(OCTET_STRING, &[nonce]);
    Ok(wire::extension(rfc6960::ID_PKIX_OCSP_NONCE, false, &value))
}

/// A nonce of no octets or more than 128 makes a request malformed (RFC 9654 §2.1); the same bound holds for answers.
fn nonce_in(what: &'static str, extensions: &[Extension]) -> Result<Option<Vec<u8>>> {
    let Some(extension) = extensions
        .iter()
        .find(|one| one.extn_id == rfc6960::ID_PKIX_OCSP_NONCE)
    else {
        return Ok(None);
    };
    let mut reader = Reader::new(what, extension.extn_value.as_bytes());
    let nonce = reader.element(OCTET_STRING)?.value;
    reader.end()?;
    if nonce.is_empty() || nonce.len() > OCSP_NONCE_OCTETS_MOST {
        return Err(Error::TooLong {
            what: "nonce",
            octets: nonce.len(),
            most: OCSP_NONCE_OCTETS_MOST,
        });
    }
    Ok(Some(nonce.to_vec()))
}

/// Extensions we do not know are ignored unless they are critical (RFC 6960 §4.1.2). The nonce is the one we know.
fn refuse_critical(extensions: &[Extension]) -> Result<()> {
    let unknown = extensions
        .iter()
        .find(|one| one.critical && one.extn_id != rfc6960::ID_PKIX_OCSP_NONCE);
    match unknown {
        None => Ok(()),
        Some(extension) => Err(Error::Unsupported {
            what: "critical OCSP extension",
            found: extension.extn_id.to_string(),
        }),
    }
}

impl fmt::Debug for CertId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CertId({})", self.serial)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Response({} answers)", self.answers().len())
    }
}

impl PartialEq for Response {
    fn eq(&self, other: &Response) -> bool {
        self.der == other.der
    }
}

impl Eq for Response {}
