//! `/livez`: the process runs. `/readyz`: it can do its work, or the reason why not. `/metrics`: Prometheus text.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kyso_store::ledger;
use serde::Serialize;

use super::{App, Probe};

/// How long a finding is told again: whoever asks often costs the keystore nothing.
const FRESH_MS: i64 = 2_000;
/// What does not answer for so long is not ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that must work.
#[derive(Debug, Clone, Copy, Serialize)]
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

/// What was found last, and when.
pub struct Readiness {
    probe: Option<Probe>,
    patience: Duration,
    found: tokio::sync::Mutex<Option<(i64, Vec<Check>)>>,
}

impl Readiness {
    /// Nothing found yet.
    pub fn new(probe: Option<Probe>) -> Self {
        Self {
            probe,
            patience: PATIENCE,
            found: tokio::sync::Mutex::new(None),
        }
    }

    /// What was found within [`FRESH_MS`], or is found now: once, however many ask.
    async fn checks(
        &self,
        now: i64,
        database: impl Future<Output = bool>,
        ledger: impl Future<Output = bool>,
    ) -> Vec<Check> {
        let mut found = self.found.lock().await;
        if let Some((at, checks)) = found.as_ref()
            && (*at..*at + FRESH_MS).contains(&now)
        {
            return checks.clone();
        }
        let (database, ledger) = tokio::join!(self.in_time(database), self.in_time(ledger));
        let mut checks = vec![
            Check {
                name: "database",
                ok: database,
            },
            Check {
                name: "ledger",
                ok: ledger,
            },
        ];
        if let Some(Probe(probe)) = &self.probe {
            checks.push(Check {
                name: "keystore",
                ok: self.in_time(probe()).await,
            });
        }
        *found = Some((now, checks.clone()));
        checks
    }

    async fn in_time(&self, check: impl Future<Output = bool>) -> bool {
        let answer = tokio::time::timeout(self.patience, check);
        answer.await.unwrap_or(false)
    }
}

/// Whether this node can do its work; 503 with the failing check otherwise.
pub async fn readyz(State(app): State<App>) -> Response {
    let platform = &app.platform;
    let database = platform.reaches_database();
    let ledger = async { ledger::check_published(&platform.store).await.is_ok() };
    let checks = app
        .readiness
        .checks(platform.store.now(), database, ledger)
        .await;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_keystore_is_asked_once_in_two_seconds_and_never_waited_for_long() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let probe = Probe(Box::new(move || {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                match nth {
                    0 => true,
                    _ => std::future::pending().await,
                }
            })
        }));
        let readiness = Readiness {
            patience: Duration::from_millis(20),
            ..Readiness::new(Some(probe))
        };
        for now in [0, 1, FRESH_MS - 1] {
            let checks = readiness.checks(now, async { true }, async { true }).await;
            assert!(checks.iter().all(|check| check.ok));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let checks = readiness
            .checks(FRESH_MS, async { true }, async { true })
            .await;
        assert_eq!(
            checks.iter().map(|check| check.ok).collect::<Vec<_>>(),
            [true, true, false],
            "a keystore that hangs is not ready"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }
}
