//! The store: one database, its connections, its clock.
//!
//! SQLite: write-ahead log, `synchronous=FULL`, foreign keys on, one writer ([`crate::writer`]) and several readers.
//! PostgreSQL: read committed, `synchronous_commit=on`, one pool. A PostgreSQL that restarts costs the calls that were under
//! way an [`Error::Unavailable`]; later calls connect anew.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, SqlSafeStr as _, SqlStr};

use crate::driver::{Connection, meaning, only_reads, placeholders, statement_name};
use crate::id::{Ids, TypedId};
use crate::jobs::wake::Bell;
use crate::readers::Readers;
use crate::sqlite::{Connect, at_length};
use crate::tx::in_portions;
use crate::writer::Writer;
use crate::{Clock, Entropy, Error, Result, Row, Tx, Value};

/// A database, opened. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) bell: Bell,
    pub(crate) published: Option<PathBuf>,
    /// Last: the folder of `sqlite::memory:` goes after the connections.
    _scratch: Option<Scratch>,
}

#[derive(Debug)]
pub(crate) enum Db {
    Sqlite {
        writer: Arc<Writer>,
        readers: Arc<Readers>,
    },
    Postgres(PgPool),
}

/// Which database is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, in this process.
    Sqlite,
    /// PostgreSQL, over a connection.
    Postgres,
}

/// What can be chosen when a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
    /// Connections: all of them on PostgreSQL, the reading ones on SQLite (which has one writer).
    pub connections: u32,
    /// How long to wait for a connection or the write lock, ms.
    pub wait_ms: u64,
    /// Wait for the disk at commit. `false` only for tests, on data nobody misses.
    pub durable: bool,
    /// Folder outside the database for published checkpoints of the ledger.
    pub published: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Clock::System,
            entropy: Entropy::System,
            connections: 8,
            wait_ms: 5_000,
            durable: true,
            published: None,
        }
    }
}

impl Store {
    /// Opens `sqlite:///path/kyso.db` (created if missing, readable by its owner only), `sqlite::memory:` (a private
    /// database that ends with the last handle) or `postgres://…`, with the machine's clock. Does not migrate.
    ///
    /// # Errors
    /// [`Error::Url`] for a URL that names neither, [`Error::Unavailable`] if the database does not answer.
    pub async fn open(url: &str) -> Result<Store> {
        Store::open_with(url, Options::default()).await
    }

    /// Opens with choices.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &str, options: Options) -> Result<Store> {
        let (db, bell, scratch) = if url.starts_with("sqlite:") {
            let scratch = if url == "sqlite::memory:" {
                Some(Scratch::new()?)
            } else {
                None
            };
            let file = match &scratch {
                Some(scratch) => scratch.0.join("kyso.db"),
                None => sqlite_path(url)?,
            };
            let durable = options.durable && scratch.is_none();
            (
                open_sqlite(&file, durable, &options)?,
                Bell::local(),
                scratch,
            )
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let pool = open_postgres(url, &options).await?;
            let bell = Bell::shared(pool.clone());
            (Db::Postgres(pool), bell, None)
        } else {
            return Err(Error::Url {
                reason: "starts neither with sqlite: nor with postgres:".to_owned(),
            });
        };
        Ok(Store(Arc::new(Inner {
            db,
            clock: options.clock,
            ids: Ids::new(options.entropy),
            bell,
            published: options.published,
            _scratch: scratch,
        })))
    }

    /// A transaction that writes: `BEGIN IMMEDIATE` on SQLite, `BEGIN` (read committed) on PostgreSQL.
    ///
    /// # Errors
    /// [`Error::Contended`] if the write lock was not to be had in time, [`Error::Unavailable`].
    pub async fn write(&self) -> Result<Tx> {
        match &self.0.db {
            Db::Sqlite { writer, .. } => Ok(Tx::sqlite_write(self.clone(), writer.begin().await?)),
            Db::Postgres(pool) => {
                let transaction = again_on_stale(pool, || pool.begin())
                    .await
                    .map_err(|error| meaning(error, "begin"))?;
                Ok(Tx::postgres(self.clone(), transaction, true))
            }
        }
    }

    /// A transaction that reads one snapshot and refuses writes.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn read(&self) -> Result<Tx> {
        match &self.0.db {
            Db::Sqlite { readers, .. } => {
                let reader = readers
                    .snapshot()
                    .await
                    .map_err(|error| meaning(error, "begin"))?;
                Ok(Tx::sqlite_read(self.clone(), reader))
            }
            Db::Postgres(pool) => {
                let begin = || pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
                let transaction = again_on_stale(pool, begin)
                    .await
                    .map_err(|error| meaning(error, "begin"))?;
                Ok(Tx::postgres(self.clone(), transaction, false))
            }
        }
    }

    /// The first row, read outside any transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none; [`Error::Unavailable`]; [`Error::ReadOnly`] if the statement is no SELECT.
    pub async fn one(&self, sql: &'static str, args: &[Value]) -> Result<Row> {
        self.optional(sql, args).await?.ok_or(Error::NotFound {
            statement: statement_name(sql),
        })
    }

    /// The first row or none, read outside any transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn optional(&self, sql: &'static str, args: &[Value]) -> Result<Option<Row>> {
        check_read(sql, args)?;
        let outcome = match &self.0.db {
            Db::Sqlite { readers, .. } => match readers.acquire().await {
                Ok(reader) => reader.read_once(sql, args, 1).map(|mut rows| rows.pop()),
                Err(error) => Err(error),
            },
            Db::Postgres(pool) => {
                again_on_stale(pool, || async move {
                    Connection::Postgres(&mut *pool.acquire().await?)
                        .optional(sql.into_sql_str(), args)
                        .await
                })
                .await
            }
        };
        outcome.map_err(|error| meaning(error, statement_name(sql)))
    }

    /// All rows, read outside any transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn all(&self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>> {
        check_read(sql, args)?;
        let outcome = match &self.0.db {
            Db::Sqlite { readers, .. } => match readers.acquire().await {
                Ok(reader) => at_length(|| reader.read_once(sql, args, usize::MAX)),
                Err(error) => Err(error),
            },
            Db::Postgres(pool) => read_postgres(pool, sql.into_sql_str(), args).await,
        };
        outcome.map_err(|error| meaning(error, statement_name(sql)))
    }

    /// All rows of a statement that has one `VALUES ($1, …)` tuple for many rows, read outside any transaction: like
    /// [`Tx::all_many`], at a fraction of its cost, where nothing else must be of the same moment.
    ///
    /// # Errors
    /// As [`Store::all`].
    pub async fn all_many(
        &self,
        sql: &'static str,
        before: &[Value],
        rows: &[Vec<Value>],
    ) -> Result<Vec<Row>> {
        if !only_reads(sql) {
            return Err(Error::ReadOnly {
                statement: statement_name(sql),
            });
        }
        let mut found = Vec::new();
        for (text, args) in in_portions(sql, before, rows) {
            let outcome = match &self.0.db {
                Db::Sqlite { readers, .. } => match readers.acquire().await {
                    Ok(reader) => reader.read_once(text.as_str(), &args, usize::MAX),
                    Err(error) => Err(error),
                },
                Db::Postgres(pool) => read_postgres(pool, text, &args).await,
            };
            found.extend(outcome.map_err(|error| meaning(error, statement_name(sql)))?);
        }
        Ok(found)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<()> {
        self.one(PING, &[]).await.map(drop)
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Milliseconds since 1970, from the store's clock.
    pub fn now(&self) -> i64 {
        self.0.clock.now()
    }

    /// A new id.
    pub fn id<T: TypedId>(&self) -> T {
        T::from_ulid(self.0.ids.next(self.now()))
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        match self.0.db {
            Db::Sqlite { .. } => Engine::Sqlite,
            Db::Postgres(_) => Engine::Postgres,
        }
    }

    /// Closes every connection; later calls are [`Error::Unavailable`].
    pub async fn close(&self) {
        match &self.0.db {
            Db::Sqlite { writer, readers } => {
                // Readers first: the last connection to close folds the log into the database file.
                readers.close().await;
                writer.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

/// SQLite would bind NULL for a missing argument, PostgreSQL refuses; so we refuse on both.
pub(crate) fn check_arguments(sql: &'static str, args: &[Value]) -> Result<()> {
    let wanted = placeholders(sql);
    if wanted == args.len() {
        return Ok(());
    }
    let reason = format!("{wanted} placeholders, {} arguments", args.len());
    Err(Error::Statement {
        statement: statement_name(sql),
        source: sqlx::Error::Protocol(reason),
    })
}

/// Outside a transaction PostgreSQL would run a write, and commit it at once.
fn check_read(sql: &'static str, args: &[Value]) -> Result<()> {
    if !only_reads(sql) {
        return Err(Error::ReadOnly {
            statement: statement_name(sql),
        });
    }
    check_arguments(sql, args)
}

/// After a restart of the server every idle connection of the pool is dead, and the first use of each says so. Nothing has
/// happened on it yet, so another is tried until the pool has none left.
async fn again_on_stale<T, F: Future<Output = sqlx::Result<T>>>(
    pool: &PgPool,
    attempt: impl Fn() -> F,
) -> sqlx::Result<T> {
    let mut left = pool.size();
    loop {
        match attempt().await {
            Err(error) if left > 0 && is_stale(&error) => left -= 1,
            outcome => return outcome,
        }
    }
}

async fn read_postgres(pool: &PgPool, text: SqlStr, args: &[Value]) -> sqlx::Result<Vec<Row>> {
    again_on_stale(pool, || {
        let text = text.clone();
        async move {
            Connection::Postgres(&mut *pool.acquire().await?)
                .few(text, args)
                .await
        }
    })
    .await
}

fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P0")),
        _ => false,
    }
}

fn sqlite_path(url: &str) -> Result<PathBuf> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    if path.is_empty() || path.starts_with(':') || path.contains('?') {
        return Err(Error::Url {
            reason: "want sqlite:///path/to/file or sqlite::memory:".to_owned(),
        });
    }
    Ok(path.into())
}

fn open_sqlite(file: &Path, durable: bool, options: &Options) -> Result<Db> {
    // SQLite gives its log the rights of the database file; the file holds personal data.
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
    {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(source) => {
            return Err(Error::File {
                what: "the database file cannot be created".to_owned(),
                source,
            });
        }
    }
    let connect = Connect {
        file: file.to_owned(),
        wait: Duration::from_millis(options.wait_ms),
        statements: STATEMENT_CACHE,
        durable,
        pages_max: None,
    };
    let readers = Readers::open(connect.clone(), options.connections.max(1))
        .map_err(|error| meaning(error, "connect"))?;
    Ok(Db::Sqlite {
        writer: Writer::new(connect),
        readers,
    })
}

async fn open_postgres(url: &str, options: &Options) -> Result<PgPool> {
    // The driver's message may repeat the URL with its password.
    let connect = PgConnectOptions::from_str(url)
        .map_err(|_| Error::Url {
            reason: "not a PostgreSQL URL".to_owned(),
        })?
        .application_name("kyso")
        .statement_cache_capacity(STATEMENT_CACHE)
        .options([
            (
                "synchronous_commit",
                if options.durable { "on" } else { "off" },
            ),
            ("default_transaction_isolation", "read committed"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("lock_timeout", &format!("{}ms", options.wait_ms)),
        ])
        .disable_statement_logging();
    PgPoolOptions::new()
        .max_connections(options.connections.max(2))
        .acquire_timeout(Duration::from_millis(options.wait_ms))
        // A round trip per transaction; `again_on_stale` notices dead connections without it.
        .test_before_acquire(false)
        .connect_with(connect)
        .await
        .map_err(|error| meaning(error, "connect"))
}

const PING: &str = "-- store.ping
SELECT 1 AS here";

pub(crate) const STATEMENTS: &[&str] = &[PING];

/// Statements of the whole service fit, those for many rows in the sizes they come in; sqlx's 100 would not.
const STATEMENT_CACHE: usize = 1024;

/// The folder of a `sqlite::memory:` database. A file in memory, not SQLite's own `:memory:`, so that one writer and several
/// readers see one database with the same locking as on disk.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let mut random = [0u8; 8];
        Entropy::System.fill(&mut random);
        let folder = parent.join(format!("kyso-{}", hex::encode(random)));
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
            .create(&folder)
            .map_err(|source| Error::File {
                what: "a folder in memory cannot be created".to_owned(),
                source,
            })?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
