//! Killed before and after every keystore call, then started again: one certificate, one signature, nothing lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kyso_store::Entropy;
use kyso_store::testing::Database;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use kyso_phone::Owner;

use crate::harness::{
    CAMPAIGN, Citizen, Credentials, Options, PIN, World, base64, client, dossier, photo, until,
};

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

/// The web role dies between two of its writes: whoever asks again goes on.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_two_writes_of_a_call_the_same_call_goes_on() {
    for database in World::databases().await {
        let mut world = World::on(database, Options::default()).await;
        let (phone, owner) = (world.phone(), Owner::invented(1));
        let enrolment = phone.enrol(CAMPAIGN).await.unwrap();
        phone.put_owner(&enrolment, &owner).await.unwrap();
        phone.pay(&enrolment).await.unwrap();
        let after = world.last_message(&owner);
        phone.ask_code(&enrolment, "email").await.unwrap();
        let code = world.code_after(&owner, after).await;

        world.dying_at("registration.activate.after-count").await;
        let died = phone.at(&world.node.url).activate(&enrolment, &code).await;
        assert!(died.is_err());
        world.wait_dead_and_restart().await;
        let phone = phone.at(&world.node.url);
        phone.activate(&enrolment, &code).await.unwrap();
        for kind in ["front", "back", "face"] {
            phone.put_photo(&enrolment, kind, photo()).await.unwrap();
        }
        phone.sign_contract(&enrolment).await.unwrap();
        phone.submit(&enrolment).await.unwrap();

        world.dying_at("registration.approve.before-commit").await;
        world.approve_enrolment_though_dying(&enrolment).await;
        world.wait_dead_and_restart().await;
        let phone = phone.at(&world.node.url);
        let shown = phone.enrolment(&enrolment).await.unwrap();
        assert_eq!(shown["state"], "submitted", "nothing was approved");
        world.approve_enrolment(&enrolment).await;
        phone
            .wait_enrolment(&enrolment, "the certificate", |shown| {
                shown["next"][0] == "device"
            })
            .await
            .unwrap();

        let after = world.last_message(&owner);
        let challenge = phone.ask_device_code(&enrolment).await.unwrap();
        let code = world.code_after(&owner, after).await;
        world.dying_at("registration.bind.after-request").await;
        let dying = phone.at(&world.node.url);
        let died = dying.bind(&enrolment, &challenge, PIN, &code).await;
        assert!(died.is_err());
        world.wait_dead_and_restart().await;
        phone
            .at(&world.node.url)
            .wait_enrolment(&enrolment, "the acceptance", |shown| {
                shown["acceptance_request"].is_string()
            })
            .await
            .unwrap();
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

/// SIGKILL at any moment, while portals ask and citizens approve: whatever was acknowledged comes out, once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_under_load_nothing_is_lost_or_done_twice() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let (one, two, three, four) = tokio::join!(
            world.citizen(1),
            world.citizen(2),
            world.citizen(3),
            world.citizen(4)
        );
        let load = Arc::new(Load {
            url: Mutex::new(world.node.url.clone()),
            portal: world.portal.clone(),
            acknowledged: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let citizens: Vec<Arc<Citizen>> = [one, two, three, four].map(Arc::new).into();
        let mut clients = JoinSet::new();
        for n in 0..8 {
            let whose = n % citizens.len();
            clients.spawn(load.clone().keep_signing(whose, citizens[whose].clone()));
        }
        let mut world = world;
        for _ in 0..10 {
            let enough = load.count() + 2;
            until("something is approved", async || load.count() >= enough).await;
            // A moment that nobody chose.
            let mut moment = [0];
            Entropy::System.fill(&mut moment);
            tokio::time::sleep(Duration::from_millis(moment[0].into())).await;
            world.node.kill();
            world.hurry().await;
            world.restart().await;
            *load.url.lock().unwrap() = world.node.url.clone();
        }
        load.is_over.store(true, Ordering::SeqCst);
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
        let store = world.platform.store.clone();
        let count = async |sql: &'static str| {
            let row = store.one(sql, &[]).await.unwrap();
            row.int("n").unwrap()
        };
        until("all that was approved is signed", async || {
            world.hurry().await;
            count("-- open\nSELECT COUNT(id) AS n FROM signature_request WHERE state = 'approved'")
                .await
                == 0
        })
        .await;
        let acknowledged = std::mem::take(&mut *load.acknowledged.lock().unwrap());
        for (citizen, request) in &acknowledged {
            let phone = citizens[*citizen].phone.at(&world.node.url);
            let session = &citizens[*citizen].session;
            let shown = phone.see(session, request).await.unwrap();
            let state = shown["state"].as_str().unwrap();
            assert!(["signed", "delivered"].contains(&state), "{shown}");
        }
        let ended = count("-- ended\nSELECT COUNT(id) AS n FROM signature_request WHERE state IN ('signed', 'delivered')").await;
        let written = count("-- written\nSELECT COUNT(id) AS n FROM ledger_entry WHERE kind = 'signing.request.signed'").await;
        assert_eq!(ended, written, "each was signed once");
        assert!(ended >= acknowledged.len() as i64);
        world.finish().await;
    }
}

/// Clients of a server that dies again and again.
struct Load {
    url: Mutex<String>,
    portal: Credentials,
    /// Whose, and which requests the server said it had taken the approval of.
    acknowledged: Mutex<Vec<(usize, String)>>,
    is_over: AtomicBool,
}

impl Load {
    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Asks and approves, until it is over; what the dying server does not answer is forgotten.
    async fn keep_signing(self: Arc<Self>, whose: usize, citizen: Arc<Citizen>) {
        let ask = json!({
            "signer": { "identity_number": citizen.owner.identity_number },
            "documents": [{ "name": "a.pdf", "content": base64(&dossier(1)) }],
        });
        while !self.is_over.load(Ordering::SeqCst) {
            let url = self.url.lock().unwrap().clone();
            let asked = client()
                .post(format!("{url}/v1/signature-requests"))
                .basic_auth(&self.portal.client_id, Some(&self.portal.secret))
                .json(&ask)
                .send()
                .await;
            let made: Value = match asked {
                Ok(answer) if answer.status() == 201 => answer.json().await.unwrap_or_default(),
                _ => Value::Null,
            };
            let Some(request) = made["id"].as_str() else {
                tokio::task::yield_now().await;
                continue;
            };
            let phone = citizen.phone.at(&url);
            if phone.approve(&citizen.session, request, PIN).await.is_ok() {
                let mut acknowledged = self.acknowledged.lock().unwrap();
                acknowledged.push((whose, request.to_owned()));
            }
        }
    }
}
