//! Helpers shared by the test modules.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};

use base64::prelude::{BASE64_STANDARD, Engine};
use kalshi_auth::{PrivateKey, PublicKey};
use tracing::field::{Field, Visit};
use tracing::span;

pub(crate) const PASSPHRASE: &str = "correct horse";
pub(crate) const KEY_ID: &str = "3f1c6a2e-key-id-of-the-tests";

/// Returns the path of a file under `tests/keys`.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(name)
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(bytes(name)).unwrap()
}

pub(crate) fn private(name: &str) -> PrivateKey {
    PrivateKey::from_pem(&text(name)).unwrap()
}

pub(crate) fn public(name: &str) -> PublicKey {
    PublicKey::from_pem(&text(name)).unwrap()
}

/// Returns the content of the first PEM block.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----") && !line.contains(':'))
        .collect();
    BASE64_STANDARD.decode(body).unwrap()
}

/// Returns the messages of an error and all its sources, after checking that none contains the next.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        assert!(
            !text.contains(&source.to_string()),
            "{text:?} repeats its source"
        );
        text += &format!(": {source}");
        next = source.source();
    }
    text
}

/// Encodes `der` as PEM with any label.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        BASE64_STANDARD.encode(der)
    )
}

/// Runs `action` and returns its result with all fields of the warnings that it logged, including messages.
pub(crate) fn warnings<T>(action: impl FnOnce() -> T) -> (T, Vec<String>) {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);
    impl Visit for Log {
        fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
    impl tracing::Subscriber for Log {
        fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
            *metadata.level() == tracing::Level::WARN
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    // Another thread without a subscriber that reaches a warning at the same time must not disable it for all threads.
    static GLOBAL: Once = Once::new();
    GLOBAL.call_once(|| drop(tracing::subscriber::set_global_default(Log::default())));
    let log = Log::default();
    let result = tracing::subscriber::with_default(log.clone(), action);
    let logged = log.0.lock().unwrap().clone();
    (result, logged)
}
