//! The keystore's verbs, in the order of a key's life.

use std::path::PathBuf;

use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::public_key::PublicKey;

use crate::activation::{Activation, ApprovalKey, BindingRequest, Rebinding};
use crate::backend::BackendName;
use crate::citizen::{CitizenKey, PooledKey};
use crate::error::Result;
use crate::service::{Role, ServiceKey};

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
    /// Folder of `master.key` and the wrapped keys; owned by us, mode 0700.
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

/// A handle on the open keystore; clones share it.
#[derive(Clone)]
pub struct Keystore {
    _inner: (),
}

/// An approval on its way to a signature: the raised row must be stored before it is used.
pub struct Attempt {
    raised: CitizenKey,
}

impl Attempt {
    /// The row to store durably before [`Keystore::sign_for_citizen`].
    pub fn raised(&self) -> &CitizenKey {
        &self.raised
    }
}

/// A rebinding on its way: as [`Attempt`].
pub struct RebindingAttempt {
    raised: CitizenKey,
}

impl RebindingAttempt {
    /// The row to store durably before [`Keystore::rebind`].
    pub fn raised(&self) -> &CitizenKey {
        &self.raised
    }
}

/// How an attempt to sign ended. `key` is the row to store with the result.
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
        /// The row.
        key: CitizenKey,
    },
    /// The PIN was wrong for the last time.
    Locked {
        /// The row.
        key: CitizenKey,
    },
}

/// How a rebinding ended. `key` is the row to store.
pub enum RebindingOutcome {
    /// The new device or PIN is in force.
    Bound {
        /// The row.
        key: CitizenKey,
    },
    /// The current PIN was wrong.
    WrongPin {
        /// How many tries are left.
        tries_left: u8,
        /// The row.
        key: CitizenKey,
    },
    /// The current PIN was wrong for the last time.
    Locked {
        /// The row.
        key: CitizenKey,
    },
}

#[allow(unused_variables)]
impl Keystore {
    /// Opens the configured backends. A dead HSM does not stop the start: its keys answer `Unavailable` until it is back.
    pub fn open(config: KeystoreConfig) -> Result<Keystore> {
        todo!()
    }

    /// Asks every configured backend for a sign of life.
    pub async fn probe(&self) -> Vec<(BackendName, Result<()>)> {
        todo!()
    }

    /// Random bytes: serial numbers, nonces.
    pub fn random(&self, count: usize) -> Result<Vec<u8>> {
        todo!()
    }

    /// The public key PINs are sealed to, for keys made by the default backend.
    pub async fn approval_public_key(&self) -> Result<ApprovalKey> {
        todo!()
    }

    /// The public key the PIN of this citizen's key must be sealed to.
    pub async fn approval_public_key_of(&self, key: &CitizenKey) -> Result<ApprovalKey> {
        todo!()
    }

    /// Makes `want` wrapped key pairs ahead of need.
    pub async fn pool_fill(&self, algorithm: KeyAlgorithm, want: usize) -> Result<Vec<PooledKey>> {
        todo!()
    }

    /// Makes a citizen's key, unclaimed: no device, no PIN, version 1.
    pub async fn create_for_citizen(&self, algorithm: KeyAlgorithm, credential_id: &str) -> Result<(CitizenKey, PublicKey)> {
        todo!()
    }

    /// As [`Keystore::create_for_citizen`], from a pair of the pool.
    pub async fn create_for_citizen_from(&self, pooled: PooledKey, credential_id: &str) -> Result<(CitizenKey, PublicKey)> {
        todo!()
    }

    /// Binds an unclaimed key to its first device and PIN.
    pub async fn bind(&self, key: &CitizenKey, credential_id: &str, request: BindingRequest, now: i64) -> Result<CitizenKey> {
        todo!()
    }

    /// Starts a change of device or PIN, which costs a PIN try like an approval does.
    pub async fn begin_rebinding(&self, key: &CitizenKey, credential_id: &str, request: Rebinding, now: i64) -> Result<RebindingAttempt> {
        todo!()
    }

    /// Finishes a change of device or PIN.
    pub async fn rebind(&self, attempt: RebindingAttempt, stored: &CitizenKey) -> Result<RebindingOutcome> {
        todo!()
    }

    /// Authenticates the row against the activation and raises its failure count.
    pub async fn begin(&self, key: &CitizenKey, credential_id: &str, activation: Activation) -> Result<Attempt> {
        todo!()
    }

    /// Compares the PIN and, if it is right, signs every digest of the activation. `stored` is the row read back.
    pub async fn sign_for_citizen(&self, attempt: Attempt, stored: &CitizenKey, algorithm: SignatureAlgorithm) -> Result<Outcome> {
        todo!()
    }

    /// Makes a key of the institution. Ceremonies only.
    pub async fn create_for_service(&self, role: Role, label: &str, algorithm: KeyAlgorithm) -> Result<(ServiceKey, PublicKey)> {
        todo!()
    }

    /// Finds a service key by its label.
    pub async fn service(&self, label: &str) -> Result<ServiceKey> {
        todo!()
    }

    /// Signs a digest with a service key. ECDSA signatures are DER.
    pub async fn sign_for_service(&self, key: &ServiceKey, algorithm: SignatureAlgorithm, digest: Digest) -> Result<Vec<u8>> {
        todo!()
    }

    /// Destroys a service key for good.
    pub async fn destroy(&self, key: ServiceKey) -> Result<()> {
        todo!()
    }
}
