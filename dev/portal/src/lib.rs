//! A public-service portal of an invented province, as an integrator would write it: a form, two PDFs, one request to kyso, a page
//! that shows it, a webhook, the signed files. It uses the HTTP interface that every portal has, and typesets its forms with
//! `kyso-paper`; nothing else is shared with the server.
//!
//! # Invariants
//! - Its secret stays in this process. The page has the token of one screen.
//! - A dossier is signed when a webhook whose signature fits says so, or kyso itself when asked; never because a page says so.
//! - It listens on loopback only, and forgets everything when it ends.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod forms;
mod kyso;
mod pages;
mod webhook;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use kyso::{Credentials, Kyso};

/// Dossiers that are remembered; the oldest is forgotten first.
const DOSSIERS_MAX: usize = 200;

/// How it is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 = any free one.
    pub port: u16,
    /// Where kyso answers this program.
    pub api: String,
    /// Where browsers find kyso.
    pub public: String,
    /// As `kyso portal add --json` printed them.
    pub credentials: Credentials,
}

/// A running portal. Dropping it closes its port.
#[derive(Debug)]
pub struct Portal {
    /// Where it listens.
    pub addr: SocketAddr,
    server: JoinHandle<()>,
}

/// What was filed, by the request's id.
#[derive(Debug, Clone)]
pub(crate) struct Dossier {
    pub(crate) request: String,
    pub(crate) token: String,
    pub(crate) applicant: String,
    pub(crate) names: Vec<String>,
    /// As of the last webhook.
    pub(crate) state: String,
    pub(crate) signed: Vec<Vec<u8>>,
}

#[derive(Clone)]
struct Desk {
    kyso: Arc<Kyso>,
    public: Arc<str>,
    dossiers: Arc<Mutex<Vec<Dossier>>>,
}

impl Portal {
    /// Starts; the port is open when this returns.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let addr = listener.local_addr()?;
        let desk = Desk {
            kyso: Arc::new(Kyso::new(options.api, options.credentials)?),
            public: options.public.into(),
            dossiers: Arc::default(),
        };
        let server = tokio::spawn(async move {
            // Ends only with the task; an error here means the listener is gone and the client will say so.
            let _ = axum::serve(listener, routes(desk)).await;
        });
        Ok(Self { addr, server })
    }

    /// Where a person opens it.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.addr.port())
    }

    /// Serves until the process ends.
    pub async fn run(mut self) {
        // The task ends only when the runtime does.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/", get(show_form))
        .route("/dossiers", post(file_dossier))
        .route("/dossiers/{id}", get(show_dossier))
        .route("/dossiers/{id}/documents/{position}", get(give_document))
        .route("/portal.css", get(style))
        .route("/portal.js", get(script))
        .route("/webhook", post(take_webhook))
        .layer(DefaultBodyLimit::max(64 << 10))
        .with_state(desk)
}

async fn show_form(State(desk): State<Desk>) -> Response {
    desk.page(pages::form(None))
}

async fn file_dossier(
    State(desk): State<Desk>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let field = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
    let (name, number) = (field("name"), field("number"));
    if name.is_empty() || number.len() != 12 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        let wrong = "Nhập họ tên như trên thẻ và số Căn cước 12 chữ số.";
        return desk.page(pages::form(Some(wrong)));
    }
    match desk.file(name, number).await {
        Ok(id) => Redirect::to(&format!("/dossiers/{id}")).into_response(),
        Err(wrong) => desk.page(pages::form(Some(&wrong))),
    }
}

async fn show_dossier(State(desk): State<Desk>, Path(id): Path<String>) -> Response {
    // A webhook that was lost costs nothing: whoever looks has kyso asked.
    if let Err(wrong) = desk.settle(&id).await {
        eprintln!("portal: {wrong}");
    }
    match desk.dossier(&id) {
        Some(dossier) => desk.page(pages::dossier(&dossier, &desk.public)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn give_document(
    State(desk): State<Desk>,
    Path((id, position)): Path<(String, usize)>,
) -> Response {
    let dossier = desk.dossier(&id);
    let Some(bytes) = dossier.and_then(|dossier| dossier.signed.get(position).cloned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"ho-so-{}.pdf\"", position + 1),
        ),
    ];
    (headers, bytes).into_response()
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("portal.css"),
    )
        .into_response()
}

async fn script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("portal.js")).into_response()
}

/// Answered at once when the signature does not fit; kyso tries again when the answer is no 2xx.
async fn take_webhook(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let secret = &desk.kyso.credentials.webhook_secret;
    let Some(event) = webhook::checked(secret, &headers, &body, webhook::now()) else {
        return StatusCode::UNAUTHORIZED;
    };
    let id = event["data"]["id"].as_str().unwrap_or_default();
    match desk.settle(id).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(wrong) => {
            eprintln!("portal: {wrong}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

impl Desk {
    /// Two forms are filled in, kyso is asked, and the page's token is fetched.
    async fn file(&self, name: &str, number: &str) -> Result<String, String> {
        let documents = forms::fill(name, number)?;
        let names = documents.iter().map(|form| form.name.clone()).collect();
        let request = self.kyso.ask(number, &documents).await?;
        let token = self.kyso.screen_token(&request).await?;
        let mut dossiers = self.dossiers();
        if dossiers.len() == DOSSIERS_MAX {
            dossiers.remove(0);
        }
        dossiers.push(Dossier {
            request: request.clone(),
            token,
            applicant: name.to_owned(),
            names,
            state: "pending".into(),
            signed: Vec::new(),
        });
        Ok(request)
    }

    /// Asks kyso how a dossier of ours stands, and fetches the files once they are signed.
    async fn settle(&self, id: &str) -> Result<(), String> {
        let Some(dossier) = self.dossier(id) else {
            return Ok(());
        };
        if !dossier.signed.is_empty() {
            return Ok(());
        }
        let state = self.kyso.state(id).await?;
        let mut signed = Vec::new();
        if state == "signed" || state == "delivered" {
            for position in 0..dossier.names.len() {
                signed.push(self.kyso.signed_document(id, position).await?);
            }
        }
        let mut dossiers = self.dossiers();
        if let Some(kept) = dossiers.iter_mut().find(|kept| kept.request == id) {
            (kept.state, kept.signed) = (state, signed);
        }
        Ok(())
    }

    fn dossier(&self, id: &str) -> Option<Dossier> {
        self.dossiers()
            .iter()
            .find(|kept| kept.request == id)
            .cloned()
    }

    fn dossiers(&self) -> MutexGuard<'_, Vec<Dossier>> {
        self.dossiers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the policy that the element needs: its script and its calls, and nothing inline.
    fn page(&self, html: String) -> Response {
        let policy = format!(
            "default-src 'none'; script-src 'self' {0}; connect-src {0}; style-src 'self'; form-action 'self'; \
             frame-ancestors 'none'; base-uri 'none'",
            self.public
        );
        ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
    }
}
