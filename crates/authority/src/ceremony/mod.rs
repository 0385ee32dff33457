//! Ceremonies.
pub(crate) mod state;
pub(crate) mod table;

use std::sync::Arc;

use kyso_keystore::{Keystore, Role};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::certificate::Certificate;
use kyso_pki::public_key::PublicKey;

use crate::{Authority, Result};

/// What a ceremony makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Whose root.
    pub root: Root,
    /// The issuing authority's key.
    pub issuing: KeyAlgorithm,
    /// The OCSP responder's key.
    pub ocsp: KeyAlgorithm,
    /// The time-stamp authority's key.
    pub timestamp: KeyAlgorithm,
    /// The organisation's seal.
    pub seal: KeyAlgorithm,
    /// The ledger's key.
    pub ledger: KeyAlgorithm,
}

/// Whose root stands above the issuing authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Ours: made in the same ceremony.
    Ours(KeyAlgorithm),
    /// Somebody else's, the national one for instance: the ceremony ends with a request, [`Authority::import`] goes on.
    Outside,
}

impl Default for Plan {
    /// RSA-4096 root, RSA-3072 issuing authority: what validators and the law like. P-256 where only we and modern readers verify.
    fn default() -> Plan {
        Plan {
            root: Root::Ours(KeyAlgorithm::Rsa4096),
            issuing: KeyAlgorithm::Rsa3072,
            ocsp: KeyAlgorithm::P256,
            timestamp: KeyAlgorithm::Rsa3072,
            seal: KeyAlgorithm::Rsa3072,
            ledger: KeyAlgorithm::P256,
        }
    }
}

/// Where a ceremony is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps done, from 0.
    pub done: u32,
    /// Steps in all.
    pub of: u32,
    /// What is being done now.
    pub step: Step,
}

/// One step of a ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A key pair is being made: RSA takes seconds.
    Key {
        /// For whom.
        role: Role,
        /// Of which kind.
        algorithm: KeyAlgorithm,
    },
    /// A certificate is being signed.
    Certificate {
        /// For whom.
        role: Role,
    },
    /// A request to an outside root is being signed.
    Request,
    /// The first CRLs are being published.
    Crl,
    /// Nothing is left to do.
    Finished,
}

/// What came of a ceremony.
#[derive(Debug, Clone)]
pub struct Ceremony {
    /// Plain text for the paper record: what was made, with every hash.
    pub transcript: String,
    /// With an outside root: the PKCS#10 request in PEM to carry there. [`Authority::import`] takes the answer.
    pub request_pem: Option<String>,
    /// The issuing certificate and its chain, root last; empty while an outside root has not answered.
    pub chain: Vec<Certificate>,
}

/// A key of the institution in use.
#[derive(Debug, Clone)]
pub struct Service {
    /// What it is for.
    pub role: Role,
    /// Its label in the keystore: `keys.service(&label)`.
    pub label: String,
    /// Its public key.
    pub public_key: PublicKey,
    /// Its certificate; none for the ledger.
    pub certificate: Option<Certificate>,
}

pub(crate) struct Known {
    pub(crate) chain: Vec<Certificate>,
}

#[allow(unused_variables)]
impl Authority {
    /// Holds the ceremony. Killed at any point, the same call goes on where it was.
    ///
    /// # Errors
    /// [`Error::CeremonyHeld`](crate::Error::CeremonyHeld) if keys of another kind than planned exist.
    pub async fn ceremony(&self, keys: &Keystore, plan: &Plan, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Ceremony> {
        todo!()
    }

    /// Takes in what an outside root answered: PEM with our certificate and the chain above it, root included, in any order. Then
    /// makes the remaining keys and certificates of `plan`.
    ///
    /// # Errors
    /// [`Error::NothingToImport`](crate::Error::NothingToImport), [`Error::Import`](crate::Error::Import).
    pub async fn import(&self, keys: &Keystore, plan: &Plan, pem: &str, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<Ceremony> {
        todo!()
    }

    /// Makes a new key and certificate for the OCSP responder and retires the old one.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`](crate::Error::NoServiceKey) before a ceremony.
    pub async fn renew_responder(&self, keys: &Keystore) -> Result<Service> {
        todo!()
    }

    /// [`Authority::renew_responder`] when a third of its life or less is left.
    ///
    /// # Errors
    /// As there.
    pub async fn renew_responder_if_due(&self, keys: &Keystore) -> Result<Option<Service>> {
        todo!()
    }

    /// The key in use for a role.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`](crate::Error::NoServiceKey) before a ceremony.
    pub async fn service(&self, role: Role) -> Result<Service> {
        todo!()
    }

    pub(crate) async fn known(&self) -> Result<Arc<Known>> {
        todo!()
    }
}
