//! Turns PEM blocks into keys, and says what a block holds if it is no usable key.

use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::{SigningKey, VerifyingKey};
use rsa::pkcs1::{self, DecodeRsaPrivateKey};
use rsa::pkcs8::der::asn1::ObjectIdentifier;
use rsa::pkcs8::der::{self, ErrorKind};
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;
use rsa::pkcs8::{
    self, EncodePrivateKey, EncryptedPrivateKeyInfo, PrivateKeyInfo, SecretDocument, pkcs5,
};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};

use crate::{KeyError, pem};

const RSA: ObjectIdentifier = pkcs1::ALGORITHM_OID;
const ED25519: ObjectIdentifier = ed25519_dalek::pkcs8::ALGORITHM_OID;
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Object identifiers of other algorithms that have a name people know.
const OTHER_ALGORITHMS: [(&str, &str); 4] = [
    ("1.2.840.113549.1.1.10", "RSA-PSS (PSS-only RSA)"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.113", "Ed448"),
];

/// A private key, checked.
pub(crate) enum Private {
    Rsa(RsaPrivateKey),
    Ed25519(SigningKey),
}

/// A public key, checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Public {
    Rsa(RsaPublicKey),
    Ed25519(VerifyingKey),
}

impl Private {
    pub(crate) fn from_pem(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let block = pem::read(text, "PRIVATE KEY")?;
        match block.label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&block.der),
            "RSA PRIVATE KEY" => {
                Self::rsa(RsaPrivateKey::from_pkcs1_der(&block.der).map_err(damaged)?)
            }
            "ENCRYPTED PRIVATE KEY" => {
                let passphrase = passphrase.ok_or(KeyError::PassphraseNeeded)?;
                Self::from_pkcs8(decrypt(&block.der, passphrase)?.as_bytes())
            }
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(KeyError::PublicKeyGiven),
            other => Err(unusable(other)),
        }
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfo::try_from(der).map_err(damaged)?;
        match info.algorithm.oid {
            RSA => Self::rsa(RsaPrivateKey::try_from(info).map_err(damaged)?),
            ED25519 => Ok(Self::Ed25519(SigningKey::try_from(info).map_err(damaged)?)),
            oid => Err(unsupported(oid)),
        }
    }

    fn rsa(key: RsaPrivateKey) -> Result<Self, KeyError> {
        check_size(key.n())?;
        Ok(Self::Rsa(key))
    }

    /// As PKCS#8, version 1: OpenSSL 3.0 and ring read no other Ed25519 keys.
    pub(crate) fn to_pkcs8(&self) -> Result<SecretDocument, KeyError> {
        match self {
            Self::Rsa(key) => key.to_pkcs8_der(),
            Self::Ed25519(key) => KeypairBytes {
                secret_key: key.to_bytes(),
                public_key: None,
            }
            .to_pkcs8_der(),
        }
        .map_err(damaged)
    }

    pub(crate) fn public(&self) -> Public {
        match self {
            Self::Rsa(key) => Public::Rsa(key.to_public_key()),
            Self::Ed25519(key) => Public::Ed25519(key.verifying_key()),
        }
    }
}

impl Public {
    pub(crate) fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::read(text, "PUBLIC KEY")?;
        match block.label.as_str() {
            "PUBLIC KEY" => Self::from_spki(&block.der),
            "RSA PUBLIC KEY" => Self::rsa(&block.der),
            "PRIVATE KEY" | "RSA PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
                Err(KeyError::PrivateKeyGiven)
            }
            other => Err(unusable(other)),
        }
    }

    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(damaged)?;
        match info.algorithm.oid {
            RSA => Self::rsa(info.subject_public_key.raw_bytes()),
            ED25519 => Ok(Self::Ed25519(
                VerifyingKey::try_from(info).map_err(damaged)?,
            )),
            oid => Err(unsupported(oid)),
        }
    }

    fn rsa(pkcs1_der: &[u8]) -> Result<Self, KeyError> {
        let key = pkcs1::RsaPublicKey::try_from(pkcs1_der).map_err(damaged)?;
        let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
        check_size(&modulus)?;
        let exponent = BigUint::from_bytes_be(key.public_exponent.as_bytes());
        Ok(Self::Rsa(
            RsaPublicKey::new(modulus, exponent).map_err(damaged)?,
        ))
    }
}

/// Opens an encrypted PKCS#8 key.
fn decrypt(der: &[u8], passphrase: &str) -> Result<SecretDocument, KeyError> {
    let encrypted = EncryptedPrivateKeyInfo::try_from(der).map_err(|error| match error {
        pkcs8::Error::Asn1(asn1) if names_unknown_algorithm(&asn1) => unsupported_encryption(error),
        _ => damaged(error),
    })?;
    encrypted.decrypt(passphrase).map_err(|error| match error {
        // `EncryptFailed` is what pkcs5 0.7 says of padding that does not fit. A wrong passphrase passes that check
        // about once in 256 times, and leaves noise.
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed,
        )
        | pkcs8::Error::Asn1(_) => KeyError::WrongPassphrase,
        _ => unsupported_encryption(error),
    })
}

fn names_unknown_algorithm(error: &der::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::OidUnknown { .. } | ErrorKind::Value { .. }
    )
}

fn unsupported_encryption(error: pkcs8::Error) -> KeyError {
    KeyError::UnsupportedEncryption(Some(error.into()))
}

/// Why a block with this label is no usable key.
fn unusable(label: &str) -> KeyError {
    match label {
        "EC PRIVATE KEY" | "EC PARAMETERS" => KeyError::EllipticCurve,
        "DSA PRIVATE KEY" => KeyError::UnsupportedAlgorithm {
            algorithm: "DSA".to_owned(),
        },
        "OPENSSH PRIVATE KEY" => KeyError::OpenSsh,
        "CERTIFICATE" | "TRUSTED CERTIFICATE" | "CERTIFICATE REQUEST" => KeyError::CertificateGiven,
        other => KeyError::UnknownLabel {
            label: other.to_owned(),
        },
    }
}

fn unsupported(oid: ObjectIdentifier) -> KeyError {
    if oid == EC {
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

pub(crate) fn check_size(modulus: &BigUint) -> Result<(), KeyError> {
    check_bits(modulus.bits())
}

pub(crate) fn check_bits(bits: usize) -> Result<(), KeyError> {
    match bits {
        ..2048 => Err(KeyError::TooShort { bits }),
        2048..=4096 => Ok(()),
        _ => Err(KeyError::TooLong { bits }),
    }
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> KeyError {
    KeyError::Malformed {
        reason: "what it holds is not a whole key",
        source: Some(error.into()),
    }
}
