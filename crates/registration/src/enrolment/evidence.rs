//! Photos of the evidence: read, sealed, and deleted when nobody needs them.
//!
//! A photo is taken in once the phone number or mailbox is proved. Of a photo that was taken again only the digest stays;
//! of an enrolment that was rejected, abandoned or expired the bytes go `photo_kept_ms` after its end, with a line in the
//! ledger. Photos of a person who got a credential stay: they are the evidence it rests on.

use super::begin::{check_asked, lock_open};
use super::state::{Kind, Piece, Step};
use super::{EvidenceView, ImageLimits, read_photo, table};
use crate::ledger::line;
use crate::{EnrolmentId, Error, EvidenceId, Registration, Result, secret};

/// Smallest long side, pixels: below it no name on a card can be read.
const SIDE_MIN: u32 = 300;
/// Largest side, pixels: a phone page sends at most 1,600; a camera file has up to 8,000.
const SIDE_MAX: u32 = 8_000;

impl Registration {
    /// Stores a photo, in place of an earlier one, whose bytes are deleted.
    ///
    /// # Errors
    /// [`Error::Image`], [`Error::PieceNotAsked`], [`Error::EnrolmentState`]; [`Error::StepsMissing`] before the activation.
    pub async fn put_photo(
        &self,
        id: &EnrolmentId,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<EvidenceView> {
        let limits = ImageLimits {
            bytes_max: self.config().photo_bytes_max,
            side_min: SIDE_MIN,
            side_max: SIDE_MAX,
        };
        let photo = read_photo(bytes, limits)?;
        let sha256 = secret::sha256(bytes);
        let mut tx = self.store().write().await?;
        let row = lock_open(&mut tx, id).await?;
        check_asked(&mut tx, &row, &[Piece::Photo(kind)]).await?;
        // Nobody's card is kept for somebody who has not proved how they are reached.
        if row.activated_at.is_none() {
            return Err(Error::StepsMissing {
                missing: vec![Step::Activation],
            });
        }
        let evidence: EvidenceId = tx.id();
        let blob = self
            .sealed()
            .put(&mut tx, &evidence.to_string(), bytes)
            .await?;
        let new = table::NewEvidence {
            id: evidence,
            kind,
            blob,
            sha256,
            photo,
            byte_count: bytes.len(),
        };
        let version = table::add_evidence(&mut tx, id, new).await?;
        table::repair(&mut tx, &row, Piece::Photo(kind)).await?;
        line("registration.evidence.stored", &id.to_string(), "citizen")
            .with("kind", kind.as_str())
            .with("version", version)
            .with("sha256", hex::encode(sha256))
            .record(&mut tx);
        let at = tx.now();
        tx.commit().await?;
        Ok(EvidenceView {
            kind,
            sha256: hex::encode(sha256),
            media_type: photo.media_type,
            width: photo.width.into(),
            height: photo.height.into(),
            version,
            at,
        })
    }

    /// The bytes of a photo, for an officer.
    pub(crate) async fn photo(
        &self,
        id: &EnrolmentId,
        kind: Kind,
    ) -> Result<(Vec<u8>, &'static str)> {
        let mut tx = self.store().read().await?;
        let photos = table::evidence(&mut tx, id).await?;
        drop(tx);
        let photo = photos
            .into_iter()
            .find(|photo| photo.view.kind == kind)
            .ok_or(Error::EvidenceMissing(kind))?;
        let blob = photo.blob.ok_or(Error::EvidenceMissing(kind))?;
        let bytes = self
            .sealed()
            .read(self.store(), &photo.id.to_string(), &blob)
            .await?;
        Ok((bytes, photo.view.media_type))
    }

    /// Deletes the photos of enrolments that ended without a credential long enough ago.
    pub(crate) async fn erase_photos(&self) -> Result<()> {
        let mut tx = self.store().write().await?;
        let before = tx.now() - self.config().photo_kept_ms;
        for (enrolment, photo, blob) in table::photos_to_erase(&mut tx, before).await? {
            table::erase_photo(&mut tx, &photo, &blob).await?;
            line(
                "registration.evidence.erased",
                &enrolment.to_string(),
                "system",
            )
            .with("evidence", photo.to_string())
            .record(&mut tx);
        }
        Ok(tx.commit().await?)
    }
}
