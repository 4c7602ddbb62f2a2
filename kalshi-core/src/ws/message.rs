//! Trait of an API's typed messages, and messages without a type of their own.

use std::fmt;

use serde::Deserializer;

/// A typed message of the exchange. kalshi-gen implements this for the enum of an API's messages.
pub trait Message: Clone + fmt::Debug + Send + Sized + 'static {
    /// `type` of the message on the wire, or an empty string if it could not be read.
    fn kind(&self) -> &str;

    /// Time of the reported event in Unix milliseconds, or `None` if the message has none.
    fn ts_ms(&self) -> Option<i64>;

    /// Decodes the body of a message of type `kind` into `target`. Returns `false` if the type is not in the spec.
    ///
    /// # Errors
    ///
    /// Returns an error if the body does not match the spec.
    fn decode_body<'de, D: Deserializer<'de>>(
        kind: &str,
        deserializer: D,
        target: &mut Self,
    ) -> Result<bool, D::Error>;

    /// Returns the message of type `kind` without a body, or `None` if the spec has no such message.
    fn without_body(kind: &str) -> Option<Self>;

    /// Creates a message of a type that is not in the spec.
    fn unknown(message: UnknownMessage) -> Self;

    /// Creates a message for a frame that could not be decoded.
    fn malformed(message: MalformedMessage) -> Self;
}

/// A message of a type that is not in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownMessage {
    /// `type` of the message on the wire.
    pub kind: String,
    /// The frame as received.
    pub raw: String,
}

/// A frame that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MalformedMessage {
    /// `type` of the message on the wire, or `None` if that could not be read.
    pub kind: Option<String>,
    /// JSON path of the invalid value.
    pub path: String,
    /// Description of the error.
    pub reason: String,
    /// The frame as received.
    pub raw: String,
}
