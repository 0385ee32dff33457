//! `kyso ledger`: prove that nothing that was recorded has been changed.

use std::path::PathBuf;

use clap::Subcommand;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_store::ledger;

use super::{Failure, Outcome, console};
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
    /// After the database was restored from a backup: write down that what came after is lost, and go on from there.
    ///
    /// `kyso serve` refuses a database that is older than its published checkpoint. If a newer one exists, use that.
    /// If not, stop every node and run this once: the loss is recorded in the ledger, the old checkpoint kept beside the
    /// new one.
    AcceptRestore,
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
            Self::AcceptRestore => accept_restore(&platform).await,
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

async fn accept_restore(platform: &Platform) -> Outcome {
    let Some(keys) = &platform.keys else {
        return Err(Failure(
            "this role has no keys; run it where a worker runs".to_owned(),
        ));
    };
    if ledger::accept_restored(&platform.store, "operator").await? {
        crate::worker::seal(platform, keys)
            .await
            .map_err(|error| Failure(crate::worker::chain(error.as_ref())))?;
        console::done("the loss is recorded, and the ledger published as it is now");
    } else {
        console::done("the ledger is not behind its published checkpoint; nothing to accept");
    }
    Ok(true)
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
        None => {
            console::done(&format!("the ledger is whole: {summary}"));
            if published.is_none() && report.sealed > 0 {
                console::warn(
                    "no published checkpoint was found: a ledger cut off together with its checkpoints looks whole too",
                );
            }
        }
        Some(ref broken) => {
            console::fault(&format!("the ledger was changed: {broken}"));
            say!("  read and right before it: {summary}");
        }
    }
    Ok(report.broken.is_none())
}
