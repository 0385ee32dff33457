//! A transaction: statements, guarded changes, and what is written with the commit.

use std::collections::BTreeSet;

use sqlx::{Postgres, SqlSafeStr as _, SqlStr, Transaction};

use crate::driver::{Connection, meaning, repeat_values, sqlite_index_name, statement_name};
use crate::id::TypedId;
use crate::readers::Reader;
use crate::store::check_arguments;
use crate::writer::{After, Turn};
use crate::{Error, Event, Result, Row, Rule, Store, Value, jobs, ledger};

/// An open transaction. Dropped without [`commit`](Tx::commit), it never happened.
///
/// After a statement failed, every further call is [`Error::Aborted`], on both databases. `Conflict` with nothing changed
/// and `NotFound` are answers, not failures: reading on to say why is fine.
#[derive(Debug)]
pub struct Tx {
    connection: Held,
    store: Store,
    now: i64,
    writes: bool,
    failed: bool,
    pub(crate) events: Vec<Vec<Value>>,
    pub(crate) jobs: Vec<jobs::Asked>,
    after: After,
}

#[derive(Debug)]
enum Held {
    SqliteWrite(Turn),
    SqliteRead(Reader),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// The one instant of this transaction, ms since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// A new id.
    pub fn id<T: TypedId>(&self) -> T {
        self.store.id()
    }

    /// The first row.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none.
    pub async fn one(&mut self, sql: &'static str, args: &[Value]) -> Result<Row> {
        self.optional(sql, args).await?.ok_or(Error::NotFound {
            statement: statement_name(sql),
        })
    }

    /// The first row, or none.
    ///
    /// # Errors
    /// What the database says: [`Error::Constraint`], [`Error::Unavailable`], … So for all that follow.
    pub async fn optional(&mut self, sql: &'static str, args: &[Value]) -> Result<Option<Row>> {
        self.ready(sql, args)?;
        let outcome = self.connection().optional(sql.into_sql_str(), args).await;
        self.settle(sql, outcome).await
    }

    /// All rows.
    ///
    /// # Errors
    /// As [`Tx::optional`].
    pub async fn all(&mut self, sql: &'static str, args: &[Value]) -> Result<Vec<Row>> {
        self.ready(sql, args)?;
        let outcome = self.connection().all(sql.into_sql_str(), args).await;
        self.settle(sql, outcome).await
    }

    /// Runs a write and says how many rows it changed.
    ///
    /// # Errors
    /// As [`Tx::optional`]; [`Error::ReadOnly`] in a transaction that only reads.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value]) -> Result<u64> {
        self.ready(sql, args)?;
        self.may_write(sql)?;
        let outcome = self.connection().execute(sql.into_sql_str(), args).await;
        self.settle(sql, outcome).await
    }

    /// Runs a write that must change exactly `expected` rows of `table`.
    ///
    /// # Errors
    /// [`Error::Conflict`] otherwise. If other rows than expected were changed, the transaction is over; if none were, it may
    /// be used to find out why.
    pub async fn change(
        &mut self,
        table: &'static str,
        expected: u64,
        sql: &'static str,
        args: &[Value],
    ) -> Result<()> {
        let changed = self.execute(sql, args).await?;
        if changed == expected {
            return Ok(());
        }
        self.failed |= changed > 0;
        Err(Error::Conflict {
            table,
            expected,
            changed,
        })
    }

    /// Runs a statement that has one `VALUES ($1, …)` tuple for many rows, in a few statements of many tuples each.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn execute_many(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<u64> {
        let mut changed = 0;
        self.may_write(sql)?;
        for (text, args) in in_portions(sql, &[], rows) {
            self.alive()?;
            let outcome = self.connection().execute(text, &args).await;
            changed += self.settle(sql, outcome).await?;
        }
        Ok(changed)
    }

    /// Like [`Tx::execute_many`], for a statement with arguments of its own before the tuple, that returns rows.
    pub async fn all_many(
        &mut self,
        sql: &'static str,
        before: &[Value],
        rows: &[Vec<Value>],
    ) -> Result<Vec<Row>> {
        let mut found = Vec::new();
        for (text, args) in in_portions(sql, before, rows) {
            self.alive()?;
            let outcome = self.connection().few(text, &args).await;
            found.extend(self.settle(sql, outcome).await?);
        }
        Ok(found)
    }

    /// Writes a line of the audit ledger with this commit. Ids and codes only, no personal data.
    pub fn record(&mut self, event: Event<'_>) {
        let row = ledger::row(self.id(), &event, self.now);
        self.events.push(row);
    }

    /// Has something short done as soon as this is durable: somebody to be told who waits for it. It is done also when whoever
    /// commits goes away meanwhile.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.after.push(then);
    }

    /// Makes it durable, and wakes who waits for its jobs. Goes on when its caller goes away.
    ///
    /// # Errors
    /// [`Error::Aborted`] if a statement failed before. [`Error::Unavailable`] leaves open whether it happened.
    pub async fn commit(self) -> Result<()> {
        self.alive()?;
        crate::failpoint!("store.commit.before");
        match &self.connection {
            // Several round trips; who has gone away after one would leave it to chance whether the rest happens.
            Held::Postgres(_) if self.writes => {
                let ended = tokio::spawn(self.end()).await;
                ended.map_err(|gone| Error::Unavailable {
                    during: "commit",
                    source: gone.into(),
                })??;
            }
            _ => self.end().await?,
        }
        crate::failpoint!("store.commit.after");
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        if !self.events.is_empty() {
            let events = std::mem::take(&mut self.events);
            self.execute_many(ledger::INSERT, &events).await?;
        }
        let kinds: BTreeSet<String> = self.jobs.iter().map(|job| job.kind.clone()).collect();
        if !kinds.is_empty() {
            let rows = jobs::rows(&self.store, std::mem::take(&mut self.jobs), self.now);
            self.execute_many(jobs::ENQUEUE, &rows).await?;
            let store = self.store.clone();
            self.after.push(move || store.0.bell.ring(&kinds));
        }
        match self.connection {
            Held::SqliteWrite(turn) => turn.commit(self.after).await,
            // A snapshot ends when its reader goes back.
            Held::SqliteRead(_) => Ok(()),
            Held::Postgres(transaction) => {
                let ended = transaction.commit().await;
                ended.map_err(|error| meaning(error, "commit"))?;
                self.after.run();
                Ok(())
            }
        }
    }

    pub(crate) fn sqlite_write(store: Store, turn: Turn) -> Tx {
        Tx::new(store, Held::SqliteWrite(turn), true)
    }

    pub(crate) fn sqlite_read(store: Store, reader: Reader) -> Tx {
        Tx::new(store, Held::SqliteRead(reader), false)
    }

    pub(crate) fn postgres(
        store: Store,
        transaction: Transaction<'static, Postgres>,
        writes: bool,
    ) -> Tx {
        Tx::new(store, Held::Postgres(transaction), writes)
    }

    fn new(store: Store, connection: Held, writes: bool) -> Tx {
        Tx {
            now: store.now(),
            connection,
            store,
            writes,
            failed: false,
            events: Vec::new(),
            jobs: Vec::new(),
            after: After::default(),
        }
    }

    /// Nothing of this transaction may be kept.
    pub(crate) fn doom(&mut self) {
        self.failed = true;
    }

    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match &mut self.connection {
            Held::SqliteWrite(turn) => Connection::Sqlite(turn.connection()),
            Held::SqliteRead(reader) => Connection::Sqlite(reader.connection()),
            Held::Postgres(transaction) => Connection::Postgres(transaction),
        }
    }

    /// A statement composed from the schema: for copying only.
    pub(crate) async fn all_text(&mut self, sql: String, args: &[Value]) -> Result<Vec<Row>> {
        self.alive()?;
        let outcome = self
            .connection()
            .all(sqlx::AssertSqlSafe(sql).into_sql_str(), args)
            .await;
        self.settle("-- store.copy.read", outcome).await
    }

    /// A write composed from the schema: for copying only.
    pub(crate) async fn execute_text(&mut self, sql: String, args: &[Value]) -> Result<u64> {
        self.alive()?;
        let outcome = self
            .connection()
            .execute(sqlx::AssertSqlSafe(sql).into_sql_str(), args)
            .await;
        self.settle("-- store.copy.write", outcome).await
    }

    /// Several statements of our own, without arguments.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<()> {
        let outcome = self.connection().script(sql).await;
        self.settle(sql, outcome).await
    }

    fn ready(&self, sql: &'static str, args: &[Value]) -> Result<()> {
        self.alive()?;
        check_arguments(sql, args)
    }

    fn alive(&self) -> Result<()> {
        if self.failed {
            Err(Error::Aborted)
        } else {
            Ok(())
        }
    }

    fn may_write(&self, sql: &'static str) -> Result<()> {
        if self.writes {
            Ok(())
        } else {
            Err(Error::ReadOnly {
                statement: statement_name(sql),
            })
        }
    }

    /// Turns the driver's error into ours. PostgreSQL refuses everything after a failed statement and commits nothing,
    /// silently; SQLite goes on. Neither is good: after an error the transaction is over, and says so.
    async fn settle<T>(&mut self, sql: &'static str, outcome: sqlx::Result<T>) -> Result<T> {
        let error = match outcome {
            Ok(value) => return Ok(value),
            Err(error) => meaning(error, statement_name(sql)),
        };
        self.failed = true;
        match (error, self.connection()) {
            (
                Error::Constraint {
                    rule: Rule::Unique,
                    name,
                    source,
                },
                Connection::Sqlite(connection),
            ) => {
                let name = sqlite_index_name(connection, &name);
                Err(Error::Constraint {
                    rule: Rule::Unique,
                    name,
                    source,
                })
            }
            (error, _) => Err(error),
        }
    }
}

/// At most 128 rows at a time, in multiples of eight while there are as many: few texts are prepared however many rows there
/// are, and few statements run.
pub(crate) fn in_portions<'r>(
    sql: &'static str,
    before: &'r [Value],
    mut rows: &'r [Vec<Value>],
) -> impl Iterator<Item = (SqlStr, Vec<Value>)> + use<'r> {
    std::iter::from_fn(move || {
        let size = match rows.len() {
            0 => return None,
            few @ 1..8 => few,
            many => many.min(128) / 8 * 8,
        };
        let (portion, rest) = rows.split_at(size);
        rows = rest;
        let args = before
            .iter()
            .chain(portion.iter().flatten())
            .cloned()
            .collect();
        let text = if size == 1 {
            sql.into_sql_str()
        } else {
            sqlx::AssertSqlSafe(repeat_values(sql, size)).into_sql_str()
        };
        Some((text, args))
    })
}
