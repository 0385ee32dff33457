//! What is done with a citizen's key, step by step, on whichever backend holds it.
//!
//! Every function here runs on a key thread with a [`Vault`] at hand. Invariants:
//! - No private key is unwrapped before the row is authentic, the device is the bound one, the raised row was handed
//!   back, and the PIN was right.
//! - A PIN is compared only for a row whose failure count was raised for exactly that try.
//! - No signature leaves that does not verify under the row's public key.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256, digest};
use kyso_pki::algorithm::{Digest, KeyAlgorithm, SignatureAlgorithm};

use crate::activation::{
    Activation, ApprovalKey, ApprovalStatement, BindingCode, BindingRequest, BindingStatement,
    CODE_DIGITS, Opening, PIN_DIGITS, Pin, Purpose, Refusal, SealedPin, Subject,
};
use crate::backend::{Fault, MacKey, Vault, random};
use crate::error::Error;
use crate::keystore::{BindingOutcome, Outcome, Settlement};
use crate::memory::Memory;
use crate::row::{
    CitizenFields, CitizenKey, FAILURES_MAX, PinVerifier, PooledKey, SPENT_MAX, Spent, WrappedKey,
    citizen_body, pooled_body,
};

/// Longest credential id a row takes.
const CREDENTIAL_BYTES_MAX: usize = 128;

const CITIZEN_DOMAIN: &[u8] = b"kyso.row.citizen.v1\0";
const POOLED_DOMAIN: &[u8] = b"kyso.row.pooled.v1\0";
const CODE_DOMAIN: &[u8] = b"kyso.binding-code.v1\0";

/// An approval whose row is raised; consumed by [`crate::Keystore::sign_for_citizen`].
pub struct Attempt {
    raised: CitizenKey,
    activation: Arc<Activation>,
    try_digest: [u8; 32],
    pin: Pin,
}

impl Attempt {
    /// The row to store durably before [`crate::Keystore::sign_for_citizen`]. Equal to the row given to
    /// [`crate::Keystore::begin`] if that was raised for this very approval already.
    pub fn raised(&self) -> &CitizenKey {
        &self.raised
    }
}

/// A binding whose row is raised; consumed by [`crate::Keystore::bind`].
pub struct BindingAttempt {
    raised: CitizenKey,
    request: Arc<BindingRequest>,
    try_digest: [u8; 32],
    presented: Presented,
    next: Pin,
}

/// What a binding costs a try for: the code that was sent, or the PIN in force.
enum Presented {
    Code(BindingCode),
    Pin(Pin),
}

impl BindingAttempt {
    /// The row to store durably before [`crate::Keystore::bind`].
    pub fn raised(&self) -> &CitizenKey {
        &self.raised
    }
}

/// What a row may have been raised for, as it was handed to [`crate::Keystore::begin`] or
/// [`crate::Keystore::begin_binding`]. Whether it was, the row says: [`CitizenKey::is_raised_for`].
#[derive(Debug, Clone)]
pub enum Tried {
    /// An approval, by now perhaps too old to sign for.
    Approval {
        /// Canonical bytes of the statement.
        statement: Vec<u8>,
        /// The PIN sealed for it.
        sealed_pin: SealedPin,
    },
    /// A binding, by now perhaps too old to bind.
    Binding(Box<BindingRequest>),
}

impl Tried {
    fn statement(&self) -> &[u8] {
        match self {
            Tried::Approval { statement, .. } => statement,
            Tried::Binding(request) => &request.statement,
        }
    }

    /// What the try is about: the PIN of an approval, the code of a first binding, the PIN in force of a change.
    fn compared(&self) -> &SealedPin {
        match self {
            Tried::Approval { sealed_pin, .. } => sealed_pin,
            Tried::Binding(request) => compared(request),
        }
    }

    fn digest(&self) -> [u8; 32] {
        try_digest(&statement_digest(self.statement()), self.compared())
    }
}

impl CitizenKey {
    /// Whether this very try raised the row last. A row that was settled or signed with since says no; one whose PIN was found
    /// wrong says yes.
    pub fn is_raised_for(&self, tried: &Tried) -> bool {
        self.fields.attempt == Some(tried.digest())
    }
}

/// Makes one wrapped key pair for the pool.
pub(crate) fn make_pooled(
    vault: &mut dyn Vault,
    algorithm: KeyAlgorithm,
) -> Result<PooledKey, Fault> {
    let key = vault.generate(algorithm)?;
    let body = pooled_body(&key);
    let mac = vault.authenticate(MacKey::Row, &[POOLED_DOMAIN, &body].concat())?;
    Ok(PooledKey::sealed(body, &mac, key))
}

/// Turns a pooled pair into a citizen's unclaimed key.
pub(crate) fn create(
    vault: &mut dyn Vault,
    pooled: &PooledKey,
    credential_id: &str,
) -> Result<CitizenKey, Fault> {
    let (body, mac) = pooled.body_and_mac();
    check_key_set(vault, &pooled.key)?;
    check_mac(vault, POOLED_DOMAIN, body, mac)?;
    create_from(vault, pooled.key.clone(), credential_id)
}

/// Makes a citizen's unclaimed key without the pool.
pub(crate) fn create_fresh(
    vault: &mut dyn Vault,
    algorithm: KeyAlgorithm,
    credential_id: &str,
) -> Result<CitizenKey, Fault> {
    let key = vault.generate(algorithm)?;
    create_from(vault, key, credential_id)
}

fn create_from(
    vault: &mut dyn Vault,
    key: WrappedKey,
    credential_id: &str,
) -> Result<CitizenKey, Fault> {
    if credential_id.is_empty() || credential_id.len() > CREDENTIAL_BYTES_MAX {
        let label = credential_id.chars().take(80).collect();
        return Err(Error::LabelUnusable { label }.into());
    }
    let fields = CitizenFields {
        key,
        credential: credential_id.to_owned(),
        version: 1,
        failures: 0,
        device: None,
        pin: None,
        attempt: None,
        spent: Vec::new(),
    };
    seal(vault, fields)
}

/// The code that whoever binds the unclaimed key for this nonce must know. Computed, so that nobody stores it.
pub(crate) fn binding_code(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
    nonce: &str,
) -> Result<BindingCode, Fault> {
    check_authentic(vault, key, credential_id)?;
    if key.fields.device.is_some() {
        return Err(Error::AlreadyClaimed.into());
    }
    code_for(vault, credential_id, nonce)
}

/// Authenticates the row against the binding, opens what is sealed, and raises the failure count.
pub(crate) fn begin_binding(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
    request: &Arc<BindingRequest>,
    now: i64,
) -> Result<BindingAttempt, Fault> {
    // Step 1: the row is ours, unchanged, and of this credential.
    check_authentic(vault, key, credential_id)?;
    // Step 2: the statement is current, signed by the device to be bound, and by the one in force if there is one.
    let statement = request.check(now).map_err(Error::from)?;
    check_consent(key, credential_id, request, &statement)?;
    // Step 3: raise, unless the row was raised for this very try.
    let try_digest = try_digest(&statement_digest(&request.statement), compared(request));
    let fields = raise(&key.fields, &try_digest)?;
    // Step 4: what is sealed opens, and the new PIN is fit. What does not costs no try: nothing was compared.
    let (next, presented) = match &request.consent {
        None => {
            let (next, code) = open_pin_and_code(vault, &request.sealed_pin, &request.statement)?;
            (next, Presented::Code(code))
        }
        Some(consent) => {
            let next = open_pin(vault, &request.sealed_pin, &request.statement)?;
            let current = open_pin(vault, &consent.current_pin, &request.statement)?;
            (next, Presented::Pin(current))
        }
    };
    next.check_strength()?;
    let raised = match fields {
        Some(fields) => seal(vault, fields)?,
        None => key.clone(),
    };
    Ok(BindingAttempt {
        raised,
        request: Arc::clone(request),
        try_digest,
        presented,
        next,
    })
}

/// Compares the code or the PIN in force and, if it is right, puts device and PIN into the row.
pub(crate) fn bind(
    vault: &mut dyn Vault,
    memory: &Memory,
    attempt: &BindingAttempt,
    stored: &CitizenKey,
) -> Result<BindingOutcome, Fault> {
    check_stored(memory, &attempt.raised, stored, &attempt.try_digest)?;
    let credential = &stored.fields.credential;
    if !is_right(vault, stored, &attempt.request.nonce, &attempt.presented)? {
        return Ok(match tries_left(stored) {
            0 => BindingOutcome::Locked {
                key: stored.clone(),
            },
            tries_left => BindingOutcome::Wrong {
                tries_left,
                key: stored.clone(),
            },
        });
    }
    let mut fields = stored.fields.clone();
    fields.pin = Some(make_verifier(vault, credential, &attempt.next)?);
    fields.device = Some(attempt.request.device.clone());
    give_back_tries(&mut fields);
    Ok(BindingOutcome::Bound {
        key: seal(vault, fields)?,
    })
}

/// Authenticates the row against the activation, opens the PIN, and raises the failure count.
pub(crate) fn begin(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
    activation: &Arc<Activation>,
) -> Result<Attempt, Fault> {
    // Step 1: the row is ours, unchanged, and of this credential.
    check_authentic(vault, key, credential_id)?;
    // Step 2: the approval is for this credential and by the bound device.
    let device = key.fields.device.as_ref().ok_or(Error::Unclaimed)?;
    if activation.statement().credential != credential_id {
        return Err(Error::from(Refusal::Other {
            field: "credential",
        })
        .into());
    }
    if activation.device() != device {
        return Err(Error::OtherDevice.into());
    }
    // Step 3: it was not used before.
    let statement = statement_digest(activation.statement_bytes());
    if key
        .fields
        .spent
        .iter()
        .any(|spent| spent.statement == statement)
    {
        return Err(Error::ApprovalSpent.into());
    }
    // Step 4: raise, unless the row was raised for this very try.
    let try_digest = try_digest(&statement, activation.sealed_pin());
    let fields = raise(&key.fields, &try_digest)?;
    // Step 5: the PIN opens. One that does not costs no try: nothing was compared.
    let pin = open_pin(vault, activation.sealed_pin(), activation.statement_bytes())?;
    let raised = match fields {
        Some(fields) => seal(vault, fields)?,
        None => key.clone(),
    };
    Ok(Attempt {
        raised,
        activation: Arc::clone(activation),
        try_digest,
        pin,
    })
}

/// Compares the PIN and, if it is right, signs every digest of the activation in order.
pub(crate) fn sign(
    vault: &mut dyn Vault,
    memory: &Memory,
    attempt: &Attempt,
    stored: &CitizenKey,
    algorithm: SignatureAlgorithm,
) -> Result<Outcome, Fault> {
    // Step 1: what cannot succeed must not cost a comparison.
    let digests = attempt.activation.digests();
    check_algorithm(stored.algorithm(), algorithm, digests)?;
    // Step 2: exactly the raised row was stored, and no rival try was compared at its version.
    check_stored(memory, &attempt.raised, stored, &attempt.try_digest)?;
    // Step 3: the PIN.
    if !is_right_pin(vault, &stored.fields, &attempt.pin)? {
        return Ok(match tries_left(stored) {
            0 => Outcome::Locked {
                key: stored.clone(),
            },
            tries_left => Outcome::WrongPin {
                tries_left,
                key: stored.clone(),
            },
        });
    }
    // Step 4: unwrap once, sign all, and let nothing out that does not verify.
    let key = &stored.fields.key;
    let signatures = vault.sign_wrapped(key, algorithm, digests)?;
    check_signatures(key, algorithm, digests, &signatures)?;
    // Step 5: the row that goes with the signatures: tries back, this approval remembered.
    let mut fields = stored.fields.clone();
    give_back_tries(&mut fields);
    remember_spent(
        &mut fields.spent,
        attempt.activation.statement_bytes(),
        attempt.activation.statement().expires_at,
        attempt.activation.checked_at(),
    );
    Ok(Outcome::Signed {
        signatures,
        key: seal(vault, fields)?,
    })
}

/// Compares a try whose row was raised and that may never have been compared, whatever its age. Signs and binds nothing.
///
/// Without it a try counts that nobody got wrong: the token was away, or the credential held, until the approval was too old.
///
/// Why this gives nobody a guess, be it a web role that writes every row:
/// - The raise comes first, as ever. The try must be the one that the row's own `attempt` names, under the row's MAC: `begin` put
///   it there, for a statement that was current and signed by the device in force, and that row was stored before it was read.
///   So one raise, one guess: another PIN, another statement or another nonce has another digest, and must raise anew, for which
///   it must be current.
/// - What was compared already answers the same again; that is not a second guess.
/// - A row of which a later try was compared is not admitted (`memory`); across restarts the ledger's version says so.
/// - The tries come back once for each right PIN that was raised, as they do when it signs: the row forgets the attempt and
///   counts on. The approval is spent with it, so it does not sign later either, even if it still is current.
pub(crate) fn settle(
    vault: &mut dyn Vault,
    memory: &Memory,
    key: &CitizenKey,
    credential_id: &str,
    tried: &Tried,
    now: i64,
) -> Result<Settlement, Fault> {
    check_authentic(vault, key, credential_id)?;
    if !key.is_raised_for(tried) {
        return Err(Error::NotRaised.into());
    }
    // What is compared with what follows from the statement, which the digest covers; the rest of a row may be anybody's.
    let statement = tried.statement();
    let (nonce, presented, approval_expires_at) = match tried {
        Tried::Approval { sealed_pin, .. } => {
            let said = ApprovalStatement::parse(statement).map_err(Error::from)?;
            let pin = open_pin(vault, sealed_pin, statement)?;
            (said.nonce, Presented::Pin(pin), Some(said.expires_at))
        }
        Tried::Binding(_) => {
            let said = BindingStatement::parse(statement).map_err(Error::from)?;
            let presented = match said.purpose {
                Purpose::Enrol => {
                    let (_, code) = open_pin_and_code(vault, tried.compared(), statement)?;
                    Presented::Code(code)
                }
                _ => Presented::Pin(open_pin(vault, tried.compared(), statement)?),
            };
            (said.nonce, presented, None)
        }
    };
    check_stored(memory, key, key, &tried.digest())?;
    if !is_right(vault, key, &nonce, &presented)? {
        return Ok(match tries_left(key) {
            0 => Settlement::Locked,
            tries_left => Settlement::Wrong { tries_left },
        });
    }
    let mut fields = key.fields.clone();
    give_back_tries(&mut fields);
    if let Some(expires_at) = approval_expires_at {
        remember_spent(&mut fields.spent, statement, expires_at, now);
    }
    Ok(Settlement::Right {
        key: Box::new(seal(vault, fields)?),
    })
}

/// The public key PINs are sealed to on this backend.
pub(crate) fn approval_key(vault: &mut dyn Vault) -> Result<ApprovalKey, Fault> {
    Ok(ApprovalKey::new(
        vault.approval_public_key()?.as_der().to_vec(),
    ))
}

/// Refuses an algorithm the key cannot make, and digests that are not its own.
pub(crate) fn check_algorithm(
    key: KeyAlgorithm,
    asked: SignatureAlgorithm,
    digests: &[Digest],
) -> Result<(), Error> {
    // ECDSA only with the digest as long as the curve: what profiles ask for, and the one pair every backend makes.
    let curve_fits = match key {
        KeyAlgorithm::P256 => asked == SignatureAlgorithm::EcdsaSha256,
        KeyAlgorithm::P384 => asked == SignatureAlgorithm::EcdsaSha384,
        _ => true,
    };
    if !asked.fits(key) || !curve_fits {
        return Err(Error::AlgorithmUnsuitable { key, asked });
    }
    match digests
        .iter()
        .position(|digest| digest.algorithm() != asked.digest_algorithm())
    {
        Some(index) => Err(Error::DigestUnsuitable { index, asked }),
        None => Ok(()),
    }
}

fn seal(vault: &mut dyn Vault, fields: CitizenFields) -> Result<CitizenKey, Fault> {
    let body = citizen_body(&fields);
    let mac = vault.authenticate(MacKey::Row, &[CITIZEN_DOMAIN, &body].concat())?;
    Ok(CitizenKey::sealed(body, &mac, fields))
}

pub(crate) fn check_authentic(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
) -> Result<(), Fault> {
    check_key_set(vault, &key.fields.key)?;
    let (body, mac) = key.body_and_mac();
    check_mac(vault, CITIZEN_DOMAIN, body, mac)?;
    if key.fields.credential != credential_id {
        return Err(Error::RowOfOtherCredential.into());
    }
    Ok(())
}

fn check_key_set(vault: &mut dyn Vault, key: &WrappedKey) -> Result<(), Fault> {
    let ours = vault.key_set();
    if key.key_set != ours {
        return Err(Error::OtherKeySet {
            row: hex::encode(key.key_set),
            ours: hex::encode(ours),
        }
        .into());
    }
    Ok(())
}

fn check_mac(vault: &mut dyn Vault, domain: &[u8], body: &[u8], mac: &[u8]) -> Result<(), Fault> {
    let expected = vault.authenticate(MacKey::Row, &[domain, body].concat())?;
    verify_slices_are_equal(&expected, mac).map_err(|_| Error::RowForged.into())
}

/// A first binding is of an unclaimed key and comes with a code, which the sealed text has; any other comes with the consent of
/// the device in force, for this credential by name.
fn check_consent(
    key: &CitizenKey,
    credential_id: &str,
    request: &BindingRequest,
    statement: &BindingStatement,
) -> Result<(), Error> {
    let other = |field| Err(Refusal::Other { field }.into());
    let is_named = statement.subject == Subject::Credential(credential_id.to_owned());
    let (bound, consent) = match (statement.purpose, &key.fields.device, &request.consent) {
        (Purpose::Enrol, Some(_), _) => return Err(Error::AlreadyClaimed),
        (Purpose::Enrol, None, Some(_)) => return other("purpose"),
        // An enrolment ends in this credential; which one is the caller's row, compared in `BindingRequest::check`.
        (Purpose::Enrol, None, None) => match statement.subject {
            Subject::Credential(_) if !is_named => return other("subject"),
            _ => return Ok(()),
        },
        (_, None, _) => return Err(Error::Unclaimed),
        (_, Some(_), None) => return other("purpose"),
        (_, Some(bound), Some(consent)) => (bound, consent),
    };
    if !is_named {
        return other("subject");
    }
    // A new PIN is chosen on the bound device, a new device is another one.
    if (statement.purpose == Purpose::ChangePin) != (request.device == *bound) {
        return other("purpose");
    }
    Ok(bound.verify(&request.statement, &consent.signature)?)
}

/// The raised fields, or `None` if the row was raised for this very try.
fn raise(fields: &CitizenFields, try_digest: &[u8; 32]) -> Result<Option<CitizenFields>, Error> {
    if fields.attempt.as_ref() == Some(try_digest) {
        return Ok(None);
    }
    if fields.failures >= FAILURES_MAX {
        return Err(Error::Locked {
            failures: fields.failures,
        });
    }
    let mut raised = fields.clone();
    raised.failures += 1;
    raised.version += 1;
    raised.attempt = Some(*try_digest);
    Ok(Some(raised))
}

/// The PIN or code was right: the next version of the row counts from zero.
fn give_back_tries(fields: &mut CitizenFields) {
    fields.failures = 0;
    fields.attempt = None;
    fields.version += 1;
}

/// What a binding's try is about: the code sealed with the PIN of a first one, the PIN in force of a change.
fn compared(request: &BindingRequest) -> &SealedPin {
    match &request.consent {
        None => &request.sealed_pin,
        Some(consent) => &consent.current_pin,
    }
}

fn is_right(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    nonce: &str,
    presented: &Presented,
) -> Result<bool, Fault> {
    match presented {
        Presented::Code(code) => Ok(code_for(vault, &key.fields.credential, nonce)?.is(code)),
        Presented::Pin(pin) => is_right_pin(vault, &key.fields, pin),
    }
}

fn check_stored(
    memory: &Memory,
    raised: &CitizenKey,
    stored: &CitizenKey,
    try_digest: &[u8; 32],
) -> Result<(), Error> {
    if stored != raised || !memory.admit(raised, try_digest) {
        return Err(Error::RowStale {
            stored: stored.version(),
            raised: raised.version(),
        });
    }
    Ok(())
}

fn tries_left(key: &CitizenKey) -> u8 {
    FAILURES_MAX - key.failures()
}

fn open_pin(vault: &mut dyn Vault, sealed: &SealedPin, statement: &[u8]) -> Result<Pin, Fault> {
    open_sealed(vault, sealed, statement, PIN_DIGITS, |opening| {
        opening.pin(sealed)
    })
}

fn open_pin_and_code(
    vault: &mut dyn Vault,
    sealed: &SealedPin,
    statement: &[u8],
) -> Result<(Pin, BindingCode), Fault> {
    open_sealed(
        vault,
        sealed,
        statement,
        PIN_DIGITS + CODE_DIGITS,
        |opening| opening.pin_and_code(sealed),
    )
}

fn open_sealed<T>(
    vault: &mut dyn Vault,
    sealed: &SealedPin,
    statement: &[u8],
    digits: usize,
    open: impl FnOnce(&Opening<'_>) -> Result<T, Error>,
) -> Result<T, Fault> {
    sealed.check_shape(digits)?;
    let public_key = vault.approval_public_key()?;
    let approval_point = public_key.point().ok_or(Error::Primitive {
        what: "the approval key",
    })?;
    let diffie_hellman = vault.agree(&sealed.enc)?;
    Ok(open(&Opening {
        diffie_hellman: &diffie_hellman,
        approval_point: &approval_point,
        statement,
    })?)
}

/// Truncated HMAC over credential and nonce, as RFC 4226 truncates, but without its bias.
fn code_for(vault: &mut dyn Vault, credential_id: &str, nonce: &str) -> Result<BindingCode, Fault> {
    let length = (credential_id.len() as u16).to_be_bytes();
    // One MAC in 10^29 gives no code; the next one does.
    for counter in 0..=u8::MAX {
        let message = [
            CODE_DOMAIN,
            &length,
            credential_id.as_bytes(),
            nonce.as_bytes(),
            &[counter],
        ]
        .concat();
        if let Some(code) = BindingCode::from_mac(&vault.authenticate(MacKey::Row, &message)?) {
            return Ok(code);
        }
    }
    Err(Error::Primitive {
        what: "a binding code",
    }
    .into())
}

fn make_verifier(
    vault: &mut dyn Vault,
    credential_id: &str,
    pin: &Pin,
) -> Result<PinVerifier, Fault> {
    let salt = random()?;
    let verifier = pin_mac(vault, credential_id, &salt, pin)?;
    Ok(PinVerifier { salt, verifier })
}

fn is_right_pin(vault: &mut dyn Vault, fields: &CitizenFields, pin: &Pin) -> Result<bool, Fault> {
    let stored = fields.pin.as_ref().ok_or(Error::Unclaimed)?;
    let found = pin_mac(vault, &fields.credential, &stored.salt, pin)?;
    Ok(verify_slices_are_equal(&found, &stored.verifier).is_ok())
}

/// HMAC under the pepper over credential, salt and PIN. No slow hash: without the pepper, which never leaves the
/// keystore, no PIN can be tried at all, and with it a million PINs are few for any hash.
fn pin_mac(
    vault: &mut dyn Vault,
    credential_id: &str,
    salt: &[u8; 16],
    pin: &Pin,
) -> Result<[u8; 32], Fault> {
    let length = (credential_id.len() as u16).to_be_bytes();
    let message =
        zeroize::Zeroizing::new([&length, credential_id.as_bytes(), salt, pin.digits()].concat());
    vault.authenticate(MacKey::Pin, &message)
}

fn statement_digest(statement: &[u8]) -> [u8; 32] {
    digest(&SHA256, statement)
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 octets")
}

/// What makes two tries the same guess: the same statement and the same sealed PIN, whatever the device's signature.
fn try_digest(statement: &[u8; 32], sealed_pin: &SealedPin) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(statement);
    context.update(&sealed_pin.enc);
    context.update(&sealed_pin.ciphertext);
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 octets")
}

fn check_signatures(
    key: &WrappedKey,
    algorithm: SignatureAlgorithm,
    digests: &[Digest],
    signatures: &[Vec<u8>],
) -> Result<(), Error> {
    let all_verify = digests.len() == signatures.len()
        && digests.iter().zip(signatures).all(|(digest, signature)| {
            key.public_key
                .verify_digest(algorithm, digest, signature)
                .is_ok()
        });
    if all_verify {
        Ok(())
    } else {
        Err(Error::SignatureFaulty {
            backend: key.backend,
        })
    }
}

/// Forgets what has expired, then remembers this approval; the oldest goes if there are too many.
fn remember_spent(spent: &mut Vec<Spent>, statement: &[u8], expires_at: i64, now: i64) {
    spent.retain(|spent| spent.expires_at > now);
    if spent.len() == SPENT_MAX {
        spent.remove(0);
    }
    spent.push(Spent {
        statement: statement_digest(statement),
        expires_at,
    });
}
