//! An approval is what officers signed: every edit that somebody who writes rows could make ends in no credential.

use kyso_registration::Error;
use kyso_registration::enrolment::State;
use kyso_registration::ra::{Officer, OfficerRole};
use kyso_signing::device::{device_key_bytes, signature_bytes};

use crate::office::{DAY, Office, Person, device_key};

crate::everywhere!(
    a_decision_must_fit_the_dossier_as_it_is,
    every_edit_after_the_decision_is_found_out,
    a_row_that_says_approved_proves_nothing,
    a_decision_is_worth_nothing_elsewhere,
    a_role_that_was_written_into_a_row_decides_nothing,
    an_officer_that_was_written_into_the_table_decides_nothing,
    an_officer_who_left_after_signing_counts,
    an_officer_who_signs_after_leaving_does_not,
    disabling_does_not_seal_a_forged_record,
    a_risen_requirement_sends_the_dossier_back_to_officers,
    an_old_approval_sends_the_dossier_back_to_officers,
    a_worker_whose_clock_is_behind_waits,
    a_clock_that_steps_back_after_the_opening_began_ends_nothing,
    an_approval_is_good_for_one_certificate,
    one_person_in_two_rows_is_one_officer,
    what_was_approved_can_be_asked_again_until_a_row_is_edited,
    a_code_goes_to_the_approved_contact_or_nowhere,
);

/// Handed in and approved; the worker has not looked yet.
async fn approved(office: &Office) -> (Person, Officer) {
    let (person, officer) = (
        office.begin().await,
        office.officer(&[OfficerRole::Vetter]).await,
    );
    office.hand_in(&person).await;
    assert_eq!(office.approve(&officer, &person.id).await, State::Approved);
    (person, officer)
}

/// The worker found it out: no credential, an end, a reason in the ledger, and no job that asks again.
async fn is_refused(office: &Office, person: &Person, code: &str, case: &str) {
    office.work().await;
    let view = office.show(person).await;
    assert_eq!(
        (view.state, view.reasons.as_slice()),
        (State::Failed, &["approval-not-authentic".to_owned()][..]),
        "{case}"
    );
    assert_eq!(view.credential, None, "{case}");
    let credential = office
        .signing
        .credentials
        .of_enrolment(&person.id.to_string())
        .await
        .unwrap();
    assert!(credential.is_none(), "{case}");
    let lines = kyso_store::ledger::tail(
        &office.store,
        &person.id.to_string(),
        Some("registration.approval.refused"),
        10,
    )
    .await
    .unwrap();
    assert_eq!(lines.len(), 1, "{case}");
    assert_eq!(lines[0].detail["code"], code, "{case}");
    // Also after a restart nothing asks again.
    office.registration.recover().await.unwrap();
    office.work().await;
    let lines = office.ledger(&person.id).await;
    let refusals = lines
        .iter()
        .filter(|kind| *kind == "registration.approval.refused");
    assert_eq!(refusals.count(), 1, "{case}");
}

async fn a_decision_must_fit_the_dossier_as_it_is(office: Office) {
    let (one, two) = (
        office.officer(&[OfficerRole::Vetter]).await,
        office.officer(&[OfficerRole::Lead]).await,
    );
    let (person, other) = (office.begin().await, office.begin().await);
    office.hand_in(&person).await;
    office.hand_in(&other).await;
    office
        .registration
        .open_dossier(&one, &person.id)
        .await
        .unwrap();
    let good = office.statement(&one, &person.id).await;
    let mut cases = Vec::new();
    for (code, change) in [
        ("enrolment", {
            let mut said = good.clone();
            said.enrolment = other.id.to_string();
            said
        }),
        ("round", {
            let mut said = good.clone();
            said.round += 1;
            said
        }),
        ("verdict", {
            let mut said = good.clone();
            said.verdict = "reject".into();
            said
        }),
        ("officer", {
            let mut said = good.clone();
            said.officer = two.id.to_string();
            said
        }),
        ("dossier", {
            let mut said = good.clone();
            said.dossier = office.statement(&one, &other.id).await.dossier;
            said
        }),
        ("time", {
            let mut said = good.clone();
            said.issued_at -= 300_000;
            said
        }),
        ("time", {
            let mut said = good.clone();
            said.issued_at += 60_000;
            said
        }),
    ] {
        cases.push((code, office.signed(&one, &change)));
    }
    cases.push(("signature", office.signed(&two, &good)));
    let mut spaced = office.signed(&one, &good);
    spaced.statement.push(b' ');
    cases.push(("statement", spaced));
    for (code, decision) in cases {
        match office
            .registration
            .approve(&one, &person.id, &decision)
            .await
        {
            Err(Error::DecisionRefused { code: found }) => assert_eq!(found, code),
            outcome => panic!("{code}: {outcome:?}"),
        }
    }
    let decision = office.signed(&one, &good);
    let state = office
        .registration
        .approve(&one, &person.id, &decision)
        .await
        .unwrap();
    assert_eq!(state, State::Approved);
}

async fn every_edit_after_the_decision_is_found_out(office: Office) {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "name",
            "dossier",
            &["UPDATE enrolment SET full_name = 'Kẻ Gian' WHERE id = '{id}'"],
        ),
        (
            "number",
            "dossier",
            &["UPDATE enrolment SET identity_number = '079300999999' WHERE id = '{id}'"],
        ),
        (
            "address",
            "dossier",
            &["UPDATE enrolment SET commune_name = 'Phường Khác' WHERE id = '{id}'"],
        ),
        (
            "phone",
            "dossier",
            &["UPDATE enrolment SET phone = '+84999999999' WHERE id = '{id}'"],
        ),
        (
            "e-mail",
            "dossier",
            &["UPDATE enrolment SET email = 'ke.gian@example.vn' WHERE id = '{id}'"],
        ),
        (
            "channel",
            "dossier",
            &["UPDATE enrolment SET activated_channel = 'email' WHERE id = '{id}'"],
        ),
        (
            "who entered it",
            "dossier",
            &["UPDATE enrolment SET entered_by = '{officer}' WHERE id = '{id}'"],
        ),
        (
            "digest of a photo",
            "dossier",
            &[
                "UPDATE evidence SET sha256 = (SELECT sha256 FROM evidence WHERE enrolment_id = '{id}' AND kind = 'back') WHERE enrolment_id = '{id}' AND kind = 'front'",
            ],
        ),
        (
            "a photo",
            "evidence",
            &[
                "UPDATE evidence SET blob_id = (SELECT blob_id FROM evidence WHERE enrolment_id = '{id}' AND kind = 'back') WHERE enrolment_id = '{id}' AND kind = 'front'",
            ],
        ),
        (
            "a photo taken away",
            "dossier",
            &[
                "UPDATE evidence SET superseded_at = 1, blob_id = NULL WHERE enrolment_id = '{id}' AND kind = 'face'",
            ],
        ),
        (
            "digest of the contract",
            "dossier",
            &["UPDATE contract SET sha256 = made_from WHERE enrolment_id = '{id}'"],
        ),
        (
            "the contract",
            "evidence",
            &[
                "UPDATE contract SET blob_id = (SELECT blob_id FROM evidence WHERE enrolment_id = '{id}' AND kind = 'back') WHERE enrolment_id = '{id}'",
            ],
        ),
        (
            "plan",
            "dossier",
            &["UPDATE enrolment SET plan_code = 'pack-20' WHERE id = '{id}'"],
        ),
        (
            "months",
            "dossier",
            &["UPDATE plan SET months = 36 WHERE code = 'free-12'"],
        ),
        (
            "campaign",
            "dossier",
            &[
                "UPDATE plan SET months = 12 WHERE code = 'free-12'",
                "UPDATE enrolment SET campaign_code = 'ward' WHERE id = '{id}'",
            ],
        ),
        (
            "time of approval",
            "approval-time",
            &["UPDATE enrolment SET approved_at = approved_at + 86400000 WHERE id = '{id}'"],
        ),
        (
            "citizen",
            "citizen",
            &[
                "INSERT INTO citizen (id, identity_number, created_at) VALUES ('{citizen}', '079300888888', 1)",
                "UPDATE enrolment SET citizen_id = '{citizen}' WHERE id = '{id}'",
            ],
        ),
        (
            "decision deleted",
            "too-few-officers",
            &["DELETE FROM vetting_decision WHERE enrolment_id = '{id}'"],
        ),
        (
            "decision emptied",
            "statement",
            &["UPDATE vetting_decision SET statement = signature WHERE enrolment_id = '{id}'"],
        ),
        (
            "signature replaced",
            "signature",
            &["UPDATE vetting_decision SET signature = statement WHERE enrolment_id = '{id}'"],
        ),
        (
            "round",
            "round",
            &[
                "UPDATE enrolment SET round = round + 1 WHERE id = '{id}'",
                "UPDATE vetting_decision SET round = round + 1 WHERE enrolment_id = '{id}'",
            ],
        ),
        (
            "another officer's name",
            "signature",
            &["UPDATE vetting_decision SET officer_id = '{other}' WHERE enrolment_id = '{id}'"],
        ),
        (
            "role taken away",
            "officer",
            &["UPDATE officer SET roles = 'auditor' WHERE id = '{officer}'"],
        ),
        (
            "officer's number",
            "officer",
            &["UPDATE officer SET identity_hash = seal WHERE id = '{officer}'"],
        ),
        (
            "officer's seal",
            "officer",
            &["UPDATE officer SET seal = identity_hash WHERE id = '{officer}'"],
        ),
    ];
    office.campaign("ward", None).await;
    let other = office.officer(&[OfficerRole::Lead]).await;
    for (case, code, edits) in cases {
        let (person, officer) = approved(&office).await;
        for edit in *edits {
            let sql = edit
                .replace("{id}", &person.id.to_string())
                .replace("{officer}", &officer.id.to_string())
                .replace("{other}", &other.id.to_string())
                .replace("{citizen}", "ctz_00000000000000000000000001");
            office.database.tamper(&sql).await;
        }
        is_refused(&office, &person, code, case).await;
    }
}

async fn a_row_that_says_approved_proves_nothing(office: Office) {
    let person = office.begin().await;
    office.hand_in(&person).await;
    let (approved_before, _) = approved(&office).await;
    office.work().await;
    assert_eq!(office.show(&approved_before).await.state, State::Certified);
    let now = office.now();
    office
        .database
        .tamper(&format!(
            "INSERT INTO citizen (id, identity_number, created_at) SELECT '{}', identity_number, 1 FROM enrolment WHERE id = '{}'",
            "ctz_00000000000000000000000002", person.id
        ))
        .await;
    office
        .database
        .tamper(&format!(
            "UPDATE enrolment SET state = 'approved', approved_at = {now}, citizen_id = 'ctz_00000000000000000000000002' WHERE id = '{}'",
            person.id
        ))
        .await;
    office.registration.recover().await.unwrap();
    is_refused(&office, &person, "too-few-officers", "no decision").await;
}

async fn a_decision_is_worth_nothing_elsewhere(office: Office) {
    let (person, _) = approved(&office).await;
    let other = office.begin().await;
    office.hand_in(&other).await;
    let now = office.now();
    for sql in [
        "INSERT INTO vetting_decision (id, enrolment_id, officer_id, round, verdict, reasons, decided_at, statement, signature)
            SELECT 'dec_copy', '{other}', officer_id, round, verdict, reasons, decided_at, statement, signature
            FROM vetting_decision WHERE enrolment_id = '{id}'",
        "INSERT INTO citizen (id, identity_number, created_at) SELECT 'ctz_00000000000000000000000003', identity_number, 1 FROM enrolment WHERE id = '{other}'",
        "UPDATE enrolment SET state = 'approved', approved_at = {now}, citizen_id = 'ctz_00000000000000000000000003' WHERE id = '{other}'",
    ] {
        let sql = sql
            .replace("{id}", &person.id.to_string())
            .replace("{other}", &other.id.to_string())
            .replace("{now}", &now.to_string());
        office.database.tamper(&sql).await;
    }
    office.registration.recover().await.unwrap();
    is_refused(&office, &other, "enrolment", "another enrolment").await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

async fn a_role_that_was_written_into_a_row_decides_nothing(office: Office) {
    let helper = office.officer(&[OfficerRole::Helper]).await;
    let tamper = format!(
        "UPDATE officer SET roles = 'vetter' WHERE id = '{}'",
        helper.id
    );
    office.database.tamper(&tamper).await;
    let raised = Officer {
        roles: vec![OfficerRole::Vetter],
        ..helper
    };
    let person = office.begin().await;
    office.hand_in(&person).await;
    // The web role believes its row; the worker does not.
    assert_eq!(office.approve(&raised, &person.id).await, State::Approved);
    is_refused(&office, &person, "officer", "a raised role").await;
}

async fn an_officer_that_was_written_into_the_table_decides_nothing(office: Office) {
    let (person, officer) = approved(&office).await;
    // The intruder's key in the officer's row, and a decision signed with it.
    let (pair, key) = device_key();
    let statement = office.statement(&officer, &person.id).await.to_bytes();
    let signature = pair
        .sign(&aws_lc_rs::rand::SystemRandom::new(), &statement)
        .unwrap();
    let signature = kyso_keystore::DeviceSignature::WebCrypto {
        signature: signature.as_ref().to_vec(),
    };
    let mut tx = office.store.write().await.unwrap();
    let values = [(&officer.id).into(), device_key_bytes(&key).into()];
    tx.execute(
        "-- test_key\nUPDATE officer SET public_key = $2 WHERE id = $1",
        &values,
    )
    .await
    .unwrap();
    let values = [
        (&person.id).into(),
        statement.into(),
        signature_bytes(&signature).into(),
    ];
    tx.execute("-- test_decision\nUPDATE vetting_decision SET statement = $2, signature = $3 WHERE enrolment_id = $1", &values)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    is_refused(&office, &person, "officer", "the intruder's key").await;
}

/// The officer's row as it was before they were disabled, which somebody kept.
async fn put_back(office: &Office, officer: &Officer, seal: &[u8]) {
    let mut tx = office.store.write().await.unwrap();
    let values = [(&officer.id).into(), seal.to_vec().into()];
    tx.execute(
        "-- test_put_back\nUPDATE officer SET disabled_at = NULL, seal = $2 WHERE id = $1",
        &values,
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

async fn seal_of(office: &Office, officer: &Officer) -> Vec<u8> {
    let mut tx = office.store.read().await.unwrap();
    tx.one(
        "-- test_seal\nSELECT seal FROM officer WHERE id = $1",
        &[(&officer.id).into()],
    )
    .await
    .unwrap()
    .bytes("seal")
    .unwrap()
}

async fn disable(office: &Office, officer: &Officer) {
    office
        .registration
        .disable_officer(&office.keys, &officer.id, "cli")
        .await
        .unwrap();
}

async fn an_officer_who_left_after_signing_counts(office: Office) {
    let (person, officer) = approved(&office).await;
    office.advance(1_000);
    disable(&office, &officer).await;
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

async fn an_officer_who_signs_after_leaving_does_not(office: Office) {
    // The row put back as it was: the ledger still says when they left.
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let seal = seal_of(&office, &officer).await;
    disable(&office, &officer).await;
    put_back(&office, &officer, &seal).await;
    office.advance(60_000);
    let person = office.begin().await;
    office.hand_in(&person).await;
    assert_eq!(office.approve(&officer, &person.id).await, State::Approved);
    is_refused(&office, &person, "officer-disabled", "put back").await;

    // A later line appended: the earliest one counts.
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let seal = seal_of(&office, &officer).await;
    disable(&office, &officer).await;
    put_back(&office, &officer, &seal).await;
    office.advance(60_000);
    let person = office.begin().await;
    office.hand_in(&person).await;
    assert_eq!(office.approve(&officer, &person.id).await, State::Approved);
    office.advance(60_000);
    let mut tx = office.store.write().await.unwrap();
    tx.record(kyso_store::Event {
        kind: "registration.officer.disabled",
        subject: &officer.id.to_string(),
        actor: "cli",
        detail: Default::default(),
    });
    tx.commit().await.unwrap();
    is_refused(&office, &person, "officer-disabled", "line appended").await;

    // The row says they left later than they did: the seal says otherwise, without the ledger.
    let (person, officer) = approved(&office).await;
    disable(&office, &officer).await;
    for sql in [
        "UPDATE officer SET disabled_at = disabled_at + 86400000 WHERE id = '{}'",
        "UPDATE ledger_entry SET subject = 'nobody' WHERE kind = 'registration.officer.disabled' AND subject = '{}'",
    ] {
        let sql = sql.replace("{}", &officer.id.to_string());
        office.database.tamper(&sql).await;
    }
    is_refused(&office, &person, "officer", "left later").await;
}

async fn disabling_does_not_seal_a_forged_record(office: Office) {
    let (person, officer) = approved(&office).await;
    let sql = format!(
        "UPDATE officer SET roles = 'vetter lead' WHERE id = '{}'",
        officer.id
    );
    office.database.tamper(&sql).await;
    office.advance(1_000);
    disable(&office, &officer).await;
    is_refused(&office, &person, "officer", "forged before").await;
}

/// Officers decide anew: no credential, no talk of forgery, a line that says why.
async fn is_back_with_officers(office: &Office, person: &Person, code: &str) {
    office.work().await;
    let view = office.show(person).await;
    assert_eq!((view.state, view.credential), (State::Submitted, None));
    let lines = kyso_store::ledger::tail(&office.store, &person.id.to_string(), None, 100)
        .await
        .unwrap();
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line.kind == kind)
            .collect::<Vec<_>>()
    };
    let lapsed = of("registration.approval.lapsed");
    assert_eq!(lapsed.len(), 1);
    assert_eq!(lapsed[0].detail["code"], code);
    assert!(of("registration.approval.refused").is_empty());
}

async fn a_risen_requirement_sends_the_dossier_back_to_officers(mut office: Office) {
    let (person, officer) = approved(&office).await;
    office.with_rules(|rules| rules.officers_required = 2);
    is_back_with_officers(&office, &person, "too-few-officers").await;
    // Both sign, the first one again: it is another round.
    let second = office.officer(&[OfficerRole::Lead]).await;
    assert_eq!(office.approve(&officer, &person.id).await, State::Vetted);
    assert_eq!(office.approve(&second, &person.id).await, State::Approved);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

async fn an_old_approval_sends_the_dossier_back_to_officers(mut office: Office) {
    office.with_rules(|rules| rules.approval_ms = DAY);
    let (person, officer) = approved(&office).await;
    office.advance(DAY + 1);
    is_back_with_officers(&office, &person, "approval-age").await;
    assert_eq!(office.approve(&officer, &person.id).await, State::Approved);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

/// Whoever writes rows makes a certified enrolment approved again, its credential out of the way.
async fn reset(office: &Office, person: &Person) {
    let credential = office.show(person).await.credential.unwrap();
    for sql in [
        "UPDATE credential SET enrolment = 'gone-' || id, citizen = 'gone-' || id WHERE id = '{credential}'",
        "UPDATE enrolment SET state = 'approved', credential_id = NULL, certified_at = NULL, approval_seal = NULL WHERE id = '{id}'",
    ] {
        let sql = sql
            .replace("{credential}", &credential)
            .replace("{id}", &person.id.to_string());
        office.database.tamper(&sql).await;
    }
    office.registration.recover().await.unwrap();
}

async fn a_worker_whose_clock_is_behind_waits(office: Office) {
    let (person, _) = approved(&office).await;
    office.advance(-31_000);
    for _ in 0..3 {
        office.work().await;
        let view = office.show(&person).await;
        assert_eq!((view.state, view.credential), (State::Approved, None));
        office.advance(100);
    }
    office.advance(60_000);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

async fn a_clock_that_steps_back_after_the_opening_began_ends_nothing(office: Office) {
    let (person, _) = approved(&office).await;
    office.work().await;
    // As if the worker had died between the opening and its row.
    for sql in [
        "UPDATE enrolment SET state = 'approved', credential_id = NULL, certified_at = NULL, approval_seal = NULL WHERE id = '{id}'",
        "UPDATE ledger_entry SET subject = 'nobody' WHERE kind = 'registration.enrolment.certified' AND subject = '{id}'",
    ] {
        let sql = sql.replace("{id}", &person.id.to_string());
        office.database.tamper(&sql).await;
    }
    office.registration.recover().await.unwrap();
    office.advance(-40_000);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Approved);
    office.advance(120_000);
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Certified);
}

async fn an_approval_is_good_for_one_certificate(office: Office) {
    let (person, _) = approved(&office).await;
    office.work().await;
    reset(&office, &person).await;
    is_refused(&office, &person, "used", "reset").await;

    // Without the ledger's line the signature is good until it is too old, and no longer.
    let (person, _) = approved(&office).await;
    office.work().await;
    reset(&office, &person).await;
    let sql = format!(
        "UPDATE ledger_entry SET subject = 'nobody' WHERE kind = 'registration.enrolment.certified' AND subject = '{}'",
        person.id
    );
    office.database.tamper(&sql).await;
    office.advance(7 * DAY + 1);
    is_back_with_officers(&office, &person, "approval-age").await;
}

async fn one_person_in_two_rows_is_one_officer(mut office: Office) {
    office.with_rules(|rules| rules.officers_required = 2);
    let number = "001180777777";
    let first = office
        .officer_with(number, &[OfficerRole::Vetter])
        .await
        .unwrap();
    assert!(matches!(
        office.officer_with(number, &[OfficerRole::Lead]).await,
        Err(Error::Unacceptable {
            field: "identity_number",
            ..
        })
    ));
    let seal = seal_of(&office, &first).await;
    disable(&office, &first).await;
    let second = office
        .officer_with(number, &[OfficerRole::Vetter])
        .await
        .unwrap();
    // Both rows in force again, as whoever writes rows and kept the ledger from saying so could have it.
    for sql in [
        "DROP INDEX officer_person_once".to_owned(),
        format!(
            "UPDATE ledger_entry SET subject = 'nobody' WHERE kind = 'registration.officer.disabled' AND subject = '{}'",
            first.id
        ),
    ] {
        office.database.tamper(&sql).await;
    }
    put_back(&office, &first, &seal).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    assert_eq!(office.approve(&first, &person.id).await, State::Vetted);
    assert_eq!(office.approve(&second, &person.id).await, State::Approved);
    is_back_with_officers(&office, &person, "too-few-officers").await;
}

async fn what_was_approved_can_be_asked_again_until_a_row_is_edited(office: Office) {
    let (person, officer) = approved(&office).await;
    let before = office
        .registration
        .approved(&office.keys, &person.id)
        .await
        .unwrap();
    assert_eq!(before.credential, None);
    office.work().await;
    // The officer leaves; what they signed while they were one stands.
    disable(&office, &officer).await;
    let after = office
        .registration
        .approved(&office.keys, &person.id)
        .await
        .unwrap();
    assert!(after.phone.ends_with(&person.owner.phone[1..]));
    assert_eq!(after.credential, office.show(&person).await.credential);
    for column in ["phone = '+84999999999'", "credential_id = 'cred_other'"] {
        let (again, _) = approved(&office).await;
        office.work().await;
        let sql = format!("UPDATE enrolment SET {column} WHERE id = '{}'", again.id);
        office.database.tamper(&sql).await;
        assert!(matches!(
            office.registration.approved(&office.keys, &again.id).await,
            Err(Error::ApprovalForged { code: "seal" })
        ));
    }
    let waiting = office.begin().await;
    office.hand_in(&waiting).await;
    assert!(matches!(
        office
            .registration
            .approved(&office.keys, &waiting.id)
            .await,
        Err(Error::ApprovalForged {
            code: "not-approved"
        })
    ));
}

async fn a_code_goes_to_the_approved_contact_or_nowhere(office: Office) {
    let (person, _) = approved(&office).await;
    office.work().await;
    let challenge = office
        .registration
        .device_challenge(&person.id)
        .await
        .unwrap();
    let code = async || {
        office
            .registration
            .device_code_to_send(&office.keys, &person.id, &challenge.nonce)
            .await
            .unwrap()
    };
    let sent = code().await.expect("the code is sent");
    assert!(sent.destination.ends_with(&person.owner.phone[1..]));
    let sql = format!(
        "UPDATE enrolment SET phone = '+84999999999' WHERE id = '{}'",
        person.id
    );
    office.database.tamper(&sql).await;
    assert!(code().await.is_none());
    let lines = office.ledger(&person.id).await;
    assert!(lines.contains(&"registration.approval.refused".to_owned()));
}
