//! Rows of `portal` and `portal_secret`: the only SQL about them.

use kyso_store::{BlobId, Row, Tx, Value};

use super::network::Network;
use super::state::{Portal, Scopes};
use crate::{Error, PortalId, Result};

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_SECRET,
    BY_SECRET,
    BY_ID,
    BY_CLIENT_ID,
    ALL,
    RETIRE_SECRETS,
    SET_WEBHOOK,
    ROTATE_WEBHOOK,
    SET_SCOPES,
    SET_RETURN_TO,
    SET_STATUS_FROM,
    DISABLE,
    WEBHOOK,
];

const INSERT: &str = "-- portal.insert
INSERT INTO portal (id, client_id, name, may_documents, may_digests, may_sp769, public_key, webhook_url, webhook_secret, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const INSERT_SECRET: &str = "-- portal.insert_secret
INSERT INTO portal_secret (digest, portal_id, created_at) VALUES ($1, $2, $3)";

const BY_SECRET: &str = "-- portal.by_secret
SELECT p.id, p.client_id, p.name, p.may_documents, p.may_digests, p.may_sp769, p.webhook_url, p.return_to, p.status_from, p.created_at, p.disabled_at
FROM portal_secret s JOIN portal p ON p.id = s.portal_id
WHERE s.digest = $1 AND p.client_id = $2 AND p.disabled_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > $3)";

const BY_ID: &str = "-- portal.by_id
SELECT id, client_id, name, may_documents, may_digests, may_sp769, webhook_url, return_to, status_from, created_at, disabled_at FROM portal WHERE id = $1";

const BY_CLIENT_ID: &str = "-- portal.by_client_id
SELECT id, client_id, name, may_documents, may_digests, may_sp769, webhook_url, return_to, status_from, created_at, disabled_at FROM portal WHERE client_id = $1";

const ALL: &str = "-- portal.all
SELECT id, client_id, name, may_documents, may_digests, may_sp769, webhook_url, return_to, status_from, created_at, disabled_at FROM portal ORDER BY id";

const RETIRE_SECRETS: &str = "-- portal.retire_secrets
UPDATE portal_secret SET expires_at = $2 WHERE portal_id = $1 AND (expires_at IS NULL OR expires_at > $2)";

const SET_WEBHOOK: &str = "-- portal.set_webhook
UPDATE portal SET webhook_url = $2, webhook_secret = $3, webhook_secret_before = NULL, webhook_before_until = NULL WHERE id = $1";

const ROTATE_WEBHOOK: &str = "-- portal.rotate_webhook
UPDATE portal SET webhook_secret_before = webhook_secret, webhook_before_until = $3, webhook_secret = $2
WHERE id = $1 AND webhook_secret IS NOT NULL";

const SET_SCOPES: &str = "-- portal.set_scopes
UPDATE portal SET may_documents = $2, may_digests = $3, may_sp769 = $4 WHERE id = $1";

const SET_RETURN_TO: &str = "-- portal.set_return_to
UPDATE portal SET return_to = $2 WHERE id = $1";

const SET_STATUS_FROM: &str = "-- portal.set_status_from
UPDATE portal SET status_from = $2 WHERE id = $1";

const DISABLE: &str = "-- portal.disable
UPDATE portal SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL";

const WEBHOOK: &str = "-- portal.webhook
SELECT client_id, webhook_url, webhook_secret, webhook_secret_before, webhook_before_until FROM portal WHERE id = $1";

/// Where and how a portal is told of results.
pub(crate) struct Webhook {
    pub(crate) client_id: String,
    pub(crate) url: Option<String>,
    pub(crate) secret: Option<BlobId>,
    /// The one before, and until when it signs too.
    pub(crate) before: Option<(BlobId, i64)>,
}

pub(crate) async fn insert(
    tx: &mut Tx,
    portal: &Portal,
    public_key: Option<&[u8]>,
    webhook_secret: Option<BlobId>,
) -> Result<()> {
    let args: [Value; 10] = [
        portal.id.into(),
        (&portal.client_id).into(),
        (&portal.name).into(),
        portal.scopes.documents.into(),
        portal.scopes.digests.into(),
        portal.scopes.sp769.into(),
        public_key.into(),
        portal.webhook_url.as_deref().into(),
        webhook_secret.map(|blob| blob.to_string()).into(),
        portal.created_at.into(),
    ];
    Ok(tx.change("portal", 1, INSERT, &args).await?)
}

pub(crate) async fn insert_secret(tx: &mut Tx, portal: PortalId, digest: &[u8; 32]) -> Result<()> {
    let args = [digest.into(), portal.into(), tx.now().into()];
    Ok(tx.change("portal_secret", 1, INSERT_SECRET, &args).await?)
}

/// The portal this secret opens now.
pub(crate) async fn by_secret(
    store: &kyso_store::Store,
    client_id: &str,
    digest: &[u8; 32],
) -> Result<Option<Portal>> {
    let args = [digest.into(), client_id.into(), store.now().into()];
    store
        .optional(BY_SECRET, &args)
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn by_id(store: &kyso_store::Store, portal: PortalId) -> Result<Option<Portal>> {
    store
        .optional(BY_ID, &[portal.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn by_client_id(
    store: &kyso_store::Store,
    client_id: &str,
) -> Result<Option<Portal>> {
    store
        .optional(BY_CLIENT_ID, &[client_id.into()])
        .await?
        .map(|row| read(&row))
        .transpose()
}

pub(crate) async fn all(store: &kyso_store::Store) -> Result<Vec<Portal>> {
    store.all(ALL, &[]).await?.iter().map(read).collect()
}

/// Every secret of the portal ends at `at` at the latest.
pub(crate) async fn retire_secrets(tx: &mut Tx, portal: PortalId, at: i64) -> Result<()> {
    tx.execute(RETIRE_SECRETS, &[portal.into(), at.into()])
        .await?;
    Ok(())
}

pub(crate) async fn set_webhook(
    tx: &mut Tx,
    portal: PortalId,
    url: Option<&str>,
    secret: Option<BlobId>,
) -> Result<()> {
    Ok(tx
        .change(
            "portal",
            1,
            SET_WEBHOOK,
            &[
                portal.into(),
                url.into(),
                secret.map(|blob| blob.to_string()).into(),
            ],
        )
        .await?)
}

/// Puts another secret before the one in use; a conflict if there is no webhook.
pub(crate) async fn rotate_webhook(
    tx: &mut Tx,
    portal: PortalId,
    secret: BlobId,
    until: i64,
) -> Result<()> {
    let args = [portal.into(), secret.to_string().into(), until.into()];
    Ok(tx.change("portal", 1, ROTATE_WEBHOOK, &args).await?)
}

pub(crate) async fn set_scopes(tx: &mut Tx, portal: PortalId, scopes: Scopes) -> Result<()> {
    let args = [
        portal.into(),
        scopes.documents.into(),
        scopes.digests.into(),
        scopes.sp769.into(),
    ];
    Ok(tx.change("portal", 1, SET_SCOPES, &args).await?)
}

pub(crate) async fn set_return_to(tx: &mut Tx, portal: PortalId, places: &[String]) -> Result<()> {
    let args = [portal.into(), places.join(" ").into()];
    Ok(tx.change("portal", 1, SET_RETURN_TO, &args).await?)
}

pub(crate) async fn set_status_from(
    tx: &mut Tx,
    portal: PortalId,
    networks: &[Network],
) -> Result<()> {
    let words: Vec<String> = networks.iter().map(Network::to_string).collect();
    let args = [portal.into(), words.join(" ").into()];
    Ok(tx.change("portal", 1, SET_STATUS_FROM, &args).await?)
}

pub(crate) async fn disable(tx: &mut Tx, portal: PortalId) -> Result<()> {
    let args = [portal.into(), tx.now().into()];
    Ok(tx.change("portal", 1, DISABLE, &args).await?)
}

pub(crate) async fn webhook(tx: &mut Tx, portal: PortalId) -> Result<Webhook> {
    let row = tx.one(WEBHOOK, &[portal.into()]).await?;
    Ok(Webhook {
        client_id: row.text("client_id")?,
        url: row.opt_text("webhook_url")?,
        secret: blob(&row, "webhook_secret")?,
        before: blob(&row, "webhook_secret_before")?.zip(row.opt_int("webhook_before_until")?),
    })
}

fn blob(row: &Row, column: &str) -> Result<Option<BlobId>> {
    let Some(text) = row.opt_text(column)? else {
        return Ok(None);
    };
    let id = text.parse().map_err(|_| Error::Corrupt {
        table: "portal",
        id: text,
    })?;
    Ok(Some(id))
}

fn read(row: &Row) -> Result<Portal> {
    let id: PortalId = row.id("id")?;
    let networks = row.text("status_from")?;
    let networks = networks.split_whitespace().map(str::parse);
    Ok(Portal {
        id,
        status_from: networks
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| Error::Corrupt {
                table: "portal",
                id: id.to_string(),
            })?,
        client_id: row.text("client_id")?,
        name: row.text("name")?,
        scopes: Scopes {
            documents: row.bool("may_documents")?,
            digests: row.bool("may_digests")?,
            sp769: row.bool("may_sp769")?,
        },
        webhook_url: row.opt_text("webhook_url")?,
        return_to: row
            .text("return_to")?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        disabled_at: row.opt_int("disabled_at")?,
        created_at: row.int("created_at")?,
    })
}
