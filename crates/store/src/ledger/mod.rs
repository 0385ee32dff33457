//! The audit ledger: what happened, provably.
//!
//! ```text
//!  Tx::record ──► ledger_entry (unsealed)          in the commit of the change it speaks of
//!  seal       ──► position, hash = H(previous hash, position, content)     one chain, one order
//!             ──► ledger_checkpoint: "n entries, ending with this hash", a signed note
//!             ──► published/checkpoint, outside the database
//!  verify     ◄── needs the public key only; names the first entry that is not what was sealed
//!  prove      ──► one line, and the hashes from it to a checkpoint: for whoever the line is about
//! ```
//!
//! Recording costs one more row in a commit that happens anyway. Sealing runs beside, about once a second.
//!
//! # Invariants
//!
//! - An entry holds ids, codes and counts, never personal data: it outlives the right to be forgotten.
//! - A sealed entry never changes, and has one position; positions have no gaps.
//! - Two nodes sealing at once: one wins, the other finds nothing to do.
//! - Never publishes a checkpoint that is behind the published one, or of another history: see [`check_published`].
//!
//! # Known limits
//!
//! What is recorded and not yet sealed can still be edited unseen: keep the interval short. While the sealing key is away the
//! chain grows by [`CHECKPOINT_MAX`] entries only.

mod note;
mod proof;
mod published;
mod table;
mod verify;

use serde_json::{Map, Value as Json};

pub use note::NoteKey;
pub use proof::{Line, Place, Proof, prove};
pub use published::{accept_restored, check_published, published};
pub(crate) use table::{INSERT, STATEMENTS, row};
pub use verify::verify;

use crate::{Error, Result, Store, Tx, Value};
use note::Claim;

crate::typed_id!(
    /// A line of the ledger.
    EventId, "evt"
);

/// What happened. Ids and codes only.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What happened: `signing.request.approved`.
    pub kind: &'a str,
    /// What it happened to: an id.
    pub subject: &'a str,
    /// Who did it: an id, or `system`.
    pub actor: &'a str,
    /// Ids, codes, counts.
    pub detail: Map<String, Json>,
}

/// One line as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `evt_…`
    pub id: String,
    /// What happened.
    pub kind: String,
    /// What it happened to.
    pub subject: String,
    /// Who did it.
    pub actor: String,
    /// Ids, codes, counts.
    pub detail: Map<String, Json>,
    /// When, ms since 1970.
    pub at: i64,
    /// Its place in the chain, from 1; none before it is sealed.
    pub position: Option<i64>,
}

/// A signed statement about the whole ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries it covers.
    pub size: i64,
    /// Hash of the last of them.
    pub head: [u8; 32],
    /// The signed note.
    pub note: String,
}

/// What a sealing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Entries put into the chain by this call.
    pub entries: u64,
    /// The checkpoint made by this call, if there was anything new.
    pub checkpoint: Option<Checkpoint>,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Sealed entries read and right.
    pub sealed: i64,
    /// Entries recorded, not yet sealed.
    pub unsealed: i64,
    /// Checkpoints read and right.
    pub checkpoints: u64,
    /// The first thing that is wrong, if any.
    pub broken: Option<Broken>,
}

/// The first place where the ledger is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Position in the chain, from 1.
    pub position: i64,
    /// The id of the entry that stands there, where there is one.
    pub entry: Option<String>,
    /// What is wrong there.
    pub how: How,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry #{}", self.position)?;
        if let Some(entry) = &self.entry {
            write!(f, " ({entry})")?;
        }
        match self.how {
            How::Edited => write!(f, " was edited"),
            How::Deleted => write!(f, " was deleted"),
            How::Inserted => write!(f, " was inserted after sealing"),
            How::Swapped { with } => write!(f, " was swapped with #{with}"),
            How::Truncated { checkpoint } => write!(
                f,
                " and all after it are missing; the checkpoint covers {checkpoint}"
            ),
            How::Rewritten { checkpoint } => write!(
                f,
                ": the chain was computed anew; the checkpoint of {checkpoint} disagrees"
            ),
            How::CheckpointMissing { checkpoint } => write!(
                f,
                ": the checkpoint of {checkpoint} was published and is missing in the database"
            ),
            How::CheckpointForged { checkpoint } => {
                write!(f, ": the checkpoint of {checkpoint} is forged")
            }
        }
    }
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its content or hash is not what was sealed.
    Edited,
    /// It was deleted.
    Deleted,
    /// It was put in between after sealing.
    Inserted,
    /// It changed places with another.
    Swapped {
        /// The other position.
        with: i64,
    },
    /// The chain ends before a checkpoint does: the tail was cut off, or an old database restored.
    Truncated {
        /// Entries the checkpoint covers.
        checkpoint: i64,
    },
    /// The chain was computed anew from about here: a checkpoint says otherwise.
    Rewritten {
        /// Size of the first checkpoint that disagrees.
        checkpoint: i64,
    },
    /// A checkpoint that was published is not among those of the database: somebody deleted it.
    CheckpointMissing {
        /// Its size.
        checkpoint: i64,
    },
    /// A checkpoint is not signed by the key, or does not say what its row says.
    CheckpointForged {
        /// Its size.
        checkpoint: i64,
    },
}

/// How far the checkpoints are behind what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Entries that no checkpoint covers.
    pub entries: i64,
    /// How old the oldest of them is, in milliseconds; 0 when there is none.
    pub oldest_ms: i64,
}

/// Entries sealed in one transaction.
const BATCH: u32 = 1024;

/// Entries that one checkpoint adds, at most: how far a line is from its checkpoint, and so what its proof costs.
const CHECKPOINT_MAX: i64 = 4 * BATCH as i64;

const BEFORE_FIRST: [u8; 32] = [0; 32];

/// Orders and chains what is unsealed, has the new head signed (no transaction is open meanwhile), keeps the checkpoint and
/// publishes it; after an outage as often as there are [`CHECKPOINT_MAX`] entries. `sign` gets the note's text and returns the
/// signature's bytes.
///
/// # Errors
/// [`Error::Sign`]; [`Error::LedgerBehind`] and [`Error::LedgerForked`] if the published checkpoint says that this is an old
/// database: then nothing is sealed.
pub async fn seal<F, E>(
    store: &Store,
    key: &NoteKey,
    mut sign: impl FnMut(Vec<u8>) -> F,
) -> Result<Sealed>
where
    F: Future<Output = std::result::Result<Vec<u8>, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    key.check()?;
    check_published(store).await?;
    let mut sealed = Sealed {
        entries: 0,
        checkpoint: None,
    };
    loop {
        let entries = chain_up_to_a_checkpoint(store).await?;
        crate::failpoint!("store.ledger.chained");
        let checkpoint = cover(store, key, &mut sign).await?;
        sealed.entries += entries;
        sealed.checkpoint = checkpoint.or(sealed.checkpoint);
        if entries < CHECKPOINT_MAX.unsigned_abs() {
            return Ok(sealed);
        }
    }
}

/// A batch per transaction, until nothing is left or a checkpoint has to come first.
async fn chain_up_to_a_checkpoint(store: &Store) -> Result<u64> {
    let mut entries = 0;
    loop {
        match chain(store).await {
            Ok(0) => return Ok(entries),
            Ok(count) => entries += count,
            // Another node is at it: it does the rest.
            Err(Error::Conflict { .. } | Error::Constraint { .. } | Error::Contended { .. }) => {
                return Ok(entries);
            }
            Err(error) => return Err(error),
        }
    }
}

/// A checkpoint over what is chained, if there is none yet.
async fn cover<F, E>(
    store: &Store,
    key: &NoteKey,
    sign: impl FnOnce(Vec<u8>) -> F,
) -> Result<Option<Checkpoint>>
where
    F: Future<Output = std::result::Result<Vec<u8>, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Also what a crash left between chaining and signing.
    let Some(head) = store.optional(table::HEAD, &[]).await? else {
        return Ok(None);
    };
    let (size, head) = (head.int("position")?, table::read_hash(&head.text("hash")?));
    let last = store
        .optional(table::LAST_CHECKPOINT, &[])
        .await?
        .map(|row| table::read_checkpoint(&row))
        .transpose()?;
    if let Some(last) = last.filter(|last| last.size >= size) {
        published::publish(store, last.size, &last.note).await?;
        return Ok(None);
    }

    // Sign, keep, publish; in this order, so that what is published is in the database.
    let claim = Claim {
        origin: key.name.clone(),
        size,
        head,
    };
    let signature = sign(claim.text().into_bytes())
        .await
        .map_err(|error| Error::Sign(error.into()))?;
    let note = note::sign(&claim, key, &signature);
    let mut tx = store.write().await?;
    let args = [
        size.into(),
        hex::encode(head).into(),
        note.as_str().into(),
        tx.now().into(),
    ];
    let kept = tx.execute(table::INSERT_CHECKPOINT, &args).await?;
    tx.commit().await?;
    crate::failpoint!("store.ledger.signed");
    published::publish(store, size, &note).await?;
    Ok((kept == 1).then_some(Checkpoint { size, head, note }))
}

/// The entries of a subject, newest first; `kind` narrows it.
///
/// # Errors
/// What the database says.
pub async fn tail(
    store: &Store,
    subject: &str,
    kind: Option<&str>,
    most: u32,
) -> Result<Vec<Entry>> {
    let (sql, args) = tail_of(subject, kind, most);
    let rows = store.all(sql, &args).await?;
    rows.iter().map(table::read_entry).collect()
}

/// As [`tail`], within a transaction: for who writes a line only if there is none like it.
///
/// # Errors
/// What the database says.
pub async fn tail_in(
    tx: &mut Tx,
    subject: &str,
    kind: Option<&str>,
    most: u32,
) -> Result<Vec<Entry>> {
    let (sql, args) = tail_of(subject, kind, most);
    let rows = tx.all(sql, &args).await?;
    rows.iter().map(table::read_entry).collect()
}

fn tail_of(subject: &str, kind: Option<&str>, most: u32) -> (&'static str, Vec<Value>) {
    let mut args: Vec<Value> = vec![subject.into(), most.into()];
    args.extend(kind.map(Value::from));
    match kind {
        Some(_) => (table::TAIL_OF_KIND, args),
        None => (table::TAIL, args),
    }
}

/// How far the checkpoints are behind.
///
/// # Errors
/// What the database says.
pub async fn lag(store: &Store) -> Result<Lag> {
    let row = store.one(table::UNCOVERED, &[]).await?;
    Ok(Lag {
        entries: row.int("entries")?,
        oldest_ms: row.opt_int("at")?.map_or(0, |at| store.now() - at),
    })
}

/// How many entries of a kind there are, sealed or not. Reads them all: for `verify-store`.
///
/// # Errors
/// What the database says.
pub async fn count(store: &Store, kind: &str) -> Result<i64> {
    store
        .one(table::COUNT_OF_KIND, &[kind.into()])
        .await?
        .int("entries")
}

/// Gives the next unsealed entries their positions and hashes, but none that would be further than [`CHECKPOINT_MAX`] from the last
/// checkpoint: while the key is away they wait. The unique index on positions and the guard on `position IS NULL` make sure
/// that of two nodes one fails.
async fn chain(store: &Store) -> Result<u64> {
    let mut tx = store.write().await?;
    let head = tx.optional(table::HEAD, &[]).await?;
    let (mut position, mut hash) = match head {
        Some(row) => (row.int("position")?, table::read_hash(&row.text("hash")?)),
        None => (0, BEFORE_FIRST),
    };
    let covered = tx.optional(table::LAST_CHECKPOINT, &[]).await?;
    let covered = covered.map_or(Ok(0), |row| row.int("size"))?;
    let room = (covered + CHECKPOINT_MAX - position).clamp(0, BATCH.into());
    let mut rows = Vec::new();
    for row in tx.all(table::UNSEALED, &[room.into()]).await? {
        let entry = table::read_stored(&row)?;
        position += 1;
        hash = entry.hash_at(position, &hash);
        rows.push(vec![
            entry.id.into(),
            position.into(),
            hex::encode(hash).into(),
        ]);
    }
    let expected = rows.len() as u64;
    let changed = tx.execute_many(table::SEAL, &rows).await?;
    if changed != expected {
        return Err(Error::Conflict {
            table: "ledger_entry",
            expected,
            changed,
        });
    }
    tx.commit().await?;
    Ok(expected)
}
