//! Lint: each broken rule is found, by its code.

use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::certificate::{self, Issuer, Serial, Template};
use kyso_pki::lint::{lint, lint_certificate};
use kyso_pki::name::Name;
use kyso_pki::profile::{Addresses, Kind, Profile};

use crate::support::*;

fn template() -> Template {
    let authority = ec_authority();
    citizen_template(
        &authority.issuing,
        &authority.citizen_key,
        authority.issuing_key.default_algorithm(),
    )
}

fn codes(template: &Template, kind: Kind) -> Vec<&'static str> {
    let tbs = certificate::prepare(template).unwrap();
    lint(&tbs, kind)
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

/// What changing one thing leads to.
fn found(change: impl Fn(&mut Template)) -> Vec<&'static str> {
    let mut changed = template();
    change(&mut changed);
    codes(&changed, Kind::Citizen)
}

#[test]
fn what_we_issue_has_no_findings() {
    let authority = rsa_authority();
    for (certificate, kind) in [
        (&authority.root, Kind::Root),
        (&authority.issuing, Kind::Issuing),
        (&authority.responder, Kind::Ocsp),
        (&authority.citizen, Kind::Citizen),
    ] {
        assert_eq!(lint_certificate(certificate.as_der(), kind), []);
    }
    assert_eq!(found(|_| {}), [""; 0]);
}

#[test]
fn serials_that_are_short_or_not_random_are_found() {
    assert_eq!(
        found(|template| template.serial = Serial::from_bytes(&[1, 2, 3, 4, 5, 6, 7]).unwrap()),
        ["serial-length"]
    );
    assert_eq!(
        found(|template| template.serial = Serial::from_random([0; 16])),
        ["serial-not-random"]
    );
}

#[test]
fn a_validity_beyond_the_law_is_found() {
    let day = |days: i64| {
        move |template: &mut Template| template.not_after = template.not_before + days * DAY
    };
    assert_eq!(found(day(3 * 365 + 1)), [""; 0]);
    assert_eq!(found(day(3 * 365 + 2)), ["validity-too-long"]);
}

#[test]
fn the_wrong_profile_for_a_kind_is_found() {
    let citizen = template();
    for kind in [
        Kind::Root,
        Kind::Issuing,
        Kind::Ocsp,
        Kind::Timestamp,
        Kind::Seal,
    ] {
        let codes = codes(&citizen, kind);
        assert!(!codes.is_empty(), "{kind:?}");
    }
    assert!(codes(&citizen, Kind::Issuing).contains(&"basic-constraints"));
    assert!(codes(&citizen, Kind::Ocsp).contains(&"extension-missing"));
    assert!(codes(&citizen, Kind::Timestamp).contains(&"extended-key-usage"));
    assert!(codes(&citizen, Kind::Timestamp).contains(&"extension-criticality"));
}

#[test]
fn a_citizen_without_identity_policy_or_addresses_is_found() {
    assert!(
        found(|template| template.subject = institution("Someone")).contains(&"subject-identity")
    );
    assert!(found(|template| template.profile.policy = None).contains(&"extension-missing"));
    let codes = found(|template| template.profile.addresses = Addresses::default());
    assert!(
        codes.contains(&"extension-missing") && codes.contains(&"addresses"),
        "{codes:?}"
    );
    assert!(found(|template| template.profile.addresses.ocsp = None).contains(&"addresses"));
}

#[test]
fn a_certificate_that_names_itself_or_no_issuers_key_is_found() {
    assert!(
        found(|template| template.issuer.name = citizen_name()).contains(&"issuer-and-subject")
    );
    assert!(
        found(|template| template.issuer.key_identifier.clear())
            .contains(&"authority-key-identifier")
    );
    let mut root = template();
    root.profile = Profile::root();
    root.issuer = Issuer::itself(&root.subject, &root.public_key);
    assert_eq!(codes(&root, Kind::Root), ["subject-identity"]);
}

#[test]
fn names_by_others_are_judged_as_written() {
    // CN decomposed, then UID, then C in lower case as UTF8String: all things our own encoder refuses.
    let element = |tag: u8, value: &[u8]| [&[tag, value.len() as u8][..], value].concat();
    let attribute = |oid: &[u8], tag: u8, text: &str| {
        let pair = [element(6, oid), element(tag, text.as_bytes())].concat();
        element(0x31, &element(0x30, &pair))
    };
    let uid = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1];
    let names = [
        attribute(&[0x55, 4, 6], 12, "vn"),
        attribute(&[0x55, 4, 3], 12, "Nguye\u{302}\u{303}n"),
        attribute(&[0x55, 4, 3], 12, "Again"),
        attribute(&uid, 12, "CCCD:07920000001"),
    ]
    .concat();
    let subject = Name::from_der(&element(0x30, &names)).unwrap();
    assert_eq!(
        found(|template| template.subject = subject.clone()),
        [
            "name-string-type",
            "name-value",
            "name-repeated",
            "subject-identity"
        ]
    );
}

#[test]
fn findings_name_nobody() {
    let mut template = template();
    template.not_after += 5000 * DAY;
    template.profile.policy = None;
    let tbs = certificate::prepare(&template).unwrap();
    let findings = format!("{:?}", lint(&tbs, Kind::Seal));
    assert!(
        !findings.contains("Ánh") && !findings.contains("079200000001"),
        "{findings}"
    );
}

#[test]
fn bytes_that_are_no_certificate_are_one_finding() {
    for octets in [&b""[..], b"\x30\x00", b"garbage"] {
        let findings = lint(octets, Kind::Citizen);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, "unreadable");
    }
    let mut der = ec_authority().citizen.as_der().to_vec();
    // The outer algorithm is the last ecdsa-with-SHA384 in the octets.
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let place = der.windows(8).rposition(|octets| octets == oid).unwrap();
    der[place + 7] = 2;
    assert_eq!(
        lint_certificate(&der, Kind::Citizen)[0].code,
        "algorithms-differ"
    );
    assert_eq!(
        ec_authority().root_key.public.algorithm(),
        KeyAlgorithm::P384
    );
}
