//! The contract: written once, signed for one digest, sealed by the provider, void when the data change.

use std::process::Command;

use kyso_registration::Error;
use kyso_registration::enrolment::{ContractSignature, Step};
use kyso_store::testing::skip;

use crate::office::{Office, Person};

crate::everywhere!(
    a_contract_waits_for_owner_payment_and_photos,
    asking_twice_gives_the_same_bytes,
    only_the_exact_digest_and_sentence_sign,
    changed_owner_data_need_a_new_contract,
    the_provider_seals_what_the_citizen_signed,
);

async fn ready(office: &Office) -> Person {
    let person = office.begin().await;
    office.activate(&person).await;
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    office.registration.pay(&person.id).await.unwrap();
    office.photos(&person).await;
    person
}

async fn a_contract_waits_for_owner_payment_and_photos(office: Office) {
    let person = office.begin().await;
    match office.registration.contract(&person.id).await {
        Err(Error::StepsMissing { missing }) => {
            assert!(
                missing.contains(&Step::Owner)
                    && missing.contains(&Step::Payment)
                    && missing.len() == 5
            );
        }
        other => panic!("{}", other.is_ok()),
    }
}

async fn asking_twice_gives_the_same_bytes(office: Office) {
    let person = ready(&office).await;
    let (node, other) = (office.registration.clone(), office.another_node().await);
    let (one, two) = tokio::join!(node.contract(&person.id), other.contract(&person.id));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.pdf, two.pdf);
    assert_eq!(one.view, two.view);
    assert!(one.pdf.starts_with(b"%PDF"));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &one.pdf);
    assert_eq!(one.view.sha256, hex::encode(digest));
    assert!(one.view.number.starts_with("HD79") && one.view.agreement.contains(&one.view.number));
}

async fn only_the_exact_digest_and_sentence_sign(office: Office) {
    let person = ready(&office).await;
    let view = office.registration.contract(&person.id).await.unwrap().view;
    let sign = async |sha256: &str, agreement: &str, channel: &str| {
        office
            .registration
            .sign_contract(
                &person.id,
                ContractSignature {
                    sha256,
                    agreement,
                    channel,
                },
            )
            .await
    };
    let other = "00".repeat(32);
    assert!(matches!(
        sign(&other, &view.agreement, "web").await,
        Err(Error::ContractChanged)
    ));
    assert!(matches!(
        sign(&view.sha256, "Đồng ý", "web").await,
        Err(Error::AgreementText)
    ));
    assert!(matches!(
        sign(&view.sha256, &view.agreement, "fax").await,
        Err(Error::Unacceptable { .. })
    ));
    sign(&view.sha256, &view.agreement, "web").await.unwrap();
    let at = office.show(&person).await.contract.unwrap().signed_at;
    office.advance(1_000);
    sign(&view.sha256, &view.agreement, "web").await.unwrap();
    assert_eq!(office.show(&person).await.contract.unwrap().signed_at, at);
}

async fn changed_owner_data_need_a_new_contract(office: Office) {
    let person = ready(&office).await;
    office.sign_contract(&person).await;
    let old = office.show(&person).await.contract.unwrap();
    // The same data again change nothing.
    office
        .registration
        .set_owner(&person.id, &person.owner)
        .await
        .unwrap();
    assert_eq!(office.next(&person).await, ["submit"]);
    let mut new = person.owner.clone();
    new.address.detail = "14 Đường Hoa Lài".into();
    office
        .registration
        .set_owner(&person.id, &new)
        .await
        .unwrap();
    assert_eq!(office.next(&person).await, ["contract"]);
    assert!(matches!(
        office.registration.submit(&person.id).await,
        Err(Error::StepsMissing { .. })
    ));
    let stale = ContractSignature {
        sha256: &old.sha256,
        agreement: &old.agreement,
        channel: "web",
    };
    assert!(matches!(
        office.registration.sign_contract(&person.id, stale).await,
        Err(Error::NotFound { .. } | Error::ContractChanged)
    ));
    office.sign_contract(&person).await;
    let new = office.show(&person).await.contract.unwrap();
    assert!(new.number != old.number && new.sha256 != old.sha256);
    office.registration.submit(&person.id).await.unwrap();
    office.work().await;
    office.check().await;
}

async fn the_provider_seals_what_the_citizen_signed(office: Office) {
    let person = ready(&office).await;
    let read = office.registration.contract(&person.id).await.unwrap();
    office.sign_contract(&person).await;
    office.work().await;
    let sealed = office.registration.contract(&person.id).await.unwrap();
    assert!(sealed.view.sealed && sealed.view.sha256 == read.view.sha256);
    // An incremental update: what was read and signed is still there, byte for byte.
    assert!(sealed.pdf.len() > read.pdf.len() && sealed.pdf.starts_with(&read.pdf));
    let folder = &office.database.folder;
    let file = folder.path().join("contract.pdf");
    std::fs::write(&file, &sealed.pdf).unwrap();
    let Ok(output) = Command::new("pdfsig").arg(&file).output() else {
        return skip("pdfsig");
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Signature is Valid"), "{said}");
}
