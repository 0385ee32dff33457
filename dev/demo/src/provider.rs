//! The provider's side: the real `kyso` binary, driven by the commands an operator would type.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use kyso_phone::Phone;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::stage::Failure;

/// The file that says whose folder it is.
const MARKER: &str = ".kyso-demo";

/// An installation in a folder of its own.
pub struct Provider {
    /// The `kyso` binary.
    pub binary: PathBuf,
    /// Where everything of the demo lives.
    pub directory: PathBuf,
    /// `http://127.0.0.1:PORT`: where it listens.
    pub url: String,
    /// `http://localhost:PORT`: the same for browsers, which keep keys for names only.
    pub public_url: String,
    /// Where health and metrics are.
    pub operator_url: String,
    /// What its commands find in their environment besides ours.
    pub environment: Vec<(String, String)>,
}

impl Provider {
    /// Runs `kyso` with arguments in the folder; gives its standard output, or its error as the failure.
    pub async fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .envs(self.environment.clone())
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| format!("{} cannot be started: {error}", self.binary.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let error = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "kyso {} failed: {}{}",
            arguments.join(" "),
            text,
            error.trim()
        )
        .into())
    }

    /// As [`Provider::run`], with the output read as one line of JSON.
    pub async fn run_json(&self, arguments: &[&str]) -> Result<Value, Failure> {
        Ok(serde_json::from_str(self.run(arguments).await?.trim())?)
    }

    /// A phone that knows the server and, from the ceremony (`chain.pem`), the root of the institution.
    pub fn phone(&self) -> Result<Phone, Failure> {
        let chain = std::fs::read_to_string(self.directory.join("chain.pem"))?;
        let root = kyso_phone::fingerprint(&chain).ok_or("chain.pem holds no certificates")?;
        Ok(Phone::new(&self.url, root)?)
    }

    /// Adds a section to the configuration, as an operator would with an editor.
    pub fn configure(&self, section: &str) -> Result<(), Failure> {
        let path = self.directory.join("kyso.toml");
        let mut text = std::fs::read_to_string(&path)?;
        text.push_str(section);
        Ok(std::fs::write(path, text)?)
    }

    /// Starts `kyso serve`, its log in a file, and waits until it says it is ready.
    pub async fn serve(&self) -> Result<Child, Failure> {
        let log = std::fs::File::create(self.directory.join("kyso.log"))?;
        let mut child = Command::new(&self.binary)
            .arg("serve")
            .envs(self.environment.clone())
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            // Ctrl-C goes to the whole group of the terminal; whoever started the server decides when it stops.
            .process_group(0)
            .spawn()?;
        let ready = format!("{}/readyz", self.operator_url);
        for _ in 0..200 {
            if let Some(status) = child.try_wait()? {
                return Err(format!("kyso serve ended with {status}: {}", self.log_tail()).into());
            }
            if reqwest::get(&ready)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(child);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(format!("kyso serve did not become ready: {}", self.log_tail()).into())
    }

    /// The last lines of the server's log, for a failure.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.directory.join("kyso.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// Ends the server as an operator would: SIGTERM, then wait until it has drained.
pub async fn stop(mut child: Child) -> Result<(), Failure> {
    if let Some(id) = child.id() {
        let asked = Command::new("kill")
            .arg("-TERM")
            .arg(id.to_string())
            .status()
            .await;
        if !asked.is_ok_and(|status| status.success()) {
            // Nothing is lost by it: what is not finished goes on at the next start.
            child.start_kill()?;
        }
    }
    child.wait().await?;
    Ok(())
}

/// A port of this machine that is free now.
pub fn free_port(wanted: u16) -> Result<u16, Failure> {
    let bound = std::net::TcpListener::bind(("127.0.0.1", wanted))
        .or_else(|_| std::net::TcpListener::bind(("127.0.0.1", 0)))?;
    Ok(bound.local_addr()?.port())
}

/// A folder of the demo's own, for as long as the file that is given back lives.
pub struct Scene {
    /// Where.
    pub directory: PathBuf,
    _marker: std::fs::File,
}

/// Empties the folder for the demo: what an earlier run left there is removed. Anybody else's folder is refused, and
/// one in which a demo is running.
pub fn set_scene(path: &Path) -> Result<Scene, Failure> {
    let marker = path.join(MARKER);
    let is_foreign = path.exists() && !marker.exists() && std::fs::read_dir(path)?.next().is_some();
    if is_foreign {
        return Err(format!(
            "{} is not empty and was not made by the demo; choose another --dir",
            path.display()
        )
        .into());
    }
    std::fs::create_dir_all(path)?;
    std::fs::write(&marker, "made by the kyso demo; may be removed\n")?;
    let held = std::fs::File::open(&marker)?;
    if held.try_lock().is_err() {
        return Err(format!(
            "another demo is running in {}; end it, or choose another --dir",
            path.display()
        )
        .into());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARKER {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false => std::fs::remove_file(entry.path())?,
        }
    }
    Ok(Scene {
        directory: path.canonicalize()?,
        _marker: held,
    })
}
