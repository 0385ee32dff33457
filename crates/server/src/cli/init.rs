//! `kyso init`: from an empty folder to an installation that can hold its ceremony.
//!
//! Everything it makes is local and can be made again; nothing that exists is overwritten.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use clap::Args;
use kyso_store::{Clock, Entropy};

use super::{Failure, Outcome, console};
use crate::config::{Config, Error, Loaded};
use crate::platform::{self, Platform};

/// Options of `kyso init`.
#[derive(Args)]
pub struct Init {
    /// URL by which phones and portals will reach the server; it stands in certificates.
    #[arg(long)]
    public_url: Option<String>,
    /// Plain http URL of OCSP, CRL and issuer certificates; needed when the public URL is https.
    #[arg(long)]
    status_url: Option<String>,
    /// Address and port to listen on.
    #[arg(long)]
    listen: Option<String>,
    /// Address and port of metrics and health pages.
    #[arg(long)]
    metrics_listen: Option<String>,
    /// Database URL: `sqlite://kyso.db` or `postgres://…`.
    #[arg(long)]
    database: Option<String>,
    /// Registered name of the provider (O of its certificates).
    #[arg(long)]
    organisation: Option<String>,
    /// Algorithm of citizens' keys.
    #[arg(long)]
    citizen_algorithm: Option<String>,
}

impl Init {
    /// Makes what is missing and says what it made.
    pub async fn run(self, path: &Path) -> Outcome {
        if path.exists() {
            self.refuse_other_values(path)?;
            say!("{} is there already and is kept", path.display());
        } else {
            self.write_configuration(path)?;
        }
        let loaded = super::loaded(path)?;
        make_directory(&loaded.path(&loaded.config.keystore.software_directory))?;
        make_directory(&loaded.path(&loaded.config.database.checkpoint_directory))?;
        make_data_key(&loaded.path(&loaded.config.database.data_key_file))?;
        platform::make_database(&loaded).await?;
        let store = platform::open_store(&loaded, Clock::System).await?;
        let applied = store.migrate(kyso_store::MIGRATIONS).await?;
        platform::make_keystore(&loaded, &store).await?;
        Platform::open(&loaded).await?.prepare().await?;
        console::done(&format!("database ready ({applied} migrations applied)"));
        if loaded.config.keystore.backend == "software" {
            say!();
            console::warn(
                "Keys are kept in files on this machine. That is right for a trial and for development.",
            );
            console::warn(
                "A public service keeps them in a PKCS#11 module: set keystore.backend = \"pkcs11\".",
            );
        }
        say!(
            "\nNext: kyso ceremony run   (makes the root, the issuing authority and the service keys)"
        );
        Ok(true)
    }

    /// A second run changes no value: what it is told and what stands there must agree.
    fn refuse_other_values(&self, path: &Path) -> Result<(), Failure> {
        let config = super::loaded(path)?.config;
        let given = [
            ("--public-url", &self.public_url, &config.server.public_url),
            (
                "--status-url",
                &self.status_url,
                &config.authority.status_url,
            ),
            ("--listen", &self.listen, &config.server.listen),
            (
                "--metrics-listen",
                &self.metrics_listen,
                &config.server.metrics_listen,
            ),
            ("--database", &self.database, &config.database.url),
            (
                "--organisation",
                &self.organisation,
                &config.authority.organisation,
            ),
            (
                "--citizen-algorithm",
                &self.citizen_algorithm,
                &config.keystore.citizen_algorithm,
            ),
        ];
        let other: Vec<&str> = given
            .into_iter()
            .filter(|(_, given, stands)| given.as_ref().is_some_and(|given| given != *stands))
            .map(|(flag, ..)| flag)
            .collect();
        if other.is_empty() {
            return Ok(());
        }
        Err(Failure(format!(
            "{} is there already and says otherwise for {}; nothing was changed. Edit the file, or remove it if no ceremony \
             has been held",
            path.display(),
            other.join(" and ")
        )))
    }

    fn write_configuration(&self, path: &Path) -> Result<(), Failure> {
        let mut text = String::from(
            "# kyso. `kyso config reference` prints the manual of every key, `kyso config explain` the values in force.\n",
        );
        let mut section = |name: &str, values: &[(&str, &Option<String>)]| {
            let given: Vec<_> = values
                .iter()
                .filter_map(|(key, value)| Some((key, value.as_ref()?)))
                .collect();
            if !given.is_empty() {
                text.push_str(&format!("\n[{name}]\n"));
                for (key, value) in given {
                    text.push_str(&format!("{key} = {}\n", toml::Value::from(value.as_str())));
                }
            }
        };
        let cps = self
            .public_url
            .as_ref()
            .map(|url| format!("{}/cps", url.trim_end_matches('/')));
        let server = [
            ("public_url", &self.public_url),
            ("listen", &self.listen),
            ("metrics_listen", &self.metrics_listen),
        ];
        section("server", &server);
        section("database", &[("url", &self.database)]);
        section(
            "keystore",
            &[("citizen_algorithm", &self.citizen_algorithm)],
        );
        section(
            "authority",
            &[
                ("status_url", &self.status_url),
                ("organisation", &self.organisation),
                ("cps_uri", &cps),
            ],
        );
        Loaded::parse(&text, path, Path::new("."), []).map_err(|error| with_flag(&error))?;
        if let Some(parent) = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(path)?
            .write_all(text.as_bytes())?;
        let defaults = Config::default();
        console::done(&format!(
            "{} written (public URL {})",
            path.display(),
            self.public_url
                .as_ref()
                .unwrap_or(&defaults.server.public_url)
        ));
        Ok(())
    }
}

/// The fault, with the flag by which it is mended.
fn with_flag(error: &Error) -> Failure {
    let flag = match error {
        Error::Unsafe { key, .. } => match *key {
            "public_url" | "status_url" | "listen" | "metrics_listen" | "organisation"
            | "citizen_algorithm" => format!(" (--{})", key.replace('_', "-")),
            "url" => " (--database)".to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    Failure(format!("{error}{flag}"))
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        console::done(&format!("{} made", path.display()));
    }
    Ok(())
}

/// The key that seals evidence: 32 random bytes that only we may read.
fn make_data_key(path: &Path) -> Result<(), Failure> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => {
            let mut key = [0; 32];
            Entropy::System.fill(&mut key);
            file.write_all(&key)?;
            file.sync_all()?;
            console::done(&format!(
                "{} made: without it, identity evidence cannot be read; back it up",
                path.display()
            ));
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.into()),
    }
}
