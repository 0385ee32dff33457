//! Rows of `crl`, the counters of `issuer`, and the one read an OCSP answer needs.

use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::certificate::Serial;
use kyso_pki::crl::Entry;
use kyso_pki::revocation::Reason;
use kyso_store::{Row, Store, Tx};

use super::crl::Published;
use super::state;
use crate::revocation::state::Standing;
use crate::revocation::table::standing;
use crate::{CertificateId, Error, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    OF_SERIAL,
    ISSUER_COUNTERS,
    NEWEST_PUBLISHED,
    NEWEST_SCHEDULED,
    NEWEST_BY_LABEL,
    AGES,
    TAKE_NUMBER,
    NOT_GOOD,
    RESERVE,
    RESERVED,
    PUBLISH,
    ANY_RESERVED,
];

/// The one read of an OCSP answer, by a unique index.
const OF_SERIAL: &str = "-- authority.ocsp.of_serial
SELECT state, suspended_at, revoked_at, reason FROM certificate WHERE issuer_id = $1 AND serial = $2";

const ISSUER_COUNTERS: &str = "-- authority.issuer.counters
SELECT crl_number, status_changes FROM issuer WHERE certificate_id = $1";

const NEWEST_PUBLISHED: &str = "-- authority.crl.newest_published
SELECT this_update, next_update, status_changes FROM crl WHERE issuer_id = $1 AND state = 'published' ORDER BY number DESC LIMIT 1";

const NEWEST_SCHEDULED: &str = "-- authority.crl.newest_scheduled
SELECT this_update FROM crl WHERE issuer_id = $1 AND state = 'published' AND scheduled ORDER BY number DESC LIMIT 1";

const NEWEST_BY_LABEL: &str = "-- authority.crl.newest_by_label
SELECT issuer.label, crl.number, crl.this_update, crl.next_update, crl.entries, crl.der
FROM crl JOIN issuer ON issuer.certificate_id = crl.issuer_id
WHERE issuer.label = $1 AND crl.state = 'published' ORDER BY crl.number DESC LIMIT 1";

const AGES: &str = "-- authority.crl.ages
SELECT issuer.label, MAX(crl.this_update) AS this_update, MAX(crl.next_update) AS next_update
FROM crl JOIN issuer ON issuer.certificate_id = crl.issuer_id WHERE crl.state = 'published' GROUP BY issuer.label ORDER BY issuer.label";

/// Takes a number, if it is still the next one.
const TAKE_NUMBER: &str = "-- authority.issuer.take_crl_number
UPDATE issuer SET crl_number = $2 WHERE certificate_id = $1 AND crl_number = $2 - 1";

const NOT_GOOD: &str = "-- authority.certificate.not_good
SELECT serial, state, suspended_at, revoked_at, reason FROM certificate
WHERE issuer_id = $1 AND state IN ('suspended', 'revoked') AND not_after >= $2";

const RESERVE: &str = "-- authority.crl.reserve
INSERT INTO crl (issuer_id, number, previous, scheduled, status_changes, entries, signature_algorithm, this_update, next_update,
    state, tbs, seal, reserved_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'reserved', $10, $11, $12)";

const RESERVED: &str = "-- authority.crl.reserved
SELECT number, entries, signature_algorithm, this_update, next_update, tbs, seal FROM crl
WHERE issuer_id = $1 AND state = 'reserved' ORDER BY number LIMIT 1";

const PUBLISH: &str = "-- authority.crl.publish
UPDATE crl SET state = 'published', der = $3, tbs = NULL, seal = NULL, published_at = $4
WHERE issuer_id = $1 AND number = $2 AND state = 'reserved' AND tbs = $5";

const ANY_RESERVED: &str = "-- authority.crl.any_reserved
SELECT number FROM crl WHERE state = 'reserved' AND reserved_at <= $1 LIMIT 1";

/// A list whose bytes are on disk and whose signature is not.
#[derive(Debug, Clone)]
pub(crate) struct ReservedCrl {
    pub number: i64,
    pub entries: i64,
    pub algorithm: SignatureAlgorithm,
    pub this_update: i64,
    pub next_update: i64,
    pub tbs: Vec<u8>,
    /// The keystore's, over issuer, number, algorithm and bytes.
    pub seal: Vec<u8>,
}

/// Where the certificate with this serial stands; none if this issuer never used the serial.
pub(crate) async fn of_serial(
    store: &Store,
    issuer: CertificateId,
    serial: &Serial,
) -> Result<Option<Standing>> {
    let row = store
        .optional(OF_SERIAL, &[issuer.into(), serial.as_bytes().into()])
        .await?;
    row.map(|row| standing(&row)).transpose()
}

/// The last CRL number taken and the count of status changes.
pub(crate) async fn counters(tx: &mut Tx, issuer: CertificateId) -> Result<(i64, i64)> {
    let row = tx.one(ISSUER_COUNTERS, &[issuer.into()]).await?;
    Ok((row.int("crl_number")?, row.int("status_changes")?))
}

/// The count of status changes, read outside any transaction.
pub(crate) async fn changes(store: &Store, issuer: CertificateId) -> Result<i64> {
    let row = store.one(ISSUER_COUNTERS, &[issuer.into()]).await?;
    Ok(row.int("status_changes")?)
}

/// What is known of the lists published so far.
pub(crate) async fn published(tx: &mut Tx, issuer: CertificateId) -> Result<state::Published> {
    let mut known = state::Published::default();
    if let Some(newest) = tx.optional(NEWEST_PUBLISHED, &[issuer.into()]).await? {
        known.newest_at = Some(newest.int("this_update")?);
        known.newest_changes = newest.int("status_changes")?;
    }
    if let Some(scheduled) = tx.optional(NEWEST_SCHEDULED, &[issuer.into()]).await? {
        known.scheduled_at = Some(scheduled.int("this_update")?);
    }
    Ok(known)
}

/// Of each issuer that has published a list: its label, and thisUpdate and nextUpdate of the newest.
pub(crate) async fn ages(store: &Store) -> Result<Vec<(String, i64, i64)>> {
    let rows = store.all(AGES, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.text("label")?,
                row.int("this_update")?,
                row.int("next_update")?,
            ))
        })
        .collect()
}

/// The newest list of the issuer whose key has this label.
pub(crate) async fn newest_by_label(store: &Store, label: &str) -> Result<Option<Published>> {
    let Some(row) = store.optional(NEWEST_BY_LABEL, &[label.into()]).await? else {
        return Ok(None);
    };
    Ok(Some(Published {
        label: row.text("label")?,
        number: row.int("number")?,
        this_update: row.int("this_update")?,
        next_update: row.int("next_update")?,
        entries: row.int("entries")?,
        der: row.bytes("der")?,
    }))
}

/// Takes a number; `false` if somebody was first.
pub(crate) async fn take_number(tx: &mut Tx, issuer: CertificateId, number: i64) -> Result<bool> {
    let args = [issuer.into(), number.into()];
    Ok(tx.execute(TAKE_NUMBER, &args).await? == 1)
}

/// Everything a list has to show: not good, and not expired before `from`.
pub(crate) async fn entries(tx: &mut Tx, issuer: CertificateId, from: i64) -> Result<Vec<Entry>> {
    let rows = tx.all(NOT_GOOD, &[issuer.into(), from.into()]).await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<Entry> {
    let serial = Serial::from_bytes(&row.bytes("serial")?)?;
    match standing(row)? {
        Standing::Suspended { since } => Ok(Entry {
            serial,
            revoked_at: since,
            reason: Some(Reason::CertificateHold),
        }),
        Standing::Revoked { since, reason } => Ok(Entry {
            serial,
            revoked_at: since,
            reason: (reason != Reason::Unspecified).then_some(reason),
        }),
        Standing::Reserved | Standing::Issued => Err(Error::Corrupt {
            table: "certificate",
            row: serial.to_string(),
        }),
    }
}

/// Puts a list's bytes on disk before they are signed.
pub(crate) async fn reserve(
    tx: &mut Tx,
    issuer: CertificateId,
    list: &ReservedCrl,
    scheduled: bool,
    changes: i64,
) -> Result<()> {
    let now = tx.now();
    let previous = (list.number > 1).then_some(list.number - 1);
    let args = [
        issuer.into(),
        list.number.into(),
        previous.into(),
        scheduled.into(),
        changes.into(),
        list.entries.into(),
        list.algorithm.as_str().into(),
        list.this_update.into(),
        list.next_update.into(),
        list.tbs.as_slice().into(),
        list.seal.as_slice().into(),
        now.into(),
    ];
    Ok(tx.change("crl", 1, RESERVE, &args).await?)
}

/// The list of this issuer that waits for its signature, if there is one.
pub(crate) async fn reserved(tx: &mut Tx, issuer: CertificateId) -> Result<Option<ReservedCrl>> {
    let Some(row) = tx.optional(RESERVED, &[issuer.into()]).await? else {
        return Ok(None);
    };
    let number = row.int("number")?;
    let corrupt = |_| Error::Corrupt {
        table: "crl",
        row: format!("{issuer} {number}"),
    };
    Ok(Some(ReservedCrl {
        number,
        entries: row.int("entries")?,
        algorithm: row.text("signature_algorithm")?.parse().map_err(corrupt)?,
        this_update: row.int("this_update")?,
        next_update: row.int("next_update")?,
        tbs: row.bytes("tbs")?,
        seal: row.bytes("seal")?,
    }))
}

/// Publishes if these very bytes are still the reserved ones; `false` if somebody else was first.
pub(crate) async fn publish(
    tx: &mut Tx,
    issuer: CertificateId,
    number: i64,
    tbs: &[u8],
    der: &[u8],
) -> Result<bool> {
    let now = tx.now();
    Ok(tx
        .execute(
            PUBLISH,
            &[
                issuer.into(),
                number.into(),
                der.into(),
                now.into(),
                tbs.into(),
            ],
        )
        .await?
        == 1)
}

/// Whether any list has waited for its signature since `until`.
pub(crate) async fn any_reserved(store: &Store, until: i64) -> Result<bool> {
    Ok(store
        .optional(ANY_RESERVED, &[until.into()])
        .await?
        .is_some())
}
