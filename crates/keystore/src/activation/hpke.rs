//! Hybrid public key encryption, base mode, one message (RFC 9180): DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
//!
//! The Diffie-Hellman step of the receiver happens where the private key is (possibly in an HSM); everything after it is
//! here. A test checks every intermediate value against the RFC's own vector, appendix A.3.1.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// Octets of an uncompressed P-256 point: Npk and Nenc of this KEM.
pub(crate) const POINT_BYTES: usize = 65;
/// Octets AES-GCM adds.
pub(crate) const TAG_BYTES: usize = 16;

/// §4.1: "KEM" ‖ kem_id 0x0010.
const KEM_SUITE: &[u8] = b"KEM\x00\x10";
/// §5.1: "HPKE" ‖ kem_id 0x0010 ‖ kdf_id 0x0001 ‖ aead_id 0x0001.
const HPKE_SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x01";
const MODE_BASE: u8 = 0x00;

type Secret = Zeroizing<[u8; 32]>;

/// A step of the construction refused its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Seals one message to `receiver` (an uncompressed point) with a fresh ephemeral key; returns (enc, ciphertext).
pub(crate) fn seal(
    receiver: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Refused> {
    let ephemeral = PrivateKey::generate(&ECDH_P256).map_err(|_| Refused)?;
    seal_with(&ephemeral, receiver, info, aad, plaintext)
}

/// Opens one message, given the Diffie-Hellman value of `enc` and the receiver's private key.
pub(crate) fn open(
    diffie_hellman: &[u8; 32],
    enc: &[u8],
    receiver: &[u8],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let (key, nonce) = key_schedule(&shared_secret(diffie_hellman, enc, receiver), info)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(aad), &mut buffer)
        .map_err(|_| Refused)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// The Diffie-Hellman value (§7.1.4: the x coordinate, 32 octets) of a private key and a peer's point.
pub(crate) fn diffie_hellman(private: &PrivateKey, peer: &[u8]) -> Result<Secret, Refused> {
    if peer.len() != POINT_BYTES || peer[0] != 4 {
        return Err(Refused);
    }
    agreement::agree(
        private,
        UnparsedPublicKey::new(&ECDH_P256, peer),
        Refused,
        |value| {
            let mut secret = Zeroizing::new([0; 32]);
            if value.len() != secret.len() {
                return Err(Refused);
            }
            secret.copy_from_slice(value);
            Ok(secret)
        },
    )
}

fn seal_with(
    ephemeral: &PrivateKey,
    receiver: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Refused> {
    let enc = ephemeral
        .compute_public_key()
        .map_err(|_| Refused)?
        .as_ref()
        .to_vec();
    let value = diffie_hellman(ephemeral, receiver)?;
    let (key, nonce) = key_schedule(&shared_secret(&value, &enc, receiver), info)?;
    let mut ciphertext = plaintext.to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut ciphertext)
        .map_err(|_| Refused)?;
    Ok((enc, ciphertext))
}

/// §4.1 ExtractAndExpand with kem_context = enc ‖ pkRm.
fn shared_secret(diffie_hellman: &[u8; 32], enc: &[u8], receiver: &[u8]) -> Secret {
    let eae_prk = labeled_extract(KEM_SUITE, &[], b"eae_prk", diffie_hellman);
    labeled_expand(
        KEM_SUITE,
        &eae_prk,
        b"shared_secret",
        &[enc, receiver].concat(),
        32,
    )
}

/// §5.1 KeySchedule, base mode: no psk, no psk_id. Returns the key and the nonce of sequence number 0.
fn key_schedule(shared_secret: &[u8; 32], info: &[u8]) -> Result<(LessSafeKey, Nonce), Refused> {
    let (key, nonce) = key_and_nonce(shared_secret, info);
    let key = UnboundKey::new(&AES_128_GCM, &key[..16]).map_err(|_| Refused)?;
    let nonce = Nonce::try_assume_unique_for_key(&nonce[..NONCE_LEN]).map_err(|_| Refused)?;
    Ok((LessSafeKey::new(key), nonce))
}

fn key_and_nonce(shared_secret: &[u8; 32], info: &[u8]) -> (Secret, Secret) {
    let psk_id_hash = labeled_extract(HPKE_SUITE, &[], b"psk_id_hash", &[]);
    let info_hash = labeled_extract(HPKE_SUITE, &[], b"info_hash", info);
    let context = [&[MODE_BASE][..], &*psk_id_hash, &*info_hash].concat();
    let secret = labeled_extract(HPKE_SUITE, shared_secret, b"secret", &[]);
    (
        labeled_expand(HPKE_SUITE, &secret, b"key", &context, 16),
        labeled_expand(
            HPKE_SUITE,
            &secret,
            b"base_nonce",
            &context,
            NONCE_LEN as u16,
        ),
    )
}

/// §4 LabeledExtract: HMAC(salt, "HPKE-v1" ‖ suite ‖ label ‖ ikm).
fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], key_material: &[u8]) -> Secret {
    hmac_sha256(salt, &[b"HPKE-v1", suite, label, key_material])
}

/// §4 LabeledExpand for at most 32 octets, which is one block of HKDF-Expand (RFC 5869 §2.3). Octets past `length` are
/// not to be used.
fn labeled_expand(
    suite: &[u8],
    secret: &[u8; 32],
    label: &[u8],
    info: &[u8],
    length: u16,
) -> Secret {
    debug_assert!(length <= 32);
    hmac_sha256(
        secret,
        &[&length.to_be_bytes(), b"HPKE-v1", suite, label, info, &[1]],
    )
}

fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut output = Zeroizing::new([0; 32]);
    output.copy_from_slice(context.sign().as_ref());
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9180 appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, sequence number 0.
    const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
    const SK_EM: &str = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb";
    const PK_EM: &str = "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4";
    const SK_RM: &str = "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2";
    const PK_RM: &str = "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0";
    const SHARED_SECRET: &str = "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8";
    const KEY: &str = "868c066ef58aae6dc589b6cfdd18f97e";
    const BASE_NONCE: &str = "4e0bc5018beba4bf004cca59";
    const PLAINTEXT: &str = "4265617574792069732074727574682c20747275746820626561757479";
    const AAD: &str = "436f756e742d30";
    const CIPHERTEXT: &str = "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";

    fn octets(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn private(text: &str) -> PrivateKey {
        PrivateKey::from_private_key(&ECDH_P256, &octets(text)).unwrap()
    }

    #[test]
    fn the_vector_of_the_rfc_is_met_in_every_step() {
        let value = diffie_hellman(&private(SK_RM), &octets(PK_EM)).unwrap();
        assert_eq!(
            value,
            diffie_hellman(&private(SK_EM), &octets(PK_RM)).unwrap()
        );
        let shared = shared_secret(&value, &octets(PK_EM), &octets(PK_RM));
        assert_eq!(hex::encode(*shared), SHARED_SECRET);
        let (key, nonce) = key_and_nonce(&shared, &octets(INFO));
        assert_eq!(hex::encode(&key[..16]), KEY);
        assert_eq!(hex::encode(&nonce[..12]), BASE_NONCE);

        let (enc, ciphertext) = seal_with(
            &private(SK_EM),
            &octets(PK_RM),
            &octets(INFO),
            &octets(AAD),
            &octets(PLAINTEXT),
        )
        .unwrap();
        assert_eq!(hex::encode(enc), PK_EM);
        assert_eq!(hex::encode(&ciphertext), CIPHERTEXT);
        let opened = open(
            &value,
            &octets(PK_EM),
            &octets(PK_RM),
            &octets(INFO),
            &octets(AAD),
            &ciphertext,
        )
        .unwrap();
        assert_eq!(hex::encode(&*opened), PLAINTEXT);
    }

    #[test]
    fn what_is_sealed_opens_only_unchanged() {
        let receiver = PrivateKey::generate(&ECDH_P256).unwrap();
        let point = receiver.compute_public_key().unwrap().as_ref().to_vec();
        let (enc, ciphertext) = seal(&point, b"info", b"aad", b"135792").unwrap();
        assert_eq!((enc.len(), ciphertext.len()), (POINT_BYTES, 6 + TAG_BYTES));
        let value = diffie_hellman(&receiver, &enc).unwrap();
        assert_eq!(
            &*open(&value, &enc, &point, b"info", b"aad", &ciphertext).unwrap(),
            b"135792"
        );
        assert!(open(&value, &enc, &point, b"info", b"bad", &ciphertext).is_err());
        assert!(open(&value, &enc, &point, b"other", b"aad", &ciphertext).is_err());
        for index in 0..ciphertext.len() {
            let mut flipped = ciphertext.clone();
            flipped[index] ^= 1;
            assert!(open(&value, &enc, &point, b"info", b"aad", &flipped).is_err());
        }
        let (_, again) = seal(&point, b"info", b"aad", b"135792").unwrap();
        assert_ne!(again, ciphertext, "the ephemeral key is fresh every time");
    }

    #[test]
    fn a_point_off_the_curve_or_of_another_form_is_refused() {
        let receiver = private(SK_RM);
        let mut off_curve = octets(PK_EM);
        off_curve[64] ^= 1;
        let compressed = [&[2][..], &octets(PK_EM)[1..33]].concat();
        for peer in [off_curve, compressed, vec![0], Vec::new(), vec![4; 65]] {
            assert!(diffie_hellman(&receiver, &peer).is_err());
        }
    }
}
