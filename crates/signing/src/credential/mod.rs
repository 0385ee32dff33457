//! A citizen's credential: opened for an enrolment, bound to a phone and PIN, activated by the
//! signed acceptance, suspended, resumed, revoked.

use std::sync::Arc;

use kyso_keystore::Keystore;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::revocation::Reason;

use crate::{BindingId, CredentialId, Inner, Result};

pub mod state;
pub(crate) mod table;

pub use state::{
    Binding, BindingIntention, BindingPurpose, BindingState, Credential, CredentialEvent,
    CredentialState, Opening,
};

/// The verbs of a credential's life, in order.
#[derive(Clone)]
pub struct Credentials {
    inner: Arc<Inner>,
}

impl Credentials {
    pub(crate) fn new(inner: Arc<Inner>) -> Credentials {
        Credentials { inner }
    }

    /// Key and certificate for an enrolment; the credential stays `opening` until its acceptance is signed.
    ///
    /// Idempotent per [`Opening::enrolment`], from any point where it was interrupted.
    pub async fn open(&self, keys: &Keystore, opening: &Opening) -> Result<Credential> {
        todo!()
    }

    /// Stores what a phone sent to bind itself, for the worker. Needs an open device challenge as nonce.
    pub async fn request_binding(
        &self,
        credential: &CredentialId,
        intention: BindingIntention,
    ) -> Result<Binding> {
        todo!()
    }

    pub async fn binding(&self, binding: &BindingId) -> Result<Binding> {
        todo!()
    }

    /// Signs nothing until resumed. `actor` is a citizen, officer or `cli`, as an id.
    pub async fn suspend(
        &self,
        credential: &CredentialId,
        reason: &str,
        actor: &str,
    ) -> Result<()> {
        todo!()
    }

    pub async fn resume(&self, credential: &CredentialId, actor: &str) -> Result<()> {
        todo!()
    }

    /// For good: the wrapped key is overwritten in the same transaction.
    pub async fn revoke(
        &self,
        credential: &CredentialId,
        reason: Reason,
        actor: &str,
    ) -> Result<()> {
        todo!()
    }

    /// Gives up an opening that cannot be completed, so that the citizen may enrol again.
    pub async fn give_up(&self, credential: &CredentialId, code: &str, actor: &str) -> Result<()> {
        todo!()
    }

    pub async fn show(&self, credential: &CredentialId) -> Result<Credential> {
        todo!()
    }

    pub async fn of_enrolment(&self, enrolment: &str) -> Result<Option<Credential>> {
        todo!()
    }

    /// The live credential of a citizen (opening, active or suspended).
    pub async fn of_citizen(&self, citizen: &str) -> Result<Option<Credential>> {
        todo!()
    }

    /// Makes sealed RSA pairs until the pool holds what the configuration says; returns how many were made.
    pub async fn fill_pool(&self, keys: &Keystore, algorithm: KeyAlgorithm) -> Result<usize> {
        todo!()
    }
}
