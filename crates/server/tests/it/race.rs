//! Two nodes on one PostgreSQL, asked at the same moment: what there is once is had once.

use kyso_phone::{Error, Owner};
use kyso_registration::campaign::{Campaign, Desk};
use kyso_store::testing::Database;
use serde_json::Value;

use crate::harness::{Node, Options, PIN, World, dossier};

const ROUNDS: u32 = 20;

async fn two_nodes() -> Option<(World, Node)> {
    let database = Database::postgres().await?;
    let world = World::on(database, Options::default()).await;
    let second = world.another_node().await;
    Some((world, second))
}

/// Exactly one won; the other heard `code`.
fn one_won(outcomes: [Result<Value, Error>; 2], code: &str) {
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1, "{outcomes:?}");
    for outcome in outcomes {
        match outcome {
            Ok(_) => {}
            Err(Error::Refused { code: heard, .. }) => assert_eq!(heard, code),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_place_of_a_campaign_is_won_once() {
    let Some((world, mut second)) = two_nodes().await else {
        return;
    };
    let now = world.platform.store.now();
    for round in 0..ROUNDS {
        let campaign = Campaign {
            code: format!("mot-cho-{round}"),
            name: "Một chỗ".into(),
            plan: "thu".into(),
            price_vnd: 0,
            starts_at: now - 86_400_000,
            ends_at: now + 86_400_000,
            quota: Some(1),
            area: vec![],
            free_portals: vec![],
            desk: Desk::default(),
        };
        let registration = &world.platform.registration;
        registration.add_campaign(&campaign, "test").await.unwrap();
        let mut rivals = Vec::new();
        for n in [2 * round, 2 * round + 1] {
            let phone = world.phone();
            let enrolment = phone.enrol(&campaign.code).await.unwrap();
            let owner = Owner::invented(500 + n);
            phone.put_owner(&enrolment, &owner).await.unwrap();
            world.activate_by_sms(&phone, &enrolment, &owner).await;
            rivals.push((phone, enrolment));
        }
        let there = rivals[1].0.at(&second.url);
        let (one, two) = tokio::join!(rivals[0].0.pay(&rivals[0].1), there.pay(&rivals[1].1));
        one_won([one, two], "campaign-full");
        let taken = registration.campaign(&campaign.code).await.unwrap().taken;
        assert_eq!(taken, 1);
    }
    second.stop();
    world.finish().await;
}

/// What became of requests: (signed or delivered, others with their code).
async fn ends(world: &World, citizen: &crate::harness::Citizen, requests: &[String]) -> usize {
    let mut signed = 0;
    for request in requests {
        let shown = citizen
            .phone
            .wait_request(
                &citizen.session,
                request,
                &["signed", "delivered", "failed", "pending"],
            )
            .await
            .unwrap();
        signed += usize::from(["signed", "delivered"].contains(&shown["state"].as_str().unwrap()));
    }
    let row = world
        .platform
        .store
        .one(
            "-- negative\nSELECT MIN(units_left) AS least FROM credential",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.int("least").unwrap(), 0);
    signed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_unit_of_a_pack_is_spent_once() {
    let Some((world, mut second)) = two_nodes().await else {
        return;
    };
    let citizen = world.citizen(1).await;
    for round in 0..ROUNDS {
        world
            .database
            .tamper("UPDATE credential SET units_left = 1")
            .await;
        let requests = [
            world.ask(&citizen, &[dossier(2 * round)]).await,
            world.ask(&citizen, &[dossier(2 * round + 1)]).await,
        ];
        let there = citizen.phone.at(&second.url);
        let (one, two) = tokio::join!(
            citizen.phone.approve(&citizen.session, &requests[0], PIN),
            there.approve(&citizen.session, &requests[1], PIN),
        );
        for outcome in [one, two] {
            match outcome {
                Ok(_) => {}
                Err(Error::Refused { code, .. }) => assert_eq!(code, "units-exhausted"),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(ends(&world, &citizen, &requests).await, 1, "round {round}");
    }
    second.stop();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_approval_sent_to_two_nodes_signs_once() {
    let Some((world, mut second)) = two_nodes().await else {
        return;
    };
    let citizen = world.citizen(1).await;
    let (phone, session) = (&citizen.phone, &citizen.session);
    let there = phone.at(&second.url);
    for round in 0..ROUNDS {
        let request = world.ask(&citizen, &[dossier(round)]).await;
        let shown = phone.see(session, &request).await.unwrap();
        let approval = phone.approval(session, &shown, PIN).await.unwrap();
        let (one, two) = tokio::join!(
            phone.send_approval(session, &request, &approval),
            there.send_approval(session, &request, &approval),
        );
        assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
        let shown = phone
            .wait_request(session, &request, &["signed", "delivered", "failed"])
            .await
            .unwrap();
        assert_ne!(shown["state"], "failed", "{shown}");
        // Once more, when all is done: it tells what came of it, and changes nothing.
        let late = there.send_approval(session, &request, &approval).await;
        let state = late.unwrap()["state"].as_str().unwrap().to_owned();
        assert!(["signed", "delivered"].contains(&state.as_str()), "{state}");
        let count = async |table: &'static str| {
            let about = [request.as_str().into()];
            let row = world.platform.store.one(table, &about).await.unwrap();
            row.int("n").unwrap()
        };
        let debits = "-- debits\nSELECT COUNT(request_id) AS n FROM debit WHERE request_id = $1";
        let signed = "-- signed\nSELECT COUNT(id) AS n FROM ledger_entry WHERE subject = $1 AND kind = 'signing.request.signed'";
        assert_eq!((count(debits).await, count(signed).await), (1, 1));
    }
    second.stop();
    world.finish().await;
}
