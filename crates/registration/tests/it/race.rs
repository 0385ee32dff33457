//! What two do at the same moment, on two nodes of one database.

use kyso_registration::citizen::{Channel, NewOwner};
use kyso_registration::enrolment::{Start, State};
use kyso_registration::ra::OfficerRole;
use kyso_registration::task::SEAL_CONTRACT;
use kyso_registration::{EnrolmentId, Error, Registration};
use kyso_signing::credential::BindingState;

use crate::office::{Office, PIN, Person, Phone};

crate::everywhere!(
    one_person_cannot_enrol_twice,
    who_is_here_is_told_to_a_proved_number_a_few_times_an_hour,
    a_number_that_somebody_typed_holds_nobody,
    one_person_racing_on_two_nodes_hands_in_once,
    the_last_place_of_a_campaign_is_won_once,
    the_last_place_is_won_once_by_those_who_hand_in,
    one_telephone_number_that_comes_at_once_holds_three_places,
    two_beginnings_of_one_person_leave_one,
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

/// The same person with a telephone number of their own.
fn on_another_phone(owner: &NewOwner, number: u32) -> NewOwner {
    NewOwner {
        phone: format!("08{number:08}"),
        email: format!("khac{number}@example.vn"),
        ..owner.clone()
    }
}

async fn one_person_cannot_enrol_twice(office: Office) {
    let one = office.begin().await;
    office.hand_in(&one).await;
    let two = office
        .begin_as(on_another_phone(&one.owner, 1), free())
        .await;
    // Nobody who has proved nothing learns who is known here.
    office
        .registration
        .set_owner(&two.id, &two.owner)
        .await
        .unwrap();
    office.activate(&two).await;
    assert!(matches!(
        office.registration.set_owner(&two.id, &two.owner).await,
        Err(Error::PersonTaken)
    ));
    // Entered before the code came: refused when it is handed in, and as often as it is tried.
    let three = office
        .begin_as(on_another_phone(&one.owner, 2), free())
        .await;
    office.fill_in_then_activate(&three).await;
    for _ in 0..2 {
        assert!(matches!(
            office.registration.submit(&three.id).await,
            Err(Error::PersonTaken)
        ));
    }
    assert_eq!(office.show(&three).await.state, State::Started);
    // Rejected: the person is free, and the one who waited goes on.
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    office
        .registration
        .open_dossier(&officer, &one.id)
        .await
        .unwrap();
    office
        .registration
        .reject(&officer, &one.id, &["suspected-fraud"])
        .await
        .unwrap();
    office.registration.submit(&three.id).await.unwrap();
    office.check().await;
}

async fn who_is_here_is_told_to_a_proved_number_a_few_times_an_hour(office: Office) {
    let known = office.begin().await;
    office.hand_in(&known).await;
    let is_told = async |person: &Person| match office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .map(drop)
    {
        Ok(()) => false,
        Err(Error::PersonTaken) => true,
        Err(other) => panic!("{other}"),
    };
    // A mailbox costs nothing, and proves nothing.
    let by_mail = office
        .begin_as(on_another_phone(&known.owner, 1), free())
        .await;
    office.activate_by(&by_mail, Channel::Email).await;
    assert!(!is_told(&by_mail).await);
    // A number is told, and then answered as if nobody were here; another enrolment on it does not begin anew.
    let by_sms = office
        .begin_as(on_another_phone(&known.owner, 2), free())
        .await;
    office.activate(&by_sms).await;
    let another = office
        .begin_as(on_another_phone(&known.owner, 2), free())
        .await;
    office.activate(&another).await;
    for (person, times, expected) in [(&by_sms, 4, true), (&another, 1, true), (&by_sms, 1, false)]
    {
        for _ in 0..times {
            assert_eq!(is_told(person).await, expected);
        }
    }
    // It proved the number it has now, not the one that is held: what is handed in is judged all the same.
    office.advance(3_600_000);
    assert!(is_told(&by_sms).await);
    office.photos(&by_mail).await;
    office.registration.pay(&by_mail.id).await.unwrap();
    office.sign_contract(&by_mail).await;
    assert!(matches!(
        office.registration.submit(&by_mail.id).await,
        Err(Error::PersonTaken)
    ));
    office.check().await;
}

async fn a_number_that_somebody_typed_holds_nobody(office: Office) {
    let owner = office.person();
    // Strangers type the number: some prove nothing, some a mailbox, one a telephone of their own.
    for number in 1..=4 {
        let stranger = office
            .begin_as(on_another_phone(&owner, number), free())
            .await;
        match number {
            3 => office.activate_by(&stranger, Channel::Email).await,
            4 => office.activate(&stranger).await,
            _ => {}
        }
        office
            .registration
            .set_owner(&stranger.id, &stranger.owner)
            .await
            .unwrap();
        office.registration.pay(&stranger.id).await.unwrap();
    }
    let person = office.begin_as(owner, free()).await;
    office.hand_in(&person).await;
    office.check().await;
}

async fn one_person_racing_on_two_nodes_hands_in_once(office: Office) {
    let nodes = [office.registration.clone(), office.another_node().await];
    for round in 0..4 {
        let new = office.person();
        let (one, two) = (
            office.begin_as(new.clone(), free()).await,
            office
                .begin_as(on_another_phone(&new, 100 + round), free())
                .await,
        );
        for person in [&one, &two] {
            office.activate(person).await;
            office.fill_in(person).await;
        }
        let (a, b) = tokio::join!(nodes[0].submit(&one.id), nodes[1].submit(&two.id));
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

/// How many of these succeed at the same moment on two nodes; the others must be told that three places is all there is.
async fn winners<F: Future<Output = kyso_registration::Result<()>> + Send + 'static>(
    office: &Office,
    people: Vec<EnrolmentId>,
    step: fn(Registration, EnrolmentId) -> F,
) -> usize {
    let nodes = [office.registration.clone(), office.another_node().await];
    let tries: Vec<_> = people
        .into_iter()
        .enumerate()
        .map(|(at, id)| tokio::spawn(step(nodes[at % 2].clone(), id)))
        .collect();
    let mut won = 0;
    for one in tries {
        match one.await.unwrap() {
            Ok(()) => won += 1,
            Err(Error::CampaignFull { quota: 3 }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    won
}

fn drive() -> Start<'static> {
    Start {
        campaign: Some("vuon-lai"),
        ..Start::default()
    }
}

async fn the_last_place_of_a_campaign_is_won_once(office: Office) {
    office.campaign("vuon-lai", Some(3)).await;
    let mut people = Vec::new();
    for _ in 0..10 {
        let person = office.begin_as(office.person(), drive()).await;
        office.activate(&person).await;
        office
            .registration
            .set_owner(&person.id, &person.owner)
            .await
            .unwrap();
        people.push(person.id);
    }
    let won = winners(&office, people, |node, id| async move {
        node.pay(&id).await.map(drop)
    })
    .await;
    assert_eq!((won, office.taken("vuon-lai").await), (3, 3));
    office.check().await;
}

async fn the_last_place_is_won_once_by_those_who_hand_in(office: Office) {
    office.campaign("vuon-lai", Some(3)).await;
    let mut people = Vec::new();
    for _ in 0..6 {
        let person = office.begin_as(office.person(), drive()).await;
        office.activate_by(&person, Channel::Email).await;
        office.fill_in(&person).await;
        people.push(person.id);
    }
    assert_eq!(office.taken("vuon-lai").await, 0);
    let won = winners(&office, people, |node, id| async move {
        node.submit(&id).await.map(drop)
    })
    .await;
    assert_eq!((won, office.taken("vuon-lai").await), (3, 3));
    office.check().await;
}

async fn one_telephone_number_that_comes_at_once_holds_three_places(mut office: Office) {
    office.with_rules(|rules| rules.codes_per_destination_hour = 100);
    let nodes = [office.registration.clone(), office.another_node().await];
    // Through two campaigns, whose own rows keep nobody of the other waiting.
    let drives = ["vuon-lai", "song-lam"];
    for drive in drives {
        office.campaign(drive, Some(100)).await;
    }
    let mut most = 0;
    for _ in 0..4 {
        let phone = office.person().phone;
        let mut paying = Vec::new();
        for at in 0..8 {
            let owner = NewOwner {
                phone: phone.clone(),
                ..office.person()
            };
            let start = Start {
                campaign: Some(drives[at / 2 % 2]),
                ..Start::default()
            };
            let person = office.begin_as(owner, start).await;
            office.activate(&person).await;
            office
                .registration
                .set_owner(&person.id, &person.owner)
                .await
                .unwrap();
            paying.push((nodes[at % 2].clone(), person.id));
        }
        let paying: Vec<_> = paying
            .into_iter()
            .map(|(node, id)| tokio::spawn(async move { node.pay(&id).await.map(drop) }))
            .collect();
        for one in paying {
            one.await.unwrap().unwrap();
        }
        most += 3;
        assert_eq!(
            office.taken(drives[0]).await + office.taken(drives[1]).await,
            most
        );
    }
    office.check().await;
}

async fn two_beginnings_of_one_person_leave_one(office: Office) {
    let nodes = [office.registration.clone(), office.another_node().await];
    office.campaign("vuon-lai", Some(1)).await;
    for _ in 0..5 {
        let new = office.person();
        let (one, two) = (
            office.begin_as(new.clone(), drive()).await,
            office.begin_as(new.clone(), drive()).await,
        );
        office.activate(&one).await;
        office.activate(&two).await;
        let (a, b) = tokio::join!(
            nodes[0].set_owner(&one.id, &new),
            nodes[1].set_owner(&two.id, &new)
        );
        // Who was replaced while they entered it is told that theirs is over.
        for outcome in [&a, &b] {
            assert!(matches!(
                outcome,
                Ok(_)
                    | Err(Error::EnrolmentState {
                        state: State::Abandoned
                    })
            ));
        }
        let started = [&one, &two].map(|person| office.show(person));
        let [first, second] = started;
        let (first, second) = (first.await.state, second.await.state);
        assert!(
            (first == State::Started) != (second == State::Started),
            "{first} {second}"
        );
    }
    assert_eq!(office.taken("vuon-lai").await, 0);
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
    office.campaign("vuon-lai", Some(1)).await;
    let lost = office.begin_as(office.person(), drive()).await;
    office.activate(&lost).await;
    office
        .registration
        .set_owner(&lost.id, &lost.owner)
        .await
        .unwrap();
    // The token is gone with the old browser: a new enrolment that has proved the same number replaces the old one.
    let again = office.begin_as(lost.owner.clone(), drive()).await;
    office.registration.pay(&lost.id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 1);
    office
        .registration
        .set_owner(&again.id, &again.owner)
        .await
        .unwrap();
    assert_eq!(office.show(&lost).await.state, State::Started);
    assert!(matches!(
        office.registration.pay(&again.id).await,
        Err(Error::CampaignFull { quota: 1 })
    ));
    office.activate(&again).await;
    let view = office.show(&lost).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Abandoned, vec!["replaced".to_owned()])
    );
    office.registration.pay(&again.id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 1);
    office.check().await;
}

async fn after_the_credential_ended_the_person_may_enrol_again(office: Office) {
    let (person, _) = office.complete().await;
    let again = office.begin_as(person.owner.clone(), free()).await;
    office.activate(&again).await;
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
