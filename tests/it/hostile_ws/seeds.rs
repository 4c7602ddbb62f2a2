//! Runs many seeds, each in its own runtime with virtual time.

use std::{
    env,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

/// Returns the seeds to run. `KALSHI_TEST_SEED` selects one, `KALSHI_TEST_SEEDS` sets their number.
pub fn chosen(default: u64) -> Range<u64> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse().ok());
    match number("KALSHI_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("KALSHI_TEST_SEEDS").unwrap_or(default),
    }
}

/// Runs seeds on all processors and returns their results in any order. An error message starts with the seed.
pub fn run_all<T: Send>(
    seeds: &Range<u64>,
    run: impl AsyncFn(u64) -> Result<T, String> + Sync,
) -> Vec<Result<T, String>> {
    let (next, results) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Relaxed)
                    && seeds.contains(&seed)
                {
                    let result = run_alone(run(seed));
                    let result =
                        result.map_err(|error| format!("KALSHI_TEST_SEED={seed}: {error}"));
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

fn run_alone<T>(run: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run)));
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}
