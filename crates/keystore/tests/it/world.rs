//! A keystore on either backend, and citizens with phones to use it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_keystore::activation::{Channel, Preview, Purpose, StatementDocument, Subject};
use kyso_keystore::{
    Activation, ApprovalStatement, Attempt, BackendName, BindingOutcome, BindingRequest,
    BindingStatement, CitizenKey, Consent, DeviceKey, DeviceKind, DeviceSignature, Expected,
    ExpectedDocument, Keystore, KeystoreConfig, Outcome, Pkcs11Config, SealedPin, Settlement,
    SoftwareConfig, Tried, WrapMechanism, seal_pin, seal_pin_and_code,
};
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use tempfile::TempDir;

pub const NOW: i64 = 1_764_000_000_000;
pub const PIN: &str = "135792";
/// The nonce of every binding that is not given another.
pub const NONCE: &str = "nonce_binding";
pub const TOKEN_PIN: &str = "1234";
const RP_ID: &str = "ky.example.vn";
const ORIGIN: &str = "https://ky.example.vn";

/// A keystore and the folder it may use.
pub struct World {
    pub keystore: Keystore,
    pub backend: BackendName,
    pub directory: TempDir,
}

impl World {
    /// `None` if the backend's peer is missing and that is allowed.
    pub fn open(backend: BackendName, queue: usize) -> Option<World> {
        let directory = tempfile::tempdir().unwrap();
        let config = match backend {
            BackendName::Software => software_config(directory.path(), queue),
            BackendName::Pkcs11 => {
                token_config(softhsm()?, "kyso-suite", directory.path(), TOKEN_PIN, queue)
            }
        };
        Some(World {
            keystore: Keystore::open(config).unwrap(),
            backend,
            directory,
        })
    }

    /// A citizen whose key is bound to a browser key and [`PIN`].
    pub async fn citizen(&self, algorithm: KeyAlgorithm) -> Citizen {
        let mut citizen = self.unclaimed(algorithm).await;
        let request = citizen.binding(&self.keystore, PIN).await;
        let outcome = citizen.bind(&self.keystore, request).await.unwrap();
        assert!(matches!(outcome, BindingOutcome::Bound { .. }));
        citizen
    }

    /// A citizen whose key is made and not yet bound.
    pub async fn unclaimed(&self, algorithm: KeyAlgorithm) -> Citizen {
        let credential = format!("cred_{}", hex::encode(self.keystore.random(8).unwrap()));
        let (row, _) = self
            .keystore
            .create_for_citizen(algorithm, &credential)
            .await
            .unwrap();
        Citizen {
            credential,
            row,
            phone: Phone::browser(),
        }
    }
}

pub fn software_config(directory: &Path, queue: usize) -> KeystoreConfig {
    let software = Some(SoftwareConfig {
        directory: directory.join("keys"),
    });
    KeystoreConfig {
        default_backend: BackendName::Software,
        software,
        pkcs11: None,
        queue,
    }
}

pub fn token_config(
    module: &Path,
    label: &str,
    directory: &Path,
    pin: &str,
    queue: usize,
) -> KeystoreConfig {
    let pin_file = directory.join("token.pin");
    write_secret(&pin_file, pin);
    let pkcs11 = Some(Pkcs11Config {
        module: module.to_owned(),
        token_label: label.to_owned(),
        pin_file,
        sessions: 2,
        wrap_mechanism: WrapMechanism::AesKeyWrapPad,
    });
    KeystoreConfig {
        default_backend: BackendName::Pkcs11,
        software: None,
        pkcs11,
        queue,
    }
}

pub fn write_secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a test on a backend; says so if the peer is missing.
pub fn run<F: Future<Output = ()>>(backend: BackendName, test: impl FnOnce(World) -> F) {
    let Some(world) = World::open(backend, 1000) else {
        return;
    };
    block_on(test(world));
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Mounts tests on both backends.
macro_rules! mount {
    ($($name:ident),* $(,)?) => {
        mod software {
            $(#[test] fn $name() { crate::world::run(kyso_keystore::BackendName::Software, super::$name) })*
        }
        mod softhsm {
            $(#[test] fn $name() { crate::world::run(kyso_keystore::BackendName::Pkcs11, super::$name) })*
        }
    };
}
pub(crate) use mount;

/// Says that a peer is missing, and fails where that is not allowed.
pub fn skip(peer: &str) {
    assert!(
        std::env::var("KYSO_PEERS").as_deref() != Ok("required"),
        "missing peer: {peer}"
    );
    println!("skipped: {peer}");
}

/// A folder that outlives this process, in the build folder; those of processes that have ended are cleared away.
pub fn scratch(name: &str) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(base).unwrap().flatten() {
        let folder = entry.file_name().into_string().unwrap_or_default();
        let process = folder
            .strip_prefix("keystore-")
            .and_then(|rest| rest.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let own = base.join(format!("keystore-{}-{name}", std::process::id()));
    std::fs::create_dir(&own).unwrap();
    own
}

/// The SoftHSM2 module with tokens made for this process, or `None` if it is not installed.
pub fn softhsm() -> Option<&'static Path> {
    static MODULE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let module = MODULE.get_or_init(|| {
        let places = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        ];
        let module = places
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())?;
        // Tokens outlive the tests of this process: the library writes to them as it exits.
        let home = scratch("softhsm");
        let configuration = home.join("softhsm2.conf");
        std::fs::create_dir(home.join("tokens")).unwrap();
        let text = format!(
            "directories.tokendir = {}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n",
            home.display()
        );
        std::fs::write(&configuration, text).unwrap();
        for label in ["kyso-suite", "kyso-pin", "kyso-faults", "kyso-empty"] {
            let made = Command::new("softhsm2-util")
                .env("SOFTHSM2_CONF", &configuration)
                .args([
                    "--init-token",
                    "--free",
                    "--label",
                    label,
                    "--so-pin",
                    "5678",
                    "--pin",
                    TOKEN_PIN,
                ])
                .output()
                .ok()?;
            assert!(
                made.status.success(),
                "{}",
                String::from_utf8_lossy(&made.stderr)
            );
        }
        // SAFETY: Rust's own readers of the environment take the lock that this takes; the module reads it in
        // C_Initialize, which comes after, and nothing else in this process reads it from C meanwhile.
        unsafe { std::env::set_var("SOFTHSM2_CONF", &configuration) };
        for label in ["kyso-suite", "kyso-pin", "kyso-faults"] {
            let config = token_config(&module, label, &home, TOKEN_PIN, 1);
            Keystore::create(config).unwrap();
        }
        Some(module)
    });
    if module.is_none() {
        skip("softhsm2");
    }
    module.as_deref()
}

/// A credential, its stored row, and the phone it is bound to.
#[derive(Clone)]
pub struct Citizen {
    pub credential: String,
    pub row: CitizenKey,
    pub phone: Phone,
}

impl Citizen {
    /// The first binding of this citizen's phone, with the code that was sent.
    pub async fn binding(&self, keystore: &Keystore, pin: &str) -> BindingRequest {
        let code = keystore
            .binding_code(&self.row, &self.credential, NONCE)
            .await
            .unwrap();
        self.binding_with(keystore, pin, code.as_str()).await
    }

    /// The first binding of this citizen's phone, with a code somebody typed.
    pub async fn binding_with(&self, keystore: &Keystore, pin: &str, code: &str) -> BindingRequest {
        let subject = Subject::Enrolment("enr_1".into());
        let mut request = self.request(&self.phone, Purpose::Enrol, subject);
        let approval_key = keystore
            .approval_public_key_of(self.row.backend())
            .await
            .unwrap();
        request.sealed_pin =
            seal_pin_and_code(&approval_key, &request.statement, pin, code).unwrap();
        request
    }

    /// Another device or PIN, with the consent of this citizen's phone.
    pub async fn change(
        &self,
        keystore: &Keystore,
        phone: &Phone,
        purpose: Purpose,
        current_pin: &str,
        new_pin: &str,
    ) -> BindingRequest {
        let subject = Subject::Credential(self.credential.clone());
        let mut request = self.request(phone, purpose, subject);
        let approval_key = keystore
            .approval_public_key_of(self.row.backend())
            .await
            .unwrap();
        let sealed = |pin| seal_pin(&approval_key, &request.statement, pin).unwrap();
        let (next, current_pin) = (sealed(new_pin), sealed(current_pin));
        request.consent = Some(Consent {
            signature: self.phone.sign(&request.statement),
            current_pin,
        });
        request.sealed_pin = next;
        request
    }

    /// A statement signed by the phone to be bound, with nothing sealed yet.
    pub fn request(&self, phone: &Phone, purpose: Purpose, subject: Subject) -> BindingRequest {
        let statement = BindingStatement {
            subject: subject.clone(),
            purpose,
            device_key: phone.key.spki.clone(),
            nonce: NONCE.into(),
            issued_at: NOW,
            expires_at: NOW + 60_000,
        }
        .to_bytes();
        BindingRequest {
            signature: phone.sign(&statement),
            sealed_pin: SealedPin {
                enc: vec![],
                ciphertext: vec![],
            },
            statement,
            device: phone.key.clone(),
            consent: None,
            subject,
            nonce: NONCE.into(),
        }
    }

    /// Begins a binding, stores the raised row, finishes and stores, as the worker does.
    pub async fn bind(
        &mut self,
        keystore: &Keystore,
        request: BindingRequest,
    ) -> kyso_keystore::Result<BindingOutcome> {
        let attempt = keystore
            .begin_binding(&self.row, &self.credential, request, NOW)
            .await?;
        self.row = CitizenKey::from_bytes(attempt.raised().as_bytes()).unwrap();
        let outcome = keystore.bind(attempt, &self.row).await?;
        let (BindingOutcome::Bound { key }
        | BindingOutcome::Wrong { key, .. }
        | BindingOutcome::Locked { key }) = &outcome;
        self.row = CitizenKey::from_bytes(key.as_bytes()).unwrap();
        Ok(outcome)
    }

    /// What the phone sends for a request over these digests.
    pub async fn approve(
        &self,
        keystore: &Keystore,
        request: &str,
        digests: &[Digest],
        pin: &str,
    ) -> Approval {
        let expected = self.expected(request, digests);
        let statement = statement_of(&expected).to_bytes();
        let approval_key = keystore
            .approval_public_key_of(self.row.backend())
            .await
            .unwrap();
        let sealed_pin = seal_pin(&approval_key, &statement, pin).unwrap();
        Approval {
            signature: self.phone.sign(&statement),
            statement,
            sealed_pin,
            expected,
            device: self.phone.key.clone(),
        }
    }

    /// The request's row.
    pub fn expected(&self, request: &str, digests: &[Digest]) -> Expected {
        let documents = digests
            .iter()
            .enumerate()
            .map(|(index, to_be_signed)| ExpectedDocument {
                name: format!("Hợp đồng {index}.pdf"),
                document_digest: digest(&SHA256, &[index as u8]).as_ref().to_vec(),
                to_be_signed: to_be_signed.clone(),
            })
            .collect();
        Expected {
            request: request.to_owned(),
            credential: self.credential.clone(),
            portal: "portal_1".into(),
            documents,
            nonce: format!("nonce_{request}"),
            code: "7K-4Q".into(),
        }
    }

    /// Approves with a PIN and stores the raised row, as the worker does.
    pub async fn begin(
        &mut self,
        keystore: &Keystore,
        request: &str,
        digests: &[Digest],
        pin: &str,
    ) -> kyso_keystore::Result<Attempt> {
        let approval = self.approve(keystore, request, digests, pin).await;
        let attempt = keystore
            .begin(&self.row, &self.credential, approval.activation())
            .await?;
        self.row = CitizenKey::from_bytes(attempt.raised().as_bytes()).unwrap();
        Ok(attempt)
    }

    /// Raises and stores the row for an approval that nobody gets to compare.
    pub async fn raise(&mut self, keystore: &Keystore, approval: &Approval) {
        let attempt = keystore
            .begin(&self.row, &self.credential, approval.activation())
            .await
            .unwrap();
        self.row = CitizenKey::from_bytes(attempt.raised().as_bytes()).unwrap();
    }

    /// As [`Citizen::raise`], for a binding.
    pub async fn raise_binding(&mut self, keystore: &Keystore, request: &BindingRequest) {
        let attempt = keystore
            .begin_binding(&self.row, &self.credential, request.clone(), NOW)
            .await
            .unwrap();
        self.row = CitizenKey::from_bytes(attempt.raised().as_bytes()).unwrap();
    }

    /// Settles a try an hour later and stores the row.
    pub async fn settle(
        &mut self,
        keystore: &Keystore,
        tried: Tried,
    ) -> kyso_keystore::Result<Settlement> {
        let now = NOW + 3_600_000;
        let settled = keystore
            .settle(&self.row, &self.credential, tried, now)
            .await?;
        if let Settlement::Right { key } = &settled {
            self.row = CitizenKey::from_bytes(key.as_bytes()).unwrap();
        }
        Ok(settled)
    }

    /// The whole path: approve, raise, sign, store.
    pub async fn sign(
        &mut self,
        keystore: &Keystore,
        request: &str,
        digests: &[Digest],
        pin: &str,
        algorithm: SignatureAlgorithm,
    ) -> kyso_keystore::Result<Outcome> {
        let attempt = self.begin(keystore, request, digests, pin).await?;
        let outcome = keystore
            .sign_for_citizen(attempt, &self.row, algorithm)
            .await?;
        let (Outcome::Signed { key, .. } | Outcome::WrongPin { key, .. } | Outcome::Locked { key }) =
            &outcome;
        self.row = CitizenKey::from_bytes(key.as_bytes()).unwrap();
        Ok(outcome)
    }
}

/// An approval as it reaches the server.
#[derive(Clone)]
pub struct Approval {
    pub statement: Vec<u8>,
    pub signature: DeviceSignature,
    pub device: DeviceKey,
    pub sealed_pin: SealedPin,
    pub expected: Expected,
}

impl Approval {
    pub fn activation(&self) -> Activation {
        Activation::check(
            &self.statement,
            &self.signature,
            &self.device,
            &self.expected,
            self.sealed_pin.clone(),
            NOW,
        )
        .unwrap()
    }
}

pub fn statement_of(expected: &Expected) -> ApprovalStatement {
    ApprovalStatement {
        request: expected.request.clone(),
        credential: expected.credential.clone(),
        portal: expected.portal.clone(),
        documents: expected
            .documents
            .iter()
            .map(|document| StatementDocument {
                name: document.name.clone(),
                document_digest: document.document_digest.clone(),
                to_be_signed: document.to_be_signed.value().to_vec(),
                digest_algorithm: document.to_be_signed.algorithm(),
                preview: Preview::Previewed,
            })
            .collect(),
        code: expected.code.clone(),
        channel: Channel::Push,
        nonce: expected.nonce.clone(),
        issued_at: NOW,
        expires_at: NOW + 300_000,
    }
}

/// A device with its key.
#[derive(Clone)]
pub struct Phone {
    pair: std::sync::Arc<EcdsaKeyPair>,
    pub key: DeviceKey,
}

impl Phone {
    pub fn browser() -> Phone {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::new(pair, DeviceKind::WebCrypto)
    }

    pub fn passkey() -> Phone {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let kind = DeviceKind::WebAuthn {
            rp_id: RP_ID.into(),
            origin: ORIGIN.into(),
            credential_id: vec![7; 32],
        };
        Self::new(pair, kind)
    }

    fn new(pair: EcdsaKeyPair, kind: DeviceKind) -> Phone {
        let spki = pair.public_key().as_der().unwrap().as_ref().to_vec();
        Phone {
            pair: pair.into(),
            key: DeviceKey { kind, spki },
        }
    }

    pub fn sign(&self, statement: &[u8]) -> DeviceSignature {
        let sign = |message: &[u8]| {
            self.pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec()
        };
        if self.key.kind == DeviceKind::WebCrypto {
            return DeviceSignature::WebCrypto {
                signature: sign(statement),
            };
        }
        let mut authenticator_data = digest(&SHA256, RP_ID.as_bytes()).as_ref().to_vec();
        authenticator_data.extend([0x05, 0, 0, 0, 0]);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, statement));
        let client_data_json =
            format!(r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{ORIGIN}"}}"#)
                .into_bytes();
        let signed = [
            &authenticator_data[..],
            digest(&SHA256, &client_data_json).as_ref(),
        ]
        .concat();
        DeviceSignature::WebAuthn {
            signature: sign(&signed),
            authenticator_data,
            client_data_json,
        }
    }
}

/// `count` different digests.
pub fn digests(algorithm: DigestAlgorithm, count: usize) -> Vec<Digest> {
    (0..count)
        .map(|index| Digest::of(algorithm, format!("document {index}").as_bytes()))
        .collect()
}

/// The digest algorithm tests sign P-256 with.
pub const ES256: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

pub fn one() -> Vec<Digest> {
    digests(DigestAlgorithm::Sha256, 1)
}
