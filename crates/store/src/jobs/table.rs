//! The rows of `job`, and every statement about them.

use super::{FailedJob, Job};
use crate::{Error, Result, Row};

pub(crate) const ENQUEUE: &str = "-- store.job.enqueue
INSERT INTO job (id, kind, key, payload, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (kind, key) WHERE failed_at IS NULL DO UPDATE SET
    payload = excluded.payload,
    due_at = CASE WHEN job.leased_until IS NULL AND excluded.due_at < job.due_at
                  THEN excluded.due_at ELSE job.due_at END,
    again_at = CASE WHEN job.leased_until IS NULL THEN NULL
                    WHEN job.again_at < excluded.due_at THEN job.again_at ELSE excluded.due_at END";

/// `due_at` moves to the end of the lease: a worker that dies leaves a job that becomes due by itself.
/// What was asked for before the claim is served by it, so `again_at` is cleared.
macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "-- store.job.claim
WITH due AS MATERIALIZED (
    SELECT id FROM job
    WHERE failed_at IS NULL AND due_at <= $2 AND kind IN (VALUES ($4))
    ORDER BY due_at, id LIMIT $3 ",
            $lock,
            "
)
UPDATE job SET due_at = $1, leased_until = $1, again_at = NULL, lease = lease + 1, attempts = attempts + 1
WHERE id IN (SELECT id FROM due)
RETURNING id, kind, key, payload, attempts, lease, leased_until"
        )
    };
}

pub(super) const CLAIM_SQLITE: &str = claim!("");

/// Workers that claim at the same time pass over each other's rows instead of waiting for them.
pub(super) const CLAIM_POSTGRES: &str = claim!("FOR UPDATE SKIP LOCKED");

pub(super) const NEXT_DUE: &str = "-- store.job.next_due
SELECT MIN(due_at) AS due_at FROM job WHERE failed_at IS NULL AND kind IN (VALUES ($1))";

pub(super) const FINISH: &str = "-- store.job.finish
DELETE FROM job
WHERE again_at IS NULL AND failed_at IS NULL AND (id, lease) IN (VALUES ($1, CAST($2 AS BIGINT)))";

pub(super) const RUN_AGAIN: &str = "-- store.job.run_again
UPDATE job SET due_at = again_at, again_at = NULL, leased_until = NULL, attempts = 0, error_code = NULL
WHERE again_at IS NOT NULL AND failed_at IS NULL AND (id, lease) IN (VALUES ($1, CAST($2 AS BIGINT)))";

pub(super) const RETRY: &str = "-- store.job.retry
UPDATE job SET due_at = CASE WHEN again_at < $3 THEN again_at ELSE $3 END,
               again_at = NULL, leased_until = NULL, error_code = $4
WHERE id = $1 AND lease = $2 AND failed_at IS NULL";

pub(super) const FAIL: &str = "-- store.job.fail
UPDATE job SET failed_at = CASE WHEN again_at IS NULL THEN CAST($3 AS BIGINT) END,
               due_at = COALESCE(again_at, due_at),
               again_at = NULL, leased_until = NULL, error_code = $4
WHERE id = $1 AND lease = $2 AND failed_at IS NULL";

/// Only of jobs still in hand: one that was given back has the same number, but no lease.
macro_rules! extend {
    ($lock:literal) => {
        concat!(
            "-- store.job.extend
WITH held AS MATERIALIZED (
    SELECT id FROM job
    WHERE failed_at IS NULL AND leased_until IS NOT NULL AND (id, lease) IN (VALUES ($2, CAST($3 AS BIGINT))) ",
            $lock,
            "
)
UPDATE job SET due_at = $1, leased_until = $1 WHERE id IN (SELECT id FROM held)
RETURNING id"
        )
    };
}

pub(super) const EXTEND_SQLITE: &str = extend!("");

/// A row that somebody is about to end is passed over: two that wait for each other's rows would cost a result.
pub(super) const EXTEND_POSTGRES: &str = extend!("FOR UPDATE SKIP LOCKED");

pub(super) const REVIVE: &str = "-- store.job.revive
UPDATE job SET failed_at = NULL, due_at = $2, attempts = 0 WHERE id = $1 AND failed_at IS NOT NULL";

pub(super) const OPEN: &str = "-- store.job.open
SELECT kind, COUNT(id) AS open FROM job WHERE failed_at IS NULL GROUP BY kind ORDER BY kind";

/// Waiting is what is due, or was tried and waits for another try, and is in nobody's hands. What was tried waits since it was asked for:
/// its time to come again says nothing about how long it has been wanted.
pub(super) const BACKLOG: &str = "-- store.job.backlog
SELECT kind, SUM(CASE WHEN failed_at IS NULL THEN 1 ELSE 0 END) AS open, SUM(CASE WHEN failed_at IS NULL THEN 0 ELSE 1 END) AS failed,
    SUM(waiting) AS waiting, MIN(CASE WHEN waiting = 1 THEN since_at END) AS since_at
FROM (
    SELECT kind, failed_at, CASE WHEN attempts > 0 THEN created_at ELSE due_at END AS since_at,
        CASE WHEN failed_at IS NULL AND (due_at <= $1 OR (attempts > 0 AND leased_until IS NULL)) THEN 1 ELSE 0 END AS waiting
    FROM job
) AS seen GROUP BY kind";

pub(super) const FAILED: &str = "-- store.job.failed
SELECT id, kind, key, attempts, error_code, failed_at FROM job
WHERE failed_at IS NOT NULL ORDER BY failed_at DESC, id LIMIT $1";

pub(crate) const STATEMENTS: &[&str] = &[
    ENQUEUE, NEXT_DUE, FINISH, RUN_AGAIN, RETRY, FAIL, REVIVE, OPEN, BACKLOG, FAILED,
];

#[cfg(feature = "testing")]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[CLAIM_SQLITE, EXTEND_SQLITE];

#[cfg(feature = "testing")]
pub(crate) const STATEMENTS_POSTGRES: &[&str] =
    &[CLAIM_POSTGRES, EXTEND_POSTGRES, super::wake::RING];

pub(super) fn read_job(row: &Row) -> Result<Job> {
    let payload = row.text("payload")?;
    Ok(Job {
        id: row.id("id")?,
        kind: row.text("kind")?,
        key: row.text("key")?,
        payload: serde_json::from_str(&payload).map_err(|_| Error::Column {
            column: "payload".to_owned(),
            expected: "JSON",
            found: "text".to_owned(),
        })?,
        attempts: row.int("attempts")?,
        leased_until: row.int("leased_until")?,
        lease: row.int("lease")?,
    })
}

pub(super) fn read_failed(row: &Row) -> Result<FailedJob> {
    Ok(FailedJob {
        id: row.id("id")?,
        kind: row.text("kind")?,
        key: row.text("key")?,
        attempts: row.int("attempts")?,
        error_code: row.text("error_code")?,
        failed_at: row.int("failed_at")?,
    })
}
