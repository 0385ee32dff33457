//! How fast the product is: approved signatures through HTTP with everything on disk, beside the raw signature of the same
//! library on the same cores in the same moment. `cargo xtask bench` builds and runs it.
//!
//! Only ratios mean anything: repeats alternate with their peers, and each repeat is compared with its own. Processor time
//! is told apart for server, database and this program, which shares the cores with what it measures.
//!
//! A signature is timed from the moment its approval is sent until the portal has read the result. Requests are made, and
//! statements signed and PINs sealed by the phones, beforehand: a phone's work is not the server's.

mod ocsp;
mod options;
mod postgres;
mod process;
mod raw;
mod report;
mod softhsm;
mod world;

use std::process::ExitCode;

use kyso_demo::stage::Failure;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::{Algorithm, Options, Part, Setting, USAGE};
use crate::postgres::Cluster;
use crate::raw::Use;
use crate::report::{Line, Report, median};
use crate::softhsm::Token;
use crate::world::{Ground, World};

/// Documents in a large approval.
const BATCH: usize = 50;
/// Callers of a status service at the same time, and how often each asks.
const CALLERS: (usize, usize) = (32, 128);
/// RSA pairs kept ahead of need where a pool is measured.
const POOL: usize = 16;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == "softhsm-loop"
    {
        return ended(softhsm::run_loop(rest).map(|rate| println!("{rate}")));
    }
    match Options::read(&arguments) {
        // Dropping what is measured ends its servers and removes its folders.
        Ok(Some(options)) => tokio::select! {
            outcome = measure(&options) => ended(outcome),
            () = asked_to_stop() => {
                eprintln!("stopped");
                ExitCode::FAILURE
            }
        },
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            eprintln!("{wrong}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Ctrl-C or SIGTERM; where neither can be heard, nothing.
async fn asked_to_stop() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn ended(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("the benchmark stopped: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<(), Failure> {
    let mut reports = vec![machine(options)?];
    let mut bench = Bench {
        options,
        cluster: None,
        token: None,
    };
    for setting in &options.settings {
        for algorithm in &options.algorithms {
            let measured = bench.provider(*setting, *algorithm).await?;
            reports.extend(measured);
        }
    }
    if options.measures(Part::Pool) && options.algorithms.contains(&Algorithm::Rsa2048) {
        reports.push(bench.pool().await?);
    }
    println!(
        "\nMedians of {}. “of peer” compares each repeat with its peer of the same moment: the raw rate of both cores \
         unless the line says otherwise.\nµs are processor time a unit; “generator” is this program's share of both cores.",
        options.rounds
    );
    if let Some(file) = &options.json {
        let all: Vec<_> = reports.iter().map(Report::json).collect();
        std::fs::write(file, format!("{:#}\n", json!(all)))?;
        println!("Every repeat is in {}.", file.display());
    }
    Ok(())
}

/// What the machine can do.
fn machine(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new("This machine, raw");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    report.fact("cores", cores as f64, "");
    for algorithm in [Algorithm::Rsa2048, Algorithm::Rsa3072, Algorithm::P256] {
        let name = algorithm.as_str();
        let rate = |usage, threads| raw::signatures(algorithm, usage, threads, options.raw_length);
        report.fact(
            format!("{name}, one thread"),
            rate(Use::Kept, 1)?,
            "a second",
        );
        report.fact(
            format!("{name}, {cores} threads"),
            rate(Use::Kept, cores)?,
            "a second",
        );
        report.fact(
            format!("{name}, {cores} threads, key read each time"),
            rate(Use::Once, cores)?,
            "a second",
        );
        if let Some(rate) = raw::openssl(algorithm, cores) {
            report.fact(format!("{name}, openssl speed"), rate, "a second");
        }
    }
    let writes = raw::durable_writes(&std::env::temp_dir(), options.raw_length)?;
    report.fact("durable writes of 4 KiB", writes, "a second");
    report.print();
    Ok(report)
}

/// What the settings share.
struct Bench<'a> {
    options: &'a Options,
    cluster: Option<Cluster>,
    token: Option<Token>,
}

impl Bench<'_> {
    /// Everything about one provider; `None` where what it stands on is not installed.
    async fn provider(
        &mut self,
        setting: Setting,
        algorithm: Algorithm,
    ) -> Result<Option<Report>, Failure> {
        let options = self.options;
        let certificates = options.measures(Part::Certificates) && algorithm == Algorithm::P256;
        let signs = options.measures(Part::Sign);
        let answers = options.measures(Part::Ocsp) && setting == Setting::Sqlite;
        if !(certificates || signs || answers) {
            return Ok(None);
        }
        let title = format!("{}, {}", setting.title(), algorithm.as_str());
        let Some(ground) = self.ground(setting, algorithm).await? else {
            println!("\n{title}: not installed here, so not measured");
            return Ok(None);
        };
        let mut report = Report::new(title);
        let mut world = World::start(&options.kyso, &ground).await?;
        self.enrol(&mut world, certificates, &mut report).await?;
        if signs {
            self.sign(&mut world, setting, algorithm, &mut report)
                .await?;
        }
        if answers {
            self.ocsp(&world, &mut report).await?;
        }
        report.fact("peak memory of the server", world.peak_memory_mib(), "MiB");
        let verified = world.end().await?;
        report.fact(
            "signatures, each with debit and ledger",
            verified,
            "verified",
        );
        report.print();
        Ok(Some(report))
    }

    async fn ground(
        &mut self,
        setting: Setting,
        algorithm: Algorithm,
    ) -> Result<Option<Ground>, Failure> {
        let mut ground = Ground {
            database: None,
            database_process: None,
            keystore: String::new(),
            environment: Vec::new(),
            algorithm,
            // Nothing is made ahead: what fills a pool would take part in what is measured.
            pool: 0,
        };
        match setting {
            Setting::Sqlite => {}
            Setting::Postgres => {
                if self.cluster.is_none() {
                    self.cluster = Cluster::start().await?;
                }
                let Some(cluster) = &mut self.cluster else {
                    return Ok(None);
                };
                ground.database = Some(cluster.create_database().await?);
                ground.database_process = cluster.process();
            }
            Setting::SoftHsm => {
                // One token a provider: its internal keys belong to one installation.
                self.token = Token::make()?;
                let Some(token) = &self.token else {
                    return Ok(None);
                };
                ground.keystore = token.configuration(cores());
                ground.environment = token.environment();
            }
        }
        Ok(Some(ground))
    }

    /// Enrols the citizens; where certificates are measured, in as many groups as there are repeats.
    async fn enrol(
        &self,
        world: &mut World,
        certificates: bool,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let options = self.options;
        if !certificates {
            let applicants = world.apply(options.citizens).await?;
            world.certify(&applicants).await?;
            return world.accept(applicants).await;
        }
        let mut line = Line::new("certificates (peer: raw RSA-3072)");
        for _ in 0..options.rounds {
            let applicants = world
                .apply(options.citizens.div_ceil(options.rounds))
                .await?;
            world.be_quiet().await?;
            let raw = raw::signatures(Algorithm::Rsa3072, Use::Kept, cores(), options.raw_length)?;
            line.add(world.certify(&applicants).await?, Some(raw));
            world.accept(applicants).await?;
        }
        report.add(line);
        Ok(())
    }

    async fn sign(
        &self,
        world: &mut World,
        setting: Setting,
        algorithm: Algorithm,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let options = self.options;
        let mut single = Line::new("signatures, one document an approval");
        let mut batch = Line::new(format!("signatures, {BATCH} documents an approval"));
        for _ in 0..options.rounds {
            for (line, documents, each) in [
                (&mut single, 1, options.approvals.0),
                (&mut batch, BATCH, options.approvals.1),
            ] {
                let prepared = world.prepare(documents, each).await?;
                let raw = match (&self.token, setting) {
                    (Some(token), Setting::SoftHsm) => token.signatures(
                        algorithm,
                        documents as u32,
                        cores(),
                        options.raw_length,
                    )?,
                    _ => raw::signatures(algorithm, Use::Kept, cores(), options.raw_length)?,
                };
                line.add(world.approve(prepared).await?, Some(raw));
            }
        }
        report.add(single);
        report.add(batch);
        Ok(())
    }

    async fn ocsp(&self, world: &World, report: &mut Report) -> Result<(), Failure> {
        let Some(peer) = ocsp::Peer::start(world).await? else {
            return Ok(());
        };
        let url = format!("{}/ocsp", world.url());
        let mut ours = Line::new("OCSP answers (peer: openssl ocsp)");
        let mut theirs = Line::new("  openssl ocsp, one process");
        for _ in 0..self.options.rounds {
            let (callers, each) = CALLERS;
            let request = &peer.request;
            let other = world
                .post(&peer.url, request, callers, each / 4, peer.process())
                .await?;
            let own = world.post(&url, request, callers, each, None).await?;
            ours.add(own, Some(other.units / other.seconds));
            theirs.add(other, None);
        }
        report.add(ours);
        report.add(theirs);
        Ok(())
    }

    /// How long a citizen waits for a certificate with an RSA key: with pairs made ahead, and without.
    async fn pool(&mut self) -> Result<Report, Failure> {
        let mut report = Report::new("From the officer's approval to the certificate, RSA-2048");
        let mut waits = [Vec::new(), Vec::new()];
        let mut worlds = Vec::new();
        for pool in [POOL, 0] {
            let ground = Ground {
                pool,
                ..self
                    .ground(Setting::Sqlite, Algorithm::Rsa2048)
                    .await?
                    .ok_or("SQLite is always there")?
            };
            let mut world = World::start(&self.options.kyso, &ground).await?;
            // The first key of an algorithm asks for the pool of it.
            let first = world.apply(1).await?;
            world.certify(&first).await?;
            worlds.push(world);
        }
        for _ in 0..self.options.rounds * 2 {
            for (world, waits) in worlds.iter_mut().zip(&mut waits) {
                let applicants = world.apply(1).await?;
                world.be_quiet().await?;
                waits.push(1e3 * world.certify(&applicants).await?.seconds);
            }
        }
        let [with, without] = waits.map(|waits| median(waits.into_iter()));
        report.fact("with a pool", with, "ms");
        report.fact("without", without, "ms");
        report.print();
        Ok(report)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
