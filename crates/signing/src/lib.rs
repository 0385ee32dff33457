//! From "please sign" to "signed": portals, devices, credentials, signature requests.
//!
//! A portal asks, the citizen approves on the phone, the worker signs with the citizen's key, the
//! portal fetches the result. The web role holds no key: it writes intentions (a request, an
//! approval, a binding), each a row and a job in one transaction; every verb that can reach a
//! private key takes `&Keystore`, and only the worker owns one.
//!
//! ```text
//! credential   opening → active ⇄ suspended → revoked             | expired | failed
//!              (opening: reserved → keyed → issued → bound; a bound one may sign its acceptance only)
//! binding      pending → bound                                    | refused
//! request      pending → approved → signed → delivered            | refused | withdrawn | expired | failed
//!              (a wrong PIN takes approved back to pending, with a new nonce)
//! document     prepared → reserved → consumed
//! delivery     pending → delivered                                | dead
//! ```
//!
//! Invariants, each a constraint in the schema and a check in a verb; counted by [`Signing::verify`]:
//! - a signature leaves only after its row, its debit and its ledger entry are durable (I1, I3);
//! - one approval has at most one set of signatures; asking again returns the same bytes (I2, I7);
//! - the failure count of a credential is durable before its PIN is compared: at most one approval
//!   of a credential is in flight, named in the credential's row (`attempt`);
//! - the key row that the keystore authenticates carries a version; the ledger has a line for each,
//!   so an older row put back is refused by every worker, whatever it remembers;
//! - one person has one live credential, one device one account.
//!
//! Standards: EN 419 241-1 (sole control, signature activation), Standard Webhooks (delivery).

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kyso_authority::Authority;
use kyso_keystore::{CitizenKey, Keystore};
use kyso_store::{Job, SealedBlobs, Store};

use request::{Gathering, Waiting};
use task::{Done, Task};

pub mod billing;
mod chance;
pub mod credential;
pub mod device;
mod error;
mod format;
mod ids;
pub mod portal;
pub mod request;
mod seal;
pub mod task;
mod verify;
pub mod webhook;

pub use credential::Credentials;
pub use device::Devices;
pub use error::Error;
pub use ids::{BindingId, CredentialId, DeliveryId, DeviceId, PortalId, RequestId};
pub use portal::Portals;
pub use request::Requests;
pub use verify::{Broken, Verified};
pub use webhook::Webhooks;

// What our verbs are called with, so that registration needs no crate below us.
pub use kyso_ades::pades::{Mark, MarkPage, MarkRow, Placement};
pub use kyso_pki::algorithm::KeyAlgorithm;
pub use kyso_pki::name::SubjectName;

/// What every verb of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The limits and names an operator may set. Every field has a safe default.
#[derive(Debug, Clone)]
pub struct SigningConfig {
    /// Whom the citizen reads as asking, when the provider itself asks (acceptance).
    pub provider_name: String,
    /// Documents or digests in one request. Default 50.
    pub documents_max: usize,
    /// Bytes of one PDF. Default 20 MiB.
    pub document_bytes_max: usize,
    /// Bytes of all PDFs of one request. Default 40 MiB.
    pub request_bytes_max: usize,
    /// Requests that may wait for one citizen at once. Default 200.
    pub pending_max: i64,
    /// The same for one portal. Default 100.
    pub pending_of_portal_max: i64,
    /// How long a citizen has to approve when the portal says nothing. Default 300 s.
    pub expires_in_ms: i64,
    /// The longest a portal may ask for. Default 24 h.
    pub expires_in_ms_max: i64,
    /// How long an acceptance waits for its citizen. Default 7 days.
    pub acceptance_expires_in_ms: i64,
    /// How long a device session lasts without being rotated. Default 12 h.
    pub session_ms: i64,
    /// How long it lasts however often it is rotated. Default 30 days.
    pub session_ms_max: i64,
    /// How long sp769 answers a status question after the transaction ended (W8). Default 1 h.
    pub sp769_retention_ms: i64,
    /// Sealed RSA pairs kept ahead of need, an algorithm. Default 16.
    pub pool_size: usize,
    /// The algorithm whose pool is filled when the worker starts; others are filled after their first use. Default none.
    pub pool_algorithm: Option<KeyAlgorithm>,
}

impl Default for SigningConfig {
    fn default() -> Self {
        SigningConfig {
            provider_name: "kyso".into(),
            documents_max: 50,
            document_bytes_max: 20 << 20,
            request_bytes_max: 40 << 20,
            pending_max: 200,
            pending_of_portal_max: 100,
            expires_in_ms: 300_000,
            expires_in_ms_max: 86_400_000,
            acceptance_expires_in_ms: 7 * 86_400_000,
            session_ms: 12 * 3_600_000,
            session_ms_max: 30 * 86_400_000,
            sp769_retention_ms: 3_600_000,
            pool_size: 16,
            pool_algorithm: None,
        }
    }
}

/// The crate's verbs, by folder. Cheap to clone.
#[derive(Clone)]
pub struct Signing {
    pub portals: Portals,
    pub devices: Devices,
    pub credentials: Credentials,
    pub requests: Requests,
    pub webhooks: Webhooks,
    inner: Arc<Inner>,
}

/// What all folders stand on.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    /// Opens what is sealed under the data key: webhook secrets.
    pub(crate) sealed: SealedBlobs,
    pub(crate) config: SigningConfig,
    /// The latest instant this process has acted on.
    latest: AtomicI64,
    /// Versions of key rows this process wrote: what it remembers even if their lines were deleted.
    versions: Mutex<HashMap<CredentialId, i64>>,
    pub(crate) waiting: Waiting,
    pub(crate) gathering: Gathering,
}

impl Signing {
    /// Stands on an open store, the institution and the data key. Reads nothing yet.
    pub fn new(
        store: Store,
        authority: Authority,
        sealed: SealedBlobs,
        config: SigningConfig,
    ) -> Signing {
        let inner = Arc::new(Inner {
            store,
            authority,
            sealed,
            config,
            latest: AtomicI64::new(i64::MIN),
            versions: Mutex::default(),
            waiting: Waiting::default(),
            gathering: Gathering::default(),
        });
        Signing {
            portals: Portals::new(inner.clone()),
            devices: Devices::new(inner.clone()),
            credentials: Credentials::new(inner.clone()),
            requests: Requests::new(inner.clone()),
            webhooks: Webhooks::new(inner.clone()),
            inner,
        }
    }
}

impl Signing {
    /// Runs claimed jobs of the kinds in [`task::KINDS`], finishes or retries each, and says what came of them.
    ///
    /// `Sign` jobs of one call are one batch: two durable commits whatever their number. Filling the pool goes on beside, so
    /// that nobody waits for prime numbers.
    ///
    /// # Errors
    /// What stopped the signing batch as a whole; its jobs come back when their leases end.
    pub async fn work(&self, keys: &Keystore, jobs: Vec<Job>) -> Result<Vec<Done>> {
        let _held = self.inner.store.hold(&jobs);
        let (batch, others): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.kind == task::SIGN);
        let signed = match batch.is_empty() {
            true => Ok(Vec::new()),
            false => self.requests.sign_many(keys, batch).await,
        };
        let mut done = Vec::new();
        for job in others {
            if job.kind == task::FILL_POOL {
                let (signing, keys) = (self.clone(), keys.clone());
                tokio::spawn(async move {
                    let _held = signing.inner.store.hold(std::slice::from_ref(&job));
                    signing.run_or_retry(&keys, job).await
                });
            } else {
                done.extend(self.run_or_retry(keys, job).await);
            }
        }
        match signed {
            Ok(signed) => done.extend(signed),
            Err(error) if done.is_empty() => return Err(error),
            // What the others did must be told; the batch says so itself when its leases end.
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a batch of signatures comes back later"
            ),
        }
        Ok(done)
    }

    /// Asks again for every work that rows say is outstanding. The worker's first act: a job lost with an old database, or
    /// never written by an older version, is found here. Drops what was made ahead of need by another backend than today's.
    ///
    /// # Errors
    /// Only the store's.
    pub async fn recover(&self, keys: &Keystore) -> Result<()> {
        let store = &self.inner.store;
        let approved = request::table::open_work(store).await?;
        let bindings = credential::table::open_bindings(store).await?;
        let deliveries = webhook::table::open(store).await?;
        let mut tx = store.write().await?;
        let now = tx.now();
        credential::table::drop_pooled_but(&mut tx, keys.default_backend()).await?;
        for (request, credential) in approved {
            task::enqueue(
                &mut tx,
                &Task::Sign {
                    request,
                    credential,
                },
            );
        }
        for binding in bindings {
            task::enqueue(&mut tx, &Task::Bind { binding });
        }
        for delivery in deliveries {
            task::enqueue(&mut tx, &Task::Deliver { delivery });
        }
        if let Some(algorithm) = self
            .inner
            .config
            .pool_algorithm
            .filter(|algorithm| algorithm.is_rsa())
        {
            task::enqueue(
                &mut tx,
                &Task::FillPool {
                    algorithm: algorithm.as_str().to_owned(),
                },
            );
        }
        task::enqueue(&mut tx, &Task::Expire { at: now });
        Ok(tx.commit().await?)
    }

    async fn run_or_retry(&self, keys: &Keystore, job: Job) -> Option<Done> {
        let error = match self.run(keys, &job).await {
            Ok(done) => return done,
            Err(error) => error,
        };
        tracing::warn!(
            job = %job.id,
            kind = job.kind,
            error = &error as &dyn std::error::Error,
            "job {} is tried again",
            job.id
        );
        let retried = async {
            let mut tx = self.inner.store.write().await?;
            match error {
                Error::UnknownTask { .. } => tx.fail(&job, "unknown-task").await?,
                _ => {
                    let due_at = task::retry_at(tx.now(), job.attempts);
                    tx.retry(&job, due_at, "signing").await?;
                }
            }
            tx.commit().await
        };
        if let Err(error) = retried.await {
            tracing::warn!(
                job = %job.id,
                error = &error as &dyn std::error::Error,
                "job {} comes back when its lease ends",
                job.id
            );
        }
        None
    }

    async fn run(&self, keys: &Keystore, job: &Job) -> Result<Option<Done>> {
        match Task::of(job)? {
            Task::Bind { binding } => return self.credentials.bind(keys, job, binding).await,
            Task::Status { credential } => {
                self.credentials.align_status(job, credential).await?;
                return Ok(None);
            }
            Task::Expire { .. } => {
                self.requests.expire().await?;
                self.credentials.expire_ended().await?;
            }
            Task::FillPool { algorithm } => {
                let algorithm = algorithm.parse().map_err(|_| Error::UnknownTask {
                    kind: job.kind.clone(),
                })?;
                self.credentials.fill_pool(keys, algorithm).await?;
            }
            Task::Sign { .. } | Task::Deliver { .. } | Task::Tell { .. } => {
                return Err(Error::UnknownTask {
                    kind: job.kind.clone(),
                });
            }
        }
        let mut tx = self.inner.store.write().await?;
        tx.finish(job).await?;
        tx.commit().await?;
        Ok(None)
    }
}

/// How far back a clock may step and be held in place. A larger step is a clock that was wrong before, and is followed.
const CLOCK_BACK_MS_MAX: i64 = 86_400_000;

/// Key versions remembered by a process: some megabytes.
const VERSIONS_MAX: usize = 100_000;

impl Inner {
    /// `at`, or the latest instant acted on if the clock was moved back since: an approval that was too old does not become
    /// young again.
    pub(crate) fn now(&self, at: i64) -> i64 {
        let latest = self.latest.fetch_max(at, Ordering::SeqCst);
        if latest <= at {
            return at;
        }
        if latest - at > CLOCK_BACK_MS_MAX {
            self.latest.store(at, Ordering::SeqCst);
            return at;
        }
        latest
    }

    /// The version of a key row that is on disk and in the ledger.
    pub(crate) fn key_is(&self, credential: CredentialId, version: i64) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.len() >= VERSIONS_MAX {
            versions.clear();
        }
        let known = versions.entry(credential).or_insert(version);
        *known = version.max(*known);
    }

    /// Whether a key row that was read is the newest one, as far as this process remembers: it may be believed only where it is
    /// raised in a transaction that asks the ledger. `false` is a row that another worker has replaced since it was read.
    ///
    /// # Errors
    /// [`Error::KeyRolledBack`] when the row that is in the table now is older than what is remembered.
    pub(crate) async fn is_newest_known(
        &self,
        credential: CredentialId,
        key: &CitizenKey,
    ) -> Result<bool> {
        match self.known_version(credential) {
            Some(known) if known > credential::table::version(key) => {
                self.moved_to(credential, known).await
            }
            _ => Ok(true),
        }
    }

    /// Whether a key row that was read is the newest one: this process remembers no later one, and the ledger has none.
    ///
    /// # Errors
    /// As [`Inner::is_newest_known`].
    pub(crate) async fn is_newest_key(
        &self,
        credential: CredentialId,
        key: &CitizenKey,
    ) -> Result<bool> {
        let row = credential::table::version(key);
        if !self.is_newest_known(credential, key).await? {
            return Ok(false);
        }
        match credential::table::is_replaced(&self.store, credential, row).await? {
            true => self.moved_to(credential, row + 1).await,
            false => Ok(true),
        }
    }

    /// A row and its ledger line come in one commit, so a row read after the line is at least as new: `false`, or somebody put an
    /// older one back.
    async fn moved_to(&self, credential: CredentialId, recorded: i64) -> Result<bool> {
        match credential::table::key(&self.store, credential).await? {
            Some(now) if credential::table::version(&now) < recorded => Err(rolled_back(
                credential,
                credential::table::version(&now),
                recorded,
            )),
            _ => Ok(false),
        }
    }

    fn known_version(&self, credential: CredentialId) -> Option<i64> {
        self.versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&credential)
            .copied()
    }

    /// Waits until what other writers did before us is visible to readers: on SQLite several transactions share one commit, and
    /// a constraint refuses a write for the sake of a row nobody can read yet.
    pub(crate) async fn after_others(&self) -> Result<()> {
        Ok(self.store.write().await?.commit().await?)
    }
}

pub(crate) fn rolled_back(credential: CredentialId, row: i64, ledger: i64) -> Error {
    Error::KeyRolledBack {
        credential: credential.to_string(),
        row,
        ledger,
    }
}

/// Every statement of this crate, for the test that prepares them on both databases.
pub fn statements() -> impl Iterator<Item = &'static str> {
    [
        portal::table::STATEMENTS,
        device::table::STATEMENTS,
        credential::table::STATEMENTS,
        request::table::STATEMENTS,
        billing::table::STATEMENTS,
        webhook::table::STATEMENTS,
        verify::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The detail of a ledger entry: ids, codes and counts.
pub(crate) fn detail<const N: usize>(
    fields: [(&str, serde_json::Value); N],
) -> serde_json::Map<String, serde_json::Value> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
