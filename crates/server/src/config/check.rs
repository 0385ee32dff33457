//! Rules of the configuration that no single type can say: what is wrong, and what to write instead.
//!
//! The first fault stops the start; `kyso config check` lists all of them and looks for the files that are named.

use std::path::{Path, PathBuf};

use kyso_authority::subject;
use kyso_pki::name::SubjectName;
use tracing_subscriber::EnvFilter;

use super::{Config, Error, Loaded, Role};

/// Algorithms that citizens' keys may have.
pub const CITIZEN_ALGORITHMS: [&str; 4] = ["rsa-2048", "rsa-3072", "p-256", "p-384"];
/// Longest user notice of a policy (RFC 5280, 4.2.1.4), characters.
const NOTICE_CHARACTERS_MAX: usize = 200;

impl Config {
    /// Every fault, in the order of the file.
    pub fn faults(&self) -> Vec<Error> {
        let mut faults = Faults(Vec::new());
        self.check_server(&mut faults);
        self.check_keys(&mut faults);
        self.check_authority(&mut faults);
        self.check_people(&mut faults);
        self.check_mail(&mut faults);
        self.check_log(&mut faults);
        faults.0
    }

    fn check_server(&self, faults: &mut Faults) {
        let server = &self.server;
        let addresses = [
            ("listen", &server.listen),
            ("metrics_listen", &server.metrics_listen),
        ];
        for (key, address) in addresses {
            let off = key == "metrics_listen" && address.is_empty();
            if !off && !is_address(address) {
                faults.add("server", key, "write ADDRESS:PORT, such as 127.0.0.1:8080");
            }
        }
        if !is_origin(&server.public_url) {
            faults.add(
                "server",
                "public_url",
                "write https://HOST or http://HOST:PORT, without a path",
            );
        }
        let database = &self.database.url;
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            faults.add(
                "database",
                "url",
                "write sqlite://FILE or postgres://USER@HOST/NAME",
            );
        }
        if self.signing.batch == 0 {
            faults.add("signing", "batch", "choose at least 1");
        }
        if !(1..=16).contains(&self.signing.batches) {
            faults.add("signing", "batches", "choose 1 to 16");
        }
    }

    fn check_keys(&self, faults: &mut Faults) {
        let keystore = &self.keystore;
        if !["software", "pkcs11"].contains(&keystore.backend.as_str()) {
            faults.add("keystore", "backend", "choose software or pkcs11");
        }
        if keystore.backend == "pkcs11" && keystore.pkcs11_module.is_empty() {
            faults.add(
                "keystore",
                "pkcs11_module",
                "the pkcs11 backend needs the path of a module",
            );
        }
        if !["aes-key-wrap-pad", "aes-key-wrap-kwp"]
            .contains(&keystore.pkcs11_wrap_mechanism.as_str())
        {
            faults.add(
                "keystore",
                "pkcs11_wrap_mechanism",
                "choose aes-key-wrap-pad or aes-key-wrap-kwp",
            );
        }
        if !CITIZEN_ALGORITHMS.contains(&keystore.citizen_algorithm.as_str()) {
            faults.add(
                "keystore",
                "citizen_algorithm",
                "choose rsa-2048, rsa-3072, p-256 or p-384",
            );
        }
    }

    fn check_authority(&self, faults: &mut Faults) {
        let authority = &self.authority;
        if !self.status_url().starts_with("http://") || !is_origin(self.status_url()) {
            let message = match authority.status_url.is_empty() {
                true => {
                    "server.public_url is not plain http, so the http:// URL of OCSP, CRL and issuer certificates must \
                     be given here"
                }
                false => {
                    "write http://HOST or http://HOST:PORT: it stands in certificates (RFC 5280, 8)"
                }
            };
            faults.add("authority", "status_url", message);
        }
        let names = [
            ("organisation", &authority.organisation),
            ("issuing_name", &authority.issuing_name),
            ("root_name", &authority.root_name),
        ];
        for (key, name) in names {
            match check_name(&authority.country, name) {
                Ok(()) => {}
                Err(kyso_authority::Error::Subject {
                    attribute: "country",
                    ..
                }) => faults.add(
                    "authority",
                    "country",
                    "write two capital letters, such as VN",
                ),
                Err(kyso_authority::Error::Subject { fault, .. }) => {
                    let message = format!("{fault}; it stands in certificates");
                    faults.add("authority", key, &message);
                }
                Err(error) => faults.add("authority", key, &error.to_string()),
            }
        }
        if !is_oid(&authority.policy_oid) {
            faults.add(
                "authority",
                "policy_oid",
                "write an object identifier, such as 1.3.6.1.4.1.99999.1.1.1",
            );
        }
        if !["http://", "https://"].iter().any(|scheme| {
            authority
                .cps_uri
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty())
        }) {
            faults.add("authority", "cps_uri", "write an http:// or https:// URL");
        }
        if authority.user_notice.chars().count() > NOTICE_CHARACTERS_MAX {
            faults.add("authority", "user_notice", "at most 200 characters");
        }
        if authority.crl_valid_hours <= authority.crl_hours {
            faults.add(
                "authority",
                "crl_valid_hours",
                &format!(
                    "must be more than crl_hours ({}), or a CRL expires before its successor is due",
                    authority.crl_hours
                ),
            );
        }
    }

    fn check_people(&self, faults: &mut Faults) {
        if self.provider.name.trim().is_empty() {
            faults.add("provider", "name", "contracts name the provider: write it");
        }
        if !(1..=2).contains(&self.registration.officers_required) {
            faults.add("registration", "officers_required", "choose 1 or 2");
        }
        if self.registration.approval_days == 0 {
            faults.add("registration", "approval_days", "choose at least 1");
        }
        if self.registration.codes_per_network_hour == 0 {
            faults.add(
                "registration",
                "codes_per_network_hour",
                "choose at least 1",
            );
        }
    }

    fn check_mail(&self, faults: &mut Faults) {
        let mail = &self.mail;
        if !["none", "starttls", "tls"].contains(&mail.tls.as_str()) {
            faults.add("mail", "tls", "choose none, starttls or tls");
        }
        if mail.tls == "none" && !mail.host.is_empty() && !is_loopback(&mail.host) {
            faults.add(
                "mail",
                "tls",
                "mail without TLS is allowed to this machine only; use starttls or tls",
            );
        }
        if !mail.user.is_empty() && mail.password_file.as_os_str().is_empty() {
            faults.add("mail", "password_file", "mail.user needs a password");
        }
        if !self.sms.url.is_empty() && self.sms.token_file.as_os_str().is_empty() {
            faults.add("sms", "token_file", "sms.url needs a token");
        }
        let sms = &self.sms;
        for (section, key, codes) in [
            ("mail", "codes_per_minute", mail.codes_per_minute),
            ("mail", "codes_per_hour", mail.codes_per_hour),
            ("mail", "codes_per_day", mail.codes_per_day),
            ("sms", "codes_per_minute", sms.codes_per_minute),
            ("sms", "codes_per_hour", sms.codes_per_hour),
            ("sms", "codes_per_day", sms.codes_per_day),
        ] {
            if codes == 0 {
                faults.add(section, key, "choose at least 1, or nobody can enrol");
            }
        }
        let is_prefix = |prefix: &String| {
            prefix.starts_with('0')
                && (2..=10).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !sms.prefixes_refused.iter().all(is_prefix) {
            faults.add(
                "sms",
                "prefixes_refused",
                "write the first digits as people do, from 0: 0592",
            );
        }
    }

    fn check_log(&self, faults: &mut Faults) {
        if !["text", "json"].contains(&self.log.format.as_str()) {
            faults.add("log", "format", "choose text or json");
        }
        if let Err(error) = EnvFilter::try_new(&self.log.filter) {
            faults.add(
                "log",
                "filter",
                &format!("{error}; write such as info,sqlx=warn"),
            );
        }
    }
}

impl Loaded {
    /// Files that the configuration names and that are not there, or cannot be read: key and path.
    pub fn missing_files(&self) -> Vec<(&'static str, PathBuf)> {
        let config = &self.config;
        let keys = matches!(config.server.role, Role::All | Role::Worker | Role::Status);
        let master = config.keystore.software_directory.join("master.key");
        let pkcs11 = keys && config.keystore.backend == "pkcs11";
        let needed: [(&'static str, &Path, bool); 7] = [
            (
                "database.data_key_file",
                &config.database.data_key_file,
                true,
            ),
            (
                "keystore.software_directory",
                &master,
                keys && config.keystore.backend == "software",
            ),
            (
                "keystore.pkcs11_module",
                config.keystore.pkcs11_module.as_ref(),
                pkcs11,
            ),
            (
                "keystore.pkcs11_pin_file",
                &config.keystore.pkcs11_pin_file,
                pkcs11,
            ),
            (
                "authority.cps_file",
                &config.authority.cps_file,
                !config.authority.cps_file.as_os_str().is_empty(),
            ),
            (
                "mail.password_file",
                &config.mail.password_file,
                !config.mail.user.is_empty(),
            ),
            (
                "sms.token_file",
                &config.sms.token_file,
                !config.sms.url.is_empty(),
            ),
        ];
        needed
            .into_iter()
            .filter(|(_, _, is_needed)| *is_needed)
            .map(|(key, path, _)| (key, self.path(path)))
            .filter(|(_, path)| std::fs::File::open(path).is_err() || path.is_dir())
            .collect()
    }
}

struct Faults(Vec<Error>);

impl Faults {
    fn add(&mut self, section: &'static str, key: &'static str, message: &str) {
        self.0.push(Error::Unsafe {
            section,
            key,
            message: message.to_owned(),
        });
    }
}

/// Whether a certificate may carry this name: the same judge as before every signature.
fn check_name(country: &str, name: &str) -> Result<(), kyso_authority::Error> {
    subject::check(&SubjectName {
        country: country.to_owned(),
        common_name: name.to_owned(),
        organization: Some(name.to_owned()),
        ..SubjectName::default()
    })
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

/// Scheme, host and perhaps a port; a slash at the end is forgiven.
fn is_origin(url: &str) -> bool {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .map(|rest| rest.trim_end_matches('/'));
    host.is_some_and(|host| {
        !host.is_empty()
            && !host.contains(|c: char| c.is_whitespace() || ['/', '?', '#', '@'].contains(&c))
    })
}

fn is_oid(text: &str) -> bool {
    let arcs: Vec<&str> = text.split('.').collect();
    arcs.len() > 2
        && ["0", "1", "2"].contains(&arcs[0])
        && arcs.iter().all(|arc| {
            arc.parse::<u64>()
                .is_ok_and(|value| value.to_string() == **arc)
        })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let config: Config = toml::from_str(text).unwrap();
        config
            .faults()
            .into_iter()
            .map(|fault| fault.to_string())
            .collect()
    }

    #[test]
    fn the_defaults_have_no_fault() {
        assert_eq!(keys(""), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_work_is_named_with_what_to_write() {
        for (text, key) in [
            ("[server]\nlisten = \"8080\"", "server.listen"),
            (
                "[server]\nmetrics_listen = \"here\"",
                "server.metrics_listen",
            ),
            (
                "[server]\npublic_url = \"ky.example.vn\"",
                "server.public_url",
            ),
            (
                "[server]\npublic_url = \"http://ky.example.vn/app\"",
                "server.public_url",
            ),
            ("[database]\nurl = \"kyso.db\"", "database.url"),
            ("[keystore]\nbackend = \"hsm\"", "keystore.backend"),
            ("[keystore]\nbackend = \"pkcs11\"", "keystore.pkcs11_module"),
            (
                "[keystore]\ncitizen_algorithm = \"rsa-1024\"",
                "keystore.citizen_algorithm",
            ),
            (
                "[keystore]\ncitizen_algorithm = \"rsa-4096\"",
                "keystore.citizen_algorithm",
            ),
            (
                "[keystore]\npkcs11_wrap_mechanism = \"x\"",
                "keystore.pkcs11_wrap_mechanism",
            ),
            ("[authority]\norganisation = \"\"", "authority.organisation"),
            (
                "[authority]\norganisation = \"  \"",
                "authority.organisation",
            ),
            (
                "[authority]\nissuing_name = \"Аn Binh\"",
                "authority.issuing_name",
            ),
            ("[authority]\ncountry = \"Vietnam\"", "authority.country"),
            (
                "[authority]\npolicy_oid = \"one.two\"",
                "authority.policy_oid",
            ),
            ("[authority]\ncps_uri = \"/cps\"", "authority.cps_uri"),
            (
                "[authority]\nstatus_url = \"https://a\"",
                "authority.status_url",
            ),
            (
                "[server]\npublic_url = \"https://a\"",
                "authority.status_url",
            ),
            (
                "[authority]\ncrl_valid_hours = 24",
                "authority.crl_valid_hours",
            ),
            ("[provider]\nname = \" \"", "provider.name"),
            (
                "[registration]\nofficers_required = 0",
                "registration.officers_required",
            ),
            (
                "[registration]\napproval_days = 0",
                "registration.approval_days",
            ),
            (
                "[registration]\ncodes_per_network_hour = 0",
                "registration.codes_per_network_hour",
            ),
            ("[mail]\ncodes_per_hour = 0", "mail.codes_per_hour"),
            ("[sms]\ncodes_per_minute = 0", "sms.codes_per_minute"),
            (
                "[sms]\nprefixes_refused = [\"+8459\"]",
                "sms.prefixes_refused",
            ),
            ("[sms]\nprefixes_refused = [\"0\"]", "sms.prefixes_refused"),
            ("[mail]\ntls = \"ssl\"", "mail.tls"),
            (
                "[mail]\nhost = \"mail.example\"\ntls = \"none\"",
                "mail.tls",
            ),
            ("[mail]\nuser = \"kyso\"", "mail.password_file"),
            ("[sms]\nurl = \"https://sms.example\"", "sms.token_file"),
            ("[log]\nformat = \"xml\"", "log.format"),
            ("[log]\nfilter = \"info,sqlx=loud\"", "log.filter"),
        ] {
            let found = keys(text);
            assert!(
                found
                    .iter()
                    .any(|fault| fault.starts_with(&format!("{key}: "))),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn files_that_are_named_and_not_there_are_found() {
        let text = "[mail]\nuser = \"kyso\"\npassword_file = \"mail.password\"";
        let loaded =
            Loaded::parse(text, Path::new("kyso.toml"), Path::new("/nowhere"), []).unwrap();
        let missing: Vec<&str> = loaded.missing_files().iter().map(|(key, _)| *key).collect();
        assert_eq!(
            missing,
            [
                "database.data_key_file",
                "keystore.software_directory",
                "mail.password_file"
            ]
        );
    }
}
