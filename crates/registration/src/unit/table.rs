//! Rows of administrative units.

use kyso_store::{Row, Tx};

use super::{Tier, Unit};
use crate::{Error, Result};

const NEWEST: &str = "-- unit_newest
SELECT code, tier, parent_code, name, valid_from, valid_to FROM administrative_unit
WHERE tier = $1 AND code = $2 ORDER BY valid_from DESC LIMIT 1";

const PROVINCES: &str = "-- unit_provinces
SELECT code, tier, parent_code, name, valid_from, valid_to FROM administrative_unit
WHERE tier = 'province' AND valid_to IS NULL ORDER BY code";

const COMMUNES: &str = "-- unit_communes
SELECT code, tier, parent_code, name, valid_from, valid_to FROM administrative_unit
WHERE tier = 'commune' AND parent_code = $1 AND valid_to IS NULL ORDER BY name";

const SUCCESSORS: &str = "-- unit_successors
SELECT u.code, u.tier, u.parent_code, u.name, u.valid_from, u.valid_to
FROM administrative_merger m JOIN administrative_unit u ON u.code = m.to_code AND u.tier = m.tier
WHERE m.from_code = $1 AND u.valid_to IS NULL ORDER BY u.code";

const ADD: &str = "-- unit_add
INSERT INTO administrative_unit (code, tier, parent_code, name, valid_from, valid_to)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tier, code, valid_from) DO NOTHING";

const UPDATE: &str = "-- unit_update
UPDATE administrative_unit SET parent_code = $3, name = $4, valid_to = $6
WHERE code = $1 AND tier = $2 AND valid_from = $5
  AND (name <> $4 OR COALESCE(parent_code, '') <> COALESCE($3, '') OR COALESCE(valid_to, '') <> COALESCE($6, ''))";

const MERGE: &str = "-- unit_merge
INSERT INTO administrative_merger (tier, from_code, from_valid_from, to_code)
VALUES ($1, $2, $3, $4) ON CONFLICT (tier, from_code, from_valid_from, to_code) DO NOTHING";

pub(crate) const STATEMENTS: &[&str] =
    &[NEWEST, PROVINCES, COMMUNES, SUCCESSORS, ADD, UPDATE, MERGE];

pub(crate) async fn newest(tx: &mut Tx, tier: Tier, code: &str) -> Result<Option<Unit>> {
    tx.optional(NEWEST, &[tier.as_str().into(), code.into()])
        .await?
        .as_ref()
        .map(unit)
        .transpose()
}

pub(crate) async fn of_parent(tx: &mut Tx, province: Option<&str>) -> Result<Vec<Unit>> {
    let rows = match province {
        None => tx.all(PROVINCES, &[]).await?,
        Some(code) => tx.all(COMMUNES, &[code.into()]).await?,
    };
    rows.iter().map(unit).collect()
}

pub(crate) async fn successors(tx: &mut Tx, code: &str) -> Result<Vec<Unit>> {
    tx.all(SUCCESSORS, &[code.into()])
        .await?
        .iter()
        .map(unit)
        .collect()
}

/// Adds or changes; (1, 0), (0, 1) or (0, 0).
pub(crate) async fn put(tx: &mut Tx, unit: &Unit) -> Result<(u64, u64)> {
    let values = [
        (&unit.code).into(),
        unit.tier.as_str().into(),
        unit.parent_code.clone().into(),
        (&unit.name).into(),
        (&unit.valid_from).into(),
        unit.valid_to.clone().into(),
    ];
    if tx.execute(ADD, &values).await? == 1 {
        return Ok((1, 0));
    }
    Ok((0, tx.execute(UPDATE, &values).await?))
}

pub(crate) async fn merge(tx: &mut Tx, unit: &Unit, to: &str) -> Result<u64> {
    let values = [
        unit.tier.as_str().into(),
        (&unit.code).into(),
        (&unit.valid_from).into(),
        to.into(),
    ];
    Ok(tx.execute(MERGE, &values).await?)
}

fn unit(row: &Row) -> Result<Unit> {
    let code = row.text("code")?;
    Ok(Unit {
        tier: Tier::read(&row.text("tier")?).ok_or(Error::Corrupt {
            table: "administrative_unit",
            id: code.clone(),
        })?,
        parent_code: row.opt_text("parent_code")?,
        name: row.text("name")?,
        valid_from: row.text("valid_from")?,
        valid_to: row.opt_text("valid_to")?,
        code,
    })
}
