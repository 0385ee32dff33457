//! Results announced to portals.

use kyso_signing::portal::{NewPortal, Portal, Scopes};
use kyso_signing::request::{RequestState, RequestView};
use kyso_signing::task::DELIVER;
use kyso_signing::webhook::{Call, CallOutcome, DeliveryState};
use kyso_store::Job;

use crate::everywhere;
use crate::office::{Office, Phone};

everywhere!(
    a_signed_request_is_announced_with_a_signature_that_verifies,
    refused_and_expired_requests_are_announced_too_and_withdrawn_ones_are_not,
    a_failing_receiver_is_called_again_with_growing_waits_until_it_is_given_up,
    a_webhook_taken_away_ends_what_was_waiting,
    a_rotated_webhook_secret_signs_beside_the_new_one_for_a_time_and_neither_is_readable,
    a_postponed_call_is_no_try,
    an_sp769_transaction_is_announced_in_its_own_words,
);

async fn portal(office: &Office) -> (Portal, Vec<u8>) {
    let new = NewPortal {
        name: "P".into(),
        client_id: Some("SP_01".into()),
        scopes: Scopes::ALL,
        webhook_url: Some("https://portal.example/hook".into()),
        public_key: None,
    };
    let registered = office.signing.portals.register(new, "cli").await.unwrap();
    let secret = registered.webhook_secret.unwrap();
    use base64::Engine as _;
    let secret = base64::engine::general_purpose::STANDARD
        .decode(secret.strip_prefix("whsec_").unwrap())
        .unwrap();
    (registered.portal, secret)
}

async fn due(office: &Office) -> Option<(Job, Call)> {
    let job = office
        .store
        .claim(&[DELIVER], 1, 60_000)
        .await
        .unwrap()
        .pop()?;
    let call = office.signing.webhooks.call(&job).await.unwrap()?;
    Some((job, call))
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    &call
        .headers
        .iter()
        .find(|(header, _)| *header == name)
        .unwrap()
        .1
}

fn body(call: &Call) -> serde_json::Value {
    serde_json::from_slice(&call.body).unwrap()
}

async fn signed(office: &Office, portal: &Portal, phone: &Phone) -> RequestView {
    let view = office.digests(portal, phone, 2).await;
    office.sign(phone, &view).await;
    view
}

async fn a_signed_request_is_announced_with_a_signature_that_verifies(office: Office) {
    let (portal, secret) = portal(&office).await;
    let phone = office.citizen().await;
    let view = signed(&office, &portal, &phone).await;
    // Fetching does not deliver where a webhook will.
    assert_eq!(
        office
            .signing
            .requests
            .of_portal(&portal, &view.id)
            .await
            .unwrap()
            .state,
        RequestState::Signed
    );
    let (job, call) = due(&office).await.unwrap();
    assert_eq!(call.url, "https://portal.example/hook");
    let signed = format!(
        "{}.{}.{}",
        header(&call, "webhook-id"),
        header(&call, "webhook-timestamp"),
        std::str::from_utf8(&call.body).unwrap()
    );
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    use base64::Engine as _;
    let tag = base64::engine::general_purpose::STANDARD
        .decode(
            header(&call, "webhook-signature")
                .strip_prefix("v1,")
                .unwrap(),
        )
        .unwrap();
    aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &tag).unwrap();
    assert_eq!(body(&call)["type"], "signature_request.signed");
    assert_eq!(body(&call)["data"]["id"], view.id.to_string());

    office
        .signing
        .webhooks
        .record(job, CallOutcome::Answered { status: 204 })
        .await
        .unwrap();
    assert_eq!(
        office
            .signing
            .requests
            .of_portal(&portal, &view.id)
            .await
            .unwrap()
            .state,
        RequestState::Delivered
    );
    let delivery = office
        .signing
        .webhooks
        .of_request(&view.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (delivery.state, delivery.attempts, delivery.last_status),
        (DeliveryState::Delivered, 1, Some(204))
    );
    assert!(office.store.next_due(&[DELIVER]).await.unwrap().is_none());
    office.check().await;
}

async fn refused_and_expired_requests_are_announced_too_and_withdrawn_ones_are_not(office: Office) {
    let (portal, _) = portal(&office).await;
    let phone = office.citizen().await;
    let withdrawn = office.digests(&portal, &phone, 1).await;
    office
        .signing
        .requests
        .withdraw(&portal, &withdrawn.id)
        .await
        .unwrap();
    assert!(due(&office).await.is_none());
    let refused = office.digests(&portal, &phone, 1).await;
    office
        .signing
        .requests
        .refuse(phone.session(), &refused.id, "not-me")
        .await
        .unwrap();
    let (job, call) = due(&office).await.unwrap();
    assert_eq!(body(&call)["type"], "signature_request.refused");
    office
        .signing
        .webhooks
        .record(job, CallOutcome::Answered { status: 200 })
        .await
        .unwrap();
    assert_eq!(
        office
            .signing
            .requests
            .view(refused.id)
            .await
            .unwrap()
            .state,
        RequestState::Refused
    );
    office.digests(&portal, &phone, 1).await;
    office.advance(301_000);
    office.work().await;
    let (_, call) = due(&office).await.unwrap();
    assert_eq!(body(&call)["type"], "signature_request.expired");
}

async fn a_failing_receiver_is_called_again_with_growing_waits_until_it_is_given_up(
    office: Office,
) {
    let (portal, _) = portal(&office).await;
    let phone = office.citizen().await;
    let view = signed(&office, &portal, &phone).await;
    let mut ids = std::collections::HashSet::new();
    let mut last = office.now();
    let mut waits = Vec::new();
    for attempt in 1..=20 {
        let (job, call) = due(&office).await.unwrap();
        ids.insert(header(&call, "webhook-id").to_owned());
        let outcome = match attempt % 2 {
            0 => CallOutcome::Answered { status: 500 },
            _ => CallOutcome::Unreachable {
                code: "timeout".into(),
            },
        };
        office.signing.webhooks.record(job, outcome).await.unwrap();
        if let Some(due) = office.store.next_due(&[DELIVER]).await.unwrap() {
            assert!(self::due(&office).await.is_none(), "not before its time");
            waits.push(due - last);
            office.advance(due - office.now());
            last = due;
        }
    }
    assert_eq!(ids.len(), 1, "the receiver recognises the event");
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert_eq!(waits.len(), 19);
    let delivery = office
        .signing
        .webhooks
        .of_request(&view.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (delivery.state, delivery.attempts),
        (DeliveryState::Dead, 20)
    );
    assert_eq!(
        office
            .signing
            .webhooks
            .list(&portal.id, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    // The portal can still fetch what was signed.
    assert_eq!(
        office
            .signing
            .requests
            .of_portal(&portal, &view.id)
            .await
            .unwrap()
            .state,
        RequestState::Signed
    );
    office.check().await;
}

async fn a_webhook_taken_away_ends_what_was_waiting(office: Office) {
    let (portal, _) = portal(&office).await;
    let phone = office.citizen().await;
    let view = signed(&office, &portal, &phone).await;
    office
        .signing
        .portals
        .set_webhook(&portal.id, None, "cli")
        .await
        .unwrap();
    assert!(due(&office).await.is_none());
    let delivery = office
        .signing
        .webhooks
        .of_request(&view.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (delivery.state, delivery.last_failure.as_deref()),
        (DeliveryState::Dead, Some("no-webhook"))
    );
    assert!(office.store.next_due(&[DELIVER]).await.unwrap().is_none());
}

async fn a_rotated_webhook_secret_signs_beside_the_new_one_for_a_time_and_neither_is_readable(
    office: Office,
) {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let (portal, first) = portal(&office).await;
    let portals = &office.signing.portals;
    let phone = office.citizen().await;
    let fresh = portals
        .rotate_webhook_secret(&portal.id, 60_000, "cli")
        .await
        .unwrap();
    let fresh = base64
        .decode(fresh.strip_prefix("whsec_").unwrap())
        .unwrap();
    let by = |call: &Call, secret: &[u8]| {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let (id, at) = (
            header(call, "webhook-id"),
            header(call, "webhook-timestamp"),
        );
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &call.body].concat();
        format!("v1,{}", base64.encode(aws_lc_rs::hmac::sign(&key, &signed)))
    };
    signed(&office, &portal, &phone).await;
    let (job, call) = due(&office).await.unwrap();
    let both = format!("{} {}", by(&call, &fresh), by(&call, &first));
    assert_eq!(header(&call, "webhook-signature"), both);
    office
        .signing
        .webhooks
        .postpone(&job, office.now())
        .await
        .unwrap();
    office.advance(60_000);
    let (_, call) = due(&office).await.unwrap();
    assert_eq!(
        header(&call, "webhook-signature"),
        by(&call, &fresh),
        "the time is over"
    );

    let blobs = office
        .store
        .all("-- test.blobs\nSELECT bytes FROM blob", &[])
        .await
        .unwrap();
    for secret in [&first, &fresh] {
        let is_plain = |bytes: Vec<u8>| bytes.windows(32).any(|window| window == &secret[..]);
        assert!(
            !blobs
                .iter()
                .any(|row| is_plain(row.bytes("bytes").unwrap()))
        );
    }
    let without = office.portal("Q", Scopes::ALL).await;
    let none = portals.rotate_webhook_secret(&without.id, 1, "cli").await;
    assert!(
        matches!(none, Err(kyso_signing::Error::NotFound { what: "webhook" })),
        "{none:?}"
    );
}

async fn a_postponed_call_is_no_try(office: Office) {
    let (portal, _) = portal(&office).await;
    let phone = office.citizen().await;
    let view = signed(&office, &portal, &phone).await;
    for _ in 0..30 {
        let (job, _) = due(&office).await.unwrap();
        office
            .signing
            .webhooks
            .postpone(&job, office.now() + 1_000)
            .await
            .unwrap();
        assert!(due(&office).await.is_none());
        office.advance(1_000);
    }
    let delivery = office
        .signing
        .webhooks
        .of_request(&view.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (delivery.attempts, delivery.state),
        (0, DeliveryState::Pending)
    );
}

async fn an_sp769_transaction_is_announced_in_its_own_words(office: Office) {
    use kyso_pki::algorithm::{Digest, DigestAlgorithm};
    use kyso_signing::request::sp769::{NewTransaction, TransactionFile};
    let (portal, _) = portal(&office).await;
    let phone = office
        .citizen_with(office.opening(kyso_signing::KeyAlgorithm::Rsa2048))
        .await;
    let new = NewTransaction {
        identity_number: phone.credential.identity_number.clone(),
        serial: None,
        transaction_id: "T-9".into(),
        description: None,
        asked_from: None,
        files: vec![TransactionFile {
            doc_id: "d".into(),
            file_type: "xml".into(),
            digest: Digest::of(DigestAlgorithm::Sha256, b"x"),
        }],
    };
    let started = office
        .signing
        .requests
        .create_transaction(&portal, new)
        .await
        .unwrap();
    let view = office.signing.requests.view(started.request).await.unwrap();
    office.sign(&phone, &view).await;
    let (_, call) = due(&office).await.unwrap();
    let body = body(&call);
    assert_eq!(
        (&body["sp_id"], &body["transaction_id"], &body["message"]),
        (&"SP_01".into(), &"T-9".into(), &"SUCCESS".into())
    );
    assert_eq!(body["signed_files"][0]["doc_id"], "d");
    assert_eq!(
        body["signed_files"][0]["signature_value"]
            .as_str()
            .unwrap()
            .len(),
        344
    );
}
