//! `kyso-catcher`: the catcher as a program, for trying kyso by hand.

use std::process::ExitCode;

use kyso_catcher::{Catcher, Options};

const USAGE: &str = "\
kyso-catcher: catches mail (SMTP), SMS and webhooks (HTTP) on 127.0.0.1 and shows them

  --smtp-port N    SMTP port, default 2525, 0 = any
  --http-port N    HTTP port, default 2580, 0 = any
  --sms-token T    bearer token of POST /sms, default 'catcher'
  --help           this text";

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
    match Catcher::start_with(options).await {
        Ok(catcher) => {
            println!("mail   smtp://{}", catcher.smtp_addr);
            println!("SMS    {}", catcher.sms_url());
            println!("inbox  http://{}/", catcher.http_addr);
            catcher.run().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot listen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` when only help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        smtp_port: 2525,
        http_port: 2580,
        ..Options::default()
    };
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        let port = |text: String| {
            text.parse::<u16>()
                .map_err(|_| format!("{text} is not a port"))
        };
        match argument.as_str() {
            "--smtp-port" => options.smtp_port = port(value()?)?,
            "--http-port" => options.http_port = port(value()?)?,
            "--sms-token" => options.sms_token = value()?,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(Some(options))
}
