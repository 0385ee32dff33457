//! The citizen's web application as it was built, from inside the binary (`build.rs` puts it there).
//!
//! A file with the digest of its content in its name is kept by phones for good; every other is asked for again and answered
//! with 304 while it is the same (RFC 9110, 13.1.2). Any other address is the application's page, which finds its screens by
//! itself, except below what is an interface: there nothing is ever answered with HTML.

use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::pages;
use crate::problem::Problem;

/// A file of the application, as built and as compressed by `web/citizen/tools/compress.mjs`.
struct File {
    /// From the root of the site.
    path: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// Empty where the application was not built before the binary.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/application.rs"));
static APPLICATION: LazyLock<Application> = LazyLock::new(|| Application::of(FILES));

/// The page of every screen.
const PAGE: &str = "/index.html";
/// Where the names of files hold the digest of their content.
const ASSETS: &str = "/assets/";

/// First parts of addresses that are no screens.
const INTERFACES: [&str; 11] = [
    "v1", "sca", "ocsp", "crl", "ca", "errors", "cps", "elements", "livez", "readyz", "metrics",
];

/// No inline script or style, nothing of anybody else's, in nobody's frame. `blob:` is a document that was verified on the phone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'none'; \
                      frame-ancestors 'none'; base-uri 'none'";
/// The camera reads cards and codes; nothing else of the phone is asked for.
const PERMISSIONS: &str = "camera=(self), geolocation=(), microphone=(), payment=(), usb=()";

/// Whether this binary has the application inside.
pub fn is_built() -> bool {
    !FILES.is_empty()
}

/// Whatever no interface answers.
pub async fn serve(request: Request) -> Response {
    APPLICATION.answer(request.method(), request.uri().path(), request.headers())
}

/// Files by their path, with the validator of each.
struct Application(HashMap<&'static str, (&'static File, HeaderValue)>);

impl Application {
    fn of(files: &'static [File]) -> Self {
        let entry = |file: &'static File| {
            let name = hex::encode(&digest(&SHA256, file.plain).as_ref()[..12]);
            let tag = HeaderValue::try_from(format!("W/\"{name}\""));
            let tag = tag.unwrap_or_else(|_| HeaderValue::from_static("W/\"\""));
            (file.path, (file, tag))
        };
        Self(files.iter().map(entry).collect())
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        let first = path.split('/').nth(1).unwrap_or_default();
        if INTERFACES.contains(&first) {
            return Problem::new("not-found").into_response();
        }
        if method != Method::GET && method != Method::HEAD {
            return Problem::new("method-not-allowed").into_response();
        }
        let is_asset = path.starts_with(ASSETS);
        let found = self.0.get(path);
        let found = found.or_else(|| self.0.get(PAGE).filter(|_| !is_asset));
        match found {
            Some((file, tag)) => file.answer(tag, headers),
            None if is_asset => Problem::new("not-found").into_response(),
            None => pages::not_built(),
        }
    }
}

impl File {
    fn answer(&self, tag: &HeaderValue, asked: &HeaderMap) -> Response {
        let keeping = match self.path.starts_with(ASSETS) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        let head = [
            (header::CACHE_CONTROL, HeaderValue::from_static(keeping)),
            (header::ETAG, tag.clone()),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(POLICY),
            ),
        ];
        let known = asked.get_all(header::IF_NONE_MATCH).iter();
        let mut known = known.flat_map(|list| list.to_str().unwrap_or_default().split(','));
        if known.any(|one| one.trim() == tag) {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        let forms = [("br", self.brotli), ("gzip", self.gzip)];
        let form = forms
            .into_iter()
            .find_map(|(word, bytes)| bytes.filter(|_| takes(asked, word)).map(|b| (word, b)));
        let (word, bytes) = form.map_or((None, self.plain), |(word, bytes)| (Some(word), bytes));
        let kind = [
            ("content-type", media_type(self.path)),
            ("permissions-policy", PERMISSIONS),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        let mut response = (head, kind, bytes).into_response();
        if let Some(word) = word {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(word));
        }
        response
    }
}

/// Whether a caller takes this coding (RFC 9110, 12.5.3); `q=0` is a no.
fn takes(asked: &HeaderMap, coding: &str) -> bool {
    let lists = asked.get_all(header::ACCEPT_ENCODING).iter();
    let mut elements = lists.flat_map(|list| list.to_str().unwrap_or_default().split(','));
    elements.any(|element| {
        let (word, weight) = element.split_once(';').unwrap_or((element, ""));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        word.trim().eq_ignore_ascii_case(coding) && weight.map_or(true, |weight| weight > 0.0)
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BUILT: &[File] = &[
        File {
            path: "/index.html",
            plain: b"<!doctype html>plain",
            brotli: Some(b"brotli"),
            gzip: Some(b"gzip"),
        },
        File {
            path: "/assets/index-1a2b.js",
            plain: b"script",
            brotli: None,
            gzip: Some(b"gzipped script"),
        },
    ];

    fn get(path: &str, headers: &[(&'static str, &'static str)]) -> Response {
        let mut asked = HeaderMap::new();
        for (name, value) in headers {
            asked.append(*name, HeaderValue::from_static(value));
        }
        Application::of(BUILT).answer(&Method::GET, path, &asked)
    }

    fn header_of<'a>(response: &'a Response, name: &str) -> &'a str {
        response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn every_screen_is_the_page_and_no_interface_is() {
        for path in ["/", "/c/vuon-lai-2026", "/enrol/pin", "/index.html", "/v2"] {
            let page = get(path, &[]);
            assert_eq!(page.status(), 200, "{path}");
            assert_eq!(header_of(&page, "content-type"), "text/html; charset=utf-8");
            assert_eq!(header_of(&page, "cache-control"), "no-cache");
            let policy = header_of(&page, "content-security-policy");
            assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"));
            assert!(policy.contains("frame-ancestors 'none'"));
            assert!(header_of(&page, "permissions-policy").starts_with("camera=(self)"));
        }
        for path in [
            "/v1",
            "/v1/",
            "/v1/nothing",
            "/sca/sp769/v2",
            "/ocsp/AA",
            "/crl/none.crl",
            "/errors/none/x",
            "/assets/index-gone.js",
        ] {
            let refused = get(path, &[]);
            assert_eq!(refused.status(), 404, "{path}");
            assert_eq!(
                header_of(&refused, "content-type"),
                "application/problem+json"
            );
        }
    }

    #[test]
    fn a_file_named_by_its_content_is_kept_and_the_page_is_asked_for_again() {
        let script = get("/assets/index-1a2b.js", &[]);
        assert!(header_of(&script, "cache-control").ends_with("immutable"));
        let tag = header_of(&get("/", &[]), "etag").to_owned();
        let tag: &'static str = Box::leak(format!("\"other\", {tag}").into_boxed_str());
        let again = get("/home", &[("if-none-match", tag)]);
        assert_eq!(again.status(), 304);
        let newer = get("/home", &[("if-none-match", "W/\"older\"")]);
        assert_eq!(newer.status(), 200);
    }

    #[test]
    fn the_smallest_form_that_a_caller_takes_is_sent() {
        for (accepted, coding) in [
            ("gzip, deflate, br", "br"),
            ("gzip;q=1.0, br;q=0", "gzip"),
            ("BR", "br"),
            ("identity", ""),
            ("", ""),
        ] {
            let page = get("/", &[("accept-encoding", accepted)]);
            assert_eq!(header_of(&page, "content-encoding"), coding, "{accepted}");
            assert_eq!(header_of(&page, "vary"), "accept-encoding");
        }
        let script = get("/assets/index-1a2b.js", &[("accept-encoding", "br, gzip")]);
        assert_eq!(header_of(&script, "content-encoding"), "gzip");
    }

    #[test]
    fn nothing_is_posted_to_a_screen() {
        let answer = Application::of(BUILT).answer(&Method::POST, "/home", &HeaderMap::new());
        assert_eq!(answer.status(), 405);
    }
}
