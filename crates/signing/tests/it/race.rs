//! Two of everything at once: the same winner on both databases.

use kyso_signing::portal::Scopes;
use kyso_signing::request::{Idempotency, RequestState};
use kyso_signing::{Error, KeyAlgorithm, task};
use tokio::task::JoinSet;

use crate::everywhere;
use crate::office::{Office, Phone, chance, digests, request};
use crate::sign::assert_signed;

everywhere!(
    two_workers_with_one_request_make_one_set_of_signatures,
    a_hundred_and_sixty_approvals_of_twenty_requests_have_twenty_winners,
    the_last_unit_is_won_by_one_request,
    the_same_idempotency_key_at_once_makes_one_request,
    two_openings_of_one_citizen_leave_one_credential,
    two_workers_opening_one_enrolment_make_one_certificate,
    one_device_asked_by_two_citizens_is_bound_to_one,
    many_workers_sign_many_requests_of_many_citizens_once_each,
);

async fn two_workers_with_one_request_make_one_set_of_signatures(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    for _ in 0..4 {
        let view = office.digests(&portal, &phone, 3).await;
        office
            .signing
            .requests
            .approve(phone.session(), &view.id, phone.approve(&view))
            .await
            .unwrap();
        // A worker whose lease ran out goes on beside the one that took the job over.
        let slow = office.store.claim(&[task::SIGN], 1, 1).await.unwrap();
        office.advance(5);
        let quick = office.store.claim(&[task::SIGN], 1, 30_000).await.unwrap();
        assert_eq!((slow.len(), quick.len()), (1, 1));
        let (left, right) = (office.signing.clone(), office.another_node().await);
        let (slow, quick) = tokio::join!(
            left.requests.sign_many(&office.keys, slow),
            right.requests.sign_many(&office.keys, quick)
        );
        let done = slow.unwrap().len() + quick.unwrap().len();
        assert!(done <= 1, "{done}");
        office.work().await;
        assert_signed(&office, view.id).await;
        let signed = office
            .ledger(&view.id)
            .await
            .iter()
            .filter(|kind| *kind == "signing.request.signed")
            .count();
        assert_eq!(signed, 1);
    }
    office.check().await;
}

async fn a_hundred_and_sixty_approvals_of_twenty_requests_have_twenty_winners(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let nodes = [office.signing.clone(), office.another_node().await];
    let mut running = JoinSet::new();
    let mut views = Vec::new();
    for _ in 0..20 {
        let view = office.digests(&portal, &phone, 1).await;
        for at in 0..8 {
            // Each its own approval: another sealed PIN, another time.
            let mut statement = phone.statement(&view);
            statement.expires_at -= at;
            let approval = phone.approve_statement(&statement, &phone.pin);
            let (node, session, id) = (
                nodes[at as usize % 2].clone(),
                phone.session().clone(),
                view.id,
            );
            running.spawn(async move { node.requests.approve(&session, &id, approval).await });
        }
        views.push(view);
    }
    let (mut winners, mut losers) = (0, 0);
    while let Some(outcome) = running.join_next().await {
        match outcome.unwrap() {
            Ok(_) => winners += 1,
            Err(Error::RequestState {
                state: RequestState::Approved,
            }) => losers += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((winners, losers), (20, 140));
    office.work().await;
    for view in views {
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}

async fn the_last_unit_is_won_by_one_request(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let mut opening = office.opening(KeyAlgorithm::P256);
    opening.units = Some(1);
    let phone = office.citizen_with(opening).await;
    let (first, second) = (
        office.digests(&portal, &phone, 1).await,
        office.digests(&portal, &phone, 1).await,
    );
    for view in [&first, &second] {
        office
            .signing
            .requests
            .approve(phone.session(), &view.id, phone.approve(view))
            .await
            .unwrap();
    }
    let mut jobs = office.store.claim(&[task::SIGN], 2, 30_000).await.unwrap();
    let (left, right) = (vec![jobs.remove(0)], jobs);
    let node = office.another_node().await;
    let (left, right) = tokio::join!(
        office.signing.requests.sign_many(&office.keys, left),
        node.requests.sign_many(&office.keys, right)
    );
    left.unwrap();
    right.unwrap();
    office.work().await;
    let mut states = Vec::new();
    for view in [first, second] {
        let view = office.signing.requests.view(view.id).await.unwrap();
        states.push((view.state.as_str(), view.failure));
    }
    states.sort();
    assert_eq!(
        states,
        [
            ("failed", Some("units-exhausted".to_owned())),
            ("signed", None)
        ]
    );
    assert_eq!(
        office
            .signing
            .credentials
            .show(&phone.credential.id)
            .await
            .unwrap()
            .units_left,
        Some(0)
    );
    office.check().await;
}

async fn the_same_idempotency_key_at_once_makes_one_request(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let mut new = request(&phone, digests(1, "same"));
    new.idempotency = Some(Idempotency {
        key: "k-1".into(),
        body_digest: [7; 32],
    });
    let mut running = JoinSet::new();
    for _ in 0..8 {
        let (signing, portal, new) = (office.signing.clone(), portal.clone(), new.clone());
        running.spawn(async move { signing.requests.create(&portal, new).await });
    }
    let mut ids = std::collections::HashSet::new();
    while let Some(view) = running.join_next().await {
        ids.insert(view.unwrap().unwrap().id);
    }
    assert_eq!(ids.len(), 1);
    new.idempotency = Some(Idempotency {
        key: "k-1".into(),
        body_digest: [8; 32],
    });
    let other = office.signing.requests.create(&portal, new.clone()).await;
    assert!(
        matches!(other, Err(Error::IdempotencyMismatch)),
        "{other:?}"
    );
    // Another portal's key is another key.
    let elsewhere = office.portal("Q", Scopes::ALL).await;
    assert!(
        !ids.contains(
            &office
                .signing
                .requests
                .create(&elsewhere, new)
                .await
                .unwrap()
                .id
        )
    );
}

async fn two_openings_of_one_citizen_leave_one_credential(office: Office) {
    let first = office.opening(KeyAlgorithm::P256);
    let mut second = office.opening(KeyAlgorithm::P256);
    second.citizen.clone_from(&first.citizen);
    let node = office.another_node().await;
    let (left, right) = tokio::join!(
        office.signing.credentials.open(&office.keys, &first),
        node.credentials.open(&office.keys, &second)
    );
    let outcomes = [left.is_ok(), right.is_ok()];
    assert_eq!(
        outcomes.iter().filter(|ok| **ok).count(),
        1,
        "{left:?} {right:?}"
    );
    let refused = if outcomes[0] { right } else { left };
    assert!(matches!(refused, Err(Error::CredentialLive)), "{refused:?}");
}

async fn two_workers_opening_one_enrolment_make_one_certificate(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    let node = office.another_node().await;
    let (left, right) = tokio::join!(
        office.signing.credentials.open(&office.keys, &opening),
        node.credentials.open(&office.keys, &opening)
    );
    let (left, right) = (left.unwrap(), right.unwrap());
    assert_eq!((left.id, &left.serial), (right.id, &right.serial));
    assert!(left.serial.is_some());
    let again = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    assert_eq!(again.certificate, left.certificate);
}

async fn one_device_asked_by_two_citizens_is_bound_to_one(office: Office) {
    let mut phones = Vec::new();
    for _ in 0..2 {
        let opening = office.opening(KeyAlgorithm::P256);
        let credential = office
            .signing
            .credentials
            .open(&office.keys, &opening)
            .await
            .unwrap();
        phones.push(credential);
    }
    let both = [phones[0].id, phones[1].id];
    let mut phone = Phone::new(&office, phones.remove(0));
    phone.ask_to_bind(&office, &chance_pin()).await.unwrap();
    phone.credential = phones.remove(0);
    // The second question comes before the first binding is done.
    phone.ask_to_bind(&office, &chance_pin()).await.unwrap();
    let done = office.work().await;
    let bound = done
        .iter()
        .filter(|done| format!("{done:?}").contains("state: Bound"))
        .count();
    let refused = done
        .iter()
        .filter(|done| format!("{done:?}").contains("device-already-bound"))
        .count();
    assert_eq!((bound, refused), (1, 1), "{done:?}");
    // Both codes were right: neither try stays counted.
    for id in both {
        let key = office.signing.credentials.key(&id).await.unwrap();
        assert_eq!(key.failures(), 0);
    }
    let taken = phone.ask_to_bind(&office, &chance_pin()).await;
    assert!(
        matches!(
            taken,
            Err(Error::DeviceTaken | Error::CredentialState { .. })
        ),
        "{taken:?}"
    );
}

fn chance_pin() -> String {
    let digits: String = chance()
        .bytes()
        .map(|byte| char::from(b'0' + byte % 10))
        .take(5)
        .collect();
    format!("{digits}{}", if digits.ends_with('7') { '3' } else { '7' })
}

async fn many_workers_sign_many_requests_of_many_citizens_once_each(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let mut views = Vec::new();
    for _ in 0..4 {
        let phone = office.citizen().await;
        for _ in 0..4 {
            let view = office.digests(&portal, &phone, 2).await;
            office
                .signing
                .requests
                .approve(phone.session(), &view.id, phone.approve(&view))
                .await
                .unwrap();
            views.push(view);
        }
    }
    let nodes = [
        office.signing.clone(),
        office.another_node().await,
        office.another_node().await,
    ];
    let mut running = JoinSet::new();
    for node in nodes {
        let jobs = office.store.claim(&[task::SIGN], 6, 30_000).await.unwrap();
        let keys = office.keys.clone();
        running.spawn(async move { node.requests.sign_many(&keys, jobs).await });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap().unwrap();
    }
    office.work().await;
    for view in views {
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}
