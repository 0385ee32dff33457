//! A clock that is set back or runs ahead: nothing that was over comes back, and no time we put our name to runs backwards.

use kyso_store::testing::Database;
use serde_json::Value;

use crate::harness::{Options, PIN, World, client, dossier, until};

const HOUR_MS: i64 = 3_600_000;

/// Moves the server's clock away from the machine's.
fn shift(world: &World, ms: i64) {
    let file = world.folder.path().join("clock-shift");
    let beside = world.folder.path().join("clock-shift.new");
    std::fs::write(&beside, ms.to_string()).unwrap();
    std::fs::rename(beside, file).unwrap();
}

async fn state_seen_by_the_portal(world: &World, request: &str) -> String {
    let answer = client()
        .get(format!(
            "{}/v1/signature-requests/{request}",
            world.node.url
        ))
        .basic_auth(&world.portal.client_id, Some(&world.portal.secret))
        .send();
    let shown: Value = answer.await.unwrap().json().await.unwrap();
    shown["state"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_out_while_the_clock_was_ahead_does_not_come_back() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let (phone, session) = (&citizen.phone, &citizen.session);
        let request = world.ask(&citizen, &[dossier(1)]).await;
        let shown = phone.see(session, &request).await.unwrap();
        let approval = phone.approval(session, &shown, PIN).await.unwrap();

        shift(&world, 24 * HOUR_MS);
        let late = phone.send_approval(session, &request, &approval).await;
        assert!(late.is_err(), "a day later: {late:?}");
        // A portal's next request makes the worker look at the clock; the old one is seen to be over.
        world.ask(&citizen, &[dossier(2)]).await;
        until("the request has expired", async || {
            state_seen_by_the_portal(&world, &request).await == "expired"
        })
        .await;

        shift(&world, 0);
        let revived = phone.send_approval(session, &request, &approval).await;
        assert!(revived.is_err(), "set back: {revived:?}");
        assert_eq!(state_seen_by_the_portal(&world, &request).await, "expired");
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_issues_nothing_until_it_is_right_again() {
    let mut world = World::on(Database::sqlite().await, Options::default()).await;
    let first = world.citizen(1).await;
    let issued = |credential: &Value| {
        let text = credential["not_before"].as_i64();
        text.expect("a certificate")
    };
    let before = issued(&first.phone.credential(&first.session).await.unwrap());
    let authority = &world.platform.authority;
    let list = authority.crl("issuing-1").await.unwrap().unwrap();
    let (phone, enrolment, owner) = world.submitted(2).await;

    shift(&world, -HOUR_MS);
    world.console.clock_skew_ms = -HOUR_MS;
    world.approve_enrolment(&enrolment).await;
    until("issuing is refused", async || {
        world
            .node
            .log()
            .contains("the newest certificate was made at")
    })
    .await;
    let shown = phone.enrolment(&enrolment).await.unwrap();
    assert_ne!(shown["next"][0], "device", "{shown}");
    // Revoking cannot wait for a clock: the list comes, and not from an earlier time.
    first.phone.lock(&first.session).await.unwrap();
    until("a new list", async || {
        let newest = authority.crl("issuing-1").await.unwrap().unwrap();
        assert!(newest.this_update >= list.this_update);
        newest.number > list.number
    })
    .await;

    shift(&world, 0);
    world.hurry().await;
    phone
        .wait_enrolment(&enrolment, "the certificate", |shown| {
            shown["next"][0] == "device"
        })
        .await
        .unwrap();
    world.bind(&phone, &enrolment, &owner).await;
    let session = phone.open_session().await.unwrap();
    let after = issued(&phone.credential(&session).await.unwrap());
    assert!(after >= before);
    world.finish().await;
}
