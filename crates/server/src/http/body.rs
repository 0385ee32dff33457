//! Request bodies: JSON read strictly, with the place of a fault told and never the value.
//!
//! Each body has a bound of its own, far below the server's: only documents and photos may be large.

use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

use super::App;
use crate::problem::Problem;

/// Largest JSON body of an ordinary operation, bytes.
const JSON_BYTES_MAX: usize = 256 * 1024;

/// A JSON body of type `T`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if !is_json {
            return Err(Problem::new("media-type-unsupported"));
        }
        Ok(Self(json(&bytes(request, JSON_BYTES_MAX).await?)?))
    }
}

/// The whole body, at most `bytes_max`; too large is told apart from broken off.
pub async fn bytes(request: Request, bytes_max: usize) -> Result<axum::body::Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), bytes_max)
        .await
        .map_err(|error| {
            let mut cause: Option<&dyn std::error::Error> = Some(&error);
            while let Some(at) = cause {
                if at.to_string().contains("length limit") {
                    return Problem::new("body-too-large");
                }
                cause = at.source();
            }
            Problem::new("body-malformed").because("the body broke off")
        })
}

/// Parses JSON; the problem names the line and column, not the text.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let (rule, place) = match error.classify() {
            serde_json::error::Category::Data => ("shape", "body"),
            _ => ("not-json", "body"),
        };
        Problem::new("body-malformed").with_field(
            format!("{place} (line {}, column {})", error.line(), error.column()),
            rule,
        )
    })
}
