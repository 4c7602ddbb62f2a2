//! Paginated lists as streams.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    vec,
};

use futures_core::Stream;
use reqwest::Request;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::{
    client::Core,
    error::Error,
    operation::{Operation, Paging},
};

/// A response that is one page of a list.
pub trait Page: DeserializeOwned + Send + 'static {
    /// Cursor of the next page; empty on the last page.
    fn next_cursor(&self) -> &str;
}

/// A page with one list on it.
pub trait ItemPage: Page {
    /// The type of an item.
    type Item: Send + 'static;

    /// The items of the page.
    fn into_items(self) -> Vec<Self::Item>;
}

/// A [`Stream`] of the pages of a list, each requested when the stream is polled.
///
/// The list ends with the first page without a cursor; a page without items does not end it. A cursor that is returned twice is an
/// error, because the list would never end.
///
/// The stream ends after an error. [`resume`](Self::resume) continues with the page that failed; so does a new request with
/// [`cursor`](Self::cursor) as its cursor, even in another process.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T> {
    core: Core,
    operation: &'static Operation,
    /// The request, sent again with each cursor, or the error of building it.
    request: Result<Request, Option<Error>>,
    cursors: Cursors,
    state: State<T>,
    prefetch: bool,
}

type Fetch<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

enum State<T> {
    /// The page of the next cursor has yet to be requested.
    Ready,
    Fetching(Fetch<T>),
    /// The page is requested in a task while the one before is read; dropping the set aborts it.
    Prefetching(JoinSet<Result<T, Error>>),
    /// A cursor was returned twice.
    Repeated,
    /// The last request failed; it can be repeated.
    Failed,
    Ended,
}

/// The cursor of the next page, and what it takes to detect a cycle (Brent's algorithm).
struct Cursors {
    next: String,
    /// An earlier cursor, replaced by the newest after 1, 2, 4, 8.. pages: this detects a cycle of any length with two cursors.
    anchor: String,
    until_next_anchor: u64,
    between_anchors: u64,
}

impl Cursors {
    fn new(first: String) -> Self {
        Self {
            anchor: first.clone(),
            next: first,
            until_next_anchor: 1,
            between_anchors: 1,
        }
    }

    /// Moves on to the next cursor. Returns `false` if it was seen before.
    fn advance(&mut self, cursor: &str) -> bool {
        if cursor == self.next || cursor == self.anchor {
            return false;
        }
        self.until_next_anchor -= 1;
        if self.until_next_anchor == 0 {
            cursor.clone_into(&mut self.anchor);
            self.between_anchors = self.between_anchors.saturating_mul(2);
            self.until_next_anchor = self.between_anchors;
        }
        cursor.clone_into(&mut self.next);
        true
    }
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
            state: State::Ready,
            prefetch: false,
        }
    }

    /// Requests the next page while this one is being read, in a tokio task that ends with the stream.
    pub fn with_prefetch(mut self) -> Self {
        self.prefetch = true;
        self
    }

    /// Cursor of the next page; after an error, of the page that failed. Empty before the first page, `None` after the last.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        let ended = matches!(self.state, State::Repeated | State::Ended);
        (!ended).then_some(self.cursors.next.as_str())
    }

    /// Continues after an error, with the page that failed. Does nothing once the list has ended.
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
        let (core, operation) = (self.core.clone(), self.operation);
        Box::pin(async move { Ok(core.call::<T>(operation, request).await?.into_inner()) })
    }

    /// Moves on to the next page.
    fn arrived(&mut self, page: &T) {
        let cursor = page.next_cursor();
        self.state = if cursor.is_empty() {
            State::Ended
        } else if !self.cursors.advance(cursor) {
            State::Repeated
        } else if self.prefetch {
            let mut task = JoinSet::new();
            task.spawn(self.fetch());
            State::Prefetching(task)
        } else {
            State::Ready
        };
    }
}

/// The same request with another cursor.
fn with_cursor(request: &Request, operation: &Operation, cursor: &str) -> Request {
    // A paginated request has no body, so the clone succeeds.
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
                    // The runtime is shutting down, or a middleware panicked: request the page again from here.
                    _ => {
                        self.state = State::Ready;
                        continue;
                    }
                },
                State::Repeated => {
                    self.state = State::Ended;
                    let error = Error::repeated_cursor(self.operation);
                    return Poll::Ready(Some(Err(error)));
                }
                State::Failed | State::Ended => return Poll::Ready(None),
            };
            match &result {
                Ok(page) => self.arrived(page),
                Err(_) => self.state = State::Failed,
            }
            return Poll::Ready(Some(result));
        }
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

/// A [`Stream`] of the items of a list. It holds one page at a time, and one more with [`with_prefetch`](Self::with_prefetch).
#[must_use = "a stream does nothing until it is polled"]
pub struct Items<T: ItemPage> {
    pages: Pages<T>,
    items: vec::IntoIter<T::Item>,
}

impl<T: ItemPage> Items<T> {
    pub(crate) fn new(pages: Pages<T>) -> Self {
        Self {
            pages,
            items: Vec::new().into_iter(),
        }
    }

    /// Requests the next page while this one is being read; see [`Pages::with_prefetch`].
    pub fn with_prefetch(mut self) -> Self {
        self.pages = self.pages.with_prefetch();
        self
    }

    /// Cursor of the page after the one being read; after an error, of the page that failed. `None` after the last page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.pages.cursor()
    }

    /// Continues after an error, with the page that failed; see [`Pages::resume`].
    pub fn resume(&mut self) {
        self.pages.resume();
    }

    /// Collects at most `limit` items. Requests no more pages than needed.
    ///
    /// # Errors
    ///
    /// Returns the first error and drops the items before it; read the stream if you need those.
    pub async fn collect_all(mut self, limit: usize) -> Result<Vec<T::Item>, Error> {
        let mut all = Vec::new();
        while all.len() < limit {
            let next = std::future::poll_fn(|context| Pin::new(&mut self).poll_next(context)).await;
            match next {
                Some(item) => all.push(item?),
                None => break,
            }
        }
        Ok(all)
    }
}

impl<T: ItemPage> Stream for Items<T> {
    type Item = Result<T::Item, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.items.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(context)) {
                Some(Ok(page)) => self.items = page.into_items().into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T: ItemPage> Unpin for Items<T> {}

impl<T: ItemPage> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("pages", &self.pages)
            .field("left_on_page", &self.items.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Cursors;

    #[test]
    fn cycles_of_any_length_are_detected_and_long_lists_are_not_cycles() {
        let mut long = Cursors::new(String::new());
        for page in 0..10_000 {
            assert!(long.advance(&format!("c{page}")));
        }
        for (lead, circle) in [(0, 1), (1, 1), (0, 2), (3, 2), (5, 7), (17, 100), (1000, 3)] {
            let mut cursors = Cursors::new(String::new());
            let noticed = (0..lead + circle * 4 + lead * 2 + 2).find(|page| {
                let at = if *page < lead {
                    *page
                } else {
                    lead + (page - lead) % circle
                };
                !cursors.advance(&format!("c{at}"))
            });
            assert!(noticed.is_some(), "{lead} then {circle}");
        }
    }
}
