//! Binding phones and PINs, and the sessions of bound phones.

use kyso_keystore::activation::{Purpose, Subject};
use kyso_keystore::{BindingStatement, SessionStatement, seal_pin, seal_pin_and_code};
use kyso_signing::credential::{BindingIntention, BindingState};
use kyso_signing::portal::Scopes;
use kyso_signing::{Error, KeyAlgorithm};

use crate::everywhere;
use crate::office::{Office, PIN, Phone};
use crate::sign::assert_signed;

everywhere!(
    a_weak_pin_is_refused_by_the_keystore_and_another_may_follow,
    a_binding_needs_an_open_challenge_and_its_own_enrolment,
    a_binding_forged_or_altered_is_refused,
    a_first_binding_needs_the_code_only_the_worker_knows,
    a_web_role_that_writes_rows_at_will_binds_no_phone_of_its_own,
    a_change_needs_the_device_in_force_whoever_knows_the_pin,
    a_new_pin_needs_the_old_one_and_a_wrong_one_counts,
    five_wrong_pins_at_changing_the_pin_lock_too,
    a_session_opens_once_per_challenge_rotates_and_ends,
    rotation_ends_with_its_time_and_with_the_use_of_an_old_token,
    a_device_of_a_live_credential_serves_no_other_account,
);

async fn opened(office: &Office) -> Phone {
    let opening = office.opening(KeyAlgorithm::P256);
    let credential = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    Phone::new(office, credential)
}

async fn state_after_work(
    office: &Office,
    binding: &kyso_signing::credential::Binding,
) -> BindingState {
    office.work().await;
    office
        .signing
        .credentials
        .binding(&binding.id)
        .await
        .unwrap()
        .state
}

fn refused(code: &str) -> BindingState {
    BindingState::Refused { code: code.into() }
}

async fn a_weak_pin_is_refused_by_the_keystore_and_another_may_follow(office: Office) {
    let phone = opened(&office).await;
    for weak in ["123456", "000000", "987654", "12345", "12a456"] {
        let binding = match phone.ask_to_bind(&office, weak).await {
            Ok(binding) => binding,
            Err(error) => panic!("{weak}: {error:?}"),
        };
        let state = state_after_work(&office, &binding).await;
        assert!(
            state == refused("pin-weak") || state == refused("pin-unreadable"),
            "{weak}: {state:?}"
        );
    }
    let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
    let second = phone.ask_to_bind(&office, PIN).await;
    assert!(matches!(second, Err(Error::BindingPending)), "{second:?}");
    assert_eq!(
        state_after_work(&office, &binding).await,
        BindingState::Bound
    );
    let again = phone.ask_to_bind(&office, PIN).await;
    assert!(
        matches!(again, Err(Error::CredentialState { .. })),
        "{again:?}"
    );
    // Nothing of a PIN stays behind.
    let left = office
        .store
        .one(
            "-- test.left\nSELECT COUNT(*) AS pins FROM binding WHERE sealed_pin IS NOT NULL",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(left.int("pins").unwrap(), 0);
}

async fn a_binding_needs_an_open_challenge_and_its_own_enrolment(office: Office) {
    let phone = opened(&office).await;
    let other = opened(&office).await;
    let credentials = &office.signing.credentials;
    // Another's credential.
    let intention = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    let wrong = credentials
        .request_binding(&other.credential.id, intention.clone())
        .await;
    assert!(
        matches!(&wrong, Err(Error::BindingRefused { code }) if code == "approval-mismatch"),
        "{wrong:?}"
    );
    // A challenge nobody gave out, and one given out too long ago.
    let made_up = intention_with_nonce(&phone, &office, "AAAAAAAAAAAAAAAAAAAAAA");
    let wrong = credentials
        .request_binding(&phone.credential.id, made_up)
        .await;
    assert!(matches!(wrong, Err(Error::ChallengeInvalid)), "{wrong:?}");
    let nonce = office.signing.devices.challenge().await.unwrap();
    office.advance(300_001);
    let late = intention_with_nonce(&phone, &office, &nonce);
    let wrong = credentials
        .request_binding(&phone.credential.id, late)
        .await;
    assert!(matches!(wrong, Err(Error::ChallengeInvalid)), "{wrong:?}");
    // The old statement is too old by now, whatever its nonce.
    let wrong = credentials
        .request_binding(&phone.credential.id, intention)
        .await;
    assert!(
        matches!(&wrong, Err(Error::BindingRefused { code }) if code == "approval-expired"),
        "{wrong:?}"
    );
}

fn intention_with_nonce(phone: &Phone, office: &Office, nonce: &str) -> BindingIntention {
    let statement = BindingStatement {
        subject: Subject::Credential(phone.credential.id.to_string()),
        purpose: Purpose::Enrol,
        device_key: phone.device.spki.clone(),
        nonce: nonce.into(),
        issued_at: office.now(),
        expires_at: office.now() + 300_000,
    }
    .to_bytes();
    BindingIntention {
        device: phone.device.clone(),
        signature: phone.sign(&statement),
        sealed_pin: seal_pin(&office.approval_key, &statement, PIN).unwrap(),
        consent: None,
        statement,
    }
}

async fn a_binding_forged_or_altered_is_refused(office: Office) {
    let phone = opened(&office).await;
    let attacker = Phone::new(&office, phone.credential.clone());
    let credentials = &office.signing.credentials;
    // Signed by another key than the one to be bound.
    let mut intention = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    intention.signature = attacker.sign(&intention.statement);
    let wrong = credentials
        .request_binding(&phone.credential.id, intention)
        .await;
    assert!(
        matches!(&wrong, Err(Error::BindingRefused { code }) if code == "device-signature"),
        "{wrong:?}"
    );
    // Another key beside a statement that names the first.
    let mut intention = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    intention.device = attacker.device.clone();
    intention.signature = attacker.sign(&intention.statement);
    assert!(matches!(
        credentials
            .request_binding(&phone.credential.id, intention)
            .await,
        Err(Error::BindingRefused { .. })
    ));
    // A sealed PIN from another statement does not open.
    let mut intention = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    let other = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    intention.sealed_pin = other.sealed_pin;
    let binding = credentials
        .request_binding(&phone.credential.id, intention)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("pin-unreadable")
    );
    // What was stored is changed before the worker comes.
    let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
    let key = serde_json::json!({ "kind": "webcrypto", "spki": base64url(&attacker.device.spki) })
        .to_string();
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.swap_device\nUPDATE binding SET device_key = $2 WHERE id = $1";
    tx.change(
        "binding",
        1,
        sql,
        &[binding.id.into(), key.into_bytes().into()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("device-signature")
    );
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// What somebody sends who has the enrolment's token and guesses the code.
async fn guess(phone: &Phone, office: &Office, code: &str) -> BindingIntention {
    let mut intention = phone
        .binding_intention(office, Purpose::Enrol, PIN, None)
        .await;
    intention.sealed_pin =
        seal_pin_and_code(&office.approval_key, &intention.statement, PIN, code).unwrap();
    intention
}

async fn a_first_binding_needs_the_code_only_the_worker_knows(office: Office) {
    let phone = opened(&office).await;
    let credentials = &office.signing.credentials;
    let thief = Phone::new(&office, phone.credential.clone());
    // One guess is wrong, and costs a try; the citizen's own code then binds and gives the tries back.
    let before = guess(&thief, &office, "000000").await;
    let binding = credentials
        .request_binding(&phone.credential.id, before)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("code-wrong")
    );
    assert_eq!(
        credentials.binding(&binding.id).await.unwrap().tries_left,
        Some(4)
    );
    // The code of another challenge is another code.
    let honest = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    let other = office.signing.devices.challenge().await.unwrap();
    let code = credentials
        .binding_code(&office.keys, &phone.credential.id, &other)
        .await
        .unwrap()
        .unwrap();
    let moved = guess(&thief, &office, code.as_str()).await;
    let binding = credentials
        .request_binding(&phone.credential.id, moved)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("code-wrong")
    );
    let binding = credentials
        .request_binding(&phone.credential.id, honest)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        BindingState::Bound
    );
    // Nobody is told a code for a key that is bound.
    let late = credentials
        .binding_code(&office.keys, &phone.credential.id, &other)
        .await
        .unwrap();
    assert!(late.is_none());

    // Five guesses, and the key is of no use to anybody.
    let phone = opened(&office).await;
    let thief = Phone::new(&office, phone.credential.clone());
    for tries_left in (0..5).rev() {
        let guess = guess(&thief, &office, "000000").await;
        let binding = credentials
            .request_binding(&phone.credential.id, guess)
            .await
            .unwrap();
        let code = match tries_left {
            0 => "code-locked",
            _ => "code-wrong",
        };
        assert_eq!(state_after_work(&office, &binding).await, refused(code));
        let ended = credentials.binding(&binding.id).await.unwrap();
        assert_eq!(ended.tries_left, Some(tries_left));
    }
    let refused = phone.ask_to_bind(&office, PIN).await;
    assert!(matches!(refused, Err(Error::PinLocked)), "{refused:?}");
    office.check().await;
}

/// It has the enrolment's session, forwards everything, and writes rows; it does not have the code.
async fn a_web_role_that_writes_rows_at_will_binds_no_phone_of_its_own(office: Office) {
    let phone = opened(&office).await;
    let credentials = &office.signing.credentials;
    let attacker = Phone::new(&office, phone.credential.clone());
    let honest = phone
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;

    // Its own device with the PIN and code the citizen sealed: sealed for another statement.
    let mut stolen = attacker
        .binding_intention(&office, Purpose::Enrol, PIN, None)
        .await;
    stolen.sealed_pin = honest.sealed_pin.clone();
    let binding = credentials
        .request_binding(&phone.credential.id, stolen)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("pin-unreadable")
    );

    // Its own device written over the citizen's, signature and all.
    let binding = credentials
        .request_binding(&phone.credential.id, honest)
        .await
        .unwrap();
    let mut forged = guess(&attacker, &office, "123321").await;
    forged.sealed_pin =
        seal_pin_and_code(&office.approval_key, &forged.statement, PIN, "123321").unwrap();
    overwrite(&office, &binding.id, &forged).await;
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("approval-mismatch"),
        "the nonce is another"
    );
    let binding = credentials
        .request_binding(&phone.credential.id, guess(&phone, &office, "000000").await)
        .await
        .unwrap();
    overwrite(&office, &binding.id, &forged).await;
    office
        .database
        .tamper(&format!(
            "UPDATE binding SET nonce = '{}' WHERE id = '{}'",
            BindingStatement::parse(&forged.statement).unwrap().nonce,
            binding.id
        ))
        .await;
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("code-wrong"),
        "all is in order but the code"
    );

    // The tries written back into the row: it is not authentic any more, so nothing is compared.
    office
        .database
        .tamper(&format!(
            "UPDATE credential SET pin_locked_at = NULL, attempt = NULL WHERE id = '{}'",
            phone.credential.id
        ))
        .await;
    let key = credentials.key(&phone.credential.id).await.unwrap();
    assert_eq!(key.failures(), 1);
    assert!(key.device().is_none());
    office.check().await;
}

/// A binding's row as somebody else wants it.
async fn overwrite(
    office: &Office,
    binding: &kyso_signing::BindingId,
    intention: &BindingIntention,
) {
    let kyso_keystore::DeviceSignature::WebCrypto { signature } = &intention.signature else {
        unreachable!()
    };
    let key = serde_json::json!({ "kind": "webcrypto", "spki": base64url(&intention.device.spki) });
    let signature = serde_json::json!({ "kind": "webcrypto", "signature": base64url(signature) });
    let pin = serde_json::json!({ "enc": base64url(&intention.sealed_pin.enc), "ciphertext": base64url(&intention.sealed_pin.ciphertext) });
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.overwrite
UPDATE binding SET statement = $2, device_key = $3, signature = $4, sealed_pin = $5 WHERE id = $1";
    let args: [kyso_store::Value; 5] = [
        binding.into(),
        (&intention.statement).into(),
        key.to_string().into_bytes().into(),
        signature.to_string().into_bytes().into(),
        pin.to_string().into_bytes().into(),
    ];
    tx.change("binding", 1, sql, &args).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_change_needs_the_device_in_force_whoever_knows_the_pin(office: Office) {
    let phone = office.citizen().await;
    let credentials = &office.signing.credentials;
    let thief = Phone::new(&office, phone.credential.clone());
    let before = credentials.key(&phone.credential.id).await.unwrap();

    // Only the new device signs, twice: the web role refuses.
    let alone = thief
        .binding_intention(
            &office,
            Purpose::ChangeDevice,
            "161803",
            Some((&thief, PIN)),
        )
        .await;
    let wrong = credentials
        .request_binding(&phone.credential.id, alone.clone())
        .await;
    assert!(
        matches!(&wrong, Err(Error::BindingRefused { code }) if code == "device-signature"),
        "{wrong:?}"
    );
    let mut without = alone.clone();
    without.consent = None;
    let wrong = credentials
        .request_binding(&phone.credential.id, without)
        .await;
    assert!(
        matches!(&wrong, Err(Error::BindingRefused { code }) if code == "consent"),
        "{wrong:?}"
    );

    // A web role that believes its own device row takes it in; the keystore looks into the key row.
    let stored = serde_json::json!({ "kind": "webcrypto", "spki": base64url(&thief.device.spki) });
    let mut tx = office.store.write().await.unwrap();
    let sql = "-- test.swap_device\nUPDATE device SET device_key = $2 WHERE credential_id = $1";
    tx.change(
        "device",
        1,
        sql,
        &[
            phone.credential.id.into(),
            stored.to_string().into_bytes().into(),
        ],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let binding = credentials
        .request_binding(&phone.credential.id, alone)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("device-signature")
    );
    // Nothing was compared, so it cost no try.
    assert_eq!(credentials.key(&phone.credential.id).await.unwrap(), before);
    office.check().await;
}

async fn a_new_pin_needs_the_old_one_and_a_wrong_one_counts(office: Office) {
    let portal = office.portal("P", Scopes::ALL).await;
    let mut phone = office.citizen().await;
    let credentials = &office.signing.credentials;
    let intention = phone
        .binding_intention(
            &office,
            Purpose::ChangePin,
            "161803",
            Some((&phone, "314159")),
        )
        .await;
    let binding = credentials
        .request_binding(&phone.credential.id, intention)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        refused("wrong-pin")
    );
    assert_eq!(
        credentials.binding(&binding.id).await.unwrap().tries_left,
        Some(4)
    );
    // Without the old one it is not even taken in.
    let intention = phone
        .binding_intention(&office, Purpose::ChangePin, "161803", None)
        .await;
    assert!(matches!(
        credentials
            .request_binding(&phone.credential.id, intention)
            .await,
        Err(Error::BindingRefused { .. })
    ));

    let intention = phone
        .binding_intention(&office, Purpose::ChangePin, "161803", Some((&phone, PIN)))
        .await;
    let binding = credentials
        .request_binding(&phone.credential.id, intention)
        .await
        .unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        BindingState::Bound
    );
    // The session of the same device goes on; the old PIN is wrong now, the new one right.
    let view = office.digests(&portal, &phone, 1).await;
    office.sign(&phone, &view).await;
    assert_eq!(
        office
            .signing
            .requests
            .view(view.id)
            .await
            .unwrap()
            .tries_left,
        Some(4)
    );
    phone.pin = "161803".into();
    let view = office
        .signing
        .requests
        .show(phone.session(), &view.id)
        .await
        .unwrap();
    office.sign(&phone, &view).await;
    assert_signed(&office, view.id).await;
    office.check().await;
}

async fn five_wrong_pins_at_changing_the_pin_lock_too(office: Office) {
    let phone = office.citizen().await;
    let credentials = &office.signing.credentials;
    for tries_left in (0..5).rev() {
        let intention = phone
            .binding_intention(
                &office,
                Purpose::ChangePin,
                "161803",
                Some((&phone, "314159")),
            )
            .await;
        let binding = credentials
            .request_binding(&phone.credential.id, intention)
            .await
            .unwrap();
        let code = if tries_left == 0 {
            "pin-locked"
        } else {
            "wrong-pin"
        };
        assert_eq!(state_after_work(&office, &binding).await, refused(code));
        assert_eq!(
            credentials.binding(&binding.id).await.unwrap().tries_left,
            Some(tries_left)
        );
    }
    let intention = phone
        .binding_intention(&office, Purpose::ChangePin, "161803", Some((&phone, PIN)))
        .await;
    let refused = credentials
        .request_binding(&phone.credential.id, intention)
        .await;
    assert!(matches!(refused, Err(Error::PinLocked)), "{refused:?}");
    office.check().await;
}

async fn rotation_ends_with_its_time_and_with_the_use_of_an_old_token(office: Office) {
    let phone = office.citizen().await;
    let devices = &office.signing.devices;
    let open = async || {
        let device = devices
            .bound_to(&phone.credential.id)
            .await
            .unwrap()
            .unwrap();
        let said = SessionStatement {
            device: device.id.to_string(),
            nonce: devices.challenge().await.unwrap(),
            issued_at: office.now(),
        }
        .to_bytes();
        devices
            .open_session(&said, &phone.device, &phone.sign(&said))
            .await
            .unwrap()
    };
    let first = open().await;
    let mut token = first.token.clone();
    let ends_at = office.now() + 30 * 86_400_000;
    while office.now() < ends_at - 12 * 3_600_000 {
        token = devices.rotate_session(&token).await.unwrap().token;
        office.advance(11 * 3_600_000);
    }
    let last = devices.rotate_session(&token).await.unwrap();
    assert_eq!(
        last.session.expires_at, ends_at,
        "rotation does not go on for ever"
    );
    office.advance(ends_at - office.now());
    assert!(devices.authenticate(&last.token).await.is_err());

    let stolen = open().await;
    let honest = devices.rotate_session(&stolen.token).await.unwrap();
    assert!(
        devices.authenticate(&stolen.token).await.is_ok(),
        "for calls on their way"
    );
    office.advance(30_001);
    assert!(devices.authenticate(&honest.token).await.is_ok());
    let used_again = devices.authenticate(&stolen.token).await;
    assert!(
        matches!(used_again, Err(Error::SessionInvalid)),
        "{used_again:?}"
    );
    assert!(
        devices.authenticate(&honest.token).await.is_err(),
        "one of the two is a thief"
    );
    let device = honest.session.device;
    assert_eq!(
        office.ledger(&device).await.last().unwrap(),
        "signing.session.reused"
    );
    assert!(
        open().await.session.device == device,
        "the device itself opens another"
    );
}

async fn a_session_opens_once_per_challenge_rotates_and_ends(office: Office) {
    let phone = office.citizen().await;
    let devices = &office.signing.devices;
    let device = devices
        .bound_to(&phone.credential.id)
        .await
        .unwrap()
        .unwrap();
    let statement = |nonce: &str, name: &str| {
        SessionStatement {
            device: name.into(),
            nonce: nonce.into(),
            issued_at: office.now(),
        }
        .to_bytes()
    };
    let nonce = devices.challenge().await.unwrap();
    let said = statement(&nonce, &device.id.to_string());
    let stranger = Phone::new(&office, phone.credential.clone());
    let wrong = devices
        .open_session(&said, &stranger.device, &stranger.sign(&said))
        .await;
    assert!(matches!(wrong, Err(Error::DeviceUnknown)), "{wrong:?}");
    let wrong = devices
        .open_session(&said, &phone.device, &stranger.sign(&said))
        .await;
    assert!(matches!(wrong, Err(Error::DeviceSignature)), "{wrong:?}");
    let elsewhere = statement(&nonce, "dev_01JD3ZQ8000000000000000000");
    let wrong = devices
        .open_session(&elsewhere, &phone.device, &phone.sign(&elsewhere))
        .await;
    assert!(matches!(wrong, Err(Error::DeviceSignature)), "{wrong:?}");

    let opened = devices
        .open_session(&said, &phone.device, &phone.sign(&said))
        .await
        .unwrap();
    let replayed = devices
        .open_session(&said, &phone.device, &phone.sign(&said))
        .await;
    assert!(
        matches!(replayed, Err(Error::ChallengeInvalid)),
        "{replayed:?}"
    );
    assert_eq!(
        devices
            .authenticate(&opened.token)
            .await
            .unwrap()
            .credential,
        phone.credential.id
    );
    let rotated = devices.rotate_session(&opened.token).await.unwrap();
    assert!(
        devices.authenticate(&opened.token).await.is_ok(),
        "calls on their way still get through"
    );
    office.advance(30_000);
    assert!(devices.authenticate(&rotated.token).await.is_ok());
    devices.close_session(&rotated.token).await.unwrap();
    assert!(matches!(
        devices.authenticate(&rotated.token).await,
        Err(Error::SessionInvalid)
    ));
    assert!(matches!(
        devices.authenticate("nobody's").await,
        Err(Error::SessionInvalid)
    ));
    // Sessions end by themselves.
    office.advance(12 * 3_600_000);
    assert!(matches!(
        devices.authenticate(phone.token()).await,
        Err(Error::SessionInvalid)
    ));
}

async fn a_device_of_a_live_credential_serves_no_other_account(office: Office) {
    let phone = office.citizen().await;
    let opening = office.opening(KeyAlgorithm::P256);
    let other = office
        .signing
        .credentials
        .open(&office.keys, &opening)
        .await
        .unwrap();
    let mine = phone.credential.clone();
    let mut phone = phone;
    phone.credential = other.clone();
    let taken = phone.ask_to_bind(&office, PIN).await;
    assert!(matches!(taken, Err(Error::DeviceTaken)), "{taken:?}");
    // Once the first credential is revoked, the phone is free.
    office
        .signing
        .credentials
        .revoke(
            &mine.id,
            kyso_authority::Reason::CessationOfOperation,
            "officer",
        )
        .await
        .unwrap();
    let binding = phone.ask_to_bind(&office, PIN).await.unwrap();
    assert_eq!(
        state_after_work(&office, &binding).await,
        BindingState::Bound
    );
    office.check().await;
}
