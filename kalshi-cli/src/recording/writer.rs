//! Writes the segments of a recording.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::Utc;
use zstd::stream::write::Encoder;

use super::{ConnectionEvent, FORMAT_VERSION, Header, frame_line};
use crate::failure::Failure;

/// Compression level: the default of zstd.
const COMPRESSION_LEVEL: i32 = 3;

/// Size and age at which a segment is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Size in bytes before compression, without the header and the snapshots with which each segment begins. With them, the snapshots
    /// of many markets would fill every segment.
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
}

/// Totals of a recording.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) segments: u32,
    pub(crate) frames: u64,
    pub(crate) events: u64,
    /// Bytes of all lines before compression.
    pub(crate) bytes: u64,
}

/// Writer of the segments of a recording. What is written before a [`flush`](Self::flush) survives if the process is killed.
pub(crate) struct Writer {
    directory: PathBuf,
    header: Header,
    limits: Limits,
    path: PathBuf,
    encoder: Encoder<'static, File>,
    opened_at: Instant,
    /// Bytes of this segment that count towards its limit.
    written: u64,
    /// Markets whose first snapshot in this segment has not been written.
    awaited: BTreeSet<String>,
    is_dirty: bool,
    last_line_at: Instant,
    summary: Summary,
}

impl Writer {
    /// Creates the directory if it does not exist, and the first segment.
    pub(crate) fn create(
        directory: &Path,
        exchange: String,
        market_tickers: Vec<String>,
        channels: Vec<String>,
        limits: Limits,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(directory).map_err(|error| io_failure("create", directory, &error))?;
        let header = Header {
            version: FORMAT_VERSION,
            recording: Utc::now().format("%Y%m%dT%H%M%S%6fZ").to_string(),
            number: 1,
            exchange,
            market_tickers,
            channels,
        };
        let (path, encoder) = open(directory, &header)?;
        let mut writer = Self {
            directory: directory.to_owned(),
            header,
            limits,
            path,
            encoder,
            opened_at: Instant::now(),
            written: 0,
            awaited: BTreeSet::new(),
            is_dirty: false,
            last_line_at: Instant::now(),
            summary: Summary::default(),
        };
        writer.begin()?;
        Ok(writer)
    }

    /// Writes and flushes the header, so that even a segment without frames identifies its recording.
    fn begin(&mut self) -> Result<(), Failure> {
        self.summary.segments += 1;
        self.awaited = self.header.market_tickers.iter().cloned().collect();
        let header = serde_json::to_string(&self.header)?;
        self.line(Utc::now().timestamp_micros(), "segment", &header)?;
        self.written = 0;
        self.flush()
    }

    /// Writes a frame, received at `time_us` in Unix microseconds. `snapshot_of` is the market of a snapshot.
    pub(crate) fn frame(
        &mut self,
        time_us: i64,
        text: &str,
        snapshot_of: Option<&str>,
    ) -> Result<(), Failure> {
        let (kind, content) = frame_line(text)?;
        let before = self.written;
        self.line(time_us, kind, &content)?;
        if snapshot_of.is_some_and(|ticker| self.awaited.remove(ticker)) {
            self.written = before;
        }
        self.summary.frames += 1;
        Ok(())
    }

    /// Writes an event with the current time.
    pub(crate) fn event(&mut self, event: &ConnectionEvent) -> Result<(), Failure> {
        let content = serde_json::to_string(event)?;
        self.line(Utc::now().timestamp_micros(), "event", &content)?;
        self.summary.events += 1;
        Ok(())
    }

    fn line(&mut self, time_us: i64, kind: &str, content: &str) -> Result<(), Failure> {
        let line = format!("{time_us}\t{kind}\t{content}\n");
        self.encoder
            .write_all(line.as_bytes())
            .map_err(|error| io_failure("write", &self.path, &error))?;
        self.written += line.len() as u64;
        self.summary.bytes += line.len() as u64;
        self.is_dirty = true;
        self.last_line_at = Instant::now();
        Ok(())
    }

    /// Writes everything so far to the file.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if self.is_dirty {
            self.encoder
                .flush()
                .map_err(|error| io_failure("write", &self.path, &error))?;
            self.is_dirty = false;
        }
        Ok(())
    }

    /// Returns the time since the last line.
    pub(crate) fn idle_time(&self) -> Duration {
        self.last_line_at.elapsed()
    }

    /// Starts another segment if this one is complete. Returns `true` if it did.
    pub(crate) fn rotate_if_full(&mut self) -> Result<bool, Failure> {
        if self.written < self.limits.bytes && self.opened_at.elapsed() < self.limits.age {
            return Ok(false);
        }
        self.header.number += 1;
        let (path, encoder) = open(&self.directory, &self.header)?;
        let path = std::mem::replace(&mut self.path, path);
        finish(std::mem::replace(&mut self.encoder, encoder), &path)?;
        self.opened_at = Instant::now();
        self.begin()?;
        Ok(true)
    }

    /// Completes the last segment.
    pub(crate) fn close(self) -> Result<Summary, Failure> {
        finish(self.encoder, &self.path)?;
        Ok(self.summary)
    }
}

/// Creates a segment, and never overwrites one.
fn open(directory: &Path, header: &Header) -> Result<(PathBuf, Encoder<'static, File>), Failure> {
    let path = directory.join(format!("{}-{:06}.zst", header.recording, header.number));
    let create = || {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        let mut encoder = Encoder::new(file, COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(encoder)
    };
    match create() {
        Ok(encoder) => Ok((path, encoder)),
        Err(error) => Err(io_failure("create", &path, &error)),
    }
}

fn finish(encoder: Encoder<'static, File>, path: &Path) -> Result<(), Failure> {
    encoder
        .finish()
        .and_then(|file| file.sync_all())
        .map_err(|error| io_failure("write", path, &error))
}

fn io_failure(what: &str, path: &Path, error: &io::Error) -> Failure {
    format!("cannot {what} {}: {error}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_snapshots_do_not_fill_a_segment() -> Result<(), Failure> {
        let directory = tempfile::tempdir()?;
        let limits = Limits {
            bytes: 1_000,
            age: Duration::from_secs(3_600),
        };
        let tickers = ["A", "B"].map(str::to_owned).to_vec();
        let exchange = "demo".to_owned();
        let mut writer = Writer::create(directory.path(), exchange, tickers, Vec::new(), limits)?;
        let long = "x".repeat(2_000);
        for _ in 0..2 {
            for ticker in ["A", "B"] {
                writer.frame(0, &long, Some(ticker))?;
                assert!(!writer.rotate_if_full()?, "{ticker}");
            }
            // A second snapshot in the same segment counts.
            writer.frame(0, &long, Some("A"))?;
            assert!(writer.rotate_if_full()?);
        }
        writer.frame(0, &long, None)?;
        assert!(writer.rotate_if_full()?);
        assert_eq!(writer.close()?.segments, 4);
        Ok(())
    }
}
