//! The whole way, and the same way with the phone closed after every step.

use kyso_registration::Error;
use kyso_registration::citizen::Channel;
use kyso_registration::enrolment::{Kind, State};
use kyso_registration::ra::OfficerRole;

use crate::office::{DAY, Office, PIN, Person, Phone, photo};

crate::everywhere!(
    a_citizen_walks_from_the_plan_to_an_active_credential,
    every_step_survives_a_closed_phone_and_another_node,
    the_owner_may_come_before_the_phone_number,
    a_token_ends_with_its_enrolment,
    submit_names_everything_that_is_missing,
    the_ledger_tells_the_whole_story_without_personal_data,
);

async fn a_citizen_walks_from_the_plan_to_an_active_credential(office: Office) {
    let (person, _) = office.complete().await;
    let view = office.show(&person).await;
    assert!(view.next.is_empty() && view.completed_at.is_some());
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(credential.state.as_str(), "active");
    assert_eq!(view.credential, Some(credential.id.to_string()));
    assert!(view.contract.unwrap().sealed);
    assert!(
        office
            .registration
            .acceptance_record(&person.id)
            .await
            .unwrap()
            .starts_with(b"%PDF")
    );
    assert_eq!(office.messages().await, ["approved", "complete"]);
    assert_eq!(
        office
            .registration
            .of_credential(&credential.id.to_string())
            .await
            .unwrap(),
        person.id
    );
    office.check().await;
}

async fn every_step_survives_a_closed_phone_and_another_node(office: Office) {
    let person = office.begin().await;
    let node = office.another_node().await;
    // The phone has only its token; whichever node it reaches says what to do next.
    let next = async || {
        let id = node.authenticate(&person.session).await.unwrap();
        node.show(&id)
            .await
            .unwrap()
            .next
            .into_iter()
            .map(|step| step.code())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let id = &person.id;
    let photos = "photo:front photo:back photo:face";
    assert_eq!(
        next().await,
        format!("contact activation owner payment {photos} contract")
    );
    office
        .registration
        .set_contact(id, &person.owner.phone, "")
        .await
        .unwrap();
    assert_eq!(
        next().await,
        format!("activation owner payment {photos} contract")
    );
    office
        .registration
        .request_code(id, Channel::Sms, crate::office::NETWORK)
        .await
        .unwrap();
    assert_eq!(
        next().await,
        format!("activation owner payment {photos} contract")
    );
    let (_, code) = office.code_of(&person).await;
    node.activate(id, &code).await.unwrap();
    assert_eq!(next().await, format!("owner payment {photos} contract"));
    office
        .registration
        .set_owner(id, &person.owner)
        .await
        .unwrap();
    assert_eq!(next().await, format!("payment {photos} contract"));
    node.pay(id).await.unwrap();
    assert_eq!(next().await, format!("{photos} contract"));
    for (kind, left) in [
        (Kind::Back, "photo:front photo:face contract"),
        (Kind::Front, "photo:face contract"),
        (Kind::Face, "contract"),
    ] {
        office
            .registration
            .put_photo(id, kind, &photo(1))
            .await
            .unwrap();
        assert_eq!(next().await, left);
    }
    node.contract(id).await.unwrap();
    assert_eq!(next().await, "contract");
    office.sign_contract(&person).await;
    assert_eq!(next().await, "submit");
    node.submit(id).await.unwrap();
    assert_eq!(next().await, "wait-vetting");
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    office.approve(&officer, id).await;
    assert_eq!(next().await, "wait-certificate");
    office.work().await;
    assert_eq!(next().await, "device");
    let mut phone = Phone::new(&office, &person);
    phone.bind(&office, PIN).await;
    assert_eq!(next().await, "wait-device");
    office.work().await;
    assert_eq!(next().await, "acceptance");
    phone.accept(&office).await;
    assert_eq!(next().await, "acceptance");
    office.work().await;
    assert_eq!(next().await, "");
    assert_eq!(office.show(&person).await.state, State::Complete);
    office.check().await;
}

async fn the_owner_may_come_before_the_phone_number(office: Office) {
    let person = office.begin().await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    office.registration.pay(&person.id).await.unwrap();
    office
        .registration
        .request_code(&person.id, Channel::Email, crate::office::NETWORK)
        .await
        .unwrap();
    let jobs = office
        .store
        .claim(kyso_registration::task::OUTBOUND_KINDS, 8, 1)
        .await
        .unwrap();
    let Some(kyso_registration::Task::SendCode { code, channel }) =
        kyso_registration::Task::read(&jobs[0].payload)
    else {
        panic!("a code is to be sent");
    };
    assert_eq!(channel, "email");
    let to_send = office
        .registration
        .code_to_send(&code)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(to_send.destination, person.owner.email);
    office
        .registration
        .activate(&person.id, &to_send.code)
        .await
        .unwrap();
    office.photos(&person).await;
    office.sign_contract(&person).await;
    assert_eq!(
        office.registration.submit(&person.id).await.unwrap().state,
        State::Submitted
    );
    office.check().await;
}

async fn a_token_ends_with_its_enrolment(office: Office) {
    let (done, _) = office.complete().await;
    let (gone, waiting) = (office.begin().await, office.begin().await);
    office.registration.abandon(&gone.id).await.unwrap();
    let opens = async |person: &Person| office.registration.authenticate(&person.session).await;
    office.advance(7 * DAY - 60_000);
    for person in [&done, &gone, &waiting] {
        assert_eq!(opens(person).await.unwrap(), person.id);
    }
    office.advance(60_000);
    for person in [&done, &gone] {
        assert!(matches!(opens(person).await, Err(Error::SessionInvalid)));
    }
    assert_eq!(opens(&waiting).await.unwrap(), waiting.id);
}

async fn submit_names_everything_that_is_missing(office: Office) {
    let person = office.begin().await;
    let refused = office.registration.submit(&person.id).await.unwrap_err();
    let kyso_registration::Error::StepsMissing { missing } = refused else {
        panic!("{refused}")
    };
    let codes: Vec<String> = missing.into_iter().map(|step| step.code()).collect();
    assert_eq!(
        codes,
        [
            "contact",
            "activation",
            "owner",
            "payment",
            "photo:front",
            "photo:back",
            "photo:face",
            "contract"
        ]
    );
    assert_eq!(office.show(&person).await.state, State::Started);
}

async fn the_ledger_tells_the_whole_story_without_personal_data(office: Office) {
    let (person, _) = office.complete().await;
    let kinds = office.ledger(&person.id).await;
    for kind in [
        "registration.enrolment.started",
        "registration.enrolment.contact-set",
        "registration.code.requested",
        "registration.enrolment.activated",
        "registration.enrolment.owner-set",
        "registration.enrolment.paid",
        "registration.evidence.stored",
        "registration.contract.written",
        "registration.contract.signed",
        "registration.contract.sealed",
        "registration.enrolment.submitted",
        "registration.vetting.opened",
        "registration.vetting.decided",
        "registration.enrolment.approved",
        "registration.enrolment.certified",
        "registration.enrolment.device-sent",
        "registration.enrolment.bound",
        "registration.enrolment.acceptance-asked",
        "registration.enrolment.completed",
    ] {
        assert!(
            kinds.iter().any(|found| found == kind),
            "{kind} is missing in {kinds:?}"
        );
    }
    let lines = kyso_store::ledger::tail(&office.store, &person.id.to_string(), None, 200)
        .await
        .unwrap();
    let text = format!("{lines:?}");
    for private in [
        &person.owner.full_name,
        &person.owner.identity_number,
        &person.owner.phone[1..],
        &person.owner.email,
        PIN,
    ] {
        assert!(
            !text.contains(private as &str),
            "personal data in the ledger"
        );
    }
}
