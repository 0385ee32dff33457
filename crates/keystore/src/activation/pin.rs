//! The PIN on its way from the phone to the keystore, and which PINs are too weak to take.
//!
//! The PIN is sealed by HPKE (RFC 9180 base mode) to the keystore's approval key, with `kyso.pin.v1` as info and
//! SHA-256 of the statement as associated data: it opens for that statement only, and the web role cannot read it.

use std::fmt;

use aws_lc_rs::digest;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;
use zeroize::Zeroizing;

use crate::activation::device::p256_point;
use crate::activation::hpke;
use crate::error::{Error, Result};

/// Digits of a PIN.
pub const PIN_DIGITS: usize = 6;

pub(crate) const PIN_INFO: &[u8] = b"kyso.pin.v1";
const CIPHERTEXT_BYTES: usize = PIN_DIGITS + hpke::TAG_BYTES;

/// The public key PINs are sealed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalKey {
    /// Names the key: hex of the first 8 bytes of SHA-256 of `spki`.
    pub key_id: String,
    /// DER SubjectPublicKeyInfo, P-256.
    pub spki: Vec<u8>,
}

impl ApprovalKey {
    /// The key with its id, from its SubjectPublicKeyInfo.
    pub fn new(spki: Vec<u8>) -> Self {
        let key_id = hex::encode(&digest::digest(&digest::SHA256, &spki).as_ref()[..8]);
        Self { key_id, spki }
    }
}

/// A PIN sealed to the keystore for one statement: HPKE base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedPin {
    /// The encapsulated key: an uncompressed P-256 point, 65 bytes.
    pub enc: Vec<u8>,
    /// The sealed PIN: six digits and a tag, 22 bytes.
    pub ciphertext: Vec<u8>,
}

/// Seals a PIN for a statement, as a client does: info `kyso.pin.v1`, aad SHA-256 of the statement.
///
/// Any text is sealed; only six digits will open.
pub fn seal_pin(key: &ApprovalKey, statement: &[u8], pin: &str) -> Result<SealedPin> {
    let point = p256_point(&key.spki).ok_or(Error::Primitive {
        what: "the approval key",
    })?;
    let aad = digest::digest(&digest::SHA256, statement);
    let (enc, ciphertext) =
        hpke::seal(point, PIN_INFO, aad.as_ref(), pin.as_bytes()).map_err(|_| {
            Error::Primitive {
                what: "sealing a PIN",
            }
        })?;
    Ok(SealedPin { enc, ciphertext })
}

/// An opened PIN: six ASCII digits, wiped when dropped, never printed.
pub(crate) struct Pin(Zeroizing<[u8; PIN_DIGITS]>);

impl Pin {
    /// Opens a sealed PIN with the Diffie-Hellman value of its `enc` and the approval key (an uncompressed point).
    pub(crate) fn open(
        sealed: &SealedPin,
        diffie_hellman: &[u8; 32],
        approval_point: &[u8],
        statement: &[u8],
    ) -> Result<Pin> {
        let aad = digest::digest(&digest::SHA256, statement);
        let opened = hpke::open(
            diffie_hellman,
            &sealed.enc,
            approval_point,
            PIN_INFO,
            aad.as_ref(),
            &sealed.ciphertext,
        )
        .map_err(|_| Error::PinUnreadable)?;
        let digits: [u8; PIN_DIGITS] = opened
            .as_slice()
            .try_into()
            .map_err(|_| Error::PinUnreadable)?;
        let pin = Pin(Zeroizing::new(digits));
        if pin.0.iter().all(u8::is_ascii_digit) {
            Ok(pin)
        } else {
            Err(Error::PinUnreadable)
        }
    }

    pub(crate) fn digits(&self) -> &[u8] {
        &*self.0
    }

    /// Refuses the PINs people try first: one digit repeated, and runs up or down (890123 and 210987 included).
    pub(crate) fn check_strength(&self) -> Result<()> {
        let steps: Vec<u8> = self
            .0
            .windows(2)
            .map(|pair| (10 + pair[1] - pair[0]) % 10)
            .collect();
        if [0, 1, 9]
            .iter()
            .any(|step| steps.iter().all(|found| found == step))
        {
            return Err(Error::PinWeak);
        }
        Ok(())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pin")
    }
}

impl SealedPin {
    /// Refuses what cannot hold a PIN, before any key is touched: also points off the curve, which RFC 9180 §7.1.4 has
    /// the receiver refuse, and which some tokens answer as if they were broken.
    pub(crate) fn check_shape(&self) -> Result<()> {
        let is_shaped =
            self.enc.len() == hpke::POINT_BYTES && self.ciphertext.len() == CIPHERTEXT_BYTES;
        if is_shaped && PublicKey::from_point(KeyAlgorithm::P256, &self.enc).is_ok() {
            return Ok(());
        }
        Err(Error::PinUnreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Pin {
        Pin(Zeroizing::new(text.as_bytes().try_into().unwrap()))
    }

    #[test]
    fn runs_and_repetitions_are_weak_and_the_rest_is_not() {
        for weak in [
            "000000", "777777", "123456", "012345", "456789", "654321", "987654", "890123",
            "210987",
        ] {
            assert!(
                matches!(pin(weak).check_strength(), Err(Error::PinWeak)),
                "{weak}"
            );
        }
        for fair in [
            "135792", "112233", "123455", "023456", "121212", "246802", "654322",
        ] {
            assert!(pin(fair).check_strength().is_ok(), "{fair}");
        }
    }

    #[test]
    fn a_pin_is_never_printed() {
        assert_eq!(format!("{:?}", pin("135792")), "Pin");
    }

    #[test]
    fn only_the_shape_of_six_sealed_digits_is_taken() {
        use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
        let point = PrivateKey::generate(&ECDH_P256)
            .unwrap()
            .compute_public_key()
            .unwrap();
        let point = point.as_ref().to_vec();
        let shaped = |enc: Vec<u8>, octets| {
            SealedPin {
                enc,
                ciphertext: vec![0; octets],
            }
            .check_shape()
        };
        assert!(shaped(point.clone(), 22).is_ok());
        let mut off_curve = point.clone();
        off_curve[64] ^= 1;
        let compressed = [&[2], &point[1..33]].concat();
        for enc in [
            off_curve,
            compressed,
            point[..64].to_vec(),
            vec![4; 65],
            vec![0],
            vec![],
        ] {
            assert!(shaped(enc, 22).is_err());
        }
        for octets in [0, 21, 23, 1 << 20] {
            assert!(shaped(point.clone(), octets).is_err());
        }
    }
}
