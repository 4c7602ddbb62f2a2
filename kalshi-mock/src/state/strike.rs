//! Strikes of markets, with which the value of the underlying is compared.

/// Strike of a market. Numbers are in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Markets that a test creates have no strike.
    #[default]
    None,
    Less(i32),
    Greater(i32),
    Between(i32, i32),
    /// Strike type, name and value of a strike that is no number.
    Named(&'static str, &'static str, &'static str),
}

impl Strike {
    /// Returns the field `strike_type` of the market.
    pub(crate) fn kind(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Less(_) => Some("less"),
            Self::Greater(_) => Some("greater"),
            Self::Between(..) => Some("between"),
            Self::Named(kind, ..) => Some(kind),
        }
    }

    /// Returns `floor_strike` and `cap_strike`. They are values of the underlying, not money.
    pub(crate) fn bounds(self) -> (Option<f64>, Option<f64>) {
        let number = |hundredths: i32| Some(f64::from(hundredths) / 100.0);
        match self {
            Self::Less(cap) => (None, number(cap)),
            Self::Greater(floor) => (number(floor), None),
            Self::Between(floor, cap) => (number(floor), number(cap)),
            Self::None | Self::Named(..) => (None, None),
        }
    }

    /// Returns name and value of a strike that is not a number.
    pub(crate) fn named(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Named(_, name, value) => Some((name, value)),
            _ => None,
        }
    }

    /// Returns the short name of the YES outcome.
    pub(crate) fn outcome(self) -> String {
        let bounds = self.bounds();
        match (self, bounds) {
            (Self::Named(.., value), _) => value.to_owned(),
            (_, (Some(floor), Some(cap))) => format!("{floor} to {cap}"),
            (_, (Some(floor), None)) => format!("Above {floor}"),
            (_, (None, Some(cap))) => format!("Below {cap}"),
            _ => "Yes".to_owned(),
        }
    }
}
