//! Converts PEM blocks to keys, or to errors that name the actual content.

use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{SigningKey, VerifyingKey};
use rsa::pkcs1;
use rsa::pkcs8::der::asn1::ObjectIdentifier;
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use rsa::pkcs8::{EncodePrivateKey, PrivateKeyInfo, SecretDocument};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};

use crate::format::{self, Structure};
use crate::pem::{self, Block};
use crate::{KeyError, encryption};

const RSA_OID: ObjectIdentifier = pkcs1::ALGORITHM_OID;
const ED25519_OID: ObjectIdentifier = ed25519_dalek::pkcs8::ALGORITHM_OID;
const EC_OID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The reason for rejecting a key that does not decode.
const INCOMPLETE: &str = "its content is not a complete key";

/// The public exponent of nearly all RSA keys, and the smallest that NIST allows.
const USUAL_EXPONENT: u32 = 65_537;
/// The maximum difference in bits between a prime and half the modulus. Generators produce primes of equal length, plus
/// or minus one bit.
const MAX_PRIME_DEVIATION: usize = 8;

/// Object identifiers of other well-known algorithms.
const OTHER_ALGORITHMS: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.10", "RSA-PSS (PSS-only RSA)"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.113", "Ed448"),
];

/// A private key that passed all checks.
pub(crate) enum PrivateKeyMaterial {
    Rsa(RsaPrivateKey),
    Ed25519(SigningKey),
}

/// A public key that passed all checks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKeyMaterial {
    Rsa(RsaPublicKey),
    Ed25519(VerifyingKey),
}

impl PrivateKeyMaterial {
    pub(crate) fn from_pem(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let block = pem::read(text, "PRIVATE KEY")?;
        match block.label.as_str() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(KeyError::UnexpectedPublicKey),
            "" | "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                Self::from_block(&block, passphrase)
            }
            other => Err(unusable_label(other)),
        }
    }

    /// Parses the structure in the block. Programs confuse the labels, so the label is only used if the bytes
    /// have no known structure.
    fn from_block(block: &Block, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if let Some(error) = format::unsupported_format(&block.der) {
            return Err(error);
        }
        let structure = Structure::detect(&block.der).unwrap_or(match block.label.as_str() {
            "RSA PRIVATE KEY" => Structure::Pkcs1Private,
            "ENCRYPTED PRIVATE KEY" => Structure::EncryptedPkcs8,
            _ => Structure::Pkcs8,
        });
        match structure {
            Structure::Pkcs8 => Self::from_pkcs8(&block.der),
            Structure::Pkcs1Private => Self::from_pkcs1(&block.der),
            Structure::EncryptedPkcs8 => {
                let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
                let der = encryption::decrypt(&block.der, passphrase)?;
                match Structure::detect(&der) {
                    Some(Structure::Pkcs8) => Self::from_pkcs8(&der),
                    Some(Structure::Pkcs1Private) => Self::from_pkcs1(&der),
                    // About one wrong passphrase in 256 passes the padding check and decrypts to noise.
                    _ => Err(KeyError::WrongPassphrase),
                }
            }
            Structure::Spki | Structure::Pkcs1Public => Err(KeyError::UnexpectedPublicKey),
            Structure::Sec1 => Err(KeyError::EllipticCurve),
            Structure::Certificate => Err(KeyError::UnexpectedCertificate),
        }
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfo::try_from(der).map_err(malformed_private)?;
        match info.algorithm.oid {
            RSA_OID => Self::from_pkcs1(info.private_key),
            ED25519_OID => Ok(Self::Ed25519(
                SigningKey::try_from(info).map_err(malformed_private)?,
            )),
            oid => Err(unsupported_algorithm(oid)),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let key = pkcs1::RsaPrivateKey::try_from(der).map_err(malformed_private)?;
        check_rsa_public(&key.public_key())?;
        let bits = bit_length(key.modulus.as_bytes());
        if key.version() != pkcs1::Version::TwoPrime {
            return Err(KeyError::UnsupportedAlgorithm {
                algorithm: "multi-prime RSA".to_owned(),
            });
        }
        let primes = [key.prime1.as_bytes(), key.prime2.as_bytes()];
        for prime in primes {
            if (2 * bit_length(prime)).abs_diff(bits) > 2 * MAX_PRIME_DEVIATION {
                return Err(KeyError::UnequalPrimes);
            }
        }
        if bit_length(key.private_exponent.as_bytes()) > bits {
            return Err(KeyError::Malformed {
                reason: "its private exponent is longer than its modulus",
                source: None,
            });
        }
        let key = RsaPrivateKey::from_components(
            BigUint::from_bytes_be(key.modulus.as_bytes()),
            BigUint::from_bytes_be(key.public_exponent.as_bytes()),
            BigUint::from_bytes_be(key.private_exponent.as_bytes()),
            primes.map(BigUint::from_bytes_be).into(),
        );
        Ok(Self::Rsa(key.map_err(malformed)?))
    }

    /// Returns `true` for an RSA key whose public exponent is below 65537.
    pub(crate) fn has_small_exponent(&self) -> bool {
        match self {
            Self::Rsa(key) => *key.e() < BigUint::from(USUAL_EXPONENT),
            Self::Ed25519(_) => false,
        }
    }

    /// Encodes the key as PKCS#8 version 1, the only version of Ed25519 keys that OpenSSL 3.0 and ring read.
    pub(crate) fn to_pkcs8(&self) -> Result<SecretDocument, KeyError> {
        match self {
            Self::Rsa(key) => key.to_pkcs8_der(),
            Self::Ed25519(key) => KeypairBytes {
                secret_key: key.to_bytes(),
                public_key: None,
            }
            .to_pkcs8_der(),
        }
        .map_err(malformed_private)
    }

    pub(crate) fn public(&self) -> PublicKeyMaterial {
        match self {
            Self::Rsa(key) => PublicKeyMaterial::Rsa(key.to_public_key()),
            Self::Ed25519(key) => PublicKeyMaterial::Ed25519(key.verifying_key()),
        }
    }
}

impl PublicKeyMaterial {
    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::read(text, "PUBLIC KEY")?;
        match block.label.as_str() {
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                Err(KeyError::UnexpectedPrivateKey)
            }
            "" | "PUBLIC KEY" | "RSA PUBLIC KEY" => Self::from_block(&block),
            other => Err(unusable_label(other)),
        }
    }

    /// Parses the structure in the block, as for a private key.
    fn from_block(block: &Block) -> Result<Self, KeyError> {
        if let Some(error) = format::unsupported_format(&block.der) {
            return Err(error);
        }
        let structure = Structure::detect(&block.der).unwrap_or(match block.label.as_str() {
            "RSA PUBLIC KEY" => Structure::Pkcs1Public,
            _ => Structure::Spki,
        });
        match structure {
            Structure::Spki => Self::from_spki(&block.der),
            Structure::Pkcs1Public => Self::from_pkcs1(&block.der),
            Structure::Pkcs8 | Structure::EncryptedPkcs8 | Structure::Pkcs1Private => {
                Err(KeyError::UnexpectedPrivateKey)
            }
            Structure::Sec1 => Err(KeyError::EllipticCurve),
            Structure::Certificate => Err(KeyError::UnexpectedCertificate),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(malformed)?;
        match info.algorithm.oid {
            RSA_OID => Self::from_pkcs1(info.subject_public_key.raw_bytes()),
            ED25519_OID => Ok(Self::Ed25519(
                VerifyingKey::try_from(info).map_err(malformed)?,
            )),
            oid => Err(unsupported_algorithm(oid)),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let key = pkcs1::RsaPublicKey::try_from(der).map_err(malformed)?;
        check_rsa_public(&key)?;
        let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
        let exponent = BigUint::from_bytes_be(key.public_exponent.as_bytes());
        Ok(Self::Rsa(
            RsaPublicKey::new(modulus, exponent).map_err(malformed)?,
        ))
    }
}

/// Checks the sizes of both numbers, before any computation with them.
fn check_rsa_public(key: &pkcs1::RsaPublicKey<'_>) -> Result<(), KeyError> {
    check_bits(bit_length(key.modulus.as_bytes()))?;
    let exponent = key.public_exponent.as_bytes();
    let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    // The `rsa` crate allows exponents of up to 33 bits.
    if !is_odd || !(2..=33).contains(&bit_length(exponent)) {
        return Err(KeyError::UnusableExponent);
    }
    Ok(())
}

/// Returns the number of bits of an unsigned big-endian number.
fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match &number[zeros..] {
        [] => 0,
        [first, rest @ ..] => 8 * (rest.len() + 1) - first.leading_zeros() as usize,
    }
}

/// Returns the error for a block whose label shows that it is not a usable key.
fn unusable_label(label: &str) -> KeyError {
    match label {
        "EC PRIVATE KEY" | "EC PARAMETERS" => KeyError::EllipticCurve,
        "DSA PRIVATE KEY" => KeyError::UnsupportedAlgorithm {
            algorithm: "DSA".to_owned(),
        },
        "OPENSSH PRIVATE KEY" => KeyError::OpenSsh,
        "PKCS12" => KeyError::Pkcs12,
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "CERTIFICATE REQUEST" => {
            KeyError::UnexpectedCertificate
        }
        other => KeyError::UnknownLabel {
            label: other.to_owned(),
        },
    }
}

fn unsupported_algorithm(oid: ObjectIdentifier) -> KeyError {
    if oid == EC_OID {
        return KeyError::EllipticCurve;
    }
    let oid = oid.to_string();
    let name = OTHER_ALGORITHMS
        .iter()
        .find(|(other, _)| *other == oid)
        .map(|(_, name)| (*name).to_owned());
    KeyError::UnsupportedAlgorithm {
        algorithm: name.unwrap_or(oid),
    }
}

pub(crate) fn check_bits(bits: usize) -> Result<(), KeyError> {
    match bits {
        ..2048 => Err(KeyError::TooShort { bits }),
        2048..=4096 => Ok(()),
        _ => Err(KeyError::TooLong { bits }),
    }
}

/// Returns the error for a private key that does not decode. It has no source: the decoder's messages contain tags and lengths, which are
/// bytes of the key if the structure is damaged.
pub(crate) fn malformed_private(_: impl std::error::Error) -> KeyError {
    KeyError::Malformed {
        reason: INCOMPLETE,
        source: None,
    }
}

fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> KeyError {
    KeyError::Malformed {
        reason: INCOMPLETE,
        source: Some(error.into()),
    }
}
