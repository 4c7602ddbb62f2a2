//! Heartbeat: a file that the bot touches while it works.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout_at},
};

/// Creates the file if it does not exist, and returns its absolute path.
pub(super) fn create(path: &Path) -> io::Result<PathBuf> {
    File::options().append(true).create(true).open(path)?;
    fs::canonicalize(path)
}

/// Waits until the file has not been touched for `timeout` of monotonic time. A file that cannot be read counts as untouched.
pub(super) async fn wait_for_timeout(path: PathBuf, timeout: Duration) {
    let pause = (timeout / 10).clamp(Duration::from_millis(5), Duration::from_secs(1));
    let mut last_modified = None;
    let mut touched_at = Instant::now();
    // The initial modification time does not count as a touch.
    if let Ok(modified) = timeout_at(touched_at + timeout, modification_time(&path)).await {
        last_modified = modified;
    }
    loop {
        let touch = async {
            loop {
                sleep(pause).await;
                let now = modification_time(&path).await;
                if now.is_some() && now != last_modified {
                    return now;
                }
            }
        };
        match timeout_at(touched_at + timeout, touch).await {
            Ok(now) => (last_modified, touched_at) = (now, Instant::now()),
            Err(_) => return,
        }
    }
}

/// Returns the modification time. Reads it on another thread, so that a file system that hangs does not block guard.
async fn modification_time(path: &Path) -> Option<SystemTime> {
    let path = path.to_path_buf();
    let read = spawn_blocking(move || fs::metadata(path)?.modified());
    read.await.ok()?.ok()
}
