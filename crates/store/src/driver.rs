//! The narrow place where the two drivers differ: binding, running, reading, and what their errors mean.

use sqlx::encode::IsNull;
use sqlx::error::DatabaseError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgTypeInfo, Postgres};
use sqlx::{Arguments as _, Decode, Row as _, SqlStr, TypeInfo as _, ValueRef as _};

use crate::sqlite;
use crate::value::{Driver, Row, Value};
use crate::{Error, Result, Rule};

/// A connection, borrowed for one statement.
pub(crate) enum Connection<'c> {
    Sqlite(&'c mut sqlite::Connection),
    Postgres(&'c mut PgConnection),
}

impl Connection<'_> {
    /// However many rows there are: meanwhile the caller's thread is lent to nobody, so another takes over its other tasks.
    pub(crate) async fn all(self, sql: SqlStr, args: &[Value]) -> sqlx::Result<Vec<Row>> {
        match self {
            Connection::Sqlite(connection) => {
                sqlite::at_length(|| connection.read(sql.as_str(), args, usize::MAX))
            }
            other => other.few(sql, args).await,
        }
    }

    /// Rows found by their keys.
    pub(crate) async fn few(self, sql: SqlStr, args: &[Value]) -> sqlx::Result<Vec<Row>> {
        match self {
            Connection::Sqlite(connection) => connection.read(sql.as_str(), args, usize::MAX),
            Connection::Postgres(connection) => {
                let rows = sqlx::query_with(sql, postgres_arguments(args)?)
                    .fetch_all(connection)
                    .await?;
                Ok(rows
                    .into_iter()
                    .map(|row| Row(Driver::Postgres(row)))
                    .collect())
            }
        }
    }

    pub(crate) async fn optional(self, sql: SqlStr, args: &[Value]) -> sqlx::Result<Option<Row>> {
        match self {
            Connection::Sqlite(connection) => Ok(connection.read(sql.as_str(), args, 1)?.pop()),
            Connection::Postgres(connection) => {
                let row = sqlx::query_with(sql, postgres_arguments(args)?)
                    .fetch_optional(connection)
                    .await?;
                Ok(row.map(|row| Row(Driver::Postgres(row))))
            }
        }
    }

    pub(crate) async fn execute(self, sql: SqlStr, args: &[Value]) -> sqlx::Result<u64> {
        match self {
            Connection::Sqlite(connection) => connection.execute(sql.as_str(), args),
            Connection::Postgres(connection) => {
                let done = sqlx::query_with(sql, postgres_arguments(args)?)
                    .execute(connection)
                    .await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// Several statements without arguments: a migration.
    pub(crate) async fn script(self, sql: &'static str) -> sqlx::Result<()> {
        match self {
            Connection::Sqlite(connection) => connection.script(sql),
            Connection::Postgres(connection) => {
                sqlx::raw_sql(sql).execute(connection).await.map(drop)
            }
        }
    }
}

fn postgres_arguments(args: &[Value]) -> sqlx::Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in args {
        match value {
            Value::Null => arguments.add(Untyped),
            Value::Int(int) => arguments.add(*int),
            Value::Text(text) => arguments.add(text.as_str()),
            Value::Bytes(bytes) => arguments.add(bytes.as_slice()),
            Value::Bool(bool) => arguments.add(*bool),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// NULL of whatever type the statement wants there. Any stated type would be refused beside a column of another.
struct Untyped;

impl sqlx::Type<Postgres> for Untyped {
    fn type_info() -> PgTypeInfo {
        // Parse message, PostgreSQL 15 documentation 55.7: type zero leaves the type unspecified.
        PgTypeInfo::with_oid(Oid(0))
    }
}

impl sqlx::Encode<'_, Postgres> for Untyped {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, sqlx::error::BoxDynError> {
        Ok(IsNull::Yes)
    }
}

impl Row {
    /// Whatever the column holds.
    ///
    /// # Errors
    /// [`Error::Column`] if there is no such column, or its type is none of the five.
    pub fn value(&self, column: &str) -> Result<Value> {
        let found = |found: &str| Error::Column {
            column: column.to_owned(),
            expected: "a value",
            found: found.to_owned(),
        };
        let missing = |_| found("no such column");
        match &self.0 {
            Driver::Sqlite { columns, values } => columns
                .iter()
                .zip(values)
                .find(|(name, _)| *name == column)
                .ok_or_else(|| found("no such column"))?
                .1
                .clone()
                .map_err(found),
            Driver::Postgres(row) => {
                let value = row.try_get_raw(column).map_err(missing)?;
                if value.is_null() {
                    return Ok(Value::Null);
                }
                let name = value.type_info().name().to_owned();
                match name.as_str() {
                    "INT8" => <i64 as Decode<Postgres>>::decode(value).map(Value::Int),
                    "INT4" => {
                        <i32 as Decode<Postgres>>::decode(value).map(|int| Value::Int(int.into()))
                    }
                    "TEXT" | "VARCHAR" | "NAME" => {
                        <String as Decode<Postgres>>::decode(value).map(Value::Text)
                    }
                    "BYTEA" => <Vec<u8> as Decode<Postgres>>::decode(value).map(Value::Bytes),
                    "BOOL" => <bool as Decode<Postgres>>::decode(value).map(Value::Bool),
                    other => return Err(found(other)),
                }
                .map_err(|_| found("bytes that do not decode"))
            }
        }
    }
}

/// `-- name` in the first line of a statement.
pub(crate) fn statement_name(sql: &'static str) -> &'static str {
    sql.trim_start()
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("--"))
        .map_or("unnamed statement", str::trim)
}

/// Whether a statement only reads: after its name it begins with SELECT.
pub(crate) fn only_reads(sql: &str) -> bool {
    let text = sql
        .lines()
        .find(|line| !line.trim_start().starts_with("--"))
        .unwrap_or_default();
    text.trim_start().starts_with("SELECT")
}

/// The highest `$n` in a statement: SQLite would silently bind NULL where an argument is missing.
pub(crate) fn placeholders(sql: &str) -> usize {
    sql.split('$')
        .skip(1)
        .filter_map(|rest| {
            rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]
                .parse()
                .ok()
        })
        .max()
        .unwrap_or(0)
}

/// What a driver's error means to the domain. `during` is the statement's name, `begin` or `commit`.
///
/// A violated unique index of SQLite still has the columns as its name; [`sqlite_index_name`] finds the index.
pub(crate) fn meaning(source: sqlx::Error, during: &'static str) -> Error {
    match &source {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::Unavailable {
            during,
            source: source.into(),
        },
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            if error
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                postgres_meaning(&code, during, source)
            } else {
                sqlite_meaning(&code, during, source)
            }
        }
        _ => Error::Statement {
            statement: during,
            source,
        },
    }
}

/// PostgreSQL 15 documentation, appendix A.
fn postgres_meaning(code: &str, during: &'static str, source: sqlx::Error) -> Error {
    let name = |error: &dyn DatabaseError| error.constraint().unwrap_or_default().to_owned();
    match (code, source.as_database_error()) {
        ("23505", Some(error)) => Error::Constraint {
            rule: Rule::Unique,
            name: name(error),
            source,
        },
        ("23514", Some(error)) => Error::Constraint {
            rule: Rule::Check,
            name: name(error),
            source,
        },
        ("23503", _) => Error::Constraint {
            rule: Rule::ForeignKey,
            name: FOREIGN_KEY.to_owned(),
            source,
        },
        ("23502", Some(error)) => {
            let column = error
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .map(|error| {
                    format!(
                        "{}.{}",
                        error.table().unwrap_or_default(),
                        error.column().unwrap_or_default()
                    )
                })
                .unwrap_or_default();
            Error::Constraint {
                rule: Rule::NotNull,
                name: column,
                source,
            }
        }
        ("40001" | "40P01" | "55P03" | "57014", _) => Error::Contended {
            during,
            source: source.into(),
        },
        ("53100", _) => Error::Full {
            during,
            source: source.into(),
        },
        ("25006", _) => Error::ReadOnly { statement: during },
        ("25P02", _) => Error::Aborted,
        (code, _)
            if code.starts_with("08")
                || code.starts_with("53")
                || code.starts_with("57P")
                || code.starts_with("58") =>
        {
            Error::Unavailable {
                during,
                source: source.into(),
            }
        }
        _ => Error::Statement {
            statement: during,
            source,
        },
    }
}

/// https://www.sqlite.org/rescode.html
fn sqlite_meaning(code: &str, during: &'static str, source: sqlx::Error) -> Error {
    let code: u32 = code.parse().unwrap_or(0);
    let message = source
        .as_database_error()
        .map(|error| error.message().to_owned())
        .unwrap_or_default();
    let after_colon = || {
        message
            .split_once(": ")
            .map_or("", |(_, rest)| rest)
            .to_owned()
    };
    match (code, code & 0xff) {
        (2067 | 1555, _) => Error::Constraint {
            rule: Rule::Unique,
            name: after_colon(),
            source,
        },
        (275, _) => Error::Constraint {
            rule: Rule::Check,
            name: after_colon(),
            source,
        },
        (787 | 1811, _) => Error::Constraint {
            rule: Rule::ForeignKey,
            name: FOREIGN_KEY.to_owned(),
            source,
        },
        (1299, _) => Error::Constraint {
            rule: Rule::NotNull,
            name: after_colon(),
            source,
        },
        (_, 5 | 6) => Error::Contended {
            during,
            source: source.into(),
        },
        (_, 13) => Error::Full {
            during,
            source: source.into(),
        },
        (_, 8) => Error::ReadOnly { statement: during },
        (_, 7 | 10 | 11 | 14 | 26) => Error::Unavailable {
            during,
            source: source.into(),
        },
        _ => Error::Statement {
            statement: during,
            source,
        },
    }
}

const FOREIGN_KEY: &str = "foreign_key";

const SQLITE_INDEXES: &str = "-- store.sqlite.indexes
SELECT list.name AS name, list.origin AS origin, info.name AS member
FROM pragma_index_list($1) AS list, pragma_index_info(list.name) AS info
WHERE list.\"unique\" = 1
ORDER BY list.seq, info.seqno";

#[cfg(feature = "testing")]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[SQLITE_INDEXES];

/// Turns `job.kind, job.key` into `job_open_key`, and what has no name of its own into the name PostgreSQL gives it.
pub(crate) fn sqlite_index_name(connection: &mut sqlite::Connection, columns: &str) -> String {
    if let Some(name) = columns.strip_prefix("index '") {
        return name.trim_end_matches('\'').to_owned();
    }
    let table = columns.split('.').next().unwrap_or_default().to_owned();
    let wanted: Vec<&str> = columns
        .split(", ")
        .filter_map(|column| column.split('.').nth(1))
        .collect();
    let rows = connection
        .read(SQLITE_INDEXES, &[table.as_str().into()], usize::MAX)
        .unwrap_or_default();
    let mut indexes: Vec<(String, String, Vec<String>)> = Vec::new();
    for row in rows {
        let (Ok(name), Ok(origin), Ok(member)) =
            (row.text("name"), row.text("origin"), row.text("member"))
        else {
            continue;
        };
        match indexes.last_mut() {
            Some(last) if last.0 == name => last.2.push(member),
            _ => indexes.push((name, origin, vec![member])),
        }
    }
    // `c`: CREATE INDEX, `u`: UNIQUE in the table, `pk`: PRIMARY KEY.
    match indexes
        .into_iter()
        .find(|(_, _, members)| *members == wanted)
    {
        Some((name, origin, _)) if origin == "c" => name,
        Some((_, origin, _)) if origin == "u" => format!("{table}_{}_key", wanted.join("_")),
        _ => format!("{table}_pkey"),
    }
}

/// Repeats the one `VALUES (…)` tuple of a statement `rows` times, counting placeholders on.
///
/// Placeholders outside the tuple must have lower numbers than those inside. The tuple's are counted from `$k`, so row `i`
/// binds its values after those of the rows before.
pub(crate) fn repeat_values(sql: &str, rows: usize) -> String {
    let start = sql
        .find("VALUES (")
        .expect("invariant: a statement for many rows has VALUES (…)")
        + "VALUES ".len();
    let mut depth = 0usize;
    let length = sql[start..]
        .bytes()
        .position(|byte| {
            match byte {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            depth == 0
        })
        .expect("invariant: the parenthesis after VALUES is closed");
    let tuple = &sql[start..=start + length];
    let numbers = |text: &str| -> Vec<usize> {
        text.split('$')
            .skip(1)
            .filter_map(|rest| {
                rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]
                    .parse()
                    .ok()
            })
            .collect()
    };
    let inside = numbers(tuple);
    let (first, last) = (
        inside.iter().min().copied().unwrap_or(1),
        inside.iter().max().copied().unwrap_or(0),
    );
    let width = last + 1 - first;
    let mut text = String::with_capacity(sql.len() + tuple.len() * rows + rows * width * 2);
    text.push_str(&sql[..start]);
    for row in 0..rows {
        if row > 0 {
            text.push_str(", ");
        }
        let mut parts = tuple.split('$');
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let number: usize = part[..digits]
                .parse()
                .expect("invariant: $ is followed by a number");
            text.push('$');
            text.push_str(&(number + row * width).to_string());
            text.push_str(&part[digits..]);
        }
    }
    text.push_str(&sql[start + length + 1..]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_first_line() {
        assert_eq!(statement_name("-- a.b.c\nSELECT 1"), "a.b.c");
        assert_eq!(statement_name("SELECT 1"), "unnamed statement");
    }

    #[test]
    fn placeholders_are_counted_by_the_highest() {
        assert_eq!(placeholders("SELECT 1"), 0);
        assert_eq!(placeholders("SELECT $2, $1, $12 WHERE x = $1"), 12);
    }

    #[test]
    fn values_are_repeated_with_their_placeholders_counted_on() {
        assert_eq!(
            repeat_values(
                "INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING",
                3
            ),
            "INSERT INTO t (a, b) VALUES ($1, lower($2)), ($3, lower($4)), ($5, lower($6)) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            repeat_values(
                "UPDATE t SET x = $1 WHERE (a, b) IN (VALUES ($2, CAST($3 AS BIGINT))) AND y = $1",
                2
            ),
            "UPDATE t SET x = $1 WHERE (a, b) IN (VALUES ($2, CAST($3 AS BIGINT)), ($4, CAST($5 AS BIGINT))) AND y = $1"
        );
        assert_eq!(
            repeat_values("-- n\nINSERT INTO t (a) VALUES ($1)", 1),
            "-- n\nINSERT INTO t (a) VALUES ($1)"
        );
    }
}
