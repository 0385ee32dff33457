//! What is particular to a PKCS#11 token: nothing can be taken out of it, and it may die and come back.
//!
//! Faults come from `shim.c`, a module that stands in front of SoftHSM and misbehaves on command.

use std::path::{Path, PathBuf};
use std::process::Command;

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use kyso_keystore::{BackendName, Error, Keystore, Outcome, Role, SoftwareConfig, WrapMechanism};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};

use crate::world::{
    ES256, PIN, TOKEN_PIN, World, block_on, one, scratch, skip, softhsm, token_config, write_secret,
};

/// A shim of one's own: the module to load, and the file that commands it.
fn shim(name: &str) -> Option<(PathBuf, PathBuf)> {
    let real = softhsm()?;
    let home = scratch(&format!("shim-{name}"));
    let (module, control) = (home.join(format!("{name}.so")), home.join("control"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/shim.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&module)
        .arg(format!("-DREAL=\"{}\"", real.display()))
        .arg(format!("-DCONTROL=\"{}\"", control.display()))
        .arg(&source)
        .arg("-ldl")
        .output();
    let Ok(built) = built else {
        skip("cc");
        return None;
    };
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Some((module, control))
}

/// A session of an attacker who knows the token's PIN.
fn attacker(label: &str) -> Option<Session> {
    let module = Pkcs11::new(softhsm()?).unwrap();
    let slots = module.get_slots_with_token().unwrap();
    let slot = slots
        .into_iter()
        .find(|slot| module.get_token_info(*slot).unwrap().label() == label)
        .unwrap();
    let session = module.open_rw_session(slot).unwrap();
    // The keystore's own login counts for the whole process; the attacker finds itself logged in.
    let _ = session.login(UserType::User, Some(&AuthPin::from(TOKEN_PIN.to_owned())));
    Some(session)
}

fn object(session: &Session, class: ObjectClass, label: &str) -> ObjectHandle {
    let found = session
        .find_objects(&[Attribute::Class(class), Attribute::Label(label.into())])
        .unwrap();
    assert_eq!(found.len(), 1, "{label}");
    found[0]
}

/// The secret attributes of an object, read if the token lets them be read.
fn readable(session: &Session, object: ObjectHandle) -> Vec<Attribute> {
    use AttributeType as A;
    [
        A::Value,
        A::PrivateExponent,
        A::Prime1,
        A::Prime2,
        A::Exponent1,
        A::Coefficient,
    ]
    .into_iter()
    .flat_map(|wanted| {
        session
            .get_attributes(object, &[wanted])
            .unwrap_or_default()
    })
    .collect()
}

#[test]
fn nothing_can_be_taken_out_of_the_token() {
    let Some(world) = World::open(BackendName::Pkcs11, 10) else {
        return;
    };
    let (key, _) = block_on(world.keystore.create_for_service(
        Role::Issuing,
        "unmoved",
        KeyAlgorithm::Rsa2048,
    ))
    .unwrap();
    let session = attacker("kyso-suite").unwrap();
    let wrap = object(&session, ObjectClass::SECRET_KEY, "kyso.wrap.v1");
    let secrets = [
        wrap,
        object(&session, ObjectClass::SECRET_KEY, "kyso.row.v1"),
        object(&session, ObjectClass::SECRET_KEY, "kyso.pin.v1"),
        object(&session, ObjectClass::PRIVATE_KEY, "kyso.approval.v1"),
        object(&session, ObjectClass::PRIVATE_KEY, "kyso.issuing.unmoved"),
    ];
    for secret in secrets {
        // C_GetAttributeValue.
        assert_eq!(readable(&session, secret), []);
        // C_WrapKey, by the wrapping key itself.
        for mechanism in [Mechanism::AesKeyWrapPad, Mechanism::AesKeyWrap] {
            assert!(session.wrap_key(&mechanism, wrap, secret).is_err());
        }
        // Its protection cannot be taken off, nor a copy made without it.
        assert!(
            session
                .update_attributes(secret, &[Attribute::Extractable(true)])
                .is_err()
        );
        assert!(
            session
                .update_attributes(secret, &[Attribute::Sensitive(false)])
                .is_err()
        );
    }
    // The wrapping key neither encrypts nor decrypts, which would undo a wrapping block by block.
    assert!(session.encrypt(&Mechanism::AesEcb, wrap, &[0; 16]).is_err());
    assert!(session.decrypt(&Mechanism::AesEcb, wrap, &[0; 16]).is_err());
    // The pepper and the row key compute MACs and nothing else; even so they sign nothing that is not HMAC.
    block_on(world.keystore.destroy(key)).unwrap();
}

/// The wrapped key inside a row: magic 4, backend, algorithm, key set 8, version 8, failures, then three u16 fields.
fn wrapped_of(row: &[u8]) -> &[u8] {
    let mut rest = &row[4 + 1 + 1 + 8 + 8 + 1..];
    let mut field = || {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let (found, after) = rest[2..].split_at(length);
        rest = after;
        found
    };
    let (_credential, _public_key) = (field(), field());
    field()
}

#[test]
fn a_citizens_wrapped_key_is_of_no_use_outside_the_token_and_unreadable_inside() {
    let Some(world) = World::open(BackendName::Pkcs11, 10) else {
        return;
    };
    for (algorithm, kind) in [
        (KeyAlgorithm::P256, KeyType::EC),
        (KeyAlgorithm::Rsa2048, KeyType::RSA),
    ] {
        let citizen = block_on(world.unclaimed(algorithm));
        let session = attacker("kyso-suite").unwrap();
        let wrap = object(&session, ObjectClass::SECRET_KEY, "kyso.wrap.v1");
        let wrapped = wrapped_of(citizen.row.as_bytes());
        let unwrap = |sensitive, extractable| {
            let template = [
                Attribute::Class(ObjectClass::PRIVATE_KEY),
                Attribute::KeyType(kind),
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(sensitive),
                Attribute::Extractable(extractable),
                Attribute::Sign(true),
            ];
            session.unwrap_key(&Mechanism::AesKeyWrapPad, wrap, wrapped, &template)
        };
        // As the keystore unwraps it: it signs, and cannot be read or wrapped again.
        let unwrapped = unwrap(true, false).unwrap();
        assert_eq!(readable(&session, unwrapped), []);
        assert!(
            session
                .wrap_key(&Mechanism::AesKeyWrapPad, wrap, unwrapped)
                .is_err()
        );
        // As a thief with the token's PIN would: the wrapping key's own template stands in the way.
        for (sensitive, extractable) in [(false, true), (true, true), (false, false)] {
            if let Ok(unwrapped) = unwrap(sensitive, extractable) {
                assert_eq!(
                    readable(&session, unwrapped),
                    [],
                    "sensitive {sensitive}, extractable {extractable}"
                );
                assert!(
                    session
                        .wrap_key(&Mechanism::AesKeyWrapPad, wrap, unwrapped)
                        .is_err()
                );
            }
        }
    }
}

#[test]
fn no_key_object_is_left_behind() {
    let Some(world) = World::open(BackendName::Pkcs11, 10) else {
        return;
    };
    let mut citizen = block_on(world.citizen(KeyAlgorithm::P256));
    block_on(citizen.sign(&world.keystore, "req_1", &one(), PIN, ES256)).unwrap();
    let public = citizen.row.public_key().point().unwrap();
    let session = attacker("kyso-suite").unwrap();
    // Objects of other tests may be in use meanwhile; ours is known by its point.
    for object in session
        .find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)])
        .unwrap()
    {
        let points = session
            .get_attributes(object, &[AttributeType::EcPoint])
            .unwrap_or_default();
        assert!(
            !points.iter().any(
                |found| matches!(found, Attribute::EcPoint(point) if point.ends_with(&public))
            )
        );
    }
}

/// Everything the shim does is one test: it commands one token, and its parts follow one another.
#[test]
fn a_token_that_dies_answers_for_its_own_keys_and_comes_back() {
    let Some((module, control)) = shim("faults") else {
        return;
    };
    let tell = |word: &str| std::fs::write(&control, word).unwrap();
    tell("ok");
    let directory = tempfile::tempdir().unwrap();
    let mut config = token_config(&module, "kyso-faults", directory.path(), TOKEN_PIN, 100);
    config.software = Some(SoftwareConfig {
        directory: directory.path().join("keys"),
    });
    let mut software = config.clone();
    software.default_backend = BackendName::Software;
    software.pkcs11 = None;
    block_on(async {
        let beside = Keystore::open(software).unwrap();
        beside
            .create_for_service(Role::Ledger, "ledger", KeyAlgorithm::P256)
            .await
            .unwrap();
        let world = World {
            keystore: Keystore::open(config).unwrap(),
            backend: BackendName::Pkcs11,
            directory,
        };
        let keystore = &world.keystore;
        let mut citizen = world.citizen(KeyAlgorithm::P256).await;
        let (seal, _) = keystore
            .create_for_service(Role::Seal, "seal", KeyAlgorithm::P256)
            .await
            .unwrap();
        let ledger = keystore.service("ledger").await.unwrap();
        assert_eq!(ledger.backend(), BackendName::Software);
        let digest = || Digest::of(DigestAlgorithm::Sha256, b"x");

        // Dead: its keys are unavailable, the others sign on, and no try is lost.
        let attempt = citizen.begin(keystore, "req_1", &one(), PIN).await.unwrap();
        tell("dead");
        let refused = keystore
            .sign_for_citizen(attempt, &citizen.row, ES256)
            .await;
        assert!(matches!(
            refused,
            Err(Error::Unavailable {
                backend: BackendName::Pkcs11,
                ..
            })
        ));
        let refused = keystore
            .sign_for_service(&seal, SignatureAlgorithm::EcdsaSha256, digest())
            .await;
        assert!(matches!(
            refused,
            Err(Error::Unavailable {
                backend: BackendName::Pkcs11,
                ..
            })
        ));
        keystore
            .sign_for_service(&ledger, SignatureAlgorithm::EcdsaSha256, digest())
            .await
            .unwrap();
        let signs = keystore.probe().await;
        assert!(
            signs
                .iter()
                .all(|(backend, sign)| sign.is_ok() == (*backend == BackendName::Software))
        );
        assert!(
            matches!(
                keystore.service("other").await,
                Err(Error::Unavailable { .. })
            ),
            "it may be there"
        );

        // Back: sessions are reopened without a restart.
        tell("ok");
        wait_until_well(keystore).await;
        keystore
            .sign_for_service(&seal, SignatureAlgorithm::EcdsaSha256, digest())
            .await
            .unwrap();
        let outcome = citizen
            .sign(keystore, "req_2", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));

        // A faulty signature is never released.
        tell("flip");
        let refused = citizen.sign(keystore, "req_3", &one(), PIN, ES256).await;
        assert!(matches!(
            refused,
            Err(Error::SignatureFaulty {
                backend: BackendName::Pkcs11
            })
        ));
        let refused = keystore
            .sign_for_service(&seal, SignatureAlgorithm::EcdsaSha256, digest())
            .await;
        assert!(matches!(refused, Err(Error::SignatureFaulty { .. })));
        tell("ok");
        let outcome = citizen
            .sign(keystore, "req_4", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));

        // Logged out behind our back, or a session lost: one reopening, unseen by the caller.
        attacker("kyso-faults").unwrap().logout().unwrap();
        keystore
            .sign_for_service(&seal, SignatureAlgorithm::EcdsaSha256, digest())
            .await
            .unwrap();
        let outcome = citizen
            .sign(keystore, "req_5", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));
        tell("lost");
        let outcome = citizen
            .sign(keystore, "req_6", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));
        assert_eq!(
            std::fs::read_to_string(&control).unwrap(),
            "ok",
            "the session was lost once"
        );
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has patience, not for ever"
)]
async fn wait_until_well(keystore: &Keystore) {
    let started = std::time::Instant::now();
    while keystore.probe().await.iter().any(|(_, sign)| sign.is_err()) {
        assert!(
            started.elapsed().as_secs() < 20,
            "the token did not come back"
        );
        tokio::task::yield_now().await;
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has patience, not for ever"
)]
fn a_refused_token_pin_is_offered_once_and_again_only_when_the_file_changes() {
    let Some((module, control)) = shim("pin") else {
        return;
    };
    let logins =
        || std::fs::metadata(control.with_extension("logins")).map_or(0, |metadata| metadata.len());
    let directory = tempfile::tempdir().unwrap();
    let config = token_config(&module, "kyso-pin", directory.path(), "9999", 100);
    block_on(async {
        let keystore = Keystore::open(config).unwrap();
        let started = std::time::Instant::now();
        // Long enough for several reconnections.
        while started.elapsed().as_millis() < 700 {
            let refused = keystore.approval_public_key().await;
            let Err(Error::Unavailable { reason, .. }) = refused else {
                panic!("a wrong PIN opened the token")
            };
            assert!(
                reason.contains("PIN") && !reason.contains("9999"),
                "{reason}"
            );
        }
        assert_eq!(logins(), 1);
        write_secret(
            &directory.path().join("token.pin"),
            &format!("{TOKEN_PIN}\n"),
        );
        wait_until_well(&keystore).await;
        keystore.approval_public_key().await.unwrap();
    });
}

#[test]
fn a_keystore_starts_without_its_token() {
    let Some(real) = softhsm() else { return };
    let directory = tempfile::tempdir().unwrap();
    block_on(async {
        for (module, label) in [
            (real, "kyso-nowhere"),
            (Path::new("/nonexistent/module.so"), "kyso-suite"),
        ] {
            let mut config = token_config(module, label, directory.path(), TOKEN_PIN, 10);
            config.software = Some(SoftwareConfig {
                directory: directory.path().join("keys"),
            });
            let keystore = Keystore::open(config).unwrap();
            let refused = keystore
                .create_for_citizen(KeyAlgorithm::P256, "cred_1")
                .await;
            assert!(matches!(
                refused,
                Err(Error::Unavailable {
                    backend: BackendName::Pkcs11,
                    ..
                })
            ));
            let signs = keystore.probe().await;
            assert!(
                signs
                    .iter()
                    .any(|(backend, sign)| *backend == BackendName::Software && sign.is_ok())
            );
        }
    });
}

#[test]
fn a_pin_file_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let Some(real) = softhsm() else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = token_config(real, "kyso-suite", directory.path(), TOKEN_PIN, 10);
    let pin_file = directory.path().join("token.pin");
    std::fs::set_permissions(&pin_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = block_on(Keystore::open(config).unwrap().approval_public_key());
    let Err(error) = refused else {
        panic!("a PIN file open to all was read")
    };
    assert!(error.to_string().contains("lets others in"), "{error}");
}

/// SoftHSM has RFC 5649 under 0x210A and knows no 0x210B, so the same number must do under a vendor's name, and the other
/// must fail in words an operator understands.
#[test]
fn the_wrapping_mechanism_is_the_vendors_number() {
    let Some(real) = softhsm() else { return };
    let directory = tempfile::tempdir().unwrap();
    let open = |mechanism| {
        let mut config = token_config(real, "kyso-suite", directory.path(), TOKEN_PIN, 10);
        config.pkcs11.as_mut().unwrap().wrap_mechanism = mechanism;
        Keystore::open(config).unwrap()
    };
    block_on(async {
        let keystore = open(WrapMechanism::Vendor(0x210A));
        let world = World {
            keystore,
            backend: BackendName::Pkcs11,
            directory: tempfile::tempdir().unwrap(),
        };
        let mut citizen = world.citizen(KeyAlgorithm::P256).await;
        let outcome = citizen
            .sign(&world.keystore, "req_1", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));
        // A key is wrapped alike whatever the number is called.
        let pad = open(WrapMechanism::AesKeyWrapPad);
        let outcome = citizen
            .sign(&pad, "req_2", &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));

        let kwp = open(WrapMechanism::AesKeyWrapKwp);
        let refused = kwp.create_for_citizen(KeyAlgorithm::P256, "cred_1").await;
        let Err(refused) = refused else {
            panic!("SoftHSM wrapped under 0x210B")
        };
        assert!(
            refused.to_string().contains("MechanismInvalid"),
            "{refused}"
        );
    });
}
