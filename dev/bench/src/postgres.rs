//! A PostgreSQL cluster of our own in a temporary folder, as durable as its defaults are, on a socket only.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kyso_demo::stage::Failure;
use tokio::process::{Child, Command};

/// A running cluster; it ends when this value goes.
pub struct Cluster {
    server: Child,
    bin: PathBuf,
    folder: tempfile::TempDir,
    databases: u32,
}

impl Cluster {
    /// Makes and starts one; `None` where PostgreSQL is not installed.
    pub async fn start() -> Result<Option<Self>, Failure> {
        let Some(bin) = programs() else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path())).await?;
        }
        let data = folder.path().join("data");
        let mut initdb = as_postgres(&bin.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8"]);
        run(initdb.args(["--locale=C", "-D"]).arg(&data)).await?;
        let mut server = as_postgres(&bin.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(folder.path());
        let server = server
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let cluster = Self {
            server,
            bin,
            folder,
            databases: 0,
        };
        cluster.wait_until_ready().await?;
        Ok(Some(cluster))
    }

    /// A new, empty database; its URL.
    pub async fn create_database(&mut self) -> Result<String, Failure> {
        self.databases += 1;
        let name = format!("bench{}", self.databases);
        let mut create = Command::new(self.bin.join("createdb"));
        create.args(["-U", "postgres", "-h"]);
        run(create.arg(self.folder.path()).arg(&name)).await?;
        let socket = self.folder.path().display().to_string();
        let socket = socket.replace('/', "%2F");
        Ok(format!("postgres://postgres@{socket}/{name}"))
    }

    /// The process whose children do the work.
    pub fn process(&self) -> Option<u32> {
        self.server.id()
    }

    async fn wait_until_ready(&self) -> Result<(), Failure> {
        for _ in 0..400 {
            let mut ask = Command::new(self.bin.join("pg_isready"));
            let asked = ask.arg("-q").arg("-h").arg(self.folder.path()).status();
            if asked.await?.success() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err("PostgreSQL did not become ready in ten seconds".into())
    }
}

/// The newest installed version's programs, where Debian keeps them.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let numbered = versions.filter_map(|version| {
        let version = version.ok()?;
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        let bin = version.path().join("bin");
        bin.join("postgres").exists().then_some((number, bin))
    });
    numbered.max().map(|(_, bin)| bin)
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

async fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command.current_dir("/").output().await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?} failed: {words}").into())
}
