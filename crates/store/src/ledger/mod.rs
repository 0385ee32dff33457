//! The ledger.

use crate::{Result, Store};

/// One line of the ledger. Ids and codes only.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What happened: `signing.request.approved`.
    pub kind: &'a str,
    /// What it happened to: an id.
    pub subject: &'a str,
    /// Who did it: an id, or `system`.
    pub actor: &'a str,
    /// Ids, codes, counts.
    pub detail: serde_json::Map<String, serde_json::Value>,
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
    pub detail: serde_json::Map<String, serde_json::Value>,
    /// When, ms since 1970.
    pub at: i64,
    /// Its place in the chain, from 1; none before it is sealed.
    pub position: Option<i64>,
}

/// The key the checkpoints are signed with, as a C2SP signed note names it.
#[derive(Debug, Clone)]
pub struct NoteKey {
    /// Key name and origin of the note: `ledger.example.org`; no space, no plus.
    pub name: String,
    /// Signature type identifier: `[0x01]` for Ed25519, `[0xff, …]` for one of our own.
    pub algorithm: Vec<u8>,
    /// The public key's bytes as the algorithm wants them in the key id.
    pub public_key: Vec<u8>,
}

/// A checkpoint.
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
    /// The checkpoint made, if there was anything new.
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
    /// The entry's id, where there is one.
    pub entry: Option<String>,
    /// What is wrong there.
    pub how: How,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Its content is not what was sealed.
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
    /// The chain ends before the checkpoint does: the tail was cut off, or an old database restored.
    Truncated {
        /// Entries the checkpoint covers.
        checkpoint: i64,
    },
    /// The whole chain was computed anew: the checkpoint says otherwise.
    Rewritten {
        /// The first checkpoint that disagrees.
        checkpoint: i64,
    },
    /// The checkpoint of this size is not signed by the key, or cannot be read.
    CheckpointForged {
        /// Its size.
        checkpoint: i64,
    },
}

/// Orders what is unsealed, chains it, has the checkpoint signed (no transaction open meanwhile), stores and publishes it.
/// `sign` gets the text of the note.
pub async fn seal<F, E>(
    store: &Store,
    key: &NoteKey,
    sign: impl FnOnce(Vec<u8>) -> F,
) -> Result<Sealed>
where
    F: Future<Output = std::result::Result<Vec<u8>, E>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _ = (store, key, sign);
    todo!()
}

/// Reads the whole ledger and names the first entry that is not what was sealed. `valid` checks a signature over a text.
/// `published` is a signed note kept outside the database, if there is one.
pub async fn verify(
    store: &Store,
    key: &NoteKey,
    valid: impl Fn(&[u8], &[u8]) -> bool,
    published: Option<&str>,
) -> Result<Report> {
    let _ = (store, key, valid, published);
    todo!()
}

/// At start: refuses a database older than (or another than) the last published checkpoint in the store's `published` folder.
pub async fn check_published(store: &Store) -> Result<()> {
    let _ = store;
    todo!()
}

/// The published note in the store's `published` folder, if any.
pub fn published(store: &Store) -> Result<Option<String>> {
    let _ = store;
    todo!()
}

/// The entries of a subject, newest first; `kind` narrows it.
pub async fn tail(
    store: &Store,
    subject: &str,
    kind: Option<&str>,
    most: u32,
) -> Result<Vec<Entry>> {
    let _ = (store, subject, kind, most);
    todo!()
}
