//! The interactive form: which signature fields there are, and what authors forbade (ISO 32000-1 12.7, 12.8.2).

use std::collections::HashSet;
use std::rc::Rc;

use super::pdf::object::text_of;
use super::pdf::{Dictionary, Object, Reader, Reference, Update};
use crate::Error;

/// Deepest tree of fields.
const DEPTH_MAX: usize = 64;

/// The form of a document, as far as signing needs it.
pub struct Form {
    place: Place,
    fields: Vec<Object>,
    /// The array's own object, when `/Fields` is a reference.
    fields_reference: Option<Reference>,
    /// Signature fields in the order of the form.
    pub signature_fields: Vec<SignatureField>,
    /// Fully qualified names of all fields.
    names: HashSet<Rc<str>>,
    /// The strictest P of DocMDP that a signature states: 2 or 3.
    pub certified: Option<i64>,
    /// Fields that signatures locked.
    locks: Vec<Lock>,
}

/// FieldMDP (12.8.2.4): these fields, or all but these.
struct Lock {
    is_exclusion: bool,
    names: Vec<String>,
}

enum Place {
    Absent,
    InCatalog(Dictionary),
    Indirect(Reference, Dictionary),
}

/// A signature field.
#[derive(Debug, Clone)]
pub struct SignatureField {
    /// Fully qualified name.
    pub name: String,
    /// The field's object.
    pub reference: Reference,
    /// The field's dictionary.
    pub dictionary: Dictionary,
    /// The widget, when it is an object of its own.
    pub kid: Option<(Reference, Dictionary)>,
    /// Whether there is a value.
    pub signed: bool,
}

/// A field to look at. What it inherits is shared: a field may have very many kids.
struct Visit {
    reference: Reference,
    prefix: Rc<str>,
    is_signature: bool,
    depth: usize,
}

impl Form {
    /// Reads the form.
    ///
    /// # Errors
    /// [`Error::DynamicForm`], [`Error::ChangesForbidden`], and what reading may give.
    pub fn read(reader: &Reader<'_>, catalog: &Dictionary) -> Result<Form, Error> {
        let place = Place::of(reader, catalog)?;
        let empty = Dictionary::new();
        let dictionary = place.dictionary().unwrap_or(&empty);
        let rendered = catalog.get(b"NeedsRendering") == Some(&Object::Boolean(true));
        if rendered && dictionary.get(b"XFA").is_some() {
            return Err(Error::DynamicForm);
        }
        let fields_reference = dictionary.get(b"Fields").and_then(Object::as_reference);
        let fields = reader.array(dictionary, b"Fields")?.unwrap_or_default();
        let mut form = Form {
            place,
            fields,
            fields_reference,
            signature_fields: Vec::new(),
            names: HashSet::new(),
            certified: None,
            locks: Vec::new(),
        };
        form.walk(reader)?;
        form.read_permissions(reader, catalog)?;
        Ok(form)
    }

    /// How many signature fields are signed.
    pub fn signatures(&self) -> usize {
        self.signature_fields
            .iter()
            .filter(|field| field.signed)
            .count()
    }

    /// Whether there is any field.
    pub fn has_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The field of that name, if there is one: it must be an empty signature field, and not be locked.
    pub fn named(&self, name: &str) -> Result<Option<&SignatureField>, Error> {
        if self.locks.iter().any(|lock| lock.holds(name)) {
            return Err(Error::FieldLocked);
        }
        match self
            .signature_fields
            .iter()
            .find(|field| field.name == name)
        {
            Some(field) if field.signed => Err(Error::FieldSigned),
            Some(field) => Ok(Some(field)),
            None if self.names.contains(name) => Err(Error::FieldNotSignature),
            None => Ok(None),
        }
    }

    /// The first of `Signature1`, `Signature2`, … that no field has.
    pub fn free_name(&self) -> String {
        (1..=self.names.len() + 1)
            .map(|number| format!("Signature{number}"))
            .find(|name| !self.names.contains(name.as_str()))
            .unwrap_or_default()
    }

    /// Writes the form with `field` added (if it is new) and SigFlags set (12.7.2: signatures exist, append only).
    pub fn write(
        &self,
        update: &mut Update<'_, '_>,
        catalog: (Reference, &Dictionary),
        field: Option<Reference>,
    ) -> Result<(), Error> {
        let mut form = self.place.dictionary().cloned().unwrap_or_default();
        let flags = form
            .get(b"SigFlags")
            .and_then(Object::as_integer)
            .unwrap_or(0);
        let mut changed = flags & 3 != 3;
        form.set(b"SigFlags", (flags | 3).into());
        if let Some(field) = field {
            let mut fields = self.fields.clone();
            fields.push(field.into());
            match self.fields_reference {
                Some(reference) => update.put(reference, &fields.into()),
                None => {
                    form.set(b"Fields", fields.into());
                    changed = true;
                }
            }
        }
        let (root, catalog) = catalog;
        match &self.place {
            _ if !changed => {}
            Place::Indirect(reference, _) => update.put(*reference, &form.into()),
            Place::InCatalog(_) => {
                update.put(root, &catalog.clone().with(b"AcroForm", form).into())
            }
            Place::Absent => {
                let reference = update.add(form)?;
                update.put(root, &catalog.clone().with(b"AcroForm", reference).into());
            }
        }
        Ok(())
    }

    fn walk(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        let root: Rc<str> = Rc::from("");
        let mut seen = HashSet::new();
        let mut stack: Vec<Visit> = references(&self.fields)
            .rev()
            .map(|reference| Visit {
                reference,
                prefix: root.clone(),
                is_signature: false,
                depth: 0,
            })
            .collect();
        while let Some(visit) = stack.pop() {
            if !seen.insert(visit.reference) {
                continue;
            }
            if visit.depth > DEPTH_MAX {
                return Err(Error::TooComplex {
                    limit: "depth of the form",
                });
            }
            if let Object::Dictionary(dictionary) = reader.object(visit.reference)? {
                self.visit(reader, &visit, dictionary, &mut stack)?;
            }
        }
        Ok(())
    }

    fn visit(
        &mut self,
        reader: &Reader<'_>,
        visit: &Visit,
        dictionary: Dictionary,
        stack: &mut Vec<Visit>,
    ) -> Result<(), Error> {
        let name = qualified(reader, &visit.prefix, &dictionary)?;
        reader.charge(name.len())?;
        let is_signature = match reader.value(&dictionary, b"FT")? {
            Some(kind) => kind.as_name() == Some(b"Sig"),
            None => visit.is_signature,
        };
        let kids = reader.array(&dictionary, b"Kids")?.unwrap_or_default();
        let mut widget = None;
        for kid in references(&kids).rev() {
            match reader.object(kid)? {
                // 12.7.3.1: a kid without a partial name is a widget of this field.
                Object::Dictionary(found) if found.get(b"T").is_none() => {
                    widget = Some((kid, found));
                }
                _ => stack.push(Visit {
                    reference: kid,
                    prefix: name.clone(),
                    is_signature,
                    depth: visit.depth + 1,
                }),
            }
        }
        if is_signature && (kids.is_empty() || widget.is_some()) {
            let value = reader.value(&dictionary, b"V")?;
            self.signature_fields.push(SignatureField {
                name: name.to_string(),
                reference: visit.reference,
                dictionary,
                kid: widget,
                signed: matches!(value, Some(Object::Dictionary(_))),
            });
        }
        self.names.insert(name);
        Ok(())
    }

    /// 12.8.2.2: the certification that the catalog names, and (ISO 32000-2 12.8.2.2.1) any signature's own DocMDP.
    fn read_permissions(&mut self, reader: &Reader<'_>, catalog: &Dictionary) -> Result<(), Error> {
        let mut signatures = Vec::new();
        if let Some(permissions) = reader.dictionary(catalog, b"Perms")? {
            signatures.extend(reader.dictionary(&permissions, b"DocMDP")?);
        }
        for field in self.signature_fields.iter().filter(|field| field.signed) {
            signatures.extend(reader.dictionary(&field.dictionary, b"V")?);
        }
        for signature in signatures {
            for entry in reader.array(&signature, b"Reference")?.unwrap_or_default() {
                if let Object::Dictionary(entry) = reader.resolve(&entry)? {
                    self.read_transform(reader, &entry)?;
                }
            }
        }
        for field in self.signature_fields.iter().filter(|field| field.signed) {
            // ISO 32000-2 12.7.5.5 table 236: a lock may forbid changes by itself.
            if let Some(lock) = reader.dictionary(&field.dictionary, b"Lock")?
                && reader.value(&lock, b"P")? == Some(Object::Integer(1))
            {
                return Err(Error::ChangesForbidden);
            }
        }
        Ok(())
    }

    /// One signature reference dictionary (12.8.1 table 253).
    fn read_transform(&mut self, reader: &Reader<'_>, entry: &Dictionary) -> Result<(), Error> {
        let parameters = reader
            .dictionary(entry, b"TransformParams")?
            .unwrap_or_default();
        let method = reader.value(entry, b"TransformMethod")?;
        match method.as_ref().and_then(Object::as_name) {
            Some(b"DocMDP") => {
                let permission = reader
                    .value(&parameters, b"P")?
                    .and_then(|permission| permission.as_integer())
                    .unwrap_or(2);
                if permission == 1 {
                    return Err(Error::ChangesForbidden);
                }
                self.certified = Some(
                    self.certified
                        .map_or(permission, |other| other.min(permission)),
                );
            }
            Some(b"FieldMDP") => {
                let action = reader.value(&parameters, b"Action")?;
                let names = reader.array(&parameters, b"Fields")?.unwrap_or_default();
                let names: Vec<String> = names
                    .iter()
                    .filter_map(|name| name.as_string().map(text_of))
                    .collect();
                match action.as_ref().and_then(Object::as_name) {
                    Some(b"Include") => self.locks.push(Lock {
                        is_exclusion: false,
                        names,
                    }),
                    Some(b"Exclude") => self.locks.push(Lock {
                        is_exclusion: true,
                        names,
                    }),
                    // All, a new signature field among them.
                    _ => return Err(Error::ChangesForbidden),
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Lock {
    /// Whether a field, or what it is within, is locked.
    fn holds(&self, name: &str) -> bool {
        let is_named = self.names.iter().any(|locked| {
            name.strip_prefix(locked.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        is_named != self.is_exclusion
    }
}

impl Place {
    fn of(reader: &Reader<'_>, catalog: &Dictionary) -> Result<Place, Error> {
        Ok(match catalog.get(b"AcroForm") {
            None => Place::Absent,
            Some(Object::Dictionary(form)) => Place::InCatalog(form.clone()),
            Some(Object::Reference(reference)) => match reader.object(*reference)? {
                Object::Dictionary(form) => Place::Indirect(*reference, form),
                _ => Place::Absent,
            },
            Some(_) => Place::Absent,
        })
    }

    fn dictionary(&self) -> Option<&Dictionary> {
        match self {
            Place::Absent => None,
            Place::InCatalog(form) | Place::Indirect(_, form) => Some(form),
        }
    }
}

impl SignatureField {
    /// The widget annotation: the field itself or its kid.
    pub fn widget(&self) -> (Reference, &Dictionary) {
        match &self.kid {
            Some((reference, dictionary)) => (*reference, dictionary),
            None => (self.reference, &self.dictionary),
        }
    }

    /// Where the widget is on its page, unless it has no area.
    pub fn rectangle(&self, reader: &Reader<'_>) -> Result<Option<[f32; 4]>, Error> {
        match self.widget().1.get(b"Rect") {
            Some(rectangle) => Ok(reader
                .rectangle(rectangle)?
                .filter(|[left, bottom, right, top]| left < right && bottom < top)),
            None => Ok(None),
        }
    }
}

/// Fully qualified name (12.7.3.2): the partial names from the root, with full stops between.
fn qualified(
    reader: &Reader<'_>,
    prefix: &Rc<str>,
    dictionary: &Dictionary,
) -> Result<Rc<str>, Error> {
    let partial = match reader.value(dictionary, b"T")? {
        Some(Object::String(bytes)) => text_of(&bytes),
        _ => return Ok(prefix.clone()),
    };
    Ok(if prefix.is_empty() {
        partial.into()
    } else {
        format!("{prefix}.{partial}").into()
    })
}

fn references(objects: &[Object]) -> impl DoubleEndedIterator<Item = Reference> + '_ {
    objects.iter().filter_map(Object::as_reference)
}
