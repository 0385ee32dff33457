//! Mail by SMTP (RFC 5321) through the provider's relay.

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::Delivery;
use crate::config;

/// The mail channel; absent when `[mail] host` is empty.
#[derive(Clone)]
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why the channel could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `[mail] from` is not an address.
    #[error("mail.from is not a mail address")]
    From,
    /// TLS parameters were refused.
    #[error("mail.tls cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
    /// The password file cannot be read.
    #[error("mail.password_file cannot be read")]
    Password(#[source] std::io::Error),
}

impl Mail {
    /// Sets the channel up from `[mail]`; no connection is made yet.
    pub fn new(loaded: &config::Loaded) -> Result<Option<Self>, Error> {
        let config = &loaded.config.mail;
        if config.host.is_empty() {
            return Ok(None);
        }
        type Smtp = AsyncSmtpTransport<Tokio1Executor>;
        let builder = match config.tls.as_str() {
            "none" => Smtp::builder_dangerous(&config.host),
            "tls" => Smtp::relay(&config.host).map_err(Error::Tls)?,
            _ => Smtp::starttls_relay(&config.host).map_err(Error::Tls)?,
        };
        let mut builder = builder
            .port(config.port)
            .timeout(Some(std::time::Duration::from_secs(15)));
        if !config.user.is_empty() {
            let password = std::fs::read_to_string(loaded.path(&config.password_file))
                .map_err(Error::Password)?;
            builder = builder.credentials(Credentials::new(
                config.user.clone(),
                password.trim_end().to_owned(),
            ));
        }
        let from = config.from.parse().map_err(|_| Error::From)?;
        Ok(Some(Self {
            transport: builder.build(),
            from,
        }))
    }

    /// Sends one plain text message.
    pub async fn send(&self, to: &str, subject: &str, text: String) -> Delivery {
        let Ok(to) = to.parse::<Mailbox>() else {
            return Delivery::Refused("mail-address");
        };
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text);
        let Ok(message) = message else {
            return Delivery::Refused("mail-message");
        };
        match self.transport.send(message).await {
            Ok(_) => Delivery::Accepted,
            Err(error) if error.is_permanent() => Delivery::Refused("mail-refused"),
            Err(_) => Delivery::Unreachable("mail-relay"),
        }
    }

    /// Whether the relay answers now, for `kyso doctor`.
    pub async fn reachable(&self) -> bool {
        self.transport.test_connection().await.unwrap_or(false)
    }
}
