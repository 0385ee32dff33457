//! The proof that a line is in the ledger, for whoever the line is about: its texts, and the chain of hashes from it to the first
//! checkpoint that covers it. Needs nothing but SHA-256 and the checkpoint's key to be checked.
//!
//! Of the lines in between it gives digests only: they are about others.

use super::table::{self, read_checkpoint, read_hash, read_stored};
use super::{BATCH, BEFORE_FIRST, CHECKPOINT_MAX};
use crate::{Error, Result, Store};

/// A line as it was hashed: texts, not what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `evt_…`
    pub id: String,
    /// What happened.
    pub kind: String,
    /// What it happened to.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// JSON.
    pub detail: String,
    /// When, ms since 1970.
    pub at: i64,
}

/// Where a line stands, and the way from it to a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub position: i64,
    /// Hash of the line before; zeros before the first.
    pub previous: [u8; 32],
    /// Contents of the lines after it, up to the checkpoint's last, each as its digest.
    pub between: Vec<[u8; 32]>,
    /// The signed note.
    pub checkpoint: String,
}

/// A line and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The line.
    pub line: Line,
    /// None until a checkpoint covers it, which takes about a second.
    pub place: Option<Place>,
}

/// Proves the newest line of this subject and kind; `None` if there is none.
///
/// # Errors
/// What the database says; [`Error::LedgerProof`] when too many lines stand between it and its checkpoint.
pub async fn prove(store: &Store, subject: &str, kind: &str) -> Result<Option<Proof>> {
    let args = [subject.into(), 1.into(), kind.into()];
    let Some(row) = store.optional(table::TAIL_OF_KIND, &args).await? else {
        return Ok(None);
    };
    let stored = read_stored(&row)?;
    let place = match stored.position {
        Some(position) => place(store, position).await?,
        None => None,
    };
    let line = stored.into_line();
    Ok(Some(Proof { line, place }))
}

async fn place(store: &Store, position: i64) -> Result<Option<Place>> {
    let args = [(position - 1).into(), 1.into()];
    let Some(row) = store.optional(table::CHECKPOINTS_AFTER, &args).await? else {
        return Ok(None);
    };
    let checkpoint = read_checkpoint(&row)?;
    let previous = match position {
        1 => BEFORE_FIRST,
        _ => {
            let before = store.one(table::HASH_AT, &[(position - 1).into()]).await?;
            read_hash(&before.text("hash")?)
        }
    };
    // An older build put more between two checkpoints after an outage.
    let expected = checkpoint.size - position;
    if expected > CHECKPOINT_MAX {
        return Err(Error::LedgerProof { position });
    }
    let expected = usize::try_from(expected).unwrap_or(0);
    let mut between = Vec::with_capacity(expected);
    while between.len() < expected {
        let read = i64::try_from(between.len()).unwrap_or(i64::MAX);
        let left = (expected - between.len()).min(BATCH as usize);
        let left = i64::try_from(left).unwrap_or(i64::MAX);
        let args = [(position + read).into(), left.into()];
        let rows = store.all(table::AFTER, &args).await?;
        if rows.is_empty() {
            // The checkpoint covers what is not there: `verify` says more.
            return Err(Error::LedgerProof { position });
        }
        for row in &rows {
            between.push(read_stored(row)?.content());
        }
    }
    Ok(Some(Place {
        position,
        previous,
        between,
        checkpoint: checkpoint.note,
    }))
}
