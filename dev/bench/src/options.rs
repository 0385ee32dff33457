//! What is measured, and for how long.

use std::path::PathBuf;
use std::time::Duration;

pub const USAGE: &str = "\
cargo xtask bench: how fast the product is, beside the machine's raw speed in the same run

  --quick           about a minute: RSA-2048 on SQLite, few people, three repeats
  --only PART       sign, certificates, ocsp or pool; may be given again; default all
  --on SETTING      sqlite, postgres or softhsm; may be given again; default all
  --citizens N      people that sign side by side, default 128
  --rounds N        repeats of each measurement, of which the median counts, default 5
  --kyso FILE       the kyso binary, a release build
  --json FILE       where the figures go, besides the terminal
  --help            this text";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Sign,
    Certificates,
    Ocsp,
    Pool,
}

/// What the provider stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    Sqlite,
    Postgres,
    SoftHsm,
}

/// A key's type and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rsa2048,
    Rsa3072,
    P256,
}

/// The command line.
#[derive(Debug, Clone)]
pub struct Options {
    pub kyso: PathBuf,
    pub json: Option<PathBuf>,
    pub parts: Vec<Part>,
    pub settings: Vec<Setting>,
    pub algorithms: Vec<Algorithm>,
    pub citizens: usize,
    pub rounds: usize,
    /// Approvals each citizen sends in one measurement: of one document, and of fifty.
    pub approvals: (usize, usize),
    /// How long each raw loop runs.
    pub raw_length: Duration,
}

impl Setting {
    pub const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::SoftHsm];

    /// In words for the report.
    pub fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite, keys in files",
            Self::Postgres => "PostgreSQL, keys in files",
            Self::SoftHsm => "SQLite, keys in SoftHSM",
        }
    }

    fn of(text: &str) -> Option<Self> {
        match text {
            "sqlite" => Some(Self::Sqlite),
            "postgres" => Some(Self::Postgres),
            "softhsm" => Some(Self::SoftHsm),
            _ => None,
        }
    }
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Sign, Self::Certificates, Self::Ocsp, Self::Pool];

    fn of(text: &str) -> Option<Self> {
        match text {
            "sign" => Some(Self::Sign),
            "certificates" => Some(Self::Certificates),
            "ocsp" => Some(Self::Ocsp),
            "pool" => Some(Self::Pool),
            _ => None,
        }
    }
}

impl Algorithm {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::P256 => "p-256",
        }
    }

    /// Bits of the modulus, or of the curve.
    pub fn bits(self) -> u64 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::P256 => 256,
        }
    }

    /// The algorithm that is written so.
    pub fn of(text: &str) -> Option<Self> {
        [Self::Rsa2048, Self::Rsa3072, Self::P256]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
    }
}

impl Options {
    fn full() -> Self {
        Self {
            kyso: PathBuf::from("target/release/kyso"),
            json: None,
            parts: Vec::new(),
            settings: Vec::new(),
            algorithms: vec![Algorithm::Rsa2048, Algorithm::P256],
            citizens: 128,
            rounds: 5,
            approvals: (16, 2),
            raw_length: Duration::from_secs(2),
        }
    }

    fn make_quick(&mut self) {
        self.settings.push(Setting::Sqlite);
        self.algorithms = vec![Algorithm::Rsa2048];
        self.citizens = 64;
        self.rounds = 3;
        self.approvals = (8, 1);
        self.raw_length = Duration::from_millis(500);
    }

    /// Reads the command line; `None` when only help was asked for.
    ///
    /// # Errors
    /// In words, what is not understood.
    pub fn read(arguments: &[String]) -> Result<Option<Self>, String> {
        let mut options = Self::full();
        if arguments.iter().any(|argument| argument == "--quick") {
            options.make_quick();
        }
        let mut rest = arguments.iter().map(String::as_str);
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .ok_or_else(|| format!("{argument} needs a value"))
            };
            let unknown = |text: &str| format!("{text} is nothing that {argument} knows");
            match argument {
                "--quick" => {}
                "--only" => {
                    let text = value()?;
                    options
                        .parts
                        .push(Part::of(text).ok_or_else(|| unknown(text))?);
                }
                "--on" => {
                    let text = value()?;
                    options
                        .settings
                        .push(Setting::of(text).ok_or_else(|| unknown(text))?);
                }
                "--citizens" => options.citizens = number(value()?)?,
                "--rounds" => options.rounds = number(value()?)?,
                "--kyso" => options.kyso = value()?.into(),
                "--json" => options.json = Some(value()?.into()),
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("{argument} is not an option")),
            }
        }
        if options.parts.is_empty() {
            options.parts = Part::ALL.to_vec();
        }
        if options.settings.is_empty() {
            options.settings = Setting::ALL.to_vec();
        }
        Ok(Some(options))
    }

    /// Whether this part is asked for.
    pub fn measures(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err(format!("{text} is not a number from 1 to 10000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::read(&words)
    }

    #[test]
    fn nothing_asked_is_everything_measured() {
        let options = read("").unwrap().unwrap();
        assert_eq!(options.parts, Part::ALL);
        assert_eq!(options.settings, Setting::ALL);
    }

    #[test]
    fn what_is_asked_is_what_is_measured() {
        let options = read("--quick --only sign --only ocsp --rounds 7")
            .unwrap()
            .unwrap();
        assert_eq!(options.parts, [Part::Sign, Part::Ocsp]);
        assert_eq!(options.settings, [Setting::Sqlite]);
        assert_eq!(options.rounds, 7);
        assert!(read("--help").unwrap().is_none());
        for wrong in ["--only everything", "--rounds 0", "--on", "--fast"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
