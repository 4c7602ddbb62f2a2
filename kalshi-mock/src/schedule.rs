//! [`ScheduledEvent`], a pause, close or settlement at a time after the start.

use std::{fmt, str::FromStr, time::Duration};

use kalshi_sdk::Dollars;

use crate::{MockExchange, Settlement, shared::Instances, time::to_micros};

/// A pause, close or settlement at a time after it is scheduled with [`MockExchange::schedule`].
///
/// Parses from `pause,in=SECONDS,for=SECONDS[,market=TICKER]`, `close,in=SECONDS,market=TICKER` or
/// `settle,in=SECONDS,market=TICKER,result=RESULT`, where a result is `yes`, `no` or the value of YES in dollars.
///
/// ```
/// use kalshi_mock::ScheduledEvent;
///
/// let event: ScheduledEvent = "settle,in=90,market=KXTEST-26-A,result=yes".parse()?;
/// assert_eq!(event.market(), Some("KXTEST-26-A"));
/// # Ok::<(), kalshi_mock::ParseScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledEvent {
    after: Duration,
    market: Option<String>,
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Pause(Duration),
    Close,
    Settle(Settlement),
}

/// A string that is not a valid [`ScheduledEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseScheduleError(String);

impl fmt::Display for ParseScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseScheduleError {}

impl ScheduledEvent {
    /// Returns the ticker of the market, or `None` for a pause of all trading.
    #[must_use]
    pub fn market(&self) -> Option<&str> {
        self.market.as_deref()
    }

    /// Schedules the event, counted from the time of the states. Has no effect if its market does not exist.
    pub(crate) fn apply(&self, instances: &mut Instances) {
        let at = instances.event.now.saturating_add(to_micros(self.after));
        let Some(ticker) = self.market() else {
            if let Action::Pause(length) = self.action {
                let until = at.saturating_add(to_micros(length));
                instances
                    .states()
                    .for_each(|(_, state)| state.schedule_pause(at, until));
            }
            return;
        };
        let state = &mut instances.event;
        if let Some((index, _)) = state.market(ticker) {
            match self.action {
                Action::Pause(length) => {
                    state.schedule_market_pause(index, at, at.saturating_add(to_micros(length)));
                }
                Action::Close => state.set_close(index, at),
                Action::Settle(outcome) => state.schedule_settlement(index, at, outcome),
            }
        }
    }
}

impl FromStr for ScheduledEvent {
    type Err = ParseScheduleError;

    fn from_str(text: &str) -> Result<Self, ParseScheduleError> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let (mut after, mut length, mut market, mut result) = (None, None, None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("in", value)) => after = Some(duration("in", value)?),
                Some(("for", value)) => length = Some(duration("for", value)?),
                Some(("market", value)) => market = Some(value.to_owned()),
                Some(("result", value)) => result = Some(settlement(value)?),
                _ => {
                    return Err(ParseScheduleError(format!(
                        "unknown setting {part:?} of a scheduled event: use in=SECONDS, for=SECONDS, market=TICKER or result=RESULT"
                    )));
                }
            }
        }
        let needs = |setting: &str| ParseScheduleError(format!("{name} needs {setting}"));
        let action = match name {
            "pause" => Action::Pause(length.take().ok_or_else(|| needs("for=SECONDS"))?),
            "close" => Action::Close,
            "settle" => Action::Settle(result.take().ok_or_else(|| needs("result=RESULT"))?),
            _ => {
                return Err(ParseScheduleError(format!(
                    "unknown scheduled event {name:?}: use pause, close or settle"
                )));
            }
        };
        if length.is_some() || result.is_some() {
            let setting = if length.is_some() { "for" } else { "result" };
            return Err(ParseScheduleError(format!(
                "{name} has no setting {setting}"
            )));
        }
        if market.is_none() && !matches!(action, Action::Pause(_)) {
            return Err(needs("market=TICKER"));
        }
        Ok(Self {
            after: after.ok_or_else(|| needs("in=SECONDS"))?,
            market,
            action,
        })
    }
}

fn duration(name: &str, value: &str) -> Result<Duration, ParseScheduleError> {
    let seconds: Result<u32, _> = value.parse();
    let seconds = seconds.map_err(|_| {
        ParseScheduleError(format!("{name}={value}: must be a whole number of seconds"))
    })?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Parses the result of a market: `yes`, `no`, or what YES pays in dollars.
pub(crate) fn settlement(value: &str) -> Result<Settlement, ParseScheduleError> {
    match value {
        "yes" => Ok(Settlement::Yes),
        "no" => Ok(Settlement::No),
        _ => value
            .parse::<Dollars>()
            .ok()
            .filter(|value| (Dollars::ZERO..=Dollars::ONE).contains(value))
            .filter(|value| value.micros() % 10_000 == 0)
            .map(Settlement::Scalar)
            .ok_or_else(|| {
                ParseScheduleError(format!(
                    "result={value}: must be yes, no or dollars from 0 to 1 in whole cents"
                ))
            }),
    }
}

/// # Scheduled events
impl MockExchange {
    /// Schedules an event, counted from now on the clock of the exchange. Creates its market if necessary.
    pub fn schedule(&self, event: &ScheduledEvent) {
        if let Some(ticker) = event.market() {
            self.market(ticker);
        }
        event.apply(self.shared.state().instances());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn invalid_events_are_rejected_with_a_reason() {
        let parse = |text: &str| text.parse::<ScheduledEvent>();
        let event = parse("pause,in=60,for=30").unwrap();
        assert_eq!(event.after, Duration::from_secs(60));
        assert_eq!(event.action, Action::Pause(Duration::from_secs(30)));
        let event = parse("settle,market=KXA-26-B,in=5,result=0.37").unwrap();
        let value = Dollars::from_cents(37);
        assert_eq!(event.action, Action::Settle(Settlement::Scalar(value)));
        for (text, reason) in [
            (
                "",
                "unknown scheduled event \"\": use pause, close or settle",
            ),
            ("pause,in=1", "pause needs for=SECONDS"),
            ("pause,for=1", "pause needs in=SECONDS"),
            ("close,in=1", "close needs market=TICKER"),
            ("close,in=1,for=2,market=A", "close has no setting for"),
            ("settle,in=1,market=A", "settle needs result=RESULT"),
            (
                "settle,in=1,market=A,result=1.5",
                "result=1.5: must be yes, no or dollars from 0 to 1 in whole cents",
            ),
            (
                "close,in=-1,market=A",
                "in=-1: must be a whole number of seconds",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), reason);
        }
    }
}
