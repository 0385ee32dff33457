//! `kyso ceremony`: the keys and certificates of the institution.

use std::path::PathBuf;

use clap::Subcommand;
use kyso_authority::ceremony::{Ceremony as Held, Plan, Progress, Root, Step};
use kyso_pki::algorithm::KeyAlgorithm;

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::platform::{self, Platform};

/// Verbs of the ceremony.
#[derive(Subcommand)]
pub enum Ceremony {
    /// Make the root, the issuing authority and the keys for OCSP, time-stamps, seal and ledger.
    ///
    /// Interrupted, the same command goes on where it was. With --outside-root it ends with a request (CSR) to carry
    /// to that root, and `kyso ceremony import` goes on with the answer.
    Run {
        /// The issuing authority is certified by somebody else's root, the national one for instance.
        #[arg(long)]
        outside_root: bool,
        /// Where to write the request to the outside root.
        #[arg(long, default_value = "issuing.csr")]
        request: PathBuf,
        /// Key of our own root.
        #[arg(long, default_value = "rsa-4096")]
        root_algorithm: KeyAlgorithm,
        /// Key of the issuing authority.
        #[arg(long, default_value = "rsa-3072")]
        issuing_algorithm: KeyAlgorithm,
        /// Where to write the record of the ceremony.
        #[arg(long, default_value = "ceremony.txt")]
        transcript: PathBuf,
    },
    /// Take in the certificate that an outside root gave, with its chain (PEM).
    Import {
        /// File with our certificate and every certificate above it, in any order.
        file: PathBuf,
        /// Where to write the record of the ceremony.
        #[arg(long, default_value = "ceremony.txt")]
        transcript: PathBuf,
    },
    /// Write the certificates of the chain as PEM: what relying parties trust.
    Export {
        /// Where to write them.
        #[arg(long, default_value = "chain.pem")]
        file: PathBuf,
    },
}

impl Ceremony {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let platform = Platform::open(loaded).await?;
        match self {
            Self::Run {
                outside_root,
                request,
                root_algorithm,
                issuing_algorithm,
                transcript,
            } => {
                let root = if outside_root {
                    Root::Outside
                } else {
                    Root::Ours(root_algorithm)
                };
                let plan = Plan {
                    root,
                    issuing: issuing_algorithm,
                    ..Plan::default()
                };
                let keys = platform::open_keystore(loaded)?;
                let held = platform.authority.ceremony(&keys, &plan, &show).await?;
                platform.keep_origin().await?;
                finish(&held, &transcript)?;
                if let Some(pem) = &held.request_pem {
                    std::fs::write(&request, pem)?;
                    say!(
                        "\nCarry {} to the root, then: kyso ceremony import ANSWER.pem",
                        request.display()
                    );
                }
            }
            Self::Import { file, transcript } => {
                let pem = std::fs::read_to_string(&file)
                    .map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))?;
                let plan = Plan {
                    root: Root::Outside,
                    ..Plan::default()
                };
                let keys = platform::open_keystore(loaded)?;
                let held = platform.authority.import(&keys, &plan, &pem, &show).await?;
                platform.keep_origin().await?;
                finish(&held, &transcript)?;
            }
            Self::Export { file } => {
                let chain = platform.authority.chain().await?;
                let pem: String = chain
                    .iter()
                    .map(|certificate| certificate.to_pem())
                    .collect();
                std::fs::write(&file, pem)?;
                console::done(&format!(
                    "{} certificates written to {}",
                    chain.len(),
                    file.display()
                ));
            }
        }
        Ok(true)
    }
}

fn finish(held: &Held, transcript: &std::path::Path) -> Result<(), Failure> {
    std::fs::write(transcript, &held.transcript)?;
    for certificate in &held.chain {
        console::done(&certificate.subject().to_string());
    }
    console::done(&format!(
        "record written to {}: print it, sign it, keep it",
        transcript.display()
    ));
    Ok(())
}

fn show(progress: Progress) {
    let text = match progress.step {
        Step::Key { role, algorithm } => format!("making the {role} key ({algorithm})"),
        Step::Certificate { role } => format!("signing the {role} certificate"),
        Step::Request => "signing the request to the outside root".to_owned(),
        Step::Crl => "publishing the first revocation list".to_owned(),
        Step::Finished => "ceremony complete".to_owned(),
    };
    console::progress(u64::from(progress.done), u64::from(progress.of), &text);
}
