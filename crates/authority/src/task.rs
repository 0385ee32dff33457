//! What this crate asks the worker to do.
//!
//! A task carries no decision: what is due is read from the rows when it runs, so a task that comes twice, late, or after a crash
//! does no harm.

use kyso_keystore::Keystore;

use crate::{Authority, Error, Result};

/// One job of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Publish a CRL of every issuer for which one is due, by schedule or because a status changed.
    PublishCrl,
    /// Sign what a crash left reserved without a signature.
    RecoverReserved,
    /// Replace the OCSP responder's key and certificate before they end.
    RenewResponder,
}

/// The kinds [`Authority::work`] runs.
pub const KINDS: &[&str] = &[PUBLISH_CRL, RECOVER_RESERVED, RENEW_RESPONDER];

/// Kind of [`Task::PublishCrl`].
pub const PUBLISH_CRL: &str = "authority.publish-crl";
/// Kind of [`Task::RecoverReserved`].
pub const RECOVER_RESERVED: &str = "authority.recover-reserved";
/// Kind of [`Task::RenewResponder`].
pub const RENEW_RESPONDER: &str = "authority.renew-responder";

impl Task {
    /// The kind of its job row.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Task::PublishCrl => PUBLISH_CRL,
            Task::RecoverReserved => RECOVER_RESERVED,
            Task::RenewResponder => RENEW_RESPONDER,
        }
    }

    /// The task of a job row's kind.
    ///
    /// # Errors
    /// [`Error::UnknownTask`].
    pub fn from_kind(kind: &str) -> Result<Task> {
        match kind {
            PUBLISH_CRL => Ok(Task::PublishCrl),
            RECOVER_RESERVED => Ok(Task::RecoverReserved),
            RENEW_RESPONDER => Ok(Task::RenewResponder),
            _ => Err(Error::UnknownTask {
                kind: kind.to_owned(),
            }),
        }
    }
}

impl Authority {
    /// Does `task`. Safe to repeat.
    ///
    /// # Errors
    /// Whatever kept it from being done; the worker asks again later.
    pub async fn work(&self, keys: &Keystore, task: Task) -> Result<()> {
        match task {
            Task::PublishCrl => self.publish_crl_if_due(keys).await.map(drop),
            Task::RecoverReserved => self.recover(keys).await.map(drop),
            Task::RenewResponder => self.renew_responder_if_due(keys).await.map(drop),
        }
    }
}

/// Key of the job rows: one open task of a kind is enough, each reads for itself what is due.
pub(crate) const KEY: &str = "authority";
