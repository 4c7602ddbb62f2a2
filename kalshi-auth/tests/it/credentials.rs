//! Credentials from the environment, custom signers and the signed headers.

use std::ffi::OsString;

use http::HeaderMap;
use kalshi_auth::{
    ACCESS_KEY, ACCESS_SIGNATURE, ACCESS_TIMESTAMP, Credentials, CredentialsError, KeyError,
    Signature, Signer, SignerError, signing_text,
};

use crate::common::{KEY_ID, PASSPHRASE, error_chain, path, private, public, text};

const NOW: u64 = 1_700_000_000_000;

fn lookup(prefix: &str, variables: &[(&str, &str)]) -> Result<Credentials, CredentialsError> {
    Credentials::from_lookup(prefix, |name| {
        variables
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| OsString::from(value))
    })
}

async fn signature_of(credentials: &Credentials) -> Vec<u8> {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let headers = credentials
        .headers(NOW, "get", "/trade-api/v2/portfolio/balance?x=1")
        .await
        .unwrap();
    BASE64_STANDARD.decode(headers.signature).unwrap()
}

fn signed_text() -> Vec<u8> {
    signing_text(NOW, "GET", "/trade-api/v2/portfolio/balance").into_bytes()
}

#[tokio::test]
async fn key_is_read_from_every_environment_variable() {
    let escaped = text("ed25519.pem").replace('\n', "\\n");
    let file = path("rsa2048.pem");
    let encrypted = path("rsa2048.aes.pem");
    let (file, encrypted) = (file.to_str().unwrap(), encrypted.to_str().unwrap());
    let (inline, ed25519) = (text("ed25519.pem"), text("ed25519.scrypt.pem"));
    for (variables, public_name) in [
        (
            vec![("KALSHI_PRIVATE_KEY", inline.as_str())],
            "ed25519.pub.pem",
        ),
        (vec![("KALSHI_PRIVATE_KEY", &escaped)], "ed25519.pub.pem"),
        (vec![("KALSHI_PRIVATE_KEY_PATH", file)], "rsa2048.pub.pem"),
        (
            vec![
                ("KALSHI_PRIVATE_KEY_PATH", file),
                ("KALSHI_PRIVATE_KEY", "\"\""),
            ],
            "rsa2048.pub.pem",
        ),
        (
            vec![
                ("KALSHI_PRIVATE_KEY_PATH", encrypted),
                ("KALSHI_PRIVATE_KEY_PASSPHRASE", PASSPHRASE),
            ],
            "rsa2048.pub.pem",
        ),
        (
            vec![
                ("KALSHI_PRIVATE_KEY", &ed25519),
                ("KALSHI_PRIVATE_KEY_PASSPHRASE", PASSPHRASE),
            ],
            "ed25519.pub.pem",
        ),
    ] {
        let with_id = [variables.as_slice(), &[("KALSHI_API_KEY_ID", KEY_ID)]].concat();
        let credentials = lookup("KALSHI_", &with_id).unwrap();
        assert_eq!(credentials.key_id(), KEY_ID);
        assert!(public(public_name).verify(&signed_text(), &signature_of(&credentials).await));
    }
}

/// Some loaders of `.env` files keep quotes.
#[tokio::test]
async fn quotes_of_env_files_are_removed() {
    let file = path("ed25519.pem");
    let file = file.to_str().unwrap();
    let pem = text("ed25519.pem");
    for quote in ['"', '\''] {
        let quoted = |value: &str| format!("{quote}{value}{quote}");
        let id = quoted(KEY_ID);
        for (name, value) in [
            ("KALSHI_PRIVATE_KEY", quoted(&pem)),
            ("KALSHI_PRIVATE_KEY", quoted(&pem.replace('\n', "\\n"))),
            ("KALSHI_PRIVATE_KEY_PATH", quoted(file)),
        ] {
            let credentials = lookup(
                "KALSHI_",
                &[("KALSHI_API_KEY_ID", id.as_str()), (name, &value)],
            )
            .unwrap();
            assert_eq!(credentials.key_id(), KEY_ID);
            let signature = signature_of(&credentials).await;
            assert!(public("ed25519.pub.pem").verify(&signed_text(), &signature));
        }
        let empty = [
            ("KALSHI_API_KEY_ID", quoted("")),
            ("KALSHI_PRIVATE_KEY", pem.clone()),
        ];
        let empty = empty
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        assert!(matches!(
            lookup("KALSHI_", &empty),
            Err(CredentialsError::KeyIdNotSet { .. })
        ));
    }
}

#[test]
fn demo_variables_are_separate() {
    let pem = text("ed25519.pem");
    let demo = [
        ("KALSHI_DEMO_API_KEY_ID", KEY_ID),
        ("KALSHI_DEMO_PRIVATE_KEY", pem.as_str()),
    ];
    assert!(lookup("KALSHI_DEMO_", &demo).is_ok());
    assert!(matches!(
        lookup("KALSHI_", &demo),
        Err(CredentialsError::KeyIdNotSet { .. })
    ));
}

/// This test reads the environment of the process. No test changes it.
#[test]
fn process_environment_is_read_under_documented_names() {
    for (read, id_variable) in [
        (Credentials::from_env as fn() -> _, "KALSHI_API_KEY_ID"),
        (Credentials::demo_from_env, "KALSHI_DEMO_API_KEY_ID"),
    ] {
        if std::env::var_os(id_variable).is_none() {
            let error = read().unwrap_err();
            assert!(error.to_string().starts_with(id_variable), "{error}");
        }
    }
}

#[test]
fn missing_and_conflicting_variables_are_named() {
    let pem = text("ed25519.pem");
    let message =
        |variables: &[(&str, &str)]| error_chain(&lookup("KALSHI_", variables).unwrap_err());

    for id in [vec![], vec![("KALSHI_API_KEY_ID", "")]] {
        let message = message(&[id.as_slice(), &[("KALSHI_PRIVATE_KEY", &pem)]].concat());
        assert!(
            message.starts_with("KALSHI_API_KEY_ID is not set; set it"),
            "{message}"
        );
    }
    for no_key in [
        vec![],
        vec![("KALSHI_PRIVATE_KEY", ""), ("KALSHI_PRIVATE_KEY_PATH", "")],
    ] {
        let message = message(&[no_key.as_slice(), &[("KALSHI_API_KEY_ID", KEY_ID)]].concat());
        assert!(
            message
                .starts_with("neither KALSHI_PRIVATE_KEY nor KALSHI_PRIVATE_KEY_PATH is set; set"),
            "{message}"
        );
    }
    let both = message(&[
        ("KALSHI_API_KEY_ID", KEY_ID),
        ("KALSHI_PRIVATE_KEY", &pem),
        ("KALSHI_PRIVATE_KEY_PATH", "x"),
    ]);
    assert!(
        both.starts_with("both KALSHI_PRIVATE_KEY and KALSHI_PRIVATE_KEY_PATH are set; unset one"),
        "{both}"
    );
}

#[test]
fn unusable_key_error_names_variable_and_cause() {
    let with_key = |name, value: &str| {
        lookup("KALSHI_", &[("KALSHI_API_KEY_ID", KEY_ID), (name, value)]).unwrap_err()
    };

    let error = with_key("KALSHI_PRIVATE_KEY", &text("ec.pem"));
    assert!(
        matches!(
            &error,
            CredentialsError::Key {
                source: KeyError::EllipticCurve,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error_chain(&error).contains("KALSHI_PRIVATE_KEY gives is unusable: this is an EC key"),
        "{}",
        error_chain(&error)
    );

    let error = with_key("KALSHI_PRIVATE_KEY_PATH", "/nonexistent/key.pem");
    assert!(
        matches!(
            &error,
            CredentialsError::Key {
                source: KeyError::FileNotFound { .. },
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error_chain(&error).contains("KALSHI_PRIVATE_KEY_PATH gives"),
        "{}",
        error_chain(&error)
    );
    assert!(
        error_chain(&error).contains("/nonexistent/key.pem"),
        "{}",
        error_chain(&error)
    );

    let error = with_key("KALSHI_PRIVATE_KEY", &text("rsa2048.aes.pem"));
    assert!(
        error_chain(&error).contains("`..._PASSPHRASE` variable"),
        "{}",
        error_chain(&error)
    );
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_named() {
    use std::os::unix::ffi::OsStringExt;
    for broken in [
        "KALSHI_API_KEY_ID",
        "KALSHI_PRIVATE_KEY",
        "KALSHI_PRIVATE_KEY_PASSPHRASE",
    ] {
        let error = Credentials::from_lookup("KALSHI_", |name| {
            Some(match name {
                name if name == broken => OsString::from_vec(vec![b'a', 0xff]),
                "KALSHI_PRIVATE_KEY_PATH" => return None,
                _ => OsString::from("x"),
            })
        })
        .unwrap_err();
        assert!(
            matches!(&error, CredentialsError::NotUtf8 { variable } if variable == broken),
            "{error:?}"
        );
        assert!(error.to_string().contains(broken));
    }
}

#[test]
fn invalid_key_ids_are_rejected() {
    let new = |id: &str| Credentials::new(id, private("ed25519.pem")).unwrap_err();
    assert!(matches!(new(""), CredentialsError::EmptyKeyId));
    assert!(new("").to_string().contains("give the API key's id"));
    for id in ["a\n", " a", "a ", " ", "a b", "a\0", "ä"] {
        assert!(matches!(new(id), CredentialsError::InvalidKeyId), "{id:?}");
        assert!(new(id).to_string().contains("remove spaces, line breaks"));
    }
}

#[tokio::test]
async fn headers_replace_existing_ones_and_are_sensitive() {
    let credentials = Credentials::new(KEY_ID, private("rsa2048.pem")).unwrap();
    let headers = credentials
        .headers(NOW, "get", "/trade-api/v2/portfolio/balance")
        .await
        .unwrap();
    let mut map = HeaderMap::new();
    map.append(ACCESS_KEY, "stale".parse().unwrap());
    map.append(ACCESS_KEY, "stale".parse().unwrap());
    headers.insert_into(&mut map);
    assert_eq!(map.len(), 3);
    assert_eq!(map[ACCESS_KEY], KEY_ID);
    assert_eq!(map[ACCESS_TIMESTAMP], "1700000000000");
    assert!(map[ACCESS_KEY].is_sensitive());
    assert!(map[ACCESS_SIGNATURE].is_sensitive());
    assert_eq!(ACCESS_KEY, "kalshi-access-key");
    assert_eq!(ACCESS_SIGNATURE, "kalshi-access-signature");
    assert_eq!(ACCESS_TIMESTAMP, "kalshi-access-timestamp");
}

struct Custom(Result<Signature, &'static str>);

impl Signer for Custom {
    async fn sign(&self, text: &[u8]) -> Result<Signature, SignerError> {
        tokio::task::yield_now().await;
        assert_eq!(text, signed_text());
        self.0.clone().map_err(SignerError::signer)
    }
}

#[tokio::test]
async fn custom_signer_signs_and_its_error_is_the_source() {
    let credentials =
        Credentials::with_signer(KEY_ID, Custom(Ok(Signature::new(b"signed".to_vec())))).unwrap();
    assert_eq!(signature_of(&credentials.clone()).await, b"signed");

    let credentials =
        Credentials::with_signer(KEY_ID, Custom(Err("the module is locked"))).unwrap();
    let error = credentials
        .headers(NOW, "GET", "/trade-api/v2/portfolio/balance")
        .await
        .unwrap_err();
    assert_eq!(
        error_chain(&error),
        "the signer failed; see the source of this error: the module is locked"
    );

    let credentials = Credentials::with_signer(KEY_ID, private("ed25519.pem")).unwrap();
    assert!(public("ed25519.pub.pem").verify(&signed_text(), &signature_of(&credentials).await));
}
