//! File access: reads untrusted input, writes files atomically, and prints.

use std::{
    borrow::Cow,
    fmt, fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

/// The maximum input size. The largest spec today is under half a megabyte.
const MAX_BYTES: u64 = 16 << 20;

/// The reason why a command failed, as one line for the user.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// The content of an input, and its name for error messages.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Input {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let standard_input = path == Path::new("-");
        let name = if standard_input {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let fail = |cause: &dyn fmt::Display| Failure(format!("{name}: {cause}"));
        let mut bytes = Vec::new();
        let read = if standard_input {
            io::stdin()
                .lock()
                .take(MAX_BYTES + 1)
                .read_to_end(&mut bytes)
        } else {
            fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        };
        read.map_err(|error| fail(&error))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fail(&format!(
                "more than {} MiB: no spec is that large",
                MAX_BYTES >> 20
            )));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            fail(&format!("not text: byte {at} is not UTF-8"))
        })?;
        let text = match text.strip_prefix('\u{feff}') {
            Some(text) => text.to_owned(),
            None => text,
        };
        let start: String = text
            .trim_start()
            .chars()
            .take(16)
            .collect::<String>()
            .to_ascii_lowercase();
        if ["<!doctype", "<html", "<?xml", "<head", "<body"]
            .iter()
            .any(|tag| start.starts_with(tag))
        {
            return Err(fail(
                &"a web page, not a spec: line 1 begins with a tag (an error page saved as a spec?)",
            ));
        }
        Ok(Self { name, text })
    }

    /// Returns the failure for an error in this input, in one line.
    pub(crate) fn failure(&self, error: &dyn fmt::Display) -> Failure {
        let hint = if self.ends_early() {
            "; the input ends in the middle of a line: a truncated download?"
        } else {
            ""
        };
        Failure(format!(
            "{}: {}{hint}",
            self.name,
            one_line(&error.to_string())
        ))
    }

    /// Returns `true` if the input ends in the middle of a line, which a complete YAML file does not. JSON may end
    /// with its last bracket.
    pub(crate) fn ends_early(&self) -> bool {
        !self.text.is_empty()
            && !self.text.ends_with('\n')
            && !self.text.trim_start().starts_with('{')
    }
}

/// Prints a warning in one line to standard error.
pub(crate) fn warn(message: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    let message = one_line(message);
    _ = writeln!(anstream::stderr(), "{yellow}warning{yellow:#}: {message}");
}

/// Returns the string on one line, with control and invisible characters escaped.
fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect();
    escape_directional(&spaced).chars().take(500).collect()
}

/// Replaces characters that change the writing direction by JSON escapes.
fn escape_directional(text: &str) -> Cow<'_, str> {
    let is_directional = |c: char| matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_directional) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_directional(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Reads a file, or returns `None` if it does not exist.
pub(crate) fn read_if_exists(path: &Path) -> Result<Option<String>, Failure> {
    match fs::exists(path) {
        Ok(false) => Ok(None),
        _ => Input::read(path).map(|input| Some(input.text)),
    }
}

/// A file written under a temporary name, to be moved to its destination as a whole.
pub(crate) struct Pending {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Pending {
    pub(crate) fn write(path: &Path, text: &str) -> Result<Self, Failure> {
        let fail = |error: io::Error| cannot_write(path, &error);
        // Writes to the target of a link rather than replacing the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(fail)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .map_err(fail)?;
        // Temporary files are private to their creator. Restore the permissions of the existing file, or use the
        // defaults for a new one.
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {
                return Err(Failure(format!(
                    "{}: is not a regular file, and would be replaced by one",
                    path.display()
                )));
            }
            Ok(metadata) => file
                .as_file()
                .set_permissions(metadata.permissions())
                .map_err(fail)?,
            Err(_) => {
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt as _;
                    file.as_file()
                        .set_permissions(fs::Permissions::from_mode(0o644))
                        .map_err(fail)?;
                }
            }
        }
        Ok(Self { file, path })
    }

    /// Moves the file to its destination.
    pub(crate) fn persist(self) -> Result<(), Failure> {
        let path = self.path;
        self.file
            .persist(&path)
            .map_err(|error| cannot_write(&path, &error.error))?;
        Ok(())
    }
}

/// Writes a file atomically, or directly into a pipe or a terminal.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return fs::write(path, text).map_err(|error| cannot_write(path, &error));
    }
    Pending::write(path, text)?.persist()
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure(format!("{}: cannot be written: {error}", path.display()))
}

/// Prints to standard output, without colours unless it is a terminal.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let text = escape_directional(text);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // The reader may close the pipe early, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure(format!("standard output: {error}"))),
    }
}
