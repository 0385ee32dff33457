//! Reading, writing, guarded changes, and what errors mean.

use kyso_store::testing::Database;
use kyso_store::{Error, Migration, Rule, Value};

crate::on_both![
    every_type_comes_back_as_it_went_in,
    a_null_fits_every_column,
    a_change_that_meets_other_rows_than_expected_is_a_conflict,
    of_many_that_approve_at_once_one_wins,
    what_the_schema_refuses_is_named_alike,
    after_an_error_a_transaction_can_only_be_dropped,
    a_dropped_transaction_never_happened,
    a_caller_that_goes_away_leaves_nothing_open,
    a_reading_transaction_sees_one_snapshot_and_refuses_writes,
    a_transaction_has_one_instant,
    many_rows_are_written_by_one_helper,
    a_missing_argument_is_refused,
    a_row_says_what_it_does_not_hold,
    writers_that_fail_do_not_take_others_with_them,
    a_closed_store_is_unavailable,
];

const SCHEMA: &[Migration] = &[Migration {
    id: 20200101000000,
    name: "create_thing",
    sql: "-- For the tests.
CREATE TABLE thing (
    id    TEXT   NOT NULL PRIMARY KEY,
    state TEXT   NOT NULL,
    count BIGINT,
    bytes BYTEA,
    yes   BOOLEAN,
    code  TEXT UNIQUE,
    CONSTRAINT thing_state CHECK (state IN ('pending', 'approved', 'refused'))
);
CREATE TABLE part (
    thing TEXT NOT NULL REFERENCES thing (id),
    name  TEXT NOT NULL,
    PRIMARY KEY (thing, name)
);
CREATE UNIQUE INDEX thing_pending_count ON thing (count) WHERE state = 'pending';",
}];

const INSERT: &str = "-- thing.insert
INSERT INTO thing (id, state, count, bytes, yes, code) VALUES ($1, $2, $3, $4, $5, $6)";
const READ: &str = "-- thing.read
SELECT id, state, count, bytes, yes, code FROM thing WHERE id = $1";
const APPROVE: &str = "-- thing.approve
UPDATE thing SET state = 'approved' WHERE id = $1 AND state = 'pending'";
const APPROVE_ALL: &str = "-- thing.approve_all
UPDATE thing SET state = 'approved'";
const COUNT: &str = "-- thing.count
SELECT COUNT(id) AS things FROM thing";
const INSERT_PART: &str = "-- part.insert
INSERT INTO part (thing, name) VALUES ($1, $2)";

async fn with_things(database: &Database) {
    // A schema of the tests' own beside ours, through the same runner: our list plus one.
    let mut all = SCHEMA.to_vec();
    all.extend_from_slice(kyso_store::MIGRATIONS);
    database.store.migrate(&all).await.unwrap();
}

fn thing(id: &str, count: Option<i64>) -> Vec<Value> {
    vec![
        id.into(),
        "pending".into(),
        count.into(),
        Value::Null,
        Value::Null,
        Value::Null,
    ]
}

async fn count(database: &Database) -> i64 {
    database
        .store
        .one(COUNT, &[])
        .await
        .unwrap()
        .int("things")
        .unwrap()
}

async fn every_type_comes_back_as_it_went_in(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    let bytes = vec![0u8, 255, 10, 0];
    let args = [
        "Nguyễn Thị Hương 🖊".into(),
        "pending".into(),
        i64::MIN.into(),
        (&bytes).into(),
        true.into(),
        "".into(),
    ];
    tx.execute(INSERT, &args).await.unwrap();
    let seen = tx.one(READ, &args[..1]).await.unwrap();
    tx.commit().await.unwrap();
    let later = database.store.one(READ, &args[..1]).await.unwrap();
    for row in [seen, later] {
        assert_eq!(row.text("id").unwrap(), "Nguyễn Thị Hương 🖊");
        assert_eq!(row.int("count").unwrap(), i64::MIN);
        assert_eq!(row.bytes("bytes").unwrap(), bytes);
        assert!(row.bool("yes").unwrap());
        assert_eq!(row.opt_text("code").unwrap().as_deref(), Some(""));
    }
}

async fn a_null_fits_every_column(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    // First NULL, then a value, with the same prepared statement; and the other way round.
    tx.execute(INSERT, &thing("a", None)).await.unwrap();
    let full = [
        "b".into(),
        "pending".into(),
        7.into(),
        vec![1u8].into(),
        false.into(),
        "x".into(),
    ];
    tx.execute(INSERT, &full).await.unwrap();
    tx.execute(INSERT, &thing("c", None)).await.unwrap();
    let row = tx.one(READ, &["c".into()]).await.unwrap();
    assert_eq!(row.opt_int("count").unwrap(), None);
    assert_eq!(row.opt_bytes("bytes").unwrap(), None);
    assert_eq!(row.opt_bool("yes").unwrap(), None);
    assert_eq!(row.opt_text("code").unwrap(), None);
    assert!(
        !tx.one(READ, &["b".into()])
            .await
            .unwrap()
            .bool("yes")
            .unwrap()
    );
}

async fn a_change_that_meets_other_rows_than_expected_is_a_conflict(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    tx.execute_many(INSERT, &[thing("a", Some(1)), thing("b", Some(2))])
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut tx = database.store.write().await.unwrap();
    tx.change("thing", 1, APPROVE, &["a".into()]).await.unwrap();
    let again = tx.change("thing", 1, APPROVE, &["a".into()]).await;
    assert!(
        matches!(
            again,
            Err(Error::Conflict {
                table: "thing",
                expected: 1,
                changed: 0
            })
        ),
        "{again:?}"
    );
    // Nothing was changed, so the caller may look why, and keep the rest.
    assert_eq!(
        tx.one(READ, &["a".into()])
            .await
            .unwrap()
            .text("state")
            .unwrap(),
        "approved"
    );
    tx.commit().await.unwrap();

    let mut tx = database.store.write().await.unwrap();
    let too_many = tx.change("thing", 1, APPROVE_ALL, &[]).await;
    assert!(
        matches!(
            too_many,
            Err(Error::Conflict {
                expected: 1,
                changed: 2,
                ..
            })
        ),
        "{too_many:?}"
    );
    assert!(matches!(tx.commit().await, Err(Error::Aborted)));
    let row = database.store.one(READ, &["b".into()]).await.unwrap();
    assert_eq!(row.text("state").unwrap(), "pending");
}

async fn of_many_that_approve_at_once_one_wins(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    let things: Vec<_> = (0..20).map(|n| thing(&n.to_string(), None)).collect();
    tx.execute_many(INSERT, &things).await.unwrap();
    tx.commit().await.unwrap();
    let other = database.another_node().await;
    let tasks: Vec<_> = (0..160)
        .map(|n| {
            let store = if n % 2 == 0 {
                database.store.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                let mut tx = store.write().await?;
                tx.change("thing", 1, APPROVE, &[(n % 20).to_string().into()])
                    .await?;
                tx.commit().await
            })
        })
        .collect();
    let (mut won, mut lost) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => won += 1,
            Err(Error::Conflict { .. }) => lost += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((won, lost), (20, 140));
}

async fn what_the_schema_refuses_is_named_alike(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    let mut first = thing("a", Some(1));
    first[5] = "code".into();
    tx.execute(INSERT, &first).await.unwrap();
    tx.execute(INSERT_PART, &["a".into(), "x".into()])
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let mut same_code = thing("b", Some(2));
    same_code[5] = "code".into();
    let mut bad_state = thing("c", Some(3));
    bad_state[1] = "nonsense".into();
    let mut no_state = thing("d", Some(4));
    no_state[1] = Value::Null;
    let cases: [(&'static str, Vec<Value>, Rule, &str); 7] = [
        (INSERT, thing("a", Some(9)), Rule::Unique, "thing_pkey"),
        (
            INSERT,
            thing("e", Some(1)),
            Rule::Unique,
            "thing_pending_count",
        ),
        (INSERT, same_code, Rule::Unique, "thing_code_key"),
        (
            INSERT_PART,
            vec!["a".into(), "x".into()],
            Rule::Unique,
            "part_pkey",
        ),
        (INSERT, bad_state, Rule::Check, "thing_state"),
        (INSERT, no_state, Rule::NotNull, "thing.state"),
        (
            INSERT_PART,
            vec!["nobody".into(), "x".into()],
            Rule::ForeignKey,
            "foreign_key",
        ),
    ];
    for (sql, args, wanted, named) in cases {
        let mut tx = database.store.write().await.unwrap();
        match tx.execute(sql, &args).await {
            Err(Error::Constraint { rule, name, .. }) => {
                assert_eq!((rule, name.as_str()), (wanted, named))
            }
            other => panic!("{named}: {other:?}"),
        }
    }
}

async fn after_an_error_a_transaction_can_only_be_dropped(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    tx.execute(INSERT, &thing("a", None)).await.unwrap();
    assert!(matches!(
        tx.execute(INSERT, &thing("a", None)).await,
        Err(Error::Constraint { .. })
    ));
    assert!(matches!(
        tx.one(READ, &["a".into()]).await,
        Err(Error::Aborted)
    ));
    assert!(matches!(tx.commit().await, Err(Error::Aborted)));
    assert_eq!(count(&database).await, 0);
}

async fn a_dropped_transaction_never_happened(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    tx.execute(INSERT, &thing("a", None)).await.unwrap();
    tx.put_blob(b"bytes").await.unwrap();
    tx.enqueue("sign", "a", &serde_json::json!({}), 0);
    drop(tx);
    assert_eq!(count(&database).await, 0);
    assert!(database.store.open_jobs().await.unwrap().is_empty());
    let mut tx = database.store.write().await.unwrap();
    tx.execute(INSERT, &thing("a", None)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&database).await, 1);
}

async fn a_caller_that_goes_away_leaves_nothing_open(database: Database) {
    with_things(&database).await;
    // Cut off at every await in turn: each poll of the future is one step further.
    for steps in 0..40 {
        let store = database.store.clone();
        let id = format!("cut-{steps}");
        let mut work = Box::pin(async move {
            let mut tx = store.write().await?;
            tx.execute(INSERT, &thing(&id, None)).await?;
            tx.commit().await
        });
        for _ in 0..steps {
            let once = tokio::time::timeout(std::time::Duration::from_micros(50), &mut work).await;
            if once.is_ok() {
                break;
            }
        }
        drop(work);
        let mut tx = database.store.write().await.unwrap();
        tx.execute(INSERT, &thing(&format!("after-{steps}"), None))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    assert!(count(&database).await >= 40);
}

async fn a_reading_transaction_sees_one_snapshot_and_refuses_writes(database: Database) {
    with_things(&database).await;
    let mut reading = database.store.read().await.unwrap();
    assert_eq!(
        reading
            .one(COUNT, &[])
            .await
            .unwrap()
            .int("things")
            .unwrap(),
        0
    );
    let mut tx = database.store.write().await.unwrap();
    tx.execute(INSERT, &thing("a", None)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        reading
            .one(COUNT, &[])
            .await
            .unwrap()
            .int("things")
            .unwrap(),
        0
    );
    assert_eq!(count(&database).await, 1);
    assert!(matches!(
        reading.execute(INSERT, &thing("b", None)).await,
        Err(Error::ReadOnly {
            statement: "thing.insert"
        })
    ));
    let hidden = "-- thing.hidden
UPDATE thing SET state = 'refused' RETURNING id";
    assert!(matches!(
        reading.all(hidden, &[]).await,
        Err(Error::ReadOnly {
            statement: "thing.hidden"
        })
    ));
    drop(reading);
    assert!(matches!(
        database.store.all(hidden, &[]).await,
        Ok(_) | Err(Error::ReadOnly { .. })
    ));
}

async fn a_transaction_has_one_instant(database: Database) {
    let tx = database.store.write().await.unwrap();
    let now = tx.now();
    assert_eq!(now, kyso_store::testing::START);
    database.clock.advance(1_000);
    assert_eq!(tx.now(), now);
    assert_eq!(database.store.now(), now + 1_000);
}

async fn many_rows_are_written_by_one_helper(database: Database) {
    with_things(&database).await;
    for many in [0usize, 1, 2, 3, 127, 128, 129, 300] {
        let mut tx = database.store.write().await.unwrap();
        let rows: Vec<_> = (0..many)
            .map(|n| thing(&format!("{many}-{n}"), None))
            .collect();
        assert_eq!(tx.execute_many(INSERT, &rows).await.unwrap(), many as u64);
        tx.commit().await.unwrap();
        let last = format!("{many}-{}", many.saturating_sub(1));
        assert_eq!(
            database
                .store
                .optional(READ, &[last.into()])
                .await
                .unwrap()
                .is_some(),
            many > 0
        );
    }
}

async fn a_missing_argument_is_refused(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    assert!(matches!(
        tx.execute(INSERT, &["a".into()]).await,
        Err(Error::Statement {
            statement: "thing.insert",
            ..
        })
    ));
    assert!(matches!(
        tx.optional(READ, &[]).await,
        Err(Error::Statement {
            statement: "thing.read",
            ..
        })
    ));
    assert!(matches!(
        database.store.all(READ, &[]).await,
        Err(Error::Statement { .. })
    ));
}

async fn a_row_says_what_it_does_not_hold(database: Database) {
    with_things(&database).await;
    let mut tx = database.store.write().await.unwrap();
    tx.execute(INSERT, &thing("a", Some(5))).await.unwrap();
    let row = tx.one(READ, &["a".into()]).await.unwrap();
    let refused = |result: Result<String, Error>| match result {
        Err(Error::Column {
            column,
            expected,
            found,
        }) => (column, expected, found),
        other => panic!("{other:?}"),
    };
    let case =
        |column: &str, expected, found: &str| (column.to_owned(), expected, found.to_owned());
    assert_eq!(refused(row.text("count")), case("count", "text", "int"));
    assert_eq!(refused(row.text("code")), case("code", "text", "null"));
    assert_eq!(
        refused(row.text("colour")),
        case("colour", "a value", "no such column")
    );
    assert_eq!(
        refused(row.bool("count").map(|_| String::new())),
        case("count", "bool", "int")
    );
    assert!(matches!(
        tx.one(READ, &["b".into()]).await,
        Err(Error::NotFound {
            statement: "thing.read"
        })
    ));
    tx.commit().await.unwrap();
}

async fn writers_that_fail_do_not_take_others_with_them(database: Database) {
    with_things(&database).await;
    // Side by side: good ones, ones that break a rule, ones that change their mind. On SQLite they share commits.
    let tasks: Vec<_> = (0..120)
        .map(|n| {
            let store = database.store.clone();
            tokio::spawn(async move {
                let mut tx = store.write().await.unwrap();
                tx.execute(INSERT, &thing(&format!("t{n}"), None))
                    .await
                    .unwrap();
                match n % 3 {
                    0 => tx.commit().await.is_ok(),
                    1 => {
                        let broken = tx.execute(INSERT, &thing(&format!("t{n}"), None)).await;
                        assert!(
                            matches!(broken, Err(Error::Constraint { .. })),
                            "{broken:?}"
                        );
                        tx.commit().await.is_ok()
                    }
                    _ => {
                        drop(tx);
                        false
                    }
                }
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), n % 3 == 0, "{n}");
    }
    assert_eq!(count(&database).await, 40);
}

async fn a_closed_store_is_unavailable(database: Database) {
    database.store.close().await;
    assert!(matches!(
        database.store.write().await,
        Err(Error::Unavailable { .. })
    ));
    assert!(matches!(
        database.store.read().await,
        Err(Error::Unavailable { .. })
    ));
}

#[tokio::test]
async fn a_database_in_memory_is_gone_with_its_last_handle() {
    let store = kyso_store::Store::open("sqlite::memory:").await.unwrap();
    store.migrate(kyso_store::MIGRATIONS).await.unwrap();
    let clone = store.clone();
    drop(store);
    let mut tx = clone.write().await.unwrap();
    let id = tx.put_blob(b"bytes").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(clone.read_blob(&id).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn a_url_of_no_known_database_is_refused_without_repeating_it() {
    for url in [
        "mysql://root:secret@host/db",
        "sqlite:",
        "sqlite://file?mode=secret",
        "postgres://kyso:secret@host:port/db",
    ] {
        let error = kyso_store::Store::open(url).await.unwrap_err();
        assert!(matches!(error, Error::Url { .. }), "{url}: {error:?}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn the_database_file_is_for_its_owner_only() {
    use std::os::unix::fs::MetadataExt as _;
    let database = Database::sqlite().await;
    for file in ["kyso.db", "kyso.db-wal", "kyso.db-shm"] {
        let mode = std::fs::metadata(database.folder.path().join(file))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
