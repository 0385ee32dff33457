//! What the worker does for this crate: seal contracts, open credentials, see acceptances through, end what is due.

use kyso_keystore::Keystore;
use kyso_store::Job;

use crate::{EnrolmentId, Registration, Result};

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The job's kind.
    pub kind: String,
    /// The enrolment concerned, if one.
    pub enrolment: Option<EnrolmentId>,
    /// `done`, or a stable code.
    pub outcome: &'static str,
}

impl Registration {
    /// Runs claimed jobs of the kinds in [`crate::task::KINDS`]; finishes, retries or fails each.
    pub async fn work(&self, keys: &Keystore, jobs: Vec<Job>) -> Result<Vec<Done>> {
        todo!()
    }

    /// Takes note of what signing finished: a bound device, a signed acceptance. Call it with what `Signing::work`
    /// returned. A crash in between loses nothing: the open `Accept` job asks signing again.
    pub async fn settle(&self, done: &[kyso_signing::task::Done]) -> Result<()> {
        todo!()
    }

    /// Enqueues the job of every row that names outstanding work, and the periodic one. At start; idempotent.
    pub async fn recover(&self) -> Result<u64> {
        todo!()
    }
}
