//! Devices and their sessions: a phone proves it holds the bound device key, and gets a token.
//!
//! One device, one account: a device key has at most one live binding (unique index). A session is
//! for reading and for sending approvals; it signs nothing by itself.

use std::sync::Arc;

use kyso_keystore::{DeviceKey, DeviceSignature, SessionStatement};

use kyso_store::Event;

use crate::{CredentialId, Error, Inner, Result, chance, detail};

pub mod state;
pub(crate) mod table;

pub use state::{Device, OpenedSession, Session};
pub use table::{device_key_bytes, device_key_from, signature_bytes, signature_from};

/// The verbs of a device's life; binding itself is a credential's verb.
#[derive(Clone)]
pub struct Devices {
    inner: Arc<Inner>,
}

/// How long a challenge may wait for its statement: five minutes, like an approval.
const CHALLENGE_MS: i64 = 300_000;

/// How long a rotated token still works, for calls already on their way: half a minute.
const ROTATION_MS: i64 = 30_000;

impl Devices {
    pub(crate) fn new(inner: Arc<Inner>) -> Devices {
        Devices { inner }
    }

    /// A nonce for a session or binding statement: base64url of 16 random bytes, good for five minutes, once.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn challenge(&self) -> Result<String> {
        let nonce = chance::nonce();
        let mut tx = self.inner.store.write().await?;
        let expires_at = tx.now() + CHALLENGE_MS;
        table::add_challenge(&mut tx, &nonce, expires_at).await?;
        tx.commit().await?;
        Ok(nonce)
    }

    /// When an open nonce ends, milliseconds since 1970; `None` if it is unknown, used or too old.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn challenge_ends(&self, nonce: &str) -> Result<Option<i64>> {
        table::challenge_ends(&self.inner.store, nonce).await
    }

    /// Opens a session for the bound device that signed this `kyso.session.v1` statement over an open challenge. The statement
    /// names the device by its id (`dev_…`) or by its key (base64url of SHA-256 of the SPKI).
    ///
    /// # Errors
    /// [`Error::DeviceSignature`] for a statement that does not parse or verify, [`Error::DeviceUnknown`],
    /// [`Error::ChallengeInvalid`].
    pub async fn open_session(
        &self,
        statement: &[u8],
        device: &DeviceKey,
        signature: &DeviceSignature,
    ) -> Result<OpenedSession> {
        let said = SessionStatement::parse(statement).map_err(|_| Error::DeviceSignature)?;
        let bound = table::by_key(&self.inner.store, device)
            .await?
            .ok_or(Error::DeviceUnknown)?;
        // The stored key decides, kind and origin included; what the caller sent only finds it.
        bound
            .key
            .verify(statement, signature)
            .map_err(|_| Error::DeviceSignature)?;
        if said.device != bound.id.to_string() && said.device != table::thumbprint(&bound.key) {
            return Err(Error::DeviceSignature);
        }
        let id = bound.id;
        let mut tx = self.inner.store.write().await?;
        if !table::use_challenge(&mut tx, &said.nonce).await? {
            return Err(Error::ChallengeInvalid);
        }
        let token = chance::token();
        let digest = chance::sha256(token.as_bytes());
        let config = &self.inner.config;
        let expires_at = tx.now() + config.session_ms;
        let ends_at = tx.now() + config.session_ms.max(config.session_ms_max);
        table::insert_session(&mut tx, &digest, id, expires_at, (&digest, ends_at)).await?;
        tx.commit().await?;
        let session = self.live(&digest).await?.session;
        Ok(OpenedSession { token, session })
    }

    /// Who holds this token.
    ///
    /// # Errors
    /// [`Error::SessionInvalid`] for an unknown, ended or expired session, or a device no longer bound.
    pub async fn authenticate(&self, token: &str) -> Result<Session> {
        Ok(self.live(&chance::sha256(token.as_bytes())).await?.session)
    }

    /// A new token for the same device; the old one ends half a minute later. Rotation never outlives
    /// [`crate::SigningConfig::session_ms_max`] after the opening.
    ///
    /// # Errors
    /// [`Error::SessionInvalid`].
    pub async fn rotate_session(&self, token: &str) -> Result<OpenedSession> {
        let digest = chance::sha256(token.as_bytes());
        let live = self.live(&digest).await?;
        let fresh = chance::token();
        let mut tx = self.inner.store.write().await?;
        let now = tx.now();
        let session = Session {
            expires_at: (now + self.inner.config.session_ms).min(live.ends_at),
            ..live.session
        };
        table::rotate_session(&mut tx, &digest, now + ROTATION_MS).await?;
        let of_fresh = chance::sha256(fresh.as_bytes());
        let family = (live.family.as_slice(), live.ends_at);
        table::insert_session(
            &mut tx,
            &of_fresh,
            session.device,
            session.expires_at,
            family,
        )
        .await?;
        tx.commit().await?;
        Ok(OpenedSession {
            token: fresh,
            session,
        })
    }

    /// Ends the session, whatever its token was rotated to; an unknown one is no error.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn close_session(&self, token: &str) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        table::end_family(&mut tx, &chance::sha256(token.as_bytes())).await?;
        Ok(tx.commit().await?)
    }

    /// The device bound to a credential now.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn bound_to(&self, credential: &CredentialId) -> Result<Option<Device>> {
        table::bound_to(&self.inner.store, *credential).await
    }

    /// The session of a token. One that was rotated away and comes again is in other hands than its family: all of that ends.
    async fn live(&self, digest: &[u8; 32]) -> Result<table::LiveSession> {
        if let Some(live) = table::session(&self.inner.store, digest).await? {
            return Ok(live);
        }
        if let Some(device) = table::rotated_away(&self.inner.store, digest).await? {
            let mut tx = self.inner.store.write().await?;
            table::end_family(&mut tx, digest).await?;
            tx.record(Event {
                kind: "signing.session.reused",
                subject: &device.to_string(),
                actor: "system",
                detail: detail([]),
            });
            tx.commit().await?;
        }
        Err(Error::SessionInvalid)
    }
}
