//! Prepare and embed: the two verbs of a PAdES signature made with a key that is elsewhere.

use std::collections::HashSet;

use kyso_pki::algorithm::{Digest, DigestAlgorithm, SignatureAlgorithm};
use kyso_pki::certificate::Certificate;
use kyso_pki::cms;

use super::form::{Form, SignatureField};
use super::mark::{self, Placed};
use super::pdf::object::hexadecimal;
use super::pdf::{Dictionary, Object, Page, PageChoice, Pages, Reader, Reference, Update};
use super::{Mark, MarkPage, Prepared};
use crate::Error;

/// Annotation flags (ISO 32000-1 12.5.3): Print, Locked.
const PRINTED_AND_LOCKED: i64 = 4 + 128;
/// Most signatures on a page that a new mark keeps clear of.
const TAKEN_MAX: usize = 1000;
/// Octets for the four numbers of `/ByteRange` and its bracket; ten digits each would fit.
const RANGE_ROOM: usize = 40;

/// What a signature says besides the document.
#[derive(Debug, Clone)]
pub struct Options {
    /// The signer's certificate, DER. The signed attributes name it, so it cannot be changed afterwards.
    pub signer_certificate_der: Vec<u8>,
    /// The certificates above it, issuer first, DER. They only size the room for the CMS.
    pub chain_der: Vec<Vec<u8>>,
    /// The algorithm the key will be used with.
    pub algorithm: SignatureAlgorithm,
    /// When, in milliseconds since 1970-01-01 UTC; written to `/M` with the offset +07'00'.
    pub signed_at: i64,
    /// The field to fill or make; by default the first free `Signature1`, `Signature2`, …
    pub field_name: Option<String>,
    /// `/Reason`, shown by viewers.
    pub reason: Option<String>,
    /// `/Location`, shown by viewers.
    pub location: Option<String>,
    /// `/ContactInfo`, shown by viewers.
    pub contact: Option<String>,
    /// The visible mark; none makes an invisible signature.
    pub mark: Option<Mark>,
    /// Further bytes kept free in `/Contents`, for a time-stamp put in later. 0 for B-B.
    pub spare_bytes: usize,
}

impl Options {
    /// An invisible signature without reason, location or contact.
    pub fn new(
        signer_certificate_der: Vec<u8>,
        chain_der: Vec<Vec<u8>>,
        algorithm: SignatureAlgorithm,
        signed_at: i64,
    ) -> Options {
        Options {
            signer_certificate_der,
            chain_der,
            algorithm,
            signed_at,
            field_name: None,
            reason: None,
            location: None,
            contact: None,
            mark: None,
            spare_bytes: 0,
        }
    }
}

/// Lays out the increment and gives the digest to be signed.
///
/// # Errors
/// A refusal of the document (see [`super::inspect`]), of the field or of the mark.
pub fn prepare(original: &[u8], options: &Options) -> Result<Prepared, Error> {
    // Step 1. The document: whatever `inspect` refuses is refused here.
    let reader = Reader::open(original)?;
    let (root, catalog) = reader.catalog()?;
    let form = Form::read(&reader, &catalog)?;
    let target = Target::choose(&form, options)?;
    let page = target.page(&reader, &catalog, options)?;

    // Step 2. The certificate, because the room for the CMS depends on it.
    let signer = Certificate::from_der(&options.signer_certificate_der)?;
    let chain = certificates(&options.chain_der)?;
    options
        .algorithm
        .check_fits(signer.public_key()?.algorithm())?;
    let contents_bytes = cms::signed_data_octets_most(&signer, &chain)? + options.spare_bytes;

    // Step 3. The increment.
    let mut update = Update::new(&reader);
    let signature = update.reserve()?;
    let appearance = target.appearance(&reader, &form, page.as_ref(), options, &mut update)?;
    let new_field = target.write(&mut update, page.as_ref(), signature, appearance)?;
    if let (Some(field), Some(page)) = (new_field, &page) {
        annotate(&reader, &mut update, page, field)?;
    }
    form.write(&mut update, (root, &catalog), new_field)?;
    let lock = target.lock(&reader, root)?;
    let value = SignatureValue::new(options, lock, contents_bytes)?;
    let value_at = update.put_text(signature, &value.text);
    let certificate_sha256 = fingerprint(&signer)?;
    let identifier = file_identifier(&reader, &target, &value.text, &certificate_sha256);
    let mut appended = update.finish(&identifier)?;

    // Step 4. The byte range, then its digest, then what is to be signed.
    let contents_at = value_at + value.contents_at;
    let gap = contents_at - 1..contents_at + contents_bytes * 2 + 1;
    let range = format!(
        "0 {} {} {}]",
        original.len() + gap.start,
        original.len() + gap.end,
        appended.len() - gap.end
    );
    let range_at = value_at + value.range_at;
    appended[range_at..range_at + range.len()].copy_from_slice(range.as_bytes());
    let content_digest = Digest::of_parts(
        options.algorithm.digest_algorithm(),
        &[original, &appended[..gap.start], &appended[gap.end..]],
    );
    let signed_attributes = cms::signed_attributes(&content_digest, &signer, options.algorithm)?;
    Ok(Prepared {
        digest: Digest::of(options.algorithm.digest_algorithm(), &signed_attributes),
        appended,
        signed_attributes,
        content_digest,
        algorithm: options.algorithm,
        certificate_sha256,
        original_bytes: original.len() as u64,
        field_name: target.name().to_owned(),
        page: page.map_or(0, |page| page.number),
        contents_at,
        contents_bytes,
    })
}

/// Puts the finished signature into the increment: the signed file is the original followed by these bytes.
///
/// # Errors
/// [`Error::CertificateMismatch`], [`Error::SignatureMismatch`], [`Error::NoRoom`], [`Error::Prepared`].
pub fn embed(
    prepared: &Prepared,
    signer_certificate_der: &[u8],
    chain_der: &[Vec<u8>],
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    prepared.check()?;
    let signer = Certificate::from_der(signer_certificate_der)?;
    if fingerprint(&signer)? != prepared.certificate_sha256 {
        return Err(Error::CertificateMismatch);
    }
    signer
        .public_key()?
        .verify_digest(prepared.algorithm, &prepared.digest, signature)
        .map_err(|_| Error::SignatureMismatch)?;
    let container = cms::signed_data(
        &prepared.signed_attributes,
        signature,
        prepared.algorithm,
        &signer,
        &certificates(chain_der)?,
    )?;
    if container.len() > prepared.contents_bytes {
        return Err(Error::NoRoom {
            needed: container.len(),
            reserved: prepared.contents_bytes,
        });
    }
    let mut appended = prepared.appended.clone();
    let room = &mut appended[prepared.contents_at..];
    for (place, digit) in room.iter_mut().zip(hexadecimal(&container)) {
        *place = digit;
    }
    Ok(appended)
}

/// The field that gets the signature.
enum Target {
    New(String),
    Existing(SignatureField),
}

impl Target {
    fn choose(form: &Form, options: &Options) -> Result<Target, Error> {
        let target = match &options.field_name {
            None => {
                let name = form.free_name();
                form.named(&name)?;
                Target::New(name)
            }
            Some(name) => match form.named(name)? {
                Some(field) => Target::Existing(field.clone()),
                None if name.is_empty() || name.chars().count() > 100 || name.contains('.') => {
                    return Err(Error::FieldName);
                }
                None => Target::New(name.clone()),
            },
        };
        match (&target, form.certified) {
            (Target::New(_), Some(permission)) if options.mark.is_some() => {
                Err(Error::MarkForbidden { permission })
            }
            _ => Ok(target),
        }
    }

    fn name(&self) -> &str {
        match self {
            Target::New(name) => name,
            Target::Existing(field) => &field.name,
        }
    }

    /// The page of the widget. An existing field says so itself, or may be on none.
    fn page(
        &self,
        reader: &Reader<'_>,
        catalog: &Dictionary,
        options: &Options,
    ) -> Result<Option<Page>, Error> {
        let choice = match self {
            Target::Existing(field) => match field.widget().1.get(b"P") {
                Some(Object::Reference(page)) => PageChoice::Object(*page),
                _ => PageChoice::Number(0),
            },
            Target::New(_) => match options.mark.as_ref().map(|mark| mark.page) {
                None | Some(MarkPage::First) => PageChoice::Number(1),
                Some(MarkPage::Last) => PageChoice::Last,
                Some(MarkPage::Number(number)) => PageChoice::Number(number),
            },
        };
        let pages = Pages::walk(reader, catalog, choice)?;
        match (self, choice, pages.chosen) {
            (Target::New(_), PageChoice::Number(page), None) => Err(Error::PageMissing {
                page,
                pages: pages.count,
            }),
            (_, _, chosen) => Ok(chosen),
        }
    }

    /// Draws the mark and gives its rectangle and appearance.
    fn appearance(
        &self,
        reader: &Reader<'_>,
        form: &Form,
        page: Option<&Page>,
        options: &Options,
        update: &mut Update<'_, '_>,
    ) -> Result<Option<(Placed, Reference)>, Error> {
        let Some(mark) = &options.mark else {
            return Ok(None);
        };
        let placed = match (self, page) {
            (Target::New(_), Some(page)) => mark::place(page, mark, &taken(reader, form, page)?)?,
            (Target::New(_), None) => return Err(Error::NoPages),
            (Target::Existing(field), page) => {
                let rectangle = field.rectangle(reader)?.ok_or(Error::MarkBox {
                    reason: "the field has no area",
                })?;
                mark::within(page, rectangle)?
            }
        };
        let drawn = mark::appearance(update, mark, &placed)?;
        Ok(Some((placed, drawn)))
    }

    /// Writes field and widget; gives the reference if it is new.
    fn write(
        &self,
        update: &mut Update<'_, '_>,
        page: Option<&Page>,
        signature: Reference,
        appearance: Option<(Placed, Reference)>,
    ) -> Result<Option<Reference>, Error> {
        let (placed, drawn) = appearance.unzip();
        let drawn = drawn.map(|drawn| Dictionary::new().with(b"N", drawn));
        let with_appearance = |mut widget: Dictionary| {
            if let Some(drawn) = drawn.clone() {
                widget.set(b"AP", drawn.into());
            }
            widget
        };
        match self {
            Target::New(name) => {
                let rectangle = placed.map_or([0.0; 4], |placed| placed.rectangle);
                let mut widget = Dictionary::new()
                    .with(b"Type", Object::name("Annot"))
                    .with(b"Subtype", Object::name("Widget"))
                    .with(b"FT", Object::name("Sig"))
                    .with(b"T", Object::text(name))
                    .with(b"V", signature)
                    .with(b"F", PRINTED_AND_LOCKED)
                    .with(b"Rect", Object::reals(&rectangle));
                if let Some(page) = page {
                    widget.set(b"P", page.reference.into());
                }
                update.add(with_appearance(widget)).map(Some)
            }
            Target::Existing(field) => {
                let signed = field.dictionary.clone().with(b"V", signature);
                match &field.kid {
                    Some((reference, widget)) => {
                        if drawn.is_some() {
                            update.put(*reference, &with_appearance(widget.clone()).into());
                        }
                        update.put(field.reference, &signed.into());
                    }
                    None => update.put(field.reference, &with_appearance(signed).into()),
                }
                Ok(None)
            }
        }
    }
}

impl Target {
    /// What an existing field asks of its signature: `/Lock` takes effect when the signature repeats it (12.7.4.5,
    /// 12.8.2.4); seed values that are binding (12.7.4.5 table 234 `/Ff`) are not understood, so refused.
    fn lock(&self, reader: &Reader<'_>, root: Reference) -> Result<Option<Dictionary>, Error> {
        let Target::Existing(field) = self else {
            return Ok(None);
        };
        if let Some(seed) = reader.dictionary(&field.dictionary, b"SV")?
            && seed
                .get(b"Ff")
                .is_some_and(|flags| *flags != Object::Integer(0))
        {
            return Err(Error::Unsupported {
                feature: "signature field with binding seed values",
            });
        }
        let Some(lock) = reader.dictionary(&field.dictionary, b"Lock")? else {
            return Ok(None);
        };
        let mut parameters = Dictionary::new()
            .with(b"Type", Object::name("TransformParams"))
            .with(b"V", Object::name("1.2"));
        for key in [b"Action".as_slice(), b"Fields"] {
            if let Some(value) = lock.get(key) {
                parameters.set(key, value.clone());
            }
        }
        Ok(Some(
            Dictionary::new()
                .with(b"Type", Object::name("SigRef"))
                .with(b"TransformMethod", Object::name("FieldMDP"))
                .with(b"TransformParams", parameters)
                .with(b"Data", root),
        ))
    }
}

/// The signature dictionary (ISO 32000-1 12.8.1 table 252) with blanks for byte range and contents.
struct SignatureValue {
    text: Vec<u8>,
    /// Where the numbers of `/ByteRange` go.
    range_at: usize,
    /// Where the digits of `/Contents` go.
    contents_at: usize,
}

impl SignatureValue {
    fn new(
        options: &Options,
        lock: Option<Dictionary>,
        contents_bytes: usize,
    ) -> Result<SignatureValue, Error> {
        let mut dictionary = Dictionary::new()
            .with(b"Type", Object::name("Sig"))
            .with(b"Filter", Object::name("Adobe.PPKLite"))
            .with(b"SubFilter", Object::name("ETSI.CAdES.detached"))
            .with(b"M", Object::text(&pdf_date(options.signed_at)?));
        for (key, text) in [
            ("Reason", &options.reason),
            ("Location", &options.location),
            ("ContactInfo", &options.contact),
        ] {
            if let Some(text) = text {
                dictionary.set(key.as_bytes(), Object::text(text));
            }
        }
        if let Some(lock) = lock {
            dictionary.set(b"Reference", vec![Object::Dictionary(lock)].into());
        }
        let mut text = Vec::with_capacity(contents_bytes * 2 + 512);
        dictionary.write(&mut text);
        text.truncate(text.len() - 2);
        text.extend_from_slice(b"/ByteRange[");
        let range_at = text.len();
        text.extend_from_slice(&[b' '; RANGE_ROOM]);
        text.extend_from_slice(b"/Contents<");
        let contents_at = text.len();
        text.resize(contents_at + contents_bytes * 2, b'0');
        text.extend_from_slice(b">>>");
        Ok(SignatureValue {
            text,
            range_at,
            contents_at,
        })
    }
}

/// Puts a widget into the page's `/Annots`, touching only the array when that is an object of its own.
fn annotate(
    reader: &Reader<'_>,
    update: &mut Update<'_, '_>,
    page: &Page,
    widget: Reference,
) -> Result<(), Error> {
    let mut annotations = reader
        .array(&page.dictionary, b"Annots")?
        .unwrap_or_default();
    annotations.push(widget.into());
    match page.dictionary.get(b"Annots") {
        // Only an array can be written under that number.
        Some(Object::Reference(array)) if annotations.len() > 1 || is_array(reader, *array)? => {
            update.put(*array, &annotations.into());
        }
        _ => {
            let page_dictionary = page.dictionary.clone().with(b"Annots", annotations);
            update.put(page.reference, &page_dictionary.into());
        }
    }
    Ok(())
}

fn is_array(reader: &Reader<'_>, reference: Reference) -> Result<bool, Error> {
    Ok(matches!(reader.object(reference)?, Object::Array(_)))
}

/// Rectangles of the signatures on a page.
fn taken(reader: &Reader<'_>, form: &Form, page: &Page) -> Result<Vec<[f32; 4]>, Error> {
    let annotations = reader
        .array(&page.dictionary, b"Annots")?
        .unwrap_or_default();
    let here: HashSet<Reference> = annotations
        .iter()
        .filter_map(Object::as_reference)
        .collect();
    let mut rectangles = Vec::new();
    for field in &form.signature_fields {
        if here.contains(&field.widget().0) && rectangles.len() < TAKEN_MAX {
            rectangles.extend(field.rectangle(reader)?);
        }
    }
    Ok(rectangles)
}

/// `D:20261122150405+07'00'` (ISO 32000-1 7.9.4).
fn pdf_date(at: i64) -> Result<String, Error> {
    let time = mark::local_time(at)?;
    let (hour, minute, second) = time.to_hms();
    Ok(format!(
        "D:{:04}{:02}{:02}{hour:02}{minute:02}{second:02}+07'00'",
        time.year(),
        u8::from(time.month()),
        time.day()
    ))
}

/// 14.4: differs whenever the file differs, and is the same when the same is prepared again.
fn file_identifier(
    reader: &Reader<'_>,
    target: &Target,
    value: &[u8],
    certificate: &[u8; 32],
) -> Vec<u8> {
    let mut old = Vec::new();
    reader.trailer().write(&mut old);
    let digest = Digest::of_parts(
        DigestAlgorithm::Sha256,
        &[
            &old,
            &reader.len().to_be_bytes(),
            target.name().as_bytes(),
            value,
            certificate,
        ],
    );
    digest.value()[..16].to_vec()
}

fn fingerprint(certificate: &Certificate) -> Result<[u8; 32], Error> {
    let digest = Digest::of(DigestAlgorithm::Sha256, certificate.as_der());
    digest
        .value()
        .try_into()
        .map_err(|_| Error::CertificateMismatch)
}

fn certificates(chain_der: &[Vec<u8>]) -> Result<Vec<Certificate>, Error> {
    let chain: Result<Vec<Certificate>, _> = chain_der
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect();
    Ok(chain?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_vietnamese_time() {
        assert_eq!(
            pdf_date(1_795_334_645_000).unwrap(),
            "D:20261122150405+07'00'"
        );
        assert_eq!(pdf_date(-1).unwrap(), "D:19700101065959+07'00'");
    }
}
