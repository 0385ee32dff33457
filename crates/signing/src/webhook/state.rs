//! A delivery: what is announced, how often it is tried. Pure.

use std::time::Duration;

/// One HTTP call for `outbound` to make.
#[derive(Debug, Clone)]
pub struct Call {
    pub url: String,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`, `content-type`.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Give up the call after this long.
    pub timeout: Duration,
}

/// How the call went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// The receiver answered; 2xx is success.
    Answered { status: u16 },
    /// It did not; with a stable code (`refused`, `timeout`, `address-denied`, `tls`).
    Unreachable { code: String },
}
