//! Faults that a test injects, and the rules that select requests for them.

use std::{fmt, str::FromStr, time::Duration};

use chrono::TimeDelta;
use kalshi_sdk::Operation;
use serde_json::{Map, Value, json};

use crate::{rejection::ErrorEnvelope, spec};

/// A fault to inject with [`MockExchange::fault`](crate::MockExchange::fault), into all requests or into those that a [`FaultRule`] selects.
///
/// ```
/// use std::time::Duration;
/// use kalshi_mock::Fault;
/// use kalshi_sdk::operation;
///
/// // The next two orders are placed, and their responses are lost.
/// let lost = Fault::DropAfter.on(operation::CREATE_ORDER_V2).times(2);
/// // One request in five is slow.
/// let slow = Fault::Latency(Duration::from_millis(300)).probability(0.2).seed(7);
/// # _ = (lost, slow);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Delays the response. The request is executed immediately.
    Latency(Duration),
    /// Drops the connection without executing the request.
    DropBefore,
    /// Executes the request, then drops the connection.
    DropAfter,
    /// Responds with 429 without executing the request.
    TooManyRequests,
    /// Responds with this status, 500 or above, and the error envelope of the exchange, without executing the request.
    ServerError(u16),
    /// Executes the request, then responds like [`ServerError`](Self::ServerError).
    ServerErrorAfter(u16),
    /// Responds with this status and an HTML page, as a proxy in front of the exchange does, without executing the request.
    Html(u16),
    /// Cuts off the response in the middle of its body.
    TruncatedBody,
    /// Sends an unsolicited second response, an empty object with status 200, after the response. The connection stays open.
    ExtraResponse,
    /// Sends rejections with this error envelope.
    ErrorEnvelope(ErrorEnvelope),
    /// Replaces every enum value of the response with one that the spec does not list.
    UnknownEnumValue,
    /// Replaces every list of the response with null.
    NullLists,
    /// Adds a field that is not in the spec to every object of the response.
    ExtraField,
    /// Removes the fields of this name from the response.
    MissingField(String),
    /// Skews the clock of the exchange for signatures and the `Date` header. Positive values are ahead.
    ClockSkew(TimeDelta),
    /// Hides records created within this duration from reads: reading a new order returns 404, and lists omit it. Older orders, order groups
    /// and margin positions are shown as they were this long ago. Changes from before the fault was injected may be visible.
    StaleReads(Duration),
}

/// A fault and the requests it applies to, made by [`Fault::on`], [`times`](Fault::times) or [`probability`](Fault::probability).
#[derive(Clone, Debug)]
#[must_use = "a rule has no effect until it is passed to MockExchange::fault"]
pub struct FaultRule {
    pub(crate) fault: Fault,
    operation: Option<&'static Operation>,
    remaining: Option<u32>,
    probability: f64,
    random: fastrand::Rng,
}

impl Fault {
    /// Limits the fault to one operation.
    pub fn on(self, operation: &'static Operation) -> FaultRule {
        FaultRule::from(self).on(operation)
    }

    /// Limits the fault to the next `times` requests.
    pub fn times(self, times: u32) -> FaultRule {
        FaultRule::from(self).times(times)
    }

    /// Applies the fault with a probability between 0 and 1.
    pub fn probability(self, probability: f64) -> FaultRule {
        FaultRule::from(self).probability(probability)
    }
}

impl FaultRule {
    /// Limits the fault to one operation.
    pub fn on(mut self, operation: &'static Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Limits the fault to the next `times` requests.
    pub fn times(mut self, times: u32) -> Self {
        self.remaining = Some(times);
        self
    }

    /// Applies the fault with a probability between 0 (never) and 1 (always).
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Sets the seed of the random number generator: the same seed selects the same requests. Defaults to 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// Returns true if the fault applies to a request, and counts it.
    pub(crate) fn applies(&mut self, operation: &Operation) -> bool {
        let is_selected = self
            .operation
            .is_none_or(|selected| selected.id == operation.id);
        if !is_selected || self.remaining == Some(0) || self.random.f64() >= self.probability {
            return false;
        }
        self.remaining = self.remaining.map(|remaining| remaining - 1);
        true
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            remaining: None,
            probability: 1.0,
            random: fastrand::Rng::with_seed(0),
        }
    }
}

/// A string that is not a valid fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseFaultError {}

/// Parses `NAME[=VALUE][,on=OPERATION][,times=N][,probability=P][,seed=N]`, such as
/// `drop-after,on=CreateOrderV2,times=2` or `latency=300,probability=0.2`. Durations are in milliseconds.
impl FromStr for FaultRule {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let mut parts = text
            .split(',')
            .map(|part| part.split_once('=').unwrap_or((part, "")));
        let (name, value) = parts.next().unwrap_or_default();
        let mut rule = Self::from(fault(name, value)?);
        for (name, value) in parts {
            rule = match name {
                "on" => {
                    let operation = spec::Api::find(value).ok_or_else(|| {
                        ParseFaultError(format!(
                            "unknown operation {value:?}: use an operation id such as CreateOrderV2"
                        ))
                    })?;
                    rule.on(operation)
                }
                "times" => rule.times(number(name, value)?),
                "probability" => rule.probability(check_probability(number(name, value)?)?),
                "seed" => rule.seed(number(name, value)?),
                _ => {
                    return Err(ParseFaultError(format!(
                        "unknown option {name:?}: use on, times, probability or seed"
                    )));
                }
            };
        }
        Ok(rule)
    }
}

/// Names of all faults, for error messages.
pub(crate) const NAMES: &str = "latency=MS, drop-before, drop-after, too-many-requests, server-error=STATUS, \
    server-error-after=STATUS, html=STATUS, truncated-body, extra-response, error-envelope=FORM, unknown-enum-value, null-lists, extra-field, \
    missing-field=NAME, clock-skew=MS, stale-reads=MS";

fn fault(name: &str, value: &str) -> Result<Fault, ParseFaultError> {
    let milliseconds = || Ok(Duration::from_millis(number(name, value)?));
    Ok(match name {
        "latency" => Fault::Latency(milliseconds()?),
        "drop-before" => Fault::DropBefore,
        "drop-after" => Fault::DropAfter,
        "too-many-requests" => Fault::TooManyRequests,
        "server-error" => Fault::ServerError(status(name, value)?),
        "server-error-after" => Fault::ServerErrorAfter(status(name, value)?),
        "html" => Fault::Html(status(name, value)?),
        "truncated-body" => Fault::TruncatedBody,
        "extra-response" => Fault::ExtraResponse,
        "error-envelope" => Fault::ErrorEnvelope(match value {
            "nested" => ErrorEnvelope::Nested,
            "flat" => ErrorEnvelope::Flat,
            "message" => ErrorEnvelope::Message,
            _ => {
                return Err(ParseFaultError(format!(
                    "{name} must be nested, flat or message, not {value:?}"
                )));
            }
        }),
        "unknown-enum-value" => Fault::UnknownEnumValue,
        "null-lists" => Fault::NullLists,
        "extra-field" => Fault::ExtraField,
        "missing-field" if !value.is_empty() => Fault::MissingField(value.to_owned()),
        "clock-skew" => Fault::ClockSkew(
            TimeDelta::try_milliseconds(number(name, value)?)
                .ok_or_else(|| ParseFaultError(format!("{name} is out of range: {value} ms")))?,
        ),
        "stale-reads" => Fault::StaleReads(milliseconds()?),
        _ => {
            return Err(ParseFaultError(format!(
                "unknown fault {name:?}: use one of {NAMES}"
            )));
        }
    })
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, ParseFaultError> {
    value
        .parse()
        .map_err(|_| ParseFaultError(format!("{name} must be a number, not {value:?}")))
}

fn check_probability(probability: f64) -> Result<f64, ParseFaultError> {
    match (0.0..=1.0).contains(&probability) {
        true => Ok(probability),
        false => Err(ParseFaultError(format!(
            "probability must be from 0 to 1, not {probability}"
        ))),
    }
}

/// Parses a status. Defaults to 503.
fn status(name: &str, value: &str) -> Result<u16, ParseFaultError> {
    let status = if value.is_empty() {
        503
    } else {
        number(name, value)?
    };
    let min = if name == "html" { 400 } else { 500 };
    match (min..600).contains(&status) {
        true => Ok(status),
        false => Err(ParseFaultError(format!(
            "{name} must be a status from {min} to 599, not {value:?}"
        ))),
    }
}

/// Applies a fault to a response body.
pub(crate) fn corrupt(fault: &Fault, schema: Option<&Value>, body: &mut Value) {
    match fault {
        Fault::UnknownEnumValue => {
            if let Some(schema) = schema {
                replace_enum_values(schema, body);
            }
        }
        Fault::NullLists => for_each_value(body, &mut |value| {
            if value.is_array() {
                *value = Value::Null;
            }
        }),
        Fault::ExtraField => for_each_value(body, &mut |value| {
            if let Some(fields) = value.as_object_mut() {
                fields.insert("unknown_field".to_owned(), json!({ "value": [1] }));
            }
        }),
        Fault::MissingField(name) => for_each_value(body, &mut |value| {
            if let Some(fields) = value.as_object_mut() {
                fields.remove(name);
            }
        }),
        _ => {}
    }
}

/// Applies `change` to a value and to all values inside it.
fn for_each_value(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| for_each_value(item, change)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| for_each_value(field, change)),
        _ => {}
    }
    change(value);
}

fn replace_enum_values(schema: &Value, value: &mut Value) {
    let schema = spec::resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        replace_enum_values(part, value);
    }
    match value {
        Value::String(text) if schema["enum"].is_array() => "unknown_value".clone_into(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace_enum_values(&schema["items"], item)),
        Value::Object(fields) => {
            let empty = Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&empty);
            for (name, field) in fields {
                if let Some(schema) = properties.get(name) {
                    replace_enum_values(schema, field);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use kalshi_sdk::operation;

    use super::*;

    #[test]
    fn faults_parse_from_strings() {
        let rule: FaultRule = "latency=300,on=CreateOrderV2,times=2,probability=0.5,seed=9"
            .parse()
            .unwrap();
        assert_eq!(rule.fault, Fault::Latency(Duration::from_millis(300)));
        assert_eq!(rule.operation.unwrap().id, "CreateOrderV2");
        assert_eq!((rule.remaining, rule.probability), (Some(2), 0.5));
        for name in NAMES.split(", ") {
            let text = name
                .replace("MS", "5")
                .replace("STATUS", "502")
                .replace("FORM", "flat")
                .replace("NAME", "price");
            assert!(text.trim().parse::<FaultRule>().is_ok(), "{text}");
        }
        for (text, expected) in [
            ("flood", "unknown fault \"flood\""),
            ("latency=soon", "latency must be a number, not \"soon\""),
            ("html,on=Nothing", "unknown operation \"Nothing\""),
            ("html,where=here", "unknown option \"where\""),
            ("html=204", "html must be a status from 400 to 599"),
            (
                "server-error=101",
                "server-error must be a status from 500 to 599",
            ),
            ("html,probability=NaN", "probability must be from 0 to 1"),
        ] {
            let error = text.parse::<FaultRule>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn probability_is_reproducible_by_seed() {
        let applies = |seed| {
            let mut rule = Fault::DropBefore.probability(0.3).seed(seed);
            (0..1000)
                .map(|_| rule.applies(operation::GET_MARKETS))
                .collect::<Vec<_>>()
        };
        assert_eq!(applies(1), applies(1));
        assert_ne!(applies(1), applies(2));
        let count = applies(1).into_iter().filter(|applies| *applies).count();
        assert!((200..400).contains(&count), "{count}");
    }
}
