//! SQLite's reading connections. Readers wait for nobody (write-ahead log), so they run where they are called.
//!
//! # Invariants
//!
//! - A connection inside a snapshot is never lent: its ROLLBACK comes first.
//! - A connection that reported an error outside a snapshot is closed, and another opened when one is wanted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sqlite::{Connect, Connection};
use crate::value::{Row, Value};

/// The reading end of a SQLite database.
#[derive(Debug)]
pub(crate) struct Readers {
    connect: Connect,
    most: u32,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A connection, lent.
#[derive(Debug)]
pub(crate) struct Reader {
    readers: Arc<Readers>,
    /// None once it is given back or closed.
    connection: Option<Connection>,
    in_snapshot: bool,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// Opens the first connection, so that a database that cannot be read is known at once.
    pub(crate) fn open(connect: Connect, most: u32) -> sqlx::Result<Arc<Readers>> {
        let readers = Readers {
            connect,
            most,
            permits: Arc::new(Semaphore::new(most as usize)),
            idle: Mutex::default(),
        };
        let first = readers.connect()?;
        readers.idle().push(first);
        Ok(Arc::new(readers))
    }

    fn connect(&self) -> sqlx::Result<Connection> {
        let mut connection = self.connect.open()?;
        // A reader hardly ever meets a lock, and must not hold a thread for long if it does.
        connection.script("PRAGMA query_only = ON; PRAGMA busy_timeout = 100")?;
        Ok(connection)
    }

    pub(crate) async fn acquire(self: &Arc<Self>) -> sqlx::Result<Reader> {
        let permit = tokio::time::timeout(self.connect.wait, self.permits.clone().acquire_owned())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        Ok(Reader {
            readers: self.clone(),
            connection: Some(connection),
            in_snapshot: false,
            _permit: permit,
        })
    }

    /// A connection that sees one state of the database until it is given back.
    pub(crate) async fn snapshot(self: &Arc<Self>) -> sqlx::Result<Reader> {
        let mut reader = self.acquire().await?;
        reader.connection().script("BEGIN")?;
        reader.in_snapshot = true;
        Ok(reader)
    }

    /// Waits for what is lent, then closes everything; later calls are [`sqlx::Error::PoolClosed`].
    pub(crate) async fn close(&self) {
        if let Ok(all) = self.permits.acquire_many(self.most).await {
            all.forget();
        }
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection
            .as_mut()
            .expect("invariant: the connection is lent")
    }

    /// The first `most` rows, outside a snapshot.
    pub(crate) fn read_once(
        mut self,
        sql: &str,
        args: &[Value],
        most: usize,
    ) -> sqlx::Result<Vec<Row>> {
        let outcome = self.connection().read(sql, args, most);
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.in_snapshot || connection.script("ROLLBACK").is_ok() {
            self.readers.idle().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A table of one number, and one reader.
    fn readers(name: &str) -> (Connect, Arc<Readers>) {
        let file = format!("kyso-readers-{name}-{}.db", std::process::id());
        let connect = Connect {
            file: std::env::temp_dir().join(file),
            wait: Duration::from_millis(50),
            statements: 16,
            durable: false,
            pages_max: None,
        };
        std::fs::write(&connect.file, []).unwrap();
        let mut writer = connect.open().unwrap();
        writer
            .script("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)")
            .unwrap();
        let readers = Readers::open(connect.clone(), 1).unwrap();
        (connect, readers)
    }

    fn number(reader: &mut Reader) -> i64 {
        let rows = reader.connection().read("SELECT n FROM t", &[], 1);
        rows.unwrap()[0].int("n").unwrap()
    }

    #[tokio::test]
    async fn a_snapshot_sees_one_state_and_its_end_the_next() {
        let (connect, readers) = readers("snapshot");
        let mut snapshot = readers.snapshot().await.unwrap();
        assert_eq!(number(&mut snapshot), 1);
        connect
            .open()
            .unwrap()
            .script("UPDATE t SET n = 2")
            .unwrap();
        assert_eq!(number(&mut snapshot), 1);
        assert!(matches!(
            readers.acquire().await,
            Err(sqlx::Error::PoolTimedOut)
        ));
        drop(snapshot);
        assert_eq!(number(&mut readers.snapshot().await.unwrap()), 2);
        std::fs::remove_file(connect.file).unwrap();
    }

    #[tokio::test]
    async fn a_reader_does_not_write_and_one_that_failed_is_replaced() {
        let (connect, readers) = readers("error");
        let reader = readers.acquire().await.unwrap();
        let refused = reader.read_once("DELETE FROM t RETURNING n", &[], 1);
        assert!(refused.unwrap_err().to_string().contains("readonly"));
        assert!(readers.idle().is_empty());
        assert_eq!(number(&mut readers.acquire().await.unwrap()), 1);
        assert_eq!(readers.idle().len(), 1);
        std::fs::remove_file(connect.file).unwrap();
    }

    #[tokio::test]
    async fn closing_waits_for_who_reads_and_lends_no_more() {
        let (connect, readers) = readers("close");
        let reader = readers.acquire().await.unwrap();
        let closing = tokio::spawn({
            let readers = readers.clone();
            async move { readers.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        drop(reader);
        closing.await.unwrap();
        assert!(matches!(
            readers.acquire().await,
            Err(sqlx::Error::PoolClosed)
        ));
        assert!(readers.idle().is_empty());
        std::fs::remove_file(connect.file).unwrap();
    }
}
