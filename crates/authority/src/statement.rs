//! What the institution states about itself to clients that were given its root: a compact JWS (RFC 7515) by its seal.
//!
//! The header carries the seal's certificate and what leads from it to the root, root last (`x5c`, RFC 7515 4.1.6), and the
//! type of the statement (`typ`), so that a signature is good for one type only. Anybody can have a citizen sign a digest:
//! a client takes only the seal for the institution, whose certificate has the issuer's O and no UID.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kyso_keystore::{Keystore, Role};
use kyso_pki::algorithm::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::{Authority, Error, Result};

impl Authority {
    /// `payload` as a compact JWS of this type by the seal in use.
    ///
    /// # Errors
    /// [`Error::NoServiceKey`] before a ceremony; the keystore's.
    pub async fn sign_statement(
        &self,
        keys: &Keystore,
        kind: &str,
        payload: &Value,
    ) -> Result<String> {
        let seal = self.seal_certificate().await?;
        let certificate = seal
            .certificate
            .ok_or(Error::NoServiceKey { role: Role::Seal })?;
        let mut chain = vec![certificate];
        chain.extend(self.chain().await?);
        let chain: Vec<String> = chain
            .iter()
            .map(|certificate| STANDARD.encode(certificate.as_der()))
            .collect();
        let algorithm = SignatureAlgorithm::default_for(seal.public_key.algorithm());
        let header = json!({ "alg": name(algorithm), "typ": kind, "x5c": chain });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(payload));
        let mut signature = self
            .sign(keys, &seal.label, algorithm, input.as_bytes())
            .await?;
        if !seal.public_key.algorithm().is_rsa() {
            signature = seal.public_key.fixed_signature(&signature)?;
        }
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// RFC 7518 3.1.
const fn name(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm {
        SignatureAlgorithm::RsaPkcs1Sha256 => "RS256",
        SignatureAlgorithm::RsaPkcs1Sha384 => "RS384",
        SignatureAlgorithm::RsaPkcs1Sha512 => "RS512",
        SignatureAlgorithm::RsaPssSha256 => "PS256",
        SignatureAlgorithm::RsaPssSha384 => "PS384",
        SignatureAlgorithm::RsaPssSha512 => "PS512",
        SignatureAlgorithm::EcdsaSha256 => "ES256",
        SignatureAlgorithm::EcdsaSha384 => "ES384",
    }
}
