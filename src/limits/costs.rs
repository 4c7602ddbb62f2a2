//! What operations cost an account: as the contract says, or as the exchange says of the account.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Operation, operation};

/// The answer of `GET /account/endpoint_costs`.
#[derive(Debug, Deserialize)]
pub(crate) struct EndpointCosts {
    default_cost: u32,
    #[serde(default)]
    endpoint_costs: Option<Vec<EndpointCost>>,
}

#[derive(Debug, Deserialize)]
struct EndpointCost {
    method: String,
    /// With parameters as `:name`, and `*name` for the rest of it.
    path: String,
    cost: u32,
}

/// The costs that are others than the contract's, by the operation's id.
#[derive(Debug, Default)]
pub(super) struct Costs(HashMap<&'static str, u32>);

impl Costs {
    /// What the exchange says: those it lists, and for all others its default.
    pub(super) fn new(costs: &EndpointCosts) -> Self {
        let listed = costs.endpoint_costs.as_deref().unwrap_or_default();
        let all = operation::ALL.iter().map(|operation| {
            let found = listed.iter().find(|cost| cost.is_of(operation));
            (
                operation.id,
                found.map_or(costs.default_cost, |cost| cost.cost),
            )
        });
        Self(
            all.filter(|(id, cost)| {
                operation::find(id).is_some_and(|operation| {
                    operation
                        .token_cost_per_item
                        .unwrap_or(operation.token_cost)
                        != *cost
                })
            })
            .collect(),
        )
    }

    /// What one call, or one item of a batch, takes.
    pub(super) fn of(&self, operation: &Operation) -> u32 {
        let own = self.0.get(operation.id).copied();
        own.unwrap_or_else(|| {
            operation
                .token_cost_per_item
                .unwrap_or(operation.token_cost)
        })
    }
}

impl EndpointCost {
    fn is_of(&self, operation: &Operation) -> bool {
        if !self.method.eq_ignore_ascii_case(operation.method.as_str()) {
            return false;
        }
        // The exchange writes paths from the root of the host; an operation's is below the base of the API.
        let path = self
            .path
            .strip_prefix("/trade-api/v2")
            .unwrap_or(&self.path);
        let (mut listed, mut own) = (path.split('/'), operation.path.split('/'));
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

/// How many items a batch has: as many as its list.
pub(crate) fn items(operation: &Operation, body: Option<&[u8]>) -> u32 {
    if operation.token_cost_per_item.is_none() {
        return 1;
    }
    let members = body.and_then(|body| serde_json::from_slice::<Map<String, Value>>(body).ok());
    let lengths = members
        .iter()
        .flat_map(Map::values)
        .filter_map(|value| u32::try_from(value.as_array()?.len()).ok());
    lengths.max().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn costs_of_the_exchange_take_the_place_of_the_contracts() {
        let costs: EndpointCosts = serde_json::from_value(serde_json::json!({
            "default_cost": 10,
            "endpoint_costs": [
                { "method": "DELETE", "path": "/trade-api/v2/portfolio/events/orders/:order_id", "cost": 3 },
                { "method": "GET", "path": "/trade-api/v2/portfolio/orders/*rest", "cost": 50 },
                { "method": "GET", "path": "/trade-api/v2/nowhere", "cost": 1 },
            ],
        }))
        .unwrap();
        let costs = Costs::new(&costs);
        for (operation, cost) in [
            (operation::CANCEL_ORDER_V2, 3),
            (operation::GET_ORDER, 50),
            (operation::GET_ORDER_QUEUE_POSITION, 50),
            // Not listed, so the default, whatever the contract says.
            (operation::CREATE_QUOTE, 10),
            (operation::GET_MARKETS, 10),
            (operation::BATCH_CREATE_ORDERS_V2, 10),
        ] {
            assert_eq!(costs.of(operation), cost, "{operation}");
        }
        assert_eq!(Costs::default().of(operation::CREATE_QUOTE), 2);
        assert_eq!(Costs::default().of(operation::BATCH_CANCEL_ORDERS_V2), 2);
    }

    #[test]
    fn a_batch_has_as_many_items_as_its_list() {
        let batch = operation::BATCH_CREATE_ORDERS_V2;
        assert_eq!(
            items(
                batch,
                Some(br#"{"orders":[{"a":[1,2,3,4]},{}],"note":"[1,2,3]"}"#)
            ),
            2
        );
        assert_eq!(
            items(batch, Some(br#"{"a":[1],"orders":[1,2,3],"z":[]}"#)),
            3
        );
        assert_eq!(items(batch, Some(b"{}")), 1);
        assert_eq!(items(batch, None), 1);
        assert_eq!(
            items(operation::CREATE_ORDER_V2, Some(br#"{"a":[1,2,3]}"#)),
            1
        );
    }
}
