//! Temporary databases for tests.

use crate::{Clock, Store};

/// A migrated database of its own for one test.
#[derive(Debug)]
pub struct Database {
    /// The open store, with a fixed clock at 2026-11-22T10:00:00Z.
    pub store: Store,
    /// Its URL, to open it a second time (another node).
    pub url: String,
    /// The store's clock.
    pub clock: Clock,
}

impl Database {
    /// A new SQLite file.
    pub async fn sqlite() -> Database {
        todo!()
    }
    /// A new PostgreSQL database, or none (said on the console) where PostgreSQL is not installed.
    pub async fn postgres() -> Option<Database> {
        todo!()
    }
    /// Opens the same database again, as another node would; the clock is shared.
    pub async fn another_node(&self) -> Store {
        todo!()
    }
}

/// Prepares every statement on both databases; panics with the list of those that do not prepare, that lack `-- name`,
/// or that name columns by `*`.
pub async fn prepare_all(statements: &[&'static str]) {
    let _ = statements;
    todo!()
}
