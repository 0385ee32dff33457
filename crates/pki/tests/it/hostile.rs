//! Hostile octets: whatever arrives, no reader panics, none takes long, and no changed octet still verifies.

use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{self, Certificate};
use kyso_pki::cms::{self, Signature};
use kyso_pki::crl::{self, Crl, Entry};
use kyso_pki::lint;
use kyso_pki::name::Name;
use kyso_pki::ocsp::{self, Answer, CertId, IdHash, Status};
use kyso_pki::profile::Kind;
use kyso_pki::public_key::PublicKey;
use kyso_pki::revocation::Reason;
use kyso_pki::{csr, limits};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::*;

/// One of each structure we read, all real.
fn samples() -> Vec<Vec<u8>> {
    let authority = ec_authority();
    let info = csr::prepare(
        &citizen_name(),
        &authority.citizen_key.public,
        Kind::Citizen,
    )
    .unwrap();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let request = authority.citizen_key.sign(algorithm, &info);
    let id = CertId::of(
        IdHash::Sha256,
        &authority.issuing,
        authority.citizen.serial(),
    )
    .unwrap();
    let answer = Answer {
        id: id.clone(),
        status: Status::Revoked {
            at: NOW,
            reason: Some(Reason::KeyCompromise),
        },
        this_update: NOW,
        next_update: Some(NOW + HOUR),
    };
    let question = ocsp::Request {
        ids: vec![id],
        nonce: Some(vec![5; 32]),
    };
    let entry = Entry {
        serial: serial(9),
        revoked_at: NOW,
        reason: Some(Reason::CertificateHold),
    };
    vec![
        authority.citizen.as_der().to_vec(),
        rsa_authority().issuing.as_der().to_vec(),
        rsa_authority().citizen.public_key_der().to_vec(),
        authority.citizen.subject().as_der().to_vec(),
        authority.crl(3, &[entry]).as_der().to_vec(),
        csr::assemble(&info, algorithm, &request).unwrap(),
        question.to_der().unwrap(),
        authority
            .answer(vec![answer], Some(vec![5; 32]))
            .as_der()
            .to_vec(),
        crate::cms::sign(authority, algorithm, b"document"),
        crate::cms::sign(
            rsa_authority(),
            SignatureAlgorithm::RsaPssSha384,
            b"document",
        ),
    ]
}

/// Every reader there is. What it returns does not matter; that it returns does.
fn read_everything(octets: &[u8]) {
    let authority = ec_authority();
    if let Ok(certificate) = Certificate::from_der(octets) {
        let _ = certificate.verify_issued_by(&authority.issuing);
        let _ = (
            certificate.subject().to_string(),
            certificate.public_key().is_ok(),
        );
    }
    if let Ok(list) = Crl::from_der(octets) {
        let _ = (
            list.verify_issued_by(&authority.issuing),
            list.find(&serial(9)).is_some(),
        );
    }
    if let Ok(request) = ocsp::Request::from_der(octets) {
        let _ = request
            .ids
            .iter()
            .all(|id| id.is_issued_by(&authority.issuing));
        let _ = request.to_der();
    }
    if let Ok(response) = ocsp::Response::from_der(octets) {
        let _ = response.verify(&authority.issuing);
        let _ = response.answer_for(&authority.issuing, authority.citizen.serial(), NOW);
    }
    if let Ok(signature) = Signature::from_der(octets) {
        let _ = signature.verify(&Digest::of(DigestAlgorithm::Sha256, b"document"));
    }
    if let Ok(key) = PublicKey::from_der(octets) {
        let _ = lint::lint_key(&key);
        let _ = key.verify(SignatureAlgorithm::RsaPssSha256, b"m", octets);
    }
    let _ = Name::from_der(octets).map(|name| name.to_string());
    let _ = csr::Request::from_der(octets);
    for kind in [Kind::Citizen, Kind::Root] {
        let _ = lint::lint(octets, kind);
        let _ = lint::lint_certificate(octets, kind);
    }
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let _ = certificate::assemble(octets, algorithm, octets);
    let _ = crl::assemble(octets, algorithm, octets);
    let _ = ocsp::assemble(octets, algorithm, octets, &authority.responder);
    let _ = cms::signed_data(octets, octets, algorithm, &authority.citizen, &[]);
    let _ = limits::check("octets", octets, 1 << 20);
}

/// Elements inside elements, with plausible tags.
fn tree() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(vec![
        1u8, 2, 3, 4, 5, 6, 10, 12, 19, 22, 23, 24, 48, 49, 0x80, 0x81, 0x82, 0xa0, 0xa1, 0xa2,
        0xa3,
    ]);
    let leaf = (tag.clone(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(wrap);
    leaf.prop_recursive(8, 64, 6, move |inner| {
        (tag.clone(), prop::collection::vec(inner, 0..6))
            .prop_map(|(tag, children)| wrap((tag, children.concat())))
    })
}

fn wrap((tag, value): (u8, Vec<u8>)) -> Vec<u8> {
    let mut der = vec![tag];
    match value.len() {
        length @ 0..0x80 => der.push(length as u8),
        length @ 0x80..0x100 => der.extend([0x81, length as u8]),
        length => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend(value);
    der
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        read_everything(&octets);
    }

    #[test]
    fn random_trees_are_read_without_panic(octets in tree()) {
        read_everything(&octets);
    }

    #[test]
    fn mutated_structures_are_read_without_panic(
        sample in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let samples = sample_cache();
        let mut octets = samples[sample.index(samples.len())].clone();
        for (place, value, how) in changes {
            if octets.is_empty() { break }
            let place = place.index(octets.len());
            match how {
                0 => octets[place] = value,
                1 => octets.truncate(place),
                2 => octets.insert(place, value),
                _ => { octets.remove(place); }
            }
        }
        read_everything(&octets);
    }

    #[test]
    fn random_text_is_read_as_pem_without_panic(text in "(-----(BEGIN|END) CERTIFICATE( REQUEST)?-----|[A-Za-z0-9+/=\n ]{0,40}|.){0,12}") {
        let _ = Certificate::chain_from_pem(&text);
        let _ = Certificate::from_pem(&text);
        let _ = csr::Request::from_pem(&text);
    }
}

fn sample_cache() -> &'static [Vec<u8>] {
    static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(samples)
}

#[test]
fn every_sample_is_read_by_somebody_and_every_truncation_by_nobody() {
    for sample in sample_cache() {
        read_everything(sample);
        for length in 0..sample.len() {
            assert!(limits::check("sample", &sample[..length], 1 << 20).is_err());
        }
    }
}

#[test]
fn no_octet_of_a_certificate_can_change_and_still_verify() {
    let authority = ec_authority();
    let der = authority.citizen.as_der();
    for place in 0..der.len() {
        for bit in [0, 3, 7] {
            let mut changed = der.to_vec();
            changed[place] ^= 1 << bit;
            let verifies = Certificate::from_der(&changed)
                .and_then(|certificate| certificate.verify_issued_by(&authority.issuing));
            assert!(verifies.is_err(), "octet {place}, bit {bit}");
        }
    }
}

#[test]
fn no_octet_of_an_answer_can_change_and_still_verify_to_another_answer() {
    let authority = ec_authority();
    let id = CertId::of(IdHash::Sha1, &authority.issuing, authority.citizen.serial()).unwrap();
    let good = Answer {
        id,
        status: Status::Good,
        this_update: NOW,
        next_update: Some(NOW + HOUR),
    };
    let der = authority.answer(vec![good.clone()], None).as_der().to_vec();
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 1;
        // A responder certificate's own signature is not the response's: only what was answered must stand.
        if let Ok(response) = ocsp::Response::from_der(&changed)
            && response.verify(&authority.issuing).is_ok()
        {
            assert_eq!(
                response.answers(),
                std::slice::from_ref(&good),
                "octet {place}"
            );
        }
    }
}

#[test]
fn ten_thousand_levels_are_refused_by_every_reader() {
    let mut octets = vec![0x30, 0];
    while octets.len() < 60_000 {
        octets = wrap((0x30, octets));
        if octets.len() > 30_000 {
            break;
        }
    }
    read_everything(&octets);
    assert!(Certificate::from_der(&octets).is_err());
    assert!(ocsp::Request::from_der(&octets).is_err());
}
