//! The queue, the dossier, the decision.
//!
//! An officer opens a dossier, which locks it for ten minutes; only who has the lock decides. Nobody decides on
//! themselves or on what they entered, and nobody twice in one round: where policy asks for two officers, the second is
//! another person. Of two officers who decide at the same moment one wins, the other is told the state.

pub(crate) mod approval;
pub(crate) mod dossier;
pub mod reason;
pub(crate) mod table;

pub use approval::{Approved, SignedDecision};
pub use dossier::DOSSIER_TYPE;
pub use reason::{REASONS, Reason};

use kyso_store::Tx;

use crate::citizen::Owner;
use crate::enrolment::begin::end;
use crate::enrolment::device::notify;
use crate::enrolment::state::Change;
use crate::enrolment::table::{self as enrolment, Enrolment, refused_by};
use crate::enrolment::{EvidenceView, Kind, Piece, State};
use crate::ledger::line;
use crate::ra::{DECIDES, Officer, OfficerRole, READS};
use crate::task::Event;
use crate::{EnrolmentId, Error, OfficerId, Registration, Result};

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

/// Why a dossier deserves a closer look. Hints, never decisions.
pub const FLAGS: &[&str] = &[
    "name-edited",
    "typed",
    "phone-shared",
    "resubmitted",
    "desk",
];

/// Flags as stored: words with spaces between.
pub(crate) fn read_flags(words: &str) -> Vec<&'static str> {
    FLAGS
        .iter()
        .copied()
        .filter(|flag| words.split(' ').any(|word| word == *flag))
        .collect()
}

/// One line of the queue. No picture, no number.
#[derive(Clone)]
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
#[derive(Clone)]
pub struct Dossier {
    /// The line of the queue.
    pub entry: QueueEntry,
    /// The owner.
    pub owner: Owner,
    /// The photos.
    pub evidence: Vec<EvidenceView>,
    /// Contract number and digest.
    pub contract: Option<(String, String)>,
    /// All of it in canonical form: an approval is signed over the SHA-256 of this text.
    pub canonical: String,
    /// Earlier decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Until when the lock holds; `None` for a reader without it.
    pub locked_until: Option<i64>,
}

crate::citizen::silent!(QueueEntry, Dossier);

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
        [Self::Approve, Self::Reject, Self::Supplement]
            .into_iter()
            .find(|verdict| verdict.as_str() == word)
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
    ///
    /// # Errors
    /// [`Error::OfficerForbidden`].
    pub async fn queue(
        &self,
        officer: &Officer,
        tab: Tab,
        order: Order,
        most: usize,
    ) -> Result<Vec<QueueEntry>> {
        officer.must_be(READS)?;
        let mut tx = self.store().read().await?;
        table::queue(&mut tx, &officer.id, tab, order, most).await
    }

    /// Opens a dossier: locks it for this officer, or renews the lock.
    ///
    /// # Errors
    /// [`Error::Locked`] while another officer has it, [`Error::OwnEnrolment`], [`Error::EnrolmentState`],
    /// [`Error::OfficerForbidden`].
    pub async fn open_dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<Dossier> {
        officer.must_be(DECIDES)?;
        let mut tx = self.store().write().await?;
        let row = enrolment::lock(&mut tx, id).await?;
        self.check_not_own(&mut tx, officer, &row).await?;
        if !matches!(row.state, State::Submitted | State::Vetted) {
            return Err(Error::EnrolmentState { state: row.state });
        }
        let until = tx.now() + self.config().lock_ms;
        if !table::lock(&mut tx, id, &officer.id, until).await? {
            return Err(Error::Locked {
                until: row.locked_until.unwrap_or(until),
            });
        }
        line(
            "registration.vetting.opened",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .record(&mut tx);
        let dossier = dossier(&mut tx, officer, id).await?;
        tx.commit().await?;
        Ok(dossier)
    }

    /// Reads a dossier without locking it (also for auditors).
    ///
    /// # Errors
    /// [`Error::OfficerForbidden`], [`Error::NotFound`] for one that was never handed in.
    pub async fn dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<Dossier> {
        officer.must_be(READS)?;
        let mut tx = self.store().write().await?;
        let dossier = dossier(&mut tx, officer, id).await?;
        line(
            "registration.vetting.read",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .record(&mut tx);
        tx.commit().await?;
        Ok(dossier)
    }

    /// Gives the lock back; a lead may give back another's.
    ///
    /// # Errors
    /// [`Error::NotLocked`], [`Error::OfficerForbidden`].
    pub async fn release_dossier(&self, officer: &Officer, id: &EnrolmentId) -> Result<()> {
        officer.must_be(DECIDES)?;
        let mut tx = self.store().write().await?;
        let row = enrolment::lock(&mut tx, id).await?;
        let holder = row.locked_by.ok_or(Error::NotLocked)?;
        if holder != officer.id && !officer.is_one_of(&[OfficerRole::Lead]) {
            return Err(Error::NotLocked);
        }
        table::unlock(&mut tx, id, &holder).await?;
        line(
            "registration.vetting.released",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// A photo, and its media type. The look is recorded before the picture is given out.
    ///
    /// # Errors
    /// [`Error::EvidenceMissing`], [`Error::OfficerForbidden`], [`Error::NotFound`].
    pub async fn dossier_photo(
        &self,
        officer: &Officer,
        id: &EnrolmentId,
        kind: Kind,
    ) -> Result<(Vec<u8>, &'static str)> {
        officer.must_be(READS)?;
        let mut tx = self.store().write().await?;
        let row = enrolment::by_id(&mut tx, id).await?;
        row.submitted_at
            .ok_or(Error::NotFound { what: "dossier" })?;
        line(
            "registration.vetting.photo-seen",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .with("kind", kind.as_str())
        .record(&mut tx);
        tx.commit().await?;
        self.photo(id, kind).await
    }

    /// Rejects for good, with at least one reason.
    ///
    /// # Errors
    /// [`Error::Reason`]; else as [`Registration::approve`].
    pub async fn reject(
        &self,
        officer: &Officer,
        id: &EnrolmentId,
        reasons: &[&str],
    ) -> Result<State> {
        if reasons.is_empty()
            || !reasons
                .iter()
                .all(|code| Reason::of(code).is_some_and(|reason| reason.reject))
        {
            return Err(Error::Reason);
        }
        let mut tx = self.store().write().await?;
        let row = deciding(self, &mut tx, officer, id).await?;
        decide(
            &mut tx,
            &row,
            officer,
            Verdict::Reject,
            &reasons.join(" "),
            None,
        )
        .await?;
        let state = end(
            &mut tx,
            &row,
            Change::Reject,
            reasons[0],
            &officer.id.to_string(),
        )
        .await?;
        notify(&mut tx, &row, Event::Rejected);
        tx.commit().await?;
        Ok(state)
    }

    /// Sends it back to the citizen for exactly these pieces.
    ///
    /// # Errors
    /// [`Error::Reason`] without a piece, for one named twice or a reason that is none; else as [`Registration::approve`].
    pub async fn ask_supplement(
        &self,
        officer: &Officer,
        id: &EnrolmentId,
        asks: &[Ask],
    ) -> Result<State> {
        let known = |ask: &Ask| Reason::of(ask.reason).is_some_and(|reason| reason.supplement);
        let twice = asks
            .iter()
            .enumerate()
            .any(|(at, ask)| asks[..at].iter().any(|other| other.piece == ask.piece));
        if asks.is_empty() || twice || !asks.iter().all(known) {
            return Err(Error::Reason);
        }
        let mut tx = self.store().write().await?;
        let row = deciding(self, &mut tx, officer, id).await?;
        let reasons: Vec<&str> = asks.iter().map(|ask| ask.reason).collect();
        decide(
            &mut tx,
            &row,
            officer,
            Verdict::Supplement,
            &reasons.join(" "),
            None,
        )
        .await?;
        let until = tx.now() + self.config().supplement_ms;
        table::supplement(&mut tx, &row, until).await?;
        for ask in asks {
            table::ask(&mut tx, &row, ask).await?;
        }
        let pieces: Vec<String> = asks.iter().map(|ask| ask.piece.word()).collect();
        line(
            "registration.enrolment.supplement-asked",
            &id.to_string(),
            &officer.id.to_string(),
        )
        .with("pieces", pieces.join(" "))
        .record(&mut tx);
        notify(&mut tx, &row, Event::Supplement);
        tx.commit().await?;
        Ok(State::Supplement)
    }

    /// Nobody decides on themselves, nor on what they entered.
    async fn check_not_own(&self, tx: &mut Tx, officer: &Officer, row: &Enrolment) -> Result<()> {
        let own = match &row.owner {
            Some(owner) => self.is_self(tx, officer, &owner.identity_number).await?,
            None => false,
        };
        if own || row.entered_by == Some(officer.id) {
            Err(Error::OwnEnrolment)
        } else {
            Ok(())
        }
    }
}

/// The row, if this officer may decide on it now.
async fn deciding(
    registration: &Registration,
    tx: &mut Tx,
    officer: &Officer,
    id: &EnrolmentId,
) -> Result<Enrolment> {
    officer.must_be(DECIDES)?;
    let row = enrolment::lock(tx, id).await?;
    registration.check_not_own(tx, officer, &row).await?;
    if !matches!(row.state, State::Submitted | State::Vetted) {
        return Err(Error::EnrolmentState { state: row.state });
    }
    match (row.locked_by, row.locked_until) {
        (Some(holder), Some(until)) if until > tx.now() => {
            if holder == officer.id {
                Ok(row)
            } else {
                Err(Error::Locked { until })
            }
        }
        _ => Err(Error::NotLocked),
    }
}

async fn decide(
    tx: &mut Tx,
    row: &Enrolment,
    officer: &Officer,
    verdict: Verdict,
    reasons: &str,
    signed: Option<&SignedDecision>,
) -> Result<()> {
    let decided = table::decide(tx, row, &officer.id, verdict, reasons, signed).await;
    if refused_by(&decided) == Some("vetting_decision_once") {
        return Err(Error::SecondOfficer);
    }
    decided?;
    line(
        "registration.vetting.decided",
        &row.id.to_string(),
        &officer.id.to_string(),
    )
    .with("verdict", verdict.as_str())
    .with("reasons", reasons)
    .with("round", row.round)
    .record(tx);
    Ok(())
}

async fn dossier(tx: &mut Tx, officer: &Officer, id: &EnrolmentId) -> Result<Dossier> {
    let row = enrolment::by_id(tx, id).await?;
    let entry = table::entry_of(&row, tx.now())?;
    let contract = enrolment::contract(tx, id).await?;
    let canonical = dossier::canonical(tx, &row).await?;
    Ok(Dossier {
        canonical,
        locked_until: row
            .locked_until
            .filter(|_| entry.locked_by == Some(officer.id)),
        owner: row.owner.ok_or(Error::NotFound { what: "dossier" })?,
        evidence: enrolment::evidence(tx, id)
            .await?
            .into_iter()
            .map(|photo| photo.view)
            .collect(),
        contract: contract.map(|contract| (contract.number, hex::encode(contract.sha256))),
        decisions: table::decisions(tx, id).await?,
        entry,
    })
}
