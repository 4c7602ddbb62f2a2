//! Reads the segments of recordings, up to the first damage.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use zstd::stream::read::Decoder;

use super::{Entry, FORMAT_VERSION, Header, Line};
use crate::failure::Failure;

/// Maximum length of a line in bytes. The exchange sends frames of at most 16 MiB.
const MAX_LINE: u64 = 128 * 1024 * 1024;

/// Returns the paths of the segments in a directory, in order.
pub(crate) fn segments(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let read = || {
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "zst") {
                paths.push(path);
            }
        }
        paths.sort();
        io::Result::Ok(paths)
    };
    let paths = read()
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", directory.display())))?;
    match paths.is_empty() {
        true => Err(Failure::usage(format!(
            "there is no recording in {}: make one with `kalshi record`",
            directory.display()
        ))),
        false => Ok(paths),
    }
}

/// Damage of a segment, or of the recording before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The recorder was killed, or is still running.
    Unfinished,
    /// The segment is complete, but an earlier segment of its recording is missing.
    Missing,
    Invalid {
        line: u64,
        reason: String,
    },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfinished => {
                f.write_str("was not closed: its recorder was killed or is running")
            }
            Self::Missing => f.write_str("follows a segment that is missing"),
            Self::Invalid { line, reason } => write!(f, "is damaged at line {line}: {reason}"),
        }
    }
}

/// The lines of a segment. Ends after the first damage.
pub(crate) struct Segment {
    header: Header,
    /// Time of the header in Unix microseconds.
    start_us: i64,
    lines: BufReader<Decoder<'static, BufReader<File>>>,
    number: u64,
    has_ended: bool,
    buffer: Vec<u8>,
}

impl Segment {
    /// Opens a segment and reads its header. The outer error is a file system error.
    pub(crate) fn open(path: &Path) -> Result<Result<Self, Damage>, Failure> {
        let file =
            File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let mut segment = Self {
            header: Header {
                version: FORMAT_VERSION,
                recording: String::new(),
                number: 0,
                exchange: String::new(),
                market_tickers: Vec::new(),
                channels: Vec::new(),
            },
            start_us: 0,
            lines: BufReader::new(Decoder::new(file)?),
            number: 0,
            has_ended: false,
            buffer: Vec::new(),
        };
        let invalid = |reason: &str| Damage::Invalid {
            line: 1,
            reason: reason.to_owned(),
        };
        Ok(match segment.next() {
            Some(Ok(Line {
                time_us,
                entry: Entry::Header(header),
            })) if header.version == FORMAT_VERSION => {
                segment.header = header;
                segment.start_us = time_us;
                Ok(segment)
            }
            Some(Ok(Line {
                entry: Entry::Header(header),
                ..
            })) => Err(invalid(&format!(
                "the format has version {}, and this program reads version {FORMAT_VERSION}",
                header.version
            ))),
            Some(Ok(_)) => Err(invalid("it does not begin with a header")),
            Some(Err(damage)) => Err(damage),
            None => Err(Damage::Unfinished),
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the time of the header in Unix microseconds.
    pub(crate) fn start_us(&self) -> i64 {
        self.start_us
    }

    fn read_line(&mut self) -> Option<Result<Line, Damage>> {
        self.number += 1;
        self.buffer.clear();
        let mut limited = (&mut self.lines).take(MAX_LINE);
        let invalid = |reason: String| Damage::Invalid {
            line: self.number,
            reason,
        };
        match limited.read_until(b'\n', &mut self.buffer) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Some(Err(Damage::Unfinished));
            }
            Err(error) => return Some(Err(invalid(error.to_string()))),
        }
        if self.buffer.pop() != Some(b'\n') {
            return Some(Err(invalid("it is not terminated".to_owned())));
        }
        let text = str::from_utf8(&self.buffer).map_err(|error| error.to_string());
        Some(text.and_then(Line::parse).map_err(invalid))
    }
}

impl Iterator for Segment {
    type Item = Result<Line, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let line = self.read_line();
        self.has_ended = !matches!(line, Some(Ok(_)));
        line
    }
}
