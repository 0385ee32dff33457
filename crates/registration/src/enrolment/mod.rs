//! An enrolment, from the chosen plan to the active credential: every verb a citizen's phone calls.
//!
//! Each verb is one transaction: what it returned is on disk. [`View::next`] tells the phone what to do next.

pub(crate) mod begin;
mod code;
pub(crate) mod contract;
pub(crate) mod device;
mod evidence;
mod image;
mod notice;
mod resume;
pub mod state;
pub(crate) mod table;

pub use image::{ImageFault, ImageLimits, Photo, read_photo};
pub use state::{Kind, Piece, Progress, State, Step, next_steps};

use kyso_store::Tx;

use crate::campaign::Plan;
use crate::citizen::{Channel, Owner};
use crate::ra::Officer;
use crate::task::Event;
use crate::{EnrolmentId, Error, Result, ResumptionId};

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
#[derive(Clone)]
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
    /// The device that the binding is for: what the phone names to open a session.
    pub device: Option<String>,
    /// The request by which the acceptance is signed, once there is one.
    pub acceptance_request: Option<String>,
    /// When it was handed in last.
    pub submitted_at: Option<i64>,
    /// When it was completed.
    pub completed_at: Option<i64>,
}

crate::citizen::silent!(View, Started, CodeToSend, Notice, ResumptionView);

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

/// A wish to go on with an enrolment from another phone; the same whether or not there is one.
pub struct ResumptionView {
    /// What the code is entered with.
    pub id: ResumptionId,
    /// Where the code goes, with its middle hidden.
    pub destination: String,
    /// Until when it can be entered.
    pub expires_at: i64,
    /// When the next one may be asked for.
    pub resend_at: i64,
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

/// A nonce for the binding statement; its code is on its way to the citizen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceChallenge {
    /// Base64url.
    pub nonce: String,
    /// The credential the binding is for.
    pub credential: String,
    /// How the code travels.
    pub channel: Channel,
    /// Where to, with its middle hidden.
    pub destination: String,
    /// Until when nonce and code can be used.
    pub expires_at: i64,
    /// When the next one may be asked for.
    pub resend_at: i64,
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
    /// Where to, the channel that is known to work first: one that accepts it is enough.
    pub ways: Vec<(Channel, String)>,
    /// Number to say on the telephone.
    pub reference: String,
    /// `vi` or `en`.
    pub language: String,
}

/// The enrolment as its citizen sees it, from within a transaction. What signing knows is added by `show`.
pub(crate) async fn view(tx: &mut Tx, id: &EnrolmentId) -> Result<View> {
    let row = table::by_id(tx, id).await?;
    let progress = table::progress(tx, &row).await?;
    let contract = table::contract(tx, id).await?;
    Ok(View {
        next: next_steps(row.state, &progress),
        plan: crate::campaign::table::plan(tx, &row.plan_code)
            .await?
            .ok_or(Error::NotFound { what: "plan" })?,
        code: table::live_code(tx, id)
            .await?
            .filter(|live| live.expires_at > tx.now())
            .map(|live| code::code_view(&live)),
        evidence: table::evidence(tx, id)
            .await?
            .into_iter()
            .map(|photo| photo.view)
            .collect(),
        contract: contract.as_ref().map(contract::contract_view),
        supplement: table::asked(tx, &row).await?,
        reasons: table::end_reasons(tx, &row).await?,
        queue_ahead: match (row.state, row.submitted_at) {
            (State::Submitted | State::Vetted, Some(at)) => Some(table::ahead(tx, at).await?),
            _ => None,
        },
        binding: None,
        device: None,
        id: row.id,
        reference: row.reference,
        state: row.state,
        campaign: row.campaign_code,
        price_vnd: row.price_vnd,
        language: row.language,
        owner: row.owner,
        phone: row.phone,
        email: row.email,
        supplement_until: row.supplement_until,
        credential: row.credential_id,
        acceptance_request: row.acceptance_id,
        submitted_at: row.submitted_at,
        completed_at: row.completed_at,
    })
}
