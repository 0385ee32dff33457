//! Waking workers: at once in this process, within milliseconds on other nodes of one PostgreSQL.
//!
//! A wake-up is a hint. One that is lost costs the worker its polling interval, never a job.
//!
//! `NOTIFY` inside a transaction makes PostgreSQL commit one transaction at a time (it takes a lock on the whole database
//! until the commit is on disk), so the node says it afterwards, outside, and at most once in [`REST`].

use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::Entropy;
use crate::driver::Connection;

pub(super) const RING: &str = "-- store.job.ring
SELECT pg_notify('kyso_job', $1)";

const CHANNEL: &str = "kyso_job";

/// The least time between two rings to other nodes.
const REST: Duration = Duration::from_millis(5);

/// How long to wait before a broken connection to other nodes is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// A worker's ear, from [`Store::wake`](crate::Store::wake).
#[derive(Debug)]
pub struct Wake {
    rung: watch::Receiver<u64>,
}

impl Wake {
    /// Returns when jobs were asked for since the last call, or after `at_most`. A job asked for between the worker's last
    /// claim and this call counts, so claim first, then wait.
    pub async fn wait(&mut self, at_most: Duration) {
        // Late or the store gone: both mean look again.
        let _ = tokio::time::timeout(at_most, self.rung.changed()).await;
    }
}

/// What a commit with jobs rings.
#[derive(Debug)]
pub(crate) struct Bell {
    here: Arc<watch::Sender<u64>>,
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug)]
struct Elsewhere {
    ring: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Bell {
    /// For a database only this process uses.
    pub(crate) fn local() -> Bell {
        Bell {
            here: Arc::new(watch::Sender::new(0)),
            elsewhere: None,
        }
    }

    /// For a database other nodes use too.
    pub(crate) fn shared(pool: PgPool) -> Bell {
        let mut node = [0u8; 8];
        Entropy::System.fill(&mut node);
        let node = hex::encode(node);
        let here = Arc::new(watch::Sender::new(0));
        let ring = Arc::new(Notify::new());
        let tasks = [
            tokio::spawn(say(pool.clone(), ring.clone(), node.clone())),
            tokio::spawn(hear(pool, here.clone(), node)),
        ];
        Bell {
            here,
            elsewhere: Some(Elsewhere { ring, tasks }),
        }
    }

    pub(crate) fn listen(&self) -> Wake {
        Wake {
            rung: self.here.subscribe(),
        }
    }

    pub(crate) fn ring(&self) {
        self.here.send_modify(|count| *count += 1);
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.ring.notify_one();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn say(pool: PgPool, ring: Arc<Notify>, node: String) {
    let args = [node.as_str().into()];
    loop {
        ring.notified().await;
        if let Ok(mut connection) = pool.acquire().await
            && let Err(error) = Connection::Postgres(&mut connection)
                .all(RING.into_sql_str(), &args)
                .await
        {
            tracing::debug!(%error, "other nodes were not woken");
        }
        tokio::time::sleep(REST).await;
    }
}

async fn hear(pool: PgPool, here: Arc<watch::Sender<u64>>, node: String) {
    loop {
        if let Err(error) = hear_until_broken(&pool, &here, &node).await {
            tracing::debug!(%error, "not listening for other nodes");
        }
        if pool.is_closed() {
            return;
        }
        // What was rung meanwhile was not heard.
        here.send_modify(|count| *count += 1);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear_until_broken(
    pool: &PgPool,
    here: &watch::Sender<u64>,
    node: &str,
) -> sqlx::Result<()> {
    // A pool of its own: a listener keeps its connection, and must not keep one of those the service waits for.
    let own = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    while let Some(notification) = listener.try_recv().await? {
        if notification.payload() != node {
            here.send_modify(|count| *count += 1);
        }
    }
    Ok(())
}
