//! Records of the institution and their seals, on both backends.

use kyso_keystore::Error;
use kyso_pki::algorithm::KeyAlgorithm;

use crate::world::{World, mount};

mount!(
    a_sealed_record_is_told_from_every_other,
    a_citizens_key_is_told_from_one_that_was_put_in_its_place,
);

async fn a_sealed_record_is_told_from_every_other(world: World) {
    let keys = &world.keystore;
    let seal = keys.seal_record("officer", b"off_1 vetter").await.unwrap();
    keys.check_record("officer", b"off_1 vetter", &seal)
        .await
        .unwrap();
    for (kind, record) in [
        ("officer", &b"off_1 lead"[..]),
        ("officer", b""),
        ("office", b"roff_1 vetter"),
        ("approval", b"off_1 vetter"),
    ] {
        let refused = keys.check_record(kind, record, &seal).await;
        assert!(matches!(refused, Err(Error::RecordForged)), "{kind}");
    }
    for at in 0..seal.len() {
        let mut edited = seal.clone();
        edited[at] ^= 1;
        let refused = keys.check_record("officer", b"off_1 vetter", &edited).await;
        // A seal that names the other backend asks for one that is not configured.
        assert!(
            matches!(refused, Err(Error::RecordForged | Error::NoBackend { .. })),
            "byte {at}"
        );
    }
    for short in [&seal[..seal.len() - 1], &[]] {
        let refused = keys.check_record("officer", b"off_1 vetter", short).await;
        assert!(matches!(refused, Err(Error::RecordForged)));
    }
}

async fn a_citizens_key_is_told_from_one_that_was_put_in_its_place(world: World) {
    let keys = &world.keystore;
    let (key, _) = keys
        .create_for_citizen(KeyAlgorithm::P256, "cred_1")
        .await
        .unwrap();
    keys.check_key(&key, "cred_1").await.unwrap();
    assert!(matches!(
        keys.check_key(&key, "cred_2").await,
        Err(Error::RowOfOtherCredential)
    ));
    let (other, _) = keys
        .create_for_citizen(KeyAlgorithm::P256, "cred_1")
        .await
        .unwrap();
    // The public half of another pair, under the first one's seal.
    let (ours, theirs) = (key.public_key().as_der(), other.public_key().as_der());
    let mut bytes = key.as_bytes().to_vec();
    let at = bytes
        .windows(ours.len())
        .position(|window| window == ours)
        .unwrap();
    bytes[at..at + theirs.len()].copy_from_slice(theirs);
    let swapped = kyso_keystore::CitizenKey::from_bytes(bytes).unwrap();
    assert!(matches!(
        keys.check_key(&swapped, "cred_1").await,
        Err(Error::RowForged)
    ));
}
