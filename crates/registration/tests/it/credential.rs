//! From the certificate to the active credential: weak PINs, refusals, credentials that end on the way.

use kyso_registration::Error;
use kyso_registration::enrolment::State;

use crate::office::{DAY, Office, PIN, Phone};

crate::everywhere!(
    a_weak_pin_is_refused_and_another_try_is_free,
    nothing_is_bound_before_the_certificate_or_after_the_binding,
    the_code_of_a_first_binding_goes_to_the_proved_contact_and_into_no_row,
    codes_of_first_bindings_are_bounded,
    five_wrong_codes_end_the_enrolment,
    the_certificate_says_who_and_ends_with_the_plan,
    a_refused_acceptance_ends_certificate_and_enrolment,
    an_acceptance_that_expires_is_asked_for_again,
    a_credential_nobody_takes_delivery_of_is_given_up,
    a_report_that_was_lost_only_delays,
    a_phone_that_never_heard_the_answer_goes_on,
    five_wrong_pins_before_the_first_signature_end_the_enrolment,
);

async fn a_weak_pin_is_refused_and_another_try_is_free(office: Office) {
    let person = office.certified().await;
    let phone = Phone::new(&office, &person);
    for pin in ["123456", "777777"] {
        phone.bind(&office, pin).await;
        office.work().await;
        let view = office.show(&person).await;
        assert_eq!(
            (view.state, view.binding.as_deref()),
            (State::Certified, Some("pin-weak"))
        );
        assert_eq!(office.next(&person).await, ["device"]);
    }
    phone.bind(&office, PIN).await;
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Accepting);
}

async fn nothing_is_bound_before_the_certificate_or_after_the_binding(office: Office) {
    let person = office.begin().await;
    let phone = Phone::new(&office, &person);
    assert!(matches!(
        phone.intention(&office, PIN).await.map(drop),
        Err(Error::EnrolmentState {
            state: State::Started
        })
    ));
    office.certify(&person).await;
    let phone = Phone::new(&office, &person);
    let late = phone.intention(&office, PIN).await.unwrap();
    phone.bind(&office, PIN).await;
    office.work().await;
    assert!(matches!(
        office.registration.bind_device(&person.id, late).await,
        Err(Error::EnrolmentState {
            state: State::Accepting
        })
    ));
}

async fn the_code_of_a_first_binding_goes_to_the_proved_contact_and_into_no_row(office: Office) {
    let person = office.certified().await;
    let challenge = office
        .registration
        .device_challenge(&person.id)
        .await
        .unwrap();
    let code = |nonce: String| async {
        let nonce = nonce;
        office
            .registration
            .device_code_to_send(&office.keys, &person.id, &nonce)
            .await
            .unwrap()
    };
    let sent = code(challenge.nonce.clone()).await.unwrap();
    let view = office.show(&person).await;
    assert_eq!(
        (sent.channel, Some(sent.destination)),
        (kyso_registration::citizen::Channel::Sms, view.phone)
    );
    assert!(sent.code.len() == 6 && sent.code.bytes().all(|digit| digit.is_ascii_digit()));
    // Sent again after a crash of the relay it is the same; for a nonce nobody gave out there is none.
    let again = code(challenge.nonce.clone()).await.unwrap();
    assert_eq!(again.code, sent.code);
    assert!(code("AAAAAAAAAAAAAAAAAAAAAA".into()).await.is_none());
    // The job names the challenge, and nothing else was written.
    let jobs = office
        .store
        .all(
            "-- test.jobs\nSELECT payload FROM job WHERE kind = 'registration.send-device-code'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(jobs.len(), 1);
    let payload = jobs[0].text("payload").unwrap();
    assert!(!payload.contains(&sent.code), "{payload}");
    let phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    office.work().await;
    // Used, late, or of a phone that is bound: there is nothing to send.
    assert!(code(challenge.nonce).await.is_none());
    office.check().await;
}

async fn codes_of_first_bindings_are_bounded(office: Office) {
    let person = office.certified().await;
    let challenge = || office.registration.device_challenge(&person.id);
    challenge().await.unwrap();
    let soon = challenge().await.map(drop);
    assert!(matches!(soon, Err(Error::CodeTooSoon { .. })), "{soon:?}");
    let mut sent = 1;
    loop {
        office.advance(45_000);
        match challenge().await {
            Ok(_) => sent += 1,
            Err(Error::CodeLimit { .. }) => break,
            Err(error) => panic!("{error}"),
        }
    }
    // The activation code went to the same number.
    assert!(sent <= office.config.codes_per_destination_hour, "{sent}");
    office.check().await;
}

async fn five_wrong_codes_end_the_enrolment(office: Office) {
    let person = office.certified().await;
    let phone = Phone::new(&office, &person);
    for wrong in 0..5 {
        // The limit of codes an hour is another test's.
        office.advance(3_600_000);
        let guess = phone
            .intention_with(&office, PIN, Some("000000"))
            .await
            .unwrap();
        office
            .registration
            .bind_device(&person.id, guess)
            .await
            .unwrap();
        office.work().await;
        if wrong < 4 {
            let view = office.show(&person).await;
            assert_eq!(
                (view.state, view.binding.as_deref()),
                (State::Certified, Some("code-wrong"))
            );
        }
    }
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Failed, vec!["code-locked".to_owned()])
    );
    office.work().await;
    office.check().await;
}

async fn the_certificate_says_who_and_ends_with_the_plan(office: Office) {
    let person = office.certified().await;
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credential.identity_number, person.owner.identity_number);
    // twelve months from 22 November 2026
    let days = (credential.plan_end_at - credential.created_at) / DAY;
    assert!((364..=365).contains(&days), "{days}");
    assert!(credential.not_after_at.unwrap() <= credential.plan_end_at);
    let der = credential.certificate.unwrap();
    for text in [
        &person.owner.full_name,
        "Phường Vườn Lài",
        "Thành phố Hồ Chí Minh",
        &format!("CCCD:{}", person.owner.identity_number),
    ] {
        assert!(
            der.windows(text.len())
                .any(|window| window == text.as_bytes()),
            "{text}"
        );
    }
    assert!(
        !der.windows(7).any(|window| window == b"example"),
        "no e-mail in the certificate"
    );
}

async fn a_refused_acceptance_ends_certificate_and_enrolment(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    office.work().await;
    phone.log_in(&office).await;
    let request = phone.acceptance(&office).await;
    office
        .signing
        .requests
        .refuse(
            phone.session.as_ref().unwrap(),
            &request.id,
            "wrong-document",
        )
        .await
        .unwrap();
    office.work().await;
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Failed, vec!["acceptance-refused".to_owned()])
    );
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credential.state.as_str(), "failed");
    office.check().await;
}

async fn an_acceptance_that_expires_is_asked_for_again(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    office.work().await;
    let first = office.show(&person).await.acceptance_request.unwrap();
    office.advance(8 * DAY);
    office.work().await;
    office.show(&person).await;
    office.work().await;
    let second = office.show(&person).await.acceptance_request.unwrap();
    assert_ne!(first, second);
    phone.accept(&office).await;
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Complete);
    office.check().await;
}

async fn a_credential_nobody_takes_delivery_of_is_given_up(office: Office) {
    let person = office.certified().await;
    office.registration.recover().await.unwrap();
    office.advance(31 * DAY);
    office.work().await;
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Failed, vec!["not-accepted-in-time".to_owned()])
    );
    let again = office
        .begin_as(
            person.owner.clone(),
            kyso_registration::enrolment::Start {
                plan: Some("free-12"),
                ..Default::default()
            },
        )
        .await;
    office
        .registration
        .set_owner(&again.id, &again.owner)
        .await
        .unwrap();
    office.check().await;
}

async fn a_report_that_was_lost_only_delays(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    // The worker dies after signing's commit, before it tells us: nobody settles. Looking is enough.
    office.work_without_settling().await;
    assert_eq!(office.show(&person).await.state, State::Accepting);
    office.work().await;
    phone.accept(&office).await;
    office.work_without_settling().await;
    assert_eq!(office.show(&person).await.state, State::Complete);
    office.check().await;
}

async fn a_phone_that_never_heard_the_answer_goes_on(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    // Killed between signing's commit and ours: the binding is there, the enrolment does not name it.
    let intention = phone.intention(&office, PIN).await.unwrap();
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
        .request_binding(&credential, intention)
        .await
        .unwrap();
    office.work().await;
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.binding.as_deref(), view.device.is_some()),
        (State::Accepting, Some("bound"), true)
    );
    phone.accept(&office).await;
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Complete);
    office.check().await;
}

async fn five_wrong_pins_before_the_first_signature_end_the_enrolment(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    office.work().await;
    for _ in 0..4 {
        phone.accept_with(&office, "314159").await;
        office.work().await;
    }
    phone.accept_with(&office, "314159").await;
    // Killed before we hear of it: the news is on disk with the lock.
    office.work_without_settling().await;
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Failed, vec!["pin-locked".to_owned()])
    );
    office.work().await;
    let told = office.messages().await;
    let number = format!("+84{}", &person.owner.phone[1..]);
    for contact in [&number, &person.owner.email] {
        assert!(told.contains(&format!("locked to {contact}")), "{told:?}");
    }
    office.work().await;
    office.check().await;
}
