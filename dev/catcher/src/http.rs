//! The HTTP side: the SMS gateway's protocol, webhooks, faults, and reading what was caught.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use serde::{Deserialize, Serialize};

use crate::inbox::{Channel, Faults, Inbox, Message, Webhook};

/// Longest body taken.
const BODY_BYTES_MAX: usize = 4 << 20;
/// Longest a reader may wait for a message.
const WAIT_MAX_MS: u64 = 30_000;

#[derive(Clone)]
struct Desk {
    inbox: Arc<Inbox>,
    sms_token: Arc<str>,
}

pub(crate) fn routes(inbox: Arc<Inbox>, sms_token: String) -> Router {
    Router::new()
        .route("/", get(show_inbox))
        .route("/messages", get(list_messages))
        .route("/sms", post(take_sms))
        .route("/faults", post(set_faults))
        .route("/webhook/{name}", post(take_webhook))
        .route("/webhooks/{name}", get(list_webhooks))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(only_loopback_names))
        .with_state(Desk {
            inbox,
            sms_token: sms_token.into(),
        })
}

/// A web page elsewhere could point its own name at 127.0.0.1 and read the codes: other names are turned away.
async fn only_loopback_names(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if ["127.0.0.1", "localhost"].contains(&name) {
        next.run(request).await
    } else {
        (
            StatusCode::MISDIRECTED_REQUEST,
            "only 127.0.0.1 and localhost",
        )
            .into_response()
    }
}

#[derive(Deserialize)]
struct Sms {
    to: String,
    text: String,
    #[serde(default)]
    reference: String,
}

async fn take_sms(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> Response {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    if sent.and_then(|value| value.strip_prefix("Bearer ")) != Some(&*desk.sms_token) {
        return (
            StatusCode::UNAUTHORIZED,
            Json(serde_json::json!({ "error": "token" })),
        )
            .into_response();
    }
    let Ok(sms) = serde_json::from_slice::<Sms>(&body) else {
        return (
            StatusCode::BAD_REQUEST,
            Json(serde_json::json!({ "error": "body" })),
        )
            .into_response();
    };
    if sms.to.is_empty() || sms.text.is_empty() {
        return (
            StatusCode::BAD_REQUEST,
            Json(serde_json::json!({ "error": "empty" })),
        )
            .into_response();
    }
    if desk.inbox.fault(|faults| &mut faults.sms) {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(serde_json::json!({ "error": "fault" })),
        )
            .into_response();
    }
    let id = desk.inbox.add(Message {
        id: 0,
        channel: Channel::Sms,
        from: String::new(),
        to: sms.to,
        subject: String::new(),
        text: sms.text,
        reference: sms.reference,
    });
    Json(serde_json::json!({ "id": format!("sms-{id}") })).into_response()
}

async fn set_faults(State(desk): State<Desk>, Json(faults): Json<Faults>) -> Json<Faults> {
    desk.inbox.set_faults(faults);
    Json(faults)
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Serialize)]
struct Messages {
    messages: Vec<Message>,
}

async fn list_messages(State(desk): State<Desk>, Query(wanted): Query<Wanted>) -> Json<Messages> {
    let to = wanted.to.as_deref();
    if wanted.wait_ms > 0 {
        let patience = Duration::from_millis(wanted.wait_ms.min(WAIT_MAX_MS));
        desk.inbox.wait_for(to, wanted.after, patience).await;
    }
    Json(Messages {
        messages: desk.inbox.messages(to, wanted.after),
    })
}

async fn take_webhook(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if desk.inbox.fault(|faults| &mut faults.webhook) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut kept = BTreeMap::<String, String>::new();
    for (name, value) in &headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        kept.entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    desk.inbox.add_webhook(Webhook {
        id: 0,
        name,
        headers: kept,
        body: String::from_utf8_lossy(&body).into_owned(),
        body_base64: base64::engine::general_purpose::STANDARD.encode(&body),
    });
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Serialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

async fn list_webhooks(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Json<Webhooks> {
    if wanted.wait_ms > 0 {
        let patience = Duration::from_millis(wanted.wait_ms.min(WAIT_MAX_MS));
        desk.inbox
            .wait_for_webhook(&name, wanted.after, patience)
            .await;
    }
    Json(Webhooks {
        webhooks: desk.inbox.webhooks(&name, wanted.after),
    })
}

/// The inbox as a page, newest first.
async fn show_inbox(State(desk): State<Desk>) -> Html<String> {
    let mut entries = String::new();
    for message in desk.inbox.messages(None, 0).iter().rev().take(200) {
        let (kind, class) = match message.channel {
            Channel::Mail => ("mail", "mail"),
            Channel::Sms => ("SMS", "sms"),
        };
        entries.push_str(&format!(
            "<article class={class}><header><b>{kind}</b> {to} <small>#{id}</small></header><h2>{subject}</h2><pre>{text}</pre></article>\n",
            to = escape(&message.to),
            id = message.id,
            subject = escape(&message.subject),
            text = escape(&message.text),
        ));
    }
    if entries.is_empty() {
        entries.push_str("<p>Nothing caught yet. Mail and SMS sent by kyso appear here.</p>");
    }
    Html(include_str!("inbox.html").replace("<!-- entries -->", &entries))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
