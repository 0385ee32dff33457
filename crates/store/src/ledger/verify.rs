//! Reading the whole ledger against its hashes and checkpoints.
//!
//! Needs nothing secret: the public key is enough. Every hash covers position, predecessor and content, so the first entry
//! that does not fit names the place; what follows it tells an edit from a deletion, an insertion or an exchange.

use super::note::{self, NoteKey};
use super::table::{self, Stored, read_checkpoint, read_stored};
use super::{Broken, Checkpoint, How, Report};
use crate::{Result, Store, Tx};

const PAGE: usize = 1000;
const BEFORE_FIRST: [u8; 32] = [0; 32];

/// Reads the whole ledger and names the first entry that is not what was sealed.
///
/// `valid` checks a signature (second) over a text (first). `published` is a signed note kept outside the database, if there
/// is one; without it, a ledger cut off together with its checkpoints looks whole.
///
/// # Errors
/// [`Error::Note`](crate::Error::Note) if `published` is not signed by the key; what the database says. What is wrong
/// *inside* the ledger is not an error but the report.
pub async fn verify(
    store: &Store,
    key: &NoteKey,
    valid: impl Fn(&[u8], &[u8]) -> bool,
    published: Option<&str>,
) -> Result<Report> {
    let outside = published
        .map(|note| note::open(note, key, &valid))
        .transpose()?;
    let mut tx = store.read().await?;
    let unsealed = tx.one(table::COUNT_UNSEALED, &[]).await?.int("unsealed")?;
    let mut report = Report {
        sealed: 0,
        unsealed,
        checkpoints: 0,
        broken: None,
    };

    let mut walk = Walk {
        position: 0,
        head: BEFORE_FIRST,
        vouched: 0,
    };
    let mut checkpoints = Checkpoints {
        page: Vec::new(),
        after: 0,
    };
    let published_size = outside.as_ref().map_or(0, |claim| claim.size);
    // Kept before it is published, so what was published is there.
    let mut is_published_kept = published_size == 0;
    loop {
        let entries = read_page(&mut tx, walk.position).await?;
        for (index, entry) in entries.iter().enumerate() {
            if let Some(how) = walk.step(entry, &entries[index + 1..]) {
                report.broken = Some(how);
                break;
            }
            while let Some(checkpoint) = checkpoints.take(&mut tx, walk.position).await? {
                report.broken = report
                    .broken
                    .or_else(|| walk.compare(&checkpoint, key, &valid));
                report.checkpoints += u64::from(report.broken.is_none());
                is_published_kept |= checkpoint.size == published_size;
            }
            if let Some(claim) = &outside
                && claim.size == walk.position
                && claim.head != walk.head
            {
                report.broken = report.broken.or_else(|| Some(walk.rewritten(claim.size)));
            }
            if report.broken.is_some() {
                break;
            }
        }
        report.sealed = walk.position;
        if report.broken.is_some() {
            return Ok(report);
        }
        if entries.len() < PAGE {
            break;
        }
    }
    // Nothing wrong up to the end: is it the end?
    let inside = checkpoints
        .take(&mut tx, i64::MAX)
        .await?
        .map(|checkpoint| checkpoint.size);
    let promised = inside
        .into_iter()
        .chain([published_size])
        .max()
        .unwrap_or(0);
    if promised > walk.position {
        let how = How::Truncated {
            checkpoint: promised,
        };
        report.broken = Some(Broken {
            position: walk.position + 1,
            entry: None,
            how,
        });
    } else if !is_published_kept {
        let how = How::CheckpointMissing {
            checkpoint: published_size,
        };
        report.broken = Some(Broken {
            position: published_size,
            entry: None,
            how,
        });
    }
    Ok(report)
}

/// Where the reading stands.
struct Walk {
    /// The last entry read and found right.
    position: i64,
    /// Its hash.
    head: [u8; 32],
    /// The size of the last checkpoint that agreed.
    vouched: i64,
}

impl Walk {
    /// Takes the next entry, or says what is wrong with it. `rest` is what follows on the page.
    fn step(&mut self, entry: &Stored, rest: &[Stored]) -> Option<Broken> {
        let position = self.position + 1;
        let here = |how| {
            Some(Broken {
                position,
                entry: Some(entry.id.clone()),
                how,
            })
        };
        if entry.position != Some(position) {
            return Some(Broken {
                position,
                entry: None,
                how: How::Deleted,
            });
        }
        let due = entry.hash_at(position, &self.head);
        if entry.hash == Some(due) {
            (self.position, self.head) = (position, due);
            return None;
        }
        let belongs_here = |other: &&Stored| {
            let hash = Some(other.hash_at(position, &self.head));
            // Its row was moved with its hash, or its content without.
            hash == other.hash || hash == entry.hash
        };
        let next = rest.first();
        match rest.iter().find(belongs_here) {
            // The next one belongs here, and this one nowhere: it was put in between.
            Some(other)
                if next.is_some_and(|next| next.id == other.id)
                    && !self.fits_after(entry, other) =>
            {
                here(How::Inserted)
            }
            Some(other) => here(How::Swapped {
                with: other.position.unwrap_or_default(),
            }),
            // What follows was sealed one place further on: one is missing and the rest was moved up.
            None if next.is_some_and(|next| self.moved_up(entry, next)) => here(How::Deleted),
            None => here(How::Edited),
        }
    }

    /// Whether `first` and `second`, read here in this order, were sealed in the other.
    fn fits_after(&self, first: &Stored, second: &Stored) -> bool {
        let position = self.position + 1;
        let before = second.hash_at(position, &self.head);
        let after = Some(first.hash_at(position + 1, &before));
        after == first.hash || after == second.hash
    }

    fn moved_up(&self, entry: &Stored, next: &Stored) -> bool {
        let sealed_at = self.position + 3;
        entry
            .hash
            .is_some_and(|hash| next.hash == Some(next.hash_at(sealed_at, &hash)))
    }

    /// A checkpoint of the present size must say the present head.
    fn compare(
        &mut self,
        checkpoint: &Checkpoint,
        key: &NoteKey,
        valid: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Option<Broken> {
        let forged = How::CheckpointForged {
            checkpoint: checkpoint.size,
        };
        let forged = Some(Broken {
            position: checkpoint.size,
            entry: None,
            how: forged,
        });
        match note::open(&checkpoint.note, key, valid) {
            Err(_) => forged,
            Ok(claim) if claim.size != checkpoint.size || claim.head != checkpoint.head => forged,
            Ok(claim) if claim.size != self.position || claim.head != self.head => {
                Some(self.rewritten(checkpoint.size))
            }
            Ok(claim) => {
                self.vouched = claim.size;
                None
            }
        }
    }

    /// Every entry fits its predecessor, and yet the checkpoint disagrees: somebody computed the hashes anew, from some
    /// entry on after the last checkpoint that agreed.
    fn rewritten(&self, checkpoint: i64) -> Broken {
        Broken {
            position: self.vouched + 1,
            entry: None,
            how: How::Rewritten { checkpoint },
        }
    }
}

/// The checkpoints in order of size, read page by page beside the entries.
struct Checkpoints {
    /// In falling order, so that the next one is at the end.
    page: Vec<Checkpoint>,
    after: i64,
}

impl Checkpoints {
    /// The next checkpoint that covers at most `size` entries.
    async fn take(&mut self, tx: &mut Tx, size: i64) -> Result<Option<Checkpoint>> {
        if self.page.is_empty() && self.after < i64::MAX {
            let rows = tx
                .all(
                    table::CHECKPOINTS_AFTER,
                    &[self.after.into(), (PAGE as i64).into()],
                )
                .await?;
            self.page = rows
                .iter()
                .map(read_checkpoint)
                .rev()
                .collect::<Result<_>>()?;
            self.after = self.page.first().map_or(i64::MAX, |last| last.size);
        }
        Ok(self.page.pop_if(|next| next.size <= size))
    }
}

async fn read_page(tx: &mut Tx, after: i64) -> Result<Vec<Stored>> {
    let rows = tx
        .all(table::AFTER, &[after.into(), (PAGE as i64).into()])
        .await?;
    rows.iter().map(read_stored).collect()
}
