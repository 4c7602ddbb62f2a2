//! Choice of the exchange and the key.

use crate::harness::{Run, Setup, TestResult, program};

#[tokio::test]
async fn missing_key_error_names_the_sources() -> TestResult {
    let run = Run::capture(program("balance")).await?;
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("KALSHI_DEMO_API_KEY_ID"),
        "{}",
        run.stderr
    );
    let run = Run::capture(program("--production balance")).await?;
    assert!(run.stderr.contains("KALSHI_API_KEY_ID"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn unknown_profile_is_a_usage_error() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("--profile bot balance").await?;
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .contains("there is no profile \"bot\" in the config file; it has: test"),
        "{}",
        run.stderr
    );
    Ok(())
}

#[tokio::test]
async fn production_contradicts_a_profile_of_another_exchange() -> TestResult {
    let setup = Setup::new().await?;
    let run = setup.run("--profile test --production balance").await?;
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("contradicts"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn error_of_the_config_file_does_not_show_its_lines() -> TestResult {
    let setup = Setup::new().await?;
    let demo = "[profiles.test]\nenvironment = \"demo\"";
    for (before, line, kind) in [
        (demo, "private_key = \"MIIsecret\"", "unknown field"),
        (
            demo,
            "SECRET = \"bot\"",
            "unknown field, expected one of `environment`",
        ),
        (demo, "key_id = 0xSECRET", "invalid syntax"),
        (
            demo,
            "key_id = [\"secret\"]",
            "invalid type, expected a string",
        ),
        (
            "[profiles]\n",
            "bot = \"-----BEGIN PRIVATE KEY----- secret, expected\"",
            "invalid type, expected struct Profile",
        ),
        (
            "\n[profiles.test]",
            "environment = \"\"\"-----BEGIN PRIVATE KEY-----\nsecret\"\"\"",
            "unknown variant, expected one of `demo`, `production`, `custom`",
        ),
    ] {
        std::fs::write(setup.config_path(), format!("{before}\n{line}\n"))?;
        let run = setup.run("--profile test balance").await?;
        assert_eq!(run.code, Some(2), "{line}");
        assert!(run.stderr.contains("line 3"), "{}", run.stderr);
        assert!(run.stderr.contains(kind), "{}", run.stderr);
        let output = run.stderr.to_lowercase();
        assert!(!output.contains("secret"), "{}", run.stderr);
    }
    Ok(())
}

#[tokio::test]
async fn profile_of_the_environment_yields_to_the_command_line() -> TestResult {
    let setup = Setup::new().await?;
    for (profile, arguments, code) in [
        // Without a key.
        ("test", "--demo balance", 1),
        ("test", "--mock balance", 0),
        ("test", "balance", 0),
        ("bot", "balance", 2),
        ("", "balance", 0),
    ] {
        let mut command = setup.command(arguments);
        command.env("KALSHI_PROFILE", profile);
        let run = Run::capture(command).await?;
        assert_eq!(
            run.code,
            Some(code),
            "{profile:?} {arguments}: {}",
            run.stderr
        );
    }
    Ok(())
}

#[tokio::test]
async fn urls_are_not_ignored_in_favour_of_another_exchange() -> TestResult {
    let setup = Setup::new().await?;
    for environment in ["demo", "production"] {
        let config = std::fs::read_to_string(setup.config_path())?;
        let config = config.replace("custom", environment);
        let path = setup.directory.path().join(environment);
        std::fs::write(&path, config)?;
        let run = setup
            .run(&format!("balance --config {}", path.display()))
            .await?;
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains("URLs"), "{}", run.stderr);
        for url in [
            "rest_url",
            "websocket_url",
            "margin_rest_url",
            "margin_websocket_url",
            "klear_url",
        ] {
            let profile = format!("environment = \"{environment}\"\n{url} = \"http://127.0.0.1\"");
            std::fs::write(&path, format!("[profiles.test]\n{profile}\n"))?;
            let run = setup
                .run(&format!(
                    "--profile test call get-margin-exchange-status --config {}",
                    path.display()
                ))
                .await?;
            assert_eq!(run.code, Some(2), "{profile}: {}", run.stderr);
            assert!(run.stderr.contains("URLs"), "{profile}: {}", run.stderr);
        }
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn oversized_config_file_is_rejected() -> TestResult {
    let run = Run::capture(program("--config /dev/zero balance")).await?;
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("larger than"), "{}", run.stderr);
    Ok(())
}

#[tokio::test]
async fn mock_needs_no_account() -> TestResult {
    let run = Run::capture(program("--mock balance --json")).await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let document: serde_json::Value = serde_json::from_str(&run.stdout)?;
    assert_eq!(document["balance"]["cash"], "10000.0000");
    Ok(())
}

#[tokio::test]
async fn empty_config_variable_counts_as_unset() -> TestResult {
    for (arguments, code) in [("operations", 0), ("--config= operations", 2)] {
        let mut command = program(arguments);
        command.env("KALSHI_CONFIG", "");
        let run = Run::capture(command).await?;
        assert_eq!(run.code, Some(code), "{arguments}: {}", run.stderr);
    }
    Ok(())
}
