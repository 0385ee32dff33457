//! An enrolment, from the chosen plan to the active credential: every verb a citizen's phone calls.
//!
//! Each verb is one transaction: what it returned is on disk. [`View::next`] tells the phone what to do next.

mod image;
pub mod state;
pub(crate) mod table;

pub use image::{ImageFault, ImageLimits, Photo, read_photo};
pub use state::{Kind, Piece, Progress, State, Step, next_steps};

use kyso_signing::credential::BindingIntention;

use crate::campaign::Plan;
use crate::citizen::{Channel, NewOwner, Owner};
use crate::ra::Officer;
use crate::task::Event;
use crate::{CodeId, EnrolmentId, Registration, Result};

/// How an enrolment begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// Code of the campaign, from the QR.
    pub campaign: Option<&'a str>,
    /// Code of the plan; may be left out with a campaign.
    pub plan: Option<&'a str>,
    /// `vi` (default) or `en`: language of messages.
    pub language: Option<&'a str>,
    /// The helper who enters it at a desk.
    pub entered_by: Option<&'a Officer>,
}

/// An enrolment just begun: the token is shown once.
pub struct Started {
    /// Which.
    pub id: EnrolmentId,
    /// Bearer token, base64url of 32 random bytes; its SHA-256 is stored.
    pub session: String,
    /// As it is now.
    pub view: View,
}

/// An enrolment as its citizen sees it.
#[derive(Debug, Clone)]
pub struct View {
    /// Which.
    pub id: EnrolmentId,
    /// Number to say on the telephone: `8K2F-31`.
    pub reference: String,
    /// Where it is.
    pub state: State,
    /// What to do next, in order.
    pub next: Vec<Step>,
    /// Plan.
    pub plan: Plan,
    /// Campaign.
    pub campaign: Option<String>,
    /// What is to be paid, đồng.
    pub price_vnd: i64,
    /// Language of messages.
    pub language: String,
    /// The owner as stored (normalised), for the citizen to check.
    pub owner: Option<Owner>,
    /// Phone, E.164, once known.
    pub phone: Option<String>,
    /// E-mail, once known.
    pub email: Option<String>,
    /// The code that waits to be entered, if any.
    pub code: Option<CodeView>,
    /// The photos that are there.
    pub evidence: Vec<EvidenceView>,
    /// The contract in force, once written.
    pub contract: Option<ContractView>,
    /// What an officer asked to be repaired.
    pub supplement: Vec<AskView>,
    /// Until when the supplement is awaited.
    pub supplement_until: Option<i64>,
    /// Why it was rejected or failed, as codes.
    pub reasons: Vec<String>,
    /// Enrolments handed in earlier that wait too; only while waiting.
    pub queue_ahead: Option<i64>,
    /// The credential, once there is one.
    pub credential: Option<String>,
    /// Where the binding of the phone is: `pending`, `bound`, or why it was refused.
    pub binding: Option<String>,
    /// The request by which the acceptance is signed, once there is one.
    pub acceptance_request: Option<String>,
    /// When it was handed in last.
    pub submitted_at: Option<i64>,
    /// When it was completed.
    pub completed_at: Option<i64>,
}

/// An activation code on its way or waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeView {
    /// How it travels.
    pub channel: Channel,
    /// Where to, with its middle hidden.
    pub destination: String,
    /// Until when it can be entered.
    pub expires_at: i64,
    /// When the next one may be asked for.
    pub resend_at: i64,
    /// Tries left.
    pub tries_left: i64,
}

/// A photo that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceView {
    /// Which.
    pub kind: Kind,
    /// Hex SHA-256 of the bytes as sent.
    pub sha256: String,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// How many times it was taken, this one included.
    pub version: i64,
    /// When.
    pub at: i64,
}

/// A contract in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractView {
    /// Its number.
    pub number: String,
    /// Hex SHA-256 of the PDF that is read and signed.
    pub sha256: String,
    /// The sentence to agree with, exactly.
    pub agreement: String,
    /// When the citizen signed it.
    pub signed_at: Option<i64>,
    /// Whether the provider's seal is on it.
    pub sealed: bool,
}

/// The contract's file.
pub struct ContractFile {
    /// The PDF: with the provider's seal once it has one.
    pub pdf: Vec<u8>,
    /// What the row says.
    pub view: ContractView,
}

/// The citizen's electronic signature on the contract: an explicit act.
#[derive(Debug, Clone, Copy)]
pub struct ContractSignature<'a> {
    /// Hex SHA-256 of the PDF that was read.
    pub sha256: &'a str,
    /// The sentence agreed with, as in [`ContractView::agreement`].
    pub agreement: &'a str,
    /// How it was done: `web` or `desk`.
    pub channel: &'a str,
}

/// Something to repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskView {
    /// Which field or photo.
    pub piece: Piece,
    /// Why, a code of [`crate::vetting::REASONS`].
    pub reason: &'static str,
    /// Already repaired.
    pub repaired: bool,
}

/// A nonce for the binding statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChallenge {
    /// Base64url.
    pub nonce: String,
    /// The credential the binding is for.
    pub credential: String,
}

/// A code to send: yielded to the sender only, and only until it says it was sent.
pub struct CodeToSend {
    /// How.
    pub channel: Channel,
    /// Phone (E.164) or e-mail.
    pub destination: String,
    /// Six digits.
    pub code: String,
    /// Whole minutes until it expires, rounded up.
    pub minutes: i64,
    /// `vi` or `en`.
    pub language: String,
}

/// A message to send.
pub struct Notice {
    /// What happened.
    pub event: Event,
    /// Phone, E.164.
    pub phone: String,
    /// E-mail.
    pub email: Option<String>,
    /// The channel that the citizen activated by: known to work.
    pub channel: Channel,
    /// Number to say on the telephone.
    pub reference: String,
    /// `vi` or `en`.
    pub language: String,
}

impl Registration {
    /// Begins an enrolment.
    pub async fn start(&self, start: Start<'_>) -> Result<Started> {
        todo!()
    }

    /// Which enrolment this bearer token opens. [`crate::Error::SessionInvalid`] otherwise.
    pub async fn authenticate(&self, token: &str) -> Result<EnrolmentId> {
        todo!()
    }

    /// Where it stands and what to do next.
    pub async fn show(&self, id: &EnrolmentId) -> Result<View> {
        todo!()
    }

    /// Phone and e-mail alone, so that a code can be sent before anything else is typed.
    pub async fn set_contact(&self, id: &EnrolmentId, phone: &str, email: &str) -> Result<View> {
        todo!()
    }

    /// The owner's data. In a supplement only the fields that were asked for may differ.
    pub async fn set_owner(&self, id: &EnrolmentId, new: &NewOwner) -> Result<View> {
        todo!()
    }

    /// Settles the price: takes a place in the campaign; with nothing due that is all there is.
    pub async fn pay(&self, id: &EnrolmentId) -> Result<View> {
        todo!()
    }

    /// Sends a new activation code; the one before is void.
    pub async fn request_code(&self, id: &EnrolmentId, channel: Channel) -> Result<CodeView> {
        todo!()
    }

    /// Enters the code.
    pub async fn activate(&self, id: &EnrolmentId, code: &str) -> Result<View> {
        todo!()
    }

    /// Stores a photo, in place of an earlier one.
    pub async fn put_photo(&self, id: &EnrolmentId, kind: Kind, bytes: &[u8]) -> Result<EvidenceView> {
        todo!()
    }

    /// The contract to read: written when it is first asked for after owner, payment and photos are complete.
    pub async fn contract(&self, id: &EnrolmentId) -> Result<ContractFile> {
        todo!()
    }

    /// Signs the contract.
    pub async fn sign_contract(&self, id: &EnrolmentId, signature: ContractSignature<'_>) -> Result<View> {
        todo!()
    }

    /// Hands it in. [`crate::Error::StepsMissing`] lists what is not there.
    pub async fn submit(&self, id: &EnrolmentId) -> Result<View> {
        todo!()
    }

    /// The citizen gives up.
    pub async fn abandon(&self, id: &EnrolmentId) -> Result<View> {
        todo!()
    }

    /// A nonce for binding phone and PIN.
    pub async fn device_challenge(&self, id: &EnrolmentId) -> Result<DeviceChallenge> {
        todo!()
    }

    /// Binds phone and PIN: stored here, done by the worker; [`View::binding`] says how it went.
    pub async fn bind_device(&self, id: &EnrolmentId, intention: BindingIntention) -> Result<View> {
        todo!()
    }

    /// The code of a `SendCode` job; `None` if it is sent, void or too old, and the job is simply done.
    pub async fn code_to_send(&self, code: &CodeId) -> Result<Option<CodeToSend>> {
        todo!()
    }

    /// The code was handed to a relay: its plain text is wiped.
    pub async fn code_sent(&self, code: &CodeId) -> Result<()> {
        todo!()
    }

    /// The message of a `Notify` job.
    pub async fn notice(&self, enrolment: &EnrolmentId, event: Event) -> Result<Notice> {
        todo!()
    }

    /// The signed acceptance record, once complete.
    pub async fn acceptance_record(&self, id: &EnrolmentId) -> Result<Vec<u8>> {
        todo!()
    }

    /// The enrolment that ended in this credential, for the officer who looks at one.
    pub async fn of_credential(&self, credential: &str) -> Result<EnrolmentId> {
        todo!()
    }
}
