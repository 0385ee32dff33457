//! The only code that touches a private key. It signs for a citizen only against an [`Activation`].
//!
//! Implements the ideas of EN 419 241-1 (sole control) and -2 (signature activation module) with today's phones.
//!
//! ```text
//!            WEB ROLE (no keys)                                WORKER (holds a Keystore)
//!  phone ─► Activation::check ─► approval row ──────────────► Activation::check      same pure function, twice
//!           statement, device signature, time,                  │
//!           request, portal, every document in order           begin                 row authentic? bound device? locked?
//!                                                               │                    used before? PIN opens? → count + 1
//!                                                     store the raised row           durable before any PIN is compared
//!                                                               │
//!                                                        sign_for_citizen            PIN right? unwrap once, sign all, verify all
//!                                                               │
//!                                             store signatures and row together      count back to 0, approval remembered
//! ```
//!
//! # A citizen's key
//!
//! Made inside, wrapped (RFC 5649), and given out as an opaque row, [`CitizenKey`]: wrapped key, credential, device, PIN
//! verifier, failure count, version, last try, used approvals; all under an HMAC whose key never leaves.
//!
//! ```text
//!  unclaimed ──begin_binding──► raised ──bind──► bound       (right code; a wrong one counts, the fifth locks)
//!  bound ──begin──► raised ──sign_for_citizen──► bound       (right PIN: count 0, version + 1)
//!    ▲                ├── wrong PIN ──► bound                (count stays raised)
//!    │                ├──settle──► bound                     (raised and never compared: as above, but nothing is signed)
//!    └──bind──────────┴── fifth wrong PIN ──► locked         (for good; begin_binding raises as begin does)
//! ```
//!
//! Whoever binds a key first shows that they hold the citizen's contact: a code, computed here for one nonce, sent by the
//! worker, typed next to the PIN and sealed with it. Whoever binds another device or PIN shows the signature of the device in
//! force and the PIN in force.
//!
//! # Invariants
//!
//! - No verb takes digests for a citizen's key: they come inside the activation, in order, and the device signed them.
//! - A row that was edited, moved to another credential, or made under other internal keys is refused before any key is
//!   unwrapped. A row rolled back is refused while this process remembers it; across restarts the ledger does that.
//! - A PIN is compared once for each raised row. Repeating the same approval is the same try: it costs nothing and answers
//!   the same. Five tries without the right PIN lock the key.
//! - A PIN opens for one statement only (HPKE, RFC 9180, the statement's digest as associated data), is held in wiped memory
//!   from [`Keystore::begin`] to the comparison, and is never written or printed.
//! - No signature leaves that does not verify. [`ServiceKey`] and [`CitizenKey`] are different types; no verb takes both.
//! - A backend that is away answers [`Error::Unavailable`] for its own keys only and is taken back when it returns; a full
//!   queue answers [`Error::Busy`] at once.
//! - No public function gives out a private key, an internal key or a PIN; no error or `Debug` prints one.
//!
//! # Backends
//!
//! `backend/software` (AWS-LC, files under one master key) and `backend/pkcs11` (any PKCS#11 token) stand behind one
//! private trait and run one suite of tests. A key remembers its backend, so both may be open at once.
//!
//! # Costs
//!
//! Best of several hundred, on two busy cores (AWS-LC 1.19, SoftHSM 2.6.1); compare them with each other, not with a
//! quiet machine. A raw signature with a key at hand took 17 µs (P-256), 644 µs (RSA-2048), 2.7 ms (RSA-3072) meanwhile.
//!
//! | one approval, begin and sign | software | SoftHSM |
//! |---|---|---|
//! | P-256, 1 document | 0.26 ms | 1.3 ms |
//! | P-256, 20 documents | 2.2 ms | 5.6 ms |
//! | RSA-2048, 1 document | 1.31 ms | 2.9 ms |
//! | RSA-2048, 20 documents | 15.1 ms | 49.9 ms |
//! | RSA-3072, 1 document | 3.2 ms | |
//!
//! - Opening the PIN (one Diffie-Hellman) is 0.09 ms, and 0.4 ms in SoftHSM; three row MACs and one PIN MAC are 2 µs each,
//!   and 0.04 ms each in SoftHSM, which is what an approval adds to unwrap, sign and destroy there.
//! - Verifying each signature before it is released is 0.10 ms (P-256) or 0.04 ms (RSA-2048).
//! - An RSA key that was just unwrapped signs at half the rate of one at hand: 185 µs to parse (AWS-LC checks that the parts
//!   fit together, without which a corrupted key could give away a factor) and about 440 µs at its first use for Montgomery
//!   constants and blinding. AWS-LC offers no form without either, and we want none: the check and the blinding are the
//!   point. So an approval unwraps once for all its documents.
//! - Unwrapped keys are **not** cached. A citizen signs seldom, so a cache would hold keys nobody is using, in the one
//!   process worth reading; the citizens who do sign often sign batches, which unwrap once already.
//! - Keys of the institution stay unwrapped in memory (software) or in the token: they sign all day.
//!
//! # Known issues
//!
//! - Whoever can write rows and restart the worker can put back an older row and so win five tries: the ledger, which
//!   holds version and count, must be compared at the start (a restore is a ceremony).
//! - Which contact a code goes to was decided by registration, not here.
//! - A try that was raised counts until it is compared or settled. Whoever can write rows can take the approval away before:
//!   it then costs a try, which the next right PIN gives back.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activation;
mod backend;
mod citizen;
mod error;
mod keystore;
mod memory;
mod officer;
mod record;
mod row;
mod service;

pub use activation::{
    Activation, ApprovalKey, ApprovalStatement, BindingCode, BindingRequest, BindingStatement,
    Consent, DecisionStatement, DeviceKey, DeviceKind, DeviceSignature, Expected, ExpectedDocument,
    Refusal, SealedPin, SessionStatement, seal_pin, seal_pin_and_code,
};
pub use backend::{BackendName, UnknownBackend};
pub use citizen::{Attempt, BindingAttempt, Tried};
pub use error::{Error, Result};
pub use keystore::{
    BindingOutcome, Keystore, KeystoreConfig, Outcome, Pkcs11Config, Settlement, SoftwareConfig,
    WrapMechanism,
};
pub use officer::{make_officer_key, sign_decision};
pub use row::{CitizenKey, FAILURES_MAX, PooledKey};
pub use service::{Role, ServiceKey, UnknownRole};
