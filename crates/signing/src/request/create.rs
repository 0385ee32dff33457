//! Creating a request: limits, the signer, the documents prepared, one transaction.

use kyso_pki::algorithm::{Digest, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm};

use super::table::Extras;
use super::*;
use crate::credential::Credential;
use crate::error::constraint;
use crate::format::PreparedPdf;

/// Longest name of a document, in characters.
const NAME_CHARACTERS_MAX: usize = 255;
/// Longest description, in characters.
const DESCRIPTION_CHARACTERS_MAX: usize = 500;
/// Longest return address, in octets.
const RETURN_URL_BYTES_MAX: usize = 2_000;
/// Shortest time a portal may give its citizen: half a minute.
const EXPIRES_IN_MS_MIN: i64 = 30_000;

/// A document ready for its row.
pub(super) struct ReadyDocument {
    view: DocumentView,
    pdf: Option<ReadyPdf>,
}

/// A PDF, what was prepared for it, and from what else.
struct ReadyPdf {
    original: Vec<u8>,
    prepared: Vec<u8>,
    prepared_at: i64,
    place: Option<Place>,
}

impl Requests {
    /// A portal asks. PDFs are prepared before the transaction opens; the same idempotency key gives the same request.
    ///
    /// # Errors
    /// [`Error::PortalScope`], [`Error::IdempotencyMismatch`], [`Error::SignerUnknown`], [`Error::CredentialState`],
    /// [`Error::PinLocked`], [`Error::UnitsExhausted`], [`Error::TooManyPending`], the limits ([`Error::DocumentCount`], [`Error::DocumentSize`],
    /// [`Error::RequestSize`], [`Error::DocumentName`], [`Error::Unacceptable`]), [`Error::Document`],
    /// [`Error::DigestUnsuited`].
    pub async fn create(&self, portal: &Portal, new: NewRequest) -> Result<RequestView> {
        check_scope(portal, &new.documents)?;
        self.check_limits(&new)?;
        check_return_url(portal, new.return_url.as_deref())?;
        if let Some(before) = self
            .created_before(portal, new.idempotency.as_ref())
            .await?
        {
            return Ok(before);
        }
        let credential = self.signer(&new.signer).await?;
        self.check_pending(&mut self.inner.store.read().await?, &credential, portal)
            .await?;
        let units = self
            .units_for(&credential, portal.id, new.documents.len())
            .await?;
        let extras = Extras {
            units,
            idempotency: new.idempotency.clone(),
            ..Extras::default()
        };
        let expires_in_ms = new.expires_in_ms.unwrap_or(self.inner.config.expires_in_ms);
        let asked = Asked {
            kind: RequestKind::Portal,
            portal: Some(portal),
            description: new.description,
            return_url: new.return_url,
            expires_in_ms,
            on_screen: new.on_screen,
        };
        let created = self.store(asked, &credential, new.documents, extras).await;
        if constraint(&created) == Some("signature_request_idempotency") {
            self.inner.after_others().await?;
            // The same call came twice at once; the first one's request is this one's answer.
            return self
                .created_before(portal, new.idempotency.as_ref())
                .await?
                .ok_or(Error::IdempotencyMismatch);
        }
        created
    }

    /// The provider asks for the signed acceptance of a bound, still opening credential. Idempotent per credential: while
    /// one is on its way or signed, it is the answer; after a refusal or expiry a new one is made.
    ///
    /// # Errors
    /// [`Error::CredentialState`], [`Error::CredentialUnbound`], [`Error::PinLocked`], [`Error::Document`].
    pub async fn create_acceptance(
        &self,
        credential: &CredentialId,
        name: &str,
        pdf: Vec<u8>,
    ) -> Result<RequestView> {
        if let Some((id, _)) = table::acceptance(&self.inner.store, *credential).await? {
            return self.view(id).await;
        }
        let credential = credential::table::by_id(&self.inner.store, *credential)
            .await?
            .ok_or(Error::NotFound { what: "credential" })?;
        may_sign(
            RequestKind::Acceptance,
            credential.state,
            credential.bound_at.is_some(),
        )?;
        if credential.pin_locked_at.is_some() {
            return Err(Error::PinLocked);
        }
        let documents = vec![NewDocument::Pdf {
            place: None,
            name: name.to_owned(),
            bytes: pdf,
        }];
        let asked = Asked {
            kind: RequestKind::Acceptance,
            portal: None,
            description: None,
            return_url: None,
            expires_in_ms: self.inner.config.acceptance_expires_in_ms,
            on_screen: false,
        };
        let created = self
            .store(asked, &credential, documents, Extras::default())
            .await;
        if constraint(&created) == Some("signature_request_one_acceptance") {
            self.inner.after_others().await?;
            let (id, _) = table::acceptance(&self.inner.store, credential.id)
                .await?
                .ok_or(NO_REQUEST)?;
            return self.view(id).await;
        }
        created
    }

    fn check_limits(&self, new: &NewRequest) -> Result<()> {
        let config = &self.inner.config;
        if new.documents.is_empty() || new.documents.len() > config.documents_max {
            return Err(Error::DocumentCount {
                found: new.documents.len(),
                most: config.documents_max,
            });
        }
        let mut total = 0;
        for (position, document) in new.documents.iter().enumerate() {
            check_name(position, document.name())?;
            if let NewDocument::Pdf { bytes, .. } = document {
                if bytes.len() > config.document_bytes_max {
                    return Err(Error::DocumentSize {
                        position,
                        found: bytes.len(),
                        most: config.document_bytes_max,
                    });
                }
                total += bytes.len();
            }
        }
        if total > config.request_bytes_max {
            return Err(Error::RequestSize {
                found: total,
                most: config.request_bytes_max,
            });
        }
        check_texts(
            new.description.as_deref(),
            new.return_url.as_deref(),
            new.idempotency.as_ref(),
        )?;
        match new.expires_in_ms {
            Some(ms) if !(EXPIRES_IN_MS_MIN..=config.expires_in_ms_max).contains(&ms) => {
                Err(Error::Unacceptable {
                    field: "expires_in",
                    rule: "30 seconds to the longest time this provider allows",
                })
            }
            _ => Ok(()),
        }
    }

    async fn created_before(
        &self,
        portal: &Portal,
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<RequestView>> {
        let Some(asked) = idempotency else {
            return Ok(None);
        };
        let Some((id, digest)) =
            table::by_idempotency_key(&self.inner.store, portal.id, &asked.key).await?
        else {
            return Ok(None);
        };
        if digest != asked.body_digest {
            return Err(Error::IdempotencyMismatch);
        }
        self.of_portal(portal, &id).await.map(Some)
    }

    /// The credential that is asked: the active one, or the one with that serial.
    pub(super) async fn signer(&self, signer: &Signer) -> Result<Credential> {
        let now = self.inner.now(self.inner.store.now());
        let wanted = signer
            .serial
            .as_deref()
            .map(str::trim)
            .filter(|serial| !serial.is_empty())
            .map(str::to_ascii_lowercase);
        let found =
            credential::table::of_signer(&self.inner.store, signer.identity_number.trim()).await?;
        let mut named = found
            .into_iter()
            .filter(|credential| credential.activated_at.is_some())
            .filter(|credential| match &wanted {
                Some(serial) => credential.serial.as_deref() == Some(serial),
                None => true,
            });
        let credential = named.next().ok_or(Error::SignerUnknown)?;
        if credential.state != CredentialState::Active {
            return Err(Error::CredentialState {
                state: credential.state,
            });
        }
        if credential.not_after_at.is_none_or(|end| now > end) {
            return Err(Error::CredentialState {
                state: CredentialState::Expired,
            });
        }
        if credential.pin_locked_at.is_some() {
            return Err(Error::PinLocked);
        }
        Ok(credential)
    }

    /// Whether another request may wait for this citizen: nobody's screen is filled so that he misses what matters, or
    /// approves to be rid of it. Requests created at the same moment may pass the bound by their number.
    pub(super) async fn check_pending(
        &self,
        tx: &mut Tx,
        credential: &Credential,
        portal: &Portal,
    ) -> Result<()> {
        let config = &self.inner.config;
        let (of_all, of_portal) = table::pending(tx, credential.id, portal.id).await?;
        if of_portal >= config.pending_of_portal_max {
            let most = config.pending_of_portal_max;
            return Err(Error::TooManyPending { most });
        }
        if of_all >= config.pending_max {
            let most = config.pending_max;
            return Err(Error::TooManyPending { most });
        }
        Ok(())
    }

    /// What the request will cost; refused early where it cannot be paid. Who gets a last unit is decided with the result.
    pub(super) async fn units_for(
        &self,
        credential: &Credential,
        portal: PortalId,
        documents: usize,
    ) -> Result<i64> {
        if credential::table::is_free(&self.inner.store, credential.id, portal).await? {
            return Ok(0);
        }
        let needed = table::count(documents);
        match credential.units_left {
            Some(left) if left < needed => Err(Error::UnitsExhausted { left, needed }),
            _ => Ok(needed),
        }
    }

    /// Prepares the documents and stores the request: what will be signed is on disk before anybody is asked.
    pub(super) async fn store(
        &self,
        asked: Asked<'_>,
        credential: &Credential,
        documents: Vec<NewDocument>,
        mut extras: Extras,
    ) -> Result<RequestView> {
        let algorithm = algorithm_for(asked.kind, credential.algorithm, &documents)?;
        extras.serial = credential.serial.clone().unwrap_or_default();
        let code = code_of_documents(&documents);
        let ready = self
            .prepare(credential, algorithm, documents, code.clone())
            .await?;
        let set = hex::encode(digest_of_digests(&ready));

        let mut tx = self.inner.store.write().await?;
        if let Some(portal) = asked.portal {
            self.check_pending(&mut tx, credential, portal).await?;
        }
        let created_at = tx.now();
        let mut pdfs = Vec::with_capacity(ready.len());
        let mut views = Vec::with_capacity(ready.len());
        if let Some((transaction_id, _)) = &extras.transaction {
            let forgotten_before = created_at - self.inner.config.sp769_retention_ms;
            table::free_transaction(&mut tx, transaction_id, forgotten_before).await?;
        }
        for mut document in ready {
            if asked.kind == RequestKind::Sp769 {
                document.view.doc_id = Some(document.view.name.clone());
            }
            pdfs.push(match document.pdf {
                Some(pdf) => Some(table::PdfRow {
                    original: tx.put_blob(&pdf.original).await?,
                    prepared: tx.put_blob(&pdf.prepared).await?,
                    prepared_at: pdf.prepared_at,
                    place: pdf.place,
                    layout: format::LAYOUT,
                }),
                None => None,
            });
            views.push(document.view);
        }
        let view = RequestView {
            id: tx.id(),
            kind: asked.kind,
            state: RequestState::Pending,
            portal: asked.portal.map(|portal| portal.id),
            portal_word: portal_word(asked.portal.map(|portal| portal.id)),
            portal_name: asked.portal.map_or_else(
                || self.inner.config.provider_name.clone(),
                |portal| portal.name.clone(),
            ),
            credential: credential.id,
            description: asked.description,
            return_url: asked.return_url,
            code,
            nonce: chance::nonce(),
            documents: views,
            signature_algorithm: algorithm,
            on_screen: asked.on_screen,
            channel: None,
            tries_left: None,
            failure: None,
            created_at,
            expires_at: created_at + asked.expires_in_ms,
            approved_at: None,
            signed_at: None,
            ended_at: None,
        };
        table::insert(&mut tx, &view, &extras).await?;
        table::insert_documents(&mut tx, &view, &pdfs, &extras).await?;
        let created = detail([
            ("kind", json!(view.kind.as_str())),
            ("credential", json!(credential.id)),
            ("documents", json!(view.documents.len())),
            ("to_be_signed", json!(set)),
        ]);
        record(
            &mut tx,
            "signing.request.created",
            view.id,
            &view.portal_word,
            created,
        );
        expire_later(&mut tx, view.expires_at);
        tx.commit().await?;
        Ok(view)
    }

    async fn prepare(
        &self,
        credential: &Credential,
        algorithm: SignatureAlgorithm,
        documents: Vec<NewDocument>,
        code: String,
    ) -> Result<Vec<ReadyDocument>> {
        let has_pdf = documents
            .iter()
            .any(|document| matches!(document, NewDocument::Pdf { .. }));
        if !has_pdf {
            return documents
                .into_iter()
                .enumerate()
                .map(|(position, document)| ready_digest(position, document))
                .collect();
        }
        let (certificate, chain) =
            credential::table::chain(&self.inner.store, credential.id).await?;
        let signer = SignerOfRecord {
            certificate,
            chain,
            algorithm,
        };
        let at = self.inner.store.now();
        // Reading and laying out a PDF is the processor's work: off the threads that answer.
        let prepared =
            tokio::task::spawn_blocking(move || ready_documents(documents, &signer, &code, at))
                .await;
        prepared.map_err(|_| Error::Interrupted)?
    }
}

/// What a door says about a new request.
pub(super) struct Asked<'a> {
    pub(super) kind: RequestKind,
    pub(super) portal: Option<&'a Portal>,
    pub(super) description: Option<String>,
    pub(super) return_url: Option<String>,
    pub(super) expires_in_ms: i64,
    pub(super) on_screen: bool,
}

/// One job a second sweeps everything due by then.
pub(super) fn expire_later(tx: &mut Tx, expires_at: i64) {
    let at = (expires_at + 999).div_euclid(1_000) * 1_000;
    task::enqueue_at(tx, &Task::Expire { at }, at);
}

/// Only where the portal is registered to send people: a link on the provider's screen is believed.
fn check_return_url(portal: &Portal, url: Option<&str>) -> Result<()> {
    match url {
        Some(url) if !portal.may_return_to(url) => Err(Error::Unacceptable {
            field: "return_url",
            rule: "https with a host, or an app's scheme, that is registered for the portal",
        }),
        _ => Ok(()),
    }
}

fn check_scope(portal: &Portal, documents: &[NewDocument]) -> Result<()> {
    for document in documents {
        match document {
            NewDocument::Pdf { .. } if !portal.scopes.documents => {
                return Err(Error::PortalScope { scope: "documents" });
            }
            NewDocument::Digest { .. } if !portal.scopes.digests => {
                return Err(Error::PortalScope { scope: "digests" });
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn check_name(position: usize, name: &str) -> Result<()> {
    let characters = name.chars().count();
    if characters == 0
        || characters > NAME_CHARACTERS_MAX
        || name.trim().is_empty()
        || name.chars().any(is_deceptive)
    {
        return Err(Error::DocumentName { position });
    }
    Ok(())
}

/// Control characters, and those that nobody sees (Default_Ignorable_Code_Point, UAX #44, and blank letters) or that make
/// text read in another order than it is written: two names that look alike are alike.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

pub(super) fn check_texts(
    description: Option<&str>,
    return_url: Option<&str>,
    idempotency: Option<&Idempotency>,
) -> Result<()> {
    if description.is_some_and(|text| {
        text.chars().count() > DESCRIPTION_CHARACTERS_MAX
            || text.chars().any(|c| is_deceptive(c) && c != '\n')
    }) {
        return Err(Error::Unacceptable {
            field: "description",
            rule: "at most 500 characters, no control characters",
        });
    }
    if return_url.is_some_and(|url| {
        url.len() > RETURN_URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic())
    }) {
        return Err(Error::Unacceptable {
            field: "return_url",
            rule: "at most 2000 visible ASCII characters",
        });
    }
    let is_key = |key: &str| {
        (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if idempotency.is_some_and(|idempotency| !is_key(&idempotency.key)) {
        return Err(Error::Unacceptable {
            field: "idempotency_key",
            rule: "1 to 255 visible ASCII characters",
        });
    }
    Ok(())
}

/// The one algorithm of the request: the key's own, or for digests the one of the key's kind that their digest algorithm asks for.
fn algorithm_for(
    kind: RequestKind,
    key: KeyAlgorithm,
    documents: &[NewDocument],
) -> Result<SignatureAlgorithm> {
    let default = SignatureAlgorithm::default_for(key);
    let mut digests =
        documents
            .iter()
            .enumerate()
            .filter_map(|(position, document)| match document {
                NewDocument::Digest { digest, .. } => Some((position, digest.algorithm())),
                NewDocument::Pdf { .. } => None,
            });
    let Some((first, digest_algorithm)) = digests.next() else {
        return Ok(default);
    };
    let is_pure = documents
        .iter()
        .all(|document| matches!(document, NewDocument::Digest { .. }));
    let algorithm = match (key.is_rsa(), digest_algorithm) {
        (true, DigestAlgorithm::Sha256) => SignatureAlgorithm::RsaPkcs1Sha256,
        (true, DigestAlgorithm::Sha384) => SignatureAlgorithm::RsaPkcs1Sha384,
        (true, DigestAlgorithm::Sha512) => SignatureAlgorithm::RsaPkcs1Sha512,
        (false, digest) if digest == default.digest_algorithm() => default,
        (false, _) => return Err(Error::DigestUnsuited { position: first }),
    };
    let must_be_rsa = kind == RequestKind::Sp769;
    if (must_be_rsa && algorithm != SignatureAlgorithm::RsaPkcs1Sha256)
        || (!is_pure && algorithm != default)
    {
        return Err(Error::DigestUnsuited { position: first });
    }
    match digests.find(|(_, other)| *other != digest_algorithm) {
        Some((position, _)) => Err(Error::DigestUnsuited { position }),
        None => Ok(algorithm),
    }
}

fn ready_documents(
    documents: Vec<NewDocument>,
    signer: &SignerOfRecord,
    code: &str,
    at: i64,
) -> Result<Vec<ReadyDocument>> {
    documents
        .into_iter()
        .enumerate()
        .map(|(position, document)| match document {
            NewDocument::Pdf { name, bytes, place } => {
                let document_digest = Digest::of(DigestAlgorithm::Sha256, &bytes);
                let PreparedPdf {
                    page_count,
                    prepared,
                } = format::lay_out(&bytes, signer, at, code, place)
                    .map_err(|source| Error::Document { position, source })?;
                let view = DocumentView {
                    position,
                    name,
                    format: DocumentFormat::Pdf,
                    doc_id: None,
                    byte_count: table::count(bytes.len()),
                    page_count: Some(page_count),
                    document_digest,
                    to_be_signed: prepared.digest.clone(),
                    previewed: true,
                    signature: None,
                };
                Ok(ReadyDocument {
                    view,
                    pdf: Some(ReadyPdf {
                        original: bytes,
                        prepared: prepared.to_bytes(),
                        prepared_at: at,
                        place,
                    }),
                })
            }
            digest @ NewDocument::Digest { .. } => ready_digest(position, digest),
        })
        .collect()
}

fn ready_digest(position: usize, document: NewDocument) -> Result<ReadyDocument> {
    let NewDocument::Digest { name, digest } = document else {
        return Err(Error::DigestUnsuited { position });
    };
    let view = DocumentView {
        position,
        doc_id: None,
        name,
        format: DocumentFormat::Digest,
        byte_count: table::count(digest.value().len()),
        page_count: None,
        document_digest: digest.clone(),
        to_be_signed: digest,
        previewed: false,
        signature: None,
    };
    Ok(ReadyDocument { view, pdf: None })
}

fn code_of_documents(documents: &[NewDocument]) -> String {
    let digests: Vec<Vec<u8>> = documents
        .iter()
        .map(|document| match document {
            NewDocument::Pdf { bytes, .. } => chance::sha256(bytes).to_vec(),
            NewDocument::Digest { digest, .. } => digest.value().to_vec(),
        })
        .collect();
    code_of_digests(digests.iter().map(Vec::as_slice))
}

/// What the citizen compares on two screens, and what the mark carries: one code for all documents of the request.
pub(super) fn code_of_digests<'a>(digests: impl Iterator<Item = &'a [u8]>) -> String {
    let all: Vec<u8> = digests.flatten().copied().collect();
    document_code(&chance::sha256(&all))
}

fn digest_of_digests(documents: &[ReadyDocument]) -> [u8; 32] {
    let all: Vec<u8> = documents
        .iter()
        .flat_map(|document| document.view.to_be_signed.value().iter().copied())
        .collect();
    chance::sha256(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(algorithm: DigestAlgorithm) -> NewDocument {
        NewDocument::Digest {
            name: "x".into(),
            digest: Digest::of(algorithm, b"x"),
        }
    }

    #[test]
    fn names_that_deceive_or_are_no_names_are_refused() {
        for wrong in [
            "",
            "   ",
            "a\nb",
            "a\u{0}b",
            "\u{202e}fdp.exe",
            "\u{61c}fdp.exe",
            "a\u{200b}b.pdf",
            "\u{feff}a.pdf",
            "a\u{2060}b.pdf",
            "a\u{e0041}.pdf",
            &"x".repeat(256),
        ] {
            assert!(
                matches!(
                    check_name(3, wrong),
                    Err(Error::DocumentName { position: 3 })
                ),
                "{wrong:?}"
            );
        }
        assert!(check_name(0, "Đơn đề nghị cấp sổ đỏ (bản 2).pdf").is_ok());
    }

    #[test]
    fn the_algorithm_follows_the_key_and_the_digests() {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        use SignatureAlgorithm as A;
        let of = |key, documents: &[NewDocument]| {
            algorithm_for(RequestKind::Portal, key, documents).ok()
        };
        assert_eq!(
            of(KeyAlgorithm::Rsa2048, &[digest(Sha256)]),
            Some(A::RsaPkcs1Sha256)
        );
        assert_eq!(
            of(KeyAlgorithm::Rsa2048, &[digest(Sha512)]),
            Some(A::RsaPkcs1Sha512)
        );
        assert_eq!(
            of(KeyAlgorithm::P256, &[digest(Sha256)]),
            Some(A::EcdsaSha256)
        );
        assert_eq!(of(KeyAlgorithm::P256, &[digest(Sha384)]), None);
        assert_eq!(
            of(KeyAlgorithm::P384, &[digest(Sha384)]),
            Some(A::EcdsaSha384)
        );
        assert_eq!(
            of(KeyAlgorithm::Rsa2048, &[digest(Sha256), digest(Sha384)]),
            None
        );
        assert!(algorithm_for(RequestKind::Sp769, KeyAlgorithm::P256, &[digest(Sha256)]).is_err());
        assert!(
            algorithm_for(RequestKind::Sp769, KeyAlgorithm::Rsa3072, &[digest(Sha256)]).is_ok()
        );
    }
}
