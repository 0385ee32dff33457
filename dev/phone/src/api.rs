//! The calls a phone makes, step by step, each answered by the server's own JSON.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder};
use serde::Serialize;
use serde_json::{Value, json};

use crate::key::{DeviceKey, point_of};
use crate::{hpke, institution, statement};

/// Why a step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused; `code` is stable, `document` is its whole problem document.
    #[error("{status} {code}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Stable code.
        code: String,
        /// The English sentence.
        message: String,
        /// The problem document.
        document: Value,
    },
    /// The answer did not come, or is no JSON.
    #[error("no usable answer")]
    Http(#[from] reqwest::Error),
    /// What was shown is not what would be signed: the phone does not sign.
    #[error("the phone refuses: {0}")]
    Unsafe(&'static str),
    /// The device's own cryptography failed.
    #[error("device cryptography failed")]
    Crypto(#[from] aws_lc_rs::error::Unspecified),
    /// The state awaited did not come.
    #[error("waited in vain for {0}")]
    Patience(&'static str),
}

/// Shorthand.
type Result<T, E = Error> = std::result::Result<T, E>;

/// HPKE info of a sealed PIN.
const PIN: &[u8] = b"kyso.pin.v1";
/// HPKE info of a PIN sealed together with the code of a first binding.
const PIN_AND_CODE: &[u8] = b"kyso.pin-and-code.v1";

/// A phone in somebody's hand.
pub struct Phone {
    client: reqwest::Client,
    base_url: String,
    root: [u8; 32],
    key: Arc<DeviceKey>,
    /// How far its clock is ahead of the machine's, ms: phones' clocks are wrong.
    pub clock_skew_ms: i64,
}

/// An enrolment under way: its id and the bearer token it was given.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// `enr_…`.
    pub id: String,
    /// Bearer token.
    pub token: String,
}

/// A session of the bound phone.
#[derive(Debug, Clone)]
pub struct Session {
    /// Bearer token.
    pub token: String,
    /// `cred_…`.
    pub credential: String,
}

/// What the owner types, exactly as on the card.
#[derive(Debug, Clone, Serialize)]
pub struct Owner {
    /// Full name.
    pub full_name: String,
    /// `cccd`.
    pub identity_kind: String,
    /// Twelve digits.
    pub identity_number: String,
    /// `yyyy-mm-dd`.
    pub issue_date: String,
    /// As printed.
    pub issue_place: String,
    /// `yyyy-mm-dd`.
    pub birth_date: String,
    /// `male` or `female`.
    pub sex: String,
    /// `VNM`.
    pub nationality: String,
    /// Ten digits.
    pub phone: String,
    /// Mail address.
    pub email: String,
    /// `{province_code, commune_code, detail}`.
    pub address: Value,
}

impl Owner {
    /// An invented person of Phường Vườn Lài; `n` (0 to 999,999) makes number, phone and mail address differ.
    pub fn invented(n: u32) -> Self {
        Self {
            full_name: "Nguyễn Thị Hồng Ánh".into(),
            identity_kind: "cccd".into(),
            identity_number: format!("079190{n:06}"),
            issue_date: "2022-05-20".into(),
            issue_place: "Cục Cảnh sát quản lý hành chính về trật tự xã hội".into(),
            birth_date: "1990-08-15".into(),
            sex: "female".into(),
            nationality: "VNM".into(),
            phone: format!("0903{n:06}"),
            email: format!("cong-dan-{n}@thu.example"),
            address: json!({
                "province_code": "79", "commune_code": "27190", "detail": "12 Đường Mẫu, Tổ 3"
            }),
        }
    }
}

impl Phone {
    /// A new phone with a new device key. `root` is the SHA-256 of the institution's root certificate, which whoever runs the
    /// server cannot choose: it stands in the record of the ceremony, and comes with the app or on paper.
    pub fn new(base_url: &str, root: [u8; 32]) -> Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self {
            client,
            base_url,
            root,
            key: Arc::new(DeviceKey::generate()?),
            clock_skew_ms: 0,
        })
    }

    /// The same phone, speaking to another node or to the server after a restart.
    pub fn at(&self, base_url: &str) -> Self {
        Self {
            client: self.client.clone(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            root: self.root,
            key: self.key.clone(),
            clock_skew_ms: self.clock_skew_ms,
        }
    }

    /// The same phone with another device key: reinstalled, or another phone.
    pub fn with_new_key(&self) -> Result<Self> {
        Self::new(&self.base_url, self.root)
    }

    // Enrolment.

    /// Begins an enrolment through a campaign.
    pub async fn enrol(&self, campaign: &str) -> Result<Enrolment> {
        let answer = self
            .post("/v1/enrolments", None, &json!({ "campaign": campaign }))
            .await?;
        Ok(Enrolment {
            id: text(&answer["enrolment"]["id"]),
            token: text(&answer["session"]),
        })
    }

    /// Asks to go on with an enrolment of this telephone number; answers with what the code is entered with.
    pub async fn ask_to_resume(&self, phone: &str) -> Result<Value> {
        self.post(
            "/v1/enrolment-resumptions",
            None,
            &json!({ "phone": phone }),
        )
        .await
    }

    /// Enters the code that came; the enrolment goes on here.
    pub async fn resume(&self, resumption: &str, code: &str, owner: &Owner) -> Result<Enrolment> {
        let path = format!("/v1/enrolment-resumptions/{resumption}/session");
        let body = json!({ "code": code, "identity_number": owner.identity_number });
        let answer = self.post(&path, None, &body).await?;
        Ok(Enrolment {
            id: text(&answer["enrolment"]["id"]),
            token: text(&answer["session"]),
        })
    }

    /// Where the enrolment stands.
    pub async fn enrolment(&self, enrolment: &Enrolment) -> Result<Value> {
        self.get(
            &format!("/v1/enrolments/{}", enrolment.id),
            &enrolment.token,
        )
        .await
    }

    /// Enters the owner's data.
    pub async fn put_owner(&self, enrolment: &Enrolment, owner: &Owner) -> Result<Value> {
        let path = format!("/v1/enrolments/{}/owner", enrolment.id);
        self.json(
            Method::PUT,
            &path,
            Some(&enrolment.token),
            &serde_json::to_value(owner).unwrap_or_default(),
        )
        .await
    }

    /// Pays, or confirms that nothing is due.
    pub async fn pay(&self, enrolment: &Enrolment) -> Result<Value> {
        self.step(enrolment, "payment", &json!({})).await
    }

    /// Asks for an activation code by `sms` or `email`.
    pub async fn ask_code(&self, enrolment: &Enrolment, channel: &str) -> Result<Value> {
        self.step(
            enrolment,
            "activation-codes",
            &json!({ "channel": channel }),
        )
        .await
    }

    /// Enters the code.
    pub async fn activate(&self, enrolment: &Enrolment, code: &str) -> Result<Value> {
        self.step(enrolment, "activation", &json!({ "code": code }))
            .await
    }

    /// Sends a photo: `front`, `back` or `face`.
    pub async fn put_photo(
        &self,
        enrolment: &Enrolment,
        kind: &str,
        image: Vec<u8>,
    ) -> Result<Value> {
        let path = format!("/v1/enrolments/{}/evidence/{kind}", enrolment.id);
        let request = self.request(Method::PUT, &path, Some(&enrolment.token));
        answer(request.header("content-type", "image/png").body(image)).await
    }

    /// The contract as PDF bytes.
    pub async fn contract(&self, enrolment: &Enrolment) -> Result<Vec<u8>> {
        self.bytes(
            &format!("/v1/enrolments/{}/contract", enrolment.id),
            &enrolment.token,
        )
        .await
    }

    /// Reads the contract, compares its digest with the one that is shown, and signs it by an explicit act.
    pub async fn sign_contract(&self, enrolment: &Enrolment) -> Result<Value> {
        let pdf = self.contract(enrolment).await?;
        let shown = self.enrolment(enrolment).await?;
        let contract = &shown["contract"];
        if contract["sha256"] != sha256_hex(&pdf) {
            return Err(Error::Unsafe(
                "the contract is not the one whose digest is shown",
            ));
        }
        let act = json!({ "sha256": contract["sha256"], "agreement": contract["agreement"] });
        self.step(enrolment, "contract/signature", &act).await
    }

    /// Hands the enrolment in.
    pub async fn submit(&self, enrolment: &Enrolment) -> Result<Value> {
        self.step(enrolment, "submission", &json!({})).await
    }

    /// Asks for a nonce; the code that goes with it is sent to the owner.
    pub async fn ask_device_code(&self, enrolment: &Enrolment) -> Result<Value> {
        self.step(enrolment, "device-challenges", &json!({})).await
    }

    /// Binds this phone and a PIN with the code that came for the challenge, and waits until the keystore has done it.
    pub async fn bind(
        &self,
        enrolment: &Enrolment,
        challenge: &Value,
        pin: &str,
        code: &str,
    ) -> Result<Value> {
        let spki = URL_SAFE_NO_PAD.encode(self.key.spki());
        let statement =
            statement::binding(&enrolment.id, &spki, &text(&challenge["nonce"]), self.now());
        let credential = text(&challenge["credential"]);
        let path = format!("/v1/approval-key?credential={credential}");
        let key = self.believed(&answer(self.request(Method::GET, &path, None)).await?)?;
        let body = json!({
            "statement": URL_SAFE_NO_PAD.encode(&statement),
            "device": self.device(),
            "signature": self.signature(&statement)?,
            "sealed_pin": seal(&key, PIN_AND_CODE, &format!("{pin}{code}"), &statement)?,
        });
        let path = format!("/v1/enrolments/{}/device", enrolment.id);
        self.json(Method::PUT, &path, Some(&enrolment.token), &body)
            .await?;
        self.wait_enrolment(enrolment, "the device to be bound", |shown| {
            shown["binding"].is_string() && shown["binding"] != "pending"
        })
        .await
    }

    /// Looks again until `done` says so, at most half a minute.
    pub async fn wait_enrolment(
        &self,
        enrolment: &Enrolment,
        what: &'static str,
        done: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        for _ in 0..600 {
            let shown = self.enrolment(enrolment).await?;
            if done(&shown) {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Error::Patience(what))
    }

    // The bound phone.

    /// Opens a session by the device key.
    pub async fn open_session(&self) -> Result<Session> {
        let challenge = self.post("/v1/device-challenges", None, &json!({})).await?;
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.key.spki()));
        let statement = statement::session(&thumbprint, &text(&challenge["nonce"]), self.now());
        let body = json!({
            "statement": URL_SAFE_NO_PAD.encode(&statement),
            "device": self.device(),
            "signature": self.signature(&statement)?,
        });
        let answer = self.post("/v1/device-sessions", None, &body).await?;
        Ok(Session {
            token: text(&answer["token"]),
            credential: text(&answer["credential"]),
        })
    }

    /// The credential this phone is bound to.
    pub async fn credential(&self, session: &Session) -> Result<Value> {
        self.get("/v1/citizen/credential", &session.token).await
    }

    /// What waits for this phone's owner and what ended lately.
    pub async fn requests(&self, session: &Session) -> Result<Vec<Value>> {
        let list = self
            .get("/v1/citizen/signature-requests", &session.token)
            .await?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// One request.
    pub async fn see(&self, session: &Session, request: &str) -> Result<Value> {
        self.get(
            &format!("/v1/citizen/signature-requests/{request}"),
            &session.token,
        )
        .await
    }

    /// The bytes of a document of a request.
    pub async fn document(
        &self,
        session: &Session,
        request: &str,
        position: usize,
    ) -> Result<Vec<u8>> {
        self.bytes(
            &format!("/v1/citizen/signature-requests/{request}/documents/{position}"),
            &session.token,
        )
        .await
    }

    /// Looks at every document, checks that its bytes are those of the statement, then approves with the PIN.
    pub async fn approve(&self, session: &Session, request: &str, pin: &str) -> Result<Value> {
        let shown = self.see(session, request).await?;
        self.check_documents(session, &shown).await?;
        let body = self.approval(session, &shown, pin).await?;
        self.send_approval(session, request, &body).await
    }

    /// The body of an approval for a request as it was shown; made apart so that a test can tamper with it.
    pub async fn approval(&self, session: &Session, shown: &Value, pin: &str) -> Result<Value> {
        let key = self.approval_key(session).await?;
        // As it was opened; what its owner found in the list came to the phone by itself.
        let channel = shown["channel"].as_str().unwrap_or("push");
        let statement = statement::approval(shown, channel, self.now());
        Ok(json!({
            "statement": URL_SAFE_NO_PAD.encode(&statement),
            "signature": self.signature(&statement)?,
            "sealed_pin": seal(&key, PIN, pin, &statement)?,
        }))
    }

    /// Says that the phone read a code on a portal's screen, or followed the link there: `proof` stands behind the `#`.
    pub async fn open(&self, session: &Session, request: &str, proof: &str) -> Result<Value> {
        let body = json!({ "proof": proof });
        self.send_opening(session, request, &body).await
    }

    /// Says which two digits its owner read there.
    pub async fn open_by_digits(
        &self,
        session: &Session,
        request: &str,
        digits: &str,
    ) -> Result<Value> {
        let body = json!({ "digits": digits });
        self.send_opening(session, request, &body).await
    }

    async fn send_opening(&self, session: &Session, request: &str, body: &Value) -> Result<Value> {
        let path = format!("/v1/citizen/signature-requests/{request}/opening");
        self.post(&path, Some(&session.token), body).await
    }

    /// Sends an approval as it is.
    pub async fn send_approval(
        &self,
        session: &Session,
        request: &str,
        body: &Value,
    ) -> Result<Value> {
        self.post(
            &format!("/v1/citizen/signature-requests/{request}/approval"),
            Some(&session.token),
            body,
        )
        .await
    }

    /// Refuses a request.
    pub async fn refuse(&self, session: &Session, request: &str, reason: &str) -> Result<Value> {
        let path = format!("/v1/citizen/signature-requests/{request}/refusal");
        self.post(&path, Some(&session.token), &json!({ "reason": reason }))
            .await
    }

    /// Locks the credential now.
    pub async fn lock(&self, session: &Session) -> Result<Value> {
        self.post(
            "/v1/citizen/credential/suspension",
            Some(&session.token),
            &json!({}),
        )
        .await
    }

    /// Chooses another PIN on this phone; how it ended.
    pub async fn change_pin(&self, session: &Session, current: &str, new: &str) -> Result<Value> {
        let body = self
            .change(session, self, "change-pin", current, new)
            .await?;
        self.send_change(session, &body).await
    }

    /// Has another phone bound in place of this one; how it ended. After that this phone's session is over.
    pub async fn change_device(
        &self,
        session: &Session,
        to: &Phone,
        current: &str,
        new: &str,
    ) -> Result<Value> {
        let body = self
            .change(session, to, "change-device", current, new)
            .await?;
        self.send_change(session, &body).await
    }

    /// The body of a change, made apart so that a test can tamper with it. The phone to be bound signs, and this one, which is in
    /// force, signs the same statement; two real phones pass it between them by QR code.
    pub async fn change(
        &self,
        session: &Session,
        to: &Phone,
        purpose: &str,
        current: &str,
        new: &str,
    ) -> Result<Value> {
        let challenge = self.post("/v1/device-challenges", None, &json!({})).await?;
        let spki = URL_SAFE_NO_PAD.encode(to.key.spki());
        let nonce = text(&challenge["nonce"]);
        let key = self.approval_key(session).await?;
        let statement = statement::change(purpose, &session.credential, &spki, &nonce, self.now());
        Ok(json!({
            "statement": URL_SAFE_NO_PAD.encode(&statement),
            "device": to.device(),
            "signature": to.signature(&statement)?,
            "sealed_pin": seal(&key, PIN, new, &statement)?,
            "current_pin": seal(&key, PIN, current, &statement)?,
            "consent": self.signature(&statement)?,
        }))
    }

    /// Sends a change as it is and waits until it has ended, or until this phone is not the one in force any more.
    pub async fn send_change(&self, session: &Session, body: &Value) -> Result<Value> {
        const BINDINGS: &str = "/v1/citizen/credential/bindings";
        let sent = self.post(BINDINGS, Some(&session.token), body).await?;
        let path = format!("{BINDINGS}/{}", text(&sent["id"]));
        for _ in 0..600 {
            let shown = match self.get(&path, &session.token).await {
                Err(Error::Refused { status: 401, .. }) => {
                    return Ok(json!({ "state": "bound", "device": sent["device"] }));
                }
                other => other?,
            };
            if shown["state"] != "pending" {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Error::Patience("the change"))
    }

    /// Looks again until the request is in one of `states`, at most half a minute.
    pub async fn wait_request(
        &self,
        session: &Session,
        request: &str,
        states: &[&str],
    ) -> Result<Value> {
        for _ in 0..600 {
            let shown = self.see(session, request).await?;
            if states.contains(&shown["state"].as_str().unwrap_or_default()) {
                return Ok(shown);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(Error::Patience("the request to move"))
    }

    /// What is shown is what is signed: downloads each document and compares its digest, then computes the document
    /// code from the digests instead of believing it. A document that cannot be shown must be said to be blind.
    async fn check_documents(&self, session: &Session, shown: &Value) -> Result<()> {
        let documents = shown["documents"]
            .as_array()
            .ok_or(Error::Unsafe("the request has no documents"))?;
        for (position, document) in documents.iter().enumerate() {
            if document["format"] != "pdf" {
                if document["preview"] != "blind" {
                    return Err(Error::Unsafe(
                        "a document that cannot be shown is not called blind",
                    ));
                }
                continue;
            }
            let bytes = self
                .document(session, &text(&shown["id"]), position)
                .await?;
            if document["document_digest"]["value"] != sha256_hex(&bytes) {
                return Err(Error::Unsafe(
                    "a document is not the one whose digest would be approved",
                ));
            }
        }
        if statement::document_code(shown).is_none_or(|code| shown["code"] != code) {
            return Err(Error::Unsafe(
                "the document code does not belong to these documents",
            ));
        }
        Ok(())
    }

    // The device's own cryptography.

    fn device(&self) -> Value {
        json!({ "kind": "webcrypto", "public_key": URL_SAFE_NO_PAD.encode(self.key.spki()) })
    }

    fn signature(&self, statement: &[u8]) -> Result<Value> {
        Ok(json!({ "signature": URL_SAFE_NO_PAD.encode(self.key.sign(statement)?) }))
    }

    /// The key (a point) that the keystore of the session's credential opens sealed PINs with.
    async fn approval_key(&self, session: &Session) -> Result<Vec<u8>> {
        let path = "/v1/citizen/credential/approval-key";
        self.believed(&self.get(path, &session.token).await?)
    }

    /// Of an approval key that was shown, only what the institution signed is believed.
    fn believed(&self, shown: &Value) -> Result<Vec<u8>> {
        let signed = text(&shown["signed"]);
        let spki = institution::approval_key(&signed, &self.root, self.now());
        let spki = spki.map_err(Error::Unsafe)?;
        let point = point_of(&spki).ok_or(Error::Unsafe("the approval key is not a P-256 key"))?;
        Ok(point.to_vec())
    }

    /// The phone's own clock, ms since 1970.
    fn now(&self) -> i64 {
        clock() + self.clock_skew_ms
    }

    // HTTP.

    async fn step(&self, enrolment: &Enrolment, step: &str, body: &Value) -> Result<Value> {
        self.post(
            &format!("/v1/enrolments/{}/{step}", enrolment.id),
            Some(&enrolment.token),
            body,
        )
        .await
    }

    async fn get(&self, path: &str, token: &str) -> Result<Value> {
        answer(self.request(Method::GET, path, Some(token))).await
    }

    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value> {
        self.json(Method::POST, path, token, body).await
    }

    async fn json(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Value> {
        answer(self.request(method, path, token).json(body)).await
    }

    async fn bytes(&self, path: &str, token: &str) -> Result<Vec<u8>> {
        let response = self.request(Method::GET, path, Some(token)).send().await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(response.bytes().await?.to_vec())
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.base_url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Sends and reads JSON; anything but success is a refusal.
async fn answer(request: RequestBuilder) -> Result<Value> {
    let response = request.send().await?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    Ok(response.json().await?)
}

async fn refusal(response: reqwest::Response) -> Error {
    let status = response.status().as_u16();
    let document: Value = response.json().await.unwrap_or_default();
    Error::Refused {
        status,
        code: text(&document["code"]),
        message: text(&document["message_en"]),
        document,
    }
}

/// Seals digits to an approval key for one statement.
fn seal(key: &[u8], info: &[u8], digits: &str, statement: &[u8]) -> Result<Value> {
    let aad = digest(&SHA256, statement);
    let sealed = hpke::seal(key, info, aad.as_ref(), digits.as_bytes())?;
    Ok(json!({
        "enc": URL_SAFE_NO_PAD.encode(sealed.enc),
        "ciphertext": URL_SAFE_NO_PAD.encode(sealed.ciphertext),
    }))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// A clock of the device's own, ms since 1970.
pub(crate) fn clock() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a device has a clock of its own, which may be wrong"
    )]
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
