//! Jobs: claimed once, fenced, never lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kyso_store::testing::{Database, START};
use kyso_store::{Backlog, Error, Job, Store};
use serde_json::json;

crate::on_both![
    two_hundred_jobs_and_four_workers_each_job_once,
    a_job_is_claimed_when_due_and_of_the_kinds_asked_for,
    a_lease_that_ran_out_is_claimed_again_and_the_late_worker_refused,
    a_late_worker_cannot_commit_its_result,
    a_late_worker_that_nobody_overtook_may_finish,
    while_a_job_is_open_there_is_no_second_of_its_key,
    a_job_asked_for_while_it_runs_runs_once_more,
    a_job_that_asks_for_its_successor_gets_it,
    asking_twice_in_one_transaction_is_asking_once,
    a_retry_comes_back_later_with_its_reason,
    a_failed_job_stays_to_be_seen_and_can_be_revived,
    a_failed_job_that_was_asked_for_again_runs_again,
    a_lease_in_hand_does_not_end_before_it_is_let_go,
    a_lease_that_was_taken_over_is_not_extended,
    many_are_finished_at_once_or_none,
    a_commit_wakes_the_worker_here_and_on_the_other_node_of_its_own_kinds_only,
    a_commit_whose_caller_went_away_wakes_the_worker,
    what_another_node_could_not_be_told_it_is_told_later,
    the_next_due_job_tells_how_long_to_sleep,
    the_backlog_says_what_waits_and_since_when,
];

const LEASE_MS: i64 = 30_000;

async fn enqueue(store: &Store, kind: &str, key: &str, due_at: i64) {
    let mut tx = store.write().await.unwrap();
    tx.enqueue(kind, key, &json!({"key": key}), due_at);
    tx.commit().await.unwrap();
}

async fn claim_one(store: &Store) -> Job {
    let mut jobs = store.claim(&["sign"], 10, LEASE_MS).await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

async fn finish(store: &Store, job: &Job) -> Result<(), Error> {
    let mut tx = store.write().await?;
    tx.finish(job).await?;
    tx.commit().await
}

async fn open(store: &Store) -> i64 {
    store.open_jobs().await.unwrap().values().sum()
}

async fn the_backlog_says_what_waits_and_since_when(database: Database) {
    let store = &database.store;
    let signs = async || store.backlog().await.unwrap().remove("sign");
    assert_eq!(signs().await, None);
    enqueue(store, "sign", "1", START).await;
    enqueue(store, "sign", "later", START + 3_600_000).await;
    let expected = |open, waiting, oldest_ms, failed| {
        Some(Backlog {
            open,
            waiting,
            oldest_ms,
            failed,
        })
    };
    database.clock.advance(7_000);
    assert_eq!(signs().await, expected(2, 1, 7_000, 0));
    // In somebody's hands; then due again only in a minute, and wanted as long as ever.
    let job = claim_one(store).await;
    assert_eq!(signs().await, expected(2, 0, 0, 0));
    let mut tx = store.write().await.unwrap();
    tx.retry(&job, START + 67_000, "keystore").await.unwrap();
    tx.commit().await.unwrap();
    database.clock.advance(1_000);
    assert_eq!(signs().await, expected(2, 1, 8_000, 0));
    database.clock.advance(60_000);
    let job = claim_one(store).await;
    let mut tx = store.write().await.unwrap();
    tx.fail(&job, "unknown-task").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(signs().await, expected(1, 0, 0, 1));
    // What a worker that died held waits again when its lease has ended.
    database.clock.advance(3_600_000);
    claim_one(store).await;
    database.clock.advance(LEASE_MS);
    assert_eq!(signs().await.unwrap().waiting, 1);
}

async fn two_hundred_jobs_and_four_workers_each_job_once(database: Database) {
    let mut tx = database.store.write().await.unwrap();
    for n in 0..200 {
        tx.enqueue("sign", &n.to_string(), &json!({}), 0);
    }
    tx.commit().await.unwrap();
    let seen: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let other = database.another_node().await;
    let workers: Vec<_> = (0..4)
        .map(|n| {
            let store = if n % 2 == 0 {
                database.store.clone()
            } else {
                other.clone()
            };
            let seen = seen.clone();
            tokio::spawn(async move {
                while open(&store).await > 0 {
                    let jobs = store.claim(&["sign"], 7, LEASE_MS).await.unwrap();
                    for job in &jobs {
                        *seen.lock().unwrap().entry(job.key.clone()).or_default() += 1;
                    }
                    let mut tx = store.write().await.unwrap();
                    tx.finish_many(&jobs).await.unwrap();
                    tx.commit().await.unwrap();
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 200);
    assert!(seen.values().all(|times| *times == 1));
}

async fn a_job_is_claimed_when_due_and_of_the_kinds_asked_for(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "now", START).await;
    enqueue(store, "sign", "later", START + 1).await;
    enqueue(store, "deliver", "other", START).await;
    let job = claim_one(store).await;
    assert_eq!((job.key.as_str(), job.attempts, job.lease), ("now", 1, 1));
    assert_eq!(job.payload, json!({"key": "now"}));
    assert_eq!(job.leased_until, START + LEASE_MS);
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty()
    );
    database.clock.advance(1);
    assert_eq!(claim_one(store).await.key, "later");
    assert_eq!(
        store
            .claim(&["sign", "deliver", "notify"], 10, LEASE_MS)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(store.claim(&[], 10, LEASE_MS).await.unwrap().is_empty());
}

async fn a_lease_that_ran_out_is_claimed_again_and_the_late_worker_refused(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let first = claim_one(store).await;
    database.clock.advance(LEASE_MS - 1);
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty()
    );
    database.clock.advance(1);
    let second = claim_one(store).await;
    assert_eq!((second.id, second.attempts, second.lease), (first.id, 2, 2));

    assert!(matches!(
        finish(store, &first).await,
        Err(Error::LeaseLost { .. })
    ));
    let mut tx = store.write().await.unwrap();
    let late = tx.retry(&first, START, "late").await;
    assert!(matches!(late, Err(Error::LeaseLost { .. })));
    drop(tx);
    let mut tx = store.write().await.unwrap();
    let late = tx.fail(&first, "late").await;
    assert!(matches!(late, Err(Error::LeaseLost { .. })));
    drop(tx);

    finish(store, &second).await.unwrap();
    assert_eq!(open(store).await, 0);
    assert!(matches!(
        finish(store, &second).await,
        Err(Error::LeaseLost { .. })
    ));
}

async fn a_late_worker_cannot_commit_its_result(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let first = claim_one(store).await;
    database.clock.advance(LEASE_MS);
    claim_one(store).await;
    let mut tx = store.write().await.unwrap();
    let result = tx.put_blob(b"the late worker's result").await.unwrap();
    // Even a worker that ignores the refusal cannot keep what it wrote.
    let _ = tx.finish(&first).await;
    assert!(matches!(tx.commit().await, Err(Error::Aborted)));
    assert!(matches!(
        store.read_blob(&result).await,
        Err(Error::BlobMissing { .. })
    ));
}

async fn a_late_worker_that_nobody_overtook_may_finish(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let job = claim_one(store).await;
    database.clock.advance(LEASE_MS * 10);
    finish(store, &job).await.unwrap();
    assert_eq!(open(store).await, 0);
}

async fn while_a_job_is_open_there_is_no_second_of_its_key(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START + 100).await;
    enqueue(store, "sign", "a", START + 50).await;
    enqueue(store, "sign", "a", START + 200).await;
    assert_eq!(open(store).await, 1);
    database.clock.advance(49);
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty()
    );
    database.clock.advance(1);
    let job = claim_one(store).await;
    finish(store, &job).await.unwrap();
    // Done, so the key is free again.
    enqueue(store, "sign", "a", START).await;
    assert_ne!(claim_one(store).await.id, job.id);
}

async fn a_job_asked_for_while_it_runs_runs_once_more(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let job = claim_one(store).await;
    enqueue(store, "sign", "a", START + 500).await;
    enqueue(store, "sign", "a", START + 900).await;
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty(),
        "still held"
    );
    finish(store, &job).await.unwrap();
    assert_eq!(open(store).await, 1);
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty(),
        "not due before it was asked for"
    );
    database.clock.advance(500);
    let again = claim_one(store).await;
    assert_eq!((again.attempts, again.lease), (1, 2));
    finish(store, &again).await.unwrap();
    assert_eq!(open(store).await, 0);
}

async fn a_job_that_asks_for_its_successor_gets_it(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "every hour", START).await;
    let job = claim_one(store).await;
    let mut tx = store.write().await.unwrap();
    tx.enqueue("sign", "every hour", &json!({}), START + 3_600_000);
    tx.finish(&job).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        store.next_due(&["sign"]).await.unwrap(),
        Some(START + 3_600_000)
    );
}

async fn asking_twice_in_one_transaction_is_asking_once(database: Database) {
    let mut tx = database.store.write().await.unwrap();
    tx.enqueue("sign", "a", &json!(1), START + 9);
    tx.enqueue("sign", "b", &json!(1), START);
    tx.enqueue("sign", "a", &json!(2), START);
    tx.commit().await.unwrap();
    let jobs = database.store.claim(&["sign"], 10, LEASE_MS).await.unwrap();
    assert_eq!(jobs.len(), 2);
    assert_eq!(
        jobs.iter().find(|job| job.key == "a").unwrap().payload,
        json!(2)
    );
}

async fn a_retry_comes_back_later_with_its_reason(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let job = claim_one(store).await;
    let mut tx = store.write().await.unwrap();
    tx.retry(&job, START + 1_000, "keystore-unavailable")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty()
    );
    database.clock.advance(1_000);
    let again = claim_one(store).await;
    assert_eq!((again.attempts, again.lease), (2, 2));
    assert!(matches!(
        finish(store, &job).await,
        Err(Error::LeaseLost { .. })
    ));
    finish(store, &again).await.unwrap();
}

async fn a_failed_job_stays_to_be_seen_and_can_be_revived(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let job = claim_one(store).await;
    let mut tx = store.write().await.unwrap();
    tx.fail(&job, "expired").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(open(store).await, 0);
    let failed = store.failed_jobs(10).await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (
            failed[0].id,
            failed[0].error_code.as_str(),
            failed[0].failed_at
        ),
        (job.id, "expired", START)
    );
    database.clock.advance(LEASE_MS * 2);
    assert!(
        store
            .claim(&["sign"], 10, LEASE_MS)
            .await
            .unwrap()
            .is_empty()
    );

    let mut tx = store.write().await.unwrap();
    tx.revive(&job.id).await.unwrap();
    tx.commit().await.unwrap();
    let again = claim_one(store).await;
    assert_eq!((again.id, again.attempts), (job.id, 1));
    let mut tx = store.write().await.unwrap();
    assert!(matches!(
        tx.revive(&job.id).await,
        Err(Error::Conflict { .. })
    ));
}

async fn a_failed_job_that_was_asked_for_again_runs_again(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let job = claim_one(store).await;
    enqueue(store, "sign", "a", START).await;
    let mut tx = store.write().await.unwrap();
    tx.fail(&job, "expired").await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.failed_jobs(10).await.unwrap().is_empty());
    finish(store, &claim_one(store).await).await.unwrap();
}

async fn a_lease_in_hand_does_not_end_before_it_is_let_go(database: Database) {
    const SHORT_MS: i64 = 600;
    let store = &database.store;
    for key in ["held", "given-back"] {
        enqueue(store, "sign", key, START).await;
    }
    let jobs = store.claim(&["sign"], 10, SHORT_MS).await.unwrap();
    let held = store.hold(&jobs);
    // Given back meanwhile: not ours to extend.
    let later = START + 10 * SHORT_MS;
    let mut tx = store.write().await.unwrap();
    tx.retry(&jobs[1], later, "later").await.unwrap();
    tx.commit().await.unwrap();
    let due = || async { store.next_due(&["sign"]).await.unwrap().unwrap() };
    for _ in 0..3 {
        database.clock.advance(SHORT_MS - 1);
        let until = database.clock.now() + SHORT_MS;
        tokio::time::timeout(Duration::from_secs(10), async {
            while due().await < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the lease is extended");
        let taken = store.claim(&["sign"], 10, SHORT_MS).await.unwrap();
        assert!(taken.is_empty(), "{taken:?}");
    }
    finish(store, &jobs[0]).await.unwrap();
    assert_eq!(due().await, later);
    drop(held);
}

async fn a_lease_that_was_taken_over_is_not_extended(database: Database) {
    let store = &database.store;
    enqueue(store, "sign", "a", START).await;
    let first = store.claim(&["sign"], 1, 600).await.unwrap();
    database.clock.advance(600);
    let second = claim_one(store).await;
    let witness = {
        enqueue(store, "other", "b", START).await;
        store.claim(&["other"], 1, 600).await.unwrap()
    };
    let _held = store.hold(&[&first[..], &witness[..]].concat());
    let extended = database.clock.advance(1) + 1;
    tokio::time::timeout(Duration::from_secs(10), async {
        while store.next_due(&["other"]).await.unwrap() < Some(extended) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the one in hand is extended");
    assert_eq!(
        store.next_due(&["sign"]).await.unwrap(),
        Some(second.leased_until)
    );
}

async fn many_are_finished_at_once_or_none(database: Database) {
    let store = &database.store;
    let mut tx = store.write().await.unwrap();
    for n in 0..150 {
        tx.enqueue("sign", &n.to_string(), &json!({}), START);
    }
    tx.commit().await.unwrap();
    let jobs = store.claim(&["sign"], 200, LEASE_MS).await.unwrap();
    assert_eq!(jobs.len(), 150);
    assert!(jobs.is_sorted_by_key(|job| job.id));
    let mut one_lost = jobs.clone();
    one_lost[77].lease -= 1;
    let mut tx = store.write().await.unwrap();
    assert!(matches!(
        tx.finish_many(&one_lost).await,
        Err(Error::LeaseLost { .. })
    ));
    assert!(matches!(tx.commit().await, Err(Error::Aborted)));
    assert_eq!(open(store).await, 150);

    // One of them was asked for again meanwhile: the others end, that one waits.
    enqueue(store, "sign", "9", START).await;
    let mut tx = store.write().await.unwrap();
    tx.finish_many(&jobs).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim_one(store).await.key, "9");
}

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

async fn hears(wake: &mut kyso_store::Wake) -> bool {
    let heard = tokio::time::timeout(Duration::from_secs(10), wake.wait(LONG));
    heard.await.is_ok()
}

/// Whether it was rung already.
async fn was_rung(wake: &mut kyso_store::Wake) -> bool {
    let rung = tokio::time::timeout(Duration::from_millis(1), wake.wait(LONG));
    rung.await.is_ok()
}

/// Asks at one node until the other hears: the listener may still be connecting, after which it wakes everybody, once.
async fn listens(from: &Store, to: &Store) {
    let mut probe = to.wake(&["probe"]);
    loop {
        enqueue(from, "probe", "a", START).await;
        let heard = tokio::time::timeout(Duration::from_millis(50), probe.wait(LONG));
        if heard.await.is_ok() {
            return;
        }
    }
}

async fn a_commit_wakes_the_worker_here_and_on_the_other_node_of_its_own_kinds_only(
    database: Database,
) {
    let store = &database.store;
    let other = database.another_node().await;
    let is_shared = store.engine() == kyso_store::Engine::Postgres;
    if is_shared {
        listens(&other, store).await;
        listens(store, &other).await;
    }
    let (mut here, mut deaf) = (store.wake(&["sign"]), store.wake(&["deliver"]));
    enqueue(store, "sign", "a", START).await;
    assert!(hears(&mut here).await, "woken at once in this process");
    assert!(!was_rung(&mut deaf).await);
    if !is_shared {
        return;
    }
    let (mut there, mut deaf) = (other.wake(&["sign"]), other.wake(&["deliver"]));
    enqueue(store, "sign", "b", START).await;
    assert!(hears(&mut there).await, "the other node hears");
    assert!(!was_rung(&mut deaf).await, "of its own kinds only");

    // Nobody knows what was missed while nobody listened.
    database
        .tamper("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
        .await;
    assert!(hears(&mut deaf).await, "once it listens again");
}

async fn a_commit_whose_caller_went_away_wakes_the_worker(database: Database) {
    let store = &database.store;
    if store.engine() == kyso_store::Engine::Postgres {
        listens(&database.another_node().await, store).await;
    }
    let mut here = store.wake(&["sign"]);
    let mut tx = store.write().await.unwrap();
    tx.enqueue("sign", "a", &json!({}), START);
    let mut committing = Box::pin(tx.commit());
    tokio::select! {
        biased;
        _ = &mut committing => {}
        () = std::future::ready(()) => {}
    }
    drop(committing);
    assert!(hears(&mut here).await);
    claim_one(store).await;
}

async fn what_another_node_could_not_be_told_it_is_told_later(database: Database) {
    if database.store.engine() != kyso_store::Engine::Postgres {
        return;
    }
    let options = kyso_store::Options {
        clock: database.clock.clone(),
        connections: 2,
        wait_ms: 500,
        ..kyso_store::Options::default()
    };
    let store = Store::open_with(&database.url, options).await.unwrap();
    listens(&store, &database.store).await;
    // Both connections are taken when the ring is due: one before, and one as soon as the commit gives it back.
    let mut there = database.store.wake(&["sign"]);
    let first = store.read().await.unwrap();
    let mut tx = store.write().await.unwrap();
    tx.enqueue("sign", "a", &json!({}), START);
    let mut queued = Box::pin(store.read());
    tokio::select! {
        biased;
        _ = &mut queued => panic!("there is no third connection"),
        () = std::future::ready(()) => {}
    }
    let (committed, second) = tokio::join!(tx.commit(), queued);
    committed.unwrap();
    let second = second.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(700), there.wait(LONG));
    assert!(early.await.is_err(), "nobody could be told");
    drop((first, second));
    assert!(hears(&mut there).await);
}

async fn the_next_due_job_tells_how_long_to_sleep(database: Database) {
    let store = &database.store;
    assert_eq!(store.next_due(&["sign", "deliver"]).await.unwrap(), None);
    enqueue(store, "sign", "a", START + 70).await;
    enqueue(store, "deliver", "b", START + 30).await;
    assert_eq!(
        store.next_due(&["sign", "deliver"]).await.unwrap(),
        Some(START + 30)
    );
    assert_eq!(store.next_due(&["sign"]).await.unwrap(), Some(START + 70));
    database.clock.advance(70);
    claim_one(store).await;
    assert_eq!(
        store.next_due(&["sign"]).await.unwrap(),
        Some(START + 70 + LEASE_MS)
    );
}
