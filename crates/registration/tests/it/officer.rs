//! Officers: tokens shown once, numbers never kept.

use kyso_keystore::{DeviceKey, DeviceKind};
use kyso_registration::Error;
use kyso_registration::ra::{NewOfficer, OfficerRole};

use crate::office::{Office, device_key};

crate::everywhere!(
    a_token_opens_until_it_is_rotated_or_the_officer_disabled,
    an_officers_number_is_nowhere_in_the_row,
    an_officer_needs_a_name_a_number_a_role_and_a_key,
    managing_a_credential_is_for_those_who_decide_and_not_for_ones_own,
);

fn new() -> NewOfficer {
    NewOfficer {
        name: "Trần Thị Duyệt".into(),
        identity_number: "001180123456".into(),
        roles: vec![OfficerRole::Lead],
        key: device_key().1,
    }
}

async fn a_token_opens_until_it_is_rotated_or_the_officer_disabled(office: Office) {
    let added = office
        .registration
        .add_officer(&office.keys, &new(), "cli")
        .await
        .unwrap();
    let officer = office
        .registration
        .authenticate_officer(&added.token)
        .await
        .unwrap();
    assert_eq!(
        (officer.id, officer.roles.clone()),
        (added.id, vec![OfficerRole::Lead])
    );
    let token = office
        .registration
        .rotate_officer_token(&added.id, "cli")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.authenticate_officer(&added.token).await,
        Err(Error::SessionInvalid)
    ));
    office
        .registration
        .authenticate_officer(&token)
        .await
        .unwrap();
    assert_eq!(office.registration.officers().await.unwrap(), [officer]);
    office
        .registration
        .disable_officer(&office.keys, &added.id, "cli")
        .await
        .unwrap();
    assert!(matches!(
        office.registration.authenticate_officer(&token).await,
        Err(Error::SessionInvalid)
    ));
    assert!(matches!(
        office
            .registration
            .disable_officer(&office.keys, &added.id, "cli")
            .await,
        Err(Error::NotFound { .. })
    ));
    assert!(matches!(
        office.registration.authenticate_officer("").await,
        Err(Error::SessionInvalid)
    ));
}

async fn an_officers_number_is_nowhere_in_the_row(office: Office) {
    let added = office
        .registration
        .add_officer(&office.keys, &new(), "cli")
        .await
        .unwrap();
    let row = office.store.one("-- test_officer\nSELECT name, roles, identity_hash, public_key, seal, token_hash FROM officer", &[]).await.unwrap();
    let text = format!("{row:?}");
    assert!(!text.contains("001180123456") && !text.contains(&added.token));
    assert_eq!(row.bytes("identity_hash").unwrap().len(), 32);
}

async fn an_officer_needs_a_name_a_number_a_role_and_a_key(office: Office) {
    for (change, field) in [
        (
            NewOfficer {
                name: "  ".into(),
                ..new()
            },
            "name",
        ),
        (
            NewOfficer {
                identity_number: "024000001".into(),
                ..new()
            },
            "identity_number",
        ),
        (
            NewOfficer {
                roles: vec![],
                ..new()
            },
            "roles",
        ),
        (
            NewOfficer {
                key: DeviceKey {
                    kind: DeviceKind::WebCrypto,
                    spki: vec![0x30; 91],
                },
                ..new()
            },
            "key",
        ),
    ] {
        match office
            .registration
            .add_officer(&office.keys, &change, "cli")
            .await
            .map(drop)
        {
            Err(Error::Unacceptable { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{other:?}"),
        }
    }
}

async fn managing_a_credential_is_for_those_who_decide_and_not_for_ones_own(office: Office) {
    let (person, _) = office.complete().await;
    let credential = office.show(&person).await.credential.unwrap();
    let own = office
        .officer_with(&person.owner.identity_number, &[OfficerRole::Lead])
        .await
        .unwrap();
    assert!(matches!(
        office
            .registration
            .may_manage_credential(&own, &credential)
            .await,
        Err(Error::OwnEnrolment)
    ));
    let helper = office.officer(&[OfficerRole::Helper]).await;
    assert!(matches!(
        office
            .registration
            .may_manage_credential(&helper, &credential)
            .await,
        Err(Error::OfficerForbidden)
    ));
    let lead = office.officer(&[OfficerRole::Lead]).await;
    office
        .registration
        .may_manage_credential(&lead, &credential)
        .await
        .unwrap();
}
