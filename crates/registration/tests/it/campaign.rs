//! Plans and campaigns: who, where, when, how many, for how much.

use kyso_registration::Error;
use kyso_registration::campaign::{Allowance, Plan};
use kyso_registration::citizen::Channel;
use kyso_registration::enrolment::Start;
use kyso_signing::portal::{NewPortal, Scopes};

use crate::office::{DAY, Office, campaign, free_plan};

crate::everywhere!(
    a_campaign_gives_its_plan_within_its_days_and_area,
    a_place_is_taken_at_payment_and_given_back_at_the_end,
    nothing_is_held_before_a_telephone_number_is_proved,
    a_place_is_held_once_the_code_comes_back,
    another_telephone_number_gives_the_place_back,
    one_telephone_number_holds_three_places_before_they_are_handed_in,
    a_full_campaign_refuses,
    free_portals_and_units_reach_the_credential,
    a_plan_with_a_price_waits_for_a_way_to_pay,
    plans_and_campaigns_are_checked,
);

fn through(code: &str) -> Start<'_> {
    Start {
        campaign: Some(code),
        ..Start::default()
    }
}

async fn a_campaign_gives_its_plan_within_its_days_and_area(office: Office) {
    let campaign = office.campaign("vuon-lai", None).await;
    let offer = office.registration.campaign("vuon-lai").await.unwrap();
    assert!(offer.open && offer.taken == 0 && offer.campaign == campaign);
    assert!(
        !office
            .registration
            .plans()
            .await
            .unwrap()
            .iter()
            .any(|plan| plan.code == "ward-12")
    );
    let refused = office
        .registration
        .start(Start {
            plan: Some("ward-12"),
            ..Start::default()
        })
        .await
        .map(drop);
    assert!(matches!(refused, Err(Error::NotFound { what: "plan" })));

    let mut outside = office.person();
    (outside.address.province_code, outside.address.commune_code) = ("01".into(), "00070".into());
    let person = office.begin_as(outside, through("vuon-lai")).await;
    match office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
    {
        Err(Error::Fields(errors)) => assert_eq!(
            (errors[0].field, errors[0].code),
            ("address.commune_code", "out-of-campaign")
        ),
        other => panic!("{:?}", other.map(|view| view.state)),
    }
    office.advance(10 * DAY);
    assert!(!office.registration.campaign("vuon-lai").await.unwrap().open);
    assert!(matches!(
        office
            .registration
            .start(through("vuon-lai"))
            .await
            .map(drop),
        Err(Error::CampaignClosed { .. })
    ));
    // Begun in time, paid too late.
    let mut inside = person.owner.clone();
    (inside.address.province_code, inside.address.commune_code) = ("79".into(), "27190".into());
    office
        .registration
        .set_owner(&person.id, &inside)
        .await
        .unwrap();
    assert!(matches!(
        office.registration.pay(&person.id).await,
        Err(Error::CampaignClosed { .. })
    ));
}

async fn a_place_is_taken_at_payment_and_given_back_at_the_end(office: Office) {
    office.campaign("vuon-lai", Some(1)).await;
    let taken = async || office.taken("vuon-lai").await;
    let person = office.begin_as(office.person(), through("vuon-lai")).await;
    office.activate(&person).await;
    assert!(matches!(
        office.registration.pay(&person.id).await,
        Err(Error::StepsMissing { .. })
    ));
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    assert_eq!(taken().await, 0);
    office.registration.pay(&person.id).await.unwrap();
    office.registration.pay(&person.id).await.unwrap();
    assert_eq!(taken().await, 1);
    office.registration.abandon(&person.id).await.unwrap();
    assert_eq!(taken().await, 0);
    let other = office.begin_as(office.person(), through("vuon-lai")).await;
    office
        .registration
        .set_owner(&other.id, &other.owner)
        .await
        .unwrap();
    office.registration.pay(&other.id).await.unwrap();
    office.check().await;
}

async fn nothing_is_held_before_a_telephone_number_is_proved(office: Office) {
    office.campaign("vuon-lai", Some(1)).await;
    for number in 0..6 {
        let stranger = office.begin_as(office.person(), through("vuon-lai")).await;
        if number % 2 == 0 {
            office.activate_by(&stranger, Channel::Email).await;
        }
        office
            .registration
            .set_owner(&stranger.id, &stranger.owner)
            .await
            .unwrap();
        office.registration.pay(&stranger.id).await.unwrap();
    }
    assert_eq!(office.taken("vuon-lai").await, 0);
    let person = office.begin_as(office.person(), through("vuon-lai")).await;
    office.hand_in(&person).await;
    assert_eq!(office.taken("vuon-lai").await, 1);
    office.check().await;
}

async fn a_place_is_held_once_the_code_comes_back(office: Office) {
    office.campaign("vuon-lai", Some(1)).await;
    let mut people = Vec::new();
    for _ in 0..2 {
        let person = office.begin_as(office.person(), through("vuon-lai")).await;
        office
            .registration
            .set_owner(&person.id, &person.owner)
            .await
            .unwrap();
        office.registration.pay(&person.id).await.unwrap();
        people.push(person);
    }
    office.activate(&people[0]).await;
    assert_eq!(office.taken("vuon-lai").await, 1);
    // The code was right; that there is no place is said when it is asked for.
    office.activate(&people[1]).await;
    assert!(!office.next(&people[1]).await.contains(&"activation".into()));
    assert!(matches!(
        office.registration.pay(&people[1].id).await,
        Err(Error::CampaignFull { quota: 1 })
    ));
    office.photos(&people[1]).await;
    office.sign_contract(&people[1]).await;
    assert!(matches!(
        office.registration.submit(&people[1].id).await,
        Err(Error::CampaignFull { quota: 1 })
    ));
    office.registration.abandon(&people[0].id).await.unwrap();
    office.registration.submit(&people[1].id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 1);
    office.check().await;
}

async fn another_telephone_number_gives_the_place_back(office: Office) {
    office.campaign("vuon-lai", Some(1)).await;
    let mut person = office.begin_as(office.person(), through("vuon-lai")).await;
    office.activate(&person).await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    office.registration.pay(&person.id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 1);
    person.owner.phone = "0977666555".into();
    office
        .registration
        .set_contact(&person.id, &person.owner.phone, &person.owner.email)
        .await
        .unwrap();
    assert_eq!(office.taken("vuon-lai").await, 0);
    office.check().await;
    office.advance(46_000);
    office.activate(&person).await;
    assert_eq!(office.taken("vuon-lai").await, 1);
    office.check().await;
}

async fn one_telephone_number_holds_three_places_before_they_are_handed_in(office: Office) {
    office.campaign("vuon-lai", Some(10)).await;
    let phone = office.person().phone;
    let mut family = Vec::new();
    for _ in 0..4 {
        let mut owner = office.person();
        owner.phone.clone_from(&phone);
        let person = office.begin_as(owner, through("vuon-lai")).await;
        office.activate(&person).await;
        office.fill_in(&person).await;
        family.push(person);
    }
    assert_eq!(office.taken("vuon-lai").await, 3);
    office.registration.submit(&family[3].id).await.unwrap();
    assert_eq!(office.taken("vuon-lai").await, 4);
    office.check().await;
}

async fn a_full_campaign_refuses(office: Office) {
    office.campaign("vuon-lai", Some(1)).await;
    let (one, two) = (
        office.begin_as(office.person(), through("vuon-lai")).await,
        office.begin_as(office.person(), through("vuon-lai")).await,
    );
    for person in [&one, &two] {
        office
            .registration
            .set_owner(&person.id, &person.owner)
            .await
            .unwrap();
    }
    office.activate(&one).await;
    office.registration.pay(&one.id).await.unwrap();
    assert!(matches!(
        office.registration.pay(&two.id).await,
        Err(Error::CampaignFull { quota: 1 })
    ));
    assert!(matches!(
        office
            .registration
            .start(through("vuon-lai"))
            .await
            .map(drop),
        Err(Error::CampaignFull { quota: 1 })
    ));
    office
        .registration
        .end_campaign("vuon-lai", "cli")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.end_campaign("vuon-lai", "cli").await,
        Err(Error::CampaignClosed { .. })
    ));
}

async fn free_portals_and_units_reach_the_credential(office: Office) {
    let new = NewPortal {
        name: "Cổng Dịch vụ công".into(),
        client_id: None,
        scopes: Scopes {
            documents: true,
            digests: false,
            sp769: false,
        },
        webhook_url: None,
        public_key: None,
    };
    let portal = office
        .signing
        .portals
        .register(new, "cli")
        .await
        .unwrap()
        .portal;
    let mut drive = campaign("vuon-lai", None, office.now());
    drive.free_portals = vec![portal.id];
    office
        .registration
        .add_campaign(&drive, "cli")
        .await
        .unwrap();
    assert_eq!(
        office
            .registration
            .campaign("vuon-lai")
            .await
            .unwrap()
            .campaign
            .free_portals,
        [portal.id]
    );
    let person = office.begin_as(office.person(), through("vuon-lai")).await;
    office.certify(&person).await;
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credential.units_left, Some(5));
    let free = office
        .store
        .one(
            "-- test_free\nSELECT portal_id FROM credential_free_portal",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(free.text("portal_id").unwrap(), portal.id.to_string());
}

async fn a_plan_with_a_price_waits_for_a_way_to_pay(office: Office) {
    let person = office
        .begin_as(
            office.person(),
            Start {
                plan: Some("pack-20"),
                ..Start::default()
            },
        )
        .await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    assert!(matches!(
        office.registration.pay(&person.id).await,
        Err(Error::PaymentUnavailable { price_vnd: 55_000 })
    ));
    assert!(office.next(&person).await.contains(&"payment".to_owned()));
}

async fn plans_and_campaigns_are_checked(office: Office) {
    for plan in [
        Plan {
            code: "A B".into(),
            ..free_plan()
        },
        Plan {
            months: 37,
            ..free_plan()
        },
        Plan {
            months: 0,
            ..free_plan()
        },
        Plan {
            allowance: Allowance::Pack(0),
            ..free_plan()
        },
        Plan {
            price_vnd: -1,
            ..free_plan()
        },
        Plan {
            name: "a\u{202e}b".into(),
            ..free_plan()
        },
    ] {
        assert!(
            matches!(
                office.registration.add_plan(&plan, "cli").await,
                Err(Error::Unacceptable { .. })
            ),
            "{plan:?}"
        );
    }
    // A plan nobody chose may change; one somebody chose may not.
    let other = Plan {
        months: 6,
        ..free_plan()
    };
    office.registration.add_plan(&other, "cli").await.unwrap();
    office
        .registration
        .add_plan(&free_plan(), "cli")
        .await
        .unwrap();
    office.begin().await;
    office
        .registration
        .add_plan(&free_plan(), "cli")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.add_plan(&other, "cli").await,
        Err(Error::CodeTaken { .. })
    ));

    let good = campaign("vuon-lai", Some(1), office.now());
    office
        .registration
        .add_campaign(&good, "cli")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.add_campaign(&good, "cli").await,
        Err(Error::CodeTaken { .. })
    ));
    let mut bad = campaign("khac", None, office.now());
    bad.ends_at = bad.starts_at;
    assert!(matches!(
        office.registration.add_campaign(&bad, "cli").await,
        Err(Error::Unacceptable {
            field: "ends_at",
            ..
        })
    ));
    let mut bad = campaign("khac", None, office.now());
    bad.area = vec!["771".into()];
    assert!(matches!(
        office.registration.add_campaign(&bad, "cli").await,
        Err(Error::Unacceptable { field: "area", .. })
    ));
    let mut bad = campaign("khac", None, office.now());
    bad.plan = "none".into();
    assert!(matches!(
        office.registration.add_campaign(&bad, "cli").await,
        Err(Error::NotFound { what: "plan" })
    ));
    assert_eq!(office.registration.campaigns().await.unwrap().len(), 1);
}
