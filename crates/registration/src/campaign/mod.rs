//! Plans, and the campaigns that give one away: who is eligible, where, when, how many, and where the free signatures count.
//!
//! Invariant: `taken` of a campaign never passes its quota, whoever races (a guarded counter), and equals the number
//! of enrolments that hold a place.
//!
//! A place is taken when the enrolment is handed in, and held from the payment on for whoever has proved a telephone number:
//! mailboxes cost nothing, so one that was proved by mail only, or not at all, keeps no place from anybody.

pub(crate) mod table;

use kyso_signing::PortalId;
use kyso_store::Tx;

use crate::citizen::Address;
use crate::enrolment::table::refused_by;
use crate::ledger::line;
use crate::{Error, Registration, Result};

/// What a plan includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// As many signatures as wanted while the plan runs.
    Unlimited,
    /// A number of signatures.
    Pack(i64),
}

/// Something to choose at the beginning of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Short code, `[a-z0-9-]{2,40}`.
    pub code: String,
    /// Vietnamese name, printed in the contract.
    pub name: String,
    /// English name.
    pub name_en: String,
    /// How long it runs, months; the certificate ends no later.
    pub months: i64,
    /// What it includes.
    pub allowance: Allowance,
    /// Price in đồng, VAT included.
    pub price_vnd: i64,
    /// Offered to whoever comes; a plan that is not is reached through a campaign only.
    pub public: bool,
}

/// An enrolment drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// Short code, printed in the QR; `[a-z0-9-]{2,40}`.
    pub code: String,
    /// Vietnamese name.
    pub name: String,
    /// The plan it gives.
    pub plan: String,
    /// What it costs here, đồng.
    pub price_vnd: i64,
    /// First instant.
    pub starts_at: i64,
    /// First instant after the end.
    pub ends_at: i64,
    /// Places; `None` = no limit.
    pub quota: Option<i64>,
    /// Codes of provinces and communes whose people are eligible; empty = everybody.
    pub area: Vec<String>,
    /// Portals where signatures cost no unit.
    pub free_portals: Vec<PortalId>,
    /// Where to get help in person.
    pub desk: Desk,
}

/// Where a campaign's helper is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Desk {
    /// Address.
    pub address: String,
    /// Hours, as said to people.
    pub hours: String,
    /// Whom to ask for.
    pub helper: String,
    /// Number to call.
    pub hotline: String,
}

/// A campaign as a citizen sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The campaign.
    pub campaign: Campaign,
    /// Its plan.
    pub plan: Plan,
    /// Places taken.
    pub taken: i64,
    /// Whether one can enrol through it now.
    pub open: bool,
}

impl Campaign {
    /// Whether people of this address are eligible.
    pub fn covers(&self, address: &Address) -> bool {
        self.area.is_empty()
            || self
                .area
                .iter()
                .any(|code| *code == address.province_code || *code == address.commune_code)
    }

    fn check(&self) -> Result<()> {
        check_code(&self.code)?;
        let bad = |field, rule| Err(Error::Unacceptable { field, rule });
        if self.ends_at <= self.starts_at {
            return bad("ends_at", "after the start");
        }
        if self.price_vnd < 0 {
            return bad("price_vnd", "0 or more");
        }
        if self.quota.is_some_and(|quota| quota < 0) {
            return bad("quota", "0 or more");
        }
        let is_unit = |code: &String| {
            matches!(code.len(), 2 | 5) && code.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !self.area.iter().all(is_unit) {
            return bad(
                "area",
                "codes of provinces (2 digits) and communes (5 digits)",
            );
        }
        check_name("name", &self.name)
    }
}

impl Registration {
    /// Adds a plan, or changes one that no enrolment has chosen yet.
    ///
    /// # Errors
    /// [`Error::Unacceptable`]; [`Error::CodeTaken`] when enrolments stand on another plan of this code.
    pub async fn add_plan(&self, plan: &Plan, actor: &str) -> Result<()> {
        check_code(&plan.code)?;
        check_name("name", &plan.name)?;
        check_name("name_en", &plan.name_en)?;
        // A subscriber's certificate runs at most three years (Decree 23/2025/NĐ-CP).
        if !(1..=36).contains(&plan.months) {
            return Err(Error::Unacceptable {
                field: "months",
                rule: "1 to 36",
            });
        }
        if matches!(plan.allowance, Allowance::Pack(signatures) if signatures < 1)
            || plan.price_vnd < 0
        {
            return Err(Error::Unacceptable {
                field: "signatures",
                rule: "at least 1, and no negative price",
            });
        }
        let mut tx = self.store().write().await?;
        if !table::put_plan(&mut tx, plan).await? {
            return Err(Error::CodeTaken {
                code: plan.code.clone(),
            });
        }
        line("registration.plan.added", &plan.code, actor)
            .with("months", plan.months)
            .record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// The plans offered to whoever comes, cheapest first.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        table::plans(&mut self.store().read().await?).await
    }

    /// Adds a campaign. [`Error::CodeTaken`] if there is one of this code.
    pub async fn add_campaign(&self, campaign: &Campaign, actor: &str) -> Result<()> {
        campaign.check()?;
        let mut tx = self.store().write().await?;
        if table::plan(&mut tx, &campaign.plan).await?.is_none() {
            return Err(Error::NotFound { what: "plan" });
        }
        let inserted = table::insert_campaign(&mut tx, campaign).await;
        if refused_by(&inserted).is_some() {
            return Err(Error::CodeTaken {
                code: campaign.code.clone(),
            });
        }
        inserted?;
        line("registration.campaign.added", &campaign.code, actor)
            .with("quota", campaign.quota)
            .record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Ends a campaign now: nobody new gets a place.
    pub async fn end_campaign(&self, code: &str, actor: &str) -> Result<()> {
        let mut tx = self.store().write().await?;
        if !table::end_campaign(&mut tx, code).await? {
            let (found, now) = (table::campaign(&mut tx, code).await?, tx.now());
            let (campaign, _) = found.ok_or(Error::NotFound { what: "campaign" })?;
            return Err(Error::CampaignClosed {
                starts_at: campaign.starts_at,
                ends_at: campaign.ends_at,
                now,
            });
        }
        line("registration.campaign.ended", code, actor).record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// A campaign as its QR shows it.
    pub async fn campaign(&self, code: &str) -> Result<Offer> {
        let mut tx = self.store().read().await?;
        let found = table::campaign(&mut tx, code)
            .await?
            .ok_or(Error::NotFound { what: "campaign" })?;
        offer(&mut tx, found).await
    }

    /// Every campaign, newest first.
    pub async fn campaigns(&self) -> Result<Vec<Offer>> {
        let mut tx = self.store().read().await?;
        let mut offers = Vec::new();
        for found in table::campaigns(&mut tx).await? {
            offers.push(offer(&mut tx, found).await?);
        }
        Ok(offers)
    }
}

async fn offer(tx: &mut Tx, (campaign, taken): (Campaign, i64)) -> Result<Offer> {
    let plan = table::plan(tx, &campaign.plan)
        .await?
        .ok_or(Error::NotFound { what: "plan" })?;
    let open = availability(&campaign, taken, tx.now()).is_ok();
    Ok(Offer {
        campaign,
        plan,
        taken,
        open,
    })
}

/// Whether one can get a place now; otherwise why not.
pub(crate) fn availability(campaign: &Campaign, taken: i64, now: i64) -> Result<()> {
    if now < campaign.starts_at || now >= campaign.ends_at {
        return Err(Error::CampaignClosed {
            starts_at: campaign.starts_at,
            ends_at: campaign.ends_at,
            now,
        });
    }
    match campaign.quota {
        Some(quota) if taken >= quota => Err(Error::CampaignFull { quota }),
        _ => Ok(()),
    }
}

/// Takes a place of the enrolment's campaign, or says why there is none.
pub(crate) async fn take_place(tx: &mut Tx, code: &str) -> Result<()> {
    if table::take_place(tx, code).await? {
        return Ok(());
    }
    let (campaign, taken) = table::campaign(tx, code)
        .await?
        .ok_or(Error::NotFound { what: "campaign" })?;
    availability(&campaign, taken, tx.now())?;
    // It ran and had a place when we looked, but not when we wrote: the last one went to somebody else.
    Err(Error::CampaignFull {
        quota: campaign.quota.unwrap_or(taken),
    })
}

fn check_code(code: &str) -> Result<()> {
    let letters = code
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if (2..=40).contains(&code.len()) && letters && !code.starts_with('-') {
        return Ok(());
    }
    Err(Error::Unacceptable {
        field: "code",
        rule: "2 to 40 of a-z, 0-9 and -",
    })
}

fn check_name(field: &'static str, name: &str) -> Result<()> {
    crate::citizen::read_line(name, 120, true)
        .map(|_| ())
        .map_err(|_| Error::Unacceptable {
            field,
            rule: "one line of text, at most 120 characters",
        })
}
