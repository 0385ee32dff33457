//! The crate seen from outside: what it makes, what it refuses, and what OpenSSL says about it.
#![allow(clippy::unwrap_used)]

mod cms;
mod crl;
mod hostile;
mod lint;
mod ocsp;
mod peer_openssl;
mod support;
mod weak_keys;
mod x509;
