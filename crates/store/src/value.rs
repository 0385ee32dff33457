//! Values we bind and rows we read: the five types both databases share.

use std::sync::Arc;

use crate::id::TypedId;
use crate::{Error, Result};

/// One value to bind or read.
///
/// Text must not hold U+0000 (PostgreSQL refuses it). Milliseconds and counts are `Int`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(String),
    /// `BYTEA`.
    Bytes(Vec<u8>),
    /// `BOOLEAN`.
    Bool(bool),
}

/// One row of a result.
#[derive(Debug)]
pub struct Row(pub(crate) Driver);

#[derive(Debug)]
pub(crate) enum Driver {
    /// The values themselves, or the type that is none of ours.
    Sqlite {
        columns: Arc<[String]>,
        values: Vec<std::result::Result<Value, &'static str>>,
    },
    Postgres(sqlx::postgres::PgRow),
}

impl Row {
    /// A `TEXT` column.
    ///
    /// # Errors
    /// [`Error::Column`] if it is missing, NULL, or of another type; so for all readers of this type.
    pub fn text(&self, column: &str) -> Result<String> {
        self.opt_text(column)?.ok_or_else(|| null(column, "text"))
    }

    /// A `TEXT` column that may be NULL.
    pub fn opt_text(&self, column: &str) -> Result<Option<String>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(mismatch(column, "text", &other)),
        }
    }

    /// A `BIGINT` column.
    pub fn int(&self, column: &str) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column, "int"))
    }

    /// A `BIGINT` column that may be NULL.
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(int) => Ok(Some(int)),
            other => Err(mismatch(column, "int", &other)),
        }
    }

    /// A `BYTEA` column.
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        self.opt_bytes(column)?.ok_or_else(|| null(column, "bytes"))
    }

    /// A `BYTEA` column that may be NULL.
    pub fn opt_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            other => Err(mismatch(column, "bytes", &other)),
        }
    }

    /// A `BOOLEAN` column.
    pub fn bool(&self, column: &str) -> Result<bool> {
        self.opt_bool(column)?.ok_or_else(|| null(column, "bool"))
    }

    /// A `BOOLEAN` column that may be NULL.
    pub fn opt_bool(&self, column: &str) -> Result<Option<bool>> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bool(bool) => Ok(Some(bool)),
            // SQLite has no boolean: 0 and 1.
            Value::Int(int @ (0 | 1)) => Ok(Some(int == 1)),
            other => Err(mismatch(column, "bool", &other)),
        }
    }

    /// A `TEXT` column that holds a typed id.
    pub fn id<T: TypedId>(&self, column: &str) -> Result<T> {
        Ok(T::parse(&self.text(column)?)?)
    }

    /// A `TEXT` column that holds a typed id or NULL.
    pub fn opt_id<T: TypedId>(&self, column: &str) -> Result<Option<T>> {
        Ok(self
            .opt_text(column)?
            .map(|text| T::parse(&text))
            .transpose()?)
    }
}

fn null(column: &str, expected: &'static str) -> Error {
    Error::Column {
        column: column.to_owned(),
        expected,
        found: "null".to_owned(),
    }
}

fn mismatch(column: &str, expected: &'static str, found: &Value) -> Error {
    Error::Column {
        column: column.to_owned(),
        expected,
        found: found.kind().to_owned(),
    }
}

impl Value {
    /// The type's name; never the content, which may be personal.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Int(_) => "int",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Bool(_) => "bool",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::Text(text.clone())
    }
}
impl From<i64> for Value {
    fn from(int: i64) -> Value {
        Value::Int(int)
    }
}
impl From<u32> for Value {
    fn from(int: u32) -> Value {
        Value::Int(int.into())
    }
}
impl From<i32> for Value {
    fn from(int: i32) -> Value {
        Value::Int(int.into())
    }
}
impl From<bool> for Value {
    fn from(bool: bool) -> Value {
        Value::Bool(bool)
    }
}
impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Value {
        Value::Bytes(bytes)
    }
}
impl From<&Vec<u8>> for Value {
    fn from(bytes: &Vec<u8>) -> Value {
        Value::Bytes(bytes.clone())
    }
}
impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.to_vec())
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Value {
        Value::Bytes(bytes.to_vec())
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(bytes: &[u8; N]) -> Value {
        Value::Bytes(bytes.to_vec())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Value {
        option.map_or(Value::Null, Into::into)
    }
}
