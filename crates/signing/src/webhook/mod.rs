//! Webhooks: results announced to portals, signed as Standard Webhooks says.
//!
//! The payload is made here, from the row, at each attempt; the HTTP call is made by the server's
//! `outbound`. At least once, with an event id for the receiver to recognise; no ordering promise.
//!
//! Standard Webhooks 1.0: `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
//! `id.timestamp.body`; while a secret is rotated, one for each secret with a space between.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kyso_store::{Job, Tx};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::portal::{secret_context, table as portal_table};
use crate::request::{RequestKind, RequestState, RequestView, record, table as request_table};
use crate::task::{self, Task};
use crate::{DeliveryId, Error, Inner, PortalId, RequestId, Result, detail};

pub mod state;
pub(crate) mod table;

pub use state::{Call, CallOutcome, Delivery, DeliveryState};

/// How long a receiver may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The verbs of a `Deliver` job, and what an operator may look at.
#[derive(Clone)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

impl Webhooks {
    pub(crate) fn new(inner: Arc<Inner>) -> Webhooks {
        Webhooks { inner }
    }

    /// The call a claimed `Deliver` job asks for; `None` when nothing is left to do (the job is finished then).
    ///
    /// # Errors
    /// [`Error::UnknownTask`] for a job of another kind.
    pub async fn call(&self, job: &Job) -> Result<Option<Call>> {
        let id = delivery_of(job)?;
        let Some(delivery) = table::by_id(&self.inner.store, id)
            .await?
            .filter(|row| row.state == DeliveryState::Pending)
        else {
            self.finish(job).await?;
            return Ok(None);
        };
        let provider = &self.inner.config.provider_name;
        let view = request_table::view(&self.inner.store, provider, delivery.request).await?;
        let view = view.ok_or(Error::NotFound {
            what: "signature request",
        })?;
        let mut tx = self.inner.store.read().await?;
        let portal = portal_table::webhook(&mut tx, delivery.portal).await?;
        let now = tx.now();
        drop(tx);
        let (Some(url), Some(secret)) = (portal.url.clone(), portal.secret) else {
            self.give_up(job, &delivery, "no-webhook").await?;
            return Ok(None);
        };
        let transaction = request_table::transaction_of(&self.inner.store, view.id).await?;
        let body = body(&view, &portal.client_id, transaction.as_deref())?
            .to_string()
            .into_bytes();
        let timestamp = now.div_euclid(1_000).to_string();
        let mut secrets = vec![secret];
        secrets.extend(
            portal
                .before
                .filter(|(_, until)| now < *until)
                .map(|(blob, _)| blob),
        );
        let context = secret_context(delivery.portal);
        let mut signatures = Vec::with_capacity(secrets.len());
        for blob in secrets {
            let secret = self
                .inner
                .sealed
                .read(&self.inner.store, &context, &blob)
                .await?;
            signatures.push(signature(&secret, &id.to_string(), &timestamp, &body));
        }
        let signatures = signatures.join(" ");
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.to_string()),
            ("webhook-signature", signatures),
            ("webhook-timestamp", timestamp),
        ];
        Ok(Some(Call {
            portal: delivery.portal,
            url,
            headers,
            body,
            timeout: CALL_TIMEOUT,
        }))
    }

    /// The portal has as many calls as it may: the job comes back at `due_at`, without a try being counted.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn postpone(&self, job: &Job, due_at: i64) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        tx.retry(job, due_at, "portal-busy").await?;
        Ok(tx.commit().await?)
    }

    /// Records how the call went: delivered, another try later, or dead after the last; ends the job accordingly.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn record(&self, job: Job, outcome: CallOutcome) -> Result<()> {
        let id = delivery_of(&job)?;
        let Some(delivery) = table::by_id(&self.inner.store, id)
            .await?
            .filter(|row| row.state == DeliveryState::Pending)
        else {
            return self.finish(&job).await;
        };
        let attempts = delivery.attempts + 1;
        let state = state::after(attempts, &outcome);
        let (status, failure) = match &outcome {
            CallOutcome::Answered { status } => (Some(*status), None),
            CallOutcome::Unreachable { code } => (None, Some(code.as_str())),
        };
        let mut tx = self.inner.store.write().await?;
        if table::record(&mut tx, id, state, status, failure).await? {
            let facts = detail([
                ("status", json!(status)),
                ("code", json!(failure)),
                ("attempts", json!(attempts)),
            ]);
            record(
                &mut tx,
                &format!("signing.webhook.{}", ledger_word(state)),
                delivery.request,
                "system",
                facts,
            );
            if state == DeliveryState::Delivered
                && request_table::deliver(&mut tx, delivery.request).await?
            {
                let how = detail([("how", json!("webhook"))]);
                record(
                    &mut tx,
                    "signing.request.delivered",
                    delivery.request,
                    &delivery.portal.to_string(),
                    how,
                );
            }
        }
        if state == DeliveryState::Pending {
            let due_at = tx.now() + state::wait_ms(attempts);
            tx.retry(&job, due_at, failure.unwrap_or("status")).await?;
        } else {
            tx.finish(&job).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The newest deliveries to a portal, at most `most`.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn list(&self, portal: &PortalId, most: usize) -> Result<Vec<Delivery>> {
        table::of_portal(&self.inner.store, *portal, most).await
    }

    /// The delivery of a request's end, if it is announced.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn of_request(&self, request: &RequestId) -> Result<Option<Delivery>> {
        table::of_request(&self.inner.store, *request).await
    }

    async fn give_up(&self, job: &Job, delivery: &Delivery, code: &str) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        table::record(&mut tx, delivery.id, DeliveryState::Dead, None, Some(code)).await?;
        record(
            &mut tx,
            "signing.webhook.dead",
            delivery.request,
            "system",
            detail([("code", json!(code))]),
        );
        tx.finish(job).await?;
        Ok(tx.commit().await?)
    }

    async fn finish(&self, job: &Job) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        tx.finish(job).await?;
        Ok(tx.commit().await?)
    }
}

/// Announces the end of a request in the transaction that ends it, if its portal has a webhook.
pub(crate) async fn announce(
    tx: &mut Tx,
    request: RequestId,
    portal: Option<PortalId>,
) -> Result<()> {
    let Some(portal) = portal else { return Ok(()) };
    let id: DeliveryId = tx.id();
    if table::announce(tx, id, request, portal).await? {
        task::enqueue(tx, &Task::Deliver { delivery: id });
    }
    Ok(())
}

/// As [`announce`], for a batch whose portals are known to have webhooks.
pub(crate) async fn announce_many(tx: &mut Tx, requests: &[(RequestId, PortalId)]) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = requests
        .iter()
        .map(|(request, portal)| (tx.id(), *request, *portal))
        .collect();
    table::insert_many(tx, &rows).await?;
    for (delivery, _, _) in rows {
        task::enqueue(tx, &Task::Deliver { delivery });
    }
    Ok(())
}

fn delivery_of(job: &Job) -> Result<DeliveryId> {
    match Task::of(job)? {
        Task::Deliver { delivery } => Ok(delivery),
        _ => Err(Error::UnknownTask {
            kind: job.kind.clone(),
        }),
    }
}

fn ledger_word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "tried",
        DeliveryState::Delivered => "delivered",
        DeliveryState::Dead => "dead",
    }
}

/// Thin: what ended and how; the receiver fetches the documents. sp769 receivers get the body they know.
fn body(view: &RequestView, client_id: &str, transaction: Option<&str>) -> Result<Value> {
    match view.kind {
        RequestKind::Sp769 => sp769_body(view, client_id, transaction),
        RequestKind::Portal | RequestKind::Acceptance => {
            // A delivered request was a signed one; what is announced is how it ended.
            let state = if view.state == RequestState::Delivered {
                RequestState::Signed
            } else {
                view.state
            };
            Ok(json!({
                "type": format!("signature_request.{state}"),
                "timestamp": instant(view.ended_at.unwrap_or(view.created_at)),
                "data": {
                    "id": view.id,
                    "state": state.as_str(),
                    "code": view.code,
                    "failure": view.failure,
                    "documents": view.documents.len(),
                },
            }))
        }
    }
}

/// `signed_files` here, `signatures` in the status answer: as the interface has it.
fn sp769_body(view: &RequestView, client_id: &str, transaction: Option<&str>) -> Result<Value> {
    let (message, files) = match view.state {
        RequestState::Signed | RequestState::Delivered => {
            ("SUCCESS", crate::request::sp769::signatures_of(view)?)
        }
        RequestState::Refused => ("REJECTED", Vec::new()),
        RequestState::Expired => ("EXPIRED", Vec::new()),
        _ => ("FAILED", Vec::new()),
    };
    let files: Vec<Value> = files
        .iter()
        .map(|file| json!({ "doc_id": file.doc_id, "signature_value": STANDARD.encode(&file.signature), "timestamp_signature": null }))
        .collect();
    Ok(json!({
        "sp_id": client_id,
        "status_code": 200,
        "message": message,
        "transaction_id": transaction,
        "signed_files": files,
    }))
}

fn signature(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        context.update(part);
    }
    format!("v1,{}", STANDARD.encode(context.sign()))
}

/// RFC 3339, in UTC.
fn instant(at: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_published_example() {
        // standard-webhooks/standard-webhooks, libraries' common test vector
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn instants_are_in_utc() {
        assert_eq!(instant(1_795_334_645_000), "2026-11-22T08:04:05Z");
    }
}
