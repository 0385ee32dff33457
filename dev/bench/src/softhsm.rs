//! A SoftHSM token of our own, and the bound beside it: the same PKCS#11 calls that a signature needs, in a bare loop.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use kyso_demo::stage::Failure;

use crate::options::Algorithm;

const LABEL: &str = "kyso";
const PIN: &str = "87654321";
const PLACES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
/// DER of the object identifier of P-256.
const P256_OID: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// DigestInfo of SHA-256 before the digest (RFC 8017, 9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// A token in a temporary folder.
pub struct Token {
    module: PathBuf,
    folder: tempfile::TempDir,
}

impl Token {
    /// Makes one; `None` where SoftHSM is not installed.
    pub fn make() -> Result<Option<Self>, Failure> {
        let Some(module) = PLACES.iter().map(PathBuf::from).find(|path| path.is_file()) else {
            return Ok(None);
        };
        let folder = tempfile::tempdir()?;
        let tokens = folder.path().join("tokens");
        std::fs::create_dir(&tokens)?;
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        std::fs::write(folder.path().join("softhsm2.conf"), configuration)?;
        let pin = folder.path().join("pin");
        std::fs::write(&pin, PIN)?;
        std::fs::set_permissions(&pin, std::fs::Permissions::from_mode(0o600))?;
        let token = Self { module, folder };
        let made = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", LABEL])
            .args(["--so-pin", "12345678", "--pin", PIN])
            .envs(token.environment())
            .output()?;
        if !made.status.success() {
            let words = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(format!("softhsm2-util: {words}").into());
        }
        Ok(Some(token))
    }

    /// What a process that uses the token must find in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let file = self.folder.path().join("softhsm2.conf");
        vec![("SOFTHSM2_CONF".to_owned(), file.display().to_string())]
    }

    /// The `[keystore]` keys that name it.
    pub fn configuration(&self, sessions: usize) -> String {
        format!(
            "backend = \"pkcs11\"\npkcs11_module = \"{}\"\npkcs11_token_label = \"{LABEL}\"\n\
             pkcs11_pin_file = \"{}\"\npkcs11_sessions = {sessions}\n",
            self.module.display(),
            self.folder.path().join("pin").display()
        )
    }

    /// Signatures a second of a bare loop in a process of its own: unwrap, sign `batch` times, destroy.
    pub fn signatures(
        &self,
        algorithm: Algorithm,
        batch: u32,
        threads: usize,
        length: Duration,
    ) -> Result<f64, Failure> {
        let output = Command::new(std::env::current_exe()?)
            .arg("softhsm-loop")
            .arg(&self.module)
            .args([algorithm.as_str(), &batch.to_string()])
            .args([threads.to_string(), length.as_millis().to_string()])
            .envs(self.environment())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.trim().parse().map_err(|_| {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("the loop on SoftHSM failed: {words}").into()
        })
    }
}

/// The loop itself: `module algorithm batch threads milliseconds`; prints the rate.
pub fn run_loop(arguments: &[String]) -> Result<f64, Failure> {
    let [module, algorithm, batch, threads, length] = arguments else {
        return Err("softhsm-loop MODULE ALGORITHM BATCH THREADS MILLISECONDS".into());
    };
    let algorithm = Algorithm::of(algorithm).ok_or("not an algorithm")?;
    let (batch, threads): (u32, usize) = (batch.parse()?, threads.parse()?);
    let length = Duration::from_millis(length.parse()?);
    let context = Pkcs11::new(Path::new(module))?;
    context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = context
        .get_slots_with_token()?
        .into_iter()
        .find(|slot| {
            context
                .get_token_info(*slot)
                .is_ok_and(|token| token.label() == LABEL)
        })
        .ok_or("the token is not there")?;
    // Sessions first: the login is the token's, and every session must be there to use it.
    let sessions: Vec<Session> = (0..threads)
        .map(|_| context.open_rw_session(slot))
        .collect::<Result<_, _>>()?;
    let first = sessions.first().ok_or("no threads")?;
    first.login(UserType::User, Some(&AuthPin::new(PIN.into())))?;
    let running: Vec<_> = sessions
        .into_iter()
        .map(|session| std::thread::spawn(move || count(&session, algorithm, batch, length)))
        .collect();
    let mut total = 0.0;
    for thread in running {
        total += thread.join().map_err(|_| "a signing thread failed")??;
    }
    Ok(total)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is about time")]
fn count(
    session: &Session,
    algorithm: Algorithm,
    batch: u32,
    length: Duration,
) -> Result<f64, Failure> {
    let wrap = session.generate_key(
        &Mechanism::AesKeyGen,
        &[
            Attribute::Token(false),
            Attribute::ValueLen(32.into()),
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
        ],
    )?;
    let (mechanism, size, kind) = match algorithm {
        Algorithm::P256 => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(P256_OID.to_vec())],
            KeyType::EC,
        ),
        rsa => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![
                Attribute::ModulusBits(rsa.bits().into()),
                Attribute::PublicExponent(vec![1, 0, 1]),
            ],
            KeyType::RSA,
        ),
    };
    let public = [
        &size[..],
        &[Attribute::Token(false), Attribute::Verify(true)],
    ]
    .concat();
    let private = [
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(true),
        Attribute::Sign(true),
    ];
    let (_, key) = session.generate_key_pair(&mechanism, &public, &private)?;
    let wrapped = session.wrap_key(&Mechanism::AesKeyWrapPad, wrap, key)?;
    let unwrapped = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(kind),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ];
    let (how, data) = match algorithm {
        Algorithm::P256 => (Mechanism::Ecdsa, vec![7; 32]),
        _ => (Mechanism::RsaPkcs, [&SHA256_INFO[..], &[7; 32]].concat()),
    };
    let mut signed = 0u32;
    let began = Instant::now();
    while began.elapsed() < length {
        let key = session.unwrap_key(&Mechanism::AesKeyWrapPad, wrap, &wrapped, &unwrapped)?;
        for _ in 0..batch {
            session.sign(&how, key, &data)?;
        }
        session.destroy_object(key)?;
        signed += batch;
    }
    Ok(f64::from(signed) / began.elapsed().as_secs_f64())
}
