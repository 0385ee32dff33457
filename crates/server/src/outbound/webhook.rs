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
    patience: Duration,
    allow_private: bool,
}

impl Webhook {
    /// Builds the client; redirects are never followed, proxies of the environment never used.
    pub fn new(config: &config::Webhook) -> Result<Self, reqwest::Error> {
        Self::resolving(config, PublicOnly::default())
    }

    /// As [`Webhook::new`], with names resolved by another (tests).
    fn resolving(config: &config::Webhook, names: PublicOnly) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(config.seconds_max))
            .user_agent("kyso-webhook/1");
        if !config.danger_allow_private_addresses {
            builder = builder.dns_resolver(std::sync::Arc::new(names));
        }
        Ok(Self {
            client: builder.build()?,
            patience: Duration::from_secs(config.seconds_max),
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
            .timeout(call.timeout.min(self.patience))
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
        // Credentials in a URL are for a person's eye to be deceived by.
        let plain = url.username().is_empty() && url.password().is_none();
        let literal_is_public = url
            .host_str()
            .map(|host| host.trim_matches(['[', ']']))
            .and_then(|host| host.parse().ok())
            .is_none_or(is_public);
        (url.scheme() == "https" && plain && literal_is_public).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: &str) -> Call {
        Call {
            portal: "ptl_01JD3ZQ8000000000000000000".parse().unwrap(),
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
            "https://0x7f.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::127.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://portal.example@93.184.216.34/",
            "gopher://93.184.216.34/",
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

    /// Counts connections to this machine and answers each with a redirect to itself.
    async fn redirecting() -> (
        std::net::SocketAddr,
        std::sync::Arc<std::sync::atomic::AtomicUsize>,
    ) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hits = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = hits.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = format!(
                    "HTTP/1.1 307 Go\r\nLocation: http://{address}/again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, hits)
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (address, hits) = redirecting().await;
        let webhook = Webhook::new(&config::Webhook {
            danger_allow_private_addresses: true,
            ..config::Webhook::default()
        });
        let outcome = webhook
            .unwrap()
            .call(&call(&format!("http://{address}/")))
            .await;
        assert_eq!(outcome, CallOutcome::Answered { status: 307 });
        assert_eq!(hits.load(std::sync::atomic::Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn every_connection_asks_for_the_name_anew_and_a_private_answer_is_refused() {
        let (address, hits) = redirecting().await;
        let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = asked.clone();
        let names = PublicOnly::resolving(move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            vec![address]
        });
        let webhook = Webhook::resolving(&config::Webhook::default(), names).unwrap();
        let url = format!("https://rebound.example:{}/", address.port());
        for _ in 0..2 {
            let outcome = webhook.call(&call(&url)).await;
            assert_eq!(
                outcome,
                CallOutcome::Unreachable {
                    code: "refused".into()
                }
            );
        }
        assert_eq!(
            asked.load(std::sync::atomic::Ordering::SeqCst),
            2,
            "each connection asks anew"
        );
        assert_eq!(hits.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}
