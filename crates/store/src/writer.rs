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
//! Statements run where they are called; COMMIT, which waits for the disk, on a thread that may wait.
//!
//! # Invariants
//!
//! - `State::open` says whether the connection is inside a transaction; the group is empty when it is not.
//! - A member that ends without commit rolls back its own savepoint only. If even that fails, nobody of the group is told
//!   "committed".
//! - What was asked to be committed is committed, also when its caller has gone away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use crate::driver::meaning;
use crate::sqlite::{Connect, Connection, is_busy};
use crate::{Error, Result};

/// How long to wait before another process is asked again for the write lock.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// The writing end of a SQLite database.
#[derive(Debug)]
pub(crate) struct Writer {
    connect: Connect,
    waiting: AtomicUsize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// None before the first use, after a failure, and once closed.
    connection: Option<Connection>,
    open: bool,
    group: Vec<Member>,
    closed: bool,
}

/// Who waits for the commit of a group, and what follows it even if they have gone away.
#[derive(Debug)]
struct Member {
    ear: oneshot::Sender<Outcome>,
    after: After,
}

/// What is done as soon as a commit is durable, also when its caller has gone away. Short: the next writer waits.
#[derive(Default)]
pub(crate) struct After(Vec<Box<dyn FnOnce() + Send>>);

impl After {
    pub(crate) fn push(&mut self, then: impl FnOnce() + Send + 'static) {
        self.0.push(Box::new(then));
    }

    pub(crate) fn run(self) {
        self.0.into_iter().for_each(|then| then());
    }
}

impl std::fmt::Debug for After {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "After({})", self.0.len())
    }
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
    pub(crate) fn new(connect: Connect) -> Arc<Writer> {
        Arc::new(Writer {
            connect,
            waiting: AtomicUsize::new(0),
            state: Arc::default(),
        })
    }

    /// Waits for the connection and begins, or joins what is open.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<Turn> {
        let mut state = {
            let _counted = Counted::new(&self.waiting);
            tokio::time::timeout(self.connect.wait, self.state.clone().lock_owned())
                .await
                .map_err(|late| Error::Contended {
                    during: "begin",
                    source: late.into(),
                })?
        };
        if state.closed {
            return Err(meaning(sqlx::Error::PoolClosed, "begin"));
        }
        let first = !state.open;
        self.begin_in(&mut state)
            .await
            .map_err(|error| meaning(error, "begin"))?;
        state.open = true;
        Ok(Turn {
            writer: self.clone(),
            state: Some(state),
            first,
        })
    }

    async fn begin_in(&self, state: &mut State) -> sqlx::Result<()> {
        if state.open {
            return run(state, "SAVEPOINT member");
        }
        if state.connection.is_none() {
            let mut connection = self.connect.open()?;
            connection.never_wait()?;
            state.connection = Some(connection);
        }
        // Another process may hold the lock (a command beside the server): it is waited for without holding a thread.
        let mut waited = Duration::ZERO;
        loop {
            match run(state, "BEGIN IMMEDIATE") {
                Err(error) if is_busy(&error) && waited < self.connect.wait => {
                    tokio::time::sleep(ASK_AGAIN).await;
                    waited += ASK_AGAIN;
                }
                outcome => return outcome,
            }
        }
    }

    /// Commits what is open for all its members, and passes the connection on. Goes on when its caller has gone away.
    fn commit_group(mut state: OwnedMutexGuard<State>) {
        tokio::spawn(async move {
            let members = std::mem::take(&mut state.group);
            let outcome = commit(&mut state).await.map_err(Arc::new);
            if outcome.is_err() {
                abandon(&mut state);
            }
            state.open = false;
            for member in members {
                if outcome.is_ok() {
                    member.after.run();
                }
                // A member whose caller has gone away does not listen.
                let _ = member.ear.send(outcome.clone());
            }
        });
    }

    pub(crate) async fn close(&self) {
        let mut state = self.state.clone().lock_owned().await;
        state.closed = true;
        if state.open {
            let (ear, done) = oneshot::channel();
            state.group.push(Member {
                ear,
                after: After::default(),
            });
            Writer::commit_group(state);
            let _ = done.await;
            state = self.state.clone().lock_owned().await;
        }
        state.connection = None;
    }
}

impl Turn {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.state()
            .connection
            .as_mut()
            .expect("invariant: a begun turn has a connection")
    }

    /// Durable when it returns; `after` is done then, or if its caller has gone away by then.
    pub(crate) async fn commit(mut self, after: After) -> Result<()> {
        if !self.first
            && let Err(error) = run(self.state(), "RELEASE member")
        {
            return Err(meaning(error, "commit")); // dropping the turn breaks the group
        }
        let (ear, receiver) = oneshot::channel();
        self.state().group.push(Member { ear, after });
        let is_alone = self.first && self.writer.waiting.load(Ordering::SeqCst) == 0;
        if let Some(state) = self.state.take() {
            if is_alone {
                Writer::commit_group(state);
            } else {
                drop(state); // the next writer's turn
                // Queue again, behind everybody who waits now. Whoever of the group comes first commits for all.
                let again = self.writer.state.clone().lock_owned();
                tokio::spawn(async move {
                    let state = again.await;
                    if !state.group.is_empty() {
                        Writer::commit_group(state);
                    }
                });
            }
        }
        match receiver.await {
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
}

impl Drop for Turn {
    /// Rolls back what was not committed.
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        let back = match self.first {
            true => Err(sqlx::Error::WorkerCrashed),
            false => run(&mut state, "ROLLBACK TO member")
                .and_then(|()| run(&mut state, "RELEASE member")),
        };
        if back.is_err() {
            abandon(&mut state);
        }
    }
}

fn run(state: &mut State, sql: &'static str) -> sqlx::Result<()> {
    state
        .connection
        .as_mut()
        .ok_or(sqlx::Error::WorkerCrashed)?
        .execute(sql, &[])
        .map(drop)
}

/// COMMIT on a thread that may wait for the disk. A thread that breaks off takes the connection with it, which rolls back.
async fn commit(state: &mut State) -> sqlx::Result<()> {
    let mut connection = state.connection.take().ok_or(sqlx::Error::WorkerCrashed)?;
    let committing = tokio::task::spawn_blocking(move || {
        let outcome = connection.execute("COMMIT", &[]).map(drop);
        (connection, outcome)
    });
    let (connection, outcome) = committing.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
    state.connection = Some(connection);
    outcome
}

/// Rolls everything back; a connection on which not even that works is closed. Members that wait hear a closed channel.
fn abandon(state: &mut State) {
    state.group.clear();
    state.open = false;
    let is_harmless = match run(state, "ROLLBACK") {
        Ok(()) => true,
        // Nothing was open (SQLite rolls back by itself when the disk is full): as good.
        Err(sqlx::Error::Database(error)) => error.message().contains("no transaction is active"),
        Err(_) => false,
    };
    if !is_harmless {
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
        std::fs::write(&file, []).unwrap();
        let writer = Writer::new(Connect {
            file: file.clone(),
            wait: Duration::from_secs(5),
            statements: 16,
            durable: false,
            pages_max: Some(pages_max),
        });
        let mut turn = writer.begin().await.unwrap();
        turn.connection()
            .script("CREATE TABLE t (n INTEGER, filler BLOB)")
            .unwrap();
        turn.commit(After::default()).await.unwrap();
        (file, writer)
    }

    fn insert(turn: &mut Turn, n: i64, bytes: i64) -> Result<()> {
        turn.connection()
            .execute(
                "INSERT INTO t (n, filler) VALUES ($1, zeroblob($2))",
                &[n.into(), bytes.into()],
            )
            .map(drop)
            .map_err(|error| meaning(error, "insert"))
    }

    async fn stored(writer: &Arc<Writer>) -> Vec<i64> {
        let mut turn = writer.begin().await.unwrap();
        let rows = turn
            .connection()
            .read("SELECT n FROM t ORDER BY n", &[], usize::MAX)
            .unwrap();
        rows.iter().map(|row| row.int("n").unwrap()).collect()
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
                    insert(&mut turn, n, 1)?;
                    turn.commit(After::default()).await.map(|()| joined)
                })
            })
            .collect();
        while writer.waiting.load(Ordering::SeqCst) < 5 {
            tokio::task::yield_now().await;
        }
        first.commit(After::default()).await.unwrap();
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
                    insert(&mut turn, n, 20_000)?;
                    turn.commit(After::default()).await
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
        turn.connection().script("DELETE FROM t").unwrap();
        insert(&mut turn, 7, 1).unwrap();
        turn.commit(After::default()).await.unwrap();
        assert_eq!(stored(&writer).await, [7]);
        end(file, writer).await;
    }

    #[tokio::test]
    async fn a_member_that_goes_away_while_it_waits_for_the_disk_leaves_nothing_open() {
        let (file, writer) = writer("away", 10_000).await;
        let mut first = writer.begin().await.unwrap();
        insert(&mut first, 1, 1).unwrap();
        let second = tokio::spawn({
            let writer = writer.clone();
            async move { writer.begin().await }
        });
        while writer.waiting.load(Ordering::SeqCst) < 1 {
            tokio::task::yield_now().await;
        }
        // The first passes the connection on and waits; then both callers go away.
        let waits = tokio::spawn(first.commit(After::default()));
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
