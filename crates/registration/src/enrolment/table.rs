//! Rows of enrolments, activation codes, evidence and contracts.

use kyso_paper::Date;
use kyso_store::{BlobId, Row, Tx};

use super::state::{Kind, Piece, Progress, State};
use super::{AskView, EvidenceView};
use crate::citizen::{Address, Channel, Owner, Sex, Source};
use crate::{
    CitizenId, CodeId, ContractId, EnrolmentId, Error, EvidenceId, OfficerId, Result, ResumptionId,
};

/// An enrolment's row.
#[derive(Clone)]
pub(crate) struct Enrolment {
    pub(crate) id: EnrolmentId,
    pub(crate) reference: String,
    pub(crate) state: State,
    pub(crate) language: String,
    pub(crate) entered_by: Option<OfficerId>,
    pub(crate) plan_code: String,
    pub(crate) campaign_code: Option<String>,
    pub(crate) price_vnd: i64,
    pub(crate) touched_at: i64,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) owner: Option<Owner>,
    pub(crate) paid_at: Option<i64>,
    pub(crate) has_place: bool,
    pub(crate) activated_at: Option<i64>,
    pub(crate) activated_channel: Option<Channel>,
    pub(crate) submitted_at: Option<i64>,
    pub(crate) round: i64,
    pub(crate) risk: i64,
    pub(crate) flags: String,
    pub(crate) locked_by: Option<OfficerId>,
    pub(crate) locked_until: Option<i64>,
    pub(crate) supplement_until: Option<i64>,
    pub(crate) approved_at: Option<i64>,
    pub(crate) approval_seal: Option<Vec<u8>>,
    pub(crate) citizen_id: Option<CitizenId>,
    pub(crate) credential_id: Option<String>,
    pub(crate) device_code_at: Option<i64>,
    pub(crate) resumed_at: Option<i64>,
    pub(crate) binding_id: Option<String>,
    pub(crate) acceptance_id: Option<String>,
    pub(crate) completed_at: Option<i64>,
    pub(crate) end_code: Option<String>,
}

macro_rules! columns {
    () => {
        "id, reference, state, language, entered_by, plan_code, campaign_code, price_vnd, touched_at, phone, email, owner_at, full_name,
identity_number, issue_date, issue_place, card_expires_on, birth_date, sex, nationality, province_code, province_name,
commune_code, commune_name, address_detail, owner_source, paid_at, has_place, activated_at, activated_channel, submitted_at,
round, risk, flags, locked_by, locked_until, supplement_until, approved_at, approval_seal, citizen_id, credential_id,
certified_at, device_code_at, resumed_at, binding_id, acceptance_id, completed_at, end_code"
    };
}

const BY_ID: &str = concat!(
    "-- enrolment_by_id\nSELECT ",
    columns!(),
    " FROM enrolment WHERE id = $1"
);

// Reads the newest row and keeps others from writing it until the commit, on both databases.
const LOCK: &str = concat!(
    "-- enrolment_lock\nUPDATE enrolment SET touched_at = $2 WHERE id = $1 RETURNING ",
    columns!()
);

const INSERT: &str = "-- enrolment_insert
INSERT INTO enrolment (id, reference, session_hash, state, language, entered_by, plan_code, campaign_code, price_vnd, created_at, touched_at)
VALUES ($1, $2, $3, 'started', $4, $5, $6, $7, $8, $9, $9)";

const BY_SESSION: &str = "-- enrolment_by_session
SELECT id FROM enrolment WHERE session_hash = $1 AND (ended_at IS NULL OR ended_at > $2) AND (completed_at IS NULL OR completed_at > $2)";

const HOLDER: &str = concat!(
    "-- enrolment_holder\nSELECT ",
    columns!(),
    " FROM enrolment
WHERE identity_number = $1 AND id <> $2 AND state NOT IN ('started', 'closed', 'rejected', 'abandoned', 'expired', 'failed')"
);

// Begun by the same person on the same telephone number.
const BEGUN_TOO: &str = "-- enrolment_begun_too
SELECT id FROM enrolment WHERE phone = $1 AND identity_number = $2 AND id <> $3 AND state = 'started' LIMIT 20";

const PLACES_OF_PHONE: &str = "-- enrolment_places_of_phone
SELECT COUNT(1) AS held FROM enrolment WHERE phone = $1 AND id <> $2 AND state = 'started' AND has_place";

const SET_CONTACT: &str = "-- enrolment_set_contact
UPDATE enrolment SET phone = $2, email = $3, activated_at = $4, activated_channel = $5, has_place = $6
WHERE id = $1 AND state IN ('started', 'supplement')";

const SET_OWNER: &str = "-- enrolment_set_owner
UPDATE enrolment SET owner_at = $2, full_name = $3, identity_number = $4, issue_date = $5, issue_place = $6, card_expires_on = $7,
birth_date = $8, sex = $9, nationality = $10, province_code = $11, province_name = $12, commune_code = $13, commune_name = $14,
address_detail = $15, owner_source = $16
WHERE id = $1 AND state IN ('started', 'supplement')";

const SET_PAID: &str = "-- enrolment_set_paid
UPDATE enrolment SET paid_at = $2 WHERE id = $1 AND state IN ('started', 'supplement') AND paid_at IS NULL";

const SET_PLACE: &str = "-- enrolment_set_place
UPDATE enrolment SET has_place = TRUE WHERE id = $1 AND state IN ('started', 'supplement') AND NOT has_place";

const SET_ACTIVATED: &str = "-- enrolment_set_activated
UPDATE enrolment SET activated_at = $2, activated_channel = $3
WHERE id = $1 AND state IN ('started', 'supplement') AND activated_at IS NULL";

const SUBMIT: &str = "-- enrolment_submit
UPDATE enrolment SET state = 'submitted', submitted_at = $2, round = round + 1, risk = $3, flags = $4, officers_required = $5,
supplement_until = NULL, vetted_at = NULL, has_place = (campaign_code IS NOT NULL)
WHERE id = $1 AND state IN ('started', 'supplement')";

const END: &str = "-- enrolment_end
UPDATE enrolment SET state = $2, ended_at = $3, end_code = $4, has_place = FALSE, locked_by = NULL, locked_until = NULL,
supplement_until = NULL
WHERE id = $1 AND state = $5";

const CLOSE: &str = "-- enrolment_close
UPDATE enrolment SET state = 'closed', ended_at = $2, end_code = $3 WHERE id = $1 AND state = 'complete'";

const CERTIFY: &str = "-- enrolment_certify
UPDATE enrolment SET state = 'certified', credential_id = $2, certified_at = $3, approval_seal = $4 WHERE id = $1 AND state = 'approved'";

const SET_DEVICE_CODE: &str = "-- enrolment_set_device_code
UPDATE enrolment SET device_code_at = $2 WHERE id = $1 AND state = 'certified'";

const SET_BINDING: &str = "-- enrolment_set_binding
UPDATE enrolment SET binding_id = $2 WHERE id = $1 AND state = 'certified'";

const BIND: &str = "-- enrolment_bind
UPDATE enrolment SET state = 'accepting', bound_at = $2 WHERE id = $1 AND state = 'certified'";

const SET_ACCEPTANCE: &str = "-- enrolment_set_acceptance
UPDATE enrolment SET acceptance_id = $2 WHERE id = $1 AND state = 'accepting'";

const FORGET_ACCEPTANCE: &str = "-- enrolment_forget_acceptance
UPDATE enrolment SET acceptance_id = NULL WHERE id = $1 AND state = 'accepting'";

const COMPLETE: &str = "-- enrolment_complete
UPDATE enrolment SET state = 'complete', completed_at = $2 WHERE id = $1 AND state = 'accepting'";

const OF_CREDENTIAL: &str = "-- enrolment_of_credential
SELECT id FROM enrolment WHERE credential_id = $1";

const OF_ACCEPTANCE: &str = "-- enrolment_of_acceptance
SELECT id FROM enrolment WHERE acceptance_id = $1";

const AHEAD: &str = "-- enrolment_ahead
SELECT COUNT(1) AS ahead FROM enrolment WHERE state IN ('submitted', 'vetted') AND submitted_at < $1";

const PHONE_SHARED: &str = "-- enrolment_phone_shared
SELECT COUNT(1) AS others FROM enrolment WHERE phone = $1 AND id <> $2 AND identity_number <> $3
AND state NOT IN ('started', 'closed', 'rejected', 'abandoned', 'expired', 'failed')";

const DUE: &str = "-- enrolment_due
SELECT id FROM enrolment
WHERE (state = 'started' AND touched_at < $1) OR (state = 'supplement' AND supplement_until < $2)
   OR (state IN ('approved', 'certified', 'accepting') AND approved_at < $3)
ORDER BY touched_at LIMIT 200";

const OUTSTANDING: &str = "-- enrolment_outstanding
SELECT id, state FROM enrolment WHERE state IN ('approved', 'certified', 'accepting')";

// activation codes

const CODE_LIVE: &str = "-- activation_code_live
SELECT id, channel, destination, salt_blob, code_blob, verifier, tries, tries_max, resend_at, expires_at, sent_at
FROM activation_code WHERE enrolment_id = $1 AND state = 'live'";

const CODE_BY_ID: &str = "-- activation_code_by_id
SELECT c.id, c.enrolment_id, c.channel, c.destination, c.code_blob, c.expires_at, c.sent_at, c.state, e.language
FROM activation_code c JOIN enrolment e ON e.id = c.enrolment_id WHERE c.id = $1";

const CODE_INSERT: &str = "-- activation_code_insert
INSERT INTO activation_code (id, enrolment_id, channel, destination, state, salt_blob, code_blob, verifier, created_at, resend_at, expires_at, tries_max)
VALUES ($1, $2, $3, $4, 'live', $5, $6, $7, $8, $9, $10, $11)";

const CODE_TRY: &str = "-- activation_code_try
UPDATE activation_code SET tries = tries + 1 WHERE id = $1 AND state = 'live' AND tries < tries_max AND expires_at > $2
RETURNING tries";

const CODE_END: &str = "-- activation_code_end
UPDATE activation_code SET state = $2, ended_at = $3, salt_blob = NULL, code_blob = NULL, verifier = NULL
WHERE id = $1 AND state = 'live'";

const CODE_SENT: &str = "-- activation_code_sent
UPDATE activation_code SET sent_at = $2, code_blob = NULL WHERE id = $1 AND sent_at IS NULL AND state = 'live'";

const CODES_EXPIRED: &str = "-- activation_codes_expired
SELECT id, channel, destination, salt_blob, code_blob, verifier, tries, tries_max, resend_at, expires_at, sent_at
FROM activation_code WHERE state = 'live' AND expires_at <= $1 LIMIT 500";

const ALLOW: &str = "-- allowance_use
INSERT INTO allowance (subject, since, used) VALUES($1, $2, 1)
ON CONFLICT (subject) DO UPDATE SET
    used = CASE WHEN allowance.since + $4 <= excluded.since THEN 1 ELSE allowance.used + 1 END,
    since = CASE WHEN allowance.since + $4 <= excluded.since THEN excluded.since ELSE allowance.since END
WHERE allowance.since + $4 <= excluded.since OR allowance.used < $3";

const ALLOW_SINCE: &str = "-- allowance_since
SELECT since FROM allowance WHERE subject = $1";

const ALLOW_FORGET: &str = "-- allowance_forget
DELETE FROM allowance WHERE since <= $1";

// resumptions

const RESUMPTION: &str = "-- resumption_by_id
SELECT id, phone, salt_blob, code_blob, verifier, tries_max, expires_at FROM resumption WHERE id = $1";

const RESUMPTION_INSERT: &str = "-- resumption_insert
INSERT INTO resumption (id, phone, salt_blob, code_blob, verifier, tries_max, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

const RESUMPTION_TRY: &str = "-- resumption_try
UPDATE resumption SET tries = tries + 1 WHERE id = $1 AND tries < tries_max AND expires_at > $2 RETURNING tries";

const RESUMPTION_CHARGE: &str = "-- resumption_charge
UPDATE resumption SET charged_at = $2 WHERE id = $1 AND charged_at IS NULL";

const RESUMPTION_SENT: &str = "-- resumption_sent
UPDATE resumption SET code_blob = NULL WHERE id = $1 AND code_blob IS NOT NULL";

const RESUMPTION_END: &str = "-- resumption_end
DELETE FROM resumption WHERE id = $1 RETURNING salt_blob, code_blob";

const RESUMPTIONS_EXPIRED: &str = "-- resumptions_expired
SELECT id FROM resumption WHERE expires_at <= $1 LIMIT 500";

// Under way, and its telephone number proved.
const LANGUAGE_OF_PHONE: &str = "-- enrolment_language_of_phone
SELECT language FROM enrolment WHERE phone = $1 AND activated_channel = 'sms'
AND state IN ('started', 'submitted', 'supplement', 'vetted', 'approved', 'certified', 'accepting') ORDER BY touched_at DESC LIMIT 1";

// The person's own first, then the newest that has no owner yet.
const RESUMABLE: &str = "-- enrolment_resumable
SELECT id FROM enrolment WHERE phone = $1 AND activated_channel = 'sms'
AND state IN ('started', 'submitted', 'supplement', 'vetted', 'approved', 'certified', 'accepting')
AND (identity_number IS NULL OR identity_number = $2)
ORDER BY CASE WHEN identity_number IS NULL THEN 1 ELSE 0 END, touched_at DESC LIMIT 1";

const SET_SESSION: &str = "-- enrolment_set_session
UPDATE enrolment SET session_hash = $2, touched_at = $3, resumed_at = CASE WHEN state = 'started' THEN resumed_at ELSE $3 END WHERE id = $1";

// evidence

const EVIDENCE: &str = "-- evidence_in_force
SELECT id, kind, version, blob_id, sha256, media_type, width, height, created_at
FROM evidence WHERE enrolment_id = $1 AND superseded_at IS NULL ORDER BY kind";

// Also of takes that are in force no more.
const EVIDENCE_VERSION: &str = "-- evidence_version
SELECT COALESCE(MAX(version), 0) AS version FROM evidence WHERE enrolment_id = $1 AND kind = $2";

const EVIDENCE_SUPERSEDE: &str = "-- evidence_supersede
UPDATE evidence SET superseded_at = $2, blob_id = NULL WHERE id = $1 AND superseded_at IS NULL";

const EVIDENCE_TO_ERASE: &str = "-- evidence_to_erase
SELECT e.id AS enrolment_id, v.id, v.blob_id FROM enrolment e JOIN evidence v ON v.enrolment_id = e.id
WHERE (e.state IN ('rejected', 'abandoned', 'expired') OR (e.state = 'failed' AND e.credential_id IS NULL))
AND e.ended_at <= $1 AND v.blob_id IS NOT NULL LIMIT 200";

const EVIDENCE_ERASE: &str = "-- evidence_erase
UPDATE evidence SET blob_id = NULL WHERE id = $1 AND blob_id IS NOT NULL";

const EVIDENCE_INSERT: &str = "-- evidence_insert
INSERT INTO evidence (id, enrolment_id, kind, version, blob_id, sha256, media_type, width, height, byte_count, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

// contracts

macro_rules! contract_columns {
    () => {
        "id, enrolment_id, number, made_from, blob_id, sha256, mark, created_at, agreement, agreed_at, sealed_blob_id, sealed_at, void_at"
    };
}

const CONTRACT: &str = concat!(
    "-- contract_in_force\nSELECT ",
    contract_columns!(),
    " FROM contract WHERE enrolment_id = $1 AND void_at IS NULL"
);

const CONTRACT_BY_ID: &str = concat!(
    "-- contract_by_id\nSELECT ",
    contract_columns!(),
    " FROM contract WHERE id = $1"
);

const CONTRACT_INSERT: &str = "-- contract_insert
INSERT INTO contract (id, enrolment_id, number, made_from, blob_id, sha256, mark, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const CONTRACT_VOID: &str = "-- contract_void
UPDATE contract SET void_at = $2 WHERE enrolment_id = $1 AND void_at IS NULL";

const CONTRACT_AGREE: &str = "-- contract_agree
UPDATE contract SET agreement = $3, agreed_channel = $4, agreed_at = $5
WHERE id = $1 AND sha256 = $2 AND agreed_at IS NULL AND void_at IS NULL";

const CONTRACT_SEAL: &str = "-- contract_seal
UPDATE contract SET sealed_blob_id = $2, sealed_sha256 = $3, sealed_at = $4
WHERE id = $1 AND agreed_at IS NOT NULL AND sealed_at IS NULL";

const CONTRACTS_TO_SEAL: &str = "-- contracts_to_seal
SELECT id FROM contract WHERE agreed_at IS NOT NULL AND sealed_at IS NULL";

// pieces asked for

const ASKED: &str = "-- supplement_asked
SELECT piece, reason, repaired_at FROM supplement_piece WHERE enrolment_id = $1 AND round = $2 ORDER BY piece";

const REPAIR: &str = "-- supplement_repair
UPDATE supplement_piece SET repaired_at = $4
WHERE enrolment_id = $1 AND round = $2 AND piece = $3 AND repaired_at IS NULL";

const END_REASONS: &str = "-- enrolment_end_reasons
SELECT reasons FROM vetting_decision WHERE enrolment_id = $1 AND verdict = 'reject' ORDER BY decided_at DESC LIMIT 1";

pub(crate) const STATEMENTS: &[&str] = &[
    BY_ID,
    LOCK,
    INSERT,
    BY_SESSION,
    HOLDER,
    BEGUN_TOO,
    PLACES_OF_PHONE,
    SET_CONTACT,
    SET_OWNER,
    SET_PAID,
    SET_PLACE,
    SET_ACTIVATED,
    SUBMIT,
    END,
    CLOSE,
    CERTIFY,
    SET_DEVICE_CODE,
    SET_BINDING,
    BIND,
    SET_ACCEPTANCE,
    FORGET_ACCEPTANCE,
    COMPLETE,
    OF_CREDENTIAL,
    OF_ACCEPTANCE,
    AHEAD,
    PHONE_SHARED,
    DUE,
    OUTSTANDING,
    CODE_LIVE,
    CODE_BY_ID,
    CODE_INSERT,
    CODE_TRY,
    CODE_END,
    CODE_SENT,
    CODES_EXPIRED,
    ALLOW,
    ALLOW_SINCE,
    ALLOW_FORGET,
    RESUMPTION,
    RESUMPTION_INSERT,
    RESUMPTION_TRY,
    RESUMPTION_CHARGE,
    RESUMPTION_SENT,
    RESUMPTION_END,
    RESUMPTIONS_EXPIRED,
    LANGUAGE_OF_PHONE,
    RESUMABLE,
    SET_SESSION,
    EVIDENCE,
    EVIDENCE_VERSION,
    EVIDENCE_SUPERSEDE,
    EVIDENCE_TO_ERASE,
    EVIDENCE_ERASE,
    EVIDENCE_INSERT,
    CONTRACT,
    CONTRACT_BY_ID,
    CONTRACT_INSERT,
    CONTRACT_VOID,
    CONTRACT_AGREE,
    CONTRACT_SEAL,
    CONTRACTS_TO_SEAL,
    ASKED,
    REPAIR,
    END_REASONS,
];

const TABLE: &str = "enrolment";

pub(crate) async fn by_id(tx: &mut Tx, id: &EnrolmentId) -> Result<Enrolment> {
    match tx.optional(BY_ID, &[id.into()]).await? {
        Some(row) => enrolment(&row),
        None => Err(Error::NotFound { what: "enrolment" }),
    }
}

/// The newest row, which nobody else can write until this transaction ends.
pub(crate) async fn lock(tx: &mut Tx, id: &EnrolmentId) -> Result<Enrolment> {
    let now = tx.now();
    match tx.optional(LOCK, &[id.into(), now.into()]).await? {
        Some(row) => enrolment(&row),
        None => Err(Error::NotFound { what: "enrolment" }),
    }
}

pub(crate) struct New<'a> {
    pub(crate) id: EnrolmentId,
    pub(crate) reference: &'a str,
    pub(crate) session_hash: [u8; 32],
    pub(crate) language: &'a str,
    pub(crate) entered_by: Option<OfficerId>,
    pub(crate) plan: &'a str,
    pub(crate) campaign: Option<&'a str>,
    pub(crate) price_vnd: i64,
}

pub(crate) async fn insert(tx: &mut Tx, new: New<'_>) -> Result<()> {
    let now = tx.now();
    let values = [
        new.id.into(),
        new.reference.into(),
        new.session_hash.into(),
        new.language.into(),
        new.entered_by.into(),
        new.plan.into(),
        new.campaign.into(),
        new.price_vnd.into(),
        now.into(),
    ];
    Ok(tx.change(TABLE, 1, INSERT, &values).await?)
}

/// The enrolment of a token, unless it ended or was completed before `over`.
pub(crate) async fn by_session(
    tx: &mut Tx,
    hash: [u8; 32],
    over: i64,
) -> Result<Option<EnrolmentId>> {
    Ok(tx
        .optional(BY_SESSION, &[hash.into(), over.into()])
        .await?
        .map(|row| row.id("id"))
        .transpose()?)
}

/// Another enrolment that holds this person.
pub(crate) async fn holder(
    tx: &mut Tx,
    identity_number: &str,
    id: &EnrolmentId,
) -> Result<Option<Enrolment>> {
    tx.optional(HOLDER, &[identity_number.into(), id.into()])
        .await?
        .as_ref()
        .map(enrolment)
        .transpose()
}

/// What the same person began on the same telephone number, besides this.
pub(crate) async fn begun_too(tx: &mut Tx, row: &Enrolment) -> Result<Vec<EnrolmentId>> {
    let Some(owner) = &row.owner else {
        return Ok(Vec::new());
    };
    let values = [
        row.phone.clone().into(),
        (&owner.identity_number).into(),
        row.id.into(),
    ];
    let rows = tx.all(BEGUN_TOO, &values).await?;
    rows.iter().map(|row| Ok(row.id("id")?)).collect()
}

/// Places that other enrolments hold for this telephone number before they are handed in.
pub(crate) async fn places_of_phone(tx: &mut Tx, row: &Enrolment) -> Result<i64> {
    let values = [row.phone.clone().into(), row.id.into()];
    Ok(tx.one(PLACES_OF_PHONE, &values).await?.int("held")?)
}

pub(crate) async fn set_contact(tx: &mut Tx, row: &Enrolment) -> Result<()> {
    let values = [
        row.id.into(),
        row.phone.clone().into(),
        row.email.clone().into(),
        row.activated_at.into(),
        row.activated_channel.map(Channel::as_str).into(),
        row.has_place.into(),
    ];
    Ok(tx.change(TABLE, 1, SET_CONTACT, &values).await?)
}

pub(crate) async fn set_owner(tx: &mut Tx, id: &EnrolmentId, owner: &Owner) -> Result<()> {
    let now = tx.now();
    let values = [
        id.into(),
        now.into(),
        (&owner.full_name).into(),
        (&owner.identity_number).into(),
        iso(owner.issue_date).into(),
        (&owner.issue_place).into(),
        owner.card_expires_on.map(iso).into(),
        iso(owner.birth_date).into(),
        owner.sex.as_str().into(),
        (&owner.nationality).into(),
        (&owner.address.province_code).into(),
        (&owner.address.province_name).into(),
        (&owner.address.commune_code).into(),
        (&owner.address.commune_name).into(),
        (&owner.address.detail).into(),
        owner.source.as_str().into(),
    ];
    Ok(tx.change(TABLE, 1, SET_OWNER, &values).await?)
}

pub(crate) async fn set_paid(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(TABLE, 1, SET_PAID, &[id.into(), now.into()])
        .await?)
}

pub(crate) async fn set_place(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    Ok(tx.change(TABLE, 1, SET_PLACE, &[id.into()]).await?)
}

pub(crate) async fn set_activated(tx: &mut Tx, id: &EnrolmentId, channel: Channel) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(
            TABLE,
            1,
            SET_ACTIVATED,
            &[id.into(), now.into(), channel.as_str().into()],
        )
        .await?)
}

pub(crate) async fn submit(
    tx: &mut Tx,
    id: &EnrolmentId,
    risk: i64,
    flags: &str,
    officers_required: i64,
) -> Result<()> {
    let now = tx.now();
    let values = [
        id.into(),
        now.into(),
        risk.into(),
        flags.into(),
        officers_required.into(),
    ];
    Ok(tx.change(TABLE, 1, SUBMIT, &values).await?)
}

/// Ends an enrolment that holds nothing afterwards; the caller gives its place back to the campaign.
pub(crate) async fn end(tx: &mut Tx, row: &Enrolment, to: State, code: &str) -> Result<()> {
    let now = tx.now();
    let values = [
        row.id.into(),
        to.as_str().into(),
        now.into(),
        code.into(),
        row.state.as_str().into(),
    ];
    Ok(tx.change(TABLE, 1, END, &values).await?)
}

pub(crate) async fn close(tx: &mut Tx, id: &EnrolmentId, code: &str) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(TABLE, 1, CLOSE, &[id.into(), now.into(), code.into()])
        .await?)
}

pub(crate) async fn certify(
    tx: &mut Tx,
    id: &EnrolmentId,
    credential: &str,
    seal: Vec<u8>,
) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(
            TABLE,
            1,
            CERTIFY,
            &[id.into(), credential.into(), now.into(), seal.into()],
        )
        .await?)
}

pub(crate) async fn set_device_code(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(TABLE, 1, SET_DEVICE_CODE, &[id.into(), now.into()])
        .await?)
}

pub(crate) async fn set_binding(tx: &mut Tx, id: &EnrolmentId, binding: &str) -> Result<()> {
    Ok(tx
        .change(TABLE, 1, SET_BINDING, &[id.into(), binding.into()])
        .await?)
}

pub(crate) async fn bind(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    let now = tx.now();
    Ok(tx.change(TABLE, 1, BIND, &[id.into(), now.into()]).await?)
}

pub(crate) async fn set_acceptance(tx: &mut Tx, id: &EnrolmentId, request: &str) -> Result<()> {
    Ok(tx
        .change(TABLE, 1, SET_ACCEPTANCE, &[id.into(), request.into()])
        .await?)
}

pub(crate) async fn forget_acceptance(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    Ok(tx.change(TABLE, 1, FORGET_ACCEPTANCE, &[id.into()]).await?)
}

pub(crate) async fn complete(tx: &mut Tx, id: &EnrolmentId) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(TABLE, 1, COMPLETE, &[id.into(), now.into()])
        .await?)
}

pub(crate) async fn of_credential(tx: &mut Tx, credential: &str) -> Result<Option<EnrolmentId>> {
    Ok(tx
        .optional(OF_CREDENTIAL, &[credential.into()])
        .await?
        .map(|row| row.id("id"))
        .transpose()?)
}

pub(crate) async fn of_acceptance(tx: &mut Tx, request: &str) -> Result<Option<EnrolmentId>> {
    Ok(tx
        .optional(OF_ACCEPTANCE, &[request.into()])
        .await?
        .map(|row| row.id("id"))
        .transpose()?)
}

pub(crate) async fn ahead(tx: &mut Tx, submitted_at: i64) -> Result<i64> {
    Ok(tx.one(AHEAD, &[submitted_at.into()]).await?.int("ahead")?)
}

pub(crate) async fn phone_shared(tx: &mut Tx, row: &Enrolment, owner: &Owner) -> Result<i64> {
    let values = [
        row.phone.clone().into(),
        row.id.into(),
        (&owner.identity_number).into(),
    ];
    Ok(tx.one(PHONE_SHARED, &values).await?.int("others")?)
}

/// Enrolments whose time is over: started before, supplement awaited until before, approved before.
pub(crate) async fn due(
    tx: &mut Tx,
    started: i64,
    now: i64,
    approved: i64,
) -> Result<Vec<EnrolmentId>> {
    let rows = tx
        .all(DUE, &[started.into(), now.into(), approved.into()])
        .await?;
    rows.iter().map(|row| Ok(row.id("id")?)).collect()
}

pub(crate) async fn outstanding(tx: &mut Tx) -> Result<Vec<(EnrolmentId, State)>> {
    let rows = tx.all(OUTSTANDING, &[]).await?;
    rows.iter()
        .map(|row| Ok((row.id("id")?, state(row)?)))
        .collect()
}

/// A live activation code.
pub(crate) struct Code {
    pub(crate) id: CodeId,
    pub(crate) channel: Channel,
    pub(crate) destination: String,
    pub(crate) salt_blob: BlobId,
    pub(crate) code_blob: Option<BlobId>,
    pub(crate) verifier: Vec<u8>,
    pub(crate) tries: i64,
    pub(crate) tries_max: i64,
    pub(crate) resend_at: i64,
    pub(crate) expires_at: i64,
}

pub(crate) async fn live_code(tx: &mut Tx, id: &EnrolmentId) -> Result<Option<Code>> {
    tx.optional(CODE_LIVE, &[id.into()])
        .await?
        .as_ref()
        .map(code)
        .transpose()
}

pub(crate) struct NewCode<'a> {
    pub(crate) id: CodeId,
    pub(crate) enrolment: &'a EnrolmentId,
    pub(crate) channel: Channel,
    pub(crate) destination: &'a str,
    pub(crate) salt_blob: BlobId,
    pub(crate) code_blob: BlobId,
    pub(crate) verifier: Vec<u8>,
    pub(crate) resend_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) tries_max: i64,
}

pub(crate) async fn insert_code(tx: &mut Tx, new: NewCode<'_>) -> Result<()> {
    let now = tx.now();
    let values = [
        new.id.into(),
        new.enrolment.into(),
        new.channel.as_str().into(),
        new.destination.into(),
        new.salt_blob.into(),
        new.code_blob.into(),
        new.verifier.into(),
        now.into(),
        new.resend_at.into(),
        new.expires_at.into(),
        new.tries_max.into(),
    ];
    Ok(tx
        .change("activation_code", 1, CODE_INSERT, &values)
        .await?)
}

/// Counts a try before it is compared; `None` if there are none left or the code's time is over.
pub(crate) async fn try_code(tx: &mut Tx, id: &CodeId) -> Result<Option<i64>> {
    let now = tx.now();
    let row = tx.optional(CODE_TRY, &[id.into(), now.into()]).await?;
    Ok(row.map(|row| row.int("tries")).transpose()?)
}

/// Ends a code and wipes what was sealed of it. `how`: `used`, `void`, `spent`.
pub(crate) async fn end_code(tx: &mut Tx, code: &Code, how: &str) -> Result<()> {
    let now = tx.now();
    tx.change(
        "activation_code",
        1,
        CODE_END,
        &[code.id.into(), how.into(), now.into()],
    )
    .await?;
    tx.delete_blob(&code.salt_blob).await?;
    if let Some(blob) = &code.code_blob {
        tx.delete_blob(blob).await?;
    }
    Ok(())
}

pub(crate) async fn expired_codes(tx: &mut Tx) -> Result<Vec<Code>> {
    let now = tx.now();
    tx.all(CODES_EXPIRED, &[now.into()])
        .await?
        .iter()
        .map(code)
        .collect()
}

/// A code as its sender needs it.
pub(crate) struct Sending {
    pub(crate) channel: Channel,
    pub(crate) destination: String,
    pub(crate) code_blob: Option<BlobId>,
    pub(crate) expires_at: i64,
    pub(crate) language: String,
}

pub(crate) async fn sending(tx: &mut Tx, id: &CodeId) -> Result<Option<Sending>> {
    let Some(row) = tx.optional(CODE_BY_ID, &[id.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(Sending {
        channel: channel(&row, "channel")?,
        destination: row.text("destination")?,
        code_blob: opt_blob(&row, "code_blob")?,
        expires_at: row.int("expires_at")?,
        language: row.text("language")?,
    }))
}

pub(crate) async fn code_sent(tx: &mut Tx, id: &CodeId, blob: &BlobId) -> Result<bool> {
    let now = tx.now();
    let first = tx.execute(CODE_SENT, &[id.into(), now.into()]).await? == 1;
    if first {
        tx.delete_blob(blob).await?;
    }
    Ok(first)
}

/// Uses one of `most` of a window of so many ms, which begins with its first use; `Err(at)` = when it ends. The row decides who
/// gets the last one.
pub(crate) async fn allow(
    tx: &mut Tx,
    subject: &str,
    most: i64,
    window_ms: i64,
) -> Result<Result<(), i64>> {
    let now = tx.now();
    let values = [subject.into(), now.into(), most.into(), window_ms.into()];
    if most > 0 && tx.execute(ALLOW, &values).await? == 1 {
        return Ok(Ok(()));
    }
    let since = tx
        .optional(ALLOW_SINCE, &[subject.into()])
        .await?
        .map(|row| row.int("since"))
        .transpose()?;
    Ok(Err(since.unwrap_or(now) + window_ms))
}

/// Nobody else takes a turn at this until the commit.
pub(crate) async fn take_turn(tx: &mut Tx, subject: &str) -> Result<()> {
    // A window of no length: nothing is counted, and its row is locked.
    allow(tx, subject, 1, 0).await.map(drop)
}

pub(crate) async fn forget_allowances(tx: &mut Tx, before: i64) -> Result<u64> {
    Ok(tx.execute(ALLOW_FORGET, &[before.into()]).await?)
}

/// A wish to resume an enrolment.
pub(crate) struct Resumption {
    pub(crate) id: ResumptionId,
    pub(crate) phone: String,
    pub(crate) salt_blob: BlobId,
    /// `None` once it was sent.
    pub(crate) code_blob: Option<BlobId>,
    pub(crate) verifier: Vec<u8>,
    pub(crate) tries_max: i64,
    pub(crate) expires_at: i64,
}

pub(crate) async fn resumption(tx: &mut Tx, id: &ResumptionId) -> Result<Option<Resumption>> {
    let Some(row) = tx.optional(RESUMPTION, &[id.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(Resumption {
        id: row.id("id")?,
        phone: row.text("phone")?,
        salt_blob: blob(&row, "salt_blob")?,
        code_blob: opt_blob(&row, "code_blob")?,
        verifier: row.bytes("verifier")?,
        tries_max: row.int("tries_max")?,
        expires_at: row.int("expires_at")?,
    }))
}

pub(crate) async fn insert_resumption(tx: &mut Tx, new: &Resumption) -> Result<()> {
    let values = [
        new.id.into(),
        (&new.phone).into(),
        new.salt_blob.into(),
        new.code_blob.into(),
        new.verifier.clone().into(),
        new.tries_max.into(),
        new.expires_at.into(),
    ];
    Ok(tx
        .change("resumption", 1, RESUMPTION_INSERT, &values)
        .await?)
}

/// Counts a try before it is compared; `None` if there are none left or the code's time is over.
pub(crate) async fn try_resumption(tx: &mut Tx, id: &ResumptionId) -> Result<Option<i64>> {
    let now = tx.now();
    let row = tx
        .optional(RESUMPTION_TRY, &[id.into(), now.into()])
        .await?;
    Ok(row.map(|row| row.int("tries")).transpose()?)
}

/// `true` the first time.
pub(crate) async fn charge_resumption(tx: &mut Tx, id: &ResumptionId) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(RESUMPTION_CHARGE, &[id.into(), now.into()])
        .await?
        == 1)
}

pub(crate) async fn resumption_sent(tx: &mut Tx, id: &ResumptionId, blob: &BlobId) -> Result<()> {
    if tx.execute(RESUMPTION_SENT, &[id.into()]).await? == 1 {
        tx.delete_blob(blob).await?;
    }
    Ok(())
}

/// Deletes it with what was sealed of it; `false` if somebody else did.
pub(crate) async fn end_resumption(tx: &mut Tx, id: &ResumptionId) -> Result<bool> {
    let Some(row) = tx.optional(RESUMPTION_END, &[id.into()]).await? else {
        return Ok(false);
    };
    tx.delete_blob(&blob(&row, "salt_blob")?).await?;
    if let Some(code) = opt_blob(&row, "code_blob")? {
        tx.delete_blob(&code).await?;
    }
    Ok(true)
}

pub(crate) async fn expired_resumptions(tx: &mut Tx) -> Result<Vec<ResumptionId>> {
    let now = tx.now();
    let rows = tx.all(RESUMPTIONS_EXPIRED, &[now.into()]).await?;
    rows.iter().map(|row| Ok(row.id("id")?)).collect()
}

/// The language of the newest enrolment that can be resumed with this telephone number, if there is one.
pub(crate) async fn language_of_phone(tx: &mut Tx, phone: &str) -> Result<Option<String>> {
    let row = tx.optional(LANGUAGE_OF_PHONE, &[phone.into()]).await?;
    Ok(row.map(|row| row.text("language")).transpose()?)
}

/// The enrolment of this person, or one without an owner yet, that is under way with this proved telephone number.
pub(crate) async fn resumable(
    tx: &mut Tx,
    phone: &str,
    identity_number: &str,
) -> Result<Option<EnrolmentId>> {
    let row = tx
        .optional(RESUMABLE, &[phone.into(), identity_number.into()])
        .await?;
    Ok(row.map(|row| row.id("id")).transpose()?)
}

/// The token that opens the enrolment from now on.
pub(crate) async fn set_session(tx: &mut Tx, id: &EnrolmentId, hash: [u8; 32]) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(TABLE, 1, SET_SESSION, &[id.into(), hash.into(), now.into()])
        .await?)
}

/// A photo in force.
pub(crate) struct Evidence {
    pub(crate) id: EvidenceId,
    /// `None` once it was erased.
    pub(crate) blob: Option<BlobId>,
    pub(crate) view: EvidenceView,
}

pub(crate) async fn evidence(tx: &mut Tx, id: &EnrolmentId) -> Result<Vec<Evidence>> {
    let mut photos: Vec<Evidence> = Vec::new();
    for row in tx.all(EVIDENCE, &[id.into()]).await? {
        let kind = row.text("kind")?;
        let media_type = match row.text("media_type")?.as_str() {
            "image/png" => "image/png",
            _ => "image/jpeg",
        };
        photos.push(Evidence {
            id: row.id("id")?,
            blob: opt_blob(&row, "blob_id")?,
            view: EvidenceView {
                kind: Kind::read(&kind).ok_or(Error::Corrupt {
                    table: "evidence",
                    id: row.text("id")?,
                })?,
                sha256: hex::encode(row.bytes("sha256")?),
                media_type,
                width: row.int("width")?,
                height: row.int("height")?,
                version: row.int("version")?,
                at: row.int("created_at")?,
            },
        });
    }
    photos.sort_by_key(|photo| photo.view.kind);
    Ok(photos)
}

/// A photo to store.
pub(crate) struct NewEvidence {
    pub(crate) id: EvidenceId,
    pub(crate) kind: Kind,
    pub(crate) blob: BlobId,
    pub(crate) sha256: [u8; 32],
    pub(crate) photo: super::Photo,
    pub(crate) byte_count: usize,
}

/// Photos of enrolments that ended without a credential before this instant.
pub(crate) async fn photos_to_erase(
    tx: &mut Tx,
    before: i64,
) -> Result<Vec<(EnrolmentId, EvidenceId, BlobId)>> {
    let rows = tx.all(EVIDENCE_TO_ERASE, &[before.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.id("enrolment_id")?,
                row.id("id")?,
                blob(row, "blob_id")?,
            ))
        })
        .collect()
}

/// Deletes a photo's bytes; its digest stays.
pub(crate) async fn erase_photo(tx: &mut Tx, id: &EvidenceId, blob: &BlobId) -> Result<()> {
    tx.change("evidence", 1, EVIDENCE_ERASE, &[id.into()])
        .await?;
    Ok(tx.delete_blob(blob).await?)
}

/// The photo in force is so no more, and only its digest stays; `false` if there is none.
pub(crate) async fn withdraw_photo(
    tx: &mut Tx,
    enrolment: &EnrolmentId,
    kind: Kind,
) -> Result<bool> {
    let photos = evidence(tx, enrolment).await?;
    let Some(photo) = photos.iter().find(|photo| photo.view.kind == kind) else {
        return Ok(false);
    };
    let values = [(&photo.id).into(), tx.now().into()];
    tx.change("evidence", 1, EVIDENCE_SUPERSEDE, &values)
        .await?;
    if let Some(blob) = &photo.blob {
        tx.delete_blob(blob).await?;
    }
    Ok(true)
}

/// Stores a take; of the one before only the digest stays. Returns its version.
pub(crate) async fn add_evidence(
    tx: &mut Tx,
    enrolment: &EnrolmentId,
    new: NewEvidence,
) -> Result<i64> {
    let now = tx.now();
    let kind = new.kind.as_str();
    withdraw_photo(tx, enrolment, new.kind).await?;
    let last = tx
        .one(EVIDENCE_VERSION, &[enrolment.into(), kind.into()])
        .await?;
    let version = last.int("version")? + 1;
    let values = [
        new.id.into(),
        enrolment.into(),
        kind.into(),
        version.into(),
        new.blob.into(),
        new.sha256.into(),
        new.photo.media_type.into(),
        i64::from(new.photo.width).into(),
        i64::from(new.photo.height).into(),
        i64::try_from(new.byte_count).unwrap_or(i64::MAX).into(),
        now.into(),
    ];
    tx.change("evidence", 1, EVIDENCE_INSERT, &values).await?;
    Ok(version)
}

/// A contract's row.
pub(crate) struct Contract {
    pub(crate) id: ContractId,
    pub(crate) enrolment: EnrolmentId,
    pub(crate) number: String,
    pub(crate) made_from: Vec<u8>,
    pub(crate) blob: BlobId,
    pub(crate) sha256: Vec<u8>,
    pub(crate) mark: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) agreed_at: Option<i64>,
    pub(crate) sealed_blob: Option<BlobId>,
    pub(crate) void_at: Option<i64>,
}

pub(crate) async fn contract(tx: &mut Tx, enrolment: &EnrolmentId) -> Result<Option<Contract>> {
    tx.optional(CONTRACT, &[enrolment.into()])
        .await?
        .as_ref()
        .map(contract_row)
        .transpose()
}

pub(crate) async fn contract_by_id(tx: &mut Tx, id: &ContractId) -> Result<Option<Contract>> {
    tx.optional(CONTRACT_BY_ID, &[id.into()])
        .await?
        .as_ref()
        .map(contract_row)
        .transpose()
}

pub(crate) struct NewContract<'a> {
    pub(crate) id: ContractId,
    pub(crate) enrolment: &'a EnrolmentId,
    pub(crate) number: &'a str,
    pub(crate) made_from: [u8; 32],
    pub(crate) blob: BlobId,
    pub(crate) sha256: [u8; 32],
    pub(crate) mark: Option<String>,
}

pub(crate) async fn insert_contract(tx: &mut Tx, new: NewContract<'_>) -> Result<()> {
    let now = tx.now();
    let values = [
        new.id.into(),
        new.enrolment.into(),
        new.number.into(),
        new.made_from.into(),
        new.blob.into(),
        new.sha256.into(),
        new.mark.into(),
        now.into(),
    ];
    Ok(tx.change("contract", 1, CONTRACT_INSERT, &values).await?)
}

pub(crate) async fn void_contract(tx: &mut Tx, enrolment: &EnrolmentId) -> Result<u64> {
    let now = tx.now();
    Ok(tx
        .execute(CONTRACT_VOID, &[enrolment.into(), now.into()])
        .await?)
}

pub(crate) async fn agree(
    tx: &mut Tx,
    contract: &Contract,
    agreement: &str,
    channel: &str,
) -> Result<()> {
    let now = tx.now();
    let values = [
        contract.id.into(),
        (&contract.sha256).into(),
        agreement.into(),
        channel.into(),
        now.into(),
    ];
    Ok(tx.change("contract", 1, CONTRACT_AGREE, &values).await?)
}

/// Keeps the sealed file; `false` if another worker was first.
pub(crate) async fn seal(
    tx: &mut Tx,
    id: &ContractId,
    blob: BlobId,
    sha256: [u8; 32],
) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(
            CONTRACT_SEAL,
            &[id.into(), blob.into(), sha256.into(), now.into()],
        )
        .await?
        == 1)
}

pub(crate) async fn contracts_to_seal(tx: &mut Tx) -> Result<Vec<ContractId>> {
    tx.all(CONTRACTS_TO_SEAL, &[])
        .await?
        .iter()
        .map(|row| Ok(row.id("id")?))
        .collect()
}

pub(crate) async fn asked(tx: &mut Tx, row: &Enrolment) -> Result<Vec<AskView>> {
    if row.state != State::Supplement {
        return Ok(Vec::new());
    }
    let mut asks = Vec::new();
    for ask in tx.all(ASKED, &[row.id.into(), row.round.into()]).await? {
        let corrupt = || Error::Corrupt {
            table: "supplement_piece",
            id: row.id.to_string(),
        };
        asks.push(AskView {
            piece: Piece::read(&ask.text("piece")?).ok_or_else(corrupt)?,
            reason: crate::vetting::Reason::of(&ask.text("reason")?)
                .ok_or_else(corrupt)?
                .code,
            repaired: ask.opt_int("repaired_at")?.is_some(),
        });
    }
    Ok(asks)
}

pub(crate) async fn repair(tx: &mut Tx, row: &Enrolment, piece: Piece) -> Result<u64> {
    let now = tx.now();
    Ok(tx
        .execute(
            REPAIR,
            &[
                row.id.into(),
                row.round.into(),
                piece.word().into(),
                now.into(),
            ],
        )
        .await?)
}

/// Why it ended: the reasons of the officer who rejected it, or the code in the row.
pub(crate) async fn end_reasons(tx: &mut Tx, row: &Enrolment) -> Result<Vec<String>> {
    let Some(code) = &row.end_code else {
        return Ok(Vec::new());
    };
    if row.state != State::Rejected {
        return Ok(vec![code.clone()]);
    }
    let reasons = tx
        .optional(END_REASONS, &[row.id.into()])
        .await?
        .map(|row| row.text("reasons"))
        .transpose()?;
    Ok(reasons
        .unwrap_or_default()
        .split_whitespace()
        .map(Into::into)
        .collect())
}

/// The facts from which the next steps follow.
pub(crate) async fn progress(tx: &mut Tx, row: &Enrolment) -> Result<Progress> {
    let contract = contract(tx, &row.id).await?;
    Ok(Progress {
        contact: row.phone.is_some(),
        activated: row.activated_at.is_some(),
        owner: row.owner.is_some(),
        paid: row.paid_at.is_some(),
        photos: evidence(tx, &row.id)
            .await?
            .iter()
            .map(|photo| photo.view.kind)
            .collect(),
        contract_signed: contract.is_some_and(|contract| contract.agreed_at.is_some()),
        asked: asked(tx, row)
            .await?
            .into_iter()
            .filter(|ask| !ask.repaired)
            .map(|ask| ask.piece)
            .collect(),
        binding: false,
    })
}

/// `yyyy-mm-dd`.
pub(crate) fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

pub(crate) fn enrolment(row: &Row) -> Result<Enrolment> {
    let id: EnrolmentId = row.id("id")?;
    Ok(Enrolment {
        owner: owner(row, &id)?,
        id,
        reference: row.text("reference")?,
        state: state(row)?,
        language: row.text("language")?,
        entered_by: row.opt_id("entered_by")?,
        plan_code: row.text("plan_code")?,
        campaign_code: row.opt_text("campaign_code")?,
        price_vnd: row.int("price_vnd")?,
        touched_at: row.int("touched_at")?,
        phone: row.opt_text("phone")?,
        email: row.opt_text("email")?,
        paid_at: row.opt_int("paid_at")?,
        has_place: row.bool("has_place")?,
        activated_at: row.opt_int("activated_at")?,
        activated_channel: row
            .opt_text("activated_channel")?
            .and_then(|word| Channel::read(&word)),
        submitted_at: row.opt_int("submitted_at")?,
        round: row.int("round")?,
        risk: row.int("risk")?,
        flags: row.text("flags")?,
        locked_by: row.opt_id("locked_by")?,
        locked_until: row.opt_int("locked_until")?,
        supplement_until: row.opt_int("supplement_until")?,
        approved_at: row.opt_int("approved_at")?,
        approval_seal: row.opt_bytes("approval_seal")?,
        citizen_id: row.opt_id("citizen_id")?,
        credential_id: row.opt_text("credential_id")?,
        device_code_at: row.opt_int("device_code_at")?,
        resumed_at: row.opt_int("resumed_at")?,
        binding_id: row.opt_text("binding_id")?,
        acceptance_id: row.opt_text("acceptance_id")?,
        completed_at: row.opt_int("completed_at")?,
        end_code: row.opt_text("end_code")?,
    })
}

fn owner(row: &Row, id: &EnrolmentId) -> Result<Option<Owner>> {
    if row.opt_int("owner_at")?.is_none() {
        return Ok(None);
    }
    let corrupt = || Error::Corrupt {
        table: TABLE,
        id: id.to_string(),
    };
    let date = |column: &str| -> Result<Date> { row.text(column)?.parse().map_err(|_| corrupt()) };
    Ok(Some(Owner {
        full_name: row.text("full_name")?,
        identity_number: row.text("identity_number")?,
        issue_date: date("issue_date")?,
        issue_place: row.text("issue_place")?,
        card_expires_on: row
            .opt_text("card_expires_on")?
            .map(|day| day.parse().map_err(|_| corrupt()))
            .transpose()?,
        birth_date: date("birth_date")?,
        sex: Sex::read(&row.text("sex")?).ok_or_else(corrupt)?,
        nationality: row.text("nationality")?,
        phone: row.text("phone")?,
        email: row.opt_text("email")?,
        address: Address {
            province_code: row.text("province_code")?,
            province_name: row.text("province_name")?,
            commune_code: row.text("commune_code")?,
            commune_name: row.text("commune_name")?,
            detail: row.text("address_detail")?,
        },
        source: Source::read(&row.text("owner_source")?),
    }))
}

fn state(row: &Row) -> Result<State> {
    State::read(&row.text("state")?).ok_or(Error::Corrupt {
        table: TABLE,
        id: row.text("id")?,
    })
}

fn code(row: &Row) -> Result<Code> {
    Ok(Code {
        id: row.id("id")?,
        channel: channel(row, "channel")?,
        destination: row.text("destination")?,
        salt_blob: blob(row, "salt_blob")?,
        code_blob: opt_blob(row, "code_blob")?,
        verifier: row.bytes("verifier")?,
        tries: row.int("tries")?,
        tries_max: row.int("tries_max")?,
        resend_at: row.int("resend_at")?,
        expires_at: row.int("expires_at")?,
    })
}

fn contract_row(row: &Row) -> Result<Contract> {
    Ok(Contract {
        id: row.id("id")?,
        enrolment: row.id("enrolment_id")?,
        number: row.text("number")?,
        made_from: row.bytes("made_from")?,
        blob: blob(row, "blob_id")?,
        sha256: row.bytes("sha256")?,
        mark: row.opt_text("mark")?,
        created_at: row.int("created_at")?,
        agreed_at: row.opt_int("agreed_at")?,
        sealed_blob: opt_blob(row, "sealed_blob_id")?,
        void_at: row.opt_int("void_at")?,
    })
}

fn channel(row: &Row, column: &str) -> Result<Channel> {
    Channel::read(&row.text(column)?).ok_or(Error::Corrupt {
        table: "activation_code",
        id: row.text("id")?,
    })
}

fn blob(row: &Row, column: &str) -> Result<BlobId> {
    opt_blob(row, column)?.ok_or(Error::Corrupt {
        table: "blob",
        id: column.into(),
    })
}

fn opt_blob(row: &Row, column: &str) -> Result<Option<BlobId>> {
    let text = row.opt_text(column)?;
    text.map(|text| {
        text.parse().map_err(|_| Error::Corrupt {
            table: "blob",
            id: column.into(),
        })
    })
    .transpose()
}

/// The constraint that refused a write, if one did.
pub(crate) fn refused_by<T>(outcome: &Result<T>) -> Option<&str> {
    match outcome {
        Err(Error::Store(kyso_store::Error::Constraint { name, .. })) => Some(name),
        _ => None,
    }
}
