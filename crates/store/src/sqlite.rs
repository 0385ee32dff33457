//! SQLite's connections: opened, asked, and what their errors mean.
//!
//! Statements run where they are called. A row that is found by its key costs some ten microseconds, and sending the question
//! to another thread and the answer back several times that. What reads however many rows there are first lets another thread
//! take over the caller's tasks; COMMIT, which waits for the disk by design, has a thread of its own ([`crate::writer`]).

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use sqlx::error::{DatabaseError, ErrorKind};

use crate::value::{Driver, Row, Value};

/// How connections to one database are opened.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) file: PathBuf,
    /// How long a lock of another process is waited for while opening.
    pub(crate) wait: Duration,
    /// Prepared statements to keep.
    pub(crate) statements: usize,
    /// COMMIT returns when the disk has it.
    pub(crate) durable: bool,
    /// `max_page_count`, for tests of a full disk.
    pub(crate) pages_max: Option<u32>,
}

/// A connection. The mutex is never locked: SQLite's connection may be sent but not shared, and through `&mut` it need not be.
#[derive(Debug)]
pub(crate) struct Connection {
    held: Mutex<rusqlite::Connection>,
    /// By the text of the statement. Statements name their columns, so a schema that moves on changes no shape.
    shapes: HashMap<Box<str>, Arc<Shape>>,
    /// Shapes to keep.
    shapes_max: usize,
}

/// What SQLite says of a statement, asked once: it answers by comparing names.
#[derive(Debug)]
struct Shape {
    columns: Arc<[String]>,
    /// Which `$n` each of SQLite's parameters is, from 0: it numbers names as they come.
    arguments: Vec<Option<usize>>,
}

impl Connect {
    pub(crate) fn open(&self) -> sqlx::Result<Connection> {
        self.try_open().map_err(in_sqlx)
    }

    fn try_open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(&self.file, flags)?;
        connection.busy_timeout(self.wait)?;
        connection.set_prepared_statement_cache_capacity(self.statements);
        let synchronous = if self.durable { "FULL" } else { "OFF" };
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;
             PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF"
        ))?;
        if let Some(pages) = self.pages_max {
            connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        Ok(Connection {
            held: Mutex::new(connection),
            shapes: HashMap::new(),
            shapes_max: self.statements,
        })
    }
}

impl Connection {
    fn get(&mut self) -> &mut rusqlite::Connection {
        self.held.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// The statement with its arguments bound.
    fn bound(
        &mut self,
        sql: &str,
        args: &[Value],
    ) -> rusqlite::Result<(rusqlite::CachedStatement<'_>, Arc<Shape>)> {
        let connection = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(sql)?;
        let shape = match self.shapes.get(sql) {
            Some(shape) => shape.clone(),
            None => {
                if self.shapes.len() >= self.shapes_max {
                    self.shapes.clear();
                }
                let shape = Arc::new(Shape::of(&statement));
                self.shapes.insert(sql.into(), shape.clone());
                shape
            }
        };
        for (index, argument) in shape.arguments.iter().enumerate() {
            let value = argument.and_then(|number| args.get(number));
            statement.raw_bind_parameter(index + 1, value.unwrap_or(&Value::Null))?;
        }
        Ok((statement, shape))
    }

    /// The first `most` rows.
    pub(crate) fn read(
        &mut self,
        sql: &str,
        args: &[Value],
        most: usize,
    ) -> sqlx::Result<Vec<Row>> {
        self.rows(sql, args, most).map_err(in_sqlx)
    }

    fn rows(&mut self, sql: &str, args: &[Value], most: usize) -> rusqlite::Result<Vec<Row>> {
        let (mut statement, shape) = self.bound(sql, args)?;
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while found.len() < most
            && let Some(row) = rows.next()?
        {
            let values = (0..shape.columns.len())
                .map(|index| row.get_ref(index).map(value_of))
                .collect::<rusqlite::Result<_>>()?;
            found.push(Row(Driver::Sqlite {
                columns: shape.columns.clone(),
                values,
            }));
        }
        Ok(found)
    }

    /// How many rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, args: &[Value]) -> sqlx::Result<u64> {
        let changed = self
            .bound(sql, args)
            .and_then(|(mut statement, _)| statement.raw_execute());
        changed.map(|changed| changed as u64).map_err(in_sqlx)
    }

    /// Statements without arguments.
    pub(crate) fn script(&mut self, sql: &str) -> sqlx::Result<()> {
        self.get().execute_batch(sql).map_err(in_sqlx)
    }

    /// From now on a lock of another process is an error at once: who asked waits without holding a thread.
    pub(crate) fn never_wait(&mut self) -> sqlx::Result<()> {
        self.get().busy_timeout(Duration::ZERO).map_err(in_sqlx)
    }

    /// Whether SQLite accepts the statement.
    #[cfg(feature = "testing")]
    pub(crate) fn prepare(&mut self, sql: &str) -> sqlx::Result<()> {
        self.get().prepare(sql).map(drop).map_err(in_sqlx)
    }
}

/// Runs what may take long: where the runtime has other threads, they take over what this one would have done.
pub(crate) fn at_length<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Another process holds the lock.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == 5)
}

impl Shape {
    fn of(statement: &rusqlite::Statement<'_>) -> Self {
        let number = |index| {
            let name = statement.parameter_name(index)?;
            name.get(1..)?.parse::<usize>().ok()?.checked_sub(1)
        };
        Self {
            columns: statement
                .column_names()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            arguments: (1..=statement.parameter_count()).map(number).collect(),
        }
    }
}

/// What SQLite holds; the outer error names a type that is none of ours.
fn value_of(held: ValueRef<'_>) -> Result<Value, &'static str> {
    match held {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(int) => Ok(Value::Int(int)),
        ValueRef::Real(_) => Err("REAL"),
        ValueRef::Text(text) => String::from_utf8(text.to_vec())
            .map(Value::Text)
            .map_err(|_| "bytes that are not UTF-8"),
        ValueRef::Blob(bytes) => Ok(Value::Bytes(bytes.to_vec())),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::Bool(bool) => ValueRef::Integer((*bool).into()),
        }))
    }
}

/// SQLite's error in sqlx's words, so that a failure means the same on both databases.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Told {
    message: String,
    code: i32,
}

pub(crate) fn in_sqlx(error: rusqlite::Error) -> sqlx::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => sqlx::Error::Database(Box::new(Told {
            message: message.unwrap_or_else(|| code.to_string()),
            code: code.extended_code,
        })),
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

impl DatabaseError for Told {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
