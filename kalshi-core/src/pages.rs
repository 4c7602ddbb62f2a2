//! Paginated lists as streams.

mod cursors;

use std::{
    fmt,
    future::Future,
    ops::Deref,
    pin::Pin,
    slice,
    task::{Context, Poll, ready},
    vec,
};

use bytes::Bytes;
use futures_core::Stream;
use reqwest::Request;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use self::cursors::Cursors;
use crate::{
    client::Core,
    error::{Endless, Error},
    operation::{Operation, Paging},
    rows::Rows,
};

/// Maximum number of consecutive pages with a cursor and without items. One more is an error, because the list may be endless.
///
/// Pages without items are valid: the exchange returns them where a filter leaves no items in a range.
pub const MAX_EMPTY_PAGES: u32 = 100;

/// A response that is a page of one or several lists.
pub trait Page: DeserializeOwned + Send + 'static {
    /// Names of the fields with the lists.
    const LISTS: &'static [&'static str];

    /// Returns the cursor of the next page. Empty on the last page.
    fn next_cursor(&self) -> &str;

    /// Returns `true` if all lists of the page are empty.
    fn is_empty(&self) -> bool;
}

/// A list of a page: the name of its field, and the function that extracts it.
pub(crate) struct List<T, I> {
    pub(crate) field: &'static str,
    pub(crate) into_items: fn(T) -> Vec<I>,
}

/// A [`Stream`] of the pages of a list. Each page is requested when the stream is polled.
///
/// The list ends with the first page without a cursor; an empty page does not end it. A repeated cursor is an error, because the
/// list would never end, and so are more than [`MAX_EMPTY_PAGES`] consecutive empty pages: see [`Error::is_endless_list`].
///
/// The stream ends after an error. To continue with the page that failed, call [`resume`](Self::resume), or send a new request with
/// [`cursor`](Self::cursor) as its cursor, even from another process.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T> {
    core: Core,
    operation: &'static Operation,
    /// The request, which is sent again with each cursor, or the error of building it.
    request: Result<Request, Option<Error>>,
    cursors: Cursors,
    /// Number of consecutive pages without items.
    empty_pages: u32,
    state: State<T>,
    prefetch: bool,
    /// The list whose rows are decoded one at a time if the page does not decode. `None` for a stream of pages.
    by_row: Option<&'static str>,
    bytes_received: u64,
    pages_received: usize,
}

/// A decoded page.
struct Fetched<T> {
    page: T,
    /// The rows to decode one at a time, if some do not decode. `page` then has no rows.
    rows: Option<Rows>,
    /// Length of the response body.
    length: usize,
}

type Fetch<T> = Pin<Box<dyn Future<Output = Result<Fetched<T>, Error>> + Send>>;

enum State<T> {
    /// The next page has not been requested.
    Ready,
    Fetching(Fetch<T>),
    /// The next page is being requested in a task. Dropping the set aborts it.
    Prefetching(JoinSet<Result<Fetched<T>, Error>>),
    /// The list appears to be endless, as shown by the last page.
    Endless(Endless),
    /// The last request failed and can be repeated.
    Failed,
    Ended,
}

impl<T: Page> Pages<T> {
    pub(crate) fn new(
        core: Core,
        operation: &'static Operation,
        request: Result<Request, Error>,
    ) -> Self {
        let first = match (&request, operation.paging) {
            (
                Ok(request),
                Some(Paging {
                    cursor_parameter, ..
                }),
            ) => {
                let mut pairs = request.url().query_pairs();
                pairs
                    .find(|(name, _)| name == cursor_parameter)
                    .map_or_else(String::new, |(_, value)| value.into_owned())
            }
            _ => String::new(),
        };
        Self {
            core,
            operation,
            request: request.map_err(Some),
            cursors: Cursors::new(first),
            empty_pages: 0,
            state: State::Ready,
            prefetch: false,
            by_row: None,
            bytes_received: 0,
            pages_received: 0,
        }
    }

    /// Requests the next page while the current one is read, in a Tokio task that is aborted when the stream is dropped.
    pub fn with_prefetch(mut self) -> Self {
        self.prefetch = true;
        self
    }

    /// Returns the cursor of the next page, or of the page that failed after an error. Empty before the first page, and
    /// `None` after the last.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        let ended = matches!(
            self.state,
            State::Endless(Endless::RepeatedCursor) | State::Ended
        );
        (!ended).then_some(self.cursors.next.as_str())
    }

    /// Continues after an error with the page that failed, or after too many empty pages with the next page. Has no effect once
    /// the list has ended.
    pub fn resume(&mut self) {
        if matches!(self.state, State::Failed) {
            self.state = State::Ready;
        }
    }

    fn fetch(&mut self) -> Fetch<T> {
        let request = match &mut self.request {
            Ok(request) => Ok(with_cursor(request, self.operation, &self.cursors.next)),
            Err(error) => Err(error.take().unwrap_or_else(|| {
                Error::invalid(self.operation, "the request could not be built")
            })),
        };
        let (core, operation, by_row) = (self.core.clone(), self.operation, self.by_row);
        Box::pin(async move {
            match core.call_page::<T>(operation, request).await {
                Ok((page, length)) => Ok(Fetched {
                    page,
                    rows: None,
                    length,
                }),
                Err(error) => {
                    let Some(field) = by_row else {
                        return Err(error);
                    };
                    let length = error.shared_body().map_or(0, Bytes::len);
                    let (page, rows) = Rows::split(field, T::LISTS, error)?;
                    let rows = Some(rows);
                    Ok(Fetched { page, rows, length })
                }
            }
        })
    }

    /// Advances the cursor and the state after a page has arrived.
    fn arrived(&mut self, fetched: &Fetched<T>) {
        let length = u64::try_from(fetched.length).unwrap_or(u64::MAX);
        self.bytes_received = self.bytes_received.saturating_add(length);
        self.pages_received += 1;
        let is_empty = fetched.rows.is_none() && fetched.page.is_empty();
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        let cursor = fetched.page.next_cursor();
        self.state = if cursor.is_empty() {
            State::Ended
        } else if !self.cursors.advance(cursor) {
            State::Endless(Endless::RepeatedCursor)
        } else if self.empty_pages > MAX_EMPTY_PAGES {
            State::Endless(Endless::EmptyPages(self.empty_pages))
        } else if self.prefetch {
            let mut task = JoinSet::new();
            task.spawn(self.fetch());
            State::Prefetching(task)
        } else {
            State::Ready
        };
    }

    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Fetched<T>, Error>>> {
        loop {
            let result = match &mut self.state {
                State::Ready => {
                    let fetch = self.fetch();
                    self.state = State::Fetching(fetch);
                    continue;
                }
                State::Fetching(fetch) => ready!(fetch.as_mut().poll(context)),
                State::Prefetching(task) => match ready!(task.poll_join_next(context)) {
                    Some(Ok(result)) => result,
                    // The runtime is shutting down or a middleware panicked: request the page again without a task.
                    _ => {
                        self.state = State::Ready;
                        continue;
                    }
                },
                State::Endless(reason) => {
                    let reason = *reason;
                    self.empty_pages = 0;
                    self.state = match reason {
                        Endless::RepeatedCursor => State::Ended,
                        Endless::EmptyPages(_) => State::Failed,
                    };
                    let error = Error::endless_list(self.operation, reason);
                    return Poll::Ready(Some(Err(error)));
                }
                State::Failed | State::Ended => return Poll::Ready(None),
            };
            match &result {
                Ok(fetched) => self.arrived(fetched),
                Err(_) => self.state = State::Failed,
            }
            return Poll::Ready(Some(result));
        }
    }
}

/// Returns a copy of the request with another cursor.
fn with_cursor(request: &Request, operation: &Operation, cursor: &str) -> Request {
    // Paginated requests have no body, so cloning succeeds.
    let mut copy = request
        .try_clone()
        .unwrap_or_else(|| Request::new(request.method().clone(), request.url().clone()));
    if let (Some(paging), false) = (operation.paging, cursor.is_empty()) {
        let others: Vec<(String, String)> = request
            .url()
            .query_pairs()
            .filter(|(name, _)| name != paging.cursor_parameter)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        copy.url_mut()
            .query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair(paging.cursor_parameter, cursor);
    }
    copy
}

impl<T: Page> Stream for Pages<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let fetched = ready!(self.poll_page(context));
        Poll::Ready(fetched.map(|result| {
            let Fetched { page, rows, .. } = result?;
            match rows {
                Some(rows) => Err(rows.error),
                None => Ok(page),
            }
        }))
    }
}

// The future is boxed, and nothing else is pinned.
impl<T> Unpin for Pages<T> {}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("operation", &self.operation.id)
            .field("cursor", &self.cursors.next)
            .finish_non_exhaustive()
    }
}

/// A [`Stream`] of the items of a list. Holds one page in memory, or two with [`with_prefetch`](Self::with_prefetch).
///
/// An item that does not decode is returned as an error with its JSON path and JSON, and the stream continues with the next item.
/// [`Error::is_row`] returns `true` for such an error, and `false` for the error of a page. The stream ends after the error of a
/// page, unless it is [resumed](Self::resume).
///
/// `T` is the page and `I` the item. If a page has several lists, each has its own stream, which requests the pages separately.
#[must_use = "a stream does nothing until it is polled"]
pub struct Items<T, I> {
    pages: Pages<T>,
    into_items: fn(T) -> Vec<I>,
    items: vec::IntoIter<I>,
    /// The rows of the current page, if some do not decode.
    rows: Option<Rows>,
}

impl<T: Page, I: DeserializeOwned> Items<T, I> {
    pub(crate) fn new(mut pages: Pages<T>, list: List<T, I>) -> Self {
        pages.by_row = Some(list.field);
        Self {
            pages,
            into_items: list.into_items,
            items: Vec::new().into_iter(),
            rows: None,
        }
    }

    /// Requests the next page while the current one is read. See [`Pages::with_prefetch`].
    pub fn with_prefetch(mut self) -> Self {
        self.pages = self.pages.with_prefetch();
        self
    }

    /// Returns the length of all pages received so far.
    pub(crate) fn bytes_received(&self) -> u64 {
        self.pages.bytes_received
    }

    /// Returns the number of pages received so far, including those without items.
    pub(crate) fn pages_received(&self) -> usize {
        self.pages.pages_received
    }

    /// Returns the operation that lists the items.
    #[must_use]
    pub fn operation(&self) -> &'static Operation {
        self.pages.operation
    }

    /// Returns the cursor of the page after the current one, or of the page that failed after an error. `None` after the last page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.pages.cursor()
    }

    /// Continues with the page that failed after the error of a page. See [`Pages::resume`]. Not needed after the error of an item.
    pub fn resume(&mut self) {
        self.pages.resume();
    }

    /// Collects up to `limit` items and requests no more pages than needed. [`Collected::is_complete`] returns `true`
    /// if the list ended.
    ///
    /// # Errors
    ///
    /// Returns an error if a page cannot be fetched or an item does not decode. The items collected so far are dropped; use the
    /// stream to keep them.
    pub async fn collect_all(mut self, limit: usize) -> Result<Collected<I>, Error> {
        let mut items = Vec::new();
        while items.len() < limit {
            let next = std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context)).await;
            match next {
                Some(item) => items.push(item?),
                None => break,
            }
        }
        let is_complete = self.items.len() == 0
            && self.rows.as_ref().is_none_or(Rows::is_finished)
            && matches!(self.pages.state, State::Ended);
        Ok(Collected { items, is_complete })
    }
}

impl<T: Page, I: DeserializeOwned> Stream for Items<T, I> {
    type Item = Result<I, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            if let Some(row) = self.rows.as_mut().and_then(Rows::next) {
                return Poll::Ready(Some(row));
            }
            self.rows = None;
            match ready!(self.pages.poll_page(context)) {
                Some(Ok(Fetched { page, rows, .. })) => {
                    self.items = (self.into_items)(page).into_iter();
                    self.rows = rows;
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T, I> Unpin for Items<T, I> {}

impl<T, I> fmt::Debug for Items<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("pages", &self.pages)
            .field("left_on_page", &self.items.len())
            .finish()
    }
}

/// Items collected by [`Items::collect_all`]. Dereferences to a slice.
#[must_use = "check `is_complete` to see if the list was truncated"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected<I> {
    items: Vec<I>,
    is_complete: bool,
}

impl<I> Collected<I> {
    /// Returns `true` if these are all items of the list, and `false` if the limit was reached before the list ended, so that
    /// there may be more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Returns the items as a vector.
    #[must_use]
    pub fn into_vec(self) -> Vec<I> {
        self.items
    }
}

impl<I> Deref for Collected<I> {
    type Target = [I];

    fn deref(&self) -> &[I] {
        &self.items
    }
}

impl<I> IntoIterator for Collected<I> {
    type Item = I;
    type IntoIter = vec::IntoIter<I>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, I> IntoIterator for &'a Collected<I> {
    type Item = &'a I;
    type IntoIter = slice::Iter<'a, I>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}
