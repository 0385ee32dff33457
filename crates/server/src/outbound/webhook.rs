//! Webhooks to portals: one POST, already signed by `signing` (Standard Webhooks headers), made here.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::Delivery;
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
        Ok(Self { client: builder.build()?, allow_private: config.danger_allow_private_addresses })
    }

    /// Posts `body` as JSON. Any 2xx is accepted; 410 means the portal wants no more of these.
    pub async fn post(&self, url: &str, headers: &[(String, String)], body: Vec<u8>) -> Delivery {
        let Some(url) = self.permitted(url) else { return Delivery::Refused("webhook-address-refused") };
        let mut map = HeaderMap::new();
        map.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            {
                map.insert(name, value);
            }
        }
        match self.client.post(url).headers(map).body(body).send().await {
            Ok(answer) if answer.status().is_success() => Delivery::Accepted,
            Ok(answer) if answer.status().as_u16() == 410 => Delivery::Refused("webhook-gone"),
            Ok(_) => Delivery::Unreachable("webhook-status"),
            Err(error) if error.is_timeout() => Delivery::Unreachable("webhook-timeout"),
            Err(_) => Delivery::Unreachable("webhook-connection"),
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

    #[tokio::test]
    async fn a_webhook_reaches_no_private_address_by_literal_name_or_scheme() {
        let webhook = Webhook::new(&config::Webhook::default()).unwrap();
        for url in [
            "https://127.0.0.1:9/", "https://[::1]/", "http://example.com/", "file:///etc/passwd",
            "https://169.254.169.254/latest", "https://2130706433/", "not a url",
        ] {
            assert_eq!(
                webhook.post(url, &[], b"{}".to_vec()).await,
                Delivery::Refused("webhook-address-refused"),
                "{url}"
            );
        }
        assert_eq!(
            webhook.post("https://localhost:9/", &[], b"{}".to_vec()).await,
            Delivery::Unreachable("webhook-connection"),
            "a name that resolves to this machine is dropped by the resolver"
        );
    }
}
