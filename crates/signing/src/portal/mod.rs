//! Portals: who may ask a citizen for a signature, and how they prove who they are.
//!
//! A client secret is 256 random bits, so a plain SHA-256 of it is stored: there is nothing to
//! guess, and a slow hash would only slow every call. Two secrets may be valid at once while a
//! portal rotates.

use std::sync::Arc;

use crate::{Inner, PortalId, Result};

pub mod state;
pub(crate) mod table;

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
    pub async fn register(&self, new: NewPortal, actor: &str) -> Result<RegisteredPortal> {
        todo!()
    }

    /// Who is calling. The same error for an unknown client, a wrong secret and a disabled portal.
    pub async fn authenticate(&self, client_id: &str, secret: &str) -> Result<Portal> {
        todo!()
    }

    /// A new client secret; the ones before stay valid for `overlap_ms`.
    pub async fn rotate_secret(
        &self,
        portal: &PortalId,
        overlap_ms: i64,
        actor: &str,
    ) -> Result<String> {
        todo!()
    }

    /// Sets or clears the webhook; returns its new secret.
    pub async fn set_webhook(
        &self,
        portal: &PortalId,
        url: Option<&str>,
        actor: &str,
    ) -> Result<Option<String>> {
        todo!()
    }

    pub async fn set_scopes(&self, portal: &PortalId, scopes: Scopes, actor: &str) -> Result<()> {
        todo!()
    }

    /// The portal may no longer call; its history stays.
    pub async fn disable(&self, portal: &PortalId, actor: &str) -> Result<()> {
        todo!()
    }

    pub async fn show(&self, portal: &PortalId) -> Result<Portal> {
        todo!()
    }

    /// By client id (`sp_id`), without a secret: for an operator's console and campaign set-up.
    pub async fn find(&self, client_id: &str) -> Result<Option<Portal>> {
        todo!()
    }

    /// All of them, oldest first.
    pub async fn list(&self) -> Result<Vec<Portal>> {
        todo!()
    }
}
