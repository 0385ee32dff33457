//! An officer's console: shows the dossier it was given, checks the photos against it, and signs the approval.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::api::{Error, clock};
use crate::key::DeviceKey;
use crate::statement;

/// A console with the officer's key in it.
pub struct Console {
    key: DeviceKey,
    /// How far its clock is off, ms.
    pub clock_skew_ms: i64,
}

impl Console {
    /// A console with a new key.
    pub fn new() -> Result<Self, Error> {
        let key = DeviceKey::generate()?;
        Ok(Self {
            key,
            clock_skew_ms: 0,
        })
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn public_key(&self) -> &[u8] {
        self.key.spki()
    }

    /// The same as PEM (RFC 7468): what `kyso officer add --public-key` takes.
    pub fn public_key_pem(&self) -> String {
        let text = STANDARD.encode(self.key.spki());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .collect();
        let body = lines.join("\n");
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// What to post to `…/approval` for a dossier as `…/lock` answered it, after the officer has seen `photos`, each a kind
    /// and its bytes.
    ///
    /// # Errors
    /// [`Error::Unsafe`] for a dossier that cannot be read, or photos that are not the ones it names.
    pub fn approve(&self, dossier: &Value, photos: &[(&str, Vec<u8>)]) -> Result<Value, Error> {
        let canonical = dossier["canonical"].as_str().unwrap_or_default();
        let stated: Value = serde_json::from_str(canonical)
            .map_err(|_| Error::Unsafe("the dossier is not readable"))?;
        let shown: Vec<Value> = photos
            .iter()
            .map(|(kind, bytes)| json!({ "kind": kind, "sha256": hex::encode(digest(&SHA256, bytes)) }))
            .collect();
        if stated["evidence"] != Value::from(shown) {
            return Err(Error::Unsafe("these are not the photos of the dossier"));
        }
        let statement = statement::decision(
            &stated,
            canonical,
            &dossier["officer"],
            clock() + self.clock_skew_ms,
        );
        let signature = self.key.sign(&statement)?;
        Ok(json!({
            "statement": URL_SAFE_NO_PAD.encode(&statement),
            "signature": { "signature": URL_SAFE_NO_PAD.encode(signature) },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_signs_only_what_it_could_show() {
        let console = Console::new().unwrap();
        let photo = hex::encode(digest(&SHA256, b"photo"));
        let canonical = json!({ "enrolment": "enr_1", "round": 1, "evidence": [{ "kind": "front", "sha256": photo }] });
        let dossier = json!({ "canonical": canonical.to_string(), "officer": "ofc_1" });
        let seen = |bytes: &[u8]| [("front", bytes.to_vec())];
        assert!(console.approve(&dossier, &seen(b"photo")).is_ok());
        for refused in [
            console.approve(&dossier, &seen(b"another")),
            console.approve(&dossier, &[]),
            console.approve(&json!({}), &seen(b"photo")),
        ] {
            assert!(matches!(refused, Err(Error::Unsafe(_))));
        }
        assert_eq!(console.public_key_pem().lines().count(), 4);
    }
}
