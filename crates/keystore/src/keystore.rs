//! The keystore's verbs, in the order of a key's life.
//!
//! Each hands a job to the threads of the backend that holds the key and waits for the answer without blocking. What the
//! job does is in `citizen` and in the backends.

use std::path::PathBuf;
use std::sync::Arc;

use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::public_key::PublicKey;

use crate::activation::{Activation, ApprovalKey, BindingCode, BindingRequest};
use crate::backend::pkcs11::Token;
use crate::backend::software::Software;
use crate::backend::threads::{Opener, Threads};
use crate::backend::{BackendName, check_label};
use crate::citizen::{self, Attempt, BindingAttempt, Tried};
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::record;
use crate::row::{CitizenKey, PooledKey};
use crate::service::{Role, ServiceKey};

/// The most bytes [`Keystore::random`] gives at once.
const RANDOM_BYTES_MAX: usize = 1024 * 1024;

/// What [`Keystore::open`] needs.
#[derive(Debug, Clone)]
pub struct KeystoreConfig {
    /// Which backend makes new keys.
    pub default_backend: BackendName,
    /// The software backend, if it is used.
    pub software: Option<SoftwareConfig>,
    /// The PKCS#11 backend, if it is used.
    pub pkcs11: Option<Pkcs11Config>,
    /// How many operations may wait in front of each backend before it answers `Busy`.
    pub queue: usize,
}

/// Keys in files.
#[derive(Debug, Clone)]
pub struct SoftwareConfig {
    /// Folder of `master.key` and the wrapped keys; owned by us, mode 0700. Made, with a new master key, if missing.
    pub directory: PathBuf,
}

/// Keys in a PKCS#11 token.
#[derive(Debug, Clone)]
pub struct Pkcs11Config {
    /// The vendor's shared library.
    pub module: PathBuf,
    /// Label of the token.
    pub token_label: String,
    /// File with the user PIN, mode 0600.
    pub pin_file: PathBuf,
    /// How many threads, one session each: cores for a soft token, 8 to 64 for a network HSM.
    pub sessions: usize,
    /// Which mechanism number this vendor gives RFC 5649.
    pub wrap_mechanism: WrapMechanism,
}

/// The mechanism number for AES key wrap with padding (RFC 5649), which vendors disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrapMechanism {
    /// CKM_AES_KEY_WRAP_PAD, 0x210A: SoftHSM2.
    AesKeyWrapPad,
    /// CKM_AES_KEY_WRAP_KWP, 0x210B: PKCS#11 3.x, Kryoptic.
    AesKeyWrapKwp,
    /// A vendor's own number.
    Vendor(u64),
}

/// A handle on the open keystore; clones share it. The last one dropped ends the key threads.
#[derive(Clone)]
pub struct Keystore {
    inner: Arc<Inner>,
}

struct Inner {
    default_backend: BackendName,
    software: Option<Threads>,
    pkcs11: Option<Threads>,
    memory: Arc<Memory>,
}

/// How an attempt to sign ended. `key` is the row to store with the result.
#[derive(Debug)]
pub enum Outcome {
    /// The PIN was right: `signatures[i]` is over the statement's document `i`.
    Signed {
        /// One signature per document, in order. ECDSA as DER.
        signatures: Vec<Vec<u8>>,
        /// The row, its count back at zero.
        key: CitizenKey,
    },
    /// The PIN was wrong.
    WrongPin {
        /// How many tries are left.
        tries_left: u8,
        /// The row, as raised.
        key: CitizenKey,
    },
    /// The PIN was wrong for the last time.
    Locked {
        /// The row, as raised.
        key: CitizenKey,
    },
}

/// What a raised try was worth, found out without using it.
#[derive(Debug)]
pub enum Settlement {
    /// PIN or code was right.
    Right {
        /// The row to store, its count back at zero.
        key: Box<CitizenKey>,
    },
    /// It was wrong: the row stays as it was raised.
    Wrong {
        /// How many tries are left.
        tries_left: u8,
    },
    /// It was wrong, and the last: the row stays as it was raised.
    Locked,
}

/// How a binding ended. `key` is the row to store.
#[derive(Debug)]
pub enum BindingOutcome {
    /// Device and PIN are in force.
    Bound {
        /// The row.
        key: CitizenKey,
    },
    /// The code of a first binding, or the PIN in force, was wrong.
    Wrong {
        /// How many tries are left.
        tries_left: u8,
        /// The row, as raised.
        key: CitizenKey,
    },
    /// It was wrong for the last time.
    Locked {
        /// The row, as raised.
        key: CitizenKey,
    },
}

impl Keystore {
    /// Opens the configured backends. A dead HSM does not stop the start: its keys answer `Unavailable` until it is
    /// back. Software keys that cannot be read and a module that does not load do: there is nothing to wait for.
    pub fn open(config: KeystoreConfig) -> Result<Keystore> {
        let waiting_most = config.queue;
        let software = match &config.software {
            None => None,
            Some(software) => {
                let opener: Arc<dyn Opener> = Arc::new(Software::open(&software.directory)?);
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                Some(Threads::start(
                    BackendName::Software,
                    opener,
                    cores,
                    waiting_most,
                )?)
            }
        };
        let pkcs11 = match config.pkcs11 {
            None => None,
            Some(pkcs11) => {
                let sessions = pkcs11.sessions;
                let opener: Arc<dyn Opener> = Token::new(pkcs11)?;
                Some(Threads::start(
                    BackendName::Pkcs11,
                    opener,
                    sessions,
                    waiting_most,
                )?)
            }
        };
        let inner = Inner {
            default_backend: config.default_backend,
            software,
            pkcs11,
            memory: Arc::default(),
        };
        let keystore = Keystore {
            inner: Arc::new(inner),
        };
        keystore.threads(config.default_backend)?;
        Ok(keystore)
    }

    /// Makes the internal keys that the token of a new installation lacks, then opens as [`Keystore::open`] does, which
    /// never makes them. Blocks while the token works.
    ///
    /// The caller holds a lock that every machine shares, and knows that this installation has no internal keys yet: a
    /// token that lost its keys must come back from a backup, not be filled anew.
    ///
    /// # Errors
    /// Those of [`Keystore::open`]; [`Error::Unavailable`] if the token is away.
    pub fn create(config: KeystoreConfig) -> Result<Keystore> {
        if let Some(pkcs11) = &config.pkcs11 {
            Token::new(pkcs11.clone())?.make_internal_keys()?;
        }
        Keystore::open(config)
    }

    /// Asks every configured backend for a sign of life.
    pub async fn probe(&self) -> Vec<(BackendName, Result<()>)> {
        let mut signs = Vec::new();
        for backend in [BackendName::Software, BackendName::Pkcs11] {
            if let Ok(threads) = self.threads(backend) {
                signs.push((backend, threads.run(|vault| vault.probe()).await));
            }
        }
        signs
    }

    /// Random bytes for serial numbers and nonces, from the operating system by way of AWS-LC.
    pub fn random(&self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count.min(RANDOM_BYTES_MAX)];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Primitive {
            what: "the random generator",
        })?;
        Ok(bytes)
    }

    /// The public key PINs are sealed to, for keys made by the default backend.
    pub async fn approval_public_key(&self) -> Result<ApprovalKey> {
        self.approval_public_key_of(self.inner.default_backend)
            .await
    }

    /// The public key PINs are sealed to, for keys that this backend holds.
    pub async fn approval_public_key_of(&self, backend: BackendName) -> Result<ApprovalKey> {
        self.threads(backend)?.run(citizen::approval_key).await
    }

    /// The backend that makes new keys.
    pub fn default_backend(&self) -> BackendName {
        self.inner.default_backend
    }

    /// The configured backends, the one that makes new keys first.
    pub fn backends(&self) -> Vec<BackendName> {
        let default = self.inner.default_backend;
        let others = [BackendName::Software, BackendName::Pkcs11]
            .into_iter()
            .filter(|other| *other != default && self.threads(*other).is_ok());
        std::iter::once(default).chain(others).collect()
    }

    /// Makes `want` wrapped key pairs ahead of need, one after the other: at most one thread is ever busy with it.
    ///
    /// # Errors
    /// Stops at the first failure; pairs made before it are lost, which costs only their making.
    pub async fn pool_fill(&self, algorithm: KeyAlgorithm, want: usize) -> Result<Vec<PooledKey>> {
        check_citizen_algorithm(algorithm)?;
        let threads = self.threads(self.inner.default_backend)?;
        let mut pooled = Vec::with_capacity(want.min(1024));
        for _ in 0..want {
            pooled.push(
                threads
                    .run(move |vault| citizen::make_pooled(vault, algorithm))
                    .await?,
            );
        }
        Ok(pooled)
    }

    /// Makes a citizen's key, unclaimed: no device, no PIN, version 1.
    pub async fn create_for_citizen(
        &self,
        algorithm: KeyAlgorithm,
        credential_id: &str,
    ) -> Result<(CitizenKey, PublicKey)> {
        check_citizen_algorithm(algorithm)?;
        let credential_id = credential_id.to_owned();
        let key = self
            .threads(self.inner.default_backend)?
            .run(move |vault| citizen::create_fresh(vault, algorithm, &credential_id))
            .await?;
        Ok(with_public_key(key))
    }

    /// As [`Keystore::create_for_citizen`], from a pair of the pool. The caller deletes the pooled row in the
    /// transaction that stores the key.
    pub async fn create_for_citizen_from(
        &self,
        pooled: PooledKey,
        credential_id: &str,
    ) -> Result<(CitizenKey, PublicKey)> {
        let credential_id = credential_id.to_owned();
        let key = self
            .threads(pooled.backend())?
            .run(move |vault| citizen::create(vault, &pooled, &credential_id))
            .await?;
        Ok(with_public_key(key))
    }

    /// Checks that this keystore made the key for this credential: before its public half is certified, since whoever
    /// can write rows could have put another there.
    ///
    /// # Errors
    /// [`Error::RowForged`], [`Error::RowOfOtherCredential`], [`Error::OtherKeySet`].
    pub async fn check_key(&self, key: &CitizenKey, credential_id: &str) -> Result<()> {
        let (key, credential_id) = (key.clone(), credential_id.to_owned());
        self.threads(key.backend())?
            .run(move |vault| citizen::check_authentic(vault, &key, &credential_id))
            .await
    }

    /// The code for a first binding with this nonce: truncated HMAC under a key of the keystore over credential and nonce. The
    /// worker sends it to the citizen's verified contact and stores it nowhere; the phone seals it beside the chosen PIN.
    ///
    /// # Errors
    /// [`Error::AlreadyClaimed`], and those of the row.
    pub async fn binding_code(
        &self,
        key: &CitizenKey,
        credential_id: &str,
        nonce: &str,
    ) -> Result<BindingCode> {
        let (key, credential_id, nonce) = (key.clone(), credential_id.to_owned(), nonce.to_owned());
        self.threads(key.backend())?
            .run(move |vault| citizen::binding_code(vault, &key, &credential_id, &nonce))
            .await
    }

    /// Starts a binding: the first one, which needs the code that was sent, or a change, which needs the PIN in force and the
    /// signature of the device in force. It costs a try like an approval does.
    ///
    /// Store [`BindingAttempt::raised`] durably, then call [`Keystore::bind`].
    ///
    /// # Errors
    /// [`Error::PinWeak`], [`Error::PinUnreadable`], [`Error::AlreadyClaimed`], [`Error::Unclaimed`], [`Error::Locked`],
    /// [`Error::Refused`], and those of the row: all without costing a try.
    pub async fn begin_binding(
        &self,
        key: &CitizenKey,
        credential_id: &str,
        request: BindingRequest,
        now: i64,
    ) -> Result<BindingAttempt> {
        let (key, credential_id, request) =
            (key.clone(), credential_id.to_owned(), Arc::new(request));
        self.threads(key.backend())?
            .run(move |vault| citizen::begin_binding(vault, &key, &credential_id, &request, now))
            .await
    }

    /// Finishes a binding. `stored` is the row read back.
    ///
    /// # Errors
    /// [`Error::RowStale`] if it is not exactly [`BindingAttempt::raised`], or if a rival try was compared at this version.
    pub async fn bind(
        &self,
        attempt: BindingAttempt,
        stored: &CitizenKey,
    ) -> Result<BindingOutcome> {
        let (stored, memory) = (stored.clone(), Arc::clone(&self.inner.memory));
        self.threads(stored.backend())?
            .run(move |vault| citizen::bind(vault, &memory, &attempt, &stored))
            .await
    }

    /// Authenticates the row against the activation and raises its failure count.
    ///
    /// Store [`Attempt::raised`] durably (`WHERE version = …`), then call [`Keystore::sign_for_citizen`]. Beginning the
    /// same activation again on a raised row raises nothing: a crash in between costs no try.
    ///
    /// # Errors
    /// [`Error::RowForged`], [`Error::RowOfOtherCredential`], [`Error::OtherKeySet`], [`Error::Unclaimed`],
    /// [`Error::OtherDevice`], [`Error::Locked`], [`Error::ApprovalSpent`], [`Error::PinUnreadable`]: all before any key
    /// is unwrapped and without costing a try.
    pub async fn begin(
        &self,
        key: &CitizenKey,
        credential_id: &str,
        activation: Activation,
    ) -> Result<Attempt> {
        let (key, credential_id, activation) =
            (key.clone(), credential_id.to_owned(), Arc::new(activation));
        self.threads(key.backend())?
            .run(move |vault| citizen::begin(vault, &key, &credential_id, &activation))
            .await
    }

    /// Compares the PIN and, if it is right, signs every digest of the activation, in order, each verified before it
    /// is released. `stored` is the row read back; it must be exactly [`Attempt::raised`].
    ///
    /// # Errors
    /// [`Error::RowStale`] if it is not, or if a rival try was compared at this version; [`Error::AlgorithmUnsuitable`],
    /// [`Error::DigestUnsuitable`] before anything is compared; [`Error::SignatureFaulty`] if the backend erred.
    pub async fn sign_for_citizen(
        &self,
        attempt: Attempt,
        stored: &CitizenKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<Outcome> {
        let (stored, memory) = (stored.clone(), Arc::clone(&self.inner.memory));
        self.threads(stored.backend())?
            .run(move |vault| citizen::sign(vault, &memory, &attempt, &stored, algorithm))
            .await
    }

    /// Compares a try that raised the row and was never compared, because the keystore was away or the credential held until it
    /// was too old to sign or to bind. Signs and binds nothing; `key` is the row as stored. Costs no try, and gives none: see
    /// `citizen::settle`.
    ///
    /// # Errors
    /// [`Error::NotRaised`] if the row is not raised for it, [`Error::RowStale`] if a later try was compared,
    /// [`Error::PinUnreadable`], and those of the row: all without a comparison.
    pub async fn settle(
        &self,
        key: &CitizenKey,
        credential_id: &str,
        tried: Tried,
        now: i64,
    ) -> Result<Settlement> {
        let (key, credential_id) = (key.clone(), credential_id.to_owned());
        let memory = Arc::clone(&self.inner.memory);
        self.threads(key.backend())?
            .run(move |vault| citizen::settle(vault, &memory, &key, &credential_id, &tried, now))
            .await
    }

    /// Makes a key of the institution in the default backend. Ceremonies only.
    pub async fn create_for_service(
        &self,
        role: Role,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<(ServiceKey, PublicKey)> {
        check_label(label)?;
        // A label is unique in the keystore, not only in the backend that will hold it.
        match self.service(label).await {
            Err(Error::NoSuchService { .. }) => {}
            Ok(_) => {
                return Err(Error::LabelTaken {
                    label: label.to_owned(),
                });
            }
            Err(other) => return Err(other),
        }
        let label = label.to_owned();
        let key = self
            .threads(self.inner.default_backend)?
            .run(move |vault| vault.create_service(role, &label, algorithm))
            .await?;
        let public_key = key.public_key.clone();
        Ok((key, public_key))
    }

    /// Finds a service key by its label, the default backend first.
    ///
    /// # Errors
    /// [`Error::NoSuchService`] only if every configured backend was asked; one that is away answers
    /// [`Error::Unavailable`] instead, since the key may be there.
    pub async fn service(&self, label: &str) -> Result<ServiceKey> {
        check_label(label)?;
        let mut away = None;
        let others = [BackendName::Software, BackendName::Pkcs11];
        let others = others
            .into_iter()
            .filter(|backend| *backend != self.inner.default_backend);
        for backend in std::iter::once(self.inner.default_backend).chain(others) {
            let Ok(threads) = self.threads(backend) else {
                continue;
            };
            let wanted = label.to_owned();
            match threads.run(move |vault| vault.find_service(&wanted)).await {
                Ok(Some(key)) => return Ok(key),
                Ok(None) => {}
                Err(error) => away = away.or(Some(error)),
            }
        }
        Err(away.unwrap_or_else(|| Error::NoSuchService {
            label: label.to_owned(),
        }))
    }

    /// Signs a digest with a service key; the signature is verified before it is released. ECDSA signatures are DER.
    pub async fn sign_for_service(
        &self,
        key: &ServiceKey,
        algorithm: SignatureAlgorithm,
        digest: Digest,
    ) -> Result<Vec<u8>> {
        citizen::check_algorithm(key.algorithm, algorithm, std::slice::from_ref(&digest))?;
        let key = key.clone();
        self.threads(key.backend)?
            .run(move |vault| {
                let signature = vault.sign_service(&key, algorithm, &digest)?;
                match key.public_key.verify_digest(algorithm, &digest, &signature) {
                    Ok(()) => Ok(signature),
                    Err(_) => Err(Error::SignatureFaulty {
                        backend: key.backend,
                    }
                    .into()),
                }
            })
            .await
    }

    /// Seals a record of the institution, so that [`Keystore::check_record`] tells it from one that somebody else wrote.
    /// `kind` keeps records of different meaning apart.
    pub async fn seal_record(&self, kind: &'static str, bytes: &[u8]) -> Result<Vec<u8>> {
        let (backend, bytes) = (self.inner.default_backend, bytes.to_owned());
        self.threads(backend)?
            .run(move |vault| record::seal(vault, backend, kind, &bytes))
            .await
    }

    /// Checks a record of the institution against its seal. It says who wrote it, not that it is the newest.
    ///
    /// # Errors
    /// [`Error::RecordForged`] for another record, another kind or a seal of other internal keys.
    pub async fn check_record(&self, kind: &'static str, bytes: &[u8], seal: &[u8]) -> Result<()> {
        let backend = record::backend_of_seal(seal)?;
        let (bytes, seal) = (bytes.to_owned(), seal.to_owned());
        self.threads(backend)?
            .run(move |vault| record::check(vault, kind, &bytes, &seal))
            .await
    }

    /// Destroys a service key for good.
    ///
    /// Another process that has used the key may keep a software key in memory until it ends.
    pub async fn destroy(&self, key: ServiceKey) -> Result<()> {
        self.threads(key.backend)?
            .run(move |vault| vault.destroy_service(&key))
            .await
    }

    fn threads(&self, backend: BackendName) -> Result<&Threads> {
        let threads = match backend {
            BackendName::Software => &self.inner.software,
            BackendName::Pkcs11 => &self.inner.pkcs11,
        };
        threads.as_ref().ok_or(Error::NoBackend { backend })
    }
}

fn check_citizen_algorithm(algorithm: KeyAlgorithm) -> Result<()> {
    match algorithm {
        KeyAlgorithm::Rsa4096 => Err(Error::AlgorithmNotOffered { algorithm }),
        _ => Ok(()),
    }
}

fn with_public_key(key: CitizenKey) -> (CitizenKey, PublicKey) {
    let public_key = key.public_key().clone();
    (key, public_key)
}
