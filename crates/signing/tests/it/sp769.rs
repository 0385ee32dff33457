//! The sp769 view of requests.

use std::net::{IpAddr, Ipv4Addr};

use kyso_pki::algorithm::{Digest, DigestAlgorithm};
use kyso_pki::certificate::Certificate;
use kyso_signing::portal::{Network, Portal, Scopes};
use kyso_signing::request::sp769::{Asker, NewTransaction, Outcome, Transaction, TransactionFile};
use kyso_signing::{Error, KeyAlgorithm};

use crate::everywhere;
use crate::office::{Office, Phone};

everywhere!(
    a_signature_value_is_pkcs1_over_exactly_the_digest_that_was_sent,
    a_transaction_is_found_by_either_id_until_retention_ends,
    transaction_ids_are_unique_for_a_portal_and_among_portals_while_live,
    an_id_that_can_be_guessed_is_answered_to_its_portal_and_network_alone,
    rejected_and_expired_transactions_say_so,
    only_rsa_credentials_and_portals_with_the_scope_take_part,
    certificates_of_a_citizen_are_listed_with_their_chain,
);

/// The network portals call from.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

fn transaction(phone: &Phone, transaction_id: &str, count: usize) -> NewTransaction {
    let files = (0..count)
        .map(|at| TransactionFile {
            doc_id: format!("doc-{at}"),
            file_type: "pdf".into(),
            digest: Digest::of(
                DigestAlgorithm::Sha256,
                format!("{transaction_id} {at}").as_bytes(),
            ),
        })
        .collect();
    NewTransaction {
        identity_number: phone.credential.identity_number.clone(),
        serial: Some(String::new()),
        transaction_id: transaction_id.into(),
        description: Some("Ký hồ sơ".into()),
        asked_from: Some(HERE.to_string()),
        files,
    }
}

async fn start(
    office: &Office,
    portal: &Portal,
    phone: &Phone,
    id: &str,
) -> kyso_signing::Result<Transaction> {
    office
        .signing
        .requests
        .create_transaction(portal, transaction(phone, id, 1))
        .await
}

async fn rsa_citizen(office: &Office) -> Phone {
    office
        .citizen_with(office.opening(KeyAlgorithm::Rsa2048))
        .await
}

async fn outcome(office: &Office, tran_id: &str) -> Outcome {
    office
        .signing
        .requests
        .transaction_status(tran_id, Asker::Network(HERE))
        .await
        .unwrap()
        .outcome
}

/// RSA without padding removal: signature ^ e mod n, by the key's own numbers.
fn opened_with(certificate: &[u8], signature: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let (modulus, exponent) = certificate.public_key().unwrap().rsa().unwrap();
    assert_eq!(exponent, [1, 0, 1]);
    raise_65537(signature, &modulus)
}

async fn a_signature_value_is_pkcs1_over_exactly_the_digest_that_was_sent(office: Office) {
    let portal = office.portal("SP", Scopes::ALL).await;
    let phone = rsa_citizen(&office).await;
    let new = transaction(&phone, "T-1", 3);
    let digests: Vec<Vec<u8>> = new
        .files
        .iter()
        .map(|file| file.digest.value().to_vec())
        .collect();
    let started = office
        .signing
        .requests
        .create_transaction(&portal, new)
        .await
        .unwrap();
    let shown = office
        .signing
        .requests
        .show(phone.session(), &started.request)
        .await
        .unwrap();
    assert!(
        shown
            .documents
            .iter()
            .all(|document| !document.previewed && document.doc_id.is_some())
    );
    assert_eq!(outcome(&office, "T-1").await, Outcome::Waiting);
    office.sign(&phone, &shown).await;
    let Outcome::Signed(files) = outcome(&office, "T-1").await else {
        panic!("not signed")
    };
    for (at, (file, digest)) in files.iter().zip(&digests).enumerate() {
        assert_eq!(file.doc_id, format!("doc-{at}"));
        let mut expected = vec![0x00, 0x01];
        expected.resize(256 - 51 - 1, 0xff);
        expected.push(0x00);
        expected.extend(hex::decode("3031300d060960864801650304020105000420").unwrap());
        expected.extend(digest);
        assert_eq!(
            opened_with(
                phone.credential.certificate.as_deref().unwrap(),
                &file.signature
            ),
            expected
        );
    }
    office.check().await;
}

async fn a_transaction_is_found_by_either_id_until_retention_ends(office: Office) {
    let portal = office.portal("SP", Scopes::ALL).await;
    let phone = rsa_citizen(&office).await;
    let started = start(&office, &portal, &phone, "").await.unwrap();
    assert_eq!(started.transaction_id.len(), 36, "an empty id is made here");
    for id in [
        &started.transaction_id,
        &started.tran_code,
        &format!(" {} ", started.tran_code),
    ] {
        assert_eq!(outcome(&office, id).await, Outcome::Waiting);
    }
    let view = office.signing.requests.view(started.request).await.unwrap();
    office.sign(&phone, &view).await;
    assert!(matches!(
        outcome(&office, &started.tran_code).await,
        Outcome::Signed(_)
    ));
    office.advance(3_600_000);
    for id in [&started.transaction_id, &started.tran_code] {
        let gone = office
            .signing
            .requests
            .transaction_status(id, Asker::Network(HERE))
            .await;
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
    }
    assert!(
        office
            .signing
            .requests
            .transaction_status("SP_CA_123456", Asker::Network(HERE))
            .await
            .is_err()
    );
}

async fn transaction_ids_are_unique_for_a_portal_and_among_portals_while_live(office: Office) {
    let (first, second) = (
        office.portal("A", Scopes::ALL).await,
        office.portal("B", Scopes::ALL).await,
    );
    let phone = rsa_citizen(&office).await;
    let started = start(&office, &first, &phone, "321").await.unwrap();
    for portal in [&first, &second] {
        let taken = start(&office, portal, &phone, "321").await;
        assert!(matches!(taken, Err(Error::TransactionTaken)), "{taken:?}");
    }
    office
        .signing
        .requests
        .refuse(phone.session(), &started.request, "other")
        .await
        .unwrap();
    office.advance(3_600_001);
    // Over and forgotten: another portal may use the id; the first may not use it again.
    assert!(matches!(
        start(&office, &first, &phone, "321").await,
        Err(Error::TransactionTaken)
    ));
    let again = start(&office, &second, &phone, "321").await.unwrap();
    assert_eq!(
        office
            .signing
            .requests
            .transaction_status("321", Asker::Network(HERE))
            .await
            .unwrap()
            .tran_code,
        again.tran_code
    );
}

async fn an_id_that_can_be_guessed_is_answered_to_its_portal_and_network_alone(office: Office) {
    let portal = office.portal("A", Scopes::ALL).await;
    let other = office.portal("B", Scopes::ALL).await;
    let phone = rsa_citizen(&office).await;
    let guessable = start(&office, &portal, &phone, "SP_CA_1").await.unwrap();
    let made = start(&office, &portal, &phone, "").await.unwrap();
    let requests = &office.signing.requests;
    let hears = async |id: &str, asker| requests.transaction_status(id, asker).await.is_ok();
    let stranger = Asker::Network("198.51.100.1".parse().unwrap());
    let colleague = Asker::Network("192.0.2.77".parse().unwrap());
    let networks = [
        "192.0.2.0/24".parse().unwrap(),
        "2001:db8::/32".parse().unwrap(),
    ];
    let portals = &office.signing.portals;
    portals
        .set_status_from(&portal.id, &networks, "cli")
        .await
        .unwrap();
    let narrow = ["2001:db8::1".parse().unwrap()];
    let refused = portals.set_status_from(&portal.id, &narrow, "cli").await;
    assert!(
        matches!(refused, Err(Error::Unacceptable { .. })),
        "{refused:?}"
    );
    for (id, asker, answered) in [
        ("SP_CA_1", stranger, false),
        ("SP_CA_1", Asker::Portal(&other), false),
        ("SP_CA_1", colleague, true),
        ("SP_CA_1", Asker::Network(HERE), true),
        ("SP_CA_1", Asker::Portal(&portal), true),
        (&guessable.tran_code, stranger, true),
        (&guessable.tran_code, Asker::Portal(&other), false),
        (&made.transaction_id, stranger, true),
    ] {
        assert_eq!(hears(id, asker).await, answered, "{id} {asker:?}");
    }
    portals
        .set_status_from(&portal.id, &Network::EVERYWHERE, "cli")
        .await
        .unwrap();
    assert!(hears("SP_CA_1", stranger).await);
    portals
        .set_status_from(&portal.id, &[], "cli")
        .await
        .unwrap();
    assert!(!hears("SP_CA_1", stranger).await && !hears("SP_CA_1", colleague).await);
}

async fn rejected_and_expired_transactions_say_so(office: Office) {
    let portal = office.portal("SP", Scopes::ALL).await;
    let phone = rsa_citizen(&office).await;
    let rejected = start(&office, &portal, &phone, "R").await.unwrap();
    start(&office, &portal, &phone, "E").await.unwrap();
    office
        .signing
        .requests
        .refuse(phone.session(), &rejected.request, "not-me")
        .await
        .unwrap();
    assert_eq!(rejected.expires_at - office.now(), 300_000);
    office.advance(301_000);
    office.work().await;
    assert_eq!(outcome(&office, "R").await, Outcome::Rejected);
    assert_eq!(outcome(&office, "E").await, Outcome::Expired);
}

async fn only_rsa_credentials_and_portals_with_the_scope_take_part(office: Office) {
    let portal = office.portal("SP", Scopes::ALL).await;
    let without = office
        .portal(
            "X",
            Scopes {
                sp769: false,
                ..Scopes::ALL
            },
        )
        .await;
    let elliptic = office.citizen().await;
    let refused = start(&office, &portal, &elliptic, "1").await;
    assert!(
        matches!(refused, Err(Error::DigestUnsuited { position: 0 })),
        "{refused:?}"
    );
    let refused = start(&office, &without, &elliptic, "1").await;
    assert!(
        matches!(refused, Err(Error::PortalScope { scope: "sp769" })),
        "{refused:?}"
    );
    let mut wrong = transaction(&elliptic, "1", 1);
    wrong.files[0].digest = Digest::of(DigestAlgorithm::Sha384, b"x");
    assert!(matches!(
        office
            .signing
            .requests
            .create_transaction(&portal, wrong)
            .await,
        Err(Error::DigestUnsuited { .. })
    ));
    let many = transaction(&elliptic, "1", 51);
    assert!(matches!(
        office
            .signing
            .requests
            .create_transaction(&portal, many)
            .await,
        Err(Error::DocumentCount { .. })
    ));
}

async fn certificates_of_a_citizen_are_listed_with_their_chain(office: Office) {
    let portal = office.portal("SP", Scopes::ALL).await;
    let phone = office.citizen().await;
    let number = &phone.credential.identity_number;
    let listed = office
        .signing
        .requests
        .user_certificates(&portal, number, None)
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        Some(&listed[0].certificate),
        phone.credential.certificate.as_ref()
    );
    assert_eq!(listed[0].chain.len(), 2);
    assert!(
        listed[0].subject.starts_with("C=VN,ST=")
            && listed[0].subject.ends_with(&format!("UID=CCCD:{number}")),
        "{}",
        listed[0].subject
    );
    assert!(
        office
            .signing
            .requests
            .user_certificates(&portal, "079299999999", None)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        office
            .signing
            .requests
            .user_certificates(&portal, number, Some("00"))
            .await
            .unwrap()
            .is_empty()
    );
}

/// `base ^ 65537 mod modulus`, school-book, for 2048 bits: sixteen squarings and one product.
fn raise_65537(base: &[u8], modulus: &[u8]) -> Vec<u8> {
    let mut power = base.to_vec();
    for _ in 0..16 {
        power = multiply(&power, &power, modulus);
    }
    multiply(&power, base, modulus)
}

/// `left * right mod modulus` by doubling and adding, octets in big-endian order.
fn multiply(left: &[u8], right: &[u8], modulus: &[u8]) -> Vec<u8> {
    let modulus: Vec<u64> = limbs(modulus);
    let left = limbs(left);
    let mut sum = vec![0u64; modulus.len() + 1];
    for byte in right {
        for bit in (0..8).rev() {
            add(&mut sum.clone(), &mut sum, &modulus);
            if byte >> bit & 1 == 1 {
                add(&mut left.clone(), &mut sum, &modulus);
            }
        }
    }
    sum.truncate(modulus.len());
    sum.iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect()
}

fn limbs(octets: &[u8]) -> Vec<u64> {
    octets
        .rchunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .fold(0, |limb, byte| limb << 8 | u64::from(*byte))
        })
        .collect()
}

/// `sum = (sum + addend) mod modulus`, both below it.
fn add(addend: &mut Vec<u64>, sum: &mut [u64], modulus: &[u64]) {
    addend.resize(sum.len(), 0);
    let mut carry = false;
    for (limb, other) in sum.iter_mut().zip(addend.iter()) {
        let (partial, first) = limb.overflowing_add(*other);
        let (total, second) = partial.overflowing_add(u64::from(carry));
        (*limb, carry) = (total, first | second);
    }
    let at = |index: usize| modulus.get(index).copied().unwrap_or(0);
    let is_less = (0..sum.len())
        .rev()
        .map(|index| sum[index].cmp(&at(index)))
        .find(|order| order.is_ne())
        .is_some_and(|order| order.is_lt());
    if is_less {
        return;
    }
    let mut borrow = false;
    for (index, limb) in sum.iter_mut().enumerate() {
        let (partial, first) = limb.overflowing_sub(at(index));
        let (difference, second) = partial.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (difference, first | second);
    }
}
