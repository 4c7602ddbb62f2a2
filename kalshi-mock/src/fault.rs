//! Faults: what the exchange is told to do wrong, to which calls, how often.

use std::{fmt, str::FromStr, time::Duration};

use chrono::TimeDelta;
use kalshi_sdk::{Operation, operation};
use serde_json::{Map, Value, json};

use crate::spec;

/// Something that goes wrong.
///
/// ```
/// use std::time::Duration;
/// use kalshi_mock::Fault;
/// use kalshi_sdk::operation;
///
/// // The next two orders are placed, and their answers are lost.
/// let lost = Fault::DropAfter.on(operation::CREATE_ORDER_V2).times(2);
/// // One call in five is slow.
/// let slow = Fault::Latency(Duration::from_millis(300)).with_probability(0.2).with_seed(7);
/// # _ = (lost, slow);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The answer comes late. The call is carried out at once.
    Latency(Duration),
    /// The connection breaks, and nothing is carried out.
    DropBefore,
    /// The call is carried out, and then the connection breaks.
    DropAfter,
    /// 429, and nothing is carried out.
    TooManyRequests,
    /// A status of 500 or above with the exchange's envelope; nothing is carried out.
    ServerError(u16),
    /// The same after the call was carried out.
    ServerErrorAfter(u16),
    /// A page of HTML with a status, as an edge in front of the exchange sends it; nothing is carried out.
    Html(u16),
    /// The answer breaks off in its middle.
    TruncatedBody,
    /// Every enum of the answer has a value that the contract does not list.
    UnknownEnumValue,
    /// Every list of the answer is null.
    NullLists,
    /// Every object of the answer has a member that the contract does not know.
    ExtraMember,
    /// Members of that name are not in the answer.
    MissingMember(String),
    /// The exchange's clock is off, for signatures and for the `Date` of its answers: ahead if positive.
    ClockSkew(TimeDelta),
    /// Reads do not know of what was created so recently: an order is 404, and in no list.
    StaleReads(Duration),
}

/// A fault, with the calls it strikes.
#[derive(Clone, Debug)]
#[must_use = "it strikes once it is given to MockExchange::fault"]
pub struct FaultRule {
    pub(crate) fault: Fault,
    operation: Option<&'static Operation>,
    left: Option<u32>,
    probability: f64,
    random: fastrand::Rng,
}

impl Fault {
    /// Strikes calls of one operation only.
    pub fn on(self, operation: &'static Operation) -> FaultRule {
        FaultRule::from(self).on(operation)
    }

    /// Strikes so many calls, and then no more.
    pub fn times(self, times: u32) -> FaultRule {
        FaultRule::from(self).times(times)
    }

    /// Strikes by chance.
    pub fn with_probability(self, probability: f64) -> FaultRule {
        FaultRule::from(self).with_probability(probability)
    }
}

impl FaultRule {
    /// Strikes calls of one operation only.
    pub fn on(mut self, operation: &'static Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Strikes so many calls, and then no more.
    pub fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// Strikes by chance: 0 is never, 1 is always.
    pub fn with_probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// Where chance begins: the same seed strikes the same calls.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.random = fastrand::Rng::with_seed(seed);
        self
    }

    /// Whether it strikes a call, which counts.
    pub(crate) fn strikes(&mut self, operation: &Operation) -> bool {
        let meant = self.operation.is_none_or(|meant| meant.id == operation.id);
        if !meant || self.left == Some(0) || self.random.f64() >= self.probability {
            return false;
        }
        self.left = self.left.map(|left| left - 1);
        true
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            operation: None,
            left: None,
            probability: 1.0,
            random: fastrand::Rng::with_seed(0),
        }
    }
}

/// A text that names no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseFaultError {}

/// From text: `NAME[=VALUE][,on=OPERATION][,times=N][,probability=P][,seed=N]`, such as
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
                    let operation = operation::find(value).ok_or_else(|| {
                        ParseFaultError(format!(
                            "there is no operation {value:?}: they are named as CreateOrderV2"
                        ))
                    })?;
                    rule.on(operation)
                }
                "times" => rule.times(number(name, value)?),
                "probability" => rule.with_probability(chance(number(name, value)?)?),
                "seed" => rule.with_seed(number(name, value)?),
                _ => {
                    return Err(ParseFaultError(format!(
                        "a fault has on, times, probability and seed, not {name:?}"
                    )));
                }
            };
        }
        Ok(rule)
    }
}

/// The names of all faults, as text.
pub(crate) const NAMES: &str = "latency=MS, drop-before, drop-after, too-many-requests, server-error=STATUS, \
    server-error-after=STATUS, html=STATUS, truncated-body, unknown-enum-value, null-lists, extra-member, \
    missing-member=NAME, clock-skew=MS, stale-reads=MS";

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
        "unknown-enum-value" => Fault::UnknownEnumValue,
        "null-lists" => Fault::NullLists,
        "extra-member" => Fault::ExtraMember,
        "missing-member" if !value.is_empty() => Fault::MissingMember(value.to_owned()),
        "clock-skew" => Fault::ClockSkew(
            TimeDelta::try_milliseconds(number(name, value)?)
                .ok_or_else(|| ParseFaultError(format!("{name} wants fewer milliseconds")))?,
        ),
        "stale-reads" => Fault::StaleReads(milliseconds()?),
        _ => {
            return Err(ParseFaultError(format!(
                "no fault {name:?}: there are {NAMES}"
            )));
        }
    })
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, ParseFaultError> {
    value
        .parse()
        .map_err(|_| ParseFaultError(format!("{name} wants a number, not {value:?}")))
}

fn chance(probability: f64) -> Result<f64, ParseFaultError> {
    match (0.0..=1.0).contains(&probability) {
        true => Ok(probability),
        false => Err(ParseFaultError(format!(
            "probability is from 0 to 1, not {probability}"
        ))),
    }
}

/// 503 if none is given.
fn status(name: &str, value: &str) -> Result<u16, ParseFaultError> {
    let status = if value.is_empty() {
        503
    } else {
        number(name, value)?
    };
    match (500..600).contains(&status) || (name == "html" && (400..600).contains(&status)) {
        true => Ok(status),
        false => Err(ParseFaultError(format!(
            "{name} wants a status of a failure, not {value:?}"
        ))),
    }
}

/// Applies a fault to a response body.
pub(crate) fn corrupt(fault: &Fault, schema: Option<&Value>, body: &mut Value) {
    match fault {
        Fault::UnknownEnumValue => {
            if let Some(schema) = schema {
                unknown_values(schema, body);
            }
        }
        Fault::NullLists => each(body, &mut |value| {
            if value.is_array() {
                *value = Value::Null;
            }
        }),
        Fault::ExtraMember => each(body, &mut |value| {
            if let Some(members) = value.as_object_mut() {
                members.insert("member_of_tomorrow".to_owned(), json!({ "value": [1] }));
            }
        }),
        Fault::MissingMember(name) => each(body, &mut |value| {
            if let Some(members) = value.as_object_mut() {
                members.remove(name);
            }
        }),
        _ => {}
    }
}

/// Applies `change` to a value and to everything inside it.
fn each(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
        Value::Object(members) => members.values_mut().for_each(|member| each(member, change)),
        _ => {}
    }
    change(value);
}

fn unknown_values(schema: &Value, value: &mut Value) {
    let schema = spec::resolve(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        unknown_values(part, value);
    }
    match value {
        Value::String(text) if schema["enum"].is_array() => "value_of_tomorrow".clone_into(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| unknown_values(&schema["items"], item)),
        Value::Object(members) => {
            let none = Map::new();
            let properties = schema["properties"].as_object().unwrap_or(&none);
            for (name, member) in members {
                if let Some(schema) = properties.get(name) {
                    unknown_values(schema, member);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn texts_are_faults() {
        let rule: FaultRule = "latency=300,on=CreateOrderV2,times=2,probability=0.5,seed=9"
            .parse()
            .unwrap();
        assert_eq!(rule.fault, Fault::Latency(Duration::from_millis(300)));
        assert_eq!(rule.operation.unwrap().id, "CreateOrderV2");
        assert_eq!((rule.left, rule.probability), (Some(2), 0.5));
        for name in NAMES.split(", ") {
            let text = name
                .replace("MS", "5")
                .replace("STATUS", "502")
                .replace("NAME", "price");
            assert!(text.trim().parse::<FaultRule>().is_ok(), "{text}");
        }
        for (text, said) in [
            ("flood", "no fault \"flood\""),
            ("latency=soon", "latency wants a number, not \"soon\""),
            ("html,on=Nothing", "there is no operation \"Nothing\""),
            ("html,where=here", "not \"where\""),
            ("html=204", "html wants a status of a failure"),
            (
                "server-error=101",
                "server-error wants a status of a failure",
            ),
            ("html,probability=NaN", "probability is from 0 to 1"),
        ] {
            let error = text.parse::<FaultRule>().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn chance_is_that_of_the_seed() {
        let strikes = |seed| {
            let mut rule = Fault::DropBefore.with_probability(0.3).with_seed(seed);
            (0..1000)
                .map(|_| rule.strikes(operation::GET_MARKETS))
                .collect::<Vec<_>>()
        };
        assert_eq!(strikes(1), strikes(1));
        assert_ne!(strikes(1), strikes(2));
        let count = strikes(1).into_iter().filter(|strikes| *strikes).count();
        assert!((200..400).contains(&count), "{count}");
    }
}
