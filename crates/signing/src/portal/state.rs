//! What a portal is: its name, what it may ask for, and where it hears of results. Pure.

use serde::{Deserialize, Serialize};

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
    /// Milliseconds since 1970; set when the portal may no longer call.
    pub disabled_at: Option<i64>,
    pub created_at: i64,
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
