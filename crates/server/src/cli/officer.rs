//! `kyso officer`: who vets enrolments, and what they sign decisions with.
//!
//! Adding one is done where the keystore is: it seals the officer's roles and key, without which no decision counts.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use clap::Subcommand;
use kyso_keystore::{
    DecisionStatement, DeviceKey, DeviceKind, DeviceSignature, make_officer_key, sign_decision,
};
use kyso_registration::OfficerId;
use kyso_registration::ra::{NewOfficer, OfficerRole};
use serde::Deserialize;

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::http::wire::{DeviceKeyWire, RelyingParty, from_base64, to_base64, to_base64url};
use crate::platform::Platform;

/// Verbs on officers.
#[derive(Subcommand)]
pub enum Officer {
    /// Add an officer and print the bearer token, once. Run it where the keystore is.
    Add {
        /// Name as colleagues see it.
        #[arg(long)]
        name: String,
        /// The officer's own identity number: nobody decides on their own enrolment. Stored as an HMAC.
        #[arg(long)]
        identity_number: String,
        /// helper, vetter, lead, auditor, campaign-manager; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// What the officer signs with: a P-256 public key (PEM), or a passkey (JSON with kind, public_key and credential_id
        /// as phones send them). Left out: a key is made and written to a file.
        #[arg(long)]
        public_key: Option<PathBuf>,
        /// Where a key that is made here is written, mode 0600.
        #[arg(long, default_value = "officer.key", conflicts_with = "public_key")]
        private_key: PathBuf,
        /// Print only the token, for scripts.
        #[arg(long)]
        quiet: bool,
    },
    /// Sign an approval: reads a dossier, as the interface answers it, from standard input, shows it, and prints what to post to
    /// …/approval.
    Sign {
        /// The file that `kyso officer add` wrote.
        #[arg(long, default_value = "officer.key")]
        private_key: PathBuf,
    },
    /// Print a new token; the old one is void at once.
    Token {
        /// `ofc_…`.
        id: String,
    },
    /// End an officer's access; credentials that were opened stand.
    Disable {
        /// `ofc_…`.
        id: String,
    },
    /// List officers.
    List,
}

impl Officer {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        if let Self::Sign { private_key } = &self {
            return sign(private_key);
        }
        let platform = Platform::open(loaded).await?;
        let registration = &platform.registration;
        match self {
            Self::Add {
                name,
                identity_number,
                roles,
                public_key,
                private_key,
                quiet,
            } => {
                let keys = platform.keys.as_ref().ok_or_else(|| {
                    Failure("an officer is added where the keystore is: this configuration has role web".into())
                })?;
                let roles = roles
                    .iter()
                    .map(|role| read_role(role))
                    .collect::<Result<_, Failure>>()?;
                let made = public_key.is_none();
                let key = match public_key {
                    Some(file) => {
                        read_public_key(&file, &RelyingParty::at(&loaded.config.server.public_url))?
                    }
                    None => make_key(&private_key)?,
                };
                let new = NewOfficer {
                    name,
                    identity_number,
                    roles,
                    key,
                };
                let added = match registration.add_officer(keys, &new, "cli").await {
                    Ok(added) => added,
                    Err(refused) => {
                        // A key nobody is registered with is of no use to anybody.
                        if made {
                            std::fs::remove_file(&private_key)?;
                        }
                        return Err(refused.into());
                    }
                };
                if quiet {
                    say!("{}", added.token);
                } else {
                    console::done(&format!("officer {} added", added.id));
                    if made {
                        say!(
                            "private key (signs decisions; give it to the officer and keep no copy): {}",
                            private_key.display()
                        );
                    }
                    say!(
                        "token (shown once; `kyso officer token {}` makes another): {}",
                        added.id,
                        added.token
                    );
                }
            }
            Self::Token { id } => say!(
                "{}",
                registration
                    .rotate_officer_token(&read_id(&id)?, "cli")
                    .await?
            ),
            Self::Disable { id } => {
                registration.disable_officer(&read_id(&id)?, "cli").await?;
                console::done(&format!("{id} disabled"));
            }
            Self::List => {
                let officers = registration.officers().await?;
                if officers.is_empty() {
                    say!("no officers yet; `kyso officer add` appoints one");
                }
                for officer in officers {
                    let roles: Vec<_> = officer.roles.iter().map(|role| role.as_str()).collect();
                    say!("{}  {}  {}", officer.id, officer.name, roles.join(","));
                }
            }
            Self::Sign { .. } => {}
        }
        Ok(true)
    }
}

/// What of an answered dossier a decision is made of.
#[derive(Deserialize)]
struct Dossier {
    canonical: String,
    officer: String,
}

/// What of a canonical dossier a decision names.
#[derive(Deserialize)]
struct Canonical {
    enrolment: String,
    round: i64,
}

/// What was shown is what is signed: enrolment and round are read from the canonical text itself.
fn sign(private_key: &Path) -> Outcome {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let dossier: Dossier = serde_json::from_str(&text)?;
    let shown: serde_json::Value = serde_json::from_str(&dossier.canonical)?;
    let canonical: Canonical = serde_json::from_str(&dossier.canonical)?;
    writeln!(
        std::io::stderr(),
        "{}",
        serde_json::to_string_pretty(&shown)?
    )?;
    let mut digested = [0; 32];
    digested.copy_from_slice(digest(&SHA256, dossier.canonical.as_bytes()).as_ref());
    let now = kyso_store::Clock::System.now();
    let statement = DecisionStatement {
        enrolment: canonical.enrolment,
        round: canonical.round,
        verdict: "approve".into(),
        officer: dossier.officer,
        dossier: digested,
        issued_at: now,
    };
    let pem = read_text(private_key)?;
    let unusable = || Failure(format!("{} is no P-256 private key", private_key.display()));
    let pkcs8 = from_pem("PRIVATE KEY", &pem).ok_or_else(unusable)?;
    let Ok(DeviceSignature::WebCrypto { signature }) = sign_decision(&pkcs8, &statement) else {
        return Err(unusable());
    };
    say!(
        "{}",
        serde_json::json!({
            "statement": to_base64url(&statement.to_bytes()),
            "signature": { "signature": to_base64url(&signature) },
        })
    );
    Ok(true)
}

/// Makes a P-256 key pair; the private half goes to a file that only we can read.
fn make_key(path: &Path) -> Result<DeviceKey, Failure> {
    let (pkcs8, key) = make_officer_key()?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
    file.write_all(to_pem("PRIVATE KEY", &pkcs8).as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

fn read_public_key(path: &Path, party: &RelyingParty) -> Result<DeviceKey, Failure> {
    let text = read_text(path)?;
    let unusable = || {
        Failure(format!(
            "{} is neither a PEM public key nor the JSON of a passkey",
            path.display()
        ))
    };
    if text.trim_start().starts_with('{') {
        let wire: DeviceKeyWire = serde_json::from_str(&text)?;
        return wire.read(party).map_err(|_| unusable());
    }
    Ok(DeviceKey {
        kind: DeviceKind::WebCrypto,
        spki: from_pem("PUBLIC KEY", &text).ok_or_else(unusable)?,
    })
}

fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure(format!("cannot read {}: {error}", path.display())))
}

/// The DER of the first block of this kind (RFC 7468).
fn from_pem(kind: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    from_base64("pem", body).ok()
}

fn to_pem(kind: &str, der: &[u8]) -> String {
    let text = to_base64(der);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + &format!("-----END {kind}-----\n")
}

fn read_role(word: &str) -> Result<OfficerRole, Failure> {
    OfficerRole::read(word).ok_or_else(|| {
        let known: Vec<_> = OfficerRole::ALL.iter().map(|role| role.as_str()).collect();
        Failure(format!(
            "{word} is no role; choose from {}",
            known.join(", ")
        ))
    })
}

fn read_id(text: &str) -> Result<OfficerId, Failure> {
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_reads_back_as_written() {
        let der = [7; 121];
        let pem = to_pem("PUBLIC KEY", &der);
        assert_eq!(from_pem("PUBLIC KEY", &pem).as_deref(), Some(&der[..]));
        assert_eq!(from_pem("PRIVATE KEY", &pem), None);
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
