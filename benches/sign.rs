//! One signature, compared with bare aws-lc-rs and with `rsa`. Goal: at most 1.05 times the time of aws-lc-rs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, RSA_PSS_SHA256, RsaKeyPair},
};
use criterion::{Criterion, criterion_group, criterion_main};
use kalshi_sdk::PrivateKey;
use rsa::{
    pkcs8::DecodePrivateKey,
    signature::{RandomizedSigner, SignatureEncoding},
};

const TEXT: &[u8] =
    b"1790000000123DELETE/trade-api/v2/portfolio/order_groups/8b3f2f0e-5d0c-4f0e-9a53-7f6f3f9d1c11";

fn der(key: &PrivateKey) -> Vec<u8> {
    use base64::Engine;
    let pem = key.to_pkcs8_pem();
    let body: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}

fn sign(c: &mut Criterion) {
    for bits in [2048, 4096] {
        let key = PrivateKey::generate_rsa(bits).unwrap();
        let raw = RsaKeyPair::from_pkcs8(&der(&key)).unwrap();
        let plain = rsa::pss::BlindedSigningKey::<rsa::sha2::Sha256>::new(
            rsa::RsaPrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap(),
        );
        let mut group = c.benchmark_group(format!("sign/rsa-{bits}"));
        group.bench_function("kalshi-auth", |b| {
            b.iter(|| key.sign(black_box(TEXT)).unwrap())
        });
        group.bench_function("aws-lc-rs", |b| {
            b.iter(|| {
                let mut out = vec![0; raw.public_modulus_len()];
                raw.sign(
                    &RSA_PSS_SHA256,
                    &SystemRandom::new(),
                    black_box(TEXT),
                    &mut out,
                )
                .unwrap();
                out
            });
        });
        group.bench_function("rsa", |b| {
            b.iter(|| {
                plain
                    .sign_with_rng(&mut rsa::rand_core::OsRng, black_box(TEXT))
                    .to_vec()
            });
        });
        group.finish();
    }
    let key = PrivateKey::generate_ed25519().unwrap();
    let raw = Ed25519KeyPair::from_pkcs8(&der(&key)).unwrap();
    let mut group = c.benchmark_group("sign/ed25519");
    group.bench_function("kalshi-auth", |b| {
        b.iter(|| key.sign(black_box(TEXT)).unwrap())
    });
    group.bench_function("aws-lc-rs", |b| {
        b.iter(|| raw.sign(black_box(TEXT)).as_ref().to_vec())
    });
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
