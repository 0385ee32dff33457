//! The paper record of a ceremony: plain text to print, read aloud and sign. Every line can be checked with other people's tools.

use std::fmt::Write as _;

use kyso_keystore::Keystore;
use kyso_pki::certificate::Certificate;
use kyso_pki::csr::Request;
use time::OffsetDateTime;
use time::macros::format_description;

use super::state::KeyStage;
use super::table::{self, KeyRow};
use crate::issuing::sha256;
use crate::{Authority, Result};

impl Authority {
    /// What was made, in the order it was made. Reads everything back from the rows: it tells what is, not what was meant.
    pub(crate) async fn transcript(
        &self,
        keys: &Keystore,
        request: Option<&Request>,
    ) -> Result<String> {
        let mut text = String::new();
        let config = self.config();
        line(&mut text, "", "KEY CEREMONY RECORD");
        line(&mut text, "organisation", &config.organisation);
        line(&mut text, "printed at", &instant(self.store().now()));
        line(&mut text, "policy", &config.policy_oid);
        line(&mut text, "practice statement", &config.cps_uri);
        for row in table::all(self.store()).await? {
            self.tell_key(&mut text, keys, &row).await?;
        }
        if let Some(root) = self.outside_root().await? {
            line(
                &mut text,
                "",
                "\nOUTSIDE ROOT (compare its SHA-256 with what its owner publishes)",
            );
            describe(&mut text, &root);
        }
        if let Some(request) = request {
            line(&mut text, "", "\nREQUEST TO THE OUTSIDE ROOT");
            line(&mut text, "subject", &request.subject().to_string());
            line(&mut text, "request SHA-256", &sha256(request.as_der()));
        }
        text.push_str("\nWitnesses (name, date, signature):\n\n1. ______________________________________\n\n2. ______________________________________\n");
        Ok(text)
    }

    async fn tell_key(&self, text: &mut String, keys: &Keystore, row: &KeyRow) -> Result<()> {
        line(text, "", &format!("\nKEY {}", row.label));
        line(text, "role", row.role.as_str());
        line(text, "algorithm", row.algorithm.as_str());
        match keys.service(&row.label).await {
            Ok(key) => line(
                text,
                "kept in",
                &format!("{:?}", key.backend()).to_lowercase(),
            ),
            Err(_) => line(text, "kept in", "not in this keystore"),
        }
        let (state, public_key, certificate) = match &row.stage {
            KeyStage::Planned => ("planned", None, None),
            KeyStage::Made { public_key, .. } => {
                ("made, without a certificate", Some(public_key), None)
            }
            KeyStage::Active {
                public_key,
                certificate,
            } => ("in use", Some(public_key), *certificate),
            KeyStage::Retired {
                public_key,
                certificate,
            } => ("retired", Some(public_key), *certificate),
        };
        line(text, "state", state);
        if let Some(public_key) = public_key {
            line(text, "public key SHA-256", &sha256(public_key));
        }
        if let Some(id) = certificate {
            describe(text, &self.certificate(id).await?.certificate);
        }
        if let Some(list) = self.crl(&row.label).await? {
            line(
                text,
                "revocation list",
                &format!(
                    "number {}, next by {}",
                    list.number,
                    instant(list.next_update)
                ),
            );
        }
        Ok(())
    }

    /// The root of the chain in use, if it is not ours.
    async fn outside_root(&self) -> Result<Option<Certificate>> {
        let Ok(known) = self.known().await else {
            return Ok(None);
        };
        let ours = |root: &&Certificate| {
            known
                .issuers
                .iter()
                .any(|issuer| issuer.certificate == **root)
        };
        Ok(known.chain.last().filter(|root| !ours(root)).cloned())
    }
}

fn describe(text: &mut String, certificate: &Certificate) {
    line(text, "subject", &certificate.subject().to_string());
    line(text, "issuer", &certificate.issuer().to_string());
    line(text, "serial", &certificate.serial().to_string());
    line(text, "valid from", &instant(certificate.not_before()));
    line(text, "valid to", &instant(certificate.not_after()));
    line(
        text,
        "certificate SHA-256",
        &hex::encode(certificate.fingerprint().value()),
    );
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = if name.is_empty() {
        writeln!(text, "{value}")
    } else {
        writeln!(text, "{name:<20} {value}")
    };
}

/// `2026-11-22 10:00:00 UTC`.
fn instant(at: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let instant = OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000)).ok();
    instant
        .and_then(|instant| instant.format(&format).ok())
        .unwrap_or_else(|| format!("{at} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_readable_and_never_panic() {
        assert_eq!(instant(1_795_341_600_999), "2026-11-22 10:00:00 UTC");
        assert_eq!(instant(i64::MAX), format!("{} ms", i64::MAX));
    }
}
