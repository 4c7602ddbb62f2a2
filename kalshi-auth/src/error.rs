//! Errors. Each message says what failed and what to do.

use std::io;
use std::path::PathBuf;
use std::time::SystemTimeError;

use http::HeaderName;

use crate::{Backend, encryption, key_file, pem};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Error of reading or generating a key.
///
/// No message contains any part of the key or its passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The input has no `-----BEGIN ...-----` line.
    #[error(
        "this is not a PEM key: it has no `-----BEGIN ...-----` line; give the whole text of the key file, \
         or the file's path where a path is expected"
    )]
    NotPem,
    /// The PEM is truncated or corrupt.
    #[error("the PEM is damaged: {reason}; copy the key file again, whole and unchanged")]
    Malformed {
        /// The invalid part.
        reason: &'static str,
        /// The decoder's error, if it reported one. Always `None` for a private key, because the error may contain bytes of the key.
        source: Option<Source>,
    },
    /// A public key was given where a private key is needed.
    #[error(
        "this is a public key; give the private key that was shown once when the API key was created"
    )]
    UnexpectedPublicKey,
    /// A certificate was given where a key is needed.
    #[error(
        "this is a certificate, not a key; give the private key that was shown once when the API key was created"
    )]
    UnexpectedCertificate,
    /// A private key was given where a public key is needed.
    #[error(
        "this is a private key where a public key is needed; take the public half with `openssl pkey -pubout`"
    )]
    UnexpectedPrivateKey,
    /// An elliptic-curve (ECDSA) key.
    #[error(
        "this is an EC key, but Kalshi takes RSA and Ed25519 keys; create the API key with one of those"
    )]
    EllipticCurve,
    /// A key of some other algorithm.
    #[error(
        "this is a {algorithm} key, but Kalshi takes RSA and Ed25519 keys; create the API key with one of those"
    )]
    UnsupportedAlgorithm {
        /// The algorithm's name, or its object identifier if it has no usual name.
        algorithm: String,
    },
    /// A key in OpenSSH's own format.
    #[error(
        "this key is in OpenSSH format; convert an RSA key to PEM with `ssh-keygen -p -m PKCS8 -f <file>`, \
         or create the key with `openssl genpkey`"
    )]
    OpenSsh,
    /// The key is encoded in UTF-16 instead of UTF-8.
    #[error(
        "this key is UTF-16 text; save it as UTF-8, e.g. with `iconv -f UTF-16 -t UTF-8 <file>`, \
         or with `Set-Content -Encoding utf8` in PowerShell"
    )]
    Utf16,
    /// A PKCS#12 container (`.p12`, `.pfx`).
    #[error(
        "this is a PKCS#12 file; take the key out with `openssl pkcs12 -in <file> -nocerts -nodes -out key.pem`"
    )]
    Pkcs12,
    /// A JSON Web Key.
    #[error(
        "this is a JSON Web Key (JWK); convert it to PEM, e.g. with Python's `jwcrypto`: \
         `JWK.from_json(text).export_to_pem(private_key=True, password=None)`"
    )]
    Jwk,
    /// A PEM block that is not a key.
    #[error(
        "this PEM holds `{label}`, not a key; give the block that begins with `-----BEGIN PRIVATE KEY-----`"
    )]
    UnknownLabel {
        /// The label, i.e. the string after `BEGIN`.
        label: String,
    },
    /// An RSA key of fewer than 2048 bits.
    #[error(
        "this RSA key has {bits} bits, and fewer than 2048 are not safe; create a key of 2048 to 4096 bits"
    )]
    TooShort {
        /// Size of the modulus in bits.
        bits: usize,
    },
    /// An RSA key of more than 4096 bits.
    #[error(
        "this RSA key has {bits} bits, and more than 4096 are not supported; create a key of 2048 to 4096 bits"
    )]
    TooLong {
        /// Size of the modulus in bits.
        bits: usize,
    },
    /// An RSA key whose public exponent is even, below 3 or over 33 bits.
    #[error(
        "this RSA key's public exponent is even, less than 3 or longer than 33 bits, so its signatures are unsafe \
         or unsupported; create a new key, whose exponent is usually 65537"
    )]
    UnusableExponent,
    /// An RSA key whose primes differ much in length.
    #[error(
        "this RSA key's primes are not of equal length, which makes the key unsafe; create a new key with \
         `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`"
    )]
    UnequalPrimes,
    /// The signature that is made when a key is loaded does not verify.
    #[error(
        "this key fails its self-test: a signature made with it does not verify; copy the key file again, \
         whole and unchanged, or create a new key"
    )]
    SelfTestFailed,
    /// The key is encrypted and no passphrase was given.
    #[error(
        "this key is encrypted; give its passphrase too (`from_pem_with_passphrase`, or the `..._PASSPHRASE` variable)"
    )]
    PassphraseNeeded,
    /// The passphrase does not decrypt the key.
    #[error(
        "the passphrase does not open this key; check it for a stray space or line break or for quotes around it, \
         and that it belongs to this key"
    )]
    WrongPassphrase,
    /// The key is encrypted in a way that is not supported.
    #[error(
        "this key is encrypted in an old or unusual way; \
         encrypt it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in <file>`"
    )]
    UnsupportedEncryption(#[source] Option<Source>),
    /// The key derivation of an encrypted key would take too much time or memory.
    #[error(
        "opening this key would take too much work: it is encrypted with {found}, and the limits are {} PBKDF2 \
         iterations, or N·r·p = {} and {} MiB for scrypt; encrypt it again with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in <file>`",
        encryption::MAX_PBKDF2_ITERATIONS,
        encryption::MAX_SCRYPT_WORK,
        encryption::MAX_SCRYPT_MEMORY >> 20
    )]
    ExpensiveEncryption {
        /// The key derivation function and its parameters.
        found: String,
    },
    /// The input is too long for a key.
    #[error(
        "this text is longer than {} KiB, the maximum size of a key; give the key alone",
        pem::MAX_BYTES >> 10
    )]
    InputTooLarge,
    /// A key was given where a path is needed, or something else that cannot be a path. The message does not repeat it.
    #[error(
        "this is a key where the path of its file is needed; use `from_pem`, or the variable without `_PATH`"
    )]
    KeyInsteadOfPath,
    /// No file exists at the path.
    #[error(
        "there is no key file at {}; check the path (relative paths start at the working directory, \
         and `~` is not expanded)", key_file::describe(path.as_ref())
    )]
    FileNotFound {
        /// Path as given, or `None` if it does not have the form of a path and may be a secret.
        path: Option<PathBuf>,
        /// Error reported by the operating system.
        source: io::Error,
    },
    /// The file exists but cannot be read.
    #[error(
        "the key file {} cannot be read; check that it is a file and that this user may read it",
        key_file::describe(path.as_ref())
    )]
    FileUnreadable {
        /// Path as given, or `None` if it does not have the form of a path and may be a secret.
        path: Option<PathBuf>,
        /// Error reported by the operating system.
        source: io::Error,
    },
    /// The file is too large for a key.
    #[error(
        "the key file {} is larger than {} KiB, the maximum size of a key; check the path",
        key_file::describe(path.as_ref()),
        pem::MAX_BYTES >> 10
    )]
    FileTooLarge {
        /// Path as given, or `None` if it does not have the form of a path and may be a secret.
        path: Option<PathBuf>,
    },
    /// Opening and reading the file took too long, e.g. because nothing writes to a pipe.
    #[error(
        "the key file {} was not read within {} s; check that a program writes to this pipe and closes it, \
         or that its file system responds",
        key_file::describe(path.as_ref()),
        key_file::READ_TIMEOUT.as_secs()
    )]
    FileTimedOut {
        /// Path as given, or `None` if it does not have the form of a path and may be a secret.
        path: Option<PathBuf>,
    },
    /// The file is not encoded in UTF-8.
    #[error(
        "the key file {} is not UTF-8 text; a binary (DER) key is turned into PEM with \
         `openssl pkey -inform DER -in <file>`", key_file::describe(path.as_ref())
    )]
    NotUtf8 {
        /// Path as given, or `None` if it does not have the form of a path and may be a secret.
        path: Option<PathBuf>,
    },
    /// The signing library rejected this key.
    #[error(
        "{backend:?} rejected this key ({reason}); sign with another backend (`PrivateKey::with_backend`)"
    )]
    Backend {
        /// The library that rejected the key.
        backend: Backend,
        /// Reason reported by the library.
        reason: String,
    },
    /// No key could be generated.
    #[error("no key could be generated; check that the system's random number generator works")]
    Generate(#[source] Source),
}

/// No signature was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The signing library failed.
    #[error("{backend:?} could not sign; check that the system's random number generator works")]
    Backend {
        /// The library that failed to sign.
        backend: Backend,
    },
    /// A custom [`Signer`](crate::Signer) failed.
    #[error("the signer failed; see the source of this error")]
    Signer(#[source] Source),
}

impl SignerError {
    /// Wraps the error of a custom [`Signer`](crate::Signer). The error must not contain secrets.
    pub fn signer(source: impl Into<Source>) -> Self {
        Self::Signer(source.into())
    }
}

/// Error of credentials that are missing, ambiguous or unusable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The variable with the key id is unset or empty.
    #[error(
        "{variable} is not set; set it to the API key's id, as the account's API keys page shows it"
    )]
    KeyIdNotSet {
        /// Name of the environment variable.
        variable: String,
    },
    /// Neither variable for the private key is set.
    #[error(
        "neither {pem_variable} nor {path_variable} is set; set the first to the key's PEM or the second to its file's path"
    )]
    KeyNotSet {
        /// Name of the variable for the PEM.
        pem_variable: String,
        /// Name of the variable for the path.
        path_variable: String,
    },
    /// Both variables for the private key are set.
    #[error(
        "both {pem_variable} and {path_variable} are set; unset one of them, so that it is clear which key signs"
    )]
    BothKeysSet {
        /// Name of the variable for the PEM.
        pem_variable: String,
        /// Name of the variable for the path.
        path_variable: String,
    },
    /// A variable's value is not UTF-8.
    #[error("{variable} does not hold UTF-8 text; set it again")]
    NotUtf8 {
        /// Name of the environment variable.
        variable: String,
    },
    /// The key id is empty.
    #[error("the key id is empty; give the API key's id, as the account's API keys page shows it")]
    EmptyKeyId,
    /// A key was given where its id is needed. The message does not repeat it.
    #[error(
        "this is a key where the API key's id is needed; give the id, as the account's API keys page shows it"
    )]
    KeyInsteadOfKeyId,
    /// The key id cannot be sent as a header.
    #[error(
        "the key id cannot be sent as a header; remove spaces, line breaks and characters outside ASCII"
    )]
    InvalidKeyId,
    /// The private key in a variable, or in the file that the variable names, is unusable.
    #[error("the private key that {variable} gives is unusable")]
    Key {
        /// Name of the environment variable.
        variable: String,
        /// Error of the key.
        source: KeyError,
    },
    /// A variable of bearer credentials is unset or empty.
    #[error(
        "{variable} is not set; set it as the Security page of https://klearing.kalshi.com shows it"
    )]
    BearerNotSet {
        /// Name of the environment variable.
        variable: String,
    },
    /// The string with bearer credentials has no colon. The message does not repeat it.
    #[error(
        "bearer credentials have the form `admin_user_id:access_token`, and this text has no colon"
    )]
    NoColon,
    /// The admin user's id is empty, has a colon, cannot be sent as a header, or is a private key.
    #[error(
        "the admin user id is unusable; give it as the Security page of https://klearing.kalshi.com shows it, \
         without `Bearer`, colons, spaces, line breaks and characters outside ASCII"
    )]
    InvalidAdminUserId,
    /// The access token is empty or cannot be sent as a header.
    #[error(
        "the access token is unusable; give it as it was generated, without spaces, line breaks and characters \
         outside ASCII"
    )]
    InvalidAccessToken,
}

/// The time is unknown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// The system's clock is before 1970.
    #[error("the system's clock is before 1970; set it, best with a time service such as NTP")]
    BeforeUnixEpoch(#[source] SystemTimeError),
    /// A custom [`Clock`](crate::Clock) failed.
    #[error("the clock failed; see the source of this error")]
    Other(#[source] Source),
}

/// Reason why [`SigningMiddleware`](crate::SigningMiddleware) or [`BearerMiddleware`](crate::BearerMiddleware) did not send a
/// request.
///
/// It is wrapped in `reqwest_middleware::Error::Middleware`; get it with `downcast_ref::<SigningMiddlewareError>()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningMiddlewareError {
    /// The request goes to an origin for which the credentials are not meant.
    #[error(
        "a request to {found} was stopped, as these credentials are for {expected} only; use one client for each host"
    )]
    OtherOrigin {
        /// The origin of the middleware.
        expected: String,
        /// The origin of the request.
        found: String,
    },
    /// A signed request or a bearer token would be sent over plaintext to another machine.
    #[error("the request was not sent over plaintext to {origin}; use https")]
    Plaintext {
        /// The origin of the middleware.
        origin: String,
    },
    /// The time is unknown.
    #[error("the request has no timestamp")]
    Clock(#[from] ClockError),
    /// No signature was made.
    #[error("no signature was made")]
    Sign(#[from] SignerError),
}

/// Reason why [`Verifier`](crate::Verifier) rejected a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A header is missing.
    #[error("the header {0} is missing; send all three access headers")]
    MissingHeader(HeaderName),
    /// A header occurs more than once.
    #[error(
        "the header {0} occurs more than once; replace it when signing again, do not append to it"
    )]
    DuplicateHeader(HeaderName),
    /// The key id is not that of the verifier.
    #[error(
        "the key id is unknown here; check that key and host belong together (demo keys work on demo only)"
    )]
    UnknownKeyId,
    /// The timestamp is not a whole number.
    #[error("the timestamp is not a whole number; send milliseconds since 1970")]
    InvalidTimestamp,
    /// The timestamp would be right if it were in seconds.
    #[error("the timestamp counts seconds; send milliseconds since 1970")]
    TimestampInSeconds,
    /// The timestamp is too old or too new.
    #[error(
        "the timestamp is {by_ms} ms too {}; synchronise the clock and sign each attempt again",
        if *.ahead { "new" } else { "old" }
    )]
    OutsideWindow {
        /// Distance from the window in milliseconds.
        by_ms: u64,
        /// `true` if the timestamp lies after the window.
        ahead: bool,
    },
    /// The signature is not base64.
    #[error("the signature is not base64; use the standard alphabet with padding, on one line")]
    InvalidBase64,
    /// The signature does not match.
    #[error("the signature does not match the request{}", hint_text(.hint.as_ref()))]
    SignatureMismatch {
        /// The string that was signed instead, if it is a common mistake.
        hint: Option<MismatchHint>,
    },
}

/// The string that a mismatched signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MismatchHint {
    /// The path together with the query.
    QueryIncluded,
    /// The path without its prefix `/trade-api/v2`.
    PrefixMissing,
}

fn hint_text(hint: Option<&MismatchHint>) -> &'static str {
    match hint {
        Some(MismatchHint::QueryIncluded) => {
            ", but it does with the query included; sign the path without the query"
        }
        Some(MismatchHint::PrefixMissing) => {
            ", but it does without `/trade-api/v2`; sign the path with that prefix"
        }
        None => {
            "; check the text signed (timestamp, METHOD, path), the key, and PSS with SHA-256 for RSA"
        }
    }
}
