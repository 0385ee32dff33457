//! What stands in a certificate of each kind: its extensions (RFC 5280 §4.2) and how long it may live.
//!
//! Law: Decree 23/2025 (validity, content), Circular 15/2025 Annex I. Practice: EN 319 412-2 for people, EN 319 412-3
//! for seals, EN 319 422 and RFC 3161 for time-stamping, RFC 6960 for OCSP responders.
//!
//! A citizen's key says **contentCommitment and nothing else**: the key is used for signatures a person means, never
//! to log in or to decrypt (EN 319 412-2 §4.3.2, key usage type A). Validators that want "nonRepudiation or
//! digitalSignature" take it. No e-mail address, since a certificate travels in every signed file.
//!
//! **Purposes of people and seals: documents, and e-mail for those who know no documents.** EN 319 412-2 asks for no purpose; we
//! name some, so that nobody takes the key for a TLS client's. RFC 9336 is young: NSS (poppler, Okular, Evince, LibreOffice)
//! and `openssl cms` take whoever signs a document for a writer of e-mail, and trust no certificate that names other purposes
//! only; Windows and Office look for Microsoft's. Certificates of Vietnamese providers name e-mail and Microsoft's too, so
//! relying parties here take the set. Without an address in it nothing is asserted about any mailbox, and the baseline
//! requirements for S/MIME (CA/B, 1.1: emailProtection *and* a mailbox) do not apply.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280 as id, rfc5912, rfc6960};
use der::Any;
use der::asn1::{Ia5String, OctetString};
use x509_cert::ext::pkix::certpolicy::{
    CertificatePolicies, DisplayText, PolicyInformation, PolicyQualifierInfo, UserNotice,
};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};

use crate::wire::{self, encode};
use crate::{Error, Result};

/// id-kp-documentSigning, RFC 9336.
pub const DOCUMENT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");
/// Microsoft's document signing: Office and Adobe products look for it.
pub const DOCUMENT_SIGNING_MICROSOFT: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.10.3.12");
/// id-kp-emailProtection, RFC 5280 §4.2.1.12.
pub const EMAIL_PROTECTION: ObjectIdentifier = rfc5280_kp(4);
/// id-kp-OCSPSigning, RFC 6960 §4.2.2.2.
pub const OCSP_SIGNING: ObjectIdentifier = rfc5280_kp(9);
/// id-kp-timeStamping, RFC 3161 §2.3.
pub const TIME_STAMPING: ObjectIdentifier = rfc5280_kp(8);

/// The upper bound of explicitText in RFC 5280 §4.2.1.4; validators cut or refuse what is longer.
const USER_NOTICE_CHARACTERS_MOST: usize = 200;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The kinds of certificate we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A root: signs itself, at most 25 years.
    Root,
    /// An issuing authority below a root, with nobody below it: at most 10 years.
    Issuing,
    /// A citizen: at most 3 years.
    Citizen,
    /// An organisation's seal, the provider's own included: at most 3 years.
    Seal,
    /// A delegated OCSP responder: about a year, since nobody checks its revocation.
    Ocsp,
    /// A time-stamping unit: at most 5 years.
    Timestamp,
}

/// A certificate policy and where its practice statement is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    oid: ObjectIdentifier,
    cps_uri: Option<String>,
    user_notice: Option<String>,
}

/// Where things about the issuer are found. `http:` only: fetching them must not need a certificate (RFC 5280 §8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The issuer's certificate in DER (AIA caIssuers).
    pub issuer_certificate: Option<String>,
    /// The issuer's OCSP responder (AIA OCSP).
    pub ocsp: Option<String>,
    /// The issuer's CRL in DER.
    pub crl: Option<String>,
}

/// What one certificate says apart from names, validity and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The kind; everything that is not below follows from it.
    pub kind: Kind,
    /// The policy asserted; a citizen or seal needs one.
    pub policy: Option<Policy>,
    /// Where the issuer's things are found.
    pub addresses: Addresses,
    /// Adds digitalSignature beside contentCommitment, for portals whose validators insist on it. Citizens and
    /// seals only; EN 319 412-2 calls this type B and discourages it.
    pub digital_signature: bool,
    /// The citizen's e-mail address as subject alternative name, only because the citizen asked for it.
    pub email: Option<String>,
}

impl Kind {
    /// The name used in configuration, rows and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Root => "root",
            Kind::Issuing => "issuing",
            Kind::Citizen => "citizen",
            Kind::Seal => "seal",
            Kind::Ocsp => "ocsp",
            Kind::Timestamp => "timestamp",
        }
    }

    /// The longest validity, milliseconds: Decree 23/2025 for all but the responder, leap days included.
    pub const fn validity_most_ms(self) -> i64 {
        let days = match self {
            Kind::Root => 25 * 365 + 7,
            Kind::Issuing => 10 * 365 + 3,
            Kind::Citizen | Kind::Seal => 3 * 365 + 1,
            Kind::Timestamp => 5 * 365 + 2,
            // RFC 6960 §4.2.2.2.1: with ocsp-nocheck the life should be short. A year and a month to change over.
            Kind::Ocsp => 398,
        };
        days * DAY_MS
    }

    /// Whether certificates of this kind issue others.
    pub const fn is_authority(self) -> bool {
        matches!(self, Kind::Root | Kind::Issuing)
    }
}

impl Policy {
    /// From the dotted identifier, the address of the practice statement, and a notice to who relies on it
    /// (at most 200 characters, NFC).
    pub fn new(oid: &str, cps_uri: Option<&str>, user_notice: Option<&str>) -> Result<Policy> {
        let oid = ObjectIdentifier::new(oid).map_err(|_| Error::Field {
            field: "policy",
            rule: "must be a dotted object identifier",
        })?;
        if let Some(uri) = cps_uri {
            check_uri("CPS address", uri, &["http://", "https://"])?;
        }
        if let Some(notice) = user_notice {
            let is_good = !notice.is_empty()
                && notice.chars().count() <= USER_NOTICE_CHARACTERS_MOST
                && !notice.chars().any(char::is_control)
                && unicode_normalization::is_nfc(notice);
            if !is_good {
                return Err(Error::Field {
                    field: "user notice",
                    rule: "must be 1 to 200 characters in normalisation form C",
                });
            }
        }
        Ok(Policy {
            oid,
            cps_uri: cps_uri.map(Into::into),
            user_notice: user_notice.map(Into::into),
        })
    }

    /// The policy's identifier.
    pub fn oid(&self) -> ObjectIdentifier {
        self.oid
    }
}

impl Profile {
    /// A root that signs itself.
    pub fn root() -> Profile {
        Profile::of(Kind::Root, None, Addresses::default())
    }

    /// An issuing authority that has no authority below it. Without a policy it may issue under any.
    pub fn issuing(policy: Option<Policy>, addresses: Addresses) -> Profile {
        Profile::of(Kind::Issuing, policy, addresses)
    }

    /// A citizen.
    pub fn citizen(policy: Policy, addresses: Addresses) -> Profile {
        Profile::of(Kind::Citizen, Some(policy), addresses)
    }

    /// An organisation's seal.
    pub fn seal(policy: Policy, addresses: Addresses) -> Profile {
        Profile::of(Kind::Seal, Some(policy), addresses)
    }

    /// A delegated OCSP responder; carries ocsp-nocheck, so of the addresses only the issuer's certificate is written.
    pub fn ocsp(addresses: Addresses) -> Profile {
        Profile::of(Kind::Ocsp, None, addresses)
    }

    /// A time-stamping unit.
    pub fn timestamp(policy: Option<Policy>, addresses: Addresses) -> Profile {
        Profile::of(Kind::Timestamp, policy, addresses)
    }

    fn of(kind: Kind, policy: Option<Policy>, addresses: Addresses) -> Profile {
        Profile {
            kind,
            policy,
            addresses,
            digital_signature: false,
            email: None,
        }
    }

    /// All extensions in DER, one after the other, without the SEQUENCE around them.
    pub(crate) fn extensions(
        &self,
        subject_key_identifier: &[u8],
        authority_key_identifier: &[u8],
    ) -> Result<Vec<u8>> {
        let mut octets = Vec::new();
        let mut add = |oid, is_critical, value: Vec<u8>| {
            octets.extend(wire::extension(oid, is_critical, &value));
        };
        // A root's key identifier is its own; "MAY be omitted" (RFC 5280 §4.2.1.1), so it says it once.
        if self.kind != Kind::Root {
            let value = AuthorityKeyIdentifier {
                key_identifier: Some(octet_string(authority_key_identifier)?),
                ..AuthorityKeyIdentifier::default()
            };
            add(id::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, encode(&value));
        }
        let value = SubjectKeyIdentifier(octet_string(subject_key_identifier)?);
        add(id::ID_CE_SUBJECT_KEY_IDENTIFIER, false, encode(&value));
        add(id::ID_CE_KEY_USAGE, true, encode(&self.key_usage()));
        add(
            id::ID_CE_BASIC_CONSTRAINTS,
            true,
            encode(&basic_constraints(self.kind)),
        );
        if let Some((is_critical, purposes)) = extended_key_usage(self.kind) {
            let value = ExtendedKeyUsage(purposes.to_vec());
            add(id::ID_CE_EXT_KEY_USAGE, is_critical, encode(&value));
        }
        if let Some(policies) = self.policies()? {
            add(id::ID_CE_CERTIFICATE_POLICIES, false, encode(&policies));
        }
        if let Some(email) = &self.email {
            check_email(email)?;
            let email = GeneralName::Rfc822Name(ia5(email)?);
            add(
                id::ID_CE_SUBJECT_ALT_NAME,
                false,
                encode(&SubjectAltName(vec![email])),
            );
        }
        if self.kind == Kind::Ocsp {
            add(rfc6960::ID_PKIX_OCSP_NOCHECK, false, vec![wire::NULL, 0]);
        } else if let Some(uri) = &self.addresses.crl {
            add(
                id::ID_CE_CRL_DISTRIBUTION_POINTS,
                false,
                encode(&distribution_points(uri)?),
            );
        }
        let access = self.authority_access()?;
        if !access.0.is_empty() {
            add(id::ID_PE_AUTHORITY_INFO_ACCESS, false, encode(&access));
        }
        Ok(octets)
    }

    /// The extensions a request for an outside root asks for (RFC 2985 §5.4.2).
    pub(crate) fn requested_extensions(
        kind: Kind,
        subject_key_identifier: &[u8],
    ) -> Result<Vec<u8>> {
        let profile = Profile::of(kind, None, Addresses::default());
        let mut octets = Vec::new();
        let identifier = encode(&SubjectKeyIdentifier(octet_string(subject_key_identifier)?));
        let constraints = encode(&basic_constraints(kind));
        octets.extend(wire::extension(
            id::ID_CE_SUBJECT_KEY_IDENTIFIER,
            false,
            &identifier,
        ));
        octets.extend(wire::extension(
            id::ID_CE_KEY_USAGE,
            true,
            &encode(&profile.key_usage()),
        ));
        octets.extend(wire::extension(
            id::ID_CE_BASIC_CONSTRAINTS,
            true,
            &constraints,
        ));
        if let Some((is_critical, purposes)) = extended_key_usage(kind) {
            let value = encode(&ExtendedKeyUsage(purposes.to_vec()));
            octets.extend(wire::extension(
                id::ID_CE_EXT_KEY_USAGE,
                is_critical,
                &value,
            ));
        }
        Ok(octets)
    }

    fn key_usage(&self) -> KeyUsage {
        let base = key_usage(self.kind);
        let extra = self.digital_signature && matches!(self.kind, Kind::Citizen | Kind::Seal);
        match extra {
            true => KeyUsage(base.0 | KeyUsages::DigitalSignature),
            false => base,
        }
    }

    /// Without a policy of its own, an issuing authority asserts anyPolicy: "when a CA does not wish to limit the
    /// set of policies" (RFC 5280 §4.2.1.4). Otherwise no policy of a citizen would be valid below it.
    fn policies(&self) -> Result<Option<CertificatePolicies>> {
        let Some(policy) = &self.policy else {
            let any = PolicyInformation {
                policy_identifier: id::ANY_POLICY,
                policy_qualifiers: None,
            };
            let is_needed = self.kind == Kind::Issuing;
            return Ok(is_needed.then(|| CertificatePolicies(vec![any])));
        };
        let mut qualifiers = Vec::new();
        if let Some(uri) = &policy.cps_uri {
            qualifiers.push(PolicyQualifierInfo {
                policy_qualifier_id: id::ID_QT_CPS,
                qualifier: Some(Any::encode_from(&ia5(uri)?).map_err(Error::decoding("CPS"))?),
            });
        }
        if let Some(notice) = &policy.user_notice {
            let notice = UserNotice {
                notice_ref: None,
                explicit_text: Some(DisplayText::Utf8String(notice.clone())),
            };
            qualifiers.push(PolicyQualifierInfo {
                policy_qualifier_id: id::ID_QT_UNOTICE,
                qualifier: Some(Any::encode_from(&notice).map_err(Error::decoding("notice"))?),
            });
        }
        Ok(Some(CertificatePolicies(vec![PolicyInformation {
            policy_identifier: policy.oid,
            policy_qualifiers: (!qualifiers.is_empty()).then_some(qualifiers),
        }])))
    }

    fn authority_access(&self) -> Result<AuthorityInfoAccessSyntax> {
        let ocsp = self.addresses.ocsp.as_ref();
        let locations = [
            (
                rfc5912::ID_AD_OCSP,
                ocsp.filter(|_| self.kind != Kind::Ocsp),
            ),
            (
                rfc5912::ID_AD_CA_ISSUERS,
                self.addresses.issuer_certificate.as_ref(),
            ),
        ];
        let mut descriptions = Vec::new();
        for (access_method, uri) in locations {
            let Some(uri) = uri else { continue };
            descriptions.push(AccessDescription {
                access_method,
                access_location: GeneralName::UniformResourceIdentifier(address(uri)?),
            });
        }
        Ok(AuthorityInfoAccessSyntax(descriptions))
    }
}

/// The key usage of a kind; always critical.
pub(crate) fn key_usage(kind: Kind) -> KeyUsage {
    KeyUsage(match kind {
        Kind::Root | Kind::Issuing => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
        Kind::Citizen | Kind::Seal => KeyUsages::NonRepudiation.into(),
        Kind::Ocsp | Kind::Timestamp => KeyUsages::DigitalSignature.into(),
    })
}

/// Whether critical, and the purposes. RFC 3161 §2.3 wants timeStamping alone and critical.
pub(crate) fn extended_key_usage(kind: Kind) -> Option<(bool, &'static [ObjectIdentifier])> {
    match kind {
        Kind::Root | Kind::Issuing => None,
        Kind::Citizen | Kind::Seal => Some((
            false,
            &[
                DOCUMENT_SIGNING,
                DOCUMENT_SIGNING_MICROSOFT,
                EMAIL_PROTECTION,
            ],
        )),
        Kind::Ocsp => Some((false, &[OCSP_SIGNING])),
        Kind::Timestamp => Some((true, &[TIME_STAMPING])),
    }
}

pub(crate) fn basic_constraints(kind: Kind) -> BasicConstraints {
    BasicConstraints {
        ca: kind.is_authority(),
        path_len_constraint: (kind == Kind::Issuing).then_some(0),
    }
}

const fn rfc5280_kp(number: u32) -> ObjectIdentifier {
    match ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3").push_arc(number) {
        Ok(oid) => oid,
        Err(_) => panic!("one arc more fits"),
    }
}

fn distribution_points(uri: &str) -> Result<CrlDistributionPoints> {
    let name = GeneralName::UniformResourceIdentifier(address(uri)?);
    Ok(CrlDistributionPoints(vec![DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    }]))
}

fn address(uri: &str) -> Result<Ia5String> {
    check_uri("address", uri, &["http://"])?;
    ia5(uri)
}

fn check_uri(field: &'static str, uri: &str, schemes: &[&str]) -> Result<()> {
    let rest = schemes.iter().find_map(|scheme| uri.strip_prefix(scheme));
    let is_good = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && uri.len() <= 1024
        && uri.bytes().all(|octet| octet.is_ascii_graphic());
    if is_good {
        return Ok(());
    }
    Err(Error::Field {
        field,
        rule: "must be an absolute ASCII http address",
    })
}

fn check_email(email: &str) -> Result<()> {
    let is_good = email.is_ascii()
        && email.len() <= 254
        && email.split('@').count() == 2
        && !email.starts_with('@')
        && !email.ends_with('@')
        && email.bytes().all(|octet| octet.is_ascii_graphic());
    if is_good {
        return Ok(());
    }
    Err(Error::Field {
        field: "e-mail",
        rule: "must be one ASCII mailbox address",
    })
}

fn ia5(text: &str) -> Result<Ia5String> {
    Ia5String::new(text).map_err(Error::decoding("IA5String"))
}

fn octet_string(octets: &[u8]) -> Result<OctetString> {
    OctetString::new(octets).map_err(Error::decoding("OCTET STRING"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_more_than_two_hundred_characters_is_refused() {
        let good = "ễ".repeat(200);
        assert!(Policy::new("1.2.3", None, Some(&good)).is_ok());
        assert!(Policy::new("1.2.3", None, Some(&(good + "ễ"))).is_err());
        assert!(Policy::new("1.2.3", None, Some("")).is_err());
        assert!(Policy::new("not.an.oid", None, None).is_err());
    }

    #[test]
    fn addresses_are_plain_http_and_absolute() {
        for uri in [
            "https://a.example/x",
            "ldap://a",
            "http://",
            "http:///x",
            "http://a b",
            "/crl",
        ] {
            let addresses = Addresses {
                crl: Some(uri.into()),
                ..Addresses::default()
            };
            let profile = Profile::issuing(None, addresses);
            assert!(profile.extensions(&[1; 20], &[2; 20]).is_err(), "{uri}");
        }
    }

    #[test]
    fn an_email_is_one_ascii_mailbox() {
        assert!(check_email("anh@example.vn").is_ok());
        for email in [
            "",
            "anh",
            "@example.vn",
            "anh@",
            "a@b@c",
            "ánh@example.vn",
            "a b@c.vn",
        ] {
            assert!(check_email(email).is_err(), "{email}");
        }
    }
}
