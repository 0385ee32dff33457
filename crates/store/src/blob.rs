//! Blobs.

use std::path::Path;

use crate::{Result, Store, Tx};

/// SHA-256 of the bytes; its text is 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The id these bytes have.
    pub fn of(bytes: &[u8]) -> BlobId {
        let _ = bytes;
        todo!()
    }
    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}
impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
impl std::fmt::Debug for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
impl std::str::FromStr for BlobId {
    type Err = crate::IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let _ = text;
        todo!()
    }
}
impl From<BlobId> for crate::Value {
    fn from(id: BlobId) -> Self {
        crate::Value::Text(id.to_string())
    }
}
impl From<&BlobId> for crate::Value {
    fn from(id: &BlobId) -> Self {
        crate::Value::Text(id.to_string())
    }
}

/// Blobs that only a holder of the data key can read (AES-256-GCM): evidence.
#[derive(Clone)]
pub struct SealedBlobs {}

impl SealedBlobs {
    /// Reads the data key file (32 bytes, mode 0600), or makes one.
    pub fn open(key_file: &Path) -> Result<SealedBlobs> {
        let _ = key_file;
        todo!()
    }
    /// Seals and stores. `context` (an id) must be given again to read.
    pub async fn put(&self, tx: &mut Tx, context: &str, bytes: &[u8]) -> Result<BlobId> {
        let _ = (tx, context, bytes);
        todo!()
    }
    /// Reads and opens.
    pub async fn read(&self, store: &Store, context: &str, id: &BlobId) -> Result<Vec<u8>> {
        let _ = (store, context, id);
        todo!()
    }
}
