//! Devices and their sessions: a phone proves it holds the bound device key, and gets a token.
//!
//! One device, one account: a device key has at most one live binding (unique index). A session is
//! for reading and for sending approvals; it signs nothing by itself.

use std::sync::Arc;

use kyso_keystore::{DeviceKey, DeviceSignature};

use crate::{CredentialId, Inner, Result};

pub mod state;
pub(crate) mod table;

pub use state::{Device, OpenedSession, Session};

/// The verbs of a device's life; binding itself is a credential's verb.
#[derive(Clone)]
pub struct Devices {
    inner: Arc<Inner>,
}

impl Devices {
    pub(crate) fn new(inner: Arc<Inner>) -> Devices {
        Devices { inner }
    }

    /// A nonce for a session or binding statement: base64url of 16 random bytes, good for five minutes, once.
    pub async fn challenge(&self) -> Result<String> {
        todo!()
    }

    /// Opens a session for the device that signed this `kyso.session.v1` statement over an open challenge.
    pub async fn open_session(
        &self,
        statement: &[u8],
        device: &DeviceKey,
        signature: &DeviceSignature,
    ) -> Result<OpenedSession> {
        todo!()
    }

    /// Who holds this token. [`crate::Error::SessionInvalid`] for unknown, ended, expired, or an unbound device.
    pub async fn authenticate(&self, token: &str) -> Result<Session> {
        todo!()
    }

    /// A new token for the same session; the old one ends half a minute later.
    pub async fn rotate_session(&self, token: &str) -> Result<OpenedSession> {
        todo!()
    }

    pub async fn close_session(&self, token: &str) -> Result<()> {
        todo!()
    }

    /// The device bound to a credential now.
    pub async fn bound_to(&self, credential: &CredentialId) -> Result<Option<Device>> {
        todo!()
    }
}
