//! What this crate asks the worker to do: the kinds of its jobs, their payloads, what came of them.

use kyso_store::{Job, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::credential::{BindingPurpose, BindingState};
use crate::request::{RequestKind, RequestState};
use crate::{BindingId, CredentialId, DeliveryId, Error, RequestId, Result};

/// One job of this crate. The row has the kind and the payload; the key makes it unique while open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Bind a device and PIN to a credential's key.
    Bind { binding: BindingId },
    /// Sign an approved request. The credential is named so that a batch can be sorted without reading rows.
    Sign {
        request: RequestId,
        credential: CredentialId,
    },
    /// Announce a result to its portal.
    Deliver { delivery: DeliveryId },
    /// Expire what is due at this second.
    Expire { at: i64 },
    /// Bring the authority's view of a certificate in line with the credential's state.
    Status { credential: CredentialId },
    /// Tell a citizen what happened to their key. Written in the commit in which it happened.
    Tell { enrolment: String, news: News },
    /// Make sealed RSA pairs until the pool is full.
    FillPool { algorithm: String },
}

/// What a citizen hears of who may not have done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// Another phone signs.
    DeviceChanged,
    /// Another PIN is in force.
    PinChanged,
    /// Five wrong PINs.
    PinLocked,
}

/// The kinds [`crate::Signing::work`] runs; [`DELIVER`] is the server's, because it calls another machine, and [`TELL`]
/// registration's, which knows how to reach a citizen.
pub const KINDS: &[&str] = &[BIND, SIGN, EXPIRE, STATUS, FILL_POOL];

pub const BIND: &str = "signing.bind";
pub const SIGN: &str = "signing.sign";
pub const DELIVER: &str = "signing.deliver";
pub const EXPIRE: &str = "signing.expire";
pub const STATUS: &str = "signing.status";
pub const TELL: &str = "signing.tell";
pub const FILL_POOL: &str = "signing.fill-pool";

/// What the worker may want to tell somebody after a batch. Also readable from the rows, for whoever polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A device and PIN were bound, or refused.
    Binding {
        binding: BindingId,
        credential: CredentialId,
        enrolment: String,
        purpose: BindingPurpose,
        state: BindingState,
    },
    /// A request moved; `Pending` means a wrong PIN brought it back.
    Request {
        request: RequestId,
        kind: RequestKind,
        state: RequestState,
    },
    /// An acceptance was signed: the credential is active and the enrolment may complete.
    CredentialActivated {
        credential: CredentialId,
        enrolment: String,
    },
    /// Five wrong PINs, at approving or at a change. The citizen hears it by [`Task::Tell`].
    PinLocked {
        credential: CredentialId,
        enrolment: String,
        tried: TriedFor,
    },
}

/// What a PIN was tried for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriedFor {
    Approval,
    Binding,
}

impl Task {
    /// The kind of its job row.
    pub fn kind(&self) -> &'static str {
        match self {
            Task::Bind { .. } => BIND,
            Task::Sign { .. } => SIGN,
            Task::Deliver { .. } => DELIVER,
            Task::Expire { .. } => EXPIRE,
            Task::Status { .. } => STATUS,
            Task::Tell { .. } => TELL,
            Task::FillPool { .. } => FILL_POOL,
        }
    }

    /// What makes it unique while it is open.
    pub fn key(&self) -> String {
        match self {
            Task::Bind { binding } => binding.to_string(),
            Task::Sign { request, .. } => request.to_string(),
            Task::Deliver { delivery } => delivery.to_string(),
            Task::Expire { at } => at.to_string(),
            Task::Status { credential } => credential.to_string(),
            Task::Tell { enrolment, news } => format!("{enrolment}:{news:?}"),
            Task::FillPool { algorithm } => algorithm.clone(),
        }
    }

    /// The task of a job row.
    ///
    /// # Errors
    /// [`Error::UnknownTask`] for a kind or payload that is none of ours.
    pub fn of(job: &Job) -> Result<Task> {
        let unknown = || Error::UnknownTask {
            kind: job.kind.clone(),
        };
        let task: Task = serde_json::from_value(job.payload.clone()).map_err(|_| unknown())?;
        if task.kind() == job.kind {
            Ok(task)
        } else {
            Err(unknown())
        }
    }
}

/// Asks for the task after this commit.
pub(crate) fn enqueue(tx: &mut Tx, task: &Task) {
    let now = tx.now();
    enqueue_at(tx, task, now);
}

/// Asks for the task at `due_at`.
pub(crate) fn enqueue_at(tx: &mut Tx, task: &Task, due_at: i64) {
    tx.enqueue(task.kind(), &task.key(), &json!(task), due_at);
}

/// When a job that could not be done is tried again: 200 ms, doubled each time, at most half a minute.
pub(crate) fn retry_at(now: i64, attempts: i64) -> i64 {
    now + (200_i64 << attempts.clamp(0, 8)).min(30_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_reads_back_from_its_job_and_from_no_other_kind() {
        let task = Task::FillPool {
            algorithm: "rsa-2048".into(),
        };
        let job = |kind: &str| Job {
            id: "job_01JD3ZQ8000000000000000000".parse().unwrap(),
            kind: kind.into(),
            key: task.key(),
            payload: json!(task),
            attempts: 1,
            leased_until: 0,
            lease: 1,
        };
        assert_eq!(Task::of(&job(FILL_POOL)).unwrap(), task);
        assert!(matches!(
            Task::of(&job(SIGN)),
            Err(Error::UnknownTask { .. })
        ));
    }

    #[test]
    fn waiting_doubles_and_is_bounded() {
        assert_eq!(retry_at(0, 0), 200);
        assert_eq!(retry_at(0, 3), 1_600);
        assert_eq!(retry_at(5, 60), 30_005);
    }
}
