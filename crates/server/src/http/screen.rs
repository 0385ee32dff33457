//! What a portal's page shows while a citizen signs on the phone: a QR code that changes each second, a link for the same device,
//! two digits; and the custom element that draws them.
//!
//! A page never holds its portal's secret. It asks with a token that opens this one screen, from any origin and without cookies
//! ([`cross_origin`]), or its own backend asks for it. Codes of the next seconds are given out at once, so that a page asks every
//! two seconds and still shows a new one each second; one that is too old or too early is refused when a phone brings it.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kyso_signing::request::{Screen, channel_word};
use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::caller::{Page, Portal};
use super::request::parse_id;
use super::wire::to_base64;
use crate::problem::{Problem, ProblemDocument};

/// The element's major version is in its address: what stands there stays compatible.
pub const ELEMENT: &str = "/elements/v1/kyso-sign.js";
const ELEMENT_SOURCE: &str = include_str!("../../../../web/portal/kyso-sign.js");

/// Where pages of other origins ask.
const SCREENS: &str = "/v1/screens/";

/// One of eight patterns that keep a QR code even; fixed, because comparing all eight costs ten times the drawing.
const MASK: u8 = 3;

/// What a page shows.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScreenWire {
    /// `req_…`.
    pub request: String,
    /// As of the request.
    pub state: &'static str,
    /// How the phone proved that it was here: `qr`, `same-device` or `push` (by the digits); absent until it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// The document code, for the eye: the same on both screens.
    pub code: String,
    /// To be typed on a phone that opened the request from its list.
    pub digits: String,
    /// One for each second from now on; none once the request was opened or is over.
    pub codes: Vec<ScreenCodeWire>,
    /// Opens the request on this same device, for a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The server's clock, milliseconds since 1970: a page counts from here, its own clock may be wrong.
    pub now: i64,
    /// Milliseconds since 1970.
    pub expires_at: i64,
    /// For the portal alone: what its page may ask `GET /v1/screens/{id}` with, until ten minutes after the request is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// The code of one second.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScreenCodeWire {
    /// From when on it is to be shown, milliseconds since 1970; it is good for three seconds.
    pub from: i64,
    /// What the code says.
    pub url: String,
    /// Modules to a side, without the quiet zone of four.
    pub size: i32,
    /// The modules row by row, a bit each, dark is 1, the first in the highest bit; base64.
    pub modules: String,
}

/// What a page of this portal shows for the request, with the token for the page. Only for a request made with `on_screen`.
#[utoipa::path(get, path = "/v1/signature-requests/{id}/screen", tag = "portal", params(("id" = String, Path)),
    responses((status = 200, body = ScreenWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_signature_screen(
    State(app): State<App>,
    Portal(portal): Portal,
    Path(id): Path<String>,
) -> Result<Json<ScreenWire>, Problem> {
    let id = parse_id(&id)?;
    let requests = &app.platform.signing.requests;
    let screen = requests.screen(&portal, &id).await?;
    let token = Some(requests.screen_token(&id));
    Ok(Json(ScreenWire {
        token,
        ..app.drawn(screen)
    }))
}

/// The same for the page itself. Any origin may ask; no cookie counts.
#[utoipa::path(get, path = "/v1/screens/{id}", tag = "page", params(("id" = String, Path)),
    responses((status = 200, body = ScreenWire), (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn show_screen(State(app): State<App>, page: Page) -> Json<ScreenWire> {
    Json(app.drawn(page.0))
}

/// The custom element, for any page.
pub async fn element() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, ELEMENT_SOURCE).into_response()
}

/// Pages of other origins may ask for screens, with their token and nothing that a browser adds by itself.
pub async fn cross_origin(request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with(SCREENS) {
        return next.run(request).await;
    }
    let mut response = match *request.method() == Method::OPTIONS {
        true => StatusCode::NO_CONTENT.into_response(),
        false => next.run(request).await,
    };
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "retry-after"),
        (header::ACCESS_CONTROL_MAX_AGE, "7200"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

impl App {
    fn drawn(&self, screen: Screen) -> ScreenWire {
        let request = screen.request;
        let address = format!("{}/requests/{}", self.relying_party.origin, request.id);
        let codes = screen.codes.into_iter().filter_map(|code| {
            let url = format!("{address}#{}", code.proof);
            let (size, modules) = modules(&url)?;
            Some(ScreenCodeWire {
                from: code.from,
                url,
                size,
                modules,
            })
        });
        ScreenWire {
            codes: codes.collect(),
            request: request.id.to_string(),
            state: request.state.as_str(),
            channel: request.channel.map(channel_word),
            code: request.code,
            digits: screen.digits,
            link: screen.link.map(|proof| format!("{address}#{proof}")),
            now: screen.now,
            expires_at: request.expires_at,
            token: None,
        }
    }
}

/// A QR code (ISO/IEC 18004): modules to a side, and their bits.
fn modules(text: &str) -> Option<(i32, String)> {
    let segments = QrSegment::make_segments(text);
    let (least, most) = (Version::MIN, Version::MAX);
    let mask = Some(Mask::new(MASK));
    let code = QrCode::encode_segments_advanced(&segments, QrCodeEcc::Low, least, most, mask, true)
        .ok()?;
    let size = code.size();
    let cells = (0..size).flat_map(|y| (0..size).map(move |x| (x, y)));
    let dark: Vec<bool> = cells.map(|(x, y)| code.get_module(x, y)).collect();
    let bytes: Vec<u8> = dark
        .chunks(8)
        .map(|bits| {
            let byte = bits
                .iter()
                .fold(0, |byte, dark| byte << 1 | u8::from(*dark));
            byte << (8 - bits.len())
        })
        .collect();
    Some((size, to_base64(&bytes)))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::modules;

    #[test]
    fn the_modules_are_a_square_with_its_three_corners() {
        let (size, bits) = modules("https://ky.example.vn/requests/req_1#q.1.A").unwrap();
        let bytes = STANDARD.decode(bits).unwrap();
        let side = usize::try_from(size).unwrap();
        assert_eq!(bytes.len(), (side * side).div_ceil(8));
        let is_dark = |x: usize, y: usize| {
            let at = y * side + x;
            bytes[at / 8] >> (7 - at % 8) & 1 == 1
        };
        for (left, top) in [(0, 0), (side - 7, 0), (0, side - 7)] {
            assert!((0..7).all(|at| is_dark(left + at, top) && is_dark(left, top + at)));
            assert!(!is_dark(left + 1, top + 1) && is_dark(left + 3, top + 3));
        }
    }
}
