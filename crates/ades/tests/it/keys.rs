//! A test authority (root → issuing → citizens) whose keys live for one run.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use aws_lc_rs::{encoding::AsDer, rsa::KeySize};
use kyso_ades::pades::Options;
use kyso_pki::algorithm::{KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::{self, Certificate, Issuer, Serial, Template};
use kyso_pki::name::SubjectName;
use kyso_pki::profile::{Addresses, Policy, Profile};
use kyso_pki::public_key::PublicKey;

/// Today, as far as these tests know: the judges look at their own clock, so certificates are valid around it.
pub static NOW: LazyLock<i64> = LazyLock::new(clock);

/// Milliseconds since 1970, for the judges' sake and for bounds on time.
pub fn clock() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

const DAY: i64 = 24 * 60 * 60 * 1000;

pub enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
}

impl Key {
    fn rsa() -> Key {
        Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn p256() -> Key {
        Key::P256(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn public_key(&self) -> PublicKey {
        match self {
            Key::Rsa(pair) => {
                PublicKey::from_der(pair.public_key().as_der().unwrap().as_ref()).unwrap()
            }
            Key::P256(pair) => {
                PublicKey::from_point(KeyAlgorithm::P256, pair.public_key().as_ref()).unwrap()
            }
        }
    }

    pub fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Key::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match algorithm {
                    SignatureAlgorithm::RsaPkcs1Sha256 => &signature::RSA_PKCS1_SHA256,
                    SignatureAlgorithm::RsaPkcs1Sha512 => &signature::RSA_PKCS1_SHA512,
                    SignatureAlgorithm::RsaPssSha256 => &signature::RSA_PSS_SHA256,
                    other => panic!("no test signs with {other:?}"),
                };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut out).unwrap();
                out
            }
        }
    }
}

pub struct Citizen {
    pub key: Key,
    pub certificate: Certificate,
}

pub struct Authority {
    pub root: Certificate,
    pub issuing: Certificate,
    pub rsa: Citizen,
    pub p256: Citizen,
}

pub static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let policy = Policy::new(
        "1.3.6.1.4.1.55555.1.1",
        Some("https://kyso.example/cps"),
        None,
    )
    .unwrap();
    let addresses = Addresses::default();
    let root_key = Key::p256();
    let root_name = organisation("Kyso Test Root");
    let root = issue(&root_key, None, root_name, &root_key, Profile::root(), 3650);
    let issuing_key = Key::rsa();
    let profile = Profile::issuing(Some(policy.clone()), addresses.clone());
    let issuing = issue(
        &root_key,
        Some(&root),
        organisation("Kyso Test Issuing"),
        &issuing_key,
        profile,
        1800,
    );
    let citizen = |key: Key, name: &str, number: &str| {
        let subject = SubjectName {
            country: "VN".to_owned(),
            province: Some("Thành phố Huế".to_owned()),
            commune: Some("Phường Thuận Hóa".to_owned()),
            organization: None,
            organizational_unit: None,
            common_name: name.to_owned(),
            identity: Some(format!("CCCD:{number}")),
        };
        let profile = Profile::citizen(policy.clone(), addresses.clone());
        let certificate = issue(&issuing_key, Some(&issuing), subject, &key, profile, 365);
        Citizen { key, certificate }
    };
    Authority {
        rsa: citizen(Key::rsa(), "Nguyễn Thị Mẫu Ánh", "079200000001"),
        p256: citizen(Key::p256(), "Đặng Văn Thử", "079200000002"),
        root,
        issuing,
    }
});

impl Citizen {
    pub fn options(&self, algorithm: SignatureAlgorithm) -> Options {
        Options::new(self.certificate.as_der().to_vec(), chain(), algorithm, *NOW)
    }
}

/// What goes into the CMS besides the signer.
pub fn chain() -> Vec<Vec<u8>> {
    vec![AUTHORITY.issuing.as_der().to_vec()]
}

fn organisation(name: &str) -> SubjectName {
    SubjectName {
        country: "VN".to_owned(),
        province: None,
        commune: None,
        organization: Some("Kyso Test".to_owned()),
        organizational_unit: None,
        common_name: name.to_owned(),
        identity: None,
    }
}

fn issue(
    issuer_key: &Key,
    issuer: Option<&Certificate>,
    subject: SubjectName,
    key: &Key,
    profile: Profile,
    days: i64,
) -> Certificate {
    let subject = subject.encode().unwrap();
    let algorithm = match issuer_key {
        Key::Rsa(_) => SignatureAlgorithm::RsaPkcs1Sha256,
        Key::P256(_) => SignatureAlgorithm::EcdsaSha256,
    };
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    let template = Template {
        serial: Serial::from_random(random),
        issuer: match issuer {
            Some(certificate) => Issuer::of(certificate).unwrap(),
            None => Issuer::itself(&subject, &key.public_key()),
        },
        subject,
        not_before: *NOW - DAY,
        not_after: *NOW - DAY + days * DAY,
        public_key: key.public_key(),
        profile,
        signature_algorithm: algorithm,
    };
    let tbs = certificate::prepare(&template).unwrap();
    let der = certificate::assemble(&tbs, algorithm, &issuer_key.sign(algorithm, &tbs)).unwrap();
    Certificate::from_der(der.as_ref()).unwrap()
}
