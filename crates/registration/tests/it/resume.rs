//! Back to an enrolment: by the number that was proved and a fresh code, by nobody else, and without telling who is known here.

use kyso_registration::citizen::Channel;
use kyso_registration::enrolment::{Kind, Start, State, Step};
use kyso_registration::{Budget, Error, ResumptionId};

use crate::office::{DAY, Office, Person};

crate::everywhere!(
    a_fresh_code_opens_the_enrolment_here_and_nowhere_else,
    a_number_nobody_has_is_answered_as_any_other,
    only_what_is_under_way_with_a_proved_number_is_resumed,
    the_identity_number_picks_among_a_familys,
    five_wrong_tries_spend_the_code_also_at_once,
    a_right_code_on_two_nodes_resumes_once,
    an_old_code_is_refused_and_its_rows_are_wiped,
    closed_numbers_are_refused,
    one_network_gets_a_share_of_a_numbers_codes,
    numbers_nobody_has_use_up_no_budget,
    no_phone_is_bound_for_a_day_after_what_was_handed_in_is_resumed,
    who_resumes_what_is_not_handed_in_is_photographed_again,
    an_alarm_goes_to_the_contacts_as_they_were,
    one_row_that_does_not_read_keeps_no_other_from_its_end,
);

async fn entered(office: &Office) -> Person {
    let person = office.begin().await;
    office.activate(&person).await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    person
}

/// Each time from another network.
async fn ask(office: &Office, phone: &str) -> ResumptionId {
    let network = format!("network {}", office.now());
    let asked = office.registration.ask_to_resume(phone, &network).await;
    asked.unwrap().id
}

/// The code as the sender reads it; `None` if there is nobody to send it to.
async fn code_of(office: &Office, id: &ResumptionId) -> Option<String> {
    let to_send = office
        .registration
        .resumption_code_to_send(id)
        .await
        .unwrap();
    to_send.map(|to_send| {
        assert_eq!(to_send.channel, Channel::Sms);
        to_send.code
    })
}

/// What this person's alarms are, as [`alarms`] finds them.
fn told(person: &Person) -> Vec<String> {
    let number = format!("+84{}", &person.owner.phone[1..]);
    vec![
        format!("resumed to {number}"),
        format!("resumed to {}", person.owner.email),
    ]
}

async fn alarms(office: &Office) -> Vec<String> {
    let mut told = office.messages().await;
    told.sort();
    told
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn a_fresh_code_opens_the_enrolment_here_and_nowhere_else(office: Office) {
    let person = entered(&office).await;
    let number = person.owner.identity_number.as_str();
    let asked = office
        .registration
        .ask_to_resume(&person.owner.phone, crate::office::NETWORK)
        .await
        .unwrap();
    assert_eq!(asked.expires_at - office.now(), 300_000);
    assert!(asked.destination.starts_with("09••"));
    let code = code_of(&office, &asked.id).await.unwrap();
    office
        .registration
        .resumption_code_sent(&asked.id)
        .await
        .unwrap();
    assert!(
        code_of(&office, &asked.id).await.is_none(),
        "it is sent once"
    );
    let resumed = office
        .registration
        .resume(&asked.id, &format!(" {code} "), Some(number))
        .await
        .unwrap();
    assert_eq!(
        (resumed.id, resumed.view.state),
        (person.id, State::Started)
    );
    let found = office.registration.authenticate(&resumed.session).await;
    assert_eq!(found.unwrap(), person.id);
    assert!(matches!(
        office.registration.authenticate(&person.session).await,
        Err(Error::SessionInvalid)
    ));
    assert_eq!(alarms(&office).await, told(&person));
    let lines = office.ledger(&person.id).await;
    assert!(lines.contains(&"registration.enrolment.resumed".to_owned()));
    // Once.
    assert!(matches!(
        office
            .registration
            .resume(&asked.id, &code, Some(number))
            .await
            .map(drop),
        Err(Error::CodeNone)
    ));
    // It goes on to the end from here.
    office.hand_in(&person).await;
    office.check().await;
}

async fn a_number_nobody_has_is_answered_as_any_other(office: Office) {
    let person = entered(&office).await;
    let numbers = [person.owner.phone.clone(), "0866123456".to_owned()];
    // Asked for in turns, both hear the same of everything.
    let mut heard = [Vec::new(), Vec::new()];
    for round in 0..7 {
        let network = format!("192.0.2.{round}");
        for (number, heard) in numbers.iter().zip(&mut heard) {
            for _ in 0..2 {
                heard.push(
                    match office.registration.ask_to_resume(number, &network).await {
                        Ok(asked) => format!(
                            "asked {} {}",
                            asked.expires_at - office.now(),
                            asked.resend_at - office.now()
                        ),
                        Err(Error::CodeTooSoon { at, now }) => format!("too soon {}", at - now),
                        Err(Error::CodeLimit { at, now }) => format!("limit {}", at - now),
                        Err(other) => panic!("{other}"),
                    },
                );
            }
        }
        office.advance(46_000);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0][..2], ["asked 300000 45000", "too soon 45000"]);
    assert!(heard[0][13].starts_with("limit "), "{}", heard[0][13]);

    office.advance(DAY);
    let (known, unknown) = (
        ask(&office, &numbers[0]).await,
        ask(&office, &numbers[1]).await,
    );
    let code = code_of(&office, &known).await.unwrap();
    assert_eq!(code_of(&office, &unknown).await, None, "no message is sent");
    for left in (0..5).rev() {
        for id in [&known, &unknown] {
            // For the unknown number any guess may be right once in a million.
            match office
                .registration
                .resume(id, &another(&code), None)
                .await
                .map(drop)
            {
                Err(Error::CodeWrong { tries_left }) => assert_eq!(tries_left, left),
                other => panic!("{other:?}"),
            }
        }
    }
    for id in [&known, &unknown] {
        assert!(matches!(
            office.registration.resume(id, &code, None).await.map(drop),
            Err(Error::CodeNone)
        ));
    }
}

async fn only_what_is_under_way_with_a_proved_number_is_resumed(office: Office) {
    // Only typed.
    let typed = office.begin().await;
    office
        .registration
        .set_owner(&typed.id, &typed.owner)
        .await
        .unwrap();
    // Proved by mail.
    let mailed = office.begin().await;
    office.activate_by(&mailed, Channel::Email).await;
    // Given up, and complete.
    let ended = entered(&office).await;
    office.registration.abandon(&ended.id).await.unwrap();
    let (complete, _) = office.complete().await;
    for person in [&typed, &mailed, &ended, &complete] {
        let asked = ask(&office, &person.owner.phone).await;
        assert_eq!(code_of(&office, &asked).await, None);
    }
    // It was under way when the code was asked for, and is not when it comes back.
    let person = entered(&office).await;
    let asked = ask(&office, &person.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    office.registration.abandon(&person.id).await.unwrap();
    let number = person.owner.identity_number.as_str();
    assert!(matches!(
        office
            .registration
            .resume(&asked, &code, Some(number))
            .await
            .map(drop),
        Err(Error::NotFound { what: "enrolment" })
    ));
    // Waiting for an officer, and for its phone: as well as at the beginning.
    let waiting = office.begin().await;
    office.hand_in(&waiting).await;
    let certified = office.certified().await;
    for person in [&waiting, &certified] {
        let asked = ask(&office, &person.owner.phone).await;
        let code = code_of(&office, &asked).await.unwrap();
        let number = person.owner.identity_number.as_str();
        let resumed = office.registration.resume(&asked, &code, Some(number));
        assert_eq!(resumed.await.unwrap().id, person.id);
    }
    office.advance(DAY);
    office.finish(&certified).await;
    office.check().await;
}

async fn the_identity_number_picks_among_a_familys(office: Office) {
    let mother = entered(&office).await;
    let mut owner = office.person();
    owner.phone.clone_from(&mother.owner.phone);
    let start = || Start {
        plan: Some("free-12"),
        ..Start::default()
    };
    let child = office.begin_as(owner, start()).await;
    office.activate(&child).await;
    office
        .registration
        .set_owner(&child.id, &child.owner)
        .await
        .unwrap();
    let resume = async |number: Option<&str>| {
        office.advance(46_000);
        let asked = ask(&office, &mother.owner.phone).await;
        let code = code_of(&office, &asked).await.unwrap();
        let resumed = office.registration.resume(&asked, &code, number).await;
        resumed.map(|started| started.id)
    };
    for person in [&mother, &child] {
        let number = person.owner.identity_number.as_str();
        assert_eq!(resume(Some(number)).await.unwrap(), person.id);
    }
    // Who has the number and not the card gets nothing.
    for number in [None, Some(""), Some("079300999999")] {
        assert!(matches!(
            resume(number).await,
            Err(Error::NotFound { what: "enrolment" })
        ));
    }
    office.advance(3_600_000);
    // One without an owner is opened by the code alone, and by it alone.
    let begun = office.begin_as(child.owner.clone(), start()).await;
    office.activate(&begun).await;
    assert_eq!(resume(None).await.unwrap(), begun.id);
    let number = mother.owner.identity_number.as_str();
    assert_eq!(resume(Some(number)).await.unwrap(), mother.id);
}

async fn five_wrong_tries_spend_the_code_also_at_once(office: Office) {
    let person = entered(&office).await;
    let asked = ask(&office, &person.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    let guesses: Vec<_> = (1..=20)
        .map(|step| {
            let registration = office.registration.clone();
            let guess = format!("{:06}", (code.parse::<u32>().unwrap() + step) % 1_000_000);
            tokio::spawn(async move { registration.resume(&asked, &guess, None).await.map(drop) })
        })
        .collect();
    let mut compared = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Err(Error::CodeWrong { .. }) => compared += 1,
            Err(Error::CodeNone) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(compared <= 5, "{compared}");
    assert!(matches!(
        office
            .registration
            .resume(&asked, &code, None)
            .await
            .map(drop),
        Err(Error::CodeNone)
    ));
    assert!(
        office
            .registration
            .authenticate(&person.session)
            .await
            .is_ok()
    );
}

async fn a_right_code_on_two_nodes_resumes_once(office: Office) {
    let person = entered(&office).await;
    let node = office.another_node().await;
    let number = Some(person.owner.identity_number.as_str());
    for _ in 0..4 {
        let asked = ask(&office, &person.owner.phone).await;
        let code = code_of(&office, &asked).await.unwrap();
        let (a, b) = tokio::join!(
            office.registration.resume(&asked, &code, number),
            node.resume(&asked, &code, number)
        );
        assert!(a.is_ok() != b.is_ok());
        assert!(matches!(
            (&a, &b),
            (Ok(_), Err(Error::CodeNone)) | (Err(Error::CodeNone), Ok(_))
        ));
        office.advance(46_000);
    }
}

async fn an_old_code_is_refused_and_its_rows_are_wiped(office: Office) {
    let person = entered(&office).await;
    let count = async |sql| {
        let row = office.store.one(sql, &[]).await.unwrap();
        row.int("found").unwrap()
    };
    let blobs = "-- test_blobs\nSELECT COUNT(1) AS found FROM blob";
    let rows = "-- test_resumptions\nSELECT COUNT(1) AS found FROM resumption";
    let before = count(blobs).await;
    let asked = ask(&office, &person.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    assert_eq!((count(rows).await, count(blobs).await), (1, before + 2));
    office.advance(300_000);
    assert!(matches!(
        office
            .registration
            .resume(&asked, &code, None)
            .await
            .map(drop),
        Err(Error::CodeNone)
    ));
    assert_eq!(code_of(&office, &asked).await, None);
    office.registration.recover().await.unwrap();
    office.work().await;
    assert_eq!((count(rows).await, count(blobs).await), (0, before));
}

async fn closed_numbers_are_refused(mut office: Office) {
    office.with_rules(|rules| rules.sms_prefixes_refused = vec!["0592".into()]);
    for (number, code) in [
        ("0592123456", "prefix-refused"),
        ("0281234567", "not-mobile"),
        ("+14155550100", "phone-form"),
        ("", "required"),
    ] {
        match office
            .registration
            .ask_to_resume(number, crate::office::NETWORK)
            .await
            .map(drop)
        {
            Err(Error::Fields(errors)) => {
                assert_eq!((errors[0].field, errors[0].code), ("phone", code))
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn one_network_gets_a_share_of_a_numbers_codes(office: Office) {
    let person = entered(&office).await;
    let ask = async |network: &str| {
        let asked = office
            .registration
            .ask_to_resume(&person.owner.phone, network);
        asked.await.map(|asked| asked.id)
    };
    let mut sent = 0;
    for _ in 0..12 {
        match ask("192.0.2.66").await {
            Ok(_) => sent += 1,
            Err(Error::CodeLimit { at, now }) => assert!((1..=3_600_000).contains(&(at - now))),
            other => panic!("{other:?}"),
        }
        office.advance(46_000);
    }
    assert_eq!(sent, 2);
    // The citizen, who is elsewhere, goes on.
    let asked = ask("2001:db8::/64").await.unwrap();
    let code = code_of(&office, &asked).await.unwrap();
    let number = Some(person.owner.identity_number.as_str());
    let resumed = office.registration.resume(&asked, &code, number).await;
    assert_eq!(resumed.unwrap().id, person.id);
    office.check().await;
}

async fn numbers_nobody_has_use_up_no_budget(mut office: Office) {
    let (first, second) = (entered(&office).await, entered(&office).await);
    let waiting = office.certified().await;
    office.advance(DAY);
    office.with_rules(|rules| {
        rules.sms_budget = Budget {
            minute: 1,
            hour: 1,
            day: 2,
        };
    });
    for number in 0..9 {
        let asked = ask(&office, &format!("086612345{number}")).await;
        assert_eq!(code_of(&office, &asked).await, None);
    }
    // With a gateway that is away it is read at every try, and counted once.
    let asked = ask(&office, &first.owner.phone).await;
    for _ in 0..3 {
        assert!(code_of(&office, &asked).await.is_some());
    }
    // The second is answered as ever; its code waits, and is sent in the next minute that has room.
    let asked = ask(&office, &second.owner.phone).await;
    let sent = office.registration.resumption_code_to_send(&asked).await;
    assert!(matches!(sent.map(drop), Err(Error::MessageBudget { .. })));
    for _ in 0..3 {
        office.advance(61_000);
        let sent = office.registration.resumption_code_to_send(&asked).await;
        let is_sent = sent.is_ok_and(|code| code.is_some());
        assert!(!is_sent, "the hour has one");
    }
    office.advance(3_600_000);
    let asked = ask(&office, &second.owner.phone).await;
    for _ in 0..3 {
        assert!(code_of(&office, &asked).await.is_some());
    }
    // Who is approved binds a phone all the same.
    office
        .registration
        .device_challenge(&waiting.id)
        .await
        .unwrap();
}

async fn no_phone_is_bound_for_a_day_after_what_was_handed_in_is_resumed(office: Office) {
    // Handed in, and certified a moment later: the rest begins with the resumption.
    let person = office.begin().await;
    let officer = office
        .officer(&[kyso_registration::ra::OfficerRole::Vetter])
        .await;
    office.hand_in(&person).await;
    let asked = ask(&office, &person.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    let number = Some(person.owner.identity_number.as_str());
    office
        .registration
        .resume(&asked, &code, number)
        .await
        .unwrap();
    assert_eq!(alarms(&office).await, told(&person));
    office.approve(&officer, &person.id).await;
    office.work().await;
    let certified = office.certified().await;
    let asked = ask(&office, &certified.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    let number = Some(certified.owner.identity_number.as_str());
    office
        .registration
        .resume(&asked, &code, number)
        .await
        .unwrap();
    for person in [&person, &certified] {
        assert_eq!(office.show(person).await.state, State::Certified);
        match office
            .registration
            .device_challenge(&person.id)
            .await
            .map(drop)
        {
            Err(Error::ResumptionRests { at, now }) => {
                assert_eq!(now, office.now());
                assert!((1..=DAY).contains(&(at - now)), "{at} {now}");
            }
            other => panic!("{other:?}"),
        }
    }
    office.advance(DAY - 1_000);
    assert!(matches!(
        office
            .registration
            .device_challenge(&certified.id)
            .await
            .map(drop),
        Err(Error::ResumptionRests { .. })
    ));
    office.advance(1_000);
    for person in [&person, &certified] {
        office.finish(person).await;
        assert_eq!(office.show(person).await.state, State::Complete);
    }
    // What was resumed before there was anything to hand in rests not.
    let begun = entered(&office).await;
    let asked = ask(&office, &begun.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    let number = Some(begun.owner.identity_number.as_str());
    office
        .registration
        .resume(&asked, &code, number)
        .await
        .unwrap();
    office.certify(&begun).await;
    office.finish(&begun).await;
    office.check().await;
}

async fn who_resumes_what_is_not_handed_in_is_photographed_again(office: Office) {
    let person = office.begin().await;
    office.activate(&person).await;
    office.fill_in(&person).await;
    let asked = ask(&office, &person.owner.phone).await;
    let code = code_of(&office, &asked).await.unwrap();
    let number = Some(person.owner.identity_number.as_str());
    let resumed = office.registration.resume(&asked, &code, number).await;
    resumed.unwrap();
    let next = office.next(&person).await;
    assert!(next.contains(&"photo:face".to_owned()), "{next:?}");
    assert!(!next.contains(&"photo:front".to_owned()), "{next:?}");
    assert!(matches!(
        office.registration.submit(&person.id).await,
        Err(Error::StepsMissing { missing })
            if missing.contains(&Step::Photo(Kind::Face)) && missing.contains(&Step::Contract)
    ));
    let lines = office.ledger(&person.id).await;
    for line in [
        "registration.evidence.withdrawn",
        "registration.contract.voided",
    ] {
        assert!(lines.contains(&line.to_owned()), "{lines:?}");
    }
    // Photographed and signed anew it goes on.
    office.photos(&person).await;
    office.sign_contract(&person).await;
    office.registration.submit(&person.id).await.unwrap();
    office.check().await;
}

async fn an_alarm_goes_to_the_contacts_as_they_were(office: Office) {
    let person = entered(&office).await;
    let number = Some(person.owner.identity_number.as_str());
    let blobs = async || {
        let found = "-- test_blobs\nSELECT COUNT(1) AS found FROM blob";
        let row = office.store.one(found, &[]).await.unwrap();
        row.int("found").unwrap()
    };
    let before = blobs().await;
    // Somebody has the number now. Twice, and before anything was sent they enter contacts of their own.
    let mut expected = Vec::new();
    for _ in 0..2 {
        let asked = ask(&office, &person.owner.phone).await;
        let code = code_of(&office, &asked).await.unwrap();
        let resumed = office.registration.resume(&asked, &code, number).await;
        resumed.unwrap();
        expected.extend(told(&person));
        office.advance(46_000);
    }
    expected.sort();
    office
        .registration
        .set_contact(&person.id, "0866123456", "ke-la@example.vn")
        .await
        .unwrap();
    let jobs = "-- test_jobs\nSELECT payload FROM job";
    for job in office.store.all(jobs, &[]).await.unwrap() {
        let payload = job.text("payload").unwrap();
        for contact in [&person.owner.phone[1..], &person.owner.email] {
            assert!(!payload.contains(contact), "{payload}");
        }
    }
    assert_eq!(alarms(&office).await, expected);
    assert_eq!(blobs().await, before, "contacts are erased once told");
    office.check().await;
}

async fn one_row_that_does_not_read_keeps_no_other_from_its_end(office: Office) {
    let broken = entered(&office).await;
    let other = entered(&office).await;
    let edited =
        "-- test_edit\nUPDATE enrolment SET birth_date = 'x', touched_at = 0 WHERE id = $1";
    let mut tx = office.store.write().await.unwrap();
    tx.execute(edited, &[(&broken.id).into()]).await.unwrap();
    tx.commit().await.unwrap();
    office.registration.recover().await.unwrap();
    office.advance(31 * DAY);
    office.work().await;
    assert_eq!(office.show(&other).await.state, State::Expired);
    // And it sweeps on.
    let late = entered(&office).await;
    office.advance(31 * DAY);
    office.work().await;
    assert_eq!(office.show(&late).await.state, State::Expired);
}
