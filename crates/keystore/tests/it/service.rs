//! Keys of the institution, on both backends.

use kyso_keystore::{BackendName, Error, Role};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};

use crate::world::{World, block_on, mount};

mount!(
    a_service_key_is_found_by_its_label_and_signs,
    a_label_is_taken_once_and_free_again_after_destruction,
    labels_that_do_not_suit_a_file_name_are_refused,
    service_keys_survive_a_reopening,
    a_service_key_signs_only_what_fits_it,
);

/// A label no other test uses: the suite's tests share one token.
fn label(world: &World, name: &str) -> String {
    format!("{name}-{}", hex::encode(world.keystore.random(6).unwrap()))
}

async fn a_service_key_is_found_by_its_label_and_signs(world: World) {
    let cases = [
        (
            Role::Ocsp,
            KeyAlgorithm::P256,
            SignatureAlgorithm::EcdsaSha256,
        ),
        (
            Role::Issuing,
            KeyAlgorithm::P384,
            SignatureAlgorithm::EcdsaSha384,
        ),
        (
            Role::Timestamp,
            KeyAlgorithm::Rsa2048,
            SignatureAlgorithm::RsaPkcs1Sha256,
        ),
    ];
    for (role, key_algorithm, algorithm) in cases {
        let label = label(&world, role.as_str());
        let (made, public_key) = world
            .keystore
            .create_for_service(role, &label, key_algorithm)
            .await
            .unwrap();
        let found = world.keystore.service(&label).await.unwrap();
        assert_eq!(found, made);
        assert_eq!(
            (found.role(), found.algorithm(), found.backend()),
            (role, key_algorithm, world.backend)
        );
        let digest = Digest::of(algorithm.digest_algorithm(), b"to be signed");
        let signature = world
            .keystore
            .sign_for_service(&found, algorithm, digest)
            .await
            .unwrap();
        public_key
            .verify(algorithm, b"to be signed", &signature)
            .unwrap();
        world.keystore.destroy(found).await.unwrap();
    }
}

async fn a_label_is_taken_once_and_free_again_after_destruction(world: World) {
    let label = label(&world, "once");
    let keystore = &world.keystore;
    let (first, _) = keystore
        .create_for_service(Role::Seal, &label, KeyAlgorithm::P256)
        .await
        .unwrap();
    for role in [Role::Seal, Role::Ledger] {
        let refused = keystore
            .create_for_service(role, &label, KeyAlgorithm::P256)
            .await;
        assert!(matches!(refused, Err(Error::LabelTaken { .. })));
    }
    keystore.destroy(first.clone()).await.unwrap();
    assert!(matches!(
        keystore.service(&label).await,
        Err(Error::NoSuchService { .. })
    ));
    let digest = Digest::of(DigestAlgorithm::Sha256, b"x");
    let refused = keystore
        .sign_for_service(&first, SignatureAlgorithm::EcdsaSha256, digest.clone())
        .await;
    assert!(refused.is_err(), "a destroyed key signs nothing");
    let (second, _) = keystore
        .create_for_service(Role::Seal, &label, KeyAlgorithm::P256)
        .await
        .unwrap();
    assert_ne!(first, second);
    let refused = keystore
        .sign_for_service(&first, SignatureAlgorithm::EcdsaSha256, digest)
        .await;
    assert!(refused.is_err(), "nor does its name stand for the new key");
    keystore.destroy(second).await.unwrap();
}

async fn labels_that_do_not_suit_a_file_name_are_refused(world: World) {
    for bad in [
        "",
        "../root",
        "Root",
        "a b",
        ".hidden",
        "a/b",
        "ă",
        &"a".repeat(65),
    ] {
        let refused = world
            .keystore
            .create_for_service(Role::Root, bad, KeyAlgorithm::P256)
            .await;
        assert!(matches!(refused, Err(Error::LabelUnusable { .. })), "{bad}");
        assert!(matches!(
            world.keystore.service(bad).await,
            Err(Error::LabelUnusable { .. })
        ));
    }
}

async fn service_keys_survive_a_reopening(world: World) {
    let label = label(&world, "kept");
    let (made, _) = world
        .keystore
        .create_for_service(Role::Issuing, &label, KeyAlgorithm::P256)
        .await
        .unwrap();
    let again = match world.backend {
        BackendName::Software => crate::world::software_config(world.directory.path(), 10),
        BackendName::Pkcs11 => {
            let module = crate::world::softhsm().unwrap();
            crate::world::token_config(
                module,
                "kyso-suite",
                world.directory.path(),
                crate::world::TOKEN_PIN,
                10,
            )
        }
    };
    let again = kyso_keystore::Keystore::open(again).unwrap();
    assert_eq!(again.service(&label).await.unwrap(), made);
    let digest = Digest::of(DigestAlgorithm::Sha256, b"x");
    again
        .sign_for_service(&made, SignatureAlgorithm::EcdsaSha256, digest)
        .await
        .unwrap();
    again.destroy(made).await.unwrap();
}

async fn a_service_key_signs_only_what_fits_it(world: World) {
    let label = label(&world, "fits");
    let (key, _) = world
        .keystore
        .create_for_service(Role::Seal, &label, KeyAlgorithm::P256)
        .await
        .unwrap();
    let short = Digest::of(DigestAlgorithm::Sha256, b"x");
    let long = Digest::of(DigestAlgorithm::Sha384, b"x");
    let sign = async |algorithm, digest| {
        world
            .keystore
            .sign_for_service(&key, algorithm, digest)
            .await
    };
    assert!(matches!(
        sign(SignatureAlgorithm::RsaPkcs1Sha256, short).await,
        Err(Error::AlgorithmUnsuitable { .. })
    ));
    assert!(matches!(
        sign(SignatureAlgorithm::EcdsaSha256, long).await,
        Err(Error::DigestUnsuitable { .. })
    ));
    world.keystore.destroy(key.clone()).await.unwrap();
}

/// Making an RSA-4096 pair takes seconds in a token, so only the software backend is asked here.
#[test]
fn a_root_may_be_rsa_4096() {
    let world = World::open(BackendName::Software, 10).unwrap();
    block_on(async {
        let (key, public_key) = world
            .keystore
            .create_for_service(Role::Root, "root", KeyAlgorithm::Rsa4096)
            .await
            .unwrap();
        let algorithm = SignatureAlgorithm::default_for(KeyAlgorithm::Rsa4096);
        let digest = Digest::of(algorithm.digest_algorithm(), b"x");
        let signature = world
            .keystore
            .sign_for_service(&key, algorithm, digest)
            .await
            .unwrap();
        public_key.verify(algorithm, b"x", &signature).unwrap();
    });
}
