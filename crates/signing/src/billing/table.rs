//! Rows of `debit`: the only SQL about them.

use kyso_store::{Tx, Value};

use crate::{CredentialId, RequestId, Result};

pub(crate) const STATEMENTS: &[&str] = &[INSERT];

const INSERT: &str = "-- billing.insert_debit
INSERT INTO debit (request_id, credential_id, units, debited_at) VALUES ($1, $2, $3, $4)";

/// One line for each signed request, also where it cost nothing.
pub(crate) async fn debit_many(
    tx: &mut Tx,
    debits: &[(RequestId, CredentialId, i64)],
) -> Result<()> {
    let now = tx.now();
    let rows: Vec<Vec<Value>> = debits
        .iter()
        .map(|(request, credential, units)| {
            vec![
                request.into(),
                credential.into(),
                (*units).into(),
                now.into(),
            ]
        })
        .collect();
    tx.execute_many(INSERT, &rows).await?;
    Ok(())
}
