#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod algorithm;
mod backend;
mod bearer;
mod clock;
mod credentials;
mod der;
mod encryption;
mod error;
mod format;
mod headers;
mod key;
mod key_file;
mod message;
mod middleware;
mod origin;
mod pem;
mod public_key;
mod signature;
mod signer;
mod signing_key;
mod verify;

pub use algorithm::KeyAlgorithm;
pub use backend::Backend;
pub use bearer::{BearerCredentials, BearerMiddleware};
pub use clock::{Clock, FixedClock, SystemClock};
pub use credentials::Credentials;
pub use error::{
    ClockError, CredentialsError, KeyError, MismatchHint, SignerError, SigningMiddlewareError,
    VerifyError,
};
pub use headers::{ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, SignedHeaders};
pub use key::PrivateKey;
pub use message::signing_text;
pub use middleware::{ClockOffset, SigningMiddleware, Unsigned};
pub use public_key::PublicKey;
pub use signature::Signature;
pub use signer::Signer;
pub use verify::Verifier;
