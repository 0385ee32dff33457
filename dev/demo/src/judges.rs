//! Independent programs that check what the demo made, each in its own words: nothing here is written by us but the
//! command lines, and the cutting of a signature out of a PDF for OpenSSL.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use kyso_demo::stage::Failure;

/// What a judge said.
pub struct Verdict {
    /// Name and version of the program.
    pub who: String,
    /// The command, as one could type it.
    pub command: String,
    /// Its words.
    pub words: String,
    /// Whether it accepts.
    pub accepts: bool,
}

/// A program that is not installed here.
pub struct Absent {
    /// Its name.
    pub who: &'static str,
    /// How to get it.
    pub remedy: &'static str,
}

/// Asks every judge that is present about a signed PDF. Absent ones are named.
pub async fn all(
    signed: &Path,
    directory: &Path,
    python: Option<&Path>,
    server: &str,
) -> Result<(Vec<Verdict>, Vec<Absent>), Failure> {
    let mut verdicts = Vec::new();
    let mut absent = Vec::new();
    match pdfsig(signed, directory).await {
        Some(verdict) => verdicts.push(verdict),
        None => absent.push(Absent {
            who: "pdfsig",
            remedy: "apt install poppler-utils",
        }),
    }
    match pyhanko(signed, &directory.join("root.pem"), python).await {
        Some(verdict) => verdicts.push(verdict),
        None => absent.push(Absent {
            who: "pyHanko",
            remedy: "cargo xtask setup, or pip install pyhanko-cli",
        }),
    }
    if has_openssl().await {
        verdicts.extend(openssl(signed, directory, server).await?);
    } else {
        absent.push(Absent {
            who: "OpenSSL",
            remedy: "apt install openssl",
        });
    }
    Ok((verdicts, absent))
}

/// Where certutil is, poppler also judges the certificate: NSS is told the root, and asks the responder that the certificate names.
async fn pdfsig(signed: &Path, directory: &Path) -> Option<Verdict> {
    let database = nss_database(directory).await;
    let mut arguments = match &database {
        Some(database) => vec!["-nssdir".to_owned(), database.clone()],
        None => vec!["-nocert".to_owned()],
    };
    arguments.push(signed.display().to_string());
    let words = said("pdfsig", &arguments).await?.0;
    let is_trusted = database.is_none() || words.contains("Certificate is Trusted.");
    let is_valid = words.contains("Signature is Valid.") && !words.contains("not valid");
    let accepts = is_valid && is_trusted;
    Some(Verdict {
        who: version("pdfsig", "-v").await,
        command: command("pdfsig", &arguments),
        words,
        accepts,
    })
}

/// A database of NSS that trusts the root, and nothing else, with e-mail: as what poppler takes signers for.
async fn nss_database(directory: &Path) -> Option<String> {
    let folder = directory.join("nss");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).ok()?;
    let database = format!("sql:{}", folder.display());
    let root = directory.join("root.pem").display().to_string();
    let make = ["-N", "--empty-password"].as_slice();
    let add = ["-A", "-n", "root", "-t", ",C,", "-i", &root];
    for arguments in [make, &add] {
        let arguments = [arguments, &["-d", &database]].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let (_, succeeded) = said("certutil", &arguments).await?;
        succeeded.then_some(())?;
    }
    Some(database)
}

async fn pyhanko(signed: &Path, root: &Path, python: Option<&Path>) -> Option<Verdict> {
    let program = python
        .map(|bin| bin.join("pyhanko"))
        .filter(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from("pyhanko"));
    let program = program.display().to_string();
    let arguments: Vec<String> = [
        "sign",
        "validate",
        "--trust",
        &root.display().to_string(),
        "--pretty-print",
        &signed.display().to_string(),
    ]
    .map(str::to_owned)
    .to_vec();
    let (words, _) = said(&program, &arguments).await?;
    // Its report is long; what it concludes is what a reader wants.
    let conclusion: String = words
        .lines()
        .map(str::trim)
        .filter(|line| {
            [
                "judged",
                "is cryptographically",
                "trust anchor",
                "covers the entire",
                "Certificate subject",
                "TRUSTED",
            ]
            .iter()
            .any(|word| line.contains(word))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let accepts = words.contains("judged VALID");
    let words = if conclusion.is_empty() {
        words
    } else {
        conclusion
    };
    Some(Verdict {
        who: version(&program, "--version").await,
        command: command("pyhanko", &arguments),
        words,
        accepts,
    })
}

async fn openssl(signed: &Path, directory: &Path, server: &str) -> Result<Vec<Verdict>, Failure> {
    let who = version("openssl", "version").await;
    let pdf = std::fs::read(signed)?;
    let (content, cms) = cut(&pdf).ok_or("the signed PDF has no readable ByteRange")?;
    let file = |name: &str| directory.join(name).display().to_string();
    std::fs::write(directory.join("signed-bytes.bin"), content)?;
    std::fs::write(directory.join("signature.p7s"), cms)?;
    let mut verdicts = Vec::new();
    let cms = [
        "cms",
        "-verify",
        "-cades",
        "-binary",
        "-inform",
        "DER",
        "-in",
        &file("signature.p7s"),
        "-content",
        &file("signed-bytes.bin"),
        "-CAfile",
        &file("root.pem"),
        "-signer",
        &file("signer.pem"),
        "-out",
        "/dev/null",
    ]
    .map(str::to_owned);
    verdicts.push(ask_openssl(&who, &cms, "Verification successful").await);
    let crl = [
        "verify",
        "-x509_strict",
        "-crl_check",
        "-CRLfile",
        &file("issuing-crl.pem"),
        "-CAfile",
        &file("root.pem"),
        "-untrusted",
        &file("issuing.pem"),
        &file("signer.pem"),
    ]
    .map(str::to_owned);
    verdicts.push(ask_openssl(&who, &crl, ": OK").await);
    let ocsp = [
        "ocsp",
        "-issuer",
        &file("issuing.pem"),
        "-cert",
        &file("signer.pem"),
        "-url",
        &format!("{server}/ocsp"),
        "-CAfile",
        &file("root.pem"),
    ]
    .map(str::to_owned);
    verdicts.push(ask_openssl(&who, &ocsp, ": good").await);
    Ok(verdicts)
}

async fn ask_openssl(who: &str, arguments: &[String], wanted: &str) -> Verdict {
    let (words, succeeded) = said("openssl", arguments).await.unwrap_or_default();
    let accepts = succeeded && words.contains(wanted);
    Verdict {
        who: who.to_owned(),
        command: command("openssl", arguments),
        words,
        accepts,
    }
}

/// What the ByteRange of the last signature covers, and the CMS in the hole.
fn cut(pdf: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = pdf
        .windows(11)
        .rposition(|window| window == b"/ByteRange ".as_slice() || window == b"/ByteRange[")?;
    let open = at + pdf[at..].iter().position(|byte| *byte == b'[')?;
    let close = open + pdf[open..].iter().position(|byte| *byte == b']')?;
    let numbers: Vec<usize> = std::str::from_utf8(&pdf[open + 1..close])
        .ok()?
        .split_ascii_whitespace()
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let [first, first_length, second, second_length] = numbers[..] else {
        return None;
    };
    let mut content = pdf.get(first..first + first_length)?.to_vec();
    content.extend_from_slice(pdf.get(second..second + second_length)?);
    let hole = pdf.get(first + first_length + 1..second - 1)?;
    let mut cms = hex::decode(hole).ok()?;
    // The hole is padded with zeros; the CMS says its own length.
    let length = der_length(&cms)?;
    cms.truncate(length);
    Some((content, cms))
}

/// Length of the outer DER element, header included.
fn der_length(der: &[u8]) -> Option<usize> {
    let first = *der.get(1)?;
    if first < 0x80 {
        return Some(2 + usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    let value = der
        .get(2..2 + count)?
        .iter()
        .fold(0usize, |value, byte| value << 8 | usize::from(*byte));
    Some(2 + count + value)
}

/// Whether OpenSSL is installed here.
pub async fn has_openssl() -> bool {
    said("openssl", &["version".to_owned()]).await.is_some()
}

async fn version(program: &str, flag: &str) -> String {
    let words = said(program, &[flag.to_owned()])
        .await
        .map(|(words, _)| words)
        .unwrap_or_default();
    words.lines().next().unwrap_or(program).to_owned()
}

/// Standard output and error of a program, and whether it succeeded; `None` when it is not there.
async fn said(program: &str, arguments: &[String]) -> Option<(String, bool)> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    let mut words = String::from_utf8_lossy(&output.stdout).into_owned();
    words.push_str(&String::from_utf8_lossy(&output.stderr));
    Some((words, output.status.success()))
}

/// The command as a shell takes it: what holds a space stands in quotes.
fn command(program: &str, arguments: &[String]) -> String {
    let typed = arguments.iter().map(|argument| {
        if argument.contains(' ') {
            format!(" '{argument}'")
        } else {
            format!(" {argument}")
        }
    });
    program.to_owned() + &typed.collect::<String>()
}
