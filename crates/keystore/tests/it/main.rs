//! The keystore seen from outside: one suite mounted on both backends, then what is particular to each.
#![allow(clippy::unwrap_used)]

mod attacks;
mod citizen;
mod files;
mod order;
mod record;
mod service;
mod token;
mod world;
