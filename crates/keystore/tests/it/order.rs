//! Whatever the digests, `signatures[i]` is over `digests[i]`.

use kyso_keystore::{BackendName, Outcome};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::world::{Citizen, ES256, PIN, World, block_on};

fn holds_on(backend: BackendName, cases: u32) {
    let Some(world) = World::open(backend, 1000) else {
        return;
    };
    let citizen = std::cell::RefCell::new(block_on(world.citizen(KeyAlgorithm::P256)));
    let count = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        ..ProptestConfig::default()
    });
    // Few different documents, so that most lists repeat some; in no order.
    let contents = vec(0u8..6, 1..12);
    runner
        .run(&contents, |contents| {
            let digests: Vec<Digest> = contents
                .iter()
                .map(|content| Digest::of(DigestAlgorithm::Sha256, &[*content]))
                .collect();
            count.set(count.get() + 1);
            let request = format!("req_{}", count.get());
            let citizen: &mut Citizen = &mut citizen.borrow_mut();
            let outcome =
                block_on(citizen.sign(&world.keystore, &request, &digests, PIN, ES256)).unwrap();
            let Outcome::Signed { signatures, key } = outcome else {
                panic!("the PIN is right")
            };
            prop_assert_eq!(signatures.len(), digests.len());
            for (index, signature) in signatures.iter().enumerate() {
                for (place, digest) in digests.iter().enumerate() {
                    let verifies = key
                        .public_key()
                        .verify_digest(ES256, digest, signature)
                        .is_ok();
                    prop_assert_eq!(verifies, contents[place] == contents[index]);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn signatures_stand_in_the_order_of_the_digests_in_software() {
    holds_on(BackendName::Software, 48);
}

#[test]
fn signatures_stand_in_the_order_of_the_digests_in_softhsm() {
    holds_on(BackendName::Pkcs11, 12);
}
