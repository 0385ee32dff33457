//! What was caught, in memory and bounded, with waiting instead of polling.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Messages kept; beyond it the oldest go.
const MESSAGES_MAX: usize = 2_000;
/// Webhooks kept over all names.
const WEBHOOKS_MAX: usize = 2_000;
/// Bytes of text and webhook bodies kept in all.
const BYTES_MAX: usize = 64 << 20;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By SMTP.
    Mail,
    /// By the SMS gateway.
    Sms,
}

/// One message for one recipient, decoded for reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Counts up from 1 in the order of arrival.
    pub id: u64,
    /// How it came.
    pub channel: Channel,
    /// Sender of the envelope; empty for SMS.
    pub from: String,
    /// Recipient of the envelope, or telephone number.
    pub to: String,
    /// Decoded subject; empty for SMS.
    pub subject: String,
    /// Decoded text.
    pub text: String,
    /// The SMS reference, or the mail's Message-ID.
    pub reference: String,
}

/// One webhook as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Counts up from 1 over all names.
    pub id: u64,
    /// Last part of the path it was posted to.
    pub name: String,
    /// Header names in lower case; a repeated header is joined with `, `.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte when it is UTF-8, else with replacement characters.
    pub body: String,
    /// The body in base64.
    pub body_base64: String,
}

/// How many of the next deliveries to refuse for a while: SMTP 451, HTTP 503.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Mails.
    pub mail: u32,
    /// SMS.
    pub sms: u32,
    /// Webhooks.
    pub webhook: u32,
}

/// The shared store.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    caught: Mutex<Caught>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Caught {
    last_message: u64,
    messages: VecDeque<Message>,
    last_webhook: u64,
    webhooks: VecDeque<Webhook>,
    bytes: usize,
    faults: Faults,
}

impl Inbox {
    /// Keeps a message; `message.id` is set here. An SMS with a known reference and number is the same SMS.
    pub(crate) fn add(&self, mut message: Message) -> u64 {
        let mut caught = self.lock();
        if message.channel == Channel::Sms && !message.reference.is_empty() {
            let known = caught.messages.iter().find(|known| {
                known.channel == Channel::Sms
                    && known.reference == message.reference
                    && known.to == message.to
            });
            if let Some(known) = known {
                return known.id;
            }
        }
        caught.last_message += 1;
        message.id = caught.last_message;
        caught.bytes += message.text.len();
        let id = message.id;
        caught.messages.push_back(message);
        caught.trim();
        drop(caught);
        self.arrived.notify_waiters();
        id
    }

    pub(crate) fn add_webhook(&self, mut webhook: Webhook) -> u64 {
        let mut caught = self.lock();
        caught.last_webhook += 1;
        webhook.id = caught.last_webhook;
        caught.bytes += webhook.size();
        let id = webhook.id;
        caught.webhooks.push_back(webhook);
        caught.trim();
        drop(caught);
        self.arrived.notify_waiters();
        id
    }

    pub(crate) fn messages(&self, to: Option<&str>, after: u64) -> Vec<Message> {
        let wanted =
            |message: &&Message| message.id > after && to.is_none_or(|to| message.to == to);
        self.lock()
            .messages
            .iter()
            .filter(wanted)
            .cloned()
            .collect()
    }

    pub(crate) fn webhooks(&self, name: &str, after: u64) -> Vec<Webhook> {
        self.lock()
            .webhooks
            .iter()
            .filter(|hook| hook.name == name && hook.id > after)
            .cloned()
            .collect()
    }

    pub(crate) async fn wait_for(
        &self,
        to: Option<&str>,
        after: u64,
        patience: Duration,
    ) -> Option<Message> {
        self.wait(patience, || self.messages(to, after).into_iter().next())
            .await
    }

    pub(crate) async fn wait_for_webhook(
        &self,
        name: &str,
        after: u64,
        patience: Duration,
    ) -> Option<Webhook> {
        self.wait(patience, || self.webhooks(name, after).into_iter().next())
            .await
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Takes one fault of the kind chosen, if one is left.
    pub(crate) fn fault(&self, kind: impl Fn(&mut Faults) -> &mut u32) -> bool {
        let mut caught = self.lock();
        let left = kind(&mut caught.faults);
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }

    async fn wait<T>(&self, patience: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let until_found = async {
            loop {
                // Registered before looking, so that an arrival in between is not missed.
                let mut arrival = std::pin::pin!(self.arrived.notified());
                arrival.as_mut().enable();
                if let Some(found) = look() {
                    return found;
                }
                arrival.await;
            }
        };
        tokio::time::timeout(patience, until_found).await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, Caught> {
        self.caught
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Caught {
    fn trim(&mut self) {
        while self.messages.len() > MESSAGES_MAX
            || (self.bytes > BYTES_MAX && self.messages.len() > 1)
        {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
        }
        while self.webhooks.len() > WEBHOOKS_MAX
            || (self.bytes > BYTES_MAX && self.webhooks.len() > 1)
        {
            let Some(oldest) = self.webhooks.pop_front() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }
}

impl Webhook {
    fn size(&self) -> usize {
        self.body.len() + self.body_base64.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sms(to: &str, text: &str, reference: &str) -> Message {
        Message {
            id: 0,
            channel: Channel::Sms,
            from: String::new(),
            to: to.into(),
            subject: String::new(),
            text: text.into(),
            reference: reference.into(),
        }
    }

    #[test]
    fn the_oldest_messages_go_first_when_full() {
        let inbox = Inbox::default();
        for n in 0..MESSAGES_MAX + 5 {
            inbox.add(sms("+84900000001", "x", &n.to_string()));
        }
        let kept = inbox.messages(None, 0);
        assert_eq!(kept.len(), MESSAGES_MAX);
        assert_eq!(kept[0].id, 6);
    }

    #[test]
    fn bytes_are_bounded_too() {
        let inbox = Inbox::default();
        let big = "x".repeat(BYTES_MAX / 4);
        for n in 0..9 {
            inbox.add(sms("+84900000001", &big, &n.to_string()));
        }
        assert!(inbox.messages(None, 0).len() <= 4);
        assert!(inbox.lock().bytes <= BYTES_MAX);
    }

    #[test]
    fn a_repeated_reference_is_one_sms() {
        let inbox = Inbox::default();
        let first = inbox.add(sms("+84900000001", "once", "r1"));
        assert_eq!(inbox.add(sms("+84900000001", "once", "r1")), first);
        assert_eq!(inbox.messages(None, 0).len(), 1);
    }

    #[tokio::test]
    async fn waiting_ends_when_the_message_comes() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let waiter = tokio::spawn({
            let inbox = inbox.clone();
            async move { inbox.wait_for(Some("b"), 0, Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        inbox.add(sms("a", "not this", "1"));
        inbox.add(sms("b", "this", "2"));
        assert_eq!(waiter.await.unwrap().unwrap().text, "this");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_nothing_when_patience_does() {
        assert_eq!(
            Inbox::default()
                .wait_for(None, 0, Duration::from_secs(1))
                .await,
            None
        );
    }
}
