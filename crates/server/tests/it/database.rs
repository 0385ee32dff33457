//! A database that dies, fills up, or is not the one it was: what was promised is kept, and nothing is signed on a lie.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use kyso_store::testing::{Cluster, Database, Folder, skip};
use serde_json::{Value, json};

use crate::harness::{Citizen, Options, PIN, World, base64, client, dossier, kyso, said, until};

/// What portals heard: ids of accepted requests, and refusals as (status, code, Retry-After).
#[derive(Default)]
struct Heard {
    accepted: Vec<String>,
    refused: Vec<(u16, String, Option<String>)>,
    is_over: bool,
}

/// A portal that asks until it is told to stop.
async fn keep_asking(url: String, portal: (String, String), ask: Value, heard: Arc<Mutex<Heard>>) {
    while !heard.lock().unwrap().is_over {
        let request = client()
            .post(&url)
            .basic_auth(&portal.0, Some(&portal.1))
            .json(&ask);
        let answer = request.send().await.expect("the server itself is up");
        let status = answer.status().as_u16();
        let later = answer.headers().get("retry-after");
        let later = later.map(|value| value.to_str().unwrap().to_owned());
        let document: Value = answer.json().await.unwrap();
        let text = |key: &str| document[key].as_str().unwrap_or_default().to_owned();
        let mut heard = heard.lock().unwrap();
        match status {
            201 => heard.accepted.push(text("id")),
            _ => heard.refused.push((status, text("code"), later)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_may_die_in_the_middle_of_service() {
    let Some(mut cluster) = Cluster::start() else {
        skip("postgres");
        return;
    };
    let database = Database::at(cluster.create_database().await).await;
    let world = World::on(database, Options::default()).await;
    let citizen = world.citizen(1).await;
    let heard = Arc::new(Mutex::new(Heard::default()));
    let counts = || {
        let heard = heard.lock().unwrap();
        (heard.accepted.len(), heard.refused.len())
    };
    let ask = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a.pdf", "content": base64(&dossier(1)) }],
    });
    let mut portals = Vec::new();
    for _ in 0..4 {
        portals.push(tokio::spawn(keep_asking(
            format!("{}/v1/signature-requests", world.node.url),
            (world.portal.client_id.clone(), world.portal.secret.clone()),
            ask.clone(),
            heard.clone(),
        )));
    }
    until("portals are served", async || counts().0 >= 4).await;
    let approved = heard.lock().unwrap().accepted[0].clone();
    let phone = &citizen.phone;
    phone
        .approve(&citizen.session, &approved, PIN)
        .await
        .unwrap();
    cluster.kill();
    until("portals are refused", async || counts().1 >= 8).await;
    world.node.unready("database").await;
    cluster.restart();
    let before = counts().0;
    until("portals are served again", async || {
        counts().0 >= before + 4
    })
    .await;
    heard.lock().unwrap().is_over = true;
    for portal in portals {
        portal.await.unwrap();
    }
    world.hurry().await;
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    for refusal in &heard.refused {
        assert_eq!((refusal.0, &*refusal.1), (503, "database-unavailable"));
        assert!(refusal.2.is_some(), "when to come back");
    }
    // What was accepted before and after is there, and what was approved is signed.
    for request in &heard.accepted {
        let shown = phone.see(&citizen.session, request).await.unwrap();
        if shown["state"] == "pending" {
            phone.approve(&citizen.session, request, PIN).await.unwrap();
        }
    }
    for request in &heard.accepted {
        phone
            .wait_request(&citizen.session, request, &["signed", "delivered"])
            .await
            .unwrap();
    }
    world.finish().await;
}

/// A file system in memory with little room.
struct SmallDisk(Folder);

impl SmallDisk {
    /// `None`, said on the console, where we may not mount.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = Folder::new();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: only root may mount a small disk");
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_before_it_signs_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(48) else {
        return;
    };
    let database = Database::at(format!("sqlite://{}/kyso.db", disk.0.path().display())).await;
    let world = World::on(database, Options::default()).await;
    let citizen = world.citizen(1).await;
    let signed = world.signed(&citizen, &[dossier(1)]).await;
    let mut waiting = Vec::new();
    for n in 0..12 {
        waiting.push(world.ask(&citizen, &[dossier(n + 2)]).await);
    }
    let (phone, session) = (&citizen.phone, &citizen.session);

    disk.fill();
    let ask = json!({
        "signer": { "identity_number": citizen.owner.identity_number },
        "documents": [{ "name": "a.pdf", "content": base64(&dossier(1)) }],
    });
    let refused = async || {
        world
            .portal_post("/v1/signature-requests", &ask)
            .await
            .err()
    };
    let mut heard = None;
    until("a portal is refused", async || {
        heard = refused().await;
        heard.is_some()
    })
    .await;
    let heard = heard.unwrap();
    assert_eq!((heard.status, heard.code()), (503, "database-full"));
    // What little room a refused write gave back is soon used up by approvals.
    let mut unheard = Vec::new();
    for request in &waiting {
        match phone.approve(session, request, PIN).await {
            Ok(_) => {}
            Err(kyso_phone::Error::Refused { status, code, .. }) => {
                assert_eq!((status, &*code), (503, "database-full"));
                unheard.push(request);
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(!unheard.is_empty(), "the disk was not full");
    for request in &unheard {
        let shown = phone.see(session, request).await.unwrap();
        assert_eq!(
            shown["state"], "pending",
            "reading goes on; nothing is signed"
        );
    }

    std::fs::remove_file(disk.filler()).unwrap();
    for request in &unheard {
        phone.approve(session, request, PIN).await.unwrap();
    }
    for request in &waiting {
        phone
            .wait_request(session, request, &["signed", "delivered"])
            .await
            .unwrap();
    }
    assert!(signed[0].len() > 1000);
    world.finish().await;
}

/// Puts the files of a SQLite database back as they were.
fn put_back(backup: &Path, database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database.as_os_str().to_owned();
        file.push(suffix);
        let _ = std::fs::remove_file(PathBuf::from(file));
    }
    std::fs::copy(backup, database).unwrap();
    File::open(database).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_database_put_back_is_refused_until_an_operator_accepts_the_loss() {
    let mut world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let backup = world.folder.path().join("backup.db");
    world
        .database
        .tamper(&format!("VACUUM INTO '{}'", backup.display()))
        .await;
    world.signed(&citizen, &[dossier(1)]).await;
    world.node.stop();
    let file = PathBuf::from(world.database.url.trim_start_matches("sqlite://"));
    put_back(&backup, &file);

    for _ in 0..2 {
        let output = kyso(&world.folder, &["serve"]);
        let told = said(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(
            told.contains("the database is older than what was published")
                && told.contains("kyso ledger accept-restore"),
            "{told}"
        );
    }
    let verified = kyso(&world.folder, &["ledger", "verify"]);
    assert_eq!(verified.status.code(), Some(1), "{}", said(&verified));

    let accepted = kyso(&world.folder, &["ledger", "accept-restore"]);
    assert!(accepted.status.success(), "{}", said(&accepted));
    let shown = said(&kyso(&world.folder, &["ledger", "show", "ledger"]));
    assert!(
        shown.contains("ledger.restore.accepted") && shown.contains("published_size"),
        "{shown}"
    );
    let kept = std::fs::read_dir(world.folder.path().join("checkpoints"))
        .unwrap()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("checkpoint.superseded-")
        })
        .count();
    assert_eq!(kept, 1, "what proves the loss is kept");
    let again = said(&kyso(&world.folder, &["ledger", "accept-restore"]));
    assert!(again.contains("nothing to accept"), "{again}");

    world.restart().await;
    let phone = citizen.phone.at(&world.node.url);
    let back = Citizen { phone, ..citizen };
    world.signed(&back, &[dossier(2)]).await;
    world.node.stop();
    let verified = kyso(&world.folder, &["verify-store"]);
    assert!(verified.status.success(), "{}", said(&verified));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_finds_another_history_neither_seals_nor_signs() {
    for database in World::databases().await {
        let world = World::on(database, Options::default()).await;
        let citizen = world.citizen(1).await;
        let newest = "-- newest\nSELECT position, hash FROM ledger_entry WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1";
        let store = &world.platform.store;
        let published = async || {
            let row = store.one(newest, &[]).await.unwrap();
            let note = std::fs::read_to_string(world.folder.path().join("checkpoints/checkpoint"));
            let size = note.unwrap_or_default().lines().nth(1).map(str::to_owned);
            let unsealed =
                "-- unsealed\nSELECT COUNT(id) AS n FROM ledger_entry WHERE position IS NULL";
            let unsealed = store.one(unsealed, &[]).await.unwrap().int("n").unwrap();
            unsealed == 0 && size == Some(row.int("position").unwrap().to_string())
        };
        until("everything is published", published).await;
        let row = store.one(newest, &[]).await.unwrap();
        let (position, hash) = (row.int("position").unwrap(), row.text("hash").unwrap());
        let set = |hash: &str| {
            format!("UPDATE ledger_entry SET hash = '{hash}' WHERE position = {position}")
        };
        world.database.tamper(&set(&"00".repeat(32))).await;
        until("it is noticed", async || {
            world
                .node
                .log()
                .contains("nothing is worked on until it is")
        })
        .await;
        world.node.unready("ledger").await;
        let request = world.ask(&citizen, &[dossier(1)]).await;
        let phone = &citizen.phone;
        phone
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        let complaints = || world.node.log().matches("could not be sealed").count();
        let before = complaints();
        until("it has looked again", async || complaints() >= before + 2).await;
        let shown = phone.see(&citizen.session, &request).await.unwrap();
        assert_eq!(shown["state"], "approved", "nothing is signed");
        world.database.tamper(&set(&hash)).await;
        phone
            .wait_request(&citizen.session, &request, &["signed", "delivered"])
            .await
            .unwrap();
        world.finish().await;
    }
}

/// `kyso ledger verify` after somebody with the database's password was at it: what was done, what is said.
#[tokio::test(flavor = "multi_thread")]
async fn every_change_to_the_ledger_is_named() {
    let cases = [
        (
            "UPDATE ledger_entry SET actor = 'somebody' WHERE position = 3",
            "entry #3 (evt_",
            "was edited",
        ),
        (
            "DELETE FROM ledger_entry WHERE position = 4",
            "entry #4",
            "was deleted",
        ),
        (
            "UPDATE ledger_entry SET position = position + 100000 WHERE position > 5; \
             UPDATE ledger_entry SET position = position - 99999 WHERE position > 100000; \
             INSERT INTO ledger_entry (id, kind, subject, actor, detail, at, position, hash) \
             SELECT 'evt_00000000000000000000000000', kind, subject, actor, detail, at, 6, hash FROM ledger_entry WHERE position = 5",
            "entry #6 (evt_00000000000000000000000000)",
            "was inserted",
        ),
        (
            "DELETE FROM ledger_entry WHERE position > (SELECT MAX(position) - 2 FROM ledger_entry)",
            "and all after it are missing",
            "the checkpoint covers",
        ),
        (
            "DELETE FROM ledger_entry WHERE position > 6; DELETE FROM ledger_checkpoint WHERE size > 6",
            "entry #7 and all after it are missing",
            "the checkpoint covers",
        ),
        (
            "DELETE FROM ledger_checkpoint",
            "was published and is missing",
            "checkpoint",
        ),
    ];
    for database in World::databases().await {
        let mut world = World::on(database, Options::default()).await;
        world.citizen(1).await;
        world.node.stop();
        let verify = || {
            let output = kyso(&world.folder, &["ledger", "verify"]);
            (output.status.code(), said(&output))
        };
        let (code, told) = verify();
        assert_eq!(code, Some(0), "{told}");
        let database = &world.database;
        for table in ["ledger_entry", "ledger_checkpoint"] {
            database
                .tamper(&format!(
                    "CREATE TABLE kept_{table} AS SELECT * FROM {table}"
                ))
                .await;
        }
        for (tampering, place, how) in cases {
            database.tamper(tampering).await;
            let (code, told) = verify();
            assert_eq!(code, Some(1), "{tampering}: {told}");
            assert!(
                told.contains(place) && told.contains(how),
                "{tampering}: {told}"
            );
            for table in ["ledger_entry", "ledger_checkpoint"] {
                database
                    .tamper(&format!(
                        "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}"
                    ))
                    .await;
            }
        }
        // With the published checkpoint gone too, at least it is said that there is nothing to compare with.
        std::fs::remove_file(world.folder.path().join("checkpoints/checkpoint")).unwrap();
        let (_, told) = verify();
        assert!(told.contains("no published checkpoint was found"), "{told}");
    }
}
