//! Killed in the middle: this test binary runs itself as a worker, or as a node that works on a call, which dies at a named
//! place; then others go on from the rows.

use std::process::{Command, ExitStatus};

use kyso_keystore::{DeviceKey, DeviceKind, DeviceSignature, SealedPin};
use kyso_registration::citizen::Channel;
use kyso_registration::enrolment::State;
use kyso_registration::ra::OfficerRole;
use kyso_registration::vetting::SignedDecision;
use kyso_registration::{EnrolmentId, Error, OfficerId};
use kyso_signing::credential::BindingIntention;
use serde_json::{Value, json};

use crate::office::{DAY, Office, PIN, Person, Phone};

crate::everywhere!(
    a_try_of_a_code_counts_though_nobody_heard_the_answer,
    an_approval_that_was_not_committed_is_none,
    a_phone_that_was_sent_in_is_bound_though_nobody_took_note,
    a_credential_that_was_given_up_fails_its_enrolment,
);

/// Places where the worker is killed, and the state of the enrolment in which it is.
const PLACES: &[(&str, State)] = &[
    ("registration.seal.before", State::Submitted),
    ("registration.seal.after", State::Submitted),
    ("signing.seal.before-sign", State::Submitted),
    ("signing.seal.after-sign", State::Submitted),
    ("registration.open.before", State::Approved),
    ("registration.open.after", State::Approved),
    ("registration.certify.before-seal", State::Approved),
    ("registration.certify.after-seal", State::Approved),
    ("registration.accept.before", State::Accepting),
    ("registration.accept.after", State::Accepting),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_place_the_enrolment_completes_once_on_sqlite() {
    for (place, _) in PLACES {
        killed_at(Office::sqlite().await, place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_place_the_enrolment_completes_once_on_postgresql() {
    for (place, _) in PLACES {
        if let Some(office) = Office::postgres().await {
            killed_at(office, place).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_an_enrolment_is_given_up_it_ends_once_on_sqlite() {
    killed_while_given_up(Office::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_an_enrolment_is_given_up_it_ends_once_on_postgresql() {
    if let Some(office) = Office::postgres().await {
        killed_while_given_up(office).await;
    }
}

/// The credential has ended, the enrolment does not know it yet.
async fn killed_while_given_up(office: Office) {
    let person = office.certified().await;
    office.registration.recover().await.unwrap();
    office.advance(31 * 86_400_000);
    let died = run(
        &office,
        "registration.fail.after-give-up",
        "crash::worker",
        Value::Null,
    );
    assert!(!died.success(), "the worker was to die");
    let failed = async || {
        let kinds = office.ledger(&person.id).await;
        let of_end = kinds
            .iter()
            .filter(|kind| *kind == "registration.enrolment.failed");
        of_end.count()
    };
    assert_eq!(failed().await, 0);
    office.advance(31_000);
    office.registration.recover().await.unwrap();
    office.work().await;
    let view = office.show(&person).await;
    // Why the credential ended is in its own ledger.
    assert_eq!(
        (view.state, view.reasons),
        (State::Failed, vec!["credential-ended".to_owned()])
    );
    assert_eq!(failed().await, 1);
    office.check().await;
}

async fn killed_at(office: Office, place: &str) {
    let person = office.begin().await;
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    office.hand_in(&person).await;
    office.approve(&officer, &person.id).await;
    if place.starts_with("registration.accept") {
        office.work().await;
        Phone::new(&office, &person).bind(&office, PIN).await;
    }
    let died = run(&office, place, "crash::worker", Value::Null);
    assert!(!died.success(), "{place}: the worker was to die");
    // The lease of the dead worker ends; another goes on.
    office.advance(31_000);
    office.registration.recover().await.unwrap();
    office.work().await;
    let view = office.show(&person).await;
    assert!(view.contract.as_ref().unwrap().sealed, "{place}");
    let kinds = office.ledger(&person.id).await;
    for kind in [
        "registration.contract.sealed",
        "registration.enrolment.certified",
    ] {
        assert_eq!(
            kinds.iter().filter(|found| *found == kind).count(),
            1,
            "{place}: {kind}"
        );
    }
    let certificates =
        "-- test_certificates\nSELECT COUNT(1) AS found FROM certificate WHERE kind = 'citizen'";
    assert_eq!(
        office
            .store
            .one(certificates, &[])
            .await
            .unwrap()
            .int("found")
            .unwrap(),
        1,
        "{place}"
    );
    if place.starts_with("registration.accept") {
        let requests = "-- test_acceptances\nSELECT COUNT(1) AS found FROM signature_request WHERE kind = 'acceptance'";
        assert_eq!(
            office
                .store
                .one(requests, &[])
                .await
                .unwrap()
                .int("found")
                .unwrap(),
            1,
            "{place}"
        );
        assert!(view.acceptance_request.is_some());
    }
    office.check().await;
}

async fn a_try_of_a_code_counts_though_nobody_heard_the_answer(office: Office) {
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
    let (_, code) = office.code_of(&person).await;
    let call = json!({ "verb": "activate", "enrolment": person.id.to_string(), "code": code });
    killed_in(&office, "registration.activate.after-count", call);
    let shown = office.show(&person).await;
    assert_eq!(shown.code.unwrap().tries_left, 4);
    assert!(
        office
            .next(&person)
            .await
            .contains(&"activation".to_owned())
    );
    let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);
    assert!(matches!(
        office.registration.activate(&person.id, &wrong).await,
        Err(Error::CodeWrong { tries_left: 3 })
    ));
    office
        .registration
        .activate(&person.id, &code)
        .await
        .unwrap();
    assert_eq!(
        lines(&office, &person, "registration.enrolment.activated").await,
        1
    );
    office.check().await;
}

async fn an_approval_that_was_not_committed_is_none(office: Office) {
    let person = office.begin().await;
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    office.hand_in(&person).await;
    office
        .registration
        .open_dossier(&officer, &person.id)
        .await
        .unwrap();
    let decision = office.decision(&officer, &person.id).await;
    let call = json!({
        "verb": "approve", "enrolment": person.id.to_string(), "officer": officer.id.to_string(),
        "statement": hex::encode(&decision.statement), "signature": signature(&decision.signature),
    });
    killed_in(&office, "registration.approve.before-commit", call);
    assert_eq!(office.show(&person).await.state, State::Submitted);
    let decisions = "-- test_decisions\nSELECT COUNT(1) AS found FROM vetting_decision";
    let found = office.store.one(decisions, &[]).await.unwrap();
    assert_eq!(found.int("found").unwrap(), 0);
    // Nothing is opened for it, and the same decision is good when it is sent again.
    office.registration.recover().await.unwrap();
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Submitted);
    office
        .registration
        .approve(&officer, &person.id, &decision)
        .await
        .unwrap();
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
    assert_eq!(
        lines(&office, &person, "registration.enrolment.approved").await,
        1
    );
    office.check().await;
}

async fn a_phone_that_was_sent_in_is_bound_though_nobody_took_note(office: Office) {
    let person = office.certified().await;
    let mut phone = Phone::new(&office, &person);
    let intention = phone.intention(&office, PIN).await.unwrap();
    let call = json!({
        "verb": "bind", "enrolment": person.id.to_string(),
        "statement": hex::encode(&intention.statement), "signature": signature(&intention.signature),
        "device": hex::encode(&intention.device.spki), "enc": hex::encode(&intention.sealed_pin.enc),
        "ciphertext": hex::encode(&intention.sealed_pin.ciphertext),
    });
    killed_in(&office, "registration.bind.after-request", call);
    assert_eq!(office.show(&person).await.binding, None);
    office.registration.recover().await.unwrap();
    office.work().await;
    let shown = office.show(&person).await;
    assert_eq!(
        (shown.state, shown.binding.as_deref()),
        (State::Accepting, Some("bound"))
    );
    office.work().await;
    phone.accept(&office).await;
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Complete);
    assert_eq!(
        lines(&office, &person, "registration.enrolment.bound").await,
        1
    );
    office.check().await;
}

async fn a_credential_that_was_given_up_fails_its_enrolment(office: Office) {
    let person = office.certified().await;
    office.messages().await;
    office.registration.recover().await.unwrap();
    office.advance(31 * DAY);
    let place = "registration.fail.after-give-up";
    let died = run(&office, place, "crash::worker", Value::Null);
    assert!(!died.success(), "{place}: the worker was to die");
    // Given up, and the enrolment does not know yet: whoever looks finds out.
    office.advance(31_000);
    office.registration.recover().await.unwrap();
    office.work().await;
    let shown = office.show(&person).await;
    assert_eq!(
        (shown.state, shown.reasons),
        (State::Failed, vec!["credential-ended".to_owned()])
    );
    assert_eq!(
        lines(&office, &person, "registration.enrolment.failed").await,
        1
    );
    assert_eq!(office.messages().await, ["rejected"]);
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap();
    assert_eq!(credential.unwrap().state.as_str(), "failed");
    // The person is free.
    let again = office
        .begin_as(
            person.owner.clone(),
            kyso_registration::enrolment::Start {
                plan: Some("free-12"),
                ..Default::default()
            },
        )
        .await;
    office.hand_in(&again).await;
    office.check().await;
}

/// How many lines of a kind the ledger has about this enrolment.
async fn lines(office: &Office, person: &Person, kind: &str) -> usize {
    let kinds = office.ledger(&person.id).await;
    kinds.iter().filter(|found| *found == kind).count()
}

fn signature(signature: &DeviceSignature) -> String {
    match signature {
        DeviceSignature::WebCrypto { signature } => hex::encode(signature),
        _ => panic!("the harness signs as a browser does"),
    }
}

/// A node that dies while it works on this call.
fn killed_in(office: &Office, place: &str, call: Value) {
    let died = run(office, place, "crash::caller", call);
    assert!(!died.success(), "{place}: the node was to die");
}

fn run(office: &Office, place: &str, role: &str, call: Value) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", role, "--ignored", "--nocapture"])
        .env("KYSO_FAILPOINTS_ALLOWED", "yes")
        .env("KYSO_FAILPOINT", format!("{place}:abort"))
        .env("KYSO_TEST_URL", &office.database.url)
        .env("KYSO_TEST_FOLDER", office.database.folder.path())
        .env("KYSO_TEST_NOW", office.now().to_string())
        .env("KYSO_TEST_CALL", call.to_string())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap()
}

/// The worker that is killed. Run by the tests above in a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the crash tests"]
async fn worker() {
    let Ok(url) = std::env::var("KYSO_TEST_URL") else {
        return;
    };
    let folder = std::path::PathBuf::from(std::env::var("KYSO_TEST_FOLDER").unwrap());
    let now = std::env::var("KYSO_TEST_NOW").unwrap().parse().unwrap();
    crate::office::work_until_killed(&url, &folder, now).await;
}

/// The node that is killed while it works on a call. Its process ends well if the call comes to an end: that fails the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the crash tests"]
async fn caller() {
    let Ok(url) = std::env::var("KYSO_TEST_URL") else {
        return;
    };
    let folder = std::path::PathBuf::from(std::env::var("KYSO_TEST_FOLDER").unwrap());
    let now = std::env::var("KYSO_TEST_NOW").unwrap().parse().unwrap();
    let registration = crate::office::registration_elsewhere(&url, &folder, now).await;
    let call: Value = serde_json::from_str(&std::env::var("KYSO_TEST_CALL").unwrap()).unwrap();
    let word = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
    let bytes = |name: &str| hex::decode(word(name)).unwrap_or_default();
    let signature = DeviceSignature::WebCrypto {
        signature: bytes("signature"),
    };
    let Ok(id) = word("enrolment").parse::<EnrolmentId>() else {
        return;
    };
    // What it answers is heard by nobody.
    match word("verb").as_str() {
        "activate" => drop(registration.activate(&id, &word("code")).await),
        "approve" => {
            let Ok(officer) = word("officer").parse::<OfficerId>() else {
                return;
            };
            let token = registration.rotate_officer_token(&officer, "cli").await;
            let Ok(officer) = registration
                .authenticate_officer(&token.unwrap_or_default())
                .await
            else {
                return;
            };
            let decision = SignedDecision {
                statement: bytes("statement"),
                signature,
            };
            drop(registration.approve(&officer, &id, &decision).await);
        }
        "bind" => {
            let intention = BindingIntention {
                statement: bytes("statement"),
                device: DeviceKey {
                    kind: DeviceKind::WebCrypto,
                    spki: bytes("device"),
                },
                signature,
                sealed_pin: SealedPin {
                    enc: bytes("enc"),
                    ciphertext: bytes("ciphertext"),
                },
                consent: None,
            };
            drop(registration.bind_device(&id, intention).await);
        }
        _ => {}
    }
}
