//! What we sign as an institution: certificates, their status, and the ceremonies that make the keys for it.
//!
//! ```text
//! ceremony ──► service keys ──► issuing ──► certificate: reserved → issued ⇄ suspended → revoked
//!                                                │                    │
//!                                                └── status: OCSP answer, CRL (reserved → published)
//! ```
//!
//! # Invariants
//! - What a key is about to sign is on disk, with a ledger line, before the key is asked: a crash can lose a signature, never leave
//!   one without its row. No transaction is open while a key works.
//! - One credential, one service: one certificate. Two tasks that race sign the same bytes and one result is kept.
//! - Linted before reserved; what comes back is compared with what was linted before anybody sees it.
//! - OCSP says *good* of certificates that were issued and of no others. CRL numbers strictly increase.
//! - A function that can reach a private key takes `&Keystore`.
//!
//! Standards: RFC 5280 (profile, CRL), RFC 6960 and 9654 (OCSP), RFC 2986 (request to an outside root), ETSI EN 319 411-1,
//! Decree 23/2025/NĐ-CP (validities: root 25 years, issuing 10, time-stamp 5, subscriber 3).
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

pub mod ceremony;
mod error;
pub mod issuing;
mod known;
pub mod revocation;
mod statement;
pub mod status;
pub mod subject;
pub mod task;

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, PoisonError, RwLock};

use kyso_keystore::{Keystore, ServiceKey};
use kyso_pki::algorithm::{Digest, SignatureAlgorithm};
use kyso_pki::certificate::Certificate;
use kyso_pki::profile::{Addresses, Policy};
use kyso_store::{Event, Store};

pub use error::{Error, ImportFault, Result};
pub use kyso_pki::revocation::Reason;
pub use task::Task;

kyso_store::typed_id!(
    /// A certificate of ours, from its reservation on.
    CertificateId,
    "crt"
);

/// One day in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// One year of the law: 365 days.
pub(crate) const YEAR_MS: i64 = 365 * DAY_MS;

/// What stands in certificates and how often status is published. The server's configuration explains each value.
#[derive(Debug, Clone)]
pub struct AuthorityConfig {
    /// Registered name of the provider: O of every institutional certificate.
    pub organisation: String,
    /// Country of the provider, two capital letters.
    pub country: String,
    /// CN of the root.
    pub root_name: String,
    /// CN of the issuing authority.
    pub issuing_name: String,
    /// Where the public reaches us, without a slash at the end: `http://host` or `http://host:port`. Plain http, as RFC 5280 8 asks
    /// for AIA and CRL (a TLS certificate's own status must not be needed to fetch them).
    pub base_url: String,
    /// Dotted object identifier of the certificate policy.
    pub policy_oid: String,
    /// Where the certification practice statement can be read.
    pub cps_uri: String,
    /// User notice of the policy (liability), at most 200 characters.
    pub user_notice: String,
    /// Hours between regular CRLs.
    pub crl_hours: u32,
    /// Hours for which a CRL is valid; more than `crl_hours`.
    pub crl_valid_hours: u32,
    /// Minutes for which an OCSP answer is valid; it is told from memory for half of them.
    pub ocsp_minutes: u32,
    /// OCSP answers signed side by side.
    pub ocsp_signatures_at_once: usize,
    /// Adds digitalSignature to the key usage of citizens; some validators want it. Off: contentCommitment only.
    pub citizen_digital_signature: bool,
}

impl AuthorityConfig {
    /// An invented provider, for tests and samples.
    #[must_use]
    pub fn sample() -> AuthorityConfig {
        AuthorityConfig {
            organisation: "Nhà cung cấp chữ ký số Sông Lam".to_owned(),
            country: "VN".to_owned(),
            root_name: "Ky So Song Lam Root CA".to_owned(),
            issuing_name: "Ky So Song Lam Issuing CA".to_owned(),
            base_url: "http://127.0.0.1:8080".to_owned(),
            policy_oid: "1.3.6.1.4.1.99999.1.1.1".to_owned(),
            cps_uri: "http://127.0.0.1:8080/cps".to_owned(),
            user_notice:
                "Chứng thư số cá nhân. Trách nhiệm của nhà cung cấp theo quy chế chứng thực (CPS)."
                    .to_owned(),
            crl_hours: 24,
            crl_valid_hours: 96,
            ocsp_minutes: 60,
            ocsp_signatures_at_once: 2,
            citizen_digital_signature: false,
        }
    }

    pub(crate) fn policy(&self) -> Result<Policy> {
        Policy::new(
            &self.policy_oid,
            Some(&self.cps_uri),
            Some(&self.user_notice),
        )
        .map_err(|error| Error::Setting {
            setting: "policy_oid, cps_uri or user_notice",
            reason: error.to_string(),
        })
    }

    /// Where things about the issuer with key `label` are found. `answers` says whether an OCSP responder answers for it: our
    /// roots have none, their CRL is enough for the one certificate they issue.
    pub(crate) fn addresses(&self, label: &str, answers: bool) -> Addresses {
        let base = self.base_url.trim_end_matches('/');
        Addresses {
            issuer_certificate: Some(format!("{base}/ca/{label}.cer")),
            ocsp: answers.then(|| format!("{base}/ocsp")),
            crl: Some(format!("{base}/crl/{label}.crl")),
        }
    }
}

/// The institution. Clones share it.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    config: AuthorityConfig,
    /// Certificates in use, read once and again when they may have changed.
    known: RwLock<Option<Arc<known::Known>>>,
    /// Names of keys found in the keystore, by label: finding one costs a turn of a key thread, on some HSMs far more.
    found: RwLock<HashMap<String, ServiceKey>>,
    /// Signed answers about statuses.
    memory: status::kept::Memory,
    /// One publisher of CRLs in this process at a time; between processes the row decides.
    publishing: tokio::sync::Mutex<()>,
    /// The latest instant an OCSP answer spoke of: a clock set back does not turn their time around.
    answered: AtomicI64,
}

impl Authority {
    /// The institution on these rows. Reads nothing yet.
    #[must_use]
    pub fn new(store: Store, config: AuthorityConfig) -> Authority {
        let memory = status::kept::Memory::new(config.ocsp_signatures_at_once);
        Authority {
            inner: Arc::new(Inner {
                store,
                config,
                memory,
                known: RwLock::new(None),
                found: RwLock::default(),
                publishing: tokio::sync::Mutex::new(()),
                answered: AtomicI64::new(0),
            }),
        }
    }

    /// What was configured.
    #[must_use]
    pub fn config(&self) -> &AuthorityConfig {
        &self.inner.config
    }

    pub(crate) fn memory(&self) -> &status::kept::Memory {
        &self.inner.memory
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// A signature over `octets` by the key with this label.
    pub(crate) async fn sign(
        &self,
        keys: &Keystore,
        label: &str,
        algorithm: SignatureAlgorithm,
        octets: &[u8],
    ) -> Result<Vec<u8>> {
        let digest = || Digest::of(algorithm.digest_algorithm(), octets);
        if let Some(key) = self.found(label) {
            match keys.sign_for_service(&key, algorithm, digest()).await {
                // Destroyed and made anew, or another keystore: look for it again.
                Err(kyso_keystore::Error::NoSuchService { .. }) => {}
                outcome => return Ok(outcome?),
            }
        }
        let key = keys.service(label).await?;
        let signature = keys.sign_for_service(&key, algorithm, digest()).await?;
        self.keep_found(label, key);
        Ok(signature)
    }

    /// Writes down that something was refused, in a transaction of its own.
    pub(crate) async fn record_refusal(
        &self,
        kind: &str,
        subject: &str,
        codes: &[&str],
    ) -> Result<()> {
        let mut tx = self.store().write().await?;
        tx.record(Event {
            kind,
            subject,
            actor: "system",
            detail: detail(&[("codes", serde_json::json!(codes))]),
        });
        Ok(tx.commit().await?)
    }

    fn found(&self, label: &str) -> Option<ServiceKey> {
        let found = self.inner.found.read();
        found
            .unwrap_or_else(PoisonError::into_inner)
            .get(label)
            .cloned()
    }

    fn keep_found(&self, label: &str, key: ServiceKey) {
        let found = self.inner.found.write();
        found
            .unwrap_or_else(PoisonError::into_inner)
            .insert(label.to_owned(), key);
    }

    /// The issuing certificate in use and what leads from it to its root, root last.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony.
    pub async fn chain(&self) -> Result<Vec<Certificate>> {
        let known = self.known().await?;
        known.issuing()?;
        Ok(known.chain.clone())
    }

    /// The organisation's seal in use: the label of its key and its certificate.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony.
    pub async fn seal_certificate(&self) -> Result<ceremony::Service> {
        self.service(kyso_keystore::Role::Seal).await
    }

    /// The key that signs checkpoints of the ledger; it has no certificate.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony.
    pub async fn ledger_key(&self) -> Result<ceremony::Service> {
        self.service(kyso_keystore::Role::Ledger).await
    }
}

/// The detail of a ledger line: ids, codes and counts by name.
pub(crate) fn detail(
    fields: &[(&str, serde_json::Value)],
) -> serde_json::Map<String, serde_json::Value> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// Every failpoint of this crate, for crash tests: each stands right before or after a keystore call or a commit.
pub const FAILPOINTS: &[&str] = &[
    "authority.key.before_keystore",
    "authority.key.after_keystore",
    "authority.request.before_keystore",
    "authority.request.after_keystore",
    "authority.prepare.before_commit",
    "authority.prepare.before_seal",
    "authority.prepare.after_seal",
    "authority.prepare.after_commit",
    "authority.issue.before_keystore",
    "authority.issue.after_keystore",
    "authority.issue.after_commit",
    "authority.crl.before_seal",
    "authority.crl.after_seal",
    "authority.crl.before_keystore",
    "authority.crl.after_keystore",
    "authority.crl.after_commit",
    "authority.ocsp.before_keystore",
    "authority.ocsp.after_keystore",
];

/// Every statement of this crate, for the test that prepares each on both databases.
#[must_use]
pub fn statements() -> Vec<&'static str> {
    [
        ceremony::table::STATEMENTS,
        issuing::table::STATEMENTS,
        revocation::table::STATEMENTS,
        status::table::STATEMENTS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_failpoints_is_what_the_code_has() {
        let sources = [
            include_str!("ceremony/mod.rs"),
            include_str!("issuing/mod.rs"),
            include_str!("revocation/mod.rs"),
            include_str!("status/crl.rs"),
            include_str!("status/ocsp.rs"),
        ];
        let mut found: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.split("failpoint!(\"").skip(1))
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let mut listed = FAILPOINTS.to_vec();
        found.sort_unstable();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }

    #[test]
    fn addresses_have_one_slash_and_no_responder_for_a_root() {
        let mut config = AuthorityConfig::sample();
        config.base_url = "http://ca.example/".to_owned();
        let addresses = config.addresses("root-1", false);
        assert_eq!(
            addresses.issuer_certificate.as_deref(),
            Some("http://ca.example/ca/root-1.cer")
        );
        assert_eq!(
            addresses.crl.as_deref(),
            Some("http://ca.example/crl/root-1.crl")
        );
        assert_eq!(addresses.ocsp, None);
        assert_eq!(
            config.addresses("issuing-1", true).ocsp.as_deref(),
            Some("http://ca.example/ocsp")
        );
    }

    #[test]
    fn a_setting_that_cannot_stand_in_a_certificate_is_named() {
        let mut config = AuthorityConfig::sample();
        assert!(config.policy().is_ok());
        config.policy_oid = "one.two".to_owned();
        assert!(matches!(config.policy(), Err(Error::Setting { .. })));
    }
}
