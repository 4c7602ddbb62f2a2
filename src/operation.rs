//! What the contract says of every operation: the one table that signing, limits, retries, paging and tests go by.

use std::fmt;

use reqwest::Method;

pub use crate::generated::operations::*;

/// One operation of the exchange's REST interface, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The operation's name in the contract, such as `GetMarkets`.
    pub id: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL, with its parameters in braces: `/markets/{ticker}`.
    pub path: &'static str,
    /// The section of the contract it stands in, such as `portfolio`.
    pub tag: &'static str,
    /// Whether the exchange wants a signature.
    pub auth: bool,
    /// Tokens a call takes from its bucket. The exchange may set other figures for an account:
    /// [`Client::get_account_endpoint_costs`](crate::Client::get_account_endpoint_costs) asks for them.
    pub token_cost: u32,
    /// Tokens each item of a batch takes, in place of [`token_cost`](Self::token_cost); none for what is no batch.
    pub token_cost_per_item: Option<u32>,
    /// The bucket the tokens come from.
    pub bucket: Bucket,
    /// Whether sending it twice is meant to be the same as once, as HTTP has it: GET, PUT and DELETE. That says nothing
    /// about whether a second answer is the same as the first; only GET changes nothing.
    pub idempotent: bool,
    /// Whether the exchange has deprecated it.
    pub deprecated: bool,
    /// How it hands out its list page by page; none for what is no list or comes whole.
    pub paging: Option<Paging>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.id, self.method, self.path)
    }
}

/// The token bucket that a call draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bucket {
    /// Reads.
    Read,
    /// Orders and everything else that changes something, and the reads the exchange counts among these.
    Write,
    /// The account's balance, which has a bucket of its own.
    Balance,
}

/// The parameters and members by which an operation pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paging {
    /// The query parameter that takes the cursor.
    pub cursor_parameter: &'static str,
    /// The member of the answer that holds the next cursor; empty or absent after the last page.
    pub cursor_member: &'static str,
    /// The query parameter for the number of items a page.
    pub limit_parameter: Option<&'static str>,
    /// The member of the answer that holds the list; none where there are several lists.
    pub items_member: Option<&'static str>,
}

/// The operation of that id, such as `GetMarkets`.
#[must_use]
pub fn find(id: &str) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.id == id)
}
