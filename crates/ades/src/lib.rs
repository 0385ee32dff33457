//! AdES signatures: a document goes in, the bytes to be signed come out, and the finished signature is put in.
//!
//! Nothing here holds a key, opens a file, knows the time or talks to anybody: every verb is a function of its
//! arguments. A format is a folder: [`pades`] today; CAdES, XAdES and the evidence of the long-term levels get
//! folders of their own beside it. CMS itself (RFC 5652) is `kyso_pki::cms`.
//!
//! Invariant: bytes from outside (a citizen's PDF above all) may cost bounded time and bounded memory, and end in a
//! typed [`Error`], never in a panic.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

mod error;
pub mod pades;

pub use error::Error;
