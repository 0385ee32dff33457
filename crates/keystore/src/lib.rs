//! keystore
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activation;
mod backend;
mod citizen;
mod error;
mod keystore;
mod service;

pub use activation::{
    Activation, ApprovalKey, ApprovalStatement, BindingRequest, BindingStatement, DeviceKey, DeviceKind, DeviceSignature,
    Expected, ExpectedDocument, Rebinding, Refusal, SealedPin, SessionStatement, seal_pin,
};
pub use backend::BackendName;
pub use citizen::{CitizenKey, PooledKey};
pub use error::{Error, Result};
pub use keystore::{Attempt, Keystore, KeystoreConfig, Outcome, Pkcs11Config, RebindingAttempt, RebindingOutcome, SoftwareConfig, WrapMechanism};
pub use service::{Role, ServiceKey};
