//! What two do at the same moment, on two nodes of one database.

use kyso_registration::enrolment::Start;
use kyso_registration::task::SEAL_CONTRACT;
use kyso_registration::{Error, Registration};
use kyso_signing::credential::BindingState;

use crate::office::{Office, PIN, Person, Phone};

crate::everywhere!(
    one_person_cannot_enrol_twice,
    one_person_racing_on_two_nodes_holds_one_enrolment,
    the_last_place_of_a_campaign_is_won_once,
    one_device_has_one_account,
    one_device_racing_for_two_accounts_gets_one,
    a_proved_phone_number_takes_over_a_forgotten_beginning,
    after_the_credential_ended_the_person_may_enrol_again,
    approval_and_withdrawal_of_the_lock_race_safely,
    a_lost_lease_costs_its_own_job_only,
);

fn free() -> Start<'static> {
    Start {
        plan: Some("free-12"),
        ..Start::default()
    }
}

async fn one_person_cannot_enrol_twice(office: Office) {
    let one = office.begin().await;
    office
        .registration
        .set_owner(&one.id, &one.owner)
        .await
        .unwrap();
    let two = office.begin_as(one.owner.clone(), free()).await;
    assert!(matches!(
        office.registration.set_owner(&two.id, &two.owner).await,
        Err(Error::PersonTaken)
    ));
    // Handed in, approved, complete: still.
    office.hand_in(&one).await;
    assert!(matches!(
        office.registration.set_owner(&two.id, &two.owner).await,
        Err(Error::PersonTaken)
    ));
}

async fn one_person_racing_on_two_nodes_holds_one_enrolment(office: Office) {
    let nodes = [office.registration.clone(), office.another_node().await];
    for _ in 0..10 {
        let new = office.person();
        let (one, two) = (
            office.begin_as(new.clone(), free()).await,
            office.begin_as(new.clone(), free()).await,
        );
        let (a, b) = tokio::join!(
            nodes[0].set_owner(&one.id, &new),
            nodes[1].set_owner(&two.id, &new)
        );
        assert!(
            a.is_ok() != b.is_ok(),
            "{:?} {:?}",
            a.map(|v| v.state),
            b.map(|v| v.state)
        );
        assert!(matches!(a.err().or(b.err()), Some(Error::PersonTaken)));
    }
    office.check().await;
}

async fn the_last_place_of_a_campaign_is_won_once(office: Office) {
    let nodes = [office.registration.clone(), office.another_node().await];
    office.campaign("vuon-lai", Some(3)).await;
    let mut people = Vec::new();
    for _ in 0..10 {
        let person = office
            .begin_as(
                office.person(),
                Start {
                    campaign: Some("vuon-lai"),
                    ..Start::default()
                },
            )
            .await;
        office
            .registration
            .set_owner(&person.id, &person.owner)
            .await
            .unwrap();
        people.push(person.id);
    }
    let tries: Vec<_> = people
        .into_iter()
        .enumerate()
        .map(|(at, id)| {
            let node: Registration = nodes[at % 2].clone();
            tokio::spawn(async move { node.pay(&id).await.map(drop) })
        })
        .collect();
    let mut won = 0;
    for one in tries {
        match one.await.unwrap() {
            Ok(()) => won += 1,
            Err(Error::CampaignFull { quota: 3 }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(won, 3);
    assert_eq!(
        office
            .registration
            .campaign("vuon-lai")
            .await
            .unwrap()
            .taken,
        3
    );
    office.check().await;
}

async fn one_device_has_one_account(office: Office) {
    let (_, phone) = office.complete().await;
    let other = office.certified().await;
    let phone = phone.moved_to(&other);
    let intention = phone.intention(&office, PIN).await.unwrap();
    assert!(matches!(
        office.registration.bind_device(&other.id, intention).await,
        Err(Error::DeviceTaken)
    ));
    assert_eq!(office.next(&other).await, ["device"]);
    // With a phone of their own it goes on.
    office.finish(&other).await;
    office.check().await;
}

async fn one_device_racing_for_two_accounts_gets_one(office: Office) {
    let (one, two) = (office.certified().await, office.certified().await);
    let phone = Phone::new(&office, &one);
    let first = phone.intention(&office, PIN).await.unwrap();
    let phone = phone.moved_to(&two);
    let second = phone.intention(&office, PIN).await.unwrap();
    let node = office.another_node().await;
    let (a, b) = tokio::join!(
        office.registration.bind_device(&one.id, first),
        node.bind_device(&two.id, second)
    );
    office.work().await;
    let bound = async |person: &Person, taken: bool| {
        taken && office.show(person).await.binding.as_deref() == Some("bound")
    };
    let (a, b) = (bound(&one, a.is_ok()).await, bound(&two, b.is_ok()).await);
    assert!(a != b, "one device, one account: {a} {b}");
    assert_ne!(BindingState::Bound, BindingState::Pending);
    office.check().await;
}

async fn a_proved_phone_number_takes_over_a_forgotten_beginning(office: Office) {
    let lost = office.begin().await;
    office
        .registration
        .set_owner(&lost.id, &lost.owner)
        .await
        .unwrap();
    // The token is gone with the old browser: a new enrolment that has proved the same number replaces the old one.
    let again = office.begin_as(lost.owner.clone(), free()).await;
    assert!(matches!(
        office.registration.set_owner(&again.id, &again.owner).await,
        Err(Error::PersonTaken)
    ));
    office.activate(&again).await;
    office
        .registration
        .set_owner(&again.id, &again.owner)
        .await
        .unwrap();
    let view = office.show(&lost).await;
    assert_eq!(
        (view.state.as_str(), view.reasons),
        ("abandoned", vec!["replaced".to_owned()])
    );
    office.check().await;
}

async fn after_the_credential_ended_the_person_may_enrol_again(office: Office) {
    let (person, _) = office.complete().await;
    let again = office.begin_as(person.owner.clone(), free()).await;
    assert!(matches!(
        office.registration.set_owner(&again.id, &again.owner).await,
        Err(Error::PersonTaken)
    ));
    let credential = office
        .show(&person)
        .await
        .credential
        .unwrap()
        .parse()
        .unwrap();
    office
        .signing
        .credentials
        .revoke(
            &credential,
            "cessation-of-operation".parse().unwrap(),
            "cli",
        )
        .await
        .unwrap();
    office.work().await;
    office
        .registration
        .set_owner(&again.id, &again.owner)
        .await
        .unwrap();
    assert_eq!(office.show(&person).await.state.as_str(), "closed");
    office.certify(&again).await;
    office.check().await;
}

async fn approval_and_withdrawal_of_the_lock_race_safely(office: Office) {
    let officer = office
        .officer(&[kyso_registration::ra::OfficerRole::Lead])
        .await;
    let node = office.another_node().await;
    for _ in 0..5 {
        let person = office.begin().await;
        office.hand_in(&person).await;
        office
            .registration
            .open_dossier(&officer, &person.id)
            .await
            .unwrap();
        let decision = office.decision(&officer, &person.id).await;
        let (approved, released) = tokio::join!(
            office.registration.approve(&officer, &person.id, &decision),
            node.release_dossier(&officer, &person.id)
        );
        match (approved, released) {
            (Ok(_), Err(Error::NotLocked)) | (Err(Error::NotLocked), Ok(())) => {}
            (approved, released) => panic!("{approved:?} {released:?}"),
        }
    }
    office.check().await;
}

async fn a_lost_lease_costs_its_own_job_only(office: Office) {
    let (one, two) = (office.begin().await, office.begin().await);
    office.hand_in(&one).await;
    office.hand_in(&two).await;
    let jobs = office
        .store
        .claim(&[SEAL_CONTRACT], 64, 30_000)
        .await
        .unwrap();
    assert_eq!(jobs.len(), 2);
    let taken = "-- test_taken\nUPDATE job SET lease = lease + 1 WHERE id = $1";
    let mut tx = office.store.write().await.unwrap();
    tx.execute(taken, &[jobs[0].id.into()]).await.unwrap();
    tx.commit().await.unwrap();
    let done = office.registration.work(&office.keys, jobs).await.unwrap();
    let mut outcomes: Vec<&str> = done.iter().map(|one| one.outcome).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["done", "lease-lost"]);
    assert_eq!(office.store.open_jobs().await.unwrap()[SEAL_CONTRACT], 1);
}
