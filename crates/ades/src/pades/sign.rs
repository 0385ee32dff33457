//! Prepare and embed: the two verbs of a PAdES signature made with a key that is elsewhere.

use kyso_pki::algorithm::SignatureAlgorithm;

use super::{Mark, Prepared};
use crate::Error;

/// What a signature says besides the document.
#[derive(Debug, Clone)]
pub struct Options {
    /// The signer's certificate, DER. The signed attributes name it, so it cannot be changed afterwards.
    pub signer_certificate_der: Vec<u8>,
    /// The certificates above it, issuer first, DER. They only size the room for the CMS.
    pub chain_der: Vec<Vec<u8>>,
    /// The algorithm the key will be used with.
    pub algorithm: SignatureAlgorithm,
    /// When, in milliseconds since 1970-01-01 UTC; written to `/M` with the offset +07'00'.
    pub signed_at: i64,
    /// The field to fill or make; by default the first free `Signature1`, `Signature2`, …
    pub field_name: Option<String>,
    /// `/Reason`, shown by viewers.
    pub reason: Option<String>,
    /// `/Location`, shown by viewers.
    pub location: Option<String>,
    /// `/ContactInfo`, shown by viewers.
    pub contact: Option<String>,
    /// The visible mark; none makes an invisible signature.
    pub mark: Option<Mark>,
    /// Further bytes kept free in `/Contents`, for a time-stamp put in later. 0 for B-B.
    pub spare_bytes: usize,
}

impl Options {
    /// An invisible signature without reason, location or contact.
    pub fn new(
        signer_certificate_der: Vec<u8>,
        chain_der: Vec<Vec<u8>>,
        algorithm: SignatureAlgorithm,
        signed_at: i64,
    ) -> Options {
        Options {
            signer_certificate_der,
            chain_der,
            algorithm,
            signed_at,
            field_name: None,
            reason: None,
            location: None,
            contact: None,
            mark: None,
            spare_bytes: 0,
        }
    }
}

/// Lays out the increment and gives the digest to be signed.
///
/// # Errors
/// A refusal of the document (see [`super::inspect`]), of the field or of the mark.
pub fn prepare(_original: &[u8], _options: &Options) -> Result<Prepared, Error> {
    todo!()
}

/// Puts the finished signature into the increment: the signed file is the original followed by these bytes.
///
/// # Errors
/// [`Error::CertificateMismatch`], [`Error::SignatureMismatch`], [`Error::NoRoom`], [`Error::Prepared`].
pub fn embed(
    _prepared: &Prepared,
    _signer_certificate_der: &[u8],
    _chain_der: &[Vec<u8>],
    _signature: &[u8],
) -> Result<Vec<u8>, Error> {
    todo!()
}
