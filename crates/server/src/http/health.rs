//! `/livez`: the process runs. `/readyz`: it can do its work, or the reason why not. `/metrics`: Prometheus text.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::App;

/// One thing that must work.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What.
    name: &'static str,
    /// Whether it works.
    ok: bool,
}

/// The process runs.
pub async fn livez() -> &'static str {
    "ok"
}

/// Whether this node can do its work; 503 with the failing check otherwise.
pub async fn readyz(State(app): State<App>) -> Response {
    let mut checks = vec![Check {
        name: "database",
        ok: app.platform.reaches_database().await,
    }];
    if let Some(keys) = &app.probe {
        checks.push(Check {
            name: "keystore",
            ok: keys.ready().await,
        });
    }
    let ready = checks.iter().all(|check| check.ok);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(checks)).into_response()
}

/// Metrics in the Prometheus text format.
pub async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
