//! Portals and their secrets.

use kyso_signing::Error;
use kyso_signing::portal::{NewPortal, Scopes};

use crate::everywhere;
use crate::office::Office;

everywhere!(
    a_portal_is_known_by_its_secret_and_nothing_else,
    a_rotated_secret_overlaps_with_the_one_before_for_as_long_as_was_said,
    a_webhook_comes_with_a_secret_and_goes_with_it,
    scopes_and_the_end_of_a_portal_take_effect_at_once,
);

fn new(client_id: &str) -> NewPortal {
    NewPortal {
        name: "Sở Xây dựng".into(),
        client_id: Some(client_id.into()),
        scopes: Scopes::DOCUMENTS,
        webhook_url: None,
        public_key: None,
    }
}

async fn a_portal_is_known_by_its_secret_and_nothing_else(office: Office) {
    let portals = &office.signing.portals;
    let registered = portals.register(new("SP_01"), "cli").await.unwrap();
    let taken = portals.register(new("SP_01"), "cli").await;
    assert!(matches!(taken, Err(Error::ClientIdTaken)), "{taken:?}");
    let other = portals.register(new("SP_02"), "cli").await.unwrap();
    assert_eq!(
        portals
            .authenticate("SP_01", &registered.secret)
            .await
            .unwrap(),
        registered.portal
    );
    for (client_id, secret) in [
        ("SP_01", "x"),
        ("SP_01", other.secret.as_str()),
        ("SP_03", registered.secret.as_str()),
        ("", ""),
    ] {
        let refused = portals.authenticate(client_id, secret).await;
        assert!(
            matches!(refused, Err(Error::PortalCredentials)),
            "{refused:?}"
        );
    }
    assert_eq!(portals.list().await.unwrap().len(), 2);
    assert_eq!(
        portals.find("SP_02").await.unwrap().unwrap().id,
        other.portal.id
    );
    // The secret itself is nowhere.
    let rows = office
        .store
        .all("-- test.secrets\nSELECT digest FROM portal_secret", &[])
        .await
        .unwrap();
    assert!(
        rows.iter()
            .all(|row| row.bytes("digest").unwrap().len() == 32)
    );
}

async fn a_rotated_secret_overlaps_with_the_one_before_for_as_long_as_was_said(office: Office) {
    let portals = &office.signing.portals;
    let registered = portals.register(new("SP_01"), "cli").await.unwrap();
    let fresh = portals
        .rotate_secret(&registered.portal.id, 60_000, "cli")
        .await
        .unwrap();
    office.advance(59_999);
    assert!(
        portals
            .authenticate("SP_01", &registered.secret)
            .await
            .is_ok()
    );
    office.advance(1);
    assert!(
        portals
            .authenticate("SP_01", &registered.secret)
            .await
            .is_err()
    );
    assert!(portals.authenticate("SP_01", &fresh).await.is_ok());
    // Rotating again does not lengthen the life of the first.
    portals
        .rotate_secret(&registered.portal.id, 3_600_000, "cli")
        .await
        .unwrap();
    assert!(
        portals
            .authenticate("SP_01", &registered.secret)
            .await
            .is_err()
    );
}

async fn a_webhook_comes_with_a_secret_and_goes_with_it(office: Office) {
    let portals = &office.signing.portals;
    let registered = portals.register(new("SP_01"), "cli").await.unwrap();
    assert!(registered.webhook_secret.is_none());
    let id = registered.portal.id;
    let secret = portals
        .set_webhook(&id, Some("https://portal.example/hook"), "cli")
        .await
        .unwrap()
        .unwrap();
    assert!(secret.starts_with("whsec_"));
    assert_eq!(
        portals.show(&id).await.unwrap().webhook_url.as_deref(),
        Some("https://portal.example/hook")
    );
    assert!(
        portals
            .set_webhook(&id, Some("javascript:x"), "cli")
            .await
            .is_err()
    );
    assert!(
        portals
            .set_webhook(&id, None, "cli")
            .await
            .unwrap()
            .is_none()
    );
    assert!(portals.show(&id).await.unwrap().webhook_url.is_none());
}

async fn scopes_and_the_end_of_a_portal_take_effect_at_once(office: Office) {
    let portals = &office.signing.portals;
    let registered = portals.register(new("SP_01"), "cli").await.unwrap();
    let id = registered.portal.id;
    portals.set_scopes(&id, Scopes::ALL, "cli").await.unwrap();
    assert_eq!(
        portals
            .authenticate("SP_01", &registered.secret)
            .await
            .unwrap()
            .scopes,
        Scopes::ALL
    );
    portals.disable(&id, "cli").await.unwrap();
    portals.disable(&id, "cli").await.unwrap();
    assert!(matches!(
        portals.authenticate("SP_01", &registered.secret).await,
        Err(Error::PortalCredentials)
    ));
    assert_eq!(
        office.ledger(&id).await,
        [
            "signing.portal.registered",
            "signing.portal.scopes-set",
            "signing.portal.disabled"
        ]
    );
}
