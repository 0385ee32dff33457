//! Certificate revocation lists (RFC 5280 5): on schedule, and each time a status changed.
//!
//! ```text
//! due? ──► tx { next number · entries of this moment · bytes: reserved } ──► keystore signs ──► tx { published }
//! ```
//!
//! # Invariants
//! - Numbers of an issuer strictly increase, one by one: a constraint, and the guarded counter that hands them out.
//! - A number is on disk with its bytes before it is signed, and no next number is taken before it is published: a list that a crash
//!   left behind is signed by whoever comes next, the same bytes.
//! - A list is one moment between two changes of status (see the migration of `issuer`).
//!
//! # Known issues
//! The entries are encoded while the issuer's row is held: about 60 ms for 100,000 of them.

use kyso_keystore::{Keystore, ServiceKey};
use kyso_pki::algorithm::{Digest, SignatureAlgorithm};
use kyso_pki::certificate::Issuer;
use kyso_pki::crl::{self, Crl};
use kyso_store::{Event, failpoint};
use serde_json::json;

use super::state::{self, Due, Rhythm};
use super::table::{self, ReservedCrl};
use crate::known::KnownIssuer;
use crate::{Authority, DAY_MS, Error, Result, detail};

/// A published CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Label of the issuer's key, as in `/crl/{label}.crl`.
    pub label: String,
    /// cRLNumber.
    pub number: i64,
    /// Milliseconds since 1970.
    pub this_update: i64,
    /// Milliseconds since 1970.
    pub next_update: i64,
    /// How many certificates it lists.
    pub entries: i64,
    /// DER CertificateList.
    pub der: Vec<u8>,
}

/// A root's list is made by people in a ceremony's quiet: twice a year, valid for a year.
const ROOT_RHYTHM: Rhythm = Rhythm {
    every_ms: 182 * DAY_MS,
    life_ms: 365 * DAY_MS,
};

/// A number lost to another node, or a change that came meanwhile, is looked at again this many times; then the next job does it.
const ROUNDS_MAX: u32 = 4;

impl Authority {
    /// Publishes a CRL of every issuer whose key is here and for which one is due: first, by schedule, or because a status changed.
    ///
    /// # Errors
    /// The keystore's, the store's. What was reserved stays and is signed by the next call.
    pub async fn publish_crl_if_due(&self, keys: &Keystore) -> Result<Vec<Published>> {
        let _one_at_a_time = self.inner.publishing.lock().await;
        let known = self.known().await?;
        let mut published = Vec::new();
        for issuer in &known.issuers {
            match keys.service(&issuer.label).await {
                Ok(key) => {
                    self.publish_issuer(keys, &key, issuer, &mut published)
                        .await?
                }
                // The key of a root is away most of its life; whoever holds it publishes for it.
                Err(kyso_keystore::Error::NoSuchService { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(published)
    }

    /// The newest CRL of the issuer whose key has this label.
    ///
    /// # Errors
    /// The store's.
    pub async fn crl(&self, label: &str) -> Result<Option<Published>> {
        table::newest_by_label(self.store(), label).await
    }

    /// Whether any issuer's CRL is due.
    pub(crate) async fn is_crl_due(&self) -> Result<bool> {
        for issuer in &self.known().await?.issuers {
            let (_, changes) = table::counters(self.store(), issuer.id).await?;
            let last = table::published(self.store(), issuer.id).await?;
            if state::due(&last, changes, self.rhythm(issuer), self.store().now()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn publish_issuer(
        &self,
        keys: &Keystore,
        key: &ServiceKey,
        issuer: &KnownIssuer,
        published: &mut Vec<Published>,
    ) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            // The counters are read first: a number taken after this reading is noticed when the next one is taken.
            let (last_number, changes) = table::counters(self.store(), issuer.id).await?;
            let waiting = match table::reserved(self.store(), issuer.id).await? {
                Some(waiting) => Some(waiting),
                None => {
                    self.reserve_crl_if_due(issuer, last_number, changes)
                        .await?
                }
            };
            let Some(waiting) = waiting else {
                return Ok(());
            };
            published.extend(self.sign_crl(keys, key, issuer, waiting).await?);
        }
        Ok(())
    }

    /// Reserves the next list if one is due. None when none is, or when another node took the number: then its row is there.
    async fn reserve_crl_if_due(
        &self,
        issuer: &KnownIssuer,
        last_number: i64,
        changes: i64,
    ) -> Result<Option<ReservedCrl>> {
        let last = table::published(self.store(), issuer.id).await?;
        let rhythm = self.rhythm(issuer);
        let Some(due) = state::due(&last, changes, rhythm, self.store().now()) else {
            return Ok(None);
        };

        let mut tx = self.store().write().await?;
        let (this_update, next_update) = state::window(&last, rhythm, tx.now());
        let Some(changes) = table::next_number(&mut tx, issuer.id, last_number).await? else {
            // The commit waits until the other one's reservation is durable.
            tx.commit().await?;
            return table::reserved(self.store(), issuer.id).await;
        };
        let number = last_number + 1;
        let entries = table::entries(&mut tx, issuer.id, state::entries_from(&last)).await?;
        let algorithm =
            SignatureAlgorithm::default_for(issuer.certificate.public_key()?.algorithm());
        let number_unsigned = u64::try_from(number).map_err(|_| corrupt(issuer, number))?;
        let tbs = crl::prepare(
            &Issuer::of(&issuer.certificate)?,
            algorithm,
            number_unsigned,
            this_update,
            next_update,
            &entries,
        )?;
        let list = ReservedCrl {
            number,
            entries: i64::try_from(entries.len()).map_err(|_| corrupt(issuer, number))?,
            algorithm,
            this_update,
            next_update,
            tbs,
        };
        table::reserve(&mut tx, issuer.id, &list, due == Due::Scheduled, changes).await?;
        let line = detail(&[
            ("number", json!(number)),
            ("entries", json!(list.entries)),
            ("scheduled", json!(due == Due::Scheduled)),
        ]);
        tx.record(Event {
            kind: "authority.crl.reserved",
            subject: &issuer.id.to_string(),
            actor: "system",
            detail: line,
        });
        tx.commit().await?;
        Ok(Some(list))
    }

    async fn sign_crl(
        &self,
        keys: &Keystore,
        key: &ServiceKey,
        issuer: &KnownIssuer,
        list: ReservedCrl,
    ) -> Result<Option<Published>> {
        failpoint!("authority.crl.before_keystore");
        let digest = Digest::of(list.algorithm.digest_algorithm(), &list.tbs);
        let signature = keys.sign_for_service(key, list.algorithm, digest).await?;
        failpoint!("authority.crl.after_keystore");

        let der = crl::assemble(&list.tbs, list.algorithm, &signature)?;
        if Crl::from_der(&der)?
            .verify_issued_by(&issuer.certificate)
            .is_err()
        {
            return Err(Error::NotWhatWasReserved {
                for_what: format!("CRL {} of {}", list.number, issuer.label),
            });
        }
        let mut tx = self.store().write().await?;
        if !table::publish(&mut tx, issuer.id, list.number, &list.tbs, &der).await? {
            tx.commit().await?;
            return Ok(None);
        }
        let line = detail(&[
            ("number", json!(list.number)),
            ("sha256", json!(crate::issuing::sha256(&der))),
        ]);
        tx.record(Event {
            kind: "authority.crl.published",
            subject: &issuer.id.to_string(),
            actor: "system",
            detail: line,
        });
        tx.commit().await?;
        failpoint!("authority.crl.after_commit");
        tracing::info!(
            issuer = issuer.label,
            number = list.number,
            entries = list.entries,
            "CRL {} of {} published",
            list.number,
            issuer.label
        );
        Ok(Some(Published {
            label: issuer.label.clone(),
            number: list.number,
            this_update: list.this_update,
            next_update: list.next_update,
            entries: list.entries,
            der,
        }))
    }

    fn rhythm(&self, issuer: &KnownIssuer) -> Rhythm {
        let hour = DAY_MS / 24;
        if issuer.is_root {
            return ROOT_RHYTHM;
        }
        let every_ms = i64::from(self.config().crl_hours.max(1)) * hour;
        Rhythm {
            every_ms,
            life_ms: (i64::from(self.config().crl_valid_hours) * hour).max(every_ms + hour),
        }
    }
}

fn corrupt(issuer: &KnownIssuer, number: i64) -> Error {
    Error::Corrupt {
        table: "crl",
        row: format!("{} {number}", issuer.id),
    }
}
