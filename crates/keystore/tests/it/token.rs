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
use kyso_keystore::{
    BackendName, Error, Keystore, Outcome, Role, ServiceKey, SoftwareConfig, WrapMechanism,
};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm};

use crate::world::{
    Citizen, ES256, PIN, TOKEN_PIN, World, block_on, one, scratch, skip, softhsm, token_config,
    write_secret,
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

/// A keystore whose token misbehaves on command, with a software backend beside it.
struct Frail {
    world: World,
    control: PathBuf,
    citizen: Citizen,
    seal: ServiceKey,
    ledger: ServiceKey,
}

impl Frail {
    async fn open() -> Option<Frail> {
        let (module, control) = shim("faults")?;
        let directory = tempfile::tempdir().unwrap();
        let mut config = token_config(&module, "kyso-faults", directory.path(), TOKEN_PIN, 100);
        config.software = Some(SoftwareConfig {
            directory: directory.path().join("keys"),
        });
        let mut beside = config.clone();
        beside.default_backend = BackendName::Software;
        beside.pkcs11 = None;
        let beside = Keystore::open(beside).unwrap();
        let ledger = beside
            .create_for_service(Role::Ledger, "ledger", KeyAlgorithm::P256)
            .await;
        let keystore = Keystore::open(config).unwrap();
        let (seal, _) = keystore
            .create_for_service(Role::Seal, "seal", KeyAlgorithm::P256)
            .await
            .unwrap();
        let world = World {
            keystore,
            backend: BackendName::Pkcs11,
            directory,
        };
        let citizen = world.citizen(KeyAlgorithm::P256).await;
        Some(Frail {
            world,
            control,
            citizen,
            seal,
            ledger: ledger.unwrap().0,
        })
    }

    fn tell(&self, word: &str) {
        std::fs::write(&self.control, word).unwrap();
    }

    async fn service_signs(&self, key: &ServiceKey) -> Result<Vec<u8>, Error> {
        let digest = Digest::of(DigestAlgorithm::Sha256, b"x");
        self.world
            .keystore
            .sign_for_service(key, ES256, digest)
            .await
    }

    async fn citizen_signs(&mut self, request: &str) -> Result<(), Error> {
        let outcome = self
            .citizen
            .sign(&self.world.keystore, request, &one(), PIN, ES256)
            .await?;
        assert!(matches!(outcome, Outcome::Signed { .. }));
        Ok(())
    }

    async fn dies_and_comes_back(&mut self) {
        let keystore = self.world.keystore.clone();
        let attempt = self
            .citizen
            .begin(&keystore, "req_dead", &one(), PIN)
            .await
            .unwrap();
        self.tell("dead");
        let is_away = |error: &Error| {
            matches!(
                error,
                Error::Unavailable {
                    backend: BackendName::Pkcs11,
                    ..
                }
            )
        };
        let refused = keystore
            .sign_for_citizen(attempt, &self.citizen.row, ES256)
            .await;
        assert!(is_away(&refused.unwrap_err()));
        assert!(is_away(&self.service_signs(&self.seal).await.unwrap_err()));
        assert!(
            is_away(&keystore.service("other").await.unwrap_err()),
            "it may be there"
        );
        self.service_signs(&self.ledger).await.unwrap();
        for (backend, sign) in keystore.probe().await {
            assert_eq!(sign.is_ok(), backend == BackendName::Software);
        }
        self.tell("ok");
        wait_until_well(&keystore).await;
        self.service_signs(&self.seal).await.unwrap();
        self.citizen_signs("req_back").await.unwrap();
    }

    async fn signs_wrongly(&mut self) {
        self.tell("flip");
        let is_faulty = |error: &Error| {
            matches!(
                error,
                Error::SignatureFaulty {
                    backend: BackendName::Pkcs11
                }
            )
        };
        assert!(is_faulty(
            &self.citizen_signs("req_flip").await.unwrap_err()
        ));
        assert!(is_faulty(
            &self.service_signs(&self.seal).await.unwrap_err()
        ));
        self.tell("ok");
        self.citizen_signs("req_right").await.unwrap();
    }

    async fn loses_sessions(&mut self) {
        attacker("kyso-faults").unwrap().logout().unwrap();
        self.service_signs(&self.seal).await.unwrap();
        self.citizen_signs("req_logged_out").await.unwrap();
        self.tell("lost");
        self.citizen_signs("req_lost").await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&self.control).unwrap(),
            "ok",
            "the session was lost once"
        );
    }
}

/// Three faults of one token, one after the other: it dies and comes back, its keys alone being away meanwhile; it signs
/// wrongly, and nothing wrong is released; it forgets logins and sessions, and no caller notices.
#[test]
fn a_token_may_die_err_and_forget_and_is_taken_back_each_time() {
    block_on(async {
        let Some(mut frail) = Frail::open().await else {
            return;
        };
        frail.dies_and_comes_back().await;
        frail.signs_wrongly().await;
        frail.loses_sessions().await;
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a limit to the waiting, not a time of the domain"
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
        let mut config = token_config(real, "kyso-nowhere", directory.path(), TOKEN_PIN, 10);
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
    });
}

#[test]
fn a_module_that_is_missing_or_none_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    for module in [Path::new("/nonexistent/module.so"), &text] {
        let config = token_config(module, "kyso-suite", directory.path(), TOKEN_PIN, 10);
        let refused = Keystore::open(config).err().map(|error| error.to_string());
        let said = refused.expect("there is no module");
        assert!(said.contains(&module.display().to_string()), "{said}");
    }
}

/// Opening makes nothing; creating makes what is missing, all of it or the rest, and never a second of anything.
#[test]
fn internal_keys_are_made_on_demand_only_and_a_half_made_set_is_finished() {
    let Some(real) = softhsm() else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = || token_config(real, "kyso-empty", directory.path(), TOKEN_PIN, 10);
    let opened = || block_on(Keystore::open(config()).unwrap().approval_public_key());
    let refusal = || opened().err().map(|error| error.to_string());
    let said = refusal().expect("the token is empty");
    assert!(
        said.contains("none of") && said.contains("kyso init"),
        "{said}"
    );

    Keystore::create(config()).unwrap();
    let first = opened().unwrap();
    Keystore::create(config()).unwrap();
    assert_eq!(opened().unwrap().key_id, first.key_id, "made once");

    let session = attacker("kyso-empty").unwrap();
    let parts = [
        (ObjectClass::SECRET_KEY, "kyso.wrap.v1"),
        (ObjectClass::SECRET_KEY, "kyso.row.v1"),
        (ObjectClass::SECRET_KEY, "kyso.pin.v1"),
        (ObjectClass::PUBLIC_KEY, "kyso.approval.v1"),
        (ObjectClass::PRIVATE_KEY, "kyso.approval.v1"),
    ];
    for (class, label) in parts {
        session
            .destroy_object(object(&session, class, label))
            .unwrap();
        let said = refusal().expect("a part is missing");
        assert!(said.contains(label) && said.contains("backup"), "{said}");
        Keystore::create(config()).unwrap();
        opened().unwrap();
        for (class, label) in parts {
            object(&session, class, label);
        }
    }
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
