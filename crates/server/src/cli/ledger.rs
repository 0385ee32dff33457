//! `kyso ledger`: prove that nothing that was recorded has been changed.

use std::path::PathBuf;

use clap::Subcommand;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_store::ledger;

use super::{Outcome, console};
use crate::config::Loaded;
use crate::platform::Platform;

/// Verbs on the ledger.
#[derive(Subcommand)]
pub enum Ledger {
    /// Read the whole ledger, check its chain and checkpoints, name the first entry that was changed.
    Verify {
        /// A checkpoint that somebody else kept; the newest in the checkpoint folder when left out.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
    },
    /// Print the entries about one subject, newest first.
    Show {
        /// `req_…`, `cred_…`, `enr_…`, …
        subject: String,
    },
}

impl Ledger {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let platform = Platform::open(loaded).await?;
        match self {
            Self::Verify { checkpoint } => {
                let published = match checkpoint {
                    Some(file) => Some(std::fs::read_to_string(file)?),
                    None => ledger::published(&platform.store)?,
                };
                verify(&platform, published.as_deref()).await
            }
            Self::Show { subject } => {
                let entries = ledger::tail(&platform.store, &subject, None, 200).await?;
                if entries.is_empty() {
                    say!("nothing is recorded about {subject}");
                    return Ok(false);
                }
                for entry in entries {
                    let place = entry
                        .position
                        .map_or_else(|| "unsealed".into(), |position| format!("#{position}"));
                    let at = crate::http::instant(entry.at);
                    say!(
                        "{place:>10}  {at}  {}  by {}  {}",
                        entry.kind,
                        entry.actor,
                        serde_json::Value::Object(entry.detail)
                    );
                }
                Ok(true)
            }
        }
    }
}

/// Verifies the ledger of a platform and prints what was found.
pub async fn verify(platform: &Platform, published: Option<&str>) -> Outcome {
    let note_key = platform.note_key().await?;
    let public_key = platform.authority.ledger_key().await?.public_key;
    let valid = |text: &[u8], signature: &[u8]| {
        public_key
            .verify(SignatureAlgorithm::EcdsaSha256, text, signature)
            .is_ok()
    };
    let report = ledger::verify(&platform.store, &note_key, valid, published).await?;
    let summary = format!(
        "{} sealed entries, {} checkpoints, {} entries waiting to be sealed",
        report.sealed, report.checkpoints, report.unsealed
    );
    match report.broken {
        None => console::done(&format!("the ledger is whole: {summary}")),
        Some(ref broken) => {
            console::fault(&format!("the ledger was changed: {broken}"));
            say!("  read and right before it: {summary}");
        }
    }
    Ok(report.broken.is_none())
}
