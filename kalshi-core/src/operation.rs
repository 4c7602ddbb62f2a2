//! Metadata of an operation, used for signing, rate limits, retries and pagination.

use std::fmt;

use reqwest::Method;

use crate::{error::Error, rt};

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
    /// One line that says what the operation does. Empty if the spec has none.
    pub summary: &'static str,
    /// The parameters of the path, the query and the headers, in the order of the spec. Fields of the body are not parameters.
    pub parameters: &'static [Parameter],
    /// `true` if the request has a JSON body with content. A POST, PUT or PATCH without one sends `{}`.
    pub has_body: bool,
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
            summary: "",
            parameters: &[],
            has_body: false,
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
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn body(mut self) -> Self {
        self.has_body = true;
        self
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

    /// Returns the path with each parameter replaced by its percent-encoded value, for
    /// [`CustomRequest`](crate::CustomRequest). Values of other parameters are ignored.
    ///
    /// # Errors
    ///
    /// Returns an error if the value of a parameter is missing, empty, `.` or `..`.
    pub fn path_with(&'static self, values: &[(&str, &str)]) -> Result<String, Error> {
        let mut path = String::with_capacity(self.path.len());
        for segment in self.path.split_inclusive('/') {
            let (start, end) = match segment.strip_suffix('/') {
                Some(segment) => (segment, "/"),
                None => (segment, ""),
            };
            match start.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
                Some(name) => {
                    let value = values.iter().find(|(other, _)| *other == name);
                    let (_, value) = value
                        .ok_or_else(|| Error::invalid(self, format!("`{name}` is missing")))?;
                    path.push_str(&rt::segment(self, name, value)?);
                }
                None => path.push_str(start),
            }
            path.push_str(end);
        }
        Ok(path)
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

/// A parameter of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// The name in the request, which may differ from that of the builder's setter.
    pub name: &'static str,
    /// The part of the request that contains the parameter.
    pub location: Location,
    /// The type of the value, or of each value of a list.
    pub kind: ParameterType,
    /// The form of a list in the query, or `None` if the parameter takes one value.
    pub list: Option<ListFormat>,
    /// `true` if the exchange rejects a request without the parameter.
    pub required: bool,
    /// `true` if the exchange has deprecated the parameter.
    pub deprecated: bool,
    /// The values that the spec lists. Empty if it lists none. The exchange may accept newer ones.
    pub values: &'static [&'static str],
    /// The description in the spec, in Markdown. Empty if the spec has none.
    pub description: &'static str,
}

impl Parameter {
    /// Creates an optional parameter with one value. Called by generated code, like the setters below.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        name: &'static str,
        location: Location,
        kind: ParameterType,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            location,
            kind,
            list: None,
            required: false,
            deprecated: false,
            values: &[],
            description,
        }
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
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
    pub const fn list(mut self, format: ListFormat) -> Self {
        self.list = Some(format);
        self
    }

    #[doc(hidden)]
    #[must_use]
    pub const fn values(mut self, values: &'static [&'static str]) -> Self {
        self.values = values;
        self
    }
}

/// The part of a request that contains a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Location {
    /// A segment of the path.
    Path,
    /// The query string.
    Query,
    /// A header.
    Header,
}

/// The type of a parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParameterType {
    /// A string.
    String,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A decimal number.
    Number,
    /// A time in seconds since the Unix epoch.
    UnixSeconds,
    /// A time in milliseconds since the Unix epoch.
    UnixMillis,
}

/// The form of a list in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListFormat {
    /// The parameter is repeated for each value.
    Repeated,
    /// The parameter has the values separated by commas.
    CommaSeparated,
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

#[cfg(test)]
mod tests {
    use super::*;

    static OPERATION: Operation = Operation::new(
        "GetLeaf",
        Method::GET,
        "/trees/{tree}/leaves/{leaf}",
        "",
        Bucket::Read,
    );

    #[test]
    fn values_are_encoded_into_the_path() {
        let path = |values: &[(&str, &str)]| OPERATION.path_with(values);
        let found = path(&[("leaf", "../x y"), ("tree", "%2e\u{e9}"), ("other", "")]);
        assert_eq!(
            found.ok().as_deref(),
            Some("/trees/%252e%C3%A9/leaves/..%2Fx%20y")
        );
        for leaf in ["", ".", ".."] {
            let error = path(&[("tree", "a"), ("leaf", leaf)]).err();
            assert!(
                error.is_some_and(|error| error.is_invalid_request()),
                "{leaf}"
            );
        }
        let error = path(&[("tree", "a")]).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("GetLeaf: `leaf` is missing"));
    }
}
