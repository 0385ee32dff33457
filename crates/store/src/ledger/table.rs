//! The rows of `ledger_entry` and `ledger_checkpoint`, every statement about them, and the hash of an entry.

use aws_lc_rs::digest;

use super::proof::Line;
use super::{Checkpoint, Entry, Event, EventId};
use crate::{Error, Result, Row, Value};

pub(crate) const INSERT: &str = "-- store.ledger.insert
INSERT INTO ledger_entry (id, kind, subject, actor, detail, at) VALUES ($1, $2, $3, $4, $5, $6)";

pub(super) const UNSEALED: &str = "-- store.ledger.unsealed
SELECT id, kind, subject, actor, detail, at, position, hash FROM ledger_entry
WHERE position IS NULL ORDER BY id LIMIT $1";

pub(super) const COUNT_UNSEALED: &str = "-- store.ledger.count_unsealed
SELECT COUNT(id) AS unsealed FROM ledger_entry WHERE position IS NULL";

pub(super) const UNCOVERED: &str = "-- store.ledger.uncovered
SELECT CAST(SUM(entries) AS BIGINT) AS entries, MIN(at) AS at FROM (
    SELECT COUNT(id) AS entries, MIN(at) AS at FROM ledger_entry WHERE position IS NULL
    UNION ALL
    SELECT COUNT(id) AS entries, MIN(at) AS at FROM ledger_entry WHERE position > (SELECT COALESCE(MAX(size), 0) FROM ledger_checkpoint)
) AS uncovered";

pub(super) const HEAD: &str = "-- store.ledger.head
SELECT position, hash FROM ledger_entry WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1";

pub(super) const HASH_AT: &str = "-- store.ledger.hash_at
SELECT hash FROM ledger_entry WHERE position = $1";

/// `VALUES` names its columns column1, column2, … on both databases.
pub(super) const SEAL: &str = "-- store.ledger.seal
UPDATE ledger_entry SET position = sealed.column2, hash = sealed.column3
FROM (VALUES ($1, CAST($2 AS BIGINT), $3)) AS sealed
WHERE ledger_entry.id = sealed.column1 AND ledger_entry.position IS NULL";

pub(super) const AFTER: &str = "-- store.ledger.after
SELECT id, kind, subject, actor, detail, at, position, hash FROM ledger_entry
WHERE position > $1 ORDER BY position LIMIT $2";

pub(super) const INSERT_CHECKPOINT: &str = "-- store.ledger.insert_checkpoint
INSERT INTO ledger_checkpoint (size, head, note, at) VALUES ($1, $2, $3, $4) ON CONFLICT (size) DO NOTHING";

pub(super) const LAST_CHECKPOINT: &str = "-- store.ledger.last_checkpoint
SELECT size, head, note FROM ledger_checkpoint ORDER BY size DESC LIMIT 1";

pub(super) const CHECKPOINTS_AFTER: &str = "-- store.ledger.checkpoints_after
SELECT size, head, note FROM ledger_checkpoint WHERE size > $1 ORDER BY size LIMIT $2";

pub(super) const TAIL: &str = "-- store.ledger.tail
SELECT id, kind, subject, actor, detail, at, position, hash FROM ledger_entry
WHERE subject = $1 ORDER BY id DESC LIMIT $2";

pub(super) const TAIL_OF_KIND: &str = "-- store.ledger.tail_of_kind
SELECT id, kind, subject, actor, detail, at, position, hash FROM ledger_entry
WHERE subject = $1 AND kind = $3 ORDER BY id DESC LIMIT $2";

pub(super) const COUNT_OF_KIND: &str = "-- store.ledger.count_of_kind
SELECT COUNT(id) AS entries FROM ledger_entry WHERE kind = $1";

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UNSEALED,
    COUNT_UNSEALED,
    UNCOVERED,
    HEAD,
    HASH_AT,
    SEAL,
    AFTER,
    INSERT_CHECKPOINT,
    LAST_CHECKPOINT,
    CHECKPOINTS_AFTER,
    TAIL,
    TAIL_OF_KIND,
    COUNT_OF_KIND,
];

/// An entry as stored: the texts that were hashed, not what they mean.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: String,
    kind: String,
    subject: String,
    actor: String,
    detail: String,
    at: i64,
    pub(super) position: Option<i64>,
    pub(super) hash: Option<[u8; 32]>,
}

impl Stored {
    /// The hash this entry has at `position` after an entry with the hash `previous`.
    ///
    /// SHA-256 over a domain word, the previous hash, the position and the digest of the content: a proof can pass over a line
    /// without saying what is in it.
    pub(super) fn hash_at(&self, position: i64, previous: &[u8; 32]) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"kyso.ledger.v1\n");
        context.update(previous);
        context.update(&position.to_be_bytes());
        context.update(&self.content());
        finish(context)
    }

    /// SHA-256 over a domain word, every field behind its length, so that no two different entries have the same input, and the
    /// time.
    pub(super) fn content(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"kyso.ledger.line.v1\n");
        for field in [
            &self.id,
            &self.kind,
            &self.subject,
            &self.actor,
            &self.detail,
        ] {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        context.update(&self.at.to_be_bytes());
        finish(context)
    }

    pub(super) fn into_line(self) -> Line {
        Line {
            id: self.id,
            kind: self.kind,
            subject: self.subject,
            actor: self.actor,
            detail: self.detail,
            at: self.at,
        }
    }
}

fn finish(context: digest::Context) -> [u8; 32] {
    let mut hash = [0u8; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

pub(crate) fn row(id: EventId, event: &Event<'_>, at: i64) -> Vec<Value> {
    let detail = serde_json::Value::Object(event.detail.clone()).to_string();
    vec![
        id.into(),
        event.kind.into(),
        event.subject.into(),
        event.actor.into(),
        detail.into(),
        at.into(),
    ]
}

pub(super) fn read_stored(row: &Row) -> Result<Stored> {
    Ok(Stored {
        id: row.text("id")?,
        kind: row.text("kind")?,
        subject: row.text("subject")?,
        actor: row.text("actor")?,
        detail: row.text("detail")?,
        at: row.int("at")?,
        position: row.opt_int("position")?,
        hash: row.opt_text("hash")?.map(|text| read_hash(&text)),
    })
}

/// A text that is no hash is a hash that nothing has: an edit, to be reported as such.
pub(super) fn read_hash(text: &str) -> [u8; 32] {
    let mut hash = [0u8; 32];
    if hex::decode_to_slice(text, &mut hash).is_err() {
        hash = [0xff; 32];
    }
    hash
}

pub(super) fn read_entry(row: &Row) -> Result<Entry> {
    let stored = read_stored(row)?;
    Ok(Entry {
        detail: serde_json::from_str(&stored.detail).map_err(|_| Error::Column {
            column: "detail".to_owned(),
            expected: "a JSON object",
            found: "text".to_owned(),
        })?,
        id: stored.id,
        kind: stored.kind,
        subject: stored.subject,
        actor: stored.actor,
        at: stored.at,
        position: stored.position,
    })
}

pub(super) fn read_checkpoint(row: &Row) -> Result<Checkpoint> {
    Ok(Checkpoint {
        size: row.int("size")?,
        head: read_hash(&row.text("head")?),
        note: row.text("note")?,
    })
}
