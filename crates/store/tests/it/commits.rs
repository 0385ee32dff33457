//! What a durable commit costs on SQLite, as ratios to the bare disk. Ignored by default: it measures.
//!
//! `cargo test -p kyso-store --test it -- --ignored --nocapture commits_per`

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use kyso_store::{Event, MIGRATIONS, Store};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, for some seconds a line"]
async fn commits_per_second_as_ratios_to_the_bare_disk() {
    // Beside the target folder: a real disk, not memory.
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("commits-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let store = Store::open(&format!("sqlite://{}", folder.join("kyso.db").display()))
        .await
        .unwrap();
    store.migrate(MIGRATIONS).await.unwrap();
    for (writers, rows) in [(1, 1), (1, 8), (1, 64), (8, 1), (32, 1), (32, 8)] {
        // Alternating, because a shared disk changes its mind; the median, because it does so suddenly.
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let bare = bare_disk(&folder);
            ratios.push(commits(&store, writers, rows).await / bare);
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ROUNDS / 2];
        println!(
            "{writers:>2} writers, {rows:>2} rows a commit: {ratio:.2} commits, {:.1} rows per write + fdatasync",
            ratio * rows as f64
        );
    }
    store.close().await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Raw appends of half a kilobyte, each waited for; per second.
#[allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]
fn bare_disk(folder: &Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("bare")).unwrap();
    let begun = Instant::now();
    let mut count = 0u32;
    while begun.elapsed() < ROUND {
        file.write_all(&[7; 512]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

/// Commits of so many ledger entries by so many writers; per second.
#[allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]
async fn commits(store: &Store, writers: usize, rows: usize) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut count = 0u32;
                while begun.elapsed() < ROUND {
                    let mut tx = store.write().await.unwrap();
                    for _ in 0..rows {
                        tx.record(Event {
                            kind: "a.b.c",
                            subject: "req_1",
                            actor: "system",
                            detail: Default::default(),
                        });
                    }
                    tx.commit().await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
