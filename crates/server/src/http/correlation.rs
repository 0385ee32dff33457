//! The correlation id of the request being served: in the answer's `x-request-id`, in problems and in log lines.
//!
//! It is made by us; an id that a caller sends is not trusted to be unique or harmless and is not used.

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
    let mut bytes = [0; 8];
    Entropy::System.fill(&mut bytes);
    let id = hex::encode(bytes);
    let mut response = CURRENT.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
