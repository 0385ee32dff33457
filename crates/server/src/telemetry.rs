//! Logs and metrics: what the process says about itself, and never about a person.
//!
//! A log line carries ids and codes only. Metric names are `kyso_<noun>_<unit>`; labels have few values.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config;

/// Starts logging to standard error as `[log]` asks. A second call (tests) does nothing.
pub fn start_logs(log: &config::Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(crate::cli::console::colours(&std::io::stderr()))
        .with_writer(std::io::stderr);
    let _ = match log.format.as_str() {
        "json" => builder.json().flatten_event(true).try_init(),
        _ => builder.with_target(false).compact().try_init(),
    };
}

/// Starts metrics. The handle renders the Prometheus text format.
pub fn start_metrics() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&[
            0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
        ])
        .map(PrometheusBuilder::build_recorder)
        .unwrap_or_else(|_| PrometheusBuilder::new().build_recorder());
    let handle = recorder.handle();
    // A second recorder in one process (tests) keeps the first.
    let _ = metrics::set_global_recorder(recorder);
    handle
}

/// Measures how long something took, for a metric and for nothing else.
pub struct Timer(std::time::Instant);

impl Timer {
    /// Starts measuring.
    #[expect(
        clippy::disallowed_methods,
        reason = "a duration for a metric decides nothing"
    )]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
