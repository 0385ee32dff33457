//! Detached CMS signatures as PAdES (`ETSI.CAdES.detached`) and CAdES baseline B carry them.
//!
//! RFC 5652 (CMS), RFC 5754 and 4056 (algorithms), RFC 5035 (signing-certificate-v2), EN 319 122-1 §5 and §6,
//! EN 319 142-1 §6.3.
//!
//! What we chose, and why:
//! - **Signed attributes** are content-type, message-digest and signing-certificate-v2, nothing else. No signing-time:
//!   in PAdES the claimed time stands in the signature dictionary (EN 319 142-1 §6.3).
//! - **issuerSerial is left out** of signing-certificate-v2. EN 319 122-1 §5.2.2 calls it "only a hint"; what binds is
//!   the certificate's digest. A hint that has to be byte-equal to three other fields can only be wrong.
//! - **The certificate is hashed with the signature's own digest algorithm**, so the reference is never the weaker
//!   part. For SHA-256 the identifier is left out, being the default (RFC 5035 §4).
//! - **PKCS#1 v1.5 is `rsaEncryption`**: RFC 5754 §3.2 obliges everybody to read it, and leaves
//!   `sha256WithRSAEncryption` optional. PSS and ECDSA carry the full identifier.
//! - **The whole chain travels along**, the signer first in meaning; on the wire a SET OF is sorted.
//!
//! # Invariants
//! - Certificates and signed attributes go in as the octets they are.
//! - A [`Signature`] has exactly one signer, whose certificate is inside.
//!
//! # Known issues
//! Signatures in BER (indefinite lengths) by others are refused, not converted.

use std::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912};
use der::Any;
use der::asn1::Null;
use spki::AlgorithmIdentifierOwned;

use crate::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use crate::certificate::{Certificate, Serial};
use crate::limits::{CERTIFICATES_MOST, CMS_OCTETS_MOST};
use crate::name::Name;
use crate::wire::{self, Element, OCTET_STRING, Reader, SEQUENCE, SET, context, context_primitive};
use crate::{Error, Result};

const WHAT: &str = "CMS signature";
const ATTRIBUTES: &str = "signed attributes";
/// id-aa-signingCertificateV2, RFC 5035 §3.
const SIGNING_CERTIFICATE_V2: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// The octets to be signed: the attributes as a DER `SET OF` (RFC 5652 §5.4). `content` is the digest of the document,
/// made with the signature's digest algorithm.
pub fn signed_attributes(
    content: &Digest,
    signer: &Certificate,
    algorithm: SignatureAlgorithm,
) -> Result<Vec<u8>> {
    check_digest(content, algorithm)?;
    algorithm.check_fits(signer.public_key()?.algorithm())?;
    let digest = algorithm.digest_algorithm();
    let hash_algorithm = match digest {
        DigestAlgorithm::Sha256 => Vec::new(),
        other => wire::encode(&other.identifier()),
    };
    let certificate_hash = Digest::of(digest, signer.as_der());
    let certificate_id = wire::sequence(&[
        &hash_algorithm,
        &wire::tlv(OCTET_STRING, &[certificate_hash.value()]),
    ]);
    // SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2 }
    let signing_certificate = wire::sequence(&[&wire::sequence(&[&certificate_id])]);
    Ok(wire::set_of(
        SET,
        vec![
            attribute(rfc5911::ID_CONTENT_TYPE, &wire::oid(rfc5911::ID_DATA)),
            attribute(
                rfc5911::ID_MESSAGE_DIGEST,
                &wire::tlv(OCTET_STRING, &[content.value()]),
            ),
            attribute(SIGNING_CERTIFICATE_V2, &signing_certificate),
        ],
    ))
}

/// The detached signature: ContentInfo in DER around exactly these signed attributes. `chain` goes from the signer's
/// issuer upwards; the root may be left out. Does not verify; [`Signature::verify`] does.
pub fn signed_data(
    signed_attributes: &[u8],
    signature: &[u8],
    algorithm: SignatureAlgorithm,
    signer: &Certificate,
    chain: &[Certificate],
) -> Result<Vec<u8>> {
    // Anything but one SET would change its meaning when its tag is replaced below.
    Reader::open(ATTRIBUTES, signed_attributes, SET, CMS_OCTETS_MOST)?;
    if chain.len() + 1 > CERTIFICATES_MOST {
        return Err(Error::TooMany {
            what: "certificates",
            most: CERTIFICATES_MOST,
        });
    }
    let digest = wire::encode(&algorithm.digest_algorithm().identifier());
    let signer_info = wire::sequence(&[
        &wire::integer(1),
        &wire::sequence(&[signer.issuer().as_der(), &signer.serial().to_der()]),
        &digest,
        &implicit_set(signed_attributes),
        &wire::encode(&cms_identifier(algorithm)),
        &wire::tlv(OCTET_STRING, &[signature]),
    ]);
    let mut certificates: Vec<Vec<u8>> = [signer]
        .into_iter()
        .chain(chain)
        .map(|certificate| certificate.as_der().to_vec())
        .collect();
    certificates.sort();
    certificates.dedup();
    let signed_data = wire::sequence(&[
        &wire::integer(1), // RFC 5652 §5.1: id-data and issuerAndSerialNumber
        &wire::tlv(SET, &[&digest]),
        &wire::sequence(&[&wire::oid(rfc5911::ID_DATA)]),
        &wire::set_of(context(0), certificates),
        &wire::tlv(SET, &[&signer_info]),
    ]);
    Ok(wire::sequence(&[
        &wire::oid(rfc5911::ID_SIGNED_DATA),
        &wire::tlv(context(0), &[&signed_data]),
    ]))
}

/// The most octets [`signed_data`] makes for this signer and chain, whatever algorithm the key signs with: the room to
/// reserve in a PDF.
pub fn signed_data_octets_most(signer: &Certificate, chain: &[Certificate]) -> Result<usize> {
    let key = signer.public_key()?.algorithm();
    let signature = vec![0; key.signature_octets_most()];
    let mut most = 0;
    for algorithm in SignatureAlgorithm::ALL {
        if algorithm.fits(key) {
            let digest = algorithm.digest_algorithm();
            let content = Digest::new(digest, vec![0; digest.octets()])?;
            let attributes = signed_attributes(&content, signer, algorithm)?;
            let der = signed_data(&attributes, &signature, algorithm, signer, chain)?;
            most = most.max(der.len());
        }
    }
    Ok(most)
}

/// A detached signature by one signer: the octets, and what they say.
#[derive(Clone)]
pub struct Signature {
    der: Vec<u8>,
    certificates: Vec<Certificate>,
    signer: usize,
    /// The signed attributes in the octets they were signed as: SET OF, not `[0]`.
    attributes: Vec<u8>,
    content_digest: Digest,
    algorithm: SignatureAlgorithm,
    value: Vec<u8>,
}

/// What SignerInfo says.
struct SignerInfo<'a> {
    signer: SignerId,
    digest: DigestAlgorithm,
    attributes: Element<'a>,
    algorithm: AlgorithmIdentifierOwned,
    value: &'a [u8],
}

enum SignerId {
    IssuerAndSerial(Name, Serial),
    KeyIdentifier(Vec<u8>),
}

impl Signature {
    /// Reads a detached signature with one signer, signed attributes, and the signer's certificate inside.
    pub fn from_der(der: &[u8]) -> Result<Signature> {
        let mut content = Reader::open(WHAT, der, SEQUENCE, CMS_OCTETS_MOST)?;
        if content.oid()? != rfc5911::ID_SIGNED_DATA {
            return Err(content.malformed());
        }
        let mut explicit = content.inside(context(0))?;
        content.end()?;
        let mut data = explicit.inside(SEQUENCE)?;
        explicit.end()?;
        data.small()?; // version
        data.element(SET)?; // digest algorithms
        let mut encapsulated = data.inside(SEQUENCE)?;
        let content_type = encapsulated.oid()?;
        // Something after the type would be the content itself: not a detached signature.
        encapsulated.end()?;
        let mut certificates = Vec::new();
        if let Some(mut set) = data.optional_inside(context(0))? {
            while !set.is_empty() {
                if certificates.len() == CERTIFICATES_MOST {
                    return Err(Error::TooMany {
                        what: "certificates",
                        most: CERTIFICATES_MOST,
                    });
                }
                certificates.push(Certificate::from_der(set.element(SEQUENCE)?.octets)?);
            }
        }
        data.optional(context(1))?; // revocation values: evidence, judged elsewhere
        let mut signers = data.inside(SET)?;
        data.end()?;
        let info = SignerInfo::read(&mut signers)?;
        signers.end()?;
        let signer = info.signer.find(&certificates).ok_or(Error::NotTheIssuer {
            what: WHAT,
            field: "signer",
        })?;
        let algorithm = from_cms_identifier(&info.algorithm, info.digest)?;
        let content_digest = read_attributes(&info, content_type, &certificates[signer])?;
        Ok(Signature {
            der: der.to_vec(),
            signer,
            certificates,
            attributes: wire::tlv(SET, &[info.attributes.value]),
            content_digest,
            algorithm,
            value: info.value.to_vec(),
        })
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Every certificate inside, in the order on the wire.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The signer's certificate.
    pub fn signer(&self) -> &Certificate {
        &self.certificates[self.signer]
    }

    /// The digest of the content that was signed.
    pub fn content_digest(&self) -> &Digest {
        &self.content_digest
    }

    /// How it was signed.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The octets that were signed.
    pub fn signed_attributes(&self) -> &[u8] {
        &self.attributes
    }

    /// The signature value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The content is the one signed, the certificate the one referred to, and the signature verifies. The
    /// certificate's path and time are not looked at.
    pub fn verify(&self, content: &Digest) -> Result<()> {
        check_digest(content, self.algorithm)?;
        if *content != self.content_digest {
            return Err(Error::ContentDiffers);
        }
        self.signer()
            .public_key()?
            .verify(self.algorithm, &self.attributes, &self.value)
    }
}

impl<'a> SignerInfo<'a> {
    fn read(signers: &mut Reader<'a>) -> Result<SignerInfo<'a>> {
        let mut info = signers.inside(SEQUENCE)?;
        info.small()?; // version
        let choice = info.any()?;
        let signer = match choice.tag {
            SEQUENCE => {
                let mut inside = Reader::new(WHAT, choice.value);
                let issuer = Name::from_der(inside.element(SEQUENCE)?.octets)?;
                let serial = Serial::read(&mut inside)?;
                inside.end()?;
                SignerId::IssuerAndSerial(issuer, serial)
            }
            tag if tag == context_primitive(0) => SignerId::KeyIdentifier(choice.value.to_vec()),
            _ => return Err(info.malformed()),
        };
        let digest = DigestAlgorithm::from_identifier(&info.algorithm()?)?;
        let attributes = info.element(context(0))?;
        let algorithm = info.algorithm()?;
        let value = info.element(OCTET_STRING)?.value;
        info.optional(context(1))?; // unsigned attributes: time-stamps, judged elsewhere
        info.end()?;
        Ok(SignerInfo {
            signer,
            digest,
            attributes,
            algorithm,
            value,
        })
    }
}

impl SignerId {
    fn find(&self, certificates: &[Certificate]) -> Option<usize> {
        certificates.iter().position(|certificate| match self {
            SignerId::IssuerAndSerial(issuer, serial) => {
                certificate.issuer() == issuer && certificate.serial() == serial
            }
            SignerId::KeyIdentifier(identifier) => {
                certificate.key_identifier() == Some(identifier.as_slice())
            }
        })
    }
}

/// Checks the three attributes every baseline signature has, each once, and gives the digest signed. RFC 5652 §11:
/// content-type and message-digest must be there, with one value.
fn read_attributes(
    info: &SignerInfo<'_>,
    content_type: ObjectIdentifier,
    signer: &Certificate,
) -> Result<Digest> {
    let malformed = Error::malformed(ATTRIBUTES);
    let mut list = Reader::new(ATTRIBUTES, info.attributes.value);
    let (mut typed, mut digest, mut referred) = (None, None, None);
    while !list.is_empty() {
        let mut attribute = list.inside(SEQUENCE)?;
        let oid = attribute.oid()?;
        let mut values = attribute.inside(SET)?;
        attribute.end()?;
        let slot = match oid {
            rfc5911::ID_CONTENT_TYPE => &mut typed,
            rfc5911::ID_MESSAGE_DIGEST => &mut digest,
            SIGNING_CERTIFICATE_V2 => &mut referred,
            _ => continue,
        };
        let value = values.any()?;
        values.end()?;
        if slot.replace(value.octets).is_some() {
            return Err(malformed);
        }
    }
    let (Some(typed), Some(digest), Some(referred)) = (typed, digest, referred) else {
        return Err(malformed);
    };
    if Reader::new(ATTRIBUTES, typed).oid()? != content_type {
        return Err(malformed);
    }
    check_reference(referred, signer)?;
    let digest = Reader::new(ATTRIBUTES, digest).element(OCTET_STRING)?.value;
    Digest::new(info.digest, digest)
}

/// The first reference must be the signer's certificate (RFC 5035 §3); issuerSerial, being a hint, is not looked at.
fn check_reference(referred: &[u8], signer: &Certificate) -> Result<()> {
    let mut reference = Reader::new(ATTRIBUTES, referred)
        .inside(SEQUENCE)?
        .inside(SEQUENCE)?
        .inside(SEQUENCE)?;
    let digest = match reference.peek() {
        Some(SEQUENCE) => DigestAlgorithm::from_identifier(&reference.algorithm()?)?,
        _ => DigestAlgorithm::Sha256,
    };
    let hash = reference.element(OCTET_STRING)?.value;
    if Digest::of(digest, signer.as_der()).value() == hash {
        return Ok(());
    }
    Err(Error::NotTheIssuer {
        what: WHAT,
        field: "signing certificate",
    })
}

fn check_digest(content: &Digest, algorithm: SignatureAlgorithm) -> Result<()> {
    if content.algorithm() == algorithm.digest_algorithm() {
        return Ok(());
    }
    Err(Error::DigestDiffers {
        expected: algorithm.digest_algorithm(),
        found: content.algorithm(),
    })
}

fn cms_identifier(algorithm: SignatureAlgorithm) -> AlgorithmIdentifierOwned {
    if algorithm.is_pss() || algorithm.is_ecdsa() {
        return algorithm.identifier();
    }
    AlgorithmIdentifierOwned {
        oid: rfc5912::RSA_ENCRYPTION,
        parameters: Some(Any::from(Null)),
    }
}

/// The digest algorithm stands beside; where the identifier names one too, they must agree.
fn from_cms_identifier(
    identifier: &AlgorithmIdentifierOwned,
    digest: DigestAlgorithm,
) -> Result<SignatureAlgorithm> {
    if identifier.oid == rfc5912::RSA_ENCRYPTION {
        return Ok(match digest {
            DigestAlgorithm::Sha256 => SignatureAlgorithm::RsaPkcs1Sha256,
            DigestAlgorithm::Sha384 => SignatureAlgorithm::RsaPkcs1Sha384,
            DigestAlgorithm::Sha512 => SignatureAlgorithm::RsaPkcs1Sha512,
        });
    }
    let algorithm = SignatureAlgorithm::from_identifier(identifier)?;
    if algorithm.digest_algorithm() == digest {
        return Ok(algorithm);
    }
    Err(Error::DigestDiffers {
        expected: algorithm.digest_algorithm(),
        found: digest,
    })
}

fn attribute(oid: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    wire::sequence(&[&wire::oid(oid), &wire::tlv(SET, &[value])])
}

/// The same octets with tag `[0]` in place of SET: IMPLICIT changes nothing else.
fn implicit_set(set: &[u8]) -> Vec<u8> {
    let mut octets = set.to_vec();
    octets[0] = context(0);
    octets
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Signature({}, {:?})",
            self.algorithm,
            self.signer()
        )
    }
}
