//! A database that was edited behind our back is found out.

use crate::office::Office;

crate::everywhere!(each_edit_breaks_the_invariant_it_should);

async fn each_edit_breaks_the_invariant_it_should(office: Office) {
    office.campaign("vuon-lai", Some(5)).await;
    let (person, _) = office.complete().await;
    office.check().await;
    let id = person.id;
    for (edit, undo, invariant) in [
        (
            "UPDATE campaign SET taken = 1".to_owned(),
            "UPDATE campaign SET taken = 0".to_owned(),
            "campaign-places",
        ),
        (
            "UPDATE vetting_decision SET round = 9".to_owned(),
            "UPDATE vetting_decision SET round = 1".to_owned(),
            "officers-required",
        ),
        (
            "UPDATE evidence SET superseded_at = 1, blob_id = NULL WHERE kind = 'face'".to_owned(),
            "UPDATE evidence SET superseded_at = NULL WHERE kind = 'face'".to_owned(),
            "evidence-complete",
        ),
        (
            "UPDATE contract SET void_at = 1".to_owned(),
            "UPDATE contract SET void_at = NULL".to_owned(),
            "contract-signed",
        ),
        (
            "UPDATE citizen SET identity_number = '001200000001'".to_owned(),
            format!(
                "UPDATE citizen SET identity_number = '{}'",
                person.owner.identity_number
            ),
            "citizen-of-enrolment",
        ),
    ] {
        office.database.tamper(&edit).await;
        let broken = office.registration.verify().await.unwrap().broken;
        assert_eq!(broken.len(), 1, "{edit}: {broken:?}");
        assert_eq!(broken[0].invariant, invariant);
        assert!(
            broken[0].message.contains(&id.to_string()) || broken[0].message.contains("vuon-lai")
        );
        office.database.tamper(&undo).await;
    }
    office.check().await;
}
