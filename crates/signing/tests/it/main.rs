//! Signing from outside: a portal, a phone with its own key, a worker. Every test runs on SQLite and on PostgreSQL with software
//! keys, and on SQLite with keys in SoftHSM.
#![allow(clippy::unwrap_used)]

mod approve;
mod attack;
mod bind;
mod crash;
mod create;
mod credential;
mod office;
mod portal;
mod race;
mod screen;
mod sign;
mod sp769;
mod speed;
mod statements;
mod verify;
mod webhook;

/// Mounts tests `async fn name(office: Office)` on both databases and both keystores.
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
        mod softhsm {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(office) = crate::office::Office::softhsm().await {
                        super::$name(office).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use everywhere;
