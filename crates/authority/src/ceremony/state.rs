//! The steps of a ceremony, the states of a key of the institution, and what may come back from an outside root. Pure.
//!
//! ```text
//! planned → made → active → retired
//! ```

use kyso_keystore::Role;
use kyso_pki::certificate::Certificate;
use kyso_pki::public_key::PublicKey;

use super::{Plan, Root, Step};
use crate::error::{Error, ImportFault};

/// How far a key of the institution has come, rebuilt from its row with suspicion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStage<Id> {
    /// About to be made: the keystore may hold it already.
    Planned,
    /// In the keystore, not yet certified.
    Made {
        /// Its SubjectPublicKeyInfo.
        public_key: Vec<u8>,
        /// The request that went to an outside root.
        request: Option<Vec<u8>>,
    },
    /// In use.
    Active {
        /// Its SubjectPublicKeyInfo.
        public_key: Vec<u8>,
        /// Its certificate; none for the ledger.
        certificate: Option<Id>,
    },
    /// Signs nothing new. An issuing key still signs CRLs for what it issued.
    Retired {
        /// Its SubjectPublicKeyInfo.
        public_key: Vec<u8>,
        /// Its certificate; none for the ledger.
        certificate: Option<Id>,
    },
}

impl<Id> KeyStage<Id> {
    /// The stage a row says it is in; any combination the schema does not allow is corrupt.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the row.
    pub fn from_row(
        label: &str,
        state: &str,
        public_key: Option<Vec<u8>>,
        request: Option<Vec<u8>>,
        certificate: Option<Id>,
    ) -> Result<KeyStage<Id>, Error> {
        match (state, public_key, certificate) {
            ("planned", None, None) => Ok(KeyStage::Planned),
            ("made", Some(public_key), None) => Ok(KeyStage::Made {
                public_key,
                request,
            }),
            ("active", Some(public_key), certificate) => Ok(KeyStage::Active {
                public_key,
                certificate,
            }),
            ("retired", Some(public_key), certificate) => Ok(KeyStage::Retired {
                public_key,
                certificate,
            }),
            _ => Err(Error::Corrupt {
                table: "service_key",
                row: label.to_owned(),
            }),
        }
    }
}

/// The steps of a ceremony with our own root, or of what follows the answer of an outside one.
#[must_use]
pub fn steps(plan: &Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut service = |role, algorithm| {
        steps.push(Step::Key { role, algorithm });
        if role != Role::Ledger {
            steps.push(Step::Certificate { role });
        }
    };
    if let Root::Ours(root) = plan.root {
        service(Role::Root, root);
        service(Role::Issuing, plan.issuing);
    }
    service(Role::Ocsp, plan.ocsp);
    service(Role::Timestamp, plan.timestamp);
    service(Role::Seal, plan.seal);
    service(Role::Ledger, plan.ledger);
    steps.push(Step::Crl);
    steps
}

/// Longest chain taken in, ours and the root included.
const CHAIN_MAX: usize = 8;

/// Finds our certificate among those that came back and lines up what leads to its root: ours first, root last.
///
/// # Errors
/// The first thing that is wrong. Nothing of the answer is believed before its signature up to a self-signed root is verified;
/// that this root is the right one is for the people who carry the answer (the transcript prints its fingerprint).
pub fn line_up(
    answer: &[Certificate],
    public_key: &PublicKey,
    now: i64,
) -> Result<Vec<Certificate>, ImportFault> {
    let is_ours = |certificate: &&Certificate| {
        certificate
            .public_key()
            .is_ok_and(|key| key.as_der() == public_key.as_der())
    };
    let ours = answer.iter().find(is_ours).ok_or(ImportFault::OtherKey)?;
    if !ours.is_authority() {
        return Err(ImportFault::NotAnAuthority);
    }
    if ours.subject() == ours.issuer() {
        return Err(ImportFault::SelfSigned);
    }
    let mut line = vec![ours.clone()];
    loop {
        let last = &line[line.len() - 1];
        if now < last.not_before() || now > last.not_after() {
            return Err(ImportFault::NotCurrent {
                not_before: last.not_before(),
                not_after: last.not_after(),
                now,
            });
        }
        if last.verify_issued_by(last).is_ok() {
            return Ok(line);
        }
        let above = answer.iter().find(|candidate| {
            last.verify_issued_by(candidate).is_ok() && !line.contains(candidate)
        });
        match above {
            Some(above) if line.len() < CHAIN_MAX => line.push(above.clone()),
            _ => return Err(ImportFault::NoChain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_a_row_is_a_stage_or_corrupt() {
        for state in ["planned", "made", "active", "retired", "other"] {
            for key in [None, Some(vec![1])] {
                for certificate in [None, Some(7)] {
                    let stage = KeyStage::from_row("seal-1", state, key.clone(), None, certificate);
                    let allowed = match state {
                        "planned" => key.is_none() && certificate.is_none(),
                        "made" => key.is_some() && certificate.is_none(),
                        "active" | "retired" => key.is_some(),
                        _ => false,
                    };
                    assert_eq!(stage.is_ok(), allowed, "{state} {key:?} {certificate:?}");
                }
            }
        }
    }

    #[test]
    fn a_ceremony_makes_every_role_in_order_and_ends_with_the_lists() {
        let roles = |plan: &Plan| -> Vec<Role> {
            let key = |step| {
                if let Step::Key { role, .. } = step {
                    Some(role)
                } else {
                    None
                }
            };
            steps(plan).into_iter().filter_map(key).collect()
        };
        assert_eq!(roles(&Plan::default()), Role::ALL);
        let outside = Plan {
            root: Root::Outside,
            ..Plan::default()
        };
        assert_eq!(
            roles(&outside),
            [Role::Ocsp, Role::Timestamp, Role::Seal, Role::Ledger]
        );
        assert_eq!(steps(&outside).last(), Some(&Step::Crl));
        assert!(!steps(&outside).contains(&Step::Certificate { role: Role::Ledger }));
    }
}
