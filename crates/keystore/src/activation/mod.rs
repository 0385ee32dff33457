//! What a citizen approved, proven: the only way to the use of a citizen's key.
//!
//! EN 419 241-1 calls it signature activation data, and the part of the keystore that consumes it the signature
//! activation module. Everything here is pure: the web role runs [`Activation::check`] when the citizen approves and
//! throws the result away; the worker runs it again to obtain the value [`crate::Keystore::begin`] needs.

mod device;
pub(crate) mod hpke;
mod pin;
mod statement;

use kyso_pki::algorithm::Digest;

pub use device::{DeviceKey, DeviceKind, DeviceSignature};
pub(crate) use pin::Pin;
pub use pin::{ApprovalKey, PIN_DIGITS, SealedPin, seal_pin};
pub use statement::{
    APPROVAL_TYPE, ApprovalStatement, BINDING_TYPE, BindingStatement, Channel, DOCUMENTS_MAX,
    LIFETIME_MS_MAX, Preview, Purpose, SESSION_TYPE, SKEW_MS_MAX, STATEMENT_BYTES_MAX,
    SessionStatement, StatementDocument, Subject,
};
use statement::{check_same, check_time};

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
///
/// It carries the digests that will be signed, so nobody can pass others; it is consumed by its use.
pub struct Activation {
    statement: ApprovalStatement,
    statement_bytes: Vec<u8>,
    digests: Vec<Digest>,
    device: DeviceKey,
    sealed_pin: SealedPin,
    checked_at: i64,
}

impl Activation {
    /// Checks an approval against the request's row. Pure; the only constructor.
    ///
    /// Order (activation.md): the statement parses and is current, the device's signature verifies, then request,
    /// credential, portal, nonce and code are those of the row, then every document is, in order.
    pub fn check(
        statement: &[u8],
        signature: &DeviceSignature,
        device: &DeviceKey,
        expected: &Expected,
        sealed_pin: SealedPin,
        now: i64,
    ) -> Result<Activation, Refusal> {
        let parsed = ApprovalStatement::parse(statement)?;
        check_time(now, parsed.issued_at, parsed.expires_at)?;
        device.verify(statement, signature)?;
        check_same("request", &parsed.request, &expected.request)?;
        check_same("credential", &parsed.credential, &expected.credential)?;
        check_same("portal", &parsed.portal, &expected.portal)?;
        check_same("nonce", &parsed.nonce, &expected.nonce)?;
        check_same("document code", &parsed.code, &expected.code)?;
        check_documents(&parsed.documents, &expected.documents)?;
        Ok(Activation {
            statement: parsed,
            statement_bytes: statement.to_vec(),
            digests: expected
                .documents
                .iter()
                .map(|document| document.to_be_signed.clone())
                .collect(),
            device: device.clone(),
            sealed_pin,
            checked_at: now,
        })
    }

    /// What the citizen approved.
    pub fn statement(&self) -> &ApprovalStatement {
        &self.statement
    }

    pub(crate) fn statement_bytes(&self) -> &[u8] {
        &self.statement_bytes
    }

    pub(crate) fn digests(&self) -> &[Digest] {
        &self.digests
    }

    pub(crate) fn device(&self) -> &DeviceKey {
        &self.device
    }

    pub(crate) fn sealed_pin(&self) -> &SealedPin {
        &self.sealed_pin
    }

    pub(crate) fn checked_at(&self) -> i64 {
        self.checked_at
    }
}

fn check_documents(
    stated: &[StatementDocument],
    expected: &[ExpectedDocument],
) -> Result<(), Refusal> {
    if stated.len() != expected.len() {
        return Err(Refusal::Count {
            stated: stated.len(),
            expected: expected.len(),
        });
    }
    for (index, (stated, expected)) in stated.iter().zip(expected).enumerate() {
        let field = if stated.name != expected.name {
            "name"
        } else if stated.document_digest != expected.document_digest {
            "document digest"
        } else if stated.digest_algorithm != expected.to_be_signed.algorithm()
            || stated.to_be_signed != expected.to_be_signed.value()
        {
            "digest to be signed"
        } else {
            continue;
        };
        return Err(Refusal::Document { index, field });
    }
    Ok(())
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

impl BindingRequest {
    /// What the web role can check without keys: form, time, subject, nonce, device and its signature.
    pub fn check(&self, now: i64) -> Result<BindingStatement, Refusal> {
        let statement = BindingStatement::parse(&self.statement)?;
        check_time(now, statement.issued_at, statement.expires_at)?;
        self.device.check()?;
        self.device.verify(&self.statement, &self.signature)?;
        if statement.subject != self.subject {
            return Err(Refusal::Other { field: "subject" });
        }
        check_same("nonce", &statement.nonce, &self.nonce)?;
        if statement.device_key != self.device.spki {
            return Err(Refusal::Other {
                field: "device key",
            });
        }
        Ok(statement)
    }
}

/// A change of device or PIN: the new binding, and the PIN in force.
#[derive(Debug, Clone)]
pub struct Rebinding {
    /// The new binding; its purpose is [`Purpose::ChangeDevice`] or [`Purpose::ChangePin`], its subject the credential.
    pub binding: BindingRequest,
    /// The PIN in force, sealed for the same statement.
    pub current_pin: SealedPin,
}
