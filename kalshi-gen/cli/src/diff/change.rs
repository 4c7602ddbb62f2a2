//! A single difference: its severity, kind, subject and location.

use std::fmt;

use serde::Serialize;

/// The effect of a change on a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Class {
    /// The program may no longer compile, or its requests may be rejected.
    Breaking,
    /// The program compiles; its behaviour may change.
    Behaviour,
    /// Something was added. Existing programs are unaffected.
    Additive,
    /// Only descriptions changed; programs are unaffected.
    Prose,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// The element is new.
    Added,
    /// The element no longer exists.
    Removed,
    /// The element has a different value.
    Changed,
    /// The element has a different name and is otherwise the same.
    Renamed,
}

/// The element that a change concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Subject {
    /// An operation of the API.
    Operation,
    /// A WebSocket channel, or its address.
    Channel,
    /// A message of a WebSocket API.
    Message,
    /// The method or the path of an operation.
    Path,
    /// A parameter of an operation.
    Parameter,
    /// The body of a request.
    Body,
    /// A response of an operation.
    #[serde(rename = "answer")]
    Response,
    /// A named schema, or a component shared by operations.
    Schema,
    /// A field of an object.
    #[serde(rename = "member")]
    Field,
    /// A value of an enum.
    Value,
    /// The type of a field or a parameter.
    Type,
    /// A format that does not affect the type.
    Format,
    /// The presence of a field: required or optional.
    Required,
    /// The nullability of a field or a parameter.
    Nullable,
    /// The authentication that an operation requires.
    Auth,
    /// The rate limit cost of an operation.
    Cost,
    /// The default of a field or a parameter.
    Default,
    /// A bound of a value, or another keyword.
    Keyword,
    /// The deprecation of an operation, a parameter or a field.
    Deprecated,
    /// A server, a tag or a security scheme.
    Document,
    /// A description, summary or title.
    #[serde(rename = "words")]
    Description,
}

/// A single difference between two specs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// The effect on a program.
    pub class: Class,
    /// The kind of the change.
    pub kind: Kind,
    /// The element that the change concerns.
    pub subject: Subject,
    /// The location in terms of the spec: `GetMarkets, parameter limit`, `Market.status`.
    #[serde(rename = "place")]
    pub location: String,
    /// The location as a JSON path, in the new spec, or in the old one for removed elements.
    pub path: String,
    /// The old value, or `None` unless it is a short string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The new value, or `None` unless it is a short string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The change as a phrase, without its location.
    pub text: String,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaking => "breaking",
            Self::Behaviour => "behaviour",
            Self::Additive => "additive",
            Self::Prose => "prose",
        })
    }
}
