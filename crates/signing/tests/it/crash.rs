//! Killed, as by `kill -9`, before and after every step that matters: one signature or certificate, never two, none unaccounted.
//!
//! The victim is this test binary, started again with a failpoint armed, on the same rows and keys.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use kyso_keystore::{DeviceSignature, SealedPin};
use kyso_signing::credential::BindingState;
use kyso_signing::device::Session;
use kyso_signing::portal::{NewPortal, Scopes};
use kyso_signing::request::{Approval, RequestState, RequestView};
use kyso_signing::{KeyAlgorithm, task};
use kyso_store::{Clock, Options, Store};

use crate::office::{Office, PIN, Phone, node, opening, software_keys, with_pool};
use crate::sign::assert_signed;

/// The places of the signing path, in order.
const SIGN: [&str; 8] = [
    "signing.sign.before-begin",
    "signing.sign.after-begin",
    "signing.sign.before-raise",
    "signing.sign.after-raise",
    "signing.sign.before-sign",
    "signing.sign.after-sign",
    "signing.sign.before-result",
    "signing.sign.after-result",
];

/// Where the settling of a try that was never compared can be cut.
const SETTLE: [&str; 2] = ["signing.sign.before-settle", "signing.sign.after-settle"];

/// The same of a binding.
const SETTLE_BINDING: [&str; 2] = ["signing.bind.before-settle", "signing.bind.after-settle"];

/// Where the opening of a credential can be cut.
const OPEN: [&str; 4] = [
    "signing.open.before-key",
    "signing.open.after-key",
    "signing.open.before-certificate",
    "signing.open.after-certificate",
];

macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::office::Office::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(office) = crate::office::Office::postgres().await {
                        super::$name(office).await;
                    }
                }
            )*
        }
    };
}

on_both_databases!(
    killed_anywhere_while_signing_the_request_is_signed_once_and_no_try_is_burnt,
    killed_between_raise_and_result_of_a_wrong_pin_the_try_counts_once,
    killed_anywhere_while_opening_there_is_one_key_and_one_certificate,
    killed_while_binding_the_phone_is_bound_once,
    killed_while_the_pool_is_filled_it_is_filled_to_its_size_later,
    suspended_or_revoked_between_signing_and_result_nothing_is_released,
    outages_longer_than_an_approval_lives_cost_no_try,
    a_wrong_pin_that_an_outage_kept_from_being_compared_counts_once_and_locks_as_ever,
    a_try_held_up_by_a_suspension_is_settled_and_nothing_is_signed,
    killed_while_settling_the_try_is_settled_once,
    killed_while_settling_a_binding_no_try_is_burnt,
    a_binding_that_an_outage_outlived_costs_no_try,
    a_try_taken_away_before_it_was_compared_counts_and_the_fifth_is_told,
    rows_that_do_not_agree_cost_their_own_request_only,
    while_a_slow_keystore_signs_nobody_else_begins_its_jobs,
    a_keystore_with_a_full_queue_costs_time_and_nothing_else,
    approvals_that_could_not_be_stored_together_are_stored_by_each_alone,
);

/// The body of the victim: works once on what is due, or opens one credential.
#[tokio::test]
#[ignore = "started by the tests below, in a process of its own"]
async fn victim() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let now: i64 = variable("VICTIM_NOW").parse().unwrap();
    let clock = Clock::fixed(now);
    let options = Options {
        clock: clock.clone(),
        durable: false,
        ..Options::default()
    };
    let store = Store::open_with(&variable("VICTIM_DATABASE"), options)
        .await
        .unwrap();
    let keys = software_keys(Path::new(&variable("VICTIM_KEYS")));
    let signing = node(store.clone());
    match variable("VICTIM_ACT").split_once(':') {
        Some(("open", number)) => {
            let opening = opening(
                number.parse().unwrap(),
                KeyAlgorithm::P256,
                now + 86_400_000,
            );
            signing.credentials.open(&keys, &opening).await.unwrap();
        }
        Some(("approve", file)) => {
            let approvals: Vec<Sent> =
                serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
            // One thread: all are queued before the first is stored.
            let mut calls = tokio::task::JoinSet::new();
            for sent in approvals {
                let requests = signing.requests.clone();
                calls.spawn(async move { sent.approve(&requests).await });
            }
            while let Some(approved) = calls.join_next().await {
                assert_eq!(approved.unwrap(), RequestState::Approved);
            }
        }
        Some(("pool", _)) => {
            let credentials = with_pool(store.clone(), POOL).credentials;
            credentials
                .fill_pool(&keys, KeyAlgorithm::Rsa2048)
                .await
                .unwrap();
        }
        _ => {
            let short = std::env::var("VICTIM_LEASE").ok();
            let lease_ms = short.as_ref().map_or(30_000, |ms| ms.parse().unwrap());
            let jobs = store.claim(task::KINDS, 64, lease_ms).await.unwrap();
            if short.is_some() {
                // Time goes on while it works.
                tokio::spawn(async move {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the test's clock follows real time"
                    )]
                    let started = std::time::Instant::now();
                    loop {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        clock.set(now + i64::try_from(started.elapsed().as_millis()).unwrap());
                    }
                });
            }
            signing.work(&keys, jobs).await.unwrap();
        }
    }
}

/// An approval on its way to the victim.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sent {
    device: String,
    credential: String,
    citizen: String,
    expires_at: i64,
    request: String,
    /// Statement, signature, and the two parts of the sealed PIN.
    bytes: [Vec<u8>; 4],
}

impl Sent {
    fn of(phone: &Phone, view: &RequestView) -> Sent {
        let (session, approval) = (phone.session(), phone.approve(view));
        let DeviceSignature::WebCrypto { signature } = approval.signature else {
            unreachable!()
        };
        let pin = approval.sealed_pin;
        Sent {
            device: session.device.to_string(),
            credential: session.credential.to_string(),
            citizen: session.citizen.clone(),
            expires_at: session.expires_at,
            request: view.id.to_string(),
            bytes: [approval.statement, signature, pin.enc, pin.ciphertext],
        }
    }

    async fn approve(self, requests: &kyso_signing::Requests) -> RequestState {
        let session = Session {
            device: self.device.parse().unwrap(),
            credential: self.credential.parse().unwrap(),
            citizen: self.citizen,
            expires_at: self.expires_at,
        };
        let [statement, signature, enc, ciphertext] = self.bytes;
        let approval = Approval {
            statement,
            signature: DeviceSignature::WebCrypto { signature },
            sealed_pin: SealedPin { enc, ciphertext },
        };
        let request = self.request.parse().unwrap();
        let view = requests.approve(&session, &request, approval).await;
        view.unwrap().state
    }
}

async fn approvals_that_could_not_be_stored_together_are_stored_by_each_alone(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phones = [
        office.citizen().await,
        office.citizen().await,
        office.citizen().await,
    ];
    // Nothing was stored; and everything was, but nobody heard it.
    for place in [
        "signing.approve.before-store",
        "signing.approve.after-store",
    ] {
        let mut views = Vec::new();
        let mut approvals = Vec::new();
        for phone in &phones {
            let view = office.digests(&portal, phone, 1).await;
            approvals.push(Sent::of(phone, &view));
            views.push(view);
        }
        let file = office.database.folder.path().join("approvals.json");
        std::fs::write(&file, serde_json::to_vec(&approvals).unwrap()).unwrap();
        let act = format!("approve:{}", file.display());
        let mut command = victim_of(&office, &format!("{place}#1:error"), &act);
        let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{place}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        office.work().await;
        for view in views {
            assert_signed(&office, view.id).await;
            let lines = office.ledger(&view.id).await;
            let approved = lines
                .iter()
                .filter(|kind| *kind == "signing.request.approved");
            assert_eq!(approved.count(), 1, "{place}");
        }
    }
    office.check().await;
}

fn victim_of(office: &Office, failpoint: &str, act: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "crash::victim"])
        .env("VICTIM_DATABASE", &office.database.url)
        .env("VICTIM_KEYS", &office.key_folder)
        .env("VICTIM_NOW", office.now().to_string())
        .env("VICTIM_ACT", act)
        .env("KYSO_FAILPOINT", failpoint)
        .env("KYSO_FAILPOINTS_ALLOWED", "yes");
    command
}

async fn killed(office: &Office, place: &str, act: &str) {
    let mut command = victim_of(office, &format!("{place}:abort"), act);
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert!(
        output.status.signal().is_some(),
        "{place}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// The next worker, after the dead one's leases have ended.
async fn recover(office: &Office) {
    office.advance(31_000);
    office.work().await;
}

async fn approved(office: &Office, phone: &Phone, pin: &str) -> RequestView {
    let portal = match office.signing.portals.find("PORTAL").await.unwrap() {
        Some(portal) => portal,
        None => {
            let new = NewPortal {
                name: "P".into(),
                client_id: Some("PORTAL".into()),
                scopes: Scopes::ALL,
                webhook_url: None,
                public_key: None,
            };
            office
                .signing
                .portals
                .register(new, "cli")
                .await
                .unwrap()
                .portal
        }
    };
    let view = office.digests(&portal, phone, 3).await;
    let approval = phone.approve_with_pin(&view, pin);
    office
        .signing
        .requests
        .approve(phone.session(), &view.id, approval)
        .await
        .unwrap();
    view
}

async fn tries_left_after_a_wrong_pin(office: &Office, phone: &Phone) -> Option<i64> {
    let view = approved(office, phone, "314159").await;
    office.work().await;
    let tries_left = office
        .signing
        .requests
        .view(view.id)
        .await
        .unwrap()
        .tries_left;
    let view = approved(office, phone, PIN).await;
    office.work().await;
    assert_signed(office, view.id).await;
    tries_left
}

async fn killed_anywhere_while_signing_the_request_is_signed_once_and_no_try_is_burnt(
    office: Office,
) {
    let phone = office.citizen().await;
    for place in SIGN {
        let view = approved(&office, &phone, PIN).await;
        killed(&office, place, "work").await;
        let before = office.signing.requests.view(view.id).await.unwrap();
        recover(&office).await;
        assert_signed(&office, view.id).await;
        let after = office.signing.requests.view(view.id).await.unwrap();
        if before.state == RequestState::Signed {
            for (first, second) in before.documents.iter().zip(&after.documents) {
                assert_eq!(
                    first.signature, second.signature,
                    "{place}: what was on disk stays"
                );
            }
        }
        let signed = office
            .ledger(&view.id)
            .await
            .iter()
            .filter(|kind| *kind == "signing.request.signed")
            .count();
        assert_eq!(signed, 1, "{place}");
        assert_eq!(
            tries_left_after_a_wrong_pin(&office, &phone).await,
            Some(4),
            "{place}"
        );
    }
    office.check().await;
}

async fn killed_between_raise_and_result_of_a_wrong_pin_the_try_counts_once(office: Office) {
    let phone = office.citizen().await;
    for place in [
        "signing.sign.after-raise",
        "signing.sign.after-sign",
        "signing.sign.before-result",
    ] {
        let view = approved(&office, &phone, "314159").await;
        killed(&office, place, "work").await;
        recover(&office).await;
        let back = office.signing.requests.view(view.id).await.unwrap();
        assert_eq!(
            (back.state, back.tries_left),
            (RequestState::Pending, Some(4)),
            "{place}"
        );
        let view = approved(&office, &phone, PIN).await;
        office.work().await;
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}

async fn killed_anywhere_while_opening_there_is_one_key_and_one_certificate(office: Office) {
    for (at, place) in OPEN.into_iter().enumerate() {
        let number = 900 + u32::try_from(at).unwrap();
        killed(&office, place, &format!("open:{number}")).await;
        let opening = opening(number, KeyAlgorithm::P256, office.now() + 86_400_000);
        let reserved = office
            .signing
            .credentials
            .of_enrolment(&opening.enrolment)
            .await
            .unwrap()
            .expect(place);
        let credential = office
            .signing
            .credentials
            .open(&office.keys, &opening)
            .await
            .unwrap();
        assert_eq!(reserved.id, credential.id, "{place}");
        let made = office
            .store
            .one(
                "-- test.made\nSELECT COUNT(*) AS made FROM certificate WHERE for_what = $1",
                &[credential.id.into()],
            )
            .await
            .unwrap();
        assert_eq!(made.int("made").unwrap(), 1, "{place}");
    }
    office.check().await;
}

async fn killed_while_binding_the_phone_is_bound_once(office: Office) {
    for place in [
        "signing.bind.before-begin",
        "signing.bind.after-begin",
        "signing.bind.before-compare",
        "signing.bind.after-compare",
    ] {
        let opening = office.opening(KeyAlgorithm::P256);
        let credential = office
            .signing
            .credentials
            .open(&office.keys, &opening)
            .await
            .unwrap();
        let phone = Phone::new(&office, credential);
        let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
        killed(&office, place, "work").await;
        recover(&office).await;
        let state = office
            .signing
            .credentials
            .binding(&binding.id)
            .await
            .unwrap()
            .state;
        assert_eq!(state, BindingState::Bound, "{place}");
    }
    office.check().await;
}

/// Pairs in the pool of these tests.
const POOL: usize = 2;

async fn killed_while_the_pool_is_filled_it_is_filled_to_its_size_later(office: Office) {
    for place in ["signing.pool.before-key", "signing.pool.after-key"] {
        killed(&office, place, "pool:").await;
        assert_eq!(pooled(&office).await, 0, "{place}");
    }
    let credentials = office.with_pool(POOL).credentials;
    let made = credentials
        .fill_pool(&office.keys, KeyAlgorithm::Rsa2048)
        .await
        .unwrap();
    assert_eq!((made, pooled(&office).await), (POOL, 2));
}

async fn pooled(office: &Office) -> i64 {
    let sql = "-- test.pooled\nSELECT COUNT(*) AS pooled FROM pooled_key";
    let row = office.store.one(sql, &[]).await.unwrap();
    row.int("pooled").unwrap()
}

async fn suspended_or_revoked_between_signing_and_result_nothing_is_released(office: Office) {
    for revoke in [false, true] {
        let phone = office.citizen().await;
        let id = phone.credential.id;
        let view = approved(&office, &phone, PIN).await;
        let pause = office
            .database
            .folder
            .path()
            .join(format!("pause-{revoke}"));
        std::fs::write(&pause, b"").unwrap();
        let failpoint = format!("signing.sign.before-result:pause-file={}", pause.display());
        let mut worker = victim_of(&office, &failpoint, "work")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        reached(&mut worker, &pause).await;
        match revoke {
            false => office
                .signing
                .credentials
                .suspend(&id, "lost-phone", "ctz")
                .await
                .unwrap(),
            true => office
                .signing
                .credentials
                .revoke(&id, kyso_authority::Reason::KeyCompromise, "officer")
                .await
                .unwrap(),
        }
        std::fs::remove_file(&pause).unwrap();
        let status = tokio::task::spawn_blocking(move || worker.wait().unwrap())
            .await
            .unwrap();
        assert!(status.success());
        let ended = office.signing.requests.view(view.id).await.unwrap();
        assert_eq!(
            (ended.state, ended.failure.as_deref()),
            (RequestState::Failed, Some("credential-not-active"))
        );
        assert!(
            ended
                .documents
                .iter()
                .all(|document| document.signature.is_none())
        );
        if !revoke {
            // The PIN was right, so nothing was counted; nobody's attempt is left in the way.
            office
                .signing
                .credentials
                .resume(&id, "officer")
                .await
                .unwrap();
            assert_eq!(tries_left_after_a_wrong_pin(&office, &phone).await, Some(4));
        }
        office.work().await;
    }
    office.check().await;
}

/// The keystore is away from the raise to the end of the approval.
async fn outage(office: &Office, place: &str) {
    killed(office, place, "work").await;
    office.advance(301_000);
}

async fn outages_longer_than_an_approval_lives_cost_no_try(office: Office) {
    let phone = office.citizen().await;
    for _ in 0..5 {
        let view = approved(&office, &phone, PIN).await;
        outage(&office, "signing.sign.after-raise").await;
        office.work().await;
        assert_failed(&office, view.id, "approval-expired").await;
        let kinds = office.ledger(&view.id).await;
        assert!(!kinds.contains(&"signing.request.signed".to_owned()));
    }
    assert_eq!(tries_left_after_a_wrong_pin(&office, &phone).await, Some(4));
    office.check().await;
}

async fn a_wrong_pin_that_an_outage_kept_from_being_compared_counts_once_and_locks_as_ever(
    office: Office,
) {
    let phone = office.citizen().await;
    for left in (1..5).rev() {
        let view = approved(&office, &phone, "314159").await;
        outage(&office, "signing.sign.after-raise").await;
        office.work().await;
        let back = office.signing.requests.view(view.id).await.unwrap();
        assert_eq!(back.tries_left, Some(left));
        // Its time is over as well.
        assert_eq!(back.state, RequestState::Expired);
    }
    let view = approved(&office, &phone, "314159").await;
    outage(&office, "signing.sign.after-raise").await;
    office.work().await;
    assert_failed(&office, view.id, "pin-locked").await;
    assert_locked_and_told_once(&office, &phone).await;
    office.check().await;
}

async fn a_try_held_up_by_a_suspension_is_settled_and_nothing_is_signed(office: Office) {
    let phone = office.citizen().await;
    let id = phone.credential.id;
    let view = approved(&office, &phone, PIN).await;
    killed(&office, "signing.sign.before-sign", "work").await;
    let credentials = &office.signing.credentials;
    credentials.suspend(&id, "lost-phone", "ctz").await.unwrap();
    recover(&office).await;
    assert_failed(&office, view.id, "credential-not-active").await;
    credentials.resume(&id, "officer").await.unwrap();
    assert_eq!(tries_left_after_a_wrong_pin(&office, &phone).await, Some(4));
    office.check().await;
}

async fn killed_while_settling_the_try_is_settled_once(office: Office) {
    let phone = office.citizen().await;
    for place in SETTLE {
        let view = approved(&office, &phone, PIN).await;
        outage(&office, "signing.sign.after-raise").await;
        killed(&office, place, "work").await;
        recover(&office).await;
        assert_failed(&office, view.id, "approval-expired").await;
        assert_eq!(
            tries_left_after_a_wrong_pin(&office, &phone).await,
            Some(4),
            "{place}"
        );
    }
    office.check().await;
}

async fn killed_while_settling_a_binding_no_try_is_burnt(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    let credentials = &office.signing.credentials;
    let credential = credentials.open(&office.keys, &opening).await.unwrap();
    let phone = Phone::new(&office, credential);
    for place in SETTLE_BINDING {
        let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
        outage(&office, "signing.bind.before-compare").await;
        killed(&office, place, "work").await;
        recover(&office).await;
        let state = credentials.binding(&binding.id).await.unwrap().state;
        assert!(
            matches!(&state, BindingState::Refused { code } if code == "approval-expired"),
            "{place}: {state:?}"
        );
        let key = credentials.key(&phone.credential.id).await.unwrap();
        assert_eq!(key.failures(), 0, "{place}");
    }
    office.check().await;
}

async fn a_binding_that_an_outage_outlived_costs_no_try(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    let credentials = &office.signing.credentials;
    let credential = credentials.open(&office.keys, &opening).await.unwrap();
    let phone = Phone::new(&office, credential);
    for _ in 0..5 {
        let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
        outage(&office, "signing.bind.before-compare").await;
        office.work().await;
        let state = credentials.binding(&binding.id).await.unwrap().state;
        let BindingState::Refused { code } = state else {
            panic!("{state:?}")
        };
        assert_eq!(code, "approval-expired");
    }
    let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
    office.work().await;
    let state = credentials.binding(&binding.id).await.unwrap().state;
    assert_eq!(state, BindingState::Bound);
    office.check().await;
}

/// Whoever writes rows can take an approval away between the raise and the comparison. It counts then, and is no silent lock.
async fn a_try_taken_away_before_it_was_compared_counts_and_the_fifth_is_told(office: Office) {
    let phone = office.citizen().await;
    for _ in 0..5 {
        let view = approved(&office, &phone, PIN).await;
        killed(&office, "signing.sign.after-raise", "work").await;
        office
            .database
            .tamper(&format!(
                "UPDATE signature_request SET statement = device_signature WHERE id = '{}'",
                view.id
            ))
            .await;
        recover(&office).await;
        assert_failed(&office, view.id, "statement-malformed").await;
    }
    let view = approved(&office, &phone, PIN).await;
    office.work().await;
    assert_failed(&office, view.id, "pin-locked").await;
    assert_locked_and_told_once(&office, &phone).await;
    office.check().await;
}

async fn assert_locked_and_told_once(office: &Office, phone: &Phone) {
    let id = phone.credential.id;
    let credential = office.signing.credentials.show(&id).await.unwrap();
    assert!(credential.pin_locked_at.is_some());
    let told = office.store.open_jobs().await.unwrap().remove(task::TELL);
    assert_eq!(told, Some(1));
    let kinds = office.ledger(&id).await;
    let locked = kinds
        .iter()
        .filter(|kind| *kind == "signing.credential.pin-locked");
    assert_eq!(locked.count(), 1);
}

async fn assert_failed(office: &Office, request: kyso_signing::RequestId, code: &str) {
    let view = office.signing.requests.view(request).await.unwrap();
    assert_eq!(
        (view.state, view.failure.as_deref()),
        (RequestState::Failed, Some(code))
    );
}

async fn rows_that_do_not_agree_cost_their_own_request_only(office: Office) {
    let (one, other) = (office.citizen().await, office.citizen().await);
    let (bad, good) = (
        approved(&office, &one, PIN).await,
        approved(&office, &other, PIN).await,
    );
    let pause = office.database.folder.path().join("pause-disagree");
    std::fs::write(&pause, b"").unwrap();
    let failpoint = format!(
        "signing.sign.before-result#1:pause-file={}",
        pause.display()
    );
    let mut worker = victim_of(&office, &failpoint, "work")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    reached(&mut worker, &pause).await;
    let state = |state: &str| {
        format!(
            "UPDATE signature_document SET state = '{state}' WHERE request_id = '{}' AND position = 0",
            bad.id
        )
    };
    office.database.tamper(&state("prepared")).await;
    std::fs::remove_file(&pause).unwrap();
    let status = tokio::task::spawn_blocking(move || worker.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success());
    assert_signed(&office, good.id).await;
    let held = office.signing.requests.view(bad.id).await.unwrap();
    assert_eq!(held.state, RequestState::Approved);
    // Its job waits for no lease.
    let due = office.store.next_due(&[task::SIGN]).await.unwrap().unwrap();
    assert!(due - office.now() < 5_000, "{due}");
    office.work().await;
    assert_signed(&office, bad.id).await;
    office.check().await;
}

async fn while_a_slow_keystore_signs_nobody_else_begins_its_jobs(office: Office) {
    const LEASE_MS: i64 = 600;
    let phone = office.citizen().await;
    // Of one credential: the second round is begun long after the first lease would have ended.
    let views = [
        approved(&office, &phone, PIN).await,
        approved(&office, &phone, PIN).await,
    ];
    let pause = office.database.folder.path().join("pause-slow");
    std::fs::write(&pause, b"").unwrap();
    let failpoint = format!("signing.sign.before-sign#1:pause-file={}", pause.display());
    let mut worker = victim_of(&office, &failpoint, "work")
        .env("VICTIM_LEASE", LEASE_MS.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    reached(&mut worker, &pause).await;
    let first = office.now() + LEASE_MS;
    let mut looks = 0;
    while office.store.next_due(&[task::SIGN]).await.unwrap().unwrap() <= first + LEASE_MS {
        looks += 1;
        assert!(looks < 1_000, "the leases are never extended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    office.advance(LEASE_MS + 1);
    let taken = office.store.claim(&[task::SIGN], 64, 30_000).await.unwrap();
    assert!(taken.is_empty(), "{taken:?}");
    std::fs::remove_file(&pause).unwrap();
    let status = tokio::task::spawn_blocking(move || worker.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success());
    for view in views {
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}

/// Waits until the victim stands at its failpoint.
async fn reached(worker: &mut Child, pause: &Path) {
    let mut reached = pause.as_os_str().to_owned();
    reached.push(".reached");
    let mut looks = 0;
    while !Path::new(&reached).exists() {
        assert!(
            worker.try_wait().unwrap().is_none(),
            "the worker has ended before its failpoint"
        );
        looks += 1;
        assert!(looks < 30_000, "the worker never came to its failpoint");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn a_keystore_with_a_full_queue_costs_time_and_nothing_else(office: Office) {
    let mut views = Vec::new();
    for _ in 0..12 {
        let phone = office.citizen().await;
        views.push(approved(&office, &phone, PIN).await);
    }
    let narrow = kyso_keystore::Keystore::open(kyso_keystore::KeystoreConfig {
        default_backend: kyso_keystore::BackendName::Software,
        software: Some(kyso_keystore::SoftwareConfig {
            directory: office.key_folder.clone(),
        }),
        pkcs11: None,
        queue: 1,
    })
    .unwrap();
    for _ in 0..100 {
        let jobs = office.store.claim(&[task::SIGN], 64, 30_000).await.unwrap();
        if jobs.is_empty()
            && office
                .store
                .next_due(&[task::SIGN])
                .await
                .unwrap()
                .is_none()
        {
            break;
        }
        office
            .signing
            .requests
            .sign_many(&narrow, jobs)
            .await
            .unwrap();
        office.advance(60);
    }
    for view in views {
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}
