//! PAdES baseline B-B signatures: ETSI EN 319 142-1 clause 6 (level B-B) on ISO 32000-1 12.8.
//!
//! Two steps, because the key is elsewhere and its owner may take a day to say yes:
//!
//! 1. [`prepare`] lays the signature out as an incremental update, with room for the CMS, and gives the digest to be
//!    signed. It is stored ([`Prepared::to_bytes`]).
//! 2. [`embed`] puts the CMS with the finished signature into that room.
//!
//! Invariants:
//! - The document is never rewritten nor copied: the signed file is `original ++ appended`, byte for byte.
//! - `/ByteRange` covers the whole file but the value of `/Contents` (EN 319 142-1 5.3).
//! - A signature that does not verify under the certificate never leaves [`embed`].
//! - Signatures already in the file stay valid; where the author's rules forbid that, the document is refused.

mod form;
mod inspect;
pub mod mark;
pub mod pdf;
mod prepared;
mod sign;

pub use inspect::{Inspection, inspect};
pub use mark::{Corner, Mark, MarkPage, MarkRow, Placement};
pub use pdf::{DOCUMENT_BYTES_MAX, PAGES_MAX};
pub use prepared::Prepared;
pub use sign::{Options, embed, prepare};
