//! Control frames: replies to commands, and errors. They are the same on every WebSocket of the exchange.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Deserialize;
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
    /// The exchange acknowledges `subscribe`.
    Subscribed { sid: u64 },
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
                }
                body(text, envelope)
                    .map_or(Self::Malformed, |Body { sid }| Self::Subscribed { sid })
            }
            "ok" => Self::Ok,
            "unsubscribed" => Self::Unsubscribed,
            "error" => body(text, envelope)
                .map_or(Self::Malformed, |body: ErrorBody| Self::Error(body.into())),
            _ => Self::Data,
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    code: i64,
    msg: String,
    market_ticker: Option<String>,
    market_tickers: Option<Vec<String>>,
}

impl From<ErrorBody> for CommandError {
    fn from(body: ErrorBody) -> Self {
        let market_tickers = body.market_tickers.unwrap_or_default();
        Self::from_reply(body.code, body.msg, body.market_ticker, market_tickers)
    }
}

/// Decodes the body of a frame. Returns `None` if it does not decode.
pub(super) fn body<'a, T: Deserialize<'a>>(text: &'a str, envelope: &Envelope) -> Option<T> {
    serde_json::from_str(envelope.body(text)?).ok()
}

/// Returns the value of a string field of a frame's body.
pub(super) fn field<'a>(text: &'a str, envelope: &Envelope, name: &str) -> Option<Cow<'a, str>> {
    #[derive(Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

    let fields: BTreeMap<Cow<'a, str>, &'a RawValue> = body(text, envelope)?;
    let Borrowed(value) = serde_json::from_str(fields.get(name)?.get()).ok()?;
    Some(value)
}
