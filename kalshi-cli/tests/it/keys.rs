//! `kalshi keys` and `kalshi completions`.

use std::fs;

use kalshi_sdk::{PrivateKey, auth::KeyAlgorithm};

use crate::harness::{Run, Setup, TestResult, program};

#[tokio::test]
async fn generated_key_is_private_and_never_overwritten() -> TestResult {
    let setup = Setup::new().await?;
    for (name, options, algorithm) in [
        ("ed25519.pem", "", KeyAlgorithm::Ed25519),
        ("rsa.pem", "--algorithm rsa --bits 2048", KeyAlgorithm::Rsa),
    ] {
        let path = setup.directory.path().join(name);
        let command = format!("keys generate {} {options}", path.display());
        let document = setup.json(&command).await?;
        let key = PrivateKey::from_file(&path)?;
        assert_eq!(key.algorithm(), algorithm);
        let public = key.public_key();
        assert_eq!(document["key"]["public_key"], public.to_pem().trim_end());
        assert_eq!(document["key"]["fingerprint"], public.fingerprint());
        assert!(!document.to_string().contains("PRIVATE"), "{document}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        }
        let before = fs::read(&path)?;
        let run = setup.run(&command).await?;
        assert_eq!(run.code, Some(2));
        assert!(run.stderr.contains("never overwritten"), "{}", run.stderr);
        assert_eq!(fs::read(&path)?, before);
    }
    Ok(())
}

#[tokio::test]
async fn show_prints_only_the_public_key() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("keys show").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let key = setup.exchange.user().private_key();
    let public = key.public_key();
    for line in public.to_pem().lines() {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    assert!(run.stdout.contains(&public.fingerprint()), "{}", run.stdout);
    let pem = key.to_pkcs8_pem();
    for line in pem.lines() {
        let printed = format!("{}{}", run.stdout, run.stderr);
        assert!(!printed.contains(line), "part of the private key");
    }
    Ok(())
}

#[tokio::test]
async fn check_asks_the_exchange_unless_offline() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("keys check").await?;
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(
        run.stdout.contains("the exchange accepts the key"),
        "{}",
        run.stdout
    );
    let other = setup.directory.path().join("other.pem");
    setup
        .run(&format!("keys generate {}", other.display()))
        .await?;
    let run = setup
        .run(&format!("keys check {}", other.display()))
        .await?;
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(run.stdout.contains("wrong private key"), "{}", run.stdout);
    let before = setup.exchange.requests().len();
    let run = setup
        .run(&format!("keys check --offline {}", other.display()))
        .await?;
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert_eq!(setup.exchange.requests().len(), before);
    Ok(())
}

/// Some programs that read `.env` files keep the quotes.
#[tokio::test]
async fn quotes_around_variables_are_removed() -> TestResult {
    let setup = Setup::new().await?;
    let config = fs::read_to_string(setup.config_path())?;
    let keys = |line: &&str| line.starts_with("key_id") || line.starts_with("private_key_path");
    let lines: Vec<_> = config.lines().filter(|line| !keys(line)).collect();
    fs::write(setup.config_path(), lines.join("\n"))?;
    let key_id = setup.exchange.user().credentials().key_id().to_owned();
    for (command, quote) in [
        ("balance", '"'),
        ("doctor", '"'),
        ("keys check", '"'),
        ("keys show", '\''),
    ] {
        let mut command = setup.command(command);
        command
            .env("KALSHI_DEMO_API_KEY_ID", format!("{quote}{key_id}{quote}"))
            .env(
                "KALSHI_DEMO_PRIVATE_KEY_PATH",
                format!("{quote}{}{quote}", setup.key_path().display()),
            );
        let run = Run::capture(command).await?;
        assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn key_given_instead_of_a_path_is_not_printed() -> TestResult {
    let setup = Setup::new().await?;
    let secret = "MC4CAQAwBQYDK2VwBCIEIJ3hXa2bq1fJb0m7cU5S2n8Qw9rT6yU1iO4pA5sD6fG7";
    for command in ["keys check", "keys show"] {
        let run = setup.run(&format!("{command} {secret}")).await?;
        assert_eq!(run.code, Some(1));
        let printed = format!("{}{}", run.stdout, run.stderr);
        assert!(!printed.contains(secret), "{printed}");
    }
    Ok(())
}

#[tokio::test]
async fn completions_include_the_commands() -> TestResult {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = Run::capture(program(&format!("completions {shell}"))).await?;
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(run.stdout.contains("guard"), "{shell}");
    }
    Ok(())
}

#[tokio::test]
async fn unknown_field_is_rejected_before_a_key_is_written() -> TestResult {
    let setup = Setup::new().await?;
    let path = setup.directory.path().join("new.pem");
    let run = setup
        .run(&format!(
            "keys generate {} --fields nothing",
            path.display()
        ))
        .await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(!path.exists());
    Ok(())
}
