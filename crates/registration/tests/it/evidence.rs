//! Photos: what is taken in, how it is kept, who sees it.

use kyso_registration::Error;
use kyso_registration::enrolment::{ImageFault, Kind};
use kyso_registration::ra::OfficerRole;

use crate::office::{Office, photo};

crate::everywhere!(
    a_photo_is_sealed_and_its_digest_is_kept,
    a_new_take_replaces_the_old_one_and_history_stays,
    what_is_no_plain_picture_is_refused,
    an_officer_sees_a_photo_and_the_look_is_recorded,
);

async fn a_photo_is_sealed_and_its_digest_is_kept(office: Office) {
    let person = office.begin().await;
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

async fn a_new_take_replaces_the_old_one_and_history_stays(office: Office) {
    let person = office.begin().await;
    for (version, filling) in [(1, 1), (2, 2), (3, 3)] {
        let stored = office
            .registration
            .put_photo(&person.id, Kind::Face, &photo(filling))
            .await
            .unwrap();
        assert_eq!(stored.version, version);
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
    office.photos(&draft).await;
    let refused = office
        .registration
        .dossier_photo(&auditor, &draft.id, Kind::Back)
        .await;
    assert!(matches!(refused, Err(Error::NotFound { .. })));
}
