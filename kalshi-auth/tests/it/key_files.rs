//! Reading key files: pipes, links, limits on size and time, permissions, and invalid paths.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use kalshi_auth::{KeyError, PrivateKey};

use crate::common::{self, KEY_ID, PASSPHRASE, der, public, text, warnings};

fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo")
        .arg("-m")
        .arg("600")
        .arg(path)
        .status();
    assert!(status.unwrap().success());
}

fn is_ed25519(key: &PrivateKey) -> bool {
    key.public_key() == public("ed25519.pub.pem")
}

#[test]
fn pipe_is_read_until_it_is_closed() {
    // A shell replaces `<(...)` by `/dev/fd/N`.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    let key = std::thread::scope(|scope| {
        scope.spawn(move || {
            for piece in text("ed25519.pem").as_bytes().chunks(10) {
                writer.write_all(piece).unwrap();
            }
        });
        PrivateKey::from_file(&path).unwrap()
    });
    assert!(is_ed25519(&key));
}

#[test]
fn symbolic_link_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link.pem");
    std::os::unix::fs::symlink(common::path("ed25519.pem"), &link).unwrap();
    assert!(is_ed25519(&PrivateKey::from_file(&link).unwrap()));
}

/// The permissions are those of the opened file, even if the path has changed since.
#[test]
fn permissions_are_those_of_the_open_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, open_to_all) = (folder.path().join("key.pem"), folder.path().join("other"));
    make_fifo(&path);
    std::fs::write(&open_to_all, "").unwrap();
    std::fs::set_permissions(&open_to_all, std::fs::Permissions::from_mode(0o666)).unwrap();
    let (key, logged) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Returns once the reader has opened its end.
            let mut writer = OpenOptions::new().write(true).open(&path).unwrap();
            std::fs::rename(&open_to_all, &path).unwrap();
            writer.write_all(text("ed25519.pem").as_bytes()).unwrap();
        });
        warnings(|| PrivateKey::from_file(&path).unwrap())
    });
    assert!(is_ed25519(&key));
    assert_eq!(logged, Vec::<String>::new());
}

#[test]
fn pipe_without_a_writer_times_out() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("key.pem");
    make_fifo(&fifo);
    let started = Instant::now();
    let error = PrivateKey::from_file(&fifo).unwrap_err();
    let elapsed = started.elapsed();
    assert!(matches!(error, KeyError::FileTimedOut { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains(fifo.to_str().unwrap()) && message.contains("within 5 s"),
        "{message}"
    );
    assert!((5..20).contains(&elapsed.as_secs()), "{elapsed:?}");
    // Lets the waiting thread end.
    drop(OpenOptions::new().write(true).open(&fifo).unwrap());
}

#[test]
fn pipe_that_is_never_closed_times_out() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(text("ed25519.pem").as_bytes()).unwrap();
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    let error = PrivateKey::from_file(&path).unwrap_err();
    assert!(matches!(error, KeyError::FileTimedOut { .. }), "{error:?}");
    drop(writer);
}

#[test]
fn file_over_64_kib_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    let pem = text("ed25519.pem");
    let write = |length: usize| {
        let mut padded = pem.clone().into_bytes();
        padded.resize(length, b'\n');
        std::fs::write(&file, padded).unwrap();
    };
    write(64 * 1024);
    assert!(is_ed25519(&PrivateKey::from_file(&file).unwrap()));
    write(64 * 1024 + 1);
    for path in [file.as_path(), Path::new("/dev/zero")] {
        let started = Instant::now();
        let error = PrivateKey::from_file(path).unwrap_err();
        assert!(matches!(error, KeyError::FileTooLarge { .. }), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains(path.to_str().unwrap()) && message.contains("64 KiB"),
            "{message}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    // A sparse file of a terabyte is not read completely.
    File::create(&file).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(
        PrivateKey::from_file(&file),
        Err(KeyError::FileTooLarge { .. })
    ));
}

#[test]
fn key_given_as_path_is_not_shown() {
    let mut keys = Vec::new();
    for name in [
        "ed25519.pem",
        "rsa2048.pem",
        "rsa2048.pkcs1.pem",
        "rsa2048.aes.pem",
        "ed25519.scrypt.pem",
        "openssh.pem",
    ] {
        let (pem, der) = (text(name), der(&text(name)));
        keys.extend(
            pem.lines()
                .filter(|line| line.len() >= 40)
                .map(str::to_owned),
        );
        keys.extend([
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
            BASE64_STANDARD.encode(&pem),
            BASE64_STANDARD.encode(&der),
            BASE64_URL_SAFE_NO_PAD.encode(&der),
            format!("\"{}\"", BASE64_STANDARD.encode(&der)),
            pem,
        ]);
    }
    let seed = &der(&text("ed25519.pem"))[16..];
    keys.extend([
        BASE64_STANDARD.encode(seed),
        BASE64_URL_SAFE_NO_PAD.encode(seed),
        seed.iter().map(|byte| format!("{byte:02x}")).collect(),
        format!(
            "{{\"kty\":\"OKP\",\"d\":\"{}\"}}",
            BASE64_URL_SAFE_NO_PAD.encode(seed)
        ),
        "/".repeat(300),
        "line\nbreak".to_owned(),
    ]);
    for key in keys {
        let error = PrivateKey::from_file(&key).unwrap_err();
        assert!(matches!(error, KeyError::KeyInsteadOfPath), "{error:?}");
    }
}

#[test]
fn only_plausible_paths_are_shown() {
    for path in [
        "/nonexistent/kalshi",
        "./nonexistent",
        "../nonexistent/kalshi",
        "~/.kalshi/key",
        "kalshi.pem",
        "keys/kalshi.KEY",
        "/home/someone/projects/trading/secrets/kalshi/key",
    ] {
        let error = PrivateKey::from_file(path).unwrap_err();
        assert!(matches!(error, KeyError::FileNotFound { .. }), "{error:?}");
        assert!(error.to_string().contains(path), "{error}");
        assert!(format!("{error:?}").contains(path), "{error:?}");
    }
    for hidden in [
        PASSPHRASE,
        KEY_ID,
        "hunter2",
        "kX9/f2+aB",
        "a-passphrase.of-mine",
    ] {
        let error = PrivateKey::from_file(hidden).unwrap_err();
        assert!(
            matches!(error, KeyError::FileNotFound { path: None, .. }),
            "{error:?}"
        );
        assert!(!common::error_chain(&error).contains(hidden), "{error}");
        assert!(
            error
                .to_string()
                .contains("not shown, as it may be a secret"),
            "{error}"
        );
    }
}

#[test]
fn existing_file_may_have_a_base64_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("Kalshi1".repeat(8));
    std::fs::write(&file, text("ed25519.pem")).unwrap();
    assert!(is_ed25519(&PrivateKey::from_file(&file).unwrap()));
}
