//! What can go wrong while writing a paper. Messages never carry a field's content, only its name.

/// The result of writing a paper.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a paper was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field holds a character that the embedded fonts cannot show.
    #[error("field {field} holds U+{:04X}, which the fonts cannot show", *.character as u32)]
    Unprintable {
        /// Path of the field, such as `subscriber.full_name`.
        field: String,
        /// The character.
        character: char,
    },
    /// A field is longer than a form can hold.
    #[error("field {field} has {characters} characters, more than {most}")]
    TooLong {
        /// Path of the field.
        field: String,
        /// Characters it has.
        characters: usize,
        /// Most characters allowed.
        most: usize,
    },
    /// A list is longer than a form can hold.
    #[error("list {field} has {entries} entries, more than {most}")]
    TooMany {
        /// Path of the list.
        field: String,
        /// Entries it has.
        entries: usize,
        /// Most entries allowed.
        most: usize,
    },
    /// The day is not in the calendar.
    #[error("no such day: {year}-{month}-{day}")]
    NoSuchDay {
        /// Year.
        year: i32,
        /// Month as given.
        month: u8,
        /// Day as given.
        day: u8,
    },
    /// The text is not a date in the form `yyyy-MM-dd`.
    #[error("a date is written yyyy-MM-dd")]
    DateForm,
    /// The template did not compile or the file did not pass the PDF/A check: a defect of this crate.
    #[error("template {template}: {message}")]
    Template {
        /// Name of the template.
        template: &'static str,
        /// The compiler's first words.
        message: String,
    },
}
