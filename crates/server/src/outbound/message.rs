//! The words of SMS and mail, from `locales/<language>.ftl`.
//!
//! Every message has three entries: `<name>-sms`, `<name>-subject`, `<name>-mail`. An SMS is GSM-7, so that it
//! costs one segment where it can, and never holds a link (ux: links in SMS train people for phishing). The code of a first
//! binding ends with `@domain #code`, so that a browser offers it on our pages only (WICG, origin-bound one-time codes).

use std::cell::RefCell;
use std::collections::HashMap;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

/// Language of a message, as the citizen chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Vietnamese, the default.
    Vi,
    /// English.
    En,
}

impl Language {
    /// `vi` or `en`; anything else is Vietnamese.
    pub fn of(tag: &str) -> Self {
        if tag.starts_with("en") {
            Self::En
        } else {
            Self::Vi
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Vi => include_str!("../../locales/vi.ftl"),
            Self::En => include_str!("../../locales/en.ftl"),
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }
}

thread_local! {
    // A bundle is not Sync; each thread parses its own, once a language.
    static BUNDLES: RefCell<HashMap<Language, FluentBundle<FluentResource>>> = RefCell::default();
}

/// One text of the catalog with its variables filled in; `None` when there is no such entry.
pub fn text(language: Language, entry: &str, variables: &[(&str, &str)]) -> Option<String> {
    BUNDLES.with_borrow_mut(|bundles| {
        let bundle = bundles.entry(language).or_insert_with(|| bundle(language));
        let pattern = bundle.get_message(entry)?.value()?;
        let mut arguments = FluentArgs::new();
        for (name, value) in variables {
            arguments.set(*name, *value);
        }
        let mut errors = Vec::new();
        let text = bundle
            .format_pattern(pattern, Some(&arguments), &mut errors)
            .into_owned();
        errors.is_empty().then_some(text)
    })
}

fn bundle(language: Language) -> FluentBundle<FluentResource> {
    let mut bundle = FluentBundle::new(vec![language.tag().parse().unwrap_or_default()]);
    bundle.set_use_isolating(false);
    // The catalogs are part of the program and parsed by a test; a fault keeps what could be read.
    let resource = FluentResource::try_new(language.source().to_owned()).unwrap_or_else(|(r, _)| r);
    let _ = bundle.add_resource(resource);
    bundle
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: [&str; 12] = [
        "activation-code",
        "resumption-code",
        "resumed",
        "device-code",
        "approved",
        "supplement",
        "rejected",
        "complete",
        "device-changed",
        "pin-changed",
        "locked",
        "request",
    ];
    const VARIABLES: [(&str, &str); 5] = [
        ("domain", "ky.example.vn"),
        ("code", "493021"),
        ("minutes", "5"),
        ("reference", "8K2F-31"),
        ("hotline", "1900 0000"),
    ];

    #[test]
    fn every_message_has_three_forms_in_both_languages() {
        for language in [Language::Vi, Language::En] {
            for name in MESSAGES {
                for form in ["sms", "subject", "mail"] {
                    assert!(
                        text(language, &format!("{name}-{form}"), &VARIABLES).is_some(),
                        "{name}-{form}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_sms_is_one_gsm_segment_without_a_link() {
        for language in [Language::Vi, Language::En] {
            for name in MESSAGES {
                let sms = text(language, &format!("{name}-sms"), &VARIABLES).unwrap();
                assert!(
                    sms.is_ascii() && !sms.contains(['[', ']', '{', '}', '~', '\\', '^', '|']),
                    "{sms}"
                );
                assert!(sms.len() <= 160, "{} characters: {sms}", sms.len());
                assert!(!sms.contains("http") && !sms.contains("www."), "{sms}");
            }
        }
    }
}
