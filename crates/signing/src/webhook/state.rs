//! A delivery: what is announced, how often it is tried. Pure.

use std::time::Duration;

use crate::{DeliveryId, PortalId, RequestId};

/// One HTTP call for `outbound` to make.
#[derive(Debug, Clone)]
pub struct Call {
    /// Whose receiver it is: calls to one portal are bounded.
    pub portal: PortalId,
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

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Being tried.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// Given up: after the last try, on 410, or because the webhook was taken away.
    Dead,
}

impl DeliveryState {
    /// The word stored in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        }
    }

    /// The value a stored word means; `None` for a word no version of ours wrote.
    pub fn from_stored(word: &str) -> Option<DeliveryState> {
        [
            DeliveryState::Pending,
            DeliveryState::Delivered,
            DeliveryState::Dead,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

/// One announcement and how it went so far.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub id: DeliveryId,
    pub request: RequestId,
    pub portal: PortalId,
    pub state: DeliveryState,
    pub attempts: i64,
    /// HTTP status of the last try, if it was answered.
    pub last_status: Option<i64>,
    /// Code of the last try, if it was not.
    pub last_failure: Option<String>,
    pub tried_at: Option<i64>,
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

/// Tries before a delivery is given up: about three days with the waits of [`wait_ms`].
pub const TRIES_MAX: i64 = 20;

/// How long after the `attempts`-th try the next one is made: 5 s, doubled each time, at most ten hours.
pub fn wait_ms(attempts: i64) -> i64 {
    (5_000_i64 << attempts.clamp(1, 16).saturating_sub(1)).min(36_000_000)
}

/// What a try means for the delivery.
pub fn after(attempts: i64, outcome: &CallOutcome) -> DeliveryState {
    match outcome {
        CallOutcome::Answered { status: 200..=299 } => DeliveryState::Delivered,
        // "Gone": the receiver asks not to be called again (RFC 9110 15.5.11).
        CallOutcome::Answered { status: 410 } => DeliveryState::Dead,
        _ if attempts >= TRIES_MAX => DeliveryState::Dead,
        _ => DeliveryState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_spread_over_about_three_days() {
        let total: i64 = (1..TRIES_MAX).map(wait_ms).sum();
        let hours = total / 3_600_000;
        assert!((60..=80).contains(&hours), "{hours}");
        assert_eq!(wait_ms(1), 5_000);
        assert_eq!(wait_ms(100), 36_000_000);
    }

    #[test]
    fn two_hundreds_deliver_gone_ends_and_the_rest_is_tried_again() {
        let answered = |status| CallOutcome::Answered { status };
        assert_eq!(after(1, &answered(204)), DeliveryState::Delivered);
        assert_eq!(after(1, &answered(410)), DeliveryState::Dead);
        for outcome in [
            answered(302),
            answered(404),
            answered(500),
            CallOutcome::Unreachable {
                code: "timeout".into(),
            },
        ] {
            assert_eq!(after(1, &outcome), DeliveryState::Pending);
            assert_eq!(after(TRIES_MAX, &outcome), DeliveryState::Dead);
        }
    }
}
