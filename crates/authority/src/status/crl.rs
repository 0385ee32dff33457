//! Certificate revocation lists (RFC 5280 5): on schedule, and each time a status changed.
//!
//! ```text
//! snapshot { due? · next number · entries } ──► keystore seals ──► tx { reserved } ──► keystore signs ──► tx { published }
//! ```
//!
//! # Invariants
//! - Numbers of an issuer strictly increase, one by one: a constraint, and the guarded counter that hands them out.
//! - A number is on disk with its bytes before it is signed, and no next number is taken before it is published: a list that a crash
//!   left behind is signed by whoever comes next, the same bytes.
//! - A reservation carries the keystore's seal over these bytes: nobody who writes rows, and lines of the ledger, has a list of their
//!   own signed by waiting for a recovery.
//! - A list is one moment between two changes of status: one snapshot. It knows how many changes it knows of, and one that came
//!   while it was written makes the next list due (see the migration of `issuer`).

use kyso_keystore::Keystore;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::certificate::Issuer;
use kyso_pki::crl::{self, Crl, Entry};
use kyso_store::{Event, failpoint, ledger};
use serde_json::json;

use super::state::{self, Due, Rhythm};
use super::table::{self, ReservedCrl};
use crate::issuing::{is_sealed, sha256};
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

/// A number lost to another node, or a change that came meanwhile, is looked at again this many times.
const ROUNDS_MAX: u32 = 16;

impl Authority {
    /// Publishes a CRL of every issuer whose key is here and for which one is due: first, by schedule, or because a status changed.
    ///
    /// # Errors
    /// The first of an issuer, the keystore's or the store's; the lists of the others are published all the same. What was reserved
    /// stays and is signed by the next call.
    pub async fn publish_crl_if_due(&self, keys: &Keystore) -> Result<Vec<Published>> {
        let _one_at_a_time = self.inner.publishing.lock().await;
        let known = self.known().await?;
        let mut published = Vec::new();
        let mut outcome = Ok(());
        for issuer in &known.issuers {
            let of_issuer = match keys.service(&issuer.label).await {
                Ok(_) => self.publish_issuer(keys, issuer, &mut published).await,
                // The key of a root is away most of its life; whoever holds it publishes for it.
                Err(kyso_keystore::Error::NoSuchService { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            };
            outcome = outcome.and(of_issuer);
        }
        outcome.map(|()| published)
    }

    /// Whether any issuer's CRL is due.
    pub(crate) async fn is_crl_due(&self) -> Result<bool> {
        for issuer in &self.known().await?.issuers {
            let mut tx = self.store().read().await?;
            let (_, changes) = table::counters(&mut tx, issuer.id).await?;
            let last = table::published(&mut tx, issuer.id).await?;
            if state::due(&last, changes, self.rhythm(issuer), self.store().now()).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn publish_issuer(
        &self,
        keys: &Keystore,
        issuer: &KnownIssuer,
        published: &mut Vec<Published>,
    ) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            let list = match self.next(issuer).await? {
                Next::Reserved(list) => {
                    self.check_reserved_list(keys, issuer, &list).await?;
                    list
                }
                Next::Due(list) => match self.reserve_list(keys, issuer, list).await? {
                    Some(list) => list,
                    None => continue,
                },
                Next::NotDue => return Ok(()),
            };
            published.extend(self.sign_crl(keys, issuer, list).await?);
        }
        // Every round met another publisher or another change. The job comes again.
        Err(kyso_store::Error::Conflict {
            table: "crl",
            expected: 1,
            changed: 0,
        }
        .into())
    }

    /// What there is to do for this issuer, as of one snapshot.
    async fn next(&self, issuer: &KnownIssuer) -> Result<Next> {
        let rhythm = self.rhythm(issuer);
        // The clock is read before the rows: a list is not dated later than the moment that it shows.
        let now = self.store().now();
        let mut tx = self.store().read().await?;
        if let Some(list) = table::reserved(&mut tx, issuer.id).await? {
            return Ok(Next::Reserved(list));
        }
        let (last_number, changes) = table::counters(&mut tx, issuer.id).await?;
        let last = table::published(&mut tx, issuer.id).await?;
        let Some(due) = state::due(&last, changes, rhythm, now) else {
            return Ok(Next::NotDue);
        };
        let entries = table::entries(&mut tx, issuer.id, state::entries_from(&last)).await?;
        drop(tx);
        let window = state::window(&last, rhythm, now);
        Ok(Next::Due(DueCrl {
            list: unsigned(issuer, last_number + 1, window, &entries)?,
            scheduled: due == Due::Scheduled,
            changes,
        }))
    }

    /// Puts a list on disk before its bytes are signed; none if another node took the number.
    async fn reserve_list(
        &self,
        keys: &Keystore,
        issuer: &KnownIssuer,
        due: DueCrl,
    ) -> Result<Option<ReservedCrl>> {
        let list = due.list;
        let sealed = reservation(issuer, &list);
        failpoint!("authority.crl.before_seal");
        let seal = keys.seal_record(SEAL_KIND, &sealed).await?;
        failpoint!("authority.crl.after_seal");
        let mut tx = self.store().write().await?;
        if !table::take_number(&mut tx, issuer.id, list.number).await? {
            // The commit waits until the other one's number is durable.
            tx.commit().await?;
            return Ok(None);
        }
        let list = ReservedCrl { seal, ..list };
        table::reserve(&mut tx, issuer.id, &list, due.scheduled, due.changes).await?;
        tx.record(Event {
            kind: RESERVED_EVENT,
            subject: &issuer.id.to_string(),
            actor: "system",
            detail: detail(&[
                ("number", json!(list.number)),
                ("entries", json!(list.entries)),
                ("scheduled", json!(due.scheduled)),
                (TO_BE_SIGNED, json!(sha256(&list.tbs))),
            ]),
        });
        tx.commit().await?;
        Ok(Some(list))
    }

    /// Before a list that was read back is signed: the keystore sealed these bytes when they were reserved, and the ledger says so too.
    async fn check_reserved_list(
        &self,
        keys: &Keystore,
        issuer: &KnownIssuer,
        list: &ReservedCrl,
    ) -> Result<()> {
        let id = issuer.id.to_string();
        let lines = ledger::tail(self.store(), &id, Some(RESERVED_EVENT), LINES_READ).await?;
        let agrees = |line: &ledger::Entry| {
            line.detail.get("number") == Some(&json!(list.number))
                && line.detail.get(TO_BE_SIGNED) == Some(&json!(sha256(&list.tbs)))
        };
        let sealed = reservation(issuer, list);
        if is_sealed(keys, SEAL_KIND, &sealed, &list.seal).await? && lines.iter().any(agrees) {
            return Ok(());
        }
        tracing::error!(
            issuer = issuer.label,
            number = list.number,
            "CRL {} of {} is not what was reserved; it is not signed",
            list.number,
            issuer.label
        );
        self.record_refusal("authority.crl.refused", &id, &["not-what-was-reserved"])
            .await?;
        Err(not_what_was_reserved(issuer, list))
    }

    async fn sign_crl(
        &self,
        keys: &Keystore,
        issuer: &KnownIssuer,
        list: ReservedCrl,
    ) -> Result<Option<Published>> {
        failpoint!("authority.crl.before_keystore");
        let signature = self
            .sign(keys, &issuer.label, list.algorithm, &list.tbs)
            .await?;
        failpoint!("authority.crl.after_keystore");

        let der = crl::assemble(&list.tbs, list.algorithm, &signature)?;
        if Crl::from_der(&der)?
            .verify_issued_by(&issuer.certificate)
            .is_err()
        {
            return Err(not_what_was_reserved(issuer, &list));
        }
        let mut tx = self.store().write().await?;
        if !table::publish(&mut tx, issuer.id, list.number, &list.tbs, &der).await? {
            tx.commit().await?;
            return Ok(None);
        }
        let line = detail(&[
            ("number", json!(list.number)),
            ("sha256", json!(sha256(&der))),
        ]);
        tx.record(Event {
            kind: "authority.crl.published",
            subject: &issuer.id.to_string(),
            actor: "system",
            detail: line,
        });
        tx.commit().await?;
        self.memory().published(&issuer.label);
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

/// What there is to do for an issuer.
enum Next {
    /// Sign a list that a crash, or another node, left reserved.
    Reserved(ReservedCrl),
    /// Reserve and sign the next one.
    Due(DueCrl),
    /// Nothing.
    NotDue,
}

/// The next list, before it is reserved; its seal is still empty.
struct DueCrl {
    list: ReservedCrl,
    scheduled: bool,
    /// How many changes of status it knows of.
    changes: i64,
}

/// Kind of the keystore's seal on a reservation.
const SEAL_KIND: &str = "crl";

/// What is sealed: JSON of issuer, number, signature algorithm and the digest of the exact bytes, in this order.
fn reservation(issuer: &KnownIssuer, list: &ReservedCrl) -> Vec<u8> {
    let fields = json!([
        issuer.id.to_string(),
        list.number,
        list.algorithm.as_str(),
        sha256(&list.tbs)
    ]);
    fields.to_string().into_bytes()
}

/// The ledger line of a reservation, and the field in it that names the exact bytes.
const RESERVED_EVENT: &str = "authority.crl.reserved";
const TO_BE_SIGNED: &str = "to_be_signed_sha256";
/// The newest lines among which the one of the newest number is: lines of one millisecond have no order.
const LINES_READ: u32 = 64;

/// The bytes of a list.
fn unsigned(
    issuer: &KnownIssuer,
    number: i64,
    (this_update, next_update): (i64, i64),
    entries: &[Entry],
) -> Result<ReservedCrl> {
    let corrupt = |_| Error::Corrupt {
        table: "crl",
        row: format!("{} {number}", issuer.id),
    };
    let algorithm = SignatureAlgorithm::default_for(issuer.certificate.public_key()?.algorithm());
    let tbs = crl::prepare(
        &Issuer::of(&issuer.certificate)?,
        algorithm,
        u64::try_from(number).map_err(corrupt)?,
        this_update,
        next_update,
        entries,
    )?;
    Ok(ReservedCrl {
        number,
        entries: i64::try_from(entries.len()).map_err(corrupt)?,
        algorithm,
        this_update,
        next_update,
        tbs,
        seal: Vec::new(),
    })
}

fn not_what_was_reserved(issuer: &KnownIssuer, list: &ReservedCrl) -> Error {
    Error::NotWhatWasReserved {
        for_what: format!("CRL {} of {}", list.number, issuer.label),
    }
}
