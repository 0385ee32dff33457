//! What can go wrong in the keystore, in words an operator or a caller can act on.
//!
//! No variant ever carries a PIN, a key, a digest of a secret or personal data.

use kyso_pki::algorithm::{KeyAlgorithm, SignatureAlgorithm};

use crate::activation::Refusal;
use crate::backend::BackendName;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the keystore did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue in front of the key threads is full. Nothing was done; ask again later.
    #[error("the {backend} keystore is busy")]
    Busy {
        /// Whose queue is full.
        backend: BackendName,
    },
    /// The backend is away. Only its own keys are affected; it recovers by itself unless `reason` says otherwise.
    #[error("the {backend} keystore is unavailable: {reason}")]
    Unavailable {
        /// Which backend.
        backend: BackendName,
        /// What is wrong, without secrets.
        reason: String,
    },
    /// The configuration names no such backend.
    #[error("no {backend} backend is configured")]
    NoBackend {
        /// Which backend was needed.
        backend: BackendName,
    },
    /// The configuration or the key directory is unusable as it stands.
    #[error("keystore setup: {reason}")]
    Setup {
        /// What to repair.
        reason: String,
    },
    /// A key file cannot be read or written, or others may read it.
    #[error("key file {path}: {reason}")]
    KeyFile {
        /// Where.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The approval or binding itself is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The row is not one this keystore wrote, or a byte of it changed.
    #[error("the key row is not authentic")]
    RowForged,
    /// A record of the institution is not one this keystore sealed, or a byte of it changed.
    #[error("the record is not authentic")]
    RecordForged,
    /// The row was authentic, but for another credential.
    #[error("the key row belongs to another credential")]
    RowOfOtherCredential,
    /// The row was wrapped under other internal keys (another HSM, another master key).
    #[error("the key row was made under key set {row}, this keystore holds {ours}")]
    OtherKeySet {
        /// Key set named by the row.
        row: String,
        /// Key set of the backend.
        ours: String,
    },
    /// The stored row is not the raised row of this attempt (a rival attempt, or the raise was never stored).
    #[error(
        "the stored key row (version {stored}) is not the raised row of this attempt (version {raised})"
    )]
    RowStale {
        /// Version that was stored.
        stored: u64,
        /// Version the attempt raised to.
        raised: u64,
    },
    /// The row was not raised for the try that is to be settled, or was settled already.
    #[error("the key row is not raised for this try")]
    NotRaised,
    /// The key has no device and PIN yet.
    #[error("the key is not bound to a device")]
    Unclaimed,
    /// The key is bound already; changing device or PIN goes through a rebinding.
    #[error("the key is already bound to a device")]
    AlreadyClaimed,
    /// The approval was made by a device the key is not bound to.
    #[error("the approval comes from a device the key is not bound to")]
    OtherDevice,
    /// This statement was signed for already.
    #[error("this approval has been used")]
    ApprovalSpent,
    /// Too many wrong PINs.
    #[error("the key is locked after {failures} wrong PINs")]
    Locked {
        /// How many.
        failures: u8,
    },
    /// The PIN is not six digits, is a run, or repeats one digit.
    #[error("the PIN is too easy to guess")]
    PinWeak,
    /// The sealed PIN does not open: sealed to another approval key, for another statement, or damaged.
    #[error("the sealed PIN cannot be opened")]
    PinUnreadable,
    /// The key cannot make that kind of signature.
    #[error("a {key} key cannot sign {asked}")]
    AlgorithmUnsuitable {
        /// The key's algorithm.
        key: KeyAlgorithm,
        /// What was asked of it.
        asked: SignatureAlgorithm,
    },
    /// Citizens' keys are RSA-2048, RSA-3072, P-256 or P-384.
    #[error("{algorithm} is not offered for this kind of key")]
    AlgorithmNotOffered {
        /// What was asked for.
        algorithm: KeyAlgorithm,
    },
    /// A digest is of another algorithm than the signature asks for.
    #[error("digest {index} does not fit {asked}")]
    DigestUnsuitable {
        /// Position, from 0.
        index: usize,
        /// The signature algorithm asked for.
        asked: SignatureAlgorithm,
    },
    /// No service key bears this label.
    #[error("no service key is labelled {label}")]
    NoSuchService {
        /// The label looked for.
        label: String,
    },
    /// A service key with this label exists.
    #[error("a service key labelled {label} exists already")]
    LabelTaken {
        /// The label.
        label: String,
    },
    /// Labels are 1 to 64 of `a-z 0-9 - _ .`; a credential's id is 1 to 128 bytes.
    #[error("{label:?} is not a usable label")]
    LabelUnusable {
        /// The label.
        label: String,
    },
    /// The backend answered with a signature that does not verify. It was discarded.
    #[error("the {backend} keystore made a faulty signature; it was discarded")]
    SignatureFaulty {
        /// Which backend.
        backend: BackendName,
    },
    /// A cryptographic primitive refused its input.
    #[error("{what} was refused by the cryptographic library")]
    Primitive {
        /// Which step.
        what: &'static str,
    },
}
