//! The command line: what an operator types. Each verb is a file; each prints plain words and exits 0, 1 or 2.
//!
//! Nothing here prints by `println!`, which panics when the reader has gone: `say!` does not.
//!
//! Exit codes: 0 done, 1 the answer is no (a check failed), 2 it could not be done as asked.

#![warn(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
pub mod console;

mod campaign;
mod ceremony;
mod config;
mod doctor;
mod init;
mod ledger;
mod officer;
mod portal;
mod serve;
mod store;
mod unit;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// kyso: remote digital signatures for a country, in one binary.
///
/// Start with `kyso init`, then `kyso ceremony run`, then `kyso serve`.
#[derive(Parser)]
#[command(name = "kyso", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        default_value = "kyso.toml",
        env = "KYSO_CONFIG"
    )]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Write a configuration, make the data key and the software keystore, create the database.
    Init(init::Init),
    /// Serve HTTP and work on jobs, by the role of the configuration.
    Serve(serve::Serve),
    /// Check this installation from the service's own point of view.
    Doctor(doctor::Doctor),
    /// Make the root and issuing authority, or take a certificate from an outside root.
    #[command(subcommand)]
    Ceremony(ceremony::Ceremony),
    /// Officers who vet enrolments.
    #[command(subcommand)]
    Officer(officer::Officer),
    /// Portals that ask for signatures.
    #[command(subcommand)]
    Portal(portal::Portal),
    /// Enrolment campaigns.
    #[command(subcommand)]
    Campaign(campaign::Campaign),
    /// Provinces and communes that an address may name.
    #[command(subcommand)]
    Unit(unit::Unit),
    /// The ledger of everything that was done.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// The configuration: check it, explain where each value comes from, print its manual.
    #[command(subcommand)]
    Config(config::Verb),
    /// The database: copy it to another one.
    #[command(subcommand)]
    Store(store::Store),
    /// Check every invariant of the stored data. Exit 1 when one does not hold.
    VerifyStore,
    /// Print the OpenAPI 3.1 document of the interface.
    Openapi,
}

/// docs/config.md, as the code says it.
pub fn config_reference() -> String {
    config::reference()
}

/// Whether a text is a file that `kyso campaign add` takes.
pub fn check_campaign_file(text: &str) -> Result<(), toml::de::Error> {
    toml::from_str::<campaign::File>(text).map(drop)
}

/// Why a verb could not be carried out: a sentence that says what to do.
#[derive(Debug)]
pub struct Failure(pub String);

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(crate::worker::chain(&error))
    }
}

/// What a verb answers: `true` is exit 0, `false` is exit 1.
pub type Outcome = Result<bool, Failure>;

/// Parses the arguments, runs the verb, prints a failure as one line on standard error.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&Failure::from(error)),
    };
    match runtime.block_on(cli.verb.run(&cli.config)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => refuse(&failure),
    }
}

fn refuse(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "kyso: {}", failure.0);
    ExitCode::from(2)
}

impl Verb {
    async fn run(self, path: &std::path::Path) -> Outcome {
        match self {
            Self::Init(verb) => verb.run(path).await,
            Self::Serve(verb) => verb.run(&loaded(path)?).await,
            Self::Doctor(verb) => verb.run(&loaded(path)?).await,
            Self::Ceremony(verb) => verb.run(&loaded(path)?).await,
            Self::Officer(verb) => verb.run(&loaded(path)?).await,
            Self::Portal(verb) => verb.run(&loaded(path)?).await,
            Self::Campaign(verb) => verb.run(&loaded(path)?).await,
            Self::Unit(verb) => verb.run(&loaded(path)?).await,
            Self::Ledger(verb) => verb.run(&loaded(path)?).await,
            Self::Config(verb) => verb.run(path),
            Self::Store(verb) => verb.run(&loaded(path)?).await,
            Self::VerifyStore => store::verify(&loaded(path)?).await,
            Self::Openapi => {
                console::text(&crate::http::openapi::document_json());
                Ok(true)
            }
        }
    }
}

fn loaded(path: &std::path::Path) -> Result<crate::config::Loaded, Failure> {
    crate::config::Loaded::read(path, std::env::vars()).map_err(|error| match error {
        crate::config::Error::Unreadable { ref path, .. } => Failure(format!(
            "there is no configuration at {}; make one with `kyso init`",
            path.display()
        )),
        other => other.into(),
    })
}
