//! Rows of `certificate` from their reservation to their issue.

use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::profile::Kind;
use kyso_store::{Row, Store, Tx};

use super::state::Stage;
use crate::{CertificateId, Error, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    RESERVE,
    ISSUE,
    INSERT_ISSUED,
    BY_ID,
    BY_PURPOSE,
    NEWEST,
    RESERVED,
];

const RESERVE: &str = "-- authority.certificate.reserve
INSERT INTO certificate (id, issuer_id, serial, kind, for_what, public_key_sha256, signature_algorithm, not_before, not_after,
    state, tbs, seal, reserved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'reserved', $10, $11, $12)";

const ISSUE: &str = "-- authority.certificate.issue
UPDATE certificate SET state = 'issued', der = $3, tbs = NULL, seal = NULL, issued_at = $4
WHERE id = $1 AND state = 'reserved' AND tbs = $2";

const INSERT_ISSUED: &str = "-- authority.certificate.import
INSERT INTO certificate (id, issuer_id, serial, kind, for_what, public_key_sha256, signature_algorithm, not_before, not_after,
    state, der, reserved_at, issued_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'issued', $10, $11, $11)";

const BY_ID: &str = "-- authority.certificate.by_id
SELECT id, issuer_id, kind, for_what, public_key_sha256, signature_algorithm, state, tbs, seal, der FROM certificate WHERE id = $1";

const BY_PURPOSE: &str = "-- authority.certificate.by_purpose
SELECT id, issuer_id, kind, for_what, public_key_sha256, signature_algorithm, state, tbs, seal, der FROM certificate
WHERE kind = $1 AND for_what = $2";

const NEWEST: &str = "-- authority.certificate.newest
SELECT reserved_at FROM certificate ORDER BY reserved_at DESC LIMIT 1";

const RESERVED: &str = "-- authority.certificate.reserved
SELECT id FROM certificate WHERE state = 'reserved' AND kind NOT IN ('root', 'issuing') AND reserved_at <= $1 ORDER BY reserved_at LIMIT $2";

/// A row as issuing needs it.
#[derive(Debug, Clone)]
pub(crate) struct CertificateRow {
    pub id: CertificateId,
    pub issuer_id: CertificateId,
    pub kind: Kind,
    pub for_what: String,
    pub public_key_sha256: String,
    pub algorithm: SignatureAlgorithm,
    pub stage: Stage,
    /// The keystore's seal on a reservation.
    pub seal: Option<Vec<u8>>,
}

/// What a new row says besides its bytes.
pub(crate) struct NewRow<'a> {
    pub id: CertificateId,
    pub issuer_id: CertificateId,
    pub serial: &'a [u8],
    pub kind: &'static str,
    pub for_what: &'a str,
    pub public_key_sha256: &'a str,
    pub algorithm: &'static str,
    pub not_before: i64,
    pub not_after: i64,
}

/// The word of the `kind` column.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Root => "root",
        Kind::Issuing => "issuing",
        Kind::Citizen => "citizen",
        Kind::Seal => "seal",
        Kind::Ocsp => "ocsp",
        Kind::Timestamp => "timestamp",
    }
}

fn kind_of(word: &str) -> Option<Kind> {
    [
        Kind::Root,
        Kind::Issuing,
        Kind::Citizen,
        Kind::Seal,
        Kind::Ocsp,
        Kind::Timestamp,
    ]
    .into_iter()
    .find(|kind| kind_word(*kind) == word)
}

impl CertificateRow {
    fn from_row(row: &Row) -> Result<CertificateRow> {
        let id: CertificateId = row.id("id")?;
        let corrupt = || Error::Corrupt {
            table: "certificate",
            row: id.to_string(),
        };
        Ok(CertificateRow {
            id,
            issuer_id: row.id("issuer_id")?,
            kind: kind_of(&row.text("kind")?).ok_or_else(corrupt)?,
            for_what: row.text("for_what")?,
            public_key_sha256: row.text("public_key_sha256")?,
            algorithm: row
                .text("signature_algorithm")?
                .parse()
                .map_err(|_| corrupt())?,
            stage: Stage::from_row(
                &id.to_string(),
                &row.text("state")?,
                row.opt_bytes("tbs")?,
                row.opt_bytes("der")?,
            )?,
            seal: row.opt_bytes("seal")?,
        })
    }
}

/// Reserves: the exact bytes are on disk with this transaction.
pub(crate) async fn reserve(
    tx: &mut Tx,
    new: &NewRow<'_>,
    tbs: &[u8],
    seal: &[u8],
) -> kyso_store::Result<()> {
    let now = tx.now();
    let args = [
        new.id.into(),
        new.issuer_id.into(),
        new.serial.into(),
        new.kind.into(),
        new.for_what.into(),
        new.public_key_sha256.into(),
        new.algorithm.into(),
        new.not_before.into(),
        new.not_after.into(),
        tbs.into(),
        seal.into(),
        now.into(),
    ];
    tx.change("certificate", 1, RESERVE, &args).await
}

/// Stores the certificate if these very bytes are still the reserved ones; `false` if somebody else was first.
pub(crate) async fn issue(tx: &mut Tx, id: CertificateId, tbs: &[u8], der: &[u8]) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(ISSUE, &[id.into(), tbs.into(), der.into(), now.into()])
        .await?
        == 1)
}

/// Stores a certificate that somebody else signed.
pub(crate) async fn insert_issued(
    tx: &mut Tx,
    new: &NewRow<'_>,
    der: &[u8],
) -> kyso_store::Result<()> {
    let now = tx.now();
    let args = [
        new.id.into(),
        new.issuer_id.into(),
        new.serial.into(),
        new.kind.into(),
        new.for_what.into(),
        new.public_key_sha256.into(),
        new.algorithm.into(),
        new.not_before.into(),
        new.not_after.into(),
        der.into(),
        now.into(),
    ];
    tx.change("certificate", 1, INSERT_ISSUED, &args).await
}

/// The row as this transaction sees it, perhaps written by another one of the same group commit: a loser reads its winner's row
/// here and commits, which waits until that row is durable.
pub(crate) async fn by_id_in(tx: &mut Tx, id: CertificateId) -> Result<Option<CertificateRow>> {
    tx.optional(BY_ID, &[id.into()])
        .await?
        .map(|row| CertificateRow::from_row(&row))
        .transpose()
}

/// As [`by_id_in`].
pub(crate) async fn by_purpose_in(
    tx: &mut Tx,
    kind: &str,
    for_what: &str,
) -> Result<Option<CertificateRow>> {
    tx.optional(BY_PURPOSE, &[kind.into(), for_what.into()])
        .await?
        .map(|row| CertificateRow::from_row(&row))
        .transpose()
}

pub(crate) async fn by_id(store: &Store, id: CertificateId) -> Result<Option<CertificateRow>> {
    store
        .optional(BY_ID, &[id.into()])
        .await?
        .map(|row| CertificateRow::from_row(&row))
        .transpose()
}

pub(crate) async fn by_purpose(
    store: &Store,
    kind: &str,
    for_what: &str,
) -> Result<Option<CertificateRow>> {
    store
        .optional(BY_PURPOSE, &[kind.into(), for_what.into()])
        .await?
        .map(|row| CertificateRow::from_row(&row))
        .transpose()
}

/// When the newest certificate was reserved.
pub(crate) async fn newest(store: &Store) -> Result<Option<i64>> {
    Ok(store
        .optional(NEWEST, &[])
        .await?
        .map(|row| row.int("reserved_at"))
        .transpose()?)
}

/// Reserved at or before `until`, oldest first; not those of authorities, whose ceremony goes on by itself.
pub(crate) async fn reserved(store: &Store, until: i64, most: i64) -> Result<Vec<CertificateId>> {
    let rows = store.all(RESERVED, &[until.into(), most.into()]).await?;
    Ok(rows
        .iter()
        .map(|row| row.id("id"))
        .collect::<kyso_store::Result<_>>()?)
}
