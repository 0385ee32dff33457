//! Waking workers: at once in this process, within milliseconds on other nodes of one PostgreSQL.
//!
//! A wake-up is a hint. One that is lost costs the worker its polling interval, never a job. A worker hears only of its own
//! kinds: looking for jobs costs a transaction, and every commit asks for some.
//!
//! `NOTIFY` inside a transaction makes PostgreSQL commit one transaction at a time (it takes a lock on the whole database
//! until the commit is on disk), so the node says it afterwards, outside, and at most once in [`REST`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
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

/// How often each kind was rung, and how often everything was because nobody knows what was missed.
#[derive(Debug, Default)]
struct Rung {
    kinds: BTreeMap<String, u64>,
    everything: u64,
}

impl Rung {
    fn ring(&mut self, kinds: &BTreeSet<String>) {
        for kind in kinds {
            match self.kinds.get_mut(kind) {
                Some(count) => *count += 1,
                None => drop(self.kinds.insert(kind.clone(), 1)),
            }
        }
    }

    fn count(&self, kinds: &[String]) -> u64 {
        let rung = kinds.iter().filter_map(|kind| self.kinds.get(kind));
        self.everything + rung.sum::<u64>()
    }
}

/// A worker's ear, from [`Store::wake`](crate::Store::wake).
#[derive(Debug)]
pub struct Wake {
    rung: watch::Receiver<Rung>,
    kinds: Vec<String>,
    heard: u64,
}

impl Wake {
    /// Returns when jobs of its kinds were asked for since the last call, or after `at_most`. A job asked for between the
    /// worker's last claim and this call counts, so claim first, then wait.
    pub async fn wait(&mut self, at_most: Duration) {
        let (kinds, heard) = (&self.kinds, self.heard);
        let rung = self.rung.wait_for(|rung| rung.count(kinds) != heard);
        // Late or the store gone: both mean look again.
        if let Ok(Ok(rung)) = tokio::time::timeout(at_most, rung).await {
            self.heard = rung.count(kinds);
        }
    }
}

/// What a commit with jobs rings.
#[derive(Debug)]
pub(crate) struct Bell {
    here: Arc<watch::Sender<Rung>>,
    elsewhere: Option<Elsewhere>,
}

#[derive(Debug)]
struct Elsewhere {
    /// Kinds other nodes have not been told of yet.
    untold: Arc<Mutex<BTreeSet<String>>>,
    ring: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
}

impl Bell {
    /// For a database only this process uses.
    pub(crate) fn local() -> Bell {
        Bell {
            here: Arc::default(),
            elsewhere: None,
        }
    }

    /// For a database other nodes use too.
    pub(crate) fn shared(pool: PgPool) -> Bell {
        let mut node = [0u8; 8];
        Entropy::System.fill(&mut node);
        let node = hex::encode(node);
        let here: Arc<watch::Sender<Rung>> = Arc::default();
        let untold: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let ring = Arc::new(Notify::new());
        let tasks = [
            tokio::spawn(say(
                pool.clone(),
                ring.clone(),
                untold.clone(),
                node.clone(),
            )),
            tokio::spawn(hear(pool, here.clone(), node)),
        ];
        Bell {
            here,
            elsewhere: Some(Elsewhere {
                untold,
                ring,
                tasks,
            }),
        }
    }

    pub(crate) fn listen(&self, kinds: &[&str]) -> Wake {
        let kinds: Vec<String> = kinds.iter().map(|&kind| kind.to_owned()).collect();
        let rung = self.here.subscribe();
        let heard = rung.borrow().count(&kinds);
        Wake { rung, kinds, heard }
    }

    pub(crate) fn ring(&self, kinds: &BTreeSet<String>) {
        self.here.send_modify(|rung| rung.ring(kinds));
        if let Some(elsewhere) = &self.elsewhere {
            let mut untold = elsewhere
                .untold
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            untold.extend(kinds.iter().cloned());
            elsewhere.ring.notify_one();
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn say(pool: PgPool, ring: Arc<Notify>, untold: Arc<Mutex<BTreeSet<String>>>, node: String) {
    loop {
        ring.notified().await;
        let kinds = std::mem::take(&mut *untold.lock().unwrap_or_else(PoisonError::into_inner));
        let mut rest = REST;
        if let Err(error) = tell(&pool, &node, &kinds).await {
            if pool.is_closed() {
                return;
            }
            tracing::debug!(%error, "other nodes are woken later");
            let mut untold = untold.lock().unwrap_or_else(PoisonError::into_inner);
            untold.extend(kinds);
            ring.notify_one();
            rest = AGAIN;
        }
        tokio::time::sleep(rest).await;
    }
}

async fn tell(pool: &PgPool, node: &str, kinds: &BTreeSet<String>) -> sqlx::Result<()> {
    let words: Vec<&str> = std::iter::once(node)
        .chain(kinds.iter().map(String::as_str))
        .collect();
    let mut connection = pool.acquire().await?;
    Connection::Postgres(&mut connection)
        .all(RING.into_sql_str(), &[words.join(" ").into()])
        .await
        .map(drop)
}

async fn hear(pool: PgPool, here: Arc<watch::Sender<Rung>>, node: String) {
    loop {
        if let Err(error) = hear_until_broken(&pool, &here, &node).await {
            tracing::debug!(%error, "not listening for other nodes");
        }
        if pool.is_closed() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn hear_until_broken(
    pool: &PgPool,
    here: &watch::Sender<Rung>,
    node: &str,
) -> sqlx::Result<()> {
    // A pool of its own: a listener keeps its connection, and must not keep one of those the service waits for.
    let own = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(CHANNEL).await?;
    // What was rung before was not heard.
    here.send_modify(|rung| rung.everything += 1);
    while let Some(notification) = listener.try_recv().await? {
        let mut words = notification.payload().split(' ');
        if words.next() != Some(node) {
            let kinds = words.map(str::to_owned).collect();
            here.send_modify(|rung| rung.ring(&kinds));
        }
    }
    Ok(())
}
