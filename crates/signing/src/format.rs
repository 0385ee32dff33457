//! The one bridge to ades: (format, level) → prepare / embed.
