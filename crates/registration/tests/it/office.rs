//! The harness: a provider with its authority, officers, a worker that runs when told, and citizens with phones.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use kyso_authority::ceremony::{Plan as CeremonyPlan, Root};
use kyso_authority::{Authority, AuthorityConfig};
use kyso_keystore::activation::{
    Channel as ApprovalChannel, Preview, Purpose, StatementDocument, Subject,
};
use kyso_keystore::{
    ApprovalKey, ApprovalStatement, BackendName, BindingStatement, DecisionStatement, DeviceKey,
    DeviceKind, DeviceSignature, Keystore, KeystoreConfig, SessionStatement, SoftwareConfig,
    seal_pin, seal_pin_and_code,
};
use kyso_registration::campaign::{Allowance, Campaign, Desk, Plan};
use kyso_registration::citizen::{Channel, NewAddress, NewOwner};
use kyso_registration::enrolment::{ContractSignature, Kind, Start, State, Step, View};
use kyso_registration::ra::{NewOfficer, Officer, OfficerRole};
use kyso_registration::task::{KINDS, OUTBOUND_KINDS};
use kyso_registration::vetting::SignedDecision;
use kyso_registration::{EnrolmentId, Error, OfficerId, Registration, RegistrationConfig, Task};
use kyso_signing::credential::BindingIntention;
use kyso_signing::request::{Approval, RequestView};
use kyso_signing::{KeyAlgorithm, RequestId, Signing, SigningConfig};
use kyso_store::testing::Database;
use kyso_store::{SealedBlobs, Store};

pub const PIN: &str = "271828";
/// Where everybody calls from.
pub const NETWORK: &str = "192.0.2.1";
pub const DAY: i64 = 86_400_000;

/// One provider on a database and a keystore of its own.
pub struct Office {
    pub database: Database,
    pub store: Store,
    pub keys: Keystore,
    pub signing: Signing,
    pub registration: Registration,
    pub approval_key: ApprovalKey,
    pub config: RegistrationConfig,
    people: AtomicU32,
    /// What each officer signs with.
    consoles: Mutex<HashMap<OfficerId, EcdsaKeyPair>>,
}

/// A citizen with an enrolment under way.
pub struct Person {
    pub id: EnrolmentId,
    pub session: String,
    pub owner: NewOwner,
}

impl Office {
    pub async fn sqlite() -> Office {
        Office::open(Database::sqlite().await, config()).await
    }

    pub async fn postgres() -> Option<Office> {
        Some(Office::open(Database::postgres().await?, config()).await)
    }

    async fn open(database: Database, config: RegistrationConfig) -> Office {
        let keys = software_keys(database.folder.path());
        let store = database.store.clone();
        let authority = Authority::new(store.clone(), AuthorityConfig::sample());
        let quick = KeyAlgorithm::P256;
        let plan = CeremonyPlan {
            root: Root::Ours(quick),
            issuing: quick,
            ocsp: quick,
            timestamp: quick,
            seal: quick,
            ledger: quick,
        };
        authority
            .ceremony(&keys, &plan, &|_| {})
            .await
            .expect("the ceremony is held");
        let approval_key = keys
            .approval_public_key()
            .await
            .expect("there is an approval key");
        let (signing, registration) = node(database.folder.path(), store.clone(), config.clone());
        let office = Office {
            store,
            keys,
            signing,
            registration,
            approval_key,
            config,
            database,
            people: AtomicU32::new(1),
            consoles: Mutex::default(),
        };
        office
            .registration
            .prepare()
            .await
            .expect("the units are seeded");
        office.add_plans().await;
        office
    }

    /// The same provider with other rules, on the same rows.
    pub fn with_rules(&mut self, change: impl FnOnce(&mut RegistrationConfig)) {
        change(&mut self.config);
        (self.signing, self.registration) = node(
            self.database.folder.path(),
            self.store.clone(),
            self.config.clone(),
        );
    }

    /// The same provider as another node sees it: its own connections and memory, the same rows and keys.
    pub async fn another_node(&self) -> Registration {
        node(
            self.database.folder.path(),
            self.database.another_node().await,
            self.config.clone(),
        )
        .1
    }

    async fn add_plans(&self) {
        for plan in [free_plan(), paid_plan(), campaign_plan()] {
            self.registration.add_plan(&plan, "cli").await.unwrap();
        }
    }

    pub fn now(&self) -> i64 {
        self.store.now()
    }

    pub fn advance(&self, ms: i64) {
        self.database.clock.advance(ms);
    }

    /// An invented person whose data obey every rule.
    pub fn person(&self) -> NewOwner {
        let number = self.people.fetch_add(1, Ordering::SeqCst);
        owner(number)
    }

    pub async fn campaign(&self, code: &str, quota: Option<i64>) -> Campaign {
        let campaign = campaign(code, quota, self.now());
        self.registration
            .add_campaign(&campaign, "cli")
            .await
            .unwrap();
        campaign
    }

    pub async fn officer(&self, roles: &[OfficerRole]) -> Officer {
        let number = self.people.fetch_add(1, Ordering::SeqCst);
        self.officer_with(&format!("001180{number:06}"), roles)
            .await
            .expect("the officer is added")
    }

    /// An officer with this identity number, who has a key to sign with.
    pub async fn officer_with(
        &self,
        identity_number: &str,
        roles: &[OfficerRole],
    ) -> kyso_registration::Result<Officer> {
        let (pair, key) = device_key();
        let new = NewOfficer {
            name: "Phạm Thị Duyệt".into(),
            identity_number: identity_number.into(),
            roles: roles.to_vec(),
            key,
        };
        let added = self
            .registration
            .add_officer(&self.keys, &new, "cli")
            .await?;
        self.consoles.lock().unwrap().insert(added.id, pair);
        self.registration.authenticate_officer(&added.token).await
    }

    /// The statement by which an officer approves the dossier as they read it now.
    pub async fn statement(&self, officer: &Officer, id: &EnrolmentId) -> DecisionStatement {
        // Who may not read it signs over nothing: the refusal comes before the statement is looked at.
        let dossier = self.registration.dossier(officer, id).await.ok();
        let (text, round) = dossier.map_or_else(Default::default, |dossier| {
            (dossier.canonical, dossier.entry.round)
        });
        let mut digest = [0; 32];
        digest.copy_from_slice(
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref(),
        );
        DecisionStatement {
            enrolment: id.to_string(),
            round,
            verdict: "approve".into(),
            officer: officer.id.to_string(),
            dossier: digest,
            issued_at: self.now(),
        }
    }

    /// A statement signed with the officer's own key.
    pub fn signed(&self, officer: &Officer, statement: &DecisionStatement) -> SignedDecision {
        let statement = statement.to_bytes();
        let consoles = self.consoles.lock().unwrap();
        let signature = consoles[&officer.id]
            .sign(&SystemRandom::new(), &statement)
            .unwrap();
        SignedDecision {
            signature: DeviceSignature::WebCrypto {
                signature: signature.as_ref().to_vec(),
            },
            statement,
        }
    }

    /// What the officer's console sends to approve.
    pub async fn decision(&self, officer: &Officer, id: &EnrolmentId) -> SignedDecision {
        self.signed(officer, &self.statement(officer, id).await)
    }

    /// The officer signs and sends, whether or not they have the dossier open.
    pub async fn try_approve(
        &self,
        officer: &Officer,
        id: &EnrolmentId,
    ) -> kyso_registration::Result<State> {
        let decision = self.decision(officer, id).await;
        self.registration.approve(officer, id, &decision).await
    }

    pub async fn begin(&self) -> Person {
        self.begin_as(
            self.person(),
            Start {
                plan: Some("free-12"),
                ..Start::default()
            },
        )
        .await
    }

    pub async fn begin_as(&self, owner: NewOwner, start: Start<'_>) -> Person {
        let started = self
            .registration
            .start(start)
            .await
            .expect("an enrolment starts");
        Person {
            id: started.id,
            session: started.session,
            owner,
        }
    }

    /// The code that is on its way to this person, as the sender reads it; not yet marked as sent.
    pub async fn code_of(&self, person: &Person) -> (kyso_registration::CodeId, String) {
        let jobs = self.store.claim(OUTBOUND_KINDS, 64, 1).await.unwrap();
        let mut found = None;
        for job in &jobs {
            if let Some(Task::SendCode { code, .. }) = Task::read(&job.payload)
                && let Some(to_send) = self.registration.code_to_send(&code).await.unwrap()
                && (to_send.destination.ends_with(&person.owner.phone[1..])
                    || to_send.destination == person.owner.email)
            {
                found = Some((code, to_send.code));
            }
        }
        self.advance(2);
        found.expect("a code is on its way")
    }

    /// Phone number and code.
    pub async fn activate(&self, person: &Person) {
        self.activate_by(person, Channel::Sms).await;
    }

    /// Contact, and the code that came by this channel.
    pub async fn activate_by(&self, person: &Person, channel: Channel) {
        self.registration
            .set_contact(&person.id, &person.owner.phone, &person.owner.email)
            .await
            .unwrap();
        self.registration
            .request_code(&person.id, channel, crate::office::NETWORK)
            .await
            .unwrap();
        let (id, code) = self.code_of(person).await;
        self.registration.code_sent(&id).await.unwrap();
        self.registration.activate(&person.id, &code).await.unwrap();
    }

    pub async fn photos(&self, person: &Person) {
        for kind in Kind::ALL {
            self.registration
                .put_photo(&person.id, kind, &photo(kind as u8))
                .await
                .unwrap();
        }
    }

    pub async fn sign_contract(&self, person: &Person) -> View {
        let contract = self
            .registration
            .contract(&person.id)
            .await
            .expect("the contract is written");
        let signature = ContractSignature {
            sha256: &contract.view.sha256,
            agreement: &contract.view.agreement,
            channel: "web",
        };
        self.registration
            .sign_contract(&person.id, signature)
            .await
            .expect("the contract is signed")
    }

    /// Everything up to the officer.
    pub async fn hand_in(&self, person: &Person) -> View {
        self.activate(person).await;
        self.fill_in(person).await;
        self.registration
            .submit(&person.id)
            .await
            .expect("it is handed in")
    }

    /// The same, but the code comes last.
    pub async fn fill_in_then_activate(&self, person: &Person) {
        self.registration
            .set_owner(&person.id, &person.owner)
            .await
            .unwrap();
        self.registration.pay(&person.id).await.unwrap();
        self.activate(person).await;
        self.photos(person).await;
        self.sign_contract(person).await;
    }

    /// Places taken of a campaign.
    pub async fn taken(&self, code: &str) -> i64 {
        self.registration.campaign(code).await.unwrap().taken
    }

    /// Everything between the code and handing in.
    pub async fn fill_in(&self, person: &Person) {
        self.registration
            .set_owner(&person.id, &person.owner)
            .await
            .expect("the owner is accepted");
        self.registration
            .pay(&person.id)
            .await
            .expect("nothing is due");
        self.photos(person).await;
        self.sign_contract(person).await;
    }

    pub async fn approve(&self, officer: &Officer, id: &EnrolmentId) -> State {
        self.registration
            .open_dossier(officer, id)
            .await
            .expect("the dossier opens");
        self.try_approve(officer, id).await.expect("it is approved")
    }

    /// Handed in, approved and certified.
    pub async fn certified(&self) -> Person {
        let person = self.begin().await;
        self.certify(&person).await;
        person
    }

    pub async fn certify(&self, person: &Person) {
        let officer = self.officer(&[OfficerRole::Vetter]).await;
        self.hand_in(person).await;
        self.approve(&officer, &person.id).await;
        self.work().await;
        assert_eq!(self.show(person).await.state, State::Certified);
    }

    /// Phone, PIN, acceptance: to the end.
    pub async fn finish(&self, person: &Person) -> Phone {
        let mut phone = Phone::new(self, person);
        phone.bind(self, PIN).await;
        self.work().await;
        phone.accept(self).await;
        self.work().await;
        phone
    }

    pub async fn complete(&self) -> (Person, Phone) {
        let person = self.certified().await;
        let phone = self.finish(&person).await;
        assert_eq!(self.show(&person).await.state, State::Complete);
        (person, phone)
    }

    pub async fn show(&self, person: &Person) -> View {
        self.registration.show(&person.id).await.unwrap()
    }

    pub async fn next(&self, person: &Person) -> Vec<String> {
        self.show(person)
            .await
            .next
            .into_iter()
            .map(Step::code)
            .collect()
    }

    /// Everything that is due within a few seconds, as the worker would: signing's jobs and ours.
    pub async fn work(&self) {
        for _ in 0..200 {
            let signing = self
                .store
                .claim(kyso_signing::task::KINDS, 64, 30_000)
                .await
                .unwrap();
            let ours = self.store.claim(KINDS, 64, 30_000).await.unwrap();
            if signing.is_empty() && ours.is_empty() {
                let kinds: Vec<&str> = kyso_signing::task::KINDS
                    .iter()
                    .chain(KINDS)
                    .copied()
                    .collect();
                match self.store.next_due(&kinds).await.unwrap() {
                    Some(due) if due - self.now() <= 1_000 => {
                        self.advance((due - self.now()).max(1))
                    }
                    _ => return,
                };
                continue;
            }
            let done = self
                .signing
                .work(&self.keys, signing)
                .await
                .expect("signing works");
            self.registration
                .settle(&done)
                .await
                .expect("registration settles");
            self.registration
                .work(&self.keys, ours)
                .await
                .expect("registration works");
        }
        panic!("the work does not end");
    }

    /// As the worker would, had it died before it told us what signing did.
    pub async fn work_without_settling(&self) {
        loop {
            let jobs = self
                .store
                .claim(kyso_signing::task::KINDS, 64, 30_000)
                .await
                .unwrap();
            if jobs.is_empty() {
                return;
            }
            self.signing.work(&self.keys, jobs).await.unwrap();
        }
    }

    /// Messages that wait to be sent, as `event` or, of an alarm, `event to contact`, and sends them.
    pub async fn messages(&self) -> Vec<String> {
        let mut events = Vec::new();
        for job in self
            .store
            .claim(&[kyso_registration::task::NOTIFY], 64, 30_000)
            .await
            .unwrap()
        {
            if let Some(Task::Notify {
                enrolment,
                event,
                alarm,
                ..
            }) = Task::read(&job.payload)
            {
                let notice = self.registration.notice(&enrolment, event, alarm.as_ref());
                let notice = notice.await.unwrap().expect("it is not told yet");
                let event = notice.event.as_str();
                events.push(match &alarm {
                    Some(_) => format!("{event} to {}", notice.ways[0].1),
                    None => event.to_owned(),
                });
                if let Some(alarm) = alarm {
                    self.registration.alarm_over(&alarm).await.unwrap();
                    let again = self
                        .registration
                        .notice(&enrolment, notice.event, Some(&alarm));
                    assert!(again.await.unwrap().is_none(), "it is told once");
                }
            }
            let mut tx = self.store.write().await.unwrap();
            tx.finish(&job).await.unwrap();
            tx.commit().await.unwrap();
        }
        events
    }

    /// The invariants hold in this crate and the one below.
    pub async fn check(&self) {
        let ours = self.registration.verify().await.unwrap();
        assert!(ours.broken.is_empty(), "{:?}", ours.broken);
        let below = self.signing.verify().await.unwrap();
        assert!(below.broken.is_empty(), "{:?}", below.broken);
    }

    /// Kinds of the ledger lines about a thing, oldest first.
    pub async fn ledger(&self, subject: &impl ToString) -> Vec<String> {
        let lines = kyso_store::ledger::tail(&self.store, &subject.to_string(), None, 200)
            .await
            .unwrap();
        lines.into_iter().rev().map(|line| line.kind).collect()
    }
}

/// What a process of its own, which a failpoint will end, opens.
async fn open_elsewhere(url: &str, now: i64) -> (Store, kyso_store::Clock) {
    let clock = kyso_store::Clock::fixed(now);
    let options = kyso_store::Options {
        clock: clock.clone(),
        ..kyso_store::Options::default()
    };
    (Store::open_with(url, options).await.unwrap(), clock)
}

/// The web role in a process of its own.
pub async fn registration_elsewhere(url: &str, folder: &std::path::Path, now: i64) -> Registration {
    let (store, _) = open_elsewhere(url, now).await;
    node(folder, store, config()).1
}

/// A worker in a process of its own.
pub async fn work_until_killed(url: &str, folder: &std::path::Path, now: i64) {
    let (store, clock) = open_elsewhere(url, now).await;
    let keys = software_keys(folder);
    let (signing, registration) = node(folder, store.clone(), config());
    for _ in 0..60 {
        let jobs = store
            .claim(kyso_signing::task::KINDS, 64, 30_000)
            .await
            .unwrap();
        registration
            .settle(&signing.work(&keys, jobs).await.unwrap())
            .await
            .unwrap();
        let jobs = store.claim(KINDS, 64, 30_000).await.unwrap();
        registration.work(&keys, jobs).await.unwrap();
        clock.advance(500);
    }
}

fn software_keys(folder: &std::path::Path) -> Keystore {
    Keystore::open(KeystoreConfig {
        default_backend: BackendName::Software,
        software: Some(SoftwareConfig {
            directory: folder.join("keys"),
        }),
        pkcs11: None,
        queue: 256,
    })
    .expect("the software keystore opens")
}

fn node(
    folder: &std::path::Path,
    store: Store,
    config: RegistrationConfig,
) -> (Signing, Registration) {
    let authority = Authority::new(store.clone(), AuthorityConfig::sample());
    let sealed = SealedBlobs::open(&folder.join("data.key")).unwrap();
    let signing = Signing::new(
        store.clone(),
        authority.clone(),
        sealed.clone(),
        SigningConfig {
            pool_size: 0,
            ..SigningConfig::default()
        },
    );
    let registration = Registration::new(store, signing.clone(), authority, sealed, config);
    (signing, registration)
}

fn config() -> RegistrationConfig {
    RegistrationConfig {
        key_algorithm: KeyAlgorithm::P256,
        ..RegistrationConfig::default()
    }
}

pub fn free_plan() -> Plan {
    Plan {
        code: "free-12".into(),
        name: "Cá nhân 12 tháng".into(),
        name_en: "Personal, 12 months".into(),
        months: 12,
        allowance: Allowance::Unlimited,
        price_vnd: 0,
        public: true,
    }
}

fn paid_plan() -> Plan {
    Plan {
        code: "pack-20".into(),
        name: "Gói 20 lượt ký".into(),
        allowance: Allowance::Pack(20),
        price_vnd: 55_000,
        ..free_plan()
    }
}

fn campaign_plan() -> Plan {
    Plan {
        code: "ward-12".into(),
        name: "Miễn phí theo đợt".into(),
        allowance: Allowance::Pack(5),
        public: false,
        ..free_plan()
    }
}

pub fn campaign(code: &str, quota: Option<i64>, now: i64) -> Campaign {
    Campaign {
        code: code.into(),
        name: "Chữ ký số miễn phí Phường Vườn Lài".into(),
        plan: "ward-12".into(),
        price_vnd: 0,
        starts_at: now - DAY,
        ends_at: now + 10 * DAY,
        quota,
        area: vec!["27169".into(), "27190".into()],
        free_portals: Vec::new(),
        desk: Desk {
            address: "Nhà văn hóa khu phố 3".into(),
            hours: "8:00–17:00".into(),
            helper: "bà Mẫu".into(),
            hotline: "1900 0000".into(),
        },
    }
}

/// An invented person, born in 2000, with a card that is good until 2040.
pub fn owner(number: u32) -> NewOwner {
    NewOwner {
        full_name: "Nguyễn Thị Hồng Hạnh".into(),
        identity_kind: "cccd".into(),
        identity_number: format!("079300{number:06}"),
        issue_date: "2025-07-15".into(),
        issue_place: "Bộ Công an".into(),
        birth_date: "2000-08-15".into(),
        sex: "female".into(),
        nationality: "VNM".into(),
        phone: format!("09{number:08}"),
        email: format!("hanh{number}@example.vn"),
        address: NewAddress {
            province_code: "79".into(),
            commune_code: "27190".into(),
            detail: "12/3 Đường Hoa Lài".into(),
            district_code: String::new(),
        },
        source: "qr".into(),
    }
}

/// A minimal picture: the header of 640 × 400 pixels and a scan of a few bytes.
pub fn photo(filling: u8) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xe0, 0, 16];
    file.extend(b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    file.extend([
        0xff,
        0xc0,
        0,
        11,
        8,
        400u16.to_be_bytes()[0],
        400u16.to_be_bytes()[1],
        640u16.to_be_bytes()[0],
        640u16.to_be_bytes()[1],
    ]);
    file.extend([1, 1, 0x11, 0]);
    file.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]);
    file.extend([filling; 64]);
    file.extend([0xff, 0xd9]);
    file
}

/// A key pair as a browser makes it.
pub fn device_key() -> (EcdsaKeyPair, DeviceKey) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    // SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480)
    let mut spki = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    spki.extend_from_slice(pair.public_key().as_ref());
    let kind = DeviceKind::WebCrypto;
    (pair, DeviceKey { kind, spki })
}

/// A citizen's phone: the device key, and what the citizen knows.
pub struct Phone {
    key: EcdsaKeyPair,
    pub device: DeviceKey,
    approval_key: ApprovalKey,
    enrolment: EnrolmentId,
    pub session: Option<kyso_signing::device::Session>,
}

impl Phone {
    pub fn new(office: &Office, person: &Person) -> Phone {
        let (key, device) = device_key();
        Phone {
            key,
            device,
            approval_key: office.approval_key.clone(),
            enrolment: person.id,
            session: None,
        }
    }

    /// The same device in the hands of another enrolment.
    pub fn moved_to(mut self, person: &Person) -> Phone {
        self.enrolment = person.id;
        self
    }

    fn sign(&self, statement: &[u8]) -> DeviceSignature {
        let signature = self.key.sign(&SystemRandom::new(), statement).unwrap();
        DeviceSignature::WebCrypto {
            signature: signature.as_ref().to_vec(),
        }
    }

    pub async fn intention(
        &self,
        office: &Office,
        pin: &str,
    ) -> kyso_registration::Result<BindingIntention> {
        self.intention_with(office, pin, None).await
    }

    /// With the code that was sent, or with a guess.
    pub async fn intention_with(
        &self,
        office: &Office,
        pin: &str,
        guess: Option<&str>,
    ) -> kyso_registration::Result<BindingIntention> {
        let registration = &office.registration;
        let challenge = match registration.device_challenge(&self.enrolment).await {
            Err(Error::CodeTooSoon { at, .. }) => {
                office.advance(at - office.now());
                registration.device_challenge(&self.enrolment).await?
            }
            other => other?,
        };
        let message = registration
            .device_code_to_send(&office.keys, &self.enrolment, &challenge.nonce)
            .await?
            .expect("a code is sent");
        let code = guess.unwrap_or(&message.code);
        let statement = BindingStatement {
            subject: Subject::Enrolment(self.enrolment.to_string()),
            purpose: Purpose::Enrol,
            device_key: self.device.spki.clone(),
            nonce: challenge.nonce,
            issued_at: office.now(),
            expires_at: office.now() + 300_000,
        }
        .to_bytes();
        Ok(BindingIntention {
            device: self.device.clone(),
            signature: self.sign(&statement),
            sealed_pin: seal_pin_and_code(&self.approval_key, &statement, pin, code).unwrap(),
            consent: None,
            statement,
        })
    }

    pub async fn bind(&self, office: &Office, pin: &str) -> View {
        let intention = self
            .intention(office, pin)
            .await
            .expect("a challenge is given");
        office
            .registration
            .bind_device(&self.enrolment, intention)
            .await
            .expect("the binding is taken in")
    }

    /// Opens a session with the bound device.
    pub async fn log_in(&mut self, office: &Office) {
        let view = office.registration.show(&self.enrolment).await.unwrap();
        let nonce = office.signing.devices.challenge().await.unwrap();
        let statement = SessionStatement {
            device: view.device.unwrap(),
            nonce,
            issued_at: office.now(),
        }
        .to_bytes();
        let opened = office
            .signing
            .devices
            .open_session(&statement, &self.device, &self.sign(&statement))
            .await
            .unwrap();
        self.session = Some(opened.session);
    }

    /// The acceptance as this phone is shown it.
    pub async fn acceptance(&self, office: &Office) -> RequestView {
        let view = office.registration.show(&self.enrolment).await.unwrap();
        let id: RequestId = view
            .acceptance_request
            .expect("the acceptance waits")
            .parse()
            .unwrap();
        office
            .signing
            .requests
            .show(self.session.as_ref().unwrap(), &id)
            .await
            .unwrap()
    }

    /// Reads the acceptance and approves it.
    pub async fn accept(&mut self, office: &Office) {
        self.accept_with(office, PIN).await;
    }

    pub async fn accept_with(&mut self, office: &Office, pin: &str) {
        self.log_in(office).await;
        let request = self.acceptance(office).await;
        let approval = self.approve(office, &request, pin);
        office
            .signing
            .requests
            .approve(self.session.as_ref().unwrap(), &request.id, approval)
            .await
            .unwrap();
    }

    fn approve(&self, office: &Office, view: &RequestView, pin: &str) -> Approval {
        let documents = view.documents.iter().map(|document| StatementDocument {
            name: document.name.clone(),
            document_digest: document.document_digest.value().to_vec(),
            to_be_signed: document.to_be_signed.value().to_vec(),
            digest_algorithm: document.to_be_signed.algorithm(),
            preview: if document.previewed {
                Preview::Previewed
            } else {
                Preview::Blind
            },
        });
        let statement = ApprovalStatement {
            request: view.id.to_string(),
            credential: view.credential.to_string(),
            portal: view.portal_word.clone(),
            documents: documents.collect(),
            code: view.code.clone(),
            channel: ApprovalChannel::SameDevice,
            nonce: view.nonce.clone(),
            issued_at: office.now(),
            expires_at: office.now() + 300_000,
        }
        .to_bytes();
        Approval {
            signature: self.sign(&statement),
            sealed_pin: seal_pin(&self.approval_key, &statement, pin).unwrap(),
            statement,
        }
    }
}
