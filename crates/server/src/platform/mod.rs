//! The wiring: opens the store and the keystore, and stands each crate on its neighbours. No framework, no globals.
//!
//! The web role has no [`Keystore`] value at all: [`Platform::keys`] is `None`, so nothing it serves can sign. What
//! the web must know of the keystore, the public approval keys, the worker writes into settings, signed: the web may forward
//! them and nothing else.

pub mod table;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kyso_authority::{Authority, AuthorityConfig};
use kyso_keystore::{
    ApprovalKey, BackendName, Keystore, KeystoreConfig, Pkcs11Config, SoftwareConfig, WrapMechanism,
};
use kyso_registration::{Budget, Registration, RegistrationConfig};
use kyso_signing::{Signing, SigningConfig};
use kyso_store::ledger::NoteKey;
use kyso_store::{Clock, Options, SealedBlobs, Store};
use serde_json::{Value, json};

use crate::config::{Loaded, Role};

/// Name of the setting that holds the signed approval key for new credentials; with `-` and a backend, that of the backend.
const APPROVAL_KEY: &str = "approval-key";
/// Type of the institution's statement about an approval key.
const APPROVAL_KEY_STATEMENT: &str = "kyso.approval-key.v1";
/// Name of the setting that holds what the ledger's checkpoints are called: it outlives a change of the public URL.
const LEDGER_ORIGIN: &str = "ledger-origin";
/// Name of the setting that tells the installation's data key from another.
const DATA_KEY_FINGERPRINT: &str = "data-key-fingerprint";
/// Signature type of our ledger notes: ECDSA P-256 with SHA-256 (C2SP signed-note leaves 0xff to applications).
const NOTE_ALGORITHM: &[u8] = b"\xffkyso-ecdsa-p256-sha256";

/// Everything that serves: one value a process.
#[derive(Clone)]
pub struct Platform {
    /// Rows.
    pub store: Store,
    /// What we sign as an institution.
    pub authority: Authority,
    /// From "please sign" to "signed".
    pub signing: Signing,
    /// From "who are you" to "you have a credential".
    pub registration: Registration,
    /// Private keys; `None` in the web role.
    pub keys: Option<Keystore>,
    /// Fingerprint of the data key.
    data_key: [u8; 32],
    /// The configuration it was made from.
    pub loaded: Loaded,
}

/// An approval key and the institution's signature on it.
#[derive(Debug, Clone)]
pub struct SignedApprovalKey {
    /// Names the key.
    pub key_id: String,
    /// SubjectPublicKeyInfo of a P-256 key, base64url.
    pub public_key: String,
    /// Both of them in a compact JWS by the institution's seal.
    pub jws: String,
}

impl SignedApprovalKey {
    /// Reads a key out of its JWS, whose signature is for the phone to check.
    fn read(jws: Vec<u8>) -> Option<Self> {
        let jws = String::from_utf8(jws).ok()?;
        let payload = URL_SAFE_NO_PAD.decode(jws.split('.').nth(1)?).ok()?;
        let payload: Value = serde_json::from_slice(&payload).ok()?;
        Some(Self {
            key_id: payload["key_id"].as_str()?.to_owned(),
            public_key: payload["public_key"].as_str()?.to_owned(),
            jws,
        })
    }
}

fn approval_key_of(backend: BackendName) -> String {
    format!("{APPROVAL_KEY}-{backend}")
}

/// Why the platform could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] kyso_store::Error),
    /// The keystore refused.
    #[error(transparent)]
    Keystore(#[from] kyso_keystore::Error),
    /// A value of the configuration cannot be used.
    #[error("{section}.{key} is `{value}`: {message}")]
    Value {
        /// Section.
        section: &'static str,
        /// Key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        message: String,
    },
    /// The ledger key is not there yet.
    #[error(transparent)]
    Authority(#[from] kyso_authority::Error),
    /// The registration's preparation failed.
    #[error(transparent)]
    Registration(#[from] kyso_registration::Error),
    /// A key that the installation had, or never got.
    #[error(
        "{what} is missing at {path}: put it back from the backup, or run `kyso init` for a new installation"
    )]
    Missing {
        /// What.
        what: &'static str,
        /// Where it should be.
        path: std::path::PathBuf,
    },
    /// The data key is of another installation.
    #[error(
        "{path} is not the data key that this installation was made with: put the right one back from the backup"
    )]
    OtherDataKey {
        /// Where it is.
        path: std::path::PathBuf,
    },
    /// No worker has started on this database since its ceremony.
    #[error(
        "no worker has published the approval key yet; hold a ceremony, start one with role worker or all"
    )]
    NoApprovalKey,
}

impl Platform {
    /// Opens everything for the role of the configuration; does not migrate.
    pub async fn open(loaded: &Loaded) -> Result<Self, Error> {
        Self::open_at(loaded, Clock::of_process()).await
    }

    /// As [`Platform::open`], with another clock (tests).
    pub async fn open_at(loaded: &Loaded, clock: Clock) -> Result<Self, Error> {
        let store = open_store(loaded, clock).await?;
        let keys = match loaded.config.server.role {
            Role::Web => None,
            Role::All | Role::Worker | Role::Status => Some(open_keystore(loaded)?),
        };
        Self::wire(loaded, store, keys)
    }

    /// Stands the crates on an open store and keystore.
    pub fn wire(loaded: &Loaded, store: Store, keys: Option<Keystore>) -> Result<Self, Error> {
        let data_key = loaded.path(&loaded.config.database.data_key_file);
        if !data_key.exists() {
            return Err(Error::Missing {
                what: "the data key",
                path: data_key,
            });
        }
        let sealed = SealedBlobs::open(&data_key)?;
        let data_key = sealed.fingerprint();
        let authority = Authority::new(store.clone(), authority_config(loaded));
        let signing = Signing::new(
            store.clone(),
            authority.clone(),
            sealed.clone(),
            signing_config(loaded),
        );
        let registration = Registration::new(
            store.clone(),
            signing.clone(),
            authority.clone(),
            sealed,
            registration_config(loaded)?,
        );
        Ok(Self {
            store,
            authority,
            signing,
            registration,
            keys,
            data_key,
            loaded: loaded.clone(),
        })
    }

    /// Brings the schema up to this binary and puts what a new database needs into it. Returns migrations applied.
    pub async fn prepare(&self) -> Result<u64, Error> {
        let applied = self.store.migrate(kyso_store::MIGRATIONS).await?;
        // Another machine may be at it at this moment; then it is done when we hear of it, and found so the second time.
        if self.registration.prepare().await.is_err() {
            self.registration.prepare().await?;
        }
        self.keep(DATA_KEY_FINGERPRINT, &self.data_key).await?;
        Ok(applied)
    }

    /// Refuses a data key with which the rows of this installation cannot be opened.
    pub async fn check_data_key(&self) -> Result<(), Error> {
        match self.setting(DATA_KEY_FINGERPRINT).await? {
            Some(kept) if kept != self.data_key => Err(Error::OtherDataKey {
                path: self.loaded.path(&self.loaded.config.database.data_key_file),
            }),
            _ => Ok(()),
        }
    }

    /// Signs the public approval key of every backend by the institution's seal, for the web role to forward. The worker's, at
    /// start and every hour. A backend that is away keeps what was published; its error is told when the others are done.
    pub async fn publish_approval_keys(&self, keys: &Keystore) -> Result<(), Error> {
        let backends = keys.backends();
        let mut outcome = Ok(());
        for backend in &backends {
            let jws = match keys.approval_public_key_of(*backend).await {
                Ok(key) => self.sign_approval_key(keys, *backend, &key).await?,
                Err(error) => {
                    outcome = Err(error.into());
                    continue;
                }
            };
            self.set(&approval_key_of(*backend), &jws).await?;
            if backends.first() == Some(backend) {
                self.set(APPROVAL_KEY, &jws).await?;
            }
        }
        outcome
    }

    /// The public key that phones seal PINs to, as the institution signed it: of the backend that holds the credential's key, or
    /// of the one that makes new keys.
    pub async fn approval_key(
        &self,
        backend: Option<BackendName>,
    ) -> Result<SignedApprovalKey, Error> {
        let name = backend.map_or_else(|| APPROVAL_KEY.to_owned(), approval_key_of);
        let jws = self.setting(&name).await?;
        jws.and_then(SignedApprovalKey::read)
            .ok_or(Error::NoApprovalKey)
    }

    async fn sign_approval_key(
        &self,
        keys: &Keystore,
        backend: BackendName,
        key: &ApprovalKey,
    ) -> Result<String, Error> {
        let payload = json!({
            "type": APPROVAL_KEY_STATEMENT,
            "key_id": key.key_id,
            "public_key": URL_SAFE_NO_PAD.encode(&key.spki),
            "backend": backend.as_str(),
            "issued_at": self.store.now(),
        });
        let authority = &self.authority;
        Ok(authority
            .sign_statement(keys, APPROVAL_KEY_STATEMENT, &payload)
            .await?)
    }

    /// The name in our public address, without scheme and port.
    pub fn domain(&self) -> &str {
        let url = &self.loaded.config.server.public_url;
        let host = url.split("://").nth(1).unwrap_or(url);
        host.split([':', '/']).next().unwrap_or(host)
    }

    /// Whether the database answers.
    pub async fn reaches_database(&self) -> bool {
        self.store
            .optional(table::SETTING, &[APPROVAL_KEY.into()])
            .await
            .is_ok()
    }

    /// The key that ledger checkpoints are signed with, as their notes name it.
    pub async fn note_key(&self) -> Result<NoteKey, Error> {
        let service = self.authority.ledger_key().await?;
        let name = match self.setting(LEDGER_ORIGIN).await? {
            Some(kept) => String::from_utf8_lossy(&kept).into_owned(),
            None => self.origin(),
        };
        Ok(NoteKey {
            name,
            algorithm: NOTE_ALGORITHM.to_vec(),
            public_key: service.public_key.as_der().to_vec(),
        })
    }

    /// Keeps the name of the checkpoints (C2SP tlog-checkpoint: the origin) for as long as the ledger lives. The
    /// ceremony's, and the worker's before its first seal.
    pub async fn keep_origin(&self) -> Result<(), Error> {
        self.keep(LEDGER_ORIGIN, self.origin().as_bytes()).await
    }

    /// What checkpoints would be called if the ledger began now.
    fn origin(&self) -> String {
        let url = &self.loaded.config.server.public_url;
        let host = url.split("://").nth(1).unwrap_or(url).trim_end_matches('/');
        format!("{host}/ledger")
    }

    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let row = self.store.optional(table::SETTING, &[name.into()]).await?;
        Ok(row.map(|row| row.bytes("value")).transpose()?)
    }

    /// Writes a setting, or replaces it.
    async fn set(&self, name: &str, value: &str) -> Result<(), Error> {
        let mut tx = self.store.write().await?;
        let value = value.as_bytes().to_vec();
        let row = [name.into(), value.into(), tx.now().into()];
        tx.execute(table::SET_SETTING, &row).await?;
        Ok(tx.commit().await?)
    }

    /// Writes a setting once; what is there stays.
    async fn keep(&self, name: &str, value: &[u8]) -> Result<(), Error> {
        if self.setting(name).await?.is_some() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        let now = tx.now();
        tx.execute(
            table::KEEP_SETTING,
            &[name.into(), value.to_vec().into(), now.into()],
        )
        .await?;
        Ok(tx.commit().await?)
    }
}

/// Makes the database file of a new installation, or finds it there. A database server makes its own.
pub async fn make_database(loaded: &Loaded) -> Result<(), Error> {
    if loaded.database_file().is_some_and(|file| !file.exists()) {
        Store::open_with(&loaded.database_url(), Options::default())
            .await?
            .close()
            .await;
    }
    Ok(())
}

/// Opens the database of the configuration. A file that is not there is not made: that would hide a loss.
pub async fn open_store(loaded: &Loaded, clock: Clock) -> Result<Store, Error> {
    if let Some(path) = loaded.database_file().filter(|file| !file.exists()) {
        return Err(Error::Missing {
            what: "the database",
            path,
        });
    }
    let database = &loaded.config.database;
    let options = Options {
        clock,
        connections: database.connections_max,
        published: Some(loaded.path(&database.checkpoint_directory)),
        ..Options::default()
    };
    Ok(Store::open_with(&loaded.database_url(), options).await?)
}

/// Opens the keystore of the configuration. One that is not there is not made: that would hide a loss.
pub fn open_keystore(loaded: &Loaded) -> Result<Keystore, Error> {
    let config = &loaded.config.keystore;
    let master = loaded.path(&config.software_directory).join("master.key");
    if config.backend == "software" && !master.exists() {
        return Err(Error::Missing {
            what: "the keystore's master key",
            path: master,
        });
    }
    Ok(Keystore::open(keystore_config(loaded, master.exists())?)?)
}

/// Makes the keystore of a new installation: the master key file, or the internal keys in the PKCS#11 token.
///
/// Once for each backend and database: the setting that says so is written in the transaction that is open meanwhile, so
/// that of two machines one waits for the other, and of a killed one nothing is said. What was made once and is lost is
/// not made anew.
pub async fn make_keystore(loaded: &Loaded, store: &Store) -> Result<(), Error> {
    let name = format!("keystore-{}", loaded.config.keystore.backend);
    let mut tx = store.write().await?;
    let claim = [name.into(), b"made".to_vec().into(), tx.now().into()];
    if tx.execute(table::KEEP_SETTING, &claim).await? == 0 {
        return Ok(());
    }
    let config = keystore_config(loaded, loaded.config.keystore.backend == "software")?;
    tokio::task::spawn_blocking(move || Keystore::create(config).map(drop))
        .await
        .unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic()))?;
    kyso_store::failpoint!("server.init.keystore_made");
    Ok(tx.commit().await?)
}

fn keystore_config(loaded: &Loaded, with_software: bool) -> Result<KeystoreConfig, Error> {
    let config = &loaded.config.keystore;
    let default_backend = match config.backend.as_str() {
        "software" => BackendName::Software,
        "pkcs11" => BackendName::Pkcs11,
        other => {
            return Err(value(
                "keystore",
                "backend",
                other,
                "choose software or pkcs11",
            ));
        }
    };
    let pkcs11 = match config.pkcs11_module.as_str() {
        "" => None,
        module => Some(Pkcs11Config {
            module: loaded.path(module.as_ref()),
            token_label: config.pkcs11_token_label.clone(),
            pin_file: loaded.path(&config.pkcs11_pin_file),
            sessions: config.pkcs11_sessions,
            wrap_mechanism: match config.pkcs11_wrap_mechanism.as_str() {
                "aes-key-wrap-pad" => WrapMechanism::AesKeyWrapPad,
                "aes-key-wrap-kwp" => WrapMechanism::AesKeyWrapKwp,
                other => {
                    let may = "choose aes-key-wrap-pad or aes-key-wrap-kwp";
                    return Err(value("keystore", "pkcs11_wrap_mechanism", other, may));
                }
            },
        }),
    };
    let software = with_software.then(|| SoftwareConfig {
        directory: loaded.path(&config.software_directory),
    });
    Ok(KeystoreConfig {
        default_backend,
        software,
        pkcs11,
        queue: config.queue,
    })
}

fn authority_config(loaded: &Loaded) -> AuthorityConfig {
    let config = &loaded.config.authority;
    AuthorityConfig {
        organisation: config.organisation.clone(),
        country: config.country.clone(),
        root_name: config.root_name.clone(),
        issuing_name: config.issuing_name.clone(),
        base_url: loaded.config.status_url().to_owned(),
        policy_oid: config.policy_oid.clone(),
        cps_uri: config.cps_uri.clone(),
        user_notice: config.user_notice.clone(),
        crl_hours: config.crl_hours,
        crl_valid_hours: config.crl_valid_hours,
        ocsp_minutes: config.ocsp_minutes,
        ocsp_signatures_at_once: config.ocsp_signatures_at_once,
        citizen_digital_signature: false,
    }
}

fn signing_config(loaded: &Loaded) -> SigningConfig {
    let citizen_algorithm = &loaded.config.keystore.citizen_algorithm;
    let config = &loaded.config.signing;
    SigningConfig {
        provider_name: loaded.config.authority.organisation.clone(),
        documents_max: config.documents_max,
        document_bytes_max: config.document_bytes_max,
        expires_in_ms: i64::from(config.request_seconds) * 1000,
        pending_max: i64::from(config.pending_max),
        pending_of_portal_max: i64::from(config.pending_of_portal_max),
        pool_size: loaded.config.keystore.pool_size,
        pool_algorithm: citizen_algorithm.parse().ok(),
        ..SigningConfig::default()
    }
}

fn registration_config(loaded: &Loaded) -> Result<RegistrationConfig, Error> {
    let config = &loaded.config.registration;
    let provider = &loaded.config.provider;
    let (mail, sms) = (&loaded.config.mail, &loaded.config.sms);
    let algorithm = &loaded.config.keystore.citizen_algorithm;
    let key_algorithm = algorithm.parse().map_err(|_| {
        value(
            "keystore",
            "citizen_algorithm",
            algorithm,
            "choose rsa-2048, rsa-3072, p-256 or p-384",
        )
    })?;
    Ok(RegistrationConfig {
        provider: kyso_paper::Provider {
            name: provider.name.clone(),
            service: provider.service.clone(),
            address: provider.address.clone(),
            tax_number: provider.tax_number.clone(),
            licence: provider.licence.clone(),
            representative: provider.representative.clone(),
            position: provider.position.clone(),
            hotline: provider.hotline.clone(),
            email: provider.email.clone(),
            policy_url: loaded.config.authority.cps_uri.clone(),
        },
        age_min: i32::try_from(config.age_min).unwrap_or(i32::MAX),
        officers_required: i64::from(config.officers_required),
        approval_ms: i64::from(config.approval_days) * 86_400_000,
        codes_per_network_hour: i64::from(config.codes_per_network_hour),
        resumption_rest_ms: i64::from(config.resumption_rest_hours) * 3_600_000,
        photo_bytes_max: config.photo_bytes_max,
        photo_kept_ms: i64::from(config.photo_days) * 86_400_000,
        sms_budget: Budget {
            minute: i64::from(sms.codes_per_minute),
            hour: i64::from(sms.codes_per_hour),
            day: i64::from(sms.codes_per_day),
        },
        mail_budget: Budget {
            minute: i64::from(mail.codes_per_minute),
            hour: i64::from(mail.codes_per_hour),
            day: i64::from(mail.codes_per_day),
        },
        sms_prefixes_refused: sms.prefixes_refused.clone(),
        key_algorithm,
        ..RegistrationConfig::default()
    })
}

fn value(section: &'static str, key: &'static str, value: &str, message: &str) -> Error {
    Error::Value {
        section,
        key,
        value: value.to_owned(),
        message: message.to_owned(),
    }
}
