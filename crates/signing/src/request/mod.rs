//! A signature request: created by a portal, shown to its citizen, approved or refused, signed by
//! the worker, fetched by the portal.

use std::sync::Arc;

use kyso_ades::pades::Prepared;
use kyso_keystore::activation::{Channel, Preview};
use kyso_keystore::{Activation, Expected, ExpectedDocument, Refusal};
use kyso_store::{Event, Tx, ledger};
use serde_json::json;

use crate::credential::CredentialState;
use crate::device::Session;
use crate::device::table::corrupt;
use crate::error::is_conflict;
use crate::format::{self, SignerOfRecord};
use crate::portal::Portal;
use crate::task::{self, Task};
use crate::webhook;
use crate::{CredentialId, Error, Inner, PortalId, RequestId, Result, chance, credential, detail};

mod create;
mod recompute;
mod screen;
mod sign;
pub mod sp769;
pub mod state;
pub(crate) mod table;
mod together;
mod wait;

pub(crate) use screen::check_channel;
pub use screen::{Opening, Screen, ScreenCode};
pub(crate) use together::Gathering;
pub use wait::Listener;
pub(crate) use wait::Waiting;

pub use state::{
    Approval, ApprovalProof, DocumentFormat, DocumentView, Idempotency, NewDocument, NewRequest,
    Page, Place, RequestEvent, RequestKind, RequestState, RequestView, Signer, channel_word,
    document_code,
};

/// The verbs of a request's life, in order. `create` and its kin are in `create.rs`, the worker's part in `sign.rs`.
#[derive(Clone)]
pub struct Requests {
    pub(crate) inner: Arc<Inner>,
}

impl Requests {
    pub(crate) fn new(inner: Arc<Inner>) -> Requests {
        Requests { inner }
    }

    /// What waits for this citizen and what has ended, newest first, a page at a time.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list(&self, session: &Session, page: &Page) -> Result<Vec<RequestView>> {
        table::list(
            &self.inner.store,
            &self.inner.config.provider_name,
            session.credential,
            page,
        )
        .await
    }

    /// Everything the statement is made from. Another citizen's request is not found.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn show(&self, session: &Session, request: &RequestId) -> Result<RequestView> {
        let provider = &self.inner.config.provider_name;
        table::view_of_credential(&self.inner.store, provider, session.credential, *request)
            .await?
            .ok_or(NO_REQUEST)
    }

    /// The bytes the citizen sees: exactly those whose digest is in the statement.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a digest, which has no bytes.
    pub async fn document(
        &self,
        session: &Session,
        request: &RequestId,
        position: usize,
    ) -> Result<Vec<u8>> {
        self.show(session, request).await?;
        let blobs = table::blobs(&self.inner.store, *request, position)
            .await?
            .ok_or(NO_DOCUMENT)?;
        Ok(self
            .inner
            .store
            .read_blob(&blobs.original.ok_or(NO_DOCUMENT)?)
            .await?)
    }

    /// The signed document for its signer: the bytes that the portal gets, whoever fetched them before.
    ///
    /// # Errors
    /// [`Error::RequestState`] until it is signed; [`Error::NotFound`], also for a digest.
    pub async fn signed_copy(
        &self,
        session: &Session,
        request: &RequestId,
        position: usize,
    ) -> Result<Vec<u8>> {
        let view = self.show(session, request).await?;
        self.embed(&view, position).await
    }

    /// The proof, for its signer, that their approval is in the ledger.
    ///
    /// # Errors
    /// [`Error::RequestState`] until it is signed; [`Error::NotFound`].
    pub async fn proof(&self, session: &Session, request: &RequestId) -> Result<ApprovalProof> {
        let view = self.show(session, request).await?;
        if !matches!(view.state, RequestState::Signed | RequestState::Delivered) {
            return Err(Error::RequestState { state: view.state });
        }
        let store = &self.inner.store;
        let (_, statement) = table::approved_with(store, *request)
            .await?
            .ok_or(NO_REQUEST)?;
        let statement = statement.ok_or_else(|| corrupt("signature_request", request))?;
        let proof = ledger::prove(store, &request.to_string(), APPROVED)
            .await?
            .ok_or(Error::NotFound {
                what: "ledger line",
            })?;
        Ok(ApprovalProof { statement, proof })
    }

    /// The citizen approves: checked in full except the PIN, stored, and a `Sign` job in the same transaction.
    ///
    /// The same approval sent again changes nothing and shows the request as it is by then.
    ///
    /// # Errors
    /// [`Error::ApprovalRefused`] with the code of what disagreed (recorded), [`Error::RequestState`],
    /// [`Error::RequestExpired`], [`Error::RequestUnopened`], [`Error::CredentialState`], [`Error::CredentialUnbound`],
    /// [`Error::PinLocked`], [`Error::UnitsExhausted`], [`Error::NotFound`].
    pub async fn approve(
        &self,
        session: &Session,
        request: &RequestId,
        approval: Approval,
    ) -> Result<RequestView> {
        let context = table::approval_context(&self.inner.store, session.credential, *request)
            .await?
            .ok_or(NO_REQUEST)?;
        if context.statement.as_deref() == Some(&approval.statement) {
            return self.show(session, request).await;
        }
        let now = self
            .inner
            .now(self.inner.store.now())
            .max(context.created_at);
        match self
            .check_approval(session, *request, &context, &approval, now)
            .await
        {
            Ok(()) => {}
            Err(error) => {
                self.record_refused_approval(session, *request, &approval, &error)
                    .await?;
                return Err(error);
            }
        }
        let checked = together::Checked {
            request: *request,
            credential: session.credential,
            citizen: session.citizen.clone(),
            nonce: context.nonce,
            approval: approval.clone(),
        };
        if !self.store_approval(checked).await? {
            // Somebody was faster: the same approval (a double tap) is no fault, any other is.
            let (state, statement) = table::approved_with(&self.inner.store, *request)
                .await?
                .ok_or(NO_REQUEST)?;
            if statement.as_deref() != Some(&approval.statement) {
                let error = Error::RequestState { state };
                self.record_refused_approval(session, *request, &approval, &error)
                    .await?;
                return Err(error);
            }
        }
        self.show(session, request).await
    }

    /// The citizen says no; `reason` is a code (`not-me`, `wrong-document`, `other`).
    ///
    /// # Errors
    /// [`Error::RequestState`], [`Error::NotFound`], [`Error::Unacceptable`].
    pub async fn refuse(
        &self,
        session: &Session,
        request: &RequestId,
        reason: &str,
    ) -> Result<RequestView> {
        let is_code = (1..=40).contains(&reason.len())
            && reason
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !is_code {
            return Err(Error::Unacceptable {
                field: "reason",
                rule: "a code of 1 to 40 lower-case letters and hyphens",
            });
        }
        let view = self.show(session, request).await?;
        self.end_pending(&view, RequestState::Refused, Some(reason), &session.citizen)
            .await?;
        self.show(session, request).await
    }

    /// The portal takes it back.
    ///
    /// # Errors
    /// [`Error::RequestState`], [`Error::NotFound`].
    pub async fn withdraw(&self, portal: &Portal, request: &RequestId) -> Result<RequestView> {
        let view = self.of_portal(portal, request).await?;
        self.end_pending(&view, RequestState::Withdrawn, None, &portal.id.to_string())
            .await?;
        self.of_portal(portal, request).await
    }

    /// Ends what is due, and forgets what nothing refers to; returns how many requests expired.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn expire(&self) -> Result<usize> {
        let mut expired = 0;
        loop {
            let mut tx = self.inner.store.write().await?;
            let ended = table::expire_due(&mut tx).await?;
            for (request, _, portal) in &ended {
                record(
                    &mut tx,
                    "signing.request.expired",
                    *request,
                    "system",
                    detail([]),
                );
                webhook::announce(&mut tx, *request, *portal).await?;
            }
            if ended.is_empty() {
                crate::device::table::forget_ended(&mut tx).await?;
            }
            tx.commit().await?;
            for (request, ..) in &ended {
                self.inner.waiting.moved(*request);
            }
            expired += ended.len();
            if ended.is_empty() {
                break;
            }
        }
        Ok(expired)
    }

    /// The request as its portal may see it. Another portal's request is not found.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn of_portal(&self, portal: &Portal, request: &RequestId) -> Result<RequestView> {
        table::view_of_portal(&self.inner.store, portal.id, *request)
            .await?
            .ok_or(NO_REQUEST)
    }

    /// How far the request is, for whoever looks often.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn state_of_portal(
        &self,
        portal: &Portal,
        request: &RequestId,
    ) -> Result<RequestState> {
        table::state_of_portal(&self.inner.store, portal.id, *request)
            .await?
            .ok_or(NO_REQUEST)
    }

    /// The signed document: the original bytes with the signature appended. Always the same bytes. A portal without a webhook
    /// has its result delivered by this.
    ///
    /// # Errors
    /// [`Error::RequestState`] until it is signed; [`Error::NotFound`], also for a digest, whose signature is in the view.
    pub async fn signed_document(
        &self,
        portal: &Portal,
        request: &RequestId,
        position: usize,
    ) -> Result<Vec<u8>> {
        let view = self.of_portal(portal, request).await?;
        let bytes = self.embed(&view, position).await?;
        if view.state == RequestState::Signed && portal.webhook_url.is_none() {
            self.collected(*request, &portal.id.to_string()).await?;
        }
        Ok(bytes)
    }

    /// The signed acceptance of a credential, for the enrolment's file; `None` until it is signed.
    ///
    /// # Errors
    /// Only the store's and ades's.
    pub async fn signed_acceptance(&self, credential: &CredentialId) -> Result<Option<Vec<u8>>> {
        let Some((id, state)) = table::acceptance(&self.inner.store, *credential).await? else {
            return Ok(None);
        };
        if !matches!(state, RequestState::Signed | RequestState::Delivered) {
            return Ok(None);
        }
        let view = self.view(id).await?;
        let bytes = self.embed(&view, 0).await?;
        if state == RequestState::Signed {
            self.collected(id, "provider").await?;
        }
        Ok(Some(bytes))
    }

    /// By id, whoever asks: for the provider's own use.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn view(&self, request: RequestId) -> Result<RequestView> {
        table::view(&self.inner.store, &self.inner.config.provider_name, request)
            .await?
            .ok_or(NO_REQUEST)
    }

    /// Everything about an approval that needs no key. In the order of activation.md, as far as the web role can go.
    async fn check_approval(
        &self,
        session: &Session,
        request: RequestId,
        context: &table::ApprovalContext,
        approval: &Approval,
        now: i64,
    ) -> Result<()> {
        if context.state != RequestState::Pending {
            return Err(Error::RequestState {
                state: context.state,
            });
        }
        if now >= context.expires_at {
            // Put on disk at once: a clock moved back later does not bring it to life again.
            self.expire_one(request).await?;
            return Err(Error::RequestExpired {
                expires_at: context.expires_at,
                now,
            });
        }
        if context.on_screen && context.channel.is_none() {
            return Err(Error::RequestUnopened);
        }
        may_sign(context.kind, context.credential_state, context.is_bound)?;
        if context.is_locked {
            return Err(Error::PinLocked);
        }
        if context.not_after_at.is_none_or(|end| now > end)
            || context.credential_serial.as_deref() != Some(&context.serial)
        {
            return Err(Error::CredentialState {
                state: CredentialState::Expired,
            });
        }
        if let Some(left) = context.units_left.filter(|left| *left < context.units) {
            return Err(Error::UnitsExhausted {
                left,
                needed: context.units,
            });
        }
        let device = context.device.as_ref().ok_or(Error::CredentialUnbound)?;
        let documents = table::work_documents(&self.inner.store, request).await?;
        let expected = expected(
            request,
            session.credential,
            context.portal,
            &documents,
            &context.nonce,
            &context.code,
        );
        let checked = Activation::check(
            &approval.statement,
            &approval.signature,
            device,
            &expected,
            approval.sealed_pin.clone(),
            now,
        )
        .map_err(|refusal| Error::ApprovalRefused {
            code: code_of(&refusal).to_owned(),
        })?;
        let stated = checked.statement().channel;
        check_previews(&checked, &documents)
            .and_then(|()| check_channel(stated, context.on_screen, context.channel))
            .map_err(|code| Error::ApprovalRefused {
                code: code.to_owned(),
            })
    }

    /// A refusal is a ledger entry in its own transaction: one, however often the very same approval is sent again, and
    /// [`REFUSALS_MAX`] of a request at most; the last of them says that it is the last.
    async fn record_refused_approval(
        &self,
        session: &Session,
        request: RequestId,
        approval: &Approval,
        error: &Error,
    ) -> Result<()> {
        let code = match error {
            Error::ApprovalRefused { code } => code.as_str(),
            Error::PinLocked => "pin-locked",
            Error::CredentialState { .. } => "credential-state",
            Error::UnitsExhausted { .. } => "units-exhausted",
            Error::CredentialUnbound => "credential-unbound",
            Error::RequestExpired { .. } => "request-expired",
            Error::RequestState { .. } => "request-state",
            Error::RequestUnopened => "request-unopened",
            _ => return Ok(()),
        };
        let statement = hex::encode(chance::sha256(&approval.statement));
        let mut refusal = detail([("code", json!(code)), ("statement", json!(statement))]);
        let subject = request.to_string();
        let kind = Some(APPROVAL_REFUSED);
        // What is sent over and over costs nobody a write.
        let told = ledger::tail(&self.inner.store, &subject, kind, REFUSALS_MAX).await?;
        if is_told(&told, &refusal) {
            return Ok(());
        }
        let mut tx = self.inner.store.write().await?;
        // Two refusals of a request come one after the other.
        table::hold(&mut tx, request).await?;
        let told = ledger::tail_in(&mut tx, &subject, kind, REFUSALS_MAX).await?;
        if is_told(&told, &refusal) {
            return Ok(());
        }
        if told.len() + 1 == REFUSALS_MAX as usize {
            refusal.insert("last".to_owned(), json!(true));
        }
        record(
            &mut tx,
            APPROVAL_REFUSED,
            request,
            &session.citizen,
            refusal,
        );
        Ok(tx.commit().await?)
    }

    async fn expire_one(&self, request: RequestId) -> Result<()> {
        let view = self.view(request).await?;
        match self
            .end_pending(&view, RequestState::Expired, None, "system")
            .await
        {
            Ok(()) | Err(Error::RequestState { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn end_pending(
        &self,
        view: &RequestView,
        to: RequestState,
        refusal: Option<&str>,
        actor: &str,
    ) -> Result<()> {
        if view.state != RequestState::Pending {
            return Err(Error::RequestState { state: view.state });
        }
        let mut tx = self.inner.store.write().await?;
        let ended = table::end_pending(&mut tx, view.id, to, refusal).await;
        if is_conflict(&ended) {
            let state = table::state_of(&mut tx, view.id).await?.ok_or(NO_REQUEST)?;
            return Err(Error::RequestState { state });
        }
        ended?;
        let reason = detail([("reason", json!(refusal))]);
        record(
            &mut tx,
            &format!("signing.request.{to}"),
            view.id,
            actor,
            reason,
        );
        if to != RequestState::Withdrawn {
            webhook::announce(&mut tx, view.id, view.portal).await?;
        }
        let (inner, request) = (self.inner.clone(), view.id);
        tx.after_commit(move || inner.waiting.moved(request));
        Ok(tx.commit().await?)
    }

    async fn embed(&self, view: &RequestView, position: usize) -> Result<Vec<u8>> {
        if !matches!(view.state, RequestState::Signed | RequestState::Delivered) {
            return Err(Error::RequestState { state: view.state });
        }
        let store = &self.inner.store;
        let blobs = table::blobs(store, view.id, position)
            .await?
            .ok_or(NO_DOCUMENT)?;
        let (Some(original), Some(prepared)) = (blobs.original, blobs.prepared) else {
            return Err(NO_DOCUMENT);
        };
        let signature = blobs
            .signature
            .ok_or_else(|| corrupt("signature_document", &view.id))?;
        let original = store.read_blob(&original).await?;
        let prepared =
            Prepared::from_bytes(&store.read_blob(&prepared).await?).map_err(Error::Format)?;
        let (certificate, chain) = credential::table::chain(store, view.credential).await?;
        let signer = SignerOfRecord {
            certificate,
            chain,
            algorithm: view.signature_algorithm,
        };
        format::embed_pdf(original, &prepared, &signer, &signature)
    }

    /// The result is in its asker's hands.
    async fn collected(&self, request: RequestId, actor: &str) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        if table::deliver(&mut tx, request).await? {
            record(
                &mut tx,
                "signing.request.delivered",
                request,
                actor,
                detail([("how", json!("collected"))]),
            );
        }
        Ok(tx.commit().await?)
    }
}

/// Kind of the ledger lines about approvals.
pub(crate) const APPROVED: &str = "signing.request.approved";

/// Kind of the ledger lines about approvals that were refused.
const APPROVAL_REFUSED: &str = "signing.request.approval-refused";

/// Refused approvals of a request that the ledger keeps: whoever holds a phone may send as many as they like.
const REFUSALS_MAX: u32 = 16;

/// Whether the ledger needs no line about this refusal: it has one, or all that it keeps of the request.
fn is_told(told: &[ledger::Entry], refusal: &serde_json::Map<String, serde_json::Value>) -> bool {
    told.len() >= REFUSALS_MAX as usize
        || told.iter().any(|line| {
            refusal
                .iter()
                .all(|(name, value)| line.detail.get(name) == Some(value))
        })
}

const NO_REQUEST: Error = Error::NotFound {
    what: "signature request",
};
const NO_DOCUMENT: Error = Error::NotFound { what: "document" };

/// What stands in the statement's `portal`: the portal's id, or `provider` for what the provider itself asks.
pub(crate) fn portal_word(portal: Option<PortalId>) -> String {
    portal.map_or_else(|| "provider".to_owned(), |portal| portal.to_string())
}

/// An acceptance needs a bound credential still opening, everything else an active one.
pub(crate) fn may_sign(kind: RequestKind, state: CredentialState, is_bound: bool) -> Result<()> {
    let needed = match kind {
        RequestKind::Acceptance => CredentialState::Opening,
        RequestKind::Portal | RequestKind::Sp769 => CredentialState::Active,
    };
    if state != needed {
        return Err(Error::CredentialState { state });
    }
    if is_bound {
        Ok(())
    } else {
        Err(Error::CredentialUnbound)
    }
}

/// What the row says the citizen was asked to approve.
pub(crate) fn expected(
    request: RequestId,
    credential: CredentialId,
    portal: Option<PortalId>,
    documents: &[table::WorkDocument],
    nonce: &str,
    code: &str,
) -> Expected {
    Expected {
        request: request.to_string(),
        credential: credential.to_string(),
        portal: portal_word(portal),
        documents: documents
            .iter()
            .map(|document| ExpectedDocument {
                name: document.name.clone(),
                document_digest: document.document_digest.clone(),
                to_be_signed: document.to_be_signed.clone(),
            })
            .collect(),
        nonce: nonce.to_owned(),
        code: code.to_owned(),
    }
}

/// A digest cannot have been seen, whatever the phone states.
pub(crate) fn check_previews(
    activation: &Activation,
    documents: &[table::WorkDocument],
) -> Result<(), &'static str> {
    let stated = &activation.statement().documents;
    let lies = stated.iter().zip(documents).any(|(stated, document)| {
        document.format == DocumentFormat::Digest && stated.preview != Preview::Blind
    });
    if lies {
        Err("preview-mismatch")
    } else {
        Ok(())
    }
}

/// The stable code of a refusal.
pub(crate) fn code_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Malformed { .. } | Refusal::NotCanonical => "statement-malformed",
        Refusal::Expired { .. } => "approval-expired",
        Refusal::FutureDated { .. } => "approval-future-dated",
        Refusal::TooLong { .. } => "approval-too-long",
        Refusal::DeviceSignature { .. } => "device-signature",
        Refusal::Other { .. } => "approval-mismatch",
        Refusal::Count { .. } | Refusal::Document { .. } => "documents-mismatch",
    }
}

/// The stable code of what the keystore refuses for good; `None` for what it could not do now and may do later.
pub(crate) fn refusal_code(error: &kyso_keystore::Error) -> Option<&'static str> {
    use kyso_keystore::Error as E;
    Some(match error {
        E::Refused(refusal) => code_of(refusal),
        E::RowForged | E::RowOfOtherCredential => "key-row-refused",
        E::Unclaimed => "credential-unbound",
        E::AlreadyClaimed => "already-bound",
        E::OtherDevice => "device-changed",
        E::ApprovalSpent => "approval-spent",
        E::Locked { .. } => "pin-locked",
        E::PinWeak => "pin-weak",
        E::PinUnreadable => "pin-unreadable",
        E::AlgorithmUnsuitable { .. }
        | E::AlgorithmNotOffered { .. }
        | E::DigestUnsuitable { .. } => "algorithm-unsuitable",
        _ => return None,
    })
}

/// A ledger line about a request.
pub(crate) fn record(
    tx: &mut Tx,
    kind: &str,
    request: RequestId,
    actor: &str,
    detail: serde_json::Map<String, serde_json::Value>,
) {
    tx.record(Event {
        kind,
        subject: &request.to_string(),
        actor,
        detail,
    });
}
