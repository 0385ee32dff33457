//! How fast approved requests become signatures, beside the keystore alone: printed, not judged.
//!
//! `cargo test --release -p kyso-signing --test it -- --ignored --nocapture speed`

use std::time::Duration;

use kyso_signing::portal::Scopes;
use kyso_signing::{KeyAlgorithm, task};

use crate::office::{Office, Phone};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes its time, and says something only in a release build"]
async fn approved_requests_become_signatures() {
    for (algorithm, citizens, count) in [
        (KeyAlgorithm::P256, 64, 1),
        (KeyAlgorithm::P256, 8, 50),
        (KeyAlgorithm::Rsa2048, 64, 1),
        (KeyAlgorithm::Rsa2048, 8, 50),
    ] {
        let office = Office::durable().await;
        let portal = office.portal("P", Scopes::ALL).await;
        let mut phones = Vec::new();
        for _ in 0..citizens {
            phones.push(office.citizen_with(office.opening(algorithm)).await);
        }
        round(&office, &portal, &phones, count).await;
        let mut best = Duration::MAX;
        for _ in 0..5 {
            best = best.min(round(&office, &portal, &phones, count).await);
        }
        let file = office
            .database
            .url
            .trim_start_matches("sqlite://")
            .to_owned();
        drop(office);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{file}{suffix}"));
        }
        let signatures = citizens * count;
        let rate = f64::from(u32::try_from(signatures).unwrap()) / best.as_secs_f64();
        println!("{algorithm}: {citizens} approvals of {count}: {rate:.0} signatures a second");
    }
}

async fn round(
    office: &Office,
    portal: &kyso_signing::portal::Portal,
    phones: &[Phone],
    count: usize,
) -> Duration {
    for phone in phones {
        let view = office.digests(portal, phone, count).await;
        office
            .signing
            .requests
            .approve(phone.session(), &view.id, phone.approve(&view))
            .await
            .unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "a stopwatch, not a clock")]
    let start = std::time::Instant::now();
    let jobs = office.store.claim(&[task::SIGN], 64, 30_000).await.unwrap();
    let done = office
        .signing
        .requests
        .sign_many(&office.keys, jobs)
        .await
        .unwrap();
    assert_eq!(done.len(), phones.len());
    start.elapsed()
}
