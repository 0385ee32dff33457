//! Rows of `credential`, `credential_free_portal`, `binding` and `pooled_key`: the only SQL about them.

use std::collections::HashSet;

use kyso_keystore::{BackendName, CitizenKey, Consent, PooledKey};
use kyso_pki::algorithm::KeyAlgorithm;
use kyso_store::{BlobId, Row, Store, Tx, Value};

use super::key_subject;
use super::state::{
    Binding, BindingIntention, BindingPurpose, BindingState, Credential, CredentialState, Opening,
};
use crate::device::table::{
    corrupt, device_digest, device_key_bytes, device_key_from, pin_bytes, pin_from,
    signature_bytes, signature_from,
};
use crate::{BindingId, CredentialId, DeviceId, Error, PortalId, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_FREE_PORTAL,
    BY_ID,
    BY_ENROLMENT,
    OF_CITIZEN,
    OF_SIGNER,
    KEY,
    SET_KEY,
    SET_CERTIFICATE,
    CHAIN,
    MOVE,
    MOVE_AND_DESTROY,
    SUSPEND,
    RESUME,
    EXPIRE_DUE,
    ACTIVATE,
    BIND_KEY,
    RAISE_ONE,
    SETTLE_ONE,
    LOCK,
    PROMISED,
    PROMISE,
    FORGET_POOLED,
    DROP_POOLED,
    ADD_POOLED,
    COUNT_POOLED,
    INSERT_BINDING,
    BINDING,
    BINDING_WORK,
    END_BINDING,
    REFUSE_PENDING_BINDINGS,
    IS_FREE,
    RAISE_MANY,
    KEY_RECORDED,
    SETTLE_MANY,
    STORE_KEY_MANY,
    RELEASE,
    RELEASE_STALE,
    OPEN_BINDINGS,
];

const INSERT: &str = "-- credential.insert
INSERT INTO credential (id, enrolment, citizen, identity_number, state, algorithm, plan_end_at, units_left, created_at)
VALUES ($1, $2, $3, $4, 'opening', $5, $6, $7, $8) ON CONFLICT (enrolment) DO NOTHING";

const INSERT_FREE_PORTAL: &str = "-- credential.insert_free_portal
INSERT INTO credential_free_portal (credential_id, portal_id) VALUES ($1, $2)";

const BY_ID: &str = "-- credential.by_id
SELECT id, enrolment, citizen, identity_number, state, algorithm, plan_end_at, certificate, certificate_id, serial, not_before_at, not_after_at,
    bound_at, activated_at, pin_locked_at, units_left, reason, created_at
FROM credential WHERE id = $1";

const BY_ENROLMENT: &str = "-- credential.by_enrolment
SELECT id, enrolment, citizen, identity_number, state, algorithm, plan_end_at, certificate, certificate_id, serial, not_before_at, not_after_at,
    bound_at, activated_at, pin_locked_at, units_left, reason, created_at
FROM credential WHERE enrolment = $1";

const OF_CITIZEN: &str = "-- credential.of_citizen
SELECT id, enrolment, citizen, identity_number, state, algorithm, plan_end_at, certificate, certificate_id, serial, not_before_at, not_after_at,
    bound_at, activated_at, pin_locked_at, units_left, reason, created_at
FROM credential WHERE citizen = $1 AND state IN ('opening', 'active', 'suspended')";

const OF_SIGNER: &str = "-- credential.of_signer
SELECT id, enrolment, citizen, identity_number, state, algorithm, plan_end_at, certificate, certificate_id, serial, not_before_at, not_after_at,
    bound_at, activated_at, pin_locked_at, units_left, reason, created_at
FROM credential WHERE identity_number = $1 AND state IN ('opening', 'active', 'suspended') ORDER BY id";

const KEY: &str = "-- credential.key
SELECT key_row, key_version FROM credential WHERE id = $1";

const SET_KEY: &str = "-- credential.set_key
UPDATE credential SET key_row = $2, key_version = $3 WHERE id = $1 AND state = 'opening' AND key_row IS NULL";

const SET_CERTIFICATE: &str = "-- credential.set_certificate
UPDATE credential SET certificate = $2, certificate_id = $3, serial = $4, chain_blob = $5, not_before_at = $6, not_after_at = $7, issued_at = $8
WHERE id = $1 AND state = 'opening' AND certificate IS NULL";

const CHAIN: &str = "-- credential.chain
SELECT certificate, chain_blob FROM credential WHERE id = $1 AND certificate IS NOT NULL";

const MOVE: &str = "-- credential.expire
UPDATE credential SET state = 'expired', ended_at = $2, suspended_at = NULL WHERE id = $1 AND state = $3";

const MOVE_AND_DESTROY: &str = "-- credential.end
UPDATE credential SET state = $3, ended_at = $4, reason = $5, key_row = NULL, key_version = NULL, attempt = NULL, suspended_at = NULL
WHERE id = $1 AND state = $2";

const SUSPEND: &str = "-- credential.suspend
UPDATE credential SET state = 'suspended', suspended_at = $2, reason = $3 WHERE id = $1 AND state = 'active'";

const RESUME: &str = "-- credential.resume
UPDATE credential SET state = 'active', suspended_at = NULL, reason = NULL WHERE id = $1 AND state = 'suspended'";

const EXPIRE_DUE: &str = "-- credential.expire_due
SELECT id, state FROM credential WHERE state IN ('active', 'suspended') AND not_after_at < $1 ORDER BY not_after_at LIMIT 500";

const ACTIVATE: &str = "-- credential.activate
UPDATE credential SET state = 'active', activated_at = $2 WHERE id = $1 AND state = 'opening' AND bound_at IS NOT NULL";

const BIND_KEY: &str = "-- credential.bind_key
UPDATE credential SET key_row = $2, key_version = $3, bound_at = COALESCE(bound_at, $5), attempt = NULL
WHERE id = $1 AND key_version = $4 AND state IN ('opening', 'active', 'suspended')";

const RAISE_ONE: &str = "-- credential.raise_one
UPDATE credential SET key_row = $2, key_version = $3, attempt = $5
WHERE id = $1 AND key_version = $4 AND (attempt IS NULL OR attempt = $5)";

const SETTLE_ONE: &str = "-- credential.settle_one
UPDATE credential SET key_row = $2, key_version = $3, attempt = NULL, pin_locked_at = $6
WHERE id = $1 AND key_version = $4 AND attempt = $5";

const LOCK: &str = "-- credential.lock
UPDATE credential SET pin_locked_at = $2 WHERE id = $1 AND pin_locked_at IS NULL";

const PROMISED: &str = "-- credential.promised_key
SELECT id, sealed FROM pooled_key WHERE credential_id = $1 AND backend = $2";

const PROMISE: &str = "-- credential.promise_key
UPDATE pooled_key SET credential_id = $1
WHERE id = (SELECT id FROM pooled_key WHERE credential_id IS NULL AND backend = $2 AND algorithm = $3 ORDER BY id LIMIT 1) AND credential_id IS NULL
RETURNING id, sealed";

const FORGET_POOLED: &str = "-- credential.forget_pooled_key
DELETE FROM pooled_key WHERE credential_id = $1";

const DROP_POOLED: &str = "-- credential.drop_pooled_keys
DELETE FROM pooled_key WHERE backend <> $1";

const ADD_POOLED: &str = "-- credential.add_pooled_key
INSERT INTO pooled_key (id, backend, algorithm, sealed, created_at) VALUES ($1, $2, $3, $4, $5)";

const COUNT_POOLED: &str = "-- credential.count_pooled_keys
SELECT COUNT(*) AS pooled FROM pooled_key WHERE backend = $1 AND algorithm = $2 AND credential_id IS NULL";

const INSERT_BINDING: &str = "-- credential.insert_binding
INSERT INTO binding (id, credential_id, purpose, state, nonce, statement, device_id, device_key, device_digest, signature, sealed_pin, consent, current_pin, created_at)
VALUES ($1, $2, $3, 'pending', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

const BINDING: &str = "-- credential.binding
SELECT id, credential_id, device_id, state, refusal, tries_left, created_at FROM binding WHERE id = $1";

const BINDING_WORK: &str = "-- credential.binding_work
SELECT b.purpose, b.nonce, b.statement, b.device_id, b.device_key, b.signature, b.sealed_pin, b.consent, b.current_pin,
    c.id, c.enrolment, c.citizen, c.key_row, c.attempt
FROM binding b JOIN credential c ON c.id = b.credential_id WHERE b.id = $1 AND b.state = 'pending'";

const END_BINDING: &str = "-- credential.end_binding
UPDATE binding SET state = $2, refusal = $3, tries_left = $4, ended_at = $5, sealed_pin = NULL, current_pin = NULL WHERE id = $1 AND state = 'pending'";

const OPEN_BINDINGS: &str = "-- credential.open_bindings
SELECT id FROM binding WHERE state = 'pending' ORDER BY id";

const REFUSE_PENDING_BINDINGS: &str = "-- credential.refuse_pending_bindings
UPDATE binding SET state = 'refused', refusal = 'credential-ended', ended_at = $2, sealed_pin = NULL, current_pin = NULL
WHERE credential_id = $1 AND state = 'pending'";

const IS_FREE: &str = "-- credential.is_free_at
SELECT portal_id FROM credential_free_portal WHERE credential_id = $1 AND portal_id = $2";

// The signing path: one statement for a whole batch. The sub-select that finds nothing gives the parameter its type.

const RAISE_MANY: &str = "-- credential.raise_many
UPDATE credential SET key_row = v.column3, key_version = v.column4, attempt = v.column2
FROM (VALUES ($1, $2, COALESCE($3, (SELECT key_row FROM credential WHERE FALSE)), CAST($4 AS BIGINT), CAST($5 AS BIGINT))) AS v
WHERE credential.id = v.column1 AND credential.key_version = v.column5
    AND (credential.attempt IS NULL OR credential.attempt = v.column2) AND credential.state IN ('opening', 'active')
RETURNING id";

const KEY_RECORDED: &str = "-- credential.key_recorded
SELECT id FROM ledger_entry WHERE subject = $1 LIMIT 1";

const SETTLE_MANY: &str = "-- credential.settle_many
UPDATE credential SET key_row = v.column3, key_version = v.column4, attempt = NULL, units_left = credential.units_left - v.column6
FROM (VALUES ($1, $2, COALESCE($3, (SELECT key_row FROM credential WHERE FALSE)), CAST($4 AS BIGINT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), $7)) AS v
WHERE credential.id = v.column1 AND credential.attempt = v.column2 AND credential.key_version = v.column5
    AND credential.state = v.column7 AND (credential.units_left IS NULL OR credential.units_left >= v.column6)
RETURNING id";

const STORE_KEY_MANY: &str = "-- credential.store_key_many
UPDATE credential SET key_row = v.column3, key_version = v.column4, attempt = NULL
FROM (VALUES ($1, $2, COALESCE($3, (SELECT key_row FROM credential WHERE FALSE)), CAST($4 AS BIGINT), CAST($5 AS BIGINT))) AS v
WHERE credential.id = v.column1 AND credential.attempt = v.column2 AND credential.key_version = v.column5
RETURNING id";

const RELEASE: &str = "-- credential.release
UPDATE credential SET attempt = NULL WHERE id = $1 AND attempt = $2";

const RELEASE_STALE: &str = "-- credential.release_stale
UPDATE credential SET attempt = NULL WHERE id = $1 AND attempt = $2
    AND NOT EXISTS (SELECT 1 FROM signature_request r WHERE r.id = $2 AND r.state = 'approved')
    AND NOT EXISTS (SELECT 1 FROM binding b WHERE b.id = $2 AND b.state = 'pending')";

/// Inserts the row unless the enrolment has one; whether it did.
pub(crate) async fn insert(tx: &mut Tx, id: CredentialId, opening: &Opening) -> Result<bool> {
    let args: [Value; 8] = [
        id.into(),
        (&opening.enrolment).into(),
        (&opening.citizen).into(),
        (&opening.identity_number).into(),
        opening.algorithm.as_str().into(),
        opening.plan_end_at.into(),
        opening.units.into(),
        tx.now().into(),
    ];
    if tx.execute(INSERT, &args).await? == 0 {
        return Ok(false);
    }
    let free: Vec<Vec<Value>> = opening
        .free_portals
        .iter()
        .map(|portal| vec![id.into(), portal.into()])
        .collect();
    if !free.is_empty() {
        tx.execute_many(INSERT_FREE_PORTAL, &free).await?;
    }
    Ok(true)
}

pub(crate) async fn by_id(store: &Store, id: CredentialId) -> Result<Option<Credential>> {
    store
        .optional(BY_ID, &[id.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn by_id_in(tx: &mut Tx, id: CredentialId) -> Result<Credential> {
    let row = tx
        .optional(BY_ID, &[id.into()])
        .await?
        .ok_or(Error::NotFound { what: "credential" })?;
    read(&row)
}

pub(crate) async fn by_enrolment(store: &Store, enrolment: &str) -> Result<Option<Credential>> {
    store
        .optional(BY_ENROLMENT, &[enrolment.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn of_citizen(store: &Store, citizen: &str) -> Result<Option<Credential>> {
    store
        .optional(OF_CITIZEN, &[citizen.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// The live credentials with this identity number.
pub(crate) async fn of_signer(store: &Store, identity_number: &str) -> Result<Vec<Credential>> {
    store
        .all(OF_SIGNER, &[identity_number.into()])
        .await?
        .iter()
        .map(read)
        .collect()
}

pub(crate) async fn key(store: &Store, id: CredentialId) -> Result<Option<CitizenKey>> {
    let Some(row) = store.optional(KEY, &[id.into()]).await? else {
        return Ok(None);
    };
    Ok(row
        .opt_bytes("key_row")?
        .map(CitizenKey::from_bytes)
        .transpose()?)
}

/// Keeps a new key if the credential has none yet; whether it was kept.
pub(crate) async fn set_key(tx: &mut Tx, id: CredentialId, key: &CitizenKey) -> Result<bool> {
    Ok(tx
        .execute(
            SET_KEY,
            &[id.into(), key.as_bytes().into(), version(key).into()],
        )
        .await?
        == 1)
}

/// What a certificate adds to its credential.
pub(crate) struct NewCertificate<'a> {
    pub(crate) id: kyso_authority::CertificateId,
    pub(crate) der: &'a [u8],
    pub(crate) serial: String,
    pub(crate) chain: BlobId,
    pub(crate) not_before_at: i64,
    pub(crate) not_after_at: i64,
}

/// Keeps the certificate if the credential has none yet; whether it was kept.
pub(crate) async fn set_certificate(
    tx: &mut Tx,
    id: CredentialId,
    certificate: NewCertificate<'_>,
) -> Result<bool> {
    let args: [Value; 8] = [
        id.into(),
        certificate.der.into(),
        certificate.id.into(),
        certificate.serial.into(),
        certificate.chain.into(),
        certificate.not_before_at.into(),
        certificate.not_after_at.into(),
        tx.now().into(),
    ];
    Ok(tx.execute(SET_CERTIFICATE, &args).await? == 1)
}

/// The certificate and its chain as they were when it was issued: what every signature of this credential carries.
pub(crate) async fn chain(store: &Store, id: CredentialId) -> Result<(Vec<u8>, Vec<Vec<u8>>)> {
    let row = store
        .optional(CHAIN, &[id.into()])
        .await?
        .ok_or(Error::NotFound {
            what: "certificate",
        })?;
    let blob: BlobId = row
        .text("chain_blob")?
        .parse()
        .map_err(|_| corrupt("credential", &id))?;
    let joined = store.read_blob(&blob).await?;
    let chain = split_chain(&joined).ok_or_else(|| corrupt("credential", &id))?;
    Ok((row.bytes("certificate")?, chain))
}

/// A chain as it is stored: each certificate after its length in four octets.
pub(crate) fn join_chain<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for der in chain {
        joined.extend_from_slice(&u32::try_from(der.len()).unwrap_or(u32::MAX).to_be_bytes());
        joined.extend_from_slice(der);
    }
    joined
}

fn split_chain(mut joined: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut chain = Vec::new();
    while !joined.is_empty() {
        let (length, rest) = joined.split_first_chunk::<4>()?;
        let (der, rest) =
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        chain.push(der.to_vec());
        joined = rest;
    }
    Some(chain)
}

pub(crate) async fn suspend(tx: &mut Tx, id: CredentialId, reason: &str) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(
            "credential",
            1,
            SUSPEND,
            &[id.into(), now.into(), reason.into()],
        )
        .await?)
}

pub(crate) async fn resume(tx: &mut Tx, id: CredentialId) -> Result<()> {
    Ok(tx.change("credential", 1, RESUME, &[id.into()]).await?)
}

/// Ends the credential for good and overwrites its key.
pub(crate) async fn end(
    tx: &mut Tx,
    id: CredentialId,
    from: CredentialState,
    to: CredentialState,
    reason: &str,
) -> Result<()> {
    let args = [
        id.into(),
        from.as_str().into(),
        to.as_str().into(),
        tx.now().into(),
        reason.into(),
    ];
    tx.change("credential", 1, MOVE_AND_DESTROY, &args).await?;
    let now = tx.now();
    tx.execute(REFUSE_PENDING_BINDINGS, &[id.into(), now.into()])
        .await?;
    tx.execute(FORGET_POOLED, &[id.into()]).await?;
    Ok(())
}

/// Credentials whose certificate has ended, at most 500.
pub(crate) async fn ended(tx: &mut Tx) -> Result<Vec<(CredentialId, CredentialState)>> {
    let now = tx.now();
    tx.all(EXPIRE_DUE, &[now.into()])
        .await?
        .iter()
        .map(|row| Ok((row.id("id")?, state(row, "state")?)))
        .collect()
}

pub(crate) async fn expire(tx: &mut Tx, id: CredentialId, from: CredentialState) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change(
            "credential",
            1,
            MOVE,
            &[id.into(), now.into(), from.as_str().into()],
        )
        .await?)
}

pub(crate) async fn activate(tx: &mut Tx, id: CredentialId) -> Result<()> {
    let now = tx.now();
    Ok(tx
        .change("credential", 1, ACTIVATE, &[id.into(), now.into()])
        .await?)
}

/// The key after a binding, in place of `before`.
pub(crate) async fn bind_key(
    tx: &mut Tx,
    id: CredentialId,
    before: &CitizenKey,
    key: &CitizenKey,
) -> Result<()> {
    let args = [
        id.into(),
        key.as_bytes().into(),
        version(key).into(),
        version(before).into(),
        tx.now().into(),
    ];
    Ok(tx.change("credential", 1, BIND_KEY, &args).await?)
}

/// The raised row of an attempt that `owner` makes, in place of `before`; refused while another attempt is on its way.
///
/// # Errors
/// [`Error::KeyRolledBack`] if the ledger has a line of the row after `before`.
pub(crate) async fn raise_one(
    tx: &mut Tx,
    id: CredentialId,
    owner: &str,
    before: &CitizenKey,
    raised: &CitizenKey,
) -> Result<bool> {
    let args = [
        id.into(),
        raised.as_bytes().into(),
        version(raised).into(),
        version(before).into(),
        owner.into(),
    ];
    if tx.execute(RAISE_ONE, &args).await? != 1 {
        return Ok(false);
    }
    let next = key_subject(id, version(before) + 1);
    // The row is ours: nobody replaces it meanwhile.
    match tx.optional(KEY_RECORDED, &[next.into()]).await? {
        Some(_) => Err(crate::rolled_back(id, version(before), version(before) + 1)),
        None => Ok(true),
    }
}

/// Whether the ledger knows a row after this version.
pub(crate) async fn is_replaced(store: &Store, id: CredentialId, version: i64) -> Result<bool> {
    let next = key_subject(id, version + 1);
    Ok(store
        .optional(KEY_RECORDED, &[next.into()])
        .await?
        .is_some())
}

/// The row after an attempt whose PIN was wrong, in place of the raised one.
pub(crate) async fn settle_one(
    tx: &mut Tx,
    id: CredentialId,
    owner: &str,
    raised: &CitizenKey,
    key: &CitizenKey,
) -> Result<bool> {
    let locked_at = key.is_locked().then(|| tx.now());
    let args = [
        id.into(),
        key.as_bytes().into(),
        version(key).into(),
        version(raised).into(),
        owner.into(),
        locked_at.into(),
    ];
    Ok(tx.execute(SETTLE_ONE, &args).await? == 1)
}

/// The key row says that no try is left; whether that is new here. It never is undone.
pub(crate) async fn lock(tx: &mut Tx, id: CredentialId) -> Result<bool> {
    let now = tx.now();
    Ok(tx.execute(LOCK, &[id.into(), now.into()]).await? == 1)
}

/// Nobody's attempt is on its way any more, if it was this owner's.
pub(crate) async fn release(tx: &mut Tx, id: CredentialId, owner: &str) -> Result<()> {
    tx.execute(RELEASE, &[id.into(), owner.into()]).await?;
    Ok(())
}

/// As [`release`], if the owner's work is over.
pub(crate) async fn release_stale(tx: &mut Tx, id: CredentialId, owner: &str) -> Result<()> {
    tx.execute(RELEASE_STALE, &[id.into(), owner.into()])
        .await?;
    Ok(())
}

/// One credential of a batch whose key row changes.
pub(crate) struct KeyChange<'a> {
    pub(crate) credential: CredentialId,
    /// The request whose attempt it is.
    pub(crate) request: String,
    pub(crate) before: i64,
    pub(crate) key: &'a CitizenKey,
}

/// Raises every row still at the expected version and free for this request; the credentials whose row was raised.
pub(crate) async fn raise_many(
    tx: &mut Tx,
    changes: &[KeyChange<'_>],
) -> Result<HashSet<CredentialId>> {
    let rows: Vec<Vec<Value>> = changes.iter().map(|change| change.values()).collect();
    ids(&tx.all_many(RAISE_MANY, &[], &rows).await?)
}

/// Stores the reset rows and debits, where the credential still is in the state it must be in and has the units; the credentials that passed.
pub(crate) async fn settle_many(
    tx: &mut Tx,
    changes: &[(KeyChange<'_>, i64, CredentialState)],
) -> Result<HashSet<CredentialId>> {
    let rows: Vec<Vec<Value>> = changes
        .iter()
        .map(|(change, units, state)| {
            let mut values = change.values();
            values.push((*units).into());
            values.push(state.as_str().into());
            values
        })
        .collect();
    ids(&tx.all_many(SETTLE_MANY, &[], &rows).await?)
}

/// Stores the reset rows whatever state the credential is in: the PIN was right, the signature is not released.
pub(crate) async fn store_key_many(
    tx: &mut Tx,
    changes: &[KeyChange<'_>],
) -> Result<HashSet<CredentialId>> {
    let rows: Vec<Vec<Value>> = changes.iter().map(|change| change.values()).collect();
    ids(&tx.all_many(STORE_KEY_MANY, &[], &rows).await?)
}

fn ids(rows: &[Row]) -> Result<HashSet<CredentialId>> {
    rows.iter().map(|row| Ok(row.id("id")?)).collect()
}

impl KeyChange<'_> {
    fn values(&self) -> Vec<Value> {
        vec![
            self.credential.into(),
            (&self.request).into(),
            self.key.as_bytes().into(),
            version(self.key).into(),
            self.before.into(),
        ]
    }
}

/// A key's version as the column has it.
pub(crate) fn version(key: &CitizenKey) -> i64 {
    i64::try_from(key.version()).unwrap_or(i64::MAX)
}

/// The pooled key of this backend promised to this credential, promising one now if there is one.
pub(crate) async fn promise(
    tx: &mut Tx,
    id: CredentialId,
    backend: BackendName,
    algorithm: KeyAlgorithm,
) -> Result<Option<PooledKey>> {
    if let Some(row) = tx
        .optional(PROMISED, &[id.into(), backend.as_str().into()])
        .await?
    {
        return Ok(Some(PooledKey::from_bytes(row.bytes("sealed")?)?));
    }
    // One of another backend, promised before the default changed, is in the way.
    forget_pooled(tx, id).await?;
    let args: [Value; 3] = [
        id.into(),
        backend.as_str().into(),
        algorithm.as_str().into(),
    ];
    let row = tx.optional(PROMISE, &args).await?;
    row.map(|row| Ok(PooledKey::from_bytes(row.bytes("sealed")?)?))
        .transpose()
}

pub(crate) async fn forget_pooled(tx: &mut Tx, id: CredentialId) -> Result<()> {
    tx.execute(FORGET_POOLED, &[id.into()]).await?;
    Ok(())
}

/// Drops the pairs of every backend but this one, which makes the new keys; how many there were.
pub(crate) async fn drop_pooled_but(tx: &mut Tx, backend: BackendName) -> Result<u64> {
    Ok(tx.execute(DROP_POOLED, &[backend.as_str().into()]).await?)
}

pub(crate) async fn add_pooled(
    tx: &mut Tx,
    algorithm: KeyAlgorithm,
    keys: &[PooledKey],
) -> Result<()> {
    kyso_store::typed_id!(PooledKeyId, "pool");
    let rows: Vec<Vec<Value>> = keys
        .iter()
        .map(|key| {
            vec![
                tx.id::<PooledKeyId>().into(),
                key.backend().as_str().into(),
                algorithm.as_str().into(),
                key.as_bytes().into(),
                tx.now().into(),
            ]
        })
        .collect();
    tx.execute_many(ADD_POOLED, &rows).await?;
    Ok(())
}

pub(crate) async fn count_pooled(
    store: &Store,
    backend: BackendName,
    algorithm: KeyAlgorithm,
) -> Result<usize> {
    let pooled = store
        .one(
            COUNT_POOLED,
            &[backend.as_str().into(), algorithm.as_str().into()],
        )
        .await?
        .int("pooled")?;
    Ok(usize::try_from(pooled).unwrap_or(0))
}

pub(crate) async fn insert_binding(
    tx: &mut Tx,
    binding: &Binding,
    purpose: BindingPurpose,
    nonce: &str,
    intention: &BindingIntention,
) -> Result<()> {
    let consent = intention.consent.as_ref();
    let args: [Value; 13] = [
        binding.id.into(),
        binding.credential.into(),
        purpose.as_str().into(),
        nonce.into(),
        (&intention.statement).into(),
        binding.device.into(),
        device_key_bytes(&intention.device).into(),
        device_digest(&intention.device).into(),
        signature_bytes(&intention.signature).into(),
        pin_bytes(&intention.sealed_pin).into(),
        consent
            .map(|consent| signature_bytes(&consent.signature))
            .into(),
        consent
            .map(|consent| pin_bytes(&consent.current_pin))
            .into(),
        binding.created_at.into(),
    ];
    Ok(tx.change("binding", 1, INSERT_BINDING, &args).await?)
}

pub(crate) async fn binding(store: &Store, id: BindingId) -> Result<Option<Binding>> {
    let Some(row) = store.optional(BINDING, &[id.into()]).await? else {
        return Ok(None);
    };
    let state = match (row.text("state")?.as_str(), row.opt_text("refusal")?) {
        ("pending", None) => BindingState::Pending,
        ("bound", None) => BindingState::Bound,
        ("refused", Some(code)) => BindingState::Refused { code },
        _ => return Err(corrupt("binding", &id)),
    };
    Ok(Some(Binding {
        id,
        credential: row.id("credential_id")?,
        device: row.id("device_id")?,
        state,
        tries_left: row.opt_int("tries_left")?,
        created_at: row.int("created_at")?,
    }))
}

/// A pending binding with the credential it is for: what the worker needs.
pub(crate) struct BindingWork {
    pub(crate) purpose: BindingPurpose,
    pub(crate) nonce: String,
    pub(crate) device_id: DeviceId,
    pub(crate) intention: BindingIntention,
    pub(crate) credential: CredentialId,
    pub(crate) enrolment: String,
    pub(crate) citizen: String,
    pub(crate) key: Option<CitizenKey>,
    pub(crate) attempt: Option<String>,
}

pub(crate) async fn binding_work(store: &Store, id: BindingId) -> Result<Option<BindingWork>> {
    let Some(row) = store.optional(BINDING_WORK, &[id.into()]).await? else {
        return Ok(None);
    };
    let broken = || corrupt("binding", &id);
    let consent = match (row.opt_bytes("consent")?, row.opt_bytes("current_pin")?) {
        (Some(signature), Some(pin)) => Some(Consent {
            signature: signature_from(&signature).ok_or_else(broken)?,
            current_pin: pin_from(&pin).ok_or_else(broken)?,
        }),
        _ => None,
    };
    Ok(Some(BindingWork {
        purpose: BindingPurpose::from_stored(&row.text("purpose")?).ok_or_else(broken)?,
        nonce: row.text("nonce")?,
        device_id: row.id("device_id")?,
        intention: BindingIntention {
            statement: row.bytes("statement")?,
            device: device_key_from(&row.bytes("device_key")?).ok_or_else(broken)?,
            signature: signature_from(&row.bytes("signature")?).ok_or_else(broken)?,
            sealed_pin: pin_from(&row.bytes("sealed_pin")?).ok_or_else(broken)?,
            consent,
        },
        credential: row.id("id")?,
        enrolment: row.text("enrolment")?,
        citizen: row.text("citizen")?,
        key: row
            .opt_bytes("key_row")?
            .map(CitizenKey::from_bytes)
            .transpose()?,
        attempt: row.opt_text("attempt")?,
    }))
}

/// Every binding the worker has yet to execute.
pub(crate) async fn open_bindings(store: &Store) -> Result<Vec<BindingId>> {
    store
        .all(OPEN_BINDINGS, &[])
        .await?
        .iter()
        .map(|row| Ok(row.id("id")?))
        .collect()
}

/// Ends a pending binding and erases its sealed PINs; whether it was still pending.
pub(crate) async fn end_binding(
    tx: &mut Tx,
    id: BindingId,
    refusal: Option<&str>,
    tries_left: Option<i64>,
) -> Result<bool> {
    let state = if refusal.is_some() {
        "refused"
    } else {
        "bound"
    };
    let args = [
        id.into(),
        state.into(),
        refusal.into(),
        tries_left.into(),
        tx.now().into(),
    ];
    Ok(tx.execute(END_BINDING, &args).await? == 1)
}

/// Whether signatures asked by this portal cost the credential nothing.
pub(crate) async fn is_free(
    store: &Store,
    credential: CredentialId,
    portal: PortalId,
) -> Result<bool> {
    Ok(store
        .optional(IS_FREE, &[credential.into(), portal.into()])
        .await?
        .is_some())
}

pub(crate) fn state(row: &Row, column: &str) -> Result<CredentialState> {
    let word = row.text(column)?;
    CredentialState::from_stored(&word).ok_or_else(|| corrupt("credential", &word))
}

fn read(row: &Row) -> Result<Credential> {
    let id: CredentialId = row.id("id")?;
    Ok(Credential {
        id,
        enrolment: row.text("enrolment")?,
        citizen: row.text("citizen")?,
        identity_number: row.text("identity_number")?,
        state: state(row, "state")?,
        algorithm: row
            .text("algorithm")?
            .parse()
            .map_err(|_| corrupt("credential", &id))?,
        plan_end_at: row.int("plan_end_at")?,
        certificate: row.opt_bytes("certificate")?,
        serial: row.opt_text("serial")?,
        certificate_id: row.opt_id("certificate_id")?,
        not_before_at: row.opt_int("not_before_at")?,
        not_after_at: row.opt_int("not_after_at")?,
        bound_at: row.opt_int("bound_at")?,
        activated_at: row.opt_int("activated_at")?,
        pin_locked_at: row.opt_int("pin_locked_at")?,
        units_left: row.opt_int("units_left")?,
        reason: row.opt_text("reason")?,
        created_at: row.int("created_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_reads_back_and_a_cut_one_does_not() {
        let joined = join_chain([&[1u8, 2, 3][..], &[], &[4]]);
        assert_eq!(
            split_chain(&joined),
            Some(vec![vec![1, 2, 3], vec![], vec![4]])
        );
        assert_eq!(split_chain(&joined[..joined.len() - 1]), None);
        assert_eq!(split_chain(&[0, 0]), None);
        assert_eq!(split_chain(&[]), Some(vec![]));
    }
}
