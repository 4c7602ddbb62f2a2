//! Requests that the verifier accepts, and each reason to reject a request.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use kalshi_auth::{
    ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, MismatchHint, Signature, Verifier, VerifyError,
};

use crate::common::{KEY_ID, private, public};

const NOW: u64 = 1_700_000_000_000;
const PATH: &str = "/trade-api/v2/portfolio/orders/a%20b";

fn verifier() -> Verifier {
    Verifier::new(KEY_ID, public("ed25519.pub.pem"))
}

/// Returns headers with a signature over exactly `text`.
fn headers(timestamp: &str, text: &str) -> HeaderMap {
    let signature: Signature = private("ed25519.pem").sign(text.as_bytes()).unwrap();
    [
        (ACCESS_KEY, KEY_ID),
        (ACCESS_TIMESTAMP, timestamp),
        (ACCESS_SIGNATURE, &signature.to_base64()),
    ]
    .into_iter()
    .map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()))
    .collect()
}

fn valid_headers() -> HeaderMap {
    headers(&NOW.to_string(), &format!("{NOW}DELETE{PATH}"))
}

fn verify(headers: &HeaderMap) -> Result<(), VerifyError> {
    verifier().verify(headers, "DELETE", PATH, NOW)
}

#[test]
fn valid_request_is_accepted_with_and_without_query() {
    assert_eq!(verify(&valid_headers()), Ok(()));
    assert_eq!(
        verifier().verify(
            &valid_headers(),
            "DELETE",
            &format!("{PATH}?subaccount=1"),
            NOW
        ),
        Ok(())
    );
    assert_eq!(
        verifier().verify(&valid_headers(), "delete", PATH, NOW),
        Ok(())
    );
}

#[test]
fn missing_and_duplicate_headers_are_named() {
    for name in [ACCESS_KEY, ACCESS_TIMESTAMP, ACCESS_SIGNATURE] {
        let mut without = valid_headers();
        without.remove(&name);
        assert_eq!(
            verify(&without),
            Err(VerifyError::MissingHeader(name.clone()))
        );

        let mut twice = valid_headers();
        let value = twice[&name].clone();
        twice.append(&name, value);
        let error = verify(&twice).unwrap_err();
        assert_eq!(error, VerifyError::DuplicateHeader(name.clone()));
        assert!(
            error.to_string().contains(name.as_str()) && error.to_string().contains("replace it")
        );
    }
}

fn with(name: HeaderName, value: &str) -> HeaderMap {
    let mut headers = valid_headers();
    headers.insert(name, value.parse().unwrap());
    headers
}

#[test]
fn other_key_id_is_rejected() {
    let error = verify(&with(ACCESS_KEY, "another")).unwrap_err();
    assert_eq!(error, VerifyError::UnknownKeyId);
    assert!(error.to_string().contains("demo keys work on demo only"));
}

#[test]
fn non_numeric_timestamps_are_rejected() {
    let plus = format!("+{NOW}");
    let zero = format!("0{NOW}");
    for text in [
        "",
        "now",
        "-1",
        "1.7e12",
        "1700000000000.5",
        "99999999999999999999",
        &plus,
        &zero,
    ] {
        let error = verify(&with(ACCESS_TIMESTAMP, text)).unwrap_err();
        assert_eq!(error, VerifyError::InvalidTimestamp, "{text}");
        assert!(error.to_string().contains("milliseconds since 1970"));
    }
}

#[test]
fn timestamp_errors_report_the_difference() {
    let at = |offset: i64, tolerance: u64| {
        let timestamp_ms = NOW.saturating_add_signed(offset);
        let headers = headers(
            &timestamp_ms.to_string(),
            &format!("{timestamp_ms}DELETE{PATH}"),
        );
        let verifier = verifier().with_tolerance(Duration::from_millis(tolerance));
        verifier.verify(&headers, "DELETE", PATH, NOW)
    };
    for (offset, tolerance, by_ms) in [
        (-5000, 5000, 0),
        (5000, 5000, 0),
        (-5001, 5000, 1),
        (5001, 5000, 1),
    ] {
        let outside = VerifyError::OutsideWindow {
            by_ms,
            ahead: offset > 0,
        };
        assert_eq!(
            at(offset, tolerance),
            if by_ms == 0 { Ok(()) } else { Err(outside) }
        );
    }
    assert_eq!(at(0, 0), Ok(()));
    assert_eq!(
        at(-1, 0),
        Err(VerifyError::OutsideWindow {
            by_ms: 1,
            ahead: false
        })
    );
    let error = at(65_000, 5000).unwrap_err().to_string();
    assert!(
        error.contains("60000 ms too new") && error.contains("synchronise the clock"),
        "{error}"
    );
    let error = at(-65_000, 5000).unwrap_err().to_string();
    assert!(error.contains("60000 ms too old"), "{error}");

    // The default tolerance is five seconds.
    let late = verifier().verify(&valid_headers(), "DELETE", PATH, NOW + 5001);
    assert_eq!(
        late,
        Err(VerifyError::OutsideWindow {
            by_ms: 1,
            ahead: false
        })
    );
    assert_eq!(
        verifier().verify(&valid_headers(), "DELETE", PATH, NOW + 5000),
        Ok(())
    );
}

#[test]
fn timestamps_in_seconds_are_detected() {
    let seconds = (NOW / 1000).to_string();
    for tolerance in [0, 5] {
        let verifier = verifier().with_tolerance(Duration::from_secs(tolerance));
        let error = verifier
            .verify(&with(ACCESS_TIMESTAMP, &seconds), "DELETE", PATH, NOW + 999)
            .unwrap_err();
        assert_eq!(error, VerifyError::TimestampInSeconds);
        assert!(error.to_string().contains("send milliseconds"));
    }
    let error = verify(&with(ACCESS_TIMESTAMP, "0")).unwrap_err();
    assert_eq!(
        error,
        VerifyError::OutsideWindow {
            by_ms: NOW - 5000,
            ahead: false
        }
    );
    let far = verify(&with(ACCESS_TIMESTAMP, &u64::MAX.to_string())).unwrap_err();
    assert_eq!(
        far,
        VerifyError::OutsideWindow {
            by_ms: u64::MAX - NOW - 5000,
            ahead: true
        }
    );
}

#[test]
fn signatures_that_are_not_base64_are_rejected() {
    for text in ["", "not base64!", "YWJj*", "YQ"] {
        let expected = if text.is_empty() {
            VerifyError::SignatureMismatch { hint: None }
        } else {
            VerifyError::InvalidBase64
        };
        assert_eq!(
            verify(&with(ACCESS_SIGNATURE, text)),
            Err(expected),
            "{text}"
        );
    }
}

#[test]
fn signature_mismatches_report_common_mistakes() {
    let query = "/trade-api/v2/markets?limit=5";
    let mismatch = |text: String| {
        let error = verifier()
            .verify(&headers(&NOW.to_string(), &text), "GET", query, NOW)
            .unwrap_err();
        let VerifyError::SignatureMismatch { hint } = error else {
            panic!("{error:?}")
        };
        (hint, error.to_string())
    };
    let (hint, message) = mismatch(format!("{NOW}GET{query}"));
    assert_eq!(hint, Some(MismatchHint::QueryIncluded));
    assert!(
        message.contains("sign the path without the query"),
        "{message}"
    );

    let (hint, message) = mismatch(format!("{NOW}GET/markets"));
    assert_eq!(hint, Some(MismatchHint::PrefixMissing));
    assert!(
        message.contains("sign the path with that prefix"),
        "{message}"
    );

    for text in [
        format!("{NOW}POST/trade-api/v2/markets"),
        format!("{}GET/trade-api/v2/markets", NOW - 1),
        format!("{NOW}get/trade-api/v2/markets"),
        format!("{NOW}GET/trade-api/v2/market"),
    ] {
        let (hint, message) = mismatch(text);
        assert_eq!(hint, None);
        assert!(message.contains("check the text signed"), "{message}");
    }
    let other_key = Verifier::new(KEY_ID, public("rsa2048.pub.pem"));
    let error = other_key.verify(&valid_headers(), "DELETE", PATH, NOW);
    assert_eq!(error, Err(VerifyError::SignatureMismatch { hint: None }));
}
