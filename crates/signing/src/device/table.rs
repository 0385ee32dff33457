//! The rows of this folder: the only SQL.

pub(crate) const STATEMENTS: &[&str] = &[];
