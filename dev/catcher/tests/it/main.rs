//! The catcher from outside: a real SMTP client, raw SMTP for what a client would not send, and HTTP.
#![allow(clippy::unwrap_used)]

mod http;
mod smtp;
