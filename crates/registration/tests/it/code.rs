//! Activation codes: five tries, five minutes, forty-five seconds, and what stops pumping.

use kyso_registration::citizen::Channel;
use kyso_registration::{Budget, Error, Registration};

use crate::office::{DAY, Office, Person};

crate::everywhere!(
    a_code_is_six_digits_good_for_five_minutes_and_used_once,
    five_wrong_tries_spend_a_code,
    parallel_guesses_share_the_five_tries,
    the_next_code_waits_forty_five_seconds_and_voids_the_one_before,
    codes_are_limited_an_hour_per_person_and_per_destination,
    the_provider_sends_so_many_codes_a_minute_an_hour_and_a_day,
    one_network_asks_for_so_many_codes_an_hour,
    who_is_refused_uses_up_nothing_of_their_neighbours,
    nodes_racing_for_the_last_message_send_one,
    a_closed_range_of_numbers_is_sent_no_code,
    wrong_tries_are_limited_an_hour_whatever_the_codes,
    the_plain_code_is_gone_once_sent_or_over,
    email_needs_an_address,
    another_contact_voids_the_code_on_its_way,
);

async fn asked(office: &Office) -> Person {
    let person = office.begin().await;
    office
        .registration
        .set_contact(&person.id, &person.owner.phone, "")
        .await
        .unwrap();
    office
        .registration
        .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
        .await
        .unwrap();
    person
}

fn another(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn a_code_is_six_digits_good_for_five_minutes_and_used_once(office: Office) {
    let person = asked(&office).await;
    let shown = office.show(&person).await.code.unwrap();
    assert!(shown.destination.starts_with("09••") && shown.tries_left == 5);
    assert_eq!(
        (
            shown.expires_at - office.now(),
            shown.resend_at - office.now()
        ),
        (300_000, 45_000)
    );
    let (_, code) = office.code_of(&person).await;
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    let late = asked(&office).await;
    let (_, late_code) = office.code_of(&late).await;
    office
        .registration
        .activate(&person.id, &format!(" {code} "))
        .await
        .unwrap();
    // Again: already done. On a new enrolment: not its code.
    assert!(
        office
            .registration
            .activate(&person.id, &code)
            .await
            .is_ok()
    );
    office.advance(300_000);
    assert!(matches!(
        office.registration.activate(&late.id, &late_code).await,
        Err(Error::CodeNone)
    ));
    assert!(office.show(&late).await.code.is_none());
}

async fn five_wrong_tries_spend_a_code(office: Office) {
    let person = asked(&office).await;
    let (_, code) = office.code_of(&person).await;
    for left in (0..5).rev() {
        match office
            .registration
            .activate(&person.id, &another(&code))
            .await
        {
            Err(Error::CodeWrong { tries_left }) => assert_eq!(tries_left, left),
            other => panic!("{:?}", other.map(|view| view.state)),
        }
    }
    // The right one comes too late.
    assert!(matches!(
        office.registration.activate(&person.id, &code).await,
        Err(Error::CodeNone)
    ));
    let wrong = office
        .ledger(&person.id)
        .await
        .into_iter()
        .filter(|kind| kind == "registration.code.wrong")
        .count();
    assert_eq!(wrong, 5);
}

async fn parallel_guesses_share_the_five_tries(office: Office) {
    let person = asked(&office).await;
    let (_, code) = office.code_of(&person).await;
    let guesses: Vec<_> = (1..=30)
        .map(|step| {
            let (registration, id) = (office.registration.clone(), person.id);
            let guess = format!("{:06}", (code.parse::<u32>().unwrap() + step) % 1_000_000);
            tokio::spawn(async move { registration.activate(&id, &guess).await.map(drop) })
        })
        .collect();
    let mut compared = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Err(Error::CodeWrong { .. }) => compared += 1,
            Err(Error::CodeNone | Error::CodeLimit { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(compared <= 5, "{compared}");
    assert!(
        office
            .registration
            .activate(&person.id, &code)
            .await
            .is_err()
    );
}

async fn the_next_code_waits_forty_five_seconds_and_voids_the_one_before(office: Office) {
    let person = asked(&office).await;
    let (_, first) = office.code_of(&person).await;
    match office
        .registration
        .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
        .await
    {
        Err(Error::CodeTooSoon { at, now }) => {
            assert!(now == office.now() && at > now && at <= now + 45_000)
        }
        other => panic!("{other:?}"),
    }
    office.advance(45_000);
    office
        .registration
        .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
        .await
        .unwrap();
    let (_, second) = office.code_of(&person).await;
    if first != second {
        assert!(matches!(
            office.registration.activate(&person.id, &first).await,
            Err(Error::CodeWrong { tries_left: 4 })
        ));
    }
    office
        .registration
        .activate(&person.id, &second)
        .await
        .unwrap();
}

async fn codes_are_limited_an_hour_per_person_and_per_destination(office: Office) {
    let person = asked(&office).await;
    for _ in 0..4 {
        office.advance(46_000);
        office
            .registration
            .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
            .await
            .unwrap();
    }
    office.advance(46_000);
    assert!(matches!(
        office
            .registration
            .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
            .await,
        Err(Error::CodeLimit { .. })
    ));
    // Another enrolment, the same number: no more messages to it either.
    let other = office.begin().await;
    office
        .registration
        .set_contact(&other.id, &person.owner.phone, "")
        .await
        .unwrap();
    assert!(matches!(
        office
            .registration
            .request_code(&other.id, Channel::Sms, crate::office::NETWORK)
            .await,
        Err(Error::CodeLimit { .. })
    ));
    office.advance(3_600_000);
    office
        .registration
        .request_code(&other.id, Channel::Sms, crate::office::NETWORK)
        .await
        .unwrap();
}

async fn the_provider_sends_so_many_codes_a_minute_an_hour_and_a_day(mut office: Office) {
    office.with_rules(|rules| {
        rules.sms_budget = Budget {
            minute: 2,
            hour: 3,
            day: 4,
        }
    });
    let ask = async |channel| {
        let person = office.begin().await;
        office
            .registration
            .set_contact(&person.id, &person.owner.phone, &person.owner.email)
            .await
            .unwrap();
        let asked = office
            .registration
            .request_code(&person.id, channel, crate::office::NETWORK)
            .await;
        (person, asked.map(drop))
    };
    let refused_until = async |wait: i64| match ask(Channel::Sms).await.1 {
        Err(Error::MessageBudget { at, now }) => {
            assert_eq!((now, at - now), (office.now(), wait), "{wait}")
        }
        other => panic!("{other:?}"),
    };
    let (first, asked) = ask(Channel::Sms).await;
    asked.unwrap();
    ask(Channel::Sms).await.1.unwrap();
    refused_until(60_000).await;
    // Mail has a budget of its own, and what is on its way stays good when the next is refused.
    ask(Channel::Email).await.1.unwrap();
    office.advance(45_000);
    let again = office
        .registration
        .request_code(&first.id, Channel::Sms, crate::office::NETWORK)
        .await;
    assert!(matches!(again, Err(Error::MessageBudget { .. })));
    let (_, code) = office.code_of(&first).await;
    office
        .registration
        .activate(&first.id, &code)
        .await
        .unwrap();
    // The third of the hour, in a new minute; then the fourth of the day, in a new hour.
    office.advance(15_000);
    ask(Channel::Sms).await.1.unwrap();
    refused_until(3_600_000 - 60_002).await;
    office.advance(3_600_000);
    ask(Channel::Sms).await.1.unwrap();
    refused_until(DAY - 3_660_002).await;
    office.advance(DAY);
    ask(Channel::Sms).await.1.unwrap();
}

async fn one_network_asks_for_so_many_codes_an_hour(mut office: Office) {
    office.with_rules(|rules| rules.codes_per_network_hour = 3);
    let nodes = [office.registration.clone(), office.another_node().await];
    let person = async || {
        let person = office.begin().await;
        office
            .registration
            .set_contact(&person.id, &person.owner.phone, "")
            .await
            .unwrap();
        person
    };
    // Through both doors that are open to everybody.
    let ask = |node: &Registration, person: Person, number: usize, network: &'static str| {
        let node = node.clone();
        tokio::spawn(async move {
            if number.is_multiple_of(2) {
                let asked = node.request_code(&person.id, Channel::Sms, network).await;
                asked.map(drop)
            } else {
                let asked = node.ask_to_resume(&person.owner.phone, network).await;
                asked.map(drop)
            }
        })
    };
    let mut asked = Vec::new();
    for number in 0..8 {
        let node = &nodes[number / 2 % 2];
        asked.push(ask(node, person().await, number, "192.0.2.7"));
    }
    let mut allowed = 0;
    for one in asked {
        match one.await.unwrap() {
            Ok(()) => allowed += 1,
            Err(Error::CodeLimit { at, now }) => assert_eq!(at - now, 3_600_000),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(allowed, 3);
    // Another one asks as if nothing were.
    for number in 0..2 {
        let asked = ask(&nodes[0], person().await, number, "192.0.2.8");
        asked.await.unwrap().unwrap();
    }
    office.advance(3_600_000);
    let asked = ask(&nodes[0], person().await, 0, "192.0.2.7");
    asked.await.unwrap().unwrap();
}

async fn who_is_refused_uses_up_nothing_of_their_neighbours(mut office: Office) {
    office.with_rules(|rules| rules.codes_per_network_hour = 8);
    let network = "192.0.2.7";
    // "Send again", and again: too soon, and from the sixth on too many.
    let person = office.begin().await;
    let ask = async |person: &Person| {
        let asked = office
            .registration
            .request_code(&person.id, Channel::Sms, network);
        asked.await.map(drop)
    };
    assert!(matches!(ask(&person).await, Err(Error::Fields(_))));
    let contact = async |person: &Person| {
        office
            .registration
            .set_contact(&person.id, &person.owner.phone, "")
            .await
            .unwrap();
    };
    contact(&person).await;
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..30 {
        match ask(&person).await {
            Ok(()) => sent += 1,
            Err(Error::CodeTooSoon { .. } | Error::CodeLimit { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
        office.advance(23_000);
    }
    assert_eq!((sent, refused), (5, 25));
    // The same at the door for whoever comes back.
    for _ in 0..4 {
        let asked = office
            .registration
            .ask_to_resume("0866123456", network)
            .await
            .map(drop);
        assert!(matches!(asked, Ok(()) | Err(Error::CodeTooSoon { .. })));
    }
    // What is left is for whoever is behind the same address: two of eight.
    for is_sent in [true, true, false] {
        let neighbour = office.begin().await;
        contact(&neighbour).await;
        let asked = ask(&neighbour).await;
        assert_eq!(asked.is_ok(), is_sent, "{asked:?}");
    }
}

async fn nodes_racing_for_the_last_message_send_one(mut office: Office) {
    office.with_rules(|rules| rules.sms_budget.minute = 3);
    let nodes = [office.registration.clone(), office.another_node().await];
    let mut asked = Vec::new();
    for number in 0..8 {
        let person = office.begin().await;
        let node = nodes[number % 2].clone();
        node.set_contact(&person.id, &person.owner.phone, "")
            .await
            .unwrap();
        asked.push((node, person.id));
    }
    let asked: Vec<_> = asked
        .into_iter()
        .map(|(node, id)| {
            tokio::spawn(async move {
                node.request_code(&id, Channel::Sms, crate::office::NETWORK)
                    .await
                    .map(drop)
            })
        })
        .collect();
    let mut sent = 0;
    for one in asked {
        match one.await.unwrap() {
            Ok(()) => sent += 1,
            Err(Error::MessageBudget { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sent, 3);
}

async fn a_closed_range_of_numbers_is_sent_no_code(mut office: Office) {
    office.with_rules(|rules| rules.sms_prefixes_refused = vec!["0592".into(), "087".into()]);
    let person = office.begin().await;
    for (number, is_refused) in [
        ("0592123456", true),
        ("0871234567", true),
        ("0591234567", false),
        ("0981087123", false),
    ] {
        office
            .registration
            .set_contact(&person.id, number, &person.owner.email)
            .await
            .unwrap();
        let asked = office
            .registration
            .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
            .await;
        match asked {
            Err(Error::Fields(errors)) => assert_eq!(
                (is_refused, errors[0].field, errors[0].code),
                (true, "phone", "prefix-refused")
            ),
            asked => assert!(!is_refused && asked.is_ok(), "{number}"),
        }
        office.advance(46_000);
    }
    // The other way stays open.
    office
        .registration
        .set_contact(&person.id, "0592123456", &person.owner.email)
        .await
        .unwrap();
    office
        .registration
        .request_code(&person.id, Channel::Email, crate::office::NETWORK)
        .await
        .unwrap();
}

async fn wrong_tries_are_limited_an_hour_whatever_the_codes(office: Office) {
    let person = asked(&office).await;
    let mut compared = 0;
    for _ in 0..4 {
        let (_, code) = office.code_of(&person).await;
        for _ in 0..5 {
            match office
                .registration
                .activate(&person.id, &another(&code))
                .await
            {
                Err(Error::CodeWrong { .. }) => compared += 1,
                Err(Error::CodeLimit { .. }) => {}
                other => panic!("{:?}", other.map(|view| view.state)),
            }
        }
        office.advance(46_000);
        office
            .registration
            .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
            .await
            .unwrap();
    }
    assert_eq!(compared, 15);
}

async fn the_plain_code_is_gone_once_sent_or_over(office: Office) {
    let person = asked(&office).await;
    let (id, code) = office.code_of(&person).await;
    // A sender that failed may read it again.
    assert_eq!(
        office
            .registration
            .code_to_send(&id)
            .await
            .unwrap()
            .unwrap()
            .code,
        code
    );
    office.registration.code_sent(&id).await.unwrap();
    assert!(
        office
            .registration
            .code_to_send(&id)
            .await
            .unwrap()
            .is_none()
    );
    office.registration.code_sent(&id).await.unwrap();
    office
        .registration
        .activate(&person.id, &code)
        .await
        .unwrap();

    let other = asked(&office).await;
    let (id, _) = office.code_of(&other).await;
    office.registration.abandon(&other.id).await.unwrap();
    assert!(
        office
            .registration
            .code_to_send(&id)
            .await
            .unwrap()
            .is_none()
    );
    office.check().await;
}

async fn email_needs_an_address(office: Office) {
    let person = office.begin().await;
    let refused = office
        .registration
        .request_code(&person.id, Channel::Sms, crate::office::NETWORK)
        .await;
    assert!(matches!(refused, Err(Error::Fields(errors)) if errors[0].field == "phone"));
    office
        .registration
        .set_contact(&person.id, &person.owner.phone, "")
        .await
        .unwrap();
    let refused = office
        .registration
        .request_code(&person.id, Channel::Email, crate::office::NETWORK)
        .await;
    assert!(
        matches!(refused, Err(Error::Fields(errors)) if (errors[0].field, errors[0].code) == ("email", "needed-for-channel"))
    );
}

async fn another_contact_voids_the_code_on_its_way(office: Office) {
    let person = asked(&office).await;
    let (_, code) = office.code_of(&person).await;
    office
        .registration
        .set_contact(&person.id, "0977666555", "")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.activate(&person.id, &code).await,
        Err(Error::CodeNone)
    ));
}
