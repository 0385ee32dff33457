//! Rows of plans and campaigns.

use kyso_store::{Row, Tx};

use super::{Allowance, Campaign, Plan};
use crate::{Error, Result};

const PLAN: &str = "-- plan_by_code
SELECT code, name, name_en, months, signatures, price_vnd, is_public FROM plan WHERE code = $1";

const PLANS: &str = "-- plans_public
SELECT code, name, name_en, months, signatures, price_vnd, is_public FROM plan WHERE is_public ORDER BY price_vnd, code";

const PLAN_INSERT: &str = "-- plan_insert
INSERT INTO plan (code, name, name_en, months, signatures, price_vnd, is_public, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (code) DO NOTHING";

const PLAN_UPDATE: &str = "-- plan_update
UPDATE plan SET name = $2, name_en = $3, months = $4, signatures = $5, price_vnd = $6, is_public = $7
WHERE code = $1 AND NOT EXISTS (SELECT 1 FROM enrolment WHERE plan_code = $1)";

const CAMPAIGN: &str = "-- campaign_by_code
SELECT code, name, plan_code, price_vnd, starts_at, ends_at, quota, taken, desk FROM campaign WHERE code = $1";

const CAMPAIGNS: &str = "-- campaigns
SELECT code, name, plan_code, price_vnd, starts_at, ends_at, quota, taken, desk FROM campaign ORDER BY starts_at DESC, code";

const CAMPAIGN_INSERT: &str = "-- campaign_insert
INSERT INTO campaign (code, name, plan_code, price_vnd, starts_at, ends_at, quota, taken, desk, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)";

const CAMPAIGN_END: &str = "-- campaign_end
UPDATE campaign SET ends_at = $2 WHERE code = $1 AND starts_at < $2 AND ends_at > $2";

const AREA: &str = "-- campaign_area
SELECT unit_code FROM campaign_area WHERE campaign_code = $1 ORDER BY unit_code";

const AREA_INSERT: &str = "-- campaign_area_insert
INSERT INTO campaign_area (campaign_code, unit_code) VALUES ($1, $2)";

const FREE: &str = "-- campaign_free_portals
SELECT portal_id FROM campaign_free_portal WHERE campaign_code = $1 ORDER BY portal_id";

const FREE_INSERT: &str = "-- campaign_free_portal_insert
INSERT INTO campaign_free_portal (campaign_code, portal_id) VALUES ($1, $2)";

// The row decides who gets the last place.
const TAKE: &str = "-- campaign_take_place
UPDATE campaign SET taken = taken + 1
WHERE code = $1 AND starts_at <= $2 AND ends_at > $2 AND (quota IS NULL OR taken < quota)";

const GIVE_BACK: &str = "-- campaign_give_back_place
UPDATE campaign SET taken = taken - 1 WHERE code = $1 AND taken > 0";

pub(crate) const STATEMENTS: &[&str] = &[
    PLAN,
    PLANS,
    PLAN_INSERT,
    PLAN_UPDATE,
    CAMPAIGN,
    CAMPAIGNS,
    CAMPAIGN_INSERT,
    CAMPAIGN_END,
    AREA,
    AREA_INSERT,
    FREE,
    FREE_INSERT,
    TAKE,
    GIVE_BACK,
];

pub(crate) async fn plan(tx: &mut Tx, code: &str) -> Result<Option<Plan>> {
    tx.optional(PLAN, &[code.into()])
        .await?
        .as_ref()
        .map(plan_row)
        .transpose()
}

pub(crate) async fn plans(tx: &mut Tx) -> Result<Vec<Plan>> {
    tx.all(PLANS, &[]).await?.iter().map(plan_row).collect()
}

/// `true` if it is there as given now; `false` if enrolments stand on another of this code.
pub(crate) async fn put_plan(tx: &mut Tx, plan: &Plan) -> Result<bool> {
    let now = tx.now();
    let mut values = vec![
        (&plan.code).into(),
        (&plan.name).into(),
        (&plan.name_en).into(),
        plan.months.into(),
        match plan.allowance {
            Allowance::Unlimited => kyso_store::Value::Null,
            Allowance::Pack(signatures) => signatures.into(),
        },
        plan.price_vnd.into(),
        plan.public.into(),
        now.into(),
    ];
    if tx.execute(PLAN_INSERT, &values).await? == 1 {
        return Ok(true);
    }
    values.pop();
    Ok(tx.execute(PLAN_UPDATE, &values).await? == 1
        || self::plan(tx, &plan.code).await?.as_ref() == Some(plan))
}

/// A campaign and how many of its places are taken.
pub(crate) async fn campaign(tx: &mut Tx, code: &str) -> Result<Option<(Campaign, i64)>> {
    let Some(row) = tx.optional(CAMPAIGN, &[code.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(campaign_row(tx, &row).await?))
}

pub(crate) async fn campaigns(tx: &mut Tx) -> Result<Vec<(Campaign, i64)>> {
    let mut campaigns = Vec::new();
    for row in tx.all(CAMPAIGNS, &[]).await? {
        campaigns.push(campaign_row(tx, &row).await?);
    }
    Ok(campaigns)
}

pub(crate) async fn insert_campaign(tx: &mut Tx, campaign: &Campaign) -> Result<()> {
    let now = tx.now();
    let code = &campaign.code;
    let values = [
        code.into(),
        (&campaign.name).into(),
        (&campaign.plan).into(),
        campaign.price_vnd.into(),
        campaign.starts_at.into(),
        campaign.ends_at.into(),
        campaign.quota.into(),
        serde_json::to_string(&campaign.desk)
            .unwrap_or_default()
            .into(),
        now.into(),
    ];
    tx.change("campaign", 1, CAMPAIGN_INSERT, &values).await?;
    for unit in &campaign.area {
        tx.change("campaign_area", 1, AREA_INSERT, &[code.into(), unit.into()])
            .await?;
    }
    for portal in &campaign.free_portals {
        tx.change(
            "campaign_free_portal",
            1,
            FREE_INSERT,
            &[code.into(), portal.into()],
        )
        .await?;
    }
    Ok(())
}

pub(crate) async fn end_campaign(tx: &mut Tx, code: &str) -> Result<bool> {
    let now = tx.now();
    Ok(tx.execute(CAMPAIGN_END, &[code.into(), now.into()]).await? == 1)
}

/// Takes a place, if the campaign runs and has one.
pub(crate) async fn take_place(tx: &mut Tx, code: &str) -> Result<bool> {
    let now = tx.now();
    Ok(tx.execute(TAKE, &[code.into(), now.into()]).await? == 1)
}

pub(crate) async fn give_back_place(tx: &mut Tx, code: &str) -> Result<()> {
    Ok(tx.change("campaign", 1, GIVE_BACK, &[code.into()]).await?)
}

fn plan_row(row: &Row) -> Result<Plan> {
    Ok(Plan {
        code: row.text("code")?,
        name: row.text("name")?,
        name_en: row.text("name_en")?,
        months: row.int("months")?,
        allowance: row
            .opt_int("signatures")?
            .map_or(Allowance::Unlimited, Allowance::Pack),
        price_vnd: row.int("price_vnd")?,
        public: row.bool("is_public")?,
    })
}

async fn campaign_row(tx: &mut Tx, row: &Row) -> Result<(Campaign, i64)> {
    let code = row.text("code")?;
    let area = tx.all(AREA, &[(&code).into()]).await?;
    let free = tx.all(FREE, &[(&code).into()]).await?;
    let desk = serde_json::from_str(&row.text("desk")?);
    let campaign = Campaign {
        name: row.text("name")?,
        plan: row.text("plan_code")?,
        price_vnd: row.int("price_vnd")?,
        starts_at: row.int("starts_at")?,
        ends_at: row.int("ends_at")?,
        quota: row.opt_int("quota")?,
        area: area
            .iter()
            .map(|row| Ok(row.text("unit_code")?))
            .collect::<Result<_>>()?,
        free_portals: free
            .iter()
            .map(|row| Ok(row.id("portal_id")?))
            .collect::<Result<_>>()?,
        desk: desk.map_err(|_| Error::Corrupt {
            table: "campaign",
            id: code.clone(),
        })?,
        code,
    };
    Ok((campaign, row.int("taken")?))
}
