//! Brings the schema to what this binary needs: each migration once, all or nothing, never on a database that is ahead.
//!
//! The whole run is one transaction under one lock (SQLite's write lock, an advisory lock on PostgreSQL), so two nodes that
//! start together migrate once. The SHA-256 of each applied text is kept: an edited migration is refused, not guessed about.

use aws_lc_rs::digest;

use crate::{Engine, Error, Result, Store, Tx};

/// One step of the schema, from `migrations/<id>_<name>.sql`.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// `YYYYMMDDHHMMSS`.
    pub id: i64,
    /// `verb_table_what`.
    pub name: &'static str,
    /// Statements both databases understand.
    pub sql: &'static str,
}

/// Every migration of this binary, in order.
pub const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

const CREATE: &str = "-- store.migration.create
CREATE TABLE IF NOT EXISTS schema_migration (
    id         BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    checksum   TEXT   NOT NULL,
    applied_at BIGINT NOT NULL
)";

const LOCK: &str = "-- store.migration.lock
SELECT pg_advisory_xact_lock(7886512938421)";

const APPLIED: &str = "-- store.migration.applied
SELECT id, name, checksum FROM schema_migration ORDER BY id";

const INSERT: &str = "-- store.migration.insert
INSERT INTO schema_migration (id, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

pub(crate) const STATEMENTS: &[&str] = &[APPLIED, INSERT];

impl Store {
    /// Applies what is missing of `migrations` (usually [`MIGRATIONS`]), all or nothing, and says how many.
    /// Two nodes starting together apply each once.
    ///
    /// # Errors
    /// [`Error::DatabaseNewer`], [`Error::MigrationEdited`], [`Error::MigrationFailed`], [`Error::MigrationList`].
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<u64> {
        if let Some(pair) = migrations.windows(2).find(|pair| pair[0].id >= pair[1].id) {
            return Err(Error::MigrationList {
                reason: format!("{} does not come after {}", pair[1].id, pair[0].id),
            });
        }
        let mut tx = self.write().await?;
        if self.engine() == Engine::Postgres {
            // Before CREATE: two CREATE TABLE IF NOT EXISTS at once fail on PostgreSQL.
            tx.script(LOCK).await?;
        }
        tx.script(CREATE).await?;
        let applied = applied(&mut tx, migrations).await?;
        let mut count = 0;
        for migration in migrations
            .iter()
            .filter(|migration| !applied.contains(&migration.id))
        {
            apply(&mut tx, migration).await?;
            count += 1;
        }
        tx.commit().await?;
        Ok(count)
    }

    /// Whether the schema is exactly that of `migrations`: what a server checks at start, which never migrates by itself.
    ///
    /// # Errors
    /// [`Error::NotMigrated`], [`Error::DatabaseNewer`], [`Error::MigrationEdited`].
    pub async fn check_migrated(&self, migrations: &[Migration]) -> Result<()> {
        let mut tx = self.read().await?;
        let done = applied(&mut tx, migrations).await.map(|ids| ids.len());
        match done {
            Ok(done) if done == migrations.len() => Ok(()),
            Ok(done) => Err(Error::NotMigrated {
                missing: migrations.len() - done,
            }),
            Err(Error::Statement { .. }) => Err(Error::NotMigrated {
                missing: migrations.len(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// The ids in the database, after a check of each against this binary.
async fn applied(tx: &mut Tx, migrations: &[Migration]) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for row in tx.all(APPLIED, &[]).await? {
        let (id, name) = (row.int("id")?, row.text("name")?);
        match migrations.iter().find(|migration| migration.id == id) {
            None => return Err(Error::DatabaseNewer { id, name }),
            Some(ours) if checksum(ours) != row.text("checksum")? => {
                return Err(Error::MigrationEdited { id, name });
            }
            Some(_) => ids.push(id),
        }
    }
    Ok(ids)
}

async fn apply(tx: &mut Tx, migration: &Migration) -> Result<()> {
    let failed = |source| {
        let source = Box::new(source);
        Error::MigrationFailed {
            id: migration.id,
            name: migration.name.to_owned(),
            source,
        }
    };
    tx.script(migration.sql).await.map_err(failed)?;
    let row = [
        migration.id.into(),
        migration.name.into(),
        checksum(migration).into(),
        tx.now().into(),
    ];
    tx.execute(INSERT, &row).await.map_err(failed).map(drop)
}

/// Line ends and trailing space do not count: a checkout may change them.
fn checksum(migration: &Migration) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for line in migration.sql.lines() {
        context.update(line.trim_end().as_bytes());
        context.update(b"\n");
    }
    hex::encode(context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_sees_words_and_not_line_ends() {
        let sum = |sql| {
            checksum(&Migration {
                id: 1,
                name: "a",
                sql,
            })
        };
        assert_eq!(sum("SELECT 1\nSELECT 2\n"), sum("SELECT 1  \r\nSELECT 2"));
        assert_ne!(sum("SELECT 1"), sum("SELECT 2"));
    }

    #[test]
    fn every_migration_says_why_and_stays_in_the_dialect() {
        for migration in MIGRATIONS {
            assert!(
                migration.sql.starts_with("-- "),
                "{}: opens with a comment that says why",
                migration.id
            );
            let text = migration.sql.to_uppercase();
            for word in [
                "AUTOINCREMENT",
                "BIGSERIAL",
                "JSONB",
                "TIMESTAMP ",
                "VARCHAR",
                "UUID",
                " BLOB,",
                " BLOB NOT",
                "DATETIME",
                "PRAGMA",
            ] {
                assert!(
                    !text.contains(word),
                    "{}_{}: {word} is not in the dialect",
                    migration.id,
                    migration.name
                );
            }
        }
    }
}
