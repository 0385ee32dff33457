//! Why a certificate was revoked (RFC 5280 §5.3.1), as CRLs and OCSP both say it.

use std::fmt;
use std::str::FromStr;

use x509_cert::ext::pkix::CrlReason;

use crate::{Error, Result};

/// The reason of a revocation. `RemoveFromCrl` exists only in delta CRLs, which we neither make nor read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Nobody said why. Written by leaving the reason out, as RFC 5280 asks.
    Unspecified,
    /// The private key is, or may be, in other hands.
    KeyCompromise,
    /// The authority's key is in other hands.
    CaCompromise,
    /// The name or something else in the certificate no longer holds.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// No longer needed.
    CessationOfOperation,
    /// Suspended: the only reason that can be taken back.
    CertificateHold,
    /// A right stated in the certificate was withdrawn.
    PrivilegeWithdrawn,
    /// The attribute authority's key is in other hands.
    AaCompromise,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Reason; 9] = [
        Reason::Unspecified,
        Reason::KeyCompromise,
        Reason::CaCompromise,
        Reason::AffiliationChanged,
        Reason::Superseded,
        Reason::CessationOfOperation,
        Reason::CertificateHold,
        Reason::PrivilegeWithdrawn,
        Reason::AaCompromise,
    ];

    /// The name, as in RFC 5280 with hyphens: `key-compromise` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Unspecified => "unspecified",
            Reason::KeyCompromise => "key-compromise",
            Reason::CaCompromise => "ca-compromise",
            Reason::AffiliationChanged => "affiliation-changed",
            Reason::Superseded => "superseded",
            Reason::CessationOfOperation => "cessation-of-operation",
            Reason::CertificateHold => "certificate-hold",
            Reason::PrivilegeWithdrawn => "privilege-withdrawn",
            Reason::AaCompromise => "aa-compromise",
        }
    }

    /// The number of RFC 5280 §5.3.1.
    pub const fn code(self) -> u8 {
        match self {
            Reason::Unspecified => 0,
            Reason::KeyCompromise => 1,
            Reason::CaCompromise => 2,
            Reason::AffiliationChanged => 3,
            Reason::Superseded => 4,
            Reason::CessationOfOperation => 5,
            Reason::CertificateHold => 6,
            Reason::PrivilegeWithdrawn => 9,
            Reason::AaCompromise => 10,
        }
    }

    /// Whether the certificate may come back.
    pub const fn is_hold(self) -> bool {
        matches!(self, Reason::CertificateHold)
    }

    /// What goes into the structure; nothing for `Unspecified`: "the reason code CRL entry extension SHOULD be
    /// absent instead of using the unspecified (0) reasonCode value" (RFC 5280 §5.3.1).
    pub(crate) fn written(reason: Option<Reason>) -> Option<CrlReason> {
        Some(match reason? {
            Reason::Unspecified => return None,
            Reason::KeyCompromise => CrlReason::KeyCompromise,
            Reason::CaCompromise => CrlReason::CaCompromise,
            Reason::AffiliationChanged => CrlReason::AffiliationChanged,
            Reason::Superseded => CrlReason::Superseded,
            Reason::CessationOfOperation => CrlReason::CessationOfOperation,
            Reason::CertificateHold => CrlReason::CertificateHold,
            Reason::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
            Reason::AaCompromise => CrlReason::AaCompromise,
        })
    }

    pub(crate) fn read(reason: CrlReason) -> Result<Reason> {
        Ok(match reason {
            CrlReason::Unspecified => Reason::Unspecified,
            CrlReason::KeyCompromise => Reason::KeyCompromise,
            CrlReason::CaCompromise => Reason::CaCompromise,
            CrlReason::AffiliationChanged => Reason::AffiliationChanged,
            CrlReason::Superseded => Reason::Superseded,
            CrlReason::CessationOfOperation => Reason::CessationOfOperation,
            CrlReason::CertificateHold => Reason::CertificateHold,
            CrlReason::PrivilegeWithdrawn => Reason::PrivilegeWithdrawn,
            CrlReason::AaCompromise => Reason::AaCompromise,
            CrlReason::RemoveFromCRL => {
                return Err(Error::Unsupported {
                    what: "revocation reason",
                    found: "removeFromCRL".into(),
                });
            }
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = Error;

    fn from_str(name: &str) -> Result<Reason> {
        Reason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == name)
            .ok_or_else(|| Error::Unsupported {
                what: "revocation reason",
                found: name.chars().take(40).collect(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_by_name_and_by_code() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            match Reason::written(Some(reason)) {
                Some(written) => {
                    assert_eq!(written as u8, reason.code());
                    assert_eq!(Reason::read(written), Ok(reason));
                }
                None => assert_eq!(reason, Reason::Unspecified),
            }
        }
        assert!(Reason::read(CrlReason::RemoveFromCRL).is_err());
        assert!("removeFromCRL".parse::<Reason>().is_err());
    }
}
