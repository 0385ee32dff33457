//! An institution of the test's own, written octet by octet: a root, an issuing authority, a seal, and a citizen.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kyso_phone::DeviceKey;
use serde_json::{Value, json};

pub const KIND: &str = "kyso.approval-key.v1";
const PROVIDER: &str = "Nhà cung cấp thử";
/// Bits of KeyUsage, in DER.
const CONTENT_COMMITMENT: [u8; 2] = [6, 0x40];
const DIGITAL_SIGNATURE: [u8; 2] = [7, 0x80];
const CERT_SIGN: [u8; 2] = [2, 0x04];

/// Somebody with a key and a certificate, and who is above them.
pub struct Party {
    pkcs8: Vec<u8>,
    name: Vec<u8>,
    pub chain: Vec<Vec<u8>>,
}

pub struct Institution {
    pub root: [u8; 32],
    pub seal: Party,
    /// Has O, as whoever once issues for an organisation's people may give them, and a UID, as all have.
    pub citizen: Party,
    pub responder: Party,
}

impl Institution {
    pub fn new() -> Self {
        let root = Party::new("Root", None, None, CERT_SIGN);
        let issuing = Party::new("Issuing", None, Some(&root), CERT_SIGN);
        let uid = Some("CCCD:079200000001");
        let below = |name, uid, usage| Party::new(name, uid, Some(&issuing), usage);
        Self {
            root: digest(&SHA256, &root.chain[0]).as_ref().try_into().unwrap(),
            seal: below("Seal", None, CONTENT_COMMITMENT),
            citizen: below("Citizen", uid, CONTENT_COMMITMENT),
            responder: below("OCSP", None, DIGITAL_SIGNATURE),
        }
    }

    /// What an honest server serves.
    pub fn approval_key(&self) -> String {
        self.seal.states(KIND, &payload(now()))
    }
}

/// A statement of this age about a new key.
pub fn payload(issued_at: i64) -> Value {
    let key = DeviceKey::generate().unwrap();
    json!({
        "type": KIND, "key_id": "k", "public_key": URL_SAFE_NO_PAD.encode(key.spki()),
        "backend": "software", "issued_at": issued_at,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the phone looks at its clock, too"
)]
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis().try_into().unwrap()
}

impl Party {
    fn new(name: &str, uid: Option<&str>, issuer: Option<&Party>, usage: [u8; 2]) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let mut party = Self {
            pkcs8: pkcs8.unwrap().as_ref().to_vec(),
            name: name_of(name, uid),
            chain: Vec::new(),
        };
        let signer = issuer.unwrap_or(&party);
        let certificate = certificate(&party, signer, usage);
        let above = issuer.map_or(&[][..], |issuer| &issuer.chain);
        party.chain = [&[certificate], above].concat();
        party
    }

    /// A JWS by this party's key under its certificate, ES256.
    pub fn states(&self, kind: &str, payload: &Value) -> String {
        let x5c: Vec<String> = self.chain.iter().map(|der| STANDARD.encode(der)).collect();
        let header = json!({ "alg": "ES256", "typ": kind, "x5c": x5c });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(payload));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).unwrap();
        let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn pair(&self) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8).unwrap()
    }
}

/// RFC 5280 4.1, with keyUsage and basicConstraints.
fn certificate(subject: &Party, issuer: &Party, usage: [u8; 2]) -> Vec<u8> {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::KeyPair;
    let algorithm = sequence(&[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let pair = subject.pair();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let is_authority: &[u8] = if usage == CERT_SIGN {
        &[1, 1, 0xff]
    } else {
        &[]
    };
    let extension = |last, value: &[u8]| sequence(&[&[6, 3, 0x55, 0x1d, last], &wrap(4, &[value])]);
    let extensions = sequence(&[
        &extension(15, &[3, 2, usage[0], usage[1]]),
        &extension(19, &sequence(&[is_authority])),
    ]);
    let to_be_signed = sequence(&[
        &[0xa0, 3, 2, 1, 2, 2, 1, 1],
        &algorithm,
        &issuer.name,
        &sequence(&[
            &wrap(23, &[b"200101000000Z"]),
            &wrap(23, &[b"490101000000Z"]),
        ]),
        &subject.name,
        spki.as_ref(),
        &wrap(0xa3, &[&extensions]),
    ]);
    let signature = issuer
        .pair()
        .sign(&SystemRandom::new(), &to_be_signed)
        .unwrap();
    sequence(&[
        &to_be_signed,
        &algorithm,
        &wrap(3, &[&[0], signature.as_ref()]),
    ])
}

fn name_of(common: &str, uid: Option<&str>) -> Vec<u8> {
    let part = |oid: &[u8], text: &str| {
        let text = wrap(12, &[text.as_bytes()]);
        wrap(0x31, &[&sequence(&[&wrap(6, &[oid]), &text])])
    };
    let uid = uid.map(|uid| part(&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], uid));
    let organisation = part(&[0x55, 4, 10], PROVIDER);
    sequence(&[
        &organisation,
        &part(&[0x55, 4, 3], common),
        &uid.unwrap_or_default(),
    ])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    wrap(0x30, parts)
}

fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content].concat()
}
