//! From approval to signature.

use kyso_pki::certificate::Certificate;
use kyso_signing::portal::Scopes;
use kyso_signing::request::{NewDocument, RequestKind, RequestState};
use kyso_signing::task::Done;
use kyso_signing::{Error, KeyAlgorithm};

use crate::everywhere;
use crate::office::{Office, PIN, digests, pdf, request};

everywhere!(
    a_pdf_is_signed_by_increment_and_fetched_again_byte_for_byte,
    fifty_digests_are_signed_in_order_with_one_approval,
    several_requests_of_one_citizen_are_signed_in_one_batch,
    a_wrong_pin_brings_the_request_back_with_the_tries_left,
    the_fifth_wrong_pin_locks_the_credential_for_every_request,
    the_acceptance_activates_the_credential,
    portals_named_free_cost_nothing_and_others_a_unit_a_signature,
    work_whose_jobs_were_lost_is_found_again_at_start,
    the_provider_seals_a_contract,
);

/// The request's signatures verify under the citizen's certificate, each over its digest.
pub async fn assert_signed(office: &Office, request: kyso_signing::RequestId) {
    let view = office.signing.requests.view(request).await.unwrap();
    assert!(
        matches!(view.state, RequestState::Signed | RequestState::Delivered),
        "{:?} {:?}",
        view.state,
        view.failure
    );
    let credential = office
        .signing
        .credentials
        .show(&view.credential)
        .await
        .unwrap();
    let certificate = Certificate::from_der(credential.certificate.as_deref().unwrap()).unwrap();
    let key = certificate.public_key().unwrap();
    for document in &view.documents {
        let signature = document.signature.as_deref().unwrap();
        key.verify_digest(view.signature_algorithm, &document.to_be_signed, signature)
            .unwrap();
    }
}

async fn a_pdf_is_signed_by_increment_and_fetched_again_byte_for_byte(office: Office) {
    let portal = office.portal("Cổng dịch vụ công", Scopes::DOCUMENTS).await;
    let phone = office.citizen().await;
    let original = pdf("Don de nghi");
    let documents = vec![NewDocument::Pdf {
        place: None,
        name: "Đơn đề nghị.pdf".into(),
        bytes: original.clone(),
    }];
    let view = office
        .signing
        .requests
        .create(&portal, request(&phone, documents))
        .await
        .unwrap();
    assert!(matches!(
        office
            .signing
            .requests
            .signed_document(&portal, &view.id, 0)
            .await,
        Err(Error::RequestState {
            state: RequestState::Pending
        })
    ));
    let shown = office
        .signing
        .requests
        .show(phone.session(), &view.id)
        .await
        .unwrap();
    assert_eq!(shown.portal_name, "Cổng dịch vụ công");
    assert_eq!(
        office
            .signing
            .requests
            .document(phone.session(), &view.id, 0)
            .await
            .unwrap(),
        original
    );

    let done = office.sign(&phone, &shown).await;
    assert_eq!(
        done,
        [Done::Request {
            request: view.id,
            kind: RequestKind::Portal,
            state: RequestState::Signed
        }]
    );
    let signed = office
        .signing
        .requests
        .signed_document(&portal, &view.id, 0)
        .await
        .unwrap();
    assert!(signed.starts_with(&original) && signed.len() > original.len());
    assert_eq!(
        office
            .signing
            .requests
            .signed_document(&portal, &view.id, 0)
            .await
            .unwrap(),
        signed
    );
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
    assert_signed(&office, view.id).await;
    assert_eq!(
        office.ledger(&view.id).await,
        [
            "signing.request.created",
            "signing.request.approved",
            "signing.request.signed",
            "signing.request.delivered"
        ]
    );
    office.check().await;
}

async fn fifty_digests_are_signed_in_order_with_one_approval(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 50).await;
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
    office.check().await;
}

async fn several_requests_of_one_citizen_are_signed_in_one_batch(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let mut views = Vec::new();
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
    let done = office.work().await;
    assert_eq!(done.len(), 4);
    for view in views {
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}

async fn a_wrong_pin_brings_the_request_back_with_the_tries_left(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    for tries_left in [4, 3] {
        let shown = office
            .signing
            .requests
            .show(phone.session(), &view.id)
            .await
            .unwrap();
        let approval = phone.approve_with_pin(&shown, "314159");
        office
            .signing
            .requests
            .approve(phone.session(), &view.id, approval)
            .await
            .unwrap();
        let done = office.work().await;
        assert_eq!(
            done,
            [Done::Request {
                request: view.id,
                kind: RequestKind::Portal,
                state: RequestState::Pending
            }]
        );
        let back = office
            .signing
            .requests
            .show(phone.session(), &view.id)
            .await
            .unwrap();
        assert_eq!(back.tries_left, Some(tries_left));
        assert_ne!(back.nonce, shown.nonce);
    }
    // The right PIN sets the count back.
    let shown = office
        .signing
        .requests
        .show(phone.session(), &view.id)
        .await
        .unwrap();
    office.sign(&phone, &shown).await;
    assert_signed(&office, view.id).await;
    let other = office.digests(&portal, &phone, 1).await;
    let approval = phone.approve_with_pin(&other, "314159");
    office
        .signing
        .requests
        .approve(phone.session(), &other.id, approval)
        .await
        .unwrap();
    office.work().await;
    assert_eq!(
        office
            .signing
            .requests
            .view(other.id)
            .await
            .unwrap()
            .tries_left,
        Some(4)
    );
    office.check().await;
}

async fn the_fifth_wrong_pin_locks_the_credential_for_every_request(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let other = office.digests(&portal, &phone, 1).await;
    let waiting = office.digests(&portal, &phone, 1).await;
    for _ in 0..5 {
        let shown = office
            .signing
            .requests
            .show(phone.session(), &view.id)
            .await
            .unwrap();
        let approval = phone.approve_with_pin(&shown, "314159");
        office
            .signing
            .requests
            .approve(phone.session(), &view.id, approval)
            .await
            .unwrap();
        office.work().await;
    }
    let ended = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(
        (ended.state, ended.failure.as_deref()),
        (RequestState::Failed, Some("pin-locked"))
    );
    let credential = office
        .signing
        .credentials
        .show(&phone.credential.id)
        .await
        .unwrap();
    assert!(credential.pin_locked_at.is_some());
    assert!(
        office
            .ledger(&phone.credential.id)
            .await
            .contains(&"signing.credential.pin-locked".to_owned())
    );
    // Neither the right PIN nor a new request gets through.
    let refused = office
        .signing
        .requests
        .approve(
            phone.session(),
            &other.id,
            phone.approve_with_pin(&other, PIN),
        )
        .await;
    assert!(matches!(refused, Err(Error::PinLocked)), "{refused:?}");
    let refused = office
        .signing
        .requests
        .create(&portal, request(&phone, digests(1, "x")))
        .await;
    assert!(matches!(refused, Err(Error::PinLocked)), "{refused:?}");
    // A web role that looks away does not help: the worker asks the keystore.
    office
        .database
        .tamper("UPDATE credential SET pin_locked_at = NULL")
        .await;
    office
        .signing
        .requests
        .approve(
            phone.session(),
            &waiting.id,
            phone.approve_with_pin(&waiting, PIN),
        )
        .await
        .unwrap();
    office.work().await;
    let ended = office.signing.requests.view(waiting.id).await.unwrap();
    assert_eq!(
        (ended.state, ended.failure.as_deref()),
        (RequestState::Failed, Some("pin-locked"))
    );
    office.check().await;
}

async fn the_acceptance_activates_the_credential(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.bound(&office.opening(KeyAlgorithm::P256)).await;
    // Nobody else may ask before.
    let early = office
        .signing
        .requests
        .create(&portal, request(&phone, digests(1, "x")))
        .await;
    assert!(matches!(early, Err(Error::SignerUnknown)), "{early:?}");
    let acceptance = office.acceptance(&phone).await;
    assert_eq!(acceptance.portal_word, "provider");
    assert_eq!(office.acceptance(&phone).await.id, acceptance.id);
    assert!(
        office
            .signing
            .requests
            .signed_acceptance(&phone.credential.id)
            .await
            .unwrap()
            .is_none()
    );
    let done = office.sign(&phone, &acceptance).await;
    assert!(done.contains(&Done::CredentialActivated {
        credential: phone.credential.id,
        enrolment: phone.credential.enrolment.clone()
    }));
    assert!(
        office
            .signing
            .requests
            .signed_acceptance(&phone.credential.id)
            .await
            .unwrap()
            .is_some()
    );
    let view = office.digests(&portal, &phone, 1).await;
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
    office.check().await;
}

async fn portals_named_free_cost_nothing_and_others_a_unit_a_signature(office: Office) {
    let free = office.portal("free", Scopes::ALL).await;
    let paid = office.portal("paid", Scopes::ALL).await;
    let mut opening = office.opening(KeyAlgorithm::P256);
    opening.units = Some(3);
    opening.free_portals = vec![free.id];
    let phone = office.citizen_with(opening).await;
    let view = office.digests(&free, &phone, 5).await;
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
    let view = office.digests(&paid, &phone, 2).await;
    office.sign(&phone, &view).await;
    assert_eq!(
        office
            .signing
            .credentials
            .show(&phone.credential.id)
            .await
            .unwrap()
            .units_left,
        Some(1)
    );
    let refused = office
        .signing
        .requests
        .create(&paid, request(&phone, digests(2, "more")))
        .await;
    assert!(
        matches!(refused, Err(Error::UnitsExhausted { left: 1, needed: 2 })),
        "{refused:?}"
    );
    office.check().await;
}

async fn work_whose_jobs_were_lost_is_found_again_at_start(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    office
        .signing
        .requests
        .approve(phone.session(), &view.id, phone.approve(&view))
        .await
        .unwrap();
    office.database.tamper("DELETE FROM job").await;
    assert!(office.work().await.is_empty());
    office.signing.recover(&office.keys).await.unwrap();
    office.work().await;
    assert_signed(&office, view.id).await;
}

async fn the_provider_seals_a_contract(office: Office) {
    let contract = pdf("Hop dong");
    let mark =
        kyso_signing::Mark::vietnamese("Nhà cung cấp Sông Lam", office.now(), "Sông Lam", None);
    let sealed = office
        .signing
        .seal(&office.keys, contract.clone(), Some(mark))
        .await
        .unwrap();
    assert!(sealed.starts_with(&contract) && sealed.len() > contract.len());
    let refused = office
        .signing
        .seal(&office.keys, b"not a pdf".to_vec(), None)
        .await;
    assert!(
        matches!(refused, Err(Error::Document { position: 0, .. })),
        "{refused:?}"
    );
}
