//! `kyso doctor`: checks this installation with the same code and rights as the service itself, and changes nothing.
//!
//! One line a check: what, how it is, and what to do where it is not well.

use clap::Args;
use kyso_authority::ceremony::Service;
use kyso_keystore::{Keystore, Role};
use kyso_store::{Clock, Store};
use serde::Serialize;

use super::{Outcome, console};
use crate::config::{Config, Loaded, Provider, Role as Duty};
use crate::outbound::Outbound;
use crate::platform::{self, Platform};
use crate::worker::chain;

/// Options of `kyso doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    message: String,
    /// What to do; absent when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// Ninety days: certificates of authorities are not renewed in an afternoon.
const SOON_MS: i64 = 90 * 86_400_000;

impl Doctor {
    /// Exit 0 when nothing failed, 1 otherwise.
    pub async fn run(self, loaded: &Loaded) -> Outcome {
        let findings = examine(loaded).await;
        let count = |state| findings.iter().filter(|f| f.state == state).count();
        let failed = count(State::Fail);
        if self.json {
            say!("{}", serde_json::to_string_pretty(&findings)?);
            return Ok(failed == 0);
        }
        for finding in &findings {
            let remedy = finding.remedy.as_ref().map(|remedy| format!(" → {remedy}"));
            let line = format!(
                "{:14} {}{}",
                finding.check,
                finding.message,
                remedy.unwrap_or_default()
            );
            match finding.state {
                State::Ok => console::done(&line),
                State::Warn => console::warn(&line),
                State::Fail => console::fault(&line),
            }
        }
        say!(
            "\n{} ok, {} to look at, {failed} wrong",
            count(State::Ok),
            count(State::Warn)
        );
        Ok(failed == 0)
    }
}

async fn examine(loaded: &Loaded) -> Vec<Finding> {
    let mut findings = vec![examine_files(loaded)];
    let store = match platform::open_store(loaded, Clock::System).await {
        Ok(store) => {
            findings.push(examine_schema(&store).await);
            Some(store)
        }
        Err(error) => {
            findings.push(fail(
                "database",
                &chain(&error),
                "is it running, is the URL right?",
            ));
            None
        }
    };
    let keys = match loaded.config.server.role {
        Duty::Web => None,
        _ => match platform::open_keystore(loaded) {
            Ok(keys) => {
                findings.push(examine_keystore(loaded, &keys).await);
                Some(keys)
            }
            Err(error) => {
                findings.push(fail("keystore", &chain(&error), "see [keystore]"));
                None
            }
        },
    };
    let is_migrated = findings
        .iter()
        .all(|f| f.check != "database" || f.state == State::Ok);
    if let Some(store) = store.filter(|_| is_migrated) {
        match Platform::wire(loaded, store, keys) {
            Ok(platform) => examine_platform(&platform, &mut findings).await,
            Err(error) => findings.push(fail("data key", &chain(&error), "see [database]")),
        }
    }
    findings.push(examine_provider(&loaded.config));
    findings.push(examine_policy(&loaded.config));
    findings.push(examine_addresses(&loaded.config));
    findings.extend(examine_application(loaded.config.server.role));
    findings.extend(examine_outbound(loaded).await);
    findings
}

fn examine_files(loaded: &Loaded) -> Finding {
    let missing = loaded.missing_files();
    if missing.is_empty() {
        return ok("configuration", "valid, and every file it names is there");
    }
    let list: Vec<String> = missing
        .iter()
        .map(|(key, path)| format!("{key} ({})", path.display()))
        .collect();
    fail(
        "configuration",
        &format!("files that cannot be read: {}", list.join(", ")),
        "put them back, or run `kyso init` if this is a new installation",
    )
}

/// The citizen's web application, for whoever serves it.
fn examine_application(role: Duty) -> Option<Finding> {
    let found = match crate::http::web::is_built() {
        true => ok("application", "inside this binary"),
        false => warn(
            "application",
            "this binary was built without the citizen's web application",
            "run `cargo xtask web`, which needs Node, and build again",
        ),
    };
    matches!(role, Duty::All | Duty::Web).then_some(found)
}

async fn examine_schema(store: &Store) -> Finding {
    match store.check_migrated(kyso_store::MIGRATIONS).await {
        Ok(()) => ok("database", "answers, its schema is the one of this binary"),
        Err(error) => fail(
            "database",
            &chain(&error),
            "run `kyso serve --migrate` once",
        ),
    }
}

async fn examine_keystore(loaded: &Loaded, keys: &Keystore) -> Finding {
    let mut well = Vec::new();
    for (backend, state) in keys.probe().await {
        match state {
            Ok(()) => well.push(backend.to_string()),
            Err(error) => {
                return fail(
                    "keystore",
                    &chain(&error),
                    "is the module there, its PIN right?",
                );
            }
        }
    }
    let message = format!("{} answers", well.join(" and "));
    match loaded.config.keystore.backend.as_str() {
        "software" => warn(
            "keystore",
            &format!("{message}; new keys are files on this machine"),
            "right for a trial; a public service sets keystore.backend = \"pkcs11\" before its ceremony",
        ),
        _ => ok("keystore", &message),
    }
}

async fn examine_platform(platform: &Platform, findings: &mut Vec<Finding>) {
    findings.push(match platform.check_data_key().await {
        Ok(()) => ok("data key", "the one this installation was made with"),
        Err(error) => fail("data key", &chain(&error), "do not start without it"),
    });
    match services(platform).await {
        Ok(services) => {
            if let Some(keys) = &platform.keys {
                findings.push(examine_keys(keys, &services).await);
            }
            findings.push(examine_certificates(&services, platform.store.now()));
            findings.push(examine_crl(platform, &services).await);
        }
        Err(error) => findings.push(fail("ceremony", &error, "run `kyso ceremony run`")),
    }
    findings.push(
        match kyso_store::ledger::check_published(&platform.store).await {
            Ok(()) => ok("ledger", "not older than its published checkpoint"),
            Err(error) => fail("ledger", &chain(&error), "run `kyso ledger verify`"),
        },
    );
    findings.push(examine_callers(platform).await);
}

/// Every service key in use, the issuing authority's first.
async fn services(platform: &Platform) -> Result<Vec<Service>, String> {
    let mut services = Vec::new();
    for role in [
        Role::Issuing,
        Role::Ocsp,
        Role::Timestamp,
        Role::Seal,
        Role::Ledger,
    ] {
        let service = platform.authority.service(role).await;
        services.push(service.map_err(|error| chain(&error))?);
    }
    Ok(services)
}

/// Whether the keystore holds each key, and it is the one that was certified.
async fn examine_keys(keys: &Keystore, services: &[Service]) -> Finding {
    for service in services {
        let label = &service.label;
        let key = match keys.service(label).await {
            Ok(key) => key,
            Err(error) => {
                let remedy = "put the keystore of this installation back from the backup";
                return fail("keys", &format!("{label}: {}", chain(&error)), remedy);
            }
        };
        let of_certificate = match &service.certificate {
            Some(certificate) => certificate.public_key().ok(),
            None => Some(&service.public_key),
        };
        if of_certificate.is_none_or(|certified| certified.as_der() != key.public_key().as_der()) {
            return fail(
                "keys",
                &format!("the key {label} is not the one that was certified"),
                "this keystore is of another installation: put the right one back",
            );
        }
    }
    ok(
        "keys",
        &format!(
            "all {} service keys are there and fit their certificates",
            services.len()
        ),
    )
}

fn examine_certificates(services: &[Service], now: i64) -> Finding {
    let first = services
        .iter()
        .filter_map(|service| Some((service, service.certificate.as_ref()?.not_after())))
        .min_by_key(|(_, until)| *until);
    let Some((service, until)) = first else {
        return fail("certificates", "there are none", "run `kyso ceremony run`");
    };
    let day = crate::http::instant(until);
    let message = format!("the first to end is {}, at {day}", service.label);
    match until - now {
        left if left <= 0 => fail(
            "certificates",
            &format!("{} ended at {day}", service.label),
            "nothing it signs is valid: renew it",
        ),
        // The worker renews the responder by itself, in time.
        left if left < SOON_MS && service.role != Role::Ocsp => {
            warn("certificates", &message, "plan its renewal")
        }
        _ => ok("certificates", &message),
    }
}

async fn examine_crl(platform: &Platform, services: &[Service]) -> Finding {
    let label = services.first().map_or("", |issuing| &issuing.label);
    let worker = "is a worker running?";
    match platform.authority.crl(label).await {
        Ok(Some(crl)) => {
            let until = crate::http::instant(crl.next_update);
            match crl.next_update > platform.store.now() {
                true => ok(
                    "CRL",
                    &format!("number {}, valid until {until}", crl.number),
                ),
                false => fail("CRL", &format!("ended at {until}"), worker),
            }
        }
        Ok(None) => fail("CRL", "none has been published", worker),
        Err(error) => fail("CRL", &chain(&error), worker),
    }
}

/// Whether anybody can ask, and anybody decide.
async fn examine_callers(platform: &Platform) -> Finding {
    let portals = platform.signing.portals.list().await;
    let officers = platform.registration.officers().await;
    match (portals, officers) {
        (Ok(portals), Ok(officers)) => {
            let message = format!("portals: {}, officers: {}", portals.len(), officers.len());
            match (portals.is_empty(), officers.is_empty()) {
                (_, true) => warn(
                    "people",
                    &message,
                    "nobody can be vetted yet: `kyso officer add`",
                ),
                (true, _) => warn(
                    "people",
                    &message,
                    "nobody can ask for signatures yet: `kyso portal add`",
                ),
                _ => ok("people", &message),
            }
        }
        (Err(error), _) => fail("people", &chain(&error), "see the database"),
        (_, Err(error)) => fail("people", &chain(&error), "see the database"),
    }
}

fn examine_provider(config: &Config) -> Finding {
    let (ours, example) = (&config.provider, Provider::default());
    let left: Vec<&str> = [
        ("name", ours.name == example.name),
        ("address", ours.address == example.address),
        ("tax_number", ours.tax_number == example.tax_number),
        ("licence", ours.licence == example.licence),
        (
            "representative",
            ours.representative == example.representative,
        ),
        ("hotline", ours.hotline == example.hotline),
        ("email", ours.email == example.email),
    ]
    .into_iter()
    .filter_map(|(key, is_example)| is_example.then_some(key))
    .collect();
    if left.is_empty() {
        return ok("provider", &ours.name);
    }
    warn(
        "provider",
        &format!("contracts would name the example's {}", left.join(", ")),
        "fill in [provider]",
    )
}

fn examine_policy(config: &Config) -> Finding {
    let (ours, example) = (&config.authority, Config::default().authority);
    let mut left = Vec::new();
    if ours.organisation == example.organisation {
        left.push("organisation");
    }
    if ours.issuing_name == example.issuing_name {
        left.push("issuing_name");
    }
    if ours.policy_oid == example.policy_oid {
        left.push("policy_oid");
    }
    if ours.cps_file.as_os_str().is_empty() {
        left.push("cps_file");
    }
    if left.is_empty() {
        return ok("policy", &format!("{}, {}", ours.policy_oid, ours.cps_uri));
    }
    warn(
        "policy",
        &format!(
            "the example's {} would stand in certificates",
            left.join(", ")
        ),
        "fill in [authority] before the ceremony",
    )
}

fn examine_addresses(config: &Config) -> Finding {
    let url = &config.server.public_url;
    let host = url.split("://").nth(1).unwrap_or(url);
    let is_local = ["127.", "localhost", "[::1]", "0.0.0.0"]
        .iter()
        .any(|start| host.starts_with(start));
    match (is_local, url.starts_with("https://")) {
        (true, _) => warn(
            "addresses",
            &format!("{url} is this machine; phones cannot reach it"),
            "set server.public_url and authority.status_url before the ceremony",
        ),
        (false, false) => warn(
            "addresses",
            &format!("{url} is not https; tokens and photographs would travel in the open"),
            "put a TLS proxy in front and set server.public_url",
        ),
        (false, true) if config.server.trusted_proxies.is_empty() => warn(
            "addresses",
            &format!("{url}, but no proxy is trusted: all strangers share one rate limit"),
            "name the TLS proxy in server.trusted_proxies",
        ),
        (false, true) => ok(
            "addresses",
            &format!("{url}, status at {}", config.status_url()),
        ),
    }
}

async fn examine_outbound(loaded: &Loaded) -> Vec<Finding> {
    let outbound = match Outbound::new(loaded) {
        Ok(outbound) => outbound,
        Err(error) => return vec![fail("messages", &chain(&error), "see [mail] and [sms]")],
    };
    let mail = match outbound.mail() {
        None => warn(
            "mail",
            "no relay: codes cannot be sent by mail",
            "fill in [mail]",
        ),
        Some(mail) if mail.reachable().await => ok("mail", "the relay answers"),
        Some(_) => fail("mail", "the relay does not answer", "see [mail]"),
    };
    let sms = match outbound.has_sms() {
        true => ok("SMS", "a gateway is configured"),
        false => warn(
            "SMS",
            "no gateway: codes cannot be sent by SMS",
            "fill in [sms]",
        ),
    };
    let mut findings = vec![mail, sms];
    if loaded.config.webhook.danger_allow_private_addresses {
        findings.push(warn(
            "webhooks",
            "may call private addresses of your network",
            "only for a demo: webhook.danger_allow_private_addresses = false",
        ));
    }
    findings
}

fn ok(check: &'static str, message: &str) -> Finding {
    Finding {
        check,
        state: State::Ok,
        message: message.to_owned(),
        remedy: None,
    }
}

fn warn(check: &'static str, message: &str, remedy: &str) -> Finding {
    Finding {
        check,
        state: State::Warn,
        message: message.to_owned(),
        remedy: Some(remedy.to_owned()),
    }
}

fn fail(check: &'static str, message: &str, remedy: &str) -> Finding {
    Finding {
        check,
        state: State::Fail,
        message: message.to_owned(),
        remedy: Some(remedy.to_owned()),
    }
}
