//! `kyso-portal`: the demo portal as a program, beside a running kyso.

use std::process::ExitCode;

use kyso_portal::{Credentials, Options, Portal};

const USAGE: &str = "\
kyso-portal: a public-service portal of an invented province, as an integrator would write it

  --credentials FILE   what `kyso portal add --webhook http://127.0.0.1:PORT/webhook --json` printed
  --api URL            where kyso answers, default http://127.0.0.1:8080
  --public URL         where browsers find kyso, default http://localhost:8080
  --port N             port on 127.0.0.1, default 8090, 0 = any
  --help               this text";

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
    match Portal::start(options).await {
        Ok(portal) => {
            println!("portal  {}", portal.url());
            portal.run().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` when only help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut file = None;
    let mut api = "http://127.0.0.1:8080".to_owned();
    let mut public = "http://localhost:8080".to_owned();
    let mut port = 8090;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--credentials" => file = Some(value()?),
            "--api" => api = value()?,
            "--public" => public = value()?,
            "--port" => {
                let text = value()?;
                port = text.parse().map_err(|_| format!("{text} is not a port"))?;
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let file = file.ok_or("--credentials is missing")?;
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let credentials: Credentials =
        serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
    Ok(Some(Options {
        port,
        api,
        public,
        credentials,
    }))
}
