//! The device key a citizen approves with, and what counts as its signature.
//!
//! Two kinds: a P-256 key of the browser (Web Cryptography API, ECDSA with SHA-256, r ‖ s) and a passkey (Web
//! Authentication Level 2 §7.2, verifying an assertion, ES256). Both sign one statement; neither is ever used twice for
//! the same one, which the nonce, the request and the keystore's own memory see to.
//!
//! # Known issues
//! The WebAuthn signature counter is not kept: passkeys that are synchronised between phones report zero.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::public_key::PublicKey;
use serde::Deserialize;

use crate::activation::Refusal;

/// DER of SubjectPublicKeyInfo for P-256 up to the point (RFC 5480): the only form a device key may have.
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Web Authentication Level 2 §6.1: rpIdHash 32, flags 1, counter 4.
const AUTHENTICATOR_DATA_BYTES_MIN: usize = 37;
const FLAG_USER_PRESENT: u8 = 0x01;
const FLAG_USER_VERIFIED: u8 = 0x04;
const CLIENT_DATA_BYTES_MAX: usize = 8 * 1024;
const TEXT_BYTES_MAX: usize = 255;
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// How a device signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceKind {
    /// A non-extractable P-256 key of the browser (Web Cryptography): ES256 over the statement's bytes.
    WebCrypto,
    /// A passkey (WebAuthn level 2): an assertion with user verification, whose challenge is SHA-256 of the statement.
    WebAuthn {
        /// The relying party id, e.g. `ky.example.vn`.
        rp_id: String,
        /// The only origin accepted, e.g. `https://ky.example.vn`.
        origin: String,
        /// The credential id the browser knows the passkey by.
        credential_id: Vec<u8>,
    },
}

/// A device's public key: P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceKey {
    /// How it signs.
    pub kind: DeviceKind,
    /// DER SubjectPublicKeyInfo, uncompressed, 91 bytes.
    pub spki: Vec<u8>,
}

/// A device's signature over a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceSignature {
    /// As `crypto.subtle.sign` returns it.
    WebCrypto {
        /// r ‖ s, 64 bytes.
        signature: Vec<u8>,
    },
    /// As `navigator.credentials.get` returns it.
    WebAuthn {
        /// Authenticator data.
        authenticator_data: Vec<u8>,
        /// Client data, the browser's JSON bytes.
        client_data_json: Vec<u8>,
        /// DER ECDSA signature.
        signature: Vec<u8>,
    },
}

impl DeviceKey {
    /// Checks that the public key is one a device may have: P-256, in its one DER form, a point on the curve.
    pub fn check(&self) -> Result<(), Refusal> {
        let key = PublicKey::from_der(&self.spki)
            .map_err(|_| refuse("the device key is not a public key"))?;
        if key.algorithm() != KeyAlgorithm::P256 || self.point().is_none() {
            return Err(refuse("the device key is not an uncompressed P-256 key"));
        }
        if let DeviceKind::WebAuthn {
            rp_id,
            origin,
            credential_id,
        } = &self.kind
        {
            let texts_fit = [rp_id, origin]
                .iter()
                .all(|text| (1..=TEXT_BYTES_MAX).contains(&text.len()));
            if !texts_fit || !(1..=CREDENTIAL_ID_BYTES_MAX).contains(&credential_id.len()) {
                return Err(refuse(
                    "the passkey's relying party, origin or id has no usable length",
                ));
            }
        }
        Ok(())
    }

    /// Verifies the device's signature over `statement`.
    pub fn verify(&self, statement: &[u8], signature: &DeviceSignature) -> Result<(), Refusal> {
        match (&self.kind, signature) {
            (DeviceKind::WebCrypto, DeviceSignature::WebCrypto { signature }) => {
                self.verify_p256(&ECDSA_P256_SHA256_FIXED, statement, signature)
            }
            (
                DeviceKind::WebAuthn { rp_id, origin, .. },
                DeviceSignature::WebAuthn {
                    authenticator_data,
                    client_data_json,
                    signature,
                },
            ) => {
                check_client_data(client_data_json, statement, origin)?;
                check_authenticator_data(authenticator_data, rp_id)?;
                // §7.2 steps 19 and 20: the signature is over authData ‖ SHA-256(clientDataJSON).
                let mut signed = authenticator_data.clone();
                signed
                    .extend_from_slice(digest::digest(&digest::SHA256, client_data_json).as_ref());
                self.verify_p256(&ECDSA_P256_SHA256_ASN1, &signed, signature)
            }
            _ => Err(refuse("a signature of another kind of device")),
        }
    }

    fn verify_p256(
        &self,
        form: &'static EcdsaVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let point = self
            .point()
            .ok_or(refuse("the device key is not an uncompressed P-256 key"))?;
        UnparsedPublicKey::new(form, point)
            .verify(message, signature)
            .map_err(|_| refuse("it is not over these bytes"))
    }

    fn point(&self) -> Option<&[u8]> {
        p256_point(&self.spki)
    }
}

/// The uncompressed point inside a P-256 SubjectPublicKeyInfo of the one accepted form.
pub(crate) fn p256_point(spki: &[u8]) -> Option<&[u8]> {
    spki.strip_prefix(&P256_SPKI_PREFIX)
        .filter(|point| point.len() == 65 && point[0] == 4)
}

/// The client data a browser makes (Web Authentication Level 2 §5.8.1). Other members may follow.
#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// §7.2 steps 11 to 14, plus: never inside another site's frame.
fn check_client_data(
    client_data_json: &[u8],
    statement: &[u8],
    origin: &str,
) -> Result<(), Refusal> {
    if client_data_json.len() > CLIENT_DATA_BYTES_MAX {
        return Err(refuse("the client data is too long"));
    }
    let client_data: ClientData = serde_json::from_slice(client_data_json)
        .map_err(|_| refuse("the client data is not JSON of its kind"))?;
    if client_data.kind != "webauthn.get" {
        return Err(refuse("the client data is not of an assertion"));
    }
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, statement));
    if client_data.challenge != challenge {
        return Err(refuse("the challenge is not this statement"));
    }
    if client_data.origin != origin {
        return Err(refuse("the origin is another"));
    }
    if client_data.cross_origin {
        return Err(refuse("the assertion was made inside another site"));
    }
    Ok(())
}

/// §7.2 steps 15 to 17.
fn check_authenticator_data(authenticator_data: &[u8], rp_id: &str) -> Result<(), Refusal> {
    if authenticator_data.len() < AUTHENTICATOR_DATA_BYTES_MIN {
        return Err(refuse("the authenticator data is too short"));
    }
    if authenticator_data[..32] != *digest::digest(&digest::SHA256, rp_id.as_bytes()).as_ref() {
        return Err(refuse("the relying party is another"));
    }
    let flags = authenticator_data[32];
    if flags & FLAG_USER_PRESENT == 0 {
        return Err(refuse("nobody was present"));
    }
    if flags & FLAG_USER_VERIFIED == 0 {
        return Err(refuse("the user was not verified"));
    }
    Ok(())
}

fn refuse(reason: &'static str) -> Refusal {
    Refusal::DeviceSignature { reason }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
        ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    };

    use super::*;

    const STATEMENT: &[u8] = b"a statement";
    const RP_ID: &str = "ky.example.vn";
    const ORIGIN: &str = "https://ky.example.vn";

    struct Passkey {
        pair: EcdsaKeyPair,
        device: DeviceKey,
    }

    fn passkey() -> Passkey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let device = DeviceKey {
            kind: DeviceKind::WebAuthn {
                rp_id: RP_ID.into(),
                origin: ORIGIN.into(),
                credential_id: vec![1],
            },
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        Passkey { pair, device }
    }

    fn client_data(kind: &str, statement: &[u8], origin: &str, tail: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, statement));
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{tail}}}"#)
            .into_bytes()
    }

    fn authenticator_data(rp_id: &str, flags: u8) -> Vec<u8> {
        let mut data = digest::digest(&digest::SHA256, rp_id.as_bytes())
            .as_ref()
            .to_vec();
        data.push(flags);
        data.extend([0, 0, 0, 9]);
        data
    }

    impl Passkey {
        fn assert(
            &self,
            authenticator_data: Vec<u8>,
            client_data_json: Vec<u8>,
        ) -> Result<(), Refusal> {
            let mut signed = authenticator_data.clone();
            signed.extend_from_slice(digest::digest(&digest::SHA256, &client_data_json).as_ref());
            let signature = self
                .pair
                .sign(&SystemRandom::new(), &signed)
                .unwrap()
                .as_ref()
                .to_vec();
            let signature = DeviceSignature::WebAuthn {
                authenticator_data,
                client_data_json,
                signature,
            };
            self.device.verify(STATEMENT, &signature)
        }
    }

    #[test]
    fn a_passkey_assertion_over_the_statement_is_accepted() {
        let key = passkey();
        key.device.check().unwrap();
        key.assert(
            authenticator_data(RP_ID, 0x05),
            client_data("webauthn.get", STATEMENT, ORIGIN, ""),
        )
        .unwrap();
        // Browsers add members, and attested extensions lengthen the authenticator data.
        let mut longer = authenticator_data(RP_ID, 0x85);
        longer.extend([0xa0]);
        key.assert(
            longer,
            client_data(
                "webauthn.get",
                STATEMENT,
                ORIGIN,
                r#","crossOrigin":false,"x":1"#,
            ),
        )
        .unwrap();
    }

    #[test]
    fn every_wrong_part_of_an_assertion_is_refused() {
        let key = passkey();
        let good_data = || authenticator_data(RP_ID, 0x05);
        let good_client = || client_data("webauthn.get", STATEMENT, ORIGIN, "");
        let cases = [
            (
                good_data(),
                client_data("webauthn.create", STATEMENT, ORIGIN, ""),
            ),
            (
                good_data(),
                client_data("payment.get", STATEMENT, ORIGIN, ""),
            ),
            (
                good_data(),
                client_data("webauthn.get", b"another statement", ORIGIN, ""),
            ),
            (
                good_data(),
                client_data("webauthn.get", STATEMENT, "https://evil.example", ""),
            ),
            (
                good_data(),
                client_data(
                    "webauthn.get",
                    STATEMENT,
                    "https://ky.example.vn.evil.example",
                    "",
                ),
            ),
            (
                good_data(),
                client_data("webauthn.get", STATEMENT, ORIGIN, r#","crossOrigin":true"#),
            ),
            (good_data(), b"not json".to_vec()),
            (good_data(), vec![b' '; CLIENT_DATA_BYTES_MAX + 1]),
            (authenticator_data("evil.example", 0x05), good_client()),
            (authenticator_data(RP_ID, 0x04), good_client()),
            (authenticator_data(RP_ID, 0x01), good_client()),
            (authenticator_data(RP_ID, 0x00), good_client()),
            (good_data()[..36].to_vec(), good_client()),
            (Vec::new(), good_client()),
        ];
        for (index, (data, client)) in cases.into_iter().enumerate() {
            assert!(
                matches!(
                    key.assert(data, client),
                    Err(Refusal::DeviceSignature { .. })
                ),
                "case {index}"
            );
        }
        let other = passkey();
        let mut stolen = passkey();
        stolen.device = other.device;
        assert!(
            stolen.assert(good_data(), good_client()).is_err(),
            "a signature of another passkey"
        );
    }

    #[test]
    fn a_browser_signature_is_r_and_s_and_nothing_else() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        let device = DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki,
        };
        device.check().unwrap();
        let raw = pair
            .sign(&SystemRandom::new(), STATEMENT)
            .unwrap()
            .as_ref()
            .to_vec();
        let verify = |signature: Vec<u8>| {
            device.verify(STATEMENT, &DeviceSignature::WebCrypto { signature })
        };
        assert_eq!(raw.len(), 64);
        verify(raw.clone()).unwrap();
        let mut flipped = raw.clone();
        flipped[40] ^= 1;
        assert!(verify(flipped).is_err());
        assert!(verify(raw[..63].to_vec()).is_err());
        assert!(verify(Vec::new()).is_err());
        assert!(verify(vec![0; 64]).is_err());
        assert!(
            device
                .verify(
                    b"another",
                    &DeviceSignature::WebCrypto {
                        signature: raw.clone()
                    }
                )
                .is_err()
        );
        let webauthn = DeviceSignature::WebAuthn {
            authenticator_data: vec![],
            client_data_json: vec![],
            signature: raw,
        };
        assert!(
            device.verify(STATEMENT, &webauthn).is_err(),
            "kinds do not mix"
        );
    }

    #[test]
    fn a_device_key_must_be_p256_in_its_one_form() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        let p384 = pair.public_key().as_der().unwrap().as_ref().to_vec();
        let good = passkey().device.spki;
        let mut off_curve = good.clone();
        off_curve[90] ^= 1;
        let mut trailing = good.clone();
        trailing.push(0);
        for spki in [p384, off_curve, trailing, good[..90].to_vec(), Vec::new()] {
            assert!(
                DeviceKey {
                    kind: DeviceKind::WebCrypto,
                    spki
                }
                .check()
                .is_err()
            );
        }
        let kind = DeviceKind::WebAuthn {
            rp_id: String::new(),
            origin: ORIGIN.into(),
            credential_id: vec![1],
        };
        assert!(DeviceKey { kind, spki: good }.check().is_err());
    }
}
