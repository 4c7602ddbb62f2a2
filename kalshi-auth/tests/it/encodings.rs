//! Encodings of keys: base64, wrong labels, and formats that must be converted first.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use kalshi_auth::{KeyError, PrivateKey, PublicKey};

use crate::common::{self, PASSPHRASE, bytes, der, pem, private, public, text};

fn rejected(text: &str) -> KeyError {
    PrivateKey::from_pem(text).map(drop).unwrap_err()
}

/// Encodes base64 in lines of 76 characters, as `base64` does by default.
fn in_lines(data: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(data);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join("\n") + "\n"
}

/// Encodes UTF-16 with or without a byte order mark.
fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    mark.then_some(0xfeff)
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(|unit| match little {
            true => unit.to_le_bytes(),
            false => unit.to_be_bytes(),
        })
        .collect()
}

fn base64_forms(data: &[u8]) -> [String; 6] {
    let once = BASE64_STANDARD.encode(data);
    [
        in_lines(data),
        in_lines(data).replace('\n', "\\n"),
        BASE64_URL_SAFE_NO_PAD.encode(data),
        format!("\"{once}\""),
        format!("'{once}'\n"),
        once,
    ]
}

#[test]
fn keys_in_base64_are_read() {
    for (name, public_name) in [
        ("rsa2048.pem", "rsa2048.pub.pem"),
        ("rsa2048.pkcs1.pem", "rsa2048.pub.pem"),
        ("rsa2048.aes.pem", "rsa2048.pub.pem"),
        ("ed25519.pem", "ed25519.pub.pem"),
    ] {
        let pem = text(name);
        let encoded_pem = base64_forms(pem.as_bytes());
        let twice = BASE64_STANDARD.encode(&encoded_pem[0]);
        let encoded_der = base64_forms(&der(&pem));
        for form in encoded_pem.iter().chain(&encoded_der).chain([&twice]) {
            let key = PrivateKey::from_pem_with_passphrase(form, PASSPHRASE)
                .unwrap_or_else(|error| panic!("{name}: {error}: {form}"));
            assert_eq!(key.public_key(), public(public_name), "{name}");
        }
    }
    for name in [
        "rsa2048.pub.pem",
        "rsa2048.pkcs1.pub.pem",
        "ed25519.pub.pem",
    ] {
        let pem = text(name);
        for form in base64_forms(pem.as_bytes())
            .iter()
            .chain(&base64_forms(&der(&pem)))
        {
            assert_eq!(PublicKey::from_pem(form).unwrap(), public(name), "{name}");
            assert!(
                matches!(rejected(form), KeyError::UnexpectedPublicKey),
                "{name}"
            );
        }
    }
}

#[test]
fn base64_of_a_private_key_is_not_a_public_key() {
    for name in ["rsa2048.pem", "rsa2048.pkcs1.pem", "rsa2048.aes.pem"] {
        let error = PublicKey::from_pem(&BASE64_STANDARD.encode(der(&text(name)))).unwrap_err();
        assert!(
            matches!(error, KeyError::UnexpectedPrivateKey),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn base64_of_other_content_is_not_pem() {
    let thrice = (0..3).fold(text("ed25519.pem"), |text, _| BASE64_STANDARD.encode(text));
    for other in [
        thrice,
        BASE64_STANDARD.encode([7; 64]),
        BASE64_STANDARD.encode("the quick brown fox jumps over the lazy dog"),
    ] {
        let error = rejected(&other);
        assert!(matches!(error, KeyError::NotPem), "{error:?}");
    }
}

#[test]
fn content_takes_precedence_over_the_label() {
    for (name, labels) in [
        ("rsa2048.pem", ["RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]),
        (
            "rsa2048.pkcs1.pem",
            ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY"],
        ),
        ("rsa2048.aes.pem", ["PRIVATE KEY", "RSA PRIVATE KEY"]),
        ("ed25519.pem", ["RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"]),
    ] {
        let der = der(&text(name));
        let expected = PrivateKey::from_pem_with_passphrase(&text(name), PASSPHRASE).unwrap();
        for label in labels {
            let key = PrivateKey::from_pem_with_passphrase(&pem(label, &der), PASSPHRASE)
                .unwrap_or_else(|error| panic!("{name} as {label}: {error}"));
            assert_eq!(key.public_key(), expected.public_key(), "{name} as {label}");
        }
    }
    for (name, label) in [
        ("rsa2048.pub.pem", "RSA PUBLIC KEY"),
        ("rsa2048.pkcs1.pub.pem", "PUBLIC KEY"),
        ("ed25519.pub.pem", "RSA PUBLIC KEY"),
    ] {
        let key = PublicKey::from_pem(&pem(label, &der(&text(name)))).unwrap();
        assert_eq!(key, public(name), "{name} as {label}");
    }
}

#[test]
fn other_structures_with_a_key_label_are_named() {
    use KeyError::*;
    let named = |name: &str| rejected(&pem("PRIVATE KEY", &der(&text(name))));
    assert!(matches!(named("rsa2048.pub.pem"), UnexpectedPublicKey));
    assert!(matches!(
        named("rsa2048.pkcs1.pub.pem"),
        UnexpectedPublicKey
    ));
    assert!(matches!(named("certificate.pem"), UnexpectedCertificate));
    assert!(matches!(named("openssh.pem"), OpenSsh));
    let sec1 = text("ec.sec1.pem");
    let sec1 = &sec1[sec1.find("-----BEGIN EC PRIVATE KEY").unwrap()..];
    assert!(matches!(
        rejected(&pem("PRIVATE KEY", &der(sec1))),
        EllipticCurve
    ));
    let p12 = pem("PRIVATE KEY", &bytes("rsa2048.p12"));
    assert!(matches!(rejected(&p12), Pkcs12));

    let named =
        |name: &str| PublicKey::from_pem(&pem("PUBLIC KEY", &der(&text(name)))).unwrap_err();
    assert!(matches!(named("rsa2048.pem"), UnexpectedPrivateKey));
    assert!(matches!(named("rsa2048.pkcs1.pem"), UnexpectedPrivateKey));
    assert!(matches!(named("certificate.pem"), UnexpectedCertificate));
}

/// Returns the error for a key in a file, and in a variable if it is UTF-8.
fn from_file(contents: &[u8]) -> KeyError {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, contents).unwrap();
    PrivateKey::from_file(&file).map(drop).unwrap_err()
}

#[test]
fn utf16_is_named() {
    let check = |error: KeyError| {
        assert!(matches!(error, KeyError::Utf16), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains("UTF-16") && message.contains("iconv -f UTF-16 -t UTF-8"),
            "{message}"
        );
    };
    for (little, mark) in [(true, true), (true, false), (false, true), (false, false)] {
        let encoded = utf16(&text("ed25519.pem"), little, mark);
        check(from_file(&encoded));
        check(rejected(&BASE64_STANDARD.encode(&encoded)));
        if let Ok(text) = String::from_utf8(encoded) {
            check(rejected(&text));
            check(PublicKey::from_pem(&text).unwrap_err());
        }
    }
}

#[test]
fn pkcs12_is_named() {
    let check = |error: KeyError| {
        assert!(matches!(error, KeyError::Pkcs12), "{error:?}");
        let message = error.to_string();
        assert!(
            message.contains("PKCS#12") && message.contains("openssl pkcs12 -in"),
            "{message}"
        );
    };
    let container = bytes("rsa2048.p12");
    check(from_file(&container));
    check(rejected(&pem("PKCS12", &container)));
    for form in base64_forms(&container) {
        check(rejected(&form));
        check(from_file(form.as_bytes()));
        check(PublicKey::from_pem(&form).unwrap_err());
    }
    // Some programs write the outer sequence with an indefinite length.
    check(from_file(&[0x30, 0x80, 2, 1, 3, 0x30, 0x80]));
}

#[test]
fn openssh_is_detected_in_every_form() {
    let pem = text("openssh.pem");
    for form in [
        pem.clone(),
        BASE64_STANDARD.encode(&pem),
        BASE64_STANDARD.encode(der(&pem)),
    ] {
        let error = rejected(&form);
        assert!(matches!(error, KeyError::OpenSsh), "{error:?}");
        assert!(error.to_string().contains("ssh-keygen -p -m PKCS8"));
    }
}

#[test]
fn jwk_is_named() {
    let key = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for jwk in [
        key.to_owned(),
        format!(r#"{{ "keys": [{key}] }}"#),
        format!("'{key}'"),
    ] {
        for error in [
            rejected(&jwk),
            rejected(&BASE64_STANDARD.encode(&jwk)),
            from_file(format!("\n{jwk}\n").as_bytes()),
            PublicKey::from_pem(&jwk).unwrap_err(),
        ] {
            assert!(matches!(error, KeyError::Jwk), "{error:?}");
            let message = common::error_chain(&error);
            assert!(
                message.contains("JWK") && message.contains("export_to_pem"),
                "{message}"
            );
            assert!(!message.contains("nWGxne"), "{message}");
        }
    }
    assert!(matches!(rejected("{\"api_key\": \"x\"}"), KeyError::NotPem));
}

#[test]
fn input_is_limited_to_64_kib() {
    let pem = text("ed25519.pem");
    let padded = |length: usize| format!("{}{pem}", " ".repeat(length - pem.len()));
    let maximal = padded(64 * 1024);
    let key = PrivateKey::from_pem(&maximal).unwrap();
    assert_eq!(key.public_key(), private("ed25519.pem").public_key());
    let error = rejected(&padded(64 * 1024 + 1));
    assert!(matches!(error, KeyError::InputTooLarge), "{error:?}");
    assert!(error.to_string().contains("64 KiB"));
    let error = PublicKey::from_pem(&padded(64 * 1024 + 1)).unwrap_err();
    assert!(matches!(error, KeyError::InputTooLarge), "{error:?}");
}
