//! Certificates: prepared, assembled, read (RFC 5280 §4).
//!
//! # Invariants
//! - A [`Certificate`] is the octets that came; its signed part is a slice of them.
//! - No extension appears twice, and those we understand were decoded when it was read.
//! - What we prepare has a positive serial of 8 to 20 octets and its validity in whole seconds.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::Decode;
use der::pem::LineEnding;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};

use crate::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use crate::limits::CERTIFICATE_OCTETS_MOST;
use crate::name::Name;
use crate::profile::Profile;
use crate::public_key::PublicKey;
use crate::signed::{self, Signed};
use crate::wire::{self, INTEGER, Reader, SEQUENCE, context, context_primitive};
use crate::{Error, Result};

const WHAT: &str = "certificate";
const V3: u64 = 2;
const SERIAL_OCTETS_MOST: usize = 20;

/// A serial number: the content octets of its INTEGER. `Display` and `FromStr` are lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Serial(Vec<u8>);

/// Who issues: the name and key identifier that go into what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// The subject of the issuing certificate.
    pub name: Name,
    /// Its subject key identifier.
    pub key_identifier: Vec<u8>,
}

/// Everything that goes into a certificate.
#[derive(Clone, Debug)]
pub struct Template {
    /// The serial number.
    pub serial: Serial,
    /// Who issues; [`Issuer::itself`] for a root.
    pub issuer: Issuer,
    /// Whom it is for.
    pub subject: Name,
    /// First instant of validity, milliseconds since 1970, cut to the second.
    pub not_before: i64,
    /// Last instant of validity, milliseconds since 1970, cut to the second.
    pub not_after: i64,
    /// The subject's key.
    pub public_key: PublicKey,
    /// The extensions.
    pub profile: Profile,
    /// What the issuer signs with.
    pub signature_algorithm: SignatureAlgorithm,
}

/// A certificate: the octets, and what they say.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    to_be_signed: Range<usize>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    fields: Fields,
}

/// What TBSCertificate says.
#[derive(Clone)]
pub(crate) struct Fields {
    pub version: u64,
    pub serial: Serial,
    pub algorithm: AlgorithmIdentifierOwned,
    pub issuer: Name,
    pub not_before: i64,
    pub not_after: i64,
    pub subject: Name,
    pub public_key_der: Vec<u8>,
    pub public_key: Result<PublicKey>,
    pub extensions: Vec<Extension>,
    pub key_identifier: Option<Vec<u8>>,
    pub authority_key_identifier: Option<Vec<u8>>,
    pub basic_constraints: Option<BasicConstraints>,
    pub key_usage: Option<KeyUsage>,
    pub extended_key_usage: Option<Vec<ObjectIdentifier>>,
}

/// The exact octets of TBSCertificate, to be linted, written down, and signed.
pub fn prepare(template: &Template) -> Result<Vec<u8>> {
    if template.not_after <= template.not_before {
        return Err(Error::Field {
            field: "validity",
            rule: "must end after it begins",
        });
    }
    let extensions = template.profile.extensions(
        &template.public_key.key_identifier(),
        &template.issuer.key_identifier,
    )?;
    let validity = wire::sequence(&[
        &wire::time(template.not_before)?,
        &wire::time(template.not_after)?,
    ]);
    Ok(wire::sequence(&[
        &wire::tlv(context(0), &[&wire::integer(V3)]),
        &template.serial.to_der(),
        &wire::encode(&template.signature_algorithm.identifier()),
        template.issuer.name.as_der(),
        &validity,
        template.subject.as_der(),
        template.public_key.as_der(),
        &wire::tlv(context(3), &[&wire::sequence(&[&extensions])]),
    ]))
}

/// The certificate: exactly these octets and the signature over them. Does not verify the signature; whoever signs
/// verifies what came out (`Certificate::verify_issued_by`).
pub fn assemble(
    to_be_signed: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>> {
    let fields = Fields::from_der(to_be_signed)?;
    signed::check_same_algorithm(WHAT, &fields.algorithm, &algorithm.identifier())?;
    Ok(signed::join(to_be_signed, algorithm, signature, &[]))
}

impl Serial {
    /// From 16 random octets. The two top bits become 01: positive, never zero, and always 16 octets, with 126 random
    /// bits (CA/Browser Forum BR §7.1 asks for 64).
    pub fn from_random(mut random: [u8; 16]) -> Serial {
        random[0] = random[0] & 0x3f | 0x40;
        Serial(random.to_vec())
    }

    /// From content octets: shortest form, positive, at most 20 (RFC 5280 §4.1.2.2).
    pub fn from_bytes(octets: &[u8]) -> Result<Serial> {
        let is_shortest = !matches!(octets, [0, 0..=0x7f, ..] | []);
        let is_positive = octets.first().is_some_and(|first| first & 0x80 == 0) && octets != [0];
        if is_shortest && is_positive && octets.len() <= SERIAL_OCTETS_MOST {
            return Ok(Serial(octets.to_vec()));
        }
        Err(Error::Field {
            field: "serial number",
            rule: "must be positive, shortest and at most 20 octets",
        })
    }

    /// The content octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads what others wrote: any sign, and one octet more, since RFC 5280 §4.1.2.2 asks for grace.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Serial> {
        let octets = reader.integer()?;
        if octets.len() > SERIAL_OCTETS_MOST + 1 {
            return Err(Error::TooLong {
                what: "serial number",
                octets: octets.len(),
                most: SERIAL_OCTETS_MOST,
            });
        }
        Ok(Serial(octets.to_vec()))
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        wire::tlv(INTEGER, &[&self.0])
    }
}

impl Issuer {
    /// From the issuing certificate. It must be an authority's and have a subject key identifier.
    pub fn of(certificate: &Certificate) -> Result<Issuer> {
        let identifier = certificate.key_identifier();
        if !certificate.is_authority() {
            return Err(Error::NotForThisPurpose {
                purpose: "issuing",
                field: "basic constraints",
            });
        }
        Ok(Issuer {
            name: certificate.subject().clone(),
            key_identifier: identifier
                .ok_or(Error::NotForThisPurpose {
                    purpose: "issuing",
                    field: "subject key identifier",
                })?
                .to_vec(),
        })
    }

    /// Of a root that signs itself.
    pub fn itself(name: &Name, key: &PublicKey) -> Issuer {
        Issuer {
            name: name.clone(),
            key_identifier: key.key_identifier(),
        }
    }
}

impl Certificate {
    /// Reads DER. A key of a kind we do not know is no error here, only in [`Certificate::public_key`].
    pub fn from_der(der: &[u8]) -> Result<Certificate> {
        let reader = Reader::open(WHAT, der, SEQUENCE, CERTIFICATE_OCTETS_MOST)?;
        let signed = Signed::read(reader)?;
        signed.rest.end()?;
        let fields = Fields::read(signed.to_be_signed)?;
        signed::check_same_algorithm(WHAT, &fields.algorithm, &signed.algorithm)?;
        // The signed part is the first thing behind the outer header.
        let (start, _) = crate::limits::header(WHAT, der)?;
        Ok(Certificate {
            der: der.to_vec(),
            to_be_signed: start..start + signed.to_be_signed.len(),
            algorithm: signed.algorithm,
            signature: signed.signature.to_vec(),
            fields,
        })
    }

    /// Reads the one certificate of a PEM text; words around it are allowed.
    pub fn from_pem(pem: &str) -> Result<Certificate> {
        let mut chain = Certificate::chain_from_pem(pem)?;
        match (chain.pop(), chain.is_empty()) {
            (Some(certificate), true) => Ok(certificate),
            _ => Err(Error::malformed("PEM with one certificate")),
        }
    }

    /// Reads every certificate of a PEM text, in order.
    pub fn chain_from_pem(pem: &str) -> Result<Vec<Certificate>> {
        let blocks = crate::pem::blocks("CERTIFICATE", pem)?;
        blocks
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect()
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// `CERTIFICATE` in PEM (RFC 7468 §5).
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE", LineEnding::LF, &self.der)
            .expect("a short label and any octets make PEM")
    }

    /// TBSCertificate: the octets that were signed.
    pub fn to_be_signed(&self) -> &[u8] {
        &self.der[self.to_be_signed.clone()]
    }

    /// The signature value.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whom it is for.
    pub fn subject(&self) -> &Name {
        &self.fields.subject
    }

    /// Who issued it.
    pub fn issuer(&self) -> &Name {
        &self.fields.issuer
    }

    /// The serial number.
    pub fn serial(&self) -> &Serial {
        &self.fields.serial
    }

    /// First instant of validity, milliseconds since 1970.
    pub fn not_before(&self) -> i64 {
        self.fields.not_before
    }

    /// Last instant of validity, milliseconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.fields.not_after
    }

    /// The subject's key; an error when it is of a kind we do not know.
    pub fn public_key(&self) -> Result<&PublicKey> {
        self.fields.public_key.as_ref().map_err(Clone::clone)
    }

    /// SubjectPublicKeyInfo, whatever the kind of key.
    pub fn public_key_der(&self) -> &[u8] {
        &self.fields.public_key_der
    }

    /// The subject key identifier.
    pub fn key_identifier(&self) -> Option<&[u8]> {
        self.fields.key_identifier.as_deref()
    }

    /// The authority key identifier.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.fields.authority_key_identifier.as_deref()
    }

    /// Whether basic constraints say CA.
    pub fn is_authority(&self) -> bool {
        let constraints = self.fields.basic_constraints.as_ref();
        constraints.is_some_and(|constraints| constraints.ca)
    }

    /// How many authorities may stand below this one, when limited.
    pub fn path_length(&self) -> Option<u8> {
        self.fields.basic_constraints.as_ref()?.path_len_constraint
    }

    /// The key usage, when restricted.
    pub fn key_usage(&self) -> Option<&KeyUsage> {
        self.fields.key_usage.as_ref()
    }

    /// Whether the extended key usage names this purpose.
    pub fn is_for(&self, purpose: ObjectIdentifier) -> bool {
        let purposes = self.fields.extended_key_usage.as_ref();
        purposes.is_some_and(|purposes| purposes.contains(&purpose))
    }

    /// One extension.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.fields.extension(oid)
    }

    /// What it was signed with; an error when we do not know it.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm> {
        SignatureAlgorithm::from_identifier(&self.algorithm)
    }

    /// SHA-256 of the octets.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(DigestAlgorithm::Sha256, &self.der)
    }

    /// Refuses an instant outside the validity; both ends belong to it (RFC 5280 §4.1.2.5), the last second whole.
    pub fn check_valid_at(&self, at: i64) -> Result<()> {
        let (from, until) = (self.not_before(), self.not_after());
        if from <= at && at <= until.saturating_add(999) {
            return Ok(());
        }
        Err(Error::NotValidAt {
            what: WHAT,
            at,
            from,
            until,
        })
    }

    /// One step of a path: the issuer is an authority that may sign certificates, names and key identifiers agree, and
    /// the signature verifies. Neither time, path length nor policy: those belong to a whole path.
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<()> {
        issuer.check_names(WHAT, self.issuer(), self.authority_key_identifier())?;
        if !issuer.is_authority() {
            return Err(Error::NotForThisPurpose {
                purpose: "issuing",
                field: "basic constraints",
            });
        }
        if !issuer.key_usage().is_none_or(KeyUsage::key_cert_sign) {
            return Err(Error::NotForThisPurpose {
                purpose: "issuing",
                field: "key usage",
            });
        }
        signed::verify(
            issuer.public_key()?,
            &self.algorithm,
            self.to_be_signed(),
            &self.signature,
        )
    }

    /// Whether something that names an issuer and, perhaps, a key identifier means this certificate.
    pub(crate) fn check_names(
        &self,
        what: &'static str,
        issuer: &Name,
        key_identifier: Option<&[u8]>,
    ) -> Result<()> {
        if issuer != self.subject() {
            return Err(Error::NotTheIssuer {
                what,
                field: "name",
            });
        }
        let differs = match (key_identifier, self.key_identifier()) {
            (Some(theirs), Some(ours)) => theirs != ours,
            _ => false,
        };
        if differs {
            return Err(Error::NotTheIssuer {
                what,
                field: "key identifier",
            });
        }
        Ok(())
    }
}

impl Fields {
    /// Reads a TBSCertificate that stands alone.
    pub fn from_der(der: &[u8]) -> Result<Fields> {
        crate::limits::check(WHAT, der, CERTIFICATE_OCTETS_MOST)?;
        Fields::read(der)
    }

    /// Reads TBSCertificate whose limits were checked.
    pub fn read(der: &[u8]) -> Result<Fields> {
        let mut reader = Reader::new(WHAT, der);
        let mut fields = reader.inside(SEQUENCE)?;
        reader.end()?;
        let version = match fields.optional_inside(context(0))? {
            Some(mut inside) => {
                let version = inside.small()?;
                inside.end()?;
                version
            }
            None => 0,
        };
        if version > V3 {
            return Err(Error::Unsupported {
                what: "certificate version",
                found: (version + 1).to_string(),
            });
        }
        let serial = Serial::read(&mut fields)?;
        let algorithm = fields.algorithm()?;
        let issuer = Name::from_der(fields.element(SEQUENCE)?.octets)?;
        let mut validity = fields.inside(SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.end()?;
        let subject = Name::from_der(fields.element(SEQUENCE)?.octets)?;
        let public_key_der = fields.element(SEQUENCE)?.octets;
        // Unique identifiers: "CAs conforming to this profile MUST NOT generate" them (RFC 5280 §4.1.2.8).
        fields.optional(context_primitive(1))?;
        fields.optional(context_primitive(2))?;
        let extensions = match fields.optional_inside(context(3))? {
            Some(mut inside) if version == V3 => {
                let extensions = inside.extensions()?;
                inside.end()?;
                extensions
            }
            Some(_) => return Err(fields.malformed()),
            None => Vec::new(),
        };
        fields.end()?;
        let identifier: Option<SubjectKeyIdentifier> = decoded(&extensions)?;
        let authority: Option<AuthorityKeyIdentifier> = decoded(&extensions)?;
        let purposes: Option<ExtendedKeyUsage> = decoded(&extensions)?;
        Ok(Fields {
            version,
            serial,
            algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            public_key_der: public_key_der.to_vec(),
            public_key: PublicKey::from_der(public_key_der),
            key_identifier: identifier.map(|identifier| identifier.0.as_bytes().to_vec()),
            authority_key_identifier: authority
                .and_then(|authority| authority.key_identifier)
                .map(|identifier| identifier.as_bytes().to_vec()),
            basic_constraints: decoded(&extensions)?,
            key_usage: decoded(&extensions)?,
            extended_key_usage: purposes.map(|purposes| purposes.0),
            extensions,
        })
    }

    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|one| one.extn_id == oid)
    }
}

/// Decodes the extension of this type, when it is there.
pub(crate) fn decoded<T>(extensions: &[Extension]) -> Result<Option<T>>
where
    T: AssociatedOid + for<'a> Decode<'a, Error = der::Error>,
{
    let Some(extension) = extensions.iter().find(|one| one.extn_id == T::OID) else {
        return Ok(None);
    };
    crate::limits::check(
        "extension",
        extension.extn_value.as_bytes(),
        CERTIFICATE_OCTETS_MOST,
    )?;
    T::from_der(extension.extn_value.as_bytes())
        .map(Some)
        .map_err(Error::decoding("extension"))
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Certificate) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Certificate({})", self.serial())
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = Error;

    fn from_str(text: &str) -> Result<Serial> {
        let malformed = Error::malformed("serial number");
        if !text.len().is_multiple_of(2) || !text.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        let octets: Option<Vec<u8>> = (0..text.len() / 2)
            .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok())
            .collect();
        Serial::from_bytes(&octets.ok_or(malformed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_serial_is_positive_and_always_sixteen_octets() {
        for octet in [0x00, 0x7f, 0x80, 0xff] {
            let serial = Serial::from_random([octet; 16]);
            assert_eq!(serial.as_bytes().len(), 16);
            assert_eq!(serial.as_bytes()[0] & 0xc0, 0x40);
            assert_eq!(Serial::from_bytes(serial.as_bytes()), Ok(serial.clone()));
            assert_eq!(serial.to_string().parse(), Ok(serial));
        }
    }

    #[test]
    fn zero_negative_padded_and_long_serials_are_refused() {
        let long = [1u8; 21];
        for octets in [&[][..], &[0], &[0x80], &[0, 1], &long] {
            assert!(Serial::from_bytes(octets).is_err(), "{octets:?}");
        }
        for text in ["", "0", "0g", "-1", "é1", "00"] {
            assert!(text.parse::<Serial>().is_err(), "{text}");
        }
    }
}
