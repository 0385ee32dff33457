//! The last checkpoint, kept outside the database: what tells a restored old database from a new one.
//!
//! One file, `checkpoint`, in the store's `published` folder, replaced atomically and only by a checkpoint that is ahead,
//! under a lock (`checkpoint.lock`), because several nodes may share the folder.
//! The folder should lie where a restore of the database does not reach it: another disk, another machine.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::table::{self, read_hash};
use super::{Event, note};
use crate::{Error, Result, Store};

const FILE: &str = "checkpoint";

/// At start: refuses a database older than the last published checkpoint, or with another history. Nothing published, or no
/// folder configured, is fine.
///
/// # Errors
/// [`Error::LedgerBehind`], [`Error::LedgerForked`]; [`Error::Note`] or [`Error::File`] if the file cannot be read.
pub async fn check_published(store: &Store) -> Result<()> {
    let Some(published) = published(store)? else {
        return Ok(());
    };
    check(store, &published).await
}

/// The operator's way out of a database that had to be restored from a backup: writes down that its ledger is behind, or
/// beside, the published checkpoint, and sets that aside as `checkpoint.superseded-<size>`, never to be deleted. What was
/// done after the backup is lost; the record says so for good. The next sealing publishes anew.
///
/// Returns whether there was anything to accept.
///
/// # Errors
/// Those of [`check_published`] but the two it accepts.
pub async fn accept_restored(store: &Store, actor: &str) -> Result<bool> {
    let Some(published) = published(store)? else {
        return Ok(false);
    };
    match check(store, &published).await {
        Ok(()) => return Ok(false),
        Err(Error::LedgerBehind { .. } | Error::LedgerForked { .. }) => {}
        Err(error) => return Err(error),
    }
    let claim = note::read(&published)?;
    let head = store.optional(table::HEAD, &[]).await?;
    let found = head.map_or(Ok(0), |row| row.int("position"))?;
    let detail = json!({
        "published_size": claim.size,
        "published_head": hex::encode(claim.head),
        "found_size": found,
    });
    let mut tx = store.write().await?;
    tx.record(Event {
        kind: "ledger.restore.accepted",
        subject: "ledger",
        actor,
        detail: detail.as_object().cloned().unwrap_or_default(),
    });
    tx.commit().await?;
    if let Some(folder) = &store.0.published {
        let aside = folder.join(format!("{FILE}.superseded-{}", claim.size));
        std::fs::rename(folder.join(FILE), aside).map_err(|source| Error::File {
            what: "the published checkpoint cannot be set aside".to_owned(),
            source,
        })?;
    }
    Ok(true)
}

/// The published note, if any.
///
/// # Errors
/// [`Error::File`].
pub fn published(store: &Store) -> Result<Option<String>> {
    let Some(folder) = &store.0.published else {
        return Ok(None);
    };
    match std::fs::read_to_string(folder.join(FILE)) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            what: "the published checkpoint cannot be read".to_owned(),
            source,
        }),
    }
}

/// Publishes `note`, which covers `size` entries, unless something further is published already.
pub(super) async fn publish(store: &Store, size: i64, note: &str) -> Result<()> {
    let Some(folder) = store.0.published.clone() else {
        return Ok(());
    };
    check_published(store).await?;
    let note = note.to_owned();
    tokio::task::spawn_blocking(move || replace_if_behind(&folder, size, &note))
        .await
        .unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
        .map_err(|source| Error::File {
            what: "the checkpoint cannot be published".to_owned(),
            source,
        })
}

async fn check(store: &Store, published: &str) -> Result<()> {
    let claim = note::read(published)?;
    if claim.size == 0 {
        return Ok(());
    }
    match store.optional(table::HASH_AT, &[claim.size.into()]).await? {
        Some(row) if read_hash(&row.text("hash")?) == claim.head => Ok(()),
        Some(_) => Err(Error::LedgerForked { size: claim.size }),
        None => {
            let head = store.optional(table::HEAD, &[]).await?;
            let found = head.map_or(Ok(0), |row| row.int("position"))?;
            Err(Error::LedgerBehind {
                published: claim.size,
                found,
            })
        }
    }
}

/// Writes beside, then renames: a crash leaves the old file or the new one. The lock goes with its file handle.
fn replace_if_behind(folder: &Path, size: i64, note: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let lock = std::fs::File::create(folder.join(format!("{FILE}.lock")))?;
    lock.lock()?;
    let further = |published: String| note::read(&published).is_ok_and(|claim| claim.size >= size);
    if std::fs::read_to_string(folder.join(FILE)).is_ok_and(further) {
        return Ok(());
    }
    let beside = folder.join(format!("{FILE}.new"));
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, folder.join(FILE))?;
    std::fs::File::open(folder)?.sync_all()
}
