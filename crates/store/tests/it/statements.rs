//! What a compiler would say about our SQL.

use kyso_store::testing::prepare_all;

#[tokio::test]
async fn every_statement_prepares_on_both_databases() {
    prepare_all(&kyso_store::statements()).await;
}

#[tokio::test]
#[should_panic(expected = "thing.wrong")]
async fn a_misspelt_column_is_found() {
    prepare_all(&["-- thing.wrong\nSELECT identity FROM job"]).await;
}

#[tokio::test]
#[should_panic(expected = "lists no columns")]
async fn a_star_is_refused() {
    prepare_all(&["-- thing.star\nSELECT * FROM job"]).await;
}

#[tokio::test]
#[should_panic(expected = "no `-- name`")]
async fn a_statement_without_a_name_is_refused() {
    prepare_all(&["SELECT id FROM job"]).await;
}
