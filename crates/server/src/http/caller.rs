//! Who is calling: each kind of caller is an extractor, so that a handler's signature says who may call it.
//!
//! Every caller spends a token of its own bucket before any work is done; an unknown one spends its address's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kyso_registration::{EnrolmentId, ra};
use kyso_signing::device::Session;

use super::App;
use crate::problem::Problem;

/// Anybody, limited by address.
pub struct Anyone;

/// A portal, by HTTP Basic with its client id and secret.
pub struct Portal(pub kyso_signing::portal::Portal);

/// A citizen's bound phone, by the bearer token of a device session.
pub struct Citizen {
    /// Whose phone.
    pub session: Session,
    /// The token itself, for rotation and closing.
    pub token: String,
}

/// The phone that started the enrolment of the path's `{id}`, by the bearer token it was given.
pub struct Enrolling(pub EnrolmentId);

/// An officer, by bearer token.
pub struct Officer(pub ra::Officer);

impl FromRequestParts<App> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let address = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip());
        app.spend(("address", address))?;
        Ok(Self)
    }
}

impl FromRequestParts<App> for Portal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let (client_id, secret) = basic(&parts.headers).ok_or(Problem::new("unauthenticated"))?;
        app.spend(("portal", &client_id))?;
        Ok(Self(
            app.platform
                .signing
                .portals
                .authenticate(&client_id, &secret)
                .await?,
        ))
    }
}

impl FromRequestParts<App> for Citizen {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = spent_bearer(parts, app)?;
        let session = app.platform.signing.devices.authenticate(&token).await?;
        Ok(Self { session, token })
    }
}

impl FromRequestParts<App> for Enrolling {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = spent_bearer(parts, app)?;
        let id = app.platform.registration.authenticate(&token).await?;
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

impl FromRequestParts<App> for Officer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = spent_bearer(parts, app)?;
        Ok(Self(
            app.platform
                .registration
                .authenticate_officer(&token)
                .await?,
        ))
    }
}

impl App {
    /// Spends one token of a caller's bucket.
    fn spend(&self, caller: impl Hash) -> Result<(), Problem> {
        let mut hasher = DefaultHasher::new();
        caller.hash(&mut hasher);
        self.limiter
            .take(hasher.finish(), self.platform.store.now())
            .map_err(|seconds| Problem::new("rate-limited").retry_after(seconds))
    }
}

fn spent_bearer(parts: &Parts, app: &App) -> Result<String, Problem> {
    let token = bearer(&parts.headers).ok_or(Problem::new("unauthenticated"))?;
    app.spend(("bearer", &token))?;
    Ok(token)
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
