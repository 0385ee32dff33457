//! The statements a device signs, as canonical JSON (RFC 8785, JSON Canonicalization Scheme).
//!
//! Invariants:
//! - A statement has exactly one byte form. What a device signs, what is stored and what is checked are the same bytes.
//! - Only strings and integers occur, so of RFC 8785 only the order of names and the escaping of strings matter.
//!   The `Wire*` structs list their fields in the order of §3.2.3 and a test holds them to it; `serde_json` writes
//!   strings as §3.2.2.2 demands.
//! - Parsing decodes, encodes again and compares: unknown, missing, doubled or reordered names, blanks, other escapes
//!   and upper-case hex are all refused by the one comparison.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_pki::algorithm::DigestAlgorithm;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::activation::{DeviceKey, DeviceSignature, Refusal};

/// `type` of an [`ApprovalStatement`].
pub const APPROVAL_TYPE: &str = "kyso.approval.v1";
/// `type` of a [`BindingStatement`].
pub const BINDING_TYPE: &str = "kyso.binding.v1";
/// `type` of a [`SessionStatement`].
pub const SESSION_TYPE: &str = "kyso.session.v1";

/// How long an approval or a binding may live.
pub const LIFETIME_MS_MAX: i64 = 5 * 60 * 1000;
/// How far a device's clock may be ahead of ours.
pub const SKEW_MS_MAX: i64 = 30 * 1000;
/// The most documents one approval may cover.
pub const DOCUMENTS_MAX: usize = 500;
/// The most bytes a statement may have.
pub const STATEMENT_BYTES_MAX: usize = 512 * 1024;

pub(super) const ID_BYTES_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 1024;
/// RFC 8785 §3.2.2.3 writes numbers as ECMAScript does: integers are exact up to here only.
const INTEGER_MAX: i64 = (1 << 53) - 1;

/// What a citizen approves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalStatement {
    /// Id of the signature request.
    pub request: String,
    /// Id of the credential.
    pub credential: String,
    /// Id of the portal.
    pub portal: String,
    /// Every document, in order. Its length is written as `count`.
    pub documents: Vec<StatementDocument>,
    /// The document code as displayed.
    pub code: String,
    /// How the request reached the device.
    pub channel: Channel,
    /// The server's nonce.
    pub nonce: String,
    /// Milliseconds since 1970.
    pub issued_at: i64,
    /// Milliseconds since 1970, at most five minutes after `issued_at`.
    pub expires_at: i64,
}

/// One document of an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementDocument {
    /// The name as displayed.
    pub name: String,
    /// Digest of the document's bytes, 32 to 64 bytes.
    pub document_digest: Vec<u8>,
    /// The digest the key will sign.
    pub to_be_signed: Vec<u8>,
    /// The algorithm of `to_be_signed`.
    pub digest_algorithm: DigestAlgorithm,
    /// Whether its pages could be shown.
    pub preview: Preview,
}

/// Whether the citizen could see the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preview {
    /// Its pages were shown.
    Previewed,
    /// Only its name and digest were.
    Blind,
}

/// How the request reached the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Opened on the same device.
    SameDevice,
    /// By QR code.
    Qr,
    /// By push notification.
    Push,
}

/// What a binding is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Id of an enrolment.
    Enrolment(String),
    /// Id of a credential.
    Credential(String),
}

/// Why a device is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The first device and PIN.
    Enrol,
    /// Another device, and with it a PIN.
    ChangeDevice,
    /// Another PIN on the same device.
    ChangePin,
}

/// What a device says when it is bound to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingStatement {
    /// The enrolment or credential.
    pub subject: Subject,
    /// Why.
    pub purpose: Purpose,
    /// DER SubjectPublicKeyInfo of the device.
    pub device_key: Vec<u8>,
    /// The server's nonce.
    pub nonce: String,
    /// Milliseconds since 1970.
    pub issued_at: i64,
    /// Milliseconds since 1970, at most five minutes after `issued_at`.
    pub expires_at: i64,
}

/// What a device says to open a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStatement {
    /// Id of the device.
    pub device: String,
    /// The server's nonce.
    pub nonce: String,
    /// Milliseconds since 1970.
    pub issued_at: i64,
}

impl ApprovalStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: WireApproval = decode(bytes)?;
        let statement = Self::from_wire(wire)?;
        check_canonical(bytes, &statement.to_bytes())?;
        Ok(statement)
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&WireApproval {
            channel: self.channel,
            code: self.code.clone(),
            count: self.documents.len() as i64,
            credential: self.credential.clone(),
            documents: self.documents.iter().map(WireDocument::from).collect(),
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            nonce: self.nonce.clone(),
            portal: self.portal.clone(),
            request: self.request.clone(),
            kind: APPROVAL_TYPE.to_owned(),
            version: 1,
        })
    }

    fn from_wire(wire: WireApproval) -> Result<Self, Refusal> {
        check_type(&wire.kind, APPROVAL_TYPE)?;
        if wire.version != 1 {
            return Err(malformed("version is not 1"));
        }
        if wire.documents.is_empty() || wire.documents.len() > DOCUMENTS_MAX {
            return Err(malformed("documents are none or too many"));
        }
        if wire.count != wire.documents.len() as i64 {
            return Err(malformed("count is not the number of documents"));
        }
        for (what, text) in [
            ("request", &wire.request),
            ("credential", &wire.credential),
            ("portal", &wire.portal),
            ("code", &wire.code),
            ("nonce", &wire.nonce),
        ] {
            check_text(what, text, ID_BYTES_MAX)?;
        }
        check_integer(wire.issued_at)?;
        check_integer(wire.expires_at)?;
        let documents = wire
            .documents
            .into_iter()
            .map(StatementDocument::try_from)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            request: wire.request,
            credential: wire.credential,
            portal: wire.portal,
            documents,
            code: wire.code,
            channel: wire.channel,
            nonce: wire.nonce,
            issued_at: wire.issued_at,
            expires_at: wire.expires_at,
        })
    }
}

impl BindingStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: WireBinding = decode(bytes)?;
        check_type(&wire.kind, BINDING_TYPE)?;
        let subject = match (wire.enrolment, wire.credential) {
            (Some(enrolment), None) => Subject::Enrolment(enrolment),
            (None, Some(credential)) => Subject::Credential(credential),
            _ => {
                return Err(malformed(
                    "names not exactly one of enrolment and credential",
                ));
            }
        };
        let (Subject::Enrolment(id) | Subject::Credential(id)) = &subject;
        check_text("subject", id, ID_BYTES_MAX)?;
        check_text("nonce", &wire.nonce, ID_BYTES_MAX)?;
        check_integer(wire.issued_at)?;
        check_integer(wire.expires_at)?;
        let device_key = URL_SAFE_NO_PAD
            .decode(&wire.device_key)
            .map_err(|_| malformed("device_key is not base64url"))?;
        let statement = Self {
            subject,
            purpose: wire.purpose,
            device_key,
            nonce: wire.nonce,
            issued_at: wire.issued_at,
            expires_at: wire.expires_at,
        };
        check_canonical(bytes, &statement.to_bytes())?;
        Ok(statement)
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (enrolment, credential) = match &self.subject {
            Subject::Enrolment(id) => (Some(id.clone()), None),
            Subject::Credential(id) => (None, Some(id.clone())),
        };
        encode(&WireBinding {
            credential,
            device_key: URL_SAFE_NO_PAD.encode(&self.device_key),
            enrolment,
            expires_at: self.expires_at,
            issued_at: self.issued_at,
            nonce: self.nonce.clone(),
            purpose: self.purpose,
            kind: BINDING_TYPE.to_owned(),
        })
    }
}

impl SessionStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: WireSession = decode(bytes)?;
        check_type(&wire.kind, SESSION_TYPE)?;
        check_text("device", &wire.device, ID_BYTES_MAX)?;
        check_text("nonce", &wire.nonce, ID_BYTES_MAX)?;
        check_integer(wire.issued_at)?;
        let statement = Self {
            device: wire.device,
            nonce: wire.nonce,
            issued_at: wire.issued_at,
        };
        check_canonical(bytes, &statement.to_bytes())?;
        Ok(statement)
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&WireSession {
            device: self.device.clone(),
            issued_at: self.issued_at,
            nonce: self.nonce.clone(),
            kind: SESSION_TYPE.to_owned(),
        })
    }

    /// Checks that `device` (known by the id `device_id`) opened a session just now, with the nonce it was given.
    pub fn check(
        bytes: &[u8],
        signature: &DeviceSignature,
        device: &DeviceKey,
        device_id: &str,
        nonce: &str,
        now: i64,
    ) -> Result<SessionStatement, Refusal> {
        let statement = Self::parse(bytes)?;
        check_time(
            now,
            statement.issued_at,
            statement.issued_at + LIFETIME_MS_MAX,
        )?;
        device.verify(bytes, signature)?;
        check_same("device", &statement.device, device_id)?;
        check_same("nonce", &statement.nonce, nonce)?;
        Ok(statement)
    }
}

/// Refuses a statement that is not current: `issued_at - skew <= now < expires_at`, and not longer than allowed.
pub(crate) fn check_time(now: i64, issued_at: i64, expires_at: i64) -> Result<(), Refusal> {
    let lifetime_ms = expires_at - issued_at;
    if lifetime_ms <= 0 || lifetime_ms > LIFETIME_MS_MAX {
        return Err(Refusal::TooLong {
            lifetime_ms,
            allowed_ms: LIFETIME_MS_MAX,
        });
    }
    if issued_at > now.saturating_add(SKEW_MS_MAX) {
        return Err(Refusal::FutureDated { now, issued_at });
    }
    if now >= expires_at {
        return Err(Refusal::Expired { now, expires_at });
    }
    Ok(())
}

/// Refuses a field that is not what was expected.
pub(crate) fn check_same(field: &'static str, stated: &str, expected: &str) -> Result<(), Refusal> {
    if stated == expected {
        Ok(())
    } else {
        Err(Refusal::Other { field })
    }
}

/// The JSON of an approval; fields in canonical order.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireApproval {
    channel: Channel,
    code: String,
    count: i64,
    credential: String,
    documents: Vec<WireDocument>,
    expires_at: i64,
    issued_at: i64,
    nonce: String,
    portal: String,
    request: String,
    #[serde(rename = "type")]
    kind: String,
    version: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireDocument {
    digest_algorithm: String,
    document_digest: String,
    name: String,
    preview: Preview,
    to_be_signed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireBinding {
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    device_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolment: Option<String>,
    expires_at: i64,
    issued_at: i64,
    nonce: String,
    purpose: Purpose,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSession {
    device: String,
    issued_at: i64,
    nonce: String,
    #[serde(rename = "type")]
    kind: String,
}

impl From<&StatementDocument> for WireDocument {
    fn from(document: &StatementDocument) -> Self {
        Self {
            digest_algorithm: document.digest_algorithm.as_str().to_owned(),
            document_digest: hex::encode(&document.document_digest),
            name: document.name.clone(),
            preview: document.preview,
            to_be_signed: hex::encode(&document.to_be_signed),
        }
    }
}

impl TryFrom<WireDocument> for StatementDocument {
    type Error = Refusal;

    fn try_from(wire: WireDocument) -> Result<Self, Refusal> {
        check_text("name", &wire.name, NAME_BYTES_MAX)?;
        let digest_algorithm: DigestAlgorithm = wire
            .digest_algorithm
            .parse()
            .map_err(|_| malformed("digest_algorithm is unknown"))?;
        let document_digest = hex::decode(&wire.document_digest)
            .map_err(|_| malformed("document_digest is not hex"))?;
        if !(32..=64).contains(&document_digest.len()) {
            return Err(malformed("document_digest is not 32 to 64 bytes"));
        }
        let to_be_signed =
            hex::decode(&wire.to_be_signed).map_err(|_| malformed("to_be_signed is not hex"))?;
        if to_be_signed.len() != digest_algorithm.octets() {
            return Err(malformed(
                "to_be_signed does not have the length of its algorithm",
            ));
        }
        Ok(Self {
            name: wire.name,
            document_digest,
            to_be_signed,
            digest_algorithm,
            preview: wire.preview,
        })
    }
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.len() > STATEMENT_BYTES_MAX {
        return Err(malformed("longer than any statement"));
    }
    // The decoder's own message may quote the statement, which may hold names: only the place is kept.
    serde_json::from_slice(bytes).map_err(|error| Refusal::Malformed {
        reason: format!("at byte {}", error.column()),
    })
}

pub(super) fn encode<T: Serialize>(wire: &T) -> Vec<u8> {
    serde_json::to_vec(wire).expect("a struct of strings and integers always serialises")
}

pub(super) fn check_canonical(given: &[u8], canonical: &[u8]) -> Result<(), Refusal> {
    if given == canonical {
        Ok(())
    } else {
        Err(Refusal::NotCanonical)
    }
}

pub(super) fn check_type(stated: &str, expected: &'static str) -> Result<(), Refusal> {
    if stated == expected {
        Ok(())
    } else {
        Err(malformed("type is another"))
    }
}

pub(super) fn check_text(what: &'static str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.is_empty() || text.len() > bytes_max {
        return Err(Refusal::Malformed {
            reason: format!("{what} is empty or too long"),
        });
    }
    Ok(())
}

pub(super) fn check_integer(value: i64) -> Result<(), Refusal> {
    if (0..=INTEGER_MAX).contains(&value) {
        Ok(())
    } else {
        Err(malformed("a time is out of range"))
    }
}

pub(super) fn malformed(reason: &str) -> Refusal {
    Refusal::Malformed {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval() -> ApprovalStatement {
        ApprovalStatement {
            request: "req_1".into(),
            credential: "cred_1".into(),
            portal: "portal_1".into(),
            documents: vec![StatementDocument {
                name: "Hợp đồng \"A\"\n.pdf".into(),
                document_digest: vec![0xab; 32],
                to_be_signed: vec![0xcd; 32],
                digest_algorithm: DigestAlgorithm::Sha256,
                preview: Preview::Previewed,
            }],
            code: "7K-4Q".into(),
            channel: Channel::SameDevice,
            nonce: "n0".into(),
            issued_at: 1_700_000_000_000,
            expires_at: 1_700_000_300_000,
        }
    }

    /// The one byte form, written out: clients in other languages are held to this text.
    #[test]
    fn an_approval_has_exactly_these_bytes() {
        let expected = format!(
            "{{\"channel\":\"same-device\",\"code\":\"7K-4Q\",\"count\":1,\"credential\":\"cred_1\",\"documents\":[{{\
             \"digest_algorithm\":\"sha-256\",\"document_digest\":\"{}\",\"name\":\"Hợp đồng \\\"A\\\"\\n.pdf\",\
             \"preview\":\"previewed\",\"to_be_signed\":\"{}\"}}],\"expires_at\":1700000300000,\
             \"issued_at\":1700000000000,\"nonce\":\"n0\",\"portal\":\"portal_1\",\"request\":\"req_1\",\
             \"type\":\"kyso.approval.v1\",\"version\":1}}",
            "ab".repeat(32),
            "cd".repeat(32)
        );
        assert_eq!(String::from_utf8(approval().to_bytes()).unwrap(), expected);
        assert_eq!(
            ApprovalStatement::parse(expected.as_bytes()).unwrap(),
            approval()
        );
    }

    #[test]
    fn a_binding_and_a_session_have_exactly_these_bytes() {
        let binding = BindingStatement {
            subject: Subject::Enrolment("enr_1".into()),
            purpose: Purpose::Enrol,
            device_key: vec![0xff, 0xfe],
            nonce: "n".into(),
            issued_at: 1,
            expires_at: 2,
        };
        let text = r#"{"device_key":"__4","enrolment":"enr_1","expires_at":2,"issued_at":1,"nonce":"n","purpose":"enrol","type":"kyso.binding.v1"}"#;
        assert_eq!(String::from_utf8(binding.to_bytes()).unwrap(), text);
        assert_eq!(BindingStatement::parse(text.as_bytes()).unwrap(), binding);

        let session = SessionStatement {
            device: "dev_1".into(),
            nonce: "n".into(),
            issued_at: 1,
        };
        let text = r#"{"device":"dev_1","issued_at":1,"nonce":"n","type":"kyso.session.v1"}"#;
        assert_eq!(String::from_utf8(session.to_bytes()).unwrap(), text);
        assert_eq!(SessionStatement::parse(text.as_bytes()).unwrap(), session);
    }

    /// RFC 8785 §3.2.2.2: two-character escapes where they exist, lower-case \u00xx for other controls, all else literal.
    #[test]
    fn strings_are_escaped_as_rfc_8785_demands() {
        let mut statement = approval();
        statement.documents[0].name =
            "\u{20ac}$\u{000f}\nA'B\"\\\\\"/\u{7f}\u{2028}\u{1f600}".into();
        let bytes = statement.to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(
            text.contains("\"name\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\u{2028}😀\""),
            "{text}"
        );
        assert_eq!(ApprovalStatement::parse(&bytes).unwrap(), statement);
    }

    /// RFC 8785 §3.2.3: names sorted by UTF-16 code units.
    #[test]
    fn names_are_sorted_at_every_depth() {
        let documents = approval().to_bytes();
        let names: Vec<&str> = [
            "channel",
            "code",
            "count",
            "credential",
            "documents",
            "digest_algorithm",
            "document_digest",
            "name",
            "preview",
            "to_be_signed",
            "expires_at",
            "issued_at",
            "nonce",
            "portal",
            "request",
            "type",
            "version",
        ]
        .into();
        let text = String::from_utf8(documents).unwrap();
        let places: Vec<usize> = names
            .iter()
            .map(|name| text.find(&format!("\"{name}\":")).unwrap())
            .collect();
        assert!(places.is_sorted());
        assert!(names[..5].is_sorted() && names[5..10].is_sorted() && names[10..].is_sorted());
        assert!("documents" < "expires_at");
    }

    #[test]
    fn every_other_form_of_the_same_statement_is_refused() {
        let canonical = String::from_utf8(approval().to_bytes()).unwrap();
        let others = [
            canonical.replace(",\"code\"", ", \"code\""),
            format!("{canonical}\n"),
            canonical.replace("abab", "ABab"),
            canonical.replace("ợ", "\\u1ee3"),
            canonical.replace("\"count\":1,", "\"count\":1.0,"),
            canonical.replace("\"version\":1}", "\"version\":1,\"x\":1}"),
            canonical.replace("\"version\":1}", "\"version\":1,\"version\":1}"),
            canonical.replace(
                "\"code\":\"7K-4Q\",\"count\":1",
                "\"count\":1,\"code\":\"7K-4Q\"",
            ),
            canonical.replace("\"nonce\":\"n0\",", ""),
            canonical.replace("\"count\":1,", "\"count\":2,"),
            canonical.replace("\"version\":1}", "\"version\":2}"),
            canonical.replace("kyso.approval.v1", "kyso.binding.v1"),
            canonical.replace("1700000300000", "-1"),
            canonical.replace("1700000300000", "9007199254740993"),
            canonical.replace("sha-256", "sha-1"),
            canonical.replace("sha-256", "sha-384"),
            canonical.replace("\"req_1\"", "\"\""),
            canonical.replace("previewed", "seen"),
            format!("\u{feff}{canonical}"),
            String::new(),
            "null".into(),
        ];
        for other in others {
            assert_ne!(other, canonical);
            assert!(
                ApprovalStatement::parse(other.as_bytes()).is_err(),
                "{other}"
            );
        }
        assert!(ApprovalStatement::parse(&[0xff, 0xfe]).is_err());
        assert!(ApprovalStatement::parse(&vec![b'['; STATEMENT_BYTES_MAX + 1]).is_err());
        assert!(ApprovalStatement::parse(&vec![b'['; STATEMENT_BYTES_MAX]).is_err());
    }

    #[test]
    fn a_refusal_never_quotes_the_statement() {
        let canonical = String::from_utf8(approval().to_bytes())
            .unwrap()
            .replace("\"version\":1}", "\"Bí mật\":1}");
        let refusal = ApprovalStatement::parse(canonical.as_bytes()).unwrap_err();
        assert!(!refusal.to_string().contains("Bí"), "{refusal}");
    }

    #[test]
    fn time_is_checked_on_both_sides() {
        let issued = 1_000_000;
        let expires = issued + LIFETIME_MS_MAX;
        assert!(check_time(issued, issued, expires).is_ok());
        assert!(check_time(expires - 1, issued, expires).is_ok());
        assert!(check_time(issued - SKEW_MS_MAX, issued, expires).is_ok());
        assert!(matches!(
            check_time(expires, issued, expires),
            Err(Refusal::Expired { .. })
        ));
        assert!(matches!(
            check_time(issued - SKEW_MS_MAX - 1, issued, expires),
            Err(Refusal::FutureDated { .. })
        ));
        assert!(matches!(
            check_time(issued, issued, expires + 1),
            Err(Refusal::TooLong { .. })
        ));
        assert!(matches!(
            check_time(issued, issued, issued),
            Err(Refusal::TooLong { .. })
        ));
        assert!(matches!(
            check_time(issued, issued, issued - 5),
            Err(Refusal::TooLong { .. })
        ));
    }
}
