//! Every statement prepares on both databases.

#[tokio::test]
async fn every_statement_prepares_on_both_databases() {
    let statements: Vec<&'static str> = kyso_registration::statements().collect();
    kyso_store::testing::prepare_all(&statements).await;
}
