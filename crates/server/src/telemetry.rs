//! Logs and metrics: what the process says about itself, and never about a person.
//!
//! A log line carries ids and codes only, and an event is one line: what a caller sent cannot begin another, colour it or turn
//! it round (CWE-117). Metric names are `kyso_<noun>_<unit>`; labels have few values.

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
