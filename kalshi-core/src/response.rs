//! The response of an operation, with its status and headers.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use reqwest::{StatusCode, header::HeaderMap};

/// The decoded response of an operation, with its status and headers.
///
/// It dereferences to the decoded value, so its fields can be read directly. [`into_inner`](Self::into_inner) returns the value.
///
/// ```
/// # use kalshi_core::{Response, reqwest::{StatusCode, header::HeaderMap}};
/// # struct Balance { balance: i64 }
/// # let response = Response::from_parts(StatusCode::OK, HeaderMap::new(), Balance { balance: 100 });
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.balance, 100);
/// let balance: Balance = response.into_inner();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response<T> {
    status: StatusCode,
    headers: HeaderMap,
    value: T,
}

impl<T> Response<T> {
    /// Creates a response, for tests with a fake client.
    #[must_use]
    pub fn from_parts(status: StatusCode, headers: HeaderMap, value: T) -> Self {
        Self {
            status,
            headers,
            value,
        }
    }

    /// Returns the HTTP status of the response. Always a success, since any other status is an [`Error`](crate::Error).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the HTTP headers of the response.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the decoded value, without status and headers.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Splits the response into status, headers and value.
    #[must_use]
    pub fn into_parts(self) -> (StatusCode, HeaderMap, T) {
        (self.status, self.headers, self.value)
    }

    /// Converts the value and keeps status and headers.
    #[must_use]
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            status: self.status,
            headers: self.headers,
            value: convert(self.value),
        }
    }
}

impl<T> Deref for Response<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Response<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> AsRef<T> for Response<T> {
    fn as_ref(&self) -> &T {
        &self.value
    }
}

/// Prints the names of the headers but not their values, which may be secret, such as cookies.
impl<T: fmt::Debug> fmt::Debug for Response<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.keys().map(|name| name.as_str()).collect();
        f.debug_struct("Response")
            .field("status", &self.status.as_u16())
            .field("headers", &names)
            .field("value", &self.value)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderValue, SET_COOKIE};

    use super::*;

    fn response() -> Response<Vec<u8>> {
        let mut headers = HeaderMap::new();
        headers.insert(SET_COOKIE, HeaderValue::from_static("session=hunter2"));
        Response::from_parts(StatusCode::CREATED, headers, vec![1, 2])
    }

    #[test]
    fn debug_shows_no_header_value() {
        let text = format!("{:?}", response());
        assert_eq!(
            text,
            r#"Response { status: 201, headers: ["set-cookie"], value: [1, 2] }"#
        );
    }

    #[test]
    fn value_is_dereferenced_and_returned() {
        let mut response = response();
        response.push(3);
        assert_eq!((response.len(), response.as_ref().len()), (3, 3));
        let mapped = response.clone().map(|value| value.len());
        assert_eq!((*mapped, mapped.status()), (3, StatusCode::CREATED));
        assert_eq!(mapped.headers(), response.headers());
        let (status, headers, value) = response.clone().into_parts();
        assert_eq!(Response::from_parts(status, headers, value), response);
        assert_eq!(response.into_inner(), [1, 2, 3]);
    }
}
