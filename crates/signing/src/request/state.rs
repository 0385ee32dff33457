//! A signature request's states, what is asked, and what each side may see of it. Pure.

use std::fmt;

use kyso_keystore::activation::Channel;
use kyso_keystore::{DeviceSignature, SealedPin};
use kyso_pki::algorithm::Digest;

use crate::{CredentialId, PortalId, RequestId};

/// Where a request is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// Waiting for the citizen.
    Pending,
    /// The citizen approved; the worker has yet to sign.
    Approved,
    /// Signatures are durable; the portal has yet to hear of it.
    Signed,
    /// The portal has it.
    Delivered,
    /// By the citizen.
    Refused,
    /// By the portal.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// With a code: `pin-locked`, `credential-not-active`, `approval-expired`, …
    Failed,
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestEvent {
    Approve,
    /// The PIN did not fit: back to the citizen, with a new nonce.
    WrongPin,
    Sign,
    Deliver,
    Refuse,
    Withdraw,
    Expire,
    Fail,
}

/// Which of a citizen's requests to list.
#[derive(Debug, Clone)]
pub struct Page {
    /// Those in one of these states; in any, when empty.
    pub states: Vec<RequestState>,
    /// Those older than this one.
    pub before: Option<RequestId>,
    /// At most so many.
    pub most: usize,
}

/// What a citizen approved, and the line of the ledger about it.
#[derive(Debug, Clone)]
pub struct ApprovalProof {
    /// The statement, whose SHA-256 stands in the line.
    pub statement: Vec<u8>,
    /// The line `signing.request.approved` and its place.
    pub proof: kyso_store::ledger::Proof,
}

impl RequestState {
    /// Every one of them, in the order of life.
    pub const ALL: [RequestState; 8] = [
        RequestState::Pending,
        RequestState::Approved,
        RequestState::Signed,
        RequestState::Delivered,
        RequestState::Refused,
        RequestState::Withdrawn,
        RequestState::Expired,
        RequestState::Failed,
    ];

    /// The word stored in the row and spoken by the API.
    pub fn as_str(self) -> &'static str {
        match self {
            RequestState::Pending => "pending",
            RequestState::Approved => "approved",
            RequestState::Signed => "signed",
            RequestState::Delivered => "delivered",
            RequestState::Refused => "refused",
            RequestState::Withdrawn => "withdrawn",
            RequestState::Expired => "expired",
            RequestState::Failed => "failed",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<RequestState> {
        RequestState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }

    /// Nothing more will happen to it, except that a signed one is announced.
    pub fn is_final(self) -> bool {
        !matches!(self, RequestState::Pending | RequestState::Approved)
    }

    /// The state after `event`, or `None` where the event has no place.
    pub fn after(self, event: RequestEvent) -> Option<RequestState> {
        use RequestEvent as E;
        use RequestState as S;
        match (self, event) {
            (S::Pending, E::Approve) => Some(S::Approved),
            (S::Pending, E::Refuse) => Some(S::Refused),
            (S::Pending, E::Withdraw) => Some(S::Withdrawn),
            (S::Pending, E::Expire) => Some(S::Expired),
            (S::Approved, E::WrongPin) => Some(S::Pending),
            (S::Approved, E::Sign) => Some(S::Signed),
            (S::Pending | S::Approved, E::Fail) => Some(S::Failed),
            (S::Signed, E::Deliver) => Some(S::Delivered),
            _ => None,
        }
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Through which door a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `POST /v1/signature-requests`.
    Portal,
    /// The citizen's acceptance of the certificate: the first signature of a credential, asked by the provider.
    Acceptance,
    /// The SmartCA sp769 interface.
    Sp769,
}

impl RequestKind {
    pub fn as_str(self) -> &'static str {
        match self {
            RequestKind::Portal => "portal",
            RequestKind::Acceptance => "acceptance",
            RequestKind::Sp769 => "sp769",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<RequestKind> {
        [
            RequestKind::Portal,
            RequestKind::Acceptance,
            RequestKind::Sp769,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// Whom a portal asks.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The identity number, twelve digits.
    pub identity_number: String,
    /// Hex serial of one certificate, where the portal insists.
    pub serial: Option<String>,
}

/// Where a portal wants the visible mark: the lower left corner of its box, in points from that of the displayed page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1.
    pub page: u32,
    pub left: f32,
    pub bottom: f32,
}

/// One thing to sign.
#[derive(Debug, Clone)]
pub enum NewDocument {
    /// A whole PDF: prepared here, shown page by page, signed by incremental update.
    Pdf {
        name: String,
        bytes: Vec<u8>,
        /// Where the visible mark goes; `None`: the lower right corner of the last page, beside earlier marks.
        place: Option<Place>,
    },
    /// A digest the portal made: blind, only with the scope `digests`.
    Digest { name: String, digest: Digest },
}

impl NewDocument {
    pub fn name(&self) -> &str {
        match self {
            NewDocument::Pdf { name, .. } | NewDocument::Digest { name, .. } => name,
        }
    }
}

/// What makes a repeated POST the same request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The `Idempotency-Key` header, 1–255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the request body as it came.
    pub body_digest: [u8; 32],
}

/// What a portal asks for.
#[derive(Debug, Clone)]
pub struct NewRequest {
    pub signer: Signer,
    pub documents: Vec<NewDocument>,
    /// At most 500 characters, shown to the citizen below the portal's name.
    pub description: Option<String>,
    /// Where the portal wants the citizen's browser to come back to; stored and echoed, never called.
    pub return_url: Option<String>,
    pub idempotency: Option<Idempotency>,
    /// How long the citizen has; `None` takes the configured default (300 s).
    pub expires_in_ms: Option<i64>,
    /// The portal shows it on a screen: it is approved only by a phone that was in front of it.
    pub on_screen: bool,
}

/// The citizen's approval as the phone sends it.
#[derive(Debug, Clone)]
pub struct Approval {
    /// Canonical bytes of the `kyso.approval.v1` statement.
    pub statement: Vec<u8>,
    pub signature: DeviceSignature,
    pub sealed_pin: SealedPin,
}

/// One document of a request, as both sides may see it.
#[derive(Debug, Clone)]
pub struct DocumentView {
    /// From 0.
    pub position: usize,
    pub name: String,
    pub format: DocumentFormat,
    /// sp769's own name for it, shown on both screens.
    pub doc_id: Option<String>,
    pub byte_count: i64,
    pub page_count: Option<i64>,
    /// Of the bytes the citizen sees (a digest request: the digest itself).
    pub document_digest: Digest,
    /// What the key signs: over the signed attributes, which cover the certificate.
    pub to_be_signed: Digest,
    pub previewed: bool,
    /// The raw signature, once signed.
    pub signature: Option<Vec<u8>>,
}

/// What kind of thing is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentFormat {
    /// A PDF, signed by increment.
    Pdf,
    /// Bare octets of a digest.
    Digest,
}

impl DocumentFormat {
    pub fn as_str(self) -> &'static str {
        match self {
            DocumentFormat::Pdf => "pdf",
            DocumentFormat::Digest => "digest",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<DocumentFormat> {
        [DocumentFormat::Pdf, DocumentFormat::Digest]
            .into_iter()
            .find(|format| format.as_str() == word)
    }
}

/// A request with everything its statement is made from.
#[derive(Debug, Clone)]
pub struct RequestView {
    pub id: RequestId,
    pub kind: RequestKind,
    pub state: RequestState,
    /// `None` for an acceptance, which the provider asks.
    pub portal: Option<PortalId>,
    /// The word that stands in the statement's `portal`: the portal's id, or `provider`.
    pub portal_word: String,
    /// From the register; for an acceptance the provider's name.
    pub portal_name: String,
    pub credential: CredentialId,
    pub description: Option<String>,
    pub return_url: Option<String>,
    /// `7K3M-Q2ZD`: shown by the portal and by the phone, for comparison.
    pub code: String,
    /// To be repeated in the statement; changes when a wrong PIN brings the request back.
    pub nonce: String,
    pub documents: Vec<DocumentView>,
    /// Signature algorithm by its stable name.
    pub signature_algorithm: kyso_pki::algorithm::SignatureAlgorithm,
    /// Its portal shows it on a screen.
    pub on_screen: bool,
    /// How the phone proved that it was in front of that screen.
    pub channel: Option<Channel>,
    /// After a wrong PIN: how many tries are left.
    pub tries_left: Option<i64>,
    /// Stable code, when failed.
    pub failure: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub approved_at: Option<i64>,
    pub signed_at: Option<i64>,
    pub ended_at: Option<i64>,
}

/// The word of a channel in statement, row and interface.
pub fn channel_word(channel: Channel) -> &'static str {
    match channel {
        Channel::SameDevice => "same-device",
        Channel::Qr => "qr",
        Channel::Push => "push",
    }
}

/// The channel a stored word means; `None` for a word no version of ours wrote.
pub(crate) fn channel_from_stored(word: &str) -> Option<Channel> {
    [Channel::SameDevice, Channel::Qr, Channel::Push]
        .into_iter()
        .find(|channel| channel_word(*channel) == word)
}

/// The document code: first eight Crockford base 32 characters (40 bits) of `digest`, in groups of four.
pub fn document_code(digest: &[u8; 32]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let first = digest[..5]
        .iter()
        .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut code = String::with_capacity(9);
    for group in (0..8).rev() {
        if group == 3 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[(first >> (5 * group)) as usize & 31]));
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transition_is_the_drawn_one_and_no_other() {
        use RequestEvent as E;
        use RequestState as S;
        let drawn = [
            (S::Pending, E::Approve, S::Approved),
            (S::Pending, E::Refuse, S::Refused),
            (S::Pending, E::Withdraw, S::Withdrawn),
            (S::Pending, E::Expire, S::Expired),
            (S::Pending, E::Fail, S::Failed),
            (S::Approved, E::WrongPin, S::Pending),
            (S::Approved, E::Sign, S::Signed),
            (S::Approved, E::Fail, S::Failed),
            (S::Signed, E::Deliver, S::Delivered),
        ];
        let events = [
            E::Approve,
            E::WrongPin,
            E::Sign,
            E::Deliver,
            E::Refuse,
            E::Withdraw,
            E::Expire,
            E::Fail,
        ];
        for state in S::ALL {
            for event in events {
                let expected = drawn
                    .iter()
                    .find(|(from, by, _)| *from == state && *by == event)
                    .map(|(_, _, to)| *to);
                assert_eq!(state.after(event), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn the_code_is_the_first_forty_bits_in_crockford_letters() {
        assert_eq!(document_code(&[0; 32]), "0000-0000");
        assert_eq!(document_code(&[0xff; 32]), "ZZZZ-ZZZZ");
        let mut counted = [0; 32];
        counted[..5].copy_from_slice(&[0x01, 0x23, 0x45, 0x67, 0x89]);
        assert_eq!(document_code(&counted), "04HM-ASW9");
    }
}
