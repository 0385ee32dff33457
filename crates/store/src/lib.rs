//! One transaction over SQLite or PostgreSQL, and what every part of the service needs inside it.
//!
//! ```text
//! Store ── write() ─► Tx ── change, execute, one, all     own SQL, `$n` placeholders, the same text on both databases
//!   │                  ├── enqueue                        jobs: claimed many at a time, leases with fencing tokens
//!   │                  ├── record                         the audit ledger, in the same commit; sealed later
//!   │                  ├── put_blob                       bytes by their SHA-256
//!   │                  └── commit                         durable when it returns
//!   ├── read() ──► Tx      one snapshot, refuses writes
//!   └── claim, wake, id, now
//! ```
//!
//! The dialect both databases understand: `TEXT`, `BIGINT`, `BYTEA`, `BOOLEAN`; `ON CONFLICT`, `RETURNING`, partial unique
//! indexes, `CHECK`; no JSON functions, no date functions, no sequences. Every statement is a constant whose first line is
//! `-- name`, listed in a `STATEMENTS` slice that a test prepares on both databases.
//!
//! # Invariants
//!
//! - What `commit` reported is on disk (SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on`).
//! - A transaction in which a statement failed cannot commit, on either database.
//! - A guarded change ([`Tx::change`]) that met other rows than expected is an error, never a silence.
//! - The same constraint has the same name in [`Error::Constraint`] on both databases.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod blob;
mod clock;
mod copy;
mod driver;
mod entropy;
mod error;
pub mod failpoint;
pub mod id;
pub mod jobs;
pub mod ledger;
mod migrate;
mod readers;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tx;
mod value;
mod writer;

pub use blob::{BlobId, SealedBlobs};
pub use clock::Clock;
pub use entropy::Entropy;
pub use error::{Error, Result, Rule};
pub use id::{IdError, TypedId};
pub use jobs::{Backlog, Held, Job, Wake};
pub use ledger::Event;
pub use migrate::{MIGRATIONS, Migration};
pub use store::{Engine, Options, Store};
pub use tx::Tx;
pub use value::{Row, Value};

/// Every statement of this crate that both databases run.
pub fn statements() -> Vec<&'static str> {
    [
        jobs::STATEMENTS,
        ledger::STATEMENTS,
        blob::STATEMENTS,
        migrate::STATEMENTS,
        store::STATEMENTS,
    ]
    .concat()
}
