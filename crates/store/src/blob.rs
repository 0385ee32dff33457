//! Bytes under the SHA-256 they have, plain or sealed.
//!
//! A plain blob is a document, a certificate, a CRL. A sealed blob is evidence about a person: it is encrypted with
//! AES-256-GCM (NIST SP 800-38D) under a key of its own, derived with HKDF-SHA256 (RFC 5869) from the data key in a file and
//! 32 random bytes. A key per blob means that no nonce is ever used twice, however many blobs there are. The context (an id)
//! is authenticated, so a blob cannot be shown in another's place.
//!
//! Sealed form: `"ksb1"` ‖ 32 bytes salt ‖ ciphertext ‖ 16 bytes tag. It is stored as a blob like any other, so its id is
//! the digest of the sealed form: the same evidence twice is two blobs, and nobody can test a guess against an id.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac};

use crate::{Error, IdError, Result, Row, Store, Tx, Value};

const INSERT: &str = "-- store.blob.insert
INSERT INTO blob (id, bytes, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";

const READ: &str = "-- store.blob.read
SELECT bytes FROM blob WHERE id = $1";

const DELETE: &str = "-- store.blob.delete
DELETE FROM blob WHERE id = $1";

pub(crate) const STATEMENTS: &[&str] = &[INSERT, READ, DELETE];

/// SHA-256 of the bytes; its text is 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The id these bytes have.
    pub fn of(bytes: &[u8]) -> BlobId {
        let mut id = [0u8; 32];
        id.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        BlobId(id)
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Tx {
    /// Stores bytes under their SHA-256; storing the same bytes twice is one blob.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put_blob(&mut self, bytes: &[u8]) -> Result<BlobId> {
        let id = BlobId::of(bytes);
        self.execute(INSERT, &[id.into(), bytes.into(), self.now().into()])
            .await?;
        Ok(id)
    }

    /// The bytes of a blob, checked against its digest.
    ///
    /// # Errors
    /// [`Error::BlobMissing`], [`Error::BlobDamaged`].
    pub async fn read_blob(&mut self, id: &BlobId) -> Result<Vec<u8>> {
        checked(id, self.optional(READ, &[id.into()]).await?)
    }

    /// Removes a blob when the law wants it gone; whether anything still refers to it is the caller's knowledge.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_blob(&mut self, id: &BlobId) -> Result<()> {
        self.execute(DELETE, &[id.into()]).await.map(drop)
    }
}

impl Store {
    /// The bytes of a blob, checked against its digest.
    ///
    /// # Errors
    /// [`Error::BlobMissing`], [`Error::BlobDamaged`].
    pub async fn read_blob(&self, id: &BlobId) -> Result<Vec<u8>> {
        checked(id, self.optional(READ, &[id.into()]).await?)
    }
}

/// Blobs that only a holder of the data key can read: evidence.
#[derive(Clone)]
pub struct SealedBlobs {
    data_key: Arc<hkdf::Prk>,
}

impl SealedBlobs {
    /// Reads the data key file (32 bytes, mode 0600, ours), or makes one if there is none.
    ///
    /// # Errors
    /// [`Error::DataKey`] if others may read it, it is not ours, or it is no key; [`Error::File`].
    pub fn open(key_file: &Path) -> Result<SealedBlobs> {
        let file_error = |what: &str| {
            let what = what.to_owned();
            move |source| Error::File { what, source }
        };
        let mut key = [0u8; 32];
        match std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(key_file)
        {
            Ok(mut file) => {
                aws_lc_rs::rand::fill(&mut key)
                    .expect("invariant: the system's random generator answers");
                file.write_all(&key)
                    .and_then(|()| file.sync_all())
                    .map_err(file_error("the data key cannot be written"))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let about = std::fs::metadata(key_file)
                    .map_err(file_error("the data key cannot be read"))?;
                let ours =
                    std::fs::metadata("/proc/self").map_or(about.uid(), |process| process.uid());
                if about.mode() & 0o077 != 0 {
                    return Err(Error::DataKey {
                        reason: format!(
                            "{} has mode {:04o}, which lets others in; chmod 600",
                            key_file.display(),
                            about.mode() & 0o777
                        ),
                    });
                }
                if about.uid() != ours {
                    return Err(Error::DataKey {
                        reason: format!(
                            "{} is owned by user {}, we are {ours}",
                            key_file.display(),
                            about.uid()
                        ),
                    });
                }
                let bytes =
                    std::fs::read(key_file).map_err(file_error("the data key cannot be read"))?;
                key = bytes.try_into().map_err(|bytes: Vec<u8>| Error::DataKey {
                    reason: format!("{} has {} bytes, want 32", key_file.display(), bytes.len()),
                })?;
            }
            Err(source) => {
                return Err(Error::File {
                    what: "the data key cannot be created".to_owned(),
                    source,
                });
            }
        }
        Ok(SealedBlobs {
            data_key: Arc::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &key)),
        })
    }

    /// What tells this data key from another and says nothing about it: 32 octets that HKDF derives for this alone.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut print = [0u8; 32];
        self.data_key
            .expand(&[b"kyso.data-key-fingerprint.v1"], &AES_256_GCM)
            .and_then(|expanded| expanded.fill(&mut print))
            .expect("invariant: 32 bytes are less than HKDF's 255 blocks");
        print
    }

    /// Seals and stores. `context` (an id) must be given again to read.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put(&self, tx: &mut Tx, context: &str, bytes: &[u8]) -> Result<BlobId> {
        tx.put_blob(&self.seal(context, bytes)).await
    }

    /// Reads and opens.
    ///
    /// # Errors
    /// [`Error::BlobSealed`] with another key or context, or if it was edited; [`Error::BlobMissing`].
    pub async fn read(&self, store: &Store, context: &str, id: &BlobId) -> Result<Vec<u8>> {
        self.unseal(context, store.read_blob(id).await?)
            .ok_or(Error::BlobSealed { id: id.to_string() })
    }

    /// A name for `text` that only a holder of the data key can compute: the same text has the same one, so it can be unique in
    /// a table that is no list of what it stands for. `kind` keeps names of different things apart. HMAC-SHA256 under
    /// a key derived for that kind.
    pub fn pseudonym(&self, kind: &str, text: &str) -> [u8; 32] {
        let info = [b"kyso.pseudonym.v1\0", kind.as_bytes()];
        let key: hmac::Key = self
            .data_key
            .expand(&info, hmac::HMAC_SHA256)
            .expect("invariant: 32 bytes are less than HKDF's 255 blocks")
            .into();
        let mut name = [0; 32];
        name.copy_from_slice(hmac::sign(&key, text.as_bytes()).as_ref());
        name
    }

    fn seal(&self, context: &str, bytes: &[u8]) -> Vec<u8> {
        let mut salt = [0u8; SALT];
        aws_lc_rs::rand::fill(&mut salt).expect("invariant: the system's random generator answers");
        let mut sealed =
            Vec::with_capacity(MAGIC.len() + SALT + bytes.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(bytes);
        let tag = self
            .key(&salt)
            .seal_in_place_separate_tag(
                nonce(),
                Aad::from(context),
                &mut sealed[MAGIC.len() + SALT..],
            )
            .expect("invariant: AES-GCM seals up to 64 GB");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    fn unseal(&self, context: &str, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let salt: [u8; SALT] = sealed.strip_prefix(MAGIC)?.first_chunk()?.to_owned();
        let length = self
            .key(&salt)
            .open_in_place(
                nonce(),
                Aad::from(context),
                &mut sealed[MAGIC.len() + SALT..],
            )
            .ok()?
            .len();
        sealed.drain(..MAGIC.len() + SALT);
        sealed.truncate(length);
        Some(sealed)
    }

    /// The key of one blob.
    fn key(&self, salt: &[u8; SALT]) -> LessSafeKey {
        let mut key = [0u8; 32];
        self.data_key
            .expand(&[b"kyso.blob.v1", salt], &AES_256_GCM)
            .and_then(|expanded| expanded.fill(&mut key))
            .expect("invariant: 32 bytes are less than HKDF's 255 blocks");
        LessSafeKey::new(
            UnboundKey::new(&AES_256_GCM, &key).expect("invariant: 32 bytes are an AES-256 key"),
        )
    }
}

impl std::fmt::Debug for SealedBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedBlobs")
    }
}

const MAGIC: &[u8] = b"ksb1";
const SALT: usize = 32;

/// Every key seals once, so its one nonce is zero.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn checked(id: &BlobId, row: Option<Row>) -> Result<Vec<u8>> {
    let bytes = row
        .ok_or_else(|| Error::BlobMissing { id: id.to_string() })?
        .bytes("bytes")?;
    if BlobId::of(&bytes) != *id {
        return Err(Error::BlobDamaged { id: id.to_string() });
    }
    Ok(bytes)
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for BlobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<BlobId, IdError> {
        let mut id = [0u8; 32];
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut id) {
            Ok(()) if lower => Ok(BlobId(id)),
            _ => Err(IdError { prefix: "blob" }),
        }
    }
}

impl From<BlobId> for Value {
    fn from(id: BlobId) -> Value {
        Value::Text(id.to_string())
    }
}

impl From<&BlobId> for Value {
    fn from(id: &BlobId) -> Value {
        Value::Text(id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(byte: u8) -> SealedBlobs {
        SealedBlobs {
            data_key: Arc::new(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &[byte; 32])),
        }
    }

    #[test]
    fn a_pseudonym_depends_on_key_kind_and_text_and_on_nothing_else() {
        let name = with_key(1).pseudonym("officer", "079200000001");
        assert_eq!(name, with_key(1).pseudonym("officer", "079200000001"));
        for other in [
            with_key(2).pseudonym("officer", "079200000001"),
            with_key(1).pseudonym("citizen", "079200000001"),
            with_key(1).pseudonym("officer", "079200000002"),
        ] {
            assert_ne!(name, other);
        }
    }

    #[test]
    fn a_sealed_blob_opens_with_its_key_and_context_only() {
        let sealed = with_key(1).seal("enrolment_1", b"evidence");
        assert_eq!(
            with_key(1).unseal("enrolment_1", sealed.clone()).unwrap(),
            b"evidence"
        );
        assert_eq!(with_key(1).unseal("enrolment_2", sealed.clone()), None);
        assert_eq!(with_key(2).unseal("enrolment_1", sealed.clone()), None);
        for at in 0..sealed.len() {
            let mut edited = sealed.clone();
            edited[at] ^= 1;
            assert_eq!(with_key(1).unseal("enrolment_1", edited), None, "byte {at}");
            assert_eq!(
                with_key(1).unseal("enrolment_1", sealed[..at].to_vec()),
                None,
                "length {at}"
            );
        }
    }

    #[test]
    fn sealing_the_same_twice_gives_different_bytes() {
        assert_ne!(
            with_key(1).seal("a", b"same"),
            with_key(1).seal("a", b"same")
        );
        assert_eq!(
            with_key(1).unseal("a", with_key(1).seal("a", b"")).unwrap(),
            b""
        );
    }

    #[test]
    fn a_blob_id_has_one_text() {
        let id = BlobId::of(b"abc");
        assert_eq!(
            id.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<BlobId>().is_err());
        assert!("ba78".parse::<BlobId>().is_err());
    }
}
