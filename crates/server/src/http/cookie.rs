//! The sessions of our own application in a browser: cookies that no script reads and no other site's page sends
//! (RFC 6265bis: `HttpOnly`, `SameSite=Strict`, `Secure` over https).
//!
//! A cookie counts only on a call that says `x-kyso-app`, which a page of another site may add only after asking us (CORS), and
//! is never allowed to; and, where the browser tells where a call began (`Sec-Fetch-Site`), only if it began with us. Over
//! https the names begin with `__Host-`, which no other host and no plain connection can set.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// What our application adds to each call; the value is not looked at.
const OWN: &str = "x-kyso-app";

/// How long a browser keeps an enrolment's session, whose end the enrolment decides, seconds.
const ENROLMENT_SECONDS: i64 = 90 * 86_400;

/// Whose session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jar {
    /// Of the phone that enrols.
    Enrolment,
    /// Of a bound phone.
    Device,
}

/// Cookies as this installation sets and reads them.
#[derive(Debug, Clone, Copy)]
pub struct Cookies {
    is_secure: bool,
}

impl Cookies {
    /// By the address that browsers know us by.
    pub fn of(public_url: &str) -> Self {
        Self {
            is_secure: public_url.starts_with("https://"),
        }
    }

    fn name(self, jar: Jar) -> &'static str {
        match (jar, self.is_secure) {
            (Jar::Enrolment, true) => "__Host-kyso-enrolment",
            (Jar::Enrolment, false) => "kyso-enrolment",
            (Jar::Device, true) => "__Host-kyso-device",
            (Jar::Device, false) => "kyso-device",
        }
    }

    /// The token in a jar, if the call is our application's.
    pub fn read(self, jar: Jar, headers: &HeaderMap) -> Option<String> {
        if !is_own(headers) {
            return None;
        }
        let lines = headers.get_all(header::COOKIE).iter();
        let mut pairs = lines.flat_map(|line| line.to_str().unwrap_or_default().split(';'));
        pairs.find_map(|pair| {
            let (name, token) = pair.trim().split_once('=')?;
            (name == self.name(jar)).then(|| token.to_owned())
        })
    }

    /// The answer, and the token into the jar for so many milliseconds; `None`: as long as an enrolment may take.
    pub fn keep(
        self,
        jar: Jar,
        token: &str,
        lasts_ms: Option<i64>,
        answer: impl IntoResponse,
    ) -> Response {
        let seconds = lasts_ms.map_or(ENROLMENT_SECONDS, |ms| (ms / 1000).max(0));
        self.set(jar, token, seconds, answer)
    }

    /// The answer, and the jar empty.
    pub fn forget(self, jar: Jar, answer: impl IntoResponse) -> Response {
        self.set(jar, "", 0, answer)
    }

    fn set(self, jar: Jar, token: &str, seconds: i64, answer: impl IntoResponse) -> Response {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = self.name(jar);
        let cookie =
            format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
        let mut response = answer.into_response();
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Whether our own application calls.
pub fn is_own(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    headers.contains_key(OWN) && site.is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_counts_only_when_our_own_page_sends_it() {
        let cookies = Cookies::of("https://ky.example.vn");
        let jar = ("cookie", "a=b; __Host-kyso-device=TOKEN");
        let own = ("x-kyso-app", "1");
        let read = |lines: &[_]| cookies.read(Jar::Device, &headers(lines));
        assert_eq!(read(&[jar, own]).as_deref(), Some("TOKEN"));
        let same = ("sec-fetch-site", "same-origin");
        assert_eq!(read(&[jar, own, same]).as_deref(), Some("TOKEN"));
        assert_eq!(read(&[jar]), None);
        for site in ["cross-site", "same-site", "none"] {
            assert_eq!(read(&[jar, own, ("sec-fetch-site", site)]), None, "{site}");
        }
        assert_eq!(
            cookies.read(Jar::Enrolment, &headers(&[jar, own])),
            None,
            "one jar is not the other"
        );
        let plain = ("cookie", "kyso-device=PLAIN");
        assert_eq!(read(&[plain, own]), None, "set by who knows whom");
    }

    #[test]
    fn what_is_set_is_for_no_script_and_for_no_other_site() {
        let line = |url: &str, token: Option<&str>| {
            let cookies = Cookies::of(url);
            let answer = match token {
                Some(token) => cookies.keep(Jar::Device, token, Some(5_999), ()),
                None => cookies.forget(Jar::Device, ()),
            };
            answer.headers()[header::SET_COOKIE]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            line("https://ky.example.vn", Some("T")),
            "__Host-kyso-device=T; Path=/; Max-Age=5; HttpOnly; SameSite=Strict; Secure"
        );
        assert_eq!(
            line("http://localhost:8080", None),
            "kyso-device=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }
}
