//! Revocation.
pub mod state;
pub(crate) mod table;

use crate::{Authority, CertificateId, Reason, Result};
pub use state::Standing;

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

#[allow(unused_variables)]
impl Authority {
    /// Withdraws a certificate for ever. Asked again with the same reason, nothing more happens.
    ///
    /// # Errors
    /// [`Standing`](crate::Error::Standing), [`Expired`](crate::Error::Expired), [`Reason`](crate::Error::Reason),
    /// [`NoCertificate`](crate::Error::NoCertificate).
    pub async fn revoke(&self, id: CertificateId, reason: Reason, actor: &str) -> Result<Status> {
        todo!()
    }

    /// Puts a certificate on hold (certificateHold).
    ///
    /// # Errors
    /// As [`Authority::revoke`].
    pub async fn suspend(&self, id: CertificateId, actor: &str) -> Result<Status> {
        todo!()
    }

    /// Takes a hold back.
    ///
    /// # Errors
    /// As [`Authority::revoke`].
    pub async fn resume(&self, id: CertificateId, actor: &str) -> Result<Status> {
        todo!()
    }

    /// Where a certificate stands.
    ///
    /// # Errors
    /// [`NoCertificate`](crate::Error::NoCertificate).
    pub async fn status(&self, id: CertificateId) -> Result<Status> {
        todo!()
    }
}
