//! Photos: what is taken in, how it is kept, who sees it.

use kyso_registration::Error;
use kyso_registration::enrolment::{ImageFault, Kind, State, Step};
use kyso_registration::ra::OfficerRole;

use crate::office::{DAY, Office, photo};

crate::everywhere!(
    a_photo_is_sealed_and_its_digest_is_kept,
    a_new_take_replaces_the_old_one_and_only_its_digest_stays,
    a_photo_waits_for_a_proved_phone,
    photos_go_when_an_enrolment_ended_without_a_credential,
    photos_go_when_an_opening_failed_before_there_was_a_credential,
    what_is_no_plain_picture_is_refused,
    an_officer_sees_a_photo_and_the_look_is_recorded,
);

async fn a_photo_is_sealed_and_its_digest_is_kept(office: Office) {
    let person = office.begin().await;
    office.activate(&person).await;
    let bytes = photo(7);
    let stored = office
        .registration
        .put_photo(&person.id, Kind::Front, &bytes)
        .await
        .unwrap();
    assert_eq!(
        (stored.width, stored.height, stored.media_type),
        (640, 400, "image/jpeg")
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(stored.sha256, hex::encode(digest));
    // Not one blob holds the picture as it came.
    let ids = office
        .store
        .all("-- test_blobs\nSELECT id, bytes FROM blob", &[])
        .await
        .unwrap();
    for row in &ids {
        let blob = row.bytes("bytes").unwrap();
        assert!(
            !blob.windows(64).any(|window| window == [7u8; 64]),
            "a picture is stored in the open"
        );
    }
}

async fn a_new_take_replaces_the_old_one_and_only_its_digest_stays(office: Office) {
    let person = office.begin().await;
    office.activate(&person).await;
    let before = blobs(&office).await;
    for (version, filling) in [(1, 1), (2, 2), (3, 3)] {
        let stored = office
            .registration
            .put_photo(&person.id, Kind::Face, &photo(filling))
            .await
            .unwrap();
        assert_eq!(stored.version, version);
        assert_eq!(blobs(&office).await, before + 1);
    }
    let view = office.show(&person).await;
    assert_eq!(view.evidence.len(), 1);
    assert_eq!(view.evidence[0].version, 3);
    let kept = office
        .store
        .one("-- test_takes\nSELECT COUNT(1) AS takes FROM evidence", &[])
        .await
        .unwrap();
    assert_eq!(kept.int("takes").unwrap(), 3);
}

async fn a_photo_waits_for_a_proved_phone(office: Office) {
    let person = office.begin().await;
    let put = async || {
        office
            .registration
            .put_photo(&person.id, Kind::Front, &photo(1))
            .await
    };
    assert!(matches!(
        put().await,
        Err(Error::StepsMissing { missing }) if missing == [Step::Activation]
    ));
    office.activate(&person).await;
    put().await.unwrap();
}

async fn photos_go_when_an_enrolment_ended_without_a_credential(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let before = blobs(&office).await;
    let (rejected, kept) = (office.begin().await, office.begin().await);
    office.hand_in(&rejected).await;
    office.hand_in(&kept).await;
    let all = blobs(&office).await;
    assert!(all > before);
    office
        .registration
        .open_dossier(&officer, &rejected.id)
        .await
        .unwrap();
    office
        .registration
        .reject(&officer, &rejected.id, &["suspected-fraud"])
        .await
        .unwrap();
    office.registration.recover().await.unwrap();
    office.advance(29 * DAY);
    office.work().await;
    let late = blobs(&office).await;
    let seen = office
        .registration
        .dossier_photo(&officer, &rejected.id, Kind::Front)
        .await;
    assert!(seen.is_ok());
    office.advance(2 * DAY);
    office.work().await;
    assert_eq!(blobs(&office).await, late - 3);
    let gone = office
        .registration
        .dossier_photo(&officer, &rejected.id, Kind::Front)
        .await;
    assert!(matches!(gone, Err(Error::EvidenceMissing(Kind::Front))));
    let lines = office.ledger(&rejected.id).await;
    let erased = lines
        .iter()
        .filter(|kind| *kind == "registration.evidence.erased");
    assert_eq!(erased.count(), 3);
    let other = office
        .registration
        .dossier_photo(&officer, &kept.id, Kind::Front)
        .await;
    assert!(other.is_ok());
    office.check().await;
}

async fn photos_go_when_an_opening_failed_before_there_was_a_credential(office: Office) {
    let officer = office.officer(&[OfficerRole::Vetter]).await;
    let person = office.begin().await;
    office.hand_in(&person).await;
    office.approve(&officer, &person.id).await;
    let edited = "-- test_edit\nUPDATE enrolment SET full_name = 'Kẻ Gian' WHERE id = $1";
    let mut tx = office.store.write().await.unwrap();
    tx.execute(edited, &[(&person.id).into()]).await.unwrap();
    tx.commit().await.unwrap();
    office.registration.recover().await.unwrap();
    office.work().await;
    assert_eq!(office.show(&person).await.state, State::Failed);
    let held = blobs(&office).await;
    office.advance(31 * DAY);
    office.work().await;
    assert_eq!(blobs(&office).await, held - 3);
}

async fn blobs(office: &Office) -> i64 {
    let sql = "-- test_count\nSELECT COUNT(1) AS found FROM blob";
    office
        .store
        .one(sql, &[])
        .await
        .unwrap()
        .int("found")
        .unwrap()
}

async fn what_is_no_plain_picture_is_refused(office: Office) {
    let person = office.begin().await;
    let polyglot = [photo(1), b"PK\x05\x06 and a zip".to_vec()].concat();
    let mut pdf = photo(1);
    let comment = [&[0xff, 0xfe, 0, 10][..], b"%PDF-1.7"].concat();
    pdf.splice(2..2, comment);
    for (bytes, code) in [
        (b"GIF89a".to_vec(), "image-type"),
        (b"%PDF-1.7".to_vec(), "image-type"),
        (polyglot, "image-foreign"),
        (pdf, "image-foreign"),
        (photo(1)[..60].to_vec(), "image-damaged"),
        (vec![0xff; 9 << 20], "image-too-large"),
        (Vec::new(), "image-type"),
    ] {
        match office
            .registration
            .put_photo(&person.id, Kind::Front, &bytes)
            .await
        {
            Err(Error::Image(fault)) => assert_eq!(ImageFault::code(fault), code),
            other => panic!("{other:?}"),
        }
    }
    assert!(office.show(&person).await.evidence.is_empty());
}

async fn an_officer_sees_a_photo_and_the_look_is_recorded(office: Office) {
    let person = office.begin().await;
    office.hand_in(&person).await;
    let auditor = office.officer(&[OfficerRole::Auditor]).await;
    let (bytes, media_type) = office
        .registration
        .dossier_photo(&auditor, &person.id, Kind::Back)
        .await
        .unwrap();
    assert_eq!((bytes, media_type), (photo(Kind::Back as u8), "image/jpeg"));
    assert!(
        office
            .ledger(&person.id)
            .await
            .contains(&"registration.vetting.photo-seen".to_owned())
    );
    let helper = office.officer(&[OfficerRole::Helper]).await;
    let refused = office
        .registration
        .dossier_photo(&helper, &person.id, Kind::Back)
        .await;
    assert!(matches!(refused, Err(Error::OfficerForbidden)));
    // Before it is handed in nobody looks.
    let draft = office.begin().await;
    office.activate(&draft).await;
    office.photos(&draft).await;
    let refused = office
        .registration
        .dossier_photo(&auditor, &draft.id, Kind::Back)
        .await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}
