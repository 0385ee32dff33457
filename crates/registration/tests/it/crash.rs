//! Killed in the middle: this test binary runs itself as a worker that dies at a named place, then goes on from the rows.

use std::process::Command;

use kyso_registration::enrolment::State;
use kyso_registration::ra::OfficerRole;

use crate::office::{Office, PIN, Phone};

/// Places where the worker is killed, and the state of the enrolment in which it is.
const PLACES: &[(&str, State)] = &[
    ("registration.seal.before", State::Submitted),
    ("registration.seal.after", State::Submitted),
    ("signing.seal.before-sign", State::Submitted),
    ("signing.seal.after-sign", State::Submitted),
    ("registration.open.before", State::Approved),
    ("registration.open.after", State::Approved),
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
    let died = run_worker(&office, "registration.fail.after-give-up");
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
    let died = run_worker(&office, place);
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

fn run_worker(office: &Office, place: &str) -> std::process::ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::worker", "--ignored", "--nocapture"])
        .env("KYSO_FAILPOINTS_ALLOWED", "yes")
        .env("KYSO_FAILPOINT", format!("{place}:abort"))
        .env("KYSO_TEST_URL", &office.database.url)
        .env("KYSO_TEST_FOLDER", office.database.folder.path())
        .env("KYSO_TEST_NOW", office.now().to_string())
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
