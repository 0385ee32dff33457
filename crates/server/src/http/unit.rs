//! Provinces and communes as an address names them, for a form to choose from.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::caller::Anyone;
use crate::problem::{Problem, ProblemDocument};

/// Units change by resolutions of the National Assembly, so an answer may be kept for an hour.
const KEEPING: &str = "public, max-age=3600";

/// A unit in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitWire {
    /// Two digits for a province, five for a commune.
    code: String,
    /// With what it is: `Phường Vườn Lài`.
    name: String,
}

/// Below which unit.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct Below {
    /// Code of a province; left out, the provinces are listed.
    parent: Option<String>,
}

/// The provinces, or the communes of one, in force today.
#[utoipa::path(get, path = "/v1/administrative-units", tag = "enrolment", params(Below),
    responses((status = 200, body = Vec<UnitWire>), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list_administrative_units(
    State(app): State<App>,
    _: Anyone,
    Query(below): Query<Below>,
) -> Result<Response, Problem> {
    let registration = &app.platform.registration;
    let units = match below.parent.as_deref() {
        None => registration.provinces().await?,
        Some(province) => registration.communes(province).await?,
    };
    let wires: Vec<UnitWire> = units
        .into_iter()
        .map(|unit| UnitWire {
            code: unit.code,
            name: unit.name,
        })
        .collect();
    Ok(([(header::CACHE_CONTROL, KEEPING)], Json(wires)).into_response())
}
