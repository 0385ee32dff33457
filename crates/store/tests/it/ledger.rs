//! The ledger: sealed in one order, and every kind of tampering named.

use std::path::Path;

use kyso_store::ledger::{self, Broken, How, NoteKey, Report};
use kyso_store::testing::{Database, START};
use kyso_store::{Clock, Error, Event, Options, Store};
use serde_json::json;

crate::on_both![
    entries_are_sealed_in_order_and_verified_with_the_public_key,
    an_entry_is_written_with_its_change_or_not_at_all,
    nothing_new_makes_no_checkpoint,
    the_lag_is_what_no_checkpoint_covers,
    many_entries_are_sealed_in_portions,
    two_nodes_that_seal_at_once_make_one_chain,
    a_crash_between_chaining_and_signing_is_made_good,
    killed_while_sealing_the_next_process_seals_what_was_recorded,
    an_edited_entry_is_named,
    every_column_of_an_entry_is_covered,
    a_deleted_entry_is_named,
    an_entry_deleted_and_the_gap_closed_is_named,
    an_inserted_entry_is_named,
    exchanged_entries_are_named,
    exchanged_contents_are_named,
    a_ledger_cut_off_is_measured_by_the_checkpoint_inside,
    a_ledger_cut_off_with_its_checkpoints_is_measured_by_the_one_outside,
    a_ledger_computed_anew_disagrees_with_the_checkpoint,
    a_forged_checkpoint_is_named,
    an_old_database_is_refused_at_start_and_never_sealed,
    another_history_is_refused_at_start,
    a_signing_failure_leaves_a_chain_that_is_signed_later,
    the_tail_of_a_subject_is_newest_first,
    a_line_is_led_to_the_first_checkpoint_that_covers_it,
    after_an_outage_of_the_key_no_line_is_far_from_its_checkpoint,
];

fn key() -> NoteKey {
    NoteKey {
        name: "ledger.example.org".to_owned(),
        algorithm: vec![0xff, b't'],
        public_key: b"public".to_vec(),
    }
}

/// Stands for a signature: the store does not know algorithms, only bytes.
fn signature(text: &[u8]) -> Vec<u8> {
    [
        b"signed:".as_slice(),
        &kyso_store::BlobId::of(text).digest()[..],
    ]
    .concat()
}

fn valid(text: &[u8], bytes: &[u8]) -> bool {
    bytes == signature(text)
}

async fn seal(store: &Store) -> Result<ledger::Sealed, Error> {
    ledger::seal(store, &key(), |text| async move {
        Ok::<_, std::io::Error>(signature(&text))
    })
    .await
}

async fn record(store: &Store, numbers: std::ops::Range<u32>) {
    let mut tx = store.write().await.unwrap();
    for number in numbers {
        let detail = json!({"number": number}).as_object().unwrap().clone();
        tx.record(Event {
            kind: "test.thing.happened",
            subject: "thing",
            actor: "system",
            detail,
        });
    }
    tx.commit().await.unwrap();
}

async fn verify(store: &Store, published: Option<&str>) -> Report {
    ledger::verify(store, &key(), valid, published)
        .await
        .unwrap()
}

/// Ten entries, with checkpoints after four and after ten.
async fn ten(database: &Database) {
    record(&database.store, 0..4).await;
    seal(&database.store).await.unwrap();
    record(&database.store, 4..10).await;
    seal(&database.store).await.unwrap();
    let report = verify(&database.store, None).await;
    assert_eq!(
        report,
        Report {
            sealed: 10,
            unsealed: 0,
            checkpoints: 2,
            broken: None
        }
    );
}

async fn broken_after(database: &Database, sql: &str) -> Broken {
    database.tamper(sql).await;
    verify(&database.store, None)
        .await
        .broken
        .expect("the tampering is seen")
}

async fn entries_are_sealed_in_order_and_verified_with_the_public_key(database: Database) {
    let store = &database.store;
    assert_eq!(
        verify(store, None).await,
        Report {
            sealed: 0,
            unsealed: 0,
            checkpoints: 0,
            broken: None
        }
    );
    record(store, 0..3).await;
    assert_eq!(verify(store, None).await.unsealed, 3);
    let sealed = seal(store).await.unwrap();
    assert_eq!(sealed.entries, 3);
    let checkpoint = sealed.checkpoint.unwrap();
    assert_eq!(checkpoint.size, 3);
    assert!(checkpoint.note.starts_with("ledger.example.org\n3\n"));
    let published = ledger::published(store).unwrap().unwrap();
    assert_eq!(published, checkpoint.note);
    let report = verify(store, Some(&published)).await;
    assert_eq!(
        report,
        Report {
            sealed: 3,
            unsealed: 0,
            checkpoints: 1,
            broken: None
        }
    );

    let stranger = NoteKey {
        public_key: b"other".to_vec(),
        ..key()
    };
    assert!(matches!(
        ledger::verify(store, &stranger, valid, Some(&published)).await,
        Err(Error::Note { .. })
    ));
    let report = ledger::verify(store, &stranger, valid, None).await.unwrap();
    assert_eq!(
        report.broken.unwrap().how,
        How::CheckpointForged { checkpoint: 3 }
    );
}

async fn an_entry_is_written_with_its_change_or_not_at_all(database: Database) {
    let mut tx = database.store.write().await.unwrap();
    tx.record(Event {
        kind: "test.thing.happened",
        subject: "thing",
        actor: "system",
        detail: Default::default(),
    });
    drop(tx);
    record(&database.store, 7..8).await;
    let entries = ledger::tail(&database.store, "thing", None, 10)
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].detail["number"], 7);
}

async fn nothing_new_makes_no_checkpoint(database: Database) {
    assert_eq!(seal(&database.store).await.unwrap().checkpoint, None);
    record(&database.store, 0..1).await;
    assert!(seal(&database.store).await.unwrap().checkpoint.is_some());
    let again = seal(&database.store).await.unwrap();
    assert_eq!((again.entries, again.checkpoint), (0, None));
}

async fn many_entries_are_sealed_in_portions(database: Database) {
    record(&database.store, 0..2_600).await;
    assert_eq!(seal(&database.store).await.unwrap().entries, 2_600);
    assert_eq!(verify(&database.store, None).await.sealed, 2_600);
    let broken = broken_after(&database, "DELETE FROM ledger_entry WHERE position = 2100").await;
    assert_eq!((broken.position, broken.how), (2_100, How::Deleted));
}

async fn two_nodes_that_seal_at_once_make_one_chain(database: Database) {
    let other = database.another_node().await;
    for round in 0..10u32 {
        record(&database.store, round * 20..round * 20 + 10).await;
        record(&other, round * 20 + 10..round * 20 + 20).await;
        let (one, two) = tokio::join!(seal(&database.store), seal(&other));
        one.unwrap();
        two.unwrap();
    }
    seal(&database.store).await.unwrap();
    let report = verify(&database.store, None).await;
    assert_eq!(
        (report.sealed, report.unsealed, report.broken),
        (200, 0, None)
    );
}

async fn a_crash_between_chaining_and_signing_is_made_good(database: Database) {
    record(&database.store, 0..3).await;
    let key = key();
    let dies = ledger::seal(&database.store, &key, |_| {
        std::future::pending::<Result<Vec<u8>, std::io::Error>>()
    });
    let cut_off = tokio::time::timeout(std::time::Duration::from_millis(300), dies).await;
    assert!(cut_off.is_err());
    assert_eq!(verify(&database.store, None).await.checkpoints, 0);
    let sealed = seal(&database.store).await.unwrap();
    assert_eq!((sealed.entries, sealed.checkpoint.unwrap().size), (0, 3));
}

async fn the_lag_is_what_no_checkpoint_covers(database: Database) {
    let store = &database.store;
    let lag = async || {
        let lag = ledger::lag(store).await.unwrap();
        (lag.entries, lag.oldest_ms)
    };
    assert_eq!(lag().await, (0, 0));
    record(store, 0..2).await;
    database.clock.advance(5_000);
    record(store, 2..3).await;
    assert_eq!(lag().await, (3, 5_000));
    // In the chain, and not signed.
    let key = key();
    let unsigned = ledger::seal(store, &key, |_| async {
        Err(std::io::Error::other("away"))
    });
    assert!(unsigned.await.is_err());
    assert_eq!(lag().await, (3, 5_000));
    seal(store).await.unwrap();
    assert_eq!(lag().await, (0, 0));
}

/// The body of the second process: it seals, until somebody kills it.
#[tokio::test]
#[ignore = "started by the test below, in a process of its own"]
async fn child_seals() {
    let Ok(url) = std::env::var("CHILD_DATABASE") else {
        return;
    };
    let options = Options {
        clock: Clock::fixed(START),
        published: std::env::var_os("CHILD_PUBLISHED").map(Into::into),
        ..Options::default()
    };
    let store = Store::open_with(&url, options).await.unwrap();
    seal(&store).await.unwrap();
}

async fn killed_while_sealing_the_next_process_seals_what_was_recorded(database: Database) {
    let published = database.folder.path().join("published");
    for (round, place) in ["store.ledger.chained", "store.ledger.signed"]
        .into_iter()
        .enumerate()
    {
        let from = round as u32 * 3;
        record(&database.store, from..from + 3).await;
        let before = ledger::published(&database.store).unwrap();
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child
            .args(["--ignored", "--exact", "ledger::child_seals"])
            .env("CHILD_DATABASE", &database.url)
            .env("CHILD_PUBLISHED", &published)
            .env("KYSO_FAILPOINT", format!("{place}:abort"))
            .env("KYSO_FAILPOINTS_ALLOWED", "yes");
        let output = child.output().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        assert!(signal.is_some(), "{place}: {output:?}");
        let after = ledger::published(&database.store).unwrap();
        assert_eq!(after, before, "{place}: nothing was published");
        seal(&database.store).await.unwrap();
        let report = verify(&database.store, None).await;
        let sealed = i64::from(from) + 3;
        assert_eq!(
            (report.sealed, report.unsealed, report.broken),
            (sealed, 0, None)
        );
        let after = ledger::published(&database.store).unwrap();
        assert_ne!(after, before, "{place}: published by the next one");
    }
}

async fn an_edited_entry_is_named(database: Database) {
    ten(&database).await;
    let id = ledger::tail(&database.store, "thing", None, 10)
        .await
        .unwrap()[3]
        .id
        .clone();
    let broken = broken_after(
        &database,
        "UPDATE ledger_entry SET actor = 'somebody' WHERE position = 7",
    )
    .await;
    assert_eq!(
        broken,
        Broken {
            position: 7,
            entry: Some(id),
            how: How::Edited
        }
    );
}

async fn every_column_of_an_entry_is_covered(database: Database) {
    ten(&database).await;
    for (column, value) in [
        ("kind", "'x'"),
        ("subject", "'x'"),
        ("actor", "'x'"),
        ("detail", "'{}'"),
        ("at", "1"),
        ("id", "'evt_x'"),
        ("hash", "'00'"),
    ] {
        database
            .tamper("CREATE TABLE kept AS SELECT * FROM ledger_entry")
            .await;
        let broken = broken_after(
            &database,
            &format!("UPDATE ledger_entry SET {column} = {value} WHERE position = 5"),
        )
        .await;
        assert_eq!((broken.position, broken.how), (5, How::Edited), "{column}");
        database
            .tamper("DELETE FROM ledger_entry; INSERT INTO ledger_entry SELECT * FROM kept; DROP TABLE kept")
            .await;
    }
    // The border between two fields is covered too.
    let moved = "UPDATE ledger_entry SET kind = 'test.thing.happenedt', subject = 'hing' WHERE position = 5";
    assert_eq!(broken_after(&database, moved).await.position, 5);
}

async fn a_deleted_entry_is_named(database: Database) {
    ten(&database).await;
    let broken = broken_after(&database, "DELETE FROM ledger_entry WHERE position = 3").await;
    assert_eq!(
        broken,
        Broken {
            position: 3,
            entry: None,
            how: How::Deleted
        }
    );
}

async fn an_entry_deleted_and_the_gap_closed_is_named(database: Database) {
    ten(&database).await;
    let broken = broken_after(
        &database,
        "DELETE FROM ledger_entry WHERE position = 3;
         UPDATE ledger_entry SET position = position + 99 WHERE position > 3;
         UPDATE ledger_entry SET position = position - 100 WHERE position > 99;",
    )
    .await;
    assert_eq!((broken.position, broken.how), (3, How::Deleted));
}

async fn an_inserted_entry_is_named(database: Database) {
    ten(&database).await;
    let broken = broken_after(
        &database,
        "UPDATE ledger_entry SET position = position + 100 WHERE position > 5;
         UPDATE ledger_entry SET position = position - 99 WHERE position > 100;
         INSERT INTO ledger_entry (id, kind, subject, actor, detail, at, position, hash)
         SELECT 'evt_forged', kind, subject, actor, detail, at, 6, hash FROM ledger_entry WHERE position = 5;",
    )
    .await;
    assert_eq!(
        broken,
        Broken {
            position: 6,
            entry: Some("evt_forged".to_owned()),
            how: How::Inserted
        }
    );
}

async fn exchanged_entries_are_named(database: Database) {
    for (one, two) in [(4, 5), (2, 9)] {
        let database = match database.store.engine() {
            kyso_store::Engine::Sqlite => Database::sqlite().await,
            kyso_store::Engine::Postgres => Database::postgres().await.unwrap(),
        };
        ten(&database).await;
        let broken = broken_after(
            &database,
            &format!(
                "UPDATE ledger_entry SET position = 100 WHERE position = {one};
                 UPDATE ledger_entry SET position = {one} WHERE position = {two};
                 UPDATE ledger_entry SET position = {two} WHERE position = 100;"
            ),
        )
        .await;
        assert_eq!(
            (broken.position, broken.how),
            (one, How::Swapped { with: two })
        );
    }
}

async fn exchanged_contents_are_named(database: Database) {
    ten(&database).await;
    let broken = broken_after(
        &database,
        "UPDATE ledger_entry SET id = 'third' WHERE position = 3;
         CREATE TABLE kept AS SELECT id, detail FROM ledger_entry WHERE position = 8;
         UPDATE ledger_entry SET detail = (SELECT detail FROM ledger_entry WHERE position = 3), id = 'gone' WHERE position = 8;
         UPDATE ledger_entry SET detail = (SELECT detail FROM kept), id = (SELECT id FROM kept) WHERE position = 3;",
    )
    .await;
    // The third now holds the eighth's content; that one's own is lost with its id, so this is an edit of the third.
    assert_eq!((broken.position, broken.how), (3, How::Edited));
}

async fn a_ledger_cut_off_is_measured_by_the_checkpoint_inside(database: Database) {
    ten(&database).await;
    let broken = broken_after(&database, "DELETE FROM ledger_entry WHERE position > 8").await;
    assert_eq!(
        broken,
        Broken {
            position: 9,
            entry: None,
            how: How::Truncated { checkpoint: 10 }
        }
    );
}

async fn a_ledger_cut_off_with_its_checkpoints_is_measured_by_the_one_outside(database: Database) {
    ten(&database).await;
    let cut =
        "DELETE FROM ledger_entry WHERE position > 4; DELETE FROM ledger_checkpoint WHERE size > 4";
    database.tamper(cut).await;
    assert_eq!(
        verify(&database.store, None).await.broken,
        None,
        "from inside it looks whole"
    );
    let published = ledger::published(&database.store).unwrap().unwrap();
    let report = verify(&database.store, Some(&published)).await;
    let how = How::Truncated { checkpoint: 10 };
    assert_eq!(
        report.broken,
        Some(Broken {
            position: 5,
            entry: None,
            how
        })
    );
    let refused = ledger::check_published(&database.store).await;
    assert!(
        matches!(
            refused,
            Err(Error::LedgerBehind {
                published: 10,
                found: 4
            })
        ),
        "{refused:?}"
    );
}

async fn a_ledger_computed_anew_disagrees_with_the_checkpoint(database: Database) {
    ten(&database).await;
    // The attacker knows how we hash: let us do it for them, over an edited history.
    let published = ledger::published(&database.store).unwrap().unwrap();
    database
        .tamper(
            "CREATE TABLE kept AS SELECT * FROM ledger_checkpoint;
             DELETE FROM ledger_checkpoint WHERE size > 4;
             UPDATE ledger_entry SET actor = 'somebody' WHERE position = 6;
             UPDATE ledger_entry SET position = NULL, hash = NULL WHERE position > 4;",
        )
        .await;
    std::fs::remove_file(database.folder.path().join("published/checkpoint")).unwrap();
    let unsigned = ledger::seal(&database.store, &key(), |_| async {
        Err::<Vec<u8>, _>("no key")
    })
    .await;
    assert!(matches!(unsigned, Err(Error::Sign(_))));
    assert_eq!(
        verify(&database.store, None).await.broken,
        None,
        "a chain alone proves nothing"
    );
    let outside = verify(&database.store, Some(&published)).await.broken;
    let rewritten = Broken {
        position: 5,
        entry: None,
        how: How::Rewritten { checkpoint: 10 },
    };
    assert_eq!(outside, Some(rewritten.clone()));
    database
        .tamper("INSERT INTO ledger_checkpoint SELECT * FROM kept WHERE size > 4")
        .await;
    assert_eq!(verify(&database.store, None).await.broken, Some(rewritten));
}

async fn a_forged_checkpoint_is_named(database: Database) {
    ten(&database).await;
    let broken = broken_after(
        &database,
        "UPDATE ledger_checkpoint SET note = replace(note, 'A', 'B') WHERE size = 4",
    )
    .await;
    assert_eq!(
        (broken.position, broken.how),
        (4, How::CheckpointForged { checkpoint: 4 })
    );
}

async fn an_old_database_is_refused_at_start_and_never_sealed(database: Database) {
    record(&database.store, 0..4).await;
    seal(&database.store).await.unwrap();
    let backup = "CREATE TABLE kept_entry AS SELECT * FROM ledger_entry;
                  CREATE TABLE kept_checkpoint AS SELECT * FROM ledger_checkpoint;";
    database.tamper(backup).await;
    record(&database.store, 4..10).await;
    seal(&database.store).await.unwrap();
    ledger::check_published(&database.store).await.unwrap();
    let restore = "DELETE FROM ledger_entry; DELETE FROM ledger_checkpoint;
                   INSERT INTO ledger_entry SELECT * FROM kept_entry;
                   INSERT INTO ledger_checkpoint SELECT * FROM kept_checkpoint;";
    database.tamper(restore).await;
    let refused = ledger::check_published(&database.store).await;
    assert!(
        matches!(
            refused,
            Err(Error::LedgerBehind {
                published: 10,
                found: 4
            })
        ),
        "{refused:?}"
    );
    record(&database.store, 20..21).await;
    assert!(matches!(
        seal(&database.store).await,
        Err(Error::LedgerBehind { .. })
    ));
    assert_eq!(verify(&database.store, None).await.unsealed, 1);
}

async fn another_history_is_refused_at_start(database: Database) {
    ten(&database).await;
    let file = database.folder.path().join("published/checkpoint");
    let note = std::fs::read_to_string(&file).unwrap();
    let head = note.lines().nth(2).unwrap().to_owned();
    std::fs::write(
        &file,
        note.replace(&head, "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk="),
    )
    .unwrap();
    assert!(matches!(
        ledger::check_published(&database.store).await,
        Err(Error::LedgerForked { size: 10 })
    ));
    std::fs::write(&file, "nonsense").unwrap();
    assert!(matches!(
        ledger::check_published(&database.store).await,
        Err(Error::Note { .. })
    ));
    std::fs::remove_file(&file).unwrap();
    ledger::check_published(&database.store).await.unwrap();
    assert!(!Path::new(&file).exists());
}

async fn a_signing_failure_leaves_a_chain_that_is_signed_later(database: Database) {
    record(&database.store, 0..3).await;
    let failed = ledger::seal(&database.store, &key(), |_| async {
        Err::<Vec<u8>, _>("keystore busy")
    })
    .await;
    assert!(matches!(failed, Err(Error::Sign(_))), "{failed:?}");
    assert_eq!(
        seal(&database.store)
            .await
            .unwrap()
            .checkpoint
            .unwrap()
            .size,
        3
    );
}

async fn the_tail_of_a_subject_is_newest_first(database: Database) {
    record(&database.store, 0..3).await;
    let mut tx = database.store.write().await.unwrap();
    tx.record(Event {
        kind: "test.other.happened",
        subject: "thing",
        actor: "officer",
        detail: Default::default(),
    });
    tx.record(Event {
        kind: "test.thing.happened",
        subject: "another",
        actor: "system",
        detail: Default::default(),
    });
    tx.commit().await.unwrap();
    let all = ledger::tail(&database.store, "thing", None, 10)
        .await
        .unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(
        (all[0].kind.as_str(), all[0].actor.as_str()),
        ("test.other.happened", "officer")
    );
    assert_eq!(all[0].at, kyso_store::testing::START);
    let of_kind = ledger::tail(&database.store, "thing", Some("test.thing.happened"), 2)
        .await
        .unwrap();
    let numbers: Vec<_> = of_kind
        .iter()
        .map(|entry| entry.detail["number"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
}

async fn a_line_is_led_to_the_first_checkpoint_that_covers_it(database: Database) {
    let store = &database.store;
    assert_eq!(ledger::prove(store, "one", "k").await.unwrap(), None);
    record(store, 0..2).await;
    let mut tx = store.write().await.unwrap();
    for subject in ["one", "two"] {
        tx.record(Event {
            kind: "k",
            subject,
            actor: "system",
            detail: json!({"subject": subject}).as_object().unwrap().clone(),
        });
    }
    tx.commit().await.unwrap();
    record(store, 2..5).await;
    let waiting = ledger::prove(store, "one", "k").await.unwrap().unwrap();
    assert_eq!(waiting.place, None);
    let first = seal(store).await.unwrap().checkpoint.unwrap();
    record(store, 5..9).await;
    seal(store).await.unwrap();

    let mut positions = Vec::new();
    for subject in ["one", "two"] {
        let proof = ledger::prove(store, subject, "k").await.unwrap().unwrap();
        let line = &proof.line;
        assert_eq!(line.detail, json!({"subject": subject}).to_string());
        let place = proof.place.unwrap();
        assert_eq!(place.checkpoint, first.note);
        let reached = place.position + i64::try_from(place.between.len()).unwrap();
        assert_eq!(reached, first.size);
        let mut content = b"kyso.ledger.line.v1\n".to_vec();
        for field in [
            &line.id,
            &line.kind,
            &line.subject,
            &line.actor,
            &line.detail,
        ] {
            content.extend((field.len() as u64).to_be_bytes());
            content.extend(field.bytes());
        }
        content.extend(line.at.to_be_bytes());
        let mut hash = place.previous;
        let contents = [*kyso_store::BlobId::of(&content).digest()]
            .into_iter()
            .chain(place.between);
        for (position, content) in (place.position..).zip(contents) {
            let step = [
                b"kyso.ledger.v1\n".as_slice(),
                &hash,
                &position.to_be_bytes(),
                &content,
            ]
            .concat();
            hash = *kyso_store::BlobId::of(&step).digest();
        }
        assert_eq!(hash, first.head);
        positions.push(place.position);
    }
    assert_eq!(positions, [3, 4]);
}

async fn after_an_outage_of_the_key_no_line_is_far_from_its_checkpoint(database: Database) {
    let store = &database.store;
    let mut tx = store.write().await.unwrap();
    tx.record(Event {
        kind: "k",
        subject: "one",
        actor: "system",
        detail: Default::default(),
    });
    tx.commit().await.unwrap();
    record(store, 0..9_999).await;
    let key = key();
    for _ in 0..3 {
        let failed = ledger::seal(store, &key, |_| async {
            Err(std::io::Error::other("away"))
        });
        assert!(matches!(failed.await, Err(Error::Sign(_))));
        let report = verify(store, None).await;
        assert_eq!((report.sealed, report.unsealed), (4_096, 5_904));
    }
    while ledger::lag(store).await.unwrap().entries > 0 {
        seal(store).await.unwrap();
    }
    let report = verify(store, None).await;
    assert_eq!((report.sealed, report.checkpoints), (10_000, 3));
    let proof = ledger::prove(store, "one", "k").await.unwrap().unwrap();
    assert_eq!(proof.place.unwrap().between.len(), 4_095);

    // What an older build left behind says so.
    database
        .tamper("DELETE FROM ledger_checkpoint WHERE size < 10000")
        .await;
    let far = ledger::prove(store, "one", "k").await;
    assert!(
        matches!(far, Err(Error::LedgerProof { position: 1 })),
        "{far:?}"
    );
}
