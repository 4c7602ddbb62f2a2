//! Accepted key formats, and the error for each rejected one.

use kalshi_auth::{KeyAlgorithm, KeyError, PrivateKey, PublicKey};

use crate::common::{self, PASSPHRASE, path, private, public, text};

/// The example of RFC 8410, section 10.3: version 2, with attributes and the public key.
const ED25519_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";
const ED25519_V2_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

#[test]
fn plain_keys_are_read() {
    for (name, public_name, algorithm) in [
        ("rsa2048.pem", "rsa2048.pub.pem", KeyAlgorithm::Rsa),
        ("rsa2048.pem", "rsa2048.pkcs1.pub.pem", KeyAlgorithm::Rsa),
        ("rsa2048.pkcs1.pem", "rsa2048.pub.pem", KeyAlgorithm::Rsa),
        ("rsa4096.pem", "rsa4096.pkcs1.pub.pem", KeyAlgorithm::Rsa),
        ("ed25519.pem", "ed25519.pub.pem", KeyAlgorithm::Ed25519),
    ] {
        let key = private(name);
        assert_eq!(key.algorithm(), algorithm, "{name}");
        assert_eq!(key.public_key(), public(public_name), "{name}");
        let same = PrivateKey::from_file(path(name)).unwrap();
        assert_eq!(same.public_key(), key.public_key(), "{name}");
    }
    let key = PrivateKey::from_pem(ED25519_V2).unwrap();
    assert_eq!(
        key.public_key(),
        PublicKey::from_pem(ED25519_V2_PUBLIC).unwrap()
    );
}

#[test]
fn written_keys_match_openssl() {
    for name in ["rsa2048", "rsa4096", "ed25519"] {
        let key = private(&format!("{name}.pem"));
        assert_eq!(*key.to_pkcs8_pem(), text(&format!("{name}.pem")));
        assert_eq!(key.public_key().to_pem(), text(&format!("{name}.pub.pem")));
    }
}

#[test]
fn encrypted_keys_are_read_with_their_passphrase() {
    for (name, public_name) in [
        ("rsa2048.aes.pem", "rsa2048.pub.pem"),
        ("ed25519.scrypt.pem", "ed25519.pub.pem"),
    ] {
        let key = PrivateKey::from_pem_with_passphrase(&text(name), PASSPHRASE).unwrap();
        assert_eq!(key.public_key(), public(public_name), "{name}");
        let key = PrivateKey::from_file_with_passphrase(path(name), PASSPHRASE).unwrap();
        assert_eq!(key.public_key(), public(public_name), "{name}");
    }
    let plain =
        PrivateKey::from_pem_with_passphrase(&text("ed25519.pem"), "plays no part").unwrap();
    assert_eq!(plain.public_key(), public("ed25519.pub.pem"));
}

#[test]
fn pem_is_read_with_altered_white_space_and_surroundings() {
    for name in ["rsa2048.pem", "rsa2048.pkcs1.pem", "ed25519.pem"] {
        let pem = text(name);
        let altered = [
            pem.replace('\n', "\\n"),
            pem.replace('\n', "\\r\\n"),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            pem.replace('\n', "\n    "),
            format!("\u{feff}\n\n  {pem}\n\t"),
            format!("\"{pem}\""),
            format!("Bag Attributes\n    friendlyName: x\n{pem}"),
            format!("{}{pem}", text("certificate.pem")),
            format!("{pem}{}", text("certificate.pem")),
        ];
        for form in altered {
            let key = PrivateKey::from_pem(&form).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(key.public_key(), private(name).public_key());
        }
    }
}

/// Returns the error for a key that must be rejected.
fn rejected(pem: &str) -> KeyError {
    PrivateKey::from_pem(pem).map(|_| ()).unwrap_err()
}

macro_rules! assert_rejected {
    ($error:expr, $variant:pat, $($fragment:literal),+) => {{
        let error = $error;
        assert!(matches!(error, $variant), "{error:?}");
        let message = error.to_string();
        $(assert!(message.contains($fragment), "`{}` is not in: {message}", $fragment);)+
    }};
}

#[test]
fn other_content_is_named_in_the_error() {
    use KeyError::*;
    assert_rejected!(
        rejected(&text("rsa2048.pub.pem")),
        UnexpectedPublicKey,
        "give the private key"
    );
    assert_rejected!(
        rejected(&text("rsa2048.pkcs1.pub.pem")),
        UnexpectedPublicKey,
        "give the private key"
    );
    assert_rejected!(
        rejected(&text("certificate.pem")),
        UnexpectedCertificate,
        "give the private key"
    );
    assert_rejected!(
        rejected(&text("ec.pem")),
        EllipticCurve,
        "EC key",
        "RSA and Ed25519"
    );
    assert_rejected!(
        rejected(&text("ec.sec1.pem")),
        EllipticCurve,
        "EC key",
        "RSA and Ed25519"
    );
    assert_rejected!(
        rejected(&text("dsa.pem")),
        UnsupportedAlgorithm { .. },
        "DSA key",
        "RSA and Ed25519"
    );
    assert_rejected!(
        rejected(&text("dsa.traditional.pem")),
        UnsupportedAlgorithm { .. },
        "DSA key"
    );
    assert_rejected!(
        rejected(&text("ed448.pem")),
        UnsupportedAlgorithm { .. },
        "Ed448 key",
        "RSA and Ed25519"
    );
    assert_rejected!(
        rejected(&text("rsa-pss.pem")),
        UnsupportedAlgorithm { .. },
        "RSA-PSS",
        "RSA and Ed25519"
    );
    assert_rejected!(
        rejected(&text("openssh.pem")),
        OpenSsh,
        "OpenSSH",
        "ssh-keygen -p -m PKCS8"
    );
    assert_rejected!(
        rejected(&text("dhparam.pem")),
        UnknownLabel { .. },
        "DH PARAMETERS",
        "BEGIN PRIVATE KEY"
    );
    assert_rejected!(
        rejected(&text("rsa1024.pem")),
        TooShort { bits: 1024 },
        "1024 bits",
        "2048 to 4096"
    );
    assert_rejected!(
        rejected(&text("rsa5120.pem")),
        TooLong { bits: 5120 },
        "5120 bits",
        "2048 to 4096"
    );
    for bits in [0, 1024, 2047] {
        let error = PrivateKey::generate_rsa(bits).unwrap_err();
        assert!(matches!(error, TooShort { bits: reported } if reported == bits));
    }
    assert!(matches!(
        PrivateKey::generate_rsa(4097),
        Err(TooLong { bits: 4097 })
    ));
}

#[test]
fn content_that_is_not_pem_is_rejected() {
    for input in [
        "",
        "   ",
        "not a key",
        "/home/me/kalshi.pem",
        "ssh-rsa AAAAB3NzaC1yc2E",
        "-----END PRIVATE KEY-----",
    ] {
        assert_rejected!(
            rejected(input),
            KeyError::NotPem,
            "no `-----BEGIN ...-----` line",
            "the file's path"
        );
    }
}

#[test]
fn damaged_pem_is_rejected() {
    for name in ["rsa2048.pem", "rsa2048.pkcs1.pem", "ed25519.pem"] {
        let pem = text(name);
        let middle = pem.len() / 2;
        let lines: Vec<&str> = pem.lines().collect();
        let without_line = [&lines[..1], &lines[2..]].concat().join("\n");
        let damaged = [
            pem[..middle].to_owned(),
            pem.replace("-----END", "----END"),
            pem.replace("-----BEGIN", "-----BEGIN -----BEGIN"),
            format!("{}!{}", &pem[..middle], &pem[middle + 1..]),
            without_line,
            pem.replacen("MII", "", 1).replacen("MC4", "", 1),
            pem.replacen("MII", "MIJ", 1).replacen("MC4", "MC5", 1),
        ];
        for form in damaged {
            assert_rejected!(
                rejected(&form),
                KeyError::Malformed { .. },
                "damaged",
                "copy the key file again"
            );
        }
    }
    let missing_end = rejected(&text("ed25519.pem")[..40]).to_string();
    assert!(missing_end.contains("END line is missing"), "{missing_end}");
}

#[test]
fn rsa_key_with_inconsistent_parts_is_damaged() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let mut der = common::der(&text("rsa2048.pkcs1.pem"));
    der[100] ^= 1; // Inside the modulus.
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
        BASE64_STANDARD.encode(der)
    );
    assert_rejected!(rejected(&pem), KeyError::Malformed { .. }, "damaged");
}

#[test]
fn passphrase_errors_are_specific() {
    use KeyError::*;
    for name in ["rsa2048.aes.pem", "ed25519.scrypt.pem"] {
        assert_rejected!(
            rejected(&text(name)),
            PassphraseNeeded,
            "encrypted",
            "give its passphrase"
        );
        for wrong in ["", "wrong", "correct horse\n", " correct horse"] {
            let error = PrivateKey::from_pem_with_passphrase(&text(name), wrong).unwrap_err();
            assert_rejected!(
                error,
                WrongPassphrase,
                "does not open",
                "stray space or line break"
            );
        }
    }
    for name in [
        "ed25519.des3.pem",
        "ed25519.pbes1.pem",
        "rsa2048.traditional.pem",
    ] {
        let error = PrivateKey::from_pem_with_passphrase(&text(name), PASSPHRASE).unwrap_err();
        assert_rejected!(
            error,
            UnsupportedEncryption(_),
            "old or unusual",
            "openssl pkcs8 -topk8 -v2 aes-256-cbc"
        );
    }
}

/// About one wrong passphrase in 256 decrypts to valid padding, as this one does with this key.
#[test]
fn wrong_passphrase_with_valid_padding_is_rejected() {
    let error =
        PrivateKey::from_pem_with_passphrase(&text("rsa2048.aes.pem"), "wrong 317").unwrap_err();
    assert_rejected!(error, KeyError::WrongPassphrase, "does not open");
}

#[test]
fn file_errors_show_the_path() {
    use KeyError::*;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let error = PrivateKey::from_file(&missing).unwrap_err();
    assert!(error.to_string().contains(missing.to_str().unwrap()));
    assert!(std::error::Error::source(&error).is_some());
    assert_rejected!(
        error,
        FileNotFound { .. },
        "check the path",
        "`~` is not expanded"
    );

    let error = PrivateKey::from_file(folder.path()).unwrap_err();
    assert!(error.to_string().contains(folder.path().to_str().unwrap()));
    assert!(std::error::Error::source(&error).is_some());
    assert_rejected!(
        error,
        FileUnreadable { .. },
        "cannot be read",
        "may read it"
    );

    let error = PrivateKey::from_file(text("ed25519.pem")).unwrap_err();
    assert_rejected!(error, KeyInsteadOfPath, "where the path", "use `from_pem`");

    let binary = folder.path().join("key.der");
    std::fs::write(&binary, common::der(&text("rsa2048.pem"))).unwrap();
    let error = PrivateKey::from_file(&binary).unwrap_err();
    assert!(error.to_string().contains(binary.to_str().unwrap()));
    assert_rejected!(
        error,
        NotUtf8 { .. },
        "not UTF-8",
        "openssl pkey -inform DER"
    );
}

#[test]
fn rejected_public_keys_have_specific_errors() {
    use KeyError::*;
    let rejected = |name: &str| PublicKey::from_pem(&text(name)).unwrap_err();
    for name in [
        "rsa2048.pem",
        "rsa2048.pkcs1.pem",
        "rsa2048.aes.pem",
        "ed25519.pem",
    ] {
        assert_rejected!(
            rejected(name),
            UnexpectedPrivateKey,
            "private key where a public",
            "openssl pkey -pubout"
        );
    }
    assert_rejected!(
        rejected("certificate.pem"),
        UnexpectedCertificate,
        "certificate"
    );
    assert_rejected!(rejected("ec.pub.pem"), EllipticCurve, "EC key");
    assert_rejected!(
        rejected("rsa1024.pub.pem"),
        TooShort { bits: 1024 },
        "1024 bits"
    );
    assert_rejected!(
        rejected("rsa5120.pub.pem"),
        TooLong { bits: 5120 },
        "5120 bits"
    );
    assert_rejected!(PublicKey::from_pem("no").unwrap_err(), NotPem, "BEGIN");
}

#[cfg(unix)]
#[test]
fn key_file_readable_by_others_logs_a_warning() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pem");
    std::fs::write(&file, text("ed25519.pem")).unwrap();
    let warnings = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        common::warnings(|| PrivateKey::from_file(&file).unwrap()).1
    };
    for open in [0o644, 0o640, 0o604, 0o660] {
        let logged = warnings(open);
        assert_eq!(logged.len(), 1);
        assert!(
            logged[0].contains(&format!("chmod 600 {}", file.display())),
            "{logged:?}"
        );
        assert!(!logged[0].contains(text("ed25519.pem").lines().nth(1).unwrap()));
    }
    assert_eq!(warnings(0o600), Vec::<String>::new());
    assert_eq!(warnings(0o400), Vec::<String>::new());
}
