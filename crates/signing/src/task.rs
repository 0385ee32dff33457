//! What this crate asks the worker to do: the kinds of its jobs, their payloads, what came of them.

use serde::{Deserialize, Serialize};

use crate::credential::BindingState;
use crate::request::{RequestKind, RequestState};
use crate::{BindingId, CredentialId, DeliveryId, RequestId};

/// One job of this crate. The row has the kind and the payload; the key makes it unique while open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Bind a device and PIN to a credential's key.
    Bind { binding: BindingId },
    /// Sign an approved request.
    Sign { request: RequestId },
    /// Announce a result to its portal.
    Deliver { delivery: DeliveryId },
    /// Expire what is due at this second.
    Expire { at: i64 },
    /// Bring the authority's view of a certificate in line with the credential's state.
    Status { credential: CredentialId },
    /// Make sealed RSA pairs until the pool is full.
    FillPool { algorithm: String },
}

/// The kinds [`crate::Signing::work`] runs; [`DELIVER`] is the server's, because it calls another machine.
pub const KINDS: &[&str] = &[BIND, SIGN, EXPIRE, STATUS, FILL_POOL];

pub const BIND: &str = "signing.bind";
pub const SIGN: &str = "signing.sign";
pub const DELIVER: &str = "signing.deliver";
pub const EXPIRE: &str = "signing.expire";
pub const STATUS: &str = "signing.status";
pub const FILL_POOL: &str = "signing.fill-pool";

/// What the worker may want to tell somebody after a batch. Also readable from the rows, for whoever polls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// A device and PIN were bound, or refused.
    Binding {
        binding: BindingId,
        credential: CredentialId,
        enrolment: String,
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
    /// Five wrong PINs: the citizen should hear it on every channel.
    PinLocked {
        credential: CredentialId,
        citizen: String,
    },
}
