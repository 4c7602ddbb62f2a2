//! One difference: how grave it is, what happened, to what, where.

use std::fmt;

use serde::Serialize;

/// How much a program notices of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Class {
    /// It may no longer compile, or its requests are rejected.
    Breaking,
    /// It compiles, and something goes on differently.
    Behaviour,
    /// There is more than before.
    Additive,
    /// Other words.
    Prose,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
    /// It is the same under another name.
    Renamed,
}

/// What it happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Subject {
    /// An operation.
    Operation,
    /// A channel of streams, or its address.
    Channel,
    /// A message of streams.
    Message,
    /// The method or the path of an operation.
    Path,
    /// A parameter.
    Parameter,
    /// The body of a request.
    Body,
    /// A response of an operation.
    Answer,
    /// A named schema.
    Schema,
    /// A field of an object.
    Member,
    /// A value of an enum.
    Value,
    /// A type.
    Type,
    /// A format that leaves the type as it is.
    Format,
    /// Whether something must be there.
    Required,
    /// Whether something may be null.
    Nullable,
    /// Whether a signature is needed, and with what.
    Auth,
    /// What a call costs.
    Cost,
    /// What holds when nothing is said.
    Default,
    /// A bound of a value, or another keyword.
    Keyword,
    /// Whether something is on its way out.
    Deprecated,
    /// A server, a tag, or a scheme of security.
    Document,
    /// Words.
    Words,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// How much a program notices.
    pub class: Class,
    /// What happened.
    pub kind: Kind,
    /// What it happened to.
    pub subject: Subject,
    /// Where, in the spec's names: `GetMarkets, parameter limit`, `Market.status`.
    pub place: String,
    /// Where, as a JSON path: in the new spec, or in the old one for what is gone.
    pub path: String,
    /// What was, where that is a short text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What is, where that is a short text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The change in words, without its place.
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
