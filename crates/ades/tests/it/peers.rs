//! Other people's programs, which judge what we wrote (the server's tests ask them too). One that is missing is skipped, unless KYSO_PEERS=required.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A program to run, or nothing (said aloud) when it is not installed.
pub fn peer(name: &str) -> Option<Command> {
    let path = match name {
        "python" => venv().join("bin/python"),
        other => PathBuf::from(other),
    };
    let probe = Command::new(&path)
        .arg(if name == "openssl" {
            "version"
        } else {
            "--version"
        })
        .output();
    if probe.is_ok() {
        return Some(Command::new(path));
    }
    if std::env::var("KYSO_PEERS").is_ok_and(|peers| peers == "required") {
        panic!("{name} is required and not installed");
    }
    println!("skipped: {name}");
    None
}

fn venv() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv");
    std::env::var_os("KYSO_VENV").map_or(target, PathBuf::from)
}

/// What a program said, on both streams.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// pyHanko's words: file, field, then what holds of the signature.
pub fn pyhanko(trusted: &[&Path], files: &[PathBuf]) -> Option<Vec<Vec<String>>> {
    let trusted: Vec<_> = trusted.iter().map(|path| path.to_str().unwrap()).collect();
    let output = peer("python")?
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ades/tests/it/judge.py"))
        .arg(trusted.join(","))
        .args(files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(
        lines
            .lines()
            .map(|line| line.split(' ').map(str::to_owned).collect())
            .collect(),
    )
}

/// qpdf finds nothing wrong, not even a warning.
pub fn qpdf_is_content(file: &Path) {
    if let Some(mut qpdf) = peer("qpdf") {
        let output = qpdf.arg("--check").arg(file).output().unwrap();
        assert!(
            output.status.success(),
            "{}: {}",
            file.display(),
            said(&output)
        );
    }
}

/// poppler finds every signature valid, and the last one over the whole document.
pub fn pdfsig_is_content(file: &Path, signatures: usize) {
    if let Some(mut pdfsig) = peer("pdfsig") {
        let output = pdfsig.arg("-nocert").arg(file).output().unwrap();
        let words = said(&output);
        assert_eq!(
            words.matches("Signature is Valid.").count(),
            signatures,
            "{}: {words}",
            file.display()
        );
        assert!(
            words.contains("Total document signed"),
            "{}: {words}",
            file.display()
        );
    }
}

/// OpenSSL verifies the last signature's CMS over the byte range, up to the root, by a certificate for what it takes a signer for.
pub fn openssl_is_content(file: &Path, root: &Path) {
    let Some(mut openssl) = peer("openssl") else {
        return;
    };
    let bytes = std::fs::read(file).unwrap();
    let (content, container) = last_signature(&bytes);
    let (content_path, container_path) =
        (file.with_extension("content"), file.with_extension("cms"));
    std::fs::write(&content_path, content).unwrap();
    std::fs::write(&container_path, container).unwrap();
    let output = openssl
        .args(["cms", "-verify", "-binary", "-inform", "DER", "-in"])
        .arg(&container_path)
        .arg("-content")
        .arg(&content_path)
        .arg("-CAfile")
        .arg(root)
        .args(["-out", "/dev/null"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        file.display(),
        said(&output)
    );
}

/// The bytes the last signature covers, and its CMS without the padding.
pub fn last_signature(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = b"/ByteRange[";
    let at = bytes
        .windows(key.len())
        .rposition(|window| window == key)
        .unwrap()
        + key.len();
    let text: Vec<usize> = bytes[at..at + 60]
        .split(|byte| *byte == b']')
        .next()
        .unwrap()
        .split(|byte| *byte == b' ')
        .map(|number| std::str::from_utf8(number).unwrap().parse().unwrap())
        .collect();
    let [start, before, after, rest] = text[..] else {
        panic!("four numbers");
    };
    assert_eq!(
        (start, after + rest),
        (0, bytes.len()),
        "the whole file is covered"
    );
    assert_eq!(
        (bytes[before], bytes[after - 1]),
        (b'<', b'>'),
        "only /Contents is left out"
    );
    let digits = &bytes[before + 1..after - 1];
    let hexadecimal: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    assert_eq!(hexadecimal[..2], [0x30, 0x82]);
    let length = 4 + usize::from(u16::from_be_bytes([hexadecimal[2], hexadecimal[3]]));
    assert!(hexadecimal[length..].iter().all(|byte| *byte == 0));
    let content = [&bytes[..before], &bytes[after..]].concat();
    (content, hexadecimal[..length].to_vec())
}
