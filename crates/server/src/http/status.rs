//! What relying parties ask: OCSP (RFC 6960), CRL and issuer certificates (RFC 5280, 4.2.1.13 and 4.2.2.1).
//!
//! The one file under `http` that holds a [`Keystore`]: the OCSP responder's key signs here. Everything is public,
//! plain HTTP and cacheable, as validators expect.

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use kyso_authority::status::ocsp::Cost;
use kyso_keystore::Keystore;

use super::App;
use super::caller::{Anyone, caller_of};
use crate::problem::Problem;

/// Largest OCSP request read, bytes.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The keys of the status role.
#[derive(Clone)]
pub struct StatusKeys(pub Keystore);

/// OCSP by POST.
pub async fn ocsp_post(
    State((app, keys)): State<(App, StatusKeys)>,
    parts: Parts,
    body: Body,
) -> Response {
    let request = axum::body::to_bytes(body, REQUEST_BYTES_MAX)
        .await
        .unwrap_or_default();
    ocsp_response(&app, &keys, &parts, &request).await.0
}

/// OCSP by GET: base64 of the request in the path, percent-encoded or not. Cacheable (RFC 5019 6.2).
pub async fn ocsp_get(
    State((app, keys)): State<(App, StatusKeys)>,
    OriginalUri(uri): OriginalUri,
    parts: Parts,
) -> Response {
    let encoded = uri
        .path()
        .trim_start_matches("/ocsp")
        .strip_prefix('/')
        .unwrap_or_default();
    let request = decode_path(encoded).unwrap_or_default();
    let (response, cacheable) = ocsp_response(&app, &keys, &parts, &request).await;
    match cacheable {
        Some(signed) => signed.guard(response, &parts.headers),
        None => response,
    }
}

/// The newest CRL of an issuer, DER.
pub async fn crl(
    State(app): State<App>,
    _: Anyone,
    Path(name): Path<String>,
    asked: HeaderMap,
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
    let signed = Signed {
        tag: format!("\"{}\"", published.number),
        produced_at: published.this_update,
    };
    Ok(signed.guard((headers, published.der).into_response(), &asked))
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

/// What a cache must know of a signed answer.
struct Signed {
    tag: String,
    produced_at: i64,
}

impl Signed {
    /// Adds what caches compare; 304 to whoever has these very octets (RFC 9110 13.1.2). `Expires` says what `max-age` says, not
    /// nextUpdate as RFC 5019 has it: an old cache would hide a revocation until then.
    fn guard(self, response: Response, asked: &HeaderMap) -> Response {
        let has = |value: &HeaderValue| {
            let tags = value.to_str().unwrap_or_default();
            tags.split(',').any(|tag| tag.trim() == self.tag)
        };
        let mut response = if asked.get_all(header::IF_NONE_MATCH).iter().any(has) {
            let (mut parts, _) = response.into_parts();
            parts.status = StatusCode::NOT_MODIFIED;
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::empty())
        } else {
            response
        };
        let headers = response.headers_mut();
        for (name, value) in [
            (header::ETAG, self.tag),
            (header::LAST_MODIFIED, http_date(self.produced_at)),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

async fn ocsp_response(
    app: &App,
    keys: &StatusKeys,
    parts: &Parts,
    request: &[u8],
) -> (Response, Option<Signed>) {
    let now = app.platform.store.now();
    let network = app.network(parts);
    let [of_network, of_all] = app.ocsp.as_ref();
    let may = |cost| match cost {
        Cost::Look => app.spend(("ocsp", network)).is_ok(),
        Cost::Signature => {
            of_network.take(caller_of(network), now).is_ok() && of_all.take(0, now).is_ok()
        }
    };
    let authority = &app.platform.authority;
    let answer = authority.answer_within(&may, &keys.0, request, now).await;
    metrics::counter!("kyso_ocsp_answers_total", "outcome" => answer.outcome).increment(1);
    if answer.unknown > 0 {
        metrics::counter!("kyso_ocsp_unknown_serials_total").increment(answer.unknown as u64);
    }
    let signed = answer
        .cache_until
        .and(answer.produced_at)
        .map(|produced_at| Signed {
            tag: format!("\"{}\"", hex::encode(&sha256(&answer.der)[..16])),
            produced_at,
        });
    let mut response = (StatusCode::OK, answer.der).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/ocsp-response"),
    );
    // A change must be seen within seconds, so no cache may keep an answer for long.
    let cache = if answer.cache_until.is_some() {
        "public, no-transform, max-age=2, must-revalidate"
    } else {
        "no-store"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if answer.outcome == "try-later" {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    (response, signed)
}

fn sha256(octets: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets)
        .as_ref()
        .to_vec()
}

/// IMF-fixdate (RFC 9110 5.6.7) of milliseconds since 1970.
fn http_date(at: i64) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time::OffsetDateTime::from_unix_timestamp(at.div_euclid(1000))
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
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
    fn dates_are_as_http_writes_them() {
        assert_eq!(http_date(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

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
