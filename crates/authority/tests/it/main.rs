//! The institution against both databases, both keystores, and OpenSSL.
#![allow(clippy::unwrap_used)]

mod ceremony;
mod crash;
mod crl;
mod harness;
mod issuing;
mod ocsp;
mod openssl;
mod revocation;
mod tokens;

#[tokio::test]
async fn every_statement_prepares_on_both_databases() {
    kyso_store::testing::prepare_all(&kyso_authority::statements()).await;
}
