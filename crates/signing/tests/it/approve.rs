//! The citizen's side of a request: seeing, approving, refusing; and the portal's taking back.

use kyso_signing::Error;
use kyso_signing::portal::Scopes;
use kyso_signing::request::{Page, RequestState};

use crate::everywhere;
use crate::office::Office;

everywhere!(
    the_same_approval_sent_twice_is_one_and_another_is_a_conflict,
    a_refusal_ends_the_request_and_is_recorded_with_its_reason,
    a_portal_may_take_back_what_is_pending_and_nothing_else,
    a_request_expires_when_nobody_answers_and_an_approved_one_does_not,
    a_wrong_pin_after_the_deadline_lets_the_request_expire,
    the_list_shows_a_citizens_own_requests_newest_first,
    what_waits_is_found_without_reading_the_history,
    refused_approvals_are_recorded_once_each_and_sixteen_of_a_request_at_most,
    an_approval_whose_caller_went_away_is_stored,
    who_waits_hears_of_a_refusal_whose_caller_went_away,
);

async fn the_same_approval_sent_twice_is_one_and_another_is_a_conflict(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let approval = phone.approve(&view);
    let first = office
        .signing
        .requests
        .approve(phone.session(), &view.id, approval.clone())
        .await
        .unwrap();
    let second = office
        .signing
        .requests
        .approve(phone.session(), &view.id, approval)
        .await
        .unwrap();
    assert_eq!(
        (first.state, second.state),
        (RequestState::Approved, RequestState::Approved)
    );
    let other = office
        .signing
        .requests
        .approve(
            phone.session(),
            &view.id,
            phone.approve_with_pin(&view, "161803"),
        )
        .await;
    // The statement is the same; only the sealed PIN differs, which no device signed: the first one stays.
    assert_eq!(other.unwrap().state, RequestState::Approved);
    office.advance(1);
    let other = office
        .signing
        .requests
        .approve(phone.session(), &view.id, phone.approve(&view))
        .await;
    assert!(
        matches!(
            other,
            Err(Error::RequestState {
                state: RequestState::Approved
            })
        ),
        "{other:?}"
    );
    assert_eq!(office.work().await.len(), 1);
    office.check().await;
}

async fn a_refusal_ends_the_request_and_is_recorded_with_its_reason(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    for reason in ["", "Not Me", "tại sao", &"x".repeat(41)] {
        let wrong = office
            .signing
            .requests
            .refuse(phone.session(), &view.id, reason)
            .await;
        assert!(
            matches!(
                wrong,
                Err(Error::Unacceptable {
                    field: "reason",
                    ..
                })
            ),
            "{wrong:?}"
        );
    }
    let ended = office
        .signing
        .requests
        .refuse(phone.session(), &view.id, "not-me")
        .await
        .unwrap();
    assert_eq!(ended.state, RequestState::Refused);
    assert_eq!(
        office.ledger(&view.id).await,
        ["signing.request.created", "signing.request.refused"]
    );
    let late = office
        .signing
        .requests
        .approve(phone.session(), &view.id, phone.approve(&view))
        .await;
    assert!(
        matches!(
            late,
            Err(Error::RequestState {
                state: RequestState::Refused
            })
        ),
        "{late:?}"
    );
    let twice = office
        .signing
        .requests
        .refuse(phone.session(), &view.id, "not-me")
        .await;
    assert!(
        matches!(twice, Err(Error::RequestState { .. })),
        "{twice:?}"
    );
    office.check().await;
}

async fn a_portal_may_take_back_what_is_pending_and_nothing_else(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let other = office.portal("Q", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    for result in [
        office.signing.requests.withdraw(&other, &view.id).await,
        office.signing.requests.of_portal(&other, &view.id).await,
    ] {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    }
    assert_eq!(
        office
            .signing
            .requests
            .withdraw(&portal, &view.id)
            .await
            .unwrap()
            .state,
        RequestState::Withdrawn
    );
    let view = office.digests(&portal, &phone, 1).await;
    office
        .signing
        .requests
        .approve(phone.session(), &view.id, phone.approve(&view))
        .await
        .unwrap();
    let late = office.signing.requests.withdraw(&portal, &view.id).await;
    assert!(
        matches!(
            late,
            Err(Error::RequestState {
                state: RequestState::Approved
            })
        ),
        "{late:?}"
    );
    office.work().await;
    office.check().await;
}

async fn a_request_expires_when_nobody_answers_and_an_approved_one_does_not(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let waiting = office.digests(&portal, &phone, 1).await;
    let approved = office.digests(&portal, &phone, 1).await;
    assert_eq!(waiting.expires_at - waiting.created_at, 300_000);
    office
        .signing
        .requests
        .approve(phone.session(), &approved.id, phone.approve(&approved))
        .await
        .unwrap();
    office.advance(299_000);
    office.work().await;
    office.advance(2_000);
    office.work().await;
    let ended = office.signing.requests.view(waiting.id).await.unwrap();
    assert_eq!(ended.state, RequestState::Expired);
    assert_eq!(
        office
            .signing
            .requests
            .view(approved.id)
            .await
            .unwrap()
            .state,
        RequestState::Signed
    );
    // All that is left is the sweep for the acceptance, which was given a week.
    let due = office
        .store
        .next_due(kyso_signing::task::KINDS)
        .await
        .unwrap();
    assert!(
        due.is_none_or(|due| due > office.now() + 86_400_000),
        "{due:?}"
    );
    office.check().await;
}

async fn a_wrong_pin_after_the_deadline_lets_the_request_expire(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    office.advance(290_000);
    office
        .signing
        .requests
        .approve(
            phone.session(),
            &view.id,
            phone.approve_with_pin(&view, "314159"),
        )
        .await
        .unwrap();
    let held = office
        .store
        .claim(&[kyso_signing::task::SIGN], 1, 600_000)
        .await
        .unwrap();
    office.advance(20_000);
    office.work().await;
    office
        .signing
        .requests
        .sign_many(&office.keys, held)
        .await
        .unwrap();
    office.work().await;
    assert_eq!(
        office.signing.requests.view(view.id).await.unwrap().state,
        RequestState::Expired
    );
    office.check().await;
}

async fn the_list_shows_a_citizens_own_requests_newest_first(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let other = office.citizen().await;
    office.digests(&portal, &other, 1).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        office.advance(1);
        ids.push(office.digests(&portal, &phone, 2).await.id);
    }
    ids.reverse();
    let page = Page {
        states: Vec::new(),
        before: None,
        most: 3,
    };
    let requests = &office.signing.requests;
    let list = requests.list(phone.session(), &page).await.unwrap();
    assert_eq!(list.iter().map(|view| view.id).collect::<Vec<_>>(), ids);
    assert!(
        list.iter()
            .all(|view| view.documents.len() == 2 && view.portal_name == "P")
    );
}

async fn what_waits_is_found_without_reading_the_history(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let requests = &office.signing.requests;
    for _ in 0..3 {
        let ended = office.digests(&portal, &phone, 1).await;
        let refused = requests.refuse(phone.session(), &ended.id, "not-me");
        refused.await.unwrap();
    }
    let approved = office.digests(&portal, &phone, 1).await;
    let approval = phone.approve(&approved);
    requests
        .approve(phone.session(), &approved.id, approval)
        .await
        .unwrap();
    office.advance(1);
    let pending = office.digests(&portal, &phone, 1).await;
    let waiting = async |states: &[RequestState], before| {
        let page = Page {
            states: states.to_vec(),
            before,
            most: 9,
        };
        let list = requests.list(phone.session(), &page).await.unwrap();
        list.iter().map(|view| view.id).collect::<Vec<_>>()
    };
    use RequestState::{Approved, Pending};
    assert_eq!(
        waiting(&[Pending, Approved], None).await,
        [pending.id, approved.id]
    );
    assert_eq!(waiting(&[Pending], None).await, [pending.id]);
    assert_eq!(
        waiting(&[Pending, Approved], Some(pending.id)).await,
        [approved.id]
    );

    if office.store.engine() == kyso_store::Engine::Sqlite {
        for name in ["-- request.list_waiting\n", "-- request.pending\n"] {
            let sql = kyso_signing::statements()
                .find(|sql| sql.starts_with(name))
                .unwrap();
            let explained = sql.replacen('\n', "\nEXPLAIN QUERY PLAN ", 1);
            let explained: &'static str = Box::leak(explained.into_boxed_str());
            let most = if sql.contains("$4") { 4 } else { 3 };
            let args = vec![kyso_store::Value::Null; most];
            let mut tx = office.store.write().await.unwrap();
            let steps = tx.all(explained, &args).await.unwrap();
            let plan: String = steps
                .iter()
                .map(|row| row.text("detail").unwrap())
                .collect();
            assert!(plan.contains("signature_request_waiting"), "{plan}");
        }
    }
}

async fn refused_approvals_are_recorded_once_each_and_sixteen_of_a_request_at_most(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let requests = &office.signing.requests;
    let view = office.digests(&portal, &phone, 1).await;
    let ended = requests.refuse(phone.session(), &view.id, "not-me");
    ended.await.unwrap();
    let refusals = async || {
        let kind = Some("signing.request.approval-refused");
        kyso_store::ledger::tail(&office.store, &view.id.to_string(), kind, 100)
            .await
            .unwrap()
    };

    // The same one, many times at the same moment.
    let approval = phone.approve(&view);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (requests, session) = (requests.clone(), phone.session().clone());
        let (id, approval) = (view.id, approval.clone());
        running.spawn(async move { requests.approve(&session, &id, approval).await });
    }
    while let Some(ended) = running.join_next().await {
        assert!(matches!(ended.unwrap(), Err(Error::RequestState { .. })));
    }
    assert_eq!(refusals().await.len(), 1);

    // Others in turn, round and round.
    let mut others = Vec::new();
    for _ in 0..20 {
        office.advance(1);
        others.push(phone.approve(&view));
    }
    for _ in 0..3 {
        for approval in &others {
            let refused = requests.approve(phone.session(), &view.id, approval.clone());
            assert!(matches!(refused.await, Err(Error::RequestState { .. })));
        }
    }
    let lines = refusals().await;
    assert_eq!(lines.len(), 16);
    let last: Vec<bool> = lines
        .iter()
        .map(|line| line.detail.contains_key("last"))
        .collect();
    assert!(last[0] && !last[1..].contains(&true), "{last:?}");
    office.check().await;
}

async fn an_approval_whose_caller_went_away_is_stored(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let approval = phone.approve(&view);
    let requests = &office.signing.requests;
    let mut listener = requests.listen(view.id);
    // On SQLite reading does not wait: when the call first does, the approval is queued.
    let mut calling = Box::pin(requests.approve(phone.session(), &view.id, approval.clone()));
    tokio::select! {
        biased;
        _ = &mut calling => {}
        () = std::future::ready(()) => {}
    }
    drop(calling);
    if office.store.engine() == kyso_store::Engine::Sqlite {
        let long = std::time::Duration::from_secs(60);
        let moved = tokio::time::timeout(long / 2, listener.wait(long)).await;
        assert!(moved.is_ok(), "who waits hears it");
        let stored = requests.view(view.id).await.unwrap();
        assert_eq!(stored.state, RequestState::Approved);
    }
    let again = requests.approve(phone.session(), &view.id, approval).await;
    assert_eq!(again.unwrap().state, RequestState::Approved);
    office.work().await;
    crate::sign::assert_signed(&office, view.id).await;
}

async fn who_waits_hears_of_a_refusal_whose_caller_went_away(office: Office) {
    if office.store.engine() != kyso_store::Engine::Sqlite {
        // There the call waits at every step, and is not committing after the first.
        return;
    }
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let requests = &office.signing.requests;
    let mut listener = requests.listen(view.id);
    let mut calling = Box::pin(requests.refuse(phone.session(), &view.id, "not-me"));
    tokio::select! {
        biased;
        _ = &mut calling => {}
        () = std::future::ready(()) => {}
    }
    drop(calling);
    let long = std::time::Duration::from_secs(60);
    let moved = tokio::time::timeout(long / 2, listener.wait(long)).await;
    assert!(moved.is_ok());
    let ended = requests.view(view.id).await.unwrap();
    assert_eq!(ended.state, RequestState::Refused);
}
