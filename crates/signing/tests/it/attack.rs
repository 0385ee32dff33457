//! The attacks of activation.md that reach this crate: each must fail, at the web role's check or at the worker's.

use kyso_keystore::activation::{Preview, Purpose};
use kyso_signing::credential::BindingState;
use kyso_signing::portal::Scopes;
use kyso_signing::request::{Approval, RequestState, RequestView};
use kyso_signing::{Error, KeyAlgorithm};
use kyso_store::Value;

use crate::everywhere;
use crate::office::{Office, PIN, Phone};
use crate::sign::assert_signed;

everywhere!(
    a_replayed_approval_gives_the_same_signatures_and_opens_nothing_else,
    an_approval_for_another_citizens_credential_is_refused,
    an_approval_moved_to_another_request_is_refused,
    a_document_swapped_after_display_is_refused,
    digests_reordered_duplicated_dropped_or_added_are_refused,
    an_expired_or_future_dated_approval_is_refused,
    a_digest_stated_as_previewed_is_refused,
    an_approval_by_the_old_device_after_a_device_change_is_refused,
    a_key_row_edited_swapped_or_rolled_back_is_refused,
    an_older_key_row_is_refused_by_a_worker_that_knows_it_as_the_newest,
    a_web_role_that_writes_rows_at_will_obtains_no_signature,
    a_row_changed_between_approval_and_signing_is_refused,
    a_web_role_that_shows_one_document_and_has_another_signed_obtains_no_signature,
    a_layout_of_another_version_is_signed_if_it_is_the_same_and_else_ends_with_its_own_code,
    a_portal_that_may_not_ask_blind_obtains_no_blind_signature,
    jobs_that_lie_about_the_credential_do_not_get_two_tries_for_one,
    a_row_that_does_not_read_does_not_keep_others_from_signing,
    a_credential_suspended_or_revoked_after_the_approval_signs_nothing,
    a_clock_moved_back_does_not_make_an_approval_young_again,
    pins_guessed_over_many_requests_in_parallel_reach_the_comparison_five_times_at_most,
);

async fn approve(
    office: &Office,
    phone: &Phone,
    view: &RequestView,
    approval: Approval,
) -> kyso_signing::Result<RequestView> {
    office
        .signing
        .requests
        .approve(phone.session(), &view.id, approval)
        .await
}

fn refused_with(result: kyso_signing::Result<RequestView>, code: &str) {
    match result {
        Err(Error::ApprovalRefused { code: found }) => assert_eq!(found, code),
        other => panic!("expected {code}, got {other:?}"),
    }
}

async fn failed_with(office: &Office, view: &RequestView, code: &str) {
    let ended = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(
        (ended.state, ended.failure.as_deref()),
        (RequestState::Failed, Some(code))
    );
    assert!(
        ended
            .documents
            .iter()
            .all(|document| document.signature.is_none())
    );
}

async fn a_replayed_approval_gives_the_same_signatures_and_opens_nothing_else(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 2).await;
    let approval = phone.approve(&view);
    approve(&office, &phone, &view, approval.clone())
        .await
        .unwrap();
    office.work().await;
    let signed = office.signing.requests.view(view.id).await.unwrap();
    let again = approve(&office, &phone, &view, approval.clone())
        .await
        .unwrap();
    office.work().await;
    for (first, second) in signed.documents.iter().zip(&again.documents) {
        assert_eq!(first.signature, second.signature);
    }
    // Put back by hand, with its digests free again: the key row remembers that the approval was used.
    office
        .database
        .tamper(&format!(
            "DELETE FROM debit; UPDATE signature_document SET state = 'prepared', signature = NULL WHERE request_id = '{0}';
             UPDATE signature_request SET state = 'pending', statement = NULL, device_signature = NULL, signed_at = NULL, delivered_at = NULL,
                 approved_at = NULL, ended_at = NULL WHERE id = '{0}'",
            view.id
        ))
        .await;
    approve(&office, &phone, &view, approval).await.unwrap();
    office.work().await;
    failed_with(&office, &view, "approval-spent").await;
}

async fn an_approval_for_another_citizens_credential_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let other = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    // The other citizen does not even see it.
    let hidden = office
        .signing
        .requests
        .approve(other.session(), &view.id, other.approve(&view))
        .await;
    assert!(matches!(hidden, Err(Error::NotFound { .. })), "{hidden:?}");
    assert!(
        office
            .signing
            .requests
            .show(other.session(), &view.id)
            .await
            .is_err()
    );
    // Nor does a signature by the other's device count, nor a statement that names the other's credential.
    refused_with(
        approve(&office, &phone, &view, other.approve(&view)).await,
        "device-signature",
    );
    let mut statement = phone.statement(&view);
    statement.credential = other.credential.id.to_string();
    refused_with(
        approve(
            &office,
            &phone,
            &view,
            phone.approve_statement(&statement, PIN),
        )
        .await,
        "approval-mismatch",
    );
    assert!(
        office
            .ledger(&view.id)
            .await
            .contains(&"signing.request.approval-refused".to_owned())
    );
    office.check().await;
}

async fn an_approval_moved_to_another_request_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let elsewhere = office.portal("Q", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let other = office.digests(&elsewhere, &phone, 1).await;
    refused_with(
        approve(&office, &phone, &other, phone.approve(&view)).await,
        "approval-mismatch",
    );
    for field in ["portal", "nonce", "code"] {
        let mut statement = phone.statement(&view);
        match field {
            "portal" => statement.portal = other.portal_word.clone(),
            "nonce" => statement.nonce = other.nonce.clone(),
            _ => statement.code = other.code.clone(),
        }
        refused_with(
            approve(
                &office,
                &phone,
                &view,
                phone.approve_statement(&statement, PIN),
            )
            .await,
            "approval-mismatch",
        );
    }
    office.check().await;
}

async fn a_document_swapped_after_display_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 2).await;
    let other = office.digests(&portal, &phone, 2).await;
    let mut shown = phone.statement(&view);
    shown.documents[1].document_digest =
        phone.statement(&other).documents[1].document_digest.clone();
    refused_with(
        approve(&office, &phone, &view, phone.approve_statement(&shown, PIN)).await,
        "documents-mismatch",
    );
    let mut shown = phone.statement(&view);
    shown.documents[1].to_be_signed = phone.statement(&other).documents[1].to_be_signed.clone();
    refused_with(
        approve(&office, &phone, &view, phone.approve_statement(&shown, PIN)).await,
        "documents-mismatch",
    );
    let mut shown = phone.statement(&view);
    shown.documents[0].name = "Hợp đồng khác".into();
    refused_with(
        approve(&office, &phone, &view, phone.approve_statement(&shown, PIN)).await,
        "documents-mismatch",
    );
    office.check().await;
}

async fn digests_reordered_duplicated_dropped_or_added_are_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 3).await;
    let honest = phone.statement(&view);
    let mut variants = vec![honest.clone(); 4];
    variants[0].documents.swap(0, 2);
    variants[1].documents[1] = variants[1].documents[0].clone();
    variants[2].documents.pop();
    let added = variants[3].documents[0].clone();
    variants[3].documents.push(added);
    for statement in variants {
        refused_with(
            approve(
                &office,
                &phone,
                &view,
                phone.approve_statement(&statement, PIN),
            )
            .await,
            "documents-mismatch",
        );
    }
    approve(
        &office,
        &phone,
        &view,
        phone.approve_statement(&honest, PIN),
    )
    .await
    .unwrap();
    office.work().await;
    assert_signed(&office, view.id).await;
    office.check().await;
}

async fn an_expired_or_future_dated_approval_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let now = office.now();
    let at = |issued_at: i64, expires_at: i64| {
        let mut statement = phone.statement(&view);
        (statement.issued_at, statement.expires_at) = (issued_at, expires_at);
        phone.approve_statement(&statement, PIN)
    };
    refused_with(
        approve(&office, &phone, &view, at(now - 200_000, now - 1)).await,
        "approval-expired",
    );
    refused_with(
        approve(&office, &phone, &view, at(now + 31_000, now + 60_000)).await,
        "approval-future-dated",
    );
    let long = approve(&office, &phone, &view, at(now, now + 300_001)).await;
    assert!(
        matches!(&long, Err(Error::ApprovalRefused { code }) if code == "approval-too-long" || code == "statement-malformed"),
        "{long:?}"
    );
    // Approved in time, but the keystore was away until it was too late.
    approve(&office, &phone, &view, at(now, now + 10_000))
        .await
        .unwrap();
    office.advance(11_000);
    office.work().await;
    failed_with(&office, &view, "approval-expired").await;
    office.check().await;
}

async fn a_digest_stated_as_previewed_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let mut statement = phone.statement(&view);
    statement.documents[0].preview = Preview::Previewed;
    refused_with(
        approve(
            &office,
            &phone,
            &view,
            phone.approve_statement(&statement, PIN),
        )
        .await,
        "preview-mismatch",
    );
}

async fn an_approval_by_the_old_device_after_a_device_change_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let waiting = office.digests(&portal, &phone, 1).await;
    approve(&office, &phone, &waiting, phone.approve(&waiting))
        .await
        .unwrap();
    // The signing job waits while the new phone is bound.
    let held = office
        .store
        .claim(&[kyso_signing::task::SIGN], 1, 600_000)
        .await
        .unwrap();
    let mut new = Phone::new(&office, phone.credential.clone());
    let intention = new
        .binding_intention(
            &office,
            Purpose::ChangeDevice,
            "161803",
            Some((&phone, PIN)),
        )
        .await;
    let binding = office
        .signing
        .credentials
        .request_binding(&phone.credential.id, intention)
        .await
        .unwrap();
    office.work().await;
    assert_eq!(
        office
            .signing
            .credentials
            .binding(&binding.id)
            .await
            .unwrap()
            .state,
        BindingState::Bound
    );

    // The old phone has no session any more, and its approval counts neither late nor early.
    let gone = office.signing.devices.authenticate(phone.token()).await;
    assert!(matches!(gone, Err(Error::SessionInvalid)), "{gone:?}");
    refused_with(
        approve(&office, &phone, &view, phone.approve(&view)).await,
        "device-signature",
    );
    office
        .signing
        .requests
        .sign_many(&office.keys, held)
        .await
        .unwrap();
    failed_with(&office, &waiting, "device-changed").await;
    // The new phone signs with its own PIN.
    new.open_session(&office, &binding).await;
    new.pin = "161803".into();
    office.sign(&new, &view).await;
    assert_signed(&office, view.id).await;
    office.check().await;
}

async fn key_row(office: &Office, credential: kyso_signing::CredentialId) -> (Vec<u8>, i64) {
    let sql = "-- test.key_row\nSELECT key_row, key_version FROM credential WHERE id = $1";
    let row = office.store.one(sql, &[credential.into()]).await.unwrap();
    (
        row.bytes("key_row").unwrap(),
        row.int("key_version").unwrap(),
    )
}

async fn put_key_row(
    office: &Office,
    credential: kyso_signing::CredentialId,
    row: &(Vec<u8>, i64),
) {
    let mut tx = office.store.write().await.unwrap();
    let sql =
        "-- test.put_key_row\nUPDATE credential SET key_row = $2, key_version = $3 WHERE id = $1";
    let args: [Value; 3] = [credential.into(), (&row.0).into(), row.1.into()];
    tx.change("credential", 1, sql, &args).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_key_row_edited_swapped_or_rolled_back_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let other = office.citizen().await;
    let credential = phone.credential.id;
    let honest = key_row(&office, credential).await;

    // Swapped with another citizen's row of the same version.
    let view = office.digests(&portal, &phone, 1).await;
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    let swapped = key_row(&office, other.credential.id).await;
    assert_eq!(swapped.1, honest.1);
    put_key_row(&office, credential, &swapped).await;
    office.work().await;
    let ended = office.signing.requests.view(view.id).await.unwrap();
    assert_eq!(ended.state, RequestState::Failed, "{:?}", ended.failure);
    assert!(
        matches!(
            ended.failure.as_deref(),
            Some("key-row-refused" | "device-changed")
        ),
        "{:?}",
        ended.failure
    );

    // One bit of it changed, wherever it is.
    for at in [honest.0.len() / 3, honest.0.len() / 2, honest.0.len() - 1] {
        let mut edited = honest.clone();
        edited.0[at] ^= 1;
        put_key_row(&office, credential, &edited).await;
        let view = office.digests(&portal, &phone, 1).await;
        approve(&office, &phone, &view, phone.approve(&view))
            .await
            .unwrap();
        office.work().await;
        let ended = office.signing.requests.view(view.id).await.unwrap();
        assert_eq!(ended.state, RequestState::Failed, "{:?}", ended.failure);
        assert!(ended.documents[0].signature.is_none());
    }
    put_key_row(&office, credential, &honest).await;

    // Rolled back to before two wrong PINs: this worker remembers, and one that starts anew asks the ledger.
    let view = office.digests(&portal, &phone, 1).await;
    approve(
        &office,
        &phone,
        &view,
        phone.approve_with_pin(&view, "314159"),
    )
    .await
    .unwrap();
    office.work().await;
    put_key_row(&office, credential, &honest).await;
    // Whoever puts it back may append lines as well, as many as they like, that say this version is the newest.
    let mut tx = office.store.write().await.unwrap();
    for _ in 0..1_100 {
        let detail = serde_json::json!({ "version": honest.1, "failures": 0, "why": "reset" });
        tx.record(kyso_store::Event {
            kind: "signing.credential.key",
            subject: &format!("{credential}#{}", honest.1),
            actor: "system",
            detail: detail.as_object().unwrap().clone(),
        });
    }
    tx.commit().await.unwrap();
    for fresh in [false, true] {
        let view = office.digests(&portal, &phone, 1).await;
        approve(&office, &phone, &view, phone.approve(&view))
            .await
            .unwrap();
        match fresh {
            false => office.work().await,
            true => office.work_as(&office.another_node().await).await,
        };
        failed_with(&office, &view, "key-row-refused").await;
    }
    let verified = office.signing.verify().await.unwrap();
    assert!(
        verified
            .broken
            .iter()
            .any(|broken| broken.message.contains("not the newest")),
        "{:?}",
        verified.broken
    );
}

async fn an_older_key_row_is_refused_by_a_worker_that_knows_it_as_the_newest(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let credential = phone.credential.id;
    // This worker wrote the row; the other is another process: its own memory, also of tries.
    let older = key_row(&office, credential).await;
    let (other, other_keys) = (office.another_node().await, office.other_keys());
    let guess = async |pin: &str| {
        let view = office.digests(&portal, &phone, 1).await;
        let approval = phone.approve_with_pin(&view, pin);
        approve(&office, &phone, &view, approval).await.unwrap();
        view
    };

    // A try of the PIN: the other worker compares it, and this one has not heard.
    let first = guess("314159").await;
    office.work_with(&other, &other_keys).await;
    let returned = office.signing.requests.view(first.id).await.unwrap();
    assert_eq!(returned.state, RequestState::Pending);
    let tried = key_row(&office, credential).await;
    let changes = office.key_changes(credential).await;
    put_key_row(&office, credential, &older).await;
    let second = guess("141421").await;
    office.work().await;
    failed_with(&office, &second, "key-row-refused").await;
    assert_eq!(office.key_changes(credential).await, changes);

    // An approval that was used: the other worker signs with it, and everything that says so is undone but the ledger.
    put_key_row(&office, credential, &tried).await;
    let used = guess(PIN).await;
    let sql = "-- test.sealed_pin\nSELECT sealed_pin FROM signature_request WHERE id = $1";
    let approved = office.store.one(sql, &[used.id.into()]).await.unwrap();
    let pin = approved.bytes("sealed_pin").unwrap();
    office.work_with(&other, &other_keys).await;
    let signed = office.signing.requests.view(used.id).await.unwrap();
    assert_eq!(signed.state, RequestState::Signed);
    let newest = key_row(&office, credential).await;
    put_key_row(&office, credential, &tried).await;
    let mut tx = office.store.write().await.unwrap();
    let undo = [
        "-- test.undo_debit\nDELETE FROM debit WHERE request_id = $1",
        "-- test.undo_signature\nUPDATE signature_document SET state = 'prepared', signature = NULL WHERE request_id = $1",
    ];
    for sql in undo {
        tx.change("any", 1, sql, &[used.id.into()]).await.unwrap();
    }
    let sql = "-- test.undo_request
UPDATE signature_request SET state = 'approved', signed_at = NULL, ended_at = NULL, sealed_pin = $2 WHERE id = $1";
    tx.change("any", 1, sql, &[used.id.into(), pin.into()])
        .await
        .unwrap();
    let now = tx.now();
    let job = serde_json::json!({ "sign": { "request": used.id, "credential": credential } });
    tx.enqueue("signing.sign", &used.id.to_string(), &job, now);
    tx.commit().await.unwrap();
    office.work().await;
    failed_with(&office, &used, "key-row-refused").await;

    // With its newest row the credential signs on.
    put_key_row(&office, credential, &newest).await;
    let view = office.digests(&portal, &phone, 1).await;
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
}

async fn a_web_role_that_writes_rows_at_will_obtains_no_signature(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    // It has a device key of its own, knows every row, may write every row, and even guesses the PIN.
    let attacker = Phone::new(&office, phone.credential.clone());
    let view = office.digests(&portal, &phone, 1).await;
    let forged = attacker.approve(&view);
    let job =
        serde_json::json!({ "sign": { "request": view.id, "credential": phone.credential.id } });

    // A device row of its own in place of the citizen's: the key row still names the citizen's.
    let stored_key =
        serde_json::json!({ "kind": "webcrypto", "spki": base64url(&attacker.device.spki) })
            .to_string();
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.swap_device\nUPDATE device SET device_key = $2 WHERE credential_id = $1";
    tx.change(
        "device",
        1,
        sql,
        &[phone.credential.id.into(), stored_key.into_bytes().into()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    approve(&office, &phone, &view, forged)
        .await
        .expect("the web role believes its own row");
    office.work().await;
    failed_with(&office, &view, "device-changed").await;

    // An approval of another request written into this one's row, with a job.
    let honest = office.digests(&portal, &phone, 1).await;
    let victim = office.digests(&portal, &phone, 1).await;
    let approval = phone.approve(&honest);
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.forge_approval
UPDATE signature_request SET state = 'approved', statement = $2, device_signature = $3, sealed_pin = $4, approved_at = $5, nonce = $6, code = $7 WHERE id = $1";
    let kyso_keystore::DeviceSignature::WebCrypto { signature } = &approval.signature else {
        unreachable!()
    };
    let signature =
        serde_json::json!({ "kind": "webcrypto", "signature": base64url(signature) }).to_string();
    let pin = serde_json::json!({ "enc": base64url(&approval.sealed_pin.enc), "ciphertext": base64url(&approval.sealed_pin.ciphertext) });
    let args: [Value; 7] = [
        victim.id.into(),
        (&approval.statement).into(),
        signature.into_bytes().into(),
        pin.to_string().into_bytes().into(),
        tx.now().into(),
        (&honest.nonce).into(),
        (&honest.code).into(),
    ];
    tx.change("signature_request", 1, sql, &args).await.unwrap();
    let now = tx.now();
    let mut forged_job = job.clone();
    forged_job["sign"]["request"] = serde_json::json!(victim.id);
    tx.enqueue("signing.sign", &victim.id.to_string(), &forged_job, now);
    tx.commit().await.unwrap();
    office.work().await;
    failed_with(&office, &victim, "approval-mismatch").await;
    office.check().await;
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn a_row_changed_between_approval_and_signing_is_refused(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 2).await;
    let other = office.digests(&portal, &phone, 2).await;
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    office
        .database
        .tamper(&format!(
            "UPDATE signature_document SET to_be_signed = (SELECT d.to_be_signed FROM signature_document d WHERE d.request_id = '{}' AND d.position = 0)
             WHERE request_id = '{}' AND position = 1",
            other.id, view.id
        ))
        .await;
    office.work().await;
    failed_with(&office, &view, "documents-mismatch").await;
    office.check().await;
}

async fn a_web_role_that_shows_one_document_and_has_another_signed_obtains_no_signature(
    office: Office,
) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let before = key_row(&office, phone.credential.id).await;
    // Every edit is made before anything is displayed: the citizen sees A, and signs a statement that is true to the rows.
    let from_b = |column: &str| {
        format!(
            "{column} = (SELECT d.{column} FROM signature_document d WHERE d.request_id = '$B')"
        )
    };
    let edits = [
        // A is shown; the digest to be signed is that of B, with and without B's prepared part.
        ("pdf", from_b("to_be_signed")),
        (
            "pdf",
            format!("{}, {}", from_b("to_be_signed"), from_b("prepared_blob")),
        ),
        ("digest", from_b("to_be_signed")),
        // A's digest is shown with B's bytes behind it.
        ("pdf", from_b("original_blob")),
        // The layout is not the one that follows from the row.
        ("pdf", "prepared_at = prepared_at + 1000".to_owned()),
        ("pdf", "mark_place = '1 10 10'".to_owned()),
        // A PDF becomes something nobody can see.
        (
            "pdf",
            "format = 'digest', original_blob = NULL, prepared_blob = NULL, prepared_at = NULL, layout = NULL, page_count = NULL".to_owned(),
        ),
    ];
    for (format, edit) in edits {
        let ask = |title: &'static str| {
            let documents = match format {
                "pdf" => vec![pdf_document(title)],
                _ => crate::office::digests(1, &crate::office::chance()),
            };
            office
                .signing
                .requests
                .create(&portal, crate::office::request(&phone, documents))
        };
        let shown = ask("Shown").await.unwrap();
        let wanted = ask("Wanted").await.unwrap();
        office
            .database
            .tamper(&format!(
                "UPDATE signature_document SET {} WHERE request_id = '{}'",
                edit.replace("$B", &wanted.id.to_string()),
                shown.id
            ))
            .await;
        let view = office
            .signing
            .requests
            .show(phone.session(), &shown.id)
            .await
            .unwrap();
        let mut statement = phone.statement(&view);
        statement.documents[0].document_digest =
            shown.documents[0].document_digest.value().to_vec();
        let approval = phone.approve_statement(&statement, PIN);
        approve(&office, &phone, &view, approval)
            .await
            .unwrap_or_else(|error| panic!("{edit}: the web role believes its own rows: {error}"));
        office.work().await;
        let ended = office.signing.requests.view(shown.id).await.unwrap();
        assert_eq!(
            (ended.state, ended.failure.as_deref()),
            (RequestState::Failed, Some("documents-mismatch")),
            "{edit}"
        );
        assert_eq!(ended.documents[0].signature, None, "{edit}");
    }

    // Another code on two screens than these documents have.
    let shown = office.digests(&portal, &phone, 1).await;
    let other = office.digests(&portal, &phone, 1).await;
    office
        .database
        .tamper(&format!(
            "UPDATE signature_request SET code = '{}' WHERE id = '{}'",
            other.code, shown.id
        ))
        .await;
    let view = office
        .signing
        .requests
        .show(phone.session(), &shown.id)
        .await
        .unwrap();
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    office.work().await;
    failed_with(&office, &view, "documents-mismatch").await;

    // Bytes that are not there any more.
    let shown = office
        .signing
        .requests
        .create(
            &portal,
            crate::office::request(&phone, vec![pdf_document("Gone")]),
        )
        .await
        .unwrap();
    approve(&office, &phone, &shown, phone.approve(&shown))
        .await
        .unwrap();
    office.database.tamper("DELETE FROM blob WHERE id IN (SELECT original_blob FROM signature_document WHERE name = 'Gone.pdf')").await;
    office.work().await;
    failed_with(&office, &shown, "documents-mismatch").await;

    // None of it cost the citizen a try.
    assert_eq!(key_row(&office, phone.credential.id).await, before);
    office.check().await;
}

/// Deployed between laying out and signing: no forgery, and said so.
async fn a_layout_of_another_version_is_signed_if_it_is_the_same_and_else_ends_with_its_own_code(
    office: Office,
) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let before = key_row(&office, phone.credential.id).await;
    let ask = async |edit: &str| {
        let documents = vec![pdf_document("Laid out")];
        let asked = crate::office::request(&phone, documents);
        let view = office
            .signing
            .requests
            .create(&portal, asked)
            .await
            .unwrap();
        approve(&office, &phone, &view, phone.approve(&view))
            .await
            .unwrap();
        let edit = format!(
            "UPDATE signature_document SET {edit} WHERE request_id = '{}'",
            view.id
        );
        office.database.tamper(&edit).await;
        office.work().await;
        view
    };
    let changed = ask("layout = layout - 1, prepared_at = prepared_at + 1000").await;
    failed_with(&office, &changed, "layout-changed").await;
    assert_eq!(key_row(&office, phone.credential.id).await, before);
    let same = ask("layout = layout - 1").await;
    crate::sign::assert_signed(&office, same.id).await;
    office.check().await;
}

fn pdf_document(title: &str) -> kyso_signing::request::NewDocument {
    kyso_signing::request::NewDocument::Pdf {
        name: format!("{title}.pdf"),
        bytes: crate::office::pdf(title),
        place: None,
    }
}

async fn a_portal_that_may_not_ask_blind_obtains_no_blind_signature(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    office
        .signing
        .portals
        .set_scopes(&portal.id, Scopes::DOCUMENTS, "cli")
        .await
        .unwrap();
    office.work().await;
    failed_with(&office, &view, "portal-scope").await;
    office.check().await;
}

async fn jobs_that_lie_about_the_credential_do_not_get_two_tries_for_one(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let other = office.citizen().await;
    let mut views = Vec::new();
    for credential in [phone.credential.id, other.credential.id] {
        let view = office.digests(&portal, &phone, 1).await;
        approve(
            &office,
            &phone,
            &view,
            phone.approve_with_pin(&view, "314159"),
        )
        .await
        .unwrap();
        let lie = serde_json::json!({ "sign": { "request": view.id, "credential": credential } });
        let mut tx = office.store.write().await.unwrap();
        let now = tx.now();
        tx.enqueue("signing.sign", &view.id.to_string(), &lie, now);
        tx.commit().await.unwrap();
        views.push(view);
    }
    office.work().await;
    assert_eq!(
        office
            .signing
            .requests
            .view(views[0].id)
            .await
            .unwrap()
            .tries_left,
        Some(4)
    );
    failed_with(&office, &views[1], "approval-mismatch").await;
    office.check().await;
}

async fn a_row_that_does_not_read_does_not_keep_others_from_signing(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let other = office.citizen().await;
    let (broken, sound) = (
        office.digests(&portal, &phone, 1).await,
        office.digests(&portal, &other, 1).await,
    );
    approve(&office, &phone, &broken, phone.approve(&broken))
        .await
        .unwrap();
    approve(&office, &other, &sound, other.approve(&sound))
        .await
        .unwrap();
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.break\nUPDATE credential SET key_row = $2 WHERE id = $1";
    tx.change(
        "credential",
        1,
        sql,
        &[phone.credential.id.into(), vec![0u8; 9].into()],
    )
    .await
    .unwrap();
    let now = tx.now();
    tx.enqueue(
        "signing.sign",
        "nothing",
        &serde_json::json!({ "sign": {} }),
        now,
    );
    tx.commit().await.unwrap();
    office.work().await;
    assert_signed(&office, sound.id).await;
    failed_with(&office, &broken, "row-corrupt").await;
}

async fn a_credential_suspended_or_revoked_after_the_approval_signs_nothing(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let credential = phone.credential.id;
    let view = office.digests(&portal, &phone, 1).await;
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    office
        .signing
        .credentials
        .suspend(&credential, "citizen-asked", "ctz_1")
        .await
        .unwrap();
    office.work().await;
    failed_with(&office, &view, "credential-not-active").await;
    let refused = office
        .signing
        .requests
        .create(
            &portal,
            crate::office::request(&phone, crate::office::digests(1, "x")),
        )
        .await;
    assert!(
        matches!(refused, Err(Error::CredentialState { .. })),
        "{refused:?}"
    );

    office
        .signing
        .credentials
        .resume(&credential, "officer")
        .await
        .unwrap();
    let view = office.digests(&portal, &phone, 1).await;
    let late = office.digests(&portal, &phone, 1).await;
    approve(&office, &phone, &view, phone.approve(&view))
        .await
        .unwrap();
    office
        .signing
        .credentials
        .revoke(
            &credential,
            kyso_authority::Reason::KeyCompromise,
            "officer",
        )
        .await
        .unwrap();
    office.work().await;
    failed_with(&office, &view, "credential-not-active").await;
    // The key material is gone, and the phone is nobody's.
    assert!(office.signing.credentials.key(&credential).await.is_err());
    assert!(
        approve(&office, &phone, &late, phone.approve(&late))
            .await
            .is_err()
    );
    assert!(
        office
            .signing
            .devices
            .authenticate(phone.token())
            .await
            .is_err()
    );
    office.check().await;
}

async fn a_clock_moved_back_does_not_make_an_approval_young_again(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    let other = office.digests(&portal, &phone, 1).await;
    let late = phone.approve(&view);
    approve(&office, &phone, &other, phone.approve(&other))
        .await
        .unwrap();
    let held = office
        .store
        .claim(&[kyso_signing::task::SIGN], 1, 900_000)
        .await
        .unwrap();

    office.advance(301_000);
    // The request is over; the clock is set back; the request stays over.
    let over = approve(&office, &phone, &view, late.clone()).await;
    assert!(
        matches!(over, Err(Error::RequestExpired { .. })),
        "{over:?}"
    );
    office.advance(-300_000);
    for _ in 0..3 {
        let over = approve(&office, &phone, &view, late.clone()).await;
        assert!(
            matches!(
                over,
                Err(Error::RequestState {
                    state: RequestState::Expired
                })
            ),
            "{over:?}"
        );
    }
    // The ledger has each refusal, and none for asking again with the same.
    let kinds = office.ledger(&view.id).await;
    let refusals = kinds
        .iter()
        .filter(|kind| *kind == "signing.request.approval-refused");
    assert_eq!(refusals.count(), 2);
    // An approval that was too old when time was last looked at is too old now.
    office
        .signing
        .requests
        .sign_many(&office.keys, held)
        .await
        .unwrap();
    failed_with(&office, &other, "approval-expired").await;
    office.check().await;
}

async fn pins_guessed_over_many_requests_in_parallel_reach_the_comparison_five_times_at_most(
    office: Office,
) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office
        .citizen_with(office.opening(KeyAlgorithm::P256))
        .await;
    let mut views = Vec::new();
    for guess in 0..12 {
        let view = office.digests(&portal, &phone, 1).await;
        let approval = phone.approve_with_pin(&view, &format!("90{guess:02}17"));
        approve(&office, &phone, &view, approval).await.unwrap();
        views.push(view);
    }
    // Three workers take what they can, at the same time, until nothing is left.
    let nodes = [
        office.another_node().await,
        office.another_node().await,
        office.another_node().await,
    ];
    for _ in 0..200 {
        let mut claims = Vec::new();
        for node in &nodes {
            claims.push((
                node,
                office
                    .store
                    .claim(&[kyso_signing::task::SIGN], 3, 30_000)
                    .await
                    .unwrap(),
            ));
        }
        if claims.iter().all(|(_, jobs)| jobs.is_empty())
            && office
                .store
                .next_due(&[kyso_signing::task::SIGN])
                .await
                .unwrap()
                .is_none()
        {
            break;
        }
        let mut running = tokio::task::JoinSet::new();
        for (node, jobs) in claims {
            let (node, keys) = (node.clone(), office.keys.clone());
            running.spawn(async move { node.requests.sign_many(&keys, jobs).await });
        }
        while let Some(done) = running.join_next().await {
            done.unwrap().unwrap();
        }
        office.advance(25);
    }
    let compared = office
        .key_changes(phone.credential.id)
        .await
        .iter()
        .filter(|why| matches!(why.as_str(), "wrong-pin" | "reset"))
        .count();
    // One comparison was the acceptance's.
    assert_eq!(compared - 1, 5);
    let locked = office
        .signing
        .credentials
        .show(&phone.credential.id)
        .await
        .unwrap();
    assert!(locked.pin_locked_at.is_some());
    let mut returned = 0;
    for view in views {
        let ended = office.signing.requests.view(view.id).await.unwrap();
        assert!(ended.documents[0].signature.is_none());
        returned += usize::from(ended.state == RequestState::Pending);
    }
    assert_eq!(returned, 4);
    office.check().await;
}
