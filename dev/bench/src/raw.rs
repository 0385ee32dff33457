//! The bounds: what the machine's cryptography and disk do when nothing else is asked of them.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use kyso_demo::stage::Failure;

use crate::options::Algorithm;

/// How the private key comes to the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Read once, before the clock runs: what libraries call their speed.
    Kept,
    /// Read from PKCS#8 for each signature, as a citizen's key must be.
    Once,
}

enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, Failure> {
        Ok(match algorithm {
            Algorithm::P256 => Self::Ec(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
                    .map_err(|_| "a fresh key is refused")?,
            ),
            _ => Self::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| "a fresh key is refused")?),
        })
    }

    fn sign(&self, message: &[u8], random: &SystemRandom) -> Result<(), Failure> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, random, message, &mut signature)?;
            }
            Self::Ec(pair) => {
                pair.sign(random, message)?;
            }
        }
        Ok(())
    }
}

/// Signatures a second by AWS-LC, the library that the software keystore signs with, on `threads` threads with a key each.
pub fn signatures(
    algorithm: Algorithm,
    usage: Use,
    threads: usize,
    length: Duration,
) -> Result<f64, Failure> {
    let mut running = Vec::new();
    for _ in 0..threads {
        let pkcs8 = match algorithm {
            Algorithm::P256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?
                .to_pkcs8v1()?
                .as_ref()
                .to_vec(),
            Algorithm::Rsa2048 => rsa(KeySize::Rsa2048)?,
            Algorithm::Rsa3072 => rsa(KeySize::Rsa3072)?,
        };
        running.push(std::thread::spawn(move || {
            count(algorithm, &pkcs8, usage, length)
        }));
    }
    let mut total = 0.0;
    for thread in running {
        total += thread.join().map_err(|_| "a signing thread failed")??;
    }
    Ok(total)
}

fn rsa(size: KeySize) -> Result<Vec<u8>, Failure> {
    Ok(RsaKeyPair::generate(size)?.as_der()?.as_ref().to_vec())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
fn count(algorithm: Algorithm, pkcs8: &[u8], usage: Use, length: Duration) -> Result<f64, Failure> {
    let random = SystemRandom::new();
    let message = digest(&SHA256, b"what is signed");
    let kept = Key::read(algorithm, pkcs8)?;
    // The first use of a key prepares it; that belongs to reading, not to signing.
    kept.sign(message.as_ref(), &random)?;
    let mut signed = 0u32;
    let began = Instant::now();
    while began.elapsed() < length {
        match usage {
            Use::Kept => kept.sign(message.as_ref(), &random)?,
            Use::Once => Key::read(algorithm, pkcs8)?.sign(message.as_ref(), &random)?,
        }
        signed += 1;
    }
    Ok(f64::from(signed) / began.elapsed().as_secs_f64())
}

/// Signatures a second by `openssl speed` on both cores; none where it is not installed.
pub fn openssl(algorithm: Algorithm, threads: usize) -> Option<f64> {
    let name = match algorithm {
        Algorithm::Rsa2048 => "rsa2048",
        Algorithm::Rsa3072 => "rsa3072",
        Algorithm::P256 => "ecdsap256",
    };
    let output = Command::new("openssl")
        .args(["speed", "-elapsed", "-seconds", "1", "-multi"])
        .arg(threads.to_string())
        .arg(name)
        .output()
        .ok()?;
    // The table's last line ends in "sign/s verify/s", sometimes followed by encryptions.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let header = text.lines().rfind(|line| line.contains("sign/s"))?;
    let column = header
        .split_whitespace()
        .position(|word| word == "sign/s")?;
    let columns = header.split_whitespace().count();
    let line = text.lines().rfind(|line| !line.trim().is_empty())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    words
        .get(words.len().checked_sub(columns - column)?)?
        .parse()
        .ok()
}

/// Durable writes a second: 4 KiB appended and synchronised, one after the other, in the folder where the database lies.
#[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
pub fn durable_writes(folder: &Path, length: Duration) -> Result<f64, Failure> {
    let mut file = tempfile::tempfile_in(folder)?;
    let page = [7u8; 4096];
    let mut written = 0u32;
    let began = Instant::now();
    while began.elapsed() < length {
        file.write_all(&page)?;
        file.sync_data()?;
        written += 1;
    }
    Ok(f64::from(written) / began.elapsed().as_secs_f64())
}
