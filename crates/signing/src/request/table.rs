//! Rows of `signature_request` and `signature_document`: the only SQL about them.

use std::collections::{HashMap, HashSet};

use kyso_keystore::activation::Channel;
use kyso_keystore::{CitizenKey, DeviceKey, DeviceSignature, SealedPin};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_store::{BlobId, Row, Store, Tx, Value};

use super::state::{
    Approval, DocumentFormat, DocumentView, Page, Place, RequestKind, RequestState, RequestView,
    channel_from_stored, channel_word,
};
use super::together::Checked;
use crate::credential::CredentialState;
use crate::credential::table::state as credential_state;
use crate::device::table::{
    corrupt, device_key_from, pin_bytes, pin_from, signature_bytes, signature_from,
};
use crate::{CredentialId, Error, PortalId, RequestId, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    PENDING,
    INSERT_DOCUMENT,
    VIEW,
    VIEW_OF_PORTAL,
    STATE_OF_PORTAL,
    VIEW_OF_CREDENTIAL,
    LIST,
    LIST_WAITING,
    HOLD,
    DOCUMENTS,
    BY_IDEMPOTENCY_KEY,
    ACCEPTANCE,
    BLOBS,
    APPROVAL_CONTEXT,
    APPROVE_MANY,
    END_PENDING,
    EXPIRE_DUE,
    DELIVER,
    WORK,
    WORK_DOCUMENTS,
    RESERVE_MANY,
    SIGN_MANY,
    CONSUME_MANY,
    RETURN,
    UNRESERVE,
    FAIL,
    STATES,
    OPEN_WORK,
    FREE_TRANSACTION,
    BY_TRANSACTION,
    TRANSACTION,
    OPEN,
    COUNT_DIGITS,
];

const INSERT: &str = "-- request.insert
INSERT INTO signature_request (id, kind, state, portal_id, credential_id, description, return_url, code, nonce, signature_algorithm, serial,
    document_count, units, idempotency_key, idempotency_digest, transaction_id, tran_code, transaction_live, created_at, expires_at, asked_from,
    on_screen)
VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

const PENDING: &str = "-- request.pending
SELECT COUNT(id) AS of_all, COALESCE(SUM(CASE WHEN portal_id = $2 THEN 1 ELSE 0 END), 0) AS of_portal FROM signature_request
WHERE credential_id = $1 AND ended_at IS NULL AND state = 'pending' AND expires_at > $3";

const INSERT_DOCUMENT: &str = "-- request.insert_document
INSERT INTO signature_document (request_id, position, state, name, format, doc_id, file_type, byte_count, page_count, original_blob, prepared_blob,
    prepared_at, mark_place, layout, digest_algorithm, document_digest, to_be_signed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

const VIEW: &str = "-- request.view
SELECT r.id, r.kind, r.state, r.portal_id, p.name AS portal_name, r.credential_id, r.description, r.return_url, r.code, r.nonce,
    r.signature_algorithm, r.on_screen, r.channel, r.tries_left, r.failure, r.created_at, r.expires_at, r.approved_at, r.signed_at, r.ended_at
FROM signature_request r LEFT JOIN portal p ON p.id = r.portal_id WHERE r.id = $1";

const VIEW_OF_PORTAL: &str = "-- request.view_of_portal
SELECT r.id, r.kind, r.state, r.portal_id, p.name AS portal_name, r.credential_id, r.description, r.return_url, r.code, r.nonce,
    r.signature_algorithm, r.on_screen, r.channel, r.tries_left, r.failure, r.created_at, r.expires_at, r.approved_at, r.signed_at, r.ended_at
FROM signature_request r JOIN portal p ON p.id = r.portal_id WHERE r.id = $1 AND r.portal_id = $2";

const STATE_OF_PORTAL: &str = "-- request.state_of_portal
SELECT state FROM signature_request WHERE id = $1 AND portal_id = $2";

const VIEW_OF_CREDENTIAL: &str = "-- request.view_of_credential
SELECT r.id, r.kind, r.state, r.portal_id, p.name AS portal_name, r.credential_id, r.description, r.return_url, r.code, r.nonce,
    r.signature_algorithm, r.on_screen, r.channel, r.tries_left, r.failure, r.created_at, r.expires_at, r.approved_at, r.signed_at, r.ended_at
FROM signature_request r LEFT JOIN portal p ON p.id = r.portal_id WHERE r.id = $1 AND r.credential_id = $2";

const LIST: &str = "-- request.list
SELECT r.id, r.kind, r.state, r.portal_id, p.name AS portal_name, r.credential_id, r.description, r.return_url, r.code, r.nonce,
    r.signature_algorithm, r.on_screen, r.channel, r.tries_left, r.failure, r.created_at, r.expires_at, r.approved_at, r.signed_at, r.ended_at
FROM signature_request r LEFT JOIN portal p ON p.id = r.portal_id
WHERE r.credential_id = $1 AND r.id < $3 AND ($4 = '' OR $4 LIKE '%' || r.state || '%') ORDER BY r.id DESC LIMIT $2";

/// What has not ended: found by the index of these alone, so the ids must not look like a way through all of a citizen's history.
const LIST_WAITING: &str = "-- request.list_waiting
SELECT r.id, r.kind, r.state, r.portal_id, p.name AS portal_name, r.credential_id, r.description, r.return_url, r.code, r.nonce,
    r.signature_algorithm, r.on_screen, r.channel, r.tries_left, r.failure, r.created_at, r.expires_at, r.approved_at, r.signed_at, r.ended_at
FROM signature_request r LEFT JOIN portal p ON p.id = r.portal_id
WHERE r.credential_id = $1 AND r.ended_at IS NULL AND r.id || '' < $3 AND $4 LIKE '%' || r.state || '%' ORDER BY r.id || '' DESC LIMIT $2";

/// Takes the row: who else wants it waits.
const HOLD: &str = "-- request.hold
UPDATE signature_request SET code = code WHERE id = $1";

/// Sorts behind every id of a request.
const BEHIND_ALL: &str = "req_8";

const DOCUMENTS: &str = "-- request.documents
SELECT d.request_id, d.position, d.name, d.format, d.doc_id, d.byte_count, d.page_count, d.digest_algorithm, d.document_digest, d.to_be_signed, d.signature
FROM (VALUES ($1)) AS v JOIN signature_document d ON d.request_id = v.column1 ORDER BY d.request_id, d.position";

const BY_IDEMPOTENCY_KEY: &str = "-- request.by_idempotency_key
SELECT id, idempotency_digest FROM signature_request WHERE portal_id = $1 AND idempotency_key = $2";

const ACCEPTANCE: &str = "-- request.acceptance
SELECT id, state FROM signature_request
WHERE credential_id = $1 AND kind = 'acceptance' AND state IN ('pending', 'approved', 'signed', 'delivered')";

const BLOBS: &str = "-- request.blobs
SELECT original_blob, prepared_blob, signature FROM signature_document WHERE request_id = $1 AND position = $2";

const APPROVAL_CONTEXT: &str = "-- request.approval_context
SELECT r.kind, r.state, r.portal_id, r.code, r.nonce, r.serial, r.units, r.statement, r.on_screen, r.channel, r.created_at,
    r.expires_at, c.state AS credential_state, c.serial AS credential_serial, c.pin_locked_at, c.bound_at, c.not_after_at, c.units_left, d.device_key
FROM signature_request r JOIN credential c ON c.id = r.credential_id LEFT JOIN device d ON d.credential_id = c.id AND d.removed_at IS NULL
WHERE r.id = $1 AND r.credential_id = $2";

const APPROVE_MANY: &str = "-- request.approve_many
UPDATE signature_request SET state = 'approved', statement = v.column3, device_signature = v.column4, sealed_pin = v.column5,
    approved_at = v.column6, tries_left = NULL
FROM (VALUES ($1, $2, COALESCE($3, (SELECT statement FROM signature_request WHERE FALSE)),
    COALESCE($4, (SELECT device_signature FROM signature_request WHERE FALSE)),
    COALESCE($5, (SELECT sealed_pin FROM signature_request WHERE FALSE)), CAST($6 AS BIGINT))) AS v
WHERE signature_request.id = v.column1 AND signature_request.state = 'pending' AND signature_request.nonce = v.column2
RETURNING id";

const END_PENDING: &str = "-- request.end_pending
UPDATE signature_request SET state = $2, refusal = $3, ended_at = $4 WHERE id = $1 AND state = 'pending'";

const EXPIRE_DUE: &str = "-- request.expire_due
UPDATE signature_request SET state = 'expired', ended_at = $1
WHERE state = 'pending' AND id IN (SELECT id FROM signature_request WHERE state = 'pending' AND expires_at <= $1 ORDER BY expires_at LIMIT 500)
RETURNING id, kind, portal_id";

const DELIVER: &str = "-- request.deliver
UPDATE signature_request SET state = 'delivered', delivered_at = $2 WHERE id = $1 AND state = 'signed'";

const FREE_TRANSACTION: &str = "-- request.free_transaction
UPDATE signature_request SET transaction_live = FALSE WHERE transaction_live AND transaction_id = $1 AND ended_at <= $2";

const BY_TRANSACTION: &str = "-- request.by_transaction
SELECT id, state, transaction_id, tran_code, portal_id, asked_from, ended_at FROM signature_request
WHERE (tran_code = $1 OR (transaction_id = $1 AND transaction_live)) AND kind = 'sp769' ORDER BY transaction_live DESC LIMIT 2";

const TRANSACTION: &str = "-- request.transaction_of
SELECT transaction_id FROM signature_request WHERE id = $1";

const OPEN: &str = "-- request.open
UPDATE signature_request SET channel = $3
WHERE id = $1 AND credential_id = $2 AND state = 'pending' AND on_screen AND channel IS NULL AND expires_at > $4";

const COUNT_DIGITS: &str = "-- request.count_digits
UPDATE signature_request SET digits_tried = digits_tried + 1
WHERE id = $1 AND credential_id = $2 AND state = 'pending' AND on_screen AND channel IS NULL AND expires_at > $3
RETURNING digits_tried";

const STATES: &str = "-- request.state_of
SELECT state, statement FROM signature_request WHERE id = $1";

const OPEN_WORK: &str = "-- request.open_work
SELECT id, credential_id FROM signature_request WHERE state = 'approved' ORDER BY id";

// The signing path: one statement for a whole batch, VALUES grown to one row an item. A sub-select that finds nothing gives a
// parameter its type.

const WORK: &str = "-- request.work
SELECT r.id, r.kind, r.state, r.portal_id, p.webhook_url IS NOT NULL AS announced,
    COALESCE(p.may_digests, FALSE) AS may_digests, COALESCE(p.may_sp769, FALSE) AS may_sp769, r.code, r.nonce, r.signature_algorithm, r.serial, r.units,
    r.statement, r.device_signature, r.sealed_pin, r.approved_at, r.expires_at, r.on_screen, r.channel,
    c.id AS credential_id, c.state AS credential_state, c.serial AS credential_serial, c.key_row, c.attempt, c.not_after_at, c.bound_at,
    c.enrolment, c.units_left
FROM (VALUES ($1)) AS v JOIN signature_request r ON r.id = v.column1 JOIN credential c ON c.id = r.credential_id
    LEFT JOIN portal p ON p.id = r.portal_id";

const WORK_DOCUMENTS: &str = "-- request.work_documents
SELECT d.request_id, d.state, d.name, d.format, d.digest_algorithm, d.document_digest, d.to_be_signed, d.original_blob, d.prepared_at, d.mark_place, d.layout
FROM (VALUES ($1)) AS v JOIN signature_document d ON d.request_id = v.column1 ORDER BY d.request_id, d.position";

const RESERVE_MANY: &str = "-- request.reserve_many
UPDATE signature_document SET state = 'reserved' FROM (VALUES ($1, $2)) AS v
WHERE signature_document.request_id = v.column1 AND signature_document.state IN ('prepared', 'reserved')
    AND NOT EXISTS (SELECT 1 FROM ledger_entry l WHERE l.subject = v.column2)
RETURNING request_id";

const SIGN_MANY: &str = "-- request.sign_many
UPDATE signature_request SET state = 'signed', signed_at = v.column2, ended_at = v.column2, sealed_pin = NULL
FROM (VALUES ($1, CAST($2 AS BIGINT))) AS v WHERE signature_request.id = v.column1 AND signature_request.state = 'approved'";

const CONSUME_MANY: &str = "-- request.consume_many
UPDATE signature_document SET state = 'consumed', signature = v.column3
FROM (VALUES ($1, CAST($2 AS BIGINT), COALESCE($3, (SELECT signature FROM signature_document WHERE FALSE)))) AS v
WHERE signature_document.request_id = v.column1 AND signature_document.position = v.column2 AND signature_document.state = 'reserved'";

const RETURN: &str = "-- request.return_to_citizen
UPDATE signature_request SET state = 'pending', nonce = $2, tries_left = $3, statement = NULL, device_signature = NULL, sealed_pin = NULL, approved_at = NULL
WHERE id = $1 AND state = 'approved'";

const UNRESERVE: &str = "-- request.unreserve
UPDATE signature_document SET state = 'prepared' WHERE request_id = $1 AND state = 'reserved'";

const FAIL: &str = "-- request.fail
UPDATE signature_request SET state = 'failed', failure = $2, ended_at = $3, sealed_pin = NULL WHERE id = $1 AND state IN ('pending', 'approved')";

/// What a new request has beside its view.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) serial: String,
    pub(crate) units: i64,
    pub(crate) idempotency: Option<super::state::Idempotency>,
    /// sp769's transaction id and our tran code.
    pub(crate) transaction: Option<(String, String)>,
    /// sp769: the network that asked.
    pub(crate) asked_from: Option<String>,
    /// sp769's file types, by position.
    pub(crate) file_types: Vec<String>,
}

/// What the row of a PDF has beside its view: the blobs, and what the layout was made from.
pub(crate) struct PdfRow {
    pub(crate) original: BlobId,
    pub(crate) prepared: BlobId,
    pub(crate) prepared_at: i64,
    pub(crate) place: Option<Place>,
    /// [`crate::format::LAYOUT`] when it was laid out.
    pub(crate) layout: i64,
}

/// The stored bytes behind a document.
pub(crate) struct Blobs {
    pub(crate) original: Option<BlobId>,
    pub(crate) prepared: Option<BlobId>,
    pub(crate) signature: Option<Vec<u8>>,
}

pub(crate) async fn insert(tx: &mut Tx, view: &RequestView, extras: &Extras) -> Result<()> {
    let (transaction_id, tran_code) = extras
        .transaction
        .as_ref()
        .map(|(id, code)| (id.as_str(), code.as_str()))
        .unzip();
    let args: [Value; 21] = [
        view.id.into(),
        view.kind.as_str().into(),
        view.portal.into(),
        view.credential.into(),
        view.description.as_deref().into(),
        view.return_url.as_deref().into(),
        (&view.code).into(),
        (&view.nonce).into(),
        view.signature_algorithm.as_str().into(),
        (&extras.serial).into(),
        count(view.documents.len()).into(),
        extras.units.into(),
        extras
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.as_str())
            .into(),
        extras
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.body_digest)
            .into(),
        transaction_id.into(),
        tran_code.into(),
        extras.transaction.is_some().into(),
        view.created_at.into(),
        view.expires_at.into(),
        extras.asked_from.as_deref().into(),
        view.on_screen.into(),
    ];
    Ok(tx.change("signature_request", 1, INSERT, &args).await?)
}

pub(crate) async fn insert_documents(
    tx: &mut Tx,
    view: &RequestView,
    pdfs: &[Option<PdfRow>],
    extras: &Extras,
) -> Result<()> {
    let rows: Vec<Vec<Value>> = view
        .documents
        .iter()
        .zip(pdfs)
        .map(|(document, pdf)| {
            let pdf = pdf.as_ref();
            let place = pdf.and_then(|pdf| pdf.place).map(place_text);
            vec![
                view.id.into(),
                count(document.position).into(),
                "prepared".into(),
                (&document.name).into(),
                document.format.as_str().into(),
                document.doc_id.as_deref().into(),
                extras
                    .file_types
                    .get(document.position)
                    .map(String::as_str)
                    .into(),
                document.byte_count.into(),
                document.page_count.into(),
                pdf.map(|pdf| pdf.original).into(),
                pdf.map(|pdf| pdf.prepared).into(),
                pdf.map(|pdf| pdf.prepared_at).into(),
                place.into(),
                pdf.map(|pdf| pdf.layout).into(),
                document.to_be_signed.algorithm().as_str().into(),
                document.document_digest.value().into(),
                document.to_be_signed.value().into(),
            ]
        })
        .collect();
    tx.execute_many(INSERT_DOCUMENT, &rows).await?;
    Ok(())
}

/// A count as the column has it.
pub(crate) fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// By id, whoever asks: for the worker and the provider itself.
pub(crate) async fn view(
    store: &Store,
    provider: &str,
    id: RequestId,
) -> Result<Option<RequestView>> {
    let row = store.optional(VIEW, &[id.into()]).await?;
    complete(store, provider, row).await
}

pub(crate) async fn view_of_portal(
    store: &Store,
    portal: PortalId,
    id: RequestId,
) -> Result<Option<RequestView>> {
    let row = store
        .optional(VIEW_OF_PORTAL, &[id.into(), portal.into()])
        .await?;
    complete(store, "", row).await
}

pub(crate) async fn state_of_portal(
    store: &Store,
    portal: PortalId,
    id: RequestId,
) -> Result<Option<RequestState>> {
    let row = store
        .optional(STATE_OF_PORTAL, &[id.into(), portal.into()])
        .await?;
    row.map(|row| state(&row)).transpose()
}

pub(crate) async fn view_of_credential(
    store: &Store,
    provider: &str,
    credential: CredentialId,
    id: RequestId,
) -> Result<Option<RequestView>> {
    let row = store
        .optional(VIEW_OF_CREDENTIAL, &[id.into(), credential.into()])
        .await?;
    complete(store, provider, row).await
}

async fn complete(store: &Store, provider: &str, row: Option<Row>) -> Result<Option<RequestView>> {
    let Some(row) = row else { return Ok(None) };
    let mut view = read(&row, provider)?;
    fill_documents(store, std::slice::from_mut(&mut view)).await?;
    Ok(Some(view))
}

/// Keeps the request's row until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx, id: RequestId) -> Result<()> {
    Ok(tx
        .change("signature_request", 1, HOLD, &[id.into()])
        .await?)
}

pub(crate) async fn list(
    store: &Store,
    provider: &str,
    credential: CredentialId,
    page: &Page,
) -> Result<Vec<RequestView>> {
    let before = page.before.map(|request| request.to_string());
    let states: Vec<&str> = page.states.iter().map(|state| state.as_str()).collect();
    let args: [Value; 4] = [
        credential.into(),
        count(page.most).into(),
        before.as_deref().unwrap_or(BEHIND_ALL).into(),
        states.join(",").into(),
    ];
    let is_waiting = |state| matches!(state, RequestState::Pending | RequestState::Approved);
    let sql = match !page.states.is_empty() && page.states.iter().copied().all(is_waiting) {
        true => LIST_WAITING,
        false => LIST,
    };
    let rows = store.all(sql, &args).await?;
    let mut views = rows
        .iter()
        .map(|row| read(row, provider))
        .collect::<Result<Vec<_>>>()?;
    fill_documents(store, &mut views).await?;
    Ok(views)
}

async fn fill_documents(store: &Store, views: &mut [RequestView]) -> Result<()> {
    if views.is_empty() {
        return Ok(());
    }
    let ids: Vec<Vec<Value>> = views.iter().map(|view| vec![view.id.into()]).collect();
    for row in store.all_many(DOCUMENTS, &[], &ids).await? {
        let request: RequestId = row.id("request_id")?;
        if let Some(view) = views.iter_mut().find(|view| view.id == request) {
            view.documents.push(read_document(&row, request)?);
        }
    }
    Ok(())
}

pub(crate) async fn by_idempotency_key(
    store: &Store,
    portal: PortalId,
    key: &str,
) -> Result<Option<(RequestId, Vec<u8>)>> {
    let row = store
        .optional(BY_IDEMPOTENCY_KEY, &[portal.into(), key.into()])
        .await?;
    row.map(|row| Ok((row.id("id")?, row.bytes("idempotency_digest")?)))
        .transpose()
}

/// The acceptance of a credential that is on its way or done.
pub(crate) async fn acceptance(
    store: &Store,
    credential: CredentialId,
) -> Result<Option<(RequestId, RequestState)>> {
    let row = store.optional(ACCEPTANCE, &[credential.into()]).await?;
    row.map(|row| Ok((row.id("id")?, state(&row)?))).transpose()
}

pub(crate) async fn blobs(store: &Store, id: RequestId, position: usize) -> Result<Option<Blobs>> {
    let Some(row) = store
        .optional(BLOBS, &[id.into(), count(position).into()])
        .await?
    else {
        return Ok(None);
    };
    let blob = |column: &str| -> Result<Option<BlobId>> {
        let Some(text) = row.opt_text(column)? else {
            return Ok(None);
        };
        Ok(Some(
            text.parse()
                .map_err(|_| corrupt("signature_document", &id))?,
        ))
    };
    Ok(Some(Blobs {
        original: blob("original_blob")?,
        prepared: blob("prepared_blob")?,
        signature: row.opt_bytes("signature")?,
    }))
}

/// What an approval is checked against.
pub(crate) struct ApprovalContext {
    pub(crate) kind: RequestKind,
    pub(crate) state: RequestState,
    pub(crate) portal: Option<PortalId>,
    pub(crate) code: String,
    pub(crate) nonce: String,
    pub(crate) serial: String,
    pub(crate) units: i64,
    pub(crate) statement: Option<Vec<u8>>,
    pub(crate) on_screen: bool,
    pub(crate) channel: Option<Channel>,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) credential_state: CredentialState,
    pub(crate) credential_serial: Option<String>,
    pub(crate) is_locked: bool,
    pub(crate) is_bound: bool,
    pub(crate) not_after_at: Option<i64>,
    pub(crate) units_left: Option<i64>,
    pub(crate) device: Option<DeviceKey>,
}

pub(crate) async fn approval_context(
    store: &Store,
    credential: CredentialId,
    id: RequestId,
) -> Result<Option<ApprovalContext>> {
    let Some(row) = store
        .optional(APPROVAL_CONTEXT, &[id.into(), credential.into()])
        .await?
    else {
        return Ok(None);
    };
    let device = match row.opt_bytes("device_key")? {
        Some(stored) => {
            Some(device_key_from(&stored).ok_or_else(|| corrupt("device", &credential))?)
        }
        None => None,
    };
    Ok(Some(ApprovalContext {
        kind: kind(&row)?,
        state: state(&row)?,
        portal: row.opt_id("portal_id")?,
        code: row.text("code")?,
        nonce: row.text("nonce")?,
        serial: row.text("serial")?,
        units: row.int("units")?,
        statement: row.opt_bytes("statement")?,
        on_screen: row.bool("on_screen")?,
        channel: channel(&row)?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
        credential_state: credential_state(&row, "credential_state")?,
        credential_serial: row.opt_text("credential_serial")?,
        is_locked: row.opt_int("pin_locked_at")?.is_some(),
        is_bound: row.opt_int("bound_at")?.is_some(),
        not_after_at: row.opt_int("not_after_at")?,
        units_left: row.opt_int("units_left")?,
        device,
    }))
}

/// The documents of one request as an approval is checked against.
pub(crate) async fn work_documents(store: &Store, id: RequestId) -> Result<Vec<WorkDocument>> {
    let rows = store
        .all_many(WORK_DOCUMENTS, &[], &[vec![id.into()]])
        .await?;
    rows.iter()
        .map(|row| Ok(read_work_document(row)?.1))
        .collect()
}

/// Stores approvals of pending requests; the requests whose approval was stored.
pub(super) async fn approve_many(
    tx: &mut Tx,
    approvals: &[&Checked],
) -> Result<HashSet<RequestId>> {
    let now = tx.now();
    let rows: Vec<Vec<Value>> = approvals
        .iter()
        .map(|one| {
            vec![
                one.request.into(),
                one.nonce.as_str().into(),
                (&one.approval.statement).into(),
                signature_bytes(&one.approval.signature).into(),
                pin_bytes(&one.approval.sealed_pin).into(),
                now.into(),
            ]
        })
        .collect();
    let stored = tx.all_many(APPROVE_MANY, &[], &rows).await?;
    stored.iter().map(|row| Ok(row.id("id")?)).collect()
}

/// Ends a request that still waits for its citizen.
pub(crate) async fn end_pending(
    tx: &mut Tx,
    id: RequestId,
    to: RequestState,
    refusal: Option<&str>,
) -> Result<()> {
    let args = [
        id.into(),
        to.as_str().into(),
        refusal.into(),
        tx.now().into(),
    ];
    Ok(tx
        .change("signature_request", 1, END_PENDING, &args)
        .await?)
}

/// The phone of this credential has been in front of the screen; whether it was the first to say so, in time.
pub(super) async fn open(
    tx: &mut Tx,
    id: RequestId,
    credential: CredentialId,
    channel: Channel,
) -> Result<bool> {
    let word = channel_word(channel);
    let args = [id.into(), credential.into(), word.into(), tx.now().into()];
    Ok(tx.execute(OPEN, &args).await? == 1)
}

/// Counts a try of the digits; how many there were with it, or `None` where none is due.
pub(super) async fn count_digits(
    tx: &mut Tx,
    id: RequestId,
    credential: CredentialId,
) -> Result<Option<i64>> {
    let args = [id.into(), credential.into(), tx.now().into()];
    let row = tx.optional(COUNT_DIGITS, &args).await?;
    row.map(|row| Ok(row.int("digits_tried")?)).transpose()
}

/// Expires what is due, at most 500: (request, kind, portal).
pub(crate) async fn expire_due(
    tx: &mut Tx,
) -> Result<Vec<(RequestId, RequestKind, Option<PortalId>)>> {
    let now = tx.now();
    let rows = tx.all(EXPIRE_DUE, &[now.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.id("id")?, kind(row)?, row.opt_id("portal_id")?)))
        .collect()
}

/// The portal has it; whether this was the first time.
pub(crate) async fn deliver(tx: &mut Tx, id: RequestId) -> Result<bool> {
    let now = tx.now();
    Ok(tx.execute(DELIVER, &[id.into(), now.into()]).await? == 1)
}

/// How many requests wait for the citizen of this credential: all of them, and those of one portal.
pub(crate) async fn pending(
    tx: &mut Tx,
    credential: CredentialId,
    portal: PortalId,
) -> Result<(i64, i64)> {
    let now = tx.now();
    let row = tx
        .one(PENDING, &[credential.into(), portal.into(), now.into()])
        .await?;
    Ok((row.int("of_all")?, row.int("of_portal")?))
}

/// Gives a transaction id free whose retention is over.
pub(crate) async fn free_transaction(
    tx: &mut Tx,
    transaction_id: &str,
    ended_before: i64,
) -> Result<()> {
    tx.execute(
        FREE_TRANSACTION,
        &[transaction_id.into(), ended_before.into()],
    )
    .await?;
    Ok(())
}

/// An sp769 transaction as the status call finds it.
pub(crate) struct TransactionRow {
    pub(crate) id: RequestId,
    pub(crate) state: RequestState,
    pub(crate) transaction_id: String,
    pub(crate) portal: PortalId,
    pub(crate) asked_from: Option<String>,
    pub(crate) tran_code: String,
    pub(crate) ended_at: Option<i64>,
}

/// By tran code first, else by the live transaction id.
pub(crate) async fn by_transaction(store: &Store, tran_id: &str) -> Result<Option<TransactionRow>> {
    let rows = store.all(BY_TRANSACTION, &[tran_id.into()]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(TransactionRow {
            id: row.id("id")?,
            state: state(row)?,
            transaction_id: row.text("transaction_id")?,
            tran_code: row.text("tran_code")?,
            portal: row.id("portal_id")?,
            asked_from: row.opt_text("asked_from")?,
            ended_at: row.opt_int("ended_at")?,
        });
    }
    let by_code = found.iter().position(|row| row.tran_code == tran_id);
    Ok(by_code
        .map(|at| found.swap_remove(at))
        .or_else(|| found.into_iter().next()))
}

/// The sp769 transaction id of a request.
pub(crate) async fn transaction_of(store: &Store, id: RequestId) -> Result<Option<String>> {
    Ok(store
        .one(TRANSACTION, &[id.into()])
        .await?
        .opt_text("transaction_id")?)
}

pub(crate) async fn state_of(tx: &mut Tx, id: RequestId) -> Result<Option<RequestState>> {
    tx.optional(STATES, &[id.into()])
        .await?
        .map(|row| state(&row))
        .transpose()
}

/// Where a request is, and with which approval.
pub(crate) async fn approved_with(
    store: &Store,
    id: RequestId,
) -> Result<Option<(RequestState, Option<Vec<u8>>)>> {
    let row = store.optional(STATES, &[id.into()]).await?;
    row.map(|row| Ok((state(&row)?, row.opt_bytes("statement")?)))
        .transpose()
}

/// Every approved request with its credential.
pub(crate) async fn open_work(store: &Store) -> Result<Vec<(RequestId, CredentialId)>> {
    store
        .all(OPEN_WORK, &[])
        .await?
        .iter()
        .map(|row| Ok((row.id("id")?, row.id("credential_id")?)))
        .collect()
}

/// An approved request with everything the worker needs to sign it.
pub(crate) struct Work {
    pub(crate) id: RequestId,
    pub(crate) kind: RequestKind,
    pub(crate) state: RequestState,
    pub(crate) portal: Option<PortalId>,
    /// The portal has a webhook.
    pub(crate) announced: bool,
    /// The portal may ask for signatures over what nobody can see, by the door this request came through.
    pub(crate) may_ask_blind: bool,
    pub(crate) code: String,
    pub(crate) nonce: String,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) serial: String,
    pub(crate) units: i64,
    pub(crate) approval: Option<Approval>,
    pub(crate) approved_at: Option<i64>,
    pub(crate) expires_at: i64,
    pub(crate) on_screen: bool,
    pub(crate) channel: Option<Channel>,
    pub(crate) documents: Vec<WorkDocument>,
    pub(crate) credential: CredentialId,
    pub(crate) credential_state: CredentialState,
    pub(crate) credential_serial: Option<String>,
    pub(crate) key: Option<CitizenKey>,
    pub(crate) attempt: Option<String>,
    pub(crate) not_after_at: Option<i64>,
    pub(crate) bound_at: Option<i64>,
    pub(crate) enrolment: String,
    pub(crate) units_left: Option<i64>,
}

/// One document as it is signed.
#[derive(Debug, Clone)]
pub(crate) struct WorkDocument {
    pub(crate) name: String,
    pub(crate) format: DocumentFormat,
    pub(crate) document_digest: Vec<u8>,
    pub(crate) to_be_signed: Digest,
    pub(crate) is_consumed: bool,
    /// For a PDF.
    pub(crate) source: Option<PdfSource>,
}

/// What the layout of a PDF was made from, beside certificate and code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PdfSource {
    pub(crate) original: BlobId,
    pub(crate) prepared_at: i64,
    pub(crate) place: Option<Place>,
    pub(crate) layout: i64,
}

/// A request as it was read: one row that does not read must not keep a whole batch from being signed.
pub(crate) type ReadWork = std::result::Result<Work, Error>;

/// The named requests with their documents: two statements, one snapshot.
pub(crate) async fn work(store: &Store, ids: &[RequestId]) -> Result<HashMap<RequestId, ReadWork>> {
    let keys: Vec<Vec<Value>> = ids.iter().map(|id| vec![id.into()]).collect();
    let mut tx = store.read().await?;
    let mut works = HashMap::with_capacity(ids.len());
    for row in tx.all_many(WORK, &[], &keys).await? {
        works.insert(row.id("id")?, read_work(&row));
    }
    for row in tx.all_many(WORK_DOCUMENTS, &[], &keys).await? {
        let Some(read) = works.get_mut(&row.id("request_id")?) else {
            continue;
        };
        match (read.as_mut(), read_work_document(&row)) {
            (Ok(work), Ok((_, document))) => work.documents.push(document),
            (Ok(_), Err(error)) => *read = Err(error),
            (Err(_), _) => {}
        }
    }
    Ok(works)
}

/// Reserves the documents of these requests, each behind what the ledger would call the row after the one that its key row was
/// read as. Those that were reserved: of the others that line is there, so an older key row was put back. The rows are raised
/// before, in the same transaction, so that nobody replaces them meanwhile.
pub(crate) async fn reserve_many(
    tx: &mut Tx,
    requests: &[(RequestId, String)],
) -> Result<HashSet<RequestId>> {
    let rows: Vec<Vec<Value>> = requests
        .iter()
        .map(|(id, next)| vec![id.into(), next.into()])
        .collect();
    let reserved = tx.all_many(RESERVE_MANY, &[], &rows).await?;
    reserved
        .iter()
        .map(|row| Ok(row.id("request_id")?))
        .collect()
}

/// These requests are signed; how many were approved until now.
pub(crate) async fn sign_many(tx: &mut Tx, ids: &[RequestId]) -> Result<u64> {
    let now = tx.now();
    let rows: Vec<Vec<Value>> = ids.iter().map(|id| vec![id.into(), now.into()]).collect();
    Ok(tx.execute_many(SIGN_MANY, &rows).await?)
}

/// The signatures of these requests' documents; how many were reserved until now.
pub(crate) async fn consume_many(
    tx: &mut Tx,
    signatures: &[(RequestId, &[Vec<u8>])],
) -> Result<u64> {
    let rows: Vec<Vec<Value>> = signatures
        .iter()
        .flat_map(|(id, signatures)| {
            signatures
                .iter()
                .enumerate()
                .map(move |(at, signature)| vec![id.into(), count(at).into(), signature.into()])
        })
        .collect();
    Ok(tx.execute_many(CONSUME_MANY, &rows).await?)
}

/// Back to the citizen after a wrong PIN, with another nonce: the old approval is worth nothing any more.
pub(crate) async fn return_to_citizen(
    tx: &mut Tx,
    id: RequestId,
    nonce: &str,
    tries_left: i64,
) -> Result<bool> {
    let returned = tx
        .execute(RETURN, &[id.into(), nonce.into(), tries_left.into()])
        .await?
        == 1;
    tx.execute(UNRESERVE, &[id.into()]).await?;
    Ok(returned)
}

/// Fails a request that is not over yet; whether it was not.
pub(crate) async fn fail(tx: &mut Tx, id: RequestId, code: &str) -> Result<bool> {
    let now = tx.now();
    let failed = tx
        .execute(FAIL, &[id.into(), code.into(), now.into()])
        .await?
        == 1;
    tx.execute(UNRESERVE, &[id.into()]).await?;
    Ok(failed)
}

fn read_work(row: &Row) -> Result<Work> {
    let id: RequestId = row.id("id")?;
    let broken = || corrupt("signature_request", &id);
    let approval = match (
        row.opt_bytes("statement")?,
        row.opt_bytes("device_signature")?,
        row.opt_bytes("sealed_pin")?,
    ) {
        (Some(statement), Some(signature), Some(pin)) => {
            let signature: DeviceSignature = signature_from(&signature).ok_or_else(broken)?;
            let sealed_pin: SealedPin = pin_from(&pin).ok_or_else(broken)?;
            Some(Approval {
                statement,
                signature,
                sealed_pin,
            })
        }
        _ => None,
    };
    Ok(Work {
        id,
        kind: kind(row)?,
        state: state(row)?,
        portal: row.opt_id("portal_id")?,
        announced: row.bool("announced")?,
        may_ask_blind: match kind(row)? {
            RequestKind::Portal => row.bool("may_digests")?,
            RequestKind::Sp769 => row.bool("may_sp769")?,
            RequestKind::Acceptance => false,
        },
        code: row.text("code")?,
        nonce: row.text("nonce")?,
        algorithm: row
            .text("signature_algorithm")?
            .parse()
            .map_err(|_| broken())?,
        serial: row.text("serial")?,
        units: row.int("units")?,
        approval,
        approved_at: row.opt_int("approved_at")?,
        expires_at: row.int("expires_at")?,
        on_screen: row.bool("on_screen")?,
        channel: channel(row)?,
        documents: Vec::new(),
        credential: row.id("credential_id")?,
        credential_state: credential_state(row, "credential_state")?,
        credential_serial: row.opt_text("credential_serial")?,
        key: row
            .opt_bytes("key_row")?
            .map(CitizenKey::from_bytes)
            .transpose()?,
        attempt: row.opt_text("attempt")?,
        not_after_at: row.opt_int("not_after_at")?,
        bound_at: row.opt_int("bound_at")?,
        enrolment: row.text("enrolment")?,
        units_left: row.opt_int("units_left")?,
    })
}

fn read_work_document(row: &Row) -> Result<(RequestId, WorkDocument)> {
    let request: RequestId = row.id("request_id")?;
    Ok((
        request,
        WorkDocument {
            name: row.text("name")?,
            format: format(row, request)?,
            document_digest: row.bytes("document_digest")?,
            to_be_signed: digest(row, "to_be_signed", request)?,
            is_consumed: row.text("state")? == "consumed",
            source: read_source(row, request)?,
        },
    ))
}

fn read_source(row: &Row, request: RequestId) -> Result<Option<PdfSource>> {
    let broken = || corrupt("signature_document", &request);
    let (Some(original), Some(prepared_at)) =
        (row.opt_text("original_blob")?, row.opt_int("prepared_at")?)
    else {
        return Ok(None);
    };
    let place = match row.opt_text("mark_place")? {
        Some(text) => Some(place_from(&text).ok_or_else(broken)?),
        None => None,
    };
    Ok(Some(PdfSource {
        original: original.parse().map_err(|_| broken())?,
        prepared_at,
        place,
        layout: row.int("layout")?,
    }))
}

/// A place as it is stored: page, left and bottom, with a blank between. `f32` writes itself so that it reads back the same.
fn place_text(place: Place) -> String {
    format!("{} {} {}", place.page, place.left, place.bottom)
}

fn place_from(text: &str) -> Option<Place> {
    let mut parts = text.split(' ');
    let place = Place {
        page: parts.next()?.parse().ok()?,
        left: parts.next()?.parse().ok()?,
        bottom: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(place)
}

fn read(row: &Row, provider: &str) -> Result<RequestView> {
    let id: RequestId = row.id("id")?;
    let portal: Option<PortalId> = row.opt_id("portal_id")?;
    Ok(RequestView {
        id,
        kind: kind(row)?,
        state: state(row)?,
        portal,
        portal_word: super::portal_word(portal),
        portal_name: row
            .opt_text("portal_name")?
            .unwrap_or_else(|| provider.to_owned()),
        credential: row.id("credential_id")?,
        description: row.opt_text("description")?,
        return_url: row.opt_text("return_url")?,
        code: row.text("code")?,
        nonce: row.text("nonce")?,
        documents: Vec::new(),
        signature_algorithm: row
            .text("signature_algorithm")?
            .parse()
            .map_err(|_| corrupt("signature_request", &id))?,
        on_screen: row.bool("on_screen")?,
        channel: channel(row)?,
        tries_left: row.opt_int("tries_left")?,
        failure: row.opt_text("failure")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
        approved_at: row.opt_int("approved_at")?,
        signed_at: row.opt_int("signed_at")?,
        ended_at: row.opt_int("ended_at")?,
    })
}

fn read_document(row: &Row, request: RequestId) -> Result<DocumentView> {
    let broken = || corrupt("signature_document", &request);
    let format = format(row, request)?;
    let to_be_signed = digest(row, "to_be_signed", request)?;
    let document_digest = match format {
        DocumentFormat::Pdf => Digest::new(DigestAlgorithm::Sha256, row.bytes("document_digest")?)
            .map_err(|_| broken())?,
        DocumentFormat::Digest => to_be_signed.clone(),
    };
    Ok(DocumentView {
        position: usize::try_from(row.int("position")?).map_err(|_| broken())?,
        name: row.text("name")?,
        format,
        doc_id: row.opt_text("doc_id")?,
        byte_count: row.int("byte_count")?,
        page_count: row.opt_int("page_count")?,
        document_digest,
        to_be_signed,
        previewed: format == DocumentFormat::Pdf,
        signature: row.opt_bytes("signature")?,
    })
}

fn format(row: &Row, request: RequestId) -> Result<DocumentFormat> {
    DocumentFormat::from_stored(&row.text("format")?)
        .ok_or_else(|| corrupt("signature_document", &request))
}

fn digest(row: &Row, column: &str, request: RequestId) -> Result<Digest> {
    let broken = || corrupt("signature_document", &request);
    let algorithm: DigestAlgorithm = row
        .text("digest_algorithm")?
        .parse()
        .map_err(|_| broken())?;
    Digest::new(algorithm, row.bytes(column)?).map_err(|_| broken())
}

fn kind(row: &Row) -> Result<RequestKind> {
    let word = row.text("kind")?;
    RequestKind::from_stored(&word).ok_or_else(|| corrupt("signature_request", &word))
}

fn channel(row: &Row) -> Result<Option<Channel>> {
    row.opt_text("channel")?
        .map(|word| channel_from_stored(&word).ok_or_else(|| corrupt("signature_request", &word)))
        .transpose()
}

fn state(row: &Row) -> Result<RequestState> {
    let word = row.text("state")?;
    RequestState::from_stored(&word).ok_or_else(|| corrupt("signature_request", &word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_exactly() {
        for (left, bottom) in [(0.1, 72.0), (595.276, 1.0e-7), (f32::MAX, -3.3)] {
            let place = Place {
                page: 3,
                left,
                bottom,
            };
            assert_eq!(place_from(&place_text(place)), Some(place));
        }
        for wrong in ["", "1 2", "1 2 3 4", "-1 2 3", "1  2 3"] {
            assert_eq!(place_from(wrong), None, "{wrong:?}");
        }
    }
}
