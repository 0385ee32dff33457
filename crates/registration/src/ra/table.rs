//! Rows of officers.

use kyso_store::{Row, Tx};

use super::{Officer, OfficerRole};
use crate::{Error, OfficerId, Result};

const INSERT: &str = "-- officer_insert
INSERT INTO officer (id, name, roles, identity_salt, identity_hash, token_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

const BY_TOKEN: &str = "-- officer_by_token
SELECT id, name, roles FROM officer WHERE token_hash = $1 AND disabled_at IS NULL";

const ALL: &str = "-- officers
SELECT id, name, roles FROM officer WHERE disabled_at IS NULL ORDER BY name, id";

const IDENTITY: &str = "-- officer_identity
SELECT identity_salt, identity_hash FROM officer WHERE id = $1 AND disabled_at IS NULL";

const SET_TOKEN: &str = "-- officer_set_token
UPDATE officer SET token_hash = $2 WHERE id = $1 AND disabled_at IS NULL";

const DISABLE: &str = "-- officer_disable
UPDATE officer SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_TOKEN, ALL, IDENTITY, SET_TOKEN, DISABLE];

/// The salted hash of an officer's own identity number.
pub(crate) struct Identity {
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

pub(crate) async fn insert(
    tx: &mut Tx,
    officer: &Officer,
    identity: &Identity,
    token_hash: [u8; 32],
) -> Result<()> {
    let now = tx.now();
    let values = [
        officer.id.into(),
        (&officer.name).into(),
        words(&officer.roles).into(),
        (&identity.salt).into(),
        (&identity.hash).into(),
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

pub(crate) async fn identity(tx: &mut Tx, id: &OfficerId) -> Result<Option<Identity>> {
    let Some(row) = tx.optional(IDENTITY, &[id.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(Identity {
        salt: row.bytes("identity_salt")?,
        hash: row.bytes("identity_hash")?,
    }))
}

pub(crate) async fn set_token(tx: &mut Tx, id: &OfficerId, hash: [u8; 32]) -> Result<bool> {
    Ok(tx.execute(SET_TOKEN, &[id.into(), hash.into()]).await? == 1)
}

pub(crate) async fn disable(tx: &mut Tx, id: &OfficerId) -> Result<bool> {
    let now = tx.now();
    Ok(tx.execute(DISABLE, &[id.into(), now.into()]).await? == 1)
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
    let roles = row.text("roles")?;
    let roles: Option<Vec<_>> = roles.split(' ').map(OfficerRole::read).collect();
    Ok(Officer {
        id,
        name: row.text("name")?,
        roles: roles.ok_or(Error::Corrupt {
            table: "officer",
            id: id.to_string(),
        })?,
    })
}
