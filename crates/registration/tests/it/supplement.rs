//! A dossier that can be repaired: exactly what was asked for, and back to the queue.

use kyso_registration::Error;
use kyso_registration::enrolment::{Kind, Piece, State};
use kyso_registration::ra::OfficerRole;
use kyso_registration::vetting::{Ask, Order, Tab};

use crate::office::{DAY, Office, photo};

crate::everywhere!(
    a_photo_is_asked_for_retaken_and_approved,
    a_field_is_asked_for_and_the_contract_signed_anew,
    what_was_not_asked_for_cannot_change,
    a_supplement_that_does_not_come_expires,
    a_supplement_needs_known_pieces_and_reasons,
);

const BLURRED: Ask = Ask {
    piece: Piece::Photo(Kind::Front),
    reason: "image-blurred",
};
const NAME: Ask = Ask {
    piece: Piece::Field("full_name"),
    reason: "name-mismatch",
};

async fn a_photo_is_asked_for_retaken_and_approved(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    office
        .registration
        .ask_supplement(&officer, &person.id, &[BLURRED])
        .await
        .unwrap();
    assert_eq!(office.messages().await, ["supplement"]);
    let view = office.show(&person).await;
    assert_eq!(view.state, State::Supplement);
    assert_eq!(
        (
            view.supplement[0].piece,
            view.supplement[0].reason,
            view.supplement[0].repaired
        ),
        (BLURRED.piece, "image-blurred", false)
    );
    assert_eq!(view.supplement_until, Some(office.now() + 7 * DAY));
    assert_eq!(office.next(&person).await, ["photo:front"]);
    match office.registration.submit(&person.id).await {
        Err(Error::StepsMissing { missing }) => assert_eq!(missing.len(), 1),
        other => panic!("{:?}", other.map(|view| view.state)),
    }
    office
        .registration
        .put_photo(&person.id, Kind::Front, &photo(9))
        .await
        .unwrap();
    assert_eq!(office.next(&person).await, ["submit"]);
    let view = office.registration.submit(&person.id).await.unwrap();
    assert!(view.state == State::Submitted && view.supplement.is_empty());
    let queue = office
        .registration
        .queue(&officer, Tab::New, Order::Oldest, 10)
        .await
        .unwrap();
    assert_eq!(
        (queue[0].round, queue[0].flags.contains(&"resubmitted")),
        (2, true)
    );
    // The same officer may decide again: it is another round.
    assert_eq!(office.approve(&officer, &person.id).await, State::Approved);
    office.work().await;
    office.check().await;
}

async fn a_field_is_asked_for_and_the_contract_signed_anew(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    office
        .registration
        .ask_supplement(&officer, &person.id, &[NAME, BLURRED])
        .await
        .unwrap();
    assert_eq!(
        office.next(&person).await,
        ["repair:full_name", "photo:front"]
    );
    let mut new = person.owner.clone();
    new.full_name = "Nguyễn Thị Hồng Hạnh An".into();
    office
        .registration
        .set_owner(&person.id, &new)
        .await
        .unwrap();
    assert_eq!(office.next(&person).await, ["photo:front", "contract"]);
    office
        .registration
        .put_photo(&person.id, Kind::Front, &photo(9))
        .await
        .unwrap();
    office.sign_contract(&person).await;
    office.registration.submit(&person.id).await.unwrap();
    let dossier = office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    assert_eq!(dossier.owner.full_name, new.full_name);
    assert_eq!(dossier.decisions.len(), 1);
    office.check().await;
}

async fn what_was_not_asked_for_cannot_change(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    office
        .registration
        .ask_supplement(&officer, &person.id, &[NAME])
        .await
        .unwrap();
    let refused = office
        .registration
        .put_photo(&person.id, Kind::Back, &photo(9))
        .await;
    assert!(matches!(
        refused,
        Err(Error::PieceNotAsked {
            piece: Piece::Photo(Kind::Back)
        })
    ));
    let mut new = person.owner.clone();
    new.full_name = "Nguyễn Thị Hạnh".into();
    new.address.detail = "1 Đường Khác".into();
    let refused = office.registration.set_owner(&person.id, &new).await;
    assert!(matches!(
        refused,
        Err(Error::PieceNotAsked {
            piece: Piece::Field("address")
        })
    ));
    let refused = office
        .registration
        .set_contact(&person.id, "0911222333", &person.owner.email)
        .await;
    assert!(matches!(
        refused,
        Err(Error::PieceNotAsked {
            piece: Piece::Field("phone")
        })
    ));
    // Confirming the field as it is counts as looked at: no dead end.
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    assert_eq!(office.next(&person).await, ["submit"]);
}

async fn a_supplement_that_does_not_come_expires(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    office
        .registration
        .ask_supplement(&officer, &person.id, &[BLURRED])
        .await
        .unwrap();
    office.registration.recover().await.unwrap();
    office.advance(7 * DAY + 1);
    office.work().await;
    let view = office.show(&person).await;
    assert_eq!(
        (view.state, view.reasons),
        (State::Expired, vec!["not-continued-in-time".to_owned()])
    );
    // The person is free to begin anew.
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
        .set_owner(&again.id, &person.owner)
        .await
        .unwrap();
}

async fn a_supplement_needs_known_pieces_and_reasons(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    let ask = |reason| Ask {
        piece: Piece::Photo(Kind::Front),
        reason,
    };
    for asks in [
        vec![],
        vec![ask("unheard-of")],
        vec![ask("card-expired")],
        vec![BLURRED, BLURRED],
    ] {
        assert!(matches!(
            office
                .registration
                .ask_supplement(&officer, &person.id, &asks)
                .await,
            Err(Error::Reason)
        ));
    }
}
