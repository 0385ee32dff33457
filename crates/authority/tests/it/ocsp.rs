//! The responder: what it says of what, to whom, and what OpenSSL makes of it.

use kyso_authority::status::ocsp::{Cost, QUESTIONS_MAX};
use kyso_authority::{Authority, AuthorityConfig, Reason};
use kyso_pki::certificate::{Certificate, Serial};
use kyso_pki::ocsp::{CertId, IdHash, Request, Response, Status};

use crate::harness::{HOUR_MS, Institution, software};
use crate::openssl::Judge;

fn question(issuer: &Certificate, serial: &Serial) -> Vec<u8> {
    Request {
        ids: vec![CertId::of(IdHash::Sha1, issuer, serial).unwrap()],
        nonce: None,
    }
    .to_der()
    .unwrap()
}

/// The one answer about a serial, its signature checked.
async fn ask(institution: &Institution, serial: &Serial) -> Status {
    let issuer = institution.authority.chain().await.unwrap()[0].clone();
    let response = institution
        .authority
        .answer(
            &institution.keys,
            &question(&issuer, serial),
            institution.now(),
        )
        .await;
    let read = Response::from_der(&response.der).unwrap();
    read.verify(&issuer).unwrap();
    assert_eq!(read.answers().len(), 1);
    read.answers()[0].status
}

#[tokio::test]
async fn a_change_of_status_is_answered_at_once_here_and_on_another_node() {
    for institution in Institution::each().await {
        let authority = &institution.authority;
        let issued = institution.issue("cred_1").await;
        let serial = issued.certificate.serial();
        let now = institution.now();
        assert_eq!(ask(&institution, serial).await, Status::Good);
        authority.suspend(issued.id, "ofc_1").await.unwrap();
        assert_eq!(
            ask(&institution, serial).await,
            Status::Revoked {
                at: now,
                reason: Some(Reason::CertificateHold)
            }
        );
        authority.resume(issued.id, "ofc_1").await.unwrap();
        assert_eq!(ask(&institution, serial).await, Status::Good);

        let other = institution.another_node().await;
        let issuer = authority.chain().await.unwrap()[0].clone();
        other
            .answer(&institution.keys, &question(&issuer, serial), now)
            .await;
        authority
            .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
            .await
            .unwrap();
        institution.database.clock.advance(1_000);
        let elsewhere = other
            .answer(&institution.keys, &question(&issuer, serial), now + 1_000)
            .await;
        assert_eq!(elsewhere.outcome, "revoked", "a second later everywhere");
        assert_eq!(
            ask(&institution, serial).await,
            Status::Revoked {
                at: now,
                reason: Some(Reason::KeyCompromise)
            }
        );
    }
}

#[tokio::test]
async fn a_plain_answer_is_signed_once_until_it_ages_or_its_own_status_changes() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let issuer = authority.chain().await.unwrap()[0].clone();
        let (one, two) = (
            institution.issue("cred_1").await,
            institution.issue("cred_2").await,
        );
        let asked = question(&issuer, one.certificate.serial());
        // ECDSA signatures differ each time, so equal octets were signed once.
        let told = async || authority.answer(keys, &asked, institution.now()).await.der;
        let first = told().await;
        assert_eq!(told().await, first);
        authority
            .revoke(two.id, Reason::Superseded, "ofc_1")
            .await
            .unwrap();
        assert_eq!(told().await, first, "another's change costs no signature");
        institution.database.clock.advance(HOUR_MS / 2 - 1_000);
        assert_eq!(told().await, first);
        institution.database.clock.advance(1_000);
        let later = told().await;
        assert_ne!(later, first, "aged");
        authority.suspend(one.id, "ofc_1").await.unwrap();
        assert_eq!(
            authority
                .answer(keys, &asked, institution.now())
                .await
                .outcome,
            "revoked"
        );

        let strangers_keys = software(&institution.folder.path().join("other"));
        let asked = question(&issuer, two.certificate.serial());
        let before = authority.answer(keys, &asked, institution.now()).await;
        let without = authority
            .answer(&strangers_keys, &asked, institution.now())
            .await;
        assert_eq!(without, before, "no key is touched");
        institution.store().close().await;
        let without = authority
            .answer(keys, &asked, institution.now() + 5_000)
            .await;
        assert_eq!(without, before, "status is told with the database away");
    }
}

#[tokio::test]
async fn what_only_one_asker_uses_is_signed_as_often_as_allowed() {
    let institution = Institution::one().await;
    let (authority, keys) = (&institution.authority, &institution.keys);
    let issuer = authority.chain().await.unwrap()[0].clone();
    let issued = institution.issue("cred_1").await;
    let serial = issued.certificate.serial();
    let id = CertId::of(IdHash::Sha1, &issuer, serial).unwrap();
    let with = |count: usize, nonce: Option<Vec<u8>>| {
        let ids = vec![id.clone(); count];
        Request { ids, nonce }.to_der().unwrap()
    };
    let thrifty = |cost| cost == Cost::Look;
    let ask = async |request: &[u8], may: &(dyn Fn(Cost) -> bool + Send + Sync)| {
        authority
            .answer_within(may, keys, request, institution.now())
            .await
    };
    let nothing = |_| false;
    assert_eq!(ask(&with(1, None), &nothing).await.outcome, "try-later");
    let plain = ask(&with(1, None), &thrifty).await;
    assert_eq!(plain.outcome, "good");
    // RFC 9654 2.1: a responder may leave the nonce out; the key is not touched.
    assert_eq!(ask(&with(1, Some(vec![9; 32])), &thrifty).await, plain);
    assert_eq!(ask(&with(1, Some(vec![9; 32])), &nothing).await, plain);
    assert_eq!(ask(&with(2, None), &thrifty).await.outcome, "try-later");
    let never = question(&issuer, &Serial::from_random([7; 16]));
    assert_eq!(ask(&never, &thrifty).await.outcome, "try-later");
    assert_eq!(ask(&never, &|_| true).await.outcome, "unknown");
    let fresh = ask(&with(1, Some(vec![9; 32])), &|_| true).await;
    assert!(fresh.cache_until.is_none() && fresh.der != plain.der);

    // The same question with parameters of the asker's choice: answered, and never kept.
    let odd = odd_spelling(&with(1, None));
    assert_eq!(ask(&odd, &thrifty).await.outcome, "try-later");
    assert_eq!(ask(&odd, &|_| true).await.outcome, "good");
}

/// The request with OCTET STRING parameters where SHA-1 has NULL.
fn odd_spelling(request: &[u8]) -> Vec<u8> {
    let sha1 = [0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00];
    let at = request
        .windows(sha1.len())
        .position(|window| window == sha1)
        .unwrap();
    let mut odd = request.to_vec();
    odd[at + 7] = 0x04;
    odd
}

#[tokio::test]
async fn good_is_said_only_of_what_was_issued() {
    for institution in Institution::each().await {
        let order = institution.order("cred_1").await;
        let prepared = institution
            .authority
            .prepare(&institution.keys, &order)
            .await
            .unwrap();
        let sql = "-- test.serial\nSELECT serial FROM certificate WHERE id = $1";
        let serial = institution
            .store()
            .one(sql, &[prepared.id().into()])
            .await
            .unwrap()
            .bytes("serial")
            .unwrap();
        let serial = Serial::from_bytes(&serial).unwrap();
        assert_eq!(
            ask(&institution, &serial).await,
            Status::Unknown,
            "reserved is not issued"
        );
        let _issued = institution
            .authority
            .issue(&institution.keys, prepared)
            .await
            .unwrap();
        assert_eq!(ask(&institution, &serial).await, Status::Good);

        let never = Serial::from_random([7; 16]);
        assert_eq!(ask(&institution, &never).await, Status::Unknown);
        let issuer = institution.authority.chain().await.unwrap()[0].clone();
        let response = institution
            .authority
            .answer(
                &institution.keys,
                &question(&issuer, &never),
                institution.now(),
            )
            .await;
        assert_eq!((response.unknown, response.outcome), (1, "unknown"));
    }
}

#[tokio::test]
async fn openssl_asks_and_believes_the_answers() {
    let Some(judge) = Judge::call() else { return };
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        judge.write_chain(&authority.chain().await.unwrap());
        let good = institution.issue("cred_1").await;
        let gone = institution.issue("cred_2").await;
        authority
            .revoke(gone.id, Reason::KeyCompromise, "ofc_1")
            .await
            .unwrap();
        judge.write("good.pem", good.certificate.to_pem());
        judge.write("gone.pem", gone.certificate.to_pem());
        let cases = [
            ("-cert good.pem", "good.pem: good"),
            ("-cert gone.pem", "keyCompromise"),
            ("-sha256 -cert good.pem -cert gone.pem", "good.pem: good"),
            ("-serial 0x4a4b4c4d4e4f505152535455565758ff", "unknown"),
            ("-no_nonce -cert good.pem", "good.pem: good"),
        ];
        for (asked, said) in cases {
            judge.content(&format!(
                "ocsp -issuer issuing.pem {asked} -reqout request.der"
            ));
            let response = authority
                .answer(keys, &judge.read("request.der"), institution.now())
                .await;
            assert_eq!(response.cache_until.is_some(), asked.contains("no_nonce"));
            judge.write("response.der", &response.der);
            // OpenSSL compares thisUpdate with the machine's clock, which is not ours: hence the wide period.
            let heard = judge.content(&format!(
                "ocsp -no_nonce -issuer issuing.pem {asked} -reqin request.der -respin response.der -CAfile root.pem -attime {} -validity_period 999999999",
                institution.now() / 1_000
            ));
            assert!(
                heard.contains("Response verify OK") && heard.contains(said),
                "{asked}\n{heard}"
            );
            assert!(
                !heard.contains("WARNING: no nonce") || asked.contains("no_nonce"),
                "{asked}\n{heard}"
            );
        }
    }
}

#[tokio::test]
async fn nonces_come_back_and_answers_have_their_hours() {
    let institution = Institution::one().await;
    let issuer = institution.authority.chain().await.unwrap()[0].clone();
    let issued = institution.issue("cred_1").await;
    for octets in [1, 16, 32, 128] {
        let nonce = vec![octets as u8; octets];
        let ids = vec![CertId::of(IdHash::Sha256, &issuer, issued.certificate.serial()).unwrap()];
        let request = Request {
            ids,
            nonce: Some(nonce.clone()),
        }
        .to_der()
        .unwrap();
        let response = institution
            .authority
            .answer(&institution.keys, &request, institution.now())
            .await;
        assert_eq!(response.cache_until, None);
        let read = Response::from_der(&response.der).unwrap();
        assert_eq!(read.nonce(), Some(nonce.as_slice()));
        let answer = read
            .answer_for(&issuer, issued.certificate.serial(), institution.now())
            .unwrap();
        assert_eq!(answer.next_update, Some(institution.now() + HOUR_MS));
    }
}

#[tokio::test]
async fn foreign_issuers_and_malformed_requests_get_their_error() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let chain = authority.chain().await.unwrap();
        let issued = institution.issue("cred_1").await;
        let serial = issued.certificate.serial();
        let outcome = async |request: &[u8]| {
            authority
                .answer(keys, request, institution.now())
                .await
                .outcome
        };

        assert_eq!(
            outcome(&question(&chain[1], chain[0].serial())).await,
            "unauthorized",
            "we have no responder for the root"
        );
        let stranger = issued.certificate.clone();
        assert_eq!(outcome(&question(&stranger, serial)).await, "unauthorized");
        let ours = CertId::of(IdHash::Sha1, &chain[0], serial).unwrap();
        let theirs = CertId::of(IdHash::Sha1, &stranger, serial).unwrap();
        let mixed = Request {
            ids: vec![ours.clone(), theirs],
            nonce: None,
        }
        .to_der()
        .unwrap();
        assert_eq!(
            outcome(&mixed).await,
            "unauthorized",
            "one foreign name spoils the request"
        );

        let many = |count| {
            Request {
                ids: vec![ours.clone(); count],
                nonce: None,
            }
            .to_der()
            .unwrap()
        };
        assert_eq!(outcome(&many(QUESTIONS_MAX)).await, "good");
        assert_eq!(outcome(&many(QUESTIONS_MAX + 1)).await, "malformed");
        assert_eq!(outcome(&many(64)).await, "malformed");
        for garbage in [
            &b""[..],
            b"\x30\x00",
            b"\x30\x80\x00\x00",
            &[0xff; 70_000],
            b"hello",
        ] {
            assert_eq!(outcome(garbage).await, "malformed");
        }
        let refused = authority.answer(keys, b"", institution.now()).await;
        assert_eq!(
            refused.der,
            [0x30, 0x03, 0x0a, 0x01, 0x01],
            "malformedRequest is not signed"
        );
    }
}

#[tokio::test]
async fn without_database_or_key_the_answer_is_try_later_and_the_rest_stands() {
    let institution = Institution::one().await;
    let issuer = institution.authority.chain().await.unwrap()[0].clone();
    let issued = institution.issue("cred_1").await;
    let request = question(&issuer, issued.certificate.serial());
    let stranger = software(&institution.folder.path().join("other"));
    let response = institution
        .authority
        .answer(&stranger, &request, institution.now())
        .await;
    assert_eq!(
        response.outcome, "internal",
        "a status node without the responder's key is set up wrongly"
    );
    institution.store().close().await;
    let response = institution
        .authority
        .answer(&institution.keys, &request, institution.now())
        .await;
    assert_eq!(response.outcome, "try-later");
    let lost = Authority::new(institution.store().clone(), AuthorityConfig::sample());
    assert_eq!(
        lost.answer(&institution.keys, &request, institution.now())
            .await
            .outcome,
        "try-later"
    );
}
