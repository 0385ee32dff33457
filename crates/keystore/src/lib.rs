//! The only code that touches a private key.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activation;
mod backend;
mod citizen;
mod error;
mod keystore;
mod memory;
mod row;
mod service;

pub use activation::{
    Activation, ApprovalKey, ApprovalStatement, BindingRequest, BindingStatement, DeviceKey,
    DeviceKind, DeviceSignature, Expected, ExpectedDocument, Rebinding, Refusal, SealedPin,
    SessionStatement, seal_pin,
};
pub use backend::{BackendName, UnknownBackend};
pub use citizen::{Attempt, RebindingAttempt};
pub use error::{Error, Result};
pub use keystore::{
    Keystore, KeystoreConfig, Outcome, Pkcs11Config, RebindingOutcome, SoftwareConfig,
    WrapMechanism,
};
pub use row::{CitizenKey, FAILURES_MAX, PooledKey};
pub use service::{Role, ServiceKey, UnknownRole};
