//! Who is calling: each kind of caller is an extractor, so that a handler's signature says who may call it.
//!
//! A caller that is who it says spends a token of its own bucket; whoever is not spends its network's, so that nobody
//! can empty somebody else's.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kyso_registration::{EnrolmentId, ra};
use kyso_signing::device::Session;
use kyso_signing::request::Screen;

use super::App;
use super::client::network_of;
use super::cookie::{self, Jar};
use crate::problem::{Problem, Scheme};

/// Anybody, limited by network.
pub struct Anyone {
    /// Whose address it is, behind trusted proxies too; an IPv6 address stands for its /64.
    pub network: IpAddr,
}

/// The network that calls, as in [`Anyone`], where somebody else's bucket is spent.
pub struct Network(pub IpAddr);

/// A portal, by HTTP Basic with its client id and secret.
pub struct Portal(pub kyso_signing::portal::Portal);

/// A citizen's bound phone, by the token of a device session: bearer, or in our application's cookie.
pub struct Citizen {
    /// Whose phone.
    pub session: Session,
    /// The token itself, for rotation and closing.
    pub token: String,
}

/// Whether our own application calls: tokens that it is given go into cookies.
pub struct Own(pub bool);

/// The phone that started the enrolment of the path's `{id}`, or its own one where the path names none; by the token it was given:
/// bearer, or in our application's cookie.
pub struct Enrolling(pub EnrolmentId);

/// A page of a portal, by the token of the screen that the path's `{id}` names; with what it shows.
pub struct Page(pub Screen);

/// An officer, by bearer token.
pub struct Officer(pub ra::Officer);

impl FromRequestParts<App> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let network = app.network(parts);
        app.spend(("network", network))?;
        Ok(Self { network })
    }
}

impl FromRequestParts<App> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(app.network(parts)))
    }
}

impl FromRequestParts<App> for Portal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let (client_id, secret) = basic(&parts.headers)
            .ok_or_else(|| Problem::new("unauthenticated").challenge(Scheme::Basic))?;
        let portals = &app.platform.signing.portals;
        let portal = app.known(parts, portals.authenticate(&client_id, &secret).await)?;
        app.spend(("portal", portal.id.to_string()))?;
        Ok(Self(portal))
    }
}

impl FromRequestParts<App> for Citizen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = app.token(Jar::Device, parts)?;
        let devices = &app.platform.signing.devices;
        let session = app.known(parts, devices.authenticate(&token).await)?;
        app.spend(("device", session.device.to_string()))?;
        Ok(Self { session, token })
    }
}

impl FromRequestParts<App> for Own {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self(cookie::is_own(&parts.headers)))
    }
}

impl FromRequestParts<App> for Enrolling {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = app.token(Jar::Enrolment, parts)?;
        let registration = &app.platform.registration;
        let id = app.known(parts, registration.authenticate(&token).await)?;
        app.spend(("enrolment", id.to_string()))?;
        let path = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::new("not-found"))?;
        let named = path
            .iter()
            .find(|(name, _)| *name == "id")
            .map(|(_, value)| value.to_owned());
        // Somebody else's enrolment is as unknown as one that does not exist.
        if named.is_none_or(|named| named == id.to_string()) {
            Ok(Self(id))
        } else {
            Err(Problem::new("not-found"))
        }
    }
}

impl FromRequestParts<App> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or(Problem::new("unauthenticated"))?;
        let path = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::new("not-found"))?;
        let named = path.iter().find(|(name, _)| *name == "id");
        let id = named
            .and_then(|(_, id)| id.parse().ok())
            .ok_or(Problem::new("not-found"))?;
        let requests = &app.platform.signing.requests;
        let screen = app.known(parts, requests.screen_of_page(&id, &token).await)?;
        app.spend(("screen", id.to_string()))?;
        Ok(Self(screen))
    }
}

impl FromRequestParts<App> for Officer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or(Problem::new("unauthenticated"))?;
        let registration = &app.platform.registration;
        let officer = app.known(parts, registration.authenticate_officer(&token).await)?;
        app.spend(("officer", officer.id.to_string()))?;
        Ok(Self(officer))
    }
}

impl App {
    /// Spends one token of a caller's bucket.
    pub(super) fn spend(&self, caller: impl Hash) -> Result<(), Problem> {
        self.limiter
            .take(caller_of(caller), self.platform.store.now())
            .map_err(|seconds| Problem::new("rate-limited").retry_after(seconds))
    }

    /// Spends one of a device's proofs.
    pub(super) fn spend_proof(&self, device: kyso_signing::DeviceId) -> Result<(), Problem> {
        self.proofs
            .take(caller_of(device), self.platform.store.now())
            .map_err(|seconds| Problem::new("rate-limited").retry_after(seconds))
    }

    /// The token that a caller presents; what stands in the header counts before what a browser keeps.
    fn token(&self, jar: Jar, parts: &Parts) -> Result<String, Problem> {
        bearer(&parts.headers)
            .or_else(|| self.cookies.read(jar, &parts.headers))
            .ok_or(Problem::new("unauthenticated"))
    }

    /// The network that calls; the unspecified address without a connection (tests of a router).
    pub(super) fn network(&self, parts: &Parts) -> IpAddr {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::from([0; 4]), |info| info.0.ip());
        network_of(self.proxies.client(peer, &parts.headers))
    }

    /// What authentication answered; a refusal spends the network's token, so that guessing is slow.
    fn known<T, E: Into<Problem>>(
        &self,
        parts: &Parts,
        answer: Result<T, E>,
    ) -> Result<T, Problem> {
        match answer {
            Ok(caller) => Ok(caller),
            Err(refused) => {
                self.spend(("network", self.network(parts)))?;
                Err(refused.into())
            }
        }
    }
}

/// The name of a caller in a limiter.
pub fn caller_of(caller: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    caller.hash(&mut hasher);
    hasher.finish()
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, secret) = decoded.split_once(':')?;
    Some((user.to_owned(), secret.to_owned()))
}
