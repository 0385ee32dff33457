//! `kyso serve`: the service itself, until it is told to stop.

use std::time::Duration;

use clap::Args;
use kyso_store::ledger;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Failure, Outcome};
use crate::config::{Loaded, Role};
use crate::outbound::Outbound;
use crate::platform::Platform;
use crate::{http, measure, telemetry, worker};

/// Options of `kyso serve`.
#[derive(Args)]
pub struct Serve {
    /// Apply missing migrations at start.
    #[arg(long)]
    migrate: bool,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT, then lets running work finish.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        telemetry::start_logs(&loaded.config.log);
        let metrics = telemetry::start_metrics();
        let platform = Platform::open(loaded).await?;
        if self.migrate {
            platform.prepare().await?;
        }
        platform
            .store
            .check_migrated(kyso_store::MIGRATIONS)
            .await?;
        platform.check_data_key().await?;
        ledger::check_published(&platform.store)
            .await
            .map_err(refuse_old)?;
        if platform.authority.chain().await.is_err() {
            tracing::warn!(
                "no ceremony has been held: nothing can be issued or signed; stop and run `kyso ceremony run`"
            );
        }

        let server = &loaded.config.server;
        if matches!(server.role, Role::All | Role::Web) && !http::web::is_built() {
            tracing::warn!(
                "built without the citizen's web application: run `cargo xtask web`, which needs Node, and build again"
            );
        }
        let public = bind(&server.listen).await?;
        let operator = match server.metrics_listen.as_str() {
            "" => None,
            address => Some(bind(address).await?),
        };
        let watched = match &operator {
            Some(listener) => Some(listener.local_addr()?),
            None => None,
        };
        let (stop, stopped) = watch::channel(false);
        let work = start_worker(&platform, loaded, &stopped)?;
        tokio::spawn(measure::run(platform.clone(), stopped.clone()));
        let (public_router, operator_router) = http::routers(platform, metrics, stopped.clone());

        tracing::info!(listen = %public.local_addr()?, metrics = watched.map(tracing::field::display), role = ?server.role, "serving");
        let listen = |listener: TcpListener, router| {
            let (server, stopped) = (server.clone(), stopped.clone());
            tokio::spawn(async move {
                http::listen::serve(listener, router, &server, stopped).await;
            })
        };
        let serving = listen(public, public_router);
        let watching = operator.map(|listener| listen(listener, operator_router));

        signalled().await?;
        tracing::info!("stopping: running requests and jobs may finish");
        stop.send_replace(true);
        let drain = Duration::from_secs(server.drain_seconds);
        let finished = tokio::time::timeout(drain, async {
            let _ = serving.await;
            if let Some(watching) = watching {
                let _ = watching.await;
            }
            if let Some(work) = work {
                let _ = work.await;
            }
        });
        match finished.await {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!("stopped with work unfinished; it goes on at the next start"),
        }
        Ok(true)
    }
}

/// Says what to do about a database that is not the newest.
fn refuse_old(error: kyso_store::Error) -> Failure {
    use kyso_store::Error as E;
    let is_old = matches!(error, E::LedgerBehind { .. } | E::LedgerForked { .. });
    let Failure(mut said) = error.into();
    if is_old {
        said.push_str(
            "; put the newest database back or, if it is lost, stop every node and run `kyso ledger accept-restore`",
        );
    }
    Failure(said)
}

fn start_worker(
    platform: &Platform,
    loaded: &Loaded,
    stopped: &watch::Receiver<bool>,
) -> Result<Option<tokio::task::JoinHandle<()>>, Failure> {
    if !matches!(loaded.config.server.role, Role::All | Role::Worker) {
        return Ok(None);
    }
    let Some(keys) = platform.keys.clone() else {
        return Ok(None);
    };
    let outbound = Outbound::new(loaded)?;
    Ok(Some(tokio::spawn(worker::run(
        platform.clone(),
        keys,
        outbound,
        stopped.clone(),
    ))))
}

async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure(format!(
            "cannot listen on {address}: {error}; is another kyso running?"
        ))
    })
}

async fn signalled() -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
