//! A mail relay and an SMS gateway that are away: what was to be said is said later, once, and nothing else waits for it.

use kyso_catcher::Faults;
use kyso_phone::Owner;

use crate::harness::{CAMPAIGN, Options, World, dossier, until};

const AWAY: u32 = 1_000_000;

fn number(owner: &Owner) -> String {
    format!("+84{}", &owner.phone[1..])
}

fn away(mail: u32, sms: u32) -> Faults {
    Faults {
        mail,
        sms,
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_comes_once_when_relay_or_gateway_is_back() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        for (n, channel, faults) in [(1, "sms", away(0, 2)), (2, "email", away(2, 0))] {
            let (phone, owner) = (world.phone(), Owner::invented(n));
            let enrolment = phone.enrol(CAMPAIGN).await.unwrap();
            phone.put_owner(&enrolment, &owner).await.unwrap();
            world.catcher.fail_next(faults);
            phone.ask_code(&enrolment, channel).await.unwrap();
            let destination = match channel {
                "sms" => number(&owner),
                _ => owner.email.clone(),
            };
            let code = world.code_to(&destination, 0).await;
            phone.activate(&enrolment, &code).await.unwrap();
            assert_eq!(world.catcher.messages(&destination).len(), 1, "{channel}");
        }
        // To go on with it from another phone as well.
        let (phone, owner) = (world.phone(), Owner::invented(1));
        let after = world.catcher.messages(&number(&owner))[0].id;
        world.catcher.fail_next(away(0, 2));
        let asked = phone.ask_to_resume(&owner.phone).await.unwrap();
        let code = world.code_to(&number(&owner), after).await;
        let asked = asked["id"].as_str().unwrap();
        phone.resume(asked, &code, &owner).await.unwrap();
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_waits_for_each_channel_and_signing_for_none() {
    for database in World::databases().await {
        alarmed(World::on(database, Options::default()).await).await;
    }
}

async fn alarmed(mut world: World) {
    let citizen = world.citizen(1).await;
    let (mailbox, number) = (citizen.owner.email.clone(), number(&citizen.owner));
    waiting(&world, &[]).await;
    let count = |world: &World| {
        let messages = |to| world.catcher.messages(to).len();
        (messages(&mailbox), messages(&number))
    };
    let (mails, texts) = count(&world);

    world.catcher.fail_next(away(AWAY, AWAY));
    world.signed(&citizen, &[dossier(1)]).await;
    let request = world.ask(&citizen, &[dossier(2)]).await;
    let (phone, session) = (&citizen.phone, &citizen.session);
    for _ in 0..5 {
        phone.approve(session, &request, "135790").await.unwrap();
        let states = ["pending", "failed"];
        phone
            .wait_request(session, &request, &states)
            .await
            .unwrap();
    }
    let shown = phone.see(session, &request).await.unwrap();
    assert_eq!(shown["failure"], "pin-locked");
    // The worker dies with both alarms unsaid.
    waiting(&world, &["mail-relay", "sms-status"]).await;
    world.node.kill();
    world.hurry().await;
    world.restart().await;
    assert_eq!(count(&world), (mails, texts));
    // What works is told at once, and says nothing about the other.
    world.catcher.fail_next(away(0, AWAY));
    due(&world).await;
    waiting(&world, &["sms-status"]).await;
    assert_eq!(count(&world), (mails + 1, texts));
    world.catcher.fail_next(away(0, 0));
    due(&world).await;
    waiting(&world, &[]).await;
    assert_eq!(count(&world), (mails + 1, texts + 1), "each once");
    world.finish().await;
}

/// Lets what waits for its next try be tried now.
async fn due(world: &World) {
    let due = "-- test_due\nUPDATE job SET due_at = 0 WHERE kind = 'registration.notify' AND leased_until IS NULL";
    let mut tx = world.platform.store.write().await.unwrap();
    tx.execute(due, &[]).await.unwrap();
    tx.commit().await.unwrap();
}

/// Waits until exactly the messages wait that could not be sent for these reasons.
async fn waiting(world: &World, reasons: &[&str]) {
    let open = "-- test_waiting\nSELECT error_code FROM job WHERE kind = 'registration.notify' ORDER BY error_code";
    until(&format!("what waits is {reasons:?}"), async || {
        let rows = world.platform.store.all(open, &[]).await.unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| row.opt_text("error_code").unwrap())
            .collect();
        found.len() == reasons.len()
            && found
                .iter()
                .zip(reasons)
                .all(|(found, reason)| found.as_deref() == Some(reason))
    })
    .await;
}
