//! The one binary: configuration, HTTP and OpenAPI, worker, outbound messages, command line.
//!
//! The only crate where things are wired ([`platform`]). The web writes intentions, the worker holds the keys:
//! no file under [`http`] can reach a private key except `http/status.rs`, which owns the OCSP key.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod config;
pub mod http;
mod measure;
pub mod outbound;
mod places;
pub mod platform;
pub mod preview;
pub mod problem;
pub mod telemetry;
pub mod worker;
