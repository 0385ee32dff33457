//! Revoking, suspending, resuming.

use kyso_authority::revocation::Standing;
use kyso_authority::{CertificateId, Error, Reason};
use kyso_keystore::Role;
use kyso_pki::algorithm::KeyAlgorithm;

use crate::harness::{Institution, YEAR_MS};

#[tokio::test]
async fn a_certificate_is_suspended_resumed_and_revoked_each_with_a_line_and_a_job() {
    for institution in Institution::each().await {
        let authority = &institution.authority;
        let id = institution.issue("cred_1").await.id;
        let now = institution.now();
        assert!(authority.status(id).await.unwrap().is_good_at(now));
        assert!(
            !authority
                .status(id)
                .await
                .unwrap()
                .is_good_at(now + 2 * YEAR_MS)
        );

        let held = authority.suspend(id, "ofc_1").await.unwrap();
        assert_eq!(held.standing, Standing::Suspended { since: now });
        assert!(!held.is_good_at(now));
        institution.database.clock.advance(5_000);
        assert_eq!(
            authority.resume(id, "ofc_1").await.unwrap().standing,
            Standing::Issued
        );
        assert!(authority.status(id).await.unwrap().is_good_at(now + 5_000));
        authority.suspend(id, "ofc_1").await.unwrap();
        institution.database.clock.advance(5_000);
        let gone = authority
            .revoke(id, Reason::KeyCompromise, "ofc_2")
            .await
            .unwrap();
        // on hold without a break since the second suspension: nothing signed since then is to be trusted
        assert_eq!(
            gone.standing,
            Standing::Revoked {
                since: now + 5_000,
                reason: Reason::KeyCompromise
            }
        );
        assert_eq!(authority.status(id).await.unwrap(), gone);

        for (kind, lines) in [("suspended", 2), ("resumed", 1), ("revoked", 1)] {
            assert_eq!(
                institution
                    .lines(&format!("authority.certificate.{kind}"))
                    .await,
                lines,
                "{kind}"
            );
        }
        let jobs = institution
            .store()
            .claim(kyso_authority::task::KINDS, 10, 1_000)
            .await
            .unwrap();
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].kind, kyso_authority::task::PUBLISH_CRL);
    }
}

#[tokio::test]
async fn asked_twice_nothing_more_happens() {
    for institution in Institution::each().await {
        let authority = &institution.authority;
        let id = institution.issue("cred_1").await.id;
        for _ in 0..2 {
            authority.suspend(id, "ofc_1").await.unwrap();
        }
        for _ in 0..2 {
            authority.resume(id, "ofc_1").await.unwrap();
        }
        let first = authority
            .revoke(id, Reason::Superseded, "ofc_1")
            .await
            .unwrap();
        institution.database.clock.advance(1_000);
        assert_eq!(
            authority
                .revoke(id, Reason::Superseded, "ofc_1")
                .await
                .unwrap(),
            first
        );
        for kind in ["suspended", "resumed", "revoked"] {
            assert_eq!(
                institution
                    .lines(&format!("authority.certificate.{kind}"))
                    .await,
                1,
                "{kind}"
            );
        }
    }
}

#[tokio::test]
async fn what_may_not_happen_is_refused() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let gone = institution.issue("cred_1").await.id;
        authority
            .revoke(gone, Reason::CessationOfOperation, "ofc_1")
            .await
            .unwrap();
        assert!(matches!(
            authority.revoke(gone, Reason::KeyCompromise, "x").await,
            Err(Error::Standing { .. })
        ));
        assert!(matches!(
            authority.suspend(gone, "x").await,
            Err(Error::Standing {
                standing: "revoked",
                ..
            })
        ));
        assert!(matches!(
            authority.resume(gone, "x").await,
            Err(Error::Standing { .. })
        ));

        let order = institution.order("cred_2").await;
        let reserved = authority.prepare(keys, &order).await.unwrap();
        assert!(matches!(
            authority.suspend(reserved.id(), "x").await,
            Err(Error::Standing {
                standing: "reserved",
                ..
            })
        ));

        let good = institution.issue("cred_3").await.id;
        assert!(matches!(
            authority.revoke(good, Reason::CertificateHold, "x").await,
            Err(Error::Reason { .. })
        ));
        for reason in [Reason::CaCompromise, Reason::AaCompromise] {
            let refused = authority.revoke(good, reason, "x").await;
            assert!(matches!(refused, Err(Error::Reason { .. })), "{reason}");
        }
        let nobody: CertificateId = "crt_01JD3ZQ8000000000000000000".parse().unwrap();
        assert!(matches!(
            authority.status(nobody).await,
            Err(Error::NoCertificate { .. })
        ));
        assert!(matches!(
            authority.revoke(nobody, Reason::Superseded, "x").await,
            Err(Error::NoCertificate { .. })
        ));
        let root = authority
            .service(Role::Root)
            .await
            .unwrap()
            .certificate_id
            .unwrap();
        assert!(matches!(
            authority.revoke(root, Reason::Superseded, "x").await,
            Err(Error::NotOurs { .. })
        ));

        institution.database.clock.advance(2 * YEAR_MS);
        assert!(matches!(
            authority.revoke(good, Reason::Superseded, "x").await,
            Err(Error::Expired { .. })
        ));
        assert_eq!(institution.lines("authority.certificate.revoked").await, 1);
    }
}

#[tokio::test]
async fn when_many_act_at_once_each_certificate_changes_once() {
    for institution in Institution::each().await {
        let other = institution.another_node().await;
        let id = institution.issue("cred_1").await.id;
        let (a, b, c) = tokio::join!(
            institution
                .authority
                .revoke(id, Reason::KeyCompromise, "ofc_1"),
            other.revoke(id, Reason::Superseded, "ofc_2"),
            other.suspend(id, "ofc_3"),
        );
        let revoked = [a, b].into_iter().filter(Result::is_ok).count();
        assert_eq!(revoked, 1, "one reason stands");
        assert!(matches!(c, Ok(_) | Err(Error::Standing { .. })));
        assert_eq!(institution.lines("authority.certificate.revoked").await, 1);
        assert!(matches!(
            institution.authority.status(id).await.unwrap().standing,
            Standing::Revoked { .. }
        ));
    }
}

#[tokio::test]
async fn a_revoked_credential_gets_no_second_certificate() {
    let institution = Institution::one().await;
    let order = institution.order("cred_1").await;
    let prepared = institution
        .authority
        .prepare(&institution.keys, &order)
        .await
        .unwrap();
    let issued = institution
        .authority
        .issue(&institution.keys, prepared)
        .await
        .unwrap();
    institution
        .authority
        .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
        .await
        .unwrap();
    let again = institution
        .authority
        .prepare(&institution.keys, &order)
        .await
        .unwrap();
    assert_eq!(
        institution
            .authority
            .issue(&institution.keys, again)
            .await
            .unwrap()
            .certificate,
        issued.certificate
    );
    let (_, other_key) = institution
        .keys
        .create_for_citizen(KeyAlgorithm::P256, "cred_1")
        .await
        .unwrap();
    let mut other = order.clone();
    other.public_key = other_key;
    assert!(matches!(
        institution
            .authority
            .prepare(&institution.keys, &other)
            .await,
        Err(Error::Differs { .. })
    ));
}
