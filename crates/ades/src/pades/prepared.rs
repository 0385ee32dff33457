//! A prepared signature: everything [`super::embed`] needs besides the signature itself, and how it is kept between
//! the two steps.
//!
//! The stored form is `kyso.prepared.1` and a line feed, then the fields in the order of the struct: integers of 64
//! bits big-endian, everything else after its length as such an integer. Parsing is bounded by the input's own length
//! and refuses anything left over.

use kyso_pki::algorithm::{Digest, SignatureAlgorithm};

use crate::Error;

const MAGIC: &[u8] = b"kyso.prepared.1\n";

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
    /// Page that carries the field's widget, from 1; 0 when an existing field is on no page.
    pub page: u32,
    /// Where in `appended` the hexadecimal digits of `/Contents` start.
    pub(crate) contents_at: usize,
    /// Bytes of CMS that fit (half the number of digits).
    pub(crate) contents_bytes: usize,
}

impl Prepared {
    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut field = |bytes: &[u8]| {
            out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            out.extend_from_slice(bytes);
        };
        field(&self.appended);
        field(&self.signed_attributes);
        field(self.digest.value());
        field(self.content_digest.value());
        field(self.algorithm.as_str().as_bytes());
        field(&self.certificate_sha256);
        field(self.field_name.as_bytes());
        for integer in [
            self.original_bytes,
            u64::from(self.page),
            self.contents_at as u64,
            self.contents_bytes as u64,
        ] {
            out.extend_from_slice(&integer.to_be_bytes());
        }
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Error::Prepared`] when the bytes are cut, of another version, or disagree with themselves.
    pub fn from_bytes(bytes: &[u8]) -> Result<Prepared, Error> {
        let mut rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(damaged("not a preparation of version 1"))?;
        let appended = field(&mut rest)?.to_vec();
        let signed_attributes = field(&mut rest)?.to_vec();
        let digest = field(&mut rest)?;
        let content_digest = field(&mut rest)?;
        let algorithm: SignatureAlgorithm = text(field(&mut rest)?)?
            .parse()
            .map_err(|_| damaged("unknown algorithm"))?;
        let certificate_sha256 = field(&mut rest)?
            .try_into()
            .map_err(|_| damaged("certificate digest of another length"))?;
        let field_name = text(field(&mut rest)?)?.to_owned();
        let original_bytes = integer(&mut rest)?;
        let page = u32::try_from(integer(&mut rest)?).map_err(|_| damaged("page out of range"))?;
        let contents_at =
            usize::try_from(integer(&mut rest)?).map_err(|_| damaged("offset out of range"))?;
        let contents_bytes =
            usize::try_from(integer(&mut rest)?).map_err(|_| damaged("length out of range"))?;
        if !rest.is_empty() {
            return Err(damaged("bytes left over"));
        }
        let digest_of = |value: &[u8]| {
            Digest::new(algorithm.digest_algorithm(), value)
                .map_err(|_| damaged("digest of another length"))
        };
        let prepared = Prepared {
            digest: digest_of(digest)?,
            content_digest: digest_of(content_digest)?,
            appended,
            signed_attributes,
            algorithm,
            certificate_sha256,
            original_bytes,
            field_name,
            page,
            contents_at,
            contents_bytes,
        };
        prepared.check()?;
        Ok(prepared)
    }

    /// Whether this was prepared for exactly these bytes: the byte range's digest is made again.
    pub fn is_for(&self, original: &[u8]) -> bool {
        let after = self.contents_at + self.contents_bytes * 2 + 1;
        let (Some(before), Some(after)) = (
            self.appended.get(..self.contents_at - 1),
            self.appended.get(after..),
        ) else {
            return false;
        };
        let digest = Digest::of_parts(
            self.algorithm.digest_algorithm(),
            &[original, before, after],
        );
        original.len() as u64 == self.original_bytes && digest == self.content_digest
    }

    /// What must hold whoever made the value: the digest is that of the attributes, the room is there and empty.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if Digest::of(self.algorithm.digest_algorithm(), &self.signed_attributes) != self.digest {
            return Err(damaged("digest is not that of the signed attributes"));
        }
        let room = self
            .contents_bytes
            .checked_mul(2)
            .and_then(|digits| self.contents_at.checked_add(digits))
            .filter(|_| self.contents_at > 0)
            .and_then(|end| self.appended.get(self.contents_at - 1..end.checked_add(1)?))
            .ok_or(damaged("room lies outside the increment"))?;
        match room {
            [b'<', digits @ .., b'>'] if digits.iter().all(|digit| *digit == b'0') => Ok(()),
            _ => Err(damaged("room is not empty")),
        }
    }
}

fn damaged(reason: &'static str) -> Error {
    Error::Prepared { reason }
}

fn integer(rest: &mut &[u8]) -> Result<u64, Error> {
    let (first, after) = rest.split_first_chunk::<8>().ok_or(damaged("cut short"))?;
    *rest = after;
    Ok(u64::from_be_bytes(*first))
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let length = usize::try_from(integer(rest)?).map_err(|_| damaged("cut short"))?;
    let (first, after) = rest.split_at_checked(length).ok_or(damaged("cut short"))?;
    *rest = after;
    Ok(first)
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| damaged("text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Prepared {
        let algorithm = SignatureAlgorithm::EcdsaSha256;
        let signed_attributes = b"attributes".to_vec();
        Prepared {
            appended: b"x<0000>y".to_vec(),
            digest: Digest::of(algorithm.digest_algorithm(), &signed_attributes),
            content_digest: Digest::of(algorithm.digest_algorithm(), b"content"),
            signed_attributes,
            algorithm,
            certificate_sha256: [7; 32],
            original_bytes: 1234,
            field_name: "Chữ ký 1".to_owned(),
            page: 3,
            contents_at: 2,
            contents_bytes: 2,
        }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        assert_eq!(
            Prepared::from_bytes(&sample().to_bytes()).unwrap(),
            sample()
        );
    }

    #[test]
    fn every_cut_and_every_extension_is_refused() {
        let bytes = sample().to_bytes();
        for end in 0..bytes.len() {
            assert!(Prepared::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert!(Prepared::from_bytes(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_preparation_that_disagrees_with_itself_is_refused() {
        let changed = |change: fn(&mut Prepared)| {
            let mut prepared = sample();
            change(&mut prepared);
            Prepared::from_bytes(&prepared.to_bytes())
        };
        for refused in [
            changed(|prepared| prepared.signed_attributes.push(0)),
            changed(|prepared| prepared.contents_at = 1),
            changed(|prepared| prepared.contents_at = 0),
            changed(|prepared| prepared.contents_at = usize::MAX),
            changed(|prepared| prepared.contents_bytes = usize::MAX / 2),
            changed(|prepared| prepared.appended = b"x<0010>y".to_vec()),
        ] {
            assert!(matches!(refused, Err(Error::Prepared { .. })));
        }
    }
}
