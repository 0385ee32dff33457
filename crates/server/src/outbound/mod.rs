//! Calls to other machines: mail, SMS gateway, portals' webhooks. Never inside an open transaction.
//!
//! Each channel answers [`Delivery`]: accepted, refused for good, or unreachable for now. The worker turns the
//! last into a later try; nothing here retries by itself, so that a job's attempts are the only count.

mod address;
pub mod lane;
pub mod mail;
pub mod message;
pub mod sms;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use kyso_registration::citizen::Channel;

use crate::config::Loaded;
use crate::places::Places;

/// Messages sent at once, and of one channel: a relay that does not answer leaves places to the other.
const SENDS_MAX: usize = 16;
const SENDS_OF_CHANNEL_MAX: usize = 12;
/// How long one message may take in all, however its relay drips.
const SEND_MAX: Duration = Duration::from_secs(30);

/// What became of one outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next hop took responsibility.
    Accepted,
    /// It will never take it; the code says why.
    Refused(&'static str),
    /// Try again later; the code says why.
    Unreachable(&'static str),
}

impl Delivery {
    /// For metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// Every channel to the outside. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    /// Calls to portals.
    pub webhook: webhook::Webhook,
    mail: Option<mail::Mail>,
    sms: Option<sms::Sms>,
    sends: Arc<Places<&'static str>>,
    hotline: String,
}

/// Why the channels could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Mail.
    #[error(transparent)]
    Mail(#[from] mail::Error),
    /// SMS.
    #[error(transparent)]
    Sms(#[from] sms::Error),
    /// Webhooks.
    #[error("the webhook client cannot be built")]
    Webhook(#[from] reqwest::Error),
}

/// One message to a citizen, before it is put into words.
pub struct Letter<'a> {
    /// How it travels.
    pub channel: Channel,
    /// Phone (E.164) or mail address.
    pub destination: &'a str,
    /// Name in the catalog, e.g. `activation-code`.
    pub name: &'a str,
    /// `vi` or `en`.
    pub language: &'a str,
    /// Variables of the text; `hotline` is added.
    pub variables: &'a [(&'a str, &'a str)],
    /// Makes a repeat harmless at the gateway.
    pub reference: &'a str,
}

impl Outbound {
    /// Sets every configured channel up; connects nowhere.
    pub fn new(loaded: &Loaded) -> Result<Self, Error> {
        Ok(Self {
            webhook: webhook::Webhook::new(&loaded.config.webhook)?,
            mail: mail::Mail::new(loaded)?,
            sms: sms::Sms::new(loaded)?,
            sends: Places::new(SENDS_MAX, SENDS_OF_CHANNEL_MAX),
            hotline: loaded.config.provider.hotline.clone(),
        })
    }

    /// The mail channel, for `kyso doctor`.
    pub fn mail(&self) -> Option<&mail::Mail> {
        self.mail.as_ref()
    }

    /// Whether an SMS gateway is configured.
    pub fn has_sms(&self) -> bool {
        self.sms.is_some()
    }

    /// Puts a letter into words and sends it.
    pub async fn send(&self, letter: &Letter<'_>) -> Delivery {
        let channel = match letter.channel {
            Channel::Sms => "sms",
            Channel::Email => "mail",
        };
        let Some(_place) = self.sends.enter(channel, true) else {
            return Delivery::Unreachable("channel-busy");
        };
        tokio::time::timeout(SEND_MAX, self.send_now(letter))
            .await
            .unwrap_or(Delivery::Unreachable("channel-slow"))
    }

    async fn send_now(&self, letter: &Letter<'_>) -> Delivery {
        let language = message::Language::of(letter.language);
        let mut variables = letter.variables.to_vec();
        variables.push(("hotline", &self.hotline));
        let text = |form: &str| {
            message::text(language, &format!("{}-{form}", letter.name), &variables)
                .unwrap_or_default()
        };
        match (letter.channel, &self.sms, &self.mail) {
            (Channel::Sms, Some(sms), _) => {
                sms.send(letter.destination, &text("sms"), letter.reference)
                    .await
            }
            (Channel::Email, _, Some(mail)) => {
                mail.send(letter.destination, &text("subject"), text("mail"))
                    .await
            }
            _ => Delivery::Unreachable("channel-not-configured"),
        }
    }
}
