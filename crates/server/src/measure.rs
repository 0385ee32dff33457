//! Gauges of what the database holds: how far work, CRLs and ledger are behind, whoever may be away.
//!
//! Every role measures, so that a worker that is gone is seen by those that are not. All nodes of one database say the same:
//! take the greatest.

use std::time::Duration;

use kyso_signing::task::DELIVER;
use kyso_store::ledger;
use tokio::sync::watch;

use crate::platform::Platform;
use crate::worker;

/// How often.
const EVERY: Duration = Duration::from_secs(15);

/// Measures until `stop` becomes true.
pub async fn run(platform: Platform, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = measure(&platform).await {
            tracing::warn!(error = %worker::chain(error.as_ref()), "what waits could not be measured");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn measure(platform: &Platform) -> Result<(), worker::Error> {
    let backlog = platform.store.backlog().await?;
    for kind in worker::kinds() {
        let behind = backlog.get(kind).copied().unwrap_or_default();
        metrics::gauge!("kyso_jobs_waiting", "kind" => kind).set(behind.waiting as f64);
        metrics::gauge!("kyso_jobs_oldest_seconds", "kind" => kind).set(seconds(behind.oldest_ms));
        metrics::gauge!("kyso_jobs_failed", "kind" => kind).set(behind.failed as f64);
    }
    let deliveries = backlog.get(DELIVER).copied().unwrap_or_default();
    metrics::gauge!("kyso_webhook_backlog").set(deliveries.open as f64);

    let lag = ledger::lag(&platform.store).await?;
    metrics::gauge!("kyso_ledger_uncovered_entries").set(lag.entries as f64);
    metrics::gauge!("kyso_ledger_checkpoint_lag_seconds").set(seconds(lag.oldest_ms));

    let now = platform.store.now();
    for (issuer, this_update, next_update) in platform.authority.crl_ages().await? {
        metrics::gauge!("kyso_crl_age_seconds", "issuer" => issuer.clone())
            .set(seconds(now - this_update));
        metrics::gauge!("kyso_crl_next_update_seconds", "issuer" => issuer)
            .set(seconds(next_update - now));
    }
    Ok(())
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
