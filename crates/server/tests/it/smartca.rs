//! The SmartCA interface as existing clients use it: letter by letter what they compare, and the measured meaning of
//! `signature_value`: PKCS#1 v1.5 over exactly the SHA-256 that was sent.

use std::process::{Command, Stdio};

use kyso_store::testing::{Database, Folder};
use serde_json::{Value, json};

use crate::harness::{Citizen, Node, Options, PIN, World, client, kyso, said, until};

/// Posts as a client does; every business answer is HTTP 200.
async fn post(world: &World, path: &str, body: &Value) -> Value {
    let answer = client()
        .post(format!("{}/sca/sp769/v1/{path}", world.node.url))
        .json(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.unwrap()
}

/// A provider whose citizens have RSA keys.
async fn provider(database: Database) -> World {
    let options = Options {
        algorithm: "rsa-2048",
        ..Options::default()
    };
    World::on(database, options).await
}

fn with_credentials(world: &World, citizen: &Citizen, more: Value) -> Value {
    let mut body = json!({
        "sp_id": world.portal.client_id,
        "sp_password": world.portal.secret,
        "user_id": citizen.owner.identity_number,
        "serial_number": "",
    });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_client_signs_a_hash_with_only_its_base_url_changed() {
    for database in World::databases().await {
        existing_client(provider(database).await).await;
    }
}

async fn existing_client(world: World) {
    let citizen = world.citizen(1).await;

    let found = post(
        &world,
        "credentials/get_certificate",
        &with_credentials(&world, &citizen, json!({ "transaction_id": "321" })),
    )
    .await;
    assert_eq!(
        (&found["status_code"], &found["message"]),
        (&json!(200), &json!("Success"))
    );
    let certificate = &found["data"]["user_certificates"][0];
    let subject = certificate["cert_subject"].as_str().unwrap();
    assert!(
        subject.starts_with("C=VN,ST=")
            && subject.ends_with(&format!("UID=CCCD:{}", citizen.owner.identity_number)),
        "{subject}"
    );
    assert_eq!(certificate["transaction_id"], "321");
    assert!(
        certificate["cert_valid_from"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );

    let hash = "5f16f4c7f149ac4f9510d9cf8cf384038ad348b3bcdc01915f95de12df9d1b02";
    let file = json!({ "data_to_be_signed": format!("\n {}", hash.to_uppercase()), "doc_id": "HS-01", "file_type": "pdf", "sign_type": "hash" });
    let ask = with_credentials(
        &world,
        &citizen,
        json!({ "transaction_id": "SP_CA_1", "transaction_desc": "Ký hồ sơ", "sign_files": [file], "unknown": 1 }),
    );
    let started = post(&world, "signatures/sign", &ask).await;
    assert_eq!(
        (&started["status_code"], &started["message"]),
        (&json!(200), &json!("sig_wait_for_user_confirm"))
    );
    assert_eq!(started["data"]["transaction_id"], "SP_CA_1");
    let tran_code = started["data"]["tran_code"].as_str().unwrap().to_owned();

    let waiting = post(&world, "signatures/sign/SP_CA_1/status", &json!({})).await;
    assert_eq!(waiting["message"], "sig_wait_for_user_confirm");
    assert!(waiting["data"].is_object() && waiting["data"]["signatures"].is_null());

    let listed = citizen.phone.requests(&citizen.session).await.unwrap();
    let request = listed
        .iter()
        .find(|request| request["kind"] == "sp769")
        .unwrap();
    assert_eq!(request["documents"][0]["preview"], "blind");
    assert_eq!(request["documents"][0]["doc_id"], "HS-01");
    let id = request["id"].as_str().unwrap().to_owned();
    citizen
        .phone
        .approve(&citizen.session, &id, PIN)
        .await
        .unwrap();
    citizen
        .phone
        .wait_request(&citizen.session, &id, &["signed", "delivered"])
        .await
        .unwrap();

    for name in ["SP_CA_1", &tran_code] {
        let done = post(
            &world,
            &format!("signatures/sign/{name}/status"),
            &json!({}),
        )
        .await;
        assert_eq!(
            (&done["status_code"], &done["message"]),
            (&json!(200), &json!("SUCCESS"))
        );
        let signature = &done["data"]["signatures"][0];
        assert_eq!(signature["doc_id"], "HS-01");
        assert!(signature["timestamp_signature"].is_null());
        let recovered = recover(
            certificate["cert_data"].as_str().unwrap(),
            signature["signature_value"].as_str().unwrap(),
        );
        assert_eq!(
            recovered,
            format!("3031300d060960864801650304020105000420{hash}")
        );
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn business_refusals_are_http_200_and_malformed_calls_http_400() {
    for database in World::databases().await {
        business_refusals(provider(database).await).await;
    }
}

async fn business_refusals(world: World) {
    let citizen = world.citizen(1).await;
    let mut wrong = with_credentials(&world, &citizen, json!({}));
    wrong["sp_password"] = json!("wrong");
    assert_eq!(
        post(&world, "credentials/get_certificate", &wrong).await["status_code"],
        401
    );
    let mut nobody = with_credentials(&world, &citizen, json!({}));
    nobody["user_id"] = json!("079200999999");
    assert_eq!(
        post(&world, "credentials/get_certificate", &nobody).await["status_code"],
        401
    );

    let file =
        json!({ "data_to_be_signed": "x", "doc_id": "1", "file_type": "pdf", "sign_type": "hash" });
    let ask = with_credentials(
        &world,
        &citizen,
        json!({ "transaction_id": "", "sign_files": [file] }),
    );
    let url = format!("{}/sca/sp769/v1/signatures/sign", world.node.url);
    assert_eq!(
        client()
            .post(&url)
            .json(&ask)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    assert_eq!(
        client().post(&url).body("{").send().await.unwrap().status(),
        400
    );

    let hash = "X/YO9MfxSaxPlRDZz4zzhAOK00izvNwBkV+V3hLfnRsC".replace(
        "X/YO9MfxSaxPlRDZz4zzhAOK00izvNwBkV+V3hLfnRsC",
        &crate::harness::base64(&[0x5f; 32]),
    );
    let file = json!({ "data_to_be_signed": hash, "doc_id": "1", "file_type": "xml", "sign_type": "hash" });
    let ask = with_credentials(
        &world,
        &citizen,
        json!({ "transaction_id": "", "sign_files": [file] }),
    );
    let started = post(&world, "signatures/sign", &ask).await;
    let made = started["data"]["transaction_id"].as_str().unwrap();
    assert!(
        !made.is_empty(),
        "an empty transaction id is made and echoed"
    );
    citizen
        .phone
        .refuse(&citizen.session, &only_request(&citizen).await, "not-me")
        .await
        .unwrap();
    let status = post(
        &world,
        &format!("signatures/sign/{made}/status"),
        &json!({}),
    )
    .await;
    assert_eq!(status["status_code"], 200);
    assert!(
        status["message"].as_str().unwrap().contains("REJECT"),
        "{status}"
    );
    assert!(status["data"]["signatures"].is_null());

    citizen.phone.lock(&citizen.session).await.unwrap();
    let asked = with_credentials(&world, &citizen, json!({}));
    let found = post(&world, "credentials/get_certificate", &asked).await;
    assert_eq!(
        (&found["status_code"], &found["message"]),
        (&json!(403), &json!("CREDENTIAL_STATUS_INVALID"))
    );
    world.finish().await;
}

/// Five wrong PINs: the certificate is good, and its key signs nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_locked_by_wrong_pins_is_not_offered_to_any_portal() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let request = world.ask(&citizen, &[crate::harness::dossier(1)]).await;
    for left in (0..5).rev() {
        let (phone, session) = (&citizen.phone, &citizen.session);
        phone.approve(session, &request, "314159").await.unwrap();
        let shown = phone
            .wait_request(session, &request, &["pending", "failed"])
            .await
            .unwrap();
        match left {
            0 => assert_eq!(shown["failure"], "pin-locked", "{shown}"),
            _ => assert_eq!(shown["tries_left"], left, "{shown}"),
        }
    }
    let asked = with_credentials(&world, &citizen, json!({}));
    let found = post(&world, "credentials/get_certificate", &asked).await;
    assert_eq!(
        (&found["status_code"], &found["message"]),
        (&json!(403), &json!("CREDENTIAL_STATUS_INVALID"))
    );
    assert!(found["data"]["user_certificates"].is_null(), "{found}");
    let file = json!({ "data_to_be_signed": crate::harness::base64(&[0x5f; 32]), "doc_id": "1", "file_type": "pdf", "sign_type": "hash" });
    let ask = with_credentials(
        &world,
        &citizen,
        json!({ "transaction_id": "SP_CA_9", "sign_files": [file] }),
    );
    let refused = post(&world, "signatures/sign", &ask).await;
    assert_eq!(
        (&refused["status_code"], &refused["message"]),
        (&json!(403), &json!("CREDENTIAL_STATUS_INVALID"))
    );
    let ask = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a.pdf", "content": crate::harness::base64(&crate::harness::dossier(2)) }],
    });
    let refused = world.portal_post("/v1/signature-requests", &ask).await;
    assert_eq!(refused.unwrap_err().code(), "pin-locked");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_are_refused_in_the_shape_that_clients_read() {
    let mut world = World::sqlite().await;
    world.node.stop();
    let limits = ["RATE_PER_SECOND", "RATE_BURST"].map(|key| format!("KYSO__SERVER__{key}"));
    let limits = limits.each_ref().map(|name| (name.as_str(), "1"));
    world.node = Node::start_with(&world.folder, &limits).await;
    for path in [
        "signatures/sign/SP_CA_1/status",
        "credentials/get_certificate",
    ] {
        let url = format!("{}/sca/sp769/v1/{path}", world.node.url);
        let body = json!({ "sp_id": "x", "sp_password": "x", "user_id": "x" });
        until("calls are limited", async || {
            let answer = client().post(&url).json(&body).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            let is_limited = answer.headers().contains_key("retry-after");
            let said: Value = answer.json().await.unwrap();
            if is_limited {
                assert_eq!(said["status_code"], 400, "{said}");
                assert!(
                    said["message"].as_str().unwrap().contains("too many calls"),
                    "{said}"
                );
            }
            // Pollers reach into `data` before they look at the code.
            assert_eq!(said["data"].is_object(), path.ends_with("status"), "{said}");
            is_limited
        })
        .await;
    }
    let url = format!("{}/v1/plans", world.node.url);
    until("other calls hear of it as ever", async || {
        client().get(&url).send().await.unwrap().status() == 429
    })
    .await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_several_hosts_polls_from_any_that_its_operator_allowed() {
    let world = provider(Database::sqlite().await).await;
    let citizen = world.citizen(1).await;
    let hash = hex::encode([0x5f; 32]);
    let file = json!({ "data_to_be_signed": hash, "doc_id": "1", "file_type": "pdf", "sign_type": "hash" });
    let more = json!({ "transaction_id": "SP_CA_1", "sign_files": [file] });
    let ask = with_credentials(&world, &citizen, more);
    post(&world, "signatures/sign", &ask).await;
    let elsewhere = reqwest::Client::builder()
        .no_proxy()
        .local_address(std::net::IpAddr::from([127, 0, 0, 2]))
        .build()
        .unwrap();
    let url = format!(
        "{}/sca/sp769/v1/signatures/sign/SP_CA_1/status",
        world.node.url
    );
    let hear = async || {
        let answer = elsewhere.post(&url).json(&json!({})).send().await.unwrap();
        let said: Value = answer.json().await.unwrap();
        assert!(
            said["data"].is_object() && said["data"]["signatures"].is_null(),
            "{said}"
        );
        said["status_code"].as_i64().unwrap()
    };
    let allow = |arguments: &[&str]| {
        let verb = ["portal", "network", world.portal.client_id.as_str()];
        let output = kyso(&world.folder, &[&verb, arguments].concat());
        assert!(output.status.success(), "{}", said(&output));
    };
    assert_eq!(hear().await, 400);
    allow(&["--allow", "10.0.0.0/8", "--allow", "127.0.0.2/32"]);
    assert_eq!(hear().await, 200);
    allow(&[]);
    assert_eq!(hear().await, 400);
    allow(&["--danger-anybody"]);
    assert_eq!(hear().await, 200);
    world.finish().await;
}

async fn only_request(citizen: &Citizen) -> String {
    let listed = citizen.phone.requests(&citizen.session).await.unwrap();
    let request = listed
        .iter()
        .find(|request| request["state"] == "pending")
        .unwrap();
    request["id"].as_str().unwrap().to_owned()
}

/// What OpenSSL finds inside the PKCS#1 padding, with the certificate's public key.
fn recover(certificate: &str, signature: &str) -> String {
    let folder = Folder::new();
    let decode = |text: &str| {
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
    };
    let (der, sig) = (folder.path().join("c.der"), folder.path().join("s.bin"));
    std::fs::write(&der, decode(certificate)).unwrap();
    std::fs::write(&sig, decode(signature)).unwrap();
    let output = Command::new("openssl")
        .args([
            "pkeyutl",
            "-verifyrecover",
            "-certin",
            "-keyform",
            "DER",
            "-pkeyopt",
            "rsa_padding_mode:pkcs1",
            "-inkey",
        ])
        .arg(&der)
        .arg("-in")
        .arg(&sig)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    hex::encode(output.stdout)
}
