//! The queue, the dossier, the decision.

pub mod reason;
pub(crate) mod table;

pub use reason::{REASONS, Reason};

use crate::citizen::Owner;
use crate::enrolment::{EvidenceView, Kind, Piece, State};
use crate::ra::Officer;
use crate::{EnrolmentId, OfficerId, Registration, Result};

/// In which order the queue is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Who waits longest.
    #[default]
    Oldest,
    /// Highest risk, then who waits longest.
    Risk,
}

/// Which part of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tab {
    /// Waiting for a first decision, open by nobody else.
    #[default]
    New,
    /// Open by the asking officer.
    Mine,
    /// Waiting for a second officer.
    Second,
    /// Waiting for the citizen.
    Supplement,
}

/// One line of the queue. No picture, no number.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    /// Which.
    pub id: EnrolmentId,
    /// Number that citizen and officer say on the telephone.
    pub reference: String,
    /// Where it is.
    pub state: State,
    /// Name.
    pub full_name: String,
    /// Commune.
    pub commune_name: String,
    /// Campaign.
    pub campaign: Option<String>,
    /// Entered at a desk.
    pub assisted: bool,
    /// When it was (last) submitted.
    pub submitted_at: i64,
    /// Higher is riskier.
    pub risk: i64,
    /// Why, as codes.
    pub flags: Vec<&'static str>,
    /// Who has it open.
    pub locked_by: Option<OfficerId>,
    /// How often it came back.
    pub round: i64,
}

/// Everything an officer decides on. Pictures are fetched one by one, each look recorded.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The line of the queue.
    pub entry: QueueEntry,
    /// The owner.
    pub owner: Owner,
    /// The photos.
    pub evidence: Vec<EvidenceView>,
    /// Contract number and digest.
    pub contract: Option<(String, String)>,
    /// Earlier decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Until when the lock holds; `None` for a reader without it.
    pub locked_until: Option<i64>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Approve.
    Approve,
    /// Reject.
    Reject,
    /// Ask for a supplement.
    Supplement,
}

impl Verdict {
    /// `approve`, `reject`, `supplement`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Supplement => "supplement",
        }
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        [Self::Approve, Self::Reject, Self::Supplement].into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// One officer's decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Who.
    pub officer: OfficerId,
    /// What.
    pub verdict: Verdict,
    /// Why, as codes of [`REASONS`].
    pub reasons: Vec<String>,
    /// In which round.
    pub round: i64,
    /// When.
    pub at: i64,
}

/// One piece to repair, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Which field or photo.
    pub piece: Piece,
    /// Why: a code of [`REASONS`].
    pub reason: &'static str,
}

impl Registration {
    /// The queue as this officer may see it, at most `most` lines.
    pub async fn queue(&self, officer: &Officer, tab: Tab, order: Order, most: usize) -> Result<Vec<QueueEntry>> {
        todo!()
    }

    /// Opens a dossier: locks it for this officer, or renews the lock.
    pub async fn open_dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<Dossier> {
        todo!()
    }

    /// Reads a dossier without locking it (also for auditors).
    pub async fn dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<Dossier> {
        todo!()
    }

    /// Gives the lock back; a lead may give back another's.
    pub async fn release_dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<()> {
        todo!()
    }

    /// A photo, and its media type. The look is recorded.
    pub async fn dossier_photo(&self, officer: &Officer, id: &EnrolmentId, kind: Kind) -> Result<(Vec<u8>, &'static str)> {
        todo!()
    }

    /// Approves. With two officers required the first makes it vetted, the second approved.
    pub async fn approve(&self, officer: &Officer, id: &EnrolmentId) -> Result<State> {
        todo!()
    }

    /// Rejects for good, with at least one reason.
    pub async fn reject(&self, officer: &Officer, id: &EnrolmentId, reasons: &[&str]) -> Result<State> {
        todo!()
    }

    /// Sends it back to the citizen for exactly these pieces.
    pub async fn ask_supplement(&self, officer: &Officer, id: &EnrolmentId, asks: &[Ask]) -> Result<State> {
        todo!()
    }
}
