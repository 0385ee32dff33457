//! The harness: a provider with its authority, a worker that runs when told, and phones.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use kyso_authority::ceremony::{Plan, Root};
use kyso_authority::{Authority, AuthorityConfig};
use kyso_keystore::activation::{Channel, Preview, Purpose, StatementDocument, Subject};
use kyso_keystore::{
    ApprovalKey, ApprovalStatement, BackendName, BindingStatement, Consent, DeviceKey, DeviceKind,
    DeviceSignature, Keystore, KeystoreConfig, Pkcs11Config, SessionStatement, SoftwareConfig,
    WrapMechanism, seal_pin, seal_pin_and_code,
};
use kyso_signing::credential::{Binding, BindingIntention, BindingState, Credential, Opening};
use kyso_signing::device::Session;
use kyso_signing::portal::{NewPortal, Portal, Scopes};
use kyso_signing::request::{Approval, NewDocument, NewRequest, RequestView, Signer};
use kyso_signing::task::{self, Done};
use kyso_signing::{KeyAlgorithm, Signing, SigningConfig, SubjectName};
use kyso_store::testing::{Database, Folder, skip};
use kyso_store::{SealedBlobs, Store};

/// Thirty days.
const PLAN_MS: i64 = 30 * 86_400_000;
/// The PIN of every phone that is not told another.
pub const PIN: &str = "271828";

/// One provider on a database and a keystore of its own.
pub struct Office {
    pub database: Database,
    pub store: Store,
    pub keys: Keystore,
    pub signing: Signing,
    pub approval_key: ApprovalKey,
    pub key_folder: PathBuf,
    keys_config: KeystoreConfig,
    citizens: AtomicU32,
}

impl Office {
    pub async fn sqlite() -> Office {
        Office::open(Database::sqlite().await, None).await
    }

    pub async fn postgres() -> Option<Office> {
        Some(Office::open(Database::postgres().await?, None).await)
    }

    /// On a file on disk that waits for the disk, as in service.
    pub async fn durable() -> Office {
        let mut database = Database::sqlite().await;
        let file = std::env::temp_dir().join(format!("kyso-speed-{}.db", chance()));
        let options = kyso_store::Options {
            clock: database.clock.clone(),
            ..kyso_store::Options::default()
        };
        database.url = format!("sqlite://{}", file.display());
        database.store = Store::open_with(&database.url, options).await.unwrap();
        database
            .store
            .migrate(kyso_store::MIGRATIONS)
            .await
            .unwrap();
        Office::open(database, None).await
    }

    /// Citizens' keys in SoftHSM; the institution's in files, because all tests share one token.
    pub async fn softhsm() -> Option<Office> {
        let token = softhsm_token()?;
        Some(Office::open(Database::sqlite().await, Some(token)).await)
    }

    async fn open(database: Database, token: Option<Pkcs11Config>) -> Office {
        let key_folder = database.folder.path().join("keys");
        let software = software_keys(&key_folder);
        let store = database.store.clone();
        let authority = Authority::new(store.clone(), AuthorityConfig::sample());
        authority
            .ceremony(&software, &plan(), &|_| {})
            .await
            .expect("the ceremony is held");
        let mut keys_config = software_config(&key_folder);
        let keys = match token {
            None => software,
            Some(token) => {
                drop(software);
                keys_config.default_backend = BackendName::Pkcs11;
                keys_config.pkcs11 = Some(token);
                Keystore::open(keys_config.clone()).expect("the token opens")
            }
        };
        let approval_key = keys
            .approval_public_key()
            .await
            .expect("there is an approval key");
        let signing = Signing::new(store.clone(), authority, sealed(), config());
        Office {
            database,
            store,
            keys,
            signing,
            approval_key,
            key_folder,
            keys_config,
            citizens: AtomicU32::new(1),
        }
    }

    /// The same provider as another node sees it: its own connections, its own memory, the same rows and keys.
    pub async fn another_node(&self) -> Signing {
        node(self.database.another_node().await)
    }

    /// The same keys as another process opens them: it remembers no try.
    pub fn other_keys(&self) -> Keystore {
        Keystore::open(self.keys_config.clone()).expect("the keystore opens again")
    }

    /// The same provider with a pool of so many RSA pairs.
    pub fn with_pool(&self, pool_size: usize) -> Signing {
        with_pool(self.store.clone(), pool_size)
    }

    pub fn now(&self) -> i64 {
        self.store.now()
    }

    pub fn advance(&self, ms: i64) {
        self.database.clock.advance(ms);
    }

    pub async fn portal(&self, name: &str, scopes: Scopes) -> Portal {
        let new = NewPortal {
            name: name.into(),
            client_id: None,
            scopes,
            webhook_url: None,
            public_key: None,
        };
        self.signing
            .portals
            .register(new, "cli")
            .await
            .unwrap()
            .portal
    }

    pub fn opening(&self, algorithm: KeyAlgorithm) -> Opening {
        let number = self.citizens.fetch_add(1, Ordering::SeqCst);
        opening(number, algorithm, self.now() + PLAN_MS)
    }

    /// A citizen with an active P-256 credential and a phone.
    pub async fn citizen(&self) -> Phone {
        self.citizen_with(self.opening(KeyAlgorithm::P256)).await
    }

    pub async fn citizen_with(&self, opening: Opening) -> Phone {
        let mut phone = self.bound(&opening).await;
        let acceptance = self.acceptance(&phone).await;
        self.sign(&phone, &acceptance).await;
        phone.credential = self
            .signing
            .credentials
            .show(&phone.credential.id)
            .await
            .unwrap();
        assert!(
            phone.credential.activated_at.is_some(),
            "{:?}",
            self.signing.requests.view(acceptance.id).await
        );
        phone
    }

    /// A credential that is bound and still opening.
    pub async fn bound(&self, opening: &Opening) -> Phone {
        let credential = self
            .signing
            .credentials
            .open(&self.keys, opening)
            .await
            .expect("the credential opens");
        let mut phone = Phone::new(self, credential);
        let binding = phone
            .ask_to_bind(self, PIN)
            .await
            .expect("the binding is taken in");
        self.work().await;
        let binding = self.signing.credentials.binding(&binding.id).await.unwrap();
        assert_eq!(binding.state, BindingState::Bound);
        phone.credential = self
            .signing
            .credentials
            .show(&phone.credential.id)
            .await
            .unwrap();
        phone.open_session(self, &binding).await;
        phone
    }

    pub async fn acceptance(&self, phone: &Phone) -> RequestView {
        let pdf = pdf("Biên bản");
        self.signing
            .requests
            .create_acceptance(&phone.credential.id, "acceptance.pdf", pdf)
            .await
            .unwrap()
    }

    /// `count` digests asked of this citizen.
    pub async fn digests(&self, portal: &Portal, phone: &Phone, count: usize) -> RequestView {
        let new = request(phone, digests(count, &chance()));
        self.signing
            .requests
            .create(portal, new)
            .await
            .expect("the request is created")
    }

    /// Approves and lets the worker work.
    pub async fn sign(&self, phone: &Phone, view: &RequestView) -> Vec<Done> {
        self.signing
            .requests
            .approve(phone.session(), &view.id, phone.approve(view))
            .await
            .expect("the approval is taken in");
        self.work().await
    }

    /// Everything that is due within a minute, as the worker would.
    pub async fn work(&self) -> Vec<Done> {
        self.work_as(&self.signing).await
    }

    pub async fn work_as(&self, node: &Signing) -> Vec<Done> {
        self.work_with(node, &self.keys).await
    }

    pub async fn work_with(&self, node: &Signing, keys: &Keystore) -> Vec<Done> {
        let mut done = Vec::new();
        loop {
            let jobs = self.store.claim(task::KINDS, 64, 30_000).await.unwrap();
            if !jobs.is_empty() {
                done.extend(node.work(keys, jobs).await.expect("the worker works"));
                continue;
            }
            match self.store.next_due(task::KINDS).await.unwrap() {
                Some(due) if due - self.now() <= 2_000 => self.advance((due - self.now()).max(1)),
                _ => return done,
            };
        }
    }

    /// The invariants hold, and no row is left half done.
    pub async fn check(&self) {
        let verified = self.signing.verify().await.unwrap();
        assert!(verified.broken.is_empty(), "{:?}", verified.broken);
    }

    /// Why each version of a credential's key row came to be, as the ledger has it, oldest first.
    pub async fn key_changes(&self, credential: kyso_signing::CredentialId) -> Vec<String> {
        let mut changes = Vec::new();
        for version in 1.. {
            let subject = format!("{credential}#{version}");
            let lines = kyso_store::ledger::tail(&self.store, &subject, None, 100);
            let lines = lines.await.unwrap();
            if lines.is_empty() {
                break;
            }
            let why =
                |line: kyso_store::ledger::Entry| line.detail["why"].as_str().unwrap().to_owned();
            changes.extend(lines.into_iter().rev().map(why));
        }
        changes
    }

    /// Kinds of the ledger lines about a thing, oldest first.
    pub async fn ledger(&self, subject: &impl ToString) -> Vec<String> {
        let lines = kyso_store::ledger::tail(&self.store, &subject.to_string(), None, 100)
            .await
            .unwrap();
        lines.into_iter().rev().map(|line| line.kind).collect()
    }
}

/// A node's signing on this store.
pub fn node(store: Store) -> Signing {
    let authority = Authority::new(store.clone(), AuthorityConfig::sample());
    Signing::new(store, authority, sealed(), config())
}

/// As [`node`], with a pool of so many RSA pairs.
pub fn with_pool(store: Store, pool_size: usize) -> Signing {
    let authority = Authority::new(store.clone(), AuthorityConfig::sample());
    let config = SigningConfig {
        pool_size,
        ..config()
    };
    Signing::new(store, authority, sealed(), config)
}

pub fn software_keys(folder: &Path) -> Keystore {
    Keystore::open(software_config(folder)).expect("the software keystore opens")
}

fn software_config(folder: &Path) -> KeystoreConfig {
    KeystoreConfig {
        default_backend: BackendName::Software,
        software: Some(SoftwareConfig {
            directory: folder.to_owned(),
        }),
        pkcs11: None,
        queue: 256,
    }
}

/// The data key of every provider of the tests.
fn sealed() -> SealedBlobs {
    static KEY: LazyLock<SealedBlobs> = LazyLock::new(|| {
        let folder = Folder::new();
        SealedBlobs::open(&folder.path().join("data.key")).unwrap()
    });
    KEY.clone()
}

fn config() -> SigningConfig {
    SigningConfig {
        provider_name: "Nhà cung cấp Sông Lam".into(),
        pool_size: 0,
        ..SigningConfig::default()
    }
}

fn plan() -> Plan {
    let quick = KeyAlgorithm::P256;
    Plan {
        root: Root::Ours(quick),
        issuing: quick,
        ocsp: quick,
        timestamp: quick,
        seal: quick,
        ledger: quick,
    }
}

pub fn opening(number: u32, algorithm: KeyAlgorithm, plan_end_at: i64) -> Opening {
    let identity_number = format!("079200{number:06}");
    Opening {
        enrolment: format!("enr_{number}"),
        citizen: format!("ctz_{number}"),
        subject: SubjectName {
            country: "VN".into(),
            province: Some("Thành phố Hồ Chí Minh".into()),
            commune: Some("Phường Sài Gòn".into()),
            common_name: "Nguyễn Thị Hồng Ánh".into(),
            identity: Some(format!("CCCD:{identity_number}")),
            ..SubjectName::default()
        },
        identity_number,
        algorithm,
        plan_end_at,
        units: None,
        free_portals: Vec::new(),
    }
}

pub fn request(phone: &Phone, documents: Vec<NewDocument>) -> NewRequest {
    NewRequest {
        signer: Signer {
            identity_number: phone.credential.identity_number.clone(),
            serial: None,
        },
        documents,
        description: None,
        return_url: None,
        idempotency: None,
        expires_in_ms: None,
        on_screen: false,
    }
}

/// `count` SHA-256 digests that nobody else has.
pub fn digests(count: usize, salt: &str) -> Vec<NewDocument> {
    use kyso_pki::algorithm::{Digest, DigestAlgorithm};
    (0..count)
        .map(|at| NewDocument::Digest {
            name: format!("Tài liệu {at}"),
            digest: Digest::of(DigestAlgorithm::Sha256, format!("{salt} {at}").as_bytes()),
        })
        .collect()
}

pub fn chance() -> String {
    let mut bytes = [0; 16];
    kyso_store::Entropy::System.fill(&mut bytes);
    hex::encode(bytes)
}

/// A citizen's phone: the device key, and what the citizen knows.
pub struct Phone {
    pub credential: Credential,
    key: EcdsaKeyPair,
    pub device: DeviceKey,
    pub pin: String,
    session: Option<(String, Session)>,
    approval_key: ApprovalKey,
    clock: kyso_store::Clock,
}

impl Phone {
    pub fn new(office: &Office, credential: Credential) -> Phone {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        let device = DeviceKey {
            kind: DeviceKind::WebCrypto,
            spki: spki_of(point),
        };
        Phone {
            credential,
            key,
            device,
            pin: PIN.into(),
            session: None,
            approval_key: office.approval_key.clone(),
            clock: office.database.clock.clone(),
        }
    }

    pub fn session(&self) -> &Session {
        &self.session.as_ref().expect("the phone has a session").1
    }

    pub fn token(&self) -> &str {
        &self.session.as_ref().expect("the phone has a session").0
    }

    pub fn sign(&self, statement: &[u8]) -> DeviceSignature {
        let signature = self.key.sign(&SystemRandom::new(), statement).unwrap();
        DeviceSignature::WebCrypto {
            signature: signature.as_ref().to_vec(),
        }
    }

    pub async fn binding_intention(
        &self,
        office: &Office,
        purpose: Purpose,
        pin: &str,
        in_force: Option<(&Phone, &str)>,
    ) -> BindingIntention {
        let nonce = office.signing.devices.challenge().await.unwrap();
        let subject = match purpose {
            Purpose::Enrol => Subject::Enrolment(self.credential.enrolment.clone()),
            _ => Subject::Credential(self.credential.id.to_string()),
        };
        let now = self.clock.now();
        let statement = BindingStatement {
            subject,
            purpose,
            device_key: self.device.spki.clone(),
            nonce: nonce.clone(),
            issued_at: now,
            expires_at: now + 300_000,
        }
        .to_bytes();
        let key = &self.approval_key;
        let sealed_pin = match purpose {
            Purpose::Enrol => {
                let code = office
                    .signing
                    .credentials
                    .binding_code(&office.keys, &self.credential.id, &nonce)
                    .await
                    .unwrap();
                // A phone that is bound already has been sent none.
                let code = code.map_or("000000".into(), |code| code.as_str().to_owned());
                seal_pin_and_code(key, &statement, pin, &code)
            }
            _ => seal_pin(key, &statement, pin),
        };
        BindingIntention {
            device: self.device.clone(),
            signature: self.sign(&statement),
            sealed_pin: sealed_pin.unwrap(),
            consent: in_force.map(|(phone, pin)| Consent {
                signature: phone.sign(&statement),
                current_pin: seal_pin(key, &statement, pin).unwrap(),
            }),
            statement,
        }
    }

    pub async fn ask_to_bind(&self, office: &Office, pin: &str) -> kyso_signing::Result<Binding> {
        let intention = self
            .binding_intention(office, Purpose::Enrol, pin, None)
            .await;
        office
            .signing
            .credentials
            .request_binding(&self.credential.id, intention)
            .await
    }

    pub async fn open_session(&mut self, office: &Office, binding: &Binding) {
        let nonce = office.signing.devices.challenge().await.unwrap();
        let statement = SessionStatement {
            device: binding.device.to_string(),
            nonce,
            issued_at: self.clock.now(),
        }
        .to_bytes();
        let signature = self.sign(&statement);
        let opened = office
            .signing
            .devices
            .open_session(&statement, &self.device, &signature)
            .await
            .unwrap();
        self.session = Some((opened.token, opened.session));
    }

    /// The statement for what this phone was shown.
    pub fn statement(&self, view: &RequestView) -> ApprovalStatement {
        let now = self.clock.now();
        ApprovalStatement {
            request: view.id.to_string(),
            credential: view.credential.to_string(),
            portal: view.portal_word.clone(),
            documents: view
                .documents
                .iter()
                .map(|document| StatementDocument {
                    name: document.name.clone(),
                    document_digest: document.document_digest.value().to_vec(),
                    to_be_signed: document.to_be_signed.value().to_vec(),
                    digest_algorithm: document.to_be_signed.algorithm(),
                    preview: if document.previewed {
                        Preview::Previewed
                    } else {
                        Preview::Blind
                    },
                })
                .collect(),
            code: view.code.clone(),
            channel: Channel::SameDevice,
            nonce: view.nonce.clone(),
            issued_at: now,
            expires_at: now + 300_000,
        }
    }

    pub fn approve(&self, view: &RequestView) -> Approval {
        self.approve_with_pin(view, &self.pin)
    }

    pub fn approve_with_pin(&self, view: &RequestView, pin: &str) -> Approval {
        self.approve_statement(&self.statement(view), pin)
    }

    pub fn approve_statement(&self, statement: &ApprovalStatement, pin: &str) -> Approval {
        let statement = statement.to_bytes();
        Approval {
            signature: self.sign(&statement),
            sealed_pin: seal_pin(&self.approval_key, &statement, pin).unwrap(),
            statement,
        }
    }
}

/// SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480).
fn spki_of(point: &[u8]) -> Vec<u8> {
    let mut spki = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    spki.extend_from_slice(point);
    spki
}

/// A one-page PDF with this text as its title.
pub fn pdf(title: &str) -> Vec<u8> {
    let title: String = title.chars().filter(char::is_ascii_alphanumeric).collect();
    let content = format!("BT /F1 18 Tf 72 720 Td ({title}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
    }
    let start = pdf.len();
    pdf.extend_from_slice(
        format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes(),
    );
    for offset in offsets {
        pdf.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    let trailer = format!(
        "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n",
        objects.len() + 1
    );
    pdf.extend_from_slice(trailer.as_bytes());
    pdf
}

/// One SoftHSM token for the whole test process.
fn softhsm_token() -> Option<Pkcs11Config> {
    static TOKEN: std::sync::OnceLock<Option<(Pkcs11Config, Folder)>> = std::sync::OnceLock::new();
    TOKEN
        .get_or_init(make_softhsm_token)
        .as_ref()
        .map(|(config, _)| config.clone())
}

fn make_softhsm_token() -> Option<(Pkcs11Config, Folder)> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/pkcs11/libsofthsm2.so",
    ];
    let Some(module) = places.iter().map(PathBuf::from).find(|path| path.exists()) else {
        skip("softhsm");
        return None;
    };
    let folder = Folder::new();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = folder.path().join("softhsm2.conf");
    std::fs::write(
        &conf,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        ),
    )
    .unwrap();
    // SAFETY: called once, before the module is loaded; nothing else in this process reads this variable.
    unsafe { std::env::set_var("SOFTHSM2_CONF", &conf) };
    let status = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "kyso-signing",
            "--so-pin",
            "12345678",
            "--pin",
            "87654321",
        ])
        .env("SOFTHSM2_CONF", &conf)
        .output();
    match status {
        Ok(output) if output.status.success() => {}
        _ => {
            skip("softhsm2-util");
            return None;
        }
    }
    let pin_file = folder.path().join("pin");
    std::fs::write(&pin_file, "87654321").unwrap();
    std::fs::set_permissions(
        &pin_file,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let config = Pkcs11Config {
        module,
        token_label: "kyso-signing".into(),
        pin_file,
        sessions: 2,
        wrap_mechanism: WrapMechanism::AesKeyWrapPad,
    };
    prepare_token(config.clone());
    Some((config, folder))
}

/// Makes the token's internal keys. The keystore stays open for the life of the process, as the module's threads want.
fn prepare_token(token: Pkcs11Config) {
    let opened = std::thread::spawn(move || {
        let keys = Keystore::create(KeystoreConfig {
            default_backend: BackendName::Pkcs11,
            software: None,
            pkcs11: Some(token),
            queue: 16,
        })
        .expect("the token has its keys");
        std::mem::forget(keys);
    });
    opened.join().expect("the token is prepared");
}
