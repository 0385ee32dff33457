//! A provider of its own for one test: `kyso serve` as a process, with its database, keystore, catcher and people.
//!
//! ```text
//! let world = World::start(Engine::Sqlite).await;
//! let citizen = world.citizen(1).await;                        // enrolled, vetted, certified, bound, accepted
//! let request = world.ask(&citizen, &[pdf]).await;             // the portal asks
//! citizen.phone.approve(&citizen.session, &request, PIN).await // the phone approves
//! world.finish().await;                                        // every invariant holds, no job is left
//! ```

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kyso_authority::ceremony::Plan;
use kyso_catcher::Catcher;
use kyso_keystore::{DeviceKey, DeviceKind};
use kyso_phone::{Console, Enrolment, Owner, Phone, Session};
use kyso_registration::campaign::{Allowance, Campaign, Desk, Plan as CitizenPlan};
use kyso_registration::ra::{NewOfficer, OfficerRole};
use kyso_server::config::Loaded;
use kyso_server::platform::{Platform, make_keystore};
use kyso_signing::portal::{NewPortal, Scopes};
use kyso_store::Clock;
use kyso_store::testing::{Database, Folder};
use serde_json::{Value, json};

/// PIN of every citizen of the tests.
pub const PIN: &str = "729461";
/// Campaign of the tests, for everybody, without a quota.
pub const CAMPAIGN: &str = "thu-nghiem";

/// What a test may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Algorithm of citizens' keys.
    pub algorithm: &'static str,
    /// More TOML for the configuration.
    pub configuration: String,
    /// More lines of its `[server]`; a rate given here replaces the one without limits.
    pub server: String,
    /// `KYSO_FAILPOINT` of the server.
    pub failpoint: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            algorithm: "p-256",
            configuration: String::new(),
            server: String::new(),
            failpoint: None,
        }
    }
}

/// A provider, running.
pub struct World {
    /// Where its files are.
    pub folder: Folder,
    /// Mail, SMS and webhooks land here.
    pub catcher: Catcher,
    /// The same rows and keys, seen from the test: to look, and to set up.
    pub platform: Platform,
    /// The running server.
    pub node: Node,
    /// SHA-256 of its root certificate, which phones know.
    pub root: [u8; 32],
    /// A portal with every scope.
    pub portal: Credentials,
    /// Another portal, with nothing of the first.
    pub other_portal: Credentials,
    /// Bearer token of a vetting officer.
    pub officer: String,
    /// What that officer signs with.
    pub console: Console,
    /// Keeps the database alive.
    pub database: Database,
}

/// A running `kyso serve`.
pub struct Node {
    child: Child,
    log: PathBuf,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

/// What a portal presents.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Client id.
    pub client_id: String,
    /// Secret.
    pub secret: String,
}

/// An enrolled person.
pub struct Citizen {
    /// Their phone.
    pub phone: Phone,
    /// Its session.
    pub session: Session,
    /// Their enrolment.
    pub enrolment: Enrolment,
    /// Who they are.
    pub owner: Owner,
}

impl World {
    /// A provider on every database there is, one after the other.
    pub async fn databases() -> Vec<Database> {
        Database::each().await
    }

    /// A provider on SQLite with elliptic keys.
    pub async fn sqlite() -> Self {
        Self::on(Database::sqlite().await, Options::default()).await
    }

    /// A provider on a database, with a root of its own.
    pub async fn on(database: Database, options: Options) -> Self {
        let ceremony = async |_: &Folder, platform: &Platform| {
            let keys = platform.keys.as_ref()?;
            let plan = Plan::elliptic();
            let held = platform.authority.ceremony(keys, &plan, &|_| ()).await;
            held.unwrap();
            Some(())
        };
        Self::after(database, options, ceremony).await.unwrap()
    }

    /// A provider on a database, after a ceremony of the test's own; none where that says so.
    pub async fn after(
        database: Database,
        options: Options,
        ceremony: impl AsyncFnOnce(&Folder, &Platform) -> Option<()>,
    ) -> Option<Self> {
        let folder = Folder::new();
        let catcher = Catcher::start().await.unwrap();
        std::fs::write(folder.path().join("sms.token"), catcher.sms_token()).unwrap();
        std::fs::write(folder.path().join("data.key"), [7; 32]).unwrap();
        restrict(&folder.path().join("data.key"));
        write_configuration(&folder, &database.url, &catcher, &options);
        let loaded = Loaded::read(&folder.path().join("kyso.toml"), []).unwrap();
        make_keystore(&loaded, &database.store).await.unwrap();
        let platform = Platform::open_at(&loaded, Clock::System).await.unwrap();
        platform.prepare().await.unwrap();
        ceremony(&folder, &platform).await?;
        let chain = platform.authority.chain().await.unwrap();
        let root = chain.last().unwrap().fingerprint();
        let root = root.value().try_into().unwrap();
        let portal = register(
            &platform,
            "Cổng dịch vụ công thử nghiệm",
            &catcher.webhook_url("portal"),
        )
        .await;
        let other_portal = register(&platform, "Cổng khác", &catcher.webhook_url("other")).await;
        let console = Console::new().unwrap();
        let officer = appoint(
            &platform,
            "Trần Văn Mẫu",
            "079085000099",
            OfficerRole::Vetter,
            &console,
        )
        .await;
        announce(&platform).await;
        let node = Node::start(&folder, options.failpoint.as_deref()).await;
        Some(Self {
            folder,
            catcher,
            platform,
            node,
            root,
            portal,
            other_portal,
            officer,
            console,
            database,
        })
    }

    /// Another node on the same database and keystore.
    pub async fn another_node(&self) -> Node {
        Node::start(&self.folder, None).await
    }

    /// Starts the server again after it died, without failpoints.
    pub async fn restart(&mut self) {
        self.node.wait_dead();
        self.node = Node::start(&self.folder, None).await;
    }

    /// A new phone that knows the server.
    pub fn phone(&self) -> Phone {
        Phone::new(&self.node.url, self.root).unwrap()
    }

    /// An enrolment that has been handed in, and who handed it in.
    pub async fn submitted(&self, n: u32) -> (Phone, Enrolment, Owner) {
        let owner = Owner::invented(n);
        let (phone, enrolment) = self.ready(&owner).await;
        phone.submit(&enrolment).await.unwrap();
        (phone, enrolment, owner)
    }

    /// An enrolment of which nothing is left but handing it in.
    pub async fn ready(&self, owner: &Owner) -> (Phone, Enrolment) {
        let phone = self.phone();
        let enrolment = phone.enrol(CAMPAIGN).await.unwrap();
        phone.put_owner(&enrolment, owner).await.unwrap();
        phone.pay(&enrolment).await.unwrap();
        self.activate(&phone, &enrolment, owner).await;
        for kind in ["front", "back", "face"] {
            phone.put_photo(&enrolment, kind, photo()).await.unwrap();
        }
        phone.sign_contract(&enrolment).await.unwrap();
        (phone, enrolment)
    }

    /// Asks for a code by mail and enters what came.
    pub async fn activate(&self, phone: &Phone, enrolment: &Enrolment, owner: &Owner) {
        let after = self.last_message(owner);
        phone.ask_code(enrolment, "email").await.unwrap();
        let code = self.code_after(owner, after).await;
        phone.activate(enrolment, &code).await.unwrap();
    }

    /// Asks for a code by SMS and enters what came.
    pub async fn activate_by_sms(&self, phone: &Phone, enrolment: &Enrolment, owner: &Owner) {
        let number = format!("+84{}", &owner.phone[1..]);
        let after = self.catcher.messages(&number);
        let after = after.last().map_or(0, |message| message.id);
        phone.ask_code(enrolment, "sms").await.unwrap();
        let code = self.code_to(&number, after).await;
        phone.activate(enrolment, &code).await.unwrap();
    }

    /// Asks for a code, waits for the mail, and binds phone and PIN.
    pub async fn bind(&self, phone: &Phone, enrolment: &Enrolment, owner: &Owner) {
        let after = self.last_message(owner);
        let challenge = phone.ask_device_code(enrolment).await.unwrap();
        let code = self.code_after(owner, after).await;
        let bound = phone.bind(enrolment, &challenge, PIN, &code).await.unwrap();
        assert_eq!(bound["binding"], "bound");
    }

    /// The number of the newest mail to this person.
    pub fn last_message(&self, owner: &Owner) -> u64 {
        let mails = self.catcher.messages(&owner.email);
        mails.last().map_or(0, |mail| mail.id)
    }

    /// The six digits of the first mail that has some.
    pub async fn code_after(&self, owner: &Owner, after: u64) -> String {
        self.code_to(&owner.email, after).await
    }

    /// The six digits of the first message to this address or number that has some.
    pub async fn code_to(&self, destination: &str, mut after: u64) -> String {
        loop {
            let message = self
                .catcher
                .wait_for(destination, after, Duration::from_secs(20))
                .await
                .expect("a message with a code");
            let mut runs = message.text.split(|c: char| !c.is_ascii_digit());
            if let Some(code) = runs.find(|run| run.len() == 6) {
                return code.to_owned();
            }
            after = message.id;
        }
    }

    /// The officer opens the dossier, looks at every photo, and signs the approval: what is to be posted.
    pub async fn decision(&self, enrolment: &Enrolment) -> Value {
        let base = format!("/v1/ra/enrolments/{}", enrolment.id);
        let dossier = self
            .officer_post(&format!("{base}/lock"), &json!({}))
            .await
            .expect("the dossier opens");
        let mut photos = Vec::new();
        for kind in ["front", "back", "face"] {
            let photo = client()
                .get(format!("{}{base}/evidence/{kind}", self.node.url))
                .bearer_auth(&self.officer)
                .send()
                .await
                .unwrap();
            photos.push((kind, photo.bytes().await.unwrap().to_vec()));
        }
        self.console
            .approve(&dossier, &photos)
            .expect("the console signs what it showed")
    }

    /// The officer opens the dossier and approves it.
    pub async fn approve_enrolment(&self, enrolment: &Enrolment) {
        let decision = self.decision(enrolment).await;
        let path = format!("/v1/ra/enrolments/{}/approval", enrolment.id);
        self.officer_post(&path, &decision)
            .await
            .expect("the dossier is approved");
    }

    /// As [`World::approve_enrolment`], of a server that may die before it answers.
    pub async fn approve_enrolment_though_dying(&self, enrolment: &Enrolment) {
        let decision = self.decision(enrolment).await;
        let path = format!("/v1/ra/enrolments/{}/approval", enrolment.id);
        let approval = client()
            .post(format!("{}{path}", self.node.url))
            .bearer_auth(&self.officer)
            .json(&decision);
        if let Ok(answer) = approval.send().await {
            assert!(answer.status().is_success(), "{}", answer.status());
        }
    }

    /// A citizen who is ready to sign.
    pub async fn citizen(&self, n: u32) -> Citizen {
        let (phone, enrolment, owner) = self.submitted(n).await;
        self.approve_enrolment(&enrolment).await;
        phone
            .wait_enrolment(&enrolment, "the certificate", |shown| {
                shown["next"][0] == "device"
            })
            .await
            .unwrap();
        self.bind(&phone, &enrolment, &owner).await;
        let shown = phone
            .wait_enrolment(&enrolment, "the acceptance", |shown| {
                shown["acceptance_request"].is_string()
            })
            .await
            .unwrap();
        let acceptance = shown["acceptance_request"].as_str().unwrap().to_owned();
        let session = phone.open_session().await.unwrap();
        phone.approve(&session, &acceptance, PIN).await.unwrap();
        phone
            .wait_request(&session, &acceptance, &["signed", "delivered"])
            .await
            .unwrap();
        phone
            .wait_enrolment(&enrolment, "completion", |shown| {
                shown["state"] == "complete"
            })
            .await
            .unwrap();
        Citizen {
            phone,
            session,
            enrolment,
            owner,
        }
    }

    /// The portal asks a citizen to sign PDFs; the id of the request.
    pub async fn ask(&self, citizen: &Citizen, pdfs: &[Vec<u8>]) -> String {
        self.ask_so(citizen, pdfs, false).await
    }

    /// As [`World::ask`], for a page that shows the request.
    pub async fn ask_on_screen(&self, citizen: &Citizen, pdfs: &[Vec<u8>]) -> String {
        self.ask_so(citizen, pdfs, true).await
    }

    /// What the portal's page shows.
    pub async fn screen(&self, request: &str) -> Value {
        let path = format!("/v1/signature-requests/{request}/screen");
        let asked = client().get(format!("{}{path}", self.node.url));
        let asked = asked.basic_auth(&self.portal.client_id, Some(&self.portal.secret));
        read(asked).await.expect("the request is on a screen")
    }

    async fn ask_so(&self, citizen: &Citizen, pdfs: &[Vec<u8>], on_screen: bool) -> String {
        let documents: Vec<Value> = pdfs
            .iter()
            .enumerate()
            .map(|(n, pdf)| json!({ "name": format!("tai-lieu-{n}.pdf"), "content": base64(pdf) }))
            .collect();
        let ask = json!({ "signer": { "identity_number": citizen.owner.identity_number }, "documents": documents, "on_screen": on_screen });
        let made = self
            .portal_post("/v1/signature-requests", &ask)
            .await
            .expect("the request is made");
        made["id"].as_str().unwrap().to_owned()
    }

    /// The citizen approves and the signature is awaited; the signed bytes of each document.
    pub async fn signed(&self, citizen: &Citizen, pdfs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let request = self.ask(citizen, pdfs).await;
        citizen
            .phone
            .approve(&citizen.session, &request, PIN)
            .await
            .unwrap();
        citizen
            .phone
            .wait_request(&citizen.session, &request, &["signed", "delivered"])
            .await
            .unwrap();
        let mut signed = Vec::new();
        for position in 0..pdfs.len() {
            signed.push(self.signed_document(&request, position).await);
        }
        signed
    }

    /// A signed document as the portal fetches it.
    pub async fn signed_document(&self, request: &str, position: usize) -> Vec<u8> {
        let url = format!(
            "{}/v1/signature-requests/{request}/documents/{position}",
            self.node.url
        );
        let answer = client()
            .get(url)
            .basic_auth(&self.portal.client_id, Some(&self.portal.secret))
            .send()
            .await;
        answer
            .unwrap()
            .error_for_status()
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .to_vec()
    }

    /// The portal posts JSON; the problem document on refusal.
    pub async fn portal_post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        let request = client().post(format!("{}{path}", self.node.url));
        read(
            request
                .basic_auth(&self.portal.client_id, Some(&self.portal.secret))
                .json(body),
        )
        .await
    }

    /// The officer posts JSON.
    pub async fn officer_post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        read(
            client()
                .post(format!("{}{path}", self.node.url))
                .bearer_auth(&self.officer)
                .json(body),
        )
        .await
    }

    /// Appoints another officer; the bearer token.
    pub async fn appoint(&self, name: &str, identity_number: &str, role: OfficerRole) -> String {
        let console = Console::new().unwrap();
        appoint(&self.platform, name, identity_number, role, &console).await
    }

    /// Registers another portal with every scope.
    pub async fn register(&self, name: &str) -> Credentials {
        register(&self.platform, name, &self.catcher.webhook_url("another")).await
    }

    /// Lets the leases of a dead node's jobs end now, as a minute's wait would.
    ///
    /// A node that lives ends jobs meanwhile, in another order than this touches them: PostgreSQL may refuse one of both as a
    /// deadlock, and when it is this one it asks again.
    pub async fn hurry(&self) {
        let hurry = "-- test.hurry\nUPDATE job SET due_at = 0 WHERE leased_until IS NOT NULL";
        loop {
            let mut tx = self.platform.store.write().await.unwrap();
            match tx.execute(hurry, &[]).await {
                Err(kyso_store::Error::Contended { .. }) => {}
                hurried => {
                    hurried.unwrap();
                    return tx.commit().await.unwrap();
                }
            }
        }
    }

    /// Starts the server anew, to die at a failpoint.
    pub async fn dying_at(&mut self, point: &str) {
        self.node.stop();
        self.node = Node::start(&self.folder, Some(&format!("{point}:abort"))).await;
    }

    /// Waits until the server has died, and starts the next one.
    pub async fn wait_dead_and_restart(&mut self) {
        self.node.wait_dead();
        self.hurry().await;
        self.restart().await;
    }

    /// Ends the server in good order and checks everything: invariants, ledger, no job left behind.
    pub async fn finish(mut self) {
        self.node.stop();
        self.check().await;
    }

    /// Every invariant of the stored data, with the server stopped.
    pub async fn check(&self) {
        let signing = self.platform.signing.verify().await.unwrap();
        assert!(signing.broken.is_empty(), "{:?}", signing.broken);
        let registration = self.platform.registration.verify().await.unwrap();
        assert!(registration.broken.is_empty(), "{:?}", registration.broken);
        let output = kyso(&self.folder, &["verify-store"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

impl Node {
    /// Starts `kyso serve` in a folder and waits until it listens.
    pub async fn start(folder: &Folder, failpoint: Option<&str>) -> Self {
        let variables: Vec<_> = failpoint
            .map(|name| ("KYSO_FAILPOINT", name))
            .into_iter()
            .collect();
        Self::start_with(folder, &variables).await
    }

    /// As [`Node::start`], with more in its environment.
    pub async fn start_with(folder: &Folder, variables: &[(&str, &str)]) -> Self {
        let log = folder.path().join(format!("kyso-{}.log", unique()));
        let out = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_kyso"));
        command
            .arg("serve")
            .current_dir(folder.path())
            .stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(out);
        command.env("KYSO_FAILPOINTS_ALLOWED", "yes");
        command.env("KYSO_CLOCK_SHIFT_FILE", folder.path().join("clock-shift"));
        command.envs(variables.iter().copied());
        let mut child = command.spawn().unwrap();
        for _ in 0..1000 {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            if let Some(address) = serving(&text, "listen") {
                return Self {
                    child,
                    log,
                    url: format!("http://{address}"),
                };
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("kyso serve ended with {status}: {text}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "kyso serve does not listen: {}",
            std::fs::read_to_string(&log).unwrap_or_default()
        );
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A field of the line that said it serves.
    pub fn said(&self, field: &str) -> String {
        serving(&self.log(), field).unwrap()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `/readyz` says that `check` does not work.
    pub async fn unready(&self, check: &str) {
        until("the node says that it is not ready", async || {
            let answer = client().get(format!("{}/readyz", self.url)).send().await;
            let answer = answer.unwrap();
            let is_refused = answer.status() == 503;
            let checks: Value = answer.json().await.unwrap();
            is_refused
                && checks
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| one["name"] == check && one["ok"] == false)
        })
        .await;
    }

    /// Waits until the process is gone; a failpoint killed it, or [`Node::kill`] did.
    #[expect(
        clippy::disallowed_methods,
        reason = "a process that does not die must not hang the suite"
    )]
    pub fn wait_dead(&mut self) {
        for _ in 0..2000 {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server is still alive");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits until it has drained.
    pub fn stop(&mut self) {
        self.terminate();
        self.wait_dead();
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args(["-TERM", &id]).status().unwrap().success());
    }

    /// What it ended with; none for a signal that killed it.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.wait_dead();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A refusal: status and problem document.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The problem document.
    pub problem: Value,
}

impl Refused {
    /// The stable code.
    pub fn code(&self) -> &str {
        self.problem["code"].as_str().unwrap_or_default()
    }
}

/// Sends and reads JSON.
pub async fn read(request: reqwest::RequestBuilder) -> Result<Value, Refused> {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let value: Value = answer.json().await.unwrap_or_default();
    if status.is_success() {
        Ok(value)
    } else {
        Err(Refused {
            status: status.as_u16(),
            problem: value,
        })
    }
}

/// An HTTP client without proxies.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap()
}

/// Ordinary base64.
pub fn base64(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

/// A multi-page Vietnamese dossier; `n` makes each different.
pub fn dossier(n: u32) -> Vec<u8> {
    kyso_paper::dossier(&kyso_paper::sample::dossier(n))
        .unwrap()
        .bytes()
        .to_vec()
}

/// A small PNG that passes as a photo: stripes, of nobody.
pub fn photo() -> Vec<u8> {
    let (width, height) = (640u32, 420u32);
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            pixels.extend_from_slice(&[(x / 8) as u8, (y / 8) as u8, 90]);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&pixels)
        .unwrap();
    bytes
}

/// Waits until something is so, half a minute at most.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

/// What a program printed, on both channels.
pub fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Runs `kyso` with arguments in a folder.
pub fn kyso(folder: &Folder, arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_kyso"))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn write_configuration(folder: &Folder, url: &str, catcher: &Catcher, options: &Options) {
    let keystore = if options.configuration.contains("[keystore]") {
        String::new()
    } else {
        format!(
            "[keystore]\ncitizen_algorithm = \"{}\"\n",
            options.algorithm
        )
    };
    let mut server = options.server.clone();
    if !server.contains("rate_") {
        server.push_str("\nrate_per_second = 100000\nrate_burst = 100000\n");
    }
    // One network asks for everybody.
    let network = if options.configuration.contains("[registration]") {
        ""
    } else {
        "[registration]\ncodes_per_network_hour = 100000\n"
    };
    let text = format!(
        "{}\n{keystore}\
         [server]\nlisten = \"127.0.0.1:0\"\nmetrics_listen = \"\"\n{server}\n\
         [database]\nurl = \"{url}\"\n\
         {network}[mail]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n\
         [sms]\nurl = \"{}\"\ntoken_file = \"sms.token\"\n\
         [webhook]\ndanger_allow_private_addresses = true\n\
         [log]\nformat = \"json\"\n",
        options.configuration,
        catcher.smtp_addr.ip(),
        catcher.smtp_addr.port(),
        catcher.sms_url(),
    );
    std::fs::write(folder.path().join("kyso.toml"), text).unwrap();
}

async fn register(platform: &Platform, name: &str, webhook: &str) -> Credentials {
    let new = NewPortal {
        name: name.into(),
        client_id: None,
        scopes: Scopes::ALL,
        webhook_url: Some(webhook.into()),
        public_key: None,
    };
    let registered = platform
        .signing
        .portals
        .register(new, "test")
        .await
        .unwrap();
    Credentials {
        client_id: registered.portal.client_id,
        secret: registered.secret,
    }
}

async fn appoint(
    platform: &Platform,
    name: &str,
    identity_number: &str,
    role: OfficerRole,
    console: &Console,
) -> String {
    let new = NewOfficer {
        name: name.into(),
        identity_number: identity_number.into(),
        roles: vec![role],
        key: DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki: console.public_key().to_vec(),
        },
    };
    let keys = platform.keys.as_ref().unwrap();
    platform
        .registration
        .add_officer(keys, &new, "test")
        .await
        .unwrap()
        .token
}

/// A plan and a campaign for everybody.
async fn announce(platform: &Platform) {
    let plan = CitizenPlan {
        code: "thu".into(),
        name: "Gói thử nghiệm".into(),
        name_en: "Test plan".into(),
        months: 12,
        allowance: Allowance::Unlimited,
        price_vnd: 0,
        public: true,
    };
    platform.registration.add_plan(&plan, "test").await.unwrap();
    let now = platform.store.now();
    let campaign = Campaign {
        code: CAMPAIGN.into(),
        name: "Chương trình thử nghiệm".into(),
        plan: "thu".into(),
        price_vnd: 0,
        starts_at: now - 86_400_000,
        ends_at: now + 86_400_000,
        quota: None,
        area: vec![],
        free_portals: vec![],
        desk: Desk::default(),
    };
    platform
        .registration
        .add_campaign(&campaign, "test")
        .await
        .unwrap();
}

/// A field of the line that says the server listens.
fn serving(log: &str, field: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("\"serving\""))?;
    let value: Value = serde_json::from_str(line).ok()?;
    value[field].as_str().map(str::to_owned)
}

/// Lets nobody else read a file, as secrets must be.
pub fn restrict(path: &PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
