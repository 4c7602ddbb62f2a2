//! Strikes of markets, with which the value of the underlying is compared.

use kalshi_sdk::Decimal;

/// Strike of a market: the value of the underlying for which YES wins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Strike {
    /// No strike. It is the default of markets that a test creates.
    #[default]
    None,
    /// YES wins below the cap.
    Less(Decimal),
    /// YES wins at the cap or below it.
    LessOrEqual(Decimal),
    /// YES wins above the floor.
    Greater(Decimal),
    /// YES wins at the floor or above it.
    GreaterOrEqual(Decimal),
    /// YES wins from the floor to the cap, both included.
    Between(Decimal, Decimal),
    /// Strike type, name and value of a strike that is not a number, such as a team.
    Named(&'static str, &'static str, &'static str),
}

impl Strike {
    /// Returns the field `strike_type` of the market.
    pub(crate) fn kind(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Less(_) => Some("less"),
            Self::LessOrEqual(_) => Some("less_or_equal"),
            Self::Greater(_) => Some("greater"),
            Self::GreaterOrEqual(_) => Some("greater_or_equal"),
            Self::Between(..) => Some("between"),
            Self::Named(kind, ..) => Some(kind),
        }
    }

    /// Returns `floor_strike` and `cap_strike`.
    pub(crate) fn bounds(self) -> (Option<Decimal>, Option<Decimal>) {
        match self {
            Self::Less(cap) | Self::LessOrEqual(cap) => (None, Some(cap)),
            Self::Greater(floor) | Self::GreaterOrEqual(floor) => (Some(floor), None),
            Self::Between(floor, cap) => (Some(floor), Some(cap)),
            Self::None | Self::Named(..) => (None, None),
        }
    }

    /// Returns name and value of a strike that is not a number.
    pub(crate) fn custom(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Named(_, name, value) => Some((name, value)),
            _ => None,
        }
    }

    /// Returns the short name of the YES outcome.
    pub(crate) fn outcome(self) -> String {
        match self {
            Self::None => "Yes".to_owned(),
            Self::Less(cap) => format!("Below {cap}"),
            Self::LessOrEqual(cap) => format!("{cap} or below"),
            Self::Greater(floor) => format!("Above {floor}"),
            Self::GreaterOrEqual(floor) => format!("{floor} or above"),
            Self::Between(floor, cap) => format!("{floor} to {cap}"),
            Self::Named(.., value) => value.to_owned(),
        }
    }
}
