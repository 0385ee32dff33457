//! `kyso doctor`: checks this installation with the same code and rights as the service itself.

use clap::Args;
use kyso_authority::ceremony::Service;
use kyso_keystore::Role;
use serde::Serialize;

use super::{Outcome, console};
use crate::config::Loaded;
use crate::outbound::Outbound;
use crate::platform::{self, Platform};

/// Options of `kyso doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    /// `ok`, `warning` or `fault`.
    state: &'static str,
    message: String,
}

impl Doctor {
    /// Exit 0 without a fault, 1 with one.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let findings = examine(loaded).await;
        let healthy = findings.iter().all(|finding| finding.state != "fault");
        if self.json {
            println!("{}", serde_json::to_string_pretty(&findings)?);
            return Ok(healthy);
        }
        for finding in &findings {
            let line = format!("{:12} {}", finding.what, finding.message);
            match finding.state {
                "ok" => console::done(&line),
                "warning" => console::warn(&line),
                _ => console::fault(&line),
            }
        }
        Ok(healthy)
    }
}

async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = Vec::new();
    let platform = match Platform::open(loaded).await {
        Ok(platform) => platform,
        Err(error) => {
            findings.push(fault("platform", crate::worker::chain(&error)));
            return findings;
        }
    };
    findings.push(
        match platform.store.check_migrated(kyso_store::MIGRATIONS).await {
            Ok(()) => ok("database", "reached, schema is the one of this binary"),
            Err(error) => fault("database", crate::worker::chain(&error)),
        },
    );
    findings.push(
        match kyso_store::ledger::check_published(&platform.store).await {
            Ok(()) => ok("ledger", "not older than its published checkpoint"),
            Err(error) => fault("ledger", crate::worker::chain(&error)),
        },
    );
    findings.extend(examine_keys(loaded).await);
    findings.extend(examine_authority(&platform).await);
    findings.extend(examine_outbound(loaded).await);
    if loaded.config.server.public_url.starts_with("http://127.") {
        findings.push(warning(
            "public URL",
            "points to this machine only; phones cannot reach it",
        ));
    }
    findings
}

async fn examine_keys(loaded: &Loaded) -> Vec<Finding> {
    let keys = match platform::open_keystore(loaded) {
        Ok(keys) => keys,
        Err(error) => return vec![fault("keystore", crate::worker::chain(&error))],
    };
    let states = keys.probe().await;
    states
        .into_iter()
        .map(|(backend, state)| match state {
            Ok(()) => ok("keystore", &format!("{backend} answers")),
            Err(error) => fault("keystore", crate::worker::chain(&error)),
        })
        .collect()
}

async fn examine_authority(platform: &Platform) -> Vec<Finding> {
    let now = platform.store.now();
    let mut findings = Vec::new();
    for role in [Role::Issuing, Role::Ocsp, Role::Timestamp, Role::Seal] {
        findings.push(match platform.authority.service(role).await {
            Ok(service) => certificate_finding(&service, now),
            Err(error) => fault("authority", format!("{error}; run `kyso ceremony run`")),
        });
    }
    if let Ok(issuing) = platform.authority.service(Role::Issuing).await {
        findings.push(match platform.authority.crl(&issuing.label).await {
            Ok(Some(crl)) if crl.next_update > now => ok(
                "CRL",
                &format!(
                    "number {}, valid until {}",
                    crl.number,
                    crate::http::instant(crl.next_update)
                ),
            ),
            Ok(Some(crl)) => fault(
                "CRL",
                format!(
                    "ended at {}; is a worker running?",
                    crate::http::instant(crl.next_update)
                ),
            ),
            Ok(None) => fault("CRL", "none published yet; is a worker running?".into()),
            Err(error) => fault("CRL", crate::worker::chain(&error)),
        });
    }
    findings
}

fn certificate_finding(service: &Service, now: i64) -> Finding {
    const MONTH_MS: i64 = 30 * 86_400_000;
    let Some(certificate) = &service.certificate else {
        return fault("authority", format!("{} has no certificate", service.label));
    };
    let until = crate::http::instant(certificate.not_after());
    match certificate.not_after() - now {
        left if left <= 0 => fault("authority", format!("{} ended at {until}", service.label)),
        left if left < MONTH_MS => {
            warning("authority", &format!("{} ends at {until}", service.label))
        }
        _ => ok(
            "authority",
            &format!("{} valid until {until}", service.label),
        ),
    }
}

async fn examine_outbound(loaded: &Loaded) -> Vec<Finding> {
    let outbound = match Outbound::new(loaded) {
        Ok(outbound) => outbound,
        Err(error) => return vec![fault("messages", crate::worker::chain(&error))],
    };
    let mail = match outbound.mail() {
        None => warning("mail", "not configured; codes cannot be sent by mail"),
        Some(mail) if mail.reachable().await => ok("mail", "relay answers"),
        Some(_) => fault("mail", "the relay does not answer".into()),
    };
    let sms = if outbound.has_sms() {
        ok("SMS", "gateway configured")
    } else {
        warning("SMS", "not configured; codes cannot be sent by SMS")
    };
    vec![mail, sms]
}

fn ok(what: &'static str, message: &str) -> Finding {
    Finding {
        what,
        state: "ok",
        message: message.to_owned(),
    }
}

fn warning(what: &'static str, message: &str) -> Finding {
    Finding {
        what,
        state: "warning",
        message: message.to_owned(),
    }
}

fn fault(what: &'static str, message: String) -> Finding {
    Finding {
        what,
        state: "fault",
        message,
    }
}
