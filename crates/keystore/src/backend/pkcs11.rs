//! Keys in, or wrapped by, a PKCS#11 token (PKCS#11 v2.40 and 3.x, through `cryptoki`).
//!
//! ```text
//! token objects, one of each, made by `Keystore::create` and never by opening
//!   kyso.wrap.v1       AES-256, SENSITIVE, not EXTRACTABLE, WRAP and UNWRAP only
//!   kyso.row.v1        generic secret, HMAC-SHA256: authenticates rows
//!   kyso.pin.v1        generic secret, HMAC-SHA256: the PIN pepper
//!   kyso.approval.v1   P-256, DERIVE only: the key PINs are sealed to
//!   kyso.<role>.<label>  a key of the institution
//! citizens' keys
//!   made as session objects, wrapped (RFC 5649), destroyed; unwrapped as session objects for one use
//! ```
//!
//! Rules learnt from devices:
//! - One process loads a module once, initialises it with OS locking and never finalises it while threads live.
//! - SoftHSM 2.6.1 fails now and then when token objects are made from several sessions (fixed in 2.7.0): every creation
//!   and destruction of a token object is serialised here.
//! - RFC 5649 has two mechanism numbers and vendors take one each: [`WrapMechanism`].
//! - A wrong PIN is tried once. Three wrong PINs lock most tokens, so a refused PIN is not offered again until the PIN
//!   file changes.
//! - A session that is lost is reopened, after which every object handle is looked up again.
//!
//! # Known issues
//! Not every vendor takes CKA_UNWRAP_TEMPLATE; on one that does not, whoever holds the token's PIN could unwrap a
//! citizen's key into an extractable object. A warning is logged when the wrapping key is made without it.

use std::collections::HashMap;
use std::ffi::c_ulong;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as TokenError, RvError};
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};
use kyso_pki::public_key::PublicKey;
use zeroize::Zeroizing;

use crate::backend::threads::Opener;
use crate::backend::{BackendName, Fault, MacKey, Vault, files, random};
use crate::error::{Error, Result};
use crate::keystore::{Pkcs11Config, WrapMechanism};
use crate::row::WrappedKey;
use crate::service::{Role, ServiceKey};

/// How long a token that failed is left alone before it is asked again.
const RECONNECT_AFTER: Duration = Duration::from_millis(200);

const WRAP_LABEL: &str = "kyso.wrap.v1";
const ROW_LABEL: &str = "kyso.row.v1";
const PIN_LABEL: &str = "kyso.pin.v1";
const APPROVAL_LABEL: &str = "kyso.approval.v1";

/// PKCS#11 3.x, CKM_AES_KEY_WRAP_KWP.
const AES_KEY_WRAP_KWP: c_ulong = 0x210B;
/// CKA_UNWRAP_TEMPLATE = CKF_ARRAY_ATTRIBUTE | 0x212.
const UNWRAP_TEMPLATE: u64 = 0x4000_0212;
const CKA_SENSITIVE: u64 = 0x103;
const CKA_EXTRACTABLE: u64 = 0x162;

const P256_OID: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384_OID: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// A PKCS#11 token, shared by its threads.
pub(crate) struct Token {
    config: Pkcs11Config,
    trouble: Mutex<Trouble>,
    /// Counts what the token answered, in any session.
    answers: Arc<AtomicU64>,
}

/// What is known to be wrong, so that a dead token is not asked at every job.
#[derive(Default)]
struct Trouble {
    /// SHA-256 of the PIN the token refused.
    refused_pin: Option<[u8; 32]>,
    /// The last failure, repeated for a while without asking.
    quiet: Option<Quiet>,
}

struct Quiet {
    until: Instant,
    reason: String,
    /// What [`Token::answers`] stood at: an answer to another session since then ends the quiet.
    answers: u64,
}

/// One session and the handles found in it.
struct TokenVault {
    session: Session,
    wrap: ObjectHandle,
    row: ObjectHandle,
    pin: ObjectHandle,
    approval: ObjectHandle,
    approval_public_key: PublicKey,
    key_set: [u8; 8],
    wrap_mechanism: WrapMechanism,
    answers: Arc<AtomicU64>,
    services: HashMap<String, (ObjectHandle, ServiceKey)>,
    /// How many keys this process had destroyed when `services` was last sure.
    destroyed_seen: u64,
}

/// Counts destroyed service keys, so that no session goes on believing in one.
static DESTROYED: AtomicU64 = AtomicU64::new(0);

impl Token {
    /// Loads the module. The token itself is not asked before the first job: it may be away.
    ///
    /// # Errors
    /// [`Error::Setup`] if the module does not load: waiting would not help.
    pub(crate) fn new(config: Pkcs11Config) -> Result<Arc<Self>> {
        drop(modules(&config.module)?);
        Ok(Arc::new(Self {
            config,
            trouble: Mutex::default(),
            answers: Arc::default(),
        }))
    }

    /// Makes the internal keys that are missing: all of them in an empty token, the rest where an earlier call was
    /// killed. Whoever calls holds a lock that every machine shares; two at once would each make a set.
    pub(crate) fn make_internal_keys(&self) -> Result<()> {
        let session = self.log_in(&mut lock(&self.trouble))?;
        let _serialised = lock(token_objects());
        make_missing(&session).map_err(refused)
    }

    fn connect(&self, trouble: &mut Trouble) -> Result<TokenVault> {
        let session = self.log_in(trouble)?;
        open_vault(
            session,
            self.config.wrap_mechanism,
            Arc::clone(&self.answers),
        )
    }

    fn log_in(&self, trouble: &mut Trouble) -> Result<Session> {
        let pin = self.read_pin()?;
        let pin_digest: [u8; 32] = digest(&SHA256, pin.as_bytes())
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 octets");
        if trouble.refused_pin == Some(pin_digest) {
            return Err(unavailable(
                "the token refused the PIN in the PIN file; it is not offered again",
            ));
        }
        let module = load(&self.config.module)?;
        let slot = self.find_slot(&module)?;
        let session = module
            .open_rw_session(slot)
            .map_err(|error| unavailable(said(&error)))?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.to_string()))) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(TokenError::Pkcs11(error, _)) if is_pin_refusal(error) => {
                trouble.refused_pin = Some(pin_digest);
                tracing::error!(token = %self.config.token_label, %error, "the token refused its PIN; it is not tried again");
                return Err(unavailable(format!(
                    "the token refused the PIN in the PIN file: {error}"
                )));
            }
            Err(error) => return Err(unavailable(said(&error))),
        }
        trouble.refused_pin = None;
        Ok(session)
    }

    fn read_pin(&self) -> Result<Zeroizing<String>> {
        let path = &self.config.pin_file;
        let refuse = |reason: &str| Error::KeyFile {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        let bytes = files::read_secret(path)?.ok_or_else(|| refuse("there is no such file"))?;
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse("not text"))?;
        Ok(Zeroizing::new(
            text.trim_end_matches(['\n', '\r']).to_owned(),
        ))
    }

    fn find_slot(&self, module: &Pkcs11) -> Result<Slot> {
        let slots = module
            .get_slots_with_token()
            .map_err(|error| unavailable(said(&error)))?;
        let mut labelled = slots.into_iter().filter(|slot| {
            module
                .get_token_info(*slot)
                .is_ok_and(|info| info.label().trim_end() == self.config.token_label)
        });
        match (labelled.next(), labelled.next()) {
            (Some(slot), None) => Ok(slot),
            (None, _) => Err(unavailable(format!(
                "no token is labelled {}",
                self.config.token_label
            ))),
            (Some(_), Some(_)) => Err(unavailable(format!(
                "several tokens are labelled {}",
                self.config.token_label
            ))),
        }
    }
}

impl Opener for Token {
    #[expect(
        clippy::disallowed_methods,
        reason = "patience with a device decides nothing about a key"
    )]
    fn open(&self) -> Result<Box<dyn Vault>> {
        // One thread at a time: a login counts for the whole process, and a refused PIN must be offered once.
        let mut trouble = lock(&self.trouble);
        let answers = self.answers.load(Ordering::Relaxed);
        if let Some(quiet) = &trouble.quiet
            && quiet.answers == answers
            && Instant::now() < quiet.until
        {
            return Err(unavailable(quiet.reason.clone()));
        }
        trouble.quiet = None;
        match self.connect(&mut trouble) {
            Ok(vault) => Ok(Box::new(vault)),
            Err(error) => {
                let reason = match &error {
                    Error::Unavailable { reason, .. } => reason.clone(),
                    other => other.to_string(),
                };
                let until = Instant::now() + RECONNECT_AFTER;
                trouble.quiet = Some(Quiet {
                    until,
                    reason,
                    answers,
                });
                Err(error)
            }
        }
    }
}

impl Vault for TokenVault {
    fn key_set(&self) -> [u8; 8] {
        self.key_set
    }

    fn approval_public_key(&self) -> Result<PublicKey> {
        Ok(self.approval_public_key.clone())
    }

    fn agree(&mut self, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, Fault> {
        let parameters = Ecdh1DeriveParams::new(EcKdf::null(), peer);
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::Token(false),
            Attribute::Sensitive(false),
            Attribute::Extractable(true),
            Attribute::ValueLen(32.into()),
        ];
        let derived = self
            .session
            .derive_key(
                &Mechanism::Ecdh1Derive(parameters),
                self.approval,
                &template,
            )
            // A point off the curve is the caller's fault, in whichever of these words the device says it.
            .map_err(|error| match error {
                TokenError::Pkcs11(
                    RvError::MechanismParamInvalid
                    | RvError::ArgumentsBad
                    | RvError::DomainParamsInvalid
                    | RvError::PublicKeyInvalid,
                    _,
                ) => Fault::Refused(Error::PinUnreadable),
                other => fault(&other),
            })?;
        let value = self.attributes(derived, &[AttributeType::Value]);
        self.session
            .destroy_object(derived)
            .map_err(|error| fault(&error))?;
        let value = value?.into_iter().find_map(|attribute| match attribute {
            Attribute::Value(value) => Some(Zeroizing::new(value)),
            _ => None,
        });
        let value = value.ok_or_else(|| unavailable("the token gave no shared secret"))?;
        let value: [u8; 32] = value
            .as_slice()
            .try_into()
            .map_err(|_| unavailable("the token gave a shared secret of another length"))?;
        Ok(Zeroizing::new(value))
    }

    fn authenticate(&mut self, key: MacKey, message: &[u8]) -> Result<[u8; 32], Fault> {
        let key = match key {
            MacKey::Row => self.row,
            MacKey::Pin => self.pin,
        };
        let mac = self
            .session
            .sign(&Mechanism::Sha256Hmac, key, message)
            .map_err(|error| fault(&error))?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(mac
            .try_into()
            .map_err(|_| unavailable("the token gave a MAC of another length"))?)
    }

    fn generate(&mut self, algorithm: KeyAlgorithm) -> Result<WrappedKey, Fault> {
        // EXTRACTABLE so that it can be wrapped; SENSITIVE so that it cannot be read. It lives until the end of this call.
        let private_template = [
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Sign(true),
        ];
        let (public, private) =
            self.generate_pair(algorithm, &[Attribute::Token(false)], &private_template)?;
        let public_key = self.public_key(algorithm, public);
        let wrapped =
            self.session
                .wrap_key(&wrap_mechanism(self.wrap_mechanism), self.wrap, private);
        self.session
            .destroy_object(private)
            .map_err(|error| fault(&error))?;
        self.session
            .destroy_object(public)
            .map_err(|error| fault(&error))?;
        Ok(WrappedKey {
            backend: BackendName::Pkcs11,
            algorithm,
            key_set: self.key_set,
            public_key: public_key?,
            wrapped: wrapped.map_err(|error| fault(&error))?,
        })
    }

    fn sign_wrapped(
        &mut self,
        key: &WrappedKey,
        algorithm: SignatureAlgorithm,
        digests: &[Digest],
    ) -> Result<Vec<Vec<u8>>, Fault> {
        let private = self
            .session
            .unwrap_key(
                &wrap_mechanism(self.wrap_mechanism),
                self.wrap,
                &key.wrapped,
                &unwrapped_template(key.algorithm),
            )
            .map_err(|error| fault(&error))?;
        let signatures: Result<Vec<_>, Fault> = digests
            .iter()
            .map(|digest| self.sign(private, algorithm, digest))
            .collect();
        // Destroyed whether or not signing went well; if even that fails the session goes, and with it the object.
        self.session
            .destroy_object(private)
            .map_err(|error| fault(&error))?;
        signatures
    }

    fn create_service(
        &mut self,
        role: Role,
        label: &str,
        algorithm: KeyAlgorithm,
    ) -> Result<ServiceKey, Fault> {
        let _serialised = lock(token_objects());
        if self.find_service(label)?.is_some() {
            return Err(Error::LabelTaken {
                label: label.to_owned(),
            }
            .into());
        }
        let id: [u8; 16] = random()?;
        let object_label = service_label(role, label);
        let common = [
            Attribute::Token(true),
            Attribute::Label(object_label.into()),
            Attribute::Id(id.to_vec()),
        ];
        let private_template = [
            &common[..],
            &[
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
            ],
        ]
        .concat();
        self.generate_pair(algorithm, &common, &private_template)?;
        self.find_service(label)?
            .ok_or_else(|| unavailable("the token lost the key it made").into())
    }

    fn find_service(&mut self, label: &str) -> Result<Option<ServiceKey>, Fault> {
        let destroyed = DESTROYED.load(Ordering::Acquire);
        if destroyed != self.destroyed_seen {
            self.services.clear();
            self.destroyed_seen = destroyed;
        }
        if let Some((_, key)) = self.services.get(label) {
            return Ok(Some(key.clone()));
        }
        for role in Role::ALL {
            let object_label = service_label(role, label);
            let Some(private) = self.find_one(ObjectClass::PRIVATE_KEY, &object_label)? else {
                continue;
            };
            let public = self
                .find_one(ObjectClass::PUBLIC_KEY, &object_label)?
                .ok_or_else(|| Error::Setup {
                    reason: format!("{object_label} has no public key object"),
                })?;
            let (algorithm, public_key) = self.describe(public)?;
            let key = ServiceKey {
                role,
                label: label.to_owned(),
                algorithm,
                backend: BackendName::Pkcs11,
                public_key,
            };
            self.services
                .insert(label.to_owned(), (private, key.clone()));
            return Ok(Some(key));
        }
        check_logged_in(&self.session)?;
        Ok(None)
    }

    fn sign_service(
        &mut self,
        key: &ServiceKey,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
    ) -> Result<Vec<u8>, Fault> {
        self.find_service(&key.label)?;
        match self.services.get(&key.label) {
            Some((private, found)) if found == key => self.sign(*private, algorithm, digest),
            _ => Err(Error::NoSuchService {
                label: key.label.clone(),
            }
            .into()),
        }
    }

    fn destroy_service(&mut self, key: &ServiceKey) -> Result<(), Fault> {
        let _serialised = lock(token_objects());
        self.services.remove(&key.label);
        let object_label = service_label(key.role, &key.label);
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if let Some(object) = self.find_one(class, &object_label)? {
                self.session
                    .destroy_object(object)
                    .map_err(|error| fault(&error))?;
            }
        }
        DESTROYED.fetch_add(1, Ordering::Release);
        Ok(())
    }

    fn probe(&mut self) -> Result<(), Fault> {
        self.authenticate(MacKey::Row, b"kyso.probe").map(|_| ())
    }
}

impl TokenVault {
    fn sign(
        &self,
        key: ObjectHandle,
        algorithm: SignatureAlgorithm,
        digest: &Digest,
    ) -> Result<Vec<u8>, Fault> {
        let (mechanism, input) = if algorithm.is_ecdsa() {
            (Mechanism::Ecdsa, digest.value().to_vec())
        } else if algorithm.is_pss() {
            (
                Mechanism::RsaPkcsPss(pss_parameters(digest.algorithm())),
                digest.value().to_vec(),
            )
        } else {
            (
                Mechanism::RsaPkcs,
                [digest_info_prefix(digest.algorithm()), digest.value()].concat(),
            )
        };
        let signature = self
            .session
            .sign(&mechanism, key, &input)
            .map_err(|error| fault(&error))?;
        self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(if algorithm.is_ecdsa() {
            ecdsa_der(&signature)
        } else {
            signature
        })
    }

    fn generate_pair(
        &self,
        algorithm: KeyAlgorithm,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<(ObjectHandle, ObjectHandle), Fault> {
        generate_pair(
            &self.session,
            algorithm,
            Attribute::Verify(true),
            public,
            private,
        )
        .map_err(|error| fault(&error))
    }

    fn find_one(&self, class: ObjectClass, label: &str) -> Result<Option<ObjectHandle>, Fault> {
        find_one(&self.session, class, label)
    }

    fn public_key(
        &self,
        algorithm: KeyAlgorithm,
        object: ObjectHandle,
    ) -> Result<PublicKey, Fault> {
        public_key(&self.session, algorithm, object)
    }

    fn attributes(
        &self,
        object: ObjectHandle,
        wanted: &[AttributeType],
    ) -> Result<Vec<Attribute>, Fault> {
        self.session
            .get_attributes(object, wanted)
            .map_err(|error| fault(&error))
    }

    /// The algorithm and value of a public key object.
    fn describe(&self, object: ObjectHandle) -> Result<(KeyAlgorithm, PublicKey), Fault> {
        let attributes = self.attributes(object, &[AttributeType::KeyType])?;
        let is_rsa = attributes
            .iter()
            .any(|attribute| matches!(attribute, Attribute::KeyType(KeyType::RSA)));
        let algorithm = if is_rsa {
            KeyAlgorithm::Rsa2048
        } else {
            let curve = self.attributes(object, &[AttributeType::EcParams])?;
            match curve
                .iter()
                .any(|attribute| matches!(attribute, Attribute::EcParams(oid) if oid == P384_OID))
            {
                true => KeyAlgorithm::P384,
                false => KeyAlgorithm::P256,
            }
        };
        let key = self.public_key(algorithm, object)?;
        Ok((key.algorithm(), key))
    }
}

/// The internal keys, by class and label.
const INTERNAL: [(ObjectClass, &str); 5] = [
    (ObjectClass::SECRET_KEY, WRAP_LABEL),
    (ObjectClass::SECRET_KEY, ROW_LABEL),
    (ObjectClass::SECRET_KEY, PIN_LABEL),
    (ObjectClass::PRIVATE_KEY, APPROVAL_LABEL),
    (ObjectClass::PUBLIC_KEY, APPROVAL_LABEL),
];

/// Each of [`INTERNAL`] that the token holds.
fn find_internal(session: &Session) -> Result<[Option<ObjectHandle>; 5], Fault> {
    let mut found = [None; 5];
    for (handle, (class, label)) in found.iter_mut().zip(INTERNAL) {
        *handle = find_one(session, class, label)?;
    }
    Ok(found)
}

/// Finds the internal keys.
fn open_vault(
    session: Session,
    wrap_mechanism: WrapMechanism,
    answers: Arc<AtomicU64>,
) -> Result<TokenVault> {
    let found = find_internal(&session).map_err(refused)?;
    let [
        Some(wrap),
        Some(row),
        Some(pin),
        Some(approval),
        Some(approval_public),
    ] = found
    else {
        check_logged_in(&session).map_err(refused)?;
        return Err(incomplete(&found));
    };
    let approval_public_key =
        public_key(&session, KeyAlgorithm::P256, approval_public).map_err(refused)?;
    let key_set = key_set_of(&session, wrap).map_err(refused)?;
    let services = HashMap::new();
    Ok(TokenVault {
        session,
        wrap,
        row,
        pin,
        approval,
        approval_public_key,
        key_set,
        wrap_mechanism,
        answers,
        services,
        destroyed_seen: DESTROYED.load(Ordering::Acquire),
    })
}

/// What is wrong with a token that lacks internal keys, and what to do.
fn incomplete(found: &[Option<ObjectHandle>; 5]) -> Error {
    let mut missing: Vec<&str> = found
        .iter()
        .zip(INTERNAL)
        .filter_map(|(handle, (_, label))| handle.is_none().then_some(label))
        .collect();
    missing.dedup();
    let reason = if found.iter().all(Option::is_none) {
        "the token holds none of the keystore's internal keys; `kyso init` makes them in a new installation".to_owned()
    } else {
        format!(
            "the token holds only a part of the keystore's internal keys, not {}; if `kyso init` was interrupted run it \
             again, else put the token back from its backup",
            missing.join(", ")
        )
    };
    Error::Setup { reason }
}

/// Makes each internal key that the token lacks, all under one id. Nothing is destroyed but a half of the approval
/// pair, without which no PIN was ever sealed to the other.
fn make_missing(session: &Session) -> Result<(), Fault> {
    let found = find_internal(session)?;
    check_logged_in(session)?;
    let [wrap, row, pin, approval, approval_public] = found;
    let id = match wrap.or(row).or(pin) {
        Some(object) => key_set_of(session, object)?,
        None => random()?,
    };
    let made = |outcome: cryptoki::error::Result<_>| outcome.map_err(|error| fault(&error));
    let secret = |label: &str| {
        vec![
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::ValueLen(32.into()),
            Attribute::Label(label.into()),
            Attribute::Id(id.to_vec()),
        ]
    };
    if wrap.is_none() {
        made(make_wrapping_key(session, secret(WRAP_LABEL)))?;
    }
    for (present, label) in [(row, ROW_LABEL), (pin, PIN_LABEL)] {
        if present.is_none() {
            let template = [
                &secret(label)[..],
                &[
                    Attribute::KeyType(KeyType::GENERIC_SECRET),
                    Attribute::Sign(true),
                ],
            ]
            .concat();
            made(session.generate_key(&Mechanism::GenericSecretKeyGen, &template))?;
        }
    }
    if approval.is_none() || approval_public.is_none() {
        for half in [approval, approval_public].into_iter().flatten() {
            session
                .destroy_object(half)
                .map_err(|error| fault(&error))?;
        }
        make_approval_pair(session, id).map_err(|error| fault(&error))?;
    }
    Ok(())
}

fn make_approval_pair(session: &Session, id: [u8; 8]) -> cryptoki::error::Result<()> {
    let common = [
        Attribute::Token(true),
        Attribute::Label(APPROVAL_LABEL.into()),
        Attribute::Id(id.to_vec()),
    ];
    let private = [
        &common[..],
        &[
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(false),
            Attribute::Derive(true),
        ],
    ]
    .concat();
    let derive = Attribute::Derive(true);
    generate_pair(session, KeyAlgorithm::P256, derive, &common, &private).map(drop)
}

/// The id that every internal key bears.
fn key_set_of(session: &Session, object: ObjectHandle) -> Result<[u8; 8], Fault> {
    let id = session
        .get_attributes(object, &[AttributeType::Id])
        .map_err(|error| fault(&error))?;
    let ours = id.into_iter().find_map(|attribute| match attribute {
        Attribute::Id(id) => id.try_into().ok(),
        _ => None,
    });
    Ok(ours.ok_or_else(|| Error::Setup {
        reason: "an internal key of the token has no id of ours".to_owned(),
    })?)
}

/// WRAP and UNWRAP but neither ENCRYPT nor DECRYPT, which would undo a wrapping block by block; and, where the device
/// takes it, an unwrap template, so that not even the token's user can unwrap a key into a readable one.
fn make_wrapping_key(
    session: &Session,
    common: Vec<Attribute>,
) -> cryptoki::error::Result<ObjectHandle> {
    let plain = [
        &common[..],
        &[
            Attribute::Wrap(true),
            Attribute::Unwrap(true),
            Attribute::Encrypt(false),
            Attribute::Decrypt(false),
        ],
    ]
    .concat();
    let (yes, no) = (1u8, 0u8);
    // An array of CK_ATTRIBUTE { type, pValue, ulValueLen }, which the device copies before the call returns.
    let template: Vec<u8> = [(CKA_SENSITIVE, &yes), (CKA_EXTRACTABLE, &no)]
        .into_iter()
        .flat_map(|(kind, value)| [kind as usize, std::ptr::from_ref(value) as usize, 1])
        .flat_map(usize::to_ne_bytes)
        .collect();
    let guarded = [
        &plain[..],
        &[Attribute::VendorDefined((
            AttributeType::VendorDefined(UNWRAP_TEMPLATE),
            template,
        ))],
    ]
    .concat();
    match session.generate_key(&Mechanism::AesKeyGen, &guarded) {
        Err(TokenError::Pkcs11(
            error @ (RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateInconsistent),
            _,
        )) => {
            tracing::warn!(%error, "the token takes no unwrap template; its PIN alone guards citizens' wrapped keys");
            session.generate_key(&Mechanism::AesKeyGen, &plain)
        }
        made => made,
    }
}

fn generate_pair(
    session: &Session,
    algorithm: KeyAlgorithm,
    public_use: Attribute,
    public: &[Attribute],
    private: &[Attribute],
) -> cryptoki::error::Result<(ObjectHandle, ObjectHandle)> {
    let curve = match algorithm {
        KeyAlgorithm::P256 => Some(P256_OID),
        KeyAlgorithm::P384 => Some(P384_OID),
        _ => None,
    };
    let (mechanism, size) = match curve {
        Some(oid) => (
            Mechanism::EccKeyPairGen,
            vec![Attribute::EcParams(oid.to_vec())],
        ),
        None => (
            Mechanism::RsaPkcsKeyPairGen,
            vec![
                Attribute::ModulusBits((algorithm.bits() as u64).into()),
                Attribute::PublicExponent(vec![0x01, 0x00, 0x01]),
            ],
        ),
    };
    let public = [public, &size, &[Attribute::Private(false), public_use]].concat();
    session.generate_key_pair(&mechanism, &public, private)
}

/// What an unwrapped citizen's key may do: sign, in this session, and nothing else.
fn unwrapped_template(algorithm: KeyAlgorithm) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(if algorithm.is_rsa() {
            KeyType::RSA
        } else {
            KeyType::EC
        }),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
    ]
}

/// Private objects are invisible to a session that is logged out, which is no proof that there are none.
fn check_logged_in(session: &Session) -> Result<(), Fault> {
    let info = session.get_session_info().map_err(|error| fault(&error))?;
    match info.session_state() {
        SessionState::RwUser => Ok(()),
        other => Err(Fault::Lost(format!("the session is in state {other:?}"))),
    }
}

/// The only object of that class and label; several are a setup somebody must look at.
fn find_one(
    session: &Session,
    class: ObjectClass,
    label: &str,
) -> Result<Option<ObjectHandle>, Fault> {
    let template = [
        Attribute::Class(class),
        Attribute::Label(label.into()),
        Attribute::Token(true),
    ];
    let found = session
        .find_objects(&template)
        .map_err(|error| fault(&error))?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => Err(Error::Setup {
            reason: format!("the token holds several objects labelled {label}"),
        }
        .into()),
    }
}

fn public_key(
    session: &Session,
    algorithm: KeyAlgorithm,
    object: ObjectHandle,
) -> Result<PublicKey, Fault> {
    let wanted = if algorithm.is_rsa() {
        &[AttributeType::Modulus, AttributeType::PublicExponent][..]
    } else {
        &[AttributeType::EcPoint][..]
    };
    let attributes = session
        .get_attributes(object, wanted)
        .map_err(|error| fault(&error))?;
    let key = match attributes.as_slice() {
        [
            Attribute::Modulus(modulus),
            Attribute::PublicExponent(exponent),
        ] => PublicKey::from_rsa(modulus, exponent),
        [Attribute::EcPoint(point)] => {
            PublicKey::from_point(algorithm, bare_point(algorithm, point))
        }
        _ => return Err(unavailable("the token gave no public key").into()),
    };
    Ok(key.map_err(|_| unavailable("the token gave a public key that is none"))?)
}

/// CKA_EC_POINT is a DER OCTET STRING; some devices give the point bare.
fn bare_point(algorithm: KeyAlgorithm, point: &[u8]) -> &[u8] {
    let bytes = 1 + 2 * algorithm.bits() / 8;
    match point {
        [0x04, length, bare @ ..] if usize::from(*length) == bytes && bare.len() == bytes => bare,
        bare => bare,
    }
}

fn wrap_mechanism(configured: WrapMechanism) -> Mechanism<'static> {
    let number = match configured {
        WrapMechanism::AesKeyWrapPad => return Mechanism::AesKeyWrapPad,
        WrapMechanism::AesKeyWrapKwp => AES_KEY_WRAP_KWP,
        WrapMechanism::Vendor(number) => number as c_ulong,
    };
    // SAFETY: `MechanismType` is `#[repr(transparent)]` over CK_MECHANISM_TYPE, an unsigned long, of which every value
    // is valid. Its own constructor refuses numbers below CKM_VENDOR_DEFINED, and 0x210B is one.
    let kind = unsafe { std::mem::transmute::<c_ulong, MechanismType>(number) };
    Mechanism::VendorDefined(VendorDefinedMechanism::new::<()>(kind, None))
}

fn pss_parameters(algorithm: DigestAlgorithm) -> PkcsPssParams {
    let (hash_alg, mgf) = match algorithm {
        DigestAlgorithm::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        DigestAlgorithm::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        DigestAlgorithm::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
    };
    PkcsPssParams {
        hash_alg,
        mgf,
        s_len: (algorithm.octets() as u64).into(),
    }
}

/// DER of DigestInfo up to the digest, RFC 8017 §9.2 note 1.
fn digest_info_prefix(algorithm: DigestAlgorithm) -> &'static [u8] {
    match algorithm {
        DigestAlgorithm::Sha256 => &[
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0x00, 0x04, 0x20,
        ],
        DigestAlgorithm::Sha384 => &[
            0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x02, 0x05, 0x00, 0x04, 0x30,
        ],
        DigestAlgorithm::Sha512 => &[
            0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x03, 0x05, 0x00, 0x04, 0x40,
        ],
    }
}

/// r ‖ s, as PKCS#11 gives it, as ECDSA-Sig-Value (RFC 3279 §2.2.3).
fn ecdsa_der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let integer = |value: &[u8]| {
        let start = value
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(value.len().saturating_sub(1));
        let digits = &value[start..];
        let sign: &[u8] = if digits.first().is_some_and(|byte| byte & 0x80 != 0) {
            &[0]
        } else {
            &[]
        };
        [&[0x02, (sign.len() + digits.len()) as u8], sign, digits].concat()
    };
    let content = [integer(r), integer(s)].concat();
    // P-384 gives at most 102 octets: the length always fits one octet.
    [&[0x30, content.len() as u8][..], &content].concat()
}

fn service_label(role: Role, label: &str) -> String {
    format!("kyso.{role}.{label}")
}

/// The modules of this process, by path, with `path` among them; each is loaded once.
fn modules(path: &PathBuf) -> Result<MutexGuard<'static, HashMap<PathBuf, Module>>> {
    static MODULES: OnceLock<Mutex<HashMap<PathBuf, Module>>> = OnceLock::new();
    let mut modules = lock(MODULES.get_or_init(Mutex::default));
    if !modules.contains_key(path) {
        let context = Pkcs11::new(path).map_err(|_| Error::Setup {
            reason: format!(
                "the PKCS#11 module {} is missing or does not load",
                path.display()
            ),
        })?;
        let is_initialised = false;
        modules.insert(
            path.clone(),
            Module {
                context,
                is_initialised,
            },
        );
    }
    Ok(modules)
}

/// A loaded library.
struct Module {
    context: Pkcs11,
    is_initialised: bool,
}

/// The module, loaded and initialised once per process and never finalised.
fn load(path: &PathBuf) -> Result<Pkcs11> {
    let mut modules = modules(path)?;
    let module = modules.get_mut(path).expect("it has just been loaded");
    if !module.is_initialised {
        let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match module.context.initialize(locking) {
            Ok(()) | Err(TokenError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(unavailable(said(&error))),
        }
        module.is_initialised = true;
    }
    Ok(module.context.clone())
}

/// Held while a token object is made or destroyed, in this whole process.
fn token_objects() -> &'static Mutex<()> {
    static TOKEN_OBJECTS: Mutex<()> = Mutex::new(());
    &TOKEN_OBJECTS
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_pin_refusal(error: RvError) -> bool {
    matches!(
        error,
        RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired
            | RvError::PinLocked
            | RvError::UserPinNotInitialized
    )
}

/// Sorts a device's complaint: the session or device is gone and worth reopening, or asking again would not help.
fn fault(error: &TokenError) -> Fault {
    let reason = said(error);
    match error {
        TokenError::Pkcs11(
            RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceError
            | RvError::DeviceMemory
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::WrappingKeyHandleInvalid
            | RvError::UnwrappingKeyHandleInvalid
            | RvError::OperationActive
            | RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::FunctionCanceled
            | RvError::VendorDefined(_),
            _,
        ) => Fault::Lost(reason),
        _ => Fault::Refused(unavailable(reason)),
    }
}

/// What the device said: function and return value, never data.
fn said(error: &TokenError) -> String {
    match error {
        TokenError::Pkcs11(code, function) => format!("{function} answered {code:?}"),
        other => other.to_string(),
    }
}

/// A fault outside a job, where nobody reopens.
fn refused(fault: Fault) -> Error {
    match fault {
        Fault::Lost(reason) => unavailable(reason),
        Fault::Refused(error) => error,
    }
}

fn unavailable(reason: impl Into<String>) -> Error {
    Error::Unavailable {
        backend: BackendName::Pkcs11,
        reason: reason.into(),
    }
}
