//! From reserved to issued: what a certificate row is made of in either state, rebuilt with suspicion. Pure.
//!
//! ```text
//! reserved (bytes to sign) → issued (certificate)
//! ```

use crate::error::Error;

/// How far the making of a certificate has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The exact bytes to be signed.
    Reserved {
        /// DER TBSCertificate.
        tbs: Vec<u8>,
    },
    /// The certificate as it left.
    Issued {
        /// DER Certificate.
        der: Vec<u8>,
    },
}

impl Stage {
    /// The stage a row says it is in. Any combination the schema does not allow is corrupt.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the row.
    pub fn from_row(
        id: &str,
        state: &str,
        tbs: Option<Vec<u8>>,
        der: Option<Vec<u8>>,
    ) -> Result<Stage, Error> {
        match (state, tbs, der) {
            ("reserved", Some(tbs), None) => Ok(Stage::Reserved { tbs }),
            ("issued" | "suspended" | "revoked", None, Some(der)) => Ok(Stage::Issued { der }),
            _ => Err(Error::Corrupt {
                table: "certificate",
                row: id.to_owned(),
            }),
        }
    }
}

/// When a certificate starts and ends, in whole seconds.
///
/// * `not_before` is now, and never earlier than the newest certificate's: time in what we sign does not run backwards. A clock
///   that is behind by more than [`CLOCK_BACK_MS_MAX`] is refused, not papered over.
/// * `not_after` is the earliest of the bounds given (plan, law, issuer's own end); Decree 23/2025: subscriber ≤ 3 years.
///
/// # Errors
/// [`Error::ClockBack`], or [`Error::NoValidity`] when nothing is left of the validity.
pub fn validity(now: i64, newest: Option<i64>, bounds: &[i64]) -> Result<(i64, i64), Error> {
    let newest = newest.unwrap_or(i64::MIN);
    if now < newest.saturating_sub(CLOCK_BACK_MS_MAX) {
        return Err(Error::ClockBack { now, newest });
    }
    let not_before = crate::status::state::whole_second(now.max(newest));
    let not_after =
        crate::status::state::whole_second(bounds.iter().copied().min().unwrap_or(not_before));
    if not_after <= not_before {
        return Err(Error::NoValidity {
            not_before,
            not_after,
        });
    }
    Ok((not_before, not_after))
}

/// Nodes of one installation may differ by this much: two minutes.
pub const CLOCK_BACK_MS_MAX: i64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_a_row_is_a_stage_or_corrupt() {
        for state in ["reserved", "issued", "suspended", "revoked", "other"] {
            for tbs in [None, Some(vec![1])] {
                for der in [None, Some(vec![2])] {
                    let stage = Stage::from_row("crt_1", state, tbs.clone(), der.clone());
                    let allowed = match state {
                        "reserved" => tbs.is_some() && der.is_none(),
                        "other" => false,
                        _ => tbs.is_none() && der.is_some(),
                    };
                    assert_eq!(stage.is_ok(), allowed, "{state} {tbs:?} {der:?}");
                }
            }
        }
    }

    #[test]
    fn validity_is_the_smallest_bound_in_whole_seconds() {
        assert_eq!(
            validity(1_999, None, &[9_999, 7_500, 8_000]).unwrap(),
            (1_000, 7_000)
        );
    }

    #[test]
    fn validity_never_starts_before_the_newest_certificate() {
        assert_eq!(
            validity(1_000, Some(5_500), &[9_000]).unwrap(),
            (5_000, 9_000)
        );
        assert!(matches!(
            validity(0, Some(CLOCK_BACK_MS_MAX + 1), &[i64::MAX]),
            Err(Error::ClockBack { .. })
        ));
    }

    #[test]
    fn an_ended_plan_or_issuer_leaves_no_validity() {
        assert!(matches!(
            validity(5_000, None, &[5_900]),
            Err(Error::NoValidity { .. })
        ));
        assert!(matches!(
            validity(5_000, None, &[1_000, 90_000]),
            Err(Error::NoValidity { .. })
        ));
    }
}
