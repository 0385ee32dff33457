//! Keys in files, wrapped under a master key (RFC 5649), used by AWS-LC in this process.
//!
//! ```text
//! <directory>/master.key            32 random octets, mode 0600: wraps everything else
//! <directory>/approval.key          the key PINs are sealed to, wrapped
//! <directory>/service-<label>.key   a key of the institution, wrapped
//! ```
//!
//! From the master key HKDF-SHA256 (RFC 5869) derives the wrapping key, the row key, the PIN pepper and the key set's
//! name, so that one file is the whole secret: copy it to a safe, and to every worker.
//!
//! Invariants: a master key is made only in a folder without keys, else an unmounted disk would make a second one; a key
//! file is authenticated with its name, so files cannot be swapped.
//!
//! # Known issues
//! Whoever reads this process's memory reads keys. That is what the PKCS#11 backend is for.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac;
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair, RsaKeyPair,
};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::public_key::PublicKey;
use zeroize::{Zeroize, Zeroizing};

use crate::activation::hpke;
use crate::backend::rsa::RsaPrivateKey;
use crate::backend::threads::Opener;
use crate::backend::{BackendName, Fault, MacKey, Vault, files, random};
use crate::error::{Error, Result};
use crate::row::{Reader, WrappedKey, Writer, algorithm_code, algorithm_of};
use crate::service::{Role, ServiceKey};

const MASTER_BYTES: usize = 32;
const FILE_MAGIC: &[u8; 4] = b"KSK1";
const FILE_DOMAIN: &[u8] = b"kyso.file.v1\0";
/// In place of a role in `approval.key`.
const APPROVAL_ROLE: u8 = 0;
const MAC_BYTES: usize = 32;

/// The software backend, shared by its threads.
pub(crate) struct Software {
    directory: PathBuf,
    wrapping_key: Zeroizing<[u8; 32]>,
    row_key: hmac::Key,
    pin_key: hmac::Key,
    key_set: [u8; 8],
    approval: PrivateKey,
    approval_public_key: PublicKey,
    /// Keys of the institution, unwrapped at first use and kept: they sign all day.
    services: RwLock<HashMap<String, Arc<Resident>>>,
}

struct Resident {
    name: ServiceKey,
    private: Private,
}

enum Private {
    Rsa(RsaPrivateKey),
    Ecdsa(EcdsaKeyPair),
}

impl Software {
    /// Opens the folder, making the master and approval keys if it holds no keys at all.
    pub(crate) fn open(directory: &Path) -> Result<Arc<Self>> {
        files::prepare_directory(directory)?;
        let master = open_master(directory)?;
        let root = Salt::new(HKDF_SHA256, b"kyso.master.v1").extract(&master);
        let row_key = hmac::Key::new(hmac::HMAC_SHA256, &*derive(&root, b"row")?);
        let key_set = derive(&root, b"key set")?[..8]
            .try_into()
            .expect("eight octets of thirty-two");
        let wrapping_key = derive(&root, b"wrap")?;
        let approval = open_approval(directory, &wrapping_key, &row_key, key_set)?;
        let point = approval
            .compute_public_key()
            .map_err(|_| primitive("the approval key"))?;
        Ok(Arc::new(Self {
            directory: directory.to_owned(),
            wrapping_key,
            row_key,
            pin_key: hmac::Key::new(hmac::HMAC_SHA256, &*derive(&root, b"pin")?),
            key_set,
            approval_public_key: public_key_of_point(KeyAlgorithm::P256, point.as_ref())?,
            approval,
            services: RwLock::default(),
        }))
    }

    fn service_path(&self, label: &str) -> PathBuf {
        self.directory.join(format!("service-{label}.key"))
    }

    fn resident(&self, label: &str) -> Result<Option<Arc<Resident>>> {
        if let Some(resident) = self
            .services
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(label)
        {
            return Ok(Some(Arc::clone(resident)));
        }
        let path = self.service_path(label);
        let Some(bytes) = files::read_secret(&path)? else {
            return Ok(None);
        };
        let (role_code, key) = read_key_file(&path, &bytes, &self.row_key, self.key_set)?;
        let role = role_of(role_code).ok_or_else(|| damaged(&path))?;
        let private = self.unwrap(&key)?;
        let name = ServiceKey {
            role,
            label: label.to_owned(),
            algorithm: key.algorithm,
            backend: BackendName::Software,
            public_key: key.public_key,
        };
        let resident = Arc::new(Resident { name, private });
        let mut services = self
            .services
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        services.insert(label.to_owned(), Arc::clone(&resident));
        Ok(Some(resident))
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Private> {
        let pkcs8 = unwrap(&self.wrapping_key, &key.wrapped)?;
        let private = match signing_curve(key.algorithm) {
            None => RsaPrivateKey::from_authentic_pkcs8(&pkcs8).map(Private::Rsa),
            Some(curve) => EcdsaKeyPair::from_pkcs8(curve, &pkcs8)
                .ok()
                .map(Private::Ecdsa),
        };
        private.ok_or(primitive("a wrapped key"))
    }
}

impl Opener for Arc<Software> {
    fn open(&self) -> Result<Box<dyn Vault>> {
        Ok(Box::new(Arc::clone(self)))
    }
}

impl Vault for Arc<Software> {
    fn key_set(&self) -> [u8; 8] {
        self.key_set
    }

    fn approval_public_key(&self) -> Result<PublicKey> {
        Ok(self.approval_public_key.clone())
    }

    fn agree(&mut self, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
        hpke::diffie_hellman(&self.approval, peer).map_err(|_| Error::PinUnreadable.into())
    }

    fn authenticate(&mut self, key: MacKey, message: &[u8]) -> Result<[u8; 32], Fault> {
        let key = match key {
            MacKey::Row => &self.row_key,
            MacKey::Pin => &self.pin_key,
        };
        Ok(mac(key, message))
    }

    fn generate(&mut self, algorithm: KeyAlgorithm) -> Result<WrappedKey, Fault> {
        let (pkcs8, public_key) = generate(algorithm)?;
        let wrapped = wrap(&self.wrapping_key, &pkcs8)?;
        Ok(WrappedKey {
            backend: BackendName::Software,
            algorithm,
            key_set: self.key_set,
            public_key,
            wrapped,
        })
    }

    fn sign_wrapped(
        &mut self,
        key: &WrappedKey,
        algorithm: SignatureAlgorithm,
        digests: &[Digest],
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let private = self.unwrap(key)?;
        digests
            .iter()
            .map(|digest| Ok(private.sign(algorithm, digest)?))
            .collect()
    }

    fn create_service(
        &mut self,
        role: Role,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<ServiceKey, Fault> {
        let path = self.service_path(label);
        if self.resident(label)?.is_some() {
            return Err(Error::LabelTaken {
                label: label.to_owned(),
            }
            .into());
        }
        let key = self.generate(algorithm)?;
        let bytes = key_file(&path, role_code(role), &key, &self.row_key);
        if !files::write_secret(&path, &bytes)? {
            return Err(Error::LabelTaken {
                label: label.to_owned(),
            }
            .into());
        }
        let resident = self.resident(label)?.ok_or_else(|| damaged(&path))?;
        Ok(resident.name.clone())
    }

    fn find_service(&mut self, label: &str) -> Result<Option<ServiceKey>, Fault> {
        Ok(self.resident(label)?.map(|resident| resident.name.clone()))
    }

    fn sign_service(
        &mut self,
        key: &ServiceKey,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
    ) -> Result<Vec<u8>, Fault> {
        let resident = self
            .resident(&key.label)?
            .ok_or_else(|| Error::NoSuchService {
                label: key.label.clone(),
            })?;
        if resident.name != *key {
            return Err(Error::NoSuchService {
                label: key.label.clone(),
            }
            .into());
        }
        Ok(resident.private.sign(algorithm, digest)?)
    }

    fn destroy_service(&mut self, key: &ServiceKey) -> Result<(), Fault> {
        let mut services = self
            .services
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        services.remove(&key.label);
        Ok(files::destroy_secret(&self.service_path(&key.label))?)
    }

    fn probe(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

impl Private {
    fn sign(&self, algorithm: SignatureAlgorithm, digest: &Digest) -> Result<Vec<u8>> {
        match self {
            Private::Rsa(key) => key
                .sign(algorithm, digest)
                .ok_or(primitive("an RSA signature")),
            Private::Ecdsa(pair) => {
                digest::Digest::import_less_safe(digest.value(), digest_of(digest.algorithm()))
                    .and_then(|digest| pair.sign_digest(&digest))
                    .map(|signature| signature.as_ref().to_vec())
                    .map_err(|_| primitive("an ECDSA signature"))
            }
        }
    }
}

/// Reads the master key, or makes one in a folder that holds no keys.
fn open_master(directory: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let path = directory.join("master.key");
    if let Some(master) = read_master(&path)? {
        return Ok(master);
    }
    let entries = fs::read_dir(directory).map_err(|error| Error::KeyFile {
        path: directory.display().to_string(),
        reason: error.kind().to_string(),
    })?;
    let has_keys = entries
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().ends_with(".key"));
    // Another process may have made it between the two looks; only a folder that still has none is odd.
    if has_keys && !path.exists() {
        return Err(Error::Setup {
            reason: format!(
                "{} holds keys but no master.key: put back the master key they were made under",
                directory.display()
            ),
        });
    }
    let mut fresh: [u8; MASTER_BYTES] = random()?;
    files::write_secret(&path, &fresh)?;
    fresh.zeroize();
    read_master(&path)?.ok_or_else(|| damaged(&path))
}

fn read_master(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    match files::read_secret(path)? {
        Some(master) if master.len() != MASTER_BYTES => Err(damaged(path)),
        other => Ok(other),
    }
}

fn open_approval(
    directory: &Path,
    wrapping_key: &[u8; 32],
    row_key: &hmac::Key,
    key_set: [u8; 8],
) -> Result<PrivateKey> {
    let path = directory.join("approval.key");
    if files::read_secret(&path)?.is_none() {
        let fresh = PrivateKey::generate(&ECDH_P256).map_err(|_| primitive("key generation"))?;
        let point = fresh
            .compute_public_key()
            .map_err(|_| primitive("the approval key"))?;
        let scalar: EcPrivateKeyBin<'_> = fresh
            .as_be_bytes()
            .map_err(|_| primitive("the approval key"))?;
        let key = WrappedKey {
            backend: BackendName::Software,
            algorithm: KeyAlgorithm::P256,
            key_set,
            public_key: public_key_of_point(KeyAlgorithm::P256, point.as_ref())?,
            wrapped: wrap(wrapping_key, scalar.as_ref())?,
        };
        files::write_secret(&path, &key_file(&path, APPROVAL_ROLE, &key, row_key))?;
    }
    let bytes = files::read_secret(&path)?.ok_or_else(|| damaged(&path))?;
    let (role_code, key) = read_key_file(&path, &bytes, row_key, key_set)?;
    if role_code != APPROVAL_ROLE {
        return Err(damaged(&path));
    }
    let scalar = unwrap(wrapping_key, &key.wrapped)?;
    PrivateKey::from_private_key(&ECDH_P256, &scalar).map_err(|_| damaged(&path))
}

fn key_file(path: &Path, role_code: u8, key: &WrappedKey, row_key: &hmac::Key) -> Vec<u8> {
    let mut writer = Writer(FILE_MAGIC.to_vec());
    writer.fixed(&[role_code, algorithm_code(key.algorithm)]);
    writer.fixed(&key.key_set);
    writer.variable(key.public_key.as_der());
    writer.variable(&key.wrapped);
    let tag = mac(
        row_key,
        &[FILE_DOMAIN, file_name(path).as_bytes(), b"\0", &writer.0].concat(),
    );
    writer.fixed(&tag);
    writer.0
}

fn read_key_file(
    path: &Path,
    bytes: &[u8],
    row_key: &hmac::Key,
    key_set: [u8; 8],
) -> Result<(u8, WrappedKey)> {
    let body = bytes
        .len()
        .checked_sub(MAC_BYTES)
        .ok_or_else(|| damaged(path))?;
    let expected = mac(
        row_key,
        &[
            FILE_DOMAIN,
            file_name(path).as_bytes(),
            b"\0",
            &bytes[..body],
        ]
        .concat(),
    );
    verify_slices_are_equal(&expected, &bytes[body..]).map_err(|_| damaged(path))?;
    let read = || {
        let mut reader = Reader::new(bytes, FILE_MAGIC)?;
        let role_code = reader.byte()?;
        let algorithm = algorithm_of(reader.byte()?)?;
        let found_set: [u8; 8] = reader.fixed()?;
        let public_key = reader.public_key(algorithm)?;
        let wrapped = reader.variable()?.to_vec();
        let key = WrappedKey {
            backend: BackendName::Software,
            algorithm,
            key_set,
            public_key,
            wrapped,
        };
        (reader.is_done() && found_set == key_set).then_some((role_code, key))
    };
    read().ok_or_else(|| damaged(path))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn generate(algorithm: KeyAlgorithm) -> Result<(Zeroizing<Vec<u8>>, PublicKey)> {
    let refused = |_| primitive("key generation");
    if let Some(curve) = signing_curve(algorithm) {
        let pair = EcdsaKeyPair::generate(curve).map_err(refused)?;
        let pkcs8 = Zeroizing::new(pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec());
        return Ok((
            pkcs8,
            public_key_of_point(algorithm, pair.public_key().as_ref())?,
        ));
    }
    let size = match algorithm {
        KeyAlgorithm::Rsa3072 => KeySize::Rsa3072,
        KeyAlgorithm::Rsa4096 => KeySize::Rsa4096,
        _ => KeySize::Rsa2048,
    };
    let pair = RsaKeyPair::generate(size).map_err(refused)?;
    let pkcs8 = Zeroizing::new(pair.as_der().map_err(refused)?.as_ref().to_vec());
    let spki = pair.public_key().as_der().map_err(refused)?;
    let public_key = PublicKey::from_der(spki.as_ref()).map_err(|_| primitive("key generation"))?;
    Ok((pkcs8, public_key))
}

fn wrap(wrapping_key: &[u8; 32], plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut output = vec![0; plaintext.len() + 15];
    let length = AesKek::new(&AES_256, wrapping_key)
        .and_then(|key| {
            key.wrap_with_padding(plaintext, &mut output)
                .map(|wrapped| wrapped.len())
        })
        .map_err(|_| primitive("wrapping a key"))?;
    output.truncate(length);
    Ok(output)
}

fn unwrap(wrapping_key: &[u8; 32], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut output = Zeroizing::new(vec![0; wrapped.len()]);
    let length = AesKek::new(&AES_256, wrapping_key)
        .and_then(|key| {
            key.unwrap_with_padding(wrapped, &mut output)
                .map(|plaintext| plaintext.len())
        })
        .map_err(|_| primitive("unwrapping a key"))?;
    output.truncate(length);
    Ok(output)
}

struct Octets32;

impl KeyType for Octets32 {
    fn len(&self) -> usize {
        32
    }
}

fn derive(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    root.expand(&[purpose], Octets32)
        .and_then(|material| material.fill(key.as_mut()))
        .map_err(|_| primitive("key derivation"))?;
    Ok(key)
}

fn mac(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    hmac::sign(key, message)
        .as_ref()
        .try_into()
        .expect("HMAC-SHA256 has 32 octets")
}

fn public_key_of_point(algorithm: KeyAlgorithm, point: &[u8]) -> Result<PublicKey> {
    PublicKey::from_point(algorithm, point).map_err(|_| primitive("a public key"))
}

fn signing_curve(algorithm: KeyAlgorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        KeyAlgorithm::P256 => Some(&ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::P384 => Some(&ECDSA_P384_SHA384_ASN1_SIGNING),
        _ => None,
    }
}

fn digest_of(algorithm: DigestAlgorithm) -> &'static digest::Algorithm {
    match algorithm {
        DigestAlgorithm::Sha256 => &digest::SHA256,
        DigestAlgorithm::Sha384 => &digest::SHA384,
        DigestAlgorithm::Sha512 => &digest::SHA512,
    }
}

fn role_code(role: Role) -> u8 {
    Role::ALL
        .iter()
        .position(|known| *known == role)
        .map_or(0, |place| place as u8 + 1)
}

fn role_of(code: u8) -> Option<Role> {
    Role::ALL.get(usize::from(code).checked_sub(1)?).copied()
}

fn primitive(what: &'static str) -> Error {
    Error::Primitive { what }
}

fn damaged(path: &Path) -> Error {
    Error::KeyFile {
        path: path.display().to_string(),
        reason: "damaged, or made under another master key".to_owned(),
    }
}
