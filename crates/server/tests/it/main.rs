//! The service as a whole: the real binary, a real database, a real keystore, spoken to over HTTP by the virtual phone
//! and by portals, on every database and keystore there is.

#![allow(clippy::unwrap_used)]

mod abuse;
mod access;
mod approval_key;
mod change;
mod clock;
mod crash;
mod database;
mod disk;
mod documents;
mod harness;
mod history;
mod judges;
mod messages;
mod mission;
mod openssl;
mod operator;
mod pages;
#[path = "../../../ades/tests/it/peers.rs"]
mod peers;
mod preview;
mod process;
mod race;
mod refusals;
mod resume;
mod roles;
mod screen;
mod smartca;
mod token;
mod web;
