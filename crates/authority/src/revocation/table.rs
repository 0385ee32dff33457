//! The status columns of `certificate` and the counter of its issuer.

use kyso_pki::profile::Kind;
use kyso_pki::revocation::Reason;
use kyso_store::{Row, Tx};

use super::state::Standing;
use crate::{CertificateId, Error, Result};

pub(crate) const STATEMENTS: &[&str] = &[COUNT_CHANGE, BY_ID, SUSPEND, RESUME, REVOKE];

/// The first write of every change: orders changes and CRLs of one issuer (see the migration of `issuer`).
const COUNT_CHANGE: &str = "-- authority.issuer.count_change
UPDATE issuer SET status_changes = status_changes + 1 WHERE certificate_id = $1";

const BY_ID: &str = "-- authority.certificate.status
SELECT id, issuer_id, serial, kind, state, not_before, not_after, suspended_at, revoked_at, reason FROM certificate WHERE id = $1";

const SUSPEND: &str = "-- authority.certificate.suspend
UPDATE certificate SET state = 'suspended', suspended_at = $2, reason = $3 WHERE id = $1 AND state = 'issued'";

const RESUME: &str = "-- authority.certificate.resume
UPDATE certificate SET state = 'issued', suspended_at = NULL, reason = NULL WHERE id = $1 AND state = 'suspended'";

const REVOKE: &str = "-- authority.certificate.revoke
UPDATE certificate SET state = 'revoked', revoked_at = $2, reason = $3 WHERE id = $1 AND state = $4";

/// A row as revocation needs it.
#[derive(Debug, Clone)]
pub(crate) struct StatusRow {
    pub id: CertificateId,
    pub issuer_id: CertificateId,
    pub serial: Vec<u8>,
    pub kind: String,
    pub standing: Standing,
    pub not_before: i64,
    pub not_after: i64,
}

impl StatusRow {
    /// Whether anybody else can say something about its status: a root vouches for itself.
    pub(crate) fn has_status(&self) -> bool {
        self.kind != "outside" && self.kind != super::super::issuing::table::kind_word(Kind::Root)
    }
}

/// Rebuilds a standing from its columns; any other combination is corrupt.
pub(crate) fn standing(row: &Row) -> Result<Standing> {
    let state = row.text("state")?;
    let (suspended_at, revoked_at) = (row.opt_int("suspended_at")?, row.opt_int("revoked_at")?);
    let reason = row
        .opt_text("reason")?
        .map(|reason| reason.parse::<Reason>())
        .transpose()?;
    match (state.as_str(), suspended_at, revoked_at, reason) {
        ("reserved", None, None, None) => Ok(Standing::Reserved),
        ("issued", None, None, None) => Ok(Standing::Issued),
        ("suspended", Some(since), None, Some(Reason::CertificateHold)) => {
            Ok(Standing::Suspended { since })
        }
        ("revoked", held, Some(at), Some(reason)) if !reason.is_hold() => Ok(Standing::Revoked {
            since: held.unwrap_or(at),
            reason,
        }),
        _ => Err(Error::Corrupt {
            table: "certificate",
            row: state,
        }),
    }
}

pub(crate) async fn read(tx: &mut Tx, id: CertificateId) -> Result<StatusRow> {
    let row = tx
        .optional(BY_ID, &[id.into()])
        .await?
        .ok_or_else(|| Error::NoCertificate { id: id.to_string() })?;
    Ok(StatusRow {
        id,
        issuer_id: row.id("issuer_id")?,
        serial: row.bytes("serial")?,
        kind: row.text("kind")?,
        standing: standing(&row)?,
        not_before: row.int("not_before")?,
        not_after: row.int("not_after")?,
    })
}

/// Counts a change; `false` if the issuer is not one of ours.
pub(crate) async fn count_change(tx: &mut Tx, issuer: CertificateId) -> Result<bool> {
    Ok(tx.execute(COUNT_CHANGE, &[issuer.into()]).await? == 1)
}

/// Writes the step from `from` to `to`; a conflict if the row is no longer in `from`.
pub(crate) async fn change(
    tx: &mut Tx,
    id: CertificateId,
    from: Standing,
    to: Standing,
) -> Result<()> {
    let now = tx.now();
    let hold = Reason::CertificateHold.as_str();
    match to {
        Standing::Issued => tx.change("certificate", 1, RESUME, &[id.into()]).await?,
        Standing::Suspended { since } => {
            tx.change(
                "certificate",
                1,
                SUSPEND,
                &[id.into(), since.into(), hold.into()],
            )
            .await?
        }
        Standing::Revoked { reason, .. } => {
            let args = [
                id.into(),
                now.into(),
                reason.as_str().into(),
                from.as_str().into(),
            ];
            tx.change("certificate", 1, REVOKE, &args).await?;
        }
        Standing::Reserved => {
            return Err(Error::Standing {
                standing: from.as_str(),
                act: "reserved",
            });
        }
    }
    Ok(())
}
