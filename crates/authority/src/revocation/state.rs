//! The states of a certificate and what may be done to it. Pure.
//!
//! ```text
//! reserved → issued ⇄ suspended → revoked        issued → revoked
//! ```
//!
//! RFC 5280 5.3.1: suspension is the reason certificateHold, the only one that can be taken back. Expiry is a fact of the clock:
//! after `not_after` nothing changes any more.

use kyso_pki::revocation::Reason;

use crate::error::Error;

/// Where a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Serial and bytes are on disk, the signature is not: nobody holds this certificate yet.
    Reserved,
    /// Good.
    Issued,
    /// On hold since `since`; may come back.
    Suspended {
        /// Milliseconds since 1970.
        since: i64,
    },
    /// Revoked for ever.
    Revoked {
        /// Since when signatures are not to be trusted: the start of the hold if it was on hold without a break, otherwise the
        /// moment of the revocation. Milliseconds since 1970.
        since: i64,
        /// Why (never certificateHold).
        reason: Reason,
    },
}

impl Standing {
    /// The word of the `state` column.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Reserved => "reserved",
            Standing::Issued => "issued",
            Standing::Suspended { .. } => "suspended",
            Standing::Revoked { .. } => "revoked",
        }
    }
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Withdraw for ever.
    Revoke(Reason),
    /// Put on hold.
    Suspend,
    /// Take the hold back.
    Resume,
}

impl Act {
    /// The last word of the ledger event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Act::Revoke(_) => "revoked",
            Act::Suspend => "suspended",
            Act::Resume => "resumed",
        }
    }
}

/// The standing after `act`, or `None` when it already is what was asked for: a job that was killed after its commit asks again and
/// must not fail, nor write a second line.
///
/// # Errors
/// [`Error::Standing`] when the certificate cannot go there; [`Error::Expired`] past its validity; [`Error::Reason`] for a reason
/// that is not one of a revocation.
pub fn apply(
    standing: Standing,
    act: Act,
    now: i64,
    not_after: i64,
) -> Result<Option<Standing>, Error> {
    if let Act::Revoke(Reason::CertificateHold) = act {
        return Err(Error::Reason {
            reason: Reason::CertificateHold,
        });
    }
    let next = match (standing, act) {
        (Standing::Issued, Act::Resume) | (Standing::Suspended { .. }, Act::Suspend) => {
            return Ok(None);
        }
        (Standing::Revoked { reason, .. }, Act::Revoke(asked)) if asked == reason => {
            return Ok(None);
        }
        (Standing::Issued, Act::Suspend) => Standing::Suspended { since: now },
        (Standing::Issued, Act::Revoke(reason)) => Standing::Revoked { since: now, reason },
        (Standing::Suspended { since }, Act::Revoke(reason)) => Standing::Revoked { since, reason },
        (Standing::Suspended { .. }, Act::Resume) => Standing::Issued,
        (Standing::Reserved, _) | (Standing::Revoked { .. }, _) => {
            return Err(Error::Standing {
                standing: standing.as_str(),
                act: act.as_str(),
            });
        }
    };
    if now > not_after {
        return Err(Error::Expired { not_after, now });
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 2_000;
    const END: i64 = 10_000;

    /// Every standing × every act, each with what must come out.
    #[test]
    fn the_whole_transition_table() {
        use Standing::{Issued, Reserved, Revoked, Suspended};
        let compromised = Reason::KeyCompromise;
        let held = Suspended { since: 1_000 };
        let gone = Revoked {
            since: 1_000,
            reason: compromised,
        };
        let cases = [
            (Reserved, Act::Revoke(compromised), Err(())),
            (Reserved, Act::Suspend, Err(())),
            (Reserved, Act::Resume, Err(())),
            (
                Issued,
                Act::Revoke(compromised),
                Ok(Some(Revoked {
                    since: NOW,
                    reason: compromised,
                })),
            ),
            (Issued, Act::Suspend, Ok(Some(Suspended { since: NOW }))),
            (Issued, Act::Resume, Ok(None)),
            (
                held,
                Act::Revoke(compromised),
                Ok(Some(Revoked {
                    since: 1_000,
                    reason: compromised,
                })),
            ),
            (held, Act::Suspend, Ok(None)),
            (held, Act::Resume, Ok(Some(Issued))),
            (gone, Act::Revoke(compromised), Ok(None)),
            (gone, Act::Revoke(Reason::Superseded), Err(())),
            (gone, Act::Suspend, Err(())),
            (gone, Act::Resume, Err(())),
        ];
        for (standing, act, expected) in cases {
            let got = apply(standing, act, NOW, END);
            match (&got, expected) {
                (Ok(next), Ok(wanted)) => assert_eq!(*next, wanted, "{standing:?} {act:?}"),
                (Err(Error::Standing { .. }), Err(())) => {}
                _ => panic!("{standing:?} {act:?} gave {got:?}"),
            }
        }
    }

    #[test]
    fn a_hold_is_not_a_reason_to_revoke() {
        let hold = Act::Revoke(Reason::CertificateHold);
        for standing in [Standing::Issued, Standing::Suspended { since: 1 }] {
            assert!(matches!(
                apply(standing, hold, NOW, END),
                Err(Error::Reason { .. })
            ));
        }
    }

    #[test]
    fn nothing_changes_after_expiry() {
        for act in [Act::Revoke(Reason::KeyCompromise), Act::Suspend] {
            assert!(matches!(
                apply(Standing::Issued, act, END + 1, END),
                Err(Error::Expired { .. })
            ));
            assert!(apply(Standing::Issued, act, END, END).is_ok());
        }
        assert!(matches!(
            apply(Standing::Suspended { since: 1 }, Act::Resume, END + 1, END),
            Err(Error::Expired { .. })
        ));
    }
}
