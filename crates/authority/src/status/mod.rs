//! Status: what the world can ask about our certificates, and the rhythm in which we tell it unasked.

pub mod crl;
pub(crate) mod kept;
pub mod ocsp;
pub mod state;
pub(crate) mod table;

use kyso_pki::certificate::Certificate;
use serde_json::json;

use crate::{Authority, Error, Result, Task, issuing, task};

/// A row reserved this long without a signature was left by a crash, not by a task still at work.
const LEFT_BEHIND_MS: i64 = 30_000;

impl Authority {
    /// The certificate of the issuer whose key has this label, for `/ca/{label}.cer` (DER, RFC 5280 4.2.2.1).
    ///
    /// # Errors
    /// The store's.
    pub async fn issuer_certificate(&self, label: &str) -> Result<Option<Certificate>> {
        match self.known().await {
            Ok(known) => Ok(known
                .issuers
                .iter()
                .find(|issuer| issuer.label == label)
                .map(|issuer| issuer.certificate.clone())),
            Err(Error::NoServiceKey { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Enqueues the tasks that are due now: a regular CRL, a reserved row without its signature, a responder near its end. Cheap;
    /// the worker calls it at start and once a minute.
    ///
    /// # Errors
    /// The store's.
    pub async fn schedule(&self) -> Result<Vec<Task>> {
        let store = self.store();
        let left_behind = store.now() - LEFT_BEHIND_MS;
        let mut due = Vec::new();
        match self.known().await {
            Ok(_) => {}
            Err(Error::NoServiceKey { .. }) => return Ok(due),
            Err(error) => return Err(error),
        }
        if self.is_crl_due().await? || table::any_reserved(store, left_behind).await? {
            due.push(Task::PublishCrl);
        }
        if !issuing::table::reserved(store, left_behind, 1)
            .await?
            .is_empty()
        {
            due.push(Task::RecoverReserved);
        }
        if self.is_responder_ending().await? {
            due.push(Task::RenewResponder);
        }
        if !due.is_empty() {
            let mut tx = store.write().await?;
            let now = tx.now();
            for task in &due {
                tx.enqueue(task.kind(), task::KEY, &json!({}), now);
            }
            tx.commit().await?;
        }
        Ok(due)
    }
}
