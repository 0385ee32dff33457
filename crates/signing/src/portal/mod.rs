//! Portals: who may ask a citizen for a signature, and how they prove who they are.
//!
//! A client secret is 256 random bits, so a plain SHA-256 of it is stored: there is nothing to
//! guess, and a slow hash would only slow every call. Two secrets may be valid at once while a
//! portal rotates. A webhook secret must be read again to sign with, so it is sealed under the data key.

use std::sync::Arc;

use kyso_store::{BlobId, Event, Tx};

use crate::{Error, Inner, PortalId, Result, chance, detail};

pub mod network;
pub mod state;
pub(crate) mod table;

pub use network::Network;
pub use state::{NewPortal, Portal, RegisteredPortal, Scopes};

/// The verbs of a portal's life.
#[derive(Clone)]
pub struct Portals {
    inner: Arc<Inner>,
}

impl Portals {
    pub(crate) fn new(inner: Arc<Inner>) -> Portals {
        Portals { inner }
    }

    /// Registers a portal and returns its secrets, once. `actor` is who ordered it (an officer id, `cli`).
    ///
    /// # Errors
    /// [`Error::ClientIdTaken`], [`Error::Unacceptable`].
    pub async fn register(&self, new: NewPortal, actor: &str) -> Result<RegisteredPortal> {
        new.check()?;
        let mut tx = self.inner.store.write().await?;
        let id: PortalId = tx.id();
        let portal = Portal {
            id,
            client_id: new.client_id.unwrap_or_else(|| id.to_string()),
            name: new.name,
            scopes: new.scopes,
            webhook_url: new.webhook_url,
            return_to: Vec::new(),
            status_from: Vec::new(),
            disabled_at: None,
            created_at: tx.now(),
        };
        let secret = chance::token();
        let webhook_secret = portal.webhook_url.is_some().then(chance::bytes);
        let sealed = match &webhook_secret {
            Some(secret) => Some(self.seal(&mut tx, id, secret).await?),
            None => None,
        };
        let inserted = table::insert(&mut tx, &portal, new.public_key.as_deref(), sealed).await;
        if is_constraint(&inserted, "portal_client_id_once") {
            return Err(Error::ClientIdTaken);
        }
        inserted?;
        table::insert_secret(&mut tx, id, &chance::sha256(secret.as_bytes())).await?;
        record(&mut tx, "signing.portal.registered", id, actor);
        tx.commit().await?;
        let webhook_secret = webhook_secret.map(|bytes| chance::webhook_secret_text(&bytes));
        Ok(RegisteredPortal {
            portal,
            secret,
            webhook_secret,
        })
    }

    /// Who is calling. The same error for an unknown client, a wrong secret and a disabled portal.
    ///
    /// The look-up is by the secret's digest, so its time says nothing about how much of a guess was right.
    ///
    /// # Errors
    /// [`Error::PortalCredentials`].
    pub async fn authenticate(&self, client_id: &str, secret: &str) -> Result<Portal> {
        let digest = chance::sha256(secret.as_bytes());
        table::by_secret(&self.inner.store, client_id, &digest)
            .await?
            .ok_or(Error::PortalCredentials)
    }

    /// A new client secret; the ones before stay valid for `overlap_ms`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn rotate_secret(
        &self,
        portal: &PortalId,
        overlap_ms: i64,
        actor: &str,
    ) -> Result<String> {
        self.show(portal).await?;
        let secret = chance::token();
        let mut tx = self.inner.store.write().await?;
        let until = tx.now().saturating_add(overlap_ms.max(0));
        table::retire_secrets(&mut tx, *portal, until).await?;
        table::insert_secret(&mut tx, *portal, &chance::sha256(secret.as_bytes())).await?;
        record(&mut tx, "signing.portal.secret-rotated", *portal, actor);
        tx.commit().await?;
        Ok(secret)
    }

    /// Sets or clears the webhook; returns its new secret.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unacceptable`].
    pub async fn set_webhook(
        &self,
        portal: &PortalId,
        url: Option<&str>,
        actor: &str,
    ) -> Result<Option<String>> {
        state::check_webhook_url(url)?;
        self.show(portal).await?;
        let secret = url.map(|_| chance::bytes());
        let mut tx = self.inner.store.write().await?;
        let replaced = table::webhook(&mut tx, *portal).await?;
        let sealed = match &secret {
            Some(secret) => Some(self.seal(&mut tx, *portal, secret).await?),
            None => None,
        };
        table::set_webhook(&mut tx, *portal, url, sealed).await?;
        let before = replaced.before.map(|(blob, _)| blob);
        for gone in replaced.secret.into_iter().chain(before) {
            tx.delete_blob(&gone).await?;
        }
        record(&mut tx, "signing.portal.webhook-set", *portal, actor);
        tx.commit().await?;
        Ok(secret.map(|bytes| chance::webhook_secret_text(&bytes)))
    }

    /// A new webhook secret; calls are signed with the one before too for `overlap_ms`, so that the receiver changes over in its own
    /// time.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a portal without a webhook.
    pub async fn rotate_webhook_secret(
        &self,
        portal: &PortalId,
        overlap_ms: i64,
        actor: &str,
    ) -> Result<String> {
        self.show(portal).await?;
        let secret = chance::bytes();
        let mut tx = self.inner.store.write().await?;
        let replaced = table::webhook(&mut tx, *portal).await?;
        if replaced.secret.is_none() {
            return Err(Error::NotFound { what: "webhook" });
        }
        let sealed = self.seal(&mut tx, *portal, &secret).await?;
        let until = tx.now().saturating_add(overlap_ms.max(0));
        table::rotate_webhook(&mut tx, *portal, sealed, until).await?;
        if let Some((gone, _)) = replaced.before {
            tx.delete_blob(&gone).await?;
        }
        record(&mut tx, "signing.portal.webhook-rotated", *portal, actor);
        tx.commit().await?;
        Ok(chance::webhook_secret_text(&secret))
    }

    async fn seal(&self, tx: &mut Tx, portal: PortalId, secret: &[u8; 32]) -> Result<BlobId> {
        let context = secret_context(portal);
        Ok(self.inner.sealed.put(tx, &context, secret).await?)
    }

    /// What the portal may ask for from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_scopes(&self, portal: &PortalId, scopes: Scopes, actor: &str) -> Result<()> {
        self.show(portal).await?;
        let mut tx = self.inner.store.write().await?;
        table::set_scopes(&mut tx, *portal, scopes).await?;
        record(&mut tx, "signing.portal.scopes-set", *portal, actor);
        Ok(tx.commit().await?)
    }

    /// Where citizens may be sent after signing, from now on; nothing else is accepted as `return_url`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unacceptable`].
    pub async fn set_return_to(
        &self,
        portal: &PortalId,
        places: &[String],
        actor: &str,
    ) -> Result<()> {
        state::check_return_to(places)?;
        self.show(portal).await?;
        let mut tx = self.inner.store.write().await?;
        table::set_return_to(&mut tx, *portal, places).await?;
        record(&mut tx, "signing.portal.return-set", *portal, actor);
        Ok(tx.commit().await?)
    }

    /// From which networks, beside the one that asked, a SmartCA transaction is answered by an id that can be guessed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Unacceptable`].
    pub async fn set_status_from(
        &self,
        portal: &PortalId,
        networks: &[Network],
        actor: &str,
    ) -> Result<()> {
        if networks.len() > 20 || networks.iter().any(Network::splits_a_subscriber) {
            return Err(Error::Unacceptable {
                field: "status_from",
                rule: "at most 20 networks, those of IPv6 not smaller than a /64",
            });
        }
        self.show(portal).await?;
        let mut tx = self.inner.store.write().await?;
        table::set_status_from(&mut tx, *portal, networks).await?;
        record(&mut tx, "signing.portal.network-set", *portal, actor);
        Ok(tx.commit().await?)
    }

    /// The portal may no longer call; its history stays.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn disable(&self, portal: &PortalId, actor: &str) -> Result<()> {
        if self.show(portal).await?.disabled_at.is_some() {
            return Ok(());
        }
        let mut tx = self.inner.store.write().await?;
        table::disable(&mut tx, *portal).await?;
        record(&mut tx, "signing.portal.disabled", *portal, actor);
        Ok(tx.commit().await?)
    }

    /// One portal.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn show(&self, portal: &PortalId) -> Result<Portal> {
        table::by_id(&self.inner.store, *portal)
            .await?
            .ok_or(Error::NotFound { what: "portal" })
    }

    /// By client id (`sp_id`), without a secret: for an operator's console and campaign set-up.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn find(&self, client_id: &str) -> Result<Option<Portal>> {
        table::by_client_id(&self.inner.store, client_id).await
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list(&self) -> Result<Vec<Portal>> {
        table::all(&self.inner.store).await
    }
}

/// What a webhook secret is sealed to: another portal's does not open in its place.
pub(crate) fn secret_context(portal: PortalId) -> String {
    format!("{portal} webhook")
}

fn record(tx: &mut Tx, kind: &str, portal: PortalId, actor: &str) {
    tx.record(Event {
        kind,
        subject: &portal.to_string(),
        actor,
        detail: detail([]),
    });
}

fn is_constraint<T>(result: &Result<T>, expected: &str) -> bool {
    crate::error::constraint(result).is_some_and(|name| name == expected)
}
