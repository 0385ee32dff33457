//! Public keys: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) as it was given, and what verifies under it.
//!
//! # Invariants
//! - An EC key's point is on its curve and uncompressed (RFC 5480 §2.2); compressed points are refused.
//! - An RSA modulus has exactly 2048, 3072 or 4096 bits. Whether it is a *good* modulus is [`crate::lint::lint_key`]'s
//!   business, since reading somebody's weak key must be possible, and issuing for it must not.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912;
use der::asn1::UintRef;
use der::pem::LineEnding;
use der::{Any, Decode, Sequence, Tag};

use crate::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use crate::limits::PUBLIC_KEY_OCTETS_MOST;
use crate::wire::{self, Reader, SEQUENCE};
use crate::{Error, Result};

const WHAT: &str = "public key";

/// A public key of a kind we know. Keeps its SubjectPublicKeyInfo octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    der: Vec<u8>,
    /// The content of the BIT STRING: RSAPublicKey, or the point.
    bits: Vec<u8>,
    algorithm: KeyAlgorithm,
}

/// RFC 3279 §2.2.3.
#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl PublicKey {
    /// Reads SubjectPublicKeyInfo. Unknown algorithms, sizes and curves are [`Error::Unsupported`].
    pub fn from_der(der: &[u8]) -> Result<PublicKey> {
        let mut reader = Reader::open(WHAT, der, SEQUENCE, PUBLIC_KEY_OCTETS_MOST)?;
        let identifier = reader.algorithm()?;
        let bits = reader.bits()?;
        reader.end()?;
        let algorithm = match identifier.oid {
            rfc5912::RSA_ENCRYPTION => {
                // RFC 3279 §2.3.1: the parameters field MUST be NULL.
                if !identifier.parameters.as_ref().is_some_and(Any::is_null) {
                    return Err(Error::malformed(WHAT));
                }
                rsa_algorithm(bits)?
            }
            rfc5912::ID_EC_PUBLIC_KEY => ec_algorithm(identifier.parameters.as_ref(), bits)?,
            other => {
                return Err(Error::Unsupported {
                    what: "key algorithm",
                    found: other.to_string(),
                });
            }
        };
        Ok(PublicKey {
            der: der.to_vec(),
            bits: bits.to_vec(),
            algorithm,
        })
    }

    /// From modulus and exponent, big-endian without sign: what PKCS#11 gives.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey> {
        let key = wire::sequence(&[&unsigned(modulus), &unsigned(exponent)]);
        let algorithm = wire::sequence(&[&wire::oid(rfc5912::RSA_ENCRYPTION), &[wire::NULL, 0]]);
        PublicKey::from_der(&wire::sequence(&[&algorithm, &wire::bit_string(&key)]))
    }

    /// From an uncompressed point `04 ‖ x ‖ y`: what PKCS#11 gives inside an OCTET STRING.
    pub fn from_point(algorithm: KeyAlgorithm, point: &[u8]) -> Result<PublicKey> {
        let curve = match algorithm {
            KeyAlgorithm::P256 => rfc5912::SECP_256_R_1,
            KeyAlgorithm::P384 => rfc5912::SECP_384_R_1,
            rsa => {
                return Err(Error::Unsupported {
                    what: "curve",
                    found: rsa.to_string(),
                });
            }
        };
        let identifier =
            wire::sequence(&[&wire::oid(rfc5912::ID_EC_PUBLIC_KEY), &wire::oid(curve)]);
        PublicKey::from_der(&wire::sequence(&[&identifier, &wire::bit_string(point)]))
    }

    /// SubjectPublicKeyInfo as given.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// `PUBLIC KEY` in PEM (RFC 7468 §13).
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &self.der)
            .expect("a short label and any octets make PEM")
    }

    /// Type and size.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// SHA-1 of the key's bits without tag, length and unused bits: RFC 5280 §4.2.1.2 (1), and OCSP's key hash.
    /// 20 octets. An identifier, not a protection.
    pub fn key_identifier(&self) -> Vec<u8> {
        digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.bits)
            .as_ref()
            .to_vec()
    }

    /// Verifies a signature over a message. ECDSA signatures are ECDSA-Sig-Value DER (RFC 3279 §2.2.3).
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        algorithm.check_fits(self.algorithm)?;
        UnparsedPublicKey::new(self.verification(algorithm), &self.bits)
            .verify(message, signature)
            .map_err(|_| Error::SignatureInvalid)
    }

    /// Verifies a signature over a digest made elsewhere, which must be of the algorithm's kind.
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<()> {
        algorithm.check_fits(self.algorithm)?;
        if digest.algorithm() != algorithm.digest_algorithm() {
            return Err(Error::DigestDiffers {
                expected: algorithm.digest_algorithm(),
                found: digest.algorithm(),
            });
        }
        UnparsedPublicKey::new(self.verification(algorithm), &self.bits)
            .verify_digest(&digest.aws()?, signature)
            .map_err(|_| Error::SignatureInvalid)
    }

    /// Modulus and exponent of an RSA key, big-endian without sign.
    pub fn rsa(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        if !self.algorithm.is_rsa() {
            return None;
        }
        let (modulus, exponent) = rsa_parts(&self.bits).ok()?;
        Some((modulus.to_vec(), exponent.to_vec()))
    }

    /// The uncompressed point `04 ‖ x ‖ y` of an EC key.
    pub fn point(&self) -> Option<Vec<u8>> {
        (!self.algorithm.is_rsa()).then(|| self.bits.clone())
    }

    /// r ‖ s of an ECDSA signature by this key in DER, each as long as the curve's field: as JOSE writes it (RFC 7518 §3.4).
    ///
    /// # Errors
    /// If `signature` is no ECDSA-Sig-Value (RFC 3279 §2.2.3) of this size.
    pub fn fixed_signature(&self, signature: &[u8]) -> Result<Vec<u8>> {
        let octets = self.algorithm.bits() / 8;
        let value =
            EcdsaSigValue::from_der(signature).map_err(Error::decoding("ECDSA signature"))?;
        let mut fixed = Vec::with_capacity(2 * octets);
        for part in [value.r, value.s] {
            let part = part.as_bytes();
            let zeros = octets
                .checked_sub(part.len())
                .ok_or(Error::SignatureInvalid)?;
            fixed.resize(fixed.len() + zeros, 0);
            fixed.extend(part);
        }
        Ok(fixed)
    }

    fn verification(&self, algorithm: SignatureAlgorithm) -> &'static dyn VerificationAlgorithm {
        use SignatureAlgorithm::*;
        let is_p384 = self.algorithm == KeyAlgorithm::P384;
        match algorithm {
            RsaPkcs1Sha256 => &aws::RSA_PKCS1_2048_8192_SHA256,
            RsaPkcs1Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
            RsaPkcs1Sha512 => &aws::RSA_PKCS1_2048_8192_SHA512,
            RsaPssSha256 => &aws::RSA_PSS_2048_8192_SHA256,
            RsaPssSha384 => &aws::RSA_PSS_2048_8192_SHA384,
            RsaPssSha512 => &aws::RSA_PSS_2048_8192_SHA512,
            EcdsaSha256 if is_p384 => &aws::ECDSA_P384_SHA256_ASN1,
            EcdsaSha256 => &aws::ECDSA_P256_SHA256_ASN1,
            EcdsaSha384 if is_p384 => &aws::ECDSA_P384_SHA384_ASN1,
            EcdsaSha384 => &aws::ECDSA_P256_SHA384_ASN1,
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.algorithm)
    }
}

/// Type from the modulus; the exponent must be odd and above 1, or no signature could be meant.
fn rsa_algorithm(bits: &[u8]) -> Result<KeyAlgorithm> {
    let (modulus, exponent) = rsa_parts(bits)?;
    let modulus_bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    if exponent.last().is_none_or(|last| last % 2 == 0) || exponent == [1] {
        return Err(Error::malformed(WHAT));
    }
    match modulus_bits {
        2048 => Ok(KeyAlgorithm::Rsa2048),
        3072 => Ok(KeyAlgorithm::Rsa3072),
        4096 => Ok(KeyAlgorithm::Rsa4096),
        other => Err(Error::Unsupported {
            what: "RSA modulus of bits",
            found: other.to_string(),
        }),
    }
}

fn rsa_parts(bits: &[u8]) -> Result<(&[u8], &[u8])> {
    let mut key = Reader::open(WHAT, bits, SEQUENCE, PUBLIC_KEY_OCTETS_MOST)?;
    let modulus = magnitude(key.integer()?)?;
    let exponent = magnitude(key.integer()?)?;
    key.end()?;
    Ok((modulus, exponent))
}

/// A positive INTEGER without its sign octet.
fn magnitude(content: &[u8]) -> Result<&[u8]> {
    match content {
        [] | [0] | [0x80..=0xff, ..] => Err(Error::malformed(WHAT)),
        [0, rest @ ..] => Ok(rest),
        all => Ok(all),
    }
}

fn ec_algorithm(parameters: Option<&Any>, point: &[u8]) -> Result<KeyAlgorithm> {
    let curve: ObjectIdentifier = parameters
        .filter(|parameters| parameters.header().tag() == Tag::ObjectIdentifier)
        .ok_or(Error::malformed(WHAT))?
        .decode_as()
        .map_err(Error::decoding(WHAT))?;
    let (algorithm, verification): (_, &'static dyn VerificationAlgorithm) = match curve {
        rfc5912::SECP_256_R_1 => (KeyAlgorithm::P256, &aws::ECDSA_P256_SHA256_ASN1),
        rfc5912::SECP_384_R_1 => (KeyAlgorithm::P384, &aws::ECDSA_P384_SHA384_ASN1),
        other => {
            return Err(Error::Unsupported {
                what: "curve",
                found: other.to_string(),
            });
        }
    };
    let is_uncompressed = point.len() == 1 + 2 * algorithm.bits() / 8 && point[0] == 4;
    // Parsing computes the curve's equation: a point off the curve is refused here.
    if is_uncompressed && UnparsedPublicKey::new(verification, point).parse().is_ok() {
        Ok(algorithm)
    } else {
        Err(Error::Unsupported {
            what: "point",
            found: "compressed or not on its curve".into(),
        })
    }
}

fn unsigned(octets: &[u8]) -> Vec<u8> {
    let skip = octets.iter().take_while(|octet| **octet == 0).count();
    let octets = &octets[skip.min(octets.len())..];
    let sign: &[u8] = match octets.first() {
        Some(first) if first & 0x80 == 0 => &[],
        _ => &[0],
    };
    wire::tlv(wire::INTEGER, &[sign, octets])
}
