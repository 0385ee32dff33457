//! Revocation lists.

use kyso_pki::Error;
use kyso_pki::algorithm::SignatureAlgorithm;
use kyso_pki::certificate::Issuer;
use kyso_pki::crl::{self, Entry};
use kyso_pki::revocation::Reason;

use crate::support::*;

fn entry(number: u8, reason: Option<Reason>) -> Entry {
    Entry {
        serial: serial(number),
        revoked_at: NOW - HOUR,
        reason,
    }
}

#[test]
fn what_is_listed_comes_back_with_its_reason() {
    let entries: Vec<Entry> = Reason::ALL
        .into_iter()
        .enumerate()
        .map(|(index, reason)| entry(100 + index as u8, Some(reason)))
        .collect();
    let list = ec_authority().crl(7, &entries);
    list.verify_issued_by(&ec_authority().issuing).unwrap();
    assert_eq!(list.number(), Some(7));
    assert_eq!(
        (list.this_update(), list.next_update()),
        (NOW, Some(NOW + DAY))
    );
    for entry in &entries {
        let found = list.find(&entry.serial).unwrap();
        let reason = entry.reason.filter(|reason| *reason != Reason::Unspecified);
        assert_eq!((found.revoked_at, found.reason), (entry.revoked_at, reason));
    }
    assert!(list.find(&serial(99)).is_none());
}

#[test]
fn the_authority_key_identifier_is_the_issuers_own_key() {
    // Regression: x509-cert 0.3's builder writes the *parent's* identifier, and nobody finds the signer.
    let authority = rsa_authority();
    let list = authority.crl(1, &[]);
    assert_eq!(
        list.authority_key_identifier(),
        authority.issuing.key_identifier()
    );
    assert_ne!(
        list.authority_key_identifier(),
        authority.issuing.authority_key_identifier()
    );
    assert!(list.entries().is_empty());
}

#[test]
fn a_list_by_another_issuer_or_changed_is_refused() {
    let authority = ec_authority();
    let list = authority.crl(1, &[entry(9, None)]);
    assert!(list.verify_issued_by(&authority.root).is_err());
    assert!(list.verify_issued_by(&rsa_authority().issuing).is_err());
    let mut der = list.as_der().to_vec();
    let place = der
        .windows(16)
        .position(|octets| octets == serial(9).as_bytes())
        .unwrap();
    der[place + 15] ^= 1;
    let changed = crl::Crl::from_der(&der).unwrap();
    assert_eq!(
        changed.verify_issued_by(&authority.issuing),
        Err(Error::SignatureInvalid)
    );
}

#[test]
fn a_serial_twice_or_times_in_the_wrong_order_are_refused() {
    let issuer = Issuer::of(&ec_authority().issuing).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaSha384;
    let twice = [entry(1, None), entry(1, Some(Reason::Superseded))];
    assert!(crl::prepare(&issuer, algorithm, 1, NOW, NOW + DAY, &twice).is_err());
    assert!(crl::prepare(&issuer, algorithm, 1, NOW, NOW, &[]).is_err());
}

#[test]
fn numbers_up_to_the_largest_are_kept() {
    for number in [0, 127, 128, u64::from(u32::MAX), u64::MAX >> 1] {
        assert_eq!(ec_authority().crl(number, &[]).number(), Some(number));
    }
}
