//! What a citizen approved, proven: the only way to the use of a citizen's key.

mod device;
mod hpke;
mod pin;
mod statement;

use kyso_pki::algorithm::Digest;

pub use device::{DeviceKey, DeviceKind, DeviceSignature};
pub use pin::{ApprovalKey, SealedPin, seal_pin};
pub use statement::{ApprovalStatement, BindingStatement, Channel, Preview, Purpose, SessionStatement, StatementDocument, Subject};

/// Why an approval, a binding or a session is refused. Each says what disagreed; none is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The statement is not what its type demands.
    #[error("the statement is malformed: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The statement's bytes are not its canonical form (RFC 8785).
    #[error("the statement is not in canonical form")]
    NotCanonical,
    /// The statement's time is over.
    #[error("the statement expired at {expires_at}, it is {now}")]
    Expired {
        /// Now.
        now: i64,
        /// When it expired.
        expires_at: i64,
    },
    /// The statement is from the future.
    #[error("the statement was issued at {issued_at}, it is only {now}")]
    FutureDated {
        /// Now.
        now: i64,
        /// Its date.
        issued_at: i64,
    },
    /// The statement asks for more time than is given.
    #[error("the statement lives {lifetime_ms} ms, more than {allowed_ms} ms")]
    TooLong {
        /// Asked.
        lifetime_ms: i64,
        /// Allowed.
        allowed_ms: i64,
    },
    /// The device's signature does not verify over these bytes.
    #[error("the device's signature does not verify: {reason}")]
    DeviceSignature {
        /// Which check failed.
        reason: &'static str,
    },
    /// A field is not what the request holds.
    #[error("the statement is for another {field}")]
    Other {
        /// Which field.
        field: &'static str,
    },
    /// Another number of documents than the request holds.
    #[error("the statement has {stated} documents, the request {expected}")]
    Count {
        /// Stated.
        stated: usize,
        /// Expected.
        expected: usize,
    },
    /// A document is not the one the request holds at that place.
    #[error("document {index}: {field} is not that of the request")]
    Document {
        /// Position, from 0.
        index: usize,
        /// Which field.
        field: &'static str,
    },
}

/// What the request's row says the citizen was asked to approve.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Id of the signature request.
    pub request: String,
    /// Id of the credential.
    pub credential: String,
    /// Id of the portal.
    pub portal: String,
    /// The documents in order.
    pub documents: Vec<ExpectedDocument>,
    /// The nonce the server gave out.
    pub nonce: String,
    /// The document code that was displayed.
    pub code: String,
}

/// One document of the request's row.
#[derive(Debug, Clone)]
pub struct ExpectedDocument {
    /// The name that was displayed.
    pub name: String,
    /// Digest of the document's bytes as displayed.
    pub document_digest: Vec<u8>,
    /// The digest the key will sign.
    pub to_be_signed: Digest,
}

/// Proof that the citizen's device approved exactly these digests, for this credential and request, just now.
pub struct Activation {
    statement: ApprovalStatement,
}

#[allow(unused_variables)]
impl Activation {
    /// Checks an approval against the request's row. Pure; the only constructor.
    pub fn check(
        statement: &[u8],
        signature: &DeviceSignature,
        device: &DeviceKey,
        expected: &Expected,
        sealed_pin: SealedPin,
        now: i64,
    ) -> Result<Activation, Refusal> {
        todo!()
    }

    /// What the citizen approved.
    pub fn statement(&self) -> &ApprovalStatement {
        &self.statement
    }
}

/// A first binding of a key to a device and a PIN.
#[derive(Debug, Clone)]
pub struct BindingRequest {
    /// Canonical bytes of a [`BindingStatement`] of purpose [`Purpose::Enrol`].
    pub statement: Vec<u8>,
    /// The device to bind.
    pub device: DeviceKey,
    /// Its signature over the statement.
    pub signature: DeviceSignature,
    /// The chosen PIN, sealed for this statement.
    pub sealed_pin: SealedPin,
    /// The enrolment or credential the statement must name.
    pub subject: Subject,
    /// The nonce the server gave out.
    pub nonce: String,
}

#[allow(unused_variables)]
impl BindingRequest {
    /// What the web role can check without keys: form, time, subject, nonce, device signature.
    pub fn check(&self, now: i64) -> Result<BindingStatement, Refusal> {
        todo!()
    }
}

/// A change of device or PIN: the binding, plus the PIN in force.
#[derive(Debug, Clone)]
pub struct Rebinding {
    /// The new binding; its purpose is [`Purpose::ChangeDevice`] or [`Purpose::ChangePin`].
    pub binding: BindingRequest,
    /// The PIN in force, sealed for the same statement.
    pub current_pin: SealedPin,
}
