//! The owner's data: every rule by its field and code, all at once, never the value.

use kyso_registration::Error;
use kyso_registration::citizen::{FIELD_CODES, NewOwner};
use kyso_registration::enrolment::State;

use crate::office::{DAY, Office, owner};

crate::everywhere!(
    each_rule_is_refused_with_its_field_and_code,
    all_broken_rules_are_reported_at_once_and_no_value_is_echoed,
    what_is_stored_is_normalised,
    a_card_that_expires_on_the_way_stops_the_enrolment,
    owner_data_cannot_change_once_handed_in,
    a_changed_phone_number_has_to_be_proved_again,
);

type Change = fn(&mut NewOwner);

/// What is changed, and the fields and codes it must be refused with.
const RULES: &[(Change, &[(&str, &str)])] = &[
    (
        |o| o.full_name = String::new(),
        &[("full_name", "required")],
    ),
    (
        |o| o.full_name = "Nguyễn Vӑn".into(),
        &[("full_name", "foreign-script")],
    ),
    (
        |o| o.full_name = "ệ".repeat(65),
        &[("full_name", "too-long")],
    ),
    (
        |o| o.identity_kind = "cmnd".into(),
        &[("identity_kind", "cmnd-not-accepted")],
    ),
    (
        |o| o.identity_kind = "passport".into(),
        &[("identity_kind", "kind-not-accepted")],
    ),
    (
        |o| o.identity_kind = String::new(),
        &[("identity_kind", "required")],
    ),
    (
        |o| o.identity_number = "024000001".into(),
        &[("identity_number", "cmnd-not-accepted")],
    ),
    (
        |o| o.identity_number = "07930000001".into(),
        &[("identity_number", "length")],
    ),
    (
        |o| o.identity_number = "07930000000x".into(),
        &[("identity_number", "digits")],
    ),
    (
        |o| o.identity_number = "003300000001".into(),
        &[("identity_number", "place-unknown")],
    ),
    (
        |o| o.identity_number = "079301000001".into(),
        &[("birth_date", "birth-year-mismatch")],
    ),
    (
        |o| o.identity_number = "079100000001".into(),
        &[("birth_date", "birth-year-mismatch")],
    ),
    (
        |o| o.identity_number = "079200000001".into(),
        &[("sex", "sex-mismatch")],
    ),
    (|o| o.sex = "male".into(), &[("sex", "sex-mismatch")]),
    (|o| o.sex = "other".into(), &[("sex", "unknown")]),
    (|o| o.sex = String::new(), &[("sex", "required")]),
    (
        |o| o.birth_date = "2000-02-30".into(),
        &[("birth_date", "date")],
    ),
    (
        |o| o.birth_date = "15-08-2000".into(),
        &[("birth_date", "date")],
    ),
    (
        |o| o.birth_date = String::new(),
        &[("birth_date", "required")],
    ),
    (
        |o| o.birth_date = "2001-08-15".into(),
        &[("birth_date", "birth-year-mismatch")],
    ),
    (
        |o| o.issue_date = "2026-11-23".into(),
        &[("issue_date", "in-future")],
    ),
    (|o| o.issue_date = "x".into(), &[("issue_date", "date")]),
    (
        |o| o.issue_date = "1999-01-01".into(),
        &[("issue_date", "before-birth")],
    ),
    (
        |o| o.issue_date = "2015-12-31".into(),
        &[("issue_date", "before-first-card")],
    ),
    // born August 2000, issued 2021: good until the 25th birthday in 2025
    (
        |o| o.issue_date = "2021-07-15".into(),
        &[("issue_date", "card-expired")],
    ),
    (
        |o| o.issue_place = String::new(),
        &[("issue_place", "required")],
    ),
    (
        |o| o.issue_place = "a\u{202e}b".into(),
        &[("issue_place", "invisible")],
    ),
    (
        |o| o.nationality = "USA".into(),
        &[("nationality", "nationality-not-accepted")],
    ),
    (
        |o| o.nationality = String::new(),
        &[("nationality", "required")],
    ),
    (|o| o.phone = "12345".into(), &[("phone", "phone-form")]),
    (
        |o| o.phone = "0281234567".into(),
        &[("phone", "not-mobile")],
    ),
    (|o| o.email = "hanh@".into(), &[("email", "email-form")]),
    (
        |o| o.email = "hanh@example.vn\nBcc: a@b.vn".into(),
        &[("email", "email-form")],
    ),
    (
        |o| o.address.province_code = "78".into(),
        &[("address.province_code", "province-unknown")],
    ),
    (
        |o| o.address.province_code = String::new(),
        &[("address.province_code", "required")],
    ),
    (
        |o| o.address.commune_code = "99999".into(),
        &[("address.commune_code", "commune-unknown")],
    ),
    (
        |o| o.address.commune_code = "27184".into(),
        &[("address.commune_code", "commune-merged")],
    ),
    (
        |o| o.address.commune_code = "00070".into(),
        &[("address.commune_code", "commune-elsewhere")],
    ),
    (
        |o| o.address.commune_code = "771".into(),
        &[("address.commune_code", "commune-unknown")],
    ),
    (
        |o| o.address.district_code = "771".into(),
        &[("address.district_code", "district-not-used")],
    ),
    (
        |o| o.address.detail = String::new(),
        &[("address.detail", "required")],
    ),
    (
        |o| o.address.detail = "số 1\u{200b}".into(),
        &[("address.detail", "invisible")],
    ),
    (
        |o| o.address.detail = "x".repeat(121),
        &[("address.detail", "too-long")],
    ),
    (
        |o| {
            (o.birth_date, o.identity_number, o.issue_date) = (
                "2012-11-23".into(),
                "079312000001".into(),
                "2026-01-01".into(),
            )
        },
        &[("birth_date", "too-young")],
    ),
    (
        |o| {
            (o.birth_date, o.identity_number, o.issue_date) = (
                "1905-01-01".into(),
                "079105000001".into(),
                "2022-01-01".into(),
            )
        },
        &[("birth_date", "too-old")],
    ),
];

async fn refusal(
    office: &Office,
    person: &crate::office::Person,
    new: &NewOwner,
) -> Vec<(&'static str, &'static str)> {
    match office.registration.set_owner(&person.id, new).await {
        Err(Error::Fields(errors)) => errors
            .into_iter()
            .map(|error| (error.field, error.code))
            .collect(),
        Ok(_) => Vec::new(),
        Err(other) => panic!("{other}"),
    }
}

async fn each_rule_is_refused_with_its_field_and_code(office: Office) {
    let person = office.begin().await;
    for (change, expected) in RULES {
        let mut new = owner(1);
        change(&mut new);
        let found = refusal(&office, &person, &new).await;
        assert_eq!(found, *expected);
        assert!(found.iter().all(|(_, code)| FIELD_CODES.contains(code)));
    }
    assert!(office.show(&person).await.owner.is_none());
    assert_eq!(refusal(&office, &person, &owner(1)).await, []);
}

async fn all_broken_rules_are_reported_at_once_and_no_value_is_echoed(office: Office) {
    let person = office.begin().await;
    let mut new = owner(1);
    new.full_name = "Bí Mật 7".into();
    new.identity_number = "079300".into();
    new.phone = "0999".into();
    new.email = "bimat".into();
    new.address.commune_code = "00000".into();
    let refused = office
        .registration
        .set_owner(&person.id, &new)
        .await
        .unwrap_err();
    let text = format!("{refused} {refused:?} {new:?}");
    for value in ["Bí Mật", "079300", "0999", "bimat"] {
        assert!(!text.contains(value), "{text}");
    }
    assert_eq!(
        refusal(&office, &person, &new).await,
        [
            ("full_name", "digit"),
            ("identity_number", "length"),
            ("phone", "phone-form"),
            ("email", "email-form"),
            ("address.commune_code", "commune-unknown"),
        ]
    );
}

async fn what_is_stored_is_normalised(office: Office) {
    let person = office.begin().await;
    let mut new = owner(1);
    new.full_name = " Nguye\u{302}\u{303}n Thi\u{323} Ho\u{302}\u{300}ng Ha\u{323}nh ".into();
    (new.birth_date, new.issue_date) = ("15/08/2000".into(), "15/07/2025".into());
    (new.sex, new.email) = ("Nữ".into(), "Hanh@Example.VN".into());
    let view = office
        .registration
        .set_owner(&person.id, &new)
        .await
        .unwrap();
    let stored = view.owner.unwrap();
    assert_eq!(stored.full_name, "Nguyễn Thị Hồng Hạnh");
    assert_eq!(stored.phone, format!("+84{}", &new.phone[1..]));
    assert_eq!(stored.email.as_deref(), Some("Hanh@example.vn"));
    assert_eq!(
        stored.address.line(),
        "12/3 Đường Hoa Lài, Phường Vườn Lài, Thành phố Hồ Chí Minh"
    );
    assert_eq!(stored.card_expires_on.unwrap().to_string(), "15/08/2040");
}

async fn a_card_that_expires_on_the_way_stops_the_enrolment(office: Office) {
    let mut new = office.person();
    // 60th birthday in five days; the card was issued long before
    (new.birth_date, new.issue_date) = ("1966-11-27".into(), "2021-05-01".into());
    new.identity_number = format!("079166{}", &new.identity_number[6..]);
    let person = office
        .begin_as(
            new,
            kyso_registration::enrolment::Start {
                plan: Some("free-12"),
                ..Default::default()
            },
        )
        .await;
    office.activate(&person).await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    office.registration.pay(&person.id).await.unwrap();
    office.photos(&person).await;
    office.sign_contract(&person).await;
    office.advance(6 * DAY);
    assert!(matches!(
        office.registration.submit(&person.id).await,
        Err(Error::CardExpired)
    ));
    assert_eq!(office.show(&person).await.state, State::Started);
}

async fn owner_data_cannot_change_once_handed_in(office: Office) {
    let person = office.begin().await;
    office.hand_in(&person).await;
    let refused = office
        .registration
        .set_owner(&person.id, &person.owner)
        .await;
    assert!(matches!(
        refused,
        Err(Error::EnrolmentState {
            state: State::Submitted
        })
    ));
    let refused = office
        .registration
        .set_contact(&person.id, "0911222333", "")
        .await;
    assert!(matches!(refused, Err(Error::EnrolmentState { .. })));
    assert!(matches!(
        office.registration.abandon(&person.id).await,
        Err(Error::EnrolmentState { .. })
    ));
}

async fn a_changed_phone_number_has_to_be_proved_again(office: Office) {
    let person = office.begin().await;
    office.activate(&person).await;
    assert!(
        !office
            .next(&person)
            .await
            .contains(&"activation".to_owned())
    );
    let mut new = person.owner.clone();
    new.phone = "0988777666".into();
    office
        .registration
        .set_owner(&person.id, &new)
        .await
        .unwrap();
    assert!(
        office
            .next(&person)
            .await
            .contains(&"activation".to_owned())
    );
}
