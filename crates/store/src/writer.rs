//! SQLite's one writer, and group commit.
//!
//! Writers queue for the one connection. Whoever commits while others wait does not pay for the disk alone: the transaction
//! stays open, the next writer works inside it behind a savepoint, and the first one, which has queued again, commits for all
//! who came between. Nobody hears "committed" before the disk has it; if that commit fails, all of the group fail.
//!
//! ```text
//! A  BEGIN IMMEDIATE … (others wait) ──┐ queue again                         ┌─► COMMIT ─► A, B, C: done
//! B                                    └► SAVEPOINT … RELEASE ─┐             │
//! C                                                            └► SAVEPOINT … RELEASE
//! ```
//!
//! # Costs
//!
//! In units of one raw write + fdatasync beside it on the same disk (two busy cores, development build, medians): a lone
//! writer commits a row at 0.35 to 1.3 of its pace, and 32 writers together three to five times as often as the lone one.
//! `cargo test -p kyso-store --test it -- --ignored --nocapture commits_per` prints the ratios of the machine at hand.
//!
//! # Invariants
//!
//! - `State::open` says whether the connection is inside a transaction; the group is empty when it is not.
//! - A member that ends without commit rolls back its own savepoint only. If even that fails, nobody of the group is told
//!   "committed".

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::driver::meaning;
use crate::{Error, Result};

/// The writing end of a SQLite database.
#[derive(Debug)]
pub(crate) struct Writer {
    options: SqliteConnectOptions,
    wait_ms: u64,
    waiting: AtomicUsize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// None before the first use, after a failure, and once closed.
    connection: Option<SqliteConnection>,
    open: bool,
    group: Vec<oneshot::Sender<Outcome>>,
    closed: bool,
}

/// What the members of a group hear. One error, many ears.
type Outcome = std::result::Result<(), Arc<sqlx::Error>>;

/// A transaction's turn at the connection.
#[derive(Debug)]
pub(crate) struct Turn {
    writer: Arc<Writer>,
    /// None once the turn has ended.
    state: Option<OwnedMutexGuard<State>>,
    /// Whether this turn opened the transaction, or joined it behind a savepoint.
    first: bool,
}

impl Writer {
    pub(crate) fn new(options: SqliteConnectOptions, wait_ms: u64) -> Arc<Writer> {
        Arc::new(Writer {
            options,
            wait_ms,
            waiting: AtomicUsize::new(0),
            state: Arc::default(),
        })
    }

    /// Waits for the connection and begins, or joins what is open.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<Turn> {
        let state = {
            let _counted = Counted::new(&self.waiting);
            tokio::time::timeout(
                Duration::from_millis(self.wait_ms),
                self.state.clone().lock_owned(),
            )
            .await
            .map_err(|late| Error::Contended {
                during: "begin",
                source: late.into(),
            })?
        };
        let first = !state.open;
        // The turn exists before its BEGIN, so that a caller who goes away in the middle leaves nothing open.
        let mut turn = Turn {
            writer: self.clone(),
            state: Some(state),
            first,
        };
        if turn.state().closed {
            return Err(meaning(sqlx::Error::PoolClosed, "begin"));
        }
        if turn.state().connection.is_none() {
            let connection = self
                .options
                .connect()
                .await
                .map_err(|error| meaning(error, "begin"))?;
            turn.state().connection = Some(connection);
        }
        let begun = turn
            .run(if first {
                "BEGIN IMMEDIATE"
            } else {
                "SAVEPOINT member"
            })
            .await;
        begun.map_err(|error| meaning(error, "begin"))?;
        turn.state().open = true;
        Ok(turn)
    }

    /// Commits what is open for all its members. Called with the lock held.
    async fn commit_group(state: &mut State) -> Outcome {
        let members = std::mem::take(&mut state.group);
        let outcome = run(state, "COMMIT").await.map_err(Arc::new);
        if outcome.is_err() {
            abandon(state).await;
        }
        state.open = false;
        for member in members {
            // A member whose caller has gone away does not listen.
            let _ = member.send(outcome.clone());
        }
        outcome
    }

    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        if state.open {
            let _ = Writer::commit_group(&mut state).await;
        }
        state.closed = true;
        if let Some(connection) = state.connection.take() {
            let _ = connection.close().await;
        }
    }
}

impl Turn {
    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        self.state()
            .connection
            .as_mut()
            .expect("invariant: a begun turn has a connection")
    }

    /// Durable when it returns.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let writer = self.writer.clone();
        let alone = self.first && writer.waiting.load(Ordering::SeqCst) == 0;
        if !self.first
            && let Err(error) = self.run("RELEASE member").await
        {
            return Err(meaning(error, "commit")); // dropping the turn breaks the group
        }
        let (sender, mut receiver) = oneshot::channel();
        self.state().group.push(sender);
        if alone {
            let outcome = Writer::commit_group(self.state()).await;
            self.state = None;
            return heard(outcome);
        }
        self.state = None; // the next writer's turn

        // Queue again, behind everybody who waits now. Whoever of the group comes first commits for all.
        let again = writer.state.clone().lock_owned();
        let mut abandoned = CommitIfAbandoned {
            writer: Some(writer),
        };
        let outcome = tokio::select! {
            biased;
            outcome = &mut receiver => outcome,
            mut state = again => {
                if !state.group.is_empty() {
                    let _ = Writer::commit_group(&mut state).await;
                }
                drop(state);
                receiver.await
            }
        };
        abandoned.writer = None;
        match outcome {
            Ok(outcome) => heard(outcome),
            Err(gone) => Err(Error::Unavailable {
                during: "commit",
                source: gone.into(),
            }),
        }
    }

    fn state(&mut self) -> &mut State {
        self.state
            .as_mut()
            .expect("invariant: the turn has not ended")
    }

    async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        run(self.state(), sql).await
    }
}

impl Drop for Turn {
    /// Rolls back what was not committed. The connection passes on only after that.
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        let first = self.first;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // No runtime, no rollback: closing the connection rolls back, and the group hears that nobody committed.
            state.connection = None;
            state.open = false;
            state.group.clear();
            return;
        };
        runtime.spawn(async move {
            if first {
                abandon(&mut state).await;
                return;
            }
            let back = run(&mut state, "ROLLBACK TO member").await;
            if back.is_err() || run(&mut state, "RELEASE member").await.is_err() {
                abandon(&mut state).await;
            }
        });
    }
}

async fn run(state: &mut State, sql: &'static str) -> sqlx::Result<()> {
    let connection = state
        .connection
        .as_mut()
        .ok_or(sqlx::Error::WorkerCrashed)?;
    sqlx::query(sql).execute(connection).await.map(drop)
}

/// Rolls everything back; a connection on which not even that works is closed. Members that wait hear a closed channel.
async fn abandon(state: &mut State) {
    state.group.clear();
    state.open = false;
    let rolled_back = run(state, "ROLLBACK").await;
    let harmless = match &rolled_back {
        Ok(()) => true,
        // Nothing was open (SQLite rolls back by itself when the disk is full): as good.
        Err(sqlx::Error::Database(error)) => error.message().contains("no transaction is active"),
        Err(_) => false,
    };
    if !harmless {
        state.connection = None;
    }
}

fn heard(outcome: Outcome) -> Result<()> {
    outcome.map_err(|shared| match meaning_of_shared(&shared) {
        Some(error) => error(shared),
        None => Error::Unavailable {
            during: "commit",
            source: shared.into(),
        },
    })
}

/// A full disk is worth telling apart; every other failed commit is "unavailable".
fn meaning_of_shared(shared: &sqlx::Error) -> Option<fn(Arc<sqlx::Error>) -> Error> {
    let code: u32 = shared.as_database_error()?.code()?.parse().ok()?;
    match code & 0xff {
        13 => Some(|source| Error::Full {
            during: "commit",
            source: source.into(),
        }),
        5 | 6 => Some(|source| Error::Contended {
            during: "commit",
            source: source.into(),
        }),
        _ => None,
    }
}

/// A caller that goes away while its group waits for the disk must not leave the transaction open.
struct CommitIfAbandoned {
    writer: Option<Arc<Writer>>,
}

impl Drop for CommitIfAbandoned {
    fn drop(&mut self) {
        let Some(writer) = self.writer.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let mut state = writer.state.clone().lock_owned().await;
                if !state.group.is_empty() {
                    let _ = Writer::commit_group(&mut state).await;
                }
            });
        }
    }
}

/// How many wait for a turn; only a hint, a wrong one costs a detour.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(waiting: &'a AtomicUsize) -> Counted<'a> {
        waiting.fetch_add(1, Ordering::SeqCst);
        Counted(waiting)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer on a file in memory that may have so many pages of 4 kB.
    async fn writer(name: &str, pages_max: u32) -> (std::path::PathBuf, Arc<Writer>) {
        let file =
            std::env::temp_dir().join(format!("kyso-writer-{name}-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Off)
            .pragma("max_page_count", pages_max.to_string());
        let writer = Writer::new(options, 5_000);
        let mut turn = writer.begin().await.unwrap();
        sqlx::query("CREATE TABLE t (n INTEGER, filler BLOB)")
            .execute(turn.connection())
            .await
            .unwrap();
        turn.commit().await.unwrap();
        (file, writer)
    }

    async fn insert(turn: &mut Turn, n: i64, bytes: i64) -> Result<()> {
        let filler = sqlx::query("INSERT INTO t (n, filler) VALUES ($1, zeroblob($2))")
            .bind(n)
            .bind(bytes);
        filler
            .execute(turn.connection())
            .await
            .map(drop)
            .map_err(|error| meaning(error, "insert"))
    }

    async fn stored(writer: &Arc<Writer>) -> Vec<i64> {
        let mut turn = writer.begin().await.unwrap();
        sqlx::query_scalar("SELECT n FROM t ORDER BY n")
            .fetch_all(turn.connection())
            .await
            .unwrap()
    }

    async fn end(file: std::path::PathBuf, writer: Arc<Writer>) {
        writer.close().await;
        std::fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn who_commits_while_others_wait_shares_the_commit_with_them() {
        let (file, writer) = writer("shared", 10_000).await;
        let first = writer.begin().await.unwrap();
        let others: Vec<_> = (0..5)
            .map(|n| {
                let writer = writer.clone();
                tokio::spawn(async move {
                    let mut turn = writer.begin().await?;
                    let joined = !turn.first;
                    insert(&mut turn, n, 1).await?;
                    turn.commit().await.map(|()| joined)
                })
            })
            .collect();
        while writer.waiting.load(Ordering::SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
        first.commit().await.unwrap();
        for other in others {
            assert!(
                other.await.unwrap().unwrap(),
                "joined the first one's transaction"
            );
        }
        assert_eq!(stored(&writer).await, [0, 1, 2, 3, 4]);
        end(file, writer).await;
    }

    #[tokio::test]
    async fn when_the_disk_is_full_nobody_hears_committed_who_is_not() {
        let (file, writer) = writer("full", 60).await;
        // Each takes five pages or so; some fit. SQLite rolls back the whole transaction of whoever meets the end, the others
        // of its group included.
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let writer = writer.clone();
                tokio::spawn(async move {
                    let mut turn = writer.begin().await?;
                    insert(&mut turn, n, 20_000).await?;
                    turn.commit().await
                })
            })
            .collect();
        let mut committed = Vec::new();
        let mut full = 0;
        for (n, task) in tasks.into_iter().enumerate() {
            match task.await.unwrap() {
                Ok(()) => committed.push(n as i64),
                Err(Error::Full { .. }) => full += 1,
                Err(Error::Unavailable {
                    during: "commit", ..
                }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(full > 0);
        assert_eq!(stored(&writer).await, committed);
        // There is room again.
        let mut turn = writer.begin().await.unwrap();
        sqlx::query("DELETE FROM t")
            .execute(turn.connection())
            .await
            .unwrap();
        insert(&mut turn, 7, 1).await.unwrap();
        turn.commit().await.unwrap();
        assert_eq!(stored(&writer).await, [7]);
        end(file, writer).await;
    }

    #[tokio::test]
    async fn a_member_that_goes_away_while_it_waits_for_the_disk_leaves_nothing_open() {
        let (file, writer) = writer("away", 10_000).await;
        let mut first = writer.begin().await.unwrap();
        insert(&mut first, 1, 1).await.unwrap();
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.begin().await }
        });
        while writer.waiting.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        // The first passes the connection on and waits; then both callers go away.
        let waits = tokio::spawn(first.commit());
        let second = second.await.unwrap().unwrap();
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        drop(second);
        // What the first had asked for is committed, by nobody in particular.
        assert_eq!(stored(&writer).await, [1]);
        assert!(!writer.state.lock().await.open);
        end(file, writer).await;
    }
}
