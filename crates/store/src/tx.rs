//! A transaction.

use crate::id::TypedId;
use crate::{BlobId, Event, Job, Result, Row, Value};

/// An open transaction. Dropped without [`commit`](Tx::commit), it never happened.
///
/// After a statement failed, every further call is [`Error::Aborted`](crate::Error::Aborted). `Conflict` with nothing
/// changed and `NotFound` are answers, not failures: reading on to say why is fine.
#[derive(Debug)]
pub struct Tx {}

impl Tx {
    /// The one instant of this transaction, ms since 1970.
    pub fn now(&self) -> i64 {
        todo!()
    }

    /// A new id.
    pub fn id<T: TypedId>(&self) -> T {
        todo!()
    }

    /// Exactly the first row; [`Error::NotFound`](crate::Error::NotFound) if there is none.
    pub async fn one(&mut self, sql: &'static str, args: &[Value]) -> Result<Row> {
        let _ = (sql, args);
        todo!()
    }

    /// The first row, or none.
    pub async fn optional(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>> {
        let _ = (sql, args);
        todo!()
    }

    /// All rows.
    pub async fn all(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>> {
        let _ = (sql, args);
        todo!()
    }

    /// Runs a write and says how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value]) -> Result<u64> {
        let _ = (sql, args);
        todo!()
    }

    /// Runs a write that must change exactly `expected` rows of `table`, or [`Error::Conflict`](crate::Error::Conflict).
    pub async fn change(
        &mut self,
        table: &'static str,
        expected: u64,
        sql: &'static str,
        args: &[Value],
    ) -> Result<()> {
        let _ = (table, expected, sql, args);
        todo!()
    }

    /// Runs a single-row `INSERT … VALUES ($1, …)` for many rows, a few statements for all of them.
    pub async fn execute_many(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<u64> {
        let _ = (sql, rows);
        todo!()
    }

    /// Asks for work after this commit. While a job of this kind and key is open there is no second one: if it is waiting,
    /// it becomes due at the earlier time; if a worker holds it, it runs once more afterwards. Written at commit.
    pub fn enqueue(&mut self, kind: &str, key: &str, payload: &serde_json::Value, due_at: i64) {
        let _ = (kind, key, payload, due_at);
        todo!()
    }

    /// The job is done. [`Error::LeaseLost`](crate::Error::LeaseLost) if another worker took it meanwhile; then this transaction cannot commit.
    pub async fn finish(&mut self, job: &Job) -> Result<()> {
        self.finish_many(std::slice::from_ref(job)).await
    }

    /// Many jobs are done, in one statement; refused as a whole if one lease is lost.
    pub async fn finish_many(&mut self, jobs: &[Job]) -> Result<()> {
        let _ = jobs;
        todo!()
    }

    /// The job is to run again at `due_at`; `error_code` says why.
    pub async fn retry(&mut self, job: &Job, due_at: i64, error_code: &str) -> Result<()> {
        let _ = (job, due_at, error_code);
        todo!()
    }

    /// The job will not run again; it stays visible as failed.
    pub async fn fail(&mut self, job: &Job, error_code: &str) -> Result<()> {
        let _ = (job, error_code);
        todo!()
    }

    /// Writes a line of the audit ledger with this commit. Ids and codes only, no personal data.
    pub fn record(&mut self, event: Event<'_>) {
        let _ = event;
        todo!()
    }

    /// Stores bytes under their SHA-256; storing the same bytes twice is one blob.
    pub async fn put_blob(&mut self, bytes: &[u8]) -> Result<BlobId> {
        let _ = bytes;
        todo!()
    }

    /// The bytes of a blob.
    pub async fn read_blob(&mut self, id: &BlobId) -> Result<Vec<u8>> {
        let _ = id;
        todo!()
    }

    /// Makes it durable.
    pub async fn commit(self) -> Result<()> {
        todo!()
    }
}
