//! PAdES judged by strangers: documents of every shape, signed, and read by pyHanko, poppler, qpdf and OpenSSL.
#![allow(clippy::unwrap_used)]

mod hostile;
mod inputs;
mod keys;
mod mark;
mod peers;
mod refusals;
mod sign;
