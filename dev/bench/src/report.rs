//! What was measured: medians, ratios and what each unit cost, as a table and as JSON.

use serde_json::{Value, json};

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Units of work done: signatures, certificates, answers.
    pub units: f64,
    pub seconds: f64,
    /// Processor seconds of the server meanwhile.
    pub server_seconds: f64,
    /// Processor seconds of the database server meanwhile; 0 where the database is in the server.
    pub database_seconds: f64,
    /// Processor seconds of this program meanwhile: the load generator shares the cores with what it measures.
    pub generator_seconds: f64,
}

/// One line: repeats of a measurement, each beside its peer of the same moment.
#[derive(Debug, Clone)]
pub struct Line {
    what: String,
    /// Each repeat, with the peer's rate beside it.
    samples: Vec<(Sample, Option<f64>)>,
}

/// Everything about one provider.
#[derive(Debug, Default)]
pub struct Report {
    title: String,
    lines: Vec<Line>,
    facts: Vec<(String, f64, &'static str)>,
}

impl Line {
    /// An empty line.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            samples: Vec::new(),
        }
    }

    /// Adds a repeat.
    pub fn add(&mut self, sample: Sample, peer: Option<f64>) {
        self.samples.push((sample, peer));
    }

    fn of_each(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(|(sample, _)| figure(sample)))
    }

    fn rate(&self) -> f64 {
        self.of_each(|sample| sample.units / sample.seconds)
    }

    fn ratio(&self) -> Option<f64> {
        let ratios = self
            .samples
            .iter()
            .filter_map(|(sample, peer)| Some(sample.units / sample.seconds / (*peer)?));
        let ratio = median(ratios);
        ratio.is_finite().then_some(ratio)
    }

    fn microseconds(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.of_each(|sample| 1e6 * of(sample) / sample.units)
    }

    /// Of the processor time that all cores had.
    fn generator_share(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        self.of_each(|sample| sample.generator_seconds / sample.seconds / cores)
    }

    fn print(&self) {
        let ratio = match self.ratio() {
            Some(ratio) => format!("{:.0} %", 100.0 * ratio),
            None => String::new(),
        };
        println!(
            "  {:36} {:>9.0} {:>8} {:>11.0} {:>11.0} {:>9.0} %",
            self.what,
            self.rate(),
            ratio,
            self.microseconds(|sample| sample.server_seconds),
            self.microseconds(|sample| sample.database_seconds),
            100.0 * self.generator_share()
        );
    }

    fn json(&self) -> Value {
        let rates = self
            .samples
            .iter()
            .map(|(sample, peer)| json!([sample.units / sample.seconds, peer]));
        json!({
            "what": self.what,
            "per_second": self.rate(),
            "ratio": self.ratio(),
            "server_cpu_us": self.microseconds(|sample| sample.server_seconds),
            "database_cpu_us": self.microseconds(|sample| sample.database_seconds),
            "generator_share": self.generator_share(),
            "repeats_and_peers": rates.collect::<Vec<_>>(),
        })
    }
}

impl Report {
    /// A report with nothing in it.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds a line, unless nothing was measured.
    pub fn add(&mut self, line: Line) {
        if !line.samples.is_empty() {
            self.lines.push(line);
        }
    }

    /// Adds a figure that is no repeated measurement of ours: the peers, the memory, the counts.
    pub fn fact(&mut self, what: impl Into<String>, figure: f64, unit: &'static str) {
        self.facts.push((what.into(), figure, unit));
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("\n\x1b[1m{}\x1b[0m", self.title);
        for (what, figure, unit) in &self.facts {
            println!("  {what:36} {figure:>9.0} {unit}");
        }
        if self.lines.is_empty() {
            return;
        }
        println!(
            "  {:36} {:>9} {:>8} {:>11} {:>11} {:>11}",
            "", "a second", "of peer", "server µs", "database µs", "generator"
        );
        for line in &self.lines {
            line.print();
        }
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        let facts = self
            .facts
            .iter()
            .map(|(what, figure, unit)| json!({ "what": what, "figure": figure, "unit": unit }));
        json!({
            "title": self.title,
            "facts": facts.collect::<Vec<_>>(),
            "lines": self.lines.iter().map(Line::json).collect::<Vec<_>>(),
        })
    }
}

/// The middle one; of an even number the upper of the two in the middle; NaN of none.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(units: f64) -> Sample {
        Sample {
            units,
            seconds: 2.0,
            server_seconds: 1.0,
            database_seconds: 0.0,
            generator_seconds: 0.5,
        }
    }

    #[test]
    fn a_line_tells_medians_and_compares_each_repeat_with_its_own_peer() {
        let mut line = Line::new("x");
        for (units, peer) in [(20.0, 100.0), (2000.0, 10_000.0), (400.0, 400.0)] {
            line.add(sample(units), Some(peer));
        }
        assert_eq!(line.rate(), 200.0);
        // 10 % each of two repeats, 50 % of the third: a busy moment hits both, and the ratio stays.
        assert_eq!(line.ratio(), Some(0.1));
        assert_eq!(line.microseconds(|sample| sample.server_seconds), 2500.0);
    }

    #[test]
    fn a_line_without_peers_has_no_ratio() {
        let mut line = Line::new("x");
        line.add(sample(1.0), None);
        assert_eq!(line.ratio(), None);
        assert!(median(std::iter::empty()).is_nan());
    }
}
