//! What a citizen approved, proven: the only way to the use of a citizen's key.
//!
//! EN 419 241-1 calls it signature activation data, and the part of the keystore that consumes it the signature
//! activation module. Everything here is pure: the web role runs [`Activation::check`] when the citizen approves and
//! throws the result away; the worker runs it again to obtain the value [`crate::Keystore::begin`] needs.

mod decision;
mod device;
pub(crate) mod hpke;
mod pin;
mod statement;

use kyso_pki::algorithm::Digest;

pub use decision::{DECISION_TYPE, DecisionStatement};
pub use device::{DeviceKey, DeviceKind, DeviceSignature};
pub use pin::{
    ApprovalKey, BindingCode, CODE_DIGITS, PIN_DIGITS, SealedPin, seal_pin, seal_pin_and_code,
};
pub(crate) use pin::{Opening, Pin};
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

/// A binding of a key to a device and a PIN: the first one, or another device or PIN in place of those in force.
#[derive(Debug, Clone)]
pub struct BindingRequest {
    /// Canonical bytes of a [`BindingStatement`].
    pub statement: Vec<u8>,
    /// The device to bind.
    pub device: DeviceKey,
    /// Its signature over the statement.
    pub signature: DeviceSignature,
    /// The chosen PIN, sealed for this statement; a first binding seals the code that was sent with it.
    pub sealed_pin: SealedPin,
    /// For a change: what the binding in force says to it. None with [`Purpose::Enrol`].
    pub consent: Option<Consent>,
    /// The enrolment or credential the statement must name.
    pub subject: Subject,
    /// The nonce the server gave out.
    pub nonce: String,
}

/// The consent of whoever holds device and PIN in force. Without it nothing changes: a lost phone means another credential.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The signature of the device in force over the same statement.
    pub signature: DeviceSignature,
    /// The PIN in force, sealed for the same statement.
    pub current_pin: SealedPin,
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

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use kyso_pki::algorithm::DigestAlgorithm;

    use super::*;

    const NOW: i64 = 1_764_000_000_000;

    struct Phone {
        pair: EcdsaKeyPair,
        key: DeviceKey,
    }

    fn phone() -> Phone {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        Phone {
            pair,
            key: DeviceKey {
                kind: DeviceKind::WebCrypto,
                spki,
            },
        }
    }

    impl Phone {
        fn sign(&self, statement: &[u8]) -> DeviceSignature {
            let signature = self.pair.sign(&SystemRandom::new(), statement).unwrap();
            DeviceSignature::WebCrypto {
                signature: signature.as_ref().to_vec(),
            }
        }
    }

    fn expected() -> Expected {
        let documents = ["a", "b", "c"].map(|name| ExpectedDocument {
            name: format!("{name}.pdf"),
            document_digest: Digest::of(DigestAlgorithm::Sha256, name.as_bytes())
                .value()
                .to_vec(),
            to_be_signed: Digest::of(
                DigestAlgorithm::Sha256,
                format!("attributes {name}").as_bytes(),
            ),
        });
        Expected {
            request: "req_1".into(),
            credential: "cred_1".into(),
            portal: "portal_1".into(),
            documents: documents.into(),
            nonce: "nonce_1".into(),
            code: "7K-4Q".into(),
        }
    }

    fn statement() -> ApprovalStatement {
        let documents = expected()
            .documents
            .into_iter()
            .map(|document| StatementDocument {
                name: document.name,
                document_digest: document.document_digest,
                to_be_signed: document.to_be_signed.value().to_vec(),
                digest_algorithm: DigestAlgorithm::Sha256,
                preview: Preview::Previewed,
            });
        ApprovalStatement {
            request: "req_1".into(),
            credential: "cred_1".into(),
            portal: "portal_1".into(),
            documents: documents.collect(),
            code: "7K-4Q".into(),
            channel: Channel::Qr,
            nonce: "nonce_1".into(),
            issued_at: NOW,
            expires_at: NOW + LIFETIME_MS_MAX,
        }
    }

    fn sealed_pin() -> SealedPin {
        SealedPin {
            enc: vec![],
            ciphertext: vec![],
        }
    }

    /// The device signs whatever it is made to sign; the request's row decides.
    fn check(statement: &ApprovalStatement, now: i64) -> Result<Activation, Refusal> {
        let (phone, bytes) = (phone(), statement.to_bytes());
        Activation::check(
            &bytes,
            &phone.sign(&bytes),
            &phone.key,
            &expected(),
            sealed_pin(),
            now,
        )
    }

    fn refusal(change: impl FnOnce(&mut ApprovalStatement)) -> Refusal {
        let mut changed = statement();
        change(&mut changed);
        assert_ne!(changed, statement());
        check(&changed, NOW)
            .err()
            .expect("a changed statement is refused")
    }

    #[test]
    fn what_was_asked_and_approved_is_activated_with_its_digests_in_order() {
        let activation = check(&statement(), NOW).unwrap();
        assert_eq!(activation.statement(), &statement());
        let expected: Vec<Digest> = expected()
            .documents
            .into_iter()
            .map(|document| document.to_be_signed)
            .collect();
        assert_eq!(activation.digests(), expected);
    }

    #[test]
    fn an_approval_moved_to_another_request_portal_credential_nonce_or_code_is_refused() {
        let other = |field| Refusal::Other { field };
        assert_eq!(refusal(|s| s.request = "req_2".into()), other("request"));
        assert_eq!(
            refusal(|s| s.credential = "cred_2".into()),
            other("credential")
        );
        assert_eq!(refusal(|s| s.portal = "portal_2".into()), other("portal"));
        assert_eq!(refusal(|s| s.nonce = "nonce_2".into()), other("nonce"));
        assert_eq!(refusal(|s| s.code = "0X-0X".into()), other("document code"));
    }

    #[test]
    fn digests_swapped_reordered_duplicated_dropped_or_added_are_refused() {
        let other = vec![9; 32];
        let document = |index, field| Refusal::Document { index, field };
        let count = |stated| Refusal::Count {
            stated,
            expected: 3,
        };
        let to_be_signed = "digest to be signed";
        assert_eq!(
            refusal(|s| s.documents[1].to_be_signed = other.clone()),
            document(1, to_be_signed)
        );
        assert_eq!(
            refusal(|s| s.documents[2].document_digest = other.clone()),
            document(2, "document digest")
        );
        assert_eq!(
            refusal(|s| s.documents[0].name = "other.pdf".into()),
            document(0, "name")
        );
        assert_eq!(refusal(|s| s.documents.swap(0, 1)), document(0, "name"));
        let swap_digests = |s: &mut ApprovalStatement| {
            let first = s.documents[0].to_be_signed.clone();
            s.documents[0].to_be_signed = s.documents[1].to_be_signed.clone();
            s.documents[1].to_be_signed = first;
        };
        assert_eq!(refusal(swap_digests), document(0, to_be_signed));
        assert_eq!(
            refusal(|s| s.documents[2] = s.documents[1].clone()),
            document(2, "name")
        );
        assert_eq!(
            refusal(|s| s.documents.push(s.documents[2].clone())),
            count(4)
        );
        assert_eq!(refusal(|s| drop(s.documents.pop())), count(2));
        let other_algorithm = |s: &mut ApprovalStatement| {
            s.documents[0].digest_algorithm = DigestAlgorithm::Sha384;
            s.documents[0].to_be_signed = vec![1; 48];
        };
        assert_eq!(refusal(other_algorithm), document(0, to_be_signed));
    }

    #[test]
    fn an_approval_is_current_for_five_minutes_and_not_before() {
        assert!(check(&statement(), NOW + LIFETIME_MS_MAX - 1).is_ok());
        assert!(matches!(
            check(&statement(), NOW + LIFETIME_MS_MAX),
            Err(Refusal::Expired { .. })
        ));
        // The clock moved back: an approval from what is now the future is refused.
        assert!(matches!(
            check(&statement(), NOW - SKEW_MS_MAX - 1),
            Err(Refusal::FutureDated { .. })
        ));
        assert!(matches!(
            refusal(|s| s.expires_at += 1),
            Refusal::TooLong { .. }
        ));
        assert!(matches!(
            refusal(|s| s.issued_at += 3_600_000),
            Refusal::TooLong { .. }
        ));
        let tomorrow = |s: &mut ApprovalStatement| {
            s.issued_at += 86_400_000;
            s.expires_at += 86_400_000;
        };
        assert!(matches!(refusal(tomorrow), Refusal::FutureDated { .. }));
    }

    #[test]
    fn only_the_device_that_signed_these_very_bytes_is_believed() {
        let (one, other) = (phone(), phone());
        let bytes = statement().to_bytes();
        let check = |signature: &DeviceSignature, key: &DeviceKey, bytes: &[u8]| {
            Activation::check(bytes, signature, key, &expected(), sealed_pin(), NOW)
        };
        check(&one.sign(&bytes), &one.key, &bytes)
            .map(drop)
            .unwrap();
        let of_another_device = check(&one.sign(&bytes), &other.key, &bytes);
        assert!(matches!(
            of_another_device,
            Err(Refusal::DeviceSignature { .. })
        ));
        let over_other_bytes = check(&one.sign(b"other"), &one.key, &bytes);
        assert!(matches!(
            over_other_bytes,
            Err(Refusal::DeviceSignature { .. })
        ));
        let mut spaced = bytes.clone();
        spaced.push(b' ');
        let not_canonical = check(&one.sign(&spaced), &one.key, &spaced);
        assert!(matches!(not_canonical, Err(Refusal::NotCanonical)));
    }

    #[test]
    fn a_session_is_opened_by_its_device_with_its_nonce_just_now() {
        let (phone, other) = (phone(), phone());
        let session = SessionStatement {
            device: "dev_1".into(),
            nonce: "n".into(),
            issued_at: NOW,
        };
        let bytes = session.to_bytes();
        let signature = phone.sign(&bytes);
        let check = |key: &DeviceKey, device: &str, nonce: &str, now: i64| {
            SessionStatement::check(&bytes, &signature, key, device, nonce, now)
        };
        assert_eq!(check(&phone.key, "dev_1", "n", NOW), Ok(session.clone()));
        assert!(check(&other.key, "dev_1", "n", NOW).is_err());
        assert_eq!(
            check(&phone.key, "dev_2", "n", NOW),
            Err(Refusal::Other { field: "device" })
        );
        assert_eq!(
            check(&phone.key, "dev_1", "m", NOW),
            Err(Refusal::Other { field: "nonce" })
        );
        let late = check(&phone.key, "dev_1", "n", NOW + LIFETIME_MS_MAX);
        assert!(matches!(late, Err(Refusal::Expired { .. })));
        let early = check(&phone.key, "dev_1", "n", NOW - 60_000);
        assert!(matches!(early, Err(Refusal::FutureDated { .. })));
    }
}
