//! Calls to kyso, as `openapi/v1.json` describes them.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::forms::Form;

/// As `kyso portal add --webhook … --json` prints them.
#[derive(Debug, Clone, Deserialize)]
pub struct Credentials {
    /// Its name at kyso.
    pub client_id: String,
    /// For HTTP Basic.
    pub secret: String,
    /// `whsec_…`.
    pub webhook_secret: String,
}

/// The interface, as this portal uses it.
#[derive(Debug)]
pub struct Kyso {
    client: reqwest::Client,
    api: String,
    pub(crate) credentials: Credentials,
}

impl Kyso {
    /// At this address, with these credentials.
    pub fn new(api: String, credentials: Credentials) -> io::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            client,
            api,
            credentials,
        })
    }

    /// Asks somebody to sign forms; the request's id.
    pub(crate) async fn ask(&self, number: &str, forms: &[Form]) -> Result<String, String> {
        let documents: Vec<Value> = forms
            .iter()
            .map(|form| {
                json!({
                    "name": form.name,
                    "content": STANDARD.encode(&form.pdf),
                    "mark": { "page": form.page, "left": form.left, "bottom": form.bottom },
                })
            })
            .collect();
        let body = json!({
            "signer": { "identity_number": number },
            "description": "Nộp hồ sơ đăng ký hộ kinh doanh",
            "documents": documents,
            "on_screen": true,
        });
        let asked = self.client.post(self.url("")).json(&body);
        text(&self.json(asked).await?, "id")
    }

    /// What the page of a request may ask with.
    pub(crate) async fn screen_token(&self, request: &str) -> Result<String, String> {
        let asked = self.client.get(self.url(&format!("/{request}/screen")));
        text(&self.json(asked).await?, "token")
    }

    /// Where a request is.
    pub(crate) async fn state(&self, request: &str) -> Result<String, String> {
        let asked = self.client.get(self.url(&format!("/{request}")));
        text(&self.json(asked).await?, "state")
    }

    /// The signed PDF.
    pub(crate) async fn signed_document(
        &self,
        request: &str,
        position: usize,
    ) -> Result<Vec<u8>, String> {
        let url = self.url(&format!("/{request}/documents/{position}"));
        let answer = self.authorised(self.client.get(url)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let bytes = answer.map_err(|error| error.to_string())?.bytes().await;
        Ok(bytes.map_err(|error| error.to_string())?.to_vec())
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v1/signature-requests{rest}", self.api)
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.credentials.client_id, Some(&self.credentials.secret))
    }

    /// The answer; of a refusal the sentence that is meant for people.
    async fn json(&self, request: RequestBuilder) -> Result<Value, String> {
        let answer = self.authorised(request).send().await;
        let answer = answer.map_err(|error| error.to_string())?;
        let is_well = answer.status().is_success();
        let value: Value = answer.json().await.map_err(|error| error.to_string())?;
        match is_well {
            true => Ok(value),
            false => Err(text(&value, "message_vi")?),
        }
    }
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    let text = value[name].as_str().map(str::to_owned);
    text.ok_or_else(|| format!("kyso answered without {name}"))
}
