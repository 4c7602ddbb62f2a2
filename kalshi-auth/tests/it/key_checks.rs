//! Checks when a key is loaded: sizes, exponents, primes, the self-test, and the cost of its encryption.

use std::time::{Duration, Instant};

use kalshi_auth::{Backend, KeyError, PrivateKey, PublicKey};
use rsa::BigUint;
use rsa::pkcs1::{self, EncodeRsaPrivateKey, UintRef};
use rsa::pkcs8::der::{Decode, Encode};
use rsa::pkcs8::pkcs5::pbes2::{
    EncryptionScheme, Kdf, Parameters, Pbkdf2Params, Pbkdf2Prf, ScryptParams,
};
use rsa::pkcs8::{EncryptedPrivateKeyInfo, pkcs5};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use crate::common::{PASSPHRASE, der, pem, private, public, text, warnings};

/// The components of an RSA key, valid or not.
struct RsaComponents {
    modulus: BigUint,
    exponent: BigUint,
    private_exponent: BigUint,
    primes: [BigUint; 2],
}

impl RsaComponents {
    /// Returns the components of a valid key.
    fn valid() -> Self {
        let der = der(&text("rsa2048.pkcs1.pem"));
        let key = pkcs1::RsaPrivateKey::from_der(&der).unwrap();
        let number = |number: UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
        Self {
            modulus: number(key.modulus),
            exponent: number(key.public_exponent),
            private_exponent: number(key.private_exponent),
            primes: [number(key.prime1), number(key.prime2)],
        }
    }

    fn load(&self) -> Result<PrivateKey, KeyError> {
        let [n, e, d, p, q] = [
            &self.modulus,
            &self.exponent,
            &self.private_exponent,
            &self.primes[0],
            &self.primes[1],
        ]
        .map(|number| number.to_bytes_be());
        let uint = |bytes| UintRef::new(bytes).unwrap();
        let key = pkcs1::RsaPrivateKey {
            modulus: uint(&n),
            public_exponent: uint(&e),
            private_exponent: uint(&d),
            prime1: uint(&p),
            prime2: uint(&q),
            exponent1: uint(&[1]),
            exponent2: uint(&[1]),
            coefficient: uint(&[1]),
            other_prime_infos: None,
        };
        PrivateKey::from_pem(&pem("RSA PRIVATE KEY", &key.to_der().unwrap()))
    }

    fn load_public(&self) -> Result<PublicKey, KeyError> {
        let (n, e) = (self.modulus.to_bytes_be(), self.exponent.to_bytes_be());
        let key = pkcs1::RsaPublicKey {
            modulus: UintRef::new(&n).unwrap(),
            public_exponent: UintRef::new(&e).unwrap(),
        };
        PublicKey::from_pem(&pem("RSA PUBLIC KEY", &key.to_der().unwrap()))
    }
}

#[test]
fn valid_components_are_loaded() {
    let key = RsaComponents::valid().load().unwrap();
    assert_eq!(key.public_key(), public("rsa2048.pub.pem"));
    assert_eq!(
        RsaComponents::valid().load_public().unwrap(),
        key.public_key()
    );
}

#[test]
fn modulus_is_checked_first() {
    for bits in [5, 2047, 4097, 60_000] {
        // The other components of these keys are invalid too.
        let components = RsaComponents {
            modulus: BigUint::from(1_u8) << (bits - 1),
            exponent: BigUint::from(2_u8),
            private_exponent: BigUint::from(0_u8),
            primes: [BigUint::from(1_u8) << bits, BigUint::from(0_u8)],
        };
        let started = Instant::now();
        for error in [
            components.load().unwrap_err(),
            components.load_public().unwrap_err(),
        ] {
            assert!(
                matches!(error, KeyError::TooShort { bits: n } | KeyError::TooLong { bits: n } if n == bits),
                "{error:?}"
            );
        }
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn exponent_must_be_odd_and_at_least_three() {
    let exponents = [0_u64, 1, 2, 4, 65_536, 1 << 33, (1 << 33) + 1];
    for exponent in exponents
        .map(BigUint::from)
        .into_iter()
        .chain([BigUint::from(1_u8) << 2000])
    {
        let mut components = RsaComponents::valid();
        // With this private exponent, the exponent 1 is consistent with the primes.
        components.private_exponent = BigUint::from(1_u8);
        components.exponent = exponent;
        for error in [
            components.load().unwrap_err(),
            components.load_public().unwrap_err(),
        ] {
            assert!(matches!(error, KeyError::UnusableExponent), "{error:?}");
            assert!(error.to_string().contains("create a new key"));
        }
    }
}

#[test]
fn small_exponent_logs_a_warning() {
    let (key, logged) = warnings(|| private("rsa2048.e3.pem"));
    let exponent_warnings = logged
        .iter()
        .filter(|warning| warning.contains("less than 65537"));
    assert_eq!(exponent_warnings.count(), 1, "{logged:?}");
    let (signature, logged) = warnings(|| key.sign(b"text").unwrap());
    assert!(key.public_key().verify(b"text", signature.as_bytes()));
    assert_eq!(logged, Vec::<String>::new());
    let (_, logged) = warnings(|| private("rsa2048.pem"));
    assert_eq!(logged, Vec::<String>::new());
}

#[test]
fn primes_must_be_of_equal_length() {
    for length in [2, 512, 1000, 1015] {
        let (short, long) = (length, 2048 - length);
        let short = (BigUint::from(3_u8) << (short - 2)) + BigUint::from(1_u8);
        let long = (BigUint::from(3_u8) << (long - 2)) + BigUint::from(1_u8);
        for primes in [[short.clone(), long.clone()], [long.clone(), short.clone()]] {
            let mut components = RsaComponents::valid();
            components.modulus = &primes[0] * &primes[1];
            components.primes = primes;
            let error = components.load().unwrap_err();
            assert!(
                matches!(error, KeyError::UnequalPrimes),
                "{length}: {error:?}"
            );
            assert!(error.to_string().contains("create a new key"));
        }
    }
}

#[test]
fn long_private_exponent_is_rejected() {
    let mut components = RsaComponents::valid();
    components.private_exponent <<= 100_000;
    let error = components.load().unwrap_err();
    assert!(matches!(error, KeyError::Malformed { .. }), "{error:?}");
    assert!(
        error.to_string().contains("longer than its modulus"),
        "{error}"
    );
}

/// All components are consistent, but one "prime" is a multiple of 3. Only a signature reveals it.
#[test]
fn key_with_invalid_signatures_fails_the_self_test() {
    let valid = RsaComponents::valid();
    let three = BigUint::from(3_u8);
    let mut composite = valid.primes[0].clone();
    let (key, composite) = loop {
        composite += 2_u8;
        if &composite % &three == BigUint::from(0_u8)
            && let Ok(key) = rsa::RsaPrivateKey::from_p_q(
                composite.clone(),
                valid.primes[1].clone(),
                valid.exponent.clone(),
            )
        {
            break (key, composite);
        }
    };
    assert_eq!(key.primes()[0], composite);
    assert_eq!(key.n().bits(), 2048);
    let error = PrivateKey::from_pem(&pem(
        "RSA PRIVATE KEY",
        key.to_pkcs1_der().unwrap().as_bytes(),
    ))
    .unwrap_err();
    assert!(matches!(error, KeyError::SelfTestFailed), "{error:?}");
    assert!(error.to_string().contains("copy the key file again"));
}

#[test]
fn ed25519_key_with_another_public_half_is_rejected() {
    let mut der = der(&text("ed25519.pem"));
    // Version 2, a longer sequence, and the generator as public key.
    der[1] += 35;
    der[4] = 1;
    der.extend([0x81, 33, 0, 0x58]);
    der.extend([0x66; 31]);
    let error = PrivateKey::from_pem(&pem("PRIVATE KEY", &der)).unwrap_err();
    assert!(matches!(error, KeyError::Malformed { .. }), "{error:?}");
}

#[test]
fn key_rejected_by_the_preferred_library_logs_one_warning() {
    for name in [
        "rsa2048.pem",
        "rsa2050.pem",
        "rsa2048.e3.pem",
        "ed25519.pem",
    ] {
        let (key, logged) = warnings(|| private(name));
        let library_warnings = logged
            .iter()
            .filter(|warning| warning.contains("the preferred library rejected this key"))
            .count();
        let fell_back = key.backend() != Backend::default();
        assert_eq!(
            library_warnings,
            usize::from(fell_back),
            "{name}: {logged:?}"
        );
        let (_, logged) = warnings(|| key.sign(b"text").unwrap());
        assert_eq!(logged, Vec::<String>::new());
    }
    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    assert_eq!(private("rsa2050.pem").backend(), Backend::RustCrypto);
}

const SALT: [u8; 8] = *b"01234567";

fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> Kdf<'static> {
    Kdf::Scrypt(ScryptParams {
        salt: &SALT,
        cost_parameter,
        block_size,
        parallelization,
        key_length: None,
    })
}

fn pbkdf2(iteration_count: u32) -> Kdf<'static> {
    Kdf::Pbkdf2(Pbkdf2Params {
        salt: &SALT,
        iteration_count,
        key_length: None,
        prf: Pbkdf2Prf::HmacWithSha512,
    })
}

/// Opens `encrypted`, which declares these encryption parameters.
fn open(kdf: Kdf<'_>, encrypted: &[u8]) -> Result<PrivateKey, KeyError> {
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: pkcs5::EncryptionScheme::Pbes2(parameters(kdf)),
        encrypted_data: encrypted,
    };
    let pem = pem("ENCRYPTED PRIVATE KEY", &info.to_der().unwrap());
    PrivateKey::from_pem_with_passphrase(&pem, PASSPHRASE)
}

fn parameters(kdf: Kdf<'_>) -> Parameters<'_> {
    Parameters {
        kdf,
        encryption: EncryptionScheme::Aes256Cbc { iv: &[0; 16] },
    }
}

#[test]
fn expensive_encryption_is_rejected_immediately() {
    for (kdf, found) in [
        (
            scrypt(1 << 40, 8, 1),
            "scrypt with N = 1099511627776, r = 8 and p = 1",
        ),
        (
            scrypt(1 << 63, u16::MAX, u16::MAX),
            "N = 9223372036854775808",
        ),
        (scrypt(u64::MAX, 1, 1), "N = 18446744073709551615"),
        (scrypt(1 << 19, 8, 1), "N = 524288"),
        (scrypt(1 << 22, 1, 1), "N = 4194304"),
        (scrypt(2, u16::MAX, u16::MAX), "r = 65535"),
        (scrypt(1 << 14, 8, 33), "p = 33"),
        (pbkdf2(5_000_001), "PBKDF2 with 5000001 iterations"),
        (pbkdf2(u32::MAX), "PBKDF2 with 4294967295 iterations"),
    ] {
        let started = Instant::now();
        let error = open(kdf, &[0; 32]).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(
            matches!(error, KeyError::ExpensiveEncryption { .. }),
            "{error:?}"
        );
        let message = error.to_string();
        for part in [
            found,
            "5000000 PBKDF2 iterations",
            "N·r·p = 4194304",
            "256 MiB",
            "openssl pkcs8 -topk8",
        ] {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    }
}

#[test]
fn impossible_scrypt_parameters_are_unsupported() {
    for (n, r, p) in [
        (0, 8, 1),
        (1, 8, 1),
        (16_383, 8, 1),
        (16, 0, 1),
        (16, 1, 0),
        (1 << 17, 1, 1),
    ] {
        let error = open(scrypt(n, r, p), &[0; 32]).unwrap_err();
        assert!(
            matches!(error, KeyError::UnsupportedEncryption(_)),
            "{n} {r} {p}: {error:?}"
        );
    }
}

#[test]
fn affordable_encryption_is_opened() {
    let keys = [
        (der(&text("ed25519.pem")), "ed25519.pub.pem"),
        (der(&text("rsa2048.pem")), "rsa2048.pub.pem"),
        // PKCS#1 inside, contrary to the standard.
        (der(&text("rsa2048.pkcs1.pem")), "rsa2048.pub.pem"),
    ];
    for (plain, public_name) in &keys {
        for kdf in [scrypt(1 << 10, 8, 1), pbkdf2(10_000), pbkdf2(1)] {
            let encrypted = parameters(kdf.clone()).encrypt(PASSPHRASE, plain).unwrap();
            assert_eq!(
                open(kdf, &encrypted).unwrap().public_key(),
                public(public_name)
            );
        }
    }
    // The content is detected from its bytes.
    let nonsense = parameters(pbkdf2(1))
        .encrypt(PASSPHRASE, b"nonsense")
        .unwrap();
    let error = open(pbkdf2(1), &nonsense).unwrap_err();
    assert!(matches!(error, KeyError::WrongPassphrase), "{error:?}");
}
