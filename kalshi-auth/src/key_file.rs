//! Reads key files with limits on size and time, and keeps keys given instead of paths out of errors.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::pem::MAX_BYTES;
use crate::{KeyError, format};

/// The maximum time to open and read a key file. A pipe may have no writer, and a network file system may not respond.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// File name extensions of key files.
const KEY_EXTENSIONS: [&str; 8] = ["pem", "key", "txt", "der", "p8", "pk8", "p12", "pfx"];

type Contents = (Zeroizing<Vec<u8>>, Metadata);

/// Reads the file at `path`, and warns if other users may access it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if cannot_be_path(path) {
        return Err(KeyError::KeyInsteadOfPath);
    }
    let (bytes, metadata) = read_with_timeout(path)?;
    if bytes.len() > MAX_BYTES {
        return Err(KeyError::FileTooLarge {
            path: displayable(path),
        });
    }
    warn_if_accessible_by_others(path, &metadata);
    Ok(bytes)
}

/// Opens and reads in a separate thread, because either may block forever. After the timeout the thread remains. It
/// ends when the file responds, and wipes what it read.
fn read_with_timeout(path: &Path) -> Result<Contents, KeyError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let owned = path.to_owned();
    let spawned = std::thread::Builder::new()
        .name("read-key-file".to_owned())
        .spawn(move || {
            let contents = open_and_read(&owned);
            drop(Zeroizing::new(owned.into_os_string().into_encoded_bytes()));
            // Sending fails if the caller has timed out.
            drop(sender.send(contents));
        });
    let contents = match spawned {
        Ok(_) => receiver.recv_timeout(READ_TIMEOUT),
        Err(error) => Ok(Err(error)),
    };
    match contents {
        Ok(Ok(contents)) => Ok(contents),
        Ok(Err(source)) => Err(unreadable(path, source)),
        Err(RecvTimeoutError::Timeout) => Err(KeyError::FileTimedOut {
            path: displayable(path),
        }),
        Err(RecvTimeoutError::Disconnected) => Err(unreadable(
            path,
            io::Error::other("the reading thread stopped"),
        )),
    }
}

fn open_and_read(path: &Path) -> io::Result<Contents> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    // One byte more than allowed reveals that the file is too large. The buffer never grows, because growing would
    // leave parts of the key in memory.
    let mut bytes = Zeroizing::new(vec![0; MAX_BYTES + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok((bytes, metadata))
}

fn unreadable(path: &Path, source: io::Error) -> KeyError {
    if may_be_key(path) {
        return KeyError::KeyInsteadOfPath;
    }
    let path = displayable(path);
    match source.kind() {
        io::ErrorKind::NotFound => KeyError::FileNotFound { path, source },
        _ => KeyError::FileUnreadable { path, source },
    }
}

/// Returns `true` if `path` cannot be a sensible path: it is a key, is longer than 255 bytes or contains line breaks.
fn cannot_be_path(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().any(u8::is_ascii_control) || format::is_key(bytes)
}

/// Returns `true` if `path`, which is not a readable file, may be a secret in base64 or hexadecimal. Slashes and
/// letters alone do not distinguish paths from base64, so the file is looked up first.
fn may_be_key(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    if !bytes.iter().all(|byte| format::is_base64(*byte)) {
        return false;
    }
    let max_segment = bytes.split(|byte| *byte == b'/').map(<[u8]>::len).max();
    let is_mixed = bytes.iter().any(u8::is_ascii_uppercase)
        && bytes.iter().any(u8::is_ascii_lowercase)
        && bytes.iter().any(u8::is_ascii_digit);
    bytes.len() >= 32 && (is_mixed || max_segment >= Some(32))
}

/// Returns `path` if it has the form of a path, so that an error may show it. A passphrase or a key id does not.
pub(crate) fn displayable(path: &Path) -> Option<PathBuf> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let has_path_prefix = path.is_absolute()
        || [&b"./"[..], b"../", b"~/", b".\\", b"..\\"]
            .iter()
            .any(|start| bytes.starts_with(start));
    let has_key_extension = path.extension().is_some_and(|extension| {
        KEY_EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    ((has_path_prefix || has_key_extension) && !may_be_key(path)).then(|| path.to_owned())
}

/// Describes `path` for an error message.
pub(crate) fn describe(path: Option<&PathBuf>) -> String {
    match path {
        Some(path) => path.display().to_string(),
        None => "the given path (not shown, as it may be a secret)".to_owned(),
    }
}

/// Warns if users other than the owner may read a regular file. `metadata` is that of the open file.
#[cfg(unix)]
fn warn_if_accessible_by_others(path: &Path, metadata: &Metadata) {
    use std::os::unix::fs::PermissionsExt;

    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        tracing::warn!("other users may access the key file {path}; run `chmod 600 {path}`");
    }
}

#[cfg(not(unix))]
fn warn_if_accessible_by_others(_path: &Path, _metadata: &Metadata) {}
