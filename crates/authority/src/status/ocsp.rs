//! OCSP.
use kyso_keystore::Keystore;

use crate::Authority;

/// Most certificates one request may ask about.
pub const QUESTIONS_MAX: usize = 16;

/// An OCSP response, successful or not; always sent with HTTP 200 and `application/ocsp-response`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// DER OCSPResponse.
    pub der: Vec<u8>,
    /// Until when a cache may keep it: `nextUpdate`, or none for an error or an answer to a nonce.
    pub cache_until: Option<i64>,
    /// How many serials were asked about that we never issued: an alarm when it is not zero (reliability: DigiNotar).
    pub unknown: usize,
    /// For metrics: `good`, `revoked`, `unknown`, `mixed`, `malformed`, `unauthorized`, `try-later`, `internal`.
    pub outcome: &'static str,
}

#[allow(unused_variables)]
impl Authority {
    /// Answers a request (RFC 6960) in the name of the issuing authority, signed by its delegated responder. Never fails: what
    /// cannot be answered is an OCSP error.
    pub async fn answer(&self, keys: &Keystore, request: &[u8], now: i64) -> Response {
        todo!()
    }
}
