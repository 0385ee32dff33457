//! OCSP: what is read, what is answered, who may answer.

use kyso_pki::Error;
use kyso_pki::certificate::{Certificate, Issuer, Template};
use kyso_pki::ocsp::{
    self, Answer, CertId, Failure, IdHash, Request, Response, ResponseTemplate, Status,
};
use kyso_pki::profile::Profile;
use kyso_pki::revocation::Reason;

use crate::support::*;

fn id() -> CertId {
    CertId::of(
        IdHash::Sha1,
        &ec_authority().issuing,
        ec_authority().citizen.serial(),
    )
    .unwrap()
}

fn answer(status: Status) -> Answer {
    Answer {
        id: id(),
        status,
        this_update: NOW,
        next_update: Some(NOW + HOUR),
    }
}

#[test]
fn a_request_comes_back_with_its_ids_and_nonce() {
    let authority = ec_authority();
    let ids: Vec<CertId> = [IdHash::Sha1, IdHash::Sha256, IdHash::Sha384, IdHash::Sha512]
        .into_iter()
        .map(|hash| CertId::of(hash, &authority.issuing, authority.citizen.serial()).unwrap())
        .collect();
    let request = Request {
        ids,
        nonce: Some(vec![7; 32]),
    };
    let read = Request::from_der(&request.to_der().unwrap()).unwrap();
    assert_eq!(read, request);
    for id in &read.ids {
        assert!(id.is_issued_by(&authority.issuing));
        assert!(!id.is_issued_by(&authority.root));
        assert_eq!(id.serial(), authority.citizen.serial());
    }
}

#[test]
fn sixty_four_ids_are_read_and_sixty_five_are_not() {
    let mut request = Request {
        ids: vec![id(); 64],
        nonce: None,
    };
    let der = request.to_der().unwrap();
    assert_eq!(Request::from_der(&der).unwrap().ids.len(), 64);
    // One more, by hand: the list is the only element of the only element.
    request.ids.truncate(1);
    let list = [wrap(0x30, id().as_der())].concat().repeat(65);
    let der = wrap(0x30, &wrap(0x30, &wrap(0x30, &list)));
    assert!(matches!(
        Request::from_der(&der),
        Err(Error::TooMany { most: 64, .. })
    ));
    let der = wrap(0x30, &wrap(0x30, &wrap(0x30, &[])));
    assert!(Request::from_der(&der).is_err(), "nothing asked");
}

#[test]
fn a_nonce_has_one_to_128_octets() {
    for octets in [1, 32, 128] {
        let request = Request {
            ids: vec![id()],
            nonce: Some(vec![1; octets]),
        };
        assert_eq!(
            Request::from_der(&request.to_der().unwrap()).unwrap(),
            request
        );
    }
    for octets in [0usize, 129, 20_000] {
        let request = Request {
            ids: vec![id()],
            nonce: Some(vec![1; octets]),
        };
        assert!(request.to_der().is_err());
        let oid = [0x06, 9, 0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
        let value = wrap(0x04, &wrap(0x04, &vec![1; octets]));
        let extension = wrap(0x30, &[&oid[..], &value].concat());
        let list = wrap(0x30, &wrap(0x30, id().as_der()));
        let extensions = wrap(0xa2, &wrap(0x30, &extension));
        let der = wrap(0x30, &wrap(0x30, &[list, extensions].concat()));
        assert!(Request::from_der(&der).is_err(), "{octets} octets");
    }
}

#[test]
fn more_than_64_kilobytes_are_not_read() {
    let der = wrap(0x30, &vec![0; 70_000]);
    assert!(matches!(
        Request::from_der(&der),
        Err(Error::TooLong { .. })
    ));
}

#[test]
fn every_status_comes_back() {
    let authority = ec_authority();
    let reasons = Reason::ALL
        .into_iter()
        .filter(|reason| *reason != Reason::Unspecified);
    let revoked = reasons.map(|reason| Status::Revoked {
        at: NOW - DAY,
        reason: Some(reason),
    });
    let plain = [
        Status::Good,
        Status::Unknown,
        Status::Revoked {
            at: NOW,
            reason: None,
        },
    ];
    for status in revoked.chain(plain) {
        let response = authority.answer(vec![answer(status)], Some(vec![9; 16]));
        let serial = authority.citizen.serial();
        let found = response
            .answer_for(&authority.issuing, serial, NOW)
            .unwrap();
        assert_eq!(found, &answer(status));
        assert_eq!(response.nonce(), Some(&[9; 16][..]));
        assert_eq!(response.produced_at(), NOW);
        assert_eq!(
            response.certificates(),
            std::slice::from_ref(&authority.responder)
        );
    }
}

#[test]
fn an_answer_is_for_one_certificate_and_a_while() {
    let authority = ec_authority();
    let response = authority.answer(vec![answer(Status::Good)], None);
    let serial = authority.citizen.serial();
    assert!(
        response
            .answer_for(&authority.issuing, serial, NOW + HOUR)
            .is_ok()
    );
    assert!(
        response
            .answer_for(&authority.issuing, serial, NOW + HOUR + 1)
            .is_err()
    );
    assert!(
        response
            .answer_for(&authority.issuing, serial, NOW - 1)
            .is_err()
    );
    assert!(response.answer_for(&authority.root, serial, NOW).is_err());
    let other = support_serial();
    assert!(
        response
            .answer_for(&authority.issuing, &other, NOW)
            .is_err()
    );
}

fn support_serial() -> kyso_pki::certificate::Serial {
    serial(200)
}

#[test]
fn failures_are_read_as_failures() {
    for failure in [
        Failure::Malformed,
        Failure::Internal,
        Failure::TryLater,
        Failure::SignatureRequired,
        Failure::Unauthorized,
    ] {
        assert_eq!(
            Response::from_der(&ocsp::failure(failure)).unwrap_err(),
            Error::Responder {
                status: failure.as_str()
            }
        );
    }
}

/// A response signed by this key under this certificate.
fn signed_by(key: &Key, certificate: &Certificate) -> Response {
    let template = ResponseTemplate {
        responder: certificate,
        produced_at: NOW,
        answers: vec![answer(Status::Good)],
        nonce: None,
    };
    let tbs = ocsp::prepare(&template).unwrap();
    let algorithm = key.default_algorithm();
    let signature = key.sign(algorithm, &tbs);
    Response::from_der(&ocsp::assemble(&tbs, algorithm, &signature, certificate).unwrap()).unwrap()
}

#[test]
fn the_issuer_itself_may_answer() {
    let authority = ec_authority();
    signed_by(&authority.issuing_key, &authority.issuing)
        .verify(&authority.issuing)
        .unwrap();
}

#[test]
fn a_citizen_or_a_stranger_or_an_expired_responder_may_not_answer() {
    let authority = ec_authority();
    let citizen = signed_by(&authority.citizen_key, &authority.citizen);
    assert!(matches!(
        citizen.verify(&authority.issuing),
        Err(Error::NotForThisPurpose {
            purpose: "OCSP",
            ..
        })
    ));
    let stranger = rsa_authority();
    let response = signed_by(&stranger.responder_key, &stranger.responder);
    assert!(response.verify(&authority.issuing).is_err());
    let expired = issue(
        &Template {
            serial: serial(55),
            issuer: Issuer::of(&authority.issuing).unwrap(),
            subject: institution("Kyso Old Responder"),
            not_before: NOW - 30 * DAY,
            not_after: NOW - DAY,
            public_key: authority.responder_key.public.clone(),
            profile: Profile::ocsp(addresses("issuing")),
            signature_algorithm: authority.issuing_key.default_algorithm(),
        },
        &authority.issuing_key,
    );
    assert!(matches!(
        signed_by(&authority.responder_key, &expired).verify(&authority.issuing),
        Err(Error::NotValidAt { .. })
    ));
}

#[test]
fn an_answer_that_ends_before_it_begins_is_refused() {
    let template = ResponseTemplate {
        responder: &ec_authority().responder,
        produced_at: NOW,
        answers: vec![Answer {
            next_update: Some(NOW - 1000),
            ..answer(Status::Good)
        }],
        nonce: None,
    };
    assert!(ocsp::prepare(&template).is_err());
}

fn wrap(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match value.len() {
        length @ 0..0x80 => der.push(length as u8),
        length @ 0x80..0x100 => der.extend([0x81, length as u8]),
        length @ 0x100..0x1_0000 => {
            der.push(0x82);
            der.extend((length as u16).to_be_bytes());
        }
        length => {
            der.push(0x84);
            der.extend((length as u32).to_be_bytes());
        }
    }
    let length_octets = der.len() - 2;
    if length_octets == 4 && der[2] == 0 {
        der[1] = 0x83;
        der.remove(2);
    }
    [&der, value].concat()
}
