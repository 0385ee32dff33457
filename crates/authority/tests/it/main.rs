//! The institution against both databases, both keystores, and OpenSSL.
#![allow(clippy::unwrap_used)]

mod ceremony;
mod crash;
mod crl;
mod harness;
mod issuing;
mod ocsp;
mod openssl;
mod revocation;
mod tokens;

#[tokio::test]
async fn every_statement_prepares_on_both_databases() {
    kyso_store::testing::prepare_all(&kyso_authority::statements()).await;
}

/// `cargo test -p kyso-authority --test it -- --ignored --nocapture rates`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn rates_of_issuing_and_answering() {
    use kyso_pki::ocsp::{CertId, IdHash, Request};
    let clock = kyso_store::Clock::System;
    for institution in harness::Institution::each().await {
        let count = 400;
        let mut orders = Vec::new();
        for n in 0..count {
            orders.push(institution.order(&format!("cred_{n}")).await);
        }
        let (authority, keys) = (institution.authority.clone(), institution.keys.clone());
        let begun = clock.now();
        let mut tasks = tokio::task::JoinSet::new();
        for chunk in orders.chunks(count / 16) {
            let (authority, keys, chunk) = (authority.clone(), keys.clone(), chunk.to_vec());
            tasks.spawn(async move {
                for order in chunk {
                    let prepared = authority.prepare(&keys, &order).await.unwrap();
                    authority.issue(&keys, prepared).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        let issued_ms = (clock.now() - begun).max(1);

        let issuer = authority.chain().await.unwrap()[0].clone();
        let leaf = authority.certificate_for("cred_0").await.unwrap().unwrap();
        let id = CertId::of(IdHash::Sha1, &issuer, leaf.certificate.serial()).unwrap();
        let request = Request {
            ids: vec![id],
            nonce: None,
        }
        .to_der()
        .unwrap();
        let begun = clock.now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (authority, keys, request) = (authority.clone(), keys.clone(), request.clone());
            let now = institution.now();
            tasks.spawn(async move {
                for _ in 0..250 {
                    assert_eq!(authority.answer(&keys, &request, now).await.outcome, "good");
                }
            });
        }
        tasks.join_all().await;
        let answered_ms = (clock.now() - begun).max(1);
        println!(
            "{:?}: {} certificates/s, {} OCSP answers/s (P-256, two cores, not durable)",
            institution.store().engine(),
            count as i64 * 1_000 / issued_ms,
            4_000 * 1_000 / answered_ms
        );
    }
}
