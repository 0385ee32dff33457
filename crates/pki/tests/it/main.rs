//! The crate seen from outside, judged by OpenSSL.
#![allow(clippy::unwrap_used)]
