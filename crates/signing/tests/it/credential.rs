//! A credential's life outside signing.

use kyso_authority::revocation::Standing;
use kyso_authority::{Authority, AuthorityConfig, Reason};
use kyso_signing::credential::CredentialState;
use kyso_signing::portal::Scopes;
use kyso_signing::{Error, KeyAlgorithm, task};

use crate::everywhere;
use crate::office::{Office, software_keys};

everywhere!(
    opening_again_goes_on_where_it_stopped_and_changes_nothing_when_done,
    an_enrolment_opens_for_one_citizen_only,
    the_certificate_follows_suspension_resumption_and_revocation,
    a_credential_given_up_frees_the_citizen_and_revokes_what_was_issued,
    a_credential_ends_with_its_certificate,
    rsa_keys_come_from_the_pool_and_the_pool_is_filled_again,
    pairs_of_a_backend_that_makes_no_new_keys_are_neither_promised_nor_counted_nor_kept,
);

async fn standing(office: &Office, credential: kyso_signing::CredentialId) -> Standing {
    let authority = Authority::new(office.store.clone(), AuthorityConfig::sample());
    let issued = authority
        .certificate_for(&credential.to_string())
        .await
        .unwrap()
        .unwrap();
    authority.status(issued.id).await.unwrap().standing
}

async fn opening_again_goes_on_where_it_stopped_and_changes_nothing_when_done(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    let credential = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    assert_eq!(credential.state, CredentialState::Opening);
    assert_eq!(credential.identity_number, opening.identity_number);
    // As if it had been stopped after the key, and then after the reservation.
    office
        .database
        .tamper(
            "UPDATE credential SET certificate = NULL, certificate_id = NULL, serial = NULL, chain_blob = NULL,
                not_before_at = NULL, not_after_at = NULL, issued_at = NULL",
        )
        .await;
    let again = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    assert_eq!(
        (again.id, &again.certificate),
        (credential.id, &credential.certificate)
    );
    assert_eq!(
        office
            .signing
            .credentials
            .of_enrolment(&opening.enrolment)
            .await
            .unwrap()
            .unwrap()
            .id,
        credential.id
    );
    assert_eq!(
        office
            .signing
            .credentials
            .of_citizen(&opening.citizen)
            .await
            .unwrap()
            .unwrap()
            .id,
        credential.id
    );
    office.check().await;
}

async fn an_enrolment_opens_for_one_citizen_only(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    let mut other = office.opening(KeyAlgorithm::P256);
    other.enrolment.clone_from(&opening.enrolment);
    let refused = office.signing.credentials.open(&office.keys, &other).await;
    assert!(matches!(refused, Err(Error::OpeningDiffers)), "{refused:?}");
    let mut second = office.opening(KeyAlgorithm::P256);
    second.citizen.clone_from(&opening.citizen);
    let refused = office.signing.credentials.open(&office.keys, &second).await;
    assert!(matches!(refused, Err(Error::CredentialLive)), "{refused:?}");
}

async fn the_certificate_follows_suspension_resumption_and_revocation(office: Office) {
    let phone = office.citizen().await;
    let (id, credentials) = (phone.credential.id, &office.signing.credentials);
    assert_eq!(standing(&office, id).await, Standing::Issued);
    credentials
        .suspend(&id, "lost-phone", "ctz_1")
        .await
        .unwrap();
    credentials
        .suspend(&id, "lost-phone", "ctz_1")
        .await
        .unwrap();
    office.work().await;
    assert!(matches!(
        standing(&office, id).await,
        Standing::Suspended { .. }
    ));
    credentials.resume(&id, "officer").await.unwrap();
    office.work().await;
    assert_eq!(standing(&office, id).await, Standing::Issued);
    let hold = credentials
        .revoke(&id, Reason::CertificateHold, "officer")
        .await;
    assert!(matches!(hold, Err(Error::Unacceptable { .. })), "{hold:?}");
    credentials
        .revoke(&id, Reason::KeyCompromise, "officer")
        .await
        .unwrap();
    credentials
        .revoke(&id, Reason::KeyCompromise, "officer")
        .await
        .unwrap();
    office.work().await;
    assert!(matches!(
        standing(&office, id).await,
        Standing::Revoked { .. }
    ));
    let late = credentials.resume(&id, "officer").await;
    assert!(
        matches!(
            late,
            Err(Error::CredentialState {
                state: CredentialState::Revoked
            })
        ),
        "{late:?}"
    );
    let lines = office.ledger(&id).await;
    for kind in ["suspended", "active", "revoked"] {
        assert!(
            lines.contains(&format!("signing.credential.{kind}")),
            "{lines:?}"
        );
    }
    office.check().await;
}

async fn a_credential_given_up_frees_the_citizen_and_revokes_what_was_issued(office: Office) {
    let opening = office.opening(KeyAlgorithm::P256);
    let phone = office.bound(&opening).await;
    let id = phone.credential.id;
    office
        .signing
        .credentials
        .give_up(&id, "enrolment-abandoned", "system")
        .await
        .unwrap();
    office.work().await;
    assert!(matches!(
        standing(&office, id).await,
        Standing::Revoked { .. }
    ));
    let refused = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await;
    assert!(
        matches!(
            refused,
            Err(Error::CredentialState {
                state: CredentialState::Failed
            })
        ),
        "{refused:?}"
    );
    let mut again = office.opening(KeyAlgorithm::P256);
    again.citizen.clone_from(&opening.citizen);
    assert!(
        office
            .signing
            .credentials
            .open(&office.keys, &again)
            .await
            .is_ok()
    );
    office.check().await;
}

async fn a_credential_ends_with_its_certificate(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let phone = office.citizen().await;
    let view = office.digests(&portal, &phone, 1).await;
    office
        .signing
        .requests
        .refuse(phone.session(), &view.id, "other")
        .await
        .unwrap();
    office.advance(31 * 86_400_000);
    office.work().await;
    let ended = office
        .signing
        .credentials
        .show(&phone.credential.id)
        .await
        .unwrap();
    assert_eq!(ended.state, CredentialState::Expired);
    assert!(
        office
            .signing
            .devices
            .authenticate(phone.token())
            .await
            .is_err()
    );
}

async fn rsa_keys_come_from_the_pool_and_the_pool_is_filled_again(office: Office) {
    office
        .signing
        .credentials
        .fill_pool(&office.keys, KeyAlgorithm::P256)
        .await
        .unwrap();
    let signing = office.with_pool(2);
    assert_eq!(
        signing
            .credentials
            .fill_pool(&office.keys, KeyAlgorithm::Rsa2048)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        signing
            .credentials
            .fill_pool(&office.keys, KeyAlgorithm::Rsa2048)
            .await
            .unwrap(),
        0
    );
    let opening = office.opening(KeyAlgorithm::Rsa2048);
    let credential = signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    let pooled = "-- test.pooled\nSELECT COUNT(*) AS pooled FROM pooled_key";
    assert_eq!(
        office
            .store
            .one(pooled, &[])
            .await
            .unwrap()
            .int("pooled")
            .unwrap(),
        1
    );
    assert!(credential.certificate.is_some());
    let jobs = office
        .store
        .claim(&[task::FILL_POOL], 1, 60_000)
        .await
        .unwrap();
    assert_eq!(jobs.len(), 1);
    signing.work(&office.keys, jobs).await.unwrap();
    let mut wake = 0;
    while office
        .store
        .next_due(&[task::FILL_POOL])
        .await
        .unwrap()
        .is_some()
    {
        tokio::task::yield_now().await;
        wake += 1;
        assert!(wake < 1_000_000, "the pool is filled in time");
    }
    assert_eq!(
        office
            .store
            .one(pooled, &[])
            .await
            .unwrap()
            .int("pooled")
            .unwrap(),
        2
    );
}

async fn pairs_of_a_backend_that_makes_no_new_keys_are_neither_promised_nor_counted_nor_kept(
    office: Office,
) {
    let rsa = KeyAlgorithm::Rsa2048;
    let signing = office.with_pool(1);
    let credentials = &signing.credentials;
    let older = software_keys(&office.key_folder);
    let is_changed = office.keys.default_backend() != older.default_backend();
    assert_eq!(credentials.fill_pool(&older, rsa).await.unwrap(), 1);
    let opening = office.opening(rsa);
    if is_changed {
        let credential = credentials.open(&office.keys, &opening).await.unwrap();
        let key = credentials.key(&credential.id).await.unwrap();
        assert_eq!(key.backend(), office.keys.default_backend());
    }
    let made = credentials.fill_pool(&office.keys, rsa).await.unwrap();
    assert_eq!(made, usize::from(is_changed));
    let count = async |sql| {
        let row = office.store.one(sql, &[]).await.unwrap();
        row.int("pooled").unwrap()
    };
    let all = "-- test.pooled\nSELECT COUNT(*) AS pooled FROM pooled_key";
    assert_eq!(count(all).await, 1 + i64::from(is_changed));
    signing.recover(&office.keys).await.unwrap();
    assert_eq!(count(all).await, 1);
    let of_software =
        "-- test.of_software\nSELECT COUNT(*) AS pooled FROM pooled_key WHERE backend = 'software'";
    assert_eq!(count(of_software).await, i64::from(!is_changed));
}
