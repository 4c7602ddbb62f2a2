//! Checks of a private key, without the exchange.

use std::{fs, path::Path};

use kalshi_sdk::{PrivateKey, auth::KeyAlgorithm};

use super::Checks;
use crate::context::Context;

/// Checks permissions, format and algorithm of a key file, and that the key signs. Returns the key if it is usable.
pub(crate) fn check_file(
    checks: &mut Checks,
    path: &Path,
    passphrase: Option<&str>,
) -> Option<PrivateKey> {
    check_permissions(checks, path);
    let read = match passphrase {
        Some(passphrase) => PrivateKey::from_file_with_passphrase(path, passphrase),
        None => PrivateKey::from_file(path),
    };
    match read {
        Ok(key) => {
            let format = format(path);
            checks.ok("key file", format!("{}: {format}", path.display()));
            check_key(checks, &key).then_some(key)
        }
        Err(error) => {
            // The error names the path, unless the path may itself be a key.
            let (problem, remedy) = split_remedy(&error.to_string());
            checks.failure("key file", problem, remedy);
            None
        }
    }
}

/// Checks that a key signs and that its public half verifies the signature.
pub(crate) fn check_key(checks: &mut Checks, key: &PrivateKey) -> bool {
    const TEXT: &[u8] = b"kalshi keys check";
    let public = key.public_key();
    let verifies = match key.sign(TEXT) {
        Ok(signature) => public.verify(TEXT, signature.as_bytes()),
        Err(_) => false,
    };
    let detail = format!(
        "{}, fingerprint {}",
        algorithm(key.algorithm()),
        public.fingerprint()
    );
    match verifies {
        true => checks.ok("key", detail),
        false => checks.failure(
            "key",
            format!("{detail}: a signature made with it does not verify"),
            "create a new key: `kalshi keys generate FILE`",
        ),
    }
    verifies
}

/// Checks that the commands accept the configured key: its parts may contradict each other, or come from different places.
pub(crate) fn check_credentials(checks: &mut Checks, context: &Context) -> bool {
    let Err(failure) = context.credentials() else {
        return true;
    };
    let problem = failure.to_string();
    let (problem, remedy) = match problem.split_once("; ") {
        Some((problem, remedy)) => (problem, remedy),
        None => (&*problem, "correct the profile or the variables of the key"),
    };
    checks.failure("credentials", problem, remedy);
    false
}

pub(crate) fn algorithm(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa => "RSA",
        KeyAlgorithm::Ed25519 => "Ed25519",
        _ => "another algorithm",
    }
}

#[cfg(unix)]
fn check_permissions(checks: &mut Checks, path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    // A file that cannot be read is reported by the next check.
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    match mode & 0o077 {
        0 => checks.ok("key permissions", format!("mode {mode:04o}")),
        _ => checks.warning(
            "key permissions",
            format!("mode {mode:04o}: other users may read the private key"),
            format!("chmod 600 {}", path.display()),
        ),
    }
}

#[cfg(not(unix))]
fn check_permissions(checks: &mut Checks, _path: &Path) {
    checks.info("key permissions", "not checked on this system");
}

/// Returns the format of a valid key file.
fn format(path: &Path) -> &'static str {
    let text = fs::read_to_string(path).unwrap_or_default();
    if text.contains("BEGIN RSA PRIVATE KEY") {
        "PEM, PKCS#1"
    } else if text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
        "PEM, PKCS#8 with a passphrase"
    } else if text.contains("BEGIN PRIVATE KEY") {
        "PEM, PKCS#8"
    } else {
        "PEM in base64"
    }
}

/// Splits an error message into the cause and the remedy, which follows a semicolon.
fn split_remedy(text: &str) -> (String, String) {
    match text.split_once("; ") {
        Some((problem, remedy)) => (problem.to_owned(), remedy.to_owned()),
        None => (
            text.to_owned(),
            "check the file: it must hold the private key that was shown once".to_owned(),
        ),
    }
}
