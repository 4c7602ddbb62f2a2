//! Control frames: replies to commands, and errors. They are the same on every WebSocket of the exchange.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{envelope::Envelope, error::CommandError};

/// One subscription of a connection, as the exchange lists it in reply to `list_subscriptions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct ListedSubscription {
    /// Name of the channel.
    pub channel: String,
    /// The exchange's number for the subscription on this connection.
    pub sid: u64,
}

/// A frame as the session classifies it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Control {
    /// The exchange acknowledges `subscribe`. The channel is `None` if the acknowledgement does not name it.
    Subscribed { sid: u64, channel: Option<String> },
    /// The exchange acknowledges another command, or `subscribe` to a channel that is already open.
    Ok,
    /// The exchange acknowledges `unsubscribe`.
    Unsubscribed,
    /// A command or a subscription failed.
    Error(CommandError),
    /// The type is one of the above, but the body does not match it.
    Malformed,
    /// A message of a channel.
    Data,
}

/// Returns `true` if messages of this type are control frames.
pub(super) fn is_control(kind: &str) -> bool {
    ["subscribed", "ok", "unsubscribed", "error"].contains(&kind)
}

impl Control {
    pub(super) fn parse(text: &str, envelope: &Envelope) -> Self {
        match envelope.kind(text) {
            "subscribed" => {
                #[derive(Deserialize)]
                struct Body {
                    sid: u64,
                    #[serde(default, deserialize_with = "lenient")]
                    channel: Option<String>,
                }
                body(text, envelope).map_or(Self::Malformed, |Body { sid, channel }| {
                    Self::Subscribed { sid, channel }
                })
            }
            "ok" => Self::Ok,
            "unsubscribed" => Self::Unsubscribed,
            "error" => body(text, envelope)
                .map_or(Self::Malformed, |body: ErrorBody| Self::Error(body.into())),
            _ => Self::Data,
        }
    }
}

/// Body of an error. Only its code is required, because it decides whether the subscription has ended.
#[derive(Deserialize, Serialize)]
struct ErrorBody {
    code: i64,
    #[serde(default, deserialize_with = "lenient")]
    msg: String,
    #[serde(default, deserialize_with = "lenient")]
    market_ticker: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    market_tickers: Vec<String>,
}

/// Decodes a value of the wrong type as the default.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Returns the body of an error with defaults in place of missing and invalid fields, or `None` if it has no code.
pub(super) fn complete_error(body: &str) -> Option<String> {
    let body: ErrorBody = serde_json::from_str(body).ok()?;
    serde_json::to_string(&body).ok()
}

impl From<ErrorBody> for CommandError {
    fn from(body: ErrorBody) -> Self {
        let ErrorBody {
            code,
            msg,
            market_ticker,
            market_tickers,
        } = body;
        Self::from_reply(code, msg, market_ticker, market_tickers)
    }
}

/// Decodes the body of a frame. Returns `None` if it does not decode.
pub(super) fn body<'a, T: Deserialize<'a>>(text: &'a str, envelope: &Envelope) -> Option<T> {
    serde_json::from_str(envelope.body(text)?).ok()
}

/// Returns the strings of a list in a frame's body.
pub(super) fn list(text: &str, envelope: &Envelope, name: &str) -> Option<Vec<String>> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = body(text, envelope)?;
    serde_json::from_str(fields.get(name)?.get()).ok()
}

/// Returns the value of a string field of a frame's body.
pub(super) fn field<'a>(text: &'a str, envelope: &Envelope, name: &str) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let fields: BTreeMap<Cow<'a, str>, &'a RawValue> = body(text, envelope)?;
    let Borrowed(value) = serde_json::from_str(fields.get(name)?.get()).ok()?;
    Some(value)
}
