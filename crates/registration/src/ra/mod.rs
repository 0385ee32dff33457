//! Officers: who may enter, vet and decide, and how they prove who they are.
//!
//! A token is 256 random bits, so its plain SHA-256 is stored; it lets an officer read and prepare. What an officer
//! approves they sign, with a key registered at the operator's machine: the keystore seals id, roles, identity and key, so
//! a row that the web role wrote or edited decides nothing. The officer's own identity number is kept only as an HMAC
//! under the data key: enough to recognise their own dossier and to keep one person from being two officers.

pub(crate) mod table;

use kyso_keystore::{DeviceKey, Keystore};
use kyso_store::Tx;

use crate::citizen::{read_name, read_number};
use crate::enrolment::table::refused_by;
use crate::ledger::line;
use crate::{Error, OfficerId, Registration, Result, secret};

/// What an officer may do. Roles do not contain one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfficerRole {
    /// Enters enrolments at a desk.
    Helper,
    /// Vets and decides.
    Vetter,
    /// Vets, decides and releases locks of others.
    Lead,
    /// Reads, decides nothing.
    Auditor,
    /// Campaigns and their figures.
    CampaignManager,
}

impl OfficerRole {
    /// Every role.
    pub const ALL: [OfficerRole; 5] = [
        Self::Helper,
        Self::Vetter,
        Self::Lead,
        Self::Auditor,
        Self::CampaignManager,
    ];

    /// The word stored and spoken.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helper => "helper",
            Self::Vetter => "vetter",
            Self::Lead => "lead",
            Self::Auditor => "auditor",
            Self::CampaignManager => "campaign-manager",
        }
    }

    /// Reads a stored or typed word.
    pub fn read(word: &str) -> Option<OfficerRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// An officer who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// Which.
    pub id: OfficerId,
    /// Name as colleagues see it.
    pub name: String,
    /// What they may do.
    pub roles: Vec<OfficerRole>,
}

/// A new officer.
pub struct NewOfficer {
    /// Name as colleagues see it.
    pub name: String,
    /// Their own identity number, for the own-dossier rule; stored as an HMAC.
    pub identity_number: String,
    /// What they may do.
    pub roles: Vec<OfficerRole>,
    /// What they sign decisions with: a P-256 key or a passkey.
    pub key: DeviceKey,
}

/// An officer just added: the token is shown once.
pub struct AddedOfficer {
    /// Which.
    pub id: OfficerId,
    /// Bearer token, base64url of 32 random bytes.
    pub token: String,
}

impl Officer {
    /// Whether they have one of these roles.
    pub fn is_one_of(&self, roles: &[OfficerRole]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }

    pub(crate) fn must_be(&self, roles: &[OfficerRole]) -> Result<()> {
        if self.is_one_of(roles) {
            Ok(())
        } else {
            Err(Error::OfficerForbidden)
        }
    }
}

/// Why an officer suspends a credential: codes, since the ledger keeps them for ever and takes no sentence about a person.
pub const SUSPENSION_REASONS: &[&str] = &[
    "citizen-asked",
    "phone-lost",
    "misuse-suspected",
    "data-in-doubt",
    "authority-order",
    "other",
];

/// Who decides.
pub(crate) const DECIDES: &[OfficerRole] = &[OfficerRole::Vetter, OfficerRole::Lead];
/// Who reads dossiers.
pub(crate) const READS: &[OfficerRole] =
    &[OfficerRole::Vetter, OfficerRole::Lead, OfficerRole::Auditor];

/// Kind of the keystore's seal on an officer's record.
pub(crate) const SEAL_KIND: &str = "officer";
/// The ledger line of an officer who was disabled.
pub(crate) const DISABLED_EVENT: &str = "registration.officer.disabled";

impl Registration {
    /// Adds an officer. The keystore seals the record: only its holder can make one that decides.
    ///
    /// # Errors
    /// [`Error::Unacceptable`] for a name, number, key or list of roles that cannot be, or a number that is another
    /// officer's.
    pub async fn add_officer(
        &self,
        keys: &Keystore,
        new: &NewOfficer,
        actor: &str,
    ) -> Result<AddedOfficer> {
        let name = read_name(&new.name).map_err(|_| Error::Unacceptable {
            field: "name",
            rule: "a person's name",
        })?;
        read_number(&new.identity_number).map_err(|_| Error::Unacceptable {
            field: "identity_number",
            rule: "12 digits of a CCCD",
        })?;
        if new.roles.is_empty() {
            return Err(Error::Unacceptable {
                field: "roles",
                rule: "at least one",
            });
        }
        new.key.check().map_err(|_| Error::Unacceptable {
            field: "key",
            rule: "a P-256 public key",
        })?;
        let token = secret::token();
        let mut record = table::Record {
            id: self.store().read().await?.id(),
            roles: new.roles.clone(),
            identity_hash: self.officer_identity(&new.identity_number).to_vec(),
            key: new.key.clone(),
            seal: Vec::new(),
            disabled_at: None,
        };
        record.seal = keys.seal_record(SEAL_KIND, &record.sealed_bytes()).await?;
        let mut tx = self.store().write().await?;
        let stored = table::insert(&mut tx, &name, &record, secret::sha256(token.as_bytes())).await;
        if refused_by(&stored) == Some("officer_person_once") {
            return Err(Error::Unacceptable {
                field: "identity_number",
                rule: "not that of another officer",
            });
        }
        stored?;
        let id = record.id;
        line("registration.officer.added", &id.to_string(), actor)
            .with("roles", table::words(&new.roles))
            .record(&mut tx);
        tx.commit().await?;
        Ok(AddedOfficer { id, token })
    }

    /// Who holds this token. [`Error::SessionInvalid`] otherwise.
    pub async fn authenticate_officer(&self, token: &str) -> Result<Officer> {
        let mut tx = self.store().read().await?;
        table::by_token(&mut tx, secret::sha256(token.as_bytes()))
            .await?
            .ok_or(Error::SessionInvalid)
    }

    /// A new token; the old one is void at once.
    pub async fn rotate_officer_token(&self, officer: &OfficerId, actor: &str) -> Result<String> {
        let token = secret::token();
        let mut tx = self.store().write().await?;
        if !table::set_token(&mut tx, officer, secret::sha256(token.as_bytes())).await? {
            return Err(Error::NotFound { what: "officer" });
        }
        line(
            "registration.officer.token-rotated",
            &officer.to_string(),
            actor,
        )
        .record(&mut tx);
        tx.commit().await?;
        Ok(token)
    }

    /// Ends an officer's access; what they signed before stands. The keystore seals when it was, but not a record that it
    /// did not seal before: that would make a forged one authentic.
    pub async fn disable_officer(
        &self,
        keys: &Keystore,
        officer: &OfficerId,
        actor: &str,
    ) -> Result<()> {
        let missing = Error::NotFound { what: "officer" };
        let mut tx = self.store().read().await?;
        let (record, now) = (table::record(&mut tx, officer).await?, tx.now());
        drop(tx);
        let Some(mut record) = record.filter(|record| record.disabled_at.is_none()) else {
            return Err(missing);
        };
        let checked = keys
            .check_record(SEAL_KIND, &record.sealed_bytes(), &record.seal)
            .await;
        record.disabled_at = Some(now);
        match checked {
            Ok(()) => record.seal = keys.seal_record(SEAL_KIND, &record.sealed_bytes()).await?,
            Err(kyso_keystore::Error::RecordForged | kyso_keystore::Error::NoBackend { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let mut tx = self.store().write().await?;
        if !table::disable(&mut tx, &record).await? {
            return Err(missing);
        }
        line(DISABLED_EVENT, &officer.to_string(), actor).record(&mut tx);
        Ok(tx.commit().await?)
    }

    /// Every officer who is not disabled, by name.
    pub async fn officers(&self) -> Result<Vec<Officer>> {
        table::all(&mut self.store().read().await?).await
    }

    /// Whether this officer may suspend, resume or revoke this credential: one who decides, and not on their own.
    ///
    /// # Errors
    /// [`Error::OfficerForbidden`], [`Error::OwnEnrolment`], [`Error::NotFound`].
    pub async fn may_manage_credential(&self, officer: &Officer, credential: &str) -> Result<()> {
        officer.must_be(DECIDES)?;
        let id = self.of_credential(credential).await?;
        let mut tx = self.store().read().await?;
        let row = crate::enrolment::table::by_id(&mut tx, &id).await?;
        match row.owner {
            Some(owner)
                if self
                    .is_self(&mut tx, officer, &owner.identity_number)
                    .await? =>
            {
                Err(Error::OwnEnrolment)
            }
            _ => Ok(()),
        }
    }

    /// Whether a dossier's number is the officer's own.
    pub(crate) async fn is_self(
        &self,
        tx: &mut Tx,
        officer: &Officer,
        identity_number: &str,
    ) -> Result<bool> {
        let record = table::record(tx, &officer.id)
            .await?
            .filter(|record| record.disabled_at.is_none())
            .ok_or(Error::OfficerForbidden)?;
        let identity = self.officer_identity(identity_number);
        Ok(secret::equal(&record.identity_hash, &identity))
    }

    /// What is stored of an officer's own number.
    pub(crate) fn officer_identity(&self, identity_number: &str) -> [u8; 32] {
        self.sealed().pseudonym("officer", identity_number)
    }
}
