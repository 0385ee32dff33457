//! The one macro by which a section of the configuration is written: a struct whose doc comments are its manual.
//!
//! Invariant: a field cannot exist without a default and a comment, because the macro has no form without them.

/// One configuration key as the manual shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Section name in the TOML file, e.g. `server`.
    pub section: &'static str,
    /// Key inside the section.
    pub key: &'static str,
    /// The Rust expression of the default.
    pub default: &'static str,
    /// The doc comment: what it does, unit, what breaks if it is wrong.
    pub doc: &'static str,
}

/// Writes a section: struct, serde rules (unknown keys refused), default and manual.
macro_rules! section {
    (
        $(#[doc = $section_doc:literal])+
        $name:ident in $section:literal {
            $( $(#[doc = $doc:literal])+ $key:ident : $type:ty = $default:expr ; )+
        }
    ) => {
        $(#[doc = $section_doc])+
        #[derive(Debug, Clone, serde::Deserialize, serde::Serialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $doc])+ pub $key: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default.into(), )+ }
            }
        }

        impl $name {
            /// The manual of this section, in file order.
            pub const FIELDS: &'static [$crate::config::section::Field] = &[
                $( $crate::config::section::Field {
                    section: $section,
                    key: stringify!($key),
                    default: stringify!($default),
                    doc: concat!($($doc, "\n"),+),
                }, )+
            ];
            /// What the section is for.
            pub const DOC: &'static str = concat!($($section_doc, "\n"),+);
            /// Its name in the file.
            pub const SECTION: &'static str = $section;
        }
    };
}

pub(crate) use section;
