//! From an order to a certificate: once, linted, idempotent, by the law's dates.

use kyso_authority::subject::Fault;
use kyso_authority::{CertificateId, Error};
use kyso_pki::algorithm::KeyAlgorithm;

use crate::harness::{DAY_MS, HOUR_MS, Institution, YEAR_MS, order};
use crate::openssl::Judge;

#[tokio::test]
async fn a_citizens_certificate_verifies_strictly_and_says_what_the_profile_says() {
    let Some(judge) = Judge::call() else { return };
    for institution in Institution::each().await {
        let issued = institution.issue("cred_1").await;
        judge.write_chain(&institution.authority.chain().await.unwrap());
        judge.write_crl(
            "root.crl",
            &institution.authority.crl("root-1").await.unwrap().unwrap(),
        );
        judge.write_crl(
            "issuing.crl",
            &institution
                .authority
                .crl("issuing-1")
                .await
                .unwrap()
                .unwrap(),
        );
        judge.write("leaf.pem", issued.certificate.to_pem());
        let (content, said) = judge.verify("leaf.pem", institution.now());
        assert!(content, "{said}");

        let text = judge.content("x509 -in leaf.pem -noout -text -nameopt utf8,sep_comma_plus");
        for part in [
            "C=VN,ST=Thành phố Hồ Chí Minh,L=Phường Sài Gòn,CN=Nguyễn Thị Hồng Ánh,UID=CCCD:079200000001",
            "Non Repudiation",
            "1.3.6.1.5.5.7.3.36, 1.3.6.1.4.1.311.10.3.12, E-mail Protection\n",
            "http://127.0.0.1:8080/cps",
            "URI:http://127.0.0.1:8080/ocsp",
            "URI:http://127.0.0.1:8080/ca/issuing-1.cer",
            "URI:http://127.0.0.1:8080/crl/issuing-1.crl",
            "CA:FALSE",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("email:"), "no e-mail unless asked");
        assert!(
            !text.contains("Digital Signature"),
            "contentCommitment only"
        );
        assert!(issued.certificate.serial().as_bytes().len() == 16);
    }
}

#[tokio::test]
async fn asked_again_it_is_the_same_certificate() {
    for institution in Institution::each().await {
        let order = institution.order("cred_1").await;
        let (authority, keys) = (&institution.authority, &institution.keys);
        let first = authority.prepare(keys, &order).await.unwrap();
        let second = authority.prepare(keys, &order).await.unwrap();
        assert_eq!(first.id(), second.id());
        assert!(
            authority.certificate_for("cred_1").await.unwrap().is_none(),
            "reserved is not issued"
        );
        assert!(matches!(
            authority.certificate(first.id()).await,
            Err(Error::NoCertificate { .. })
        ));
        let issued = authority.issue(keys, first).await.unwrap();
        let again = authority.issue(keys, second).await.unwrap();
        assert_eq!(issued.certificate, again.certificate);
        let third = authority.prepare(keys, &order).await.unwrap();
        assert_eq!(
            authority.issue(keys, third).await.unwrap().certificate,
            issued.certificate
        );
        assert_eq!(
            authority
                .certificate_for("cred_1")
                .await
                .unwrap()
                .unwrap()
                .certificate,
            issued.certificate
        );
        assert_eq!(institution.lines("authority.certificate.reserved").await, 6);
        assert_eq!(institution.lines("authority.certificate.issued").await, 6);
    }
}

#[tokio::test]
async fn two_tasks_that_issue_at_once_make_one_certificate() {
    for institution in Institution::each().await {
        let other = institution.another_node().await;
        for round in 0..8 {
            let order = institution.order(&format!("cred_{round}")).await;
            let run = async |authority: &kyso_authority::Authority| {
                let prepared = authority.prepare(&institution.keys, &order).await.unwrap();
                authority
                    .issue(&institution.keys, prepared)
                    .await
                    .unwrap()
                    .certificate
            };
            let (one, two, three) =
                tokio::join!(run(&institution.authority), run(&other), run(&other));
            assert!(
                one == two && two == three,
                "round {round}: two certificates left"
            );
        }
        let sql = "-- test.n\nSELECT COUNT(*) AS n FROM certificate WHERE kind = 'citizen' AND state = 'issued'";
        assert_eq!(institution.count(sql, &[]).await, 8);
        assert_eq!(
            institution.lines("authority.certificate.issued").await,
            5 + 8
        );
    }
}

#[tokio::test]
async fn what_differs_from_the_first_order_is_refused() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let first = institution.order("cred_1").await;
        let _reserved = authority.prepare(keys, &first).await.unwrap();
        let mut other = first.clone();
        other.subject.common_name = "Nguyễn Thị Hồng Anh".to_owned();
        let refused = authority.prepare(keys, &other).await;
        assert!(
            matches!(
                refused,
                Err(Error::Differs {
                    field: "subject",
                    ..
                })
            ),
            "{refused:?}"
        );
        let other = order("cred_1", institution.key_for("cred_1").await);
        let refused = authority.prepare(keys, &other).await;
        assert!(
            matches!(
                refused,
                Err(Error::Differs {
                    field: "public key",
                    ..
                })
            ),
            "{refused:?}"
        );
        let stolen = order("cred_2", first.public_key.clone());
        let refused = authority.prepare(keys, &stolen).await;
        assert!(
            matches!(refused, Err(Error::KeyCertified { .. })),
            "{refused:?}"
        );
        assert_eq!(institution.lines("authority.certificate.reserved").await, 6);
    }
}

#[tokio::test]
async fn a_certificate_ends_with_the_plan_the_law_or_the_issuer() {
    let institution = Institution::one().await;
    let (authority, keys) = (&institution.authority, &institution.keys);
    let ends = async |credential: &str, plan_ends_at: i64| {
        let mut order = institution.order(credential).await;
        order.plan_ends_at = plan_ends_at;
        let prepared = authority.prepare(keys, &order).await?;
        Ok::<i64, Error>(
            authority
                .issue(keys, prepared)
                .await?
                .certificate
                .not_after(),
        )
    };
    let now = institution.now();
    assert_eq!(
        ends("plan", now + YEAR_MS + 999).await.unwrap(),
        now + YEAR_MS
    );
    assert_eq!(
        ends("law", now + 20 * YEAR_MS).await.unwrap(),
        now + 3 * YEAR_MS
    );
    assert!(matches!(
        ends("over", now).await,
        Err(Error::NoValidity { .. })
    ));

    institution.database.clock.advance(8 * YEAR_MS);
    let issuer = authority.chain().await.unwrap()[0].not_after();
    assert_eq!(ends("issuer", i64::MAX).await.unwrap(), issuer);
    institution.database.clock.set(issuer);
    assert!(matches!(
        ends("dead issuer", i64::MAX).await,
        Err(Error::NoValidity { .. })
    ));
}

#[tokio::test]
async fn time_in_certificates_does_not_run_backwards() {
    for institution in Institution::each().await {
        let first = institution.issue("cred_1").await;
        institution.database.clock.advance(-60_000);
        let second = institution.issue("cred_2").await;
        assert!(second.certificate.not_before() >= first.certificate.not_before());
        institution.database.clock.advance(-HOUR_MS);
        let order = institution.order("cred_3").await;
        let refused = institution
            .authority
            .prepare(&institution.keys, &order)
            .await;
        assert!(
            matches!(refused, Err(Error::ClockBack { .. })),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn names_that_deceive_are_refused_before_anything_is_written() {
    let institution = Institution::one().await;
    let base = institution.order("cred_1").await;
    let refuse = async |name: &str| {
        let mut order = base.clone();
        order.subject.common_name = name.to_owned();
        match institution
            .authority
            .prepare(&institution.keys, &order)
            .await
        {
            Err(Error::Subject {
                attribute: "common name",
                fault,
            }) => fault,
            other => panic!("{name}: {other:?}"),
        }
    };
    assert_eq!(refuse("Nguyê\u{0303}n Văn An").await, Fault::NotNormalised);
    assert!(matches!(
        refuse("Nguy\u{0435}n Van An").await,
        Fault::Homoglyph(0x0435)
    ));
    assert!(matches!(refuse("An\u{200B}h").await, Fault::Invisible(_)));
    assert!(matches!(refuse("An\nBinh").await, Fault::Invisible(_)));
    assert!(matches!(
        refuse(&"A".repeat(65)).await,
        Fault::TooLong { .. }
    ));
    assert_eq!(institution.lines("authority.certificate.reserved").await, 5);
}

#[tokio::test]
async fn a_reservation_edited_behind_our_back_is_never_signed() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let order = institution.order("cred_1").await;
        let prepared = authority.prepare(keys, &order).await.unwrap();
        let id = prepared.id();
        let other = order_bytes(&institution, "cred_2").await;
        let sql = format!(
            "UPDATE certificate SET tbs = (SELECT tbs FROM certificate WHERE id = '{other}') WHERE id = '{id}'"
        );
        institution.database.tamper(&sql).await;
        // The ledger is rows too: made to say the same, it only leaves the keystore's seal to disagree.
        let line = "FROM ledger_entry WHERE kind = 'authority.certificate.reserved' AND subject";
        let sql = format!(
            "UPDATE ledger_entry SET detail = (SELECT detail {line} = '{other}')
                WHERE kind = 'authority.certificate.reserved' AND subject = '{id}'"
        );
        institution.database.tamper(&sql).await;
        // What was prepared is not what lies there: the guarded write refuses, nothing is issued.
        assert!(authority.issue(keys, prepared).await.is_err());
        // Whoever reads the row back compares it with seal and ledger before a key is asked. The other row is done all the same.
        let asked_again = authority.prepare(keys, &order).await;
        assert!(
            matches!(asked_again, Err(Error::Differs { .. })) || {
                let refused = authority.issue(keys, asked_again.unwrap()).await;
                matches!(refused, Err(Error::NotWhatWasReserved { .. }))
            }
        );
        let refused = authority.recover(keys).await;
        assert!(
            matches!(refused, Err(Error::NotWhatWasReserved { .. })),
            "{refused:?}"
        );
        let sql =
            "-- test.n\nSELECT COUNT(*) AS n FROM certificate WHERE id = $1 AND state = 'issued'";
        assert_eq!(institution.count(sql, &[id.into()]).await, 0);
        assert_eq!(institution.count(sql, &[other.into()]).await, 1);
        assert!(institution.lines("authority.certificate.refused").await >= 1);
    }
}

/// Polls a future at most `polls` times, then drops it where it stands: a request whose client went away, a worker told to stop.
async fn abandoned_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn abandoned_at_any_await_there_is_one_certificate_in_the_end() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let order = institution.order("cred_1").await;
        let mut polls = 0;
        let issued = loop {
            polls += 1;
            let whole = async {
                let prepared = authority.prepare(keys, &order).await.unwrap();
                authority.issue(keys, prepared).await.unwrap()
            };
            if let Some(issued) = abandoned_after(polls, whole).await {
                break issued;
            }
            assert!(polls < 1_000);
        };
        authority.recover(keys).await.unwrap();
        let kept = authority.certificate_for("cred_1").await.unwrap().unwrap();
        assert_eq!(kept.certificate, issued.certificate);
        assert_eq!(institution.lines("authority.certificate.reserved").await, 6);
        assert_eq!(institution.lines("authority.certificate.issued").await, 6);
    }
}

async fn order_bytes(institution: &Institution, credential: &str) -> CertificateId {
    let order = institution.order(credential).await;
    institution
        .authority
        .prepare(&institution.keys, &order)
        .await
        .unwrap()
        .id()
}

#[tokio::test]
async fn recovery_signs_what_was_left_reserved_with_the_same_bytes() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let mut ids = Vec::new();
        for n in 0..3 {
            ids.push(order_bytes(&institution, &format!("cred_{n}")).await);
        }
        institution.database.clock.advance(HOUR_MS);
        let due = authority.schedule().await.unwrap();
        assert!(
            due.contains(&kyso_authority::Task::RecoverReserved),
            "{due:?}"
        );
        let sql = "-- test.tbs\nSELECT tbs FROM certificate WHERE id = $1";
        let tbs = institution
            .store()
            .one(sql, &[ids[0].into()])
            .await
            .unwrap()
            .bytes("tbs")
            .unwrap();
        assert_eq!(authority.recover(keys).await.unwrap(), 3);
        assert_eq!(authority.recover(keys).await.unwrap(), 0);
        let issued = authority.certificate(ids[0]).await.unwrap();
        assert_eq!(issued.certificate.to_be_signed(), tbs);
    }
}

#[tokio::test]
async fn rsa_keys_and_an_rsa_authority_verify_too() {
    let Some(judge) = Judge::call() else { return };
    let institution = Institution::each_without_ceremony().await.remove(0);
    let plan = kyso_authority::ceremony::Plan {
        root: kyso_authority::ceremony::Root::Ours(KeyAlgorithm::Rsa3072),
        issuing: KeyAlgorithm::Rsa2048,
        ..kyso_authority::ceremony::Plan::elliptic()
    };
    let held = institution
        .authority
        .ceremony(&institution.keys, &plan, &|_| ())
        .await
        .unwrap();
    let (_, public_key) = institution
        .keys
        .create_for_citizen(KeyAlgorithm::Rsa2048, "cred_1")
        .await
        .unwrap();
    let prepared = institution
        .authority
        .prepare(&institution.keys, &order("cred_1", public_key))
        .await
        .unwrap();
    let issued = institution
        .authority
        .issue(&institution.keys, prepared)
        .await
        .unwrap();
    judge.write_chain(&held.chain);
    judge.write_crl(
        "root.crl",
        &institution.authority.crl("root-1").await.unwrap().unwrap(),
    );
    judge.write_crl(
        "issuing.crl",
        &institution
            .authority
            .crl("issuing-1")
            .await
            .unwrap()
            .unwrap(),
    );
    judge.write("leaf.pem", issued.certificate.to_pem());
    let (content, said) = judge.verify("leaf.pem", institution.now() + DAY_MS);
    assert!(content, "{said}");
}
