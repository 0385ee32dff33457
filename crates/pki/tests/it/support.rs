//! A small invented authority with throw-away keys. Private keys exist in tests only.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as aws, EcdsaKeyPair, KeyPair, RsaKeyPair};
use kyso_pki::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{self, Certificate, Issuer, Serial, Template};
use kyso_pki::crl::{self, Crl, Entry};
use kyso_pki::name::{Name, SubjectName};
use kyso_pki::ocsp::{self, Answer, Response, ResponseTemplate};
use kyso_pki::profile::{Addresses, Policy, Profile};
use kyso_pki::public_key::PublicKey;

/// 2026-11-22 00:00:00 UTC.
pub const NOW: i64 = 1_795_305_600_000;
pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;
pub const POLICY: &str = "1.3.6.1.4.1.99999.1.1";

pub struct Key {
    pair: Pair,
    pub public: PublicKey,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(Box<EcdsaKeyPair>),
}

impl Key {
    pub fn new(algorithm: KeyAlgorithm) -> Key {
        let (pair, der) = match algorithm {
            KeyAlgorithm::P256 => ec(&aws::ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::P384 => ec(&aws::ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096),
        };
        let public = PublicKey::from_der(&der).unwrap();
        assert_eq!(public.algorithm(), algorithm);
        Key { pair, public }
    }

    pub fn default_algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::default_for(self.public.algorithm())
    }

    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding(algorithm), &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        };
        self.public.verify(algorithm, message, &signature).unwrap();
        signature
    }
}

fn encoding(algorithm: SignatureAlgorithm) -> &'static dyn aws::RsaEncoding {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1Sha256 => &aws::RSA_PKCS1_SHA256,
        SignatureAlgorithm::RsaPkcs1Sha384 => &aws::RSA_PKCS1_SHA384,
        SignatureAlgorithm::RsaPkcs1Sha512 => &aws::RSA_PKCS1_SHA512,
        SignatureAlgorithm::RsaPssSha256 => &aws::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPssSha384 => &aws::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPssSha512 => &aws::RSA_PSS_SHA512,
        ecdsa => panic!("{ecdsa} is no RSA encoding"),
    }
}

fn rsa(size: KeySize) -> (Pair, Vec<u8>) {
    let pair = RsaKeyPair::generate(size).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let der = der.as_ref().to_vec();
    (Pair::Rsa(pair), der)
}

fn ec(algorithm: &'static aws::EcdsaSigningAlgorithm) -> (Pair, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let der = der.as_ref().to_vec();
    (Pair::Ec(Box::new(pair)), der)
}

/// Root, issuing authority, responder and one citizen.
pub struct Authority {
    pub root_key: Key,
    pub root: Certificate,
    pub issuing_key: Key,
    pub issuing: Certificate,
    pub responder_key: Key,
    pub responder: Certificate,
    pub citizen_key: Key,
    pub citizen: Certificate,
}

/// One with RSA keys: made once, since they take a while.
pub fn rsa_authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyAlgorithm::Rsa3072, KeyAlgorithm::Rsa2048))
}

/// One with EC keys: P-384 above, P-256 below.
pub fn ec_authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new(KeyAlgorithm::P384, KeyAlgorithm::P256))
}

impl Authority {
    pub fn new(above: KeyAlgorithm, below: KeyAlgorithm) -> Authority {
        let root_key = Key::new(above);
        let root_name = institution("Kyso Test Root");
        let template = Template {
            serial: serial(1),
            issuer: Issuer::itself(&root_name, &root_key.public),
            subject: root_name,
            not_before: NOW - 365 * DAY,
            not_after: NOW + 20 * 365 * DAY,
            public_key: root_key.public.clone(),
            profile: Profile::root(),
            signature_algorithm: root_key.default_algorithm(),
        };
        let root = issue(&template, &root_key);

        let issuing_key = Key::new(above);
        let mut template = Template {
            serial: serial(2),
            issuer: Issuer::of(&root).unwrap(),
            subject: institution("Kyso Test Issuing"),
            not_before: NOW - 100 * DAY,
            not_after: NOW + 5 * 365 * DAY,
            public_key: issuing_key.public.clone(),
            profile: Profile::issuing(None, addresses("root")),
            signature_algorithm: root_key.default_algorithm(),
        };
        let issuing = issue(&template, &root_key);

        let responder_key = Key::new(KeyAlgorithm::P256);
        template = Template {
            serial: serial(3),
            issuer: Issuer::of(&issuing).unwrap(),
            subject: institution("Kyso Test Responder"),
            not_before: NOW - 10 * DAY,
            not_after: NOW + 300 * DAY,
            public_key: responder_key.public.clone(),
            profile: Profile::ocsp(addresses("issuing")),
            signature_algorithm: issuing_key.default_algorithm(),
        };
        let responder = issue(&template, &issuing_key);

        let citizen_key = Key::new(below);
        let template = citizen_template(&issuing, &citizen_key, issuing_key.default_algorithm());
        let citizen = issue(&template, &issuing_key);
        Authority {
            root_key,
            root,
            issuing_key,
            issuing,
            responder_key,
            responder,
            citizen_key,
            citizen,
        }
    }

    pub fn chain(&self) -> Vec<Certificate> {
        vec![self.issuing.clone(), self.root.clone()]
    }

    pub fn crl(&self, number: u64, entries: &[Entry]) -> Crl {
        make_crl(&self.issuing, &self.issuing_key, number, entries)
    }

    pub fn root_crl(&self) -> Crl {
        make_crl(&self.root, &self.root_key, 1, &[])
    }

    pub fn answer(&self, answers: Vec<Answer>, nonce: Option<Vec<u8>>) -> Response {
        let template = ResponseTemplate {
            responder: &self.responder,
            produced_at: NOW,
            answers,
            nonce,
        };
        let tbs = ocsp::prepare(&template).unwrap();
        let algorithm = self.responder_key.default_algorithm();
        let signature = self.responder_key.sign(algorithm, &tbs);
        let der = ocsp::assemble(&tbs, algorithm, &signature, &self.responder).unwrap();
        let response = Response::from_der(&der).unwrap();
        response.verify(&self.issuing).unwrap();
        response
    }
}

pub fn citizen_template(
    issuing: &Certificate,
    key: &Key,
    signature_algorithm: SignatureAlgorithm,
) -> Template {
    Template {
        serial: serial(4),
        issuer: Issuer::of(issuing).unwrap(),
        subject: citizen_name(),
        not_before: NOW - DAY,
        not_after: NOW + 365 * DAY,
        public_key: key.public.clone(),
        profile: Profile::citizen(policy(), addresses("issuing")),
        signature_algorithm,
    }
}

pub fn issue(template: &Template, issuer: &Key) -> Certificate {
    let tbs = certificate::prepare(template).unwrap();
    let findings = kyso_pki::lint::lint(&tbs, template.profile.kind);
    assert_eq!(findings, [], "the profile must pass its own lint");
    let signature = issuer.sign(template.signature_algorithm, &tbs);
    let der = certificate::assemble(&tbs, template.signature_algorithm, &signature).unwrap();
    let certificate = Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.to_be_signed(), tbs);
    certificate
}

pub fn make_crl(issuer: &Certificate, key: &Key, number: u64, entries: &[Entry]) -> Crl {
    let algorithm = key.default_algorithm();
    let of = Issuer::of(issuer).unwrap();
    let tbs = crl::prepare(&of, algorithm, number, NOW, NOW + DAY, entries).unwrap();
    let der = crl::assemble(&tbs, algorithm, &key.sign(algorithm, &tbs)).unwrap();
    Crl::from_der(&der).unwrap()
}

/// Sixteen octets that look random and differ by `number`.
pub fn serial(number: u8) -> Serial {
    let mut octets = *b"\x12\x9a\x3c\xf0\x55\x81\x07\xbe\xd4\x6f\x28\xe3\x90\x1b\x77\x00";
    octets[15] = number;
    Serial::from_random(octets)
}

pub fn citizen_name() -> Name {
    SubjectName {
        country: "VN".into(),
        province: Some("Thành phố Hồ Chí Minh".into()),
        commune: Some("Phường Vườn Lài".into()),
        common_name: "Nguyễn Thị Minh Ánh".into(),
        identity: Some("CCCD:079200000001".into()),
        ..SubjectName::default()
    }
    .encode()
    .unwrap()
}

pub fn institution(common_name: &str) -> Name {
    SubjectName {
        country: "VN".into(),
        organization: Some("Công ty Ký số Thử nghiệm".into()),
        common_name: common_name.into(),
        ..SubjectName::default()
    }
    .encode()
    .unwrap()
}

pub fn policy() -> Policy {
    Policy::new(
        POLICY,
        Some("https://kyso.example.vn/cps"),
        Some("Chứng thư số dùng để ký tài liệu; trách nhiệm theo quy chế chứng thực."),
    )
    .unwrap()
}

pub fn addresses(issuer: &str) -> Addresses {
    Addresses {
        issuer_certificate: Some(format!("http://kyso.example.vn/ca/{issuer}.cer")),
        ocsp: Some("http://kyso.example.vn/ocsp".into()),
        crl: Some(format!("http://kyso.example.vn/crl/{issuer}.crl")),
    }
}
