//! Key and certificate files: readable only by their owner, and removed on exit unless the user chose the path.

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

use kalshi_sdk::PrivateKey;

/// A file with a key or a certificate. Temporary files are removed on drop.
pub(crate) struct KeyFile {
    path: PathBuf,
    temporary: bool,
}

impl KeyFile {
    /// Refers to a file that the user chose.
    pub(crate) fn existing(path: PathBuf) -> Self {
        Self {
            path,
            temporary: false,
        }
    }

    /// Writes the key to a file that the user chose. Replaces an existing file only with `force`.
    pub(crate) fn write(path: PathBuf, key: &PrivateKey, force: bool) -> Result<Self, String> {
        let written = match force {
            true => replace(&path, &key.to_pkcs8_pem()),
            false => create(&path, &key.to_pkcs8_pem()),
        };
        match written {
            Ok(()) => Ok(Self::existing(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(format!(
                "{} exists: use it with --private-key or replace it with --force",
                path.display()
            )),
            Err(error) => Err(write_error("private key", &path, &error)),
        }
    }

    /// Writes the key to a temporary file. Replaces a file that an earlier process with the same id left behind.
    pub(crate) fn temporary(port: u16, key: &PrivateKey) -> Result<Self, String> {
        let name = format!("kalshi-mock-{port}-{}.pem", process::id());
        Self::in_temp_dir(&name, "private key", &key.to_pkcs8_pem())
    }

    /// Writes the certificate of the authority to a temporary file.
    pub(crate) fn authority(port: u16, pem: &str) -> Result<Self, String> {
        let name = format!("kalshi-mock-{port}-{}-ca.pem", process::id());
        Self::in_temp_dir(&name, "certificate", pem)
    }

    fn in_temp_dir(name: &str, what: &str, pem: &str) -> Result<Self, String> {
        let path = env::temp_dir().join(name);
        replace(&path, pem).map_err(|error| write_error(what, &path, &error))?;
        Ok(Self {
            path,
            temporary: true,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if self.temporary {
            // The file may already have been removed.
            _ = fs::remove_file(&self.path);
        }
    }
}

fn write_error(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot write the {what} to {}: {error}", path.display())
}

/// Replaces a file. Removes a symbolic link instead of following it.
fn replace(path: &Path, pem: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() || metadata.is_symlink())
    {
        fs::remove_file(path)?;
    }
    create(path, pem)
}

/// Creates a file that only its owner can read.
fn create(path: &Path, pem: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path)?.write_all(pem.as_bytes());
    if written.is_err() {
        // A partially written file is useless.
        _ = fs::remove_file(path);
    }
    written
}
