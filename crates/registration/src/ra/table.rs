//! Rows of officers.

use kyso_keystore::DeviceKey;
use kyso_signing::device::{device_key_bytes, device_key_from};
use kyso_store::{Row, Tx};

use super::{Officer, OfficerRole};
use crate::{Error, OfficerId, Result};

const INSERT: &str = "-- officer_insert
INSERT INTO officer (id, name, roles, identity_hash, public_key, seal, token_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const BY_TOKEN: &str = "-- officer_by_token
SELECT id, name, roles FROM officer WHERE token_hash = $1 AND disabled_at IS NULL";

const ALL: &str = "-- officers
SELECT id, name, roles FROM officer WHERE disabled_at IS NULL ORDER BY name, id";

const RECORD: &str = "-- officer_record
SELECT id, roles, identity_hash, public_key, seal, disabled_at FROM officer WHERE id = $1";

const SET_TOKEN: &str = "-- officer_set_token
UPDATE officer SET token_hash = $2 WHERE id = $1 AND disabled_at IS NULL";

const DISABLE: &str = "-- officer_disable
UPDATE officer SET disabled_at = $2, seal = $3 WHERE id = $1 AND disabled_at IS NULL";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_TOKEN, ALL, RECORD, SET_TOKEN, DISABLE];

/// The part of an officer's row that the keystore's seal stands for, and the seal.
pub(crate) struct Record {
    pub(crate) id: OfficerId,
    pub(crate) roles: Vec<OfficerRole>,
    pub(crate) identity_hash: Vec<u8>,
    pub(crate) key: DeviceKey,
    pub(crate) seal: Vec<u8>,
    pub(crate) disabled_at: Option<i64>,
}

impl Record {
    /// What is sealed: JSON of id, roles, identity and key, in this order, and when they were disabled, if they were.
    pub(crate) fn sealed_bytes(&self) -> Vec<u8> {
        let mut fields = vec![
            self.id.to_string(),
            words(&self.roles),
            hex::encode(&self.identity_hash),
            hex::encode(device_key_bytes(&self.key)),
        ];
        fields.extend(self.disabled_at.map(|at| at.to_string()));
        serde_json::to_vec(&fields).unwrap_or_default()
    }
}

pub(crate) async fn insert(
    tx: &mut Tx,
    name: &str,
    record: &Record,
    token_hash: [u8; 32],
) -> Result<()> {
    let now = tx.now();
    let values = [
        record.id.into(),
        name.into(),
        words(&record.roles).into(),
        (&record.identity_hash).into(),
        device_key_bytes(&record.key).into(),
        (&record.seal).into(),
        token_hash.into(),
        now.into(),
    ];
    Ok(tx.change("officer", 1, INSERT, &values).await?)
}

pub(crate) async fn by_token(tx: &mut Tx, hash: [u8; 32]) -> Result<Option<Officer>> {
    tx.optional(BY_TOKEN, &[hash.into()])
        .await?
        .as_ref()
        .map(officer)
        .transpose()
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Officer>> {
    tx.all(ALL, &[]).await?.iter().map(officer).collect()
}

/// The sealed record of an officer, disabled or not.
pub(crate) async fn record(tx: &mut Tx, id: &OfficerId) -> Result<Option<Record>> {
    let Some(row) = tx.optional(RECORD, &[id.into()]).await? else {
        return Ok(None);
    };
    let id: OfficerId = row.id("id")?;
    Ok(Some(Record {
        id,
        roles: roles(&row, &id)?,
        identity_hash: row.bytes("identity_hash")?,
        key: device_key_from(&row.bytes("public_key")?).ok_or(Error::Corrupt {
            table: "officer",
            id: id.to_string(),
        })?,
        seal: row.bytes("seal")?,
        disabled_at: row.opt_int("disabled_at")?,
    }))
}

pub(crate) async fn set_token(tx: &mut Tx, id: &OfficerId, hash: [u8; 32]) -> Result<bool> {
    Ok(tx.execute(SET_TOKEN, &[id.into(), hash.into()]).await? == 1)
}

/// Disables as the record says, under its seal.
pub(crate) async fn disable(tx: &mut Tx, record: &Record) -> Result<bool> {
    let values = [
        (&record.id).into(),
        record.disabled_at.into(),
        (&record.seal).into(),
    ];
    Ok(tx.execute(DISABLE, &values).await? == 1)
}

/// Roles as stored: words with spaces between.
pub(crate) fn words(roles: &[OfficerRole]) -> String {
    roles
        .iter()
        .map(|role| role.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn officer(row: &Row) -> Result<Officer> {
    let id: OfficerId = row.id("id")?;
    Ok(Officer {
        id,
        name: row.text("name")?,
        roles: roles(row, &id)?,
    })
}

fn roles(row: &Row, id: &OfficerId) -> Result<Vec<OfficerRole>> {
    let words = row.text("roles")?;
    let roles: Option<Vec<_>> = words.split(' ').map(OfficerRole::read).collect();
    roles.ok_or(Error::Corrupt {
        table: "officer",
        id: id.to_string(),
    })
}
