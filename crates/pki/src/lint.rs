//! The last look before something is signed: every rule our profiles promise, checked on the bytes themselves.
//!
//! Reads what was *encoded*, never what was meant: a defect in `certificate::prepare` or in a configuration shows here.
//! Rules are quoted with their clause. An empty list means: sign. RFC 5280 unless said otherwise; keys after NIST SP
//! 800-89 §5.3.3 and CA/Browser Forum BR §6.1.6.
//!
//! Weak RSA keys: small factors, primes too close together (Fermat, CVE-2022-26320), and the pattern of the Infineon
//! library (ROCA, CVE-2017-15361, which made Estonia change 750,000 cards).

use std::sync::LazyLock;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc4519, rfc5280 as id, rfc5912, rfc6960};
use der::{Any, Tag};
use x509_cert::ext::pkix::certpolicy::{CertificatePolicies, DisplayText, UserNotice};
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, KeyUsages, SubjectAltName};

use crate::Error;
use crate::algorithm::SignatureAlgorithm;
use crate::certificate::{Certificate, Fields, decoded};
use crate::integer::Natural;
use crate::name::{self, Name};
use crate::profile::{self, Kind};
use crate::public_key::PublicKey;

const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0c;
const V3: u64 = 2;
/// With 16 random octets, fewer than six different ones come up less than once in 10¹² certificates.
const SERIAL_DISTINCT_OCTETS_LEAST: usize = 6;
/// Rounds of Fermat's method: finds primes closer than about 2⁵·N^¼, far beyond chance and instantly.
const FERMAT_ROUNDS: usize = 100;
/// BR §6.1.6: "no factors smaller than 752".
const SMALL_FACTOR_MOST: u64 = 751;
/// The primes of the smallest ROCA keys' primorial; larger keys use these and more.
const ROCA_PRIME_MOST: u64 = 167;

/// One broken rule. Carries no name and no number of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable and short: `serial-not-positive`.
    pub code: &'static str,
    /// Where the rule stands.
    pub clause: &'static str,
    /// What disagreed.
    pub message: String,
}

struct Findings(Vec<Finding>);

/// Judges a TBSCertificate before it is signed.
pub fn lint(to_be_signed: &[u8], kind: Kind) -> Vec<Finding> {
    match Fields::from_der(to_be_signed) {
        Ok(fields) => lint_fields(&fields, kind),
        Err(error) => unreadable(&error),
    }
}

/// Judges a finished certificate: the same, and the algorithm inside is the one outside.
pub fn lint_certificate(der: &[u8], kind: Kind) -> Vec<Finding> {
    match Certificate::from_der(der) {
        Ok(certificate) => lint(certificate.to_be_signed(), kind),
        Err(error @ Error::AlgorithmsDiffer { .. }) => vec![Finding {
            code: "algorithms-differ",
            clause: "RFC 5280 4.1.1.2",
            message: error.to_string(),
        }],
        Err(error) => unreadable(&error),
    }
}

/// Judges a key: nothing is issued for a weak one.
pub fn lint_key(key: &PublicKey) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    findings.key(key);
    findings.0
}

fn lint_fields(fields: &Fields, kind: Kind) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    findings.require(
        fields.version == V3,
        "version-not-3",
        "RFC 5280 4.1.2.1",
        "extensions need version 3",
    );
    findings.serial(fields.serial.as_bytes());
    findings.validity(fields, kind);
    findings.algorithm(fields);
    findings.names(fields, kind);
    findings.extensions_expected(fields, kind);
    findings.usages(fields, kind);
    findings.identifiers(fields, kind);
    findings.policies(fields, kind);
    findings.addresses(fields, kind);
    findings.alternative_name(fields, kind);
    match &fields.public_key {
        Ok(key) => findings.key(key),
        Err(error) => findings.add("key-unsupported", "BR 6.1.5", error.to_string()),
    }
    findings.0
}

impl Findings {
    fn add(&mut self, code: &'static str, clause: &'static str, message: impl Into<String>) {
        self.0.push(Finding {
            code,
            clause,
            message: message.into(),
        });
    }

    fn require(&mut self, holds: bool, code: &'static str, clause: &'static str, message: &str) {
        if !holds {
            self.add(code, clause, message);
        }
    }

    fn serial(&mut self, octets: &[u8]) {
        const CLAUSE: &str = "RFC 5280 4.1.2.2";
        let is_positive = octets[0] & 0x80 == 0 && octets != [0];
        self.require(
            is_positive,
            "serial-not-positive",
            CLAUSE,
            "the serial number must be positive",
        );
        if !(16..=20).contains(&octets.len()) {
            self.add(
                "serial-length",
                "RFC 5280 4.1.2.2, BR 7.1",
                format!("{} octets, 16 to 20 wanted", octets.len()),
            );
        }
        let mut distinct = octets.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        self.require(
            distinct.len() >= SERIAL_DISTINCT_OCTETS_LEAST,
            "serial-not-random",
            "BR 7.1",
            "too few different octets to be random",
        );
    }

    fn validity(&mut self, fields: &Fields, kind: Kind) {
        let (from, until) = (fields.not_before, fields.not_after);
        if from >= until {
            self.add(
                "validity-order",
                "RFC 5280 4.1.2.5",
                format!("from {from} until {until}"),
            );
        } else if until - from > kind.validity_most_ms() {
            let days = (until - from) / (24 * 60 * 60 * 1000);
            self.add(
                "validity-too-long",
                "Decree 23/2025",
                format!("{days} days for a certificate of kind {}", kind.as_str()),
            );
        }
    }

    fn algorithm(&mut self, fields: &Fields) {
        if let Err(error) = SignatureAlgorithm::from_identifier(&fields.algorithm) {
            self.add("algorithm", "Circular 15/2025 Annex I", error.to_string());
        }
    }

    fn names(&mut self, fields: &Fields, kind: Kind) {
        self.require(
            !fields.issuer.is_empty(),
            "issuer-empty",
            "RFC 5280 4.1.2.4",
            "the issuer must have a name",
        );
        let is_self = fields.issuer == fields.subject;
        self.require(
            is_self == (kind == Kind::Root),
            "issuer-and-subject",
            "RFC 5280 3.2",
            "a root and only a root bears its issuer's name",
        );
        self.name(&fields.subject);
        let subject = &fields.subject;
        self.require(
            subject.common_name().is_some() && subject.attribute(rfc4519::COUNTRY_NAME).is_some(),
            "subject-incomplete",
            "EN 319 412-2 4.2.4",
            "C and CN are needed",
        );
        let identity = subject.identity();
        match kind {
            Kind::Citizen => self.require(
                identity.is_some_and(is_citizen_identity),
                "subject-identity",
                "Decree 23/2025 6",
                "UID must be a kind of document and its number, CCCD with 12 digits",
            ),
            Kind::Seal => self.require(
                subject.organization().is_some(),
                "subject-incomplete",
                "EN 319 412-3 4.2.1",
                "a seal names its organisation in O",
            ),
            _ => self.require(
                identity.is_none(),
                "subject-identity",
                "profile",
                "only a person or an organisation has a UID",
            ),
        }
    }

    fn name(&mut self, name: &Name) {
        let mut seen: Vec<ObjectIdentifier> = Vec::new();
        for attribute in name.attributes() {
            let short = name::short_name(attribute.oid).unwrap_or("attribute");
            let is_country = attribute.oid == rfc4519::COUNTRY_NAME;
            let good_tag = match is_country {
                true => attribute.tag == PRINTABLE_STRING && name::is_country(&attribute.value),
                false => matches!(attribute.tag, UTF8_STRING | PRINTABLE_STRING),
            };
            if !good_tag {
                self.add(
                    "name-string-type",
                    "RFC 5280 4.1.2.4",
                    format!("{short} has the wrong string type"),
                );
            }
            if let Some(rule) = name::broken_rule(attribute.oid, &attribute.value) {
                self.add("name-value", "RFC 5280 A.1", format!("{short} {rule}"));
            }
            if seen.contains(&attribute.oid) || attribute.joined {
                self.add(
                    "name-repeated",
                    "EN 319 412-2 4.2.4",
                    format!("{short} must stand once and alone"),
                );
            }
            seen.push(attribute.oid);
        }
    }

    /// Each kind has a closed list of extensions, each with its criticality.
    fn extensions_expected(&mut self, fields: &Fields, kind: Kind) {
        for extension in &fields.extensions {
            let expected = expected_criticality(extension.extn_id, kind);
            match expected {
                None => self.add(
                    "extension-unexpected",
                    "profile",
                    format!("{} has no place here", extension.extn_id),
                ),
                Some(critical) if critical != extension.critical => self.add(
                    "extension-criticality",
                    "RFC 5280 4.2.1",
                    format!("{} must have critical {critical}", extension.extn_id),
                ),
                Some(_) => {}
            }
        }
        for oid in required_extensions(kind) {
            if fields.extension(*oid).is_none() {
                self.add(
                    "extension-missing",
                    "RFC 5280 4.2.1",
                    format!("{oid} is needed in a certificate of kind {}", kind.as_str()),
                );
            }
        }
    }

    fn usages(&mut self, fields: &Fields, kind: Kind) {
        let wanted = profile::key_usage(kind);
        let may_add = matches!(kind, Kind::Citizen | Kind::Seal);
        let is_right = fields.key_usage.as_ref().is_some_and(|usage| {
            usage.0 == wanted.0 || (may_add && usage.0 == wanted.0 | KeyUsages::DigitalSignature)
        });
        self.require(
            is_right,
            "key-usage",
            "RFC 5280 4.2.1.3, EN 319 412-2 4.3.2",
            "the key usage is not the profile's",
        );
        let wanted = profile::extended_key_usage(kind).map(|(_, purposes)| purposes);
        self.require(
            fields.extended_key_usage.as_deref() == wanted,
            "extended-key-usage",
            "RFC 5280 4.2.1.12",
            "the purposes are not the profile's",
        );
        self.require(
            fields.basic_constraints.as_ref() == Some(&profile::basic_constraints(kind)),
            "basic-constraints",
            "RFC 5280 4.2.1.9",
            "CA and path length are not the profile's",
        );
    }

    fn identifiers(&mut self, fields: &Fields, kind: Kind) {
        let key = fields.public_key.as_ref().ok();
        let wanted = key.map(PublicKey::key_identifier);
        self.require(
            fields.key_identifier == wanted,
            "subject-key-identifier",
            "RFC 5280 4.2.1.2",
            "must be the SHA-1 of the key",
        );
        let authority = fields.authority_key_identifier.as_ref();
        let is_right = match kind {
            Kind::Root => authority.is_none_or(|authority| Some(authority) == wanted.as_ref()),
            _ => authority.is_some_and(|identifier| (8..=64).contains(&identifier.len())),
        };
        self.require(
            is_right,
            "authority-key-identifier",
            "RFC 5280 4.2.1.1",
            "must name the issuer's key",
        );
    }

    fn policies(&mut self, fields: &Fields, kind: Kind) {
        const CLAUSE: &str = "RFC 5280 4.2.1.4";
        let policies = match decoded::<CertificatePolicies>(&fields.extensions) {
            Ok(policies) => policies.map(|policies| policies.0).unwrap_or_default(),
            Err(error) => return self.add("policies", CLAUSE, error.to_string()),
        };
        let is_subscriber = matches!(kind, Kind::Citizen | Kind::Seal);
        let any = policies
            .iter()
            .any(|policy| policy.policy_identifier == id::ANY_POLICY);
        self.require(
            !(is_subscriber && any),
            "policies",
            "profile",
            "a subscriber's certificate names its own policy",
        );
        for qualifier in policies
            .iter()
            .flat_map(|policy| policy.policy_qualifiers.iter().flatten())
        {
            let value = qualifier.qualifier.as_ref();
            let is_good = match qualifier.policy_qualifier_id {
                id::ID_QT_CPS => value.is_some_and(is_cps),
                id::ID_QT_UNOTICE => value.is_some_and(is_short_notice),
                _ => false,
            };
            self.require(
                is_good,
                "policy-qualifier",
                CLAUSE,
                "must be an address, or a notice in UTF-8 of at most 200 characters",
            );
        }
    }

    fn addresses(&mut self, fields: &Fields, kind: Kind) {
        let (points, access) = match (
            decoded::<CrlDistributionPoints>(&fields.extensions),
            decoded::<AuthorityInfoAccessSyntax>(&fields.extensions),
        ) {
            (Ok(points), Ok(access)) => (points, access),
            (Err(error), _) | (_, Err(error)) => {
                return self.add("addresses", "RFC 5280 4.2", error.to_string());
            }
        };
        let full_names = points
            .iter()
            .flat_map(|points| &points.0)
            .flat_map(|point| match &point.distribution_point {
                Some(DistributionPointName::FullName(names)) => names.as_slice(),
                _ => &[],
            });
        let access = access.as_ref().map_or(&[][..], |access| &access.0);
        let locations = access.iter().map(|one| &one.access_location);
        for location in full_names.chain(locations) {
            self.require(
                matches!(location, GeneralName::UniformResourceIdentifier(uri) if uri.as_str().starts_with("http://")),
                "addresses",
                "RFC 5280 8",
                "an address must be plain http, or fetching it would need a certificate",
            );
        }
        if matches!(kind, Kind::Citizen | Kind::Seal) {
            let has = |method| access.iter().any(|one| one.access_method == method);
            self.require(
                has(rfc5912::ID_AD_OCSP) && has(rfc5912::ID_AD_CA_ISSUERS),
                "addresses",
                "EN 319 412-2 4.4.1",
                "both the responder and the issuer's certificate must be found",
            );
        }
    }

    fn alternative_name(&mut self, fields: &Fields, kind: Kind) {
        let is_good = match decoded::<SubjectAltName>(&fields.extensions) {
            Ok(None) => true,
            Ok(Some(names)) => {
                kind == Kind::Citizen && matches!(names.0.as_slice(), [GeneralName::Rfc822Name(_)])
            }
            Err(_) => false,
        };
        self.require(
            is_good,
            "alternative-name",
            "profile",
            "only a citizen who asked for it has one, with one e-mail address",
        );
    }

    fn key(&mut self, key: &PublicKey) {
        // An EC point was found on its curve when the key was read.
        let Some((modulus, exponent)) = key.rsa() else {
            return;
        };
        self.require(
            exponent == [1, 0, 1],
            "rsa-exponent",
            "SP 800-89 5.3.3",
            "the exponent must be 65537",
        );
        let modulus = Natural::from_be_bytes(&modulus);
        if modulus.is_even() {
            self.add("rsa-modulus-even", "SP 800-89 5.3.3", "the modulus is even");
        } else if let Some(factor) = small_factor(&modulus) {
            self.add(
                "rsa-small-factor",
                "BR 6.1.6",
                format!("the modulus is divisible by {factor}"),
            );
        }
        self.require(
            !has_roca_fingerprint(&modulus),
            "rsa-roca",
            "CVE-2017-15361, BR 6.1.1.3",
            "the modulus has the pattern of a broken generator",
        );
        self.require(
            !has_close_primes(&modulus),
            "rsa-close-primes",
            "CVE-2022-26320, BR 6.1.1.3",
            "the primes are too close together",
        );
    }
}

fn unreadable(error: &Error) -> Vec<Finding> {
    vec![Finding {
        code: "unreadable",
        clause: "RFC 5280 4.1",
        message: error.to_string(),
    }]
}

/// Whether an extension may stand in this kind, and with which criticality.
fn expected_criticality(oid: ObjectIdentifier, kind: Kind) -> Option<bool> {
    match oid {
        id::ID_CE_KEY_USAGE | id::ID_CE_BASIC_CONSTRAINTS => Some(true),
        id::ID_CE_SUBJECT_KEY_IDENTIFIER
        | id::ID_CE_AUTHORITY_KEY_IDENTIFIER
        | id::ID_CE_CERTIFICATE_POLICIES
        | id::ID_CE_CRL_DISTRIBUTION_POINTS
        | id::ID_PE_AUTHORITY_INFO_ACCESS => Some(false),
        id::ID_CE_EXT_KEY_USAGE => {
            profile::extended_key_usage(kind).map(|(is_critical, _)| is_critical)
        }
        id::ID_CE_SUBJECT_ALT_NAME if kind == Kind::Citizen => Some(false),
        rfc6960::ID_PKIX_OCSP_NOCHECK if kind == Kind::Ocsp => Some(false),
        _ => None,
    }
}

fn required_extensions(kind: Kind) -> &'static [ObjectIdentifier] {
    match kind {
        Kind::Root | Kind::Issuing | Kind::Timestamp => &[],
        Kind::Citizen | Kind::Seal => &[
            id::ID_CE_CERTIFICATE_POLICIES,
            id::ID_CE_CRL_DISTRIBUTION_POINTS,
            id::ID_PE_AUTHORITY_INFO_ACCESS,
        ],
        Kind::Ocsp => &[rfc6960::ID_PKIX_OCSP_NOCHECK],
    }
}

/// `CCCD:` and 12 digits, or another kind of document in capitals and its number.
fn is_citizen_identity(identity: &str) -> bool {
    let Some((document, number)) = identity.split_once(':') else {
        return false;
    };
    let is_kind = (2..=8).contains(&document.len())
        && document.bytes().all(|octet| octet.is_ascii_uppercase());
    let is_number = match document {
        "CCCD" => number.len() == 12 && number.bytes().all(|octet| octet.is_ascii_digit()),
        _ => {
            (1..=32).contains(&number.len())
                && number.bytes().all(|octet| octet.is_ascii_alphanumeric())
        }
    };
    is_kind && is_number
}

fn is_cps(value: &Any) -> bool {
    let text = std::str::from_utf8(value.value()).unwrap_or("");
    value.header().tag() == Tag::Ia5String
        && (text.starts_with("http://") || text.starts_with("https://"))
}

fn is_short_notice(value: &Any) -> bool {
    let notice: Result<UserNotice, _> = value.decode_as();
    match notice.map(|notice| notice.explicit_text) {
        Ok(Some(DisplayText::Utf8String(text))) => {
            (1..=200).contains(&text.chars().count()) && unicode_normalization::is_nfc(&text)
        }
        _ => false,
    }
}

/// Odd primes in groups whose product fits one word: one pass over the modulus for a whole group.
struct SmallPrimes(Vec<(u64, Vec<u64>)>);

static SMALL_PRIMES: LazyLock<SmallPrimes> =
    LazyLock::new(|| SmallPrimes::up_to(SMALL_FACTOR_MOST));
static ROCA_PRIMES: LazyLock<SmallPrimes> = LazyLock::new(|| SmallPrimes::up_to(ROCA_PRIME_MOST));

impl SmallPrimes {
    fn up_to(most: u64) -> SmallPrimes {
        let is_prime = |number: &u64| (2..*number).all(|divisor| !number.is_multiple_of(divisor));
        let mut groups: Vec<(u64, Vec<u64>)> = Vec::new();
        for prime in (3..=most).filter(is_prime) {
            let group = groups.last_mut();
            match group.and_then(|group| Some((group.0.checked_mul(prime)?, group))) {
                Some((product, group)) => {
                    group.0 = product;
                    group.1.push(prime);
                }
                None => groups.push((prime, vec![prime])),
            }
        }
        SmallPrimes(groups)
    }

    /// Each prime with the remainder by it.
    fn remainders(&self, modulus: &Natural) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().flat_map(|(product, primes)| {
            let remainder = modulus.remainder(*product);
            primes.iter().map(move |prime| (*prime, remainder % prime))
        })
    }
}

fn small_factor(modulus: &Natural) -> Option<u64> {
    SMALL_PRIMES
        .remainders(modulus)
        .find(|(_, remainder)| *remainder == 0)
        .map(|(prime, _)| prime)
}

/// The broken generator made primes `k·M + 65537ᵃ mod M` with M a product of the first primes, so that modulo each of
/// those the modulus is a power of 65537. A good modulus is so modulo all of them once in 2²⁷ or rarer.
fn has_roca_fingerprint(modulus: &Natural) -> bool {
    ROCA_PRIMES.remainders(modulus).all(|(prime, remainder)| {
        let generator = 65537 % prime;
        let mut power = 1;
        for _ in 0..prime {
            if power == remainder {
                return true;
            }
            power = power * generator % prime;
        }
        false
    })
}

/// Fermat: N = a² − b² with a just above √N when the factors are close. A bounded number of a's is tried.
fn has_close_primes(modulus: &Natural) -> bool {
    let (root, remainder) = modulus.square_root();
    if remainder.is_zero() {
        return true;
    }
    // a = root + 1, b² = a² − N = 2·root + 1 − remainder
    let mut square = root.doubled_plus_one();
    square.subtract(&remainder);
    let mut a = root;
    let one = Natural::from_be_bytes(&[1]);
    a.add(&one);
    for _ in 0..FERMAT_ROUNDS {
        if square.is_square() {
            return true;
        }
        square.add(&a.doubled_plus_one());
        a.add(&one);
    }
    false
}
