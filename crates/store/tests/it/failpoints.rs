//! Processes that die: this test binary, started again in a process of its own, with the environment of a crash test.

use std::io::BufRead as _;
use std::process::{Command, Output, Stdio};

use kyso_store::testing::Folder;
use kyso_store::{BlobId, MIGRATIONS, Store};

/// The body of the child: one commit.
#[tokio::test]
#[ignore = "started by the tests below, in a process of its own"]
async fn child_commits_a_blob() {
    // Run by hand among all ignored tests, there is nothing to do.
    let Ok(url) = std::env::var("CHILD_DATABASE") else {
        return;
    };
    let store = Store::open(&url).await.unwrap();
    store.migrate(MIGRATIONS).await.expect("migrated");
    let mut tx = store.write().await.unwrap();
    tx.put_blob(b"bytes").await.unwrap();
    tx.commit().await.expect("committed");
}

fn child(folder: &Folder, failpoint: &str, allowed: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "failpoints::child_commits_a_blob"])
        .env(
            "CHILD_DATABASE",
            format!("sqlite://{}", folder.path().join("kyso.db").display()),
        )
        .env("KYSO_FAILPOINT", failpoint)
        .env("KYSO_FAILPOINTS_ALLOWED", allowed);
    command
}

async fn committed(folder: &Folder) -> bool {
    let store = Store::open(&format!(
        "sqlite://{}",
        folder.path().join("kyso.db").display()
    ))
    .await
    .unwrap();
    store.read_blob(&BlobId::of(b"bytes")).await.is_ok()
}

fn died(output: &Output) -> bool {
    std::os::unix::process::ExitStatusExt::signal(&output.status).is_some()
}

#[tokio::test]
async fn dying_before_the_commit_leaves_nothing_and_after_it_everything() {
    // The first commit is the migration's.
    let folder = Folder::new();
    let output = child(&folder, "store.commit.before#2:abort", "yes")
        .output()
        .unwrap();
    assert!(died(&output), "{output:?}");
    assert!(!committed(&folder).await);
    let output = child(&folder, "store.commit.after#2:abort", "yes")
        .output()
        .unwrap();
    assert!(died(&output), "{output:?}");
    assert!(committed(&folder).await);
}

#[tokio::test]
async fn an_error_is_the_callers_and_without_permission_nothing_happens() {
    let folder = Folder::new();
    let output = child(&folder, "store.commit.before#2:error", "yes")
        .output()
        .unwrap();
    assert!(!output.status.success() && !died(&output));
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("store.commit.before"),
        "{output:?}"
    );
    assert!(!committed(&folder).await);
    let output = child(&folder, "store.commit.before#2:abort", "no")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(committed(&folder).await);
}

#[tokio::test]
async fn a_pause_lasts_as_long_as_its_file() {
    let folder = Folder::new();
    let file = folder.path().join("pause");
    std::fs::write(&file, b"").unwrap();
    let place = format!("store.commit.before#2:pause-file={}", file.display());
    let mut paused = child(&folder, &place, "yes")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !folder.path().join("pause.reached").exists() {
        tokio::task::yield_now().await;
    }
    assert!(!committed(&folder).await);
    assert!(paused.try_wait().unwrap().is_none());
    std::fs::remove_file(&file).unwrap();
    assert!(paused.wait().unwrap().success());
    assert!(committed(&folder).await);
}

/// The body of another child: many writers that say what is committed, until somebody kills them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the test below, in a process of its own"]
async fn child_commits_until_it_is_killed() {
    let Ok(url) = std::env::var("CHILD_DATABASE") else {
        return;
    };
    let store = Store::open(&url).await.unwrap();
    store.migrate(MIGRATIONS).await.unwrap();
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..100_000u32 {
                    let mut tx = store.write().await.unwrap();
                    let id = tx
                        .put_blob(format!("{writer} {n}").as_bytes())
                        .await
                        .unwrap();
                    tx.commit().await.unwrap();
                    println!("committed {id}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_a_killed_process_called_committed_is_there() {
    let folder = Folder::new();
    let url = format!("sqlite://{}", folder.path().join("kyso.db").display());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "failpoints::child_commits_until_it_is_killed",
        ])
        .env("CHILD_DATABASE", &url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said: Vec<BlobId> = Vec::new();
    for line in std::io::BufReader::new(child.stdout.take().unwrap()).lines() {
        // The last line may be cut off in the middle.
        if let Some(id) = line
            .unwrap()
            .strip_prefix("committed ")
            .and_then(|id| id.parse().ok())
        {
            said.push(id);
        }
        if said.len() == 300 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= 300);
    let store = Store::open(&url).await.unwrap();
    for id in said {
        store.read_blob(&id).await.unwrap();
    }
}
