//! What a portal is: its name, what it may ask for, and where it hears of results. Pure.

use serde::{Deserialize, Serialize};

use super::network::Network;
use crate::{Error, PortalId, Result};

/// What a portal may ask for. Everything is refused unless it is named here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    /// PDFs, which the citizen sees page by page.
    pub documents: bool,
    /// Bare digests: nothing to show, marked blind everywhere (architecture decision 6).
    pub digests: bool,
    /// The SmartCA sp769 interface, which is digests by another door.
    pub sp769: bool,
}

impl Scopes {
    /// Documents only: what a new portal gets.
    pub const DOCUMENTS: Scopes = Scopes {
        documents: true,
        digests: false,
        sp769: false,
    };

    /// All three doors.
    pub const ALL: Scopes = Scopes {
        documents: true,
        digests: true,
        sp769: true,
    };
}

/// A registered portal, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    pub id: PortalId,
    /// What the portal presents with its secret; sp769 calls it `sp_id`.
    pub client_id: String,
    /// What the citizen reads as the asking party. It comes from this register, never from a request.
    pub name: String,
    pub scopes: Scopes,
    /// Where results are announced; without it the portal polls.
    pub webhook_url: Option<String>,
    /// Where a citizen's browser may be sent afterwards: `portal.example`, `portal.example:8443` (https), `localhost:3000` (http,
    /// this machine only), `vn.portal.app:` (an app's scheme).
    pub return_to: Vec<String>,
    /// sp769: the networks that are told of a transaction by an id that can be guessed, beside the one that asked for it.
    pub status_from: Vec<Network>,
    /// Milliseconds since 1970; set when the portal may no longer call.
    pub disabled_at: Option<i64>,
    pub created_at: i64,
}

impl Portal {
    /// Whether a citizen may be sent to `url` after signing.
    pub fn may_return_to(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once(':') else {
            return false;
        };
        let scheme = scheme.to_ascii_lowercase();
        // A browser reads a backslash as a slash, and what stands before an @ is not the host.
        if url.contains('\\') || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return false;
        }
        let place = match scheme.as_str() {
            "http" | "https" => {
                let Some(rest) = rest.strip_prefix("//") else {
                    return false;
                };
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                if is_loopback(host) != (scheme == "http") {
                    return false;
                }
                host.to_ascii_lowercase()
            }
            _ => format!("{scheme}:"),
        };
        self.return_to.contains(&place)
    }
}

/// `localhost`, `127.0.0.1` or `[::1]`, with a port or without.
fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|loopback| {
        host.strip_prefix(loopback)
            .is_some_and(|port| port.is_empty() || port.starts_with(':'))
    })
}

/// Whether places to return to are written as [`Portal::return_to`] has them.
///
/// # Errors
/// [`Error::Unacceptable`].
pub(crate) fn check_return_to(places: &[String]) -> Result<()> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_scheme = |scheme: &str| {
        let known = [
            "http",
            "https",
            "javascript",
            "data",
            "file",
            "blob",
            "about",
            "vbscript",
        ];
        scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|byte| letter(byte) || matches!(byte, b'.' | b'-' | b'+'))
            && !known.contains(&scheme)
    };
    let is_host = |host: &str| {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| letter(byte) || matches!(byte, b'.' | b'-'));
        is_name && port.parse::<u16>().is_ok()
    };
    let is_place = |place: &String| match place.strip_suffix(':') {
        Some(scheme) => is_scheme(scheme),
        None => is_host(place) || is_loopback(place),
    };
    if places.len() <= 20
        && places
            .iter()
            .all(|place| place.len() <= 255 && is_place(place))
    {
        return Ok(());
    }
    Err(Error::Unacceptable {
        field: "return_to",
        rule: "at most 20 of: a host in small letters with or without a port, an app's scheme with its colon",
    })
}

/// What an operator says to register a portal.
#[derive(Debug, Clone)]
pub struct NewPortal {
    /// 1–100 characters, shown to citizens.
    pub name: String,
    /// 3–64 of `A–Z a–z 0–9 . _ -`; `None` takes the portal's own id.
    pub client_id: Option<String>,
    pub scopes: Scopes,
    /// `https://…` (or `http://` for a development set-up: `outbound` decides what it calls).
    pub webhook_url: Option<String>,
    /// A P-256 public key (SPKI DER) for signed requests, instead of or beside the secret.
    pub public_key: Option<Vec<u8>>,
}

/// A portal as registered, with the secrets that are shown once.
#[derive(Debug, Clone)]
pub struct RegisteredPortal {
    pub portal: Portal,
    /// Base64url of 32 random bytes. Only its SHA-256 is stored.
    pub secret: String,
    /// `whsec_…` as Standard Webhooks writes it, when there is a webhook URL.
    pub webhook_secret: Option<String>,
}

/// Longest name of a portal, in characters.
pub const NAME_CHARACTERS_MAX: usize = 100;

impl NewPortal {
    /// Whether this may be registered.
    ///
    /// # Errors
    /// [`Error::Unacceptable`] naming the field and its rule.
    pub fn check(&self) -> Result<()> {
        let name = self.name.trim();
        if name.is_empty()
            || name.len() != self.name.len()
            || name.chars().count() > NAME_CHARACTERS_MAX
            || name.chars().any(char::is_control)
        {
            return Err(Error::Unacceptable {
                field: "name",
                rule: "1 to 100 characters, none of them control characters, no space around",
            });
        }
        if let Some(id) = &self.client_id {
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            if !(3..=64).contains(&id.len()) || !id.bytes().all(allowed) {
                return Err(Error::Unacceptable {
                    field: "client_id",
                    rule: "3 to 64 of A-Z a-z 0-9 . _ -",
                });
            }
        }
        if let Some(key) = &self.public_key {
            let algorithm =
                kyso_pki::public_key::PublicKey::from_der(key).map(|key| key.algorithm());
            if !matches!(algorithm, Ok(kyso_pki::algorithm::KeyAlgorithm::P256)) {
                return Err(Error::Unacceptable {
                    field: "public_key",
                    rule: "a P-256 public key as DER SubjectPublicKeyInfo",
                });
            }
        }
        check_webhook_url(self.webhook_url.as_deref())
    }
}

/// Shape only: which addresses may be called is decided where the call is made.
pub(crate) fn check_webhook_url(url: Option<&str>) -> Result<()> {
    let Some(url) = url else { return Ok(()) };
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let sound = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && url.len() <= 2_000
        && url.bytes().all(|byte| byte.is_ascii_graphic());
    if sound {
        Ok(())
    } else {
        Err(Error::Unacceptable {
            field: "webhook_url",
            rule: "an http or https URL of at most 2000 ASCII characters",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal(name: &str, client_id: Option<&str>, webhook_url: Option<&str>) -> NewPortal {
        NewPortal {
            name: name.into(),
            client_id: client_id.map(Into::into),
            scopes: Scopes::DOCUMENTS,
            webhook_url: webhook_url.map(Into::into),
            public_key: None,
        }
    }

    #[test]
    fn a_citizen_is_sent_only_where_the_portal_is_registered() {
        let places = [
            "portal.example",
            "portal.example:8443",
            "localhost:3000",
            "vn.portal.app:",
        ];
        let return_to: Vec<String> = places.map(str::to_owned).to_vec();
        check_return_to(&return_to).unwrap();
        let portal = Portal {
            id: "ptl_01JD3ZQ8000000000000000000".parse().unwrap(),
            client_id: "x".into(),
            name: "x".into(),
            scopes: Scopes::DOCUMENTS,
            webhook_url: None,
            status_from: Vec::new(),
            return_to,
            disabled_at: None,
            created_at: 0,
        };
        for right in [
            "https://portal.example",
            "https://Portal.Example/done?x=1#y",
            "https://portal.example:8443/",
            "http://localhost:3000/done",
            "vn.portal.app://done",
        ] {
            assert!(portal.may_return_to(right), "{right}");
        }
        for wrong in [
            "",
            "portal.example",
            "javascript:alert(1)",
            "JavaScript://portal.example/%0aalert(1)",
            "data:text/html,x",
            "http://portal.example/",
            "https:portal.example",
            "https://evil.example/",
            "https://portal.example.evil.example/",
            "https://portal.example@evil.example/",
            "https://evil.example\\@portal.example/",
            "https://portal.example:444/",
            "https://evil.example#@portal.example",
            "https://localhost:3000/",
            "http://localhost:3001/",
            "http://localhost.evil.example/",
            "other.app://done",
            "https://portal.example/\u{7}",
        ] {
            assert!(!portal.may_return_to(wrong), "{wrong}");
        }
        for wrong in [
            "",
            "javascript:",
            "https:",
            "Portal.example",
            "a b",
            "x@y",
            "x/y",
            "x:y",
        ] {
            assert!(check_return_to(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_client_ids_and_urls_have_their_rules() {
        assert!(
            portal(
                "Cổng dịch vụ công",
                Some("DVC_01"),
                Some("https://portal.example/hook")
            )
            .check()
            .is_ok()
        );
        for wrong in [
            portal("", None, None),
            portal(" x", None, None),
            portal("a\nb", None, None),
            portal(&"x".repeat(101), None, None),
            portal("x", Some("ab"), None),
            portal("x", Some("a b c"), None),
            portal("x", None, Some("ftp://x")),
            portal("x", None, Some("https://")),
            portal("x", None, Some("https:///x")),
            portal("x", None, Some("https://x/ y")),
            NewPortal {
                public_key: Some(vec![1, 2, 3]),
                ..portal("x", None, None)
            },
        ] {
            assert!(
                matches!(wrong.check(), Err(Error::Unacceptable { .. })),
                "{wrong:?}"
            );
        }
    }
}
