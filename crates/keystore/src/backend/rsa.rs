//! RSA with AWS-LC's own functions, so that a key is not checked anew each time it comes out of its wrapping.
//!
//! `RsaKeyPair::from_pkcs8` checks that the numbers of a key belong together: five divisions in constant time, a third of a
//! signature's work, for a key that is read for one approval and forgotten. Here it stays away, for three reasons. Every octet is
//! authenticated by the wrapping (RFC 5649), so the numbers are those that were checked when the key was made. AWS-LC raises each
//! result to the public exponent before it gives it out, so a damaged key signs nothing and no factor leaks (Boneh, DeMillo and
//! Lipton, 1997). And whoever asks verifies the signature once more. Blinding stays.
//!
//! This is the only unsafe code of the keystore.

use std::ffi::c_int;
use std::ptr::NonNull;

use aws_lc_sys as ffi;
use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::{Decode, Reader, SliceReader};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};

/// A private key that can sign.
pub(crate) struct RsaPrivateKey(NonNull<ffi::RSA>);

// SAFETY: AWS-LC counts references and guards what it computes at first use with locks of its own ("RSA objects may be used
// concurrently", openssl/rsa.h); nothing here changes the key once it is made.
unsafe impl Send for RsaPrivateKey {}
// SAFETY: as above.
unsafe impl Sync for RsaPrivateKey {}

impl RsaPrivateKey {
    /// The key in a PKCS #8 text (RFC 5208, RFC 8017 A.1.2) whose octets are known to be the ones that were written. `None` if they
    /// are no RSA key with its factors.
    pub(crate) fn from_authentic_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        let [n, e, d, p, q, dmp1, dmq1, iqmp] = numbers(pkcs8).ok()?;
        let (n, e, d) = (Number::new(n)?, Number::new(e)?, Number::new(d)?);
        let (p, q) = (Number::new(p)?, Number::new(q)?);
        let (dmp1, dmq1, iqmp) = (Number::new(dmp1)?, Number::new(dmq1)?, Number::new(iqmp)?);
        // SAFETY: the key is new and nobody else's. Each `set0` takes the numbers over when it returns 1, which it does for
        // numbers that are not null and a key that has none yet; it takes none otherwise, and `Number` frees them.
        unsafe {
            let key = Self(NonNull::new(ffi::RSA_new())?);
            let rsa = key.0.as_ptr();
            (ffi::RSA_set0_key(rsa, n.0.as_ptr(), e.0.as_ptr(), d.0.as_ptr()) == 1).then_some(())?;
            [n, e, d].into_iter().for_each(std::mem::forget);
            (ffi::RSA_set0_factors(rsa, p.0.as_ptr(), q.0.as_ptr()) == 1).then_some(())?;
            [p, q].into_iter().for_each(std::mem::forget);
            let (one, other, inverse) = (dmp1.0.as_ptr(), dmq1.0.as_ptr(), iqmp.0.as_ptr());
            (ffi::RSA_set0_crt_params(rsa, one, other, inverse) == 1).then_some(())?;
            [dmp1, dmq1, iqmp].into_iter().for_each(std::mem::forget);
            Some(key)
        }
    }

    /// PKCS #1 v1.5, or PSS with a salt as long as the digest (RFC 8017, 8.2 and 8.1). `None` for a digest or an algorithm that is
    /// not for this, and if the key's numbers do not belong together.
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, digest: &Digest) -> Option<Vec<u8>> {
        let is_ecdsa = matches!(
            algorithm,
            SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::EcdsaSha384
        );
        if is_ecdsa || digest.algorithm() != algorithm.digest_algorithm() {
            return None;
        }
        let value = digest.value();
        let rsa = self.0.as_ptr();
        // SAFETY: the key is whole; `signature` is as long as the modulus, which is the most that either function writes, and
        // `value` as long as its digest; the digests' methods are static.
        unsafe {
            let mut signature = vec![0; ffi::RSA_size(rsa) as usize];
            let (is_signed, length) = match algorithm.is_pss() {
                true => {
                    let method = method(digest.algorithm());
                    let mut length = 0;
                    let is_signed = ffi::RSA_sign_pss_mgf1(
                        rsa,
                        &raw mut length,
                        signature.as_mut_ptr(),
                        signature.len(),
                        value.as_ptr(),
                        value.len(),
                        method,
                        method,
                        SALT_AS_DIGEST,
                    );
                    (is_signed, length)
                }
                false => {
                    let mut length = 0;
                    let is_signed = ffi::RSA_sign(
                        nid(digest.algorithm()),
                        value.as_ptr(),
                        value.len(),
                        signature.as_mut_ptr(),
                        &raw mut length,
                        rsa,
                    );
                    (is_signed, length as usize)
                }
            };
            if is_signed != 1 {
                // What it says of the reason waits in this thread's queue for somebody else.
                ffi::ERR_clear_error();
                return None;
            }
            (length == signature.len()).then_some(signature)
        }
    }
}

impl Drop for RsaPrivateKey {
    fn drop(&mut self) {
        // SAFETY: made by `RSA_new`, freed once. AWS-LC overwrites what it frees.
        unsafe { ffi::RSA_free(self.0.as_ptr()) }
    }
}

/// `RSA_PSS_SALTLEN_DIGEST`.
const SALT_AS_DIGEST: c_int = -1;

/// A number of AWS-LC's that nobody owns yet.
struct Number(NonNull<ffi::BIGNUM>);

impl Number {
    fn new(octets: &[u8]) -> Option<Self> {
        // SAFETY: as many octets are read as there are; a null third argument asks for a new number.
        let number = unsafe { ffi::BN_bin2bn(octets.as_ptr(), octets.len(), std::ptr::null_mut()) };
        NonNull::new(number).map(Self)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        // SAFETY: made by `BN_bin2bn`; who gives it to a key forgets it.
        unsafe { ffi::BN_clear_free(self.0.as_ptr()) }
    }
}

/// n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p, in big-endian order.
fn numbers(pkcs8: &[u8]) -> der::Result<[&[u8]; 8]> {
    let mut file = SliceReader::new(pkcs8)?;
    let inner = file.sequence(|info| {
        UintRef::decode(info)?;
        AnyRef::decode(info)?;
        Ok::<_, der::Error>(<&OctetStringRef>::decode(info)?.as_bytes())
    })?;
    file.finish()?;
    let mut file = SliceReader::new(inner)?;
    let numbers = file.sequence(|key| {
        UintRef::decode(key)?;
        let mut numbers = [&[][..]; 8];
        for number in &mut numbers {
            *number = UintRef::decode(key)?.as_bytes();
        }
        Ok::<_, der::Error>(numbers)
    })?;
    file.finish()?;
    Ok(numbers)
}

fn nid(algorithm: DigestAlgorithm) -> c_int {
    match algorithm {
        DigestAlgorithm::Sha256 => ffi::NID_sha256,
        DigestAlgorithm::Sha384 => ffi::NID_sha384,
        DigestAlgorithm::Sha512 => ffi::NID_sha512,
    }
}

fn method(algorithm: DigestAlgorithm) -> *const ffi::EVP_MD {
    // SAFETY: each returns the address of a constant.
    unsafe {
        match algorithm {
            DigestAlgorithm::Sha256 => ffi::EVP_sha256(),
            DigestAlgorithm::Sha384 => ffi::EVP_sha384(),
            DigestAlgorithm::Sha512 => ffi::EVP_sha512(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA512, RsaKeyPair,
    };

    use super::*;

    fn made() -> (Vec<u8>, RsaKeyPair) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        (pair.as_der().unwrap().as_ref().to_vec(), pair)
    }

    fn digest(algorithm: DigestAlgorithm) -> Digest {
        Digest::of(algorithm, b"what is signed")
    }

    #[test]
    fn it_signs_as_the_checked_key_does() {
        let (pkcs8, pair) = made();
        let key = RsaPrivateKey::from_authentic_pkcs8(&pkcs8).unwrap();
        let public = pair.public_key().as_ref();
        let one = digest(DigestAlgorithm::Sha256);
        let signature = key.sign(SignatureAlgorithm::RsaPkcs1Sha256, &one).unwrap();
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .unwrap()
            .verify_sig(b"what is signed", &signature)
            .unwrap();
        let other = digest(DigestAlgorithm::Sha512);
        let signature = key.sign(SignatureAlgorithm::RsaPssSha512, &other).unwrap();
        ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA512, public)
            .unwrap()
            .verify_sig(b"what is signed", &signature)
            .unwrap();
        assert_eq!(key.sign(SignatureAlgorithm::RsaPkcs1Sha256, &other), None);
        assert_eq!(key.sign(SignatureAlgorithm::EcdsaSha256, &one), None);
    }

    #[test]
    fn a_key_with_one_bit_wrong_signs_nothing() {
        let (pkcs8, _) = made();
        let one = digest(DigestAlgorithm::Sha256);
        let places: Vec<usize> = numbers(&pkcs8)
            .unwrap()
            .iter()
            .map(|number| number.as_ptr() as usize - pkcs8.as_ptr() as usize + number.len() / 2)
            .collect();
        // d itself takes no part beside the factors.
        for (index, place) in places
            .into_iter()
            .enumerate()
            .filter(|(index, _)| *index != 2)
        {
            let mut wrong = pkcs8.clone();
            wrong[place] ^= 0x10;
            let key = RsaPrivateKey::from_authentic_pkcs8(&wrong);
            let signature = key.and_then(|key| key.sign(SignatureAlgorithm::RsaPkcs1Sha256, &one));
            assert_eq!(signature, None, "number {index}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        let (pkcs8, _) = made();
        assert!(RsaPrivateKey::from_authentic_pkcs8(&[]).is_none());
        assert!(RsaPrivateKey::from_authentic_pkcs8(&pkcs8[..pkcs8.len() - 1]).is_none());
        assert!(RsaPrivateKey::from_authentic_pkcs8(&[&pkcs8[..], &[0]].concat()).is_none());
    }
}
