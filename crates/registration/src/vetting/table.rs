//! Rows of the queue, of decisions and of the pieces asked for.

use kyso_signing::device::{signature_bytes, signature_from};
use kyso_store::{Row, Tx};

use super::approval::Approval;
use super::{Ask, Decision, Order, QueueEntry, SignedDecision, Tab, Verdict, read_flags};
use crate::enrolment::state::State;
use crate::enrolment::table::Enrolment;
use crate::{CitizenId, DecisionId, EnrolmentId, Error, OfficerId, Result};

macro_rules! queue {
    ($name:literal, $condition:literal, $order:literal, $limit:literal) => {
        concat!(
            "-- ",
            $name,
            "\nSELECT id, reference, state, full_name, commune_name, campaign_code, entered_by, submitted_at, risk, flags, locked_by,
locked_until, round FROM enrolment WHERE ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT ",
            $limit
        )
    };
}
macro_rules! new {
    ($name:literal, $order:literal) => {
        queue!($name, "state = 'submitted' AND (locked_until IS NULL OR locked_until <= $2 OR locked_by = $3)", $order, "$1")
    };
}
macro_rules! mine {
    ($name:literal, $order:literal) => {
        queue!(
            $name,
            "state IN ('submitted', 'vetted') AND locked_until > $2 AND locked_by = $3",
            $order,
            "$1"
        )
    };
}

const NEW_OLDEST: &str = new!("vetting_queue_new_oldest", "submitted_at, id");
const NEW_RISK: &str = new!("vetting_queue_new_risk", "risk DESC, submitted_at, id");
const MINE_OLDEST: &str = mine!("vetting_queue_mine_oldest", "submitted_at, id");
const MINE_RISK: &str = mine!("vetting_queue_mine_risk", "risk DESC, submitted_at, id");
const SECOND_OLDEST: &str = queue!(
    "vetting_queue_second_oldest",
    "state = 'vetted'",
    "submitted_at, id",
    "$1"
);
const SECOND_RISK: &str = queue!(
    "vetting_queue_second_risk",
    "state = 'vetted'",
    "risk DESC, submitted_at, id",
    "$1"
);
const SUPPLEMENT_OLDEST: &str = queue!(
    "vetting_queue_supplement_oldest",
    "state = 'supplement'",
    "submitted_at, id",
    "$1"
);
const SUPPLEMENT_RISK: &str = queue!(
    "vetting_queue_supplement_risk",
    "state = 'supplement'",
    "risk DESC, submitted_at, id",
    "$1"
);

const LOCK: &str = "-- vetting_lock
UPDATE enrolment SET locked_by = $2, locked_until = $3
WHERE id = $1 AND state IN ('submitted', 'vetted') AND (locked_by IS NULL OR locked_by = $2 OR locked_until <= $4)";

const UNLOCK: &str = "-- vetting_unlock
UPDATE enrolment SET locked_by = NULL, locked_until = NULL WHERE id = $1 AND locked_by = $2";

const VET: &str = "-- vetting_vet
UPDATE enrolment SET state = 'vetted', vetted_at = $2, officers_required = 2, locked_by = NULL, locked_until = NULL WHERE id = $1 AND state = 'submitted'";

const APPROVE: &str = "-- vetting_approve
UPDATE enrolment SET state = 'approved', approved_at = $2, citizen_id = $3, officers_required = $5, locked_by = NULL, locked_until = NULL
WHERE id = $1 AND state = $4";

const LAPSE: &str = "-- vetting_lapse
UPDATE enrolment SET state = 'submitted', round = round + 1, approved_at = NULL, vetted_at = NULL, citizen_id = NULL, officers_required = $2
WHERE id = $1 AND state = 'approved'";

const SUPPLEMENT: &str = "-- vetting_supplement
UPDATE enrolment SET state = 'supplement', supplement_until = $2, vetted_at = NULL, locked_by = NULL, locked_until = NULL
WHERE id = $1 AND state = $3";

const DECIDE: &str = "-- vetting_decide
INSERT INTO vetting_decision (id, enrolment_id, officer_id, round, verdict, reasons, decided_at, statement, signature)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const DECISIONS: &str = "-- vetting_decisions
SELECT officer_id, verdict, reasons, round, decided_at FROM vetting_decision WHERE enrolment_id = $1 ORDER BY decided_at, id";

const APPROVALS: &str = "-- vetting_approvals
SELECT officer_id, statement, signature FROM vetting_decision
WHERE enrolment_id = $1 AND round = $2 AND verdict = 'approve' ORDER BY decided_at, id";

const ASK: &str = "-- vetting_ask
INSERT INTO supplement_piece (enrolment_id, round, piece, reason, asked_at) VALUES ($1, $2, $3, $4, $5)";

const CITIZEN_INSERT: &str = "-- citizen_insert
INSERT INTO citizen (id, identity_number, created_at) VALUES ($1, $2, $3) ON CONFLICT (identity_number) DO NOTHING";

const CITIZEN: &str = "-- citizen_by_number
SELECT id FROM citizen WHERE identity_number = $1";

pub(crate) const STATEMENTS: &[&str] = &[
    NEW_OLDEST,
    NEW_RISK,
    MINE_OLDEST,
    MINE_RISK,
    SECOND_OLDEST,
    SECOND_RISK,
    SUPPLEMENT_OLDEST,
    SUPPLEMENT_RISK,
    LOCK,
    UNLOCK,
    VET,
    APPROVE,
    LAPSE,
    SUPPLEMENT,
    DECIDE,
    DECISIONS,
    APPROVALS,
    ASK,
    CITIZEN_INSERT,
    CITIZEN,
];

pub(crate) async fn queue(
    tx: &mut Tx,
    officer: &OfficerId,
    tab: Tab,
    order: Order,
    most: usize,
) -> Result<Vec<QueueEntry>> {
    let now = tx.now();
    let sql = match (tab, order) {
        (Tab::New, Order::Oldest) => NEW_OLDEST,
        (Tab::New, Order::Risk) => NEW_RISK,
        (Tab::Mine, Order::Oldest) => MINE_OLDEST,
        (Tab::Mine, Order::Risk) => MINE_RISK,
        (Tab::Second, Order::Oldest) => SECOND_OLDEST,
        (Tab::Second, Order::Risk) => SECOND_RISK,
        (Tab::Supplement, Order::Oldest) => SUPPLEMENT_OLDEST,
        (Tab::Supplement, Order::Risk) => SUPPLEMENT_RISK,
    };
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut values = vec![most.into()];
    if matches!(tab, Tab::New | Tab::Mine) {
        values.extend([now.into(), officer.into()]);
    }
    tx.all(sql, &values)
        .await?
        .iter()
        .map(|row| entry(row, now))
        .collect()
}

/// Locks a dossier for an officer; `false` if another has it.
pub(crate) async fn lock(
    tx: &mut Tx,
    id: &EnrolmentId,
    officer: &OfficerId,
    until: i64,
) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(LOCK, &[id.into(), officer.into(), until.into(), now.into()])
        .await?
        == 1)
}

pub(crate) async fn unlock(tx: &mut Tx, id: &EnrolmentId, officer: &OfficerId) -> Result<()> {
    Ok(tx
        .change("enrolment", 1, UNLOCK, &[id.into(), officer.into()])
        .await?)
}

pub(crate) async fn vet(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change("enrolment", 1, VET, &[id.into(), now.into()])
        .await?)
}

pub(crate) async fn approve(
    tx: &mut Tx,
    row: &Enrolment,
    officers: i64,
    citizen: CitizenId,
) -> Result<()> {
    let now = tx.now();
    let values = [
        row.id.into(),
        now.into(),
        citizen.into(),
        row.state.as_str().into(),
        officers.into(),
    ];
    Ok(tx.change("enrolment", 1, APPROVE, &values).await?)
}

/// Back to the officers, in a round of its own: signatures of the last one count no more.
pub(crate) async fn lapse(tx: &mut Tx, id: &EnrolmentId, officers: i64) -> Result<()> {
    Ok(tx
        .change("enrolment", 1, LAPSE, &[id.into(), officers.into()])
        .await?)
}

pub(crate) async fn supplement(tx: &mut Tx, row: &Enrolment, until: i64) -> Result<()> {
    Ok(tx
        .change(
            "enrolment",
            1,
            SUPPLEMENT,
            &[row.id.into(), until.into(), row.state.as_str().into()],
        )
        .await?)
}

pub(crate) async fn decide(
    tx: &mut Tx,
    row: &Enrolment,
    officer: &OfficerId,
    verdict: Verdict,
    reasons: &str,
    signed: Option<&SignedDecision>,
) -> Result<()> {
    let now = tx.now();
    let id: DecisionId = tx.id();
    let values = [
        id.into(),
        row.id.into(),
        officer.into(),
        row.round.into(),
        verdict.as_str().into(),
        reasons.into(),
        now.into(),
        signed.map(|signed| signed.statement.clone()).into(),
        signed
            .map(|signed| signature_bytes(&signed.signature))
            .into(),
    ];
    Ok(tx.change("vetting_decision", 1, DECIDE, &values).await?)
}

pub(crate) async fn decisions(tx: &mut Tx, id: &EnrolmentId) -> Result<Vec<Decision>> {
    let mut decisions = Vec::new();
    for row in tx.all(DECISIONS, &[id.into()]).await? {
        decisions.push(Decision {
            officer: row.id("officer_id")?,
            verdict: Verdict::read(&row.text("verdict")?).ok_or(Error::Corrupt {
                table: "vetting_decision",
                id: id.to_string(),
            })?,
            reasons: row
                .text("reasons")?
                .split_whitespace()
                .map(Into::into)
                .collect(),
            round: row.int("round")?,
            at: row.int("decided_at")?,
        });
    }
    Ok(decisions)
}

/// The signed approvals of the row's round, oldest first.
pub(crate) async fn approvals(tx: &mut Tx, row: &Enrolment) -> Result<Vec<Approval>> {
    let mut approvals = Vec::new();
    for found in tx
        .all(APPROVALS, &[row.id.into(), row.round.into()])
        .await?
    {
        let signature = signature_from(&found.bytes("signature")?);
        approvals.push(Approval {
            officer: found.id("officer_id")?,
            decision: SignedDecision {
                statement: found.bytes("statement")?,
                signature: signature.ok_or(Error::ApprovalForged { code: "signature" })?,
            },
        });
    }
    Ok(approvals)
}

pub(crate) async fn ask(tx: &mut Tx, row: &Enrolment, ask: &Ask) -> Result<()> {
    let now = tx.now();
    let values = [
        row.id.into(),
        row.round.into(),
        ask.piece.word().into(),
        ask.reason.into(),
        now.into(),
    ];
    Ok(tx.change("supplement_piece", 1, ASK, &values).await?)
}

/// The person of this number, made if this is their first approved enrolment.
pub(crate) async fn citizen(tx: &mut Tx, identity_number: &str) -> Result<CitizenId> {
    let now = tx.now();
    let id: CitizenId = tx.id();
    tx.execute(
        CITIZEN_INSERT,
        &[id.into(), identity_number.into(), now.into()],
    )
    .await?;
    Ok(tx.one(CITIZEN, &[identity_number.into()]).await?.id("id")?)
}

/// The person of this number, if there is one.
pub(crate) async fn citizen_of_number(
    tx: &mut Tx,
    identity_number: &str,
) -> Result<Option<CitizenId>> {
    Ok(tx
        .optional(CITIZEN, &[identity_number.into()])
        .await?
        .map(|row| row.id("id"))
        .transpose()?)
}

fn entry(row: &Row, now: i64) -> Result<QueueEntry> {
    let id: EnrolmentId = row.id("id")?;
    let state = State::read(&row.text("state")?).ok_or(Error::Corrupt {
        table: "enrolment",
        id: id.to_string(),
    })?;
    Ok(QueueEntry {
        id,
        reference: row.text("reference")?,
        state,
        full_name: row.text("full_name")?,
        commune_name: row.text("commune_name")?,
        campaign: row.opt_text("campaign_code")?,
        assisted: row.opt_text("entered_by")?.is_some(),
        submitted_at: row.int("submitted_at")?,
        risk: row.int("risk")?,
        flags: read_flags(&row.text("flags")?),
        locked_by: row.opt_id("locked_by")?.filter(|_| {
            row.opt_int("locked_until")
                .ok()
                .flatten()
                .is_some_and(|until| until > now)
        }),
        round: row.int("round")?,
    })
}

/// The same line from the whole row.
pub(crate) fn entry_of(row: &Enrolment, now: i64) -> Result<QueueEntry> {
    let missing = || Error::NotFound { what: "dossier" };
    let owner = row.owner.as_ref().ok_or_else(missing)?;
    Ok(QueueEntry {
        id: row.id,
        reference: row.reference.clone(),
        state: row.state,
        full_name: owner.full_name.clone(),
        commune_name: owner.address.commune_name.clone(),
        campaign: row.campaign_code.clone(),
        assisted: row.entered_by.is_some(),
        submitted_at: row.submitted_at.ok_or_else(missing)?,
        risk: row.risk,
        flags: read_flags(&row.flags),
        locked_by: row
            .locked_by
            .filter(|_| row.locked_until.is_some_and(|until| until > now)),
        round: row.round,
    })
}
