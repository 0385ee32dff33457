//! Reading and incrementally writing PDF files (ISO 32000-1 7), as little of them as a signature needs.

/// Largest file that is read, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 100 << 20;
/// Most pages a document may have.
pub const PAGES_MAX: u32 = 10_000;
