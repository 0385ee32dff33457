//! Certificate revocation lists: prepared, assembled, read (RFC 5280 §5). Full, direct lists only.
//!
//! The list is put together here and not by `x509-cert`'s builder: its authority key identifier is the *issuer's
//! subject* key identifier (§5.2.1), which that builder confuses with the issuer's own authority key identifier; below
//! any authority that is not a root, nobody would find the list's signer.
//!
//! # Known issues
//! Indirect, delta and partitioned lists (critical extensions) are refused when read.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use const_oid::db::rfc5280 as id;
use der::pem::LineEnding;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlReason, KeyUsage};

use crate::algorithm::SignatureAlgorithm;
use crate::certificate::{Certificate, Issuer, Serial, decoded};
use crate::limits::{self, CRL_OCTETS_MOST};
use crate::name::Name;
use crate::revocation::Reason;
use crate::signed::{self, Signed};
use crate::wire::{
    self, GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME, context, context_primitive,
};
use crate::{Error, Result};

const WHAT: &str = "CRL";
const V2: u64 = 1;

/// One revoked or suspended certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its serial number.
    pub serial: Serial,
    /// Since when, milliseconds since 1970.
    pub revoked_at: i64,
    /// Why; `None` and `Unspecified` are written alike.
    pub reason: Option<Reason>,
}

/// A list: the octets, and what they say.
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    to_be_signed: Range<usize>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    fields: Fields,
}

#[derive(Clone)]
struct Fields {
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: i64,
    next_update: Option<i64>,
    entries: Vec<Entry>,
    number: Option<u64>,
    authority_key_identifier: Option<Vec<u8>>,
}

/// The exact octets of TBSCertList. `number` must be above every number this issuer published (§5.2.3); times are cut
/// to the second; entries may come in any order, each serial once.
pub fn prepare(
    issuer: &Issuer,
    algorithm: SignatureAlgorithm,
    number: u64,
    this_update: i64,
    next_update: i64,
    entries: &[Entry],
) -> Result<Vec<u8>> {
    if next_update <= this_update {
        return Err(Error::Field {
            field: "next update",
            rule: "must come after this update",
        });
    }
    let mut seen = HashSet::with_capacity(entries.len());
    if !entries.iter().all(|entry| seen.insert(&entry.serial)) {
        return Err(Error::Field {
            field: "revoked certificates",
            rule: "must name each serial once",
        });
    }
    let mut revoked = Vec::with_capacity(entries.len() * 52);
    for entry in entries {
        revoked.extend(entry.to_der()?);
    }
    // "When there are no revoked certificates, the revoked certificates list MUST be absent" (§5.1.2.6).
    let revoked = match entries {
        [] => Vec::new(),
        _ => wire::sequence(&[&revoked]),
    };
    // keyIdentifier [0] IMPLICIT OCTET STRING.
    let authority = wire::sequence(&[&wire::tlv(context_primitive(0), &[&issuer.key_identifier])]);
    let extensions = wire::sequence(&[
        &wire::extension(id::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &authority),
        &wire::extension(id::ID_CE_CRL_NUMBER, false, &wire::integer(number)),
    ]);
    Ok(wire::sequence(&[
        &wire::integer(V2),
        &wire::encode(&algorithm.identifier()),
        issuer.name.as_der(),
        &wire::time(this_update)?,
        &wire::time(next_update)?,
        &revoked,
        &wire::tlv(context(0), &[&extensions]),
    ]))
}

/// The list: exactly these octets and the signature over them.
pub fn assemble(
    to_be_signed: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>> {
    // Only the head is read again: with a million entries everything would be.
    let mut reader = Reader::open(WHAT, to_be_signed, SEQUENCE, CRL_OCTETS_MOST)?;
    reader.small()?;
    let inside = reader.algorithm()?;
    signed::check_same_algorithm(WHAT, &inside, &algorithm.identifier())?;
    Ok(signed::join(to_be_signed, algorithm, signature, &[]))
}

impl Crl {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Crl> {
        let reader = Reader::open(WHAT, der, SEQUENCE, CRL_OCTETS_MOST)?;
        let signed = Signed::read(reader)?;
        signed.rest.end()?;
        let fields = Fields::read(signed.to_be_signed)?;
        signed::check_same_algorithm(WHAT, &fields.algorithm, &signed.algorithm)?;
        let (start, _) = limits::header(WHAT, der)?;
        Ok(Crl {
            der: der.to_vec(),
            to_be_signed: start..start + signed.to_be_signed.len(),
            algorithm: signed.algorithm,
            signature: signed.signature.to_vec(),
            fields,
        })
    }

    /// The octets.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// `X509 CRL` in PEM (RFC 7468 §6).
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("X509 CRL", LineEnding::LF, &self.der)
            .expect("a short label and any octets make PEM")
    }

    /// Who published it.
    pub fn issuer(&self) -> &Name {
        &self.fields.issuer
    }

    /// Its number, when it has one below 2⁶⁴.
    pub fn number(&self) -> Option<u64> {
        self.fields.number
    }

    /// When it was true, milliseconds since 1970.
    pub fn this_update(&self) -> i64 {
        self.fields.this_update
    }

    /// When the next one is there at the latest, milliseconds since 1970.
    pub fn next_update(&self) -> Option<i64> {
        self.fields.next_update
    }

    /// The authority key identifier: which key of the issuer signed.
    pub fn authority_key_identifier(&self) -> Option<&[u8]> {
        self.fields.authority_key_identifier.as_deref()
    }

    /// Every entry, as written.
    pub fn entries(&self) -> &[Entry] {
        &self.fields.entries
    }

    /// The entry of one certificate.
    pub fn find(&self, serial: &Serial) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.serial == *serial)
    }

    /// Names and key identifiers agree, the issuer may sign lists, and the signature verifies. Time is not looked at.
    pub fn verify_issued_by(&self, issuer: &Certificate) -> Result<()> {
        issuer.check_names(WHAT, self.issuer(), self.authority_key_identifier())?;
        if !issuer.key_usage().is_none_or(KeyUsage::crl_sign) {
            return Err(Error::NotForThisPurpose {
                purpose: "signing CRLs",
                field: "key usage",
            });
        }
        signed::verify(
            issuer.public_key()?,
            &self.algorithm,
            &self.der[self.to_be_signed.clone()],
            &self.signature,
        )
    }
}

impl Entry {
    fn to_der(&self) -> Result<Vec<u8>> {
        let extensions = match Reason::written(self.reason) {
            Some(reason) => {
                let reason = wire::extension(id::ID_CE_CRL_REASONS, false, &wire::encode(&reason));
                wire::sequence(&[&reason])
            }
            None => Vec::new(),
        };
        Ok(wire::sequence(&[
            &self.serial.to_der(),
            &wire::time(self.revoked_at)?,
            &extensions,
        ]))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Entry> {
        let mut entry = reader.inside(SEQUENCE)?;
        let serial = Serial::read(&mut entry)?;
        let revoked_at = entry.time()?;
        let reason = match entry.is_empty() {
            true => None,
            false => {
                let extensions = entry.extensions()?;
                refuse_critical(&extensions)?;
                decoded::<CrlReason>(&extensions)?
            }
        };
        entry.end()?;
        Ok(Entry {
            serial,
            revoked_at,
            reason: reason.map(Reason::read).transpose()?,
        })
    }
}

impl Fields {
    fn read(der: &[u8]) -> Result<Fields> {
        let mut reader = Reader::new(WHAT, der);
        let mut list = reader.inside(SEQUENCE)?;
        reader.end()?;
        let version = match list.peek() {
            Some(INTEGER) => list.small()?,
            _ => 0,
        };
        if version > V2 {
            return Err(Error::Unsupported {
                what: "CRL version",
                found: (version + 1).to_string(),
            });
        }
        let algorithm = list.algorithm()?;
        let issuer = Name::from_der(list.element(SEQUENCE)?.octets)?;
        let this_update = list.time()?;
        let next_update = match list.peek() {
            Some(UTC_TIME | GENERALIZED_TIME) => Some(list.time()?),
            _ => None,
        };
        let mut entries = Vec::new();
        if let Some(mut revoked) = list.optional_inside(SEQUENCE)? {
            while !revoked.is_empty() {
                entries.push(Entry::read(&mut revoked)?);
            }
        }
        let extensions = match list.optional_inside(context(0))? {
            Some(mut inside) => {
                let extensions = inside.extensions()?;
                inside.end()?;
                extensions
            }
            None => Vec::new(),
        };
        list.end()?;
        refuse_critical(&extensions)?;
        let authority: Option<AuthorityKeyIdentifier> = decoded(&extensions)?;
        Ok(Fields {
            algorithm,
            issuer,
            this_update,
            next_update,
            entries,
            number: number(&extensions)?,
            authority_key_identifier: authority
                .and_then(|authority| authority.key_identifier)
                .map(|identifier| identifier.as_bytes().to_vec()),
        })
    }
}

/// cRLNumber; "CRL verifiers MUST be able to handle CRLNumber values up to 20 octets" (§5.2.3): larger than ours is
/// no error, only not a number we compare with.
fn number(extensions: &[Extension]) -> Result<Option<u64>> {
    let Some(extension) = extensions
        .iter()
        .find(|one| one.extn_id == id::ID_CE_CRL_NUMBER)
    else {
        return Ok(None);
    };
    let mut reader = Reader::new(WHAT, extension.extn_value.as_bytes());
    let is_small = reader.clone().integer()?.len() <= 8;
    match is_small {
        true => reader.small().map(Some),
        false => Ok(None),
    }
}

/// A list with a critical extension we cannot process must not be used (§5.2). Those in use change what the list
/// means: indirect, delta, partitioned.
fn refuse_critical(extensions: &[Extension]) -> Result<()> {
    match extensions.iter().find(|extension| extension.critical) {
        None => Ok(()),
        Some(extension) => Err(Error::Unsupported {
            what: "critical CRL extension",
            found: extension.extn_id.to_string(),
        }),
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Crl) -> bool {
        self.der == other.der
    }
}

impl Eq for Crl {}

impl fmt::Debug for Crl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Crl(number {:?}, {} entries)",
            self.number(),
            self.entries().len()
        )
    }
}
