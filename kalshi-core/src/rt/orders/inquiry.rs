//! Repeated reads until the outcome of a write is proven: the exchange's reads may lag behind its writes.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::{
    task::coop::consume_budget,
    time::{Instant, sleep, timeout_at},
};

use crate::{
    api::ApiClient,
    client::Core,
    error::Error,
    outcome::Moment,
    pages::{Items, Page},
    retry, rt,
};

/// Pause before the second attempt. Pauses double up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Maximum pause between two attempts: in the first seconds, in which most inquiries end, and after them.
const MAX_PAUSE: [Duration; 2] = [Duration::from_millis(400), Duration::from_secs(2)];

/// Pause before a page is requested again.
const PAGE_PAUSE: Duration = Duration::from_millis(100);

/// Number of consecutive failures after which a search gives up a page.
const MAX_PAGE_FAILURES: u32 = 5;

/// Maximum timeout, in effect unlimited. A longer one could overflow when added to an `Instant`.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A client whose reads serve as evidence.
pub trait Reader: ApiClient {
    /// `true` if a page that lacks its list or cursor is no evidence. `false` for an API whose lists never prove an absence and may end
    /// with a page without a cursor.
    const REQUIRES_CURSOR: bool = true;

    /// Returns `true` if reads reflect everything written before `since`, even allowing for the uncertainty of the clocks.
    fn reads_are_fresh(&self, since: Moment) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// Result of one attempt to read the outcome.
pub enum Reading<T> {
    /// Proof of the outcome even if reads lag.
    Conclusive(T),
    /// Proof only if reads already reflected the write.
    Tentative(T),
}

impl<T> Reading<T> {
    /// Returns `Conclusive` if `is_conclusive`, or else `Tentative`.
    pub fn new(found: T, is_conclusive: bool) -> Self {
        if is_conclusive {
            Self::Conclusive(found)
        } else {
            Self::Tentative(found)
        }
    }
}

/// Result of an inquiry.
pub enum Finding<T> {
    /// The last attempt was conclusive.
    Conclusive(T),
    /// The last attempt was tentative, and reads were up to date.
    Fresh(T),
    /// The inquiry timed out. Contains the last error, if there was one.
    TimedOut(Option<Arc<Error>>),
}

/// The last error of an inquiry. An inquiry continues after transient errors.
#[derive(Default)]
pub struct LastError(Mutex<Option<Error>>);

impl LastError {
    pub fn set(&self, error: Error) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    pub fn take(&self) -> Option<Arc<Error>> {
        let error = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        error.map(Arc::new)
    }
}

/// Number of attempts over pooled connections that prove nothing, although reads are up to date: such an attempt may get the response to an
/// earlier request.
const DRAINING_LOOKS: u32 = 2;

/// Returns the number of attempts that prove nothing after reads are up to date.
pub fn draining_looks(core: &Core) -> u32 {
    match rt::has_evidence_connections(core) {
        true => 0,
        false => DRAINING_LOOKS,
    }
}

/// Determines when reads prove that a write had no effect: once they reflect everything written before a time.
pub struct Freshness {
    since: Moment,
    is_current: bool,
    /// Number of attempts that still prove nothing.
    draining: u32,
}

impl Freshness {
    pub fn new<C: Reader>(client: &C, since: Moment) -> Self {
        Self {
            since,
            is_current: false,
            draining: draining_looks(client.core()),
        }
    }

    /// Returns `true` if reads are up to date, but the next attempt may still prove nothing. It takes no pause before it.
    pub fn is_draining(&self) -> bool {
        self.is_current && self.draining > 0
    }

    /// Returns `true` if the next attempt proves that something is absent or unchanged. Called before each attempt.
    pub async fn check<C: Reader>(&mut self, reader: &C, last_error: &LastError) -> bool {
        if self.is_current {
            self.draining = self.draining.saturating_sub(1);
        } else {
            match reader.reads_are_fresh(self.since).await {
                Ok(fresh) => self.is_current = fresh,
                Err(error) => last_error.set(error),
            }
        }
        self.is_current && self.draining == 0
    }
}

/// Repeats `look` until it is conclusive, until it is tentative and reads reflect everything written before `since`, or until the timeout.
///
/// `look` receives the client to read with and whether reads are up to date. The first attempt uses the client's pooled connections, and
/// later attempts those for evidence.
pub async fn inquire<C, T, F>(
    client: &C,
    since: Moment,
    timeout: Duration,
    last_error: &LastError,
    look: impl Fn(C, bool) -> F,
) -> Finding<T>
where
    C: Reader,
    F: Future<Output = Result<Reading<T>, Error>>,
{
    let begun = Instant::now();
    let inquiry = async {
        let (mut reader, mut is_fresh, mut pause) = (client.clone(), false, FIRST_PAUSE);
        let (mut freshness, mut has_looked) = (Freshness::new(client, since), false);
        loop {
            match check_connections(&reader, look(reader.clone(), is_fresh)).await {
                Ok(Reading::Conclusive(found)) => return Finding::Conclusive(found),
                Ok(Reading::Tentative(found)) if is_fresh => return Finding::Fresh(found),
                Ok(Reading::Tentative(_)) => has_looked = true,
                Err(error) => last_error.set(error),
            }
            reader = rt::for_evidence(client);
            if !freshness.is_draining() {
                sleep(pause).await;
                let is_early = begun.elapsed() < Duration::from_secs(5);
                pause = (pause * 2).min(MAX_PAUSE[usize::from(!is_early)]);
            }
            // Only signed responses, such as those of `look`, show the exchange's clock. Without one, stale reads would count as up to date
            // if the local clock is behind.
            if has_looked && !is_fresh {
                is_fresh = freshness.check(&reader, last_error).await;
            }
        }
    };
    // With a zero timeout, `timeout_at` could still return a fast response.
    if timeout.is_zero() {
        return Finding::TimedOut(None);
    }
    let deadline = begun + timeout.min(MAX_TIMEOUT);
    match timeout_at(deadline, inquiry).await {
        Ok(finding) => finding,
        Err(_) => Finding::TimedOut(last_error.take()),
    }
}

/// Awaits reads of `client`, and replaces its pooled connections after a response that does not match its request: a proxy that once sent
/// an extra response would also send the next write the response to another request.
pub async fn check_connections<C: ApiClient, T>(
    client: &C,
    reads: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let generation = client.core().generation();
    let result = reads.await;
    if let Err(error) = &result
        && error.is_decode()
        && !error.is_row()
    {
        client.core().replace_connections(generation);
    }
    result
}

/// Waits until reads are up to date with everything written before `since`. The caller sets the timeout.
///
/// `read` sends a signed read, whose response shows the exchange's clock. It is repeated until the clock is known.
pub async fn until_fresh<C: Reader, F, T>(
    reader: &C,
    since: Moment,
    last_error: &LastError,
    read: impl Fn() -> F,
) where
    F: Future<Output = Result<T, Error>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        if !rt::knows_exchange_time(reader.core())
            && let Err(error) = read().await
        {
            last_error.set(error);
        }
        match reader.reads_are_fresh(since).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => last_error.set(error),
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE[0]);
    }
}

/// Maximum number of items that a walk keeps when it searches for a single one.
const MAX_KEPT: usize = 1_000;

/// Maximum length of the pages from which a walk keeps items. The 200,000 orders that an account may have open take about 180 MB.
const MAX_KEPT_BYTES: u64 = 256 << 20;

/// Maximum number of row errors that a walk keeps.
pub const MAX_SKIPPED: usize = 16;

/// Items kept by a walk through a list.
#[derive(Debug)]
pub struct Walk<T> {
    pub kept: Vec<T>,
    /// The last errors of rows that do not decode, at most [`MAX_SKIPPED`]. One of those rows may be the item that was searched for.
    pub skipped: Vec<Error>,
    /// Number of rows that do not decode.
    pub skipped_count: usize,
    /// Number of pages read, including those without items. An item that moves between the pages may be missing if there are several.
    pub pages: usize,
}

impl<T> Default for Walk<T> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            skipped: Vec::new(),
            skipped_count: 0,
            pages: 0,
        }
    }
}

impl<T> Walk<T> {
    pub fn skip(&mut self, error: Error) {
        self.skipped_count += 1;
        if self.skipped.len() >= MAX_SKIPPED {
            self.skipped.remove(0);
        }
        self.skipped.push(error);
    }
}

/// Walks through a whole list and keeps the items that `keep` selects. `is_ours` returns `false` for an item that the request excluded,
/// which means that the response belongs to another request.
///
/// Lists can be long, so a transient error resumes the walk at the page that failed, not at the first one. If that page fails again and
/// again, the error is returned, so that the caller can read something else.
pub async fn walk<T: Page, I: DeserializeOwned>(
    items: Items<T, I>,
    last_error: &LastError,
    is_ours: impl Fn(&I) -> bool,
    keep: impl Fn(&I) -> bool,
) -> Result<Walk<I>, Error> {
    // Several candidates are inconclusive, however many there are.
    let limits = (MAX_KEPT, MAX_PAGE_FAILURES);
    let mut walk = Walk::default();
    walk_within(limits, &mut walk, items, last_error, is_ours, keep).await?;
    Ok(walk)
}

/// Like [`walk`], with a given limit on the number of kept items, and without a limit on transient errors.
///
/// # Errors
///
/// Also returns an error if the pages with the kept items are longer than 256 MiB.
pub async fn walk_up_to<T: Page, I: DeserializeOwned>(
    max_kept: usize,
    items: Items<T, I>,
    last_error: &LastError,
    is_ours: impl Fn(&I) -> bool,
    keep: impl Fn(&I) -> bool,
) -> Result<Walk<I>, Error> {
    let limits = (max_kept, u32::MAX);
    let mut walk = Walk::default();
    walk_within(limits, &mut walk, items, last_error, is_ours, keep).await?;
    Ok(walk)
}

/// Like [`walk_up_to`], for all items. `walk` has those that were read before an error, or before the future was dropped.
pub async fn walk_into<T: Page, I: DeserializeOwned>(
    walk: &mut Walk<I>,
    items: Items<T, I>,
    last_error: &LastError,
) -> Result<(), Error> {
    let limits = (usize::MAX, u32::MAX);
    walk_within(limits, walk, items, last_error, |_| true, |_| true).await
}

async fn walk_within<T: Page, I: DeserializeOwned>(
    (max_kept, max_failures): (usize, u32),
    walk: &mut Walk<I>,
    mut items: Items<T, I>,
    last_error: &LastError,
    is_ours: impl Fn(&I) -> bool,
    keep: impl Fn(&I) -> bool,
) -> Result<(), Error> {
    let operation = items.operation();
    // Length of the current page until one of its items is kept.
    let (mut page, mut kept_bytes) = (0, 0);
    let mut failures = 0;
    loop {
        // A page may have any number of rows, and their processing must not delay the caller's timeout.
        consume_budget().await;
        let before = items.bytes_received();
        let next = std::future::poll_fn(|context| Pin::new(&mut items).poll_next(context)).await;
        let received = items.bytes_received() - before;
        if received > 0 {
            (page, failures) = (received, 0);
        }
        // One poll may receive several pages without items.
        walk.pages = items.pages_received();
        match next {
            Some(Ok(item)) if !is_ours(&item) => {
                return Err(Error::unexpected_response(
                    operation,
                    reqwest::StatusCode::OK,
                    "the list contains an item that the request excluded".to_owned(),
                ));
            }
            Some(Ok(item)) if keep(&item) => {
                kept_bytes += std::mem::take(&mut page);
                if kept_bytes > MAX_KEPT_BYTES {
                    return Err(Error::unexpected_response(
                        operation,
                        reqwest::StatusCode::OK,
                        format!("the list is longer than {} MiB", MAX_KEPT_BYTES >> 20),
                    ));
                }
                walk.kept.push(item);
                if walk.kept.len() >= max_kept {
                    return Ok(());
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) if error.is_row() => walk.skip(error),
            Some(Err(error)) if is_transient(&error) && failures < max_failures => {
                // While the rate limit is exhausted, starting again would take longer.
                let is_busy = error.is_rate_limited() || error.local_rate_limit().is_some();
                failures += u32::from(!is_busy);
                last_error.set(error);
                sleep(PAGE_PAUSE).await;
                items.resume();
            }
            Some(Err(error)) => return Err(error),
            None => return Ok(()),
        }
    }
}

/// Retries a read after transient errors, however many there are.
pub async fn retry_transient<T, F>(last_error: &LastError, send: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match send().await {
            Err(error) if is_transient(&error) => {
                last_error.set(error);
                sleep(PAGE_PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Returns `true` if the same read may succeed later, including one that was rate limited locally and can be sent after a wait.
fn is_transient(error: &Error) -> bool {
    let is_local_wait = error
        .local_rate_limit()
        .is_some_and(|limit| limit.wait().is_some());
    is_local_wait || retry::may_retry(error.operation(), error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::{
        Api, ClientBuilder,
        http_options::HttpOptions,
        test_client::{Local, TestClient},
    };

    struct TestApi;

    impl Api for TestApi {
        type Client = TestClient;
        type Environment = Local;
        type Credentials = kalshi_auth::Credentials;
    }

    impl Reader for TestClient {
        async fn reads_are_fresh(&self, _: Moment) -> Result<bool, Error> {
            Ok(true)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_drain_the_pool_do_not_pause() {
        let own = HttpOptions::default().build().unwrap();
        let builder = ClientBuilder::<TestApi>::default().http_client(own);
        let client = builder.build().unwrap();
        let (begun, looks) = (Instant::now(), AtomicUsize::new(0));
        let look = |_, is_fresh| {
            let number = looks.fetch_add(1, Relaxed);
            async move { Ok(Reading::Tentative((number, is_fresh))) }
        };
        let since = Moment::now(client.core());
        let last_error = LastError::default();
        let timeout = Duration::from_secs(2);
        let finding = inquire(&client, since, timeout, &last_error, look).await;
        assert!(matches!(finding, Finding::Fresh((3, true))));
        assert_eq!(begun.elapsed(), FIRST_PAUSE);
    }
}
