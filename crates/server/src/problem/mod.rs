//! What a caller is told when something is refused: RFC 9457 problem documents with a stable `code`.
//!
//! Inside, each crate has its own error enum; here, and only here, each variant becomes a status and a code.
//! The sentences stand in [`catalog`], in both languages. Internal detail is logged once with the correlation id
//! and never sent; no value that a caller typed is ever repeated, because it may be personal.

mod authority;
pub mod catalog;
mod keystore;
mod platform;
mod preview;
mod registration;
mod signing;
mod store;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// One field of the request that broke a rule.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct FieldProblem {
    /// Field name as in the request, e.g. `full_name`.
    pub field: String,
    /// Where it stands in the JSON body (RFC 6901), e.g. `/signer/identity_number`; absent for what is no part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Stable code of the rule, e.g. `name-has-lookalike-letters`.
    pub code: String,
    /// The rule in Vietnamese.
    pub message_vi: String,
    /// The rule in English.
    pub message_en: String,
}

/// How a caller may say who they are, told with every 401 (RFC 9110, 11.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Client id and secret: portals (RFC 7617).
    Basic,
    /// A token: phones and officers (RFC 6750).
    Bearer,
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    scheme: Scheme,
    fields: Vec<FieldProblem>,
    retry_after_seconds: Option<u64>,
    tries_left: Option<u32>,
    cause: Option<String>,
}

/// The document on the wire (RFC 9457, section 3).
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// A URL that names the kind of problem, `/errors/{code}`: a page that explains it.
    #[serde(rename = "type")]
    pub kind: String,
    /// HTTP status, repeated.
    pub status: u16,
    /// Short English title.
    pub title: String,
    /// Stable code; listed in docs/errors.md.
    pub code: String,
    /// What happened and what to do, in Vietnamese.
    pub message_vi: String,
    /// What happened and what to do, in English.
    pub message_en: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Fields that broke a rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Tries that are left, where tries are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u32>,
    /// Correlation id: read it to support.
    pub instance: String,
}

impl Problem {
    /// A refusal with a code of the catalog.
    pub fn new(code: &'static str) -> Self {
        debug_assert!(
            catalog::find(code).is_some(),
            "problem code {code} is not in the catalog"
        );
        let scheme = match code {
            "portal-credentials" => Scheme::Basic,
            _ => Scheme::Bearer,
        };
        Self {
            code,
            scheme,
            fields: Vec::new(),
            retry_after_seconds: None,
            tries_left: None,
            cause: None,
        }
    }

    /// A failure of ours: the cause goes to the log, the caller gets a correlation id.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::new("internal").because(cause)
    }

    /// Adds what the log should say about it. Never personal data.
    pub fn because(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// Adds a field that broke the rule `code`.
    pub fn with_field(self, field: impl Into<String>, code: &str) -> Self {
        self.with(field.into(), None, code)
    }

    /// Adds the place of the JSON body (RFC 6901; empty is the whole) that broke the rule `code`.
    pub fn with_pointer(self, pointer: String, code: &str) -> Self {
        let field = match pointer.rsplit('/').next() {
            None | Some("") => "body",
            Some(last) => last,
        };
        self.with(field.to_owned(), Some(pointer), code)
    }

    fn with(mut self, field: String, pointer: Option<String>, code: &str) -> Self {
        let (message_vi, message_en) = catalog::field(code);
        self.fields.push(FieldProblem {
            field,
            pointer,
            code: code.to_owned(),
            message_vi: message_vi.to_owned(),
            message_en: message_en.to_owned(),
        });
        self
    }

    /// Says how callers of this operation say who they are.
    pub fn challenge(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// Says when to come back.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Says how many tries are left.
    pub fn with_tries_left(mut self, tries: u32) -> Self {
        self.tries_left = Some(tries);
        self
    }

    /// The fields that broke a rule.
    pub fn fields(&self) -> &[FieldProblem] {
        &self.fields
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The status that goes with the code.
    pub fn status(&self) -> StatusCode {
        catalog::find(self.code)
            .and_then(|entry| StatusCode::from_u16(entry.status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The English sentence.
    pub fn message_en(&self) -> &'static str {
        catalog::find(self.code).map_or("", |entry| entry.en)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let instance = crate::http::correlation::current();
        let entry = catalog::find(self.code).unwrap_or(catalog::INTERNAL);
        if status.is_server_error() {
            tracing::error!(
                code = self.code,
                instance,
                cause = self.cause,
                "request failed"
            );
        } else {
            tracing::info!(
                code = self.code,
                instance,
                cause = self.cause,
                "request refused"
            );
        }
        let document = ProblemDocument {
            kind: format!("/errors/{}", self.code),
            status: status.as_u16(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            code: self.code.to_owned(),
            message_vi: entry.vi.to_owned(),
            message_en: entry.en.to_owned(),
            retryable: entry.retryable,
            errors: self.fields,
            tries_left: self.tries_left,
            instance,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self
            .retry_after_seconds
            .or(matches!(status.as_u16(), 429 | 503).then_some(1))
        {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = match (self.scheme, self.code) {
                (Scheme::Basic, _) => "Basic realm=\"kyso\", charset=\"UTF-8\"",
                (Scheme::Bearer, "session-invalid") => {
                    "Bearer realm=\"kyso\", error=\"invalid_token\""
                }
                (Scheme::Bearer, _) => "Bearer realm=\"kyso\"",
            };
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        response
    }
}
