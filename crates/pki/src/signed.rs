//! `SEQUENCE { what was signed, AlgorithmIdentifier, BIT STRING }`: the shape of a certificate, a CRL, a request and
//! a basic OCSP response (RFC 5280 §4.1.1). What was signed stays a slice of the octets that came.

use spki::AlgorithmIdentifierOwned;

use crate::algorithm::SignatureAlgorithm;
use crate::public_key::PublicKey;
use crate::wire::{self, Reader, SEQUENCE};
use crate::{Error, Result};

/// The three parts, and what follows them.
pub(crate) struct Signed<'a> {
    pub to_be_signed: &'a [u8],
    pub algorithm: AlgorithmIdentifierOwned,
    pub signature: &'a [u8],
    pub rest: Reader<'a>,
}

impl<'a> Signed<'a> {
    /// Reads the parts of an element whose limits were checked.
    pub fn read(mut reader: Reader<'a>) -> Result<Signed<'a>> {
        Ok(Signed {
            to_be_signed: reader.element(SEQUENCE)?.octets,
            algorithm: reader.algorithm()?,
            signature: reader.bits()?,
            rest: reader,
        })
    }
}

/// Verifies the signature over exactly these octets.
pub(crate) fn verify(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    to_be_signed: &[u8],
    signature: &[u8],
) -> Result<()> {
    let algorithm = SignatureAlgorithm::from_identifier(algorithm)?;
    key.verify(algorithm, to_be_signed, signature)
}

/// Puts the parts together; `rest` follows the signature.
pub(crate) fn join(
    to_be_signed: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
    rest: &[u8],
) -> Vec<u8> {
    wire::sequence(&[
        to_be_signed,
        &wire::encode(&algorithm.identifier()),
        &wire::bit_string(signature),
        rest,
    ])
}

/// "This field MUST contain the same algorithm identifier" inside and outside (RFC 5280 §4.1.1.2, §5.1.1.2).
pub(crate) fn check_same_algorithm(
    what: &'static str,
    inside: &AlgorithmIdentifierOwned,
    outside: &AlgorithmIdentifierOwned,
) -> Result<()> {
    if inside == outside {
        return Ok(());
    }
    Err(Error::AlgorithmsDiffer { what })
}
