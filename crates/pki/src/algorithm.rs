//! Key, digest and signature algorithms, their names and their identifiers.
//!
//! Only what today's rules for signatures allow (TS 119 312, Circular 15/2025 Annex I): RSA of 2048 bits and more,
//! P-256 and P-384, SHA-2. RFC 4055 (RSA, PSS), RFC 5758 (ECDSA), RFC 5754 (SHA-2 in CMS).

use std::fmt;
use std::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5912, rfc5912 as oid};
use der::asn1::Null;
use der::{Any, Decode, Encode, Sequence};
use spki::AlgorithmIdentifierOwned;

use crate::{Error, Result};

/// The type and size of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum KeyAlgorithm {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
}

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// A signature algorithm together with its digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum SignatureAlgorithm {
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    EcdsaSha256,
    EcdsaSha384,
}

/// A digest and the algorithm that made it; its length is always right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    value: Vec<u8>,
}

impl KeyAlgorithm {
    /// Every algorithm there is.
    pub const ALL: [KeyAlgorithm; 5] = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
    ];

    /// The name used in configuration, rows and the API: `rsa-2048`, `p-256` …
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyAlgorithm::Rsa2048 => "rsa-2048",
            KeyAlgorithm::Rsa3072 => "rsa-3072",
            KeyAlgorithm::Rsa4096 => "rsa-4096",
            KeyAlgorithm::P256 => "p-256",
            KeyAlgorithm::P384 => "p-384",
        }
    }

    /// Whether this is an RSA key.
    pub const fn is_rsa(self) -> bool {
        matches!(
            self,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096
        )
    }

    /// Bits of the modulus, or of the curve's field.
    pub const fn bits(self) -> usize {
        match self {
            KeyAlgorithm::Rsa2048 => 2048,
            KeyAlgorithm::Rsa3072 => 3072,
            KeyAlgorithm::Rsa4096 => 4096,
            KeyAlgorithm::P256 => 256,
            KeyAlgorithm::P384 => 384,
        }
    }

    /// The most octets a signature by such a key has: the modulus, or an ECDSA-Sig-Value in DER.
    pub const fn signature_octets_most(self) -> usize {
        match self {
            KeyAlgorithm::P256 => 72,
            KeyAlgorithm::P384 => 104,
            rsa => rsa.bits() / 8,
        }
    }
}

impl DigestAlgorithm {
    /// The name used in configuration, rows and the API: `sha-256` …
    pub const fn as_str(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha256 => "sha-256",
            DigestAlgorithm::Sha384 => "sha-384",
            DigestAlgorithm::Sha512 => "sha-512",
        }
    }

    /// Octets of a digest.
    pub const fn octets(self) -> usize {
        match self {
            DigestAlgorithm::Sha256 => 32,
            DigestAlgorithm::Sha384 => 48,
            DigestAlgorithm::Sha512 => 64,
        }
    }

    /// The object identifier.
    pub const fn oid(self) -> ObjectIdentifier {
        match self {
            DigestAlgorithm::Sha256 => rfc5912::ID_SHA_256,
            DigestAlgorithm::Sha384 => rfc5912::ID_SHA_384,
            DigestAlgorithm::Sha512 => rfc5912::ID_SHA_512,
        }
    }

    /// The identifier as CMS wants it: no parameters (RFC 5754 §2).
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned {
            oid: self.oid(),
            parameters: None,
        }
    }

    /// Reads an identifier; absent and NULL parameters mean the same (RFC 5754 §2).
    pub fn from_identifier(identifier: &AlgorithmIdentifierOwned) -> Result<DigestAlgorithm> {
        let algorithm = match identifier.oid {
            rfc5912::ID_SHA_256 => DigestAlgorithm::Sha256,
            rfc5912::ID_SHA_384 => DigestAlgorithm::Sha384,
            rfc5912::ID_SHA_512 => DigestAlgorithm::Sha512,
            other => return Err(unsupported("digest algorithm", other)),
        };
        match &identifier.parameters {
            None => Ok(algorithm),
            Some(parameters) if parameters.is_null() => Ok(algorithm),
            Some(_) => Err(Error::malformed("digest algorithm parameters")),
        }
    }

    pub(crate) fn aws(self) -> &'static aws_lc_rs::digest::Algorithm {
        match self {
            DigestAlgorithm::Sha256 => &aws_lc_rs::digest::SHA256,
            DigestAlgorithm::Sha384 => &aws_lc_rs::digest::SHA384,
            DigestAlgorithm::Sha512 => &aws_lc_rs::digest::SHA512,
        }
    }
}

impl SignatureAlgorithm {
    /// Every algorithm there is.
    pub const ALL: [SignatureAlgorithm; 8] = [
        SignatureAlgorithm::RsaPkcs1Sha256,
        SignatureAlgorithm::RsaPkcs1Sha384,
        SignatureAlgorithm::RsaPkcs1Sha512,
        SignatureAlgorithm::RsaPssSha256,
        SignatureAlgorithm::RsaPssSha384,
        SignatureAlgorithm::RsaPssSha512,
        SignatureAlgorithm::EcdsaSha256,
        SignatureAlgorithm::EcdsaSha384,
    ];

    /// What a key of this type signs with when nobody says otherwise: the digest matches the key's strength, and
    /// RSA is PKCS#1 v1.5, which every validator in use reads (PSS is chosen by name).
    pub const fn default_for(key: KeyAlgorithm) -> SignatureAlgorithm {
        match key {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 => SignatureAlgorithm::RsaPkcs1Sha256,
            KeyAlgorithm::Rsa4096 => SignatureAlgorithm::RsaPkcs1Sha384,
            KeyAlgorithm::P256 => SignatureAlgorithm::EcdsaSha256,
            KeyAlgorithm::P384 => SignatureAlgorithm::EcdsaSha384,
        }
    }

    /// The name used in configuration, rows and the API: `rsa-pkcs1-sha-256`, `rsa-pss-sha-256`, `ecdsa-sha-256` …
    pub const fn as_str(self) -> &'static str {
        match self {
            SignatureAlgorithm::RsaPkcs1Sha256 => "rsa-pkcs1-sha-256",
            SignatureAlgorithm::RsaPkcs1Sha384 => "rsa-pkcs1-sha-384",
            SignatureAlgorithm::RsaPkcs1Sha512 => "rsa-pkcs1-sha-512",
            SignatureAlgorithm::RsaPssSha256 => "rsa-pss-sha-256",
            SignatureAlgorithm::RsaPssSha384 => "rsa-pss-sha-384",
            SignatureAlgorithm::RsaPssSha512 => "rsa-pss-sha-512",
            SignatureAlgorithm::EcdsaSha256 => "ecdsa-sha-256",
            SignatureAlgorithm::EcdsaSha384 => "ecdsa-sha-384",
        }
    }

    /// The digest that is signed.
    pub const fn digest_algorithm(self) -> DigestAlgorithm {
        match self {
            SignatureAlgorithm::RsaPkcs1Sha256
            | SignatureAlgorithm::RsaPssSha256
            | SignatureAlgorithm::EcdsaSha256 => DigestAlgorithm::Sha256,
            SignatureAlgorithm::RsaPkcs1Sha384
            | SignatureAlgorithm::RsaPssSha384
            | SignatureAlgorithm::EcdsaSha384 => DigestAlgorithm::Sha384,
            SignatureAlgorithm::RsaPkcs1Sha512 | SignatureAlgorithm::RsaPssSha512 => {
                DigestAlgorithm::Sha512
            }
        }
    }

    /// Whether this is RSASSA-PSS.
    pub const fn is_pss(self) -> bool {
        matches!(
            self,
            SignatureAlgorithm::RsaPssSha256
                | SignatureAlgorithm::RsaPssSha384
                | SignatureAlgorithm::RsaPssSha512
        )
    }

    /// Whether this is ECDSA.
    pub const fn is_ecdsa(self) -> bool {
        matches!(
            self,
            SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::EcdsaSha384
        )
    }

    /// Whether a key of this type can make such a signature.
    pub const fn fits(self, key: KeyAlgorithm) -> bool {
        self.is_ecdsa() != key.is_rsa()
    }

    /// Refuses an algorithm that the key cannot produce.
    pub fn check_fits(self, key: KeyAlgorithm) -> Result<()> {
        if self.fits(key) {
            return Ok(());
        }
        Err(Error::KeyDoesNotFit {
            key,
            algorithm: self,
        })
    }

    /// The identifier as certificates, CRLs and OCSP responses carry it. PKCS#1 has NULL parameters (RFC 4055 §5),
    /// ECDSA none (RFC 5758 §3.2), PSS its digest, MGF1 with the same digest, and a salt as long as the digest.
    pub fn identifier(self) -> AlgorithmIdentifierOwned {
        let null = Some(Any::from(Null));
        let (oid, parameters) = match self {
            SignatureAlgorithm::RsaPkcs1Sha256 => (oid::SHA_256_WITH_RSA_ENCRYPTION, null),
            SignatureAlgorithm::RsaPkcs1Sha384 => (oid::SHA_384_WITH_RSA_ENCRYPTION, null),
            SignatureAlgorithm::RsaPkcs1Sha512 => (oid::SHA_512_WITH_RSA_ENCRYPTION, null),
            SignatureAlgorithm::EcdsaSha256 => (oid::ECDSA_WITH_SHA_256, None),
            SignatureAlgorithm::EcdsaSha384 => (oid::ECDSA_WITH_SHA_384, None),
            pss => (
                oid::ID_RSASSA_PSS,
                Some(pss_parameters(pss.digest_algorithm())),
            ),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }

    /// Reads an identifier. PSS is read only with one digest throughout and a salt of its length, as every
    /// profile asks (RFC 4055 §3.1): other shapes exist only in attacks.
    pub fn from_identifier(identifier: &AlgorithmIdentifierOwned) -> Result<SignatureAlgorithm> {
        let is_null_or_absent = identifier.parameters.as_ref().is_none_or(Any::is_null);
        let algorithm = match identifier.oid {
            oid::SHA_256_WITH_RSA_ENCRYPTION => SignatureAlgorithm::RsaPkcs1Sha256,
            oid::SHA_384_WITH_RSA_ENCRYPTION => SignatureAlgorithm::RsaPkcs1Sha384,
            oid::SHA_512_WITH_RSA_ENCRYPTION => SignatureAlgorithm::RsaPkcs1Sha512,
            oid::ECDSA_WITH_SHA_256 => SignatureAlgorithm::EcdsaSha256,
            oid::ECDSA_WITH_SHA_384 => SignatureAlgorithm::EcdsaSha384,
            oid::ID_RSASSA_PSS => return pss_from_parameters(identifier.parameters.as_ref()),
            other => return Err(unsupported("signature algorithm", other)),
        };
        if is_null_or_absent {
            return Ok(algorithm);
        }
        Err(Error::malformed("signature algorithm parameters"))
    }
}

impl Digest {
    /// The digest of these octets.
    pub fn of(algorithm: DigestAlgorithm, octets: &[u8]) -> Digest {
        let value = aws_lc_rs::digest::digest(algorithm.aws(), octets);
        Digest {
            algorithm,
            value: value.as_ref().to_vec(),
        }
    }

    /// The digest of these parts put one after the other: a document need not be copied to be digested.
    pub fn of_parts(algorithm: DigestAlgorithm, parts: &[&[u8]]) -> Digest {
        let mut context = aws_lc_rs::digest::Context::new(algorithm.aws());
        for part in parts {
            context.update(part);
        }
        Digest {
            algorithm,
            value: context.finish().as_ref().to_vec(),
        }
    }

    /// A digest that was made elsewhere. Its length must be that of the algorithm.
    pub fn new(algorithm: DigestAlgorithm, value: impl Into<Vec<u8>>) -> Result<Digest> {
        let value = value.into();
        if value.len() != algorithm.octets() {
            return Err(Error::DigestLength {
                algorithm,
                expected: algorithm.octets(),
                found: value.len(),
            });
        }
        Ok(Digest { algorithm, value })
    }

    /// The algorithm that made it.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The octets.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    pub(crate) fn aws(&self) -> Result<aws_lc_rs::digest::Digest> {
        aws_lc_rs::digest::Digest::import_less_safe(&self.value, self.algorithm.aws())
            .map_err(|_| Error::malformed("digest"))
    }
}

macro_rules! named {
    ($type:ty, $what:literal, $all:expr) => {
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                $all.into_iter()
                    .find(|one| one.as_str() == name)
                    .ok_or_else(|| Error::Unsupported {
                        what: $what,
                        // A name is configuration or an API value; cut so that no one can fill a log with it.
                        found: name.chars().take(40).collect(),
                    })
            }
        }
    };
}

named!(KeyAlgorithm, "key algorithm", KeyAlgorithm::ALL);
named!(
    DigestAlgorithm,
    "digest algorithm",
    [
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
        DigestAlgorithm::Sha512
    ]
);
named!(
    SignatureAlgorithm,
    "signature algorithm",
    SignatureAlgorithm::ALL
);

/// RSASSA-PSS-params, RFC 4055 §3.1. The defaults (SHA-1, 20) are never used, so every field is always there.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
struct PssParameters {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierOwned>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_octets: Option<u32>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u32>,
}

fn pss_parameters(digest: DigestAlgorithm) -> Any {
    // RFC 4055 §2.1: inside PSS parameters the hash has NULL parameters.
    let hash = AlgorithmIdentifierOwned {
        oid: digest.oid(),
        parameters: Some(Any::from(Null)),
    };
    let mask = AlgorithmIdentifierOwned {
        oid: oid::ID_MGF_1,
        parameters: Some(Any::encode_from(&hash).expect("an algorithm identifier encodes")),
    };
    let parameters = PssParameters {
        hash: Some(hash),
        mask: Some(mask),
        salt_octets: Some(digest.octets() as u32),
        trailer: None,
    };
    Any::encode_from(&parameters).expect("PSS parameters encode")
}

fn pss_from_parameters(parameters: Option<&Any>) -> Result<SignatureAlgorithm> {
    const WHAT: &str = "PSS parameters";
    let octets = parameters
        .ok_or(Error::malformed(WHAT))?
        .to_der()
        .map_err(Error::decoding(WHAT))?;
    let read = PssParameters::from_der(&octets).map_err(Error::decoding(WHAT))?;
    let hash = read.hash.as_ref().ok_or_else(|| sha_1(WHAT))?;
    let mask = read.mask.as_ref().ok_or_else(|| sha_1(WHAT))?;
    let digest = DigestAlgorithm::from_identifier(hash)?;
    let mask_digest = mask
        .parameters
        .as_ref()
        .ok_or(Error::malformed(WHAT))?
        .decode_as::<AlgorithmIdentifierOwned>()
        .map_err(Error::decoding(WHAT))?;
    let plain = mask.oid == oid::ID_MGF_1
        && DigestAlgorithm::from_identifier(&mask_digest)? == digest
        && read.salt_octets == Some(digest.octets() as u32)
        && read.trailer.is_none_or(|trailer| trailer == 1);
    if !plain {
        return Err(Error::Unsupported {
            what: WHAT,
            found: "other than one digest and its length of salt".into(),
        });
    }
    Ok(match digest {
        DigestAlgorithm::Sha256 => SignatureAlgorithm::RsaPssSha256,
        DigestAlgorithm::Sha384 => SignatureAlgorithm::RsaPssSha384,
        DigestAlgorithm::Sha512 => SignatureAlgorithm::RsaPssSha512,
    })
}

fn sha_1(what: &'static str) -> Error {
    Error::Unsupported {
        what,
        found: "sha-1".into(),
    }
}

fn unsupported(what: &'static str, found: ObjectIdentifier) -> Error {
    Error::Unsupported {
        what,
        found: found.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for one in KeyAlgorithm::ALL {
            assert_eq!(one.as_str().parse(), Ok(one));
        }
        for one in SignatureAlgorithm::ALL {
            assert_eq!(one.as_str().parse(), Ok(one));
        }
        assert!("rsa-1024".parse::<KeyAlgorithm>().is_err());
        assert!("sha-1".parse::<DigestAlgorithm>().is_err());
    }

    #[test]
    fn every_identifier_is_read_back() {
        for one in SignatureAlgorithm::ALL {
            assert_eq!(
                SignatureAlgorithm::from_identifier(&one.identifier()),
                Ok(one)
            );
        }
    }

    #[test]
    fn pss_with_defaults_or_a_mixed_digest_is_refused() {
        let mut identifier = SignatureAlgorithm::RsaPssSha256.identifier();
        let empty = PssParameters {
            hash: None,
            mask: None,
            salt_octets: None,
            trailer: None,
        };
        identifier.parameters = Some(Any::encode_from(&empty).unwrap());
        assert!(SignatureAlgorithm::from_identifier(&identifier).is_err());

        let mut mixed: PssParameters = pss_parameters(DigestAlgorithm::Sha256).decode_as().unwrap();
        mixed.salt_octets = Some(20);
        identifier.parameters = Some(Any::encode_from(&mixed).unwrap());
        assert!(SignatureAlgorithm::from_identifier(&identifier).is_err());
    }

    #[test]
    fn a_digest_of_the_wrong_length_is_refused() {
        assert_eq!(
            Digest::new(DigestAlgorithm::Sha256, vec![0; 20]),
            Err(Error::DigestLength {
                algorithm: DigestAlgorithm::Sha256,
                expected: 32,
                found: 20
            })
        );
    }

    #[test]
    fn ecdsa_does_not_fit_an_rsa_key() {
        assert!(
            SignatureAlgorithm::EcdsaSha256
                .check_fits(KeyAlgorithm::Rsa2048)
                .is_err()
        );
        assert!(
            SignatureAlgorithm::RsaPssSha256
                .check_fits(KeyAlgorithm::P256)
                .is_err()
        );
        for key in KeyAlgorithm::ALL {
            assert!(SignatureAlgorithm::default_for(key).fits(key));
        }
    }
}
