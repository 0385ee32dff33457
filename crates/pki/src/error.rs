//! What can be wrong with a structure, with the values that disagreed.

use crate::algorithm::{DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a structure was refused. Holds kinds, lengths and algorithm names only, so it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The octets are not the DER of the type named.
    #[error("{what} is not well-formed")]
    Malformed {
        /// The type that was expected.
        what: &'static str,
        /// What the decoder disliked, when it was the decoder.
        source: Option<der::Error>,
    },
    /// More octets than this type may have.
    #[error("{what} has {octets} octets, at most {most} are read")]
    TooLong {
        /// The type that was expected.
        what: &'static str,
        /// Octets found.
        octets: usize,
        /// Octets allowed.
        most: usize,
    },
    /// Structures nested deeper than any real one.
    #[error("{what} is nested deeper than {most} levels")]
    TooDeep {
        /// The type that was expected.
        what: &'static str,
        /// Levels allowed.
        most: usize,
    },
    /// More entries than this list may have.
    #[error("{what} has more than {most} entries")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Entries allowed.
        most: usize,
    },
    /// An algorithm, curve or key size outside the ones we know.
    #[error("{what} {found} is not supported")]
    Unsupported {
        /// Which field.
        what: &'static str,
        /// Its object identifier, name or size.
        found: String,
    },
    /// The algorithm stated outside the signed part is not the one inside (RFC 5280 §4.1.1.2).
    #[error("the algorithm inside {what} is not the one outside")]
    AlgorithmsDiffer {
        /// The structure.
        what: &'static str,
    },
    /// A signature algorithm that this kind of key cannot produce.
    #[error("{algorithm} does not fit a key of type {key}")]
    KeyDoesNotFit {
        /// The key's type.
        key: KeyAlgorithm,
        /// The signature algorithm asked for.
        algorithm: SignatureAlgorithm,
    },
    /// A digest whose length is not that of its algorithm.
    #[error("a {algorithm} digest has {expected} octets, not {found}")]
    DigestLength {
        /// The digest algorithm.
        algorithm: DigestAlgorithm,
        /// Octets it has.
        expected: usize,
        /// Octets given.
        found: usize,
    },
    /// A digest made with another algorithm than the signature names.
    #[error("the digest is {found}, the signature is over {expected}")]
    DigestDiffers {
        /// The algorithm the signature uses.
        expected: DigestAlgorithm,
        /// The algorithm of the digest given.
        found: DigestAlgorithm,
    },
    /// The content's digest is not the one that was signed.
    #[error("the content is not the one that was signed")]
    ContentDiffers,
    /// The signature does not verify under the key.
    #[error("the signature does not verify")]
    SignatureInvalid,
    /// The structure names another issuer than the certificate given.
    #[error("{what} was not issued by the certificate given: {field} differs")]
    NotTheIssuer {
        /// The structure.
        what: &'static str,
        /// The field that disagreed.
        field: &'static str,
    },
    /// A certificate used for what it was not made for.
    #[error("the certificate may not be used for {purpose}: {field}")]
    NotForThisPurpose {
        /// What it was used for.
        purpose: &'static str,
        /// The field that forbids it.
        field: &'static str,
    },
    /// Used outside its validity.
    #[error("{what} is not valid at {at}: valid from {from} until {until}")]
    NotValidAt {
        /// The structure.
        what: &'static str,
        /// The instant asked about, milliseconds since 1970.
        at: i64,
        /// Valid from, milliseconds since 1970.
        from: i64,
        /// Valid until, milliseconds since 1970.
        until: i64,
    },
    /// A field of something we are about to make has a value it may not have.
    #[error("{field} {rule}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The OCSP responder answered with an error (RFC 6960 §4.2.1).
    #[error("the responder answered {status}")]
    Responder {
        /// The status' name in RFC 6960.
        status: &'static str,
    },
}

impl Error {
    pub(crate) fn malformed(what: &'static str) -> Error {
        Error::Malformed { what, source: None }
    }

    /// For `map_err`: the decoder's complaint about the type named.
    pub(crate) fn decoding(what: &'static str) -> impl Fn(der::Error) -> Error {
        move |source| Error::Malformed {
            what,
            source: Some(source),
        }
    }
}
