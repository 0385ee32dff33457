//! Plans, and the campaigns that give one away: who is eligible, where, when, how many, and where the free signatures count.
//!
//! Invariant: `taken` of a campaign never passes its quota, whoever races (a guarded counter), and equals the number
//! of enrolments that hold a place.

pub(crate) mod table;

use kyso_signing::PortalId;
use kyso_store::Tx;

use crate::citizen::Address;
use crate::{EnrolmentId, Error, Registration, Result};

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

impl Registration {
    /// Adds a plan, or changes one that no enrolment has chosen yet.
    pub async fn add_plan(&self, plan: &Plan, actor: &str) -> Result<()> {
        todo!()
    }

    /// The plans offered to whoever comes, cheapest first.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        todo!()
    }

    /// Adds a campaign. [`Error::CodeTaken`] if there is one of this code.
    pub async fn add_campaign(&self, campaign: &Campaign, actor: &str) -> Result<()> {
        todo!()
    }

    /// Ends a campaign now: nobody new gets a place.
    pub async fn end_campaign(&self, code: &str, actor: &str) -> Result<()> {
        todo!()
    }

    /// A campaign as its QR shows it.
    pub async fn campaign(&self, code: &str) -> Result<Offer> {
        todo!()
    }

    /// Every campaign, newest first.
    pub async fn campaigns(&self) -> Result<Vec<Offer>> {
        todo!()
    }
}
