//! Webhooks: results announced to portals, signed as Standard Webhooks says.
//!
//! The payload is made here, from the row, at each attempt; the HTTP call is made by the server's
//! `outbound`. At least once, with an event id for the receiver to recognise; no ordering promise.

use std::sync::Arc;

use kyso_store::jobs::Job;

use crate::{Inner, Result};

pub mod state;
pub(crate) mod table;

pub use state::{Call, CallOutcome};

/// The two verbs of a `Deliver` job.
#[derive(Clone)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

impl Webhooks {
    pub(crate) fn new(inner: Arc<Inner>) -> Webhooks {
        Webhooks { inner }
    }

    /// The call a claimed `Deliver` job asks for; `None` when nothing is left to do (the job is finished then).
    pub async fn call(&self, job: &Job) -> Result<Option<Call>> {
        todo!()
    }

    /// Records how the call went: delivered, another try later, or dead after the last; ends the job accordingly.
    pub async fn record(&self, job: Job, outcome: CallOutcome) -> Result<()> {
        todo!()
    }
}
