//! `kyso portal`: who may ask citizens to sign.

use clap::Subcommand;
use kyso_signing::PortalId;
use kyso_signing::portal::{Network, NewPortal, Scopes};

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::platform::Platform;

/// Verbs on portals.
#[derive(Subcommand)]
pub enum Portal {
    /// Register a portal and print its secrets, once.
    Add {
        /// Name as citizens read it.
        #[arg(long)]
        name: String,
        /// What the portal presents with its secret (`sp_id` of a SmartCA client); made when left out.
        #[arg(long)]
        client_id: Option<String>,
        /// Where results are announced.
        #[arg(long)]
        webhook: Option<String>,
        /// Allow bare digests, which the citizen cannot see.
        #[arg(long)]
        allow_digests: bool,
        /// Allow the SmartCA interface, which is digests by another door.
        #[arg(long)]
        allow_smartca: bool,
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// A new secret, printed once; the old one stays valid for an hour.
    Rotate {
        /// `ptl_…` or the client id.
        portal: String,
        /// Rotate the webhook's secret instead; calls are signed with both for a day.
        #[arg(long)]
        webhook: bool,
        /// Print only the secret, for scripts.
        #[arg(long)]
        quiet: bool,
    },
    /// Where citizens may be sent after signing: replaces what was registered.
    Return {
        /// `ptl_…` or the client id.
        portal: String,
        /// A host (`portal.example`, https), this machine with a port (`localhost:3000`), or an app's scheme (`vn.portal.app:`).
        #[arg(long = "to")]
        to: Vec<String>,
    },
    /// From where a SmartCA client may ask how a transaction goes, beside the network it signed from.
    ///
    /// The status call names no portal, so an id that can be guessed is not answered to everybody. What is given replaces what
    /// was set; with nothing given only the network it signed from may ask.
    Network {
        /// `ptl_…` or the client id.
        portal: String,
        /// A network of the portal's machines (`203.0.113.0/24`, `2001:db8:1::/48`).
        #[arg(long)]
        allow: Vec<Network>,
        /// Anybody who knows or guesses an id: results of a portal with guessable ids lie open.
        #[arg(long, conflicts_with = "allow")]
        danger_anybody: bool,
    },
    /// The portal may no longer call; its history stays.
    Disable {
        /// `ptl_…` or the client id.
        portal: String,
    },
    /// List portals.
    List,
}

/// How long calls are signed with an old webhook secret beside a new one.
const WEBHOOK_OVERLAP_MS: i64 = 24 * 3_600_000;
/// How long an old secret stays valid beside a new one.
const OVERLAP_MS: i64 = 3_600_000;

impl Portal {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let platform = Platform::open(loaded).await?;
        let portals = &platform.signing.portals;
        match self {
            Self::Add {
                name,
                client_id,
                webhook,
                allow_digests,
                allow_smartca,
                json,
            } => {
                let scopes = Scopes {
                    documents: true,
                    digests: allow_digests,
                    sp769: allow_smartca,
                };
                let new = NewPortal {
                    name,
                    client_id,
                    scopes,
                    webhook_url: webhook,
                    public_key: None,
                };
                let added = portals.register(new, "cli").await?;
                if json {
                    let line = serde_json::json!({
                        "id": added.portal.id.to_string(),
                        "client_id": added.portal.client_id,
                        "secret": added.secret,
                        "webhook_secret": added.webhook_secret,
                    });
                    say!("{line}");
                    return Ok(true);
                }
                console::done(&format!("portal {} registered", added.portal.id));
                say!("client id:      {}", added.portal.client_id);
                say!(
                    "secret:         {}   (shown once; `kyso portal rotate` makes another)",
                    added.secret
                );
                if let Some(secret) = added.webhook_secret {
                    say!("webhook secret: {secret}");
                }
            }
            Self::Rotate {
                portal,
                webhook,
                quiet,
            } => {
                let id = find(&platform, &portal).await?;
                let (what, overlap, secret) = if webhook {
                    let secret = portals.rotate_webhook_secret(&id, WEBHOOK_OVERLAP_MS, "cli");
                    ("webhook secret", "a day", secret.await?)
                } else {
                    let secret = portals.rotate_secret(&id, OVERLAP_MS, "cli");
                    ("secret", "an hour", secret.await?)
                };
                if quiet {
                    say!("{secret}");
                } else {
                    console::done(&format!(
                        "portal {id} has a new {what}; the old one stays valid for {overlap}"
                    ));
                    say!("{what}: {secret}   (shown once)");
                }
            }
            Self::Return { portal, to } => {
                let id = find(&platform, &portal).await?;
                portals.set_return_to(&id, &to, "cli").await?;
                console::done(&format!("{portal} may send citizens to: {}", to.join(" ")));
            }
            Self::Network {
                portal,
                mut allow,
                danger_anybody,
            } => {
                if danger_anybody {
                    allow = Network::EVERYWHERE.to_vec();
                }
                let id = find(&platform, &portal).await?;
                portals.set_status_from(&id, &allow, "cli").await?;
                let also: Vec<String> = allow.iter().map(Network::to_string).collect();
                console::done(&format!(
                    "{portal} may ask from the network it signed from, and from: {}",
                    if also.is_empty() {
                        "nowhere else".to_owned()
                    } else {
                        also.join(" ")
                    }
                ));
            }
            Self::Disable { portal } => {
                portals
                    .disable(&find(&platform, &portal).await?, "cli")
                    .await?;
                console::done(&format!("{portal} disabled"));
            }
            Self::List => {
                let known = portals.list().await?;
                if known.is_empty() {
                    say!("no portals yet; `kyso portal add --name …` registers one");
                }
                for portal in known {
                    let state = if portal.disabled_at.is_some() {
                        "disabled"
                    } else {
                        "active"
                    };
                    say!(
                        "{}  {}  {}  {state}",
                        portal.id,
                        portal.client_id,
                        portal.name
                    );
                }
            }
        }
        Ok(true)
    }
}

/// A portal by id or client id.
pub async fn find(platform: &Platform, word: &str) -> Result<PortalId, Failure> {
    if let Ok(id) = word.parse() {
        return Ok(id);
    }
    let found = platform.signing.portals.find(word).await?;
    found
        .map(|portal| portal.id)
        .ok_or_else(|| Failure(format!("no portal has the id or client id {word}")))
}
