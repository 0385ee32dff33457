//! A provider with enrolled citizens, for measuring: the release binary, set up by its own commands, reached by HTTP only.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use kyso_catcher::Catcher;
use kyso_demo::card;
use kyso_demo::provider::{self, Provider};
use kyso_demo::stage::Failure;
use kyso_phone::{Console, Enrolment, Owner, Phone, Session};
use serde_json::{Value, json};
use tokio::process::Child;
use tokio::task::JoinSet;

use crate::options::Algorithm;
use crate::process;
use crate::report::Sample;

const PIN: &str = "729461";
const KINDS: [&str; 3] = ["front", "back", "face"];
/// People that enrol side by side.
const ENROLLING: usize = 8;
/// How long one looks again for what is being worked on.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the provider stands on.
pub struct Ground {
    /// Database URL; SQLite in the provider's folder when absent.
    pub database: Option<String>,
    /// The process whose children are the database server.
    pub database_process: Option<u32>,
    /// Lines of the `[keystore]` section.
    pub keystore: String,
    /// What the binary finds in its environment.
    pub environment: Vec<(String, String)>,
    /// Of citizens' keys.
    pub algorithm: Algorithm,
    /// RSA pairs kept ahead of need.
    pub pool: usize,
}

/// A provider under measurement.
pub struct World {
    provider: Provider,
    server: Child,
    database_process: Option<u32>,
    catcher: Arc<Catcher>,
    officer: String,
    console: Console,
    portal: (String, String),
    client: reqwest::Client,
    photo: Vec<u8>,
    /// Everybody who has a credential.
    citizens: Vec<Arc<Citizen>>,
    invented: u32,
    /// Documents that were signed at our request, and approvals that did it.
    asked: (usize, usize),
    _folder: tempfile::TempDir,
}

/// Somebody who signs.
struct Citizen {
    phone: Phone,
    session: Session,
    number: String,
}

/// Somebody whose dossier an officer has open.
pub struct Applicant {
    phone: Phone,
    enrolment: Enrolment,
    owner: Owner,
    /// As the officer's console has it.
    dossier: Value,
}

/// Approvals of one citizen, ready to be sent one after the other.
pub struct Prepared {
    citizen: Arc<Citizen>,
    approvals: Vec<(String, Value)>,
}

impl World {
    /// Sets a provider up and starts its server.
    pub async fn start(kyso: &Path, ground: &Ground) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let catcher = Arc::new(Catcher::start().await?);
        let (port, operator_port) = (provider::free_port(0)?, provider::free_port(0)?);
        let provider = Provider {
            binary: kyso
                .canonicalize()
                .map_err(|error| format!("{}: {error}", kyso.display()))?,
            directory: folder.path().to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            public_url: format!("http://127.0.0.1:{port}"),
            operator_url: format!("http://127.0.0.1:{operator_port}"),
            environment: ground.environment.clone(),
        };
        std::fs::write(folder.path().join("sms.token"), catcher.sms_token())?;
        std::fs::write(folder.path().join("campaign.toml"), CAMPAIGN)?;
        let configuration = configuration(ground, port, operator_port, &catcher);
        std::fs::write(folder.path().join("kyso.toml"), configuration)?;
        provider.run(&["init"]).await?;
        provider.run(&["ceremony", "run"]).await?;
        provider
            .run(&["ceremony", "export", "--file", "chain.pem"])
            .await?;
        provider.run(&["campaign", "add", "campaign.toml"]).await?;
        let portal = [
            "portal",
            "add",
            "--name",
            "Bench",
            "--allow-digests",
            "--json",
        ];
        let portal = provider.run_json(&portal).await?;
        let word = |key: &str| portal[key].as_str().unwrap_or_default().to_owned();
        let console = Console::new()?;
        std::fs::write(folder.path().join("officer.pem"), console.public_key_pem())?;
        let officer = [
            "officer",
            "add",
            "--name",
            "Bench",
            "--identity-number",
            "079085000099",
            "--role",
            "vetter",
            "--public-key",
            "officer.pem",
            "--quiet",
        ];
        let officer = provider.run(&officer).await?.trim().to_owned();
        let server = provider.serve().await?;
        Ok(Self {
            portal: (word("client_id"), word("secret")),
            provider,
            server,
            database_process: ground.database_process,
            catcher,
            officer,
            console,
            client: reqwest::Client::builder().no_proxy().build()?,
            photo: card::drawing(20)?,
            citizens: Vec::new(),
            invented: 0,
            asked: (0, 0),
            _folder: folder,
        })
    }

    /// Where everything of this provider lies.
    pub fn folder(&self) -> &Path {
        &self.provider.directory
    }

    /// Where the server listens.
    pub fn url(&self) -> &str {
        &self.provider.url
    }

    /// The first citizen's certificate, base64 of DER.
    pub async fn certificate(&self) -> Result<String, Failure> {
        let citizen = self.citizens.first().ok_or("nobody has enrolled")?;
        let shown = citizen.phone.credential(&citizen.session).await?;
        Ok(shown["certificate"].as_str().unwrap_or_default().to_owned())
    }

    /// Lets `count` people enrol up to the point where an officer has looked at everything and may approve.
    pub async fn apply(&mut self, count: usize) -> Result<Vec<Applicant>, Failure> {
        let bar = bar(count, "people hand their papers in");
        let mut applicants = Vec::with_capacity(count);
        let mut running = JoinSet::new();
        for _ in 0..count {
            if running.len() >= ENROLLING {
                applicants.extend(next(&mut running).await?);
                bar.inc(1);
            }
            self.invented += 1;
            let desk = Desk {
                client: self.client.clone(),
                officer: self.officer.clone(),
                url: self.provider.url.clone(),
                phone: self.provider.phone()?,
                catcher: self.catcher.clone(),
                photo: self.photo.clone(),
            };
            running.spawn(desk.take(Owner::invented(self.invented)));
        }
        while !running.is_empty() {
            applicants.extend(next(&mut running).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(applicants)
    }

    /// The officer approves everybody; timed until each has a certificate.
    pub async fn certify(&self, applicants: &[Applicant]) -> Result<Sample, Failure> {
        let clock = self.clock();
        let mut running = JoinSet::new();
        for applicant in applicants {
            if running.len() >= ENROLLING {
                next(&mut running).await?;
            }
            let id = &applicant.enrolment.id;
            let path = format!("{}/v1/ra/enrolments/{id}/approval", self.provider.url);
            let photos = KINDS.map(|kind| (kind, self.photo.clone()));
            let decision = self.console.approve(&applicant.dossier, &photos)?;
            let approval = self.client.post(path).bearer_auth(&self.officer);
            let approval = approval.json(&decision);
            running.spawn(async move {
                approval.send().await?.error_for_status()?;
                Ok::<_, Failure>(())
            });
        }
        while !running.is_empty() {
            next(&mut running).await?;
        }
        for applicant in applicants {
            let mut shown = applicant.phone.enrolment(&applicant.enrolment).await?;
            while shown["next"][0] != "device" {
                if clock.elapsed() > PATIENCE {
                    return Err(format!("no certificate was issued: {}", shown["state"]).into());
                }
                tokio::time::sleep(Duration::from_millis(4)).await;
                shown = applicant.phone.enrolment(&applicant.enrolment).await?;
            }
        }
        Ok(clock.sample(applicants.len()))
    }

    /// Each binds a phone and signs the acceptance: from now on they are citizens who sign.
    pub async fn accept(&mut self, applicants: Vec<Applicant>) -> Result<(), Failure> {
        let bar = bar(applicants.len(), "people choose their PIN and accept");
        let mut running = JoinSet::new();
        for applicant in applicants {
            if running.len() >= ENROLLING {
                self.citizens
                    .extend(next(&mut running).await?.map(Arc::new));
                bar.inc(1);
            }
            running.spawn(accept(applicant, self.catcher.clone()));
        }
        while !running.is_empty() {
            self.citizens
                .extend(next(&mut running).await?.map(Arc::new));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Makes requests of `documents` digests each and lets the phones sign their statements and seal their PINs:
    /// `each` approvals for every citizen.
    pub async fn prepare(
        &mut self,
        documents: usize,
        each: usize,
    ) -> Result<Vec<Prepared>, Failure> {
        let bar = bar(self.citizens.len(), "phones prepare approvals");
        let mut prepared = Vec::with_capacity(self.citizens.len());
        let mut running = JoinSet::new();
        for citizen in self.citizens.clone() {
            if running.len() >= ENROLLING {
                prepared.extend(next(&mut running).await?);
                bar.inc(1);
            }
            let ask = self.ask(&citizen.number, documents);
            running.spawn(async move {
                let mut approvals = Vec::with_capacity(each);
                for _ in 0..each {
                    let again = ask.try_clone().ok_or("a request that cannot be repeated")?;
                    let made: Value = again.send().await?.error_for_status()?.json().await?;
                    let body = citizen.phone.approval(&citizen.session, &made, PIN).await?;
                    let request = made["id"].as_str().unwrap_or_default().to_owned();
                    approvals.push((request, body));
                }
                Ok::<_, Failure>(Prepared { citizen, approvals })
            });
        }
        while !running.is_empty() {
            prepared.extend(next(&mut running).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(prepared)
    }

    fn ask(&self, number: &str, documents: usize) -> reqwest::RequestBuilder {
        let documents: Vec<Value> = (0..documents)
            .map(|n| {
                json!({
                    "name": format!("tờ {n}"),
                    "digest": { "algorithm": "sha-256", "value": format!("{n:064x}") }
                })
            })
            .collect();
        self.client
            .post(format!("{}/v1/signature-requests", self.provider.url))
            .basic_auth(&self.portal.0, Some(&self.portal.1))
            .json(&json!({ "signer": { "identity_number": number }, "documents": documents }))
    }

    /// Every citizen sends one approval after the other, and the portal waits for each and reads the signatures.
    pub async fn approve(&mut self, prepared: Vec<Prepared>) -> Result<Sample, Failure> {
        self.be_quiet().await?;
        let clock = self.clock();
        let mut running = JoinSet::new();
        for one in prepared {
            let requests = format!("{}/v1/signature-requests", self.provider.url);
            let (client, portal) = (self.client.clone(), self.portal.clone());
            running.spawn(async move {
                let mut signed = (0, 0);
                for (request, body) in one.approvals {
                    let citizen = &one.citizen;
                    citizen
                        .phone
                        .send_approval(&citizen.session, &request, &body)
                        .await?;
                    let result = client
                        .get(format!("{requests}/{request}?wait=25"))
                        .basic_auth(&portal.0, Some(&portal.1));
                    let shown: Value = result.send().await?.error_for_status()?.json().await?;
                    signed.0 += signatures(&shown)?;
                    signed.1 += 1;
                }
                Ok::<_, Failure>(signed)
            });
        }
        let mut signed = 0;
        while !running.is_empty() {
            let (documents, approvals) = next(&mut running).await?.unwrap_or_default();
            signed += documents;
            self.asked.1 += approvals;
        }
        self.asked.0 += signed;
        Ok(clock.sample(signed))
    }

    /// Sends `each` times from each of `callers` the same body to `url`, and times it. For OCSP, ours and other people's.
    pub async fn post(
        &self,
        url: &str,
        body: &[u8],
        callers: usize,
        each: usize,
        of_process: Option<u32>,
    ) -> Result<Sample, Failure> {
        let mut clock = self.clock();
        if let Some(process) = of_process {
            clock.watch(process);
        }
        let mut running = JoinSet::new();
        // A responder that serves one connection after the other must not be kept waiting by one that is idle.
        let client = match of_process {
            Some(_) => reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .build()?,
            None => self.client.clone(),
        };
        for _ in 0..callers {
            let (client, url, body) = (client.clone(), url.to_owned(), body.to_vec());
            running.spawn(async move {
                for _ in 0..each {
                    let call = client.post(&url).body(body.clone());
                    let call = call.header("content-type", "application/ocsp-request");
                    let answer = call.send().await?.error_for_status()?.bytes().await?;
                    // OCSPResponseStatus successful (RFC 6960, 4.2.1) is the first thing inside.
                    if !answer.windows(3).take(8).any(|at| at == [0x0a, 0x01, 0x00]) {
                        return Err("an OCSP answer that is not successful".into());
                    }
                }
                Ok::<(), Failure>(())
            });
        }
        while !running.is_empty() {
            next(&mut running).await?;
        }
        Ok(clock.sample(callers * each))
    }

    /// Waits until the server has nothing to do: the pool is full, the ledger sealed, no job left.
    pub async fn be_quiet(&self) -> Result<(), Failure> {
        let process = self.server.id().ok_or("the server has ended")?;
        let mut quiet = 0;
        let mut before = process::cpu_seconds(process);
        for _ in 0..600 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = process::cpu_seconds(process);
            quiet = if now - before < 0.02 { quiet + 1 } else { 0 };
            before = now;
            if quiet == 5 {
                return Ok(());
            }
        }
        Err("the server does not come to rest".into())
    }

    /// The most memory the server has held, MiB.
    pub fn peak_memory_mib(&self) -> f64 {
        self.server.id().map_or(0.0, process::peak_memory_mib)
    }

    /// Stops the server and lets `kyso verify-store` check everything, signatures included; then compares its counts with
    /// ours. Gives the number of signatures.
    pub async fn end(self) -> Result<f64, Failure> {
        provider::stop(self.server).await?;
        let words = self.provider.run(&["verify-store"]).await?;
        // Each citizen has signed the acceptance, too.
        let documents = self.asked.0 + self.citizens.len();
        let approvals = self.asked.1 + self.citizens.len();
        let counts = [
            ("signatures", documents),
            ("debits", approvals),
            ("results in the ledger", approvals),
        ];
        for (name, expected) in counts {
            let found = count_of(&words, name);
            if found != Some(expected) {
                let disagree = format!(
                    "{expected} {name} were asked for, verify-store counts {found:?}:\n{words}"
                );
                return Err(disagree.into());
            }
        }
        Ok(documents as f64)
    }

    #[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
    fn clock(&self) -> Clock {
        let mut clock = Clock {
            server: self.server.id(),
            database: self.database_process,
            before: [0.0; 3],
            began: Instant::now(),
        };
        clock.before = clock.now();
        clock
    }
}

/// Wall and processor time since a moment.
struct Clock {
    server: Option<u32>,
    database: Option<u32>,
    before: [f64; 3],
    began: Instant,
}

impl Clock {
    fn now(&self) -> [f64; 3] {
        [
            self.server.map_or(0.0, process::family_cpu_seconds),
            self.database.map_or(0.0, process::family_cpu_seconds),
            process::cpu_seconds(std::process::id()),
        ]
    }

    /// Somebody else's server instead of ours.
    fn watch(&mut self, process: u32) {
        self.server = Some(process);
        self.database = None;
        self.before = self.now();
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn sample(&self, units: usize) -> Sample {
        let seconds = self.began.elapsed().as_secs_f64();
        let now = self.now();
        let [server_seconds, database_seconds, generator_seconds] =
            [0, 1, 2].map(|place| now[place] - self.before[place]);
        Sample {
            units: units as f64,
            seconds,
            server_seconds,
            database_seconds,
            generator_seconds,
        }
    }
}

/// Where somebody who enrols goes.
struct Desk {
    client: reqwest::Client,
    officer: String,
    url: String,
    phone: Phone,
    catcher: Arc<Catcher>,
    photo: Vec<u8>,
}

impl Desk {
    /// One person, from the campaign to the open dossier.
    async fn take(self, owner: Owner) -> Result<Applicant, Failure> {
        let phone = self.phone;
        let enrolment = phone.enrol("bench").await?;
        phone.put_owner(&enrolment, &owner).await?;
        phone.pay(&enrolment).await?;
        phone.ask_code(&enrolment, "email").await?;
        let code = code_after(&self.catcher, 0, &owner.email).await?;
        phone.activate(&enrolment, &code).await?;
        for kind in KINDS {
            phone
                .put_photo(&enrolment, kind, self.photo.clone())
                .await?;
        }
        phone.sign_contract(&enrolment).await?;
        phone.submit(&enrolment).await?;
        phone
            .wait_enrolment(&enrolment, "the seal", |shown| {
                shown["contract"]["sealed"] == true
            })
            .await?;
        let dossier = format!("{}/v1/ra/enrolments/{}", self.url, enrolment.id);
        let lock = self.client.post(format!("{dossier}/lock"));
        let lock = lock.bearer_auth(&self.officer).send().await?;
        let opened: Value = lock.error_for_status()?.json().await?;
        for kind in KINDS {
            let photo = self.client.get(format!("{dossier}/evidence/{kind}"));
            let photo = photo.bearer_auth(&self.officer).send().await?;
            photo.error_for_status()?.bytes().await?;
        }
        Ok(Applicant {
            phone,
            enrolment,
            owner,
            dossier: opened,
        })
    }
}

async fn accept(applicant: Applicant, catcher: Arc<Catcher>) -> Result<Citizen, Failure> {
    let Applicant {
        phone,
        enrolment,
        owner,
        dossier: _,
    } = applicant;
    let seen = catcher.messages(&owner.email);
    let challenge = phone.ask_device_code(&enrolment).await?;
    let after = seen.last().map_or(0, |mail| mail.id);
    let code = code_after(&catcher, after, &owner.email).await?;
    phone.bind(&enrolment, &challenge, PIN, &code).await?;
    let shown = phone
        .wait_enrolment(&enrolment, "the acceptance", |shown| {
            shown["acceptance_request"].is_string()
        })
        .await?;
    let session = phone.open_session().await?;
    let acceptance = shown["acceptance_request"].as_str().unwrap_or_default();
    phone.approve(&session, acceptance, PIN).await?;
    phone
        .wait_enrolment(&enrolment, "completion", |shown| {
            shown["state"] == "complete"
        })
        .await?;
    Ok(Citizen {
        phone,
        session,
        number: owner.identity_number,
    })
}

/// The code in the first mail after message `after` that holds one.
async fn code_after(catcher: &Catcher, mut after: u64, email: &str) -> Result<String, Failure> {
    while let Some(mail) = catcher.wait_for(email, after, PATIENCE).await {
        if let Some(code) = six_digits(&mail.text) {
            return Ok(code);
        }
        after = mail.id;
    }
    Err("no code was mailed".into())
}

/// How many documents of a request are signed: all of them, or the benchmark is over.
fn signatures(shown: &Value) -> Result<usize, Failure> {
    let documents = shown["documents"].as_array().map_or(&[][..], Vec::as_slice);
    let signed = documents
        .iter()
        .filter(|document| document["signature"].is_string());
    match signed.count() {
        count if count > 0 && count == documents.len() => Ok(count),
        _ => Err(format!("a request is {}: {}", shown["state"], shown["failure"]).into()),
    }
}

/// What one task of several gives.
async fn next<T: 'static>(running: &mut JoinSet<Result<T, Failure>>) -> Result<Option<T>, Failure> {
    match running.join_next().await {
        Some(done) => Ok(Some(done??)),
        None => Ok(None),
    }
}

fn bar(length: usize, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} {msg}");
    ProgressBar::new(length as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}

/// The first run of exactly six digits.
fn six_digits(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() == 6)
        .map(str::to_owned)
}

/// `     128  signatures` among the lines of `kyso verify-store`.
fn count_of(words: &str, name: &str) -> Option<usize> {
    words.lines().find_map(|line| {
        let (count, found) = line.trim().split_once("  ")?;
        (found == name).then(|| count.parse().ok())?
    })
}

/// A campaign for everybody.
const CAMPAIGN: &str = r#"
[[plan]]
code = "bench"
name = "Bench"
name_en = "Bench"
months = 12
price_vnd = 0

[[campaign]]
code = "bench"
name = "Bench"
plan = "bench"
starts_at = "2020-01-01T00:00:00+07:00"
ends_at = "2100-01-01T00:00:00+07:00"
"#;

fn configuration(ground: &Ground, port: u16, operator_port: u16, catcher: &Catcher) -> String {
    let database = match &ground.database {
        Some(url) => format!("[database]\nurl = \"{url}\"\n"),
        None => String::new(),
    };
    format!(
        "[server]\npublic_url = \"http://127.0.0.1:{port}\"\nlisten = \"127.0.0.1:{port}\"\n\
         metrics_listen = \"127.0.0.1:{operator_port}\"\n\
         rate_per_second = 1000000\nrate_burst = 1000000\nconcurrency_max = 4096\nwaits_max = 2048\n\
         {database}[keystore]\ncitizen_algorithm = \"{}\"\npool_size = {}\n{}\
         [log]\nfilter = \"warn\"\n\
         [registration]\ncodes_per_network_hour = 1000000\n\
         [mail]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n\
         codes_per_minute = 1000000\ncodes_per_hour = 1000000\ncodes_per_day = 1000000\n\
         [sms]\nurl = \"{}\"\ntoken_file = \"sms.token\"\n",
        ground.algorithm.as_str(),
        ground.pool,
        ground.keystore,
        catcher.smtp_addr.ip(),
        catcher.smtp_addr.port(),
        catcher.sms_url()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_by_their_whole_name() {
        let words = "         3  requests signed\n       128  signatures\n✓ whole\n";
        assert_eq!(count_of(words, "signatures"), Some(128));
        assert_eq!(count_of(words, "signed"), None);
    }

    #[test]
    fn a_request_with_a_missing_signature_is_no_success() {
        let signed = json!({ "documents": [{ "signature": "AA==" }, { "signature": "AA==" }] });
        assert_eq!(signatures(&signed).unwrap(), 2);
        let half = json!({ "documents": [{ "signature": "AA==" }, {}] });
        assert!(signatures(&half).is_err());
        assert!(signatures(&json!({ "documents": [] })).is_err());
    }
}
