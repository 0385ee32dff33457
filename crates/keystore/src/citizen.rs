//! The row of a citizen's key, as the caller stores it.
//!
//! This type is stored: mind its format.

use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;

use crate::activation::DeviceKey;
use crate::backend::BackendName;
use crate::error::Result;

/// A citizen's key: the wrapped private key and everything that decides whether it may be used.
#[derive(Clone, PartialEq, Eq)]
pub struct CitizenKey {
    bytes: Vec<u8>,
}

impl CitizenKey {
    /// Parses stored bytes. Shape only: authenticity is checked by the keystore on every use.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let _ = bytes.into();
        todo!()
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Grows by one with every change; store with `WHERE version = …`.
    pub fn version(&self) -> u64 {
        todo!()
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        todo!()
    }

    /// The backend that can unwrap it.
    pub fn backend(&self) -> BackendName {
        todo!()
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        todo!()
    }

    /// The device it is bound to; `None` while unclaimed.
    pub fn device(&self) -> Option<&DeviceKey> {
        todo!()
    }

    /// Wrong or unanswered PIN tries since the last right one.
    pub fn failures(&self) -> u8 {
        todo!()
    }

    /// Whether the tries are used up.
    pub fn is_locked(&self) -> bool {
        todo!()
    }
}

/// A wrapped key pair made ahead of need. Opaque; the caller stores it in a table and deletes the row when it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct PooledKey {
    bytes: Vec<u8>,
}

impl PooledKey {
    /// Parses stored bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let _ = bytes.into();
        todo!()
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        todo!()
    }
}
