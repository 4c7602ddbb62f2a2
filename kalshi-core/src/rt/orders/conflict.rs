//! Explaining the rejection of an order whose client order id is taken, perhaps by the order itself.

/// How an order compares with a request that may have placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// What the request set is the same, as far as orders show it, and it was not created before the request.
    AsSent,
    /// It may be the order, changed since, or an earlier one; or some fields are missing.
    Unclear,
    /// It is in another market, on the other side, of another subaccount, or older than the request.
    Other,
}

/// The rejection of an order as a duplicate.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// The response says that the client order id is taken.
    pub is_taken: bool,
    /// An attempt before the one that was rejected may have placed the order.
    pub may_be_ours: bool,
    /// The id was made by the client, so no other order has it.
    pub has_made_id: bool,
}

/// What the orders with the client order id say of the rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation<'a, O> {
    /// This order is as the request wanted it.
    Ours(&'a O),
    /// This order, which is another one, has the id.
    Other(&'a O),
    /// They prove nothing.
    Ambiguous,
    /// The order that has the id may not be listed yet.
    Open,
}

impl Conflict {
    /// Explains the rejection by the orders that have the id. With `is_complete`, no other order can have it.
    pub fn explain<'a, O>(
        &self,
        found: &[&'a O],
        likeness: impl Fn(&O) -> Likeness,
        is_complete: bool,
    ) -> Explanation<'a, O> {
        let like = |wanted: Likeness| {
            let found = found.iter().copied();
            found.filter(|order| likeness(order) == wanted).collect()
        };
        let (as_sent, unclear): (Vec<&O>, Vec<&O>) =
            (like(Likeness::AsSent), like(Likeness::Unclear));
        match (as_sent.as_slice(), unclear.as_slice(), found) {
            (_, _, []) => Explanation::Open,
            ([order], [], _) => Explanation::Ours(order),
            ([], [], _) if !is_complete => Explanation::Open,
            // No other order than this one has the id, so it explains the rejection.
            ([], [], [other]) if self.is_taken && !self.may_be_ours && !self.has_made_id => {
                Explanation::Other(other)
            }
            _ => Explanation::Ambiguous,
        }
    }
}
