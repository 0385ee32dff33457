//! Rows of `delivery`: the only SQL about them.

use kyso_store::{Row, Store, Tx, Value};

use crate::{DeliveryId, PortalId, RequestId, Result};

pub(crate) const STATEMENTS: &[&str] =
    &[ANNOUNCE, INSERT, BY_ID, OF_REQUEST, RECORD, OPEN, OF_PORTAL];

const ANNOUNCE: &str = "-- webhook.announce
INSERT INTO delivery (id, request_id, portal_id, state, created_at)
SELECT $1, $2, p.id, 'pending', CAST($4 AS BIGINT) FROM portal p WHERE p.id = $3 AND p.webhook_url IS NOT NULL
ON CONFLICT (request_id) DO NOTHING";

const INSERT: &str = "-- webhook.insert
INSERT INTO delivery (id, request_id, portal_id, state, created_at) VALUES ($1, $2, $3, $4, $5)";

const BY_ID: &str = "-- webhook.by_id
SELECT id, request_id, portal_id, state, attempts, last_status, last_failure, tried_at, created_at, ended_at FROM delivery WHERE id = $1";

const OF_REQUEST: &str = "-- webhook.of_request
SELECT id, request_id, portal_id, state, attempts, last_status, last_failure, tried_at, created_at, ended_at FROM delivery WHERE request_id = $1";

const OF_PORTAL: &str = "-- webhook.of_portal
SELECT id, request_id, portal_id, state, attempts, last_status, last_failure, tried_at, created_at, ended_at FROM delivery
WHERE portal_id = $1 ORDER BY id DESC LIMIT $2";

const RECORD: &str = "-- webhook.record
UPDATE delivery SET state = $2, attempts = attempts + 1, last_status = $3, last_failure = $4, tried_at = $5, ended_at = $6
WHERE id = $1 AND state = 'pending'";

const OPEN: &str = "-- webhook.open
SELECT id FROM delivery WHERE state = 'pending' ORDER BY id";

use super::state::{Delivery, DeliveryState};

/// Announces the end of a request if its portal has a webhook; whether there is something to deliver.
pub(crate) async fn announce(
    tx: &mut Tx,
    id: DeliveryId,
    request: RequestId,
    portal: PortalId,
) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(
            ANNOUNCE,
            &[id.into(), request.into(), portal.into(), now.into()],
        )
        .await?
        == 1)
}

/// As [`announce`], for requests whose portals are known to have webhooks.
pub(crate) async fn insert_many(
    tx: &mut Tx,
    announced: &[(DeliveryId, RequestId, PortalId)],
) -> Result<()> {
    let now = tx.now();
    let rows: Vec<Vec<Value>> = announced
        .iter()
        .map(|(id, request, portal)| {
            vec![
                id.into(),
                request.into(),
                portal.into(),
                "pending".into(),
                now.into(),
            ]
        })
        .collect();
    tx.execute_many(INSERT, &rows).await?;
    Ok(())
}

pub(crate) async fn by_id(store: &Store, id: DeliveryId) -> Result<Option<Delivery>> {
    store
        .optional(BY_ID, &[id.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn of_request(store: &Store, request: RequestId) -> Result<Option<Delivery>> {
    store
        .optional(OF_REQUEST, &[request.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn of_portal(
    store: &Store,
    portal: PortalId,
    most: usize,
) -> Result<Vec<Delivery>> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    store
        .all(OF_PORTAL, &[portal.into(), most.into()])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Whether the result of this request goes out by webhook.
pub(crate) async fn is_announced(store: &Store, request: RequestId) -> Result<bool> {
    Ok(of_request(store, request).await?.is_some())
}

pub(crate) async fn record(
    tx: &mut Tx,
    id: DeliveryId,
    state: DeliveryState,
    status: Option<u16>,
    failure: Option<&str>,
) -> Result<bool> {
    let now = tx.now();
    let ended_at = (state != DeliveryState::Pending).then_some(now);
    let args = [
        id.into(),
        state.as_str().into(),
        status.map(i64::from).into(),
        failure.into(),
        now.into(),
        ended_at.into(),
    ];
    Ok(tx.execute(RECORD, &args).await? == 1)
}

pub(crate) async fn open(store: &Store) -> Result<Vec<DeliveryId>> {
    store
        .all(OPEN, &[])
        .await?
        .iter()
        .map(|row| Ok(row.id("id")?))
        .collect()
}

fn read(row: &Row) -> Result<Delivery> {
    let id: DeliveryId = row.id("id")?;
    let word = row.text("state")?;
    let state = DeliveryState::from_stored(&word)
        .ok_or_else(|| crate::device::table::corrupt("delivery", &id))?;
    Ok(Delivery {
        id,
        request: row.id("request_id")?,
        portal: row.id("portal_id")?,
        state,
        attempts: row.int("attempts")?,
        last_status: row.opt_int("last_status")?,
        last_failure: row.opt_text("last_failure")?,
        tried_at: row.opt_int("tried_at")?,
        created_at: row.int("created_at")?,
        ended_at: row.opt_int("ended_at")?,
    })
}
