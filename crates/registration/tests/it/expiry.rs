//! What nobody comes back to.

use kyso_registration::enrolment::State;

use crate::office::{DAY, Office};

crate::everywhere!(
    a_beginning_nobody_continues_expires_and_frees_its_place,
    one_that_is_touched_lives_on,
    expired_codes_and_old_counters_are_wiped,
    recovery_can_be_run_any_number_of_times,
);

async fn a_beginning_nobody_continues_expires_and_frees_its_place(office: Office) {
    let mut drive = crate::office::campaign("vuon-lai", Some(1), office.now());
    drive.ends_at = office.now() + 90 * DAY;
    office
        .registration
        .add_campaign(&drive, "cli")
        .await
        .unwrap();
    let start = kyso_registration::enrolment::Start {
        campaign: Some("vuon-lai"),
        ..Default::default()
    };
    let person = office.begin_as(office.person(), start).await;
    office.activate(&person).await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    office.registration.pay(&person.id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 1);
    office.registration.recover().await.unwrap();
    office.advance(29 * DAY);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Started);
    office.advance(2 * DAY);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Expired);
    assert_eq!(office.taken("vuon-lai").await, 0);
    office.check().await;
}

async fn one_that_is_touched_lives_on(office: Office) {
    let person = office.begin().await;
    office.registration.recover().await.unwrap();
    for _ in 0..3 {
        office.advance(20 * DAY);
        office
            .registration
            .set_contact(&person.id, &person.owner.phone, "")
            .await
            .unwrap();
        office.work().await;
    }
    assert_eq!(office.show(&person).await.state, State::Started);
}

async fn expired_codes_and_old_counters_are_wiped(office: Office) {
    let person = office.begin().await;
    office
        .registration
        .set_contact(&person.id, &person.owner.phone, "")
        .await
        .unwrap();
    office
        .registration
        .request_code(
            &person.id,
            kyso_registration::citizen::Channel::Sms,
            crate::office::NETWORK,
        )
        .await
        .unwrap();
    let count = async |sql| {
        office
            .store
            .one(sql, &[])
            .await
            .unwrap()
            .int("found")
            .unwrap()
    };
    let blobs = "-- test_blobs\nSELECT COUNT(1) AS found FROM blob WHERE id IN (SELECT salt_blob FROM activation_code) OR id IN (SELECT code_blob FROM activation_code)";
    let counters = "-- test_counters\nSELECT COUNT(1) AS found FROM allowance";
    // the person's, the number's, the network's, and the provider's minute, hour and day
    assert_eq!((count(blobs).await, count(counters).await), (2, 6));
    let before = count("-- test_all\nSELECT COUNT(1) AS found FROM blob").await;
    office.registration.recover().await.unwrap();
    office.advance(2 * DAY + 1);
    office.work().await;
    assert_eq!(
        count("-- test_all\nSELECT COUNT(1) AS found FROM blob").await,
        before - 2
    );
    assert_eq!(count(counters).await, 0);
}

async fn recovery_can_be_run_any_number_of_times(office: Office) {
    let person = office.begin().await;
    let officer = office
        .officer(&[kyso_registration::ra::OfficerRole::Vetter])
        .await;
    office.hand_in(&person).await;
    office.approve(&officer, &person.id).await;
    for _ in 0..3 {
        office.registration.recover().await.unwrap();
        office.another_node().await.recover().await.unwrap();
    }
    office.work().await;
    office.registration.recover().await.unwrap();
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
    let certified = office
        .ledger(&person.id)
        .await
        .into_iter()
        .filter(|kind| kind == "registration.enrolment.certified")
        .count();
    assert_eq!(certified, 1);
    office.check().await;
}
