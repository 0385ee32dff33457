//! Approvals that arrive side by side are stored in one transaction.
//!
//! An approval is one row, a line in the ledger and a job. Alone it would take the database's one writer six times; at the
//! hour in which everybody files, the writers would wait for each other longer than they work. So an approval that was checked
//! queues; whoever has the turn stores all that wait, and the next gather meanwhile.
//!
//! # Invariants
//!
//! - Nobody hears "stored" before the disk has it.
//! - One that cannot be stored costs the others nothing: what fails together is tried again by each alone.
//! - A caller who goes away takes nothing back: what is queued is stored.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kyso_store::failpoint;
use tokio::sync::oneshot;

use super::*;

/// Approvals stored by one transaction.
const TOGETHER: usize = 64;

/// An approval that agrees with its request, as far as can be said without a key.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) request: RequestId,
    pub(super) credential: CredentialId,
    pub(super) citizen: String,
    /// The request's own, which a wrong PIN changes.
    pub(super) nonce: String,
    pub(super) approval: Approval,
}

/// An approval and who wants to hear whether it was the one that was stored.
type Queued = (Checked, oneshot::Sender<bool>);

/// What waits to be stored.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    queue: Mutex<Vec<Queued>>,
    turn: tokio::sync::Mutex<()>,
}

impl Gathering {
    /// At most one approval of each request, oldest first; the others wait for the next turn.
    fn take(&self) -> Vec<Queued> {
        let mut requests = HashSet::new();
        let mut queue = self.queue();
        let (taken, left) = std::mem::take(&mut *queue)
            .into_iter()
            .partition(|(checked, _)| {
                requests.len() < TOGETHER && requests.insert(checked.request)
            });
        *queue = left;
        taken
    }

    fn queue(&self) -> MutexGuard<'_, Vec<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Requests {
    /// Stores an approval with its job; `false` if the request is not pending any more, or its nonce another.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn store_approval(&self, checked: Checked) -> Result<bool> {
        let (tell, hear) = oneshot::channel();
        let request = checked.request;
        self.inner.gathering.queue().push((checked.clone(), tell));
        let requests = self.clone();
        // A task for each: there are never fewer turns than approvals.
        tokio::spawn(async move { requests.store_gathered().await });
        match hear.await {
            Ok(is_stored) => Ok(is_stored),
            Err(_) => Ok(self.store_approvals(&[&checked]).await?.contains(&request)),
        }
    }

    async fn store_gathered(&self) {
        let _turn = self.inner.gathering.turn.lock().await;
        let gathered = self.inner.gathering.take();
        if gathered.is_empty() {
            return;
        }
        let checked: Vec<&Checked> = gathered.iter().map(|(checked, _)| checked).collect();
        match self.store_approvals(&checked).await {
            Ok(stored) => {
                for (checked, tell) in gathered {
                    // Who went away does not hear it.
                    let _ = tell.send(stored.contains(&checked.request));
                }
            }
            // Those who hear nothing try alone.
            Err(error) => {
                tracing::warn!(%error, count = gathered.len(), "approvals could not be stored together");
            }
        }
    }

    /// The requests whose approval was stored.
    async fn store_approvals(&self, checked: &[&Checked]) -> Result<HashSet<RequestId>> {
        failpoint!("signing.approve.before-store");
        let mut tx = self.inner.store.write().await?;
        let stored = table::approve_many(&mut tx, checked).await?;
        for one in checked {
            if !stored.contains(&one.request) {
                continue;
            }
            let statement = hex::encode(chance::sha256(&one.approval.statement));
            record(
                &mut tx,
                super::APPROVED,
                one.request,
                &one.citizen,
                detail([("statement", json!(statement))]),
            );
            task::enqueue(
                &mut tx,
                &Task::Sign {
                    request: one.request,
                    credential: one.credential,
                },
            );
        }
        tx.commit().await?;
        failpoint!("signing.approve.after-store");
        for request in &stored {
            self.inner.waiting.moved(*request);
        }
        Ok(stored)
    }
}
