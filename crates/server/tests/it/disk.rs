//! The disk: nothing is answered before it is durable, and a disk that fails is said aloud. SQLite's, since PostgreSQL keeps its own.
//!
//! Faults and the order of events come from `disk.c`, a library in front of the server's system calls.

use std::path::{Path, PathBuf};
use std::process::Command;

use kyso_phone::Error;
use kyso_store::testing::skip;

use crate::harness::{Citizen, Node, PIN, World, dossier, said, until};

/// A node whose disk is commanded by the file `disk`.
struct Watched {
    control: PathBuf,
}

impl Watched {
    /// Starts the world's node again behind the library; `None` where there is no compiler.
    async fn node(world: &mut World, role: &str) -> Option<Self> {
        let control = world.folder.path().join("disk");
        let library = control.with_extension("so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(format!("-DCONTROL=\"{}\"", control.display()))
            .arg(&source)
            .output();
        let Ok(built) = built else {
            skip("cc");
            return None;
        };
        assert!(built.status.success(), "{}", said(&built));
        world.node.stop();
        let variables = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("KYSO__SERVER__ROLE", role),
        ];
        world.node = Node::start_with(&world.folder, &variables).await;
        Some(Self { control })
    }

    /// The word is there whole or not at all: the library reads at any moment.
    fn tell(&self, word: &str) {
        let beside = self.control.with_extension("new");
        std::fs::write(&beside, word).unwrap();
        std::fs::rename(&beside, &self.control).unwrap();
    }

    fn order(&self) -> String {
        std::fs::read_to_string(self.control.with_extension("order")).unwrap_or_default()
    }
}

/// The first answer that left while octets of the log were not on disk yet, as a line of the notes.
fn too_early(order: &str) -> Option<&str> {
    let mut is_durable = true;
    for line in order.lines() {
        match line {
            "written" | "failed" => is_durable = false,
            "synced" => is_durable = true,
            reply if reply.starts_with("replied 2") && !is_durable => return Some(reply),
            _ => {}
        }
    }
    None
}

#[test]
fn an_answer_before_the_disk_has_it_is_found() {
    assert_eq!(too_early("written\nsynced\nreplied 202\n"), None);
    assert_eq!(
        too_early("written\nfailed\nreplied 503\nwritten\nsynced\nreplied 202\n"),
        None
    );
    for early in [
        "written\nreplied 202\nsynced\n",
        "written\nfailed\nreplied 202\n",
    ] {
        assert_eq!(too_early(early), Some("replied 202"));
    }
}

/// The web role writes nothing but what callers ask for, so that whatever it wrote belongs to the answer that follows.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_answered_before_the_disk_has_what_it_wrote() {
    let mut world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let Some(disk) = Watched::node(&mut world, "web").await else {
        return;
    };
    let citizen = moved(citizen, &world);
    for n in 1..=3 {
        let before = disk.order().len();
        let request = world.ask(&citizen, &[dossier(n)]).await;
        citizen
            .phone
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        let order = disk.order().split_off(before);
        let count = |word| order.lines().filter(|line| *line == word).count();
        assert!(
            count("replied 201") == 1 && count("replied 202") == 1 && count("synced") >= 2,
            "the notes do not show it: {order}"
        );
        assert_eq!(too_early(&order), None, "{order}");
    }
    world.node.stop();
    world.restart().await;
    let citizen = moved(citizen, &world);
    world.signed(&citizen, &[dossier(4)]).await;
    world.finish().await;
}

/// Approvals on a disk that fails now and then: what was answered is there after the process was killed, what was not is
/// refused as such, and the service goes on when the disk does.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_refuses_aloud_and_loses_no_approval_that_was_answered() {
    let mut world = World::sqlite().await;
    let citizen = world.citizen(1).await;
    let Some(disk) = Watched::node(&mut world, "all").await else {
        return;
    };
    let citizen = moved(citizen, &world);
    let mut requests = Vec::new();
    for n in 1..=6 {
        requests.push(world.ask(&citizen, &[dossier(n)]).await);
    }

    disk.tell("eio");
    let refused = citizen
        .phone
        .approve(&citizen.session, &requests[0], PIN)
        .await;
    assert!(
        matches!(
            &refused,
            Err(Error::Refused {
                status: 500..=599,
                ..
            })
        ),
        "{refused:?}"
    );
    until("it is said aloud", async || {
        let log = world.node.log();
        log.lines()
            .any(|line| line.contains("\"ERROR\"") && line.contains("disk I/O error"))
    })
    .await;
    assert!(disk.order().contains("failed") && too_early(&disk.order()).is_none());

    disk.tell("ok");
    let mut answered = Vec::new();
    for (n, request) in requests.iter().enumerate() {
        if n == 3 {
            disk.tell("eio");
        }
        let outcome = citizen.phone.approve(&citizen.session, request, PIN).await;
        match outcome {
            Ok(_) => answered.push(request.clone()),
            Err(error) => assert!(n >= 3, "the disk is well: {error:?}"),
        }
    }
    assert_eq!(answered, requests[..3]);
    world.node.kill();
    world.hurry().await;

    // Another process, on the disk as it was left.
    world.restart().await;
    let citizen = moved(citizen, &world);
    for request in &answered {
        let shown = citizen
            .phone
            .wait_request(&citizen.session, request, &["signed", "delivered"])
            .await;
        shown.unwrap();
        assert!(world.signed_document(request, 0).await.len() > 1000);
    }
    for request in &requests[3..] {
        let shown = citizen.phone.see(&citizen.session, request).await.unwrap();
        // A commit that the disk refused may have arrived all the same; nobody was told that it did.
        if shown["state"] == "pending" {
            let approved = citizen.phone.approve(&citizen.session, request, PIN).await;
            approved.unwrap();
        }
        let ended = citizen
            .phone
            .wait_request(&citizen.session, request, &["signed", "delivered"])
            .await;
        ended.unwrap();
    }
    world.finish().await;
}

/// The citizen's phone, told where the node is now.
fn moved(citizen: Citizen, world: &World) -> Citizen {
    Citizen {
        phone: citizen.phone.at(&world.node.url),
        ..citizen
    }
}
