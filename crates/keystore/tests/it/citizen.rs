//! The life of a citizen's key, on both backends.

use kyso_keystore::activation::{Purpose, Subject};
use kyso_keystore::{
    BindingOutcome, CitizenKey, Error, Outcome, PooledKey, Refusal, Settlement, Tried, seal_pin,
    seal_pin_and_code,
};
use kyso_pki::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use tokio::task::JoinSet;

use crate::world::{Approval, Citizen, ES256, NONCE, NOW, PIN, Phone, World, digests, mount, one};

mount!(
    every_algorithm_signs_what_was_approved_in_order,
    a_fresh_key_is_unclaimed_and_signs_nothing,
    a_key_is_bound_once_to_a_device_and_a_pin,
    a_binding_that_is_not_right_in_every_part_is_refused,
    a_wrong_pin_counts_down_and_the_fifth_locks_for_good,
    the_right_pin_gives_all_tries_back,
    beginning_the_same_approval_again_costs_no_try,
    five_tries_that_were_never_compared_leave_a_healthy_key,
    a_settled_try_counts_as_it_would_have_and_signs_nothing,
    settling_gives_nobody_a_guess,
    a_binding_that_was_never_compared_is_settled_as_well,
    a_changed_pin_replaces_the_old_one,
    a_changed_device_replaces_the_old_one,
    a_first_binding_needs_the_code_that_was_sent_and_a_wrong_one_counts,
    a_change_needs_the_pin_in_force_and_costs_tries,
    a_change_without_the_consent_of_the_device_in_force_is_refused,
    a_change_that_is_not_right_in_every_part_is_refused,
    pooled_pairs_become_citizens_keys,
    rows_survive_a_reopening,
    a_passkey_approves_as_a_browser_key_does,
    algorithms_that_do_not_fit_are_refused_without_a_comparison,
);

async fn every_algorithm_signs_what_was_approved_in_order(world: World) {
    use SignatureAlgorithm as S;
    let cases: [(KeyAlgorithm, &[S]); 4] = [
        (
            KeyAlgorithm::Rsa2048,
            &[
                S::RsaPkcs1Sha256,
                S::RsaPkcs1Sha384,
                S::RsaPkcs1Sha512,
                S::RsaPssSha256,
                S::RsaPssSha384,
                S::RsaPssSha512,
            ],
        ),
        (KeyAlgorithm::Rsa3072, &[S::RsaPkcs1Sha256, S::RsaPssSha512]),
        (KeyAlgorithm::P256, &[S::EcdsaSha256]),
        (KeyAlgorithm::P384, &[S::EcdsaSha384]),
    ];
    for (key_algorithm, signature_algorithms) in cases {
        let mut citizen = world.citizen(key_algorithm).await;
        for algorithm in signature_algorithms {
            let digests = digests(algorithm.digest_algorithm(), 3);
            let request = format!("req_{algorithm}");
            let outcome = citizen
                .sign(&world.keystore, &request, &digests, PIN, *algorithm)
                .await
                .unwrap();
            let Outcome::Signed { signatures, key } = outcome else {
                panic!("{algorithm}: {outcome:?}")
            };
            assert_eq!(signatures.len(), digests.len());
            for (digest, signature) in digests.iter().zip(&signatures) {
                key.public_key()
                    .verify_digest(*algorithm, digest, signature)
                    .unwrap();
            }
            assert_eq!(
                (key.failures(), key.algorithm(), key.backend()),
                (0, key_algorithm, world.backend)
            );
        }
    }
    let refused = world
        .keystore
        .create_for_citizen(KeyAlgorithm::Rsa4096, "cred_1")
        .await;
    assert!(matches!(refused, Err(Error::AlgorithmNotOffered { .. })));
}

async fn a_fresh_key_is_unclaimed_and_signs_nothing(world: World) {
    let mut citizen = world.unclaimed(KeyAlgorithm::P256).await;
    assert_eq!((citizen.row.version(), citizen.row.failures()), (1, 0));
    assert!(citizen.row.device().is_none());
    let refused = citizen.begin(&world.keystore, "req_1", &one(), PIN).await;
    assert!(matches!(refused, Err(Error::Unclaimed)));
}

async fn a_key_is_bound_once_to_a_device_and_a_pin(world: World) {
    let unclaimed = world.unclaimed(KeyAlgorithm::P256).await;
    let again = unclaimed.binding(&world.keystore, "246813").await;
    let mut citizen = unclaimed.clone();
    let first = unclaimed.binding(&world.keystore, PIN).await;
    citizen.bind(&world.keystore, first).await.unwrap();
    // Raised and bound; the count is back.
    assert_eq!((citizen.row.version(), citizen.row.failures()), (3, 0));
    assert_eq!(citizen.row.device(), Some(&citizen.phone.key));
    let refused = citizen.bind(&world.keystore, again).await;
    assert!(matches!(refused, Err(Error::AlreadyClaimed)));
    let refused = world
        .keystore
        .binding_code(&citizen.row, &citizen.credential, "another")
        .await;
    assert!(matches!(refused, Err(Error::AlreadyClaimed)));
}

async fn a_binding_that_is_not_right_in_every_part_is_refused(world: World) {
    let citizen = world.unclaimed(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let begin = async |request, now| {
        keystore
            .begin_binding(&citizen.row, &citizen.credential, request, now)
            .await
            .map(|_| ())
    };
    for weak in ["000000", "123456", "654321"] {
        assert!(matches!(
            begin(citizen.binding(keystore, weak).await, NOW).await,
            Err(Error::PinWeak)
        ));
    }
    for no_pin in ["12345", "1357924", "13579x", "１３５７９２"] {
        assert!(matches!(
            begin(citizen.binding(keystore, no_pin).await, NOW).await,
            Err(Error::PinUnreadable)
        ));
    }
    let good = citizen.binding(keystore, PIN).await;

    let mut other_nonce = good.clone();
    other_nonce.nonce = "another".into();
    let mut other_subject = good.clone();
    other_subject.subject = Subject::Enrolment("enr_2".into());
    let mut other_device = good.clone();
    other_device.device = Phone::browser().key;
    let mut other_signature = good.clone();
    other_signature.signature = Phone::browser().sign(&good.statement);
    for request in [other_nonce, other_subject, other_device, other_signature] {
        assert!(matches!(begin(request, NOW).await, Err(Error::Refused(_))));
    }
    assert!(matches!(
        begin(good.clone(), NOW + 60_000).await,
        Err(Error::Refused(Refusal::Expired { .. }))
    ));
    assert!(matches!(
        begin(good.clone(), NOW - 60_000).await,
        Err(Error::Refused(Refusal::FutureDated { .. }))
    ));

    // Sealed for another statement; or as an approval seals, without a code.
    let approval_key = keystore.approval_public_key().await.unwrap();
    let code = keystore
        .binding_code(&citizen.row, &citizen.credential, NONCE)
        .await
        .unwrap();
    for sealed in [
        seal_pin_and_code(&approval_key, b"another", PIN, code.as_str()),
        seal_pin(&approval_key, &good.statement, PIN),
        seal_pin(
            &approval_key,
            &good.statement,
            &format!("{PIN}{}", code.as_str()),
        ),
    ] {
        let mut request = good.clone();
        request.sealed_pin = sealed.unwrap();
        assert!(matches!(
            begin(request, NOW).await,
            Err(Error::PinUnreadable)
        ));
    }

    let elsewhere = Subject::Credential("cred_of_another".into());
    let mut elsewhere = citizen.request(&citizen.phone, Purpose::Enrol, elsewhere);
    elsewhere.sealed_pin =
        seal_pin_and_code(&approval_key, &elsewhere.statement, PIN, code.as_str()).unwrap();
    assert!(matches!(
        begin(elsewhere, NOW).await,
        Err(Error::Refused(Refusal::Other { field: "subject" }))
    ));
    let change = citizen
        .change(keystore, &citizen.phone, Purpose::ChangePin, PIN, "246813")
        .await;
    assert!(matches!(begin(change, NOW).await, Err(Error::Unclaimed)));
    let mut with_consent = good.clone();
    with_consent.consent = citizen
        .change(keystore, &citizen.phone, Purpose::ChangePin, PIN, "246813")
        .await
        .consent;
    assert!(matches!(
        begin(with_consent, NOW).await,
        Err(Error::Refused(Refusal::Other { field: "purpose" }))
    ));

    begin(good, NOW).await.unwrap();
}

async fn a_first_binding_needs_the_code_that_was_sent_and_a_wrong_one_counts(world: World) {
    let keystore = &world.keystore;
    let mut citizen = world.unclaimed(KeyAlgorithm::P256).await;
    let code = keystore
        .binding_code(&citizen.row, &citizen.credential, NONCE)
        .await
        .unwrap();
    let code = code.as_str().to_owned();
    assert!(code.len() == 6 && code.bytes().all(|digit| digit.is_ascii_digit()));
    // Another nonce or another credential has another code: twenty that all agree would be no chance.
    let other = world.unclaimed(KeyAlgorithm::P256).await;
    let mut codes = std::collections::HashSet::from([code.clone()]);
    for nonce in 0..10 {
        for citizen in [&citizen, &other] {
            let nonce = format!("nonce {nonce}");
            let code = keystore
                .binding_code(&citizen.row, &citizen.credential, &nonce)
                .await;
            codes.insert(code.unwrap().as_str().to_owned());
        }
    }
    assert!(codes.len() > 15, "{codes:?}");
    let refused = keystore
        .binding_code(&citizen.row, &other.credential, NONCE)
        .await;
    assert!(matches!(refused, Err(Error::RowOfOtherCredential)));

    let wrong = |by: u32| format!("{:06}", (code.parse::<u32>().unwrap() + by) % 1_000_000);
    for left in [4, 3, 2, 1] {
        let guess = citizen.binding_with(keystore, PIN, &wrong(left)).await;
        let outcome = citizen.bind(keystore, guess.clone()).await.unwrap();
        assert!(
            matches!(outcome, BindingOutcome::Wrong { tries_left, .. } if u32::from(tries_left) == left)
        );
        assert!(citizen.row.device().is_none());
        // The same guess again is the same try.
        let again = citizen.bind(keystore, guess).await.unwrap();
        assert!(
            matches!(again, BindingOutcome::Wrong { tries_left, .. } if u32::from(tries_left) == left)
        );
    }
    // The right code binds, and the next citizen of this test does not have as many tries.
    let mut lucky = citizen.clone();
    let right = lucky.binding(keystore, PIN).await;
    let outcome = lucky.bind(keystore, right.clone()).await.unwrap();
    assert!(matches!(outcome, BindingOutcome::Bound { .. }));
    assert_eq!(lucky.row.failures(), 0);
    // The row as it was before, handed in again: one comparison per version.
    let refused = citizen
        .bind(
            keystore,
            citizen.binding_with(keystore, PIN, &wrong(5)).await,
        )
        .await;
    assert!(matches!(refused, Err(Error::RowStale { .. })));

    let mut citizen = other;
    for _ in 0..5 {
        let guess = citizen.binding_with(keystore, PIN, "000000").await;
        citizen.bind(keystore, guess).await.unwrap();
    }
    assert!(citizen.row.is_locked());
    let right = citizen.binding(keystore, PIN).await;
    let refused = citizen.bind(keystore, right).await;
    assert!(matches!(refused, Err(Error::Locked { .. })));
}

async fn a_wrong_pin_counts_down_and_the_fifth_locks_for_good(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for (index, left) in [4, 3, 2, 1].into_iter().enumerate() {
        let request = format!("req_{index}");
        let outcome = citizen
            .sign(&world.keystore, &request, &one(), "909090", ES256)
            .await
            .unwrap();
        assert!(
            matches!(outcome, Outcome::WrongPin { tries_left, .. } if tries_left == left),
            "{outcome:?}"
        );
    }
    assert!(!citizen.row.is_locked());
    let outcome = citizen
        .sign(&world.keystore, "req_4", &one(), "909090", ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Locked { .. }));
    assert!(citizen.row.is_locked());
    let refused = citizen.begin(&world.keystore, "req_5", &one(), PIN).await;
    assert!(
        matches!(refused, Err(Error::Locked { failures: 5 })),
        "not even the right PIN opens it"
    );
}

async fn the_right_pin_gives_all_tries_back(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for round in 0..2 {
        for index in 0..4 {
            let request = format!("req_{round}_{index}");
            let outcome = citizen
                .sign(&world.keystore, &request, &one(), "909090", ES256)
                .await
                .unwrap();
            assert!(matches!(outcome, Outcome::WrongPin { .. }));
        }
        let request = format!("req_{round}_right");
        let outcome = citizen
            .sign(&world.keystore, &request, &one(), PIN, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::Signed { .. }));
        assert_eq!(citizen.row.failures(), 0);
    }
}

async fn beginning_the_same_approval_again_costs_no_try(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let approval = citizen.approve(keystore, "req_1", &one(), PIN).await;
    let first = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await
        .unwrap();
    assert_eq!(
        (first.raised().failures(), first.raised().version()),
        (1, citizen.row.version() + 1)
    );
    citizen.row = first.raised().clone();
    // The worker died before signing; it begins again with the row it stored.
    drop(first);
    let again = keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await
        .unwrap();
    assert_eq!(again.raised(), &citizen.row);
    let outcome = keystore
        .sign_for_citizen(again, &citizen.row, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));

    // The same for a wrong PIN: asking again gives the same answer and costs nothing.
    let mut other = world.citizen(KeyAlgorithm::P256).await;
    let wrong = other.approve(keystore, "req_1", &one(), "909090").await;
    for _ in 0..3 {
        let attempt = keystore
            .begin(&other.row, &other.credential, wrong.activation())
            .await
            .unwrap();
        other.row = attempt.raised().clone();
        let outcome = keystore
            .sign_for_citizen(attempt, &other.row, ES256)
            .await
            .unwrap();
        assert!(matches!(outcome, Outcome::WrongPin { tries_left: 4, .. }));
    }
    // Another sealing of a PIN is another try.
    let another = other
        .begin(keystore, "req_1", &one(), "909090")
        .await
        .unwrap();
    assert_eq!(another.raised().failures(), 2);
}

/// The try of an approval, as the worker reads it from the request's row.
fn tried(approval: &Approval) -> Tried {
    Tried::Approval {
        statement: approval.statement.clone(),
        sealed_pin: approval.sealed_pin.clone(),
    }
}

/// Long after every approval of these tests has expired.
const LATE: i64 = NOW + 3_600_000;

async fn five_tries_that_were_never_compared_leave_a_healthy_key(world: World) {
    let keystore = &world.keystore;
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for outage in 0..5 {
        let request = format!("req_{outage}");
        let approval = citizen.approve(keystore, &request, &one(), PIN).await;
        citizen.raise(keystore, &approval).await;
        assert_eq!(citizen.row.failures(), 1, "outage {outage}");
        let settled = citizen.settle(keystore, tried(&approval)).await;
        assert!(matches!(settled, Ok(Settlement::Right { .. })));
        assert_eq!(citizen.row.failures(), 0, "outage {outage}");
    }
    let outcome = citizen
        .sign(keystore, "req_after", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn a_settled_try_counts_as_it_would_have_and_signs_nothing(world: World) {
    let keystore = &world.keystore;
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for left in (0..5).rev() {
        let wrong = citizen
            .approve(keystore, &format!("req_{left}"), &one(), "909090")
            .await;
        citizen.raise(keystore, &wrong).await;
        let before = citizen.row.clone();
        // Asked twice, it answers the same and costs nothing more.
        for _ in 0..2 {
            match citizen.settle(keystore, tried(&wrong)).await.unwrap() {
                Settlement::Wrong { tries_left } => assert_eq!(tries_left, left),
                Settlement::Locked => assert_eq!(left, 0),
                Settlement::Right { .. } => panic!("{left}"),
            }
            assert_eq!(citizen.row, before);
        }
    }
    let refused = citizen.begin(keystore, "req_last", &one(), PIN).await;
    assert!(matches!(refused, Err(Error::Locked { .. })));

    // An approval that was settled is spent, even one that still is current.
    let mut other = world.citizen(KeyAlgorithm::P256).await;
    let right = other.approve(keystore, "req_1", &one(), PIN).await;
    other.raise(keystore, &right).await;
    other.settle(keystore, tried(&right)).await.unwrap();
    let refused = keystore
        .begin(&other.row, &other.credential, right.activation())
        .await;
    assert!(matches!(refused, Err(Error::ApprovalSpent)));
}

async fn settling_gives_nobody_a_guess(world: World) {
    let keystore = &world.keystore;
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let unraised = citizen.row.clone();
    let approval = citizen.approve(keystore, "req_1", &one(), "909090").await;
    citizen.raise(keystore, &approval).await;
    let raised = citizen.row.clone();
    // A guess in place of the one the row was raised for: another PIN for the same statement, or another approval.
    let another_pin = Tried::Approval {
        statement: approval.statement.clone(),
        sealed_pin: seal_pin(
            &keystore
                .approval_public_key_of(world.backend)
                .await
                .unwrap(),
            &approval.statement,
            PIN,
        )
        .unwrap(),
    };
    let another = citizen.approve(keystore, "req_2", &one(), PIN).await;
    for guess in [another_pin, tried(&another)] {
        let refused = citizen.settle(keystore, guess).await;
        assert!(matches!(refused, Err(Error::NotRaised)));
        assert_eq!(citizen.row, raised);
    }
    // A row that was never raised for it, one of another credential, and an edited one.
    let refuse = async |row: &CitizenKey, credential: &str| {
        keystore
            .settle(row, credential, tried(&approval), LATE)
            .await
            .unwrap_err()
    };
    assert!(matches!(
        refuse(&unraised, &citizen.credential).await,
        Error::NotRaised
    ));
    assert!(matches!(
        refuse(&raised, "cred_other").await,
        Error::RowOfOtherCredential
    ));
    let mut bytes = raised.as_bytes().to_vec();
    let at = bytes.len() - 1;
    bytes[at] ^= 1;
    let edited = CitizenKey::from_bytes(bytes).unwrap();
    assert!(matches!(
        refuse(&edited, &citizen.credential).await,
        Error::RowForged
    ));
    // An older raised row put back after a later try was compared: a right PIN of long ago gives no tries back.
    let mut rolled = world.citizen(KeyAlgorithm::P256).await;
    let right = rolled.approve(keystore, "req_1", &one(), PIN).await;
    rolled.raise(keystore, &right).await;
    let old = rolled.row.clone();
    for index in 0..3 {
        rolled
            .sign(
                keystore,
                &format!("req_{}", index + 2),
                &one(),
                "909090",
                ES256,
            )
            .await
            .unwrap();
    }
    assert_eq!(rolled.row.failures(), 4);
    let refused = rolled.settle(keystore, tried(&right)).await;
    assert!(matches!(refused, Err(Error::NotRaised)));
    let refused = keystore
        .settle(&old, &rolled.credential, tried(&right), LATE)
        .await;
    assert!(matches!(refused, Err(Error::RowStale { .. })));
    // And once it was settled, it gives none back again.
    let mut twice = world.citizen(KeyAlgorithm::P256).await;
    let right = twice.approve(keystore, "req_1", &one(), PIN).await;
    twice.raise(keystore, &right).await;
    let raised = twice.row.clone();
    twice.settle(keystore, tried(&right)).await.unwrap();
    twice
        .sign(keystore, "req_2", &one(), "909090", ES256)
        .await
        .unwrap();
    for row in [&twice.row, &raised] {
        let refused = keystore
            .settle(row, &twice.credential, tried(&right), LATE)
            .await;
        assert!(matches!(
            refused,
            Err(Error::NotRaised | Error::RowStale { .. })
        ));
    }
}

async fn a_binding_that_was_never_compared_is_settled_as_well(world: World) {
    let keystore = &world.keystore;
    let mut citizen = world.unclaimed(KeyAlgorithm::P256).await;
    for (code, is_right) in [(None, true), (Some("000000"), false)] {
        let request = match code {
            None => citizen.binding(keystore, PIN).await,
            Some(code) => citizen.binding_with(keystore, PIN, code).await,
        };
        citizen.raise_binding(keystore, &request).await;
        let settled = citizen
            .settle(keystore, Tried::Binding(Box::new(request)))
            .await;
        assert_eq!(
            matches!(settled, Ok(Settlement::Right { .. })),
            is_right,
            "{settled:?}"
        );
        assert_eq!(citizen.row.failures(), u8::from(!is_right));
        assert!(citizen.row.device().is_none(), "settling binds nobody");
    }
    // The code is the one for the nonce that was signed: a row that names others tries the same guess at no other code.
    let of_another = keystore
        .binding_code(&citizen.row, &citizen.credential, "another")
        .await
        .unwrap();
    let mut request = citizen
        .binding_with(keystore, PIN, of_another.as_str())
        .await;
    citizen.raise_binding(keystore, &request).await;
    request.nonce = "another".into();
    let settled = citizen
        .settle(keystore, Tried::Binding(Box::new(request)))
        .await;
    assert!(
        matches!(settled, Ok(Settlement::Wrong { .. })),
        "{settled:?}"
    );

    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for (current, is_right) in [(PIN, true), ("909090", false)] {
        let phone = citizen.phone.clone();
        let request = citizen
            .change(keystore, &phone, Purpose::ChangePin, current, "246813")
            .await;
        citizen.raise_binding(keystore, &request).await;
        let settled = citizen
            .settle(keystore, Tried::Binding(Box::new(request)))
            .await;
        assert_eq!(
            matches!(settled, Ok(Settlement::Right { .. })),
            is_right,
            "{settled:?}"
        );
    }
    // The PIN is the one it was.
    let outcome = citizen
        .sign(keystore, "req_1", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn change(
    world: &World,
    citizen: &mut Citizen,
    phone: &Phone,
    purpose: Purpose,
    current: &str,
    new: &str,
) -> BindingOutcome {
    let request = citizen
        .change(&world.keystore, phone, purpose, current, new)
        .await;
    citizen.bind(&world.keystore, request).await.unwrap()
}

async fn a_changed_pin_replaces_the_old_one(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let phone = citizen.phone.clone();
    let outcome = change(
        &world,
        &mut citizen,
        &phone,
        Purpose::ChangePin,
        PIN,
        "246813",
    )
    .await;
    assert!(matches!(outcome, BindingOutcome::Bound { .. }));
    let outcome = citizen
        .sign(&world.keystore, "req_1", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::WrongPin { .. }));
    let outcome = citizen
        .sign(&world.keystore, "req_2", &one(), "246813", ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn a_changed_device_replaces_the_old_one(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let old = citizen.clone();
    let new_phone = Phone::passkey();
    let outcome = change(
        &world,
        &mut citizen,
        &new_phone,
        Purpose::ChangeDevice,
        PIN,
        PIN,
    )
    .await;
    assert!(matches!(outcome, BindingOutcome::Bound { .. }));
    assert_eq!(citizen.row.device(), Some(&new_phone.key));

    // The old phone still has its key and knows the PIN.
    let approval = old.approve(&world.keystore, "req_old", &one(), PIN).await;
    let refused = world
        .keystore
        .begin(&citizen.row, &citizen.credential, approval.activation())
        .await;
    assert!(matches!(refused, Err(Error::OtherDevice)));

    citizen.phone = new_phone;
    let outcome = citizen
        .sign(&world.keystore, "req_new", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn a_change_needs_the_pin_in_force_and_costs_tries(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    for left in [4, 3, 2, 1] {
        let thief = Phone::browser();
        let outcome = change(
            &world,
            &mut citizen,
            &thief,
            Purpose::ChangeDevice,
            "909090",
            "246813",
        )
        .await;
        assert!(matches!(outcome, BindingOutcome::Wrong { tries_left, .. } if tries_left == left));
    }
    assert_eq!(citizen.row.device(), Some(&citizen.phone.key));
    let outcome = change(
        &world,
        &mut citizen,
        &Phone::browser(),
        Purpose::ChangeDevice,
        "909090",
        "246813",
    )
    .await;
    assert!(matches!(outcome, BindingOutcome::Locked { .. }));
    let request = citizen
        .change(
            &world.keystore,
            &Phone::browser(),
            Purpose::ChangeDevice,
            PIN,
            PIN,
        )
        .await;
    let refused = world
        .keystore
        .begin_binding(&citizen.row, &citizen.credential, request, NOW)
        .await;
    assert!(matches!(refused, Err(Error::Locked { .. })));
}

async fn a_change_that_is_not_right_in_every_part_is_refused(world: World) {
    let citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let begin = async |request, now| {
        keystore
            .begin_binding(&citizen.row, &citizen.credential, request, now)
            .await
            .map(|_| ())
    };
    let other_phone = Phone::browser();
    let cases = [
        (&other_phone, Purpose::ChangePin),
        (&citizen.phone, Purpose::ChangeDevice),
    ];
    for (phone, purpose) in cases {
        let request = citizen
            .change(keystore, phone, purpose, PIN, "246813")
            .await;
        assert!(matches!(
            begin(request, NOW).await,
            Err(Error::Refused(Refusal::Other { field: "purpose" }))
        ));
    }
    let enrol = citizen
        .change(keystore, &other_phone, Purpose::Enrol, PIN, "246813")
        .await;
    assert!(matches!(
        begin(enrol, NOW).await,
        Err(Error::AlreadyClaimed)
    ));
    let weak = citizen
        .change(keystore, &citizen.phone, Purpose::ChangePin, PIN, "111111")
        .await;
    assert!(matches!(begin(weak, NOW).await, Err(Error::PinWeak)));
    let late = citizen
        .change(keystore, &citizen.phone, Purpose::ChangePin, PIN, "246813")
        .await;
    assert!(matches!(
        begin(late, NOW + 60_000).await,
        Err(Error::Refused(Refusal::Expired { .. }))
    ));

    let mut elsewhere = citizen.clone();
    elsewhere.credential = "cred_of_another".into();
    let elsewhere = elsewhere
        .change(keystore, &citizen.phone, Purpose::ChangePin, PIN, "246813")
        .await;
    assert!(matches!(
        begin(elsewhere, NOW).await,
        Err(Error::Refused(Refusal::Other { field: "subject" }))
    ));
}

/// Whoever knows the PIN and has another phone, but not the one in force, changes nothing and costs nobody a try.
async fn a_change_without_the_consent_of_the_device_in_force_is_refused(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    let before = citizen.row.clone();
    let thief = Phone::browser();
    for (phone, purpose) in [
        (&thief, Purpose::ChangeDevice),
        (&citizen.phone.clone(), Purpose::ChangePin),
    ] {
        let honest = citizen
            .change(keystore, phone, purpose, PIN, "246813")
            .await;
        // Signed by the new device alone; by a device nobody knows; over another statement.
        for signature in [
            thief.sign(&honest.statement),
            Phone::passkey().sign(&honest.statement),
            citizen.phone.sign(b"another statement"),
        ] {
            let mut request = honest.clone();
            request.consent.as_mut().unwrap().signature = signature;
            let refused = citizen.bind(keystore, request).await;
            assert!(
                matches!(
                    refused,
                    Err(Error::Refused(Refusal::DeviceSignature { .. }))
                ),
                "{refused:?}"
            );
        }
        let mut request = honest.clone();
        request.consent = None;
        assert!(citizen.bind(keystore, request).await.is_err());
    }
    assert_eq!(citizen.row, before);
}

async fn pooled_pairs_become_citizens_keys(world: World) {
    let keystore = &world.keystore;
    let pooled = keystore.pool_fill(KeyAlgorithm::P256, 2).await.unwrap();
    assert_ne!(pooled[0], pooled[1]);
    let stored = PooledKey::from_bytes(pooled[0].as_bytes()).unwrap();
    let (row, public_key) = keystore
        .create_for_citizen_from(stored.clone(), "cred_pool")
        .await
        .unwrap();
    assert_eq!(&public_key, stored.public_key());
    let mut citizen = Citizen {
        credential: "cred_pool".into(),
        row,
        phone: Phone::browser(),
    };
    let request = citizen.binding(keystore, PIN).await;
    citizen.bind(keystore, request).await.unwrap();
    let outcome = citizen
        .sign(keystore, "req_1", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));

    // A pooled row is authenticated too: a flipped bit, or a citizen's row in its place, is refused.
    let mut flipped = stored.as_bytes().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let flipped = PooledKey::from_bytes(flipped).unwrap();
    assert!(matches!(
        keystore.create_for_citizen_from(flipped, "cred_x").await,
        Err(Error::RowForged)
    ));
    assert!(PooledKey::from_bytes(citizen.row.as_bytes()).is_err());
    assert!(CitizenKey::from_bytes(stored.as_bytes()).is_err());
    assert!(matches!(
        keystore.pool_fill(KeyAlgorithm::Rsa4096, 1).await,
        Err(Error::AlgorithmNotOffered { .. })
    ));
}

async fn rows_survive_a_reopening(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let World {
        keystore,
        backend,
        directory,
    } = world;
    drop(keystore);
    let config = match backend {
        kyso_keystore::BackendName::Software => crate::world::software_config(directory.path(), 10),
        kyso_keystore::BackendName::Pkcs11 => {
            let module = crate::world::softhsm().unwrap();
            crate::world::token_config(
                module,
                "kyso-suite",
                directory.path(),
                crate::world::TOKEN_PIN,
                10,
            )
        }
    };
    let keystore = kyso_keystore::Keystore::open(config).unwrap();
    let outcome = citizen
        .sign(&keystore, "req_1", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn a_passkey_approves_as_a_browser_key_does(world: World) {
    let mut citizen = world.unclaimed(KeyAlgorithm::P256).await;
    citizen.phone = Phone::passkey();
    let request = citizen.binding(&world.keystore, PIN).await;
    citizen.bind(&world.keystore, request).await.unwrap();
    let stored = CitizenKey::from_bytes(citizen.row.as_bytes()).unwrap();
    assert_eq!(stored.device(), Some(&citizen.phone.key));
    let outcome = citizen
        .sign(&world.keystore, "req_1", &one(), PIN, ES256)
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Signed { .. }));
}

async fn algorithms_that_do_not_fit_are_refused_without_a_comparison(world: World) {
    let mut citizen = world.citizen(KeyAlgorithm::P256).await;
    let keystore = &world.keystore;
    for algorithm in [
        SignatureAlgorithm::RsaPkcs1Sha256,
        SignatureAlgorithm::EcdsaSha384,
    ] {
        let refused = citizen
            .sign(keystore, "req_1", &one(), PIN, algorithm)
            .await;
        assert!(matches!(refused, Err(Error::AlgorithmUnsuitable { .. })));
    }
    let longer = digests(kyso_pki::algorithm::DigestAlgorithm::Sha384, 1);
    let refused = citizen.sign(keystore, "req_2", &longer, PIN, ES256).await;
    assert!(matches!(
        refused,
        Err(Error::DigestUnsuitable { index: 0, .. })
    ));
}

/// A queue that is full says so at once, on every clone of the handle.
#[test]
fn a_full_queue_answers_busy_and_loses_nothing() {
    let world = World::open(kyso_keystore::BackendName::Software, 2).unwrap();
    crate::world::block_on(async {
        let mut tasks = JoinSet::new();
        for index in 0..64 {
            let keystore = world.keystore.clone();
            tasks.spawn(async move {
                keystore
                    .create_for_citizen(KeyAlgorithm::Rsa2048, &format!("cred_{index}"))
                    .await
            });
        }
        let results = tasks.join_all().await;
        let done = results.iter().filter(|result| result.is_ok()).count();
        let busy = results
            .iter()
            .filter(|result| matches!(result, Err(Error::Busy { .. })))
            .count();
        assert_eq!(done + busy, 64);
        assert!(done >= 2 && busy > 0, "{done} done, {busy} busy");
    });
}
