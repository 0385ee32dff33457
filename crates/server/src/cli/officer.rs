//! `kyso officer`: who vets enrolments, and what they sign decisions with.
//!
//! Adding one is done where the keystore is: it seals the officer's roles and key, without which no decision counts.

use std::io::{BufRead, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use clap::Subcommand;
use kyso_keystore::{
    DecisionStatement, DeviceKey, DeviceKind, DeviceSignature, Keystore, make_officer_key,
    sign_decision,
};
use kyso_registration::OfficerId;
use kyso_registration::ra::{NewOfficer, OfficerRole};
use kyso_registration::vetting::DOSSIER_TYPE;
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
    /// Sign an approval: reads a dossier, as the interface answers it, from standard input, shows it, asks at the terminal, and
    /// prints what to post to …/approval.
    Sign {
        /// The file that `kyso officer add` wrote.
        #[arg(long, default_value = "officer.key")]
        private_key: PathBuf,
        /// Folder with the photos that were looked at, front.*, back.* and face.*: they must be the ones in the dossier.
        #[arg(long)]
        photos: Option<PathBuf>,
        /// Do not ask: for scripts.
        #[arg(long)]
        yes: bool,
    },
    /// Print a new token; the old one is void at once.
    Token {
        /// `ofc_…`.
        id: String,
        /// Print only the token, for scripts.
        #[arg(long)]
        quiet: bool,
    },
    /// End an officer's access; what they signed before stands. Run it where the keystore is.
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
        if let Self::Sign {
            private_key,
            photos,
            yes,
        } = &self
        {
            return sign(private_key, photos.as_deref(), *yes);
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
                let keys = sealing(&platform)?;
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
            Self::Token { id, quiet } => {
                let token = registration
                    .rotate_officer_token(&read_id(&id)?, "cli")
                    .await?;
                if quiet {
                    say!("{token}");
                } else {
                    console::done(&format!(
                        "officer {id} has a new token, the old one is void"
                    ));
                    say!("token (shown once): {token}");
                }
            }
            Self::Disable { id } => {
                let keys = sealing(&platform)?;
                registration
                    .disable_officer(keys, &read_id(&id)?, "cli")
                    .await?;
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

/// What seals an officer's record.
fn sealing(platform: &Platform) -> Result<&Keystore, Failure> {
    platform.keys.as_ref().ok_or_else(|| {
        Failure("officers are added and disabled where the keystore is: this configuration has role web".into())
    })
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
    evidence: Vec<Photo>,
    round: i64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Photo {
    kind: String,
    sha256: String,
}

/// What was shown is what is signed: enrolment and round are read from the canonical text itself.
fn sign(private_key: &Path, photos: Option<&Path>, yes: bool) -> Outcome {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let dossier: Dossier = serde_json::from_str(&text)?;
    let shown: serde_json::Value = serde_json::from_str(&dossier.canonical)?;
    let canonical: Canonical = serde_json::from_str(&dossier.canonical)?;
    if canonical.kind != DOSSIER_TYPE {
        return Err(Failure(format!("this is no {DOSSIER_TYPE}")));
    }
    for line in readable("", &shown) {
        writeln!(std::io::stderr(), "{line}")?;
    }
    match photos {
        Some(folder) => {
            check_photos(&canonical.evidence, folder)?;
            writeln!(
                std::io::stderr(),
                "the photos in {} are the dossier's",
                folder.display()
            )?;
        }
        None => writeln!(std::io::stderr(), "photos not compared (--photos)")?,
    }
    if !yes && !agreed()? {
        return Err(Failure("nothing was signed".into()));
    }
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

/// Every value of the dossier, one to a line after its path. Nothing in it can move the cursor or turn the direction of
/// writing: what does not print is escaped.
fn readable(path: &str, value: &serde_json::Value) -> Vec<String> {
    use serde_json::Value;
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| readable(&below(name), value))
            .collect(),
        Value::Array(items) => (1..)
            .zip(items)
            .flat_map(|(number, item)| readable(&below(&i32::to_string(&number)), item))
            .collect(),
        Value::String(text) => vec![format!(
            "{:<28} {}",
            path.escape_debug(),
            text.escape_debug()
        )],
        other => vec![format!("{:<28} {other}", path.escape_debug())],
    }
}

/// Each photo of the dossier is a file of its kind's name in the folder, with its digest.
fn check_photos(evidence: &[Photo], folder: &Path) -> Result<(), Failure> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| Failure(format!("cannot read {}: {error}", folder.display())))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    for photo in evidence {
        let file = files
            .iter()
            .find(|file| {
                file.file_stem()
                    .is_some_and(|stem| stem == photo.kind.as_str())
            })
            .ok_or_else(|| Failure(format!("no {} photo in {}", photo.kind, folder.display())))?;
        if hex::encode(digest(&SHA256, &std::fs::read(file)?)) != photo.sha256 {
            return Err(Failure(format!(
                "{} is not the {} photo of the dossier",
                file.display(),
                photo.kind
            )));
        }
    }
    Ok(())
}

/// Asks at the terminal, since standard input is the dossier.
fn agreed() -> Result<bool, Failure> {
    let terminal = std::fs::File::open("/dev/tty").map_err(|_| {
        Failure("there is no terminal to ask at: nothing was signed (--yes)".into())
    })?;
    write!(
        std::io::stderr(),
        "approve this dossier? Type yes to sign: "
    )?;
    let mut answer = String::new();
    std::io::BufReader::new(terminal).read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
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
    fn a_dossier_is_shown_whole_and_cannot_write_over_itself() {
        let dossier = serde_json::json!({
            "evidence": [{ "kind": "front", "sha256": "ab" }],
            "owner": { "full_name": "Nguyễn Thị Mẫu\u{1b}[2K\u{202e}" },
            "round": 1,
        });
        let lines: Vec<String> = readable("", &dossier)
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "evidence.1.kind front",
                "evidence.1.sha256 ab",
                r"owner.full_name Nguyễn Thị Mẫu\u{1b}[2K\u{202e}",
                "round 1",
            ]
        );
    }

    #[test]
    fn a_photo_that_is_missing_or_another_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let evidence = [Photo {
            kind: "front".into(),
            sha256: hex::encode(digest(&SHA256, b"card")),
        }];
        assert!(check_photos(&evidence, folder.path()).is_err());
        std::fs::write(folder.path().join("front.jpg"), b"another card").unwrap();
        assert!(check_photos(&evidence, folder.path()).is_err());
        std::fs::write(folder.path().join("front.jpg"), b"card").unwrap();
        check_photos(&evidence, folder.path()).unwrap();
    }

    #[test]
    fn pem_reads_back_as_written() {
        let der = [7; 121];
        let pem = to_pem("PUBLIC KEY", &der);
        assert_eq!(from_pem("PUBLIC KEY", &pem).as_deref(), Some(&der[..]));
        assert_eq!(from_pem("PRIVATE KEY", &pem), None);
        assert!(pem.lines().all(|line| line.len() <= 64));
    }
}
