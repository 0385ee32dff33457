//! Certificates, revocation lists, OCSP and CMS: build, parse, lint, verify.
//!
//! Pure: no input or output, no clock, no random numbers, no private key. Whoever signs is outside:
//! every structure is made in two steps, `prepare` (the exact bytes to be signed) and `assemble`
//! (those bytes, untouched, with the signature around them).
//!
//! ```text
//! Template ── prepare ──► bytes to be signed ── keystore ──► signature ── assemble ──► DER
//!                │                                                             │
//!                └── lint::lint (before anything is signed)                    └── Certificate, Crl, Response … ::from_der, verify
//! ```
//!
//! Standards: RFC 5280 (certificates, CRLs), RFC 2986 (requests), RFC 6960 and 9654 (OCSP), RFC 5652, 5754, 4056
//! and 5035 (CMS and its algorithms), ETSI EN 319 122-1 and EN 319 142-1 (what a PAdES signature carries), EN 319 412-2.
//!
//! # Invariants
//! - **What was signed is never encoded again.** Every parsed view keeps the original octets and verifies slices of them.
//! - **Hostile octets cost little**: [`limits`] walks them once, without recursion, before any decoder sees them;
//!   length, nesting and count are bounded; nothing panics (property tests in `tests/it/hostile.rs`).
//! - Time is `i64` milliseconds since 1970-01-01 UTC and always an argument; what is written has whole seconds.
//! - Errors carry kinds, lengths and algorithm names, never a name or an identity number.
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

pub mod algorithm;
pub mod certificate;
pub mod cms;
pub mod crl;
pub mod csr;
mod error;
mod integer;
pub mod limits;
pub mod lint;
pub mod name;
pub mod ocsp;
mod pem;
pub mod profile;
pub mod public_key;
pub mod revocation;
mod signed;
mod wire;

pub use error::{Error, Result};
