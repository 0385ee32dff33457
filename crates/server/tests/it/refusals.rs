//! What the service refuses, with which code: bad input of every kind, the wrong order, the wrong owner, replays.

use std::process::Command;

use kyso_phone::Error;
use kyso_store::testing::Folder;
use serde_json::{Value, json};

use crate::harness::{CAMPAIGN, Options, PIN, World, base64, client, dossier, photo, read};

/// The code of a phone's refusal.
/// The code of the refusal that was expected.
pub fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("a refusal was expected: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_hears_what_is_wrong_with_its_request() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let signer = json!({ "identity_number": citizen.owner.identity_number });
        let ask = |documents: Value| json!({ "signer": signer, "documents": documents });
        let pdf = |bytes: &[u8]| json!([{ "name": "a.pdf", "content": base64(bytes) }]);
        let digest = json!({ "algorithm": "sha-256", "value": "00".repeat(32) });
        let many: Vec<Value> = (0..100_000)
            .map(|n| json!({ "name": format!("{n}"), "digest": digest }))
            .collect();
        let mut truncated = dossier(1);
        truncated.truncate(truncated.len() / 2);
        let cases = [
            (ask(json!([])), 422, "document-count"),
            (ask(Value::Array(many)), 422, "document-count"),
            (ask(pdf(b"no PDF at all")), 422, "document-refused"),
            (ask(pdf(&truncated)), 422, "document-refused"),
            (ask(pdf(&encrypted())), 422, "document-refused"),
            (
                ask(json!([{ "name": "a.pdf", "content": "§§§" }])),
                400,
                "body-malformed",
            ),
            (ask(json!([{ "name": "a.pdf" }])), 400, "body-malformed"),
            (
                ask(json!([{ "name": "", "content": base64(&dossier(1)) }])),
                422,
                "document-name",
            ),
            (
                ask(json!([{ "name": "a", "digest": { "algorithm": "sha-256", "value": "00" } }])),
                400,
                "body-malformed",
            ),
            (
                json!({ "signer": { "identity_number": "079200999999" }, "documents": pdf(&dossier(1)) }),
                422,
                "signer-unknown",
            ),
            (
                json!({ "signer": signer, "documents": [], "surprise": 1 }),
                400,
                "body-malformed",
            ),
        ];
        for (body, status, code) in cases {
            let refused = world
                .portal_post("/v1/signature-requests", &body)
                .await
                .expect_err(code);
            assert_eq!(
                (refused.status, refused.code()),
                (status, code),
                "{}",
                refused.problem
            );
            assert!(
                refused.problem["message_vi"].is_string()
                    && refused.problem["instance"].is_string()
            );
        }
        for (kind, body) in [
            ("application/json", "{"),
            ("multipart/form-data; boundary=x", "--x\r\ngarbage"),
            ("text/plain", "x"),
        ] {
            let request = client().post(format!("{}/v1/signature-requests", world.node.url));
            let request = request.basic_auth(&world.portal.client_id, Some(&world.portal.secret));
            let refused = read(request.header("content-type", kind).body(body))
                .await
                .expect_err(kind);
            assert!(
                ["body-malformed", "media-type-unsupported"].contains(&refused.code()),
                "{kind}: {}",
                refused.problem
            );
        }
        let large = "x".repeat(300 * 1024);
        let post = client().post(format!("{}/v1/device-sessions", world.node.url));
        let refused = read(post.header("content-type", "application/json").body(large))
            .await
            .unwrap_err();
        assert_eq!((refused.status, refused.code()), (413, "body-too-large"));
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_gives_the_same_request_and_never_another_body() {
    for database in World::databases().await {
        one_key_asked_twice(World::on(database, Options::default()).await).await;
    }
}

async fn one_key_asked_twice(world: World) {
    let citizen = world.citizen(1).await;
    let post = async |body: &Value| {
        let request = client().post(format!("{}/v1/signature-requests", world.node.url));
        let request = request.basic_auth(&world.portal.client_id, Some(&world.portal.secret));
        read(request.header("idempotency-key", "k-1").json(body)).await
    };
    let body = |n: u32| {
        json!({
            "signer": { "identity_number": citizen.owner.identity_number },
            "documents": [{ "name": "a.pdf", "content": base64(&dossier(n)) }],
        })
    };
    let (once, twice) = (body(1), body(1));
    let (first, second) = tokio::join!(post(&once), post(&twice));
    assert_eq!(first.unwrap()["id"], second.unwrap()["id"]);
    assert_eq!(
        post(&body(2)).await.unwrap_err().code(),
        "idempotency-mismatch"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_counted_and_five_lock_the_key() {
    for database in World::databases().await {
        five_wrong_pins(World::on(database, Options::default()).await).await;
    }
}

async fn five_wrong_pins(world: World) {
    let citizen = world.citizen(1).await;
    let request = world.ask(&citizen, &[dossier(1)]).await;
    for left in (1..5).rev() {
        citizen
            .phone
            .approve(&citizen.session, &request, "135790")
            .await
            .unwrap();
        let shown = citizen
            .phone
            .wait_request(&citizen.session, &request, &["pending", "failed"])
            .await
            .unwrap();
        assert_eq!(shown["tries_left"], left, "{shown}");
    }
    citizen
        .phone
        .approve(&citizen.session, &request, "135790")
        .await
        .unwrap();
    let shown = citizen
        .phone
        .wait_request(&citizen.session, &request, &["failed"])
        .await
        .unwrap();
    assert_eq!(shown["failure"], "pin-locked", "{shown}");
    assert_eq!(
        citizen.phone.credential(&citizen.session).await.unwrap()["pin_locked"],
        true
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_good_for_one_request_of_one_citizen_only() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let (one, other) = (world.citizen(1).await, world.citizen(2).await);
        let (first, second) = (
            world.ask(&one, &[dossier(1)]).await,
            world.ask(&one, &[dossier(2)]).await,
        );
        let shown = one.phone.see(&one.session, &first).await.unwrap();
        let approval = one.phone.approval(&one.session, &shown, PIN).await.unwrap();

        let moved = one
            .phone
            .send_approval(&one.session, &second, &approval)
            .await;
        assert_eq!(code(moved), "approval-refused");
        let stolen = other
            .phone
            .send_approval(&other.session, &first, &approval)
            .await;
        assert_eq!(code(stolen), "not-found");

        let mut swapped = shown.clone();
        swapped["documents"][0]["document_digest"]["value"] = json!("00".repeat(32));
        let approval_of_swapped = one
            .phone
            .approval(&one.session, &swapped, PIN)
            .await
            .unwrap();
        assert_eq!(
            code(
                one.phone
                    .send_approval(&one.session, &first, &approval_of_swapped)
                    .await
            ),
            "approval-refused"
        );

        let impostor = one.phone.with_new_key().unwrap();
        let forged = impostor.approval(&one.session, &shown, PIN).await.unwrap();
        assert_eq!(
            code(one.phone.send_approval(&one.session, &first, &forged).await),
            "approval-refused"
        );

        one.phone
            .send_approval(&one.session, &first, &approval)
            .await
            .unwrap();
        one.phone
            .wait_request(&one.session, &first, &["signed", "delivered"])
            .await
            .unwrap();
        let signed = world.signed_document(&first, 0).await;
        let replayed = one
            .phone
            .send_approval(&one.session, &first, &approval)
            .await;
        assert!(replayed.is_ok() || code(replayed) == "request-state");
        assert_eq!(
            world.signed_document(&first, 0).await,
            signed,
            "a replay changes nothing"
        );
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_or_revoked_credential_signs_nothing_more() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let request = world.ask(&citizen, &[dossier(1)]).await;
        let locked = citizen.phone.lock(&citizen.session).await.unwrap();
        assert_eq!(locked["state"], "suspended");
        assert_eq!(
            code(citizen.phone.approve(&citizen.session, &request, PIN).await),
            "credential-state"
        );
        let credential = citizen.session.credential.clone();
        let base = format!("/v1/ra/credentials/{credential}");
        world
            .officer_post(&format!("{base}/resumption"), &json!({}))
            .await
            .unwrap();
        citizen
            .phone
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        citizen
            .phone
            .wait_request(&citizen.session, &request, &["signed", "delivered"])
            .await
            .unwrap();
        world
            .officer_post(
                &format!("{base}/revocation"),
                &json!({ "reason": "key-compromise" }),
            )
            .await
            .unwrap();
        let body = json!({
            "signer": { "identity_number": citizen.owner.identity_number },
            "documents": [{ "name": "a.pdf", "content": base64(&dossier(2)) }],
        });
        let refused = world
            .portal_post("/v1/signature-requests", &body)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "signer-unknown");
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_names_every_broken_rule_and_never_repeats_what_was_typed() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let phone = world.phone();
        let enrolment = phone.enrol(CAMPAIGN).await.unwrap();
        let mut owner = kyso_phone::Owner::invented(7);
        owner.full_name = "Nguyễn Thị Нồng".into();
        owner.identity_number = "123".into();
        owner.phone = "12".into();
        let Err(Error::Refused { code, document, .. }) = phone.put_owner(&enrolment, &owner).await
        else {
            panic!()
        };
        assert_eq!(code, "fields-invalid");
        let fields: Vec<&str> = document["errors"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|e| e["field"].as_str())
            .collect();
        for field in ["full_name", "identity_number", "phone"] {
            assert!(fields.contains(&field), "{document}");
        }
        assert!(!document.to_string().contains("Нồng"), "{document}");

        let mut decomposed = kyso_phone::Owner::invented(7);
        decomposed.full_name =
            "Nguye\u{302}\u{303}n Thi\u{323} Ho\u{302}\u{300}ng A\u{301}nh".into();
        let shown = phone.put_owner(&enrolment, &decomposed).await.unwrap();
        assert_eq!(shown["owner"]["full_name"], "Nguyễn Thị Hồng Ánh");
        assert_eq!(self::code(phone.submit(&enrolment).await), "steps-missing");
        assert_eq!(
            self::code(
                phone
                    .put_photo(&enrolment, "front", b"GIF89a not a photo".to_vec())
                    .await
            ),
            "photo-refused"
        );
        let mut polyglot = photo();
        polyglot.extend_from_slice(b"<script>alert(1)</script>");
        assert_eq!(
            self::code(phone.put_photo(&enrolment, "front", polyglot).await),
            "photo-refused"
        );
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_does_not_decide_on_their_own_enrolment() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let (_, enrolment, owner) = world.submitted(3).await;
        let own = world
            .appoint(
                "Chính chủ",
                &owner.identity_number,
                kyso_registration::ra::OfficerRole::Vetter,
            )
            .await;
        let url = format!("{}/v1/ra/enrolments/{}/lock", world.node.url, enrolment.id);
        let refused = read(client().post(url).bearer_auth(own)).await.unwrap_err();
        assert_eq!((refused.status, refused.code()), (403, "own-enrolment"));
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_hands_in_once_however_many_phones_race() {
    for database in World::databases().await {
        phones_race(World::on(database, Options::default()).await).await;
    }
}

async fn phones_race(world: World) {
    let mut phones = Vec::new();
    for number in 0..4 {
        let owner = kyso_phone::Owner {
            phone: format!("08760000{number:02}"),
            email: format!("khac{number}@example.vn"),
            ..kyso_phone::Owner::invented(5)
        };
        phones.push(world.ready(&owner).await);
    }
    let outcomes = futures(
        phones
            .iter()
            .map(|(phone, enrolment)| phone.submit(enrolment)),
    )
    .await;
    let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(winners, 1);
    for loser in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(code(loser), "person-taken");
    }
    world.finish().await;
}

/// Runs futures side by side.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in running.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *slot = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// A dossier encrypted by qpdf.
fn encrypted() -> Vec<u8> {
    let folder = Folder::new();
    let (plain, sealed) = (folder.path().join("a.pdf"), folder.path().join("b.pdf"));
    std::fs::write(&plain, dossier(1)).unwrap();
    let made = Command::new("qpdf")
        .args(["--encrypt", "a", "b", "256", "--"])
        .arg(&plain)
        .arg(&sealed)
        .output();
    match made {
        Ok(output) if output.status.success() => std::fs::read(&sealed).unwrap(),
        _ => {
            kyso_store::testing::skip("qpdf");
            b"not a PDF either".to_vec()
        }
    }
}
