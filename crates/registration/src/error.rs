//! Everything that can be refused or go wrong in this crate, in words of the field.
//!
//! Never a name, a number, a code or a token inside: what disagreed is named by field, state, time or count.

use crate::citizen::FieldError;
use crate::enrolment::{Kind, Piece, State, Step};

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was refused, and the values that disagreed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// One or more fields break a rule; all are listed.
    #[error("{} fields are not acceptable", .0.len())]
    Fields(Vec<FieldError>),
    /// There is no such thing, or the caller may not know of it.
    #[error("there is no such {what}")]
    NotFound {
        /// `enrolment`, `campaign`, `plan`, `officer`, `evidence`, `contract`.
        what: &'static str,
    },
    /// The bearer token is not one of ours, or its enrolment or officer has ended.
    #[error("the session is not valid")]
    SessionInvalid,

    /// The enrolment's state does not allow this.
    #[error("the enrolment is {state}, which does not allow this")]
    EnrolmentState {
        /// Where it is.
        state: State,
    },
    /// Something else has to be done first.
    #[error("{} steps are missing", .missing.len())]
    StepsMissing {
        /// What, in order.
        missing: Vec<Step>,
    },
    /// While an enrolment is to be supplemented, only the pieces asked for may change.
    #[error("{piece} was not asked for")]
    PieceNotAsked {
        /// What the citizen tried to change.
        piece: Piece,
    },
    /// This person has an enrolment under way, or a live credential.
    #[error("this person already has an enrolment or credential")]
    PersonTaken,
    /// The device belongs to another account.
    #[error("this device belongs to another account")]
    DeviceTaken,
    /// The owner's identity card has expired since it was entered.
    #[error("the identity card has expired")]
    CardExpired,

    /// The campaign has not begun or is over.
    #[error("the campaign runs from {starts_at} to {ends_at}, it is {now}")]
    CampaignClosed {
        /// First instant.
        starts_at: i64,
        /// First instant after it.
        ends_at: i64,
        /// Now.
        now: i64,
    },
    /// Every place of the campaign is taken.
    #[error("all {quota} places of the campaign are taken")]
    CampaignFull {
        /// Places.
        quota: i64,
    },
    /// The campaign is for people of another area.
    #[error("the campaign is for another area")]
    CampaignArea,
    /// Something has to be paid, and no way to pay is set up.
    #[error("{price_vnd} đồng are due and no payment is set up")]
    PaymentUnavailable {
        /// Price in đồng.
        price_vnd: i64,
    },
    /// A campaign, plan, officer or unit that an operator adds is not acceptable.
    #[error("{field} is not acceptable: {rule}")]
    Unacceptable {
        /// Which field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The code of a campaign or plan is taken.
    #[error("there is already one with the code {code}")]
    CodeTaken {
        /// Which code.
        code: String,
    },
    /// A line of an import is not acceptable; nothing was imported.
    #[error("line {line}: {column} is not acceptable: {rule}")]
    Line {
        /// Counted from 1, the header included.
        line: usize,
        /// Which column.
        column: &'static str,
        /// What it must be.
        rule: &'static str,
    },

    /// A new activation code may be asked for only later.
    #[error("the next code may be asked for at {at}")]
    CodeTooSoon {
        /// When.
        at: i64,
        /// Now.
        now: i64,
    },
    /// The enrolment was resumed a short while ago: no phone is bound yet.
    #[error("no phone is bound until {at}")]
    ResumptionRests {
        /// When.
        at: i64,
        /// Now.
        now: i64,
    },
    /// Too many codes were sent to this person or destination, or asked for by this network, within the hour.
    #[error("too many codes, the next may be asked for at {at}")]
    CodeLimit {
        /// When.
        at: i64,
        /// Now.
        now: i64,
    },
    /// The provider has sent as many codes as it sends in a minute, an hour or a day.
    #[error("as many codes were sent as are sent at once, the next may be asked for at {at}")]
    MessageBudget {
        /// When.
        at: i64,
        /// Now.
        now: i64,
    },
    /// The code is not right.
    #[error("the code is wrong, {tries_left} tries are left")]
    CodeWrong {
        /// Tries left with this code; 0 = ask for a new one.
        tries_left: i64,
    },
    /// No code is waiting: none was asked for, or it expired, was used up, replaced or tried too often.
    #[error("no code is waiting")]
    CodeNone,

    /// A photo is not acceptable.
    #[error("the photo is not acceptable: {0}")]
    Image(#[from] crate::enrolment::ImageFault),
    /// The contract that was read is not the one to be signed now.
    #[error("the contract has changed since it was read")]
    ContractChanged,
    /// The agreement text is missing or not the one this version asks for.
    #[error("the agreement is not the text that was shown")]
    AgreementText,
    /// The device binding is not acceptable.
    #[error("the binding is refused: {code}")]
    BindingRefused {
        /// Stable code.
        code: &'static str,
    },

    /// The officer's roles do not allow this.
    #[error("the officer may not do this")]
    OfficerForbidden,
    /// The enrolment is the officer's own, or was entered by this officer.
    #[error("an officer may not decide on an enrolment of their own")]
    OwnEnrolment,
    /// Another officer has the enrolment open.
    #[error("another officer has it open until {until}")]
    Locked {
        /// When the lock ends by itself.
        until: i64,
    },
    /// The officer does not have the enrolment open, or no longer.
    #[error("the enrolment is not open by this officer")]
    NotLocked,
    /// This officer has already decided in this round; another one is needed.
    #[error("a second officer is needed")]
    SecondOfficer,
    /// The officer's signature is not over this dossier as it is now.
    #[error("the decision does not fit the dossier: {code}")]
    DecisionRefused {
        /// What disagrees: `statement`, `signature`, `officer`, `enrolment`, `round`, `verdict`, `dossier`, `role`, `time`.
        code: &'static str,
    },
    /// The rows say approved, and officers' signatures do not: somebody wrote what they may not.
    #[error("the approval is not what officers signed: {code}")]
    ApprovalForged {
        /// What disagrees.
        code: &'static str,
    },
    /// Officers signed it, and it is no longer enough: they decide anew.
    #[error("the approval is no longer enough: {code}")]
    ApprovalLapsed {
        /// Why: `too-few-officers`, `officer-disabled`, `approval-age`.
        code: &'static str,
    },
    /// An officer signed it later than this clock says it is: a clock that is behind, and no more.
    #[error("the approval was signed later than it is here: this clock is behind")]
    ClockBehind,
    /// A reason is missing or unknown.
    #[error("a reason is missing or unknown")]
    Reason,
    /// A photo was asked for that the enrolment does not have.
    #[error("the enrolment has no {0} photo")]
    EvidenceMissing(Kind),

    /// A row this version would not have written.
    #[error("the stored row of {table} {id} is not one this version writes")]
    Corrupt {
        /// Table.
        table: &'static str,
        /// Row.
        id: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] kyso_store::Error),
    /// Signing, below us.
    #[error(transparent)]
    Signing(#[from] kyso_signing::Error),
    /// The keystore, below us.
    #[error(transparent)]
    Keystore(#[from] kyso_keystore::Error),
    /// The authority, below us.
    #[error(transparent)]
    Authority(#[from] kyso_authority::Error),
    /// A paper could not be written.
    #[error(transparent)]
    Paper(#[from] kyso_paper::Error),
}

impl Error {
    /// A single broken rule.
    pub(crate) fn field(field: &'static str, code: &'static str) -> Error {
        Error::Fields(vec![FieldError {
            field,
            code,
            position: None,
        }])
    }

    /// Whether trying the same again later may work: for jobs.
    pub fn is_transient(&self) -> bool {
        use kyso_store::Error as Store;
        match self {
            Error::Store(error) => matches!(
                error,
                Store::Unavailable { .. }
                    | Store::Contended { .. }
                    | Store::Full { .. }
                    | Store::Failpoint(_)
                    | Store::Conflict { .. }
            ),
            // What the layers below refuse for good they say in states; anything else (busy, module away) may pass.
            Error::Signing(_) | Error::Keystore(_) | Error::Authority(_) | Error::ClockBehind => {
                true
            }
            _ => false,
        }
    }
}
