//! Detached signatures.

use kyso_pki::Error;
use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_pki::cms::{self, Signature};

use crate::support::*;

const DOCUMENT: &[u8] = "Tờ khai đề nghị cấp giấy phép".as_bytes();

pub fn sign(authority: &Authority, algorithm: SignatureAlgorithm, document: &[u8]) -> Vec<u8> {
    let content = Digest::of(algorithm.digest_algorithm(), document);
    let signer = &authority.citizen;
    let attributes = cms::signed_attributes(&content, signer, algorithm).unwrap();
    let signature = authority.citizen_key.sign(algorithm, &attributes);
    cms::signed_data(
        &attributes,
        &signature,
        algorithm,
        signer,
        &authority.chain(),
    )
    .unwrap()
}

#[test]
fn every_algorithm_signs_and_the_room_reserved_is_enough() {
    for (authority, algorithm) in all() {
        let der = sign(authority, algorithm, DOCUMENT);
        let signature = Signature::from_der(&der).unwrap();
        let content = Digest::of(algorithm.digest_algorithm(), DOCUMENT);
        signature.verify(&content).unwrap();
        assert_eq!(signature.algorithm(), algorithm);
        assert_eq!(signature.signer(), &authority.citizen);
        assert_eq!(signature.content_digest(), &content);
        assert_eq!(signature.certificates().len(), 3);
        let room = cms::signed_data_octets_most(&authority.citizen, &authority.chain()).unwrap();
        assert!(
            der.len() <= room && room - der.len() < 200,
            "{} of {room}",
            der.len()
        );
    }
}

pub fn all() -> Vec<(&'static Authority, SignatureAlgorithm)> {
    let rsa = SignatureAlgorithm::ALL
        .into_iter()
        .filter(|one| !one.is_ecdsa());
    rsa.map(|algorithm| (rsa_authority(), algorithm))
        .chain([(ec_authority(), SignatureAlgorithm::EcdsaSha256)])
        .collect()
}

#[test]
fn the_bytes_to_be_signed_are_the_bytes_that_come_back() {
    let authority = ec_authority();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let content = Digest::of(DigestAlgorithm::Sha256, DOCUMENT);
    let attributes = cms::signed_attributes(&content, &authority.citizen, algorithm).unwrap();
    assert_eq!(attributes[0], 0x31, "signed as SET OF");
    let again = cms::signed_attributes(&content, &authority.citizen, algorithm).unwrap();
    assert_eq!(
        attributes, again,
        "deterministic: a retry signs the same octets"
    );
    let signature = Signature::from_der(&sign(authority, algorithm, DOCUMENT)).unwrap();
    assert_eq!(signature.signed_attributes(), attributes);
}

#[test]
fn another_document_certificate_or_digest_is_refused() {
    let authority = ec_authority();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let signature = Signature::from_der(&sign(authority, algorithm, DOCUMENT)).unwrap();
    let other = Digest::of(DigestAlgorithm::Sha256, b"something else");
    assert_eq!(signature.verify(&other), Err(Error::ContentDiffers));
    let longer = Digest::of(DigestAlgorithm::Sha384, DOCUMENT);
    assert!(matches!(
        signature.verify(&longer),
        Err(Error::DigestDiffers { .. })
    ));
    assert!(matches!(
        cms::signed_attributes(&longer, &authority.citizen, algorithm),
        Err(Error::DigestDiffers { .. })
    ));
    let content = Digest::of(DigestAlgorithm::Sha256, DOCUMENT);
    assert!(matches!(
        cms::signed_attributes(
            &content,
            &authority.citizen,
            SignatureAlgorithm::RsaPkcs1Sha256
        ),
        Err(Error::KeyDoesNotFit { .. })
    ));
}

#[test]
fn the_signature_is_bound_to_the_certificate_it_names() {
    // Attributes that refer to one certificate inside a structure that names another.
    let authority = ec_authority();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let content = Digest::of(DigestAlgorithm::Sha256, DOCUMENT);
    let attributes = cms::signed_attributes(&content, &authority.citizen, algorithm).unwrap();
    let signature = authority.citizen_key.sign(algorithm, &attributes);
    let swapped = cms::signed_data(
        &attributes,
        &signature,
        algorithm,
        &authority.responder,
        &[],
    )
    .unwrap();
    assert!(matches!(
        Signature::from_der(&swapped),
        Err(Error::NotTheIssuer {
            field: "signing certificate",
            ..
        })
    ));
}

#[test]
fn attributes_that_are_no_set_are_refused() {
    let authority = ec_authority();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    for attributes in [&[][..], &[0x30, 0], &[0x31, 5, 0], &[0x31, 0, 0x31, 0]] {
        let made = cms::signed_data(attributes, &[1], algorithm, &authority.citizen, &[]);
        assert!(made.is_err(), "{attributes:?}");
    }
}
