//! Tests of parsing error responses in every format.

use proptest::prelude::*;

use super::*;

fn read(status: u16, body: &str) -> ApiError {
    read_part(status, body, true)
}

fn read_part(status: u16, body: &str, is_complete: bool) -> ApiError {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let bytes = body.to_owned().into();
    let body = Body { bytes, is_complete };
    ApiError::read(status, &HeaderMap::new(), &body, SystemTime::now())
}

#[test]
fn truncated_body_has_no_code_and_may_report_a_success() {
    let body = r#"{"error":{"code":"insufficient_balance"}}"#;
    let cut = read_part(400, body, false);
    assert_eq!((cut.code(), cut.message()), (None, Some(body)));
    assert!(cut.has_other_fields() && !read(400, body).has_other_fields());
    let long = format!(
        r#"{{"error":{{"code":"x"}},"orders":"{}"}}"#,
        "o".repeat(MAX_ERROR_BODY_BYTES)
    );
    let long = read(200, &long);
    assert!(long.code().is_none() && long.has_other_fields());
    assert!(
        long.message()
            .is_some_and(|text| text.chars().count() <= EXCERPT)
    );
    let html = "<html><head><title>502 Bad Gateway</title></head>";
    assert_eq!(
        read_part(502, html, false).message(),
        Some("502 Bad Gateway")
    );
}

#[test]
fn retry_after_dates_are_compared_with_the_exchange_clock() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let wait = |after: &str, date: Option<&str>| {
        let mut headers = HeaderMap::new();
        for (name, value) in [(RETRY_AFTER, Some(after)), (DATE, date)] {
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
        retry_after(&headers, now).map(|wait| wait.as_secs())
    };
    let at = |seconds: u64| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
    assert_eq!(wait("7", None), Some(7));
    assert_eq!(wait("7", Some(&at(900))), Some(7));
    // One hour after the local time, two seconds after the response's date.
    assert_eq!(wait(&at(3_602), Some(&at(3_600))), Some(2));
    assert_eq!(wait(&at(30), Some(&at(60))), Some(0));
    assert_eq!(wait(&at(30), None), Some(30));
    assert_eq!(wait(&at(30), Some("yesterday")), Some(30));
    assert_eq!(wait(&at(10_000_000), None), Some(86_400));
    assert_eq!(wait("soon", None), None);
}

#[test]
fn message_of_a_401_has_advice_for_its_cause() {
    let coded = |code: &str, details: &str| {
        let body =
            serde_json::json!({ "error": { "code": code, "message": code, "details": details } });
        read(401, &body.to_string()).to_string()
    };
    for (text, advice) in [
        (
            coded("authentication_error", "INCORRECT_API_KEY_SIGNATURE"),
            "the private key does not belong to it",
        ),
        (
            coded("authentication_error", "NOT_FOUND"),
            "the key id does not exist in this environment",
        ),
        (
            coded("header_timestamp_expired", ""),
            "synchronise this machine's clock",
        ),
        (
            coded("signature_is_missing_from_headers", ""),
            "the signature headers did not arrive",
        ),
        (
            coded("token_authentication_failure", ""),
            "build the client with credentials",
        ),
    ] {
        assert!(text.contains(advice), "{text}");
        assert!(!text.contains("may be wrong, expired"), "{text}");
    }
    assert!(coded("something_new", "").contains("something_new"));
    assert!(!coded("something_new", "").contains("key"));
    for body in ["", "<html></html>", r#"{"message":"Unauthorized"}"#] {
        let text = read(401, body).to_string();
        assert!(
            text.contains("the key may be wrong, expired or for another environment"),
            "{text}"
        );
    }
}

#[test]
fn predicates_match_every_form_of_their_cause() {
    let coded = |status, code: &str| read(status, &format!(r#"{{"error":{{"code":"{code}"}}}}"#));
    for error in [
        coded(400, "insufficient_balance"),
        coded(404, "insufficient_shard_balance"),
        coded(400, "insufficient_shard_balance"),
        coded(404, "user_not_found"),
        coded(404, "user_not_found:_7"),
    ] {
        assert!(
            error.is_insufficient_funds() && !error.is_trading_paused(),
            "{error}"
        );
    }
    for code in ["trading_is_paused", "exchange_is_paused"] {
        let error = coded(409, code);
        assert!(
            error.is_trading_paused() && !error.is_insufficient_funds(),
            "{error}"
        );
    }
    let rejected = |details: &str| {
        let error = format!(r#"{{"code":"invalid_order","details":"{details}"}}"#);
        read(400, &format!(r#"{{"error":{error}}}"#))
    };
    assert!(rejected("post only cross").is_post_only_cross());
    assert!(!rejected("invalid side").is_post_only_cross());
    assert!(!coded(400, "invalid_order").is_post_only_cross());
    assert!(coded(409, "fill_or_kill_insufficient_resting_volume").is_fill_or_kill_unfilled());
    assert!(!coded(409, "order_already_exists").is_fill_or_kill_unfilled());
    for code in ["not_found", "insufficient_shard", "paused", ""] {
        let error = coded(404, code);
        assert!(
            !error.is_trading_paused() && !error.is_insufficient_funds(),
            "{error}"
        );
    }
}

#[test]
fn every_error_format_is_parsed() {
    let nested = read(
        409,
        r#"{"error":{"code":"quote_timed_out","service":"midland"}}"#,
    );
    assert_eq!(
        (nested.code(), nested.service(), nested.message()),
        (Some("quote_timed_out"), Some("midland"), None)
    );
    let flat = read(
        404,
        r#"{"code":"not_found","message":"not found","details":{"id":7}}"#,
    );
    assert_eq!(
        (flat.code(), flat.details()),
        (Some("not_found"), Some(r#"{"id":7}"#))
    );
    assert_eq!(
        read(429, r#"{"error":"too many requests"}"#).message(),
        Some("too many requests")
    );
    assert_eq!(
        read(400, r#"{"msg":"Parameter x"}"#).message(),
        Some("Parameter x")
    );
    let html = read(
        504,
        "<html><head><title>504 Gateway Timeout</title></head></html>",
    );
    assert_eq!(html.message(), Some("504 Gateway Timeout"));
    let empty = read(500, "");
    assert_eq!((empty.status().as_u16(), empty.message()), (500, None));
    assert_eq!(
        read(400, r#"{"errors":[1]}"#).message(),
        Some(r#"{"errors":[1]}"#)
    );
    let both = read(400, r#"{"error":"not_found","message":"gone"}"#);
    assert_eq!(
        (both.code(), both.message()),
        (Some("not_found"), Some("gone"))
    );
    assert_eq!(read(503, "busy").message(), Some("busy"));
    assert_eq!(
        read(400, r#"{"error":{"error":{"code":"x"}}}"#).code(),
        Some("x")
    );
}

#[test]
fn auth_failure_is_the_cause_of_a_401() {
    let failure = |status, code: &str, details: &str| {
        let body = format!(r#"{{"error":{{"code":"{code}","details":"{details}"}}}}"#);
        read(status, &body).auth_failure()
    };
    let wrong = "INCORRECT_API_KEY_SIGNATURE";
    for (code, details, expected) in [
        (
            "authentication_error",
            wrong,
            Some(AuthFailure::WrongPrivateKey),
        ),
        (
            "authentication_error",
            "NOT_FOUND",
            Some(AuthFailure::UnknownKeyId),
        ),
        ("authentication_error", "other", None),
        (
            "header_timestamp_expired",
            "",
            Some(AuthFailure::ExpiredTimestamp),
        ),
        (
            "signature_is_missing_from_headers",
            "",
            Some(AuthFailure::MissingSignature),
        ),
        (
            "token_authentication_failure",
            "",
            Some(AuthFailure::NotSigned),
        ),
    ] {
        assert_eq!(failure(401, code, details), expected, "{code}");
        assert_eq!(failure(403, code, details), None, "{code}");
    }
    let unsigned = read(401, r#"{"error":{"code":"token_authentication_failure"}}"#);
    assert_eq!(unsigned.with_unsigned_api().auth_failure(), None);
}

/// Generates bodies from the parts of real error responses, and arbitrary bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let text = "(\\PC{0,30}|[<>a-z/]{0,20}|[a-z]{300})";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = "(code|message|msg|details|error|service|status|order|[a-z]{0,3})";
    let tree = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    });
    prop_oneof![
        (tree, any::<prop::sample::Index>(), any::<bool>()).prop_map(|(tree, at, cut)| {
            let mut body = tree.to_string().into_bytes();
            if cut {
                body.truncate(at.index(body.len() + 1));
            }
            body
        }),
        prop::collection::vec(any::<u8>(), 0..200),
        "(<html><title>)?[<>/a-z\u{130}]{0,90}(</title>)?".prop_map(String::into_bytes),
    ]
}

proptest! {
    /// The same property as the fuzz target `error_bodies`.
    #[test]
    fn any_body_parses_without_panic_and_prints_short(
        body in body(), status in 100_u16..600, is_complete in any::<bool>(), after in "\\PC{0,30}"
    ) {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let headers = after.parse().map(|after| HeaderMap::from_iter([(RETRY_AFTER, after)]));
        let body = Body { bytes: body.into(), is_complete };
        let error = ApiError::read(status, &headers.unwrap_or_default(), &body, SystemTime::now());
        prop_assert_eq!(error.status(), status);
        for text in [error.code(), error.message(), error.details(), error.service()] {
            prop_assert!(text.is_none_or(|text| text.chars().count() <= EXCERPT));
        }
        prop_assert!(error.to_string().chars().count() < 1_200);
        prop_assert!(is_complete || error.code().is_none());
    }
}
