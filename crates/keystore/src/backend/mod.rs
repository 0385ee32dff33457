//! Where keys live: in files under a master key, or in a PKCS#11 token.
//!
//! One private trait, [`Vault`], has two implementations; what is done with keys is written once above it. A vault
//! belongs to one thread (a PKCS#11 session is one); [`threads`] owns those threads and the queue in front of them.

pub(crate) mod files;
pub(crate) mod pkcs11;
mod rsa;
pub(crate) mod software;
pub(crate) mod threads;

use std::fmt;
use std::str::FromStr;

use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::public_key::PublicKey;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::row::WrappedKey;
use crate::service::{Role, ServiceKey};

/// Names a backend, in configuration and in every stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendName {
    /// Keys in files, wrapped under a master key file.
    Software,
    /// Keys in, or wrapped by, a PKCS#11 token.
    Pkcs11,
}

impl BackendName {
    /// The name as written in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            BackendName::Software => "software",
            BackendName::Pkcs11 => "pkcs11",
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text names no [`BackendName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a keystore backend")]
pub struct UnknownBackend;

impl FromStr for BackendName {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        match text {
            "software" => Ok(BackendName::Software),
            "pkcs11" => Ok(BackendName::Pkcs11),
            _ => Err(UnknownBackend),
        }
    }
}

/// One thread's way to the keys of a backend.
pub(crate) trait Vault {
    /// Names the internal keys, so that a row wrapped under others is told from a forged one.
    fn key_set(&self) -> [u8; 8];

    /// The public half of the key PINs are sealed to.
    fn approval_public_key(&self) -> Result<PublicKey>;

    /// Diffie-Hellman of the approval key with an uncompressed P-256 point.
    fn agree(&mut self, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault>;

    /// HMAC-SHA256 under an internal key.
    fn authenticate(&mut self, key: MacKey, message: &[u8]) -> Result<[u8; 32], Fault>;

    /// Makes a key pair and wraps it.
    fn generate(&mut self, algorithm: KeyAlgorithm) -> Result<WrappedKey, Fault>;

    /// Unwraps a key once and signs every digest, in order. ECDSA signatures are DER.
    fn sign_wrapped(
        &mut self,
        key: &WrappedKey,
        algorithm: SignatureAlgorithm,
        digests: &[Digest],
    ) -> Result<Vec<Vec<u8>>, Fault>;

    /// Makes a key of the institution under a label that is free.
    fn create_service(
        &mut self,
        role: Role,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<ServiceKey, Fault>;

    /// Finds a key of the institution.
    fn find_service(&mut self, label: &str) -> Result<Option<ServiceKey>, Fault>;

    /// Signs with a key of the institution. ECDSA signatures are DER.
    fn sign_service(
        &mut self,
        key: &ServiceKey,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
    ) -> Result<Vec<u8>, Fault>;

    /// Destroys a key of the institution.
    fn destroy_service(&mut self, key: &ServiceKey) -> Result<(), Fault>;

    /// A sign of life.
    fn probe(&mut self) -> Result<(), Fault>;
}

/// The two internal MAC keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MacKey {
    /// Authenticates rows and key files.
    Row,
    /// The pepper of PIN verifiers.
    Pin,
}

/// Why a vault did not answer: lost and worth one reconnection, or refused for good.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The session or the device is gone. Holds what the device said.
    Lost(String),
    /// Asking again would not help.
    Refused(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Refused(error)
    }
}

/// Random bytes from the operating system by way of AWS-LC.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Primitive {
        what: "the random generator",
    })?;
    Ok(bytes)
}

/// Labels go into file names and token objects: lower-case letters, digits, `-`, `_`, `.`, not starting with a dot.
pub(crate) fn check_label(label: &str) -> Result<()> {
    let is_usable = (1..=64).contains(&label.len())
        && !label.starts_with('.')
        && label.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)
        });
    if is_usable {
        Ok(())
    } else {
        Err(Error::LabelUnusable {
            label: label.chars().take(80).collect(),
        })
    }
}
