//! The mission, end to end, in the terminal: a provider is set up, a citizen enrols, a portal asks, the phone
//! approves, and programs that nobody here wrote judge the signed file.
//!
//! Everything happens through the doors that real people use: the `kyso` command line, the HTTP interface, SMTP.
//! `cargo xtask demo` builds and runs it.

mod dossier;
mod judges;
mod qr;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kyso_catcher::Catcher;
use kyso_demo::card;
use kyso_demo::provider::{self, Provider};
use kyso_demo::stage::{Failure, Stage, bold, green, has_colours, red};
use kyso_phone::{Console, Enrolment, Owner, Phone, Session};
use kyso_portal::Portal;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "\
kyso-demo: the mission, end to end

  --kyso FILE     the kyso binary
  --dir DIR       an empty folder, or one an earlier demo made; default ./demo-data
  --python DIR    bin folder of a Python environment with pyHanko, when it is not on the PATH
  --exit          end when the story is told, instead of serving on
  --help          this text";

/// The PIN of the invented citizen.
const PIN: &str = "729461";
/// The campaign of the invented ward.
const CAMPAIGN: &str = "vuon-lai-2026";

struct Options {
    kyso: PathBuf,
    directory: PathBuf,
    python: Option<PathBuf>,
    exit: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // What is dropped here, by its end or by Ctrl-C, takes every process it started with it.
    tokio::select! {
        told = tell(&options) => match told {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(failure) => {
                eprintln!("\nThe demo stopped: {failure}");
                ExitCode::FAILURE
            }
        },
        code = interrupted() => {
            println!("\nStopped.");
            ExitCode::from(code)
        }
    }
}

/// Waits for Ctrl-C or SIGTERM; gives the exit code that shells know it by.
async fn interrupted() -> u8 {
    let terminate = signal(SignalKind::terminate());
    let terminated = async {
        match terminate {
            Ok(mut terminate) => terminate.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => 130,
        _ = terminated => 143,
    }
}

/// Tells the story; `false` when a judge does not accept. Without --exit it ends only by being dropped.
async fn tell(options: &Options) -> Result<bool, Failure> {
    let stage = Stage::new();
    let scene = provider::set_scene(&options.directory)?;
    let directory = scene.directory.clone();
    println!(
        "kyso: from a ward's campaign to a signature the world accepts. Everything is in {}",
        directory.display()
    );

    let catcher = Catcher::start().await?;
    let provider = set_up(&stage, &options.kyso, &directory, &catcher).await?;
    let portal = register(&stage, &provider).await?;
    let server = stage
        .step("the server starts (kyso serve)", async {
            let child = provider.serve().await?;
            Ok((
                child,
                format!(
                    "{}  log: {}",
                    provider.url,
                    directory.join("kyso.log").display()
                ),
            ))
        })
        .await?;

    let phone = provider.phone()?;
    let enrolment = enrol(&stage, &phone, &catcher, &directory).await?;
    vet(&stage, &provider, &portal, &enrolment).await?;
    let session = accept(
        &stage,
        &phone,
        &enrolment,
        &catcher,
        &Owner::invented(1).email,
    )
    .await?;
    let signed = sign(&stage, &provider, &portal, &phone, &session, &directory).await?;
    let accepted = judge(
        &stage, options, &provider, &phone, &session, &signed, &directory,
    )
    .await?;
    prove(&stage, &provider).await?;

    println!("\n{}  {}", bold("The signed file"), signed.display());
    println!("The whole story took {}.", stage.elapsed());
    if options.exit {
        provider::stop(server).await?;
        return Ok(accepted);
    }
    println!(
        "\nThe server goes on until Ctrl-C; `kyso serve` in {} starts it again.",
        directory.display()
    );
    let demo_portal = open_portal(&provider).await?;
    show_application(&provider).await;
    println!(
        "  portal    {}  (a province's portal: file a dossier there, sign it with the app's phone)",
        demo_portal.url()
    );
    println!("  API       {}/v1/openapi.json", provider.url);
    println!("  errors    {}/errors", provider.url);
    println!("  OCSP      {}/ocsp", provider.url);
    println!("  metrics   {}/metrics", provider.operator_url);
    println!("  inbox     http://{}/", catcher.http_addr);
    std::future::pending().await
}

/// A second portal, for whoever goes on by hand: a program of its own, which knows no more than any integrator.
async fn open_portal(provider: &Provider) -> Result<Portal, Failure> {
    let port = provider::free_port(8090)?;
    let webhook = format!("http://127.0.0.1:{port}/webhook");
    let added = provider
        .run_json(&[
            "portal",
            "add",
            "--name",
            "Cổng dịch vụ công Tỉnh Trà Sơn",
            "--client-id",
            "cong-tra-son",
            "--webhook",
            &webhook,
            "--json",
        ])
        .await?;
    let options = kyso_portal::Options {
        port,
        api: provider.url.clone(),
        public: provider.public_url.clone(),
        credentials: serde_json::from_value(added)?,
    };
    Ok(Portal::start(options).await?)
}

/// Where a person goes on by themselves: the ward's campaign, as its printed code leads there.
async fn show_application(provider: &Provider) {
    let link = format!("{}/c/{CAMPAIGN}", provider.public_url);
    let answer = reqwest::get(format!("{}/", provider.url)).await;
    if !answer.is_ok_and(|page| page.status().is_success()) {
        println!(
            "  app       not in this build: it needs Node 20.19 or newer, https://nodejs.org; then run the demo again"
        );
        return;
    }
    println!("  app       {link}");
    for line in qr::lines(&link, has_colours()) {
        println!("            {line}");
    }
    println!(
        "            (a phone of its own needs https: docs/proxy.md; mail and SMS arrive in the inbox)"
    );
}

async fn set_up(
    stage: &Stage,
    kyso: &Path,
    directory: &Path,
    catcher: &Catcher,
) -> Result<Provider, Failure> {
    stage.act("1. A provider is set up");
    let port = provider::free_port(8080)?;
    let operator_port = provider::free_port(9464)?;
    let provider = Provider {
        binary: kyso
            .canonicalize()
            .map_err(|error| {
                format!(
                    "{}: {error}; build it with `cargo build -p kyso-server`, or run `cargo xtask demo`",
                    kyso.display()
                )
            })?,
        directory: directory.to_owned(),
        url: format!("http://127.0.0.1:{port}"),
        public_url: format!("http://localhost:{port}"),
        operator_url: format!("http://127.0.0.1:{operator_port}"),
        environment: Vec::new(),
    };
    stage
        .step(
            "an empty folder becomes an installation (kyso init)",
            async {
                let listen = format!("127.0.0.1:{port}");
                let metrics = format!("127.0.0.1:{operator_port}");
                let addresses = [
                    "--public-url",
                    &provider.public_url,
                    "--status-url",
                    &provider.url,
                    "--listen",
                    &listen,
                    "--metrics-listen",
                    &metrics,
                ];
                provider.run(&[&["init"], &addresses[..]].concat()).await?;
                provider.configure(&mail_and_sms(catcher))?;
                std::fs::write(directory.join("sms.token"), catcher.sms_token())?;
                Ok(((), "SQLite, keys in files: nothing to install".into()))
            },
        )
        .await?;
    stage
        .step(
            "root, issuing authority, OCSP, time-stamp, seal and ledger keys (kyso ceremony run)",
            async {
                provider.run(&["ceremony", "run"]).await?;
                provider
                    .run(&["ceremony", "export", "--file", "chain.pem"])
                    .await?;
                split_chain(directory)?;
                Ok((
                    (),
                    "RSA-4096 root, RSA-3072 issuing authority; record in ceremony.txt".into(),
                ))
            },
        )
        .await?;
    Ok(provider)
}

fn mail_and_sms(catcher: &Catcher) -> String {
    format!(
        "\n[mail]\nhost = \"{}\"\nport = {}\ntls = \"none\"\n\
         \n[sms]\nurl = \"{}\"\ntoken_file = \"sms.token\"\n\
         \n[webhook]\ndanger_allow_private_addresses = true\n",
        catcher.smtp_addr.ip(),
        catcher.smtp_addr.port(),
        catcher.sms_url(),
    )
}

/// The chain as the judges want it: the root alone, and the issuing authority.
fn split_chain(directory: &Path) -> Result<(), Failure> {
    let pem = std::fs::read_to_string(directory.join("chain.pem"))?;
    let end = "-----END CERTIFICATE-----\n";
    let certificates: Vec<&str> = pem.split_inclusive(end).collect();
    let [issuing, root] = certificates[..] else {
        return Err("the chain is not issuing authority and root".into());
    };
    std::fs::write(directory.join("issuing.pem"), issuing)?;
    Ok(std::fs::write(directory.join("root.pem"), root)?)
}

async fn register(stage: &Stage, provider: &Provider) -> Result<Value, Failure> {
    stage.act("2. A portal and a campaign are registered");
    let portal = stage
        .step(
            "a provincial portal may ask citizens to sign (kyso portal add)",
            async {
                let portal = provider
                    .run_json(&[
                        "portal",
                        "add",
                        "--name",
                        "Cổng dịch vụ công Tỉnh Sông Lam",
                        "--client-id",
                        "cong-song-lam",
                        "--json",
                    ])
                    .await?;
                let note = format!(
                    "client id {}, secret shown once",
                    portal["client_id"].as_str().unwrap_or_default()
                );
                Ok((portal, note))
            },
        )
        .await?;
    stage
        .step(
            "a ward's campaign: 12 months free, 5,000 places (kyso campaign add)",
            async {
                let mut campaign =
                    String::from(include_str!("../../../docs/samples/campaign.toml"));
                campaign =
                    campaign.replace("area = [", "free_portals = [\"cong-song-lam\"]\narea = [");
                std::fs::write(provider.directory.join("campaign.toml"), campaign)?;
                provider.run(&["campaign", "add", "campaign.toml"]).await?;
                Ok((
                    (),
                    "Phường Vườn Lài; signatures at the portal above cost nothing".into(),
                ))
            },
        )
        .await?;
    Ok(portal)
}

async fn enrol(
    stage: &Stage,
    phone: &Phone,
    catcher: &Catcher,
    directory: &Path,
) -> Result<Enrolment, Failure> {
    stage.act("3. A citizen enrols, with a phone of their own");
    let owner = Owner::invented(1);
    let enrolment = stage
        .step(
            "scans the ward's QR and enters the data exactly as on the card",
            async {
                let enrolment = phone.enrol(CAMPAIGN).await?;
                let shown = phone.put_owner(&enrolment, &owner).await?;
                phone.pay(&enrolment).await?;
                let note = format!(
                    "{} · dossier {} · 0 đồng",
                    owner.full_name,
                    shown["reference"].as_str().unwrap_or_default()
                );
                Ok((enrolment, note))
            },
        )
        .await?;
    stage
        .step(
            "activation code by real SMTP, then entered on the phone",
            async {
                phone.ask_code(&enrolment, "email").await?;
                let mail = catcher
                    .wait_for(&owner.email, 0, Duration::from_secs(20))
                    .await
                    .ok_or("no mail arrived in 20 s")?;
                let code = six_digits(&mail.text).ok_or("the mail holds no code")?;
                phone.activate(&enrolment, &code).await?;
                Ok(((), format!("mail to {} · «{}»", owner.email, mail.subject)))
            },
        )
        .await?;
    stage
        .step("photographs of card and face, stored encrypted", async {
            for (kind, seed) in [("front", 20), ("back", 60), ("face", 100)] {
                phone
                    .put_photo(&enrolment, kind, card::drawing(seed)?)
                    .await?;
            }
            Ok(((), "drawings of nobody".into()))
        })
        .await?;
    stage
        .step(
            "reads the service contract and signs it electronically",
            async {
                let shown = phone.sign_contract(&enrolment).await?;
                let contract = &shown["contract"];
                let note = format!(
                    "contract {} · SHA-256 {}…",
                    contract["number"].as_str().unwrap_or_default(),
                    contract["sha256"]
                        .as_str()
                        .unwrap_or_default()
                        .get(..16)
                        .unwrap_or_default()
                );
                phone.submit(&enrolment).await?;
                Ok(((), note))
            },
        )
        .await?;
    stage
        .step("the provider's seal is put on the contract", async {
            phone
                .wait_enrolment(&enrolment, "the seal", |shown| {
                    shown["contract"]["sealed"] == true
                })
                .await?;
            let path = directory.join("contract.pdf");
            std::fs::write(&path, phone.contract(&enrolment).await?)?;
            Ok(((), path.display().to_string()))
        })
        .await?;
    Ok(enrolment)
}

async fn vet(
    stage: &Stage,
    provider: &Provider,
    _: &Value,
    enrolment: &Enrolment,
) -> Result<(), Failure> {
    stage.act("4. An officer vets");
    let console = Console::new()?;
    let token = stage
        .step(
            "an officer and their key are registered (kyso officer add)",
            async {
                let file = provider.directory.join("officer.pem");
                std::fs::write(file, console.public_key_pem())?;
                let token = provider
                    .run(&[
                        "officer",
                        "add",
                        "--name",
                        "Trần Văn Mẫu",
                        "--identity-number",
                        "079085000099",
                        "--role",
                        "vetter",
                        "--public-key",
                        "officer.pem",
                        "--quiet",
                    ])
                    .await?;
                Ok((token.trim().to_owned(), String::new()))
            },
        )
        .await?;
    stage
        .step(
            "opens the dossier, looks at every photo, signs the approval",
            async {
                let client = reqwest::Client::builder().no_proxy().build()?;
                let base = format!("{}/v1/ra/enrolments/{}", provider.url, enrolment.id);
                let opened: Value =
                    json_of(client.post(format!("{base}/lock")).bearer_auth(&token)).await?;
                let mut photos = Vec::new();
                for kind in ["front", "back", "face"] {
                    let photo = client
                        .get(format!("{base}/evidence/{kind}"))
                        .bearer_auth(&token)
                        .send()
                        .await?;
                    photos.push((kind, photo.error_for_status()?.bytes().await?.to_vec()));
                }
                let decision = console.approve(&opened, &photos)?;
                let approval = client.post(format!("{base}/approval")).bearer_auth(&token);
                let decided = json_of(approval.json(&decision)).await?;
                let note = format!(
                    "{} · {} → {} · by a signature over all that was shown",
                    opened["entry"]["full_name"].as_str().unwrap_or_default(),
                    opened["entry"]["state"].as_str().unwrap_or_default(),
                    decided["state"].as_str().unwrap_or_default()
                );
                Ok(((), note))
            },
        )
        .await
}

async fn accept(
    stage: &Stage,
    phone: &Phone,
    enrolment: &Enrolment,
    catcher: &Catcher,
    email: &str,
) -> Result<Session, Failure> {
    stage.act("5. The certificate, the PIN, the acceptance");
    stage
        .step(
            "a key pair is made in the keystore and a certificate issued",
            async {
                let shown = phone
                    .wait_enrolment(enrolment, "the certificate", |shown| {
                        shown["next"][0] == "device"
                    })
                    .await?;
                Ok((
                    (),
                    format!(
                        "credential {}",
                        shown["credential"].as_str().unwrap_or_default()
                    ),
                ))
            },
        )
        .await?;
    stage
        .step(
            "a code by mail, then the phone binds itself and a PIN, both sealed to the keystore",
            async {
                let after = catcher.messages(email).last().map_or(0, |mail| mail.id);
                let challenge = phone.ask_device_code(enrolment).await?;
                let code = code_after(catcher, after, email).await?;
                let shown = phone.bind(enrolment, &challenge, PIN, &code).await?;
                if shown["binding"] != "bound" {
                    return Err(format!("the binding was refused: {}", shown["binding"]).into());
                }
                Ok((
                    (),
                    "the server forwarded a PIN and a code that it cannot read".into(),
                ))
            },
        )
        .await?;
    stage
        .step(
            "the acceptance record is signed with the new key: the credential is active",
            async {
                let shown = phone
                    .wait_enrolment(enrolment, "the acceptance request", |shown| {
                        shown["acceptance_request"].is_string()
                    })
                    .await?;
                let request = shown["acceptance_request"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let session = phone.open_session().await?;
                phone.approve(&session, &request, PIN).await?;
                phone
                    .wait_request(&session, &request, &["signed", "delivered"])
                    .await?;
                phone
                    .wait_enrolment(enrolment, "completion", |shown| {
                        shown["state"] == "complete"
                    })
                    .await?;
                let credential = phone.credential(&session).await?;
                let note = format!(
                    "serial {} · {}",
                    credential["serial"].as_str().unwrap_or_default(),
                    credential["state"].as_str().unwrap_or_default()
                );
                Ok((session, note))
            },
        )
        .await
}

async fn sign(
    stage: &Stage,
    provider: &Provider,
    portal: &Value,
    phone: &Phone,
    session: &Session,
    directory: &Path,
) -> Result<PathBuf, Failure> {
    stage.act("6. The portal asks, the phone approves");
    let client = reqwest::Client::builder().no_proxy().build()?;
    let (id, secret) = (
        portal["client_id"].as_str().unwrap_or_default(),
        portal["secret"].as_str(),
    );
    let request = stage
        .step("the portal sends a dossier of several pages", async {
            let owner = Owner::invented(1);
            let pdf = kyso_paper::dossier(&dossier::of(&owner)?)?;
            let place = pdf
                .places()
                .iter()
                .find(|place| place.name == "subscriber")
                .ok_or("the form keeps no place")?;
            std::fs::write(directory.join("dossier.pdf"), pdf.bytes())?;
            let ask = json!({
                "signer": { "identity_number": owner.identity_number },
                "description": "Nộp hồ sơ đăng ký hộ kinh doanh",
                "documents": [{
                    "name": "Tờ khai đăng ký hộ kinh doanh.pdf",
                    "content": base64_of(pdf.bytes()),
                    "mark": { "page": place.page, "left": place.left, "bottom": place.bottom },
                }],
            });
            let request = client
                .post(format!("{}/v1/signature-requests", provider.url))
                .basic_auth(id, secret)
                .header("idempotency-key", "demo-1")
                .json(&ask);
            let made = json_of(request).await?;
            let note = format!(
                "{} pages · document code {} on both screens",
                made["documents"][0]["pages"],
                made["code"].as_str().unwrap_or_default()
            );
            Ok((made["id"].as_str().unwrap_or_default().to_owned(), note))
        })
        .await?;
    stage
        .step(
            "the phone shows who asks and what, and the citizen enters the PIN",
            async {
                let waiting = phone.requests(session).await?;
                let shown = waiting
                    .iter()
                    .find(|shown| shown["id"] == request.as_str())
                    .ok_or("the request is not listed")?;
                phone.approve(session, &request, PIN).await?;
                let note = format!(
                    "{} asks: {}",
                    shown["portal_name"].as_str().unwrap_or_default(),
                    shown["description"].as_str().unwrap_or_default()
                );
                Ok(((), note))
            },
        )
        .await?;
    stage
        .step("the portal fetches the signed PDF", async {
            phone
                .wait_request(session, &request, &["signed", "delivered"])
                .await?;
            let url = format!(
                "{}/v1/signature-requests/{request}/documents/0",
                provider.url
            );
            let bytes = client
                .get(url)
                .basic_auth(id, secret)
                .send()
                .await?
                .error_for_status()?
                .bytes()
                .await?;
            let path = directory.join("dossier-signed.pdf");
            std::fs::write(&path, &bytes)?;
            let original = std::fs::read(directory.join("dossier.pdf"))?;
            if !bytes.starts_with(&original) {
                return Err("the signed file does not begin with the bytes that were sent".into());
            }
            Ok((
                path,
                format!(
                    "{} bytes sent, untouched, and {} appended",
                    original.len(),
                    bytes.len() - original.len()
                ),
            ))
        })
        .await
}

async fn judge(
    stage: &Stage,
    options: &Options,
    provider: &Provider,
    phone: &Phone,
    session: &Session,
    signed: &Path,
    directory: &Path,
) -> Result<bool, Failure> {
    stage.act("7. Independent judges, in their own words");
    let credential = phone.credential(session).await?;
    let der = base64_bytes(credential["certificate"].as_str().unwrap_or_default())?;
    std::fs::write(directory.join("signer.pem"), pem("CERTIFICATE", &der))?;
    if judges::has_openssl().await {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let crl = fetch_crl(&client, directory).await?;
        std::fs::write(directory.join("issuing-crl.pem"), pem("X509 CRL", &crl))?;
    }
    let asked = judges::all(signed, directory, options.python.as_deref(), &provider.url);
    let (verdicts, absent) = stage.meanwhile("the judges read the file", asked).await?;
    let mut accepted = true;
    for verdict in &verdicts {
        let sign = if verdict.accepts {
            green("accepts")
        } else {
            red("does not accept")
        };
        stage.quote(
            &format!("{} {sign}", verdict.who),
            &format!("$ {}\n{}", verdict.command, verdict.words),
        );
        accepted &= verdict.accepts;
    }
    for judges::Absent { who, remedy } in absent {
        stage.say(&format!(
            "{who} is not installed here, so it was not asked: {remedy}"
        ));
    }
    if verdicts.is_empty() {
        stage.say(
            "No independent program is here: so far only kyso itself says that the file is well.",
        );
    }
    Ok(accepted)
}

/// The issuing authority's CRL, from where the citizen's certificate says it is.
async fn fetch_crl(client: &reqwest::Client, directory: &Path) -> Result<Vec<u8>, Failure> {
    let output = tokio::process::Command::new("openssl")
        .args(["x509", "-noout", "-ext", "crlDistributionPoints", "-in"])
        .arg(directory.join("signer.pem"))
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let url = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("URI:"))
        .ok_or("the certificate names no CRL")?;
    Ok(client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?
        .to_vec())
}

async fn prove(stage: &Stage, provider: &Provider) -> Result<(), Failure> {
    stage.act("8. Nothing was lost, nothing was changed");
    // The ledger is sealed about once a second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    stage
        .step(
            "every invariant of the stored data (kyso verify-store)",
            async {
                let words = provider.run(&["verify-store"]).await?;
                let ledger = words
                    .lines()
                    .find(|line| line.contains("the ledger is"))
                    .ok_or("kyso verify-store said nothing about the ledger")?;
                Ok(((), ledger.trim_start_matches(['✓', ' ']).to_owned()))
            },
        )
        .await
}

async fn json_of(request: reqwest::RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await?;
    let status = answer.status();
    let value: Value = answer.json().await?;
    if status.is_success() {
        Ok(value)
    } else {
        Err(format!("{status}: {value}").into())
    }
}

/// The code of the first mail after `after` that has one.
async fn code_after(catcher: &Catcher, mut after: u64, to: &str) -> Result<String, Failure> {
    loop {
        let mail = catcher
            .wait_for(to, after, Duration::from_secs(20))
            .await
            .ok_or("no mail with a code arrived in 20 s")?;
        if let Some(code) = six_digits(&mail.text) {
            return Ok(code);
        }
        after = mail.id;
    }
}

/// The first run of exactly six digits.
fn six_digits(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() == 6)
        .map(str::to_owned)
}

fn base64_of(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

fn base64_bytes(text: &str) -> Result<Vec<u8>, Failure> {
    Ok(base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        text,
    )?)
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = base64_of(der);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// `None` when only help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        kyso: PathBuf::from("target/debug/kyso"),
        directory: PathBuf::from("demo-data"),
        python: None,
        exit: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--kyso" => options.kyso = value()?.into(),
            "--dir" => options.directory = value()?.into(),
            "--python" => options.python = Some(value()?.into()),
            "--exit" => options.exit = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{argument} is not an option")),
        }
    }
    Ok(Some(options))
}
