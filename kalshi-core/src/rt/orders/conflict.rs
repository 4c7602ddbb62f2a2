//! Explanation of a rejection because the client order id is taken, perhaps by the order itself.

/// Result of comparing an order with a request that may have placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderMatch {
    /// All requested values that orders show match.
    AsSent,
    /// The order may be the one requested but changed since, or some fields are missing.
    Unclear,
    /// The order is in another market, on the other side or in another subaccount.
    Other,
}

/// The rejection of an order as a duplicate, and what is known about its client order id.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// The response says that the client order id is taken.
    pub is_taken: bool,
    /// An attempt before the rejected one may have placed the order.
    pub may_be_ours: bool,
    /// The client generated the id, so no other order has it.
    pub is_id_generated: bool,
}

/// Explanation of the rejection by the orders that have the client order id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation<'a, O> {
    /// The request placed this order.
    Ours(&'a O),
    /// A different order, this one, has the id.
    Other(&'a O),
    /// The orders do not explain the rejection.
    Ambiguous,
    /// The order with the id may not be listed yet.
    NotListed,
}

impl Conflict {
    /// Explains the rejection by the orders that have the id. `is_complete` means that no other order can have the id.
    pub fn explain<'a, O>(
        &self,
        found: &[&'a O],
        order_match: impl Fn(&O) -> OrderMatch,
        is_complete: bool,
    ) -> Explanation<'a, O> {
        let like = |wanted: OrderMatch| {
            let found = found.iter().copied();
            found.filter(|order| order_match(order) == wanted).collect()
        };
        let (as_sent, unclear): (Vec<&O>, Vec<&O>) =
            (like(OrderMatch::AsSent), like(OrderMatch::Unclear));
        match (as_sent.as_slice(), unclear.as_slice(), found) {
            (_, _, []) => Explanation::NotListed,
            ([order], [], _) => Explanation::Ours(order),
            ([], [], _) if !is_complete => Explanation::NotListed,
            // This is the only order with the id, so it explains the rejection.
            ([], [], [other]) if self.is_taken && !self.may_be_ours && !self.is_id_generated => {
                Explanation::Other(other)
            }
            _ => Explanation::Ambiguous,
        }
    }
}
