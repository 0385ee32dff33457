//! Registration from outside: citizens with phones, officers, a worker. Every test runs on SQLite and on PostgreSQL,
//! with software keys.
#![allow(clippy::unwrap_used)]

mod approval;
mod campaign;
mod code;
mod contract;
mod crash;
mod credential;
mod evidence;
mod expiry;
mod names;
mod office;
mod officer;
mod owner;
mod race;
mod resume;
mod statements;
mod supplement;
mod unit;
mod verify;
mod vetting;
mod walk;

/// Mounts tests `async fn name(office: Office)` on both databases.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::office::Office::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(office) = crate::office::Office::postgres().await {
                        super::$name(office).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use everywhere;
