//! Connections: taken up, bounded, and closed when nothing comes over them.
//!
//! Whoever only connects, or sends a header byte by byte, is closed after `server.header_seconds_max`, and so is a
//! connection kept open between requests for that long. Nothing of this costs one of the places in which requests are
//! worked on. HTTP/1.1 only (RFC 9112): a proxy in front of us speaks HTTP/2 with the world.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use axum::{BoxError, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Service;

use super::client::{Proxies, network_of};
use crate::config::Server;
use crate::places::{Place, Places};

/// Header lines of one request.
const HEADERS_MAX: usize = 64;
/// What may be refused passingly: no descriptor is free.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop` becomes true, then lets running requests end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    server: &Server,
    mut stop: watch::Receiver<bool>,
) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(server.header_seconds_max))
        .max_headers(HEADERS_MAX);
    // One network may hold a quarter, unless it is a proxy's.
    let places = Places::new(server.connections_max, server.connections_max / 4);
    let proxies = Proxies::of(server);
    let mut running = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while running.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken up");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let Some(place) = places.enter(network_of(peer.ip()), !proxies.trust(peer.ip())) else {
            metrics::counter!("kyso_http_connections_refused_total").increment(1);
            continue;
        };
        let told = Told {
            router: router.clone(),
            peer,
        };
        running.spawn(keep(builder.clone(), stream, told, place, stop.clone()));
    }
    drop(listener);
    while running.join_next().await.is_some() {}
}

/// One connection, to its end.
async fn keep(
    builder: Builder<TokioExecutor>,
    stream: TcpStream,
    told: Told,
    _place: Place<IpAddr>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(told));
    tokio::pin!(connection);
    tokio::select! {
        // How a connection ends is the other side's affair.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// The router, told who is at the other end.
#[derive(Clone)]
struct Told {
    router: Router,
    peer: SocketAddr,
}

impl<B> Service<Request<B>> for Told
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready; its layers answer for themselves.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.call(request)
    }
}
