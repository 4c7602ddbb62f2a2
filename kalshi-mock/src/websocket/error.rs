//! Errors of commands and subscriptions, with the codes that the exchange uses.

use serde_json::{Map, Value, json};

/// A rejected command, or the reason why a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandError {
    pub(super) code: u8,
    text: String,
    tickers: Vec<String>,
}

impl CommandError {
    pub(super) fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            tickers: Vec::new(),
        }
    }

    pub(super) fn unreadable() -> Self {
        Self::new(1, "Unable to process message")
    }

    pub(super) fn no_params() -> Self {
        Self::new(2, "Params required")
    }

    pub(super) fn unknown_sid() -> Self {
        Self::new(7, "Unknown subscription ID")
    }

    pub(super) fn invalid(what: &str) -> Self {
        Self::new(11, format!("Invalid parameter: {what}"))
    }

    pub(super) fn unsupported() -> Self {
        Self::new(13, "Unsupported action")
    }

    pub(super) fn no_market() -> Self {
        Self::new(14, "Market Ticker required")
    }

    pub(super) fn overflow() -> Self {
        Self::new(25, "Subscription buffer overflow")
    }

    /// Rejects markets that do not exist.
    pub(super) fn unknown_markets(tickers: Vec<String>) -> Self {
        Self {
            tickers,
            ..Self::invalid("no such market")
        }
    }

    pub(super) fn body(&self) -> Value {
        let mut body = Map::from_iter([
            ("code".to_owned(), json!(self.code)),
            ("msg".to_owned(), json!(self.text)),
        ]);
        match self.tickers.as_slice() {
            [] => {}
            [ticker] => {
                body.insert("market_ticker".to_owned(), json!(ticker));
            }
            tickers => {
                body.insert("market_tickers".to_owned(), json!(tickers));
            }
        }
        body.into()
    }
}
