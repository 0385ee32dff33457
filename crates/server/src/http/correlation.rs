//! The correlation id of the request being served: in the answer's `x-request-id`, in problems and in log lines.
//!
//! A caller's own `X-Request-Id` is kept if it is 8 to 64 letters, digits, `.`, `_` or `-`, so that a portal finds its call in
//! our answers; anything else, which might deceive whoever reads a log, is replaced by one of ours.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use kyso_store::Entropy;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that the calling task serves, or `none` outside one.
pub fn current() -> String {
    CURRENT
        .try_with(Clone::clone)
        .unwrap_or_else(|_| "none".to_owned())
}

/// Gives every request an id and returns it in `x-request-id`.
pub async fn layer(request: Request, next: Next) -> Response {
    let given = request.headers().get("x-request-id");
    let id = given
        .and_then(|value| value.to_str().ok())
        .filter(|id| is_harmless(id))
        .map_or_else(made, str::to_owned);
    let mut response = CURRENT.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn made() -> String {
    let mut bytes = [0; 8];
    Entropy::System.fill(&mut bytes);
    hex::encode(bytes)
}

fn is_harmless(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (8..=64).contains(&id.len()) && id.bytes().all(allowed)
}
