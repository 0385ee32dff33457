//! HPKE base mode (RFC 9180) with DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM: seals a PIN to the keystore.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;

const KEM_SUITE: &[u8] = b"KEM\x00\x10";
const HPKE_SUITE: &[u8] = b"HPKE\x00\x10\x00\x01\x00\x01";

/// A message sealed to a public key.
pub struct Sealed {
    /// The encapsulated key: an uncompressed point.
    pub enc: Vec<u8>,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

/// Seals `plaintext` to `recipient` (an uncompressed P-256 point).
pub fn seal(
    recipient: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, Unspecified> {
    seal_with(
        PrivateKey::generate(&ECDH_P256)?,
        recipient,
        info,
        aad,
        plaintext,
    )
}

fn seal_with(
    ephemeral: PrivateKey,
    recipient: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Sealed, Unspecified> {
    let enc = ephemeral.compute_public_key()?.as_ref().to_vec();
    let shared = agree(
        &ephemeral,
        UnparsedPublicKey::new(&ECDH_P256, recipient),
        Unspecified,
        |secret| Ok(secret.to_vec()),
    )?;
    let secret = encapsulated(&shared, &enc, recipient);
    let (key, nonce) = key_schedule(&secret, info);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?);
    let mut ciphertext = plaintext.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(&nonce)?;
    key.seal_in_place_append_tag(nonce, Aad::from(aad), &mut ciphertext)?;
    Ok(Sealed { enc, ciphertext })
}

/// ExtractAndExpand of DHKEM (section 4.1).
fn encapsulated(shared: &[u8], enc: &[u8], recipient: &[u8]) -> Vec<u8> {
    let prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared);
    labeled_expand(
        KEM_SUITE,
        &prk,
        b"shared_secret",
        &[enc, recipient].concat(),
        32,
    )
}

/// KeySchedule of the base mode (section 5.1): key and nonce of the first message.
fn key_schedule(secret: &[u8], info: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let psk_id_hash = labeled_extract(HPKE_SUITE, b"", b"psk_id_hash", b"");
    let info_hash = labeled_extract(HPKE_SUITE, b"", b"info_hash", info);
    let context = [&[0][..], &psk_id_hash, &info_hash].concat();
    let prk = labeled_extract(HPKE_SUITE, secret, b"secret", b"");
    let key = labeled_expand(HPKE_SUITE, &prk, b"key", &context, 16);
    (
        key,
        labeled_expand(HPKE_SUITE, &prk, b"base_nonce", &context, 12),
    )
}

fn labeled_extract(suite: &[u8], salt: &[u8], label: &[u8], ikm: &[u8]) -> Vec<u8> {
    mac(salt, &[b"HPKE-v1", suite, label, ikm].concat())
}

/// HKDF-Expand for at most one block of 32 bytes, which is all that this suite needs.
fn labeled_expand(suite: &[u8], prk: &[u8], label: &[u8], info: &[u8], length: u8) -> Vec<u8> {
    let mut okm = mac(
        prk,
        &[&[0, length][..], b"HPKE-v1", suite, label, info, &[1]].concat(),
    );
    okm.truncate(usize::from(length));
    okm
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
        .as_ref()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9180, appendix A.3.1: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, sequence number 0.
    #[test]
    fn the_vector_of_the_rfc_is_met() {
        let read = |text: &str| hex::decode(text).unwrap();
        let ephemeral = read("4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb");
        let recipient = read(
            "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0",
        );
        let ephemeral = PrivateKey::from_private_key(&ECDH_P256, &ephemeral).unwrap();
        let sealed = seal_with(
            ephemeral,
            &recipient,
            &read("4f6465206f6e2061204772656369616e2055726e"),
            &read("436f756e742d30"),
            &read("4265617574792069732074727574682c20747275746820626561757479"),
        )
        .unwrap();
        assert_eq!(
            hex::encode(&sealed.enc),
            "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
        );
        assert_eq!(
            hex::encode(&sealed.ciphertext),
            "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434"
        );
    }
}
