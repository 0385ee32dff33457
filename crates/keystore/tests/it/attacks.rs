//! The attacks of the activation design that the keystore decides, each refused.

use kyso_keystore::{CitizenKey, Error, Outcome, Refusal, SealedPin, seal_pin};
use kyso_pki::algorithm::KeyAlgorithm;
use tokio::task::JoinSet;

use crate::world::{ES256, PIN, World, mount, one};

mount!(
    a_replayed_approval_is_refused_once_its_result_is_stored,
    a_worker_that_dies_before_storing_signs_the_same_again,
    a_row_edited_in_any_byte_is_refused,
    a_row_swapped_between_credentials_is_refused,
    an_approval_for_another_credential_is_refused,
    a_row_that_was_not_raised_is_never_compared,
    pins_guessed_in_parallel_are_compared_once_per_raise,
    a_row_rolled_back_within_this_process_is_refused,
    a_sealed_pin_opens_for_its_own_statement_only_and_costs_no_try,
    a_row_of_another_keystore_is_told_from_a_forged_one,
    nothing_prints_a_pin_or_a_key,
    a_row_remembers_many_approvals_and_stays_small,
);

async fn a_replayed_approval_is_refused_once_its_result_is_stored(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let approval = citizen.approve(keystore, "req_1", &one(), PIN).await;
    let attempt = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await
        .unwrap();
    let stored = attempt.raised().clone();
    let outcome = keystore
        .sign_for_citizen(attempt, &stored, ES256)
        .await
        .unwrap();
    let Outcome::Signed { key, .. } = outcome else {
        panic!("{outcome:?}")
    };
    citizen.row = key;

    let replayed = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await;
    assert!(matches!(replayed, Err(Error::ApprovalSpent)));
    // The same statement with the PIN sealed again is the same approval.
    let mut resealed = approval.clone();
    let approval_key = keystore.approval_public_key().await.unwrap();
    resealed.sealed_pin = seal_pin(&approval_key, &approval.statement, PIN).unwrap();
    let replayed = keystore
        .begin(&citizen.row, &citizen.credential, resealed.activation())
        .await;
    assert!(matches!(replayed, Err(Error::ApprovalSpent)));
    // Another request may follow, and does not make the row forget the first.
    citizen
        .sign(keystore, "req_2", &one(), PIN, ES256)
        .await
        .unwrap();
    let replayed = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await;
    assert!(matches!(replayed, Err(Error::ApprovalSpent)));
}

async fn a_worker_that_dies_before_storing_signs_the_same_again(world: World) {
    let citizen = world.citizen(KeyAlgorithm::Rsa2048).await;
    let keystore = &world.keystore;
    let approval = citizen.approve(keystore, "req_1", &one(), PIN).await;
    let mut row = citizen.row.clone();
    let mut released = Vec::new();
    for _ in 0..2 {
        let attempt = keystore
            .begin(&row, &citizen.credential, approval.activation())
            .await
            .unwrap();
        row = attempt.raised().clone();
        let outcome = keystore
            .sign_for_citizen(
                attempt,
                &row,
                kyso_pki::algorithm::SignatureAlgorithm::RsaPkcs1Sha256,
            )
            .await;
        let Outcome::Signed { signatures, key } = outcome.unwrap() else {
            panic!("the PIN is right")
        };
        assert_eq!(key.version(), row.version() + 1);
        released.push(signatures);
    }
    assert_eq!(released[0], released[1]);
}

async fn a_row_edited_in_any_byte_is_refused(world: World) {
    let citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let approval = citizen.approve(keystore, "req_1", &one(), PIN).await;
    let bytes = citizen.row.as_bytes();
    for index in 0..bytes.len() {
        let mut edited = bytes.to_vec();
        edited[index] ^= 1 << (index % 8);
        let Ok(row) = CitizenKey::from_bytes(edited) else {
            continue;
        };
        let refused = keystore
            .begin(&row, &citizen.credential, approval.activation())
            .await;
        assert!(
            matches!(
                refused,
                Err(Error::RowForged | Error::OtherKeySet { .. } | Error::NoBackend { .. })
            ),
            "byte {index}"
        );
    }
    for shorter in [0, 4, 36, bytes.len() - 1] {
        assert!(CitizenKey::from_bytes(&bytes[..shorter]).is_err());
    }
    let longer = [bytes, &[0]].concat();
    assert!(CitizenKey::from_bytes(longer).is_err());
}

async fn a_row_swapped_between_credentials_is_refused(world: World) {
    let one_citizen = world.citizen(KeyAlgorithm::P256).await;
    let mut thief = world.citizen(KeyAlgorithm::P256).await;
    let own_row = std::mem::replace(&mut thief.row, one_citizen.row.clone());
    // The thief's own approval, on the thief's own credential, over the other's row.
    let refused = thief.begin(&world.keystore, "req_1", &one(), PIN).await;
    assert!(matches!(refused, Err(Error::RowOfOtherCredential)));
    // And the thief's row under the other's name.
    let approval = one_citizen
        .approve(&world.keystore, "req_1", &one(), PIN)
        .await;
    let refused = world
        .keystore
        .begin(&own_row, &one_citizen.credential, approval.activation())
        .await;
    assert!(matches!(refused, Err(Error::RowOfOtherCredential)));
}

async fn an_approval_for_another_credential_is_refused(world: World) {
    let citizen = world.citizen(KeyAlgorithm::P256).await;
    let other = world.citizen(KeyAlgorithm::P256).await;
    let approval = other.approve(&world.keystore, "req_1", &one(), PIN).await;
    let refused = world
        .keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await;
    assert!(matches!(
        refused,
        Err(Error::Refused(Refusal::Other {
            field: "credential"
        }))
    ));
}

async fn a_row_that_was_not_raised_is_never_compared(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let before = citizen.row.clone();
    let attempt = citizen.begin(keystore, "req_1", &one(), PIN).await.unwrap();
    let refused = keystore.sign_for_citizen(attempt, &before, ES256).await;
    assert!(matches!(
        refused,
        Err(Error::RowStale {
            stored: 3,
            raised: 4
        })
    ));

    // Another approval's raised row does not do either.
    let mut rival = citizen.clone();
    rival.row = before.clone();
    citizen.row = before;
    let attempt = citizen.begin(keystore, "req_2", &one(), PIN).await.unwrap();
    rival.begin(keystore, "req_3", &one(), PIN).await.unwrap();
    let refused = keystore.sign_for_citizen(attempt, &rival.row, ES256).await;
    assert!(matches!(refused, Err(Error::RowStale { .. })));
}

async fn pins_guessed_in_parallel_are_compared_once_per_raise(world: World) {
    let citizen = world.citizen(KeyAlgorithm::P256).await;
    // Twenty guesses from one stored row, by a caller that stores nothing: the right PIN is among them.
    let mut guesses = JoinSet::new();
    for index in 0..20 {
        let (keystore, mut citizen) = (world.keystore.clone(), citizen.clone());
        guesses.spawn(async move {
            let pin = if index == 19 {
                PIN.to_owned()
            } else {
                format!("90909{}", index % 8)
            };
            let attempt = citizen
                .begin(&keystore, &format!("req_{index}"), &one(), &pin)
                .await?;
            keystore
                .sign_for_citizen(attempt, &citizen.row, ES256)
                .await
        });
    }
    let outcomes = guesses.join_all().await;
    let compared = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(compared, 1, "one comparison for one version of the row");
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(_) | Err(Error::RowStale { .. })))
    );
}

async fn a_row_rolled_back_within_this_process_is_refused(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let before = citizen.row.clone();
    for index in 0..3 {
        citizen
            .sign(
                &world.keystore,
                &format!("req_{index}"),
                &one(),
                "909090",
                ES256,
            )
            .await
            .unwrap();
    }
    citizen.row = before;
    let rolled_back = citizen
        .sign(&world.keystore, "req_4", &one(), PIN, ES256)
        .await;
    assert!(matches!(rolled_back, Err(Error::RowStale { .. })));
}

async fn a_sealed_pin_opens_for_its_own_statement_only_and_costs_no_try(world: World) {
    let citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let approval = citizen.approve(keystore, "req_1", &one(), PIN).await;
    let other = citizen.approve(keystore, "req_2", &one(), PIN).await;
    let good = approval.sealed_pin.clone();
    let flipped = |ciphertext: bool| {
        let mut sealed = good.clone();
        let bytes = if ciphertext {
            &mut sealed.ciphertext
        } else {
            &mut sealed.enc
        };
        *bytes.last_mut().unwrap() ^= 1;
        sealed
    };
    let bad = [
        other.sealed_pin,
        flipped(true),
        flipped(false),
        SealedPin {
            enc: Vec::new(),
            ciphertext: Vec::new(),
        },
        SealedPin {
            enc: good.enc.clone(),
            ciphertext: vec![0; 22],
        },
        SealedPin {
            enc: vec![4; 65],
            ciphertext: good.ciphertext.clone(),
        },
        SealedPin {
            enc: good.enc.clone(),
            ciphertext: vec![0; 1 << 20],
        },
    ];
    for (index, sealed_pin) in bad.into_iter().enumerate() {
        let mut approval = approval.clone();
        approval.sealed_pin = sealed_pin;
        let refused = keystore
            .begin(&citizen.row, &citizen.credential, approval.activation())
            .await;
        assert!(
            matches!(refused, Err(Error::PinUnreadable)),
            "case {index}: {:?}",
            refused.err()
        );
    }
    let attempt = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await
        .unwrap();
    assert_eq!(attempt.raised().failures(), 1);
}

async fn a_row_of_another_keystore_is_told_from_a_forged_one(world: World) {
    let elsewhere = World::open(kyso_keystore::BackendName::Software, 10).unwrap();
    if world.backend != elsewhere.backend {
        return;
    }
    let mut stranger = elsewhere.citizen(KeyAlgorithm::P256).await;
    let refused = stranger.begin(&world.keystore, "req_1", &one(), PIN).await;
    assert!(matches!(refused, Err(Error::OtherKeySet { .. })));
}

async fn nothing_prints_a_pin_or_a_key(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let row = format!("{:?}", citizen.row);
    assert_eq!(
        row,
        format!("CitizenKey({} p-256, version 3)", world.backend)
    );
    let pooled = world
        .keystore
        .pool_fill(KeyAlgorithm::P256, 1)
        .await
        .unwrap();
    assert_eq!(
        format!("{:?}", pooled[0]),
        format!("PooledKey({} p-256)", world.backend)
    );
    let outcome = citizen
        .sign(&world.keystore, "req_1", &one(), "909090", ES256)
        .await
        .unwrap();
    assert!(!format!("{outcome:?}").contains("909090"));
}

async fn a_row_remembers_many_approvals_and_stays_small(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let mut lengths = Vec::new();
    for index in 0..36 {
        citizen
            .sign(&world.keystore, &format!("req_{index}"), &one(), PIN, ES256)
            .await
            .unwrap();
        lengths.push(citizen.row.as_bytes().len());
    }
    assert_eq!(lengths[31], lengths[35]);
    assert!(lengths[35] < 2048);
}
