//! The store from outside. Every test runs twice: on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used)]

mod blobs;
mod commits;
mod copying;
mod failpoints;
mod jobs;
mod ledger;
mod migrations;
mod outage;
mod statements;
mod transactions;

/// Mounts tests `async fn name(database: Database)` on both databases.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(kyso_store::testing::Database::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(database) = kyso_store::testing::Database::postgres().await {
                        super::$name(database).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_both;
