//! `verify-store` finds what is wrong, and nothing where all is well.

use kyso_signing::portal::Scopes;

use crate::everywhere;
use crate::office::Office;

everywhere!(
    a_sound_store_has_counts_and_nothing_broken,
    each_broken_invariant_is_named,
    a_result_without_its_ledger_line_is_named
);

async fn a_sound_store_has_counts_and_nothing_broken(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 3).await;
    office.sign(&phone, &view).await;
    let verified = office.signing.verify().await.unwrap();
    assert!(verified.broken.is_empty(), "{:?}", verified.broken);
    let count = |name: &str| {
        verified
            .counts
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, count)| *count)
    };
    // The acceptance is one request and one signature more.
    assert_eq!(
        (
            count("requests signed"),
            count("signatures"),
            count("debits"),
            count("results in the ledger")
        ),
        (Some(2), Some(4), Some(2), Some(2))
    );
}

async fn each_broken_invariant_is_named(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let mut views = Vec::new();
    for _ in 0..3 {
        let view = office.digests(&portal, &phone, 2).await;
        office.sign(&phone, &view).await;
        views.push(view.id.to_string());
    }
    let wrong = async |sql: String, invariant: &str| {
        office.database.tamper(&sql).await;
        let verified = office.signing.verify().await.unwrap();
        assert!(
            verified
                .broken
                .iter()
                .any(|broken| broken.invariant == invariant),
            "{sql}: {:?}",
            verified.broken
        );
    };
    wrong(
        format!(
            "UPDATE debit SET units = 7 WHERE request_id = '{}'",
            views[0]
        ),
        "I3",
    )
    .await;
    wrong(
        format!("DELETE FROM debit WHERE request_id = '{}'", views[0]),
        "I3",
    )
    .await;
    wrong(
        format!(
            "UPDATE signature_document SET signature = (SELECT d.signature FROM signature_document d WHERE d.request_id = '{0}' AND d.position = 0)
             WHERE request_id = '{0}' AND position = 1",
            views[1]
        ),
        "I1",
    )
    .await;
    wrong(
        format!(
            "UPDATE signature_request SET statement = (SELECT r.statement FROM signature_request r WHERE r.id = '{}') WHERE id = '{}'",
            views[2], views[1]
        ),
        "I7",
    )
    .await;
    wrong(format!("UPDATE signature_document SET state = 'prepared', signature = NULL WHERE request_id = '{}' AND position = 0", views[2]), "I1").await;
}

async fn a_result_without_its_ledger_line_is_named(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    office.sign(&phone, &view).await;
    let remove = format!(
        "DELETE FROM ledger_entry WHERE kind = 'signing.request.signed' AND subject = '{}'",
        view.id
    );
    office.database.tamper(&remove).await;
    let verified = office.signing.verify().await.unwrap();
    let named = verified
        .broken
        .iter()
        .any(|broken| broken.message == "2 requests have results, 1 are in the ledger");
    assert!(named, "{:?}", verified.broken);
}
