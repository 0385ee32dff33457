//! Whether an approval key is the institution's: whoever serves it may serve a key of their own.
//!
//! It comes as a compact JWS (RFC 7515), `x5c` from the provider's seal up to a root, and the phone knows the SHA-256 of
//! that root from elsewhere. Citizens hang under the same root and sign digests that portals choose, so the leaf must be
//! the seal: it has the issuer's organisation (O) in its name and no UID, which every citizen has, and is for
//! contentCommitment, which the provider's OCSP responder and time-stamp unit are not. Its revocation is not looked up.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

/// Type of the statement, in the header and in the payload.
const APPROVAL_KEY: &str = "kyso.approval-key.v1";
/// How old a statement may be; it is renewed every hour.
const AGE_MAX_MS: i64 = 7 * 86_400_000;
/// How far ahead of the phone's clock it may be.
const AHEAD_MAX_MS: i64 = 86_400_000;
/// Longest chain that is looked at.
const CHAIN_MAX: usize = 8;

const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const UID: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1");

/// SHA-256 of the last certificate of a chain in PEM, its root, as the record of the ceremony prints it.
pub fn fingerprint(chain: &str) -> Option<[u8; 32]> {
    let chain = Certificate::load_pem_chain(chain.as_bytes()).ok()?;
    let der = chain.last()?.to_der().ok()?;
    digest(&SHA256, &der).as_ref().try_into().ok()
}

/// SubjectPublicKeyInfo of the approval key that the institution under `root` states at `now` (ms since 1970), or what is wrong.
pub fn approval_key(jws: &str, root: &[u8; 32], now: i64) -> Result<Vec<u8>, &'static str> {
    let malformed = "the approval key is not signed";
    let (input, signature) = jws.rsplit_once('.').ok_or(malformed)?;
    let (header, payload) = input.split_once('.').ok_or(malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed)?;
    let header = json(header).ok_or(malformed)?;
    let payload = json(payload).ok_or(malformed)?;

    if header["typ"] != APPROVAL_KEY || !header["crit"].is_null() || payload["type"] != APPROVAL_KEY
    {
        return Err("what is signed is not an approval key");
    }
    let chain = certificates(&header["x5c"]).ok_or("the approval key has no usable chain")?;
    let issued_at = payload["issued_at"].as_i64().ok_or(malformed)?;
    check_chain(&chain, root, issued_at)?;
    if !is_seal(&chain) {
        return Err("the approval key is not signed by the provider's seal");
    }
    let algorithm: &'static dyn VerificationAlgorithm = match header["alg"].as_str() {
        Some("ES256") => &ECDSA_P256_SHA256_FIXED,
        Some("ES384") => &ECDSA_P384_SHA384_FIXED,
        Some("RS256") => &RSA_PKCS1_2048_8192_SHA256,
        Some("RS384") => &RSA_PKCS1_2048_8192_SHA384,
        _ => return Err("the approval key is signed by an algorithm the phone does not know"),
    };
    if !verifies(&chain[0], algorithm, input.as_bytes(), &signature) {
        return Err("the signature on the approval key is wrong");
    }
    if !(now - AGE_MAX_MS..=now + AHEAD_MAX_MS).contains(&issued_at) {
        return Err("the approval key was not signed lately");
    }
    let spki = payload["public_key"].as_str().ok_or(malformed)?;
    URL_SAFE_NO_PAD.decode(spki).map_err(|_| malformed)
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// Seal first, root last; two at least.
fn certificates(x5c: &Value) -> Option<Vec<Certificate>> {
    let x5c = x5c.as_array()?;
    if !(2..=CHAIN_MAX).contains(&x5c.len()) {
        return None;
    }
    let read = |text: &Value| Certificate::from_der(&STANDARD.decode(text.as_str()?).ok()?).ok();
    x5c.iter().map(read).collect()
}

/// RFC 5280 6.1, as far as a chain of this provider needs it: names, signatures, authorities, validity, and the root.
fn check_chain(chain: &[Certificate], root: &[u8; 32], at: i64) -> Result<(), &'static str> {
    let is_root = chain
        .last()
        .and_then(|last| last.to_der().ok())
        .is_some_and(|der| digest(&SHA256, &der).as_ref() == root);
    if !is_root {
        return Err("the approval key is not from the institution whose root the phone knows");
    }
    if !chain
        .windows(2)
        .all(|pair| is_issued_by(&pair[0], &pair[1]))
    {
        return Err("the chain of the approval key does not hold");
    }
    if !chain.iter().all(|certificate| is_valid_at(certificate, at)) {
        return Err("a certificate was not valid when the approval key was signed");
    }
    Ok(())
}

fn is_issued_by(subject: &Certificate, issuer: &Certificate) -> bool {
    let constraints = issuer.tbs_certificate().get_extension::<BasicConstraints>();
    let is_authority = matches!(constraints, Ok(Some((_, constraints))) if constraints.ca);
    let algorithm: &'static dyn VerificationAlgorithm =
        match subject.signature_algorithm().oid.to_string().as_str() {
            "1.2.840.113549.1.1.11" => &RSA_PKCS1_2048_8192_SHA256,
            "1.2.840.113549.1.1.12" => &RSA_PKCS1_2048_8192_SHA384,
            "1.2.840.10045.4.3.2" => &ECDSA_P256_SHA256_ASN1,
            "1.2.840.10045.4.3.3" => &ECDSA_P384_SHA384_ASN1,
            _ => return false,
        };
    let Ok(signed) = subject.tbs_certificate().to_der() else {
        return false;
    };
    is_authority
        && key_usage(issuer).is_some_and(|usage| usage.key_cert_sign())
        && subject.tbs_certificate().issuer() == issuer.tbs_certificate().subject()
        && verifies(issuer, algorithm, &signed, subject.signature().raw_bytes())
}

fn is_seal(chain: &[Certificate]) -> bool {
    let organisation = name_part(&chain[0], ORGANISATION);
    organisation.is_some()
        && organisation == name_part(&chain[1], ORGANISATION)
        && name_part(&chain[0], UID).is_none()
        && key_usage(&chain[0]).is_some_and(|usage| usage.non_repudiation())
}

fn is_valid_at(certificate: &Certificate, at: i64) -> bool {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
    u64::try_from(at.div_euclid(1000))
        .is_ok_and(|at| (seconds(validity.not_before)..=seconds(validity.not_after)).contains(&at))
}

fn name_part(certificate: &Certificate, oid: ObjectIdentifier) -> Option<&[u8]> {
    let mut parts = certificate.tbs_certificate().subject().iter();
    parts
        .find(|part| part.oid == oid)
        .map(|part| part.value.value())
}

fn key_usage(certificate: &Certificate) -> Option<KeyUsage> {
    let usage = certificate.tbs_certificate().get_extension::<KeyUsage>();
    usage.ok().flatten().map(|(_, usage)| usage)
}

fn verifies(
    signer: &Certificate,
    algorithm: &'static dyn VerificationAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = signer.tbs_certificate().subject_public_key_info();
    UnparsedPublicKey::new(algorithm, key.subject_public_key.raw_bytes())
        .verify(message, signature)
        .is_ok()
}
