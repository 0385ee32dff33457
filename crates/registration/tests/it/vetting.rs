//! The queue, the lock, the decision.

use kyso_registration::Error;
use kyso_registration::enrolment::{Start, State};
use kyso_registration::ra::OfficerRole;
use kyso_registration::vetting::{Order, Reason, Tab};

use crate::office::{Office, owner};

crate::everywhere!(
    the_queue_is_oldest_or_riskiest_first,
    a_dossier_is_locked_while_it_is_open,
    only_who_has_the_lock_decides,
    two_officers_who_decide_at_once_have_one_winner,
    two_officers_are_two_people,
    an_officer_cannot_decide_on_themselves_or_on_what_they_entered,
    a_rejection_names_its_reasons_and_frees_the_person,
    roles_are_kept_apart,
    a_card_that_expired_in_the_queue_is_not_approved,
);

async fn the_queue_is_oldest_or_riskiest_first(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let calm = office.begin().await;
    office.hand_in(&calm).await;
    office.advance(1_000);
    let mut edited = office.person();
    edited.source = "qr-edited".into();
    let risky = office
        .begin_as(
            edited,
            Start {
                plan: Some("free-12"),
                ..Start::default()
            },
        )
        .await;
    office.hand_in(&risky).await;
    let ids = async |order| {
        let lines = office
            .registration
            .queue(&officer, Tab::New, order, 10)
            .await
            .unwrap();
        lines.into_iter().map(|line| line.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Order::Oldest).await, [calm.id, risky.id]);
    assert_eq!(ids(Order::Risk).await, [risky.id, calm.id]);
    let line = &office
        .registration
        .queue(&officer, Tab::New, Order::Risk, 1)
        .await
        .unwrap()[0];
    assert!(line.flags.contains(&"name-edited") && line.reference.len() == 9);
    assert_eq!(office.show(&risky).await.queue_ahead, Some(1));
    assert_eq!(office.show(&calm).await.queue_ahead, Some(0));
}

async fn a_dossier_is_locked_while_it_is_open(office: Office) {
    let (one, two) = (
        office.officer(&[OfficerRole::Vetter]).await,
        office.officer(&[OfficerRole::Vetter]).await,
    );
    let lead = office.officer(&[OfficerRole::Lead]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    let until = office
        .registration
        .open_dossier(&one, &person.id)
        .await
        .unwrap()
        .locked_until
        .unwrap();
    assert_eq!(until - office.now(), 600_000);
    assert!(
        matches!(office.registration.open_dossier(&two, &person.id).await, Err(Error::Locked { until: found }) if found == until)
    );
    assert!(
        office
            .registration
            .queue(&two, Tab::New, Order::Oldest, 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        office
            .registration
            .queue(&one, Tab::Mine, Order::Oldest, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    // Reading is free.
    assert!(
        office
            .registration
            .dossier(&two, &person.id)
            .await
            .unwrap()
            .locked_until
            .is_none()
    );
    assert!(matches!(
        office.registration.release_dossier(&two, &person.id).await,
        Err(Error::NotLocked)
    ));
    office
        .registration
        .release_dossier(&lead, &person.id)
        .await
        .unwrap();
    office
        .registration
        .open_dossier(&two, &person.id)
        .await
        .unwrap();
    // The lock of somebody who went home ends by itself.
    office.advance(600_000);
    office
        .registration
        .open_dossier(&one, &person.id)
        .await
        .unwrap();
}

async fn only_who_has_the_lock_decides(office: Office) {
    let (one, two) = (
        office.officer(&[OfficerRole::Vetter]).await,
        office.officer(&[OfficerRole::Vetter]).await,
    );
    let person = office.begin().await;
    office.hand_in(&person).await;
    assert!(matches!(
        office.try_approve(&one, &person.id).await,
        Err(Error::NotLocked)
    ));
    office
        .registration
        .open_dossier(&one, &person.id)
        .await
        .unwrap();
    assert!(matches!(
        office.try_approve(&two, &person.id).await,
        Err(Error::Locked { .. })
    ));
    office.advance(600_000);
    assert!(matches!(
        office.try_approve(&one, &person.id).await,
        Err(Error::NotLocked)
    ));
    assert_eq!(office.approve(&one, &person.id).await, State::Approved);
    assert!(matches!(
        office.registration.open_dossier(&two, &person.id).await,
        Err(Error::EnrolmentState {
            state: State::Approved
        })
    ));
}

async fn two_officers_who_decide_at_once_have_one_winner(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    for _ in 0..5 {
        let person = office.begin().await;
        office.hand_in(&person).await;
        office
            .registration
            .open_dossier(&officer, &person.id)
            .await
            .unwrap();
        // One officer in two windows, on two nodes: approve here, reject there.
        let (here, there) = (office.registration.clone(), office.another_node().await);
        let decision = office.decision(&officer, &person.id).await;
        let (approved, rejected) = tokio::join!(
            here.approve(&officer, &person.id, &decision),
            there.reject(&officer, &person.id, &["suspected-fraud"])
        );
        assert!(
            approved.is_ok() != rejected.is_ok(),
            "{approved:?} {rejected:?}"
        );
        let loser = approved.err().or(rejected.err()).unwrap();
        assert!(matches!(loser, Error::EnrolmentState { .. }), "{loser}");
        let decisions = office
            .registration
            .dossier(&officer, &person.id)
            .await
            .unwrap()
            .decisions;
        assert_eq!(decisions.len(), 1);
    }
    office.check().await;
}

async fn two_officers_are_two_people(mut office: Office) {
    office.with_rules(|rules| rules.officers_required = 2);
    let (one, two) = (
        office.officer(&[OfficerRole::Vetter]).await,
        office.officer(&[OfficerRole::Vetter]).await,
    );
    let person = office.begin().await;
    office.hand_in(&person).await;
    assert_eq!(office.approve(&one, &person.id).await, State::Vetted);
    assert_eq!(office.next(&person).await, ["wait-vetting"]);
    office
        .registration
        .open_dossier(&one, &person.id)
        .await
        .unwrap();
    assert!(matches!(
        office.try_approve(&one, &person.id).await,
        Err(Error::SecondOfficer)
    ));
    office
        .registration
        .release_dossier(&one, &person.id)
        .await
        .unwrap();
    assert_eq!(
        office
            .registration
            .queue(&two, Tab::Second, Order::Oldest, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(office.approve(&two, &person.id).await, State::Approved);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
    office.check().await;
}

async fn an_officer_cannot_decide_on_themselves_or_on_what_they_entered(office: Office) {
    let me = owner(77);
    let roles = [OfficerRole::Helper, OfficerRole::Vetter];
    let officer = office
        .officer_with(&me.identity_number, &roles)
        .await
        .unwrap();
    let mine = office
        .begin_as(
            me,
            Start {
                plan: Some("free-12"),
                ..Start::default()
            },
        )
        .await;
    office.hand_in(&mine).await;
    let entered = office
        .begin_as(
            office.person(),
            Start {
                plan: Some("free-12"),
                entered_by: Some(&officer),
                ..Start::default()
            },
        )
        .await;
    office.hand_in(&entered).await;
    for id in [&mine.id, &entered.id] {
        assert!(matches!(
            office.registration.open_dossier(&officer, id).await,
            Err(Error::OwnEnrolment)
        ));
        assert!(matches!(
            office.try_approve(&officer, id).await,
            Err(Error::OwnEnrolment)
        ));
        assert!(matches!(
            office
                .registration
                .reject(&officer, id, &["suspected-fraud"])
                .await,
            Err(Error::OwnEnrolment)
        ));
    }
    let other = office.officer(&[OfficerRole::Vetter]).await;
    assert_eq!(office.approve(&other, &mine.id).await, State::Approved);
    assert_eq!(office.approve(&other, &entered.id).await, State::Approved);
}

async fn a_rejection_names_its_reasons_and_frees_the_person(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    for reasons in [&[][..], &["unheard-of"], &["image-blurred"]] {
        assert!(matches!(
            office
                .registration
                .reject(&officer, &person.id, reasons)
                .await,
            Err(Error::Reason)
        ));
    }
    let state = office
        .registration
        .reject(&officer, &person.id, &["face-mismatch", "image-copy"])
        .await
        .unwrap();
    assert_eq!(state, State::Rejected);
    let view = office.show(&person).await;
    assert_eq!(view.reasons, ["face-mismatch", "image-copy"]);
    assert!(view.next.is_empty() && view.reasons.iter().all(|code| Reason::of(code).is_some()));
    assert_eq!(office.messages().await, ["rejected"]);
    let again = office
        .begin_as(
            person.owner.clone(),
            Start {
                plan: Some("free-12"),
                ..Start::default()
            },
        )
        .await;
    office.hand_in(&again).await;
    office.check().await;
}

async fn roles_are_kept_apart(office: Office) {
    let person = office.begin().await;
    office.hand_in(&person).await;
    for role in [
        OfficerRole::Helper,
        OfficerRole::Auditor,
        OfficerRole::CampaignManager,
    ] {
        let officer = office.officer(&[role]).await;
        assert!(matches!(
            office.registration.open_dossier(&officer, &person.id).await,
            Err(Error::OfficerForbidden)
        ));
        assert!(matches!(
            office.try_approve(&officer, &person.id).await,
            Err(Error::OfficerForbidden)
        ));
        let reads = office
            .registration
            .dossier(&officer, &person.id)
            .await
            .is_ok();
        assert_eq!(reads, role == OfficerRole::Auditor);
    }
    let auditor = office.officer(&[OfficerRole::Auditor]).await;
    let refused = office
        .registration
        .start(Start {
            plan: Some("free-12"),
            entered_by: Some(&auditor),
            ..Start::default()
        })
        .await;
    assert!(matches!(refused.map(drop), Err(Error::OfficerForbidden)));
}

async fn a_card_that_expired_in_the_queue_is_not_approved(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let mut new = office.person();
    (new.birth_date, new.issue_date) = ("1966-11-27".into(), "2021-05-01".into());
    new.identity_number = format!("079166{}", &new.identity_number[6..]);
    let person = office
        .begin_as(
            new,
            Start {
                plan: Some("free-12"),
                ..Start::default()
            },
        )
        .await;
    office.hand_in(&person).await;
    office.advance(6 * crate::office::DAY);
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    assert!(matches!(
        office.try_approve(&officer, &person.id).await,
        Err(Error::CardExpired)
    ));
    office
        .registration
        .reject(&officer, &person.id, &["card-expired"])
        .await
        .unwrap();
}
