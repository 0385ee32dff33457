//! Failpoints, in a process of their own: this test binary, started again with the environment a crash test would set.

use std::process::{Command, Output};

use kyso_store::testing::Folder;
use kyso_store::{MIGRATIONS, Store};

/// The body of the child: one commit.
#[tokio::test]
#[ignore = "started by the tests below, in a process of its own"]
async fn child_commits_a_blob() {
    let store = Store::open(&std::env::var("CHILD_DATABASE").unwrap())
        .await
        .unwrap();
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
    store
        .read_blob(&kyso_store::BlobId::of(b"bytes"))
        .await
        .is_ok()
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
        .stdout(std::process::Stdio::null())
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
