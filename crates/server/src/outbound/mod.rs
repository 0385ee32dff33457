//! Calls to other machines: mail, SMS gateway, portals' webhooks. Never inside an open transaction.
//!
//! Each channel answers [`Delivery`]: accepted, refused for good, or unreachable for now. The worker turns the
//! last into a later try; nothing here retries by itself, so that a job's attempts are the only count.

mod address;
pub mod mail;
pub mod message;
pub mod sms;
pub mod webhook;

/// What became of one outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next hop took responsibility.
    Accepted,
    /// It will never take it; the code says why.
    Refused(&'static str),
    /// Try again later; the code says why.
    Unreachable(&'static str),
}
