//! The invariants of this crate, counted over the rows: for `kyso verify-store`.

use crate::{Registration, Result};

pub(crate) const STATEMENTS: &[&str] = &[];

/// What was counted, and every disagreement found.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Name of the count and the count, in a stable order.
    pub counts: Vec<(&'static str, i64)>,
    /// What disagrees.
    pub broken: Vec<Broken>,
}

/// One broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its short name.
    pub invariant: &'static str,
    /// What disagrees, with ids only.
    pub message: String,
}

impl Registration {
    /// Reads everything, changes nothing.
    pub async fn verify(&self) -> Result<Verified> {
        todo!()
    }
}
