//! Columns of a row to values of the model. A value that makes no sense is [`Error::Corrupt`], never a default.

use crate::{Error, Result};
use jiff::Timestamp;
use model::Body;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;
use std::str::FromStr;

fn corrupt(what: &'static str, detail: impl ToString) -> Error {
    Error::Corrupt { what, detail: detail.to_string() }
}

/// Reading columns by name.
pub(crate) trait Columns {
    fn int(&self, name: &'static str) -> Result<i64>;
    fn int_or_null(&self, name: &'static str) -> Result<Option<i64>>;
    fn text(&self, name: &'static str) -> Result<String>;
    fn text_or_null(&self, name: &'static str) -> Result<Option<String>>;
    fn blob_or_null(&self, name: &'static str) -> Result<Option<Vec<u8>>>;

    fn bool(&self, name: &'static str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    fn bool_or_null(&self, name: &'static str) -> Result<Option<bool>> {
        Ok(self.int_or_null(name)?.map(|v| v != 0))
    }

    /// A number that is never negative.
    fn unsigned<T: TryFrom<i64>>(&self, name: &'static str) -> Result<T> {
        let value = self.int(name)?;
        T::try_from(value).map_err(|_| corrupt(name, format!("{value} is out of range")))
    }

    fn unsigned_or_null<T: TryFrom<i64>>(&self, name: &'static str) -> Result<Option<T>> {
        self.int_or_null(name)?
            .map(|value| T::try_from(value).map_err(|_| corrupt(name, format!("{value} is out of range"))))
            .transpose()
    }

    fn time(&self, name: &'static str) -> Result<Timestamp> {
        Timestamp::from_microsecond(self.int(name)?).map_err(|e| corrupt(name, e))
    }

    fn time_or_null(&self, name: &'static str) -> Result<Option<Timestamp>> {
        self.int_or_null(name)?.map(Timestamp::from_microsecond).transpose().map_err(|e| corrupt(name, e))
    }

    /// A word of one of the model's enums, or anything else that reads itself from a text.
    fn word<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<T> {
        self.text(name)?.parse().map_err(|e: T::Err| corrupt(name, e.to_string()))
    }

    fn word_or_null<T: FromStr<Err: ToString>>(&self, name: &'static str) -> Result<Option<T>> {
        self.text_or_null(name)?.map(|t| t.parse()).transpose().map_err(|e: T::Err| corrupt(name, e.to_string()))
    }

    fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T> {
        serde_json::from_str(&self.text(name)?).map_err(|e| corrupt(name, e))
    }

    fn body(&self, name: &'static str) -> Result<Body> {
        Body::try_from(self.text(name)?).map_err(|e| corrupt(name, e))
    }

    fn json_or_null<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>> {
        self.text_or_null(name)?.map(|t| serde_json::from_str(&t)).transpose().map_err(|e| corrupt(name, e))
    }
}

impl Columns for AnyRow {
    fn int(&self, name: &'static str) -> Result<i64> {
        self.try_get(name).map_err(|e| corrupt(name, e))
    }
    fn int_or_null(&self, name: &'static str) -> Result<Option<i64>> {
        self.try_get(name).map_err(|e| corrupt(name, e))
    }
    fn text(&self, name: &'static str) -> Result<String> {
        self.try_get(name).map_err(|e| corrupt(name, e))
    }
    fn text_or_null(&self, name: &'static str) -> Result<Option<String>> {
        self.try_get(name).map_err(|e| corrupt(name, e))
    }
    fn blob_or_null(&self, name: &'static str) -> Result<Option<Vec<u8>>> {
        self.try_get(name).map_err(|e| corrupt(name, e))
    }
}

/// A value as the JSON text that a column holds.
pub(crate) fn to_json(what: &'static str, value: &(impl serde::Serialize + ?Sized)) -> Result<String> {
    serde_json::to_string(value).map_err(|e| corrupt(what, e))
}
