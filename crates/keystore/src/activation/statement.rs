//! The statements a device signs, as canonical JSON (RFC 8785).

use kyso_pki::algorithm::DigestAlgorithm;

use crate::activation::Refusal;

/// What a citizen approves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalStatement {
    /// Id of the signature request.
    pub request: String,
    /// Id of the credential.
    pub credential: String,
    /// Id of the portal.
    pub portal: String,
    /// Every document, in order.
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
    /// Digest of the document's bytes.
    pub document_digest: Vec<u8>,
    /// The digest the key will sign.
    pub to_be_signed: Vec<u8>,
    /// The algorithm of `to_be_signed`.
    pub digest_algorithm: DigestAlgorithm,
    /// Whether its pages could be shown.
    pub preview: Preview,
}

/// Whether the citizen could see the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preview {
    /// Its pages were shown.
    Previewed,
    /// Only its name and digest were.
    Blind,
}

/// How the request reached the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Milliseconds since 1970.
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
        let _ = bytes;
        todo!()
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}

impl BindingStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let _ = bytes;
        todo!()
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}

impl SessionStatement {
    /// Parses canonical bytes; refuses any other form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let _ = bytes;
        todo!()
    }

    /// The canonical bytes to sign.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }
}
