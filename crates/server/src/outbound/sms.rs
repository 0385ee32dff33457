//! SMS by an HTTP gateway: POST JSON `{to, text, reference}`, bearer token; the reference makes a repeat harmless.

use std::time::Duration;

use super::Delivery;
use crate::config;

/// The SMS channel; absent when `[sms] url` is empty.
#[derive(Clone)]
pub struct Sms {
    client: reqwest::Client,
    url: String,
    token: String,
}

/// Why the channel could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token file cannot be read.
    #[error("sms.token_file cannot be read")]
    Token(#[source] std::io::Error),
    /// The HTTP client could not be built.
    #[error("the SMS client cannot be built")]
    Client(#[from] reqwest::Error),
}

#[derive(serde::Serialize)]
struct Submission<'a> {
    to: &'a str,
    text: &'a str,
    reference: &'a str,
}

impl Sms {
    /// Sets the channel up from `[sms]`; no connection is made yet.
    pub fn new(loaded: &config::Loaded) -> Result<Option<Self>, Error> {
        let config = &loaded.config.sms;
        if config.url.is_empty() {
            return Ok(None);
        }
        let token =
            std::fs::read_to_string(loaded.path(&config.token_file)).map_err(Error::Token)?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()?;
        Ok(Some(Self {
            client,
            url: config.url.clone(),
            token: token.trim_end().to_owned(),
        }))
    }

    /// Sends one message to a number in international form (`+84…`).
    pub async fn send(&self, to: &str, text: &str, reference: &str) -> Delivery {
        let submission = Submission {
            to,
            text,
            reference,
        };
        match self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            .json(&submission)
            .send()
            .await
        {
            Ok(answer) if answer.status().is_success() => Delivery::Accepted,
            Ok(answer) if answer.status().is_client_error() && answer.status().as_u16() != 429 => {
                Delivery::Refused("sms-refused")
            }
            Ok(_) => Delivery::Unreachable("sms-status"),
            Err(_) => Delivery::Unreachable("sms-connection"),
        }
    }
}
