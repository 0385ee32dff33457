//! Killed before and after every keystore call, then started again: one certificate, one signature, nothing lost.

use kyso_store::testing::Database;

use crate::harness::{Options, PIN, World, dossier};

/// Every place around a citizen's signature at which the worker may die.
const SIGNING: &[&str] = &[
    "signing.sign.before-begin",
    "signing.sign.after-begin",
    "signing.sign.before-raise",
    "signing.sign.after-raise",
    "signing.sign.before-sign",
    "signing.sign.after-sign",
    "signing.sign.before-result",
    "signing.sign.after-result",
];

/// Every place between an officer's approval and the bound credential.
const OPENING: &[&str] = &[
    "registration.open.before",
    "signing.open.before-key",
    "signing.open.after-key",
    "signing.open.before-certificate",
    "authority.prepare.before_commit",
    "authority.prepare.after_commit",
    "authority.issue.before_keystore",
    "authority.issue.after_keystore",
    "authority.issue.after_commit",
    "signing.open.after-certificate",
    "registration.open.after",
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_the_signature_one_signature_comes_out() {
    for database in World::databases().await {
        let mut world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        for (n, point) in SIGNING.iter().enumerate() {
            world.node.stop();
            world.node =
                crate::harness::Node::start(&world.folder, Some(&format!("{point}:abort"))).await;
            let mut phone = citizen.phone.at(&world.node.url);
            let session = phone.open_session().await.unwrap();
            let original = dossier(n as u32 + 1);
            let request = world.ask(&citizen, std::slice::from_ref(&original)).await;
            // The server may die before it answers: then the phone does not know, and asks later.
            match phone.approve(&session, &request, PIN).await {
                Ok(_) | Err(kyso_phone::Error::Http(_)) => {}
                Err(refused) => panic!("{point}: {refused}"),
            }
            world.node.wait_dead();
            world.hurry().await;
            world.restart().await;
            phone = phone.at(&world.node.url);
            let shown = phone
                .wait_request(&session, &request, &["signed", "delivered", "failed"])
                .await
                .unwrap();
            assert_ne!(shown["state"], "failed", "{point}: {shown}");
            let signed = world.signed_document(&request, 0).await;
            assert!(
                signed.starts_with(&original) && signed.len() > original.len(),
                "{point}"
            );
            assert!(
                shown["tries_left"].is_null(),
                "{point}: no try is burnt: {shown}"
            );
        }
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_credential_opens_one_certificate_comes_out() {
    for database in World::databases().await {
        let mut world = World::on(database, Options::default()).await;
        for (n, point) in OPENING.iter().enumerate() {
            let (phone, enrolment, _) = world.submitted(100 + n as u32).await;
            world.node.stop();
            world.node =
                crate::harness::Node::start(&world.folder, Some(&format!("{point}:abort"))).await;
            world.approve_enrolment_though_dying(&enrolment).await;
            world.node.wait_dead();
            world.hurry().await;
            world.restart().await;
            let phone = phone.at(&world.node.url);
            let shown = phone
                .wait_enrolment(&enrolment, point, |shown| shown["next"][0] == "device")
                .await
                .unwrap();
            assert!(shown["credential"].is_string(), "{point}");
        }
        world.finish().await;
    }
}

/// Two nodes on one PostgreSQL race for the same jobs: each request is signed once.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_sign_each_request_once() {
    let Some(database) = Database::postgres().await else {
        return;
    };
    let world = World::on(database, Options::default()).await;
    let mut second = world.another_node().await;
    let citizen = world.citizen(1).await;
    let mut requests = Vec::new();
    for n in 0..12 {
        let request = world.ask(&citizen, &[dossier(n + 1)]).await;
        let through = citizen.phone.at(if n % 2 == 0 {
            &world.node.url
        } else {
            &second.url
        });
        through
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        requests.push(request);
    }
    for request in &requests {
        citizen
            .phone
            .wait_request(&citizen.session, request, &["signed", "delivered"])
            .await
            .unwrap();
    }
    second.stop();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keystore_that_is_missing_stops_the_start_with_a_sentence() {
    let mut world = World::sqlite().await;
    world.node.stop();
    let keys = world.folder.path().join("keys");
    let away = world.folder.path().join("keys-away");
    std::fs::rename(&keys, &away).unwrap();
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("service.key"), b"left over").unwrap();
    let output = crate::harness::kyso(&world.folder, &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("master.key"),
        "{said}"
    );
    std::fs::remove_dir_all(&keys).unwrap();
    std::fs::rename(&away, &keys).unwrap();
    world.restart().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_file_is_named_and_never_made_anew() {
    let mut world = World::sqlite().await;
    world.node.stop();
    for lost in ["keys/master.key", "data.key"] {
        let (path, away) = (
            world.folder.path().join(lost),
            world.folder.path().join("away"),
        );
        std::fs::rename(&path, &away).unwrap();
        for verb in ["serve", "doctor"] {
            let output = crate::harness::kyso(&world.folder, &[verb]);
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(
                !output.status.success() && said.contains("is missing at"),
                "{verb} without {lost}: {said}"
            );
            assert!(!path.exists(), "{verb} made {lost} anew");
        }
        std::fs::rename(&away, &path).unwrap();
    }
    world.restart().await;
    world.finish().await;
}
