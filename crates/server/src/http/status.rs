//! What relying parties ask: OCSP (RFC 6960), CRL and issuer certificates (RFC 5280, 4.2.1.13 and 4.2.2.1).
//!
//! The one file under `http` that holds a [`Keystore`]: the OCSP responder's key signs here. Everything is public,
//! plain HTTP and cacheable, as validators expect.

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use kyso_keystore::Keystore;

use super::App;
use super::caller::Anyone;
use crate::problem::Problem;

/// Largest OCSP request read, bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The keys of the status role.
#[derive(Clone)]
pub struct StatusKeys(pub Keystore);

/// OCSP by POST.
pub async fn ocsp_post(State((app, keys)): State<(App, StatusKeys)>, body: Body) -> Response {
    let request = axum::body::to_bytes(body, REQUEST_BYTES_MAX)
        .await
        .unwrap_or_default();
    answer(&app, &keys, &request).await
}

/// OCSP by GET: base64 of the request in the path, percent-encoded or not.
pub async fn ocsp_get(
    State((app, keys)): State<(App, StatusKeys)>,
    OriginalUri(uri): OriginalUri,
) -> Response {
    let encoded = uri
        .path()
        .trim_start_matches("/ocsp")
        .strip_prefix('/')
        .unwrap_or_default();
    answer(&app, &keys, &decode_path(encoded).unwrap_or_default()).await
}

/// The newest CRL of an issuer, DER.
pub async fn crl(
    State(app): State<App>,
    _: Anyone,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let label = name.strip_suffix(".crl").ok_or(Problem::new("not-found"))?;
    let published = app
        .platform
        .authority
        .crl(label)
        .await?
        .ok_or(Problem::new("not-found"))?;
    let seconds = (published.next_update - app.platform.store.now()).clamp(0, 3_600_000) / 1000;
    let headers = [
        (header::CONTENT_TYPE, "application/pkix-crl".to_owned()),
        (
            header::CACHE_CONTROL,
            format!("public, max-age={}", seconds.min(60)),
        ),
    ];
    Ok((headers, published.der).into_response())
}

/// The certificate of an issuer, DER.
pub async fn issuer_certificate(
    State(app): State<App>,
    _: Anyone,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let label = name.strip_suffix(".cer").ok_or(Problem::new("not-found"))?;
    let certificate = app
        .platform
        .authority
        .issuer_certificate(label)
        .await?
        .ok_or(Problem::new("not-found"))?;
    Ok((
        [(header::CONTENT_TYPE, "application/pkix-cert")],
        certificate.as_der().to_vec(),
    )
        .into_response())
}

async fn answer(app: &App, keys: &StatusKeys, request: &[u8]) -> Response {
    let request = if request.len() <= REQUEST_BYTES_MAX {
        request
    } else {
        &[]
    };
    let now = app.platform.store.now();
    let answer = app.platform.authority.answer(&keys.0, request, now).await;
    metrics::counter!("kyso_ocsp_answers_total", "outcome" => answer.outcome).increment(1);
    if answer.unknown > 0 {
        metrics::counter!("kyso_ocsp_unknown_serials_total").increment(answer.unknown as u64);
        tracing::warn!(
            count = answer.unknown,
            "somebody asked about serials that were never issued"
        );
    }
    let mut response = (StatusCode::OK, answer.der).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/ocsp-response"),
    );
    // A change must be seen within seconds, so no cache may keep an answer for long.
    let cache = if answer.cache_until.is_some() {
        "public, max-age=2, must-revalidate"
    } else {
        "no-store"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Base64 from a path as clients really send it: percent-encoded, with `+` and `/`, with slashes doubled by nobody.
fn decode_path(encoded: &str) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                text.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            b' ' => text.push(b'+'),
            other => text.push(other),
        }
    }
    STANDARD
        .decode(&text)
        .or_else(|_| URL_SAFE.decode(&text))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ocsp_request_survives_every_spelling_of_its_path() {
        let request = [0xfb, 0xef, 0xff, 0xfb, 0xff, 0xfe, 0x30];
        let plain = STANDARD.encode(request);
        assert!(plain.contains("//") && plain.contains('+'), "{plain}");
        let percent = plain
            .replace('/', "%2F")
            .replace('+', "%2B")
            .replace('=', "%3D");
        for spelling in [&plain, &percent, &percent.replace("%2F", "%2f")] {
            assert_eq!(decode_path(spelling).unwrap(), request, "{spelling}");
        }
        assert!(decode_path("%").is_none() && decode_path("***").is_none());
    }
}
