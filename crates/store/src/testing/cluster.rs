//! A PostgreSQL cluster of our own: made, started, killed, started again, and gone with the process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};

use super::{Folder, random_word, skip};

/// A PostgreSQL cluster in a temporary folder, listening on a socket in it only.
#[derive(Debug)]
pub struct Cluster {
    url: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    bin: PathBuf,
    folder: Folder,
    /// A shell that stops the server and removes the folder when we close its standard input, or die.
    keeper: Child,
}

/// The cluster all tests of this process share, or none where PostgreSQL is not installed.
pub(super) fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let cluster = SHARED.get_or_init(|| match std::env::var("KYSO_TEST_POSTGRES") {
        Ok(url) => Some(Cluster { url, own: None }),
        Err(_) => Cluster::start(),
    });
    if cluster.is_none() {
        skip("postgres");
    }
    cluster.as_ref()
}

impl Cluster {
    /// Makes and starts one, or none where PostgreSQL is not installed.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub fn start() -> Option<Cluster> {
        let bin = find_programs()?;
        let folder = Folder::new();
        let data = folder.path().join("data");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let mut initdb = as_postgres(&bin.join("initdb"));
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        run(initdb.arg(&data));
        let keeper = start_server(&bin, folder.path());
        let socket = folder.path().display().to_string().replace('/', "%2F");
        let cluster = Cluster {
            url: format!("postgres://postgres@{socket}/postgres"),
            own: Some(Own {
                bin,
                folder,
                keeper,
            }),
        };
        Some(cluster)
    }

    /// A new, empty database; its URL.
    pub async fn create_database(&self) -> String {
        self.create_named(None).await.1
    }

    /// A new database, empty or a copy of another; its name and URL.
    pub(super) async fn create_named(&self, template: Option<&String>) -> (String, String) {
        let name = format!("kyso_{}", random_word());
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the cluster answers");
        let create = match template {
            Some(template) => format!("CREATE DATABASE {name} TEMPLATE {template}"),
            None => format!("CREATE DATABASE {name}"),
        };
        // The last connection to a template may take a moment to end.
        let mut tries = 0;
        while let Err(error) = sqlx::raw_sql(sqlx::AssertSqlSafe(create.clone()))
            .execute(&mut connection)
            .await
        {
            tries += 1;
            assert!(tries < 500, "the database is not created: {error}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        connection.close().await.expect("the connection closes");
        let (before, _) = self.url.rsplit_once('/').expect("a URL with a database");
        let url = format!("{before}/{name}");
        (name, url)
    }

    /// Kills every process of the server at once, as a power cut would.
    pub fn kill(&mut self) {
        let own = self.own.as_mut().expect("a cluster of our own");
        let data = own.folder.path().join("data");
        // Until none is left: one that was just being started would hold the memory that the next server wants for itself.
        loop {
            let processes = processes_in(&data);
            if processes.is_empty() {
                break;
            }
            // One may have ended meanwhile; then there is nothing to kill.
            let _ = Command::new("kill")
                .arg("-9")
                .args(processes)
                .stderr(Stdio::null())
                .status();
        }
        if let Some(mut pipe) = own.keeper.stdin.take() {
            pipe.write_all(b"keep").expect("the keeper listens");
        }
        own.keeper.wait().expect("the keeper ends with the server");
        // The next server would ask whether a process of that number lives, and on a busy machine another may.
        let _ = std::fs::remove_file(data.join("postmaster.pid"));
    }

    /// Starts the server again.
    pub fn restart(&mut self) {
        let own = self.own.as_mut().expect("a cluster of our own");
        own.keeper = start_server(&own.bin, own.folder.path());
    }
}

/// The numbers of the processes that live in this folder, as each of PostgreSQL's does.
fn processes_in(folder: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("processes are listed");
    processes
        .filter_map(|process| {
            let process = process.ok()?;
            let lives = std::fs::read_link(process.path().join("cwd")).ok()?;
            (lives == folder).then(|| process.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Starts the server under a keeper, and waits until it answers.
#[expect(
    clippy::zombie_processes,
    reason = "whoever owns the keeper waits for it"
)]
fn start_server(bin: &Path, folder: &Path) -> Child {
    // A shell holds the server, because a process that is killed cannot clean up behind itself: when our end of the pipe
    // closes, however that happens, the server goes, and the folder with it.
    const KEEPER: &str = r#"
        exec 3<&0
        "$@" >>"$FOLDER/log" 2>&1 </dev/null 3<&- &
        server=$!
        word=$(cat <&3)
        kill -QUIT $server 2>/dev/null
        wait $server
        [ "$word" = keep ] || rm -rf "$FOLDER"
    "#;
    let mut server = as_postgres(&bin.join("postgres"));
    server
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder);
    server.args([
        "-c",
        "listen_addresses=",
        "-c",
        "fsync=off",
        "-c",
        "full_page_writes=off",
        "-c",
        "max_connections=200",
    ]);
    server.args(["-c", "shared_buffers=32MB", "-c", "autovacuum=off"]);
    let keeper = Command::new("sh")
        .arg("-c")
        .arg(KEEPER)
        .arg("keeper")
        .arg(server.get_program())
        .args(server.get_args())
        .env("FOLDER", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    let ready = bin.join("pg_isready");
    for _ in 0..6000 {
        let answer = Command::new(&ready)
            .args(["-q", "-h"])
            .arg(folder)
            .status()
            .expect("pg_isready runs");
        if answer.success() {
            return keeper;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "PostgreSQL can only be asked whether it is ready"
        )]
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("postgres did not start:\n{log}");
}

/// The newest installed version's programs.
fn find_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let bin = entry.path().join("bin");
            bin.join("postgres").exists().then_some((version, bin))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self")
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0)
}

fn run(command: &mut Command) {
    let output = command.current_dir("/").output().expect("the program runs");
    if !output.status.success() {
        let _ = std::io::stderr().write_all(&output.stderr);
        panic!("{command:?} failed");
    }
}
