//! Certificates and requests: what they say, and whose they are not.

use const_oid::ObjectIdentifier;
use kyso_pki::Error;
use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{self, Certificate, Issuer};
use kyso_pki::csr;
use kyso_pki::profile::{DOCUMENT_SIGNING, Kind, OCSP_SIGNING, Profile};
use kyso_pki::public_key::PublicKey;

use crate::support::*;

#[test]
fn a_citizens_certificate_says_what_the_profile_promises() {
    let authority = rsa_authority();
    let citizen = &authority.citizen;
    assert_eq!(
        citizen.subject().to_string(),
        "C=VN,ST=Thành phố Hồ Chí Minh,L=Phường Vườn Lài,CN=Nguyễn Thị Minh Ánh,UID=CCCD:079200000001"
    );
    assert_eq!(citizen.issuer(), authority.issuing.subject());
    let usage = citizen.key_usage().unwrap();
    assert!(usage.non_repudiation());
    assert!(!usage.digital_signature() && !usage.key_encipherment() && !usage.data_encipherment());
    assert!(citizen.is_for(DOCUMENT_SIGNING) && !citizen.is_for(OCSP_SIGNING));
    assert!(!citizen.is_authority());
    assert_eq!(
        citizen.authority_key_identifier(),
        authority.issuing.key_identifier()
    );
    let alternative_name = ObjectIdentifier::new_unwrap("2.5.29.17");
    assert!(
        citizen.extension(alternative_name).is_none(),
        "no e-mail unasked"
    );
    assert_eq!(citizen.serial().as_bytes().len(), 16);
    assert_eq!(authority.issuing.path_length(), Some(0));
}

#[test]
fn an_email_appears_only_when_asked_for() {
    let authority = ec_authority();
    let key = Key::new(KeyAlgorithm::P256);
    let mut template = citizen_template(
        &authority.issuing,
        &key,
        authority.issuing_key.default_algorithm(),
    );
    template.profile.email = Some("anh@example.vn".into());
    template.profile.digital_signature = true;
    let certificate = issue(&template, &authority.issuing_key);
    let alternative_name = ObjectIdentifier::new_unwrap("2.5.29.17");
    let value = certificate
        .extension(alternative_name)
        .unwrap()
        .extn_value
        .as_bytes();
    assert!(value.ends_with(b"anh@example.vn"));
    assert!(certificate.key_usage().unwrap().digital_signature());
    template.profile.email = Some("not an address".into());
    assert!(certificate::prepare(&template).is_err());
}

#[test]
fn a_step_of_the_path_verifies_and_no_other() {
    for authority in [rsa_authority(), ec_authority()] {
        let (root, issuing) = (&authority.root, &authority.issuing);
        root.verify_issued_by(root).unwrap();
        issuing.verify_issued_by(root).unwrap();
        authority.citizen.verify_issued_by(issuing).unwrap();
        assert!(matches!(
            authority.citizen.verify_issued_by(root),
            Err(Error::NotTheIssuer { field: "name", .. })
        ));
        assert!(
            authority
                .citizen
                .verify_issued_by(&authority.citizen)
                .is_err()
        );
    }
    // Same names, other keys: the key identifiers already differ.
    assert!(matches!(
        rsa_authority()
            .citizen
            .verify_issued_by(&ec_authority().issuing),
        Err(Error::NotTheIssuer {
            field: "key identifier",
            ..
        })
    ));
}

#[test]
fn a_citizen_cannot_issue() {
    let authority = ec_authority();
    assert!(Issuer::of(&authority.citizen).is_err());
    let mut template = citizen_template(
        &authority.issuing,
        &authority.citizen_key,
        SignatureAlgorithm::EcdsaSha256,
    );
    template.issuer = Issuer {
        name: authority.citizen.subject().clone(),
        key_identifier: authority.citizen.key_identifier().unwrap().to_vec(),
    };
    template.subject = institution("Nobody");
    let tbs = certificate::prepare(&template).unwrap();
    let signature = authority
        .citizen_key
        .sign(SignatureAlgorithm::EcdsaSha256, &tbs);
    let der = certificate::assemble(&tbs, SignatureAlgorithm::EcdsaSha256, &signature).unwrap();
    let forged = Certificate::from_der(&der).unwrap();
    assert!(matches!(
        forged.verify_issued_by(&authority.citizen),
        Err(Error::NotForThisPurpose {
            purpose: "issuing",
            ..
        })
    ));
}

#[test]
fn an_algorithm_outside_that_is_not_the_one_inside_is_refused() {
    let authority = rsa_authority();
    let tbs = authority.citizen.to_be_signed();
    let other = SignatureAlgorithm::RsaPkcs1Sha384;
    let signature = authority.issuing_key.sign(other, tbs);
    assert!(matches!(
        certificate::assemble(tbs, other, &signature),
        Err(Error::AlgorithmsDiffer { .. })
    ));
}

#[test]
fn validity_holds_at_both_ends_and_not_beyond() {
    let citizen = &ec_authority().citizen;
    let (from, until) = (citizen.not_before(), citizen.not_after());
    assert_eq!((from, until), (NOW - DAY, NOW + 365 * DAY));
    assert!(citizen.check_valid_at(from).is_ok());
    assert!(
        citizen.check_valid_at(until + 999).is_ok(),
        "the last second is whole"
    );
    assert!(citizen.check_valid_at(from - 1).is_err());
    assert!(citizen.check_valid_at(until + 1000).is_err());
    let mut template = citizen_template(
        &ec_authority().issuing,
        &ec_authority().citizen_key,
        SignatureAlgorithm::EcdsaSha384,
    );
    template.not_after = template.not_before;
    assert!(certificate::prepare(&template).is_err());
}

#[test]
fn pem_comes_back_alone_and_in_chains() {
    let authority = ec_authority();
    let pem = format!(
        "subject: words around are allowed\n{}\n{}",
        authority.issuing.to_pem(),
        authority.root.to_pem()
    );
    assert_eq!(
        Certificate::chain_from_pem(&pem).unwrap(),
        authority.chain()
    );
    assert!(Certificate::from_pem(&pem).is_err(), "two are not one");
    assert_eq!(
        Certificate::from_pem(&authority.root.to_pem()).unwrap(),
        authority.root
    );
    assert!(Certificate::from_pem("nothing").is_err());
    assert!(Certificate::from_pem(&authority.root.to_pem().replace("END", "ENDE")).is_err());
}

#[test]
fn debug_and_errors_show_nobody() {
    let authority = ec_authority();
    let shown = format!(
        "{:?} {:?}",
        authority.citizen,
        authority
            .citizen
            .verify_issued_by(&authority.root)
            .unwrap_err()
    );
    assert!(
        !shown.contains("079200000001") && !shown.contains("Ánh"),
        "{shown}"
    );
}

#[test]
fn a_request_proves_possession_and_a_changed_one_does_not() {
    let key = Key::new(KeyAlgorithm::P384);
    let name = institution("Kyso Test Issuing");
    let info = csr::prepare(&name, &key.public, Kind::Issuing).unwrap();
    let algorithm = key.default_algorithm();
    let der = csr::assemble(&info, algorithm, &key.sign(algorithm, &info)).unwrap();
    let request = csr::Request::from_der(&der).unwrap();
    assert_eq!(request.subject(), &name);
    assert_eq!(request.public_key(), &key.public);
    assert_eq!(csr::Request::from_pem(&request.to_pem()).unwrap(), request);
    let other = Key::new(KeyAlgorithm::P384);
    assert_eq!(
        csr::assemble(&info, algorithm, &other.sign(algorithm, &info)),
        Err(Error::SignatureInvalid)
    );
}

#[test]
fn an_outside_root_may_sign_for_our_key() {
    // The certificate that comes back bears our key and name: what the authority compares before it imports.
    let authority = rsa_authority();
    let key = Key::new(KeyAlgorithm::P256);
    let template = certificate::Template {
        serial: serial(77),
        issuer: Issuer::of(&authority.root).unwrap(),
        subject: institution("Kyso Below The National Root"),
        not_before: NOW,
        not_after: NOW + 4 * 365 * DAY,
        public_key: key.public.clone(),
        profile: Profile::issuing(None, addresses("root")),
        signature_algorithm: SignatureAlgorithm::RsaPssSha256,
    };
    let certificate = issue(&template, &authority.root_key);
    certificate.verify_issued_by(&authority.root).unwrap();
    assert_eq!(certificate.public_key().unwrap(), &key.public);
    assert_eq!(
        certificate.signature_algorithm(),
        Ok(SignatureAlgorithm::RsaPssSha256)
    );
}

#[test]
fn keys_come_back_from_their_parts() {
    let rsa = &rsa_authority().citizen_key.public;
    let (modulus, exponent) = rsa.rsa().unwrap();
    assert_eq!(PublicKey::from_rsa(&modulus, &exponent).as_ref(), Ok(rsa));
    let padded = [&[0][..], &modulus].concat();
    assert_eq!(PublicKey::from_rsa(&padded, &exponent).as_ref(), Ok(rsa));
    let ec = &ec_authority().citizen_key.public;
    let point = ec.point().unwrap();
    assert_eq!(
        PublicKey::from_point(KeyAlgorithm::P256, &point).as_ref(),
        Ok(ec)
    );
    assert!(PublicKey::from_rsa(&[], &exponent).is_err());
    assert!(PublicKey::from_rsa(&modulus, &[]).is_err());
    assert!(PublicKey::from_rsa(&modulus[1..], &exponent).is_err());
    assert!(PublicKey::from_point(KeyAlgorithm::Rsa2048, &point).is_err());
}

#[test]
fn points_off_the_curve_compressed_or_at_infinity_are_refused() {
    let point = ec_authority().citizen_key.public.point().unwrap();
    let mut off = point.clone();
    *off.last_mut().unwrap() ^= 1;
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    for bad in [&off[..], &compressed, &[0], &[], &point[..64], &[4; 65]] {
        assert!(PublicKey::from_point(KeyAlgorithm::P256, bad).is_err());
    }
    assert!(PublicKey::from_point(KeyAlgorithm::P384, &point).is_err());
}

#[test]
fn every_algorithm_verifies_messages_and_digests_and_nothing_else() {
    let keys = [
        &rsa_authority().citizen_key,
        &ec_authority().citizen_key,
        &ec_authority().root_key,
    ];
    for key in keys {
        for algorithm in SignatureAlgorithm::ALL {
            let natural = match key.public.algorithm() {
                KeyAlgorithm::P256 => algorithm == SignatureAlgorithm::EcdsaSha256,
                KeyAlgorithm::P384 => algorithm == SignatureAlgorithm::EcdsaSha384,
                _ => !algorithm.is_ecdsa(),
            };
            if !natural {
                assert!(key.public.verify(algorithm, b"m", &[0; 256]).is_err());
                continue;
            }
            let signature = key.sign(algorithm, b"message");
            let digest = Digest::of(algorithm.digest_algorithm(), b"message");
            key.public
                .verify_digest(algorithm, &digest, &signature)
                .unwrap();
            assert_eq!(
                key.public.verify(algorithm, b"massage", &signature),
                Err(Error::SignatureInvalid)
            );
            let other = SignatureAlgorithm::ALL
                .into_iter()
                .find(|other| other.digest_algorithm() != algorithm.digest_algorithm())
                .unwrap();
            let wrong = Digest::of(other.digest_algorithm(), b"message");
            assert!(matches!(
                key.public.verify_digest(algorithm, &wrong, &signature),
                Err(Error::DigestDiffers { .. })
            ));
        }
    }
}
