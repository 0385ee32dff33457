//! Revocation, suspension, resumption: what happens to a certificate after it left.
//!
//! ```text
//! issued ⇄ suspended → revoked        issued → revoked
//! ```
//!
//! RFC 5280 5.3.1 (reasons), ETSI EN 319 411-1 6.2.4 (a change of status is public within 24 hours; here at once by OCSP and with the
//! CRL that each change asks for).
//!
//! Invariants: every change is one row, one line in the ledger and one job for the CRL, in one transaction. It counts itself at
//! the issuer first, so that a CRL is always written between two changes, never during one.

pub mod state;
pub(crate) mod table;

use kyso_store::Event;
use serde_json::json;

use self::state::Act;
pub use self::state::Standing;
use crate::{Authority, CertificateId, Error, Reason, Result, detail, task};

/// A certificate's status at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub standing: Standing,
    /// Start of its validity, milliseconds since 1970.
    pub not_before: i64,
    /// End of its validity, milliseconds since 1970.
    pub not_after: i64,
}

impl Status {
    /// Whether it may be used at `now`: issued, not on hold, not revoked, within its validity.
    #[must_use]
    pub fn is_good_at(&self, now: i64) -> bool {
        self.standing == Standing::Issued && self.not_before <= now && now <= self.not_after
    }
}

impl Authority {
    /// Withdraws a certificate for ever. Asked again with the same reason, nothing more happens.
    ///
    /// # Errors
    /// [`Error::Standing`], [`Error::Expired`], [`Error::Reason`], [`Error::NotOurs`], [`Error::NoCertificate`].
    pub async fn revoke(&self, id: CertificateId, reason: Reason, actor: &str) -> Result<Status> {
        self.change_status(id, Act::Revoke(reason), actor).await
    }

    /// Puts a certificate on hold (certificateHold).
    ///
    /// # Errors
    /// As [`Authority::revoke`].
    pub async fn suspend(&self, id: CertificateId, actor: &str) -> Result<Status> {
        self.change_status(id, Act::Suspend, actor).await
    }

    /// Takes a hold back.
    ///
    /// # Errors
    /// As [`Authority::revoke`].
    pub async fn resume(&self, id: CertificateId, actor: &str) -> Result<Status> {
        self.change_status(id, Act::Resume, actor).await
    }

    /// Where a certificate stands.
    ///
    /// # Errors
    /// [`Error::NoCertificate`].
    pub async fn status(&self, id: CertificateId) -> Result<Status> {
        let mut tx = self.store().read().await?;
        let row = table::read(&mut tx, id).await?;
        Ok(Status {
            standing: row.standing,
            not_before: row.not_before,
            not_after: row.not_after,
        })
    }

    async fn change_status(&self, id: CertificateId, act: Act, actor: &str) -> Result<Status> {
        let mut tries = 0;
        loop {
            match self.try_change(id, act, actor).await {
                // Somebody changed the row between our reading and our writing: look again, a few times.
                Err(Error::Store(kyso_store::Error::Conflict { .. })) if tries < CONFLICTS_MAX => {
                    tries += 1
                }
                other => return other,
            }
        }
    }

    async fn try_change(&self, id: CertificateId, act: Act, actor: &str) -> Result<Status> {
        let mut tx = self.store().write().await?;
        let now = tx.now();
        let row = table::read(&mut tx, id).await?;
        let status = |standing| Status {
            standing,
            not_before: row.not_before,
            not_after: row.not_after,
        };
        if !row.has_status() {
            return Err(Error::NotOurs { kind: "root" });
        }
        // RFC 5280 5.3.1: these two are about authorities.
        if let Act::Revoke(reason @ (Reason::CaCompromise | Reason::AaCompromise)) = act
            && row.kind != "issuing"
        {
            return Err(Error::Reason { reason });
        }
        let Some(next) = state::apply(row.standing, act, now, row.not_after)? else {
            // Committed although nothing is written: who did it may still wait for the disk, in one group with us.
            tx.commit().await?;
            return Ok(status(row.standing));
        };
        if !table::count_change(&mut tx, row.issuer_id).await? {
            return Err(Error::NotOurs { kind: "issuing" });
        }
        table::change(&mut tx, id, row.standing, next).await?;
        let reason = match next {
            Standing::Revoked { reason, .. } => Some(reason),
            Standing::Suspended { .. } => Some(Reason::CertificateHold),
            Standing::Reserved | Standing::Issued => None,
        };
        let changed = detail(&[
            ("serial", json!(hex::encode(&row.serial))),
            ("from", json!(row.standing.as_str())),
            ("reason", json!(reason.map(Reason::as_str))),
        ]);
        let kind = format!("authority.certificate.{}", act.as_str());
        tx.record(Event {
            kind: &kind,
            subject: &row.id.to_string(),
            actor,
            detail: changed,
        });
        tx.enqueue(task::PUBLISH_CRL, task::KEY, &json!({}), now);
        tx.commit().await?;
        self.memory().changed(row.issuer_id);
        tracing::info!(certificate = %id, act = act.as_str(), "certificate {id} {}", act.as_str());
        Ok(status(next))
    }
}

/// How often a change that met another one looks again.
const CONFLICTS_MAX: u32 = 3;
