//! Temporary databases for tests, of this crate and of those above (feature `testing`).
//!
//! ```no_run
//! # async fn example() {
//! use kyso_store::testing::Database;
//!
//! for database in Database::each().await {
//!     let tx = database.store.write().await.unwrap();
//!     // …
//! }
//! # }
//! ```
//!
//! A SQLite database is a file in memory. A PostgreSQL database is one of many in a cluster of the test process' own, made
//! with the installed programs (or in the one `KYSO_TEST_POSTGRES` names), without waiting for disks. Where PostgreSQL is
//! missing, tests say `skipped: postgres`, unless `KYSO_PEERS=required`.

mod cluster;
mod prepare;

use std::path::{Path, PathBuf};

pub use cluster::Cluster;
pub use prepare::prepare_all;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::OnceCell;

use crate::{Clock, Engine, Entropy, MIGRATIONS, Options, Store};

/// 2026-11-22T10:00:00Z, where the clocks of test databases start.
pub const START: i64 = 1_795_341_600_000;

/// A migrated database of its own for one test.
#[derive(Debug)]
pub struct Database {
    /// The open store, with a fixed clock at [`START`].
    pub store: Store,
    /// Its URL, to open it a second time.
    pub url: String,
    /// The store's clock.
    pub clock: Clock,
    /// A folder for the test's files (published checkpoints in `published`), gone with this value.
    pub folder: Folder,
}

impl Database {
    /// A new SQLite file.
    pub async fn sqlite() -> Database {
        /// A migrated, empty database: copying it is quicker than migrating again.
        static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(|| async {
            let folder = Folder::new();
            let store = open(&sqlite_url(&folder), &Clock::fixed(START), folder.path()).await;
            store
                .migrate(MIGRATIONS)
                .await
                .expect("the migrations apply");
            store.close().await;
            std::fs::read(folder.path().join("kyso.db")).expect("the database is a file")
        });
        let template = template.await;
        let folder = Folder::new();
        let file = folder.path().join("kyso.db");
        std::fs::write(&file, template).expect("the database is copied");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("our file");
        Database::open(sqlite_url(&folder), folder).await
    }

    /// A new PostgreSQL database, or none (said on the console) where PostgreSQL is not installed.
    pub async fn postgres() -> Option<Database> {
        /// As for SQLite.
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let cluster = cluster::shared()?;
        let template = TEMPLATE.get_or_init(|| async {
            let (name, url) = cluster.create_named(None).await;
            let store = Store::open(&url).await.expect("the test's database opens");
            store
                .migrate(MIGRATIONS)
                .await
                .expect("the migrations apply");
            // A template must have no connection; the listener has one besides the pool.
            store.close().await;
            drop(store);
            name
        });
        let (_, url) = cluster.create_named(Some(template.await)).await;
        Some(Database::open(url, Folder::new()).await)
    }

    /// A database of the caller's making, by its URL: on a cluster of its own, or where there is little room.
    pub async fn at(url: String) -> Database {
        Database::open(url, Folder::new()).await
    }

    /// One of each that there is.
    pub async fn each() -> Vec<Database> {
        let mut databases = vec![Database::sqlite().await];
        databases.extend(Database::postgres().await);
        databases
    }

    /// Opens the same database again, as another node would. The clock is shared, the ids are not.
    pub async fn another_node(&self) -> Store {
        open(&self.url, &self.clock, self.folder.path()).await
    }

    /// Runs SQL behind the store's back, on a connection of its own: an attacker with the database's rights, or a broken disk.
    pub async fn tamper(&self, sql: &str) {
        match self.store.engine() {
            Engine::Sqlite => {
                let file = self
                    .url
                    .trim_start_matches("sqlite:")
                    .trim_start_matches("//");
                let connection =
                    rusqlite::Connection::open(file).expect("the test's database opens");
                connection
                    .busy_timeout(std::time::Duration::from_secs(5))
                    .expect("a timeout is set");
                connection.execute_batch(sql).expect("the tampering works");
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.url)
                    .await
                    .expect("the test's database opens");
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
                    .execute(&mut connection)
                    .await
                    .expect("the tampering works");
                connection.close().await.expect("the connection closes");
            }
        }
    }

    async fn open(url: String, folder: Folder) -> Database {
        let clock = Clock::fixed(START);
        let store = open(&url, &clock, folder.path()).await;
        store
            .migrate(MIGRATIONS)
            .await
            .expect("the migrations apply");
        Database {
            store,
            url,
            clock,
            folder,
        }
    }
}

fn sqlite_url(folder: &Folder) -> String {
    format!("sqlite://{}", folder.path().join("kyso.db").display())
}

async fn open(url: &str, clock: &Clock, folder: &Path) -> Store {
    let options = Options {
        clock: clock.clone(),
        durable: false,
        connections: 4,
        published: Some(folder.join("published")),
        ..Options::default()
    };
    Store::open_with(url, options)
        .await
        .expect("the test's database opens")
}

/// A folder that goes with its value; in memory where the system has such a place.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new, empty one.
    #[expect(clippy::new_without_default, reason = "each is another folder")]
    pub fn new() -> Folder {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = parent.join(format!("kyso-test-{}", random_word()));
        std::fs::create_dir(&folder).expect("a folder for the test");
        Folder(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Says that a peer program is missing, or fails where none may be.
pub fn skip(peer: &str) {
    assert!(
        std::env::var("KYSO_PEERS").as_deref() != Ok("required"),
        "{peer} is required here and missing"
    );
    println!("skipped: {peer}");
}

fn random_word() -> String {
    let mut random = [0u8; 8];
    Entropy::System.fill(&mut random);
    hex::encode(random)
}
