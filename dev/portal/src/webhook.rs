//! Webhooks as Standard Webhooks 1.0 signs them: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several
//! signatures with a blank between while a secret is rotated.

use aws_lc_rs::hmac;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A call that is older, or from further ahead, is somebody else's copy of one.
const TOLERANCE_SECONDS: i64 = 300;

/// The event, if kyso sent it, just now. `secret`: `whsec_` and base64.
pub(crate) fn checked(secret: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Option<Value> {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let sent_at: i64 = timestamp.parse().ok()?;
    if (now - sent_at).abs() > TOLERANCE_SECONDS {
        return None;
    }
    let secret = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let mut signatures = header("webhook-signature")?.split(' ');
    let fits = signatures.any(|one| {
        let signature = one
            .strip_prefix("v1,")
            .and_then(|text| STANDARD.decode(text).ok());
        signature.is_some_and(|signature| hmac::verify(&key, &signed, &signature).is_ok())
    });
    fits.then(|| serde_json::from_slice(body).ok()).flatten()
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "a portal is another organisation's machine, with a clock of its own"
)]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_c2VjcmV0";
    const BODY: &[u8] = br#"{"type":"signature_request.signed","data":{"id":"req_1"}}"#;

    fn headers(secret: &[u8], at: &str) -> HeaderMap {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let signed = [b"dlv_1.", at.as_bytes(), b".", BODY].concat();
        let signature = STANDARD.encode(hmac::sign(&key, &signed));
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "dlv_1".parse().unwrap());
        headers.insert("webhook-timestamp", at.parse().unwrap());
        let both = format!("v1,AAAA v1,{signature}");
        headers.insert("webhook-signature", both.parse().unwrap());
        headers
    }

    #[test]
    fn only_what_kyso_signed_just_now_is_believed() {
        let sent = headers(b"secret", "1000");
        let event = checked(SECRET, &sent, BODY, 1_100).unwrap();
        assert_eq!(event["data"]["id"], "req_1");
        assert!(checked(SECRET, &sent, BODY, 1_301).is_none(), "too old");
        assert!(checked(SECRET, &sent, BODY, 699).is_none(), "from ahead");
        assert!(
            checked(SECRET, &sent, b"{}", 1_000).is_none(),
            "another body"
        );
        let forged = headers(b"guessed", "1000");
        assert!(checked(SECRET, &forged, BODY, 1_000).is_none());
        let mut moved = sent.clone();
        moved.insert("webhook-id", "dlv_2".parse().unwrap());
        assert!(checked(SECRET, &moved, BODY, 1_000).is_none(), "another id");
        assert!(checked(SECRET, &HeaderMap::new(), BODY, 1_000).is_none());
    }
}
