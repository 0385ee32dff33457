//! A signature request: created by a portal, shown to its citizen, approved or refused, signed by
//! the worker, fetched by the portal.

use std::sync::Arc;

use kyso_keystore::Keystore;
use kyso_store::jobs::Job;

use crate::device::Session;
use crate::portal::Portal;
use crate::task::Done;
use crate::{CredentialId, Inner, RequestId, Result};

pub mod sp769;
pub mod state;
pub(crate) mod table;

pub use state::{
    Approval, DocumentFormat, DocumentView, Idempotency, NewDocument, NewRequest, RequestEvent,
    RequestKind, RequestState, RequestView, Signer, document_code,
};

/// The verbs of a request's life, in order.
#[derive(Clone)]
pub struct Requests {
    inner: Arc<Inner>,
}

impl Requests {
    pub(crate) fn new(inner: Arc<Inner>) -> Requests {
        Requests { inner }
    }

    /// A portal asks. PDFs are prepared before the transaction opens; the same idempotency key gives the same request.
    pub async fn create(&self, portal: &Portal, new: NewRequest) -> Result<RequestView> {
        todo!()
    }

    /// The provider asks for the signed acceptance of a bound, still opening credential. Idempotent per credential.
    pub async fn create_acceptance(
        &self,
        credential: &CredentialId,
        name: &str,
        pdf: Vec<u8>,
    ) -> Result<RequestView> {
        todo!()
    }

    /// What waits for this citizen and what ended lately, newest first, at most `most`.
    pub async fn list(&self, session: &Session, most: usize) -> Result<Vec<RequestView>> {
        todo!()
    }

    /// Everything the statement is made from.
    pub async fn show(&self, session: &Session, request: &RequestId) -> Result<RequestView> {
        todo!()
    }

    /// The bytes the citizen sees: exactly those whose digest is in the statement.
    pub async fn document(
        &self,
        session: &Session,
        request: &RequestId,
        position: usize,
    ) -> Result<Vec<u8>> {
        todo!()
    }

    /// The citizen approves: checked in full except the PIN, stored, and a `Sign` job in the same transaction.
    pub async fn approve(
        &self,
        session: &Session,
        request: &RequestId,
        approval: Approval,
    ) -> Result<RequestView> {
        todo!()
    }

    /// The citizen says no; `reason` is a code (`not-me`, `wrong-document`, `other`).
    pub async fn refuse(
        &self,
        session: &Session,
        request: &RequestId,
        reason: &str,
    ) -> Result<RequestView> {
        todo!()
    }

    /// The portal takes it back.
    pub async fn withdraw(&self, portal: &Portal, request: &RequestId) -> Result<RequestView> {
        todo!()
    }

    /// Signs a batch of claimed `Sign` jobs with two durable commits, whatever its size, and finishes the jobs.
    pub async fn sign_many(&self, keys: &Keystore, jobs: Vec<Job>) -> Result<Vec<Done>> {
        todo!()
    }

    /// Ends what is due; returns how many.
    pub async fn expire(&self) -> Result<usize> {
        todo!()
    }

    /// The request as its portal may see it. Another portal's request is not found.
    pub async fn of_portal(&self, portal: &Portal, request: &RequestId) -> Result<RequestView> {
        todo!()
    }

    /// The signed document: the original bytes with the signature appended. Always the same bytes.
    pub async fn signed_document(
        &self,
        portal: &Portal,
        request: &RequestId,
        position: usize,
    ) -> Result<Vec<u8>> {
        todo!()
    }

    /// The signed acceptance of a credential, for the enrolment's file.
    pub async fn signed_acceptance(&self, credential: &CredentialId) -> Result<Option<Vec<u8>>> {
        todo!()
    }
}
