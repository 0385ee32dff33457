//! OCSP answers and CRLs in memory: signed once, told until they age or the certificate's status changes (RFC 5019).
//!
//! ```text
//! plain question ──► kept? ──► the issuer's count of changes moved? ──no──► told again
//!                      │              └─yes─► the row says the same? ──yes──► told again, under the new count
//!                      └─no──────────────────────────└─no──► signed anew, kept
//! ```
//!
//! # Invariants
//! - A change on another node is seen [`COUNT_FRESH_MS`] after its commit at the latest; one of this process at once.
//! - The count is read before the row: a change between the two is noticed with the next count.
//! - Only what cannot be varied at will is kept: one plain CertID of a certificate we issued, no nonce. So the table holds
//!   at most eight spellings of each certificate, and never more than [`KEPT_MAX`] in all.
//! - If the database is away, what was signed is told until it ages: status must be told even then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::crl::Published;
use super::ocsp::Response;
use super::ocsp::is_passing;
use super::table;
use crate::revocation::Standing;
use crate::{Authority, CertificateId, Result};

/// How long an issuer's count of changes is believed.
const COUNT_FRESH_MS: i64 = 1_000;
/// Answers kept: about 64 MB with RSA-2048.
const KEPT_MAX: usize = 32_768;
/// How long a question waits for its turn at the key.
const TURN: Duration = Duration::from_secs(2);

/// What this process remembers for relying parties.
pub(crate) struct Memory {
    answers: Mutex<HashMap<Vec<u8>, Kept>>,
    counts: Mutex<HashMap<CertificateId, Count>>,
    /// The newest CRL by label, and when it was read.
    lists: Mutex<HashMap<String, (i64, Published)>>,
    /// Turns at the responder's key, so that questions never take all the keystore's threads from the citizens.
    turns: Semaphore,
}

/// A signed answer and what it rests on.
#[derive(Clone)]
pub(crate) struct Kept {
    pub response: Response,
    pub standing: Standing,
    /// The issuer's count of changes under which the standing was read.
    pub changes: i64,
    /// When it was signed, and until when it is told: milliseconds since 1970.
    pub signed_at: i64,
    pub told_until: i64,
    used_at: i64,
}

#[derive(Clone, Copy)]
struct Count {
    read_at: i64,
    changes: i64,
}

impl Memory {
    pub(crate) fn new(turns: usize) -> Memory {
        Memory {
            answers: Mutex::default(),
            counts: Mutex::default(),
            lists: Mutex::default(),
            turns: Semaphore::new(turns.max(1)),
        }
    }

    /// The answer to a plain question, unless it has aged.
    pub(crate) fn kept(&self, question: &[u8], now: i64) -> Option<Kept> {
        let mut answers = lock(&self.answers);
        let kept = answers.get_mut(question)?;
        if !(kept.signed_at..kept.told_until).contains(&now) {
            return None;
        }
        kept.used_at = now;
        Some(kept.clone())
    }

    pub(crate) fn keep(&self, question: Vec<u8>, kept: Kept) {
        let mut answers = lock(&self.answers);
        if answers.len() >= KEPT_MAX && !answers.contains_key(&question) {
            forget_older_half(&mut answers);
        }
        answers.insert(question, kept);
    }

    /// The standing was read again under a later count and is the same.
    pub(crate) fn confirm(&self, question: &[u8], changes: i64) {
        if let Some(kept) = lock(&self.answers).get_mut(question) {
            kept.changes = kept.changes.max(changes);
        }
    }

    /// A change of this process: the next question counts anew.
    pub(crate) fn changed(&self, issuer: CertificateId) {
        lock(&self.counts).remove(&issuer);
    }

    /// A CRL of this process: the next question reads it.
    pub(crate) fn published(&self, label: &str) {
        lock(&self.lists).remove(label);
    }

    /// Other keys, other certificates: nothing kept is told again.
    pub(crate) fn forget(&self) {
        lock(&self.answers).clear();
        lock(&self.counts).clear();
        lock(&self.lists).clear();
    }

    /// A turn at the key; none if too many wait.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(TURN, self.turns.acquire())
            .await
            .ok()?
            .ok()
    }
}

impl Kept {
    pub(crate) fn new(
        response: Response,
        standing: Standing,
        changes: i64,
        (signed_at, told_until): (i64, i64),
    ) -> Kept {
        Kept {
            response,
            standing,
            changes,
            signed_at,
            told_until,
            used_at: signed_at,
        }
    }
}

impl Authority {
    /// The newest CRL of the issuer whose key has this label, as of at most [`COUNT_FRESH_MS`] ago; while the database is away, the
    /// last one read until its nextUpdate.
    ///
    /// # Errors
    /// The store's.
    pub async fn crl(&self, label: &str) -> Result<Option<Published>> {
        let now = self.store().now();
        let kept = lock(&self.memory().lists).get(label).cloned();
        if let Some((read_at, list)) = &kept
            && (*read_at..read_at + COUNT_FRESH_MS).contains(&now)
        {
            return Ok(Some(list.clone()));
        }
        match (table::newest_by_label(self.store(), label).await, kept) {
            (Ok(Some(list)), _) => {
                lock(&self.memory().lists).insert(label.to_owned(), (now, list.clone()));
                Ok(Some(list))
            }
            (Err(error), Some((_, list))) if is_passing(&error) && now < list.next_update => {
                Ok(Some(list))
            }
            (read, _) => read,
        }
    }

    /// Of each issuer that has published a list: the label of its key, and thisUpdate and nextUpdate of the newest list, in
    /// milliseconds since 1970.
    ///
    /// # Errors
    /// The store's.
    pub async fn crl_ages(&self) -> Result<Vec<(String, i64, i64)>> {
        table::ages(self.store()).await
    }

    /// How often a status of this issuer has changed, as of at most [`COUNT_FRESH_MS`] ago.
    pub(crate) async fn changes_of(&self, issuer: CertificateId, now: i64) -> Result<i64> {
        let known = lock(&self.memory().counts).get(&issuer).copied();
        if let Some(count) = known
            && (count.read_at..count.read_at + COUNT_FRESH_MS).contains(&now)
        {
            return Ok(count.changes);
        }
        let changes = table::changes(self.store(), issuer).await?;
        let count = Count {
            read_at: now,
            changes,
        };
        lock(&self.memory().counts).insert(issuer, count);
        Ok(changes)
    }
}

fn forget_older_half(answers: &mut HashMap<Vec<u8>, Kept>) {
    let mut ages: Vec<i64> = answers.values().map(|kept| kept.used_at).collect();
    let middle = ages.len() / 2;
    let (_, &mut median, _) = ages.select_nth_unstable(middle);
    answers.retain(|_, kept| kept.used_at > median);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(signed_at: i64) -> Kept {
        let response = Response {
            der: vec![1],
            produced_at: Some(signed_at),
            cache_until: Some(signed_at + 100),
            unknown: 0,
            outcome: "good",
        };
        Kept::new(response, Standing::Issued, 1, (signed_at, signed_at + 50))
    }

    #[test]
    fn an_answer_is_told_until_it_ages_and_never_before_it_was_signed() {
        let memory = Memory::new(1);
        memory.keep(vec![7], kept(1_000));
        assert!(memory.kept(&[7], 1_000).is_some() && memory.kept(&[7], 1_049).is_some());
        assert!(memory.kept(&[7], 1_050).is_none(), "aged");
        assert!(
            memory.kept(&[7], 999).is_none(),
            "a clock set back tells nothing of the future"
        );
        assert!(memory.kept(&[8], 1_000).is_none());
        memory.forget();
        assert!(memory.kept(&[7], 1_000).is_none());
    }

    #[test]
    fn the_table_is_bounded_and_keeps_what_is_asked_for() {
        let memory = Memory::new(1);
        for n in 0..KEPT_MAX as u64 {
            memory.keep(n.to_be_bytes().to_vec(), kept(1_000));
        }
        assert!(memory.kept(&0_u64.to_be_bytes(), 1_001).is_some());
        memory.keep(vec![1], kept(1_002));
        assert!(lock(&memory.answers).len() <= KEPT_MAX);
        assert!(memory.kept(&0_u64.to_be_bytes(), 1_003).is_some());
    }
}
