//! What a portal is: its name, what it may ask for, and where it hears of results. Pure.

use serde::{Deserialize, Serialize};

use crate::PortalId;

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
