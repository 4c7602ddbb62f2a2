//! Values of tables and records.

use chrono::{DateTime, SecondsFormat, Utc};
use kalshi_sdk::{Contracts, Decimal, Dollars};
use serde_json::{Value, json};

use super::sanitize;

/// Value of a table or record. In JSON, money and counts are decimal strings, times are RFC 3339, and absent values are `null`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Text(String),
    Dollars(Dollars),
    Contracts(Contracts),
    Decimal(Decimal),
    Integer(i64),
    Flag(bool),
    Time(DateTime<Utc>),
    Absent,
}

impl Cell {
    /// Returns the value for a table. Control characters in strings are replaced.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => sanitize(text),
            Self::Dollars(amount) => amount.to_string(),
            Self::Contracts(count) => count.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Time(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
            Self::Absent => String::new(),
        }
    }

    /// Returns the value for JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => json!(sanitize(text)),
            Self::Dollars(amount) => json!(amount),
            Self::Contracts(count) => json!(count),
            Self::Decimal(number) => json!(number.to_string()),
            Self::Integer(number) => json!(number),
            Self::Flag(flag) => json!(flag),
            Self::Time(time) => json!(rfc3339(time)),
            Self::Absent => Value::Null,
        }
    }

    /// Returns the value for comma-separated values: as in JSON, without quotes, and empty if absent.
    pub(crate) fn to_csv(&self) -> String {
        match self.to_json() {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// Returns `true` for values that tables align to the right.
    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Dollars(_) | Self::Contracts(_) | Self::Decimal(_) | Self::Integer(_)
        )
    }
}

fn rfc3339(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Cell {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    String => Text,
    Dollars => Dollars,
    Contracts => Contracts,
    Decimal => Decimal,
    i64 => Integer,
    u32 => Integer,
    bool => Flag,
    DateTime<Utc> => Time,
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}
