//! Keys of the institution: certification authority, OCSP, time-stamp, seal, ledger.
//!
//! A [`ServiceKey`] is a name, not a key: it says where the key lives and what it may sign with.

use std::fmt;
use std::str::FromStr;

use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;

use crate::backend::BackendName;

/// What a service key is for. One key, one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The root certification authority.
    Root,
    /// An issuing certification authority.
    Issuing,
    /// A delegated OCSP responder.
    Ocsp,
    /// The time-stamp authority.
    Timestamp,
    /// The organisation's seal on its own documents.
    Seal,
    /// The signer of ledger checkpoints.
    Ledger,
}

impl Role {
    /// Every role, in the order of a ceremony.
    pub const ALL: [Role; 6] = [
        Role::Root,
        Role::Issuing,
        Role::Ocsp,
        Role::Timestamp,
        Role::Seal,
        Role::Ledger,
    ];

    /// The role as written in labels and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Root => "root",
            Role::Issuing => "issuing",
            Role::Ocsp => "ocsp",
            Role::Timestamp => "timestamp",
            Role::Seal => "seal",
            Role::Ledger => "ledger",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no [`Role`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role of a service key")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole)
    }
}

/// The name of a service key: label, role, algorithm, public key and the backend that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceKey {
    pub(crate) role: Role,
    pub(crate) label: String,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) backend: BackendName,
    pub(crate) public_key: PublicKey,
}

impl ServiceKey {
    /// What the key is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The label it was created with, unique in the keystore.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The backend that holds it.
    pub fn backend(&self) -> BackendName {
        self.backend
    }

    /// Its public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}
