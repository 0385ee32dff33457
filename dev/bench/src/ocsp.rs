//! OCSP beside `openssl ocsp`: the same request about the same certificate to both, each signing with a P-256 key.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use kyso_demo::provider;
use kyso_demo::stage::Failure;
use tokio::process::{Child, Command};

use crate::world::World;

/// A responder of OpenSSL's, and the request to ask both with.
pub struct Peer {
    server: Child,
    /// Where it listens.
    pub url: String,
    /// DER OCSPRequest without a nonce, made by OpenSSL.
    pub request: Vec<u8>,
}

impl Peer {
    /// Starts one that knows the first citizen's certificate; `None` where OpenSSL is not installed.
    pub async fn start(world: &World) -> Result<Option<Self>, Failure> {
        if Command::new("openssl")
            .arg("version")
            .output()
            .await
            .is_err()
        {
            return Ok(None);
        }
        let folder = world.folder();
        let certificate = pem(&world.certificate().await?);
        std::fs::write(folder.join("signer.pem"), certificate)?;
        let serial = openssl(folder, &["x509", "-noout", "-serial", "-in", "signer.pem"]).await?;
        let serial = serial.trim().trim_start_matches("serial=");
        let index = format!("V\t350101000000Z\t\t{serial}\tunknown\t/CN=bench\n");
        std::fs::write(folder.join("index.txt"), index)?;
        let make_responder = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=responder \
             -days 2 -keyout responder.key -out responder.pem";
        openssl(
            folder,
            &make_responder.split_whitespace().collect::<Vec<_>>(),
        )
        .await?;
        let make_request = "ocsp -issuer chain.pem -cert signer.pem -no_nonce -reqout request.der";
        openssl(folder, &make_request.split_whitespace().collect::<Vec<_>>()).await?;
        let request = std::fs::read(folder.join("request.der"))?;
        let port = provider::free_port(0)?;
        let server = Command::new("openssl")
            .args([
                "ocsp",
                "-index",
                "index.txt",
                "-CA",
                "chain.pem",
                "-ndays",
                "1",
            ])
            .args([
                "-rsigner",
                "responder.pem",
                "-rkey",
                "responder.key",
                "-port",
            ])
            .arg(port.to_string())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let peer = Self {
            server,
            url: format!("http://127.0.0.1:{port}/"),
            request,
        };
        peer.wait_until_ready().await?;
        Ok(Some(peer))
    }

    /// The process that answers.
    pub fn process(&self) -> Option<u32> {
        self.server.id()
    }

    /// Asks until it answers. With a real question: a connection that closes without one keeps it busy for ever.
    async fn wait_until_ready(&self) -> Result<(), Failure> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()?;
        for _ in 0..200 {
            let question = client.post(&self.url).body(self.request.clone());
            if question
                .header("content-type", "application/ocsp-request")
                .send()
                .await
                .is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err("openssl ocsp does not answer".into())
    }
}

async fn openssl(folder: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("openssl {}: {words}", arguments.join(" ")).into())
}

/// PEM with lines of 64 characters (RFC 7468, 2).
fn pem(base64: &str) -> String {
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}
