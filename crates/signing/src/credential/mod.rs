//! A citizen's credential: opened for an enrolment, bound to a phone and PIN, activated by the
//! signed acceptance, suspended, resumed, revoked.
//!
//! Every step leaves a row that says what is outstanding: a key only (`keyed`), a certificate
//! (`issued`), a device and PIN (`bound`). Whoever calls again goes on from there.

use std::sync::Arc;

use kyso_authority::Reason;
use kyso_authority::issuing::Order;
use kyso_keystore::{CitizenKey, Keystore};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_store::{BlobId, Event, Tx, failpoint};
use serde_json::json;

use crate::device::table as device_table;
use crate::error::{constraint, is_conflict};
use crate::task::{self, Task};
use crate::{BindingId, CredentialId, Error, Inner, Result, detail};

mod bind;
pub mod state;
mod status;
pub(crate) mod table;

pub use state::{
    Binding, BindingIntention, BindingPurpose, BindingState, Credential, CredentialEvent,
    CredentialState, Opening,
};

/// The verbs of a credential's life, in order.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) inner: Arc<Inner>,
}

impl Credentials {
    pub(crate) fn new(inner: Arc<Inner>) -> Credentials {
        Credentials { inner }
    }

    /// Key and certificate for an enrolment; the credential stays `opening` until its acceptance is signed.
    ///
    /// Idempotent per [`Opening::enrolment`], from any point where it was interrupted.
    ///
    /// # Errors
    /// [`Error::CredentialLive`] when the citizen has another live credential, [`Error::OpeningDiffers`] when the enrolment
    /// opened one for somebody else, [`Error::CredentialState`] when that one has ended; the keystore's and the authority's.
    pub async fn open(&self, keys: &Keystore, opening: &Opening) -> Result<Credential> {
        // Step 1. The row says what is outstanding before anything is made.
        let credential = self.reserve(opening).await?;
        if credential.certificate.is_some() {
            return Ok(credential);
        }
        // Step 2. The key, wrapped for this credential and nobody's yet: no device, no PIN.
        let key = match table::key(&self.inner.store, credential.id).await? {
            Some(key) => key,
            None => self.make_key(keys, &credential).await?,
        };
        // What is certified is ours: the row was read back, and others can write rows.
        keys.check_key(&key, &credential.id.to_string()).await?;
        // Step 3. The certificate; the authority reserves its bytes before it signs them.
        let order = Order {
            credential: credential.id.to_string(),
            subject: opening.subject.clone(),
            public_key: key.public_key().clone(),
            plan_ends_at: credential.plan_end_at,
            email: None,
        };
        failpoint!("signing.open.before-certificate");
        let prepared = self.inner.authority.prepare(keys, &order).await?;
        let issued = self.inner.authority.issue(keys, prepared).await?;
        failpoint!("signing.open.after-certificate");
        // Step 4. The certificate in the row: from here on a phone may bind itself.
        self.keep_certificate(credential.id, &issued).await?;
        self.show(&credential.id).await
    }

    /// Signs nothing until resumed. `actor` is a citizen, officer or `cli`, as an id; `reason` is a code.
    /// Suspending a suspended credential changes nothing.
    ///
    /// # Errors
    /// [`Error::CredentialState`], [`Error::NotFound`].
    pub async fn suspend(
        &self,
        credential: &CredentialId,
        reason: &str,
        actor: &str,
    ) -> Result<()> {
        self.transition(*credential, CredentialEvent::Suspend, reason, actor)
            .await
    }

    /// Takes a suspension back. Resuming an active credential changes nothing.
    ///
    /// # Errors
    /// [`Error::CredentialState`], [`Error::NotFound`].
    pub async fn resume(&self, credential: &CredentialId, actor: &str) -> Result<()> {
        self.transition(*credential, CredentialEvent::Resume, "resumed", actor)
            .await
    }

    /// For good: the wrapped key is overwritten in the same transaction, the device is free for another account.
    ///
    /// # Errors
    /// [`Error::CredentialState`], [`Error::NotFound`], [`Error::Unacceptable`] for certificateHold.
    pub async fn revoke(
        &self,
        credential: &CredentialId,
        reason: Reason,
        actor: &str,
    ) -> Result<()> {
        if reason.is_hold() {
            return Err(Error::Unacceptable {
                field: "reason",
                rule: "a hold is a suspension, not a revocation",
            });
        }
        self.transition(*credential, CredentialEvent::Revoke, reason.as_str(), actor)
            .await
    }

    /// Gives up an opening that cannot be completed, so that the citizen may enrol again.
    ///
    /// # Errors
    /// [`Error::CredentialState`], [`Error::NotFound`].
    pub async fn give_up(&self, credential: &CredentialId, code: &str, actor: &str) -> Result<()> {
        self.transition(*credential, CredentialEvent::GiveUp, code, actor)
            .await
    }

    /// One credential.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn show(&self, credential: &CredentialId) -> Result<Credential> {
        table::by_id(&self.inner.store, *credential)
            .await?
            .ok_or(Error::NotFound { what: "credential" })
    }

    /// The credential an enrolment opened.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn of_enrolment(&self, enrolment: &str) -> Result<Option<Credential>> {
        table::by_enrolment(&self.inner.store, enrolment).await
    }

    /// The live credential of a citizen (opening, active or suspended).
    ///
    /// # Errors
    /// Only the store's.
    pub async fn of_citizen(&self, citizen: &str) -> Result<Option<Credential>> {
        table::of_citizen(&self.inner.store, citizen).await
    }

    /// The key row of a credential; PINs for it are sealed to the approval key of its backend.
    ///
    /// # Errors
    /// [`Error::NotFound`] before the key is made or after it was destroyed.
    pub async fn key(&self, credential: &CredentialId) -> Result<CitizenKey> {
        table::key(&self.inner.store, *credential)
            .await?
            .ok_or(Error::NotFound { what: "key" })
    }

    /// Makes sealed RSA pairs until the pool holds what the configuration says; returns how many were made.
    ///
    /// # Errors
    /// The keystore's.
    pub async fn fill_pool(&self, keys: &Keystore, algorithm: KeyAlgorithm) -> Result<usize> {
        let mut made = 0;
        if !algorithm.is_rsa() {
            return Ok(made);
        }
        let backend = keys.default_backend();
        loop {
            let pooled = table::count_pooled(&self.inner.store, backend, algorithm).await?;
            // A few at a time: what is made is stored soon, and a stop loses little.
            let want = self.inner.config.pool_size.saturating_sub(pooled).min(2);
            if want == 0 {
                break;
            }
            failpoint!("signing.pool.before-key");
            let pairs = keys.pool_fill(algorithm, want).await?;
            failpoint!("signing.pool.after-key");
            made += pairs.len();
            let mut tx = self.inner.store.write().await?;
            table::add_pooled(&mut tx, algorithm, &pairs).await?;
            tx.commit().await?;
        }
        Ok(made)
    }

    async fn reserve(&self, opening: &Opening) -> Result<Credential> {
        let mut tx = self.inner.store.write().await?;
        let id: CredentialId = tx.id();
        let inserted = table::insert(&mut tx, id, opening).await;
        if constraint(&inserted) == Some("credential_one_live") {
            drop(tx);
            self.inner.after_others().await?;
            // The same enrolment may be the one that holds the place, when two workers race.
            return self
                .reserved_before(opening)
                .await?
                .ok_or(Error::CredentialLive);
        }
        if inserted? {
            let credential = table::by_id_in(&mut tx, id).await?;
            record(
                &mut tx,
                "signing.credential.opened",
                id,
                "system",
                detail([("enrolment", json!(opening.enrolment))]),
            );
            tx.commit().await?;
            return Ok(credential);
        }
        tx.commit().await?;
        self.reserved_before(opening)
            .await?
            .ok_or(Error::NotFound { what: "credential" })
    }

    async fn reserved_before(&self, opening: &Opening) -> Result<Option<Credential>> {
        let Some(credential) = table::by_enrolment(&self.inner.store, &opening.enrolment).await?
        else {
            return Ok(None);
        };
        // Whoever can write rows may have put one here before us.
        if credential.citizen != opening.citizen
            || credential.algorithm != opening.algorithm
            || credential.identity_number != opening.identity_number
            || credential.plan_end_at != opening.plan_end_at
        {
            return Err(Error::OpeningDiffers);
        }
        match credential.state {
            CredentialState::Opening | CredentialState::Active | CredentialState::Suspended => {
                Ok(Some(credential))
            }
            state => Err(Error::CredentialState { state }),
        }
    }

    /// An RSA pair comes from the pool where it can: a row is promised first, so a crash neither loses it nor uses it twice.
    async fn make_key(&self, keys: &Keystore, credential: &Credential) -> Result<CitizenKey> {
        let id = credential.id;
        let pooled = match credential.algorithm.is_rsa() {
            true => {
                self.promise(id, keys.default_backend(), credential.algorithm)
                    .await?
            }
            false => None,
        };
        failpoint!("signing.open.before-key");
        let (key, _) = match pooled {
            Some(pooled) => {
                keys.create_for_citizen_from(pooled, &id.to_string())
                    .await?
            }
            None => {
                keys.create_for_citizen(credential.algorithm, &id.to_string())
                    .await?
            }
        };
        failpoint!("signing.open.after-key");
        let mut tx = self.inner.store.write().await?;
        if !table::set_key(&mut tx, id, &key).await? {
            // Another worker was first, or the credential has ended meanwhile: this key is nobody's and is dropped.
            tx.commit().await?;
            return table::key(&self.inner.store, id)
                .await?
                .ok_or(Error::NotFound { what: "key" });
        }
        table::forget_pooled(&mut tx, id).await?;
        record_key(&mut tx, id, &key, "created");
        if credential.algorithm.is_rsa() {
            task::enqueue(
                &mut tx,
                &Task::FillPool {
                    algorithm: credential.algorithm.as_str().to_owned(),
                },
            );
        }
        tx.commit().await?;
        Ok(key)
    }

    async fn promise(
        &self,
        id: CredentialId,
        backend: kyso_keystore::BackendName,
        algorithm: KeyAlgorithm,
    ) -> Result<Option<kyso_keystore::PooledKey>> {
        // Two openings may reach for the same row on PostgreSQL; the one that comes second asks again.
        for _ in 0..4 {
            let mut tx = self.inner.store.write().await?;
            let promised = table::promise(&mut tx, id, backend, algorithm).await;
            if constraint(&promised).is_some() {
                continue;
            }
            if let Some(pooled) = promised? {
                tx.commit().await?;
                return Ok(Some(pooled));
            }
            drop(tx);
            if table::count_pooled(&self.inner.store, backend, algorithm).await? == 0 {
                break;
            }
        }
        Ok(None)
    }

    async fn keep_certificate(
        &self,
        id: CredentialId,
        issued: &kyso_authority::issuing::Issued,
    ) -> Result<()> {
        let chain = self.inner.authority.chain().await?;
        let joined =
            table::join_chain(chain.iter().map(kyso_pki::certificate::Certificate::as_der));
        let certificate = &issued.certificate;
        let mut tx = self.inner.store.write().await?;
        let chain: BlobId = tx.put_blob(&joined).await?;
        let new = table::NewCertificate {
            id: issued.id,
            der: certificate.as_der(),
            serial: certificate.serial().to_string(),
            chain,
            not_before_at: certificate.not_before(),
            not_after_at: certificate.not_after(),
        };
        if table::set_certificate(&mut tx, id, new).await? {
            let serial = json!(certificate.serial().to_string());
            record(
                &mut tx,
                "signing.credential.certified",
                id,
                "system",
                detail([("serial", serial)]),
            );
        } else {
            // Kept by another worker, or the credential ended while the certificate was made: then it must not stay good.
            task::enqueue(&mut tx, &Task::Status { credential: id });
        }
        Ok(tx.commit().await?)
    }

    /// One transition of the drawn ones, with its ledger line and the job that tells the authority.
    async fn transition(
        &self,
        id: CredentialId,
        event: CredentialEvent,
        reason: &str,
        actor: &str,
    ) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        let from = table::by_id_in(&mut tx, id).await?.state;
        let Some(to) = from.after(event) else {
            return if from.is_already(event) {
                Ok(())
            } else {
                Err(Error::CredentialState { state: from })
            };
        };
        let moved = match event {
            CredentialEvent::Suspend => table::suspend(&mut tx, id, reason).await,
            CredentialEvent::Resume => table::resume(&mut tx, id).await,
            CredentialEvent::Expire => table::expire(&mut tx, id, from).await,
            CredentialEvent::Revoke | CredentialEvent::GiveUp => {
                table::end(&mut tx, id, from, to, reason).await
            }
            CredentialEvent::Accepted => table::activate(&mut tx, id).await,
        };
        if is_conflict(&moved) {
            // Somebody moved it between our reading and our writing.
            let state = table::by_id_in(&mut tx, id).await?.state;
            return if state == to {
                Ok(())
            } else {
                Err(Error::CredentialState { state })
            };
        }
        moved?;
        if !to.is_live() {
            device_table::remove(&mut tx, id).await?;
        }
        let kind = format!("signing.credential.{to}");
        record(
            &mut tx,
            &kind,
            id,
            actor,
            detail([("reason", json!(reason)), ("from", json!(from.as_str()))]),
        );
        task::enqueue(&mut tx, &Task::Status { credential: id });
        Ok(tx.commit().await?)
    }
}

/// A ledger line about a credential.
pub(crate) fn record(
    tx: &mut Tx,
    kind: &str,
    credential: CredentialId,
    actor: &str,
    detail: serde_json::Map<String, serde_json::Value>,
) {
    tx.record(Event {
        kind,
        subject: &credential.to_string(),
        actor,
        detail,
    });
}

/// The ledger line that goes with every change of a key row: with it, an older row put back is found out. Each version is a
/// subject of its own, so that whether a row was replaced is one look into an index, however many lines there are, whoever
/// appended them, and whatever the clocks of the nodes said.
pub(crate) fn record_key(tx: &mut Tx, credential: CredentialId, key: &CitizenKey, why: &str) {
    let detail = detail([
        ("version", json!(key.version())),
        ("failures", json!(key.failures())),
        ("why", json!(why)),
    ]);
    tx.record(Event {
        kind: "signing.credential.key",
        subject: &key_subject(credential, table::version(key)),
        actor: "system",
        detail,
    });
}

/// What the ledger calls one version of a credential's key row: `cred_…#7`.
pub(crate) fn key_subject(credential: CredentialId, version: i64) -> String {
    format!("{credential}#{version}")
}
