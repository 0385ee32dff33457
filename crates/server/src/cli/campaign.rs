//! `kyso campaign`: enrolment drives and the plans they give, from one TOML file that can be read and signed off.

use std::path::PathBuf;

use clap::Subcommand;
use kyso_registration::Error;
use kyso_registration::campaign::{self, Allowance, Desk};
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;

use super::{Failure, Outcome, console};
use crate::config::Loaded;
use crate::platform::Platform;

/// Verbs on campaigns.
#[derive(Subcommand)]
pub enum Campaign {
    /// Add the plans and campaigns of a file.
    Add {
        /// TOML with [[plan]] and [[campaign]]; docs/samples/campaign.toml is an example.
        file: PathBuf,
    },
    /// End a campaign now.
    End {
        /// Its code.
        code: String,
    },
    /// List campaigns.
    List,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    #[serde(default)]
    plan: Vec<PlanEntry>,
    #[serde(default)]
    campaign: Vec<CampaignEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanEntry {
    code: String,
    name: String,
    name_en: String,
    months: i64,
    /// Signatures included; left out: unlimited.
    units: Option<i64>,
    price_vnd: i64,
    #[serde(default)]
    public: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CampaignEntry {
    code: String,
    name: String,
    plan: String,
    #[serde(default)]
    price_vnd: i64,
    /// RFC 3339.
    starts_at: String,
    /// RFC 3339, the first instant after the end.
    ends_at: String,
    quota: Option<i64>,
    #[serde(default)]
    area: Vec<String>,
    /// Ids or client ids of portals where signatures cost nothing.
    #[serde(default)]
    free_portals: Vec<String>,
    #[serde(default)]
    desk: Desk,
}

impl Campaign {
    /// Runs the verb.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let platform = Platform::open(loaded).await?;
        match self {
            Self::Add { file } => add(&platform, &file).await?,
            Self::End { code } => {
                let ended = platform.registration.end_campaign(&code, "cli").await;
                ended.map_err(|error| match error {
                    Error::NotFound { .. } => Failure(format!(
                        "there is no campaign {code}; `kyso campaign list` lists them"
                    )),
                    other => other.into(),
                })?;
                console::done(&format!("campaign {code} ended"));
            }
            Self::List => {
                let offers = platform.registration.campaigns().await?;
                if offers.is_empty() {
                    say!("no campaigns yet; `kyso campaign add FILE` adds those of a file");
                }
                for offer in offers {
                    let places = offer.campaign.quota.map_or_else(
                        || format!("{} taken", offer.taken),
                        |quota| format!("{}/{quota} taken", offer.taken),
                    );
                    let state = if offer.open { "open" } else { "closed" };
                    say!(
                        "{}  {}  {places}  {state}",
                        offer.campaign.code,
                        offer.campaign.name
                    );
                }
            }
        }
        Ok(true)
    }
}

async fn add(platform: &Platform, path: &std::path::Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure(format!("cannot read {}: {error}", path.display())))?;
    let file: File = toml::from_str(&text).map_err(|error| {
        Failure(format!(
            "{} is no file of plans and campaigns; docs/samples/campaign.toml is an example\n{error}",
            path.display()
        ))
    })?;
    for entry in file.plan {
        platform.registration.add_plan(&entry.plan(), "cli").await?;
        console::done(&format!("plan {}", entry.code));
    }
    for entry in file.campaign {
        let mut free_portals = Vec::new();
        for word in &entry.free_portals {
            free_portals.push(super::portal::find(platform, word).await?);
        }
        let campaign = campaign::Campaign {
            starts_at: instant(&entry.starts_at)?,
            ends_at: instant(&entry.ends_at)?,
            code: entry.code.clone(),
            name: entry.name,
            plan: entry.plan,
            price_vnd: entry.price_vnd,
            quota: entry.quota,
            area: entry.area,
            free_portals,
            desk: entry.desk,
        };
        platform.registration.add_campaign(&campaign, "cli").await?;
        console::done(&format!("campaign {}", entry.code));
    }
    Ok(())
}

impl PlanEntry {
    fn plan(&self) -> campaign::Plan {
        campaign::Plan {
            code: self.code.clone(),
            name: self.name.clone(),
            name_en: self.name_en.clone(),
            months: self.months,
            allowance: self.units.map_or(Allowance::Unlimited, Allowance::Pack),
            price_vnd: self.price_vnd,
            public: self.public,
        }
    }
}

fn instant(text: &str) -> Result<i64, Failure> {
    let instant = time::OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        Failure(format!(
            "{text} is no instant; write 2026-12-01T00:00:00+07:00"
        ))
    })?;
    Ok(instant.unix_timestamp() * 1000)
}
