//! What a durable commit costs, as ratios to the bare disk. Ignored by default: it measures.
//!
//! `cargo test --release -p kyso-store --test it -- --ignored --nocapture commits`

use std::io::Write as _;
use std::time::{Duration, Instant};

use kyso_store::testing::Cluster;
use kyso_store::{Event, MIGRATIONS, Options, Store};

const FOR: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, for two seconds a line"]
#[allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]
async fn commits_per_second_as_ratios_to_the_bare_disk() {
    // Beside the target folder: a real disk, not memory.
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("commits-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let bare = bare_disk(&folder);
    println!("write + fdatasync          1.00  ({bare:.0}/s here)");
    let url = format!("sqlite://{}", folder.join("kyso.db").display());
    let store = Store::open(&url).await.unwrap();
    measure("SQLite", store, bare).await;
    std::fs::remove_dir_all(&folder).unwrap();

    if let Some(cluster) = Cluster::start() {
        let options = Options {
            connections: 32,
            ..Options::default()
        };
        let store = Store::open_with(&cluster.create_database().await, options)
            .await
            .unwrap();
        measure("PostgreSQL (fsync off)", store, bare).await;
    }
}

#[allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]
fn bare_disk(folder: &std::path::Path) -> f64 {
    let mut file = std::fs::File::create(folder.join("bare")).unwrap();
    let begun = Instant::now();
    let mut count = 0u32;
    while begun.elapsed() < FOR {
        file.write_all(&[7; 512]).unwrap();
        file.sync_data().unwrap();
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

#[allow(clippy::disallowed_methods, reason = "a measurement needs a stopwatch")]
async fn measure(name: &str, store: Store, bare: f64) {
    store.migrate(MIGRATIONS).await.unwrap();
    for (writers, rows) in [(1usize, 1usize), (1, 8), (1, 64), (8, 1), (32, 1), (32, 8)] {
        let begun = Instant::now();
        let tasks: Vec<_> = (0..writers)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut count = 0u32;
                    while begun.elapsed() < FOR {
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
        let rate = f64::from(count) / begun.elapsed().as_secs_f64();
        println!(
            "{name}: {writers:>2} writers, {rows:>2} rows a commit: {:.2} commits ({rate:.0}/s, {:.0} rows/s)",
            rate / bare,
            rate * rows as f64
        );
    }
}
