//! The store: one database, its connections, its clock.

use std::path::PathBuf;
use std::sync::Arc;

use crate::id::TypedId;
use crate::{BlobId, Clock, Entropy, Job, Migration, Result, Row, Tx, Value, Wake};

/// A database, opened. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) clock: Clock,
}

/// Which database is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// PostgreSQL, over a connection.
    Postgres,
}

/// What can be chosen when a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
    /// Connections: all of them on PostgreSQL, the reading ones on SQLite (which has one writer).
    pub connections: u32,
    /// How long to wait for a connection or the write lock, ms.
    pub wait_ms: u64,
    /// Wait for the disk at commit. `false` only for tests on data nobody misses.
    pub durable: bool,
    /// Folder outside the database for published checkpoints of the ledger.
    pub published: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Clock::System,
            entropy: Entropy::System,
            connections: 8,
            wait_ms: 5_000,
            durable: true,
            published: None,
        }
    }
}

impl Store {
    /// Opens `sqlite:///path/kyso.db` (created if missing), `sqlite::memory:` (a private database that ends with the last
    /// handle) or `postgres://…`, with the machine's clock. Does not migrate.
    pub async fn open(url: &str) -> Result<Store> {
        Store::open_with(url, Options::default()).await
    }

    /// Opens with choices.
    pub async fn open_with(url: &str, options: Options) -> Result<Store> {
        let _ = (url, options);
        todo!()
    }

    /// Applies what is missing of `migrations` (usually [`MIGRATIONS`](crate::MIGRATIONS)), all or nothing, and says how many.
    /// Two nodes starting together apply each once.
    ///
    /// # Errors
    /// `DatabaseNewer`, `MigrationEdited`, `MigrationFailed`, `MigrationList`.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<u64> {
        let _ = migrations;
        todo!()
    }

    /// A transaction that writes: `BEGIN IMMEDIATE` on SQLite, `BEGIN` (read committed) on PostgreSQL.
    pub async fn write(&self) -> Result<Tx> {
        todo!()
    }

    /// A transaction that reads one snapshot and refuses writes.
    pub async fn read(&self) -> Result<Tx> {
        todo!()
    }

    /// One row, read outside any transaction.
    pub async fn one(&self, sql: &'static str, args: &[Value]) -> Result<Row> {
        let _ = (sql, args);
        todo!()
    }

    /// A row or none, read outside any transaction.
    pub async fn optional(&self, sql: &'static str, args: &[Value]) -> Result<Option<Row>> {
        let _ = (sql, args);
        todo!()
    }

    /// All rows, read outside any transaction.
    pub async fn all(&self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>> {
        let _ = (sql, args);
        todo!()
    }

    /// Leases up to `most` due jobs of these kinds for `lease_ms`, in one statement.
    pub async fn claim(&self, kinds: &[&str], most: u32, lease_ms: i64) -> Result<Vec<Job>> {
        let _ = (kinds, most, lease_ms);
        todo!()
    }

    /// When the next job of these kinds is due (or its lease ends), if there is one.
    pub async fn next_due(&self, kinds: &[&str]) -> Result<Option<i64>> {
        let _ = kinds;
        todo!()
    }

    /// Tells a worker that jobs were enqueued, here or on another node.
    pub fn wake(&self) -> Wake {
        todo!()
    }

    /// The bytes of a blob, checked against its digest.
    pub async fn read_blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        let _ = id;
        todo!()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Milliseconds since 1970, from the store's clock.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// A new id.
    pub fn id<T: TypedId>(&self) -> T {
        todo!()
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        todo!()
    }

    /// Closes every connection; later calls are `Unavailable`.
    pub async fn close(&self) {
        todo!()
    }
}
