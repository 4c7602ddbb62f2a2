//! Metadata of an operation, used for signing, rate limits, retries and pagination.

use std::fmt;

use reqwest::Method;

/// An operation of a REST API, as described by the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The `operationId` of the spec in Pascal case.
    pub id: &'static str,
    /// The HTTP method of the request.
    pub method: Method,
    /// The path below the base URL, with parameters in braces.
    pub path: &'static str,
    /// The tag under which the spec lists the operation.
    pub tag: &'static str,
    /// `true` if the exchange requires a signature.
    pub auth: bool,
    /// Tokens that a request takes. The exchange may set a different cost for an account.
    pub token_cost: u32,
    /// Tokens that each item of a batch takes, which replaces [`token_cost`](Self::token_cost). `None` if the operation
    /// is not a batch.
    pub token_cost_per_item: Option<u32>,
    /// A boolean query parameter and the tokens that a request takes if it is `true`. `None` if no parameter changes the cost.
    pub token_cost_with: Option<(&'static str, u32)>,
    /// The bucket from which the tokens are taken.
    pub bucket: Bucket,
    /// `true` if requests take tokens ahead of others in the queue, as cancels do.
    pub takes_priority: bool,
    /// `true` if the exchange has deprecated the operation.
    pub deprecated: bool,
    /// `true` if the response contains a secret, such as a private key. Errors then contain no part of the response.
    pub returns_secret: bool,
    /// Pagination of the list, or `None` if the operation is not paginated.
    pub paging: Option<Paging>,
}

impl Operation {
    /// Creates a signed operation that costs 10 tokens, without priority or pagination. Called by generated code,
    /// like the setters below.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        id: &'static str,
        method: Method,
        path: &'static str,
        tag: &'static str,
        bucket: Bucket,
    ) -> Self {
        Self {
            id,
            method,
            path,
            tag,
            auth: true,
            token_cost: 10,
            token_cost_per_item: None,
            token_cost_with: None,
            bucket,
            takes_priority: false,
            deprecated: false,
            returns_secret: false,
            paging: None,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.auth = false;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn cost(mut self, tokens: u32) -> Self {
        self.token_cost = tokens;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn cost_per_item(mut self, tokens: u32) -> Self {
        self.token_cost_per_item = Some(tokens);
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn cost_with(mut self, parameter: &'static str, tokens: u32) -> Self {
        self.token_cost_with = Some((parameter, tokens));
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn priority(mut self) -> Self {
        self.takes_priority = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn returns_secret(mut self) -> Self {
        self.returns_secret = true;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn paged(mut self, paging: Paging) -> Self {
        self.paging = Some(paging);
        self
    }

    /// Returns the cost in tokens if the query sets the parameter that changes it.
    pub(crate) fn cost_of_query(&self, query: Option<&str>) -> Option<u32> {
        let (parameter, tokens) = self.token_cost_with?;
        let is_set = |pair: &str| pair.split_once('=') == Some((parameter, "true"));
        query?.split('&').any(is_set).then_some(tokens)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.id, self.method, self.path)
    }
}

/// A token bucket of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bucket {
    /// Reads, except those charged to another bucket.
    Read,
    /// Orders and other changes, and the reads that the exchange charges as writes.
    Write,
    /// Reads of the account's balance.
    Balance,
}

/// Pagination of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Paging {
    /// The query parameter for the cursor.
    pub cursor_parameter: &'static str,
    /// The response field with the cursor of the next page. It is empty or absent on the last page.
    pub cursor_field: &'static str,
    /// The query parameter for the number of items per page. `None` if the page size is fixed.
    pub limit_parameter: Option<&'static str>,
    /// The response field with the list. `None` if the response has several lists.
    pub items_field: Option<&'static str>,
}

impl Paging {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        cursor_parameter: &'static str,
        cursor_field: &'static str,
        limit_parameter: Option<&'static str>,
        items_field: Option<&'static str>,
    ) -> Self {
        Self {
            cursor_parameter,
            cursor_field,
            limit_parameter,
            items_field,
        }
    }
}
