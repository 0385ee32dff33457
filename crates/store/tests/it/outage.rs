//! PostgreSQL killed and started again while we use it.

use kyso_store::testing::{Cluster, skip};
use kyso_store::{Error, MIGRATIONS, Options, Store};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_is_unavailable_and_then_works_again() {
    let Some(mut cluster) = Cluster::start() else {
        return skip("postgres");
    };
    let url = cluster.create_database().await;
    let options = Options {
        wait_ms: 500,
        ..Options::default()
    };
    let store = Store::open_with(&url, options).await.unwrap();
    store.migrate(MIGRATIONS).await.unwrap();
    let kept = {
        let mut tx = store.write().await.unwrap();
        let id = tx.put_blob(b"kept").await.unwrap();
        tx.enqueue("sign", "a", &json!({}), 0);
        tx.commit().await.unwrap();
        id
    };

    // In the middle of a transaction, with several idle connections besides.
    let idle: Vec<_> = futures(&store, 4).await;
    drop(idle);
    let mut open = store.write().await.unwrap();
    let lost = open.put_blob(b"lost").await.unwrap();
    cluster.kill();
    let middle = open.put_blob(b"more").await;
    assert!(
        matches!(middle, Err(Error::Unavailable { .. })),
        "{middle:?}"
    );
    assert!(matches!(open.commit().await, Err(Error::Aborted)));
    let down = store.write().await;
    assert!(matches!(down, Err(Error::Unavailable { .. })), "{down:?}");
    assert!(matches!(
        store.read_blob(&kept).await,
        Err(Error::Unavailable { .. })
    ));

    cluster.restart();
    assert_eq!(store.read_blob(&kept).await.unwrap(), b"kept");
    assert!(matches!(
        store.read_blob(&lost).await,
        Err(Error::BlobMissing { .. })
    ));
    let jobs = store.claim(&["sign"], 10, 1_000).await.unwrap();
    assert_eq!(jobs.len(), 1);
    let mut tx = store.write().await.unwrap();
    tx.finish_many(&jobs).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_restarted_unnoticed_costs_nobody_an_error() {
    let Some(mut cluster) = Cluster::start() else {
        return skip("postgres");
    };
    let url = cluster.create_database().await;
    let store = Store::open(&url).await.unwrap();
    store.migrate(MIGRATIONS).await.unwrap();
    drop(futures(&store, 6).await);
    cluster.kill();
    cluster.restart();
    // Every idle connection is dead; no caller sees one.
    for _ in 0..8 {
        let mut tx = store.write().await.unwrap();
        tx.put_blob(b"bytes").await.unwrap();
        tx.commit().await.unwrap();
        store
            .read_blob(&kyso_store::BlobId::of(b"bytes"))
            .await
            .unwrap();
    }
}

/// Several transactions at once, so that the pool has as many connections.
async fn futures(store: &Store, many: usize) -> Vec<kyso_store::Tx> {
    let mut open = Vec::new();
    for _ in 0..many {
        open.push(store.read().await.unwrap());
    }
    open
}
