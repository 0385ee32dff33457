//! The same life on keys that never leave a PKCS#11 token (SoftHSM).

use std::path::Path;
use std::process::Command;

use kyso_authority::ceremony::Plan;
use kyso_authority::{Authority, AuthorityConfig, Reason};
use kyso_keystore::{BackendName, Keystore, KeystoreConfig, Pkcs11Config, Role, WrapMechanism};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::ocsp::{CertId, IdHash, Request};
use kyso_store::testing::{Database, Folder, skip};

use crate::harness::order;
use crate::openssl::Judge;

const MODULES: [&str; 2] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
];

/// A token of our own. One in a process: the module reads its configuration once.
fn token(folder: &Folder) -> Option<Keystore> {
    let Some(module) = MODULES.iter().find(|module| Path::new(module).exists()) else {
        skip("softhsm");
        return None;
    };
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("tokens")).unwrap();
    std::fs::write(
        path("softhsm2.conf"),
        format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            path("tokens").display()
        ),
    )
    .unwrap();
    // SAFETY: no other test of this binary reads or writes the environment through libc while this one sets its own variable.
    unsafe { std::env::set_var("SOFTHSM2_CONF", path("softhsm2.conf")) };
    let made = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "kyso",
            "--so-pin",
            "87654321",
            "--pin",
            "123456",
        ])
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        skip("softhsm2-util");
        return None;
    }
    std::fs::write(path("pin"), "123456").unwrap();
    std::fs::set_permissions(
        path("pin"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let pkcs11 = Pkcs11Config {
        module: module.into(),
        token_label: "kyso".to_owned(),
        pin_file: path("pin"),
        sessions: 2,
        wrap_mechanism: WrapMechanism::AesKeyWrapPad,
    };
    let config = KeystoreConfig {
        default_backend: BackendName::Pkcs11,
        software: None,
        pkcs11: Some(pkcs11),
        queue: 64,
    };
    Some(Keystore::create(config).unwrap())
}

#[tokio::test]
async fn an_institution_lives_on_a_token() {
    let folder = Folder::new();
    let (Some(keys), Some(judge)) = (token(&folder), Judge::call()) else {
        return;
    };
    let database = Database::sqlite().await;
    let authority = Authority::new(database.store.clone(), AuthorityConfig::sample());
    let held = authority
        .ceremony(&keys, &Plan::elliptic(), &|_| ())
        .await
        .unwrap();
    assert!(held.transcript.contains("pkcs11"), "{}", held.transcript);

    let (_, public_key) = keys
        .create_for_citizen(KeyAlgorithm::P256, "cred_1")
        .await
        .unwrap();
    let prepared = authority
        .prepare(&keys, &order("cred_1", public_key))
        .await
        .unwrap();
    let issued = authority.issue(&keys, prepared).await.unwrap();
    judge.write_chain(&held.chain);
    judge.write("leaf.pem", issued.certificate.to_pem());
    judge.write_crl("root.crl", &authority.crl("root-1").await.unwrap().unwrap());
    judge.write_crl(
        "issuing.crl",
        &authority.crl("issuing-1").await.unwrap().unwrap(),
    );
    let (content, said) = judge.verify("leaf.pem", database.store.now());
    assert!(content, "{said}");

    authority
        .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
        .await
        .unwrap();
    authority.publish_crl_if_due(&keys).await.unwrap();
    judge.write_crl(
        "issuing.crl",
        &authority.crl("issuing-1").await.unwrap().unwrap(),
    );
    let (content, said) = judge.verify("leaf.pem", database.store.now());
    assert!(!content && said.contains("certificate revoked"), "{said}");
    let id = CertId::of(IdHash::Sha1, &held.chain[0], issued.certificate.serial()).unwrap();
    let request = Request {
        ids: vec![id],
        nonce: None,
    }
    .to_der()
    .unwrap();
    assert_eq!(
        authority
            .answer(&keys, &request, database.store.now())
            .await
            .outcome,
        "revoked"
    );
    assert_eq!(
        authority.renew_responder(&keys).await.unwrap().label,
        "ocsp-2"
    );
    assert_eq!(
        authority
            .answer(&keys, &request, database.store.now())
            .await
            .outcome,
        "revoked"
    );
    assert_eq!(
        authority.service(Role::Ledger).await.unwrap().label,
        "ledger-1"
    );
}
