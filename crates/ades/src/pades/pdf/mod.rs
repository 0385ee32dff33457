//! Reading and incrementally writing PDF files (ISO 32000-1 7), as little of them as a signature needs.
//!
//! [`Reader`] follows the cross-reference chain from the end of the file and reads objects one at a time as they are
//! asked for; page contents, fonts and images are never looked at. [`Update`] writes changed and new objects, a
//! cross-reference of the kind the file already has, and a trailer: the bytes that follow the original.

pub mod object;
mod pages;
mod parser;
mod reader;
mod stream;
mod update;
mod xref;

pub use object::{Dictionary, Object, Reference};
pub use pages::{Page, PageChoice, Pages};
pub use reader::Reader;
pub(crate) use stream::deflate;
pub use update::Update;

/// Largest file that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 100 << 20;
/// Most pages a document may have.
pub const PAGES_MAX: u32 = 10_000;
