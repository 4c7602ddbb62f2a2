//! Tests of error messages.
#![allow(clippy::unwrap_used)]

use std::time::SystemTime;

use kalshi_auth::{ClockError, SignerError};
use reqwest::{Method, header::HeaderMap};

use super::*;
use crate::{ConfigError, MoneyError, body::Body, http_options::HttpOptions, operation::Bucket};

static OPERATION: Operation = Operation::new("GetThing", Method::GET, "/things", "", Bucket::Read);

/// Asserts that no error in a chain repeats the message of its source.
pub(crate) fn assert_no_repetition(error: &dyn StdError) {
    let text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let below = source.to_string();
        assert!(!text.contains(&below), "{text:?} repeats {below:?}");
        next = source.source();
    }
    if let Some(source) = error.source() {
        assert_no_repetition(source);
    }
}

fn signing(error: SigningMiddlewareError) -> Error {
    Error::middleware(&OPERATION, reqwest_middleware::Error::middleware(error))
}

#[test]
fn no_message_repeats_its_source() {
    let (max, second) = (1, Duration::from_secs(1));
    let body = Body {
        bytes: r#"{"code":"insufficient_balance","message":"m"}"#.into(),
        is_complete: true,
    };
    let status = StatusCode::BAD_REQUEST;
    let api = ApiError::read(status, &HeaderMap::new(), &body, SystemTime::UNIX_EPOCH);
    let client = HttpOptions::default().build().unwrap();
    let builder = client.get("no URL").build().unwrap_err();
    let json = serde_json::from_str::<u8>("[]").unwrap_err();
    let wait = RateLimitError::Wait {
        needed: second,
        max_wait: Duration::ZERO,
    };
    let decode = || {
        let path = "$.a".to_owned();
        Error::decode(&OPERATION, StatusCode::OK, path, "[]".into(), &json)
    };
    let clock = ClockError::Other("unplugged".into());
    let foreign = reqwest_middleware::Error::middleware(MoneyError::OutOfRange);
    for error in [
        Error::invalid(&OPERATION, "no"),
        Error::no_credentials(&OPERATION),
        signing(SignerError::signer("no hardware").into()),
        signing(clock.into()),
        Error::transport(&OPERATION, builder),
        Error::timed_out(&OPERATION, second),
        Error::rate_limit(&OPERATION, wait),
        Error::body_too_large(&OPERATION, StatusCode::OK, max),
        Error::endless_list(&OPERATION, Endless::RepeatedCursor),
        Error::middleware(&OPERATION, foreign),
        Error::api_error(&OPERATION, api.clone()),
        decode(),
        decode().for_row("$.a[0]".to_owned(), "[]".into(), &json),
        Error::unexpected_response(&OPERATION, StatusCode::OK, "another".to_owned()),
    ] {
        assert_no_repetition(&error);
    }
    assert_no_repetition(&api);
    assert_no_repetition(&ConfigError::Tls("no TLS".into()));
    let url = crate::endpoint::parse_endpoint("nowhere").unwrap_err();
    assert_no_repetition(&url);
}

#[test]
fn rejection_and_decode_errors_are_described_in_one_message() {
    let json = serde_json::from_str::<u8>("[]").unwrap_err();
    let path = "$.a".to_owned();
    let error = Error::decode(&OPERATION, StatusCode::OK, path, "[]".into(), &json);
    let text = error.to_string();
    assert!(text.contains("at $.a: invalid type: sequence"), "{text}");
    assert!(error.source().is_none());
}
