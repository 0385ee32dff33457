//! What a portal may ask for, and what it may not.

use kyso_pki::algorithm::{Digest, DigestAlgorithm};
use kyso_signing::portal::{Portal, Scopes};
use kyso_signing::request::{Idempotency, NewDocument, NewRequest, RequestView};
use kyso_signing::{Error, KeyAlgorithm};

use crate::everywhere;
use crate::office::{Office, digests, pdf, request};
use crate::sign::assert_signed;

everywhere!(
    a_portal_gets_only_what_its_scopes_name,
    limits_on_count_bytes_and_names_are_kept,
    a_citizen_s_screen_cannot_be_filled,
    a_citizen_is_sent_back_only_where_the_portal_is_registered,
    documents_that_are_no_signable_pdfs_are_refused_by_position,
    a_signer_is_found_by_number_and_serial_and_not_otherwise,
    the_same_key_and_body_give_the_same_request_and_another_body_a_conflict,
    several_pdfs_share_one_code_and_one_approval,
    an_rsa_credential_signs_what_its_digests_ask_for,
);

async fn create(
    office: &Office,
    portal: &Portal,
    new: NewRequest,
) -> kyso_signing::Result<RequestView> {
    office.signing.requests.create(portal, new).await
}

async fn a_portal_gets_only_what_its_scopes_name(office: Office) {
    let phone = office.citizen().await;
    let documents_only = office.portal("P", Scopes::DOCUMENTS).await;
    let refused = create(&office, &documents_only, request(&phone, digests(1, "x"))).await;
    assert!(
        matches!(refused, Err(Error::PortalScope { scope: "digests" })),
        "{refused:?}"
    );
    let digests_only = office
        .portal(
            "D",
            Scopes {
                documents: false,
                digests: true,
                sp769: false,
            },
        )
        .await;
    let documents = vec![NewDocument::Pdf {
        place: None,
        name: "a.pdf".into(),
        bytes: pdf("A"),
    }];
    let refused = create(&office, &digests_only, request(&phone, documents)).await;
    assert!(
        matches!(refused, Err(Error::PortalScope { scope: "documents" })),
        "{refused:?}"
    );
    assert!(
        !create(&office, &digests_only, request(&phone, digests(1, "x")))
            .await
            .unwrap()
            .documents[0]
            .previewed
    );
}

async fn limits_on_count_bytes_and_names_are_kept(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    for count in [0, 51, 100_000] {
        let refused = create(&office, &portal, request(&phone, digests(count, "x"))).await;
        assert!(
            matches!(refused, Err(Error::DocumentCount { most: 50, .. })),
            "{refused:?}"
        );
    }
    let large = |bytes: usize| NewDocument::Pdf {
        place: None,
        name: "a.pdf".into(),
        bytes: vec![0; bytes],
    };
    let refused = create(
        &office,
        &portal,
        request(&phone, vec![large((20 << 20) + 1)]),
    )
    .await;
    assert!(
        matches!(refused, Err(Error::DocumentSize { position: 0, .. })),
        "{refused:?}"
    );
    let refused = create(
        &office,
        &portal,
        request(
            &phone,
            vec![large(15 << 20), large(15 << 20), large(15 << 20)],
        ),
    )
    .await;
    assert!(
        matches!(refused, Err(Error::RequestSize { .. })),
        "{refused:?}"
    );
    let named = |name: &str| {
        vec![NewDocument::Digest {
            name: name.into(),
            digest: Digest::of(DigestAlgorithm::Sha256, b"x"),
        }]
    };
    for name in ["", "a\u{0}b", "\u{202e}cod.exe"] {
        let refused = create(&office, &portal, request(&phone, named(name))).await;
        assert!(
            matches!(refused, Err(Error::DocumentName { position: 0 })),
            "{name:?} {refused:?}"
        );
    }
    let mut wrong = vec![request(&phone, named("a")); 5];
    wrong[0].description = Some("x".repeat(501));
    wrong[1].expires_in_ms = Some(29_999);
    wrong[2].expires_in_ms = Some(86_400_001);
    wrong[3].idempotency = Some(Idempotency {
        key: "hai từ".into(),
        body_digest: [0; 32],
    });
    wrong[4].return_url = Some("https://x/\u{7}".into());
    for new in wrong {
        let refused = create(&office, &portal, new).await;
        assert!(
            matches!(refused, Err(Error::Unacceptable { .. })),
            "{refused:?}"
        );
    }
}

async fn a_citizen_s_screen_cannot_be_filled(office: Office) {
    let phone = office.citizen().await;
    let portals = [
        office.portal("A", Scopes::ALL).await,
        office.portal("B", Scopes::ALL).await,
        office.portal("C", Scopes::ALL).await,
    ];
    for portal in &portals[..2] {
        for _ in 0..100 {
            office.digests(portal, &phone, 1).await;
        }
        let refused = create(&office, portal, request(&phone, digests(1, "x"))).await;
        let of_portal = matches!(refused, Err(Error::TooManyPending { most: 100 }));
        assert!(of_portal, "{refused:?}");
    }
    let refused = create(&office, &portals[2], request(&phone, digests(1, "x"))).await;
    let of_all = matches!(refused, Err(Error::TooManyPending { most: 200 }));
    assert!(of_all, "{refused:?}");
    let other = office.citizen().await;
    office.digests(&portals[0], &other, 1).await;
    // What has expired waits for nobody, swept or not.
    office.advance(301_000);
    office.digests(&portals[0], &phone, 1).await;
}

async fn a_citizen_is_sent_back_only_where_the_portal_is_registered(office: Office) {
    let phone = office.citizen().await;
    let portals = &office.signing.portals;
    let before = office.portal("A", Scopes::ALL).await;
    let ask = async |portal: &Portal, url: &str| {
        let mut new = request(&phone, digests(1, url));
        new.return_url = Some(url.to_owned());
        create(&office, portal, new).await
    };
    let url = "https://portal.example/done";
    assert!(ask(&before, url).await.is_err(), "nothing is registered");
    let places = ["portal.example".to_owned(), "vn.app:".to_owned()];
    portals
        .set_return_to(&before.id, &places, "cli")
        .await
        .unwrap();
    let portal = portals.show(&before.id).await.unwrap();
    assert_eq!(portal.return_to, places);
    let view = ask(&portal, url).await.unwrap();
    assert_eq!(view.return_url.as_deref(), Some(url));
    ask(&portal, "vn.app://done").await.unwrap();
    for wrong in [
        "javascript:alert(1)",
        "http://portal.example/",
        "https://evil.example/",
    ] {
        let refused = ask(&portal, wrong).await;
        let named = matches!(
            refused,
            Err(Error::Unacceptable {
                field: "return_url",
                ..
            })
        );
        assert!(named, "{wrong} {refused:?}");
    }
    let wrong = portals
        .set_return_to(&portal.id, &["data:".to_owned()], "cli")
        .await;
    assert!(
        matches!(wrong, Err(Error::Unacceptable { .. })),
        "{wrong:?}"
    );
}

async fn documents_that_are_no_signable_pdfs_are_refused_by_position(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let good = NewDocument::Pdf {
        place: None,
        name: "a.pdf".into(),
        bytes: pdf("A"),
    };
    let cut = pdf("B");
    for bytes in [
        b"<html>".to_vec(),
        Vec::new(),
        cut[..cut.len() / 2].to_vec(),
    ] {
        let documents = vec![
            good.clone(),
            NewDocument::Pdf {
                place: None,
                name: "b.pdf".into(),
                bytes,
            },
        ];
        let refused = create(&office, &portal, request(&phone, documents)).await;
        assert!(
            matches!(&refused, Err(Error::Document { position: 1, source }) if source.is_refusal_of_document()),
            "{refused:?}"
        );
    }
    let rows = office
        .store
        .one(
            "-- test.rows\nSELECT COUNT(*) AS found FROM signature_request WHERE kind = 'portal'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        rows.int("found").unwrap(),
        0,
        "a refused request leaves nothing"
    );
}

async fn a_signer_is_found_by_number_and_serial_and_not_otherwise(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let mut new = request(&phone, digests(1, "x"));
    new.signer.serial = phone
        .credential
        .serial
        .as_deref()
        .map(str::to_ascii_uppercase);
    assert!(create(&office, &portal, new.clone()).await.is_ok());
    new.signer.serial = Some("54".repeat(16));
    assert!(matches!(
        create(&office, &portal, new.clone()).await,
        Err(Error::SignerUnknown)
    ));
    new.signer.serial = Some(String::new());
    assert!(create(&office, &portal, new.clone()).await.is_ok());
    new.signer.identity_number = "079299999999".into();
    assert!(matches!(
        create(&office, &portal, new.clone()).await,
        Err(Error::SignerUnknown)
    ));
    // Past the end of the certificate.
    new.signer.identity_number = phone.credential.identity_number.clone();
    office.advance(31 * 86_400_000);
    assert!(matches!(
        create(&office, &portal, new).await,
        Err(Error::CredentialState { .. })
    ));
}

async fn the_same_key_and_body_give_the_same_request_and_another_body_a_conflict(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let mut new = request(&phone, digests(1, "x"));
    new.idempotency = Some(Idempotency {
        key: "order-1".into(),
        body_digest: [1; 32],
    });
    let first = create(&office, &portal, new.clone()).await.unwrap();
    office.sign(&phone, &first).await;
    let again = create(&office, &portal, new.clone()).await.unwrap();
    assert_eq!(again.id, first.id);
    assert!(again.documents[0].signature.is_some());
    new.idempotency = Some(Idempotency {
        key: "order-1".into(),
        body_digest: [2; 32],
    });
    assert!(matches!(
        create(&office, &portal, new).await,
        Err(Error::IdempotencyMismatch)
    ));
}

async fn several_pdfs_share_one_code_and_one_approval(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let originals: Vec<Vec<u8>> = ["Mot", "Hai", "Ba"].map(pdf).to_vec();
    let documents = originals
        .iter()
        .map(|bytes| NewDocument::Pdf {
            place: None,
            name: "tờ khai.pdf".into(),
            bytes: bytes.clone(),
        })
        .collect();
    let view = create(&office, &portal, request(&phone, documents))
        .await
        .unwrap();
    assert_eq!(view.code.len(), 9);
    assert!(
        view.documents
            .iter()
            .all(|document| document.page_count == Some(1) && document.previewed)
    );
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
    for (position, original) in originals.iter().enumerate() {
        let signed = office
            .signing
            .requests
            .signed_document(&portal, &view.id, position)
            .await
            .unwrap();
        assert!(signed.starts_with(original));
    }
    assert!(matches!(
        office
            .signing
            .requests
            .signed_document(&portal, &view.id, 3)
            .await,
        Err(Error::NotFound { what: "document" })
    ));
    office.check().await;
}

async fn an_rsa_credential_signs_what_its_digests_ask_for(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office
        .citizen_with(office.opening(KeyAlgorithm::Rsa2048))
        .await;
    for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
        let documents = vec![NewDocument::Digest {
            name: "x".into(),
            digest: Digest::of(algorithm, b"x"),
        }];
        let view = create(&office, &portal, request(&phone, documents))
            .await
            .unwrap();
        office.sign(&phone, &view).await;
        assert_signed(&office, view.id).await;
    }
    office.check().await;
}
