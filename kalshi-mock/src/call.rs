//! A request that has passed the pipeline: caller, parameters, body, and pagination of the response.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use kalshi_sdk::PrivateKey;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Rejection,
    parse::Parameters,
    spec::Endpoint,
    state::{Account, Shard, State},
    time::{Micros, SECOND},
};

/// The user and key that signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) user: u32,
    pub(crate) key_id: String,
    /// Subaccount that the key is restricted to, or `None` for all.
    pub(crate) subaccount: Option<u8>,
}

/// An authenticated and validated request.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) parameters: Parameters,
    pub(crate) body: Value,
    pub(crate) caller: Caller,
    /// Key generated for the request, if the operation generates one.
    pub(crate) generated_key: Option<Result<PrivateKey, Rejection>>,
    /// Creation time up to which records are visible to this read, or `None` if all are.
    pub(crate) as_of: Option<Micros>,
}

/// Order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

impl Caller {
    /// Returns true if the caller's key gives access to `account`.
    pub(crate) fn owns(&self, account: Account) -> bool {
        account.user == self.user
            && self
                .subaccount
                .is_none_or(|locked| locked == account.subaccount)
    }
}

impl Call<'_> {
    pub(crate) fn id(&self) -> &'static str {
        self.endpoint.operation.id
    }

    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)?.as_str()
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.parameters.get(name)?.as_i64()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.parameters
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// Returns a comma-separated or repeated parameter as a list, or `None` if it was not sent.
    pub(crate) fn strings(&self, name: &str) -> Option<Vec<&str>> {
        match self.parameters.get(name)? {
            Value::String(text) => Some(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .collect(),
            ),
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect()),
            _ => None,
        }
    }

    /// Returns a parameter in Unix seconds as a time of the exchange.
    pub(crate) fn instant(&self, name: &str) -> Option<Micros> {
        self.integer(name)
            .map(|seconds| seconds.saturating_mul(SECOND))
    }

    /// Returns true if a time lies between the parameters `min` and `max`, in Unix seconds. Both are inclusive and optional.
    pub(crate) fn is_within(&self, min: &str, max: &str, at: Micros) -> bool {
        self.instant(min).is_none_or(|min| at >= min)
            && self.instant(max).is_none_or(|max| at <= max)
    }

    /// Returns true if a record with this creation time is visible to this read.
    pub(crate) fn is_visible(&self, created: Micros) -> bool {
        self.as_of.is_none_or(|time| created <= time)
    }

    pub(crate) fn uuid(&self, name: &str) -> Option<Uuid> {
        Uuid::parse_str(self.string(name)?).ok()
    }

    /// Deserializes the body, or rejects the request if a field is missing or has the wrong type.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Rejection> {
        T::deserialize(&self.body).map_err(|error| Rejection::invalid(error.to_string()))
    }

    /// Returns the caller's account with a subaccount, which defaults to the subaccount of the key, or to the primary account.
    pub(crate) fn account(
        &self,
        state: &State,
        subaccount: Option<i64>,
    ) -> Result<Account, Rejection> {
        let locked = self.caller.subaccount;
        let requested = subaccount.map(u8::try_from).transpose();
        let requested =
            requested.map_err(|_| Rejection::invalid("subaccount: must be gte 0 and lte 63"))?;
        match (locked, requested) {
            (Some(locked), Some(requested)) if locked != requested => Err(Rejection::forbidden(
                format!("the key is for subaccount {locked} only"),
            )),
            _ => state.account(self.caller.user, locked.or(requested).unwrap_or(0)),
        }
    }

    /// Returns true if the key may read a subaccount.
    pub(crate) fn can_read(&self, subaccount: u8) -> bool {
        self.caller
            .subaccount
            .is_none_or(|locked| locked == subaccount)
    }

    /// Returns true if the key may act for an account.
    pub(crate) fn is_own(&self, account: Account) -> bool {
        self.caller.owns(account)
    }

    /// Returns the subaccount filter of a list, or `None` for all.
    pub(crate) fn only_subaccount(&self, state: &State) -> Result<Option<u8>, Rejection> {
        match (self.integer("subaccount"), self.caller.subaccount) {
            (None, None) => Ok(None),
            (requested, _) => self
                .account(state, requested)
                .map(|account| Some(account.subaccount)),
        }
    }

    /// Returns the shard filter of a list, or `None` for all.
    pub(crate) fn only_shard(&self) -> Option<Shard> {
        Shard::try_from(self.integer("exchange_index")?).ok()
    }

    /// Returns a page of rows and the cursor of the next page. Rows must be sorted by number in the given order.
    pub(crate) fn page<T>(
        &self,
        order: Order,
        rows: impl Iterator<Item = (u64, T)>,
        mut to_json: impl FnMut(T) -> Value,
    ) -> Result<(Vec<Value>, String), Rejection> {
        let paging = self.endpoint.operation.paging;
        let limit = paging
            .and_then(|paging| self.integer(paging.limit_parameter?))
            .filter(|limit| *limit > 0);
        let limit = limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(100);
        let after = self.cursor()?;
        let is_after_cursor = |number: &u64| match (after, order) {
            (None, _) => true,
            (Some(after), Order::OldestFirst) => *number > after,
            (Some(after), Order::NewestFirst) => *number < after,
        };
        let mut rows = rows.filter(|(number, _)| is_after_cursor(number));
        let mut page = Vec::new();
        let mut last = None;
        for (number, row) in rows.by_ref().take(limit) {
            page.push(to_json(row));
            last = Some(number);
        }
        let more = rows.next().and(last);
        Ok((
            page,
            more.map_or_else(String::new, |last| self.encode_cursor(last)),
        ))
    }

    fn cursor(&self) -> Result<Option<u64>, Rejection> {
        let Some(text) = self.string("cursor").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let decoded = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let number = decoded.as_deref().and_then(|text| {
            let (id, number) = text.split_once(' ')?;
            (id == self.id()).then(|| number.parse().ok())?
        });
        // On `/markets` the exchange ignores an unknown cursor and returns the first page.
        if number.is_none() && self.id() != "GetMarkets" {
            return Err(Rejection::bad_request("bad_request", "invalid cursor"));
        }
        Ok(number)
    }

    fn encode_cursor(&self, number: u64) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{} {number}", self.id()))
    }

    /// Builds the response of a list operation, with its field names for items and cursor.
    pub(crate) fn list_response(&self, (page, cursor): (Vec<Value>, String)) -> Value {
        let mut response = Map::new();
        if let Some(paging) = self.endpoint.operation.paging {
            response.insert(paging.cursor_field.to_owned(), cursor.into());
            response.insert(
                paging.items_field.unwrap_or("items").to_owned(),
                page.into(),
            );
        }
        response.into()
    }
}

/// Removes the null fields of an object.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// Formats money with six decimals, as portfolio responses do.
pub(crate) fn six_digits(micros: i64) -> Value {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    json!(format!(
        "{sign}{}.{:06}",
        micros / 1_000_000,
        micros % 1_000_000
    ))
}

/// Returns an exact JSON number: `units` with a number of decimals.
pub(crate) fn decimal(units: i64, decimals: u32) -> Value {
    // Up to 15 digits survive the conversion to a float and back.
    serde_json::from_str(&decimal_text(units, decimals)).unwrap_or_default()
}

/// Formats `units` with a number of decimals, without trailing zeros.
pub(crate) fn decimal_text(units: i64, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let scale = 10_u64.pow(decimals);
    let (whole, rest) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
    let digits = format!("{rest:0width$}", width = decimals as usize);
    let digits = digits.trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{digits}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::spec::Spec;

    /// Returns the page of `rows` after a cursor.
    fn page(rows: &BTreeSet<u64>, order: Order, limit: usize, cursor: &str) -> (Vec<u64>, String) {
        let mut endpoints = Spec::get().endpoints();
        let endpoint = endpoints
            .find(|endpoint| endpoint.operation.id == "GetOrders")
            .unwrap();
        let call = Call {
            endpoint,
            parameters: Parameters::from([
                ("limit".to_owned(), json!(limit)),
                ("cursor".to_owned(), json!(cursor)),
            ]),
            body: Value::Null,
            caller: Caller {
                user: 1,
                key_id: String::new(),
                subaccount: None,
            },
            generated_key: None,
            as_of: None,
        };
        let numbered = |number: &u64| (*number, *number);
        let rows: Vec<(u64, u64)> = match order {
            Order::OldestFirst => rows.iter().map(numbered).collect(),
            Order::NewestFirst => rows.iter().rev().map(numbered).collect(),
        };
        let (page, cursor) = call
            .page(order, rows.into_iter(), |number| json!(number))
            .unwrap();
        (page.iter().filter_map(Value::as_u64).collect(), cursor)
    }

    #[test]
    fn decimals_keep_their_digits() {
        for (units, decimals, text) in [
            (0, 12, "0"),
            (20_000_000_000, 12, "0.02"),
            (-118_763_678, 12, "-0.000118763678"),
            (76_679, 4, "7.6679"),
            (13, 1, "1.3"),
        ] {
            assert_eq!(decimal(units, decimals).to_string(), text);
        }
        assert_eq!(decimal_text(-160, 9), "-0.00000016");
    }

    proptest! {
        /// Rows that exist throughout are returned exactly once and no row is returned twice, even if rows are added or removed
        /// between pages.
        #[test]
        fn pages_return_each_item_once(
            mut rows in prop::collection::btree_set(0..1_000_u64, 0..60),
            newest_first in any::<bool>(),
            steps in prop::collection::vec((1..9_usize, prop::collection::vec(any::<prop::sample::Index>(), 0..3), 0..4_u64), 1..80),
        ) {
            let order = if newest_first { Order::NewestFirst } else { Order::OldestFirst };
            let mut permanent = rows.clone();
            let (mut returned, mut cursor, mut next) = (Vec::new(), String::new(), 1_000);
            for (limit, removed, new) in steps.into_iter().cycle() {
                let (numbers, after) = page(&rows, order, limit, &cursor);
                prop_assert!(numbers.len() <= limit);
                returned.extend(numbers);
                cursor = after;
                if cursor.is_empty() {
                    break;
                }
                for index in removed.into_iter().filter(|_| !rows.is_empty()).collect::<Vec<_>>() {
                    let all: Vec<u64> = rows.iter().copied().collect();
                    if let Some(number) = all.get(index.index(all.len())) {
                        rows.remove(number);
                        permanent.remove(number);
                    }
                }
                // Stops adding rows at some point, so that the list ends.
                if next < 1_200 {
                    rows.extend(next..next + new);
                    next += new;
                }
            }
            let unique: BTreeSet<u64> = returned.iter().copied().collect();
            prop_assert_eq!(unique.len(), returned.len(), "twice: {:?}", returned);
            prop_assert!(permanent.is_subset(&unique), "missed: {:?} of {:?}", permanent, unique);
        }
    }
}
