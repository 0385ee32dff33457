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
    Activation, ApprovalKey, BindingRequest, Pin, Purpose, Rebinding, Refusal, SealedPin, Subject,
};
use crate::backend::{Fault, MacKey, Vault, random};
use crate::error::Error;
use crate::keystore::{Outcome, RebindingOutcome};
use crate::memory::Memory;
use crate::row::{
    CitizenFields, CitizenKey, FAILURES_MAX, PinVerifier, PooledKey, SPENT_MAX, Spent, WrappedKey,
    citizen_body, pooled_body,
};

/// Longest credential id a row takes.
const CREDENTIAL_BYTES_MAX: usize = 128;

const CITIZEN_DOMAIN: &[u8] = b"kyso.row.citizen.v1\0";
const POOLED_DOMAIN: &[u8] = b"kyso.row.pooled.v1\0";

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

/// A change of device or PIN whose row is raised; consumed by [`crate::Keystore::rebind`].
pub struct RebindingAttempt {
    raised: CitizenKey,
    rebinding: Arc<Rebinding>,
    try_digest: [u8; 32],
    current: Pin,
    next: Pin,
}

impl RebindingAttempt {
    /// The row to store durably before [`crate::Keystore::rebind`].
    pub fn raised(&self) -> &CitizenKey {
        &self.raised
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

/// Binds an unclaimed key to its first device and PIN.
pub(crate) fn bind(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
    request: &BindingRequest,
    now: i64,
) -> Result<CitizenKey, Fault> {
    check_authentic(vault, key, credential_id)?;
    if key.fields.device.is_some() {
        return Err(Error::AlreadyClaimed.into());
    }
    let statement = request.check(now).map_err(Error::from)?;
    if statement.purpose != Purpose::Enrol {
        return Err(Error::from(Refusal::Other { field: "purpose" }).into());
    }
    check_subject(&statement.subject, credential_id)?;
    let pin = open_pin(vault, &request.sealed_pin, &request.statement)?;
    pin.check_strength()?;
    let mut fields = key.fields.clone();
    fields.pin = Some(make_verifier(vault, credential_id, &pin)?);
    fields.device = Some(request.device.clone());
    fields.version += 1;
    seal(vault, fields)
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
    fields.failures = 0;
    fields.attempt = None;
    fields.version += 1;
    remember_spent(&mut fields.spent, &attempt.activation);
    Ok(Outcome::Signed {
        signatures,
        key: seal(vault, fields)?,
    })
}

/// Starts a change of device or PIN.
pub(crate) fn begin_rebinding(
    vault: &mut dyn Vault,
    key: &CitizenKey,
    credential_id: &str,
    rebinding: &Arc<Rebinding>,
    now: i64,
) -> Result<RebindingAttempt, Fault> {
    check_authentic(vault, key, credential_id)?;
    let device = key.fields.device.as_ref().ok_or(Error::Unclaimed)?;
    let binding = &rebinding.binding;
    let statement = binding.check(now).map_err(Error::from)?;
    if statement.subject != Subject::Credential(credential_id.to_owned()) {
        return Err(Error::from(Refusal::Other { field: "subject" }).into());
    }
    // A new PIN is chosen on the bound device, a new device is another one; neither is a first binding.
    let purpose_fits = match statement.purpose {
        Purpose::ChangePin => binding.device == *device,
        Purpose::ChangeDevice => binding.device != *device,
        Purpose::Enrol => false,
    };
    if !purpose_fits {
        return Err(Error::from(Refusal::Other { field: "purpose" }).into());
    }
    let digest = statement_digest(&binding.statement);
    let try_digest = try_digest(&digest, &rebinding.current_pin);
    let fields = raise(&key.fields, &try_digest)?;
    let next = open_pin(vault, &binding.sealed_pin, &binding.statement)?;
    next.check_strength()?;
    let current = open_pin(vault, &rebinding.current_pin, &binding.statement)?;
    let raised = match fields {
        Some(fields) => seal(vault, fields)?,
        None => key.clone(),
    };
    Ok(RebindingAttempt {
        raised,
        rebinding: Arc::clone(rebinding),
        try_digest,
        current,
        next,
    })
}

/// Finishes a change of device or PIN.
pub(crate) fn rebind(
    vault: &mut dyn Vault,
    memory: &Memory,
    attempt: &RebindingAttempt,
    stored: &CitizenKey,
) -> Result<RebindingOutcome, Fault> {
    check_stored(memory, &attempt.raised, stored, &attempt.try_digest)?;
    if !is_right_pin(vault, &stored.fields, &attempt.current)? {
        return Ok(match tries_left(stored) {
            0 => RebindingOutcome::Locked {
                key: stored.clone(),
            },
            tries_left => RebindingOutcome::WrongPin {
                tries_left,
                key: stored.clone(),
            },
        });
    }
    let mut fields = stored.fields.clone();
    fields.pin = Some(make_verifier(
        vault,
        &stored.fields.credential,
        &attempt.next,
    )?);
    fields.device = Some(attempt.rebinding.binding.device.clone());
    fields.failures = 0;
    fields.attempt = None;
    fields.version += 1;
    Ok(RebindingOutcome::Bound {
        key: seal(vault, fields)?,
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

fn check_authentic(
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

fn check_subject(subject: &Subject, credential_id: &str) -> Result<(), Error> {
    match subject {
        Subject::Credential(id) if id != credential_id => {
            Err(Refusal::Other { field: "subject" }.into())
        }
        // An enrolment ends in this credential; which one is the caller's row, compared in `BindingRequest::check`.
        _ => Ok(()),
    }
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
    sealed.check_shape()?;
    let public_key = vault.approval_public_key()?;
    let point = public_key.point().ok_or(Error::Primitive {
        what: "the approval key",
    })?;
    let value = vault.agree(&sealed.enc)?;
    Ok(Pin::open(sealed, &value, &point, statement)?)
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
fn remember_spent(spent: &mut Vec<Spent>, activation: &Activation) {
    spent.retain(|spent| spent.expires_at > activation.checked_at());
    if spent.len() == SPENT_MAX {
        spent.remove(0);
    }
    spent.push(Spent {
        statement: statement_digest(activation.statement_bytes()),
        expires_at: activation.statement().expires_at,
    });
}
