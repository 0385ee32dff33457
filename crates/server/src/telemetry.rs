//! Logs and metrics: what the process says about itself, and never about a person.
//!
//! A log line carries ids and codes only, and an event is one line: what a caller sent cannot begin another, colour it or turn
//! it round (CWE-117). Metric names are `kyso_<noun>_<unit>`; labels have few values. [`METRICS`] lists them all.

use std::io::Write;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config;

/// Starts logging to standard error as `[log]` asks. A second call (tests) does nothing.
pub fn start_logs(log: &config::Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = crate::cli::console::colours(&std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(move || OneLine { colours });
    let _ = match log.format.as_str() {
        "json" => builder.json().flatten_event(true).try_init(),
        _ => builder.with_target(false).compact().try_init(),
    };
}

/// Standard error, to which each event is written as one line.
struct OneLine {
    colours: bool,
}

impl Write for OneLine {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let line = one_line(&String::from_utf8_lossy(event), self.colours);
        std::io::stderr().lock().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The event with everything escaped that moves a reader's eye: controls, line ends but the last, marks of writing direction. Our
/// own colours stay on a terminal; the formatter escapes those inside values itself.
fn one_line(event: &str, colours: bool) -> String {
    let (line, end) = match event.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (event, ""),
    };
    let mut safe = String::with_capacity(event.len());
    for character in line.chars() {
        let deceptive = matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match character {
            '\u{1b}' if colours => safe.push(character),
            _ if deceptive || character.is_control() => safe.extend(character.escape_unicode()),
            _ => safe.push(character),
        }
    }
    safe + end
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
    for metric in METRICS {
        match metric.kind {
            "counter" => metrics::describe_counter!(metric.name, metric.what),
            "gauge" => metrics::describe_gauge!(metric.name, metric.what),
            _ => metrics::describe_histogram!(metric.name, metric.what),
        }
    }
    handle
}

/// A series, as an operator reads about it.
pub struct Metric {
    /// As Prometheus has it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of the labels.
    pub labels: &'static str,
    /// What it says, and when to look.
    pub what: &'static str,
}

const fn metric(
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    what: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        what,
    }
}

/// Everything that is counted or measured. A test compares it with the code.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    metric("kyso_http_requests_total", "counter", "method, route, status", "Requests answered."),
    metric("kyso_http_request_seconds", "histogram", "route", "How long they took; long polls included."),
    metric("kyso_http_connections_refused_total", "counter", "", "Connections closed because there were too many."),
    metric("kyso_http_waits_refused_total", "counter", "", "Calls with `?wait=` answered at once because all places were taken."),
    metric("kyso_ocsp_answers_total", "counter", "outcome", "OCSP answers."),
    metric("kyso_ocsp_unknown_serials_total", "counter", "", "Serials asked about that this CA never used. **Look at every one**: somebody may hold a certificate that nobody issued."),
    metric("kyso_crl_age_seconds", "gauge", "issuer", "Age of the newest CRL. Alarm above `authority.crl_hours` and an hour, but not for a root."),
    metric("kyso_crl_next_update_seconds", "gauge", "issuer", "Time until it is no longer valid; negative afterwards. **Alarm** when little is left."),
    metric("kyso_jobs_claimed_total", "counter", "family", "Jobs taken up by this worker."),
    metric("kyso_jobs_waiting", "gauge", "kind", "Jobs in nobody's hands that are due, or were tried and will be again."),
    metric("kyso_jobs_oldest_seconds", "gauge", "kind", "For how long the oldest of them has been wanted. **Alarm** on `signing.sign` above some seconds: no worker, or no keystore."),
    metric("kyso_jobs_failed", "gauge", "kind", "Jobs given up, kept to be seen."),
    metric("kyso_worker_panics_total", "counter", "", "Defects of ours that cost a batch a delay. Report them."),
    metric("kyso_pin_failures_total", "counter", "at", "Wrong PINs and codes, `at` an `approval` or a `binding`. Many at once: somebody guesses."),
    metric("kyso_pin_locks_total", "counter", "at", "Keys locked for good by them."),
    metric("kyso_webhook_calls_total", "counter", "outcome", "Calls to portals."),
    metric("kyso_webhook_backlog", "gauge", "", "Announcements no portal has accepted yet, those that wait for another try included."),
    metric("kyso_messages_total", "counter", "outcome", "Mails and SMS handed to a relay."),
    metric("kyso_codes_asked_total", "counter", "outcome", "Codes asked for: `accepted`, or refused by a `limit`, the `budget` or a closed range of `number`s. **Alarm** when they leap: somebody pumps SMS."),
    metric("kyso_ledger_uncovered_entries", "gauge", "", "Lines of the ledger that no checkpoint covers yet."),
    metric("kyso_ledger_checkpoint_lag_seconds", "gauge", "", "Age of the oldest of them. **Alarm** above a minute: until it is sealed, a line can be edited unseen."),
];

/// docs/metrics.md, as the code says it.
pub fn reference() -> String {
    let mut text = String::from(
        "# Metrics\n\nPrinted from the code; do not edit.\n\n\
         `/metrics` on `server.metrics_listen` gives the Prometheus text format. Counters are of one process. Gauges are of the \
         database and the same from every node, measured every 15 seconds: take the greatest. No label ever names a person.\n\n\
         | metric | type | labels | what it says |\n| --- | --- | --- | --- |\n",
    );
    for metric in METRICS {
        text.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            metric.name, metric.kind, metric.labels, metric.what
        ));
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let event =
            "INFO name=\"a\r\nERROR forged\u{202e}\u{1b}[31m\u{0}\u{85}\u{2028}Hồng Ánh\"\n";
        let line = one_line(event, false);
        assert_eq!(line.lines().count(), 1);
        assert!(
            !line
                .trim_end()
                .contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{line}"
        );
        assert!(
            line.contains("\\u{d}\\u{a}ERROR") && line.ends_with("Hồng Ánh\"\n"),
            "{line}"
        );
        assert!(one_line("\u{1b}[32mINFO\n", true).starts_with('\u{1b}'));
    }
}
