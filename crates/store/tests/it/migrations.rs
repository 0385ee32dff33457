//! Migrations: each once, all or nothing, never on a database that is ahead.

use kyso_store::testing::Database;
use kyso_store::{Error, MIGRATIONS, Migration};

crate::on_both![
    migrating_twice_does_nothing_the_second_time,
    nodes_that_start_together_migrate_once,
    a_database_ahead_of_the_binary_is_refused,
    an_edited_migration_is_refused,
    a_migration_that_fails_leaves_nothing_of_its_run,
    a_migration_of_an_earlier_id_is_applied_late,
    a_list_out_of_order_is_refused,
];

fn with(more: &[Migration]) -> Vec<Migration> {
    let mut all = MIGRATIONS.to_vec();
    all.extend_from_slice(more);
    all.sort_by_key(|migration| migration.id);
    all
}

const LATER: Migration = Migration {
    id: 30000101000000,
    name: "create_later",
    sql: "-- For the tests.\nCREATE TABLE later (id TEXT PRIMARY KEY);",
};
const EARLIER: Migration = Migration {
    id: 20000101000000,
    name: "create_earlier",
    sql: "-- For the tests.\nCREATE TABLE earlier (id TEXT);",
};
const READ_LATER: &str = "-- later.read
SELECT id FROM later";

async fn migrating_twice_does_nothing_the_second_time(database: Database) {
    assert_eq!(database.store.migrate(MIGRATIONS).await.unwrap(), 0);
    assert_eq!(database.store.migrate(&with(&[LATER])).await.unwrap(), 1);
    assert_eq!(database.store.migrate(&with(&[LATER])).await.unwrap(), 0);
}

async fn nodes_that_start_together_migrate_once(database: Database) {
    database
        .tamper("DROP TABLE schema_migration; DROP TABLE blob;")
        .await;
    let only = MIGRATIONS
        .iter()
        .copied()
        .filter(|migration| migration.name == "create_blob")
        .collect::<Vec<_>>();
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let (url, only) = (database.url.clone(), only.clone());
            tokio::spawn(async move { kyso_store::Store::open(&url).await?.migrate(&only).await })
        })
        .collect();
    let mut applied = 0;
    for node in nodes {
        applied += node.await.unwrap().unwrap();
    }
    assert_eq!(applied, 1);
}

async fn a_database_ahead_of_the_binary_is_refused(database: Database) {
    database.store.migrate(&with(&[LATER])).await.unwrap();
    match database.store.migrate(MIGRATIONS).await {
        Err(Error::DatabaseNewer { id, name }) => {
            assert_eq!((id, name.as_str()), (LATER.id, "create_later"))
        }
        other => panic!("{other:?}"),
    }
}

async fn an_edited_migration_is_refused(database: Database) {
    database.store.migrate(&with(&[LATER])).await.unwrap();
    let edited = Migration {
        sql: "-- For the tests.\nCREATE TABLE later (id TEXT NOT NULL);",
        ..LATER
    };
    match database.store.migrate(&with(&[edited])).await {
        Err(Error::MigrationEdited { id, .. }) => assert_eq!(id, LATER.id),
        other => panic!("{other:?}"),
    }
}

async fn a_migration_that_fails_leaves_nothing_of_its_run(database: Database) {
    let wrong = Migration {
        id: 30000102000000,
        name: "create_wrong",
        sql: "-- For the tests.\nCREATE TABLE wrong (id NONSENSE(;",
    };
    match database.store.migrate(&with(&[LATER, wrong])).await {
        Err(Error::MigrationFailed { id, .. }) => assert_eq!(id, wrong.id),
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        database.store.all(READ_LATER, &[]).await,
        Err(Error::Statement {
            statement: "later.read",
            ..
        })
    ));
    assert_eq!(database.store.migrate(&with(&[LATER])).await.unwrap(), 1);
    assert!(
        database
            .store
            .all(READ_LATER, &[])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn a_migration_of_an_earlier_id_is_applied_late(database: Database) {
    // Two areas work side by side; the one that finishes second may have the smaller number.
    assert_eq!(database.store.migrate(&with(&[EARLIER])).await.unwrap(), 1);
}

async fn a_list_out_of_order_is_refused(database: Database) {
    for list in [[LATER, EARLIER], [LATER, LATER]] {
        assert!(matches!(
            database.store.migrate(&list).await,
            Err(Error::MigrationList { .. })
        ));
    }
}
