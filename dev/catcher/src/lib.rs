//! Catches what kyso sends out: mail by SMTP (RFC 5321), SMS by the HTTP gateway's protocol, and webhooks. For tests and
//! the demo; it delivers nothing to anybody.
//!
//! # Invariants
//! - It listens on loopback only, whatever it is asked.
//! - Memory is bounded: so many messages and webhooks of so many bytes, the oldest dropped first.
//! - Faults are asked for (`POST /faults`), never random.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod http;
mod inbox;
mod mime;
mod smtp;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use inbox::Inbox;
pub use inbox::{Channel, Faults, Message, Webhook};

/// What the catcher listens on and whom it lets in.
#[derive(Debug, Clone)]
pub struct Options {
    /// SMTP port on 127.0.0.1; 0 = any free one.
    pub smtp_port: u16,
    /// HTTP port on 127.0.0.1; 0 = any free one.
    pub http_port: u16,
    /// Bearer token that `POST /sms` asks for.
    pub sms_token: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            smtp_port: 0,
            http_port: 0,
            sms_token: "catcher".to_owned(),
        }
    }
}

/// A running catcher. Dropping it closes both ports.
#[derive(Debug)]
pub struct Catcher {
    /// Where mail is taken.
    pub smtp_addr: SocketAddr,
    /// Where SMS and webhooks are taken and everything is read.
    pub http_addr: SocketAddr,
    sms_token: String,
    inbox: Arc<Inbox>,
    servers: Vec<JoinHandle<()>>,
}

impl Catcher {
    /// Starts on two free ports.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts as asked; the ports are open when this returns.
    pub async fn start_with(options: Options) -> io::Result<Self> {
        let smtp = TcpListener::bind(loopback(options.smtp_port)).await?;
        let http = TcpListener::bind(loopback(options.http_port)).await?;
        let (smtp_addr, http_addr) = (smtp.local_addr()?, http.local_addr()?);
        let inbox = Arc::new(Inbox::default());
        let routes = http::routes(inbox.clone(), options.sms_token.clone());
        let servers = vec![
            tokio::spawn(smtp::serve(smtp, inbox.clone())),
            tokio::spawn(async move {
                // Ends only with the task; an error here means the listener is gone and the client will say so.
                let _ = axum::serve(http, routes).await;
            }),
        ];
        Ok(Self {
            smtp_addr,
            http_addr,
            sms_token: options.sms_token,
            inbox,
            servers,
        })
    }

    /// Address of the SMS gateway, to be put into `[sms] url`.
    pub fn sms_url(&self) -> String {
        format!("http://{}/sms", self.http_addr)
    }

    /// Token of the SMS gateway.
    pub fn sms_token(&self) -> &str {
        &self.sms_token
    }

    /// Address where webhooks called `name` are taken.
    pub fn webhook_url(&self, name: &str) -> String {
        format!("http://{}/webhook/{name}", self.http_addr)
    }

    /// What came for `to` (a mail address or telephone number, exactly as addressed), oldest first.
    pub fn messages(&self, to: &str) -> Vec<Message> {
        self.inbox.messages(Some(to), 0)
    }

    /// Everything that came after message `after` (0 = from the beginning), oldest first.
    pub fn all_messages(&self, after: u64) -> Vec<Message> {
        self.inbox.messages(None, after)
    }

    /// The first message for `to` after message `after`, waiting for it up to `patience`.
    pub async fn wait_for(&self, to: &str, after: u64, patience: Duration) -> Option<Message> {
        self.inbox.wait_for(Some(to), after, patience).await
    }

    /// The webhooks called `name`, oldest first.
    pub fn webhooks(&self, name: &str) -> Vec<Webhook> {
        self.inbox.webhooks(name, 0)
    }

    /// The first webhook called `name` after webhook `after`, waiting for it up to `patience`.
    pub async fn wait_for_webhook(
        &self,
        name: &str,
        after: u64,
        patience: Duration,
    ) -> Option<Webhook> {
        self.inbox.wait_for_webhook(name, after, patience).await
    }

    /// Makes the next deliveries fail; replaces what was asked before.
    pub fn fail_next(&self, faults: Faults) {
        self.inbox.set_faults(faults);
    }

    /// Serves until the process ends.
    pub async fn run(mut self) {
        for server in std::mem::take(&mut self.servers) {
            // A server task ends only when the runtime does.
            let _ = server.await;
        }
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
