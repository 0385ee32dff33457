//! Work that must happen after a commit.
//!
//! A job is asked for in the transaction that makes it necessary ([`Tx::enqueue`]), claimed by a worker for the time of a
//! lease ([`Store::claim`]), and ended in the transaction that holds its result ([`Tx::finish`], [`Tx::retry`],
//! [`Tx::fail`]).
//!
//! ```text
//!            enqueue                claim                     finish
//!   (none) ──────────► waiting ───────────────► leased ─────────────────────► (none)
//!                         ▲  ▲                   │ │ │
//!                         │  └── lease ran out ──┘ │ └── fail ──► failed, kept to be seen
//!                         └───── retry ────────────┘              (revive: waiting again)
//! ```
//!
//! # Invariants
//!
//! - While a job is open there is no second one of its kind and key. Asked for again while a worker holds it, it runs once
//!   more: the worker may have read the state before the second change.
//! - A lease is a number that rises with every claim (a fencing token). A worker whose lease was taken over cannot commit
//!   its result, however late it wakes up.
//! - Work that takes longer than its lease keeps it ([`Store::hold`]): nobody else begins what is in hand.
//! - An open job ends: lease or worker lost, it becomes due again.

mod table;
pub(crate) mod wake;

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use table::{ENQUEUE, STATEMENTS};
#[cfg(feature = "testing")]
pub(crate) use table::{STATEMENTS_POSTGRES, STATEMENTS_SQLITE};
pub use wake::Wake;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::store::Db;
use crate::{Error, Result, Store, Tx, Value};

crate::typed_id!(
    /// A job.
    JobId, "job"
);

/// A job this worker holds the lease of.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// What it is about; unique per kind while open.
    pub key: String,
    /// Parameters: ids and codes.
    pub payload: serde_json::Value,
    /// How many times it has been claimed since it was asked for, this one included.
    pub attempts: i64,
    /// When the lease ends, ms since 1970.
    pub leased_until: i64,
    /// The fencing token.
    pub lease: i64,
}

/// A job that will not run again unless somebody revives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedJob {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: String,
    /// What it is about.
    pub key: String,
    /// How many times it was tried.
    pub attempts: i64,
    /// Why it failed.
    pub error_code: String,
    /// When, ms since 1970.
    pub failed_at: i64,
}

/// How far work of one kind is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Waiting or leased.
    pub open: i64,
    /// Due, or tried and to be tried again, and in nobody's hands.
    pub waiting: i64,
    /// For how long the oldest of these has been wanted, in milliseconds; 0 when there is none.
    pub oldest_ms: i64,
    /// Given up, kept to be seen.
    pub failed: i64,
}

/// A job asked for in a transaction, not yet written.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) kind: String,
    key: String,
    payload: String,
    due_at: i64,
}

/// Jobs whose leases do not end until this is dropped ([`Store::hold`]), or the process dies.
#[derive(Debug)]
pub struct Held {
    _held: oneshot::Sender<()>,
}

/// The shortest time leases are extended by: a worker that was late to begin does not write all the time.
const LEASE_MS_MIN: i64 = 300;

impl Tx {
    /// Asks for work after this commit, at `due_at` or later. While a job of this kind and key is open there is no second
    /// one: if it waits, it becomes due at the earlier of both times; if a worker holds it, it runs once more afterwards.
    /// The newer payload counts. Written at commit, so statements before do not see it.
    pub fn enqueue(&mut self, kind: &str, key: &str, payload: &serde_json::Value, due_at: i64) {
        let asked = Asked {
            kind: kind.to_owned(),
            key: key.to_owned(),
            payload: payload.to_string(),
            due_at,
        };
        self.jobs.push(asked);
    }

    /// The job is done.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker took it meanwhile; then this transaction cannot commit.
    pub async fn finish(&mut self, job: &Job) -> Result<()> {
        self.finish_many(std::slice::from_ref(job)).await
    }

    /// Many jobs are done, in one statement.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker took one of them; then this transaction cannot commit.
    pub async fn finish_many(&mut self, jobs: &[Job]) -> Result<()> {
        let held: Vec<Vec<Value>> = jobs
            .iter()
            .map(|job| vec![job.id.into(), job.lease.into()])
            .collect();
        let mut ended = self.execute_many(table::FINISH, &held).await?;
        if ended < jobs.len() as u64 {
            ended += self.execute_many(table::RUN_AGAIN, &held).await?;
        }
        self.all_held(jobs, ended)
    }

    /// The job is to run again at `due_at`; `error_code` says why.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn retry(&mut self, job: &Job, due_at: i64, error_code: &str) -> Result<()> {
        let args = [
            job.id.into(),
            job.lease.into(),
            due_at.into(),
            error_code.into(),
        ];
        let changed = self.execute(table::RETRY, &args).await?;
        self.all_held(std::slice::from_ref(job), changed)
    }

    /// The job will not run again; it stays to be seen. If it was asked for again meanwhile, it does run again.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn fail(&mut self, job: &Job, error_code: &str) -> Result<()> {
        let args = [
            job.id.into(),
            job.lease.into(),
            self.now().into(),
            error_code.into(),
        ];
        let changed = self.execute(table::FAIL, &args).await?;
        self.all_held(std::slice::from_ref(job), changed)
    }

    /// Makes a failed job due now.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it is not failed; [`Error::Constraint`] if one of its kind and key is open already.
    pub async fn revive(&mut self, job: &JobId) -> Result<()> {
        self.change("job", 1, table::REVIVE, &[job.into(), self.now().into()])
            .await
    }

    /// Fencing: a result without the lease must not be kept.
    fn all_held(&mut self, jobs: &[Job], ended: u64) -> Result<()> {
        if ended == jobs.len() as u64 {
            return Ok(());
        }
        self.doom();
        let job = match jobs {
            [one] => one.id.to_string(),
            many => format!("one of {}", many.len()),
        };
        Err(Error::LeaseLost { job })
    }
}

impl Store {
    /// Leases up to `most` due jobs of these kinds for `lease_ms`, oldest first, in one statement. Durable when it returns.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(&self, kinds: &[&str], most: u32, lease_ms: i64) -> Result<Vec<Job>> {
        // Writers wait for each other; to find nothing, reading will do.
        if self
            .next_due(kinds)
            .await?
            .is_none_or(|due| due > self.now())
        {
            return Ok(Vec::new());
        }
        let mut tx = self.write().await?;
        let sql = match self.0.db {
            Db::Sqlite { .. } => table::CLAIM_SQLITE,
            Db::Postgres(_) => table::CLAIM_POSTGRES,
        };
        let (now, until) = (tx.now(), tx.now() + lease_ms);
        let kinds: Vec<Vec<Value>> = kinds.iter().map(|kind| vec![(*kind).into()]).collect();
        let mut jobs = Vec::new();
        for row in tx
            .all_many(sql, &[until.into(), now.into(), most.into()], &kinds)
            .await?
        {
            jobs.push(table::read_job(&row)?);
        }
        tx.commit().await?;
        jobs.sort_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Keeps the leases of claimed jobs from ending while they are worked on, each time for as long as was left of them now.
    /// What ends meanwhile drops out; what another worker took stays taken.
    #[must_use = "the leases are kept until this is dropped"]
    pub fn hold(&self, jobs: &[Job]) -> Held {
        let (held, mut dropped) = oneshot::channel::<()>();
        let left = jobs.iter().map(|job| job.leased_until - self.now()).min();
        let lease_ms = left.unwrap_or(0).max(LEASE_MS_MIN);
        let rows: Vec<Vec<Value>> = jobs
            .iter()
            .map(|job| vec![job.id.into(), job.lease.into()])
            .collect();
        let store = self.clone();
        tokio::spawn(async move {
            let third = Duration::from_millis(lease_ms.unsigned_abs() / 3);
            while timeout(third, &mut dropped).await.is_err() {
                if let Err(error) = store.extend(&rows, lease_ms).await {
                    tracing::warn!(%error, "leases could not be extended");
                }
            }
        });
        Held { _held: held }
    }

    async fn extend(&self, held: &[Vec<Value>], lease_ms: i64) -> Result<()> {
        let mut tx = self.write().await?;
        let sql = match self.0.db {
            Db::Sqlite { .. } => table::EXTEND_SQLITE,
            Db::Postgres(_) => table::EXTEND_POSTGRES,
        };
        let until = tx.now() + lease_ms;
        tx.all_many(sql, &[until.into()], held).await?;
        tx.commit().await
    }

    /// When the next job of these kinds is due (or its lease ends), if any is open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_due(&self, kinds: &[&str]) -> Result<Option<i64>> {
        let kinds: Vec<Vec<Value>> = kinds.iter().map(|kind| vec![(*kind).into()]).collect();
        let mut next = None;
        for row in self.all_many(table::NEXT_DUE, &[], &kinds).await? {
            let due = row.opt_int("due_at")?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// How many jobs are open, per kind: waiting or leased.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_jobs(&self) -> Result<BTreeMap<String, i64>> {
        let rows = self.all(table::OPEN, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.text("kind")?, row.int("open")?)))
            .collect()
    }

    /// How far the work is behind, per kind of which there is any job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn backlog(&self) -> Result<BTreeMap<String, Backlog>> {
        let now = self.now();
        let rows = self.all(table::BACKLOG, &[now.into()]).await?;
        rows.iter()
            .map(|row| {
                let backlog = Backlog {
                    open: row.int("open")?,
                    waiting: row.int("waiting")?,
                    oldest_ms: row.opt_int("since_at")?.map_or(0, |since| now - since),
                    failed: row.int("failed")?,
                };
                Ok((row.text("kind")?, backlog))
            })
            .collect()
    }

    /// The failed jobs, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn failed_jobs(&self, most: u32) -> Result<Vec<FailedJob>> {
        self.all(table::FAILED, &[most.into()])
            .await?
            .iter()
            .map(table::read_failed)
            .collect()
    }

    /// Tells a worker that jobs of these kinds were asked for, here or on another node.
    pub fn wake(&self, kinds: &[&str]) -> Wake {
        self.0.bell.listen(kinds)
    }
}

/// The rows to insert: one per kind and key (one statement must not touch a row twice), in one order everywhere (two nodes
/// must not wait for each other).
pub(crate) fn rows(store: &Store, asked: Vec<Asked>, now: i64) -> Vec<Vec<Value>> {
    let mut jobs: BTreeMap<(String, String), (String, i64)> = BTreeMap::new();
    for Asked {
        kind,
        key,
        payload,
        due_at,
    } in asked
    {
        jobs.entry((kind, key))
            .and_modify(|(older, due)| (*older, *due) = (payload.clone(), due_at.min(*due)))
            .or_insert((payload, due_at));
    }
    jobs.into_iter()
        .map(|((kind, key), (payload, due_at))| {
            vec![
                store.id::<JobId>().into(),
                kind.into(),
                key.into(),
                payload.into(),
                due_at.into(),
                now.into(),
            ]
        })
        .collect()
}
