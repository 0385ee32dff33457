//! Shapes that several operations share on the wire, and the encodings of bytes in JSON.
//!
//! Keys, signatures and statements are base64url without padding (RFC 4648, section 5); documents, which other
//! people's programs make, are ordinary base64; digests are lower-case hex.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kyso_keystore::{DeviceKey, DeviceKind, DeviceSignature, SealedPin};
use kyso_pki::algorithm::{Digest, DigestAlgorithm};
use kyso_signing::request::{RequestView, channel_word};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Decodes base64url; the error names the field.
pub fn from_base64url(field: &'static str, text: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Problem::new("body-malformed").with_field(field, "not-base64url"))
}

/// Encodes base64url without padding.
pub fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes ordinary base64, white space ignored; the error names the field.
pub fn from_base64(field: &str, text: &str) -> Result<Vec<u8>, Problem> {
    let refuse = |_| Problem::new("body-malformed").with_field(field, "not-base64");
    if text.bytes().any(|b| b.is_ascii_whitespace()) {
        let compact: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        return STANDARD.decode(compact).map_err(refuse);
    }
    STANDARD.decode(text).map_err(refuse)
}

/// Encodes ordinary base64.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// An instant as RFC 3339 in UTC, from milliseconds since 1970.
pub fn to_instant(at: i64) -> String {
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    time::OffsetDateTime::from_unix_timestamp(at.div_euclid(1000))
        .ok()
        .and_then(|instant| instant.format(&format).ok())
        .unwrap_or_default()
}

/// How a phone signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKindWire {
    /// A non-extractable P-256 key of the browser.
    Webcrypto,
    /// A passkey with user verification.
    Webauthn,
}

/// A device's public key.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeyWire {
    /// How it signs.
    pub kind: DeviceKindWire,
    /// SubjectPublicKeyInfo of a P-256 key, base64url.
    pub public_key: String,
    /// Credential id of a passkey, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<String>,
}

/// A device's signature over a statement.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceSignatureWire {
    /// `webcrypto`: r ‖ s, 64 bytes; `webauthn`: DER. Base64url.
    pub signature: String,
    /// Passkey only: authenticator data, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_data: Option<String>,
    /// Passkey only: client data JSON, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_data_json: Option<String>,
}

/// A PIN sealed to the keystore's approval key (HPKE, RFC 9180); only the keystore can open it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedPinWire {
    /// The encapsulated key, base64url.
    pub enc: String,
    /// The ciphertext, base64url.
    pub ciphertext: String,
}

/// Who we are to a passkey: from the configuration, never from the phone.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    /// Host name.
    pub id: String,
    /// Scheme, host and port.
    pub origin: String,
}

impl RelyingParty {
    /// Ours, from the public address `https://ky.example.vn[:port]`.
    pub fn at(public_url: &str) -> Self {
        let origin = public_url.trim_end_matches('/').to_owned();
        let host = origin.split("://").nth(1).unwrap_or(&origin);
        let id = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Self {
            id: id.to_owned(),
            origin,
        }
    }
}

impl DeviceKeyWire {
    /// The key, with the relying party that is ours.
    pub fn read(&self, party: &RelyingParty) -> Result<DeviceKey, Problem> {
        let kind = match (self.kind, &self.credential_id) {
            (DeviceKindWire::Webcrypto, _) => DeviceKind::WebCrypto,
            (DeviceKindWire::Webauthn, Some(id)) => DeviceKind::WebAuthn {
                rp_id: party.id.clone(),
                origin: party.origin.clone(),
                credential_id: from_base64url("credential_id", id)?,
            },
            (DeviceKindWire::Webauthn, None) => {
                return Err(Problem::new("body-malformed").with_field("credential_id", "missing"));
            }
        };
        Ok(DeviceKey {
            kind,
            spki: from_base64url("public_key", &self.public_key)?,
        })
    }
}

impl DeviceSignatureWire {
    /// The signature: a passkey's when its data are there.
    pub fn read(&self) -> Result<DeviceSignature, Problem> {
        let signature = from_base64url("signature", &self.signature)?;
        match (&self.authenticator_data, &self.client_data_json) {
            (None, None) => Ok(DeviceSignature::WebCrypto { signature }),
            (Some(data), Some(json)) => Ok(DeviceSignature::WebAuthn {
                authenticator_data: from_base64url("authenticator_data", data)?,
                client_data_json: from_base64url("client_data_json", json)?,
                signature,
            }),
            (None, Some(_)) => {
                Err(Problem::new("body-malformed").with_field("authenticator_data", "missing"))
            }
            (Some(_), None) => {
                Err(Problem::new("body-malformed").with_field("client_data_json", "missing"))
            }
        }
    }
}

impl SealedPinWire {
    /// The sealed PIN as the keystore takes it.
    pub fn read(&self) -> Result<SealedPin, Problem> {
        Ok(SealedPin {
            enc: from_base64url("sealed_pin.enc", &self.enc)?,
            ciphertext: from_base64url("sealed_pin.ciphertext", &self.ciphertext)?,
        })
    }
}

/// A digest with its algorithm.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestWire {
    /// `sha-256`, `sha-384` or `sha-512`.
    pub algorithm: String,
    /// Lower-case hex.
    pub value: String,
}

impl DigestWire {
    /// The digest, its length checked against its algorithm.
    pub fn read(&self, field: &str) -> Result<Digest, Problem> {
        let refuse = || Problem::new("body-malformed").with_field(field, "not-a-digest");
        let algorithm: DigestAlgorithm = self.algorithm.parse().map_err(|_| refuse())?;
        let value = hex::decode(&self.value).map_err(|_| refuse())?;
        Digest::new(algorithm, value).map_err(|_| refuse())
    }

    /// As it goes out.
    pub fn write(digest: &Digest) -> Self {
        Self {
            algorithm: digest.algorithm().as_str().to_owned(),
            value: hex::encode(digest.value()),
        }
    }
}

/// One document of a signature request.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentWire {
    /// From 0.
    pub position: usize,
    /// As the portal named it.
    pub name: String,
    /// `pdf` or `digest`.
    pub format: &'static str,
    /// The portal's own name for it, shown on both screens (SmartCA requests).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_id: Option<String>,
    /// Size in bytes; 0 for a digest.
    pub bytes: i64,
    /// Pages, where they could be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<i64>,
    /// Digest of the very bytes the citizen sees.
    pub document_digest: DigestWire,
    /// What the citizen's key signs.
    pub to_be_signed: DigestWire,
    /// `previewed` when the phone can show it, `blind` when it cannot.
    pub preview: &'static str,
    /// The raw signature in base64, once signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A signature request.
#[derive(Debug, Serialize, ToSchema)]
pub struct RequestWire {
    /// `req_…`.
    pub id: String,
    /// `portal`, `acceptance` or `sp769`.
    pub kind: &'static str,
    /// `pending`, `approved`, `signed`, `delivered`, `refused`, `withdrawn`, `expired` or `failed`.
    pub state: &'static str,
    /// Id of the asking portal, or `provider`.
    pub portal: String,
    /// Name of the asking portal, from our register.
    pub portal_name: String,
    /// `cred_…`.
    pub credential: String,
    /// What the portal says it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the citizen's browser goes afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// The document code, for the eye: the same on both screens.
    pub code: String,
    /// Goes into the statement.
    pub nonce: String,
    /// Name of the signature algorithm.
    pub signature_algorithm: &'static str,
    /// The documents, in the order they are signed.
    pub documents: Vec<DocumentWire>,
    /// Its portal shows it on a screen, and the phone proves that it was in front of it (`…/opening`) before it approves.
    pub on_screen: bool,
    /// How it proved that: `qr`, `same-device` or `push`. The statement says the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'static str>,
    /// After a wrong PIN: tries left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<i64>,
    /// Stable code, when failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub expires_at: i64,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<i64>,
}

impl From<RequestView> for RequestWire {
    fn from(view: RequestView) -> Self {
        let documents = view.documents.iter().map(|document| DocumentWire {
            position: document.position,
            name: document.name.clone(),
            format: document.format.as_str(),
            doc_id: document.doc_id.clone(),
            bytes: document.byte_count,
            pages: document.page_count,
            document_digest: DigestWire::write(&document.document_digest),
            to_be_signed: DigestWire::write(&document.to_be_signed),
            preview: if document.previewed {
                "previewed"
            } else {
                "blind"
            },
            signature: document.signature.as_deref().map(to_base64),
        });
        Self {
            documents: documents.collect(),
            id: view.id.to_string(),
            kind: view.kind.as_str(),
            state: view.state.as_str(),
            portal: view.portal_word,
            portal_name: view.portal_name,
            credential: view.credential.to_string(),
            description: view.description,
            return_url: view.return_url,
            code: view.code,
            nonce: view.nonce,
            signature_algorithm: view.signature_algorithm.as_str(),
            on_screen: view.on_screen,
            channel: view.channel.map(channel_word),
            tries_left: view.tries_left,
            failure: view.failure,
            created_at: view.created_at,
            expires_at: view.expires_at,
            signed_at: view.signed_at,
        }
    }
}
