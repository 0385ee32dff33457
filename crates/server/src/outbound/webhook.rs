//! Webhooks to portals: one POST, already signed by `signing` (Standard Webhooks headers), made here.

use std::time::Duration;

use kyso_signing::webhook::{Call, CallOutcome};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::address::{PublicOnly, is_public};
use crate::config;

/// The client for calls to portals.
#[derive(Clone)]
pub struct Webhook {
    client: reqwest::Client,
    allow_private: bool,
}

impl Webhook {
    /// Builds the client; redirects are never followed, proxies of the environment never used.
    pub fn new(config: &config::Webhook) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(config.seconds_max))
            .user_agent("kyso-webhook/1");
        if !config.danger_allow_private_addresses {
            builder = builder.dns_resolver(std::sync::Arc::new(PublicOnly));
        }
        Ok(Self {
            client: builder.build()?,
            allow_private: config.danger_allow_private_addresses,
        })
    }

    /// Makes one call. Redirects count as what they are: an answer that is not 2xx.
    pub async fn call(&self, call: &Call) -> CallOutcome {
        let unreachable = |code: &str| CallOutcome::Unreachable {
            code: code.to_owned(),
        };
        let Some(url) = self.permitted(&call.url) else {
            return unreachable("address-denied");
        };
        let mut map = HeaderMap::new();
        for (name, value) in &call.headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            ) {
                map.insert(name, value);
            }
        }
        match self
            .client
            .post(url)
            .headers(map)
            .timeout(call.timeout)
            .body(call.body.clone())
            .send()
            .await
        {
            Ok(answer) => CallOutcome::Answered {
                status: answer.status().as_u16(),
            },
            Err(error) if error.is_timeout() => unreachable("timeout"),
            Err(_) => unreachable("refused"),
        }
    }

    /// Only http(s) to a public address; http only where private addresses are allowed.
    fn permitted(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?;
        if self.allow_private {
            return matches!(url.scheme(), "http" | "https").then_some(url);
        }
        let literal_is_public = url
            .host_str()
            .map(|host| host.trim_matches(['[', ']']))
            .and_then(|host| host.parse().ok())
            .is_none_or(is_public);
        (url.scheme() == "https" && literal_is_public).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: &str) -> Call {
        Call {
            url: url.into(),
            headers: vec![],
            body: b"{}".to_vec(),
            timeout: Duration::from_secs(2),
        }
    }

    #[tokio::test]
    async fn a_webhook_reaches_no_private_address_by_literal_name_or_scheme() {
        let webhook = Webhook::new(&config::Webhook::default()).unwrap();
        for url in [
            "https://127.0.0.1:9/",
            "https://[::1]/",
            "http://example.com/",
            "file:///etc/passwd",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "not a url",
        ] {
            let denied = CallOutcome::Unreachable {
                code: "address-denied".into(),
            };
            assert_eq!(webhook.call(&call(url)).await, denied, "{url}");
        }
        assert_eq!(
            webhook.call(&call("https://localhost:9/")).await,
            CallOutcome::Unreachable {
                code: "refused".into()
            },
            "a name that resolves to this machine is dropped by the resolver"
        );
    }
}
