//! Revocation lists: when, with which number, with which entries; and what OpenSSL makes of them.

use kyso_authority::{Reason, Task};
use kyso_keystore::Role;
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::Issuer;
use kyso_pki::crl::{self, Crl};

use crate::harness::{DAY_MS, HOUR_MS, Institution, YEAR_MS};
use crate::openssl::Judge;

async fn newest(institution: &Institution) -> (i64, Crl) {
    let published = institution
        .authority
        .crl("issuing-1")
        .await
        .unwrap()
        .unwrap();
    let crl = Crl::from_der(&published.der).unwrap();
    assert_eq!(crl.number(), Some(published.number as u64));
    assert_eq!(crl.entries().len() as i64, published.entries);
    (published.number, crl)
}

#[tokio::test]
async fn openssl_sees_revoked_suspended_and_resumed_as_we_do() {
    let Some(judge) = Judge::call() else { return };
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        judge.write_chain(&authority.chain().await.unwrap());
        judge.write_crl("root.crl", &authority.crl("root-1").await.unwrap().unwrap());
        let issued = institution.issue("cred_1").await;
        judge.write("leaf.pem", issued.certificate.to_pem());
        let judged = async || {
            let published = authority.publish_crl_if_due(keys).await.unwrap();
            judge.write_crl(
                "issuing.crl",
                &authority.crl("issuing-1").await.unwrap().unwrap(),
            );
            (published.len(), judge.verify("leaf.pem", institution.now()))
        };

        authority.suspend(issued.id, "ofc_1").await.unwrap();
        let (lists, (content, said)) = judged().await;
        assert!(
            lists == 1 && !content && said.contains("certificate revoked"),
            "{lists} {said}"
        );
        let text = judge.content("crl -in issuing.crl -noout -text -CAfile issuing.pem");
        for part in [
            "verify OK",
            "Certificate Hold",
            "X509v3 CRL Number",
            "X509v3 Authority Key Identifier",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        authority.resume(issued.id, "ofc_1").await.unwrap();
        let (lists, (content, said)) = judged().await;
        assert!(lists == 1 && content, "{lists} {said}");
        authority
            .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
            .await
            .unwrap();
        let (_, (content, said)) = judged().await;
        assert!(!content && said.contains("certificate revoked"), "{said}");
        let text = judge.content("crl -in issuing.crl -noout -text");
        assert!(
            text.contains("Key Compromise")
                && text.contains(&issued.certificate.serial().to_string().to_uppercase()),
            "{text}"
        );
        let (lists, _) = judged().await;
        assert_eq!(lists, 0, "nothing changed, nothing due");
    }
}

#[tokio::test]
async fn a_revoked_issuing_authority_is_on_the_roots_list() {
    let Some(judge) = Judge::call() else { return };
    let institution = Institution::one().await;
    let authority = &institution.authority;
    judge.write_chain(&authority.chain().await.unwrap());
    judge.write(
        "leaf.pem",
        institution.issue("cred_1").await.certificate.to_pem(),
    );
    let issuing = authority
        .service(Role::Issuing)
        .await
        .unwrap()
        .certificate_id
        .unwrap();
    authority
        .revoke(issuing, Reason::CaCompromise, "ceremony")
        .await
        .unwrap();
    let published = authority
        .publish_crl_if_due(&institution.keys)
        .await
        .unwrap();
    assert_eq!(
        published
            .iter()
            .map(|list| list.label.as_str())
            .collect::<Vec<_>>(),
        ["root-1"]
    );
    judge.write_crl("root.crl", &authority.crl("root-1").await.unwrap().unwrap());
    judge.write_crl(
        "issuing.crl",
        &authority.crl("issuing-1").await.unwrap().unwrap(),
    );
    let (content, said) = judge.verify("leaf.pem", institution.now());
    assert!(!content && said.contains("certificate revoked"), "{said}");
}

#[tokio::test]
async fn lists_come_on_schedule_overlap_and_their_numbers_rise() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let (mut number, mut last) = newest(&institution).await;
        assert_eq!(number, 1);
        assert!(authority.schedule().await.unwrap().is_empty());
        for day in 0..5 {
            institution.database.clock.advance(23 * HOUR_MS);
            assert!(
                authority.publish_crl_if_due(keys).await.unwrap().is_empty(),
                "day {day}"
            );
            institution.database.clock.advance(HOUR_MS);
            assert!(
                authority
                    .schedule()
                    .await
                    .unwrap()
                    .contains(&Task::PublishCrl)
            );
            authority.work(keys, Task::PublishCrl).await.unwrap();
            let (next_number, next) = newest(&institution).await;
            assert_eq!(next_number, number + 1);
            assert!(next.this_update() > last.this_update());
            assert!(
                next.this_update() < last.next_update().unwrap(),
                "the lists overlap"
            );
            (number, last) = (next_number, next);
        }
        // The publisher was down for two periods and more: it goes on with the next number.
        institution.database.clock.advance(10 * DAY_MS);
        authority.publish_crl_if_due(keys).await.unwrap();
        assert_eq!(newest(&institution).await.0, number + 1);
        // A clock set back does not turn time around.
        let this_update = newest(&institution).await.1.this_update();
        institution.database.clock.advance(-HOUR_MS);
        let id = institution
            .authority
            .service(Role::Seal)
            .await
            .unwrap()
            .certificate_id
            .unwrap();
        authority.suspend(id, "ofc_1").await.unwrap();
        authority.publish_crl_if_due(keys).await.unwrap();
        let (after, list) = newest(&institution).await;
        assert_eq!(after, number + 2);
        assert!(list.this_update() >= this_update);
    }
}

#[tokio::test]
async fn an_expired_certificate_leaves_after_one_regular_list_past_its_expiry() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let mut order = institution.order("cred_1").await;
        order.plan_ends_at = institution.now() + 36 * HOUR_MS;
        let prepared = authority.prepare(keys, &order).await.unwrap();
        let short = authority.issue(keys, prepared).await.unwrap();
        let long = institution.issue("cred_2").await;
        let third = institution.issue("cred_3").await;
        for issued in [&short, &long] {
            authority
                .revoke(issued.id, Reason::KeyCompromise, "ofc_1")
                .await
                .unwrap();
        }
        let listed = async || {
            authority.publish_crl_if_due(keys).await.unwrap();
            let crl = newest(&institution).await.1;
            [&short, &long].map(|issued| crl.find(issued.certificate.serial()).is_some())
        };
        assert_eq!(listed().await, [true, true]);
        institution.database.clock.advance(37 * HOUR_MS);
        authority
            .revoke(third.id, Reason::Superseded, "ofc_1")
            .await
            .unwrap();
        // hour 37: regular (the last was at hour 0), past the expiry: the certificate is on it
        assert_eq!(listed().await, [true, true]);
        institution.database.clock.advance(HOUR_MS);
        authority
            .suspend(
                authority
                    .service(Role::Seal)
                    .await
                    .unwrap()
                    .certificate_id
                    .unwrap(),
                "ofc_1",
            )
            .await
            .unwrap();
        assert_eq!(listed().await, [false, true]);
    }
}

#[tokio::test]
async fn a_list_on_change_does_not_count_as_the_regular_one_past_expiry() {
    let institution = Institution::one().await;
    let (authority, keys) = (&institution.authority, &institution.keys);
    let mut order = institution.order("cred_1").await;
    order.plan_ends_at = institution.now() + 2 * HOUR_MS;
    let prepared = authority.prepare(keys, &order).await.unwrap();
    let short = authority.issue(keys, prepared).await.unwrap();
    authority
        .revoke(short.id, Reason::KeyCompromise, "ofc_1")
        .await
        .unwrap();
    let seal = authority
        .service(Role::Seal)
        .await
        .unwrap()
        .certificate_id
        .unwrap();
    for hour in [3, 4, 5] {
        institution
            .database
            .clock
            .set(kyso_store::testing::START + hour * HOUR_MS);
        if hour % 2 == 1 {
            authority.suspend(seal, "ofc_1").await.unwrap()
        } else {
            authority.resume(seal, "ofc_1").await.unwrap()
        };
        authority.publish_crl_if_due(keys).await.unwrap();
        assert!(
            newest(&institution)
                .await
                .1
                .find(short.certificate.serial())
                .is_some(),
            "hour {hour}"
        );
    }
}

#[tokio::test]
async fn two_publishers_at_once_never_use_a_number_twice_or_skip_one() {
    for institution in Institution::each().await {
        let other = institution.another_node().await;
        let keys = &institution.keys;
        for round in 0..6 {
            let id = institution.issue(&format!("cred_{round}")).await.id;
            institution
                .authority
                .revoke(id, Reason::KeyCompromise, "ofc_1")
                .await
                .unwrap();
            let (one, two) = tokio::join!(
                institution.authority.publish_crl_if_due(keys),
                other.publish_crl_if_due(keys)
            );
            let published: usize = one.unwrap().len() + two.unwrap().len();
            assert_eq!(published, 1, "round {round}");
            // What another node published is read a second later at the latest.
            institution.database.clock.advance(1_000);
            let (number, crl) = newest(&institution).await;
            assert_eq!(
                (number, crl.entries().len()),
                (round + 2, round as usize + 1)
            );
        }
        let sql = "-- test.n\nSELECT COUNT(*) AS n FROM crl WHERE state = 'published' AND issuer_id IN (SELECT certificate_id FROM issuer WHERE label = 'issuing-1')";
        assert_eq!(institution.count(sql, &[]).await, 7);
    }
}

#[tokio::test]
async fn the_schema_refuses_a_number_twice_or_a_gap() {
    for institution in Institution::each().await {
        let sql = "-- test.forge\nINSERT INTO crl (issuer_id, number, previous, scheduled, status_changes, entries, signature_algorithm,
            this_update, next_update, state, tbs, seal, reserved_at)
            SELECT certificate_id, $1, $2, $3, 0, 0, 'ecdsa-sha-256', 1, 2, 'reserved', $4, $4, 1 FROM issuer WHERE label = 'issuing-1'";
        for (number, previous) in [
            (1, None),
            (3, Some(2)),
            (3, None),
            (2, Some(0)),
            (3, Some(1)),
            (0, None),
        ] {
            let mut tx = institution.store().write().await.unwrap();
            let args = [
                i64::from(number).into(),
                previous.map(i64::from).into(),
                true.into(),
                vec![1u8].into(),
            ];
            let refused = tx.execute(sql, &args).await;
            assert!(
                matches!(refused, Err(kyso_store::Error::Constraint { .. })),
                "{number} {previous:?}: {refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_root_publishes_twice_a_year_and_not_at_all_where_its_key_is_not() {
    let institution = Institution::one().await;
    institution.database.clock.advance(183 * DAY_MS);
    let published = institution
        .authority
        .publish_crl_if_due(&institution.keys)
        .await
        .unwrap();
    assert_eq!(published.len(), 2);
    let root = institution.keys.service("root-1").await.unwrap();
    institution.keys.destroy(root).await.unwrap();
    institution.database.clock.advance(YEAR_MS);
    let published = institution
        .authority
        .publish_crl_if_due(&institution.keys)
        .await
        .unwrap();
    assert_eq!(
        published
            .iter()
            .map(|list| list.label.as_str())
            .collect::<Vec<_>>(),
        ["issuing-1"]
    );
}

/// Whoever writes rows reserves a list on which a revoked certificate is missing. The ledger, which is rows too, is made to say
/// that it was reserved so, and it carries a true seal, of another record: only the keystore is left to disagree.
#[tokio::test]
async fn a_reserved_list_of_somebody_elses_making_is_never_signed() {
    const FORGE: &str = "-- test.forge
INSERT INTO crl (issuer_id, number, previous, scheduled, status_changes, entries, signature_algorithm, this_update, next_update,
    state, tbs, seal, reserved_at)
SELECT certificate_id, 2, 1, TRUE, 1, 0, $1, $2, $3, 'reserved', $4, $5, $2 FROM issuer WHERE label = 'issuing-1'";
    const COUNT_ON: &str =
        "-- test.count_on\nUPDATE issuer SET crl_number = 2 WHERE label = 'issuing-1'";
    const SAY_SO: &str = "-- test.say_so
UPDATE ledger_entry SET detail = $1 WHERE kind = 'authority.crl.reserved'
    AND subject = (SELECT certificate_id FROM issuer WHERE label = 'issuing-1')";

    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        let revoked = institution.issue("cred_1").await.id;
        authority
            .revoke(revoked, Reason::KeyCompromise, "ofc_1")
            .await
            .unwrap();
        let issuing = authority.chain().await.unwrap().remove(0);
        let algorithm = SignatureAlgorithm::default_for(issuing.public_key().unwrap().algorithm());
        let this_update = institution.now() - institution.now() % 1_000;
        let window = (this_update, this_update + DAY_MS);
        let issuer = Issuer::of(&issuing).unwrap();
        let tbs = crl::prepare(&issuer, algorithm, 2, window.0, window.1, &[]).unwrap();
        let digest = hex::encode(Digest::of(DigestAlgorithm::Sha256, &tbs).value());
        let line = format!("{{\"number\":2,\"to_be_signed_sha256\":\"{digest}\"}}");
        let seal = keys.seal_record("certificate", &tbs).await.unwrap();

        let mut tx = institution.store().write().await.unwrap();
        let forged = [
            algorithm.as_str().into(),
            window.0.into(),
            window.1.into(),
            tbs.into(),
            seal.into(),
        ];
        tx.change("crl", 1, FORGE, &forged).await.unwrap();
        tx.change("issuer", 1, COUNT_ON, &[]).await.unwrap();
        tx.change("ledger_entry", 1, SAY_SO, &[line.into()])
            .await
            .unwrap();
        tx.commit().await.unwrap();

        // The root's own list is due as well, and does not wait for this one.
        institution.database.clock.advance(183 * DAY_MS);
        let refused = authority.publish_crl_if_due(keys).await;
        assert!(
            matches!(
                refused,
                Err(kyso_authority::Error::NotWhatWasReserved { .. })
            ),
            "{refused:?}"
        );
        let of_root = authority.crl("root-1").await.unwrap().unwrap();
        assert_eq!(of_root.number, 2);
        assert_eq!(newest(&institution).await.0, 1);
        assert_eq!(institution.lines("authority.crl.refused").await, 1);
    }
}

/// A change that comes between the snapshot of a list and its reservation is on the next list, which is due at once.
#[tokio::test]
async fn a_change_beside_a_list_that_is_being_written_makes_the_next_one_due() {
    for institution in Institution::each().await {
        let (authority, keys) = (&institution.authority, &institution.keys);
        for round in 0..8 {
            let id = institution.issue(&format!("cred_{round}")).await.id;
            let revoked = async || {
                let reason = Reason::KeyCompromise;
                authority.revoke(id, reason, "ofc_1").await.unwrap()
            };
            institution.database.clock.advance(25 * HOUR_MS);
            let (published, _) = tokio::join!(authority.publish_crl_if_due(keys), revoked());
            published.unwrap();
            authority.publish_crl_if_due(keys).await.unwrap();
            assert_eq!(newest(&institution).await.1.entries().len(), round + 1);
        }
    }
}
