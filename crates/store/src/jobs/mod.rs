//! Jobs.

use std::time::Duration;

/// A job somebody holds the lease of.
#[derive(Debug, Clone)]
pub struct Job {
    /// `job_…`
    pub id: String,
    /// What kind of work.
    pub kind: String,
    /// What it is about; unique per kind while open.
    pub key: String,
    /// Parameters: ids and codes.
    pub payload: serde_json::Value,
    /// How many times it has been claimed, this one included.
    pub attempts: i64,
    /// When the lease ends, ms since 1970.
    pub leased_until: i64,
    /// The fencing token: rises with every claim.
    pub lease: i64,
}

/// A worker's ear.
#[derive(Debug)]
pub struct Wake {}

impl Wake {
    /// Returns when jobs were enqueued since the last call, or after `at_most`.
    pub async fn wait(&mut self, at_most: Duration) {
        let _ = at_most;
        todo!()
    }
}
