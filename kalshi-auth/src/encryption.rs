//! Decrypts PKCS#8 keys, with limits on the work that a key file may request.

use rsa::pkcs8::der::{self, ErrorKind};
use rsa::pkcs8::{self, EncryptedPrivateKeyInfo, pkcs5};
use zeroize::Zeroizing;

use crate::KeyError;
use crate::der::malformed_private;

/// The maximum number of PBKDF2 iterations. OpenSSL's default is 2,048, and OWASP recommends 600,000.
pub(crate) const MAX_PBKDF2_ITERATIONS: u32 = 5_000_000;
/// The maximum memory for scrypt, 128·N·r bytes. OpenSSL's default needs 16 MiB.
pub(crate) const MAX_SCRYPT_MEMORY: u64 = 256 * 1024 * 1024;
/// The maximum N·r·p for scrypt. OpenSSL's default is 131,072.
pub(crate) const MAX_SCRYPT_WORK: u64 = 1 << 22;

/// Decrypts a PKCS#8 key that is encrypted with PBES2.
pub(crate) fn decrypt(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let encrypted = EncryptedPrivateKeyInfo::try_from(der).map_err(|error| match error {
        pkcs8::Error::Asn1(asn1) if names_unknown_algorithm(&asn1) => {
            KeyError::UnsupportedEncryption(Some(error.into()))
        }
        _ => malformed_private(error),
    })?;
    if let pkcs5::EncryptionScheme::Pbes2(parameters) = &encrypted.encryption_algorithm {
        check_cost(&parameters.kdf)?;
    }
    let mut buffer = Zeroizing::new(encrypted.encrypted_data.to_vec());
    let length = encrypted
        .encryption_algorithm
        .decrypt_in_place(passphrase, &mut buffer)
        .map_err(|error| match error {
            // pkcs5 0.7 returns `EncryptFailed` for invalid padding.
            pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed => KeyError::WrongPassphrase,
            _ => KeyError::UnsupportedEncryption(Some(pkcs8::Error::from(error).into())),
        })?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// Checks the parameters of the key derivation. The libraries accept any number, and scrypt aborts the process if
/// the memory allocation fails.
fn check_cost(kdf: &pkcs5::pbes2::Kdf<'_>) -> Result<(), KeyError> {
    match kdf {
        pkcs5::pbes2::Kdf::Pbkdf2(parameters) => {
            let iterations = parameters.iteration_count;
            if iterations > MAX_PBKDF2_ITERATIONS {
                return Err(KeyError::ExpensiveEncryption {
                    found: format!("PBKDF2 with {iterations} iterations"),
                });
            }
        }
        pkcs5::pbes2::Kdf::Scrypt(parameters) => {
            let (n, r, p) = (
                parameters.cost_parameter,
                u64::from(parameters.block_size),
                u64::from(parameters.parallelization),
            );
            let memory = n.saturating_mul(r).saturating_mul(128);
            let work = n.saturating_mul(r).saturating_mul(p);
            if memory > MAX_SCRYPT_MEMORY || work > MAX_SCRYPT_WORK {
                return Err(KeyError::ExpensiveEncryption {
                    found: format!("scrypt with N = {n}, r = {r} and p = {p}"),
                });
            }
            // pkcs5 0.7 computes the logarithm of N before it checks for zero.
            if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
                return Err(KeyError::UnsupportedEncryption(None));
            }
        }
        // No limits are defined for functions that a later version of pkcs5 adds.
        _ => return Err(KeyError::UnsupportedEncryption(None)),
    }
    Ok(())
}

fn names_unknown_algorithm(error: &der::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::OidUnknown { .. } | ErrorKind::Value { .. }
    )
}
