//! An institution of its own for one test: a database, a keystore, a ceremony held.

use kyso_authority::ceremony::{Ceremony, Plan};
use kyso_authority::issuing::{Issued, Order};
use kyso_authority::{Authority, AuthorityConfig};
use kyso_keystore::{BackendName, Keystore, KeystoreConfig, SoftwareConfig};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_pki::name::SubjectName;
use kyso_pki::public_key::PublicKey;
use kyso_store::testing::{Database, Folder, START};
use kyso_store::{Store, Value};

pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 24 * HOUR_MS;
pub const YEAR_MS: i64 = 365 * DAY_MS;

/// One node of an institution, with its database.
pub struct Institution {
    pub database: Database,
    pub keys: Keystore,
    pub authority: Authority,
    /// Files of the software keystore; gone with the test.
    pub folder: Folder,
}

impl Institution {
    /// One on each database there is, a ceremony with elliptic keys held.
    pub async fn each() -> Vec<Institution> {
        let mut all = Vec::new();
        for institution in Institution::each_without_ceremony().await {
            institution.hold().await;
            all.push(institution);
        }
        all
    }

    /// One on SQLite.
    pub async fn one() -> Institution {
        let institution = Institution::on(Database::sqlite().await);
        institution.hold().await;
        institution
    }

    /// One on each database there is, without any key.
    pub async fn each_without_ceremony() -> Vec<Institution> {
        Database::each()
            .await
            .into_iter()
            .map(Institution::on)
            .collect()
    }

    fn on(database: Database) -> Institution {
        let folder = Folder::new();
        let keys = software(&folder.path().join("keys"));
        let authority = Authority::new(database.store.clone(), AuthorityConfig::sample());
        Institution {
            database,
            keys,
            authority,
            folder,
        }
    }

    /// Holds the ceremony with elliptic keys.
    pub async fn hold(&self) -> Ceremony {
        self.authority
            .ceremony(&self.keys, &Plan::elliptic(), &|_| ())
            .await
            .unwrap()
    }

    /// The same institution seen from another node.
    pub async fn another_node(&self) -> Authority {
        Authority::new(
            self.database.another_node().await,
            AuthorityConfig::sample(),
        )
    }

    pub fn store(&self) -> &Store {
        &self.database.store
    }

    pub fn now(&self) -> i64 {
        self.database.store.now()
    }

    /// A public key made by the keystore for a credential.
    pub async fn key_for(&self, credential: &str) -> PublicKey {
        self.keys
            .create_for_citizen(KeyAlgorithm::P256, credential)
            .await
            .unwrap()
            .1
    }

    /// An order for an invented citizen, with a new key.
    pub async fn order(&self, credential: &str) -> Order {
        order(credential, self.key_for(credential).await)
    }

    /// A certificate for an invented citizen.
    pub async fn issue(&self, credential: &str) -> Issued {
        let order = self.order(credential).await;
        let prepared = self.authority.prepare(&self.keys, &order).await.unwrap();
        self.authority.issue(&self.keys, prepared).await.unwrap()
    }

    /// How many ledger lines of this kind there are.
    pub async fn lines(&self, kind: &str) -> i64 {
        let sql = "-- test.lines\nSELECT COUNT(*) AS n FROM ledger_entry WHERE kind = $1";
        self.store()
            .one(sql, &[kind.into()])
            .await
            .unwrap()
            .int("n")
            .unwrap()
    }

    /// The one number of `sql`, named `n`.
    pub async fn count(&self, sql: &'static str, args: &[Value]) -> i64 {
        self.store().one(sql, args).await.unwrap().int("n").unwrap()
    }
}

/// An order for an invented citizen.
pub fn order(credential: &str, public_key: PublicKey) -> Order {
    Order {
        credential: credential.to_owned(),
        subject: citizen(),
        public_key,
        plan_ends_at: START + YEAR_MS,
        email: None,
    }
}

/// An invented citizen.
pub fn citizen() -> SubjectName {
    SubjectName {
        country: "VN".to_owned(),
        province: Some("Thành phố Hồ Chí Minh".to_owned()),
        commune: Some("Phường Sài Gòn".to_owned()),
        common_name: "Nguyễn Thị Hồng Ánh".to_owned(),
        identity: Some("CCCD:079200000001".to_owned()),
        ..SubjectName::default()
    }
}

/// A software keystore in `directory`.
pub fn software(directory: &std::path::Path) -> Keystore {
    Keystore::open(KeystoreConfig {
        default_backend: BackendName::Software,
        software: Some(SoftwareConfig {
            directory: directory.to_owned(),
        }),
        pkcs11: None,
        queue: 256,
    })
    .unwrap()
}
