//! Moving from one database to another.

use kyso_store::ledger::{self, NoteKey};
use kyso_store::testing::Database;
use kyso_store::{Error, Event, Store};
use serde_json::json;

const CREATE: &str = "
CREATE TABLE copied (id TEXT NOT NULL PRIMARY KEY, yes BOOLEAN, bytes BYTEA, count BIGINT);
CREATE TABLE a_part (place BIGINT NOT NULL, of TEXT NOT NULL REFERENCES copied (id), PRIMARY KEY (of, place));
";

fn key() -> NoteKey {
    NoteKey {
        name: "ledger.example.org".to_owned(),
        algorithm: vec![0xff],
        public_key: b"public".to_vec(),
    }
}

async fn seal(store: &Store) {
    ledger::seal(store, &key(), |_| async {
        Ok::<_, Error>(b"signed".to_vec())
    })
    .await
    .unwrap();
}

/// Rows in every table of ours, more than one portion of some, and in two tables only this test knows.
async fn filled(database: &Database) -> kyso_store::BlobId {
    database.tamper(CREATE).await;
    let mut tx = database.store.write().await.unwrap();
    for n in 0..300 {
        let detail = json!({"n": n}).as_object().unwrap().clone();
        tx.record(Event {
            kind: "a.b.c",
            subject: "thing",
            actor: "system",
            detail,
        });
        tx.enqueue("sign", &n.to_string(), &json!({}), 0);
    }
    let blob = tx.put_blob(&[0, 1, 255]).await.unwrap();
    tx.commit().await.unwrap();
    seal(&database.store).await;
    let mut insert = String::new();
    for n in 0..130 {
        insert += &format!(
            "INSERT INTO copied VALUES ('{n}', {}, NULL, {n});",
            ["TRUE", "FALSE", "NULL"][n % 3]
        );
        insert +=
            &format!("INSERT INTO a_part VALUES (1, '{n}'); INSERT INTO a_part VALUES (2, '{n}');");
    }
    database.tamper(&insert).await;
    blob
}

async fn check(from: &Database, to: &Database) {
    let blob = filled(from).await;
    to.tamper(CREATE).await;
    let mut heard = Vec::new();
    let rows = from
        .store
        .copy_to(&to.store, |table, rows| {
            heard.push((table.to_owned(), rows))
        })
        .await
        .unwrap();
    assert_eq!(rows, 300 + 300 + 1 + 1 + 130 + 260);
    assert!(
        heard.contains(&("job".to_owned(), 128)) && heard.contains(&("job".to_owned(), 300)),
        "{heard:?}"
    );

    assert_eq!(to.store.read_blob(&blob).await.unwrap(), [0, 1, 255]);
    let report = ledger::verify(
        &to.store,
        &key(),
        |_, signature| signature == b"signed",
        None,
    )
    .await
    .unwrap();
    assert_eq!(
        (report.sealed, report.checkpoints, report.broken),
        (300, 1, None)
    );
    assert_eq!(
        to.store.claim(&["sign"], 1_000, 1_000).await.unwrap().len(),
        300
    );
    const YES: &str = "-- copied.yes
SELECT COUNT(id) AS yes FROM copied WHERE yes = TRUE";
    assert_eq!(
        to.store.one(YES, &[]).await.unwrap().int("yes").unwrap(),
        44
    );

    let again = from.store.copy_to(&to.store, |_, _| {}).await;
    assert!(matches!(again, Err(Error::Copy { .. })), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_from_sqlite_to_postgres_and_back() {
    let Some(postgres) = Database::postgres().await else {
        return;
    };
    check(&Database::sqlite().await, &postgres).await;
    // What arrived goes back: `check` fills a database of its own, so copy to a third.
    let back = Database::sqlite().await;
    back.tamper(CREATE).await;
    postgres
        .store
        .copy_to(&back.store, |_, _| {})
        .await
        .unwrap();
    let report = ledger::verify(
        &back.store,
        &key(),
        |_, signature| signature == b"signed",
        None,
    )
    .await
    .unwrap();
    assert_eq!((report.sealed, report.broken), (300, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_moves_from_sqlite_to_sqlite() {
    check(&Database::sqlite().await, &Database::sqlite().await).await;
}

#[tokio::test]
async fn a_target_with_other_tables_is_refused_and_left_as_it_was() {
    let (from, to) = (Database::sqlite().await, Database::sqlite().await);
    let blob = filled(&from).await;
    let refused = from.store.copy_to(&to.store, |_, _| {}).await;
    assert!(matches!(refused, Err(Error::Copy { .. })), "{refused:?}");
    assert!(matches!(
        to.store.read_blob(&blob).await,
        Err(Error::BlobMissing { .. })
    ));
}
