//! A prepared signature: everything [`super::embed`] needs besides the signature itself, and how it is kept between
//! the two steps.
//!
//! The stored form is `kyso.prepared.` and a version octet, then fields in fixed order, integers big-endian, variable
//! fields after their length. Parsing is bounded by the input's own length and refuses anything left over.

use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};

use crate::Error;

/// A document's increment with room for the signature, and what has to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What follows the original: objects, cross-reference, trailer, with `/Contents` still zeros.
    pub appended: Vec<u8>,
    /// CMS SignedAttributes as DER `SET OF`: the bytes that are signed (RFC 5652 5.4).
    pub signed_attributes: Vec<u8>,
    /// Digest of `signed_attributes`: what goes to the key.
    pub digest: Digest,
    /// Digest of the byte range, which `signed_attributes` holds as message-digest.
    pub content_digest: Digest,
    /// The algorithm the signature must be made with.
    pub algorithm: SignatureAlgorithm,
    /// SHA-256 of the signer's certificate.
    pub certificate_sha256: [u8; 32],
    /// Length of the original in bytes.
    pub original_bytes: u64,
    /// Name of the signature field.
    pub field_name: String,
    /// Page that carries the field's widget, from 1.
    pub page: u32,
    /// Where in `appended` the hexadecimal digits of `/Contents` start.
    pub(crate) contents_at: usize,
    /// Bytes of CMS that fit (half the number of digits).
    pub(crate) contents_bytes: usize,
}

impl Prepared {
    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Prepared`] when the bytes are cut, of another version, or disagree with themselves.
    pub fn from_bytes(_bytes: &[u8]) -> Result<Prepared, Error> {
        let _ = DigestAlgorithm::Sha256;
        todo!()
    }
}
