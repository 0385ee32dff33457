//! The configuration: one TOML file, one struct a section, environment variables over it.
//!
//! `KYSO__SECTION__KEY=value` overrides `key` of `[section]`. Unknown sections and keys stop the start, so a
//! misspelt key is never silently ignored. Secrets are never values here: a key that ends in `_file` names the
//! file that holds one. Relative paths are relative to the folder of the configuration file.

pub mod check;
pub mod section;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kyso_signing::portal::Network;
use section::{Field, section};
use serde::{Deserialize, Serialize};

section! {
    /// Where the server listens and what it accepts.
    Server in "server" {
        /// Address and port of the HTTP interface. Put a TLS proxy in front of it in production.
        listen: String = "127.0.0.1:8080";
        /// Address and port of `/metrics`, `/livez` and `/readyz`; empty turns the second listener off
        /// and serves the health pages on `listen` only.
        metrics_listen: String = "127.0.0.1:9464";
        /// The URL by which phones and portals reach this server: https in production. Passkeys are bound to its
        /// host, so choose it before the first citizen enrols.
        public_url: String = "http://127.0.0.1:8080";
        /// What this process does: `all`, `web` (no key), `worker` (citizens' and issuing keys) or `status`
        /// (OCSP and time-stamp keys).
        role: Role = Role::All;
        /// Networks of the reverse proxies in front of this server, e.g. `["127.0.0.1/32", "10.0.0.0/8"]`. From these
        /// alone the caller's address is taken out of `forwarded_header`. Left empty behind a proxy, all callers
        /// without credentials share one rate limit.
        trusted_proxies: Vec<Network> = [];
        /// Header in which the trusted proxies write whose request it is: `x-forwarded-for` or `forwarded` (RFC 7239).
        /// Read from the right, through trusted proxies only.
        forwarded_header: ForwardedHeader = ForwardedHeader::XForwardedFor;
        /// Connections held at once; one network (an IPv4 address, an IPv6 /64) other than a trusted proxy may hold a
        /// quarter of them. Needs as many file descriptors.
        connections_max: usize = 2048_usize;
        /// Seconds in which a request's header must have come; a connection idle for so long is closed.
        header_seconds_max: u64 = 10_u64;
        /// Largest request body in bytes. A request with documents is refused above it with 413.
        body_bytes_max: usize = 64 * 1024 * 1024_usize;
        /// Bytes of portals' documents that may be coming in at once, over all requests; above it such a request is shed with
        /// 503 and Retry-After. Reading takes about three times as much memory.
        bodies_bytes_max: usize = 512 * 1024 * 1024_usize;
        /// Seconds before an unfinished request is answered with 503.
        request_seconds_max: u64 = 60_u64;
        /// Requests worked on at once; above it a request is shed with 503 and Retry-After.
        concurrency_max: usize = 512_usize;
        /// Portals' calls with `?wait=` held at once, a quarter of them for one portal; above it such a call is answered
        /// at once. At most half of `concurrency_max`.
        waits_max: usize = 128_usize;
        /// Requests a second that one caller (portal, session or network) may make on average.
        rate_per_second: u32 = 50_u32;
        /// Requests that one caller may make in one burst.
        rate_burst: u32 = 200_u32;
        /// Seconds that running requests and jobs are given to finish on shutdown.
        drain_seconds: u64 = 20_u64;
    }
}

section! {
    /// Where rows are kept.
    Database in "database" {
        /// `sqlite://FILE` (nothing to install) or `postgres://USER@HOST/NAME`.
        url: String = "sqlite://kyso.db";
        /// Largest number of connections to PostgreSQL.
        connections_max: u32 = 16_u32;
        /// File with the 32-byte key that seals identity evidence and unsent codes (mode 0600). Made by `kyso init`.
        data_key_file: PathBuf = "data.key";
        /// Folder outside the database that receives every ledger checkpoint. A database restored from an old
        /// backup is recognised by it. Put it on another disk in production.
        checkpoint_directory: PathBuf = "checkpoints";
    }
}

section! {
    /// Where private keys live.
    Keystore in "keystore" {
        /// Backend that makes new keys: `software` or `pkcs11`. Keys made earlier stay where they are.
        backend: String = "software";
        /// Folder of the software keystore. Its `master.key` must have mode 0600.
        software_directory: PathBuf = "keys";
        /// PKCS#11 module, e.g. `/usr/lib/softhsm/libsofthsm2.so`; empty when no module is used.
        pkcs11_module: String = "";
        /// Label of the token.
        pkcs11_token_label: String = "kyso";
        /// File that holds the user PIN of the token (mode 0600).
        pkcs11_pin_file: PathBuf = "token.pin";
        /// Sessions, one thread each: cores for a soft token, 8 to 64 for a network module.
        pkcs11_sessions: usize = 4_usize;
        /// How the module names RFC 5649: `aes-key-wrap-pad` (SoftHSM) or `aes-key-wrap-kwp` (PKCS#11 3.x).
        pkcs11_wrap_mechanism: String = "aes-key-wrap-pad";
        /// Operations that may wait for a key; above it the keystore answers busy.
        queue: usize = 4096_usize;
        /// Algorithm of citizens' keys: `rsa-2048`, `rsa-3072`, `p-256` or `p-384`.
        citizen_algorithm: String = "rsa-2048";
        /// RSA key pairs made ahead of need.
        pool_size: usize = 16_usize;
    }
}

section! {
    /// Who the provider is, as contracts name it.
    Provider in "provider" {
        /// Registered name in capitals, party A of the service contract.
        name: String = "TỔ CHỨC CUNG CẤP DỊCH VỤ CHỨNG THỰC CHỮ KÝ SỐ SÔNG LAM";
        /// Name of the service.
        service: String = "Ký Số";
        /// Registered address.
        address: String = "1 Đường Ven Sông, Phường Vườn Lài, Thành phố Hồ Chí Minh";
        /// Tax number.
        tax_number: String = "0100000000";
        /// Licence to provide public signatures.
        licence: String = "Giấy phép mẫu số 00/GP-MAU";
        /// Who signs for the provider.
        representative: String = "Lê Thị Mẫu";
        /// In which position.
        position: String = "Giám đốc";
        /// Hotline shown to citizens and printed in contracts.
        hotline: String = "1900 0000";
        /// Mail address for citizens.
        email: String = "hotro@kyso.example";
    }
}

section! {
    /// What stands in certificates.
    Authority in "authority" {
        /// The plain http URL under which relying parties reach `/ocsp`, `/crl` and `/ca`; it stands in certificates
        /// (RFC 5280, 8: fetching a status must not need TLS). Empty takes `server.public_url`, if that is http.
        status_url: String = "";
        /// Registered name of the provider (O of its certificates).
        organisation: String = "Nhà cung cấp chữ ký số Sông Lam";
        /// Country code of the provider.
        country: String = "VN";
        /// Name of the issuing authority (CN).
        issuing_name: String = "Ky So Song Lam Issuing CA";
        /// Name of the root (CN).
        root_name: String = "Ky So Song Lam Root CA";
        /// Object identifier of the certificate policy.
        policy_oid: String = "1.3.6.1.4.1.99999.1.1.1";
        /// Where the certification practice statement can be read.
        cps_uri: String = "http://127.0.0.1:8080/cps";
        /// File with the statement, served at `/cps` (`.pdf`, `.html` or text); empty serves a page that says what the
        /// provider has to write.
        cps_file: PathBuf = "";
        /// The user notice of the policy (liability), at most 200 characters.
        user_notice: String = "Chứng thư số cá nhân. Trách nhiệm của nhà cung cấp theo quy chế chứng thực (CPS).";
        /// Hours between scheduled CRLs.
        crl_hours: u32 = 24_u32;
        /// Hours for which a CRL is valid. Must exceed `crl_hours` with room for a bad day.
        crl_valid_hours: u32 = 96_u32;
        /// Minutes for which an OCSP answer is valid; it is told from memory for half of them, or until the status changes.
        ocsp_minutes: u32 = 60_u32;
        /// OCSP answers signed side by side; fewer than the keystore has threads, so that citizens' signatures never wait
        /// behind questions.
        ocsp_signatures_at_once: usize = 2_usize;
        /// OCSP answers a second that are signed for one question alone (a nonce, an unknown serial, several certificates
        /// at once), overall. Beyond it a nonce is left out and the rest is told to try later.
        ocsp_fresh_per_second: u32 = 100_u32;
        /// The same for one network that asks.
        ocsp_fresh_per_network: u32 = 10_u32;
    }
}

section! {
    /// Signature requests.
    Signing in "signing" {
        /// Seconds a request waits for the citizen.
        request_seconds: u32 = 300_u32;
        /// Requests that may wait for one citizen at once; above it a portal hears 429.
        pending_max: u32 = 200_u32;
        /// The same for one portal.
        pending_of_portal_max: u32 = 100_u32;
        /// Most documents in one request.
        documents_max: usize = 50_usize;
        /// Largest document in bytes.
        document_bytes_max: usize = 20 * 1024 * 1024_usize;
        /// Jobs of one kind that a worker takes at a time.
        batch: u32 = 64_u32;
        /// Batches of signatures that a worker has under way. With one the cores rest while it reads and commits, unless others
        /// call; more make each smaller, and dearer: raise it on more than eight cores.
        batches: usize = 1_usize;
    }
}

section! {
    /// Enrolment.
    Registration in "registration" {
        /// Youngest age, in years, of a subscriber.
        age_min: u32 = 14_u32;
        /// Officers that must approve one enrolment.
        officers_required: u32 = 1_u32;
        /// How old, in days, an officer's signature may be when the credential is opened; then officers decide anew.
        approval_days: u32 = 7_u32;
        /// Most codes that one network (an IPv4 address, a /64) is sent in an hour, by whatever channel; what is refused does not
        /// count. A mobile operator has thousands of subscribers behind one address: leave room for neighbours.
        codes_per_network_hour: u32 = 600_u32;
        /// Hours for which no phone is bound after an enrolment that was handed in was resumed from another phone; its citizen
        /// is told on every contact, and can call.
        resumption_rest_hours: u32 = 24_u32;
        /// Largest photo in bytes.
        photo_bytes_max: usize = 8 * 1024 * 1024_usize;
        /// Days for which photos are kept of an enrolment that was rejected, abandoned or expired; their digests stay. Those of
        /// a credential that was opened are kept with it.
        photo_days: u32 = 30_u32;
    }
}

section! {
    /// Outgoing mail.
    Mail in "mail" {
        /// SMTP relay; empty turns mail off.
        host: String = "";
        /// Port of the relay.
        port: u16 = 587_u16;
        /// `none` (loopback only), `starttls` or `tls`.
        tls: String = "starttls";
        /// Sender address.
        from: String = "Ky So <no-reply@kyso.example>";
        /// User name at the relay; empty when none is asked.
        user: String = "";
        /// File with the password.
        password_file: PathBuf = "";
        /// Most codes that are sent by mail in a minute, whoever asks; beyond it `message-budget` is answered. As many again
        /// are sent for first bindings of approved citizens. Notices about a dossier are not counted.
        codes_per_minute: u32 = 600_u32;
        /// The same in an hour.
        codes_per_hour: u32 = 10_000_u32;
        /// The same in a day.
        codes_per_day: u32 = 100_000_u32;
    }
}

section! {
    /// Outgoing SMS by an HTTP gateway: POST JSON `{to, text, reference}` with a bearer token.
    Sms in "sms" {
        /// URL of the gateway; empty turns SMS off.
        url: String = "";
        /// File with the bearer token.
        token_file: PathBuf = "";
        /// Most codes that are sent by SMS in a minute, whoever asks: what somebody who has codes sent to numbers of their own
        /// can cost (SMS pumping). Beyond it `message-budget` is answered, and codes to resume with wait. As many again are sent
        /// for first bindings of approved citizens. Notices about a dossier are not counted.
        codes_per_minute: u32 = 120_u32;
        /// The same in an hour.
        codes_per_hour: u32 = 2_000_u32;
        /// The same in a day.
        codes_per_day: u32 = 10_000_u32;
        /// First digits of telephone numbers that are sent no code, as people write them, e.g. `["0592", "087"]`. Foreign and
        /// fixed numbers are never taken.
        prefixes_refused: Vec<String> = [];
    }
}

section! {
    /// Calls to portals.
    Webhook in "webhook" {
        /// Permit webhooks to loopback and private addresses. Only for a demo or a test.
        danger_allow_private_addresses: bool = false;
        /// Seconds before a call is given up and tried again later.
        seconds_max: u64 = 10_u64;
        /// Calls made at once.
        calls_max: usize = 32_usize;
        /// Calls to one portal at once: one that does not answer holds up nobody else.
        calls_per_portal_max: usize = 4_usize;
    }
}

section! {
    /// Logs.
    Log in "log" {
        /// `json` for machines, `text` for people.
        format: String = "text";
        /// Level filter in `tracing` syntax.
        filter: String = "info,sqlx=warn,hyper=warn";
    }
}

/// Which part of the work a process does (architecture: the web role holds no key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything: the default of a small office.
    All,
    /// HTTP for citizens, portals and officers; no key.
    Web,
    /// Jobs; citizens' keys, issuing, seal and ledger keys.
    Worker,
    /// OCSP, CRL and time-stamps; their keys only.
    Status,
}

/// The header by which a proxy says whose request it hands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses, the nearest last.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The whole configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// See [`Server`].
    pub server: Server,
    /// See [`Database`].
    pub database: Database,
    /// See [`Keystore`].
    pub keystore: Keystore,
    /// See [`Provider`].
    pub provider: Provider,
    /// See [`Authority`].
    pub authority: Authority,
    /// See [`Signing`].
    pub signing: Signing,
    /// See [`Registration`].
    pub registration: Registration,
    /// See [`Mail`].
    pub mail: Mail,
    /// See [`Sms`].
    pub sms: Sms,
    /// See [`Webhook`].
    pub webhook: Webhook,
    /// See [`Log`].
    pub log: Log,
}

/// Where a value came from, for `kyso config explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The default in the code.
    Default,
    /// The configuration file.
    File,
    /// An environment variable, by name.
    Environment(String),
}

/// A configuration with the folder it belongs to and the origin of every value that is not a default.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Folder that relative paths start from.
    pub directory: PathBuf,
    /// `section.key` → origin.
    pub origins: BTreeMap<String, Origin>,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("the configuration {path} is not valid: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and key.
        message: String,
    },
    /// An environment variable that names no section and key.
    #[error("the environment variable {name} names no configuration key")]
    Variable {
        /// Its name.
        name: String,
    },
    /// A combination of values that cannot work.
    #[error("{section}.{key}: {message}")]
    Unsafe {
        /// Section.
        section: &'static str,
        /// Key.
        key: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

/// The manual of every key, in file order.
pub fn manual() -> Vec<(&'static str, &'static str, &'static [Field])> {
    vec![
        (Server::SECTION, Server::DOC, Server::FIELDS),
        (Database::SECTION, Database::DOC, Database::FIELDS),
        (Keystore::SECTION, Keystore::DOC, Keystore::FIELDS),
        (Provider::SECTION, Provider::DOC, Provider::FIELDS),
        (Authority::SECTION, Authority::DOC, Authority::FIELDS),
        (Signing::SECTION, Signing::DOC, Signing::FIELDS),
        (
            Registration::SECTION,
            Registration::DOC,
            Registration::FIELDS,
        ),
        (Mail::SECTION, Mail::DOC, Mail::FIELDS),
        (Sms::SECTION, Sms::DOC, Sms::FIELDS),
        (Webhook::SECTION, Webhook::DOC, Webhook::FIELDS),
        (Log::SECTION, Log::DOC, Log::FIELDS),
    ]
}

impl Loaded {
    /// Reads `path` and lays `variables` (the process environment) over it.
    pub fn read(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let directory = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        Self::parse(&text, path, directory, variables)
    }

    /// Every fault of the values at `path`, of which [`Loaded::read`] gives the first.
    pub fn faults(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<Error>, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::lay(&text, path, Path::new("."), variables)?
            .config
            .faults())
    }

    /// Reads configuration text as if it stood in `path`.
    pub fn parse(
        text: &str,
        path: &Path,
        directory: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let loaded = Self::lay(text, path, directory, variables)?;
        match loaded.config.faults().into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(loaded),
        }
    }

    /// Lays file and environment over the defaults; the types are right, the values may not be.
    fn lay(
        text: &str,
        path: &Path,
        directory: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let invalid = |message: String| Error::Invalid {
            path: path.to_owned(),
            message,
        };
        let mut table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| invalid(e.to_string()))?;
        // The file alone first, so that a fault is reported with its line.
        toml::from_str::<Config>(text).map_err(|e| invalid(e.to_string()))?;
        let mut origins = BTreeMap::new();
        for (section, values) in &table {
            for key in values.as_table().into_iter().flat_map(|t| t.keys()) {
                origins.insert(format!("{section}.{key}"), Origin::File);
            }
        }
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix("KYSO__") else {
                continue;
            };
            let (section, key) = rest
                .split_once("__")
                .map(|(s, k)| (s.to_ascii_lowercase(), k.to_ascii_lowercase()))
                .filter(|(s, k)| known(s, k))
                .ok_or_else(|| Error::Variable { name: name.clone() })?;
            let value = scalar(&value);
            let entry = table
                .entry(section.clone())
                .or_insert_with(|| toml::Table::new().into());
            if let Some(section_table) = entry.as_table_mut() {
                section_table.insert(key.clone(), value);
            }
            origins.insert(format!("{section}.{key}"), Origin::Environment(name));
        }
        let config: Config = table
            .try_into()
            .map_err(|e: toml::de::Error| invalid(e.to_string()))?;
        Ok(Self {
            config,
            directory: directory.to_owned(),
            origins,
        })
    }

    /// A path of the configuration, made absolute from the file's folder.
    pub fn path(&self, path: &Path) -> PathBuf {
        if path.is_absolute() {
            path.to_owned()
        } else {
            self.directory.join(path)
        }
    }

    /// The file of an SQLite database; `None` for a database server and for one in memory.
    pub fn database_file(&self) -> Option<PathBuf> {
        let url = self.database_url();
        let file = url.strip_prefix("sqlite:")?.trim_start_matches("//");
        (!file.starts_with(':')).then(|| PathBuf::from(file))
    }

    /// The database URL with a relative SQLite file made relative to the configuration's folder.
    pub fn database_url(&self) -> String {
        match self.config.database.url.strip_prefix("sqlite://") {
            Some(file) if !file.starts_with('/') && !file.starts_with(':') => {
                format!("sqlite://{}", self.path(Path::new(file)).display())
            }
            _ => self.config.database.url.clone(),
        }
    }
}

impl Config {
    /// Where relying parties ask for status, without a slash at the end.
    pub fn status_url(&self) -> &str {
        let url = match self.authority.status_url.as_str() {
            "" => &self.server.public_url,
            given => given,
        };
        url.trim_end_matches('/')
    }
}

fn known(section: &str, key: &str) -> bool {
    manual()
        .iter()
        .any(|(s, _, fields)| *s == section && fields.iter().any(|f| f.key == key))
}

/// An environment value as TOML: a number, a truth value or a list in brackets if it reads as one, else text.
fn scalar(value: &str) -> toml::Value {
    match value.parse::<i64>() {
        Ok(number) => number.into(),
        Err(_) => match value {
            "true" => true.into(),
            "false" => false.into(),
            _ if value.starts_with('[') => value.parse().unwrap_or_else(|_| value.into()),
            _ => value.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Error> {
        let variables = variables
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()));
        Loaded::parse(
            text,
            Path::new("kyso.toml"),
            Path::new("/srv/kyso"),
            variables,
        )
    }

    #[test]
    fn an_empty_file_is_the_embedded_default() {
        let loaded = parse("", &[]).unwrap();
        assert_eq!(loaded.config.server.role, Role::All);
        assert_eq!(loaded.database_url(), "sqlite:///srv/kyso/kyso.db");
    }

    #[test]
    fn an_unknown_key_stops_the_start_and_is_named() {
        let error = parse("[server]\nlisen = \"x\"", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("lisen"), "{error}");
    }

    #[test]
    fn the_environment_wins_and_its_origin_is_told() {
        let loaded = parse(
            "[server]\nrole = \"web\"",
            &[("KYSO__SERVER__ROLE", "worker"), ("HOME", "/")],
        )
        .unwrap();
        assert_eq!(loaded.config.server.role, Role::Worker);
        assert_eq!(
            loaded.origins["server.role"],
            Origin::Environment("KYSO__SERVER__ROLE".into())
        );
    }

    #[test]
    fn proxies_are_networks_and_nothing_else() {
        let text = "[server]\ntrusted_proxies = [\"10.0.0.0/8\"]\nforwarded_header = \"forwarded\"";
        let variable = ("KYSO__SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\", \"::1\"]");
        assert_eq!(
            parse(text, &[])
                .unwrap()
                .config
                .server
                .trusted_proxies
                .len(),
            1
        );
        let over = parse(text, &[variable]).unwrap().config.server;
        assert_eq!(over.trusted_proxies.len(), 2);
        let wrong = text.replace("10.0.0.0/8", "everybody");
        assert!(
            parse(&wrong, &[])
                .unwrap_err()
                .to_string()
                .contains("everybody")
        );
    }

    #[test]
    fn a_variable_that_names_no_key_is_refused() {
        assert!(matches!(
            parse("", &[("KYSO__SERVER__ROLL", "web")]),
            Err(Error::Variable { .. })
        ));
    }

    #[test]
    fn what_cannot_work_stops_the_start() {
        assert!(matches!(
            parse("[log]\nformat = \"xml\"", &[]),
            Err(Error::Unsafe { key: "format", .. })
        ));
    }

    #[test]
    fn mail_without_tls_leaves_this_machine_never() {
        let text = "[mail]\nhost = \"mail.example\"\ntls = \"none\"";
        assert!(matches!(
            parse(text, &[]),
            Err(Error::Unsafe { key: "tls", .. })
        ));
        assert!(parse(&text.replace("mail.example", "127.0.0.1"), &[]).is_ok());
    }
}
