//! Lists that the exchange hands out page by page, as streams.

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

use crate::{Client, Error, Operation, operation::Paging};

/// An answer that is one page of a list.
pub trait Page: DeserializeOwned + Send + 'static {
    /// What to ask with for the page after this; empty on the last.
    fn next_cursor(&self) -> &str;
}

/// A page with one list on it.
pub trait ItemPage: Page {
    /// What the list is of.
    type Item: Send + 'static;

    /// The list.
    fn into_items(self) -> Vec<Self::Item>;
}

/// The pages of a list, each fetched when it is asked for: a [`Stream`].
///
/// A page without items is no end: only one without a cursor is. A cursor that comes back is an error, as the list would never end.
///
/// After an error the stream is over. What was fetched is yours, and [`resume`](Self::resume) goes on with the page that failed;
/// so does a new call with [`cursor`](Self::cursor) as its cursor, also in another process.
///
/// ```no_run
/// # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
/// use futures_util::TryStreamExt;
///
/// let mut pages = client.get_markets().series_ticker("KXHIGHNY").limit(1000).by_page();
/// while let Some(page) = pages.try_next().await? {
///     println!("{} markets", page.markets.len());
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T> {
    client: Client,
    operation: &'static Operation,
    /// The call as it was made, to be asked again with other cursors; an error that it could not be made.
    request: Result<Request, Option<Error>>,
    cursors: Cursors,
    state: State<T>,
    ahead: bool,
}

type Fetch<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

enum State<T> {
    /// The page of the cursor is next.
    Ready,
    Fetching(Fetch<T>),
    /// It is being fetched while the one before is read; dropping the set ends it.
    Ahead(JoinSet<Result<T, Error>>),
    /// The cursor came back.
    Repeated,
    /// After an error that may pass.
    Failed,
    Ended,
}

/// The cursor of the next page, and enough of those before it to notice a circle.
struct Cursors {
    next: String,
    /// One that was seen, exchanged for the newest after 1, 2, 4, 8.. pages: so a circle of any length is noticed and no more than
    /// two cursors are kept.
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

    /// Goes on to another cursor, unless it was seen.
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
        client: Client,
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
            client,
            operation,
            request: request.map_err(Some),
            cursors: Cursors::new(first),
            state: State::Ready,
            ahead: false,
        }
    }

    /// Fetches the next page while this one is being read, in a task of the tokio runtime that ends with the stream.
    pub fn with_prefetch(mut self) -> Self {
        self.ahead = true;
        self
    }

    /// The cursor of the page that comes next: after an error, of the one that failed. Empty at the very beginning, and none after
    /// the last page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        let ended = matches!(self.state, State::Repeated | State::Ended);
        (!ended).then_some(self.cursors.next.as_str())
    }

    /// Goes on after an error, with the page that failed. A stream that reached its end stays there.
    pub fn resume(&mut self) {
        if matches!(self.state, State::Failed) {
            self.state = State::Ready;
        }
    }

    fn fetch(&mut self) -> Fetch<T> {
        let request = match &mut self.request {
            Ok(request) => Ok(with_cursor(request, self.operation, &self.cursors.next)),
            Err(error) => Err(error
                .take()
                .unwrap_or_else(|| Error::invalid(self.operation, "the call could not be made"))),
        };
        let (client, operation) = (self.client.clone(), self.operation);
        Box::pin(async move { Ok(client.call::<T>(operation, request).await?.into_inner()) })
    }

    /// Takes note of a page, and prepares for the one after it.
    fn arrived(&mut self, page: &T) {
        let cursor = page.next_cursor();
        self.state = if cursor.is_empty() {
            State::Ended
        } else if !self.cursors.advance(cursor) {
            State::Repeated
        } else if self.ahead {
            let mut task = JoinSet::new();
            task.spawn(self.fetch());
            State::Ahead(task)
        } else {
            State::Ready
        };
    }
}

/// The same call for the page of another cursor.
fn with_cursor(request: &Request, operation: &Operation, cursor: &str) -> Request {
    // A paged call has no body, so there is always a copy.
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
                State::Ahead(task) => match ready!(task.poll_join_next(context)) {
                    Some(Ok(result)) => result,
                    // The runtime is ending, or a middleware panicked: asked again from here.
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

/// The items of a list, page after page: a [`Stream`]. It holds one page at a time, and one more with
/// [`with_prefetch`](Self::with_prefetch).
///
/// ```no_run
/// # async fn example(client: kalshi_sdk::Client) -> Result<(), kalshi_sdk::Error> {
/// use futures_util::TryStreamExt;
///
/// let mut fills = client.get_fills().by_item();
/// while let Some(fill) = fills.try_next().await? {
///     println!("{} {}", fill.ticker, fill.count_fp);
/// }
/// # Ok(())
/// # }
/// ```
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

    /// Fetches the next page while this one is being read; see [`Pages::with_prefetch`].
    pub fn with_prefetch(mut self) -> Self {
        self.pages = self.pages.with_prefetch();
        self
    }

    /// The cursor of the page that comes after the one being read: after an error, of the one that failed. None after the last
    /// page.
    #[must_use]
    pub fn cursor(&self) -> Option<&str> {
        self.pages.cursor()
    }

    /// Goes on after an error, with the page that failed; see [`Pages::resume`].
    pub fn resume(&mut self) {
        self.pages.resume();
    }

    /// All items up to `limit`, in one list. No page is fetched that is not needed.
    ///
    /// # Errors
    ///
    /// The first error; what came before it is lost. Read the stream where that matters.
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
    fn circles_of_any_length_are_noticed_and_long_lists_are_not_circles() {
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
