//! Token costs of operations: those in the spec, and those that the exchange reports for an account.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::operation::{Bucket, Operation};

/// The token costs that the exchange reports for an account. A client's `discover_limits` reads and applies them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointCosts {
    default_cost: u32,
    endpoints: Vec<EndpointCost>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct EndpointCost {
    method: String,
    /// `:name` is a parameter and `*name` the rest of the path.
    path: String,
    cost: u32,
}

impl EndpointCosts {
    /// Creates costs in which every operation takes `default_cost` tokens.
    #[must_use]
    pub fn new(default_cost: u32) -> Self {
        Self {
            default_cost,
            endpoints: Vec::new(),
        }
    }

    /// Adds the cost of one endpoint. `path` is relative to the base URL; `:name` in it is a parameter and `*name` matches the
    /// rest of the path.
    #[must_use]
    pub fn with_endpoint(
        mut self,
        method: impl Into<String>,
        path: impl Into<String>,
        cost: u32,
    ) -> Self {
        self.endpoints.push(EndpointCost {
            method: method.into(),
            path: path.into(),
            cost,
        });
        self
    }
}

/// The costs that differ from the spec, by operation id.
#[derive(Debug, Default)]
pub(crate) struct Costs(HashMap<&'static str, u32>);

impl Costs {
    /// Applies reported costs to `operations`. Operations that are not listed take the default.
    pub(crate) fn new(costs: &EndpointCosts, operations: &'static [Operation]) -> Self {
        let reported = operations.iter().map(|operation| {
            let mut listed = costs.endpoints.iter();
            let found = listed.find(|cost| cost.is_of(operation));
            (
                operation,
                found.map_or(costs.default_cost, |cost| cost.cost),
            )
        });
        let differing = reported.filter(|(operation, cost)| cost_in_spec(operation) != *cost);
        Self(
            differing
                .map(|(operation, cost)| (operation.id, cost))
                .collect(),
        )
    }

    /// Returns the tokens that a request, or an item of a batch, takes.
    pub(super) fn of(&self, operation: &Operation) -> u32 {
        let reported = self.0.get(operation.id).copied();
        reported.unwrap_or_else(|| cost_in_spec(operation))
    }

    /// Returns the highest cost of a request, or an item of a batch, among the signed operations of a bucket.
    pub(super) fn max_cost(&self, operations: &[Operation], bucket: Bucket) -> u32 {
        let drawing = operations
            .iter()
            .filter(|operation| operation.auth && operation.bucket == bucket);
        drawing
            .map(|operation| self.of(operation))
            .max()
            .unwrap_or(0)
    }
}

fn cost_in_spec(operation: &Operation) -> u32 {
    operation
        .token_cost_per_item
        .unwrap_or(operation.token_cost)
}

impl EndpointCost {
    fn is_of(&self, operation: &Operation) -> bool {
        if !self.method.eq_ignore_ascii_case(operation.method.as_str()) {
            return false;
        }
        let (mut listed, mut own) = (self.path.split('/'), operation.path.split('/'));
        loop {
            match (listed.next(), own.next()) {
                (None, None) => return true,
                (Some(rest), Some(_)) if rest.starts_with('*') => return true,
                (Some(name), Some(segment))
                    if name.starts_with(':') && segment.starts_with('{') => {}
                (Some(listed), Some(own)) if listed == own => {}
                _ => return false,
            }
        }
    }
}

/// Returns the number of items of a batch: the length of the longest list in the request body.
pub(crate) fn items(operation: &Operation, body: Option<&[u8]>) -> u32 {
    if operation.token_cost_per_item.is_none() {
        return 1;
    }
    let fields = body.and_then(|body| serde_json::from_slice::<Map<String, Value>>(body).ok());
    let lengths = fields
        .iter()
        .flat_map(Map::values)
        .filter_map(|value| u32::try_from(value.as_array()?.len()).ok());
    lengths.max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    static OPERATIONS: [Operation; 4] = [
        Operation::new(
            "CancelThing",
            Method::DELETE,
            "/things/{thing_id}",
            "",
            Bucket::Write,
        )
        .cost(2),
        Operation::new(
            "GetThing",
            Method::GET,
            "/things/{thing_id}",
            "",
            Bucket::Read,
        ),
        Operation::new(
            "GetThingPart",
            Method::GET,
            "/things/{thing_id}/part",
            "",
            Bucket::Read,
        ),
        Operation::new(
            "CreateThings",
            Method::POST,
            "/things/batch",
            "",
            Bucket::Write,
        )
        .cost_per_item(3),
    ];

    #[test]
    fn reported_costs_override_the_spec() {
        let costs = EndpointCosts::new(10)
            .with_endpoint("DELETE", "/things/:id", 3)
            .with_endpoint("get", "/things/*rest", 50)
            .with_endpoint("GET", "/nowhere", 1);
        let costs = Costs::new(&costs, &OPERATIONS);
        let of = OPERATIONS.each_ref().map(|operation| costs.of(operation));
        // The last operation is not listed, so it takes the default cost and not the one in the spec.
        assert_eq!(of, [3, 50, 50, 10]);
        let of = OPERATIONS
            .each_ref()
            .map(|operation| Costs::default().of(operation));
        assert_eq!(of, [2, 10, 10, 3]);
    }

    #[test]
    fn items_of_a_batch_are_those_of_its_longest_list() {
        let [single, .., batch] = &OPERATIONS;
        let count = |body: &[u8]| items(batch, Some(body));
        assert_eq!(
            count(br#"{"orders":[{"a":[1,2,3,4]},{}],"note":"[1,2,3]"}"#),
            2
        );
        assert_eq!(count(br#"{"a":[1],"orders":[1,2,3],"z":[]}"#), 3);
        assert_eq!(count(b"{}"), 1);
        assert_eq!(items(batch, None), 1);
        assert_eq!(items(single, Some(br#"{"a":[1,2,3]}"#)), 1);
    }
}
