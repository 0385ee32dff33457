//! The HTTP interface: who is calling, one verb, the reply. No rule of the domain, no SQL, no key (but [`status`]).
//!
//! The whole surface is on this page: [`api`] lists every operation of `/v1` and of the compatibility interface, so
//! that the access matrix test can walk it.

pub mod body;
pub mod caller;
mod citizen;
mod client;
mod cookie;
pub mod correlation;
mod enrolment;
mod health;
pub mod listen;
pub mod openapi;
mod page;
mod pages;
mod ra;
mod rate;
mod receive;
mod request;
mod sca;
pub mod screen;
pub mod status;
mod unit;
pub mod web;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::watch;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::{BoxError, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Role;
use crate::places::Places;
use crate::platform::Platform;
use crate::problem::Problem;

pub use wire::{RelyingParty, to_instant as instant};

/// What every handler can reach. It holds no key.
#[derive(Clone)]
pub struct App {
    /// The domain.
    pub platform: Arc<Platform>,
    /// Who we are to passkeys.
    pub relying_party: RelyingParty,
    /// Sessions of our own application.
    cookies: cookie::Cookies,
    limiter: Arc<rate::Limiter>,
    /// Proofs out of the ledger, by device: each reads thousands of lines.
    proofs: Arc<rate::Limiter>,
    /// OCSP answers signed for one question alone: of one network, and overall.
    ocsp: Arc<[rate::Limiter; 2]>,
    proxies: Arc<client::Proxies>,
    /// Kilobytes of documents that may be coming in at once.
    room: Arc<tokio::sync::Semaphore>,
    /// Long polls, by portal.
    waits: Arc<Places<kyso_signing::PortalId>>,
    /// Set when the process is told to stop: whoever waits is answered.
    stopped: watch::Receiver<bool>,
    /// Pages of documents as pictures.
    previews: Arc<crate::preview::Previews>,
    metrics: PrometheusHandle,
    readiness: Arc<health::Readiness>,
}

/// Asks the keystore whether it answers, without being able to use it.
struct Probe(Box<dyn Fn() -> Probing + Send + Sync>);

type Probing = std::pin::Pin<Box<dyn Future<Output = bool> + Send>>;

impl App {
    /// The application over a platform whose keys have been taken out by [`routers`].
    fn new(
        platform: Platform,
        metrics: PrometheusHandle,
        probe: Option<Probe>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let server = &platform.loaded.config.server;
        let authority = &platform.loaded.config.authority;
        let fresh = |rate: u32| rate::Limiter::new(rate, rate.saturating_mul(2));
        let ocsp = [
            fresh(authority.ocsp_fresh_per_network),
            fresh(authority.ocsp_fresh_per_second),
        ];
        let waits = server.waits_max.min(server.concurrency_max / 2);
        Self {
            relying_party: RelyingParty::at(&server.public_url),
            cookies: cookie::Cookies::of(&server.public_url),
            limiter: Arc::new(rate::Limiter::new(
                server.rate_per_second,
                server.rate_burst,
            )),
            proofs: Arc::new(rate::Limiter::new(1, PROOFS_AT_ONCE)),
            ocsp: Arc::new(ocsp),
            room: Arc::new(tokio::sync::Semaphore::new(
                server.bodies_bytes_max.max(server.body_bytes_max) / 1024 + 1,
            )),
            proxies: Arc::new(client::Proxies::of(server)),
            waits: Places::new(waits, waits / 4),
            stopped,
            platform: Arc::new(platform),
            previews: Arc::default(),
            metrics,
            readiness: Arc::new(health::Readiness::new(probe)),
        }
    }
}

/// Proofs that one device may ask for at once; then one a second.
const PROOFS_AT_ONCE: u32 = 20;

/// The public router and the operator's (metrics and health) for the role of the platform.
pub fn routers(
    mut platform: Platform,
    metrics: PrometheusHandle,
    stopped: watch::Receiver<bool>,
) -> (Router, Router) {
    let keys = platform.keys.take();
    let role = platform.loaded.config.server.role;
    let probe = keys.clone().map(|keys| {
        Probe(Box::new(move || {
            let keys = keys.clone();
            Box::pin(async move { keys.probe().await.iter().all(|(_, state)| state.is_ok()) })
                as Probing
        }))
    });
    let app = App::new(platform, metrics, probe, stopped);
    let mut public = Router::new()
        .merge(health_routes(&app))
        .merge(page_routes(&app));
    public = match role {
        Role::All | Role::Web => {
            let (api, _) = api().split_for_parts();
            public
                .merge(api.with_state(app.clone()))
                .route("/v1/openapi.json", get(serve_openapi))
                .route(screen::ELEMENT, get(screen::element))
                .fallback(web::serve)
        }
        Role::Worker | Role::Status => public.fallback(not_found),
    };
    if let (Role::All | Role::Status, Some(keys)) = (role, keys) {
        public = public.merge(status_routes(&app, status::StatusKeys(keys)));
    }
    let public = protect(public.method_not_allowed_fallback(wrong_method), &app);
    let operator = health_routes(&app)
        .merge(
            Router::new()
                .route("/metrics", get(health::metrics))
                .with_state(app.clone()),
        )
        .fallback(not_found);
    (public, operator)
}

/// Every operation of `/v1` and of the SmartCA interface.
pub fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        // anybody, and the phone that enrols
        .routes(routes!(enrolment::list_plans))
        .routes(routes!(enrolment::show_campaign))
        .routes(routes!(unit::list_administrative_units))
        .routes(routes!(enrolment::create_enrolment))
        .routes(routes!(
            enrolment::show_current_enrolment,
            enrolment::leave_current_enrolment
        ))
        .routes(routes!(enrolment::create_resumption))
        .routes(routes!(enrolment::resume_enrolment))
        .routes(routes!(
            enrolment::show_enrolment,
            enrolment::abandon_enrolment
        ))
        .routes(routes!(enrolment::put_contact))
        .routes(routes!(enrolment::put_owner))
        .routes(routes!(enrolment::pay_enrolment))
        .routes(routes!(enrolment::send_activation_code))
        .routes(routes!(enrolment::activate_enrolment))
        .routes(routes!(enrolment::put_evidence))
        .routes(routes!(enrolment::show_contract))
        .routes(routes!(enrolment::show_contract_page))
        .routes(routes!(enrolment::sign_contract))
        .routes(routes!(enrolment::submit_enrolment))
        .routes(routes!(enrolment::create_binding_challenge))
        .routes(routes!(enrolment::bind_device))
        .routes(routes!(enrolment::show_acceptance_record))
        .routes(routes!(enrolment::show_acceptance_record_page))
        // the citizen's bound phone
        .routes(routes!(citizen::create_device_challenge))
        .routes(routes!(citizen::show_approval_key))
        .routes(routes!(citizen::create_device_session))
        .routes(routes!(citizen::rotate_device_session))
        .routes(routes!(
            citizen::show_device_session,
            citizen::close_device_session
        ))
        .routes(routes!(citizen::show_own_credential))
        .routes(routes!(citizen::show_own_approval_key))
        .routes(routes!(citizen::suspend_own_credential))
        .routes(routes!(citizen::change_binding))
        .routes(routes!(citizen::show_binding))
        .routes(routes!(citizen::list_own_signature_requests))
        .routes(routes!(citizen::show_own_signature_request))
        .routes(routes!(citizen::fetch_own_document))
        .routes(routes!(citizen::show_own_document_page))
        .routes(routes!(citizen::fetch_own_signed_document))
        .routes(routes!(citizen::show_own_signature_proof))
        .routes(routes!(citizen::open_signature_request))
        .routes(routes!(citizen::approve_signature_request))
        .routes(routes!(citizen::refuse_signature_request))
        // portals
        .routes(routes!(request::create_signature_request))
        .routes(routes!(request::show_signature_request))
        .routes(routes!(request::fetch_signed_document))
        .routes(routes!(request::withdraw_signature_request))
        .routes(routes!(screen::show_signature_screen))
        // a page of a portal, in anybody's browser
        .routes(routes!(screen::show_screen))
        // officers
        .routes(routes!(ra::list_dossiers, ra::create_assisted_enrolment))
        .routes(routes!(ra::show_dossier))
        .routes(routes!(ra::open_dossier, ra::release_dossier))
        .routes(routes!(ra::fetch_dossier_photo))
        .routes(routes!(ra::approve_enrolment))
        .routes(routes!(ra::reject_enrolment))
        .routes(routes!(ra::ask_supplement))
        .routes(routes!(ra::suspend_credential))
        .routes(routes!(ra::resume_credential))
        .routes(routes!(ra::revoke_credential))
        // portals with a SmartCA client
        .routes(routes!(sca::sca_get_certificate))
        .routes(routes!(sca::sca_sign))
        .routes(routes!(sca::sca_status))
}

fn health_routes(app: &App) -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .with_state(app.clone())
}

/// What a problem's `type` and a certificate's policy point to.
fn page_routes(app: &App) -> Router {
    Router::new()
        .route("/errors", get(pages::errors))
        .route("/errors/{code}", get(pages::error))
        .route("/cps", get(pages::practice_statement))
        .with_state(app.clone())
}

fn status_routes(app: &App, keys: status::StatusKeys) -> Router {
    let signed = Router::new()
        .route("/ocsp", post(status::ocsp_post))
        .route("/ocsp/{*request}", get(status::ocsp_get))
        .with_state((app.clone(), keys));
    Router::new()
        .route("/crl/{name}", get(status::crl))
        .route("/ca/{name}", get(status::issuer_certificate))
        .with_state(app.clone())
        .merge(signed)
}

/// Limits and headers around everything: size, time, concurrency, correlation id, panics, browser hardening.
fn protect(router: Router, app: &App) -> Router {
    let server = &app.platform.loaded.config.server;
    let header = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    // Outermost first, and one layer for the router: it boxes each that it is given for every request.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(correlation::layer))
        .layer(header("cache-control", "no-store"))
        .layer(header(
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ))
        .layer(header("referrer-policy", "no-referrer"))
        .layer(header("x-frame-options", "DENY"))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(middleware::from_fn(screen::cross_origin))
        .layer(middleware::from_fn(sca::shape))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(measure))
        .layer(middleware::from_fn(receive::layer))
        .layer(HandleErrorLayer::new(overloaded))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::new(server.concurrency_max))
        .timeout(Duration::from_secs(server.request_seconds_max))
        .layer(DefaultBodyLimit::max(server.body_bytes_max));
    router.layer(layers)
}

async fn overloaded(error: BoxError) -> Problem {
    if error.is::<tower::timeout::error::Elapsed>() {
        Problem::new("timed-out").retry_after(5)
    } else {
        Problem::new("overloaded").retry_after(1)
    }
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic");
    axum::response::IntoResponse::into_response(Problem::internal(cause))
}

/// Counts and times each operation by its route, never by its path.
async fn measure(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().to_string();
    let timer = crate::telemetry::Timer::start();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::counter!("kyso_http_requests_total", "method" => method, "route" => route.clone(), "status" => status)
        .increment(1);
    metrics::histogram!("kyso_http_request_seconds", "route" => route).record(timer.seconds());
    response
}

async fn serve_openapi() -> Response {
    let headers = [(axum::http::header::CONTENT_TYPE, "application/json")];
    axum::response::IntoResponse::into_response((headers, openapi::document_json()))
}

async fn not_found() -> Problem {
    Problem::new("not-found")
}

async fn wrong_method() -> Problem {
    Problem::new("method-not-allowed")
}
