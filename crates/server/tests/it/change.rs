//! Another phone, another PIN: over HTTP, on every database.

use serde_json::Value;

use crate::harness::{Citizen, Options, PIN, World};

const NEW_PIN: &str = "161803";

/// The code of a refusal and its first field's rule.
fn refused(outcome: Result<Value, kyso_phone::Error>) -> (String, String) {
    match outcome {
        Err(kyso_phone::Error::Refused { code, document, .. }) => (
            code,
            document["errors"][0]["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
        other => panic!("expected a refusal: {other:?}"),
    }
}

/// The subjects of the mails to this person, once `wanted` is among them.
async fn told(world: &World, citizen: &Citizen, wanted: &str) {
    let mut after = 0;
    loop {
        let mail = world
            .catcher
            .wait_for(
                &citizen.owner.email,
                after,
                std::time::Duration::from_secs(20),
            )
            .await
            .expect(wanted);
        if mail.subject.contains(wanted) {
            return;
        }
        after = mail.id;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_changed_by_the_phone_in_force_and_the_old_one_signs_no_more() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let mut citizen = world.citizen(1).await;
        let (old, new) = (&citizen.phone, world.phone());
        let pending = world.ask(&citizen, &[crate::harness::dossier(1)]).await;

        // A wrong PIN is counted.
        let wrong = old
            .change_device(&citizen.session, &new, "314159", NEW_PIN)
            .await
            .unwrap();
        assert_eq!(
            (&wrong["state"], &wrong["refusal"], &wrong["tries_left"]),
            (&"refused".into(), &"wrong-pin".into(), &4.into())
        );
        // Whoever has the session and the PIN, but not the phone, changes nothing.
        let mut forged = old
            .change(&citizen.session, &new, "change-device", PIN, NEW_PIN)
            .await
            .unwrap();
        forged["consent"] = forged["signature"].clone();
        let outcome = old.send_change(&citizen.session, &forged).await;
        assert_eq!(
            refused(outcome),
            ("binding-refused".into(), "device-signature".into())
        );
        forged.as_object_mut().unwrap().remove("consent");
        let outcome = old.send_change(&citizen.session, &forged).await;
        assert_eq!(
            refused(outcome),
            ("binding-refused".into(), "device-signature".into())
        );

        let change = old
            .change(&citizen.session, &new, "change-device", PIN, NEW_PIN)
            .await
            .unwrap();
        let bound = old.send_change(&citizen.session, &change).await.unwrap();
        assert_eq!(bound["state"], "bound");
        told(&world, &citizen, "Điện thoại khác").await;

        // The old phone has no session, opens none, and its change sent again is worth nothing.
        let late = old.requests(&citizen.session).await.map(Value::from);
        assert_eq!(refused(late).0, "session-invalid");
        let late = old.open_session().await.map(|_| Value::Null);
        assert_eq!(refused(late).0, "device-unknown");
        citizen.session = new.open_session().await.unwrap();
        let replay = new.send_change(&citizen.session, &change).await;
        assert_eq!(refused(replay).0, "binding-refused");

        // The new one signs what was waiting, with its own PIN.
        new.approve(&citizen.session, &pending, NEW_PIN)
            .await
            .unwrap();
        new.wait_request(&citizen.session, &pending, &["signed", "delivered"])
            .await
            .unwrap();
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_changed_with_the_pin_in_force() {
    let world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let phone = &citizen.phone;
    let weak = phone
        .change_pin(&citizen.session, PIN, "123456")
        .await
        .unwrap();
    assert_eq!(
        (&weak["state"], &weak["refusal"]),
        (&"refused".into(), &"pin-weak".into())
    );
    let change = phone
        .change(&citizen.session, phone, "change-pin", PIN, NEW_PIN)
        .await
        .unwrap();
    let bound = phone.send_change(&citizen.session, &change).await.unwrap();
    assert_eq!(bound["state"], "bound");
    told(&world, &citizen, "Mã PIN").await;
    // Sent again it is refused: its nonce is used.
    let replay = phone.send_change(&citizen.session, &change).await;
    assert_eq!(refused(replay).0, "challenge-invalid");
    // Another citizen does not see it.
    let other = world.citizen(2).await;
    let path = format!(
        "{}/v1/citizen/credential/bindings/{}",
        world.node.url,
        bound["id"].as_str().unwrap()
    );
    let hidden = crate::harness::client()
        .get(path)
        .bearer_auth(&other.session.token)
        .send()
        .await
        .unwrap();
    assert_eq!(hidden.status(), 404);

    // The old PIN is wrong now, the new one right.
    let request = world.ask(&citizen, &[crate::harness::dossier(1)]).await;
    phone
        .approve(&citizen.session, &request, PIN)
        .await
        .unwrap();
    let back = phone
        .wait_request(&citizen.session, &request, &["pending"])
        .await
        .unwrap();
    assert_eq!(back["tries_left"], 4);
    phone
        .approve(&citizen.session, &request, NEW_PIN)
        .await
        .unwrap();
    phone
        .wait_request(&citizen.session, &request, &["signed", "delivered"])
        .await
        .unwrap();
    world.finish().await;
}
