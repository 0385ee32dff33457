//! What a compiler would tell us about SQL: every statement is prepared on both databases.

use sqlx::{Column as _, Executor as _, SqlSafeStr as _, Statement as _, TypeInfo as _};

use super::Database;
use crate::driver::repeat_values;
use crate::store::Db;
use crate::{Store, copy, driver, jobs};

/// Prepares every statement on a migrated SQLite and (where installed) PostgreSQL, and checks the house rules: a first line
/// `-- name`, columns listed and never `*`, and only our five types in arguments and results.
///
/// # Panics
/// With the list of everything that is wrong.
pub async fn prepare_all(statements: &[&'static str]) {
    let mut wrong = Vec::new();
    for sql in statements {
        if driver::statement_name(sql) == "unnamed statement" {
            wrong.push(format!("no `-- name` in the first line: {sql}"));
        }
        if sql.contains("SELECT *") || sql.contains("RETURNING *") || sql.contains(".*") {
            wrong.push(format!("{}: lists no columns", driver::statement_name(sql)));
        }
        if sql.contains('?') {
            wrong.push(format!(
                "{}: placeholders are $n",
                driver::statement_name(sql)
            ));
        }
    }
    for database in Database::each().await {
        for sql in statements.iter().copied().chain(own(&database.store)) {
            if let Err(reason) = prepare(&database.store, sql).await {
                wrong.push(format!(
                    "{} on {:?}: {reason}",
                    driver::statement_name(sql),
                    database.store.engine()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The few statements only one database runs.
fn own(store: &Store) -> Vec<&'static str> {
    match store.0.db {
        Db::Sqlite { .. } => [
            driver::STATEMENTS_SQLITE,
            jobs::STATEMENTS_SQLITE,
            copy::STATEMENTS_SQLITE,
        ]
        .concat(),
        Db::Postgres(_) => [jobs::STATEMENTS_POSTGRES, copy::STATEMENTS_POSTGRES].concat(),
    }
}

async fn prepare(store: &Store, sql: &'static str) -> Result<(), String> {
    let texts = match sql.contains("VALUES (") {
        true => vec![
            sql.into_sql_str(),
            sqlx::AssertSqlSafe(repeat_values(sql, 2)).into_sql_str(),
        ],
        false => vec![sql.into_sql_str()],
    };
    for text in texts {
        match &store.0.db {
            Db::Sqlite { readers, .. } => {
                let mut reader = readers.acquire().await.map_err(|error| error.to_string())?;
                reader
                    .connection()
                    .prepare(text.as_str())
                    .map_err(|error| error.to_string())?;
            }
            Db::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(|error| error.to_string())?;
                let statement = connection
                    .prepare(text)
                    .await
                    .map_err(|error| error.to_string())?;
                if let Some(sqlx::Either::Left(types)) = statement.parameters()
                    && let Some(other) = types.iter().find(|kind| !ours(kind.name()))
                {
                    return Err(format!(
                        "an argument is {}, which is none of our types",
                        other.name()
                    ));
                }
                if let Some(other) = statement
                    .columns()
                    .iter()
                    .find(|column| !ours(column.type_info().name()))
                {
                    let (name, kind) = (other.name(), other.type_info().name());
                    return Err(format!(
                        "result {name} is {kind}, which is none of our types"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn ours(kind: &str) -> bool {
    // `pg_notify` and the locks return nothing, as a type.
    ["TEXT", "INT8", "BYTEA", "BOOL", "INT4", "NAME", "VOID"].contains(&kind)
}
