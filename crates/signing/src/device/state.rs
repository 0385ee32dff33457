//! What a bound device and its session are. Pure.

use kyso_keystore::DeviceKey;

use crate::{CredentialId, DeviceId};

/// A phone bound to a credential: the only one that may approve with it.
#[derive(Debug, Clone)]
pub struct Device {
    pub id: DeviceId,
    pub credential: CredentialId,
    pub key: DeviceKey,
    pub bound_at: i64,
}

/// Who is calling, once a session token is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub device: DeviceId,
    pub credential: CredentialId,
    /// The registration crate's citizen id, as given when the credential was opened.
    pub citizen: String,
    /// Milliseconds since 1970.
    pub expires_at: i64,
}

/// A session just opened or rotated: the token is shown once, its SHA-256 is stored.
#[derive(Debug, Clone)]
pub struct OpenedSession {
    /// Base64url of 32 random bytes.
    pub token: String,
    pub session: Session,
}
