//! No error, log event or `Debug` output shows a secret.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use http::HeaderMap;
use kalshi_auth::{
    Backend, BearerCredentials, BearerMiddleware, Credentials, CredentialsError, FixedClock,
    KeyAlgorithm, PrivateKey, PublicKey, Signature, SignerError, SigningMiddleware, SystemClock,
    Unsigned, Verifier,
};

use crate::common::{self, KEY_ID, PASSPHRASE, error_chain, path, private, public, text};

const NOW: u64 = 1_700_000_000_000;
const WRONG_PASSPHRASE: &str = "battery staple";
const PRIVATE_KEYS: [&str; 12] = [
    "rsa2048.pem",
    "rsa2048.pkcs1.pem",
    "rsa2048.aes.pem",
    "rsa2048.traditional.pem",
    "rsa1024.pem",
    "rsa5120.pem",
    "ed25519.pem",
    "ed25519.scrypt.pem",
    "ed25519.des3.pem",
    "ec.pem",
    "dsa.pem",
    "openssh.pem",
];

/// Collects output and searches it for secrets.
#[derive(Default)]
struct Output(Vec<String>);

impl Output {
    fn debug(&mut self, value: &dyn Debug) {
        self.0.push(format!("{value:?}"));
        self.0.push(format!("{value:#?}"));
    }

    fn error(&mut self, error: &(dyn Error + 'static)) {
        self.debug(&error);
        self.0.push(error_chain(error));
    }

    fn assert_hides(&self, secrets: &[String]) {
        assert!(!self.0.is_empty() && !secrets.is_empty());
        for text in &self.0 {
            for secret in secrets {
                assert!(!text.contains(secret.as_str()), "`{secret}` is in: {text}");
            }
        }
    }
}

/// Returns 12-character pieces of every key from the start of its lines, and the key's first bytes as lists.
fn key_secrets() -> Vec<String> {
    let mut secrets = vec![
        KEY_ID.to_owned(),
        PASSPHRASE.to_owned(),
        WRONG_PASSPHRASE.to_owned(),
    ];
    for name in PRIVATE_KEYS {
        for line in text(name)
            .lines()
            .filter(|line| !line.starts_with("-----") && line.len() >= 12)
        {
            if !line.contains(':') {
                secrets.push(line[..12].to_owned());
            }
        }
    }
    let seed = &common::der(&text("ed25519.pem"))[16..];
    secrets.push(
        format!("{:?}", &seed[..4])
            .trim_matches(['[', ']'])
            .to_owned(),
    );
    secrets.push(seed[..4].iter().map(|byte| format!("{byte:02x}")).collect());
    secrets
}

/// Returns the forms in which the bytes of a signature could be shown.
fn signature_secrets(signature: &[u8]) -> Vec<String> {
    let list = format!("{:?}", &signature[..4]);
    let hex = signature[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    vec![
        BASE64_STANDARD.encode(signature)[..12].to_owned(),
        list.trim_matches(['[', ']']).to_owned(),
        hex,
    ]
}

#[tokio::test]
async fn debug_of_every_type_hides_secrets() {
    let mut output = Output::default();
    let mut secrets = key_secrets();
    for name in ["rsa2048.pem", "ed25519.pem"] {
        for backend in Backend::ALL {
            output.debug(backend);
            let key = private(name).with_backend(*backend).unwrap();
            output.debug(&key);
            output.debug(&key.public_key());
            output.debug(&key.algorithm());

            let signature = key.sign(b"text").unwrap();
            output.debug(&signature);
            secrets.extend(signature_secrets(signature.as_bytes()));

            let verifier = Verifier::new(KEY_ID, key.public_key());
            output.debug(&verifier);
            for credentials in [
                Credentials::new(KEY_ID, key.clone()),
                Credentials::with_signer(KEY_ID, key.clone()),
            ] {
                let credentials = credentials.unwrap();
                output.debug(&credentials);
                let origin = "https://external-api.kalshi.com".parse().unwrap();
                output.debug(
                    &SigningMiddleware::new(credentials.clone(), &origin)
                        .with_clock(Arc::new(FixedClock(NOW))),
                );

                let headers = credentials.headers(NOW, "GET", "/path").await.unwrap();
                secrets.extend(signature_secrets(
                    &BASE64_STANDARD.decode(&headers.signature).unwrap(),
                ));
                output.debug(&headers);
                let mut map = HeaderMap::new();
                headers.insert_into(&mut map);
                output.debug(&map);
                output.error(&verifier.verify(&map, "GET", "/other", NOW).unwrap_err());
                output.error(&verifier.verify(&map, "GET", "/path", 0).unwrap_err());
                let stranger = Verifier::new("stranger", key.public_key());
                output.error(&stranger.verify(&map, "GET", "/path", NOW).unwrap_err());
            }
        }
    }
    output.debug(&SystemClock);
    output.debug(&FixedClock(NOW));
    output.debug(&Unsigned);
    output.debug(&KeyAlgorithm::Rsa);
    output.debug(&Signature::new(b"made elsewhere".to_vec()));
    secrets.extend(signature_secrets(b"made elsewhere"));
    output.assert_hides(&secrets);
}

#[test]
fn errors_of_every_key_hide_secrets() {
    let mut output = Output::default();
    for name in PRIVATE_KEYS {
        let pem = text(name);
        let results = [
            PrivateKey::from_pem(&pem).map(drop),
            PrivateKey::from_pem_with_passphrase(&pem, WRONG_PASSPHRASE).map(drop),
            PrivateKey::from_file(path(name)).map(drop),
            PrivateKey::from_file(&pem).map(drop),
            PublicKey::from_pem(&pem).map(drop),
        ];
        for error in results.into_iter().filter_map(Result::err) {
            output.error(&error);
        }
    }
    output.assert_hides(&key_secrets());
}

#[test]
fn errors_of_damaged_keys_hide_secrets() {
    let mut output = Output::default();
    for name in [
        "rsa2048.pem",
        "rsa2048.pkcs1.pem",
        "ed25519.pem",
        "openssh.pem",
    ] {
        let pem = text(name);
        for at in (0..pem.len()).step_by(5) {
            for replacement in ["", "!", "A", "-", ":", "é", "-----", " "] {
                let damaged = format!("{}{replacement}{}", &pem[..at], &pem[at + 1..]);
                if let Err(error) = PrivateKey::from_pem(&damaged) {
                    output.error(&error);
                }
                if let Err(error) = PrivateKey::from_pem(&pem[..at]) {
                    output.error(&error);
                }
            }
        }
    }
    // A line of the key instead of the label.
    let line = text("rsa2048.pem").lines().nth(2).unwrap().to_owned();
    let mislabelled = format!("-----BEGIN {line}-----\nAAAA\n-----END {line}-----");
    output.error(&PrivateKey::from_pem(&mislabelled).unwrap_err());
    assert!(output.0.len() > 1000);
    output.0.sort_unstable();
    output.0.dedup();
    output.assert_hides(&key_secrets());
}

/// A decoder reads bytes of the key as tags and lengths if a length is damaged, and its messages contain those.
#[test]
fn errors_of_damaged_structures_do_not_quote_the_key() {
    let mut count = 0;
    for (name, label) in [
        ("rsa2048.pem", "PRIVATE KEY"),
        ("rsa2048.pkcs1.pem", "RSA PRIVATE KEY"),
        ("ed25519.pem", "PRIVATE KEY"),
    ] {
        let der = common::der(&text(name));
        for at in 0..der.len() {
            let mut damaged = der.clone();
            damaged[at] = damaged[at].wrapping_sub(1);
            let pem = common::pem(label, &damaged);
            if let Err(error) = PrivateKey::from_pem(&pem) {
                let text = error_chain(&error);
                for word in ["tag", "expected", "actual", "length"] {
                    assert!(!text.contains(word), "byte {at}: {text}");
                }
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count}");
}

/// Values in the wrong variable never appear in errors, logs or `Debug` output.
#[test]
fn values_in_wrong_variables_are_hidden() {
    let mut output = Output::default();
    let mut secrets = key_secrets();
    let mut values: Vec<String> = [KEY_ID, PASSPHRASE, WRONG_PASSPHRASE, ""]
        .map(str::to_owned)
        .into();
    for name in PRIVATE_KEYS {
        let (pem, der) = (text(name), common::der(&text(name)));
        let base64 = BASE64_STANDARD.encode(&der);
        let in_base64 = BASE64_STANDARD.encode(&pem);
        secrets.extend([base64[24..36].to_owned(), in_base64[80..92].to_owned()]);
        values.extend([
            pem.replace('\n', "\\n"),
            pem.lines().nth(1).unwrap().to_owned(),
            format!("\"{pem}\""),
            format!("'{base64}'"),
            base64,
            in_base64,
            pem,
        ]);
    }
    let key_file = path("rsa2048.aes.pem").to_str().unwrap().to_owned();
    secrets.push(key_file.clone());
    values.push(key_file.clone());

    let variables = [
        "API_KEY_ID",
        "PRIVATE_KEY",
        "PRIVATE_KEY_PATH",
        "PRIVATE_KEY_PASSPHRASE",
    ];
    for value in &values {
        for wrong in variables {
            for key_variable in ["PRIVATE_KEY", "PRIVATE_KEY_PATH"] {
                let (result, logged) = common::warnings(|| {
                    Credentials::from_lookup("", |name| match name {
                        name if name == wrong => Some(value.into()),
                        "API_KEY_ID" => Some(KEY_ID.into()),
                        "PRIVATE_KEY_PASSPHRASE" => Some(WRONG_PASSPHRASE.into()),
                        "PRIVATE_KEY" if key_variable == name => Some(text("ed25519.pem").into()),
                        "PRIVATE_KEY_PATH" if key_variable == name => Some((&key_file).into()),
                        _ => None,
                    })
                });
                // The key file of this test is readable by others, and the warning about it shows the path.
                output
                    .0
                    .extend(logged.into_iter().filter(|line| !line.contains("chmod")));
                match result {
                    Err(error) => output.error(&error),
                    Ok(credentials) => output.debug(&credentials),
                }
            }
        }
    }
    output.0.sort_unstable();
    output.0.dedup();
    output.assert_hides(&secrets);
}

#[test]
fn key_given_as_its_id_is_rejected() {
    let key = private("ed25519.pem");
    let seed = &common::der(&text("ed25519.pem"))[16..];
    let seed_in_base64 = BASE64_STANDARD.encode(seed);
    let seed_in_hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
    for seed in [seed_in_base64, seed_in_hex] {
        let error = Credentials::new(seed, key.clone()).unwrap_err();
        assert!(matches!(error, CredentialsError::KeyInsteadOfKeyId));
    }
    for name in PRIVATE_KEYS {
        let (pem, der) = (text(name), common::der(&text(name)));
        for value in [
            pem.lines()
                .find(|line| line.len() >= 40 && !line.contains('-'))
                .unwrap()
                .to_owned(),
            pem.replace('\n', "\\n"),
            pem.replace('\n', ""),
            BASE64_STANDARD.encode(&pem),
            BASE64_STANDARD.encode(&der),
            BASE64_STANDARD.encode(&der) + "\n",
            format!("\"{}\"", BASE64_STANDARD.encode(&der)),
            pem,
        ] {
            for error in [
                Credentials::new(value.as_str(), key.clone()).unwrap_err(),
                Credentials::with_signer(value.as_str(), key.clone()).unwrap_err(),
                Credentials::from_lookup("", |name| match name {
                    "API_KEY_ID" => Some(value.as_str().into()),
                    "PRIVATE_KEY" => Some(text("ed25519.pem").into()),
                    _ => None,
                })
                .unwrap_err(),
            ] {
                assert!(
                    matches!(error, CredentialsError::KeyInsteadOfKeyId),
                    "{name}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn errors_of_credentials_hide_secrets() {
    let mut output = Output::default();
    let both = Credentials::from_lookup("", |_| Some(text("ed25519.pem").into()));
    output.error(&both.unwrap_err());
    let both = Credentials::from_lookup("", |name| {
        (name != "API_KEY_ID").then(|| text("ed25519.pem").into())
    });
    output.error(&both.unwrap_err());
    let both = Credentials::from_lookup("", |name| match name {
        "API_KEY_ID" => Some(KEY_ID.into()),
        _ => Some(text("ed25519.pem").into()),
    });
    output.error(&both.unwrap_err());
    output.error(&Credentials::new(format!("{KEY_ID}\n"), private("ed25519.pem")).unwrap_err());
    output.error(&SignerError::Backend {
        backend: Backend::default(),
    });
    output.assert_hides(&key_secrets());
}

/// Neither `Debug`, which panic messages show, nor errors, nor the debug output of requests contain the id or the token.
#[test]
fn bearer_credentials_are_hidden() {
    const ID: &str = "7d9f1a34-admin-user";
    const TOKEN: &str = "tok_4Zk1-access";
    let mut output = Output::default();
    let credentials = BearerCredentials::new(ID, TOKEN).unwrap();
    let origin = "https://demo-api.kalshi.co".parse().unwrap();
    output.debug(&credentials);
    output.debug(&BearerMiddleware::new(credentials.clone(), &origin));

    let bad = [" ", "\n", "\0", "ä", "\u{7f}"];
    for bad in bad {
        let (id, token) = (format!("{ID}{bad}"), format!("{TOKEN}{bad}"));
        for result in [
            BearerCredentials::new(id.as_str(), TOKEN),
            BearerCredentials::new(ID, token.as_str()),
            BearerCredentials::from_text(format!("{id}:{TOKEN}")),
            BearerCredentials::from_text(format!("{ID}:{token}")),
            BearerCredentials::from_text(format!("Bearer {ID}:{TOKEN}")),
            BearerCredentials::from_text(token.as_str()),
            BearerCredentials::from_lookup("", |name| {
                (name == "ADMIN_USER_ID").then(|| id.as_str().into())
            }),
            BearerCredentials::from_lookup("", |_| Some(token.as_str().into())),
        ] {
            output.error(&result.unwrap_err());
        }
    }
    for panic in [
        std::panic::catch_unwind(|| drop(BearerCredentials::new(ID, TOKEN).unwrap_err())),
        std::panic::catch_unwind(|| drop(BearerCredentials::new(ID, "tok_4Zk1-access ").unwrap())),
    ] {
        let message = panic.unwrap_err().downcast::<String>().unwrap();
        output.0.push(*message);
    }
    output.assert_hides(&[ID.to_owned(), TOKEN.to_owned()]);
}

#[test]
fn debug_of_a_public_key_omits_its_pem() {
    let mut output = Output::default();
    output.debug(&public("rsa2048.pub.pem"));
    output.assert_hides(&[text("rsa2048.pub.pem").lines().nth(1).unwrap()[..12].to_owned()]);
}
