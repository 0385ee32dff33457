//! Rows of `service_key` and `issuer`: the keys of the institution and what they are certified for.

use kyso_keystore::Role;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_store::{Row, Store, Tx};

use super::state::KeyStage;
use crate::{CertificateId, Error, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    PLAN,
    BY_LABEL,
    ALL,
    MADE,
    KEEP_REQUEST,
    RETIRE,
    ACTIVATE,
    INSERT_ISSUER,
    IN_USE,
    OUTSIDE,
    OUTSIDE_BY_FINGERPRINT,
];

const PLAN: &str = "-- authority.service_key.plan
INSERT INTO service_key (label, role, generation, serves, algorithm, state, planned_at)
VALUES ($1, $2, $3, $4, $5, 'planned', $6)
ON CONFLICT DO NOTHING";

const BY_LABEL: &str = "-- authority.service_key.by_label
SELECT label, role, generation, serves, algorithm, public_key, state, request, certificate_id FROM service_key WHERE label = $1";

const ALL: &str = "-- authority.service_key.all
SELECT label, role, generation, serves, algorithm, public_key, state, request, certificate_id FROM service_key ORDER BY planned_at, label";

const MADE: &str = "-- authority.service_key.made
UPDATE service_key SET state = 'made', public_key = $2, made_at = $3 WHERE label = $1 AND state = 'planned'";

const KEEP_REQUEST: &str = "-- authority.service_key.keep_request
UPDATE service_key SET request = $2 WHERE label = $1 AND state = 'made' AND request IS NULL";

const RETIRE: &str = "-- authority.service_key.retire
UPDATE service_key SET state = 'retired', retired_at = $4
WHERE role = $1 AND serves = $2 AND label <> $3 AND state = 'active'
    AND EXISTS (SELECT 1 FROM service_key AS successor WHERE successor.label = $3 AND successor.state = 'made')";

const ACTIVATE: &str = "-- authority.service_key.activate
UPDATE service_key SET state = 'active', certificate_id = $2, active_at = $3 WHERE label = $1 AND state = 'made'";

const INSERT_ISSUER: &str = "-- authority.issuer.insert
INSERT INTO issuer (certificate_id, label) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Everything in use, or once in use, with its certificate.
const IN_USE: &str = "-- authority.service_key.in_use
SELECT service_key.label, service_key.role, service_key.serves, service_key.state, service_key.public_key, service_key.certificate_id,
    certificate.issuer_id, certificate.der
FROM service_key LEFT JOIN certificate ON certificate.id = service_key.certificate_id
WHERE service_key.state IN ('active', 'retired')
ORDER BY service_key.role, service_key.generation DESC";

const OUTSIDE: &str = "-- authority.certificate.outside
SELECT id, issuer_id, der FROM certificate WHERE kind = 'outside'";

const OUTSIDE_BY_FINGERPRINT: &str = "-- authority.certificate.outside_by_fingerprint
SELECT id FROM certificate WHERE kind = 'outside' AND for_what = $1";

/// A row of `service_key`.
#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub label: String,
    pub role: Role,
    pub generation: i64,
    pub serves: String,
    pub algorithm: KeyAlgorithm,
    pub stage: KeyStage<CertificateId>,
}

/// A key in use, or once in use, with its certificate.
#[derive(Debug, Clone)]
pub(crate) struct InUse {
    pub label: String,
    pub role: Role,
    pub serves: String,
    pub is_active: bool,
    pub public_key: Vec<u8>,
    pub certificate: Option<CertifiedBy>,
}

/// A certificate and who issued it.
#[derive(Debug, Clone)]
pub(crate) struct CertifiedBy {
    pub id: CertificateId,
    pub issuer_id: CertificateId,
    pub der: Vec<u8>,
}

impl KeyRow {
    fn from_row(row: &Row) -> Result<KeyRow> {
        let label = row.text("label")?;
        let corrupt = || Error::Corrupt {
            table: "service_key",
            row: label.clone(),
        };
        let stage = KeyStage::from_row(
            &label,
            &row.text("state")?,
            row.opt_bytes("public_key")?,
            row.opt_bytes("request")?,
            row.opt_id("certificate_id")?,
        )?;
        Ok(KeyRow {
            role: row.text("role")?.parse().map_err(|_| corrupt())?,
            generation: row.int("generation")?,
            serves: row.text("serves")?,
            algorithm: row.text("algorithm")?.parse().map_err(|_| corrupt())?,
            stage,
            label,
        })
    }
}

/// Notes that a key is about to be made, unless it is noted already.
pub(crate) async fn plan(
    tx: &mut Tx,
    label: &str,
    role: Role,
    generation: i64,
    serves: &str,
    algorithm: KeyAlgorithm,
) -> Result<bool> {
    let now = tx.now();
    let args = [
        label.into(),
        role.as_str().into(),
        generation.into(),
        serves.into(),
        algorithm.as_str().into(),
        now.into(),
    ];
    Ok(tx.execute(PLAN, &args).await? == 1)
}

pub(crate) async fn by_label(store: &Store, label: &str) -> Result<Option<KeyRow>> {
    store
        .optional(BY_LABEL, &[label.into()])
        .await?
        .map(|row| KeyRow::from_row(&row))
        .transpose()
}

pub(crate) async fn all(store: &Store) -> Result<Vec<KeyRow>> {
    store
        .all(ALL, &[])
        .await?
        .iter()
        .map(KeyRow::from_row)
        .collect()
}

/// Notes that the keystore made it; `false` if somebody noted it before.
pub(crate) async fn made(tx: &mut Tx, label: &str, public_key: &[u8]) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(MADE, &[label.into(), public_key.into(), now.into()])
        .await?
        == 1)
}

/// Keeps the request; `false` if one is kept already.
pub(crate) async fn keep_request(tx: &mut Tx, label: &str, request: &[u8]) -> Result<bool> {
    Ok(tx
        .execute(KEEP_REQUEST, &[label.into(), request.into()])
        .await?
        == 1)
}

/// Puts a key to use in the place of whoever served there; `false` if it is in use already.
pub(crate) async fn activate(
    tx: &mut Tx,
    key: &KeyRow,
    certificate: Option<CertificateId>,
) -> Result<bool> {
    let now = tx.now();
    let role = key.role.as_str();
    tx.execute(
        RETIRE,
        &[
            role.into(),
            key.serves.as_str().into(),
            key.label.as_str().into(),
            now.into(),
        ],
    )
    .await?;
    let activated = tx
        .execute(
            ACTIVATE,
            &[key.label.as_str().into(), certificate.into(), now.into()],
        )
        .await?
        == 1;
    if let (Some(certificate), Role::Root | Role::Issuing) = (certificate, key.role) {
        tx.execute(
            INSERT_ISSUER,
            &[certificate.into(), key.label.as_str().into()],
        )
        .await?;
    }
    Ok(activated)
}

pub(crate) async fn in_use(store: &Store) -> Result<Vec<InUse>> {
    let rows = store.all(IN_USE, &[]).await?;
    rows.iter().map(in_use_row).collect()
}

fn in_use_row(row: &Row) -> Result<InUse> {
    let label = row.text("label")?;
    let corrupt = || Error::Corrupt {
        table: "service_key",
        row: label.clone(),
    };
    let role: Role = row.text("role")?.parse().map_err(|_| corrupt())?;
    let certificate = match (
        row.opt_id("certificate_id")?,
        row.opt_id("issuer_id")?,
        row.opt_bytes("der")?,
    ) {
        (Some(id), Some(issuer_id), Some(der)) => Some(CertifiedBy { id, issuer_id, der }),
        (None, None, None) if role == Role::Ledger => None,
        _ => return Err(corrupt()),
    };
    Ok(InUse {
        role,
        serves: row.text("serves")?,
        is_active: row.text("state")? == "active",
        public_key: row.bytes("public_key")?,
        certificate,
        label,
    })
}

/// The certificates of outside authorities we were told of.
pub(crate) async fn outside(store: &Store) -> Result<Vec<CertifiedBy>> {
    let rows = store.all(OUTSIDE, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(CertifiedBy {
                id: row.id("id")?,
                issuer_id: row.id("issuer_id")?,
                der: row.bytes("der")?,
            })
        })
        .collect()
}

/// The outside certificate with this fingerprint (hex SHA-256).
pub(crate) async fn outside_by_fingerprint(
    tx: &mut Tx,
    fingerprint: &str,
) -> Result<Option<CertificateId>> {
    let row = tx
        .optional(OUTSIDE_BY_FINGERPRINT, &[fingerprint.into()])
        .await?;
    Ok(row.map(|row| row.id("id")).transpose()?)
}
