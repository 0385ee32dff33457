//! Moving a whole store to another database: `kyso store copy --to`.
//!
//! One loop over one schema. Both sides have the same tables because both ran the same migrations, so the tables, their
//! columns and the order in which references allow them to be filled are read from the database itself; a new table needs
//! nothing here. The source is read in one snapshot, the target written in one transaction: all or nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::driver::repeat_values;
use crate::{Engine, Error, MIGRATIONS, Result, Store, Tx, Value};

const SQLITE_TABLES: &str = "-- store.copy.sqlite_tables
SELECT t.name AS table_name, c.name AS column_name, c.type AS type_name, c.pk AS key_place
FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY t.name, c.cid";

const SQLITE_REFERENCES: &str = "-- store.copy.sqlite_references
SELECT t.name AS table_name, f.\"table\" AS refers_to
FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
WHERE t.type = 'table'";

const POSTGRES_TABLES: &str = "-- store.copy.postgres_tables
SELECT CAST(c.table_name AS TEXT) AS table_name, CAST(c.column_name AS TEXT) AS column_name,
       CAST(c.data_type AS TEXT) AS type_name,
       CAST(COALESCE((SELECT k.ordinal_position
                      FROM information_schema.table_constraints AS p
                      JOIN information_schema.key_column_usage AS k
                        ON k.constraint_schema = p.constraint_schema AND k.constraint_name = p.constraint_name
                           AND k.table_name = p.table_name
                      WHERE p.constraint_type = 'PRIMARY KEY' AND p.table_schema = c.table_schema
                        AND p.table_name = c.table_name AND k.column_name = c.column_name), 0) AS BIGINT) AS key_place
FROM information_schema.columns AS c
WHERE c.table_schema = current_schema()
ORDER BY c.table_name, c.ordinal_position";

const POSTGRES_REFERENCES: &str = "-- store.copy.postgres_references
SELECT CAST(t.relname AS TEXT) AS table_name, CAST(r.relname AS TEXT) AS refers_to
FROM pg_constraint AS f JOIN pg_class AS t ON t.oid = f.conrelid JOIN pg_class AS r ON r.oid = f.confrelid
WHERE f.contype = 'f'";

#[cfg(feature = "testing")]
pub(crate) const STATEMENTS_SQLITE: &[&str] = &[SQLITE_TABLES, SQLITE_REFERENCES];

#[cfg(feature = "testing")]
pub(crate) const STATEMENTS_POSTGRES: &[&str] = &[POSTGRES_TABLES, POSTGRES_REFERENCES];

/// What each side keeps for itself.
const OWN: &str = "schema_migration";

/// Rows read and written at a time: few of those that may hold documents.
const PORTION: usize = 128;
const PORTION_OF_BYTES: usize = 8;

#[derive(Debug)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Places in `columns`, in the key's order.
    key: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Column {
    name: String,
    boolean: bool,
    bytes: bool,
}

impl Table {
    fn portion(&self) -> usize {
        if self.columns.iter().any(|column| column.bytes) {
            PORTION_OF_BYTES
        } else {
            PORTION
        }
    }
}

impl Store {
    /// Copies every row of this store into `to`, which must be empty and is migrated first. `progress` hears the table and
    /// how many of its rows are copied. Says how many rows were copied in all. Nothing is kept unless everything is.
    ///
    /// # Errors
    /// [`Error::Copy`] if the target is not empty, or the tables of the two differ; what either database says.
    pub async fn copy_to(&self, to: &Store, mut progress: impl FnMut(&str, u64)) -> Result<u64> {
        self.migrate(MIGRATIONS).await?;
        to.migrate(MIGRATIONS).await?;
        let mut source = self.read().await?;
        let mut target = to.write().await?;
        let ordered = in_order(
            tables(&mut source, self.engine()).await?,
            &references(&mut target, to.engine()).await?,
        )?;
        let there = tables_by_name(tables(&mut target, to.engine()).await?);
        let mut total = 0;
        for table in &ordered {
            let Some(twin) = there
                .get(&table.name)
                .filter(|twin| same_columns(table, twin))
            else {
                return Err(Error::Copy {
                    reason: format!("table {} differs on the two sides", table.name),
                });
            };
            if count(&mut target, &table.name).await? > 0 {
                return Err(Error::Copy {
                    reason: format!("table {} of the target is not empty", table.name),
                });
            }
            let copied = copy_table(&mut source, &mut target, table, twin, &mut progress).await?;
            let (here, now_there) = (
                count(&mut source, &table.name).await?,
                count(&mut target, &table.name).await?,
            );
            if copied != here || copied != now_there {
                return Err(Error::Copy {
                    reason: format!("{}: {here} rows, {now_there} arrived", table.name),
                });
            }
            total += copied;
        }
        target.commit().await?;
        Ok(total)
    }
}

/// Reads on from the last key, so that no portion is slower than the first.
async fn copy_table(
    source: &mut Tx,
    target: &mut Tx,
    table: &Table,
    twin: &Table,
    progress: &mut impl FnMut(&str, u64),
) -> Result<u64> {
    let (first, next) = (select(table, false), select(table, true));
    let insert = insert(table);
    let mut copied = 0;
    let mut last: Option<Vec<Value>> = None;
    loop {
        let (sql, args) = match last.take() {
            None => (&first, Vec::new()),
            Some(key) => (&next, key),
        };
        let rows = source.all_text(sql.clone(), &args).await?;
        let mut values = Vec::with_capacity(rows.len() * table.columns.len());
        for row in &rows {
            for column in &table.columns {
                let boolean = twin
                    .columns
                    .iter()
                    .any(|other| other.name == column.name && other.boolean);
                values.push(typed(row.value(&column.name)?, boolean));
            }
        }
        if let Some(row) = rows.last() {
            last = Some(
                table
                    .key
                    .iter()
                    .map(|place| row.value(&table.columns[*place].name))
                    .collect::<Result<_>>()?,
            );
            target
                .execute_text(repeat_values(&insert, rows.len()), &values)
                .await?;
        }
        copied += rows.len() as u64;
        progress(&table.name, copied);
        if rows.len() < table.portion() {
            return Ok(copied);
        }
    }
}

/// SQLite has no boolean.
fn typed(value: Value, boolean: bool) -> Value {
    match value {
        Value::Int(int) if boolean => Value::Bool(int != 0),
        other => other,
    }
}

fn select(table: &Table, on: bool) -> String {
    let columns = list(table.columns.iter().map(|column| column.name.as_str()));
    let key = list(
        table
            .key
            .iter()
            .map(|place| table.columns[*place].name.as_str()),
    );
    let places = (1..=table.key.len())
        .map(|place| format!("${place}"))
        .collect::<Vec<_>>()
        .join(", ");
    let after = if on {
        format!("WHERE ({key}) > ({places})")
    } else {
        String::new()
    };
    format!(
        "-- store.copy.select\nSELECT {columns} FROM \"{}\" {after} ORDER BY {key} LIMIT {}",
        table.name,
        table.portion()
    )
}

fn insert(table: &Table) -> String {
    let columns = list(table.columns.iter().map(|column| column.name.as_str()));
    let places = (1..=table.columns.len())
        .map(|place| format!("${place}"))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "-- store.copy.insert\nINSERT INTO \"{}\" ({columns}) VALUES ({places})",
        table.name
    )
}

/// Names come from the schema, that is from our migrations; quoted, because some may be words of SQL.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

async fn count(tx: &mut Tx, table: &str) -> Result<u64> {
    let rows = tx
        .all_text(
            format!("-- store.copy.count\nSELECT COUNT(*) AS rows FROM \"{table}\""),
            &[],
        )
        .await?;
    Ok(rows
        .first()
        .map_or(Ok(0), |row| row.int("rows"))?
        .unsigned_abs())
}

async fn tables(tx: &mut Tx, engine: Engine) -> Result<Vec<Table>> {
    let sql = match engine {
        Engine::Sqlite => SQLITE_TABLES,
        Engine::Postgres => POSTGRES_TABLES,
    };
    let mut tables: Vec<Table> = Vec::new();
    let mut keys: Vec<Vec<(i64, usize)>> = Vec::new();
    for row in tx.all(sql, &[]).await? {
        let name = row.text("table_name")?;
        if name == OWN {
            continue;
        }
        if tables.last().is_none_or(|last| last.name != name) {
            tables.push(Table {
                name,
                columns: Vec::new(),
                key: Vec::new(),
            });
            keys.push(Vec::new());
        }
        let (Some(table), Some(key)) = (tables.last_mut(), keys.last_mut()) else {
            continue;
        };
        if row.int("key_place")? > 0 {
            key.push((row.int("key_place")?, table.columns.len()));
        }
        let kind = row.text("type_name")?.to_ascii_lowercase();
        table.columns.push(Column {
            name: row.text("column_name")?,
            boolean: kind == "boolean",
            bytes: kind == "bytea",
        });
    }
    for (table, mut key) in tables.iter_mut().zip(keys) {
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, place)| place).collect();
        if table.key.is_empty() {
            return Err(Error::Copy {
                reason: format!("table {} has no primary key", table.name),
            });
        }
    }
    Ok(tables)
}

async fn references(tx: &mut Tx, engine: Engine) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let sql = match engine {
        Engine::Sqlite => SQLITE_REFERENCES,
        Engine::Postgres => POSTGRES_REFERENCES,
    };
    let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in tx.all(sql, &[]).await? {
        let (from, to) = (row.text("table_name")?, row.text("refers_to")?);
        // A table that refers to itself is filled in the order of its key: what was made first comes first.
        if from != to {
            references.entry(from).or_default().insert(to);
        }
    }
    Ok(references)
}

/// What is referred to comes before what refers to it.
fn in_order(
    mut tables: Vec<Table>,
    references: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Vec<Table>> {
    let mut ordered: Vec<Table> = Vec::new();
    while !tables.is_empty() {
        let free = |table: &Table| {
            let waits_for = |other: &Table| {
                references
                    .get(&table.name)
                    .is_some_and(|names| names.contains(&other.name))
            };
            !tables.iter().any(waits_for)
        };
        let Some(place) = tables.iter().position(free) else {
            return Err(Error::Copy {
                reason: format!("table {} is part of a circle of references", tables[0].name),
            });
        };
        ordered.push(tables.remove(place));
    }
    Ok(ordered)
}

fn tables_by_name(tables: Vec<Table>) -> BTreeMap<String, Table> {
    tables
        .into_iter()
        .map(|table| (table.name.clone(), table))
        .collect()
}

/// The same columns, in whatever order: a column added later stands last on one side, maybe not on the other.
fn same_columns(one: &Table, other: &Table) -> bool {
    let names = |table: &Table| {
        table
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect::<BTreeSet<_>>()
    };
    names(one) == names(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table {
            name: name.to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
        }
    }

    fn refers(pairs: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
        let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in pairs {
            references
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
        }
        references
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let ordered = in_order(
            vec![table("a"), table("b"), table("c")],
            &refers(&[("a", "b"), ("b", "c"), ("a", "c"), ("c", "elsewhere")]),
        );
        let names: Vec<_> = ordered
            .unwrap()
            .into_iter()
            .map(|table| table.name)
            .collect();
        assert_eq!(names, ["c", "b", "a"]);
    }

    #[test]
    fn a_circle_is_refused() {
        let refused = in_order(
            vec![table("a"), table("b")],
            &refers(&[("a", "b"), ("b", "a")]),
        );
        assert!(matches!(refused, Err(Error::Copy { .. })));
    }
}
