//! What this crate asks the worker to do: the kinds of its jobs and their payloads. Ids only, never a code or a name.

use serde::{Deserialize, Serialize};

use crate::{CodeId, ContractId, EnrolmentId, ResumptionId};

/// One job of this crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// Send an activation code. The server reads it with [`crate::Registration::code_to_send`].
    SendCode {
        /// Which.
        code: CodeId,
        /// `sms` or `email`, so that a dead gateway does not stand in the way of the other.
        channel: String,
    },
    /// Send the code by which an enrolment is resumed, if there is one. The server reads it with
    /// [`crate::Registration::resumption_code_to_send`].
    SendResumptionCode {
        /// Which.
        resumption: ResumptionId,
        /// As in [`Task::SendCode`].
        channel: String,
    },
    /// Send the code of a first binding. The server reads it with [`crate::Registration::device_code_to_send`].
    SendDeviceCode {
        /// Whose phone.
        enrolment: EnrolmentId,
        /// Of which challenge; the code follows from it in the keystore only.
        nonce: String,
        /// As in [`Task::SendCode`].
        channel: String,
    },
    /// Tell the citizen what happened. The server reads it with [`crate::Registration::notice`].
    Notify {
        /// Whom.
        enrolment: EnrolmentId,
        /// What.
        event: Event,
        /// Of which round of vetting: the same event may happen again after a supplement.
        round: i64,
        /// Where an alarm goes; none: by a channel that works.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<Alarm>,
    },
    /// Put the provider's seal on a signed contract.
    SealContract {
        /// Which version.
        contract: ContractId,
    },
    /// Key and certificate for an approved enrolment.
    OpenCredential {
        /// Which.
        enrolment: EnrolmentId,
    },
    /// Write the acceptance record and ask the citizen to sign it; then see whether it was signed.
    Accept {
        /// Which.
        enrolment: EnrolmentId,
    },
    /// End what is due.
    Expire,
}

/// One way of an alarm. Each channel is told for itself: one that works says nothing about the other, and may be in a stranger's
/// hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// `sms` or `email`.
    pub channel: String,
    /// The sealed contact as it was when it happened; who caused the alarm may have entered another by now.
    pub contact: String,
}

/// What a citizen is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The certificate is ready: set a PIN.
    Approved,
    /// A piece has to be repaired.
    Supplement,
    /// Not approved.
    Rejected,
    /// The acceptance is signed: the credential is active.
    Complete,
    /// The enrolment goes on from another phone. An alarm: it may not have been the citizen.
    Resumed,
    /// Another phone is bound.
    DeviceChanged,
    /// Another PIN is in force.
    PinChanged,
    /// Five wrong PINs locked the key. An alarm: it may not have been the citizen.
    Locked,
}

impl Event {
    /// Whether it is told on every contact there is, as [`Alarm`]s, not on one that works.
    pub fn is_alarm(self) -> bool {
        matches!(self, Event::Resumed | Event::Locked)
    }

    /// Name of the message in the server's catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Approved => "approved",
            Event::Supplement => "supplement",
            Event::Rejected => "rejected",
            Event::Complete => "complete",
            Event::Resumed => "resumed",
            Event::DeviceChanged => "device-changed",
            Event::PinChanged => "pin-changed",
            Event::Locked => "locked",
        }
    }
}

/// Kind of [`Task::SendCode`]: the server's, because it calls another machine.
pub const SEND_CODE: &str = "registration.send-code";
/// Kind of [`Task::SendResumptionCode`]: the server's.
pub const SEND_RESUMPTION_CODE: &str = "registration.send-resumption-code";
/// Kind of [`Task::SendDeviceCode`]: the server's.
pub const SEND_DEVICE_CODE: &str = "registration.send-device-code";
/// Kind of [`Task::Notify`]: the server's.
pub const NOTIFY: &str = "registration.notify";
/// Kind of [`Task::SealContract`].
pub const SEAL_CONTRACT: &str = "registration.seal-contract";
/// Kind of [`Task::OpenCredential`].
pub const OPEN_CREDENTIAL: &str = "registration.open-credential";
/// Kind of [`Task::Accept`].
pub const ACCEPT: &str = "registration.accept";
/// Kind of [`Task::Expire`].
pub const EXPIRE: &str = "registration.expire";

/// The kinds [`crate::Registration::work`] runs.
pub const KINDS: &[&str] = &[
    SEAL_CONTRACT,
    OPEN_CREDENTIAL,
    ACCEPT,
    EXPIRE,
    kyso_signing::task::TELL,
];
/// The kinds the server runs with `code_to_send`/`code_sent`, the same of a resumption, `device_code_to_send` and `notice`.
pub const OUTBOUND_KINDS: &[&str] = &[SEND_CODE, SEND_RESUMPTION_CODE, SEND_DEVICE_CODE, NOTIFY];

impl Task {
    /// The job kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Task::SendCode { .. } => SEND_CODE,
            Task::SendResumptionCode { .. } => SEND_RESUMPTION_CODE,
            Task::SendDeviceCode { .. } => SEND_DEVICE_CODE,
            Task::Notify { .. } => NOTIFY,
            Task::SealContract { .. } => SEAL_CONTRACT,
            Task::OpenCredential { .. } => OPEN_CREDENTIAL,
            Task::Accept { .. } => ACCEPT,
            Task::Expire => EXPIRE,
        }
    }

    /// What makes the job unique while it is open.
    pub fn key(&self) -> String {
        match self {
            Task::SendCode { code, .. } => code.to_string(),
            Task::SendResumptionCode { resumption, .. } => resumption.to_string(),
            Task::SendDeviceCode { nonce, .. } => nonce.clone(),
            Task::Notify {
                enrolment,
                event,
                round,
                alarm,
            } => {
                let contact = alarm.as_ref().map_or("any", |alarm| &alarm.contact);
                format!("{enrolment}:{}:{round}:{contact}", event.as_str())
            }
            Task::SealContract { contract } => contract.to_string(),
            Task::OpenCredential { enrolment } | Task::Accept { enrolment } => {
                enrolment.to_string()
            }
            Task::Expire => "expire".into(),
        }
    }

    /// As stored with the job.
    pub fn payload(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// As read back from a job's payload; `None` if another version wrote it.
    pub fn read(payload: &serde_json::Value) -> Option<Task> {
        serde_json::from_value(payload.clone()).ok()
    }
}
