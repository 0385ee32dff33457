//! `kyso officer`: who vets enrolments.

use clap::Subcommand;
use kyso_registration::OfficerId;
use kyso_registration::ra::{NewOfficer, OfficerRole};

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::platform::Platform;

/// Verbs on officers.
#[derive(Subcommand)]
pub enum Officer {
    /// Add an officer and print the bearer token, once.
    Add {
        /// Name as colleagues see it.
        #[arg(long)]
        name: String,
        /// The officer's own identity number: nobody decides on their own enrolment. Stored as a salted hash.
        #[arg(long)]
        identity_number: String,
        /// helper, vetter, lead, auditor, campaign-manager; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Print only the token, for scripts.
        #[arg(long)]
        quiet: bool,
    },
    /// Print a new token; the old one is void at once.
    Token {
        /// `off_…`.
        id: String,
    },
    /// End an officer's access; decisions made stand.
    Disable {
        /// `off_…`.
        id: String,
    },
    /// List officers.
    List,
}

impl Officer {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let registration = Platform::open(loaded).await?.registration;
        match self {
            Self::Add {
                name,
                identity_number,
                roles,
                quiet,
            } => {
                let roles = roles
                    .iter()
                    .map(|role| read_role(role))
                    .collect::<Result<_, Failure>>()?;
                let added = registration
                    .add_officer(
                        &NewOfficer {
                            name,
                            identity_number,
                            roles,
                        },
                        "cli",
                    )
                    .await?;
                if quiet {
                    say!("{}", added.token);
                } else {
                    console::done(&format!("officer {} added", added.id));
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
        }
        Ok(true)
    }
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
