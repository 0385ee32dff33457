//! The PIN on its way from the phone to the keystore, and which PINs are too weak to take; the code of a first binding.
//!
//! The PIN is sealed by HPKE (RFC 9180 base mode) to the keystore's approval key, with `kyso.pin.v1` as info and
//! SHA-256 of the statement as associated data: it opens for that statement only, and the web role cannot read it. A first
//! binding seals PIN and code in one text, with `kyso.pin-and-code.v1` as info.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;
use zeroize::Zeroizing;

use crate::activation::device::p256_point;
use crate::activation::hpke;
use crate::error::{Error, Result};

/// Digits of a PIN.
pub const PIN_DIGITS: usize = 6;
/// Digits of a [`BindingCode`].
pub const CODE_DIGITS: usize = 6;

pub(crate) const PIN_INFO: &[u8] = b"kyso.pin.v1";
const PIN_AND_CODE_INFO: &[u8] = b"kyso.pin-and-code.v1";
const BOTH_DIGITS: usize = PIN_DIGITS + CODE_DIGITS;

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
    /// The sealed PIN: six digits and a tag, 22 bytes; 28 with the code of a first binding.
    pub ciphertext: Vec<u8>,
}

/// Seals a PIN for a statement, as a client does: info `kyso.pin.v1`, aad SHA-256 of the statement.
///
/// Any text is sealed; only six digits will open.
pub fn seal_pin(key: &ApprovalKey, statement: &[u8], pin: &str) -> Result<SealedPin> {
    seal(key, statement, PIN_INFO, pin.as_bytes())
}

/// Seals a PIN and the code that was sent, for the statement of a first binding: the six digits of each, one after the other.
pub fn seal_pin_and_code(
    key: &ApprovalKey,
    statement: &[u8],
    pin: &str,
    code: &str,
) -> Result<SealedPin> {
    let both = Zeroizing::new([pin, code].concat());
    seal(key, statement, PIN_AND_CODE_INFO, both.as_bytes())
}

fn seal(key: &ApprovalKey, statement: &[u8], info: &[u8], digits: &[u8]) -> Result<SealedPin> {
    let point = p256_point(&key.spki).ok_or(Error::Primitive {
        what: "the approval key",
    })?;
    let aad = digest::digest(&digest::SHA256, statement);
    let (enc, ciphertext) =
        hpke::seal(point, info, aad.as_ref(), digits).map_err(|_| Error::Primitive {
            what: "sealing a PIN",
        })?;
    Ok(SealedPin { enc, ciphertext })
}

/// An opened PIN: six ASCII digits, wiped when dropped, never printed.
pub(crate) struct Pin(Zeroizing<[u8; PIN_DIGITS]>);

/// The code by which a first binding shows that whoever holds the phone also holds the contact the officers approved: six
/// digits, wiped when dropped, never printed. See [`crate::Keystore::binding_code`].
#[derive(Clone)]
pub struct BindingCode(Zeroizing<[u8; CODE_DIGITS]>);

impl BindingCode {
    /// The digits, for the message.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&*self.0).unwrap_or_default()
    }

    /// Six digits from a MAC, each as likely as the other; `None` in the rare case that every part of it lies in the rest that
    /// does not divide evenly.
    pub(crate) fn from_mac(mac: &[u8; 32]) -> Option<BindingCode> {
        const CODES: u32 = 1_000_000;
        let value = mac
            .chunks_exact(4)
            .map(|part| u32::from_be_bytes([part[0], part[1], part[2], part[3]]))
            .find(|value| *value < u32::MAX / CODES * CODES)?;
        let mut digits = Zeroizing::new([b'0'; CODE_DIGITS]);
        let mut rest = value % CODES;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Some(BindingCode(digits))
    }

    /// Compares in constant time.
    pub(crate) fn is(&self, other: &BindingCode) -> bool {
        verify_slices_are_equal(&*self.0, &*other.0).is_ok()
    }
}

impl fmt::Debug for BindingCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BindingCode")
    }
}

/// What a sealed text is opened with: the Diffie-Hellman value of its `enc`, the approval key (an uncompressed point), and the
/// statement it was sealed for.
pub(crate) struct Opening<'a> {
    pub(crate) diffie_hellman: &'a [u8; 32],
    pub(crate) approval_point: &'a [u8],
    pub(crate) statement: &'a [u8],
}

impl Opening<'_> {
    /// The PIN of an approval or of a change.
    pub(crate) fn pin(&self, sealed: &SealedPin) -> Result<Pin> {
        Ok(Pin(self.digits(sealed, PIN_INFO)?))
    }

    /// PIN and code of a first binding.
    pub(crate) fn pin_and_code(&self, sealed: &SealedPin) -> Result<(Pin, BindingCode)> {
        let both: Zeroizing<[u8; BOTH_DIGITS]> = self.digits(sealed, PIN_AND_CODE_INFO)?;
        let (mut pin, mut code) = (
            Zeroizing::new([0; PIN_DIGITS]),
            Zeroizing::new([0; CODE_DIGITS]),
        );
        pin.copy_from_slice(&both[..PIN_DIGITS]);
        code.copy_from_slice(&both[PIN_DIGITS..]);
        Ok((Pin(pin), BindingCode(code)))
    }

    fn digits<const N: usize>(
        &self,
        sealed: &SealedPin,
        info: &[u8],
    ) -> Result<Zeroizing<[u8; N]>> {
        let aad = digest::digest(&digest::SHA256, self.statement);
        let opened = hpke::open(
            self.diffie_hellman,
            &sealed.enc,
            self.approval_point,
            info,
            aad.as_ref(),
            &sealed.ciphertext,
        )
        .map_err(|_| Error::PinUnreadable)?;
        let digits: [u8; N] = opened
            .as_slice()
            .try_into()
            .map_err(|_| Error::PinUnreadable)?;
        let digits = Zeroizing::new(digits);
        if digits.iter().all(u8::is_ascii_digit) {
            Ok(digits)
        } else {
            Err(Error::PinUnreadable)
        }
    }
}

impl Pin {
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
    pub(crate) fn check_shape(&self, digits: usize) -> Result<()> {
        let is_shaped = self.enc.len() == hpke::POINT_BYTES
            && self.ciphertext.len() == digits + hpke::TAG_BYTES;
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
    fn neither_a_pin_nor_a_code_is_ever_printed() {
        assert_eq!(format!("{:?}", pin("135792")), "Pin");
        let code = BindingCode::from_mac(&[0x11; 32]).unwrap();
        assert_eq!(format!("{code:?}"), "BindingCode");
    }

    #[test]
    fn a_code_is_six_digits_and_takes_nothing_from_the_uneven_rest() {
        let mac = |parts: [u32; 2]| {
            let mut mac = [0xff; 32];
            mac[..4].copy_from_slice(&parts[0].to_be_bytes());
            mac[4..8].copy_from_slice(&parts[1].to_be_bytes());
            BindingCode::from_mac(&mac).map(|code| code.as_str().to_owned())
        };
        assert_eq!(mac([7, 0]).as_deref(), Some("000007"));
        assert_eq!(mac([4_293_999_999, 0]).as_deref(), Some("999999"));
        assert_eq!(mac([4_294_000_000, 1_000_042]).as_deref(), Some("000042"));
        assert_eq!(mac([4_294_000_000, u32::MAX]), None);
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
            .check_shape(PIN_DIGITS)
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
