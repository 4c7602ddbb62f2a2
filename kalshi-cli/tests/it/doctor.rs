//! `kalshi doctor`: each cause that prevents a bot from starting.

use std::{fs, time::Duration};

use chrono::{TimeDelta, Utc};
use kalshi_mock::Fault;
use kalshi_sdk::{Dollars, PrivateKey};
use serde_json::{Value, json};

use crate::harness::{Run, Setup, TestResult};

/// Runs doctor, and returns its exit code and the results of one check: result and detail.
async fn doctor(
    setup: &Setup,
    check: &str,
) -> Result<(Option<i32>, Vec<(String, String)>), Box<dyn std::error::Error>> {
    let run = setup.run("doctor --json").await?;
    let document: Value = serde_json::from_str(&run.stdout)?;
    let checks = document["checks"].as_array().ok_or("checks")?;
    assert_eq!(document["summary"]["passed"], run.code == Some(0));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let found = checks
        .iter()
        .filter(|found| found["check"] == check)
        .inspect(|found| {
            let needs_remedy = ["warning", "failure"].contains(&text(&found["result"]).as_str());
            assert_eq!(found["remedy"].is_string(), needs_remedy, "{found}");
        })
        .map(|found| (text(&found["result"]), text(&found["detail"])));
    Ok((run.code, found.collect()))
}

#[cfg(unix)]
fn set_mode(setup: &Setup, mode: u32) -> TestResult {
    use std::os::unix::fs::PermissionsExt;

    let permissions = fs::Permissions::from_mode(mode);
    Ok(fs::set_permissions(setup.key_path(), permissions)?)
}

#[cfg(unix)]
#[tokio::test]
async fn healthy_setup_passes_every_check() -> TestResult {
    let setup = Setup::new().await?;
    set_mode(&setup, 0o600)?;
    setup.exchange.user().deposit(1, Dollars::from_cents(5_000));
    let mut document = setup.json("doctor").await?;
    for check in document["checks"].as_array_mut().into_iter().flatten() {
        if check["check"] == "connection" {
            let detail = check["detail"].as_str().unwrap_or_default();
            let fixed = detail
                .rsplit_once("after ")
                .map(|(start, _)| start.to_owned());
            check["detail"] = json!(fixed);
        }
    }
    setup.golden("doctor", &document)
}

#[cfg(unix)]
#[tokio::test]
async fn key_file_that_others_may_read_is_a_warning() -> TestResult {
    let setup = Setup::new().await?;
    set_mode(&setup, 0o644)?;
    let run = setup.run("doctor").await?;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let line = "warning  key permissions   mode 0644: other users may read the private key";
    assert!(run.stdout.contains(line), "{}", run.stdout);
    let remedy = format!("-> chmod 600 {}\n", setup.key_path().display());
    assert!(run.stdout.contains(&remedy), "{}", run.stdout);
    Ok(())
}

#[tokio::test]
async fn cause_of_a_401_is_named() -> TestResult {
    let setup = Setup::new().await?;
    let config = fs::read_to_string(setup.config_path())?;
    let id = setup.exchange.user().credentials();
    let other = "a952bcbe-ec3b-4b5b-b8f9-11dae589608c";
    fs::write(setup.config_path(), config.replace(id.key_id(), other))?;
    let (code, access) = doctor(&setup, "access").await?;
    assert_eq!((code, access[0].0.as_str()), (Some(1), "failure"));
    assert!(access[0].1.starts_with("unknown key id"), "{access:?}");

    fs::write(setup.config_path(), config)?;
    let key = PrivateKey::generate_ed25519()?;
    fs::write(setup.key_path(), key.to_pkcs8_pem().as_bytes())?;
    let (code, access) = doctor(&setup, "access").await?;
    assert_eq!((code, access[0].0.as_str()), (Some(1), "failure"));
    assert!(access[0].1.starts_with("wrong private key"), "{access:?}");
    Ok(())
}

#[tokio::test]
async fn damaged_key_file_is_a_failure() -> TestResult {
    let setup = Setup::new().await?;
    fs::write(setup.key_path(), "-----BEGIN PUBLIC KEY-----\n")?;
    let (code, key) = doctor(&setup, "key file").await?;
    assert_eq!((code, key[0].0.as_str()), (Some(1), "failure"));
    fs::remove_file(setup.key_path())?;
    let (code, key) = doctor(&setup, "key file").await?;
    assert_eq!(code, Some(1));
    assert!(key[0].1.contains("there is no key file"), "{key:?}");
    Ok(())
}

#[tokio::test]
async fn wrong_clock_is_a_failure_and_a_small_skew_a_warning() -> TestResult {
    for (skew, code, result, message) in [
        (60, 1, "failure", " s behind the exchange"),
        (-60, 1, "failure", " s ahead of the exchange"),
        (5, 0, "warning", " s behind the exchange"),
    ] {
        let setup = Setup::new().await?;
        setup
            .exchange
            .fault(Fault::ClockSkew(TimeDelta::seconds(skew)));
        let (exit, clock) = doctor(&setup, "clock").await?;
        assert_eq!((exit, clock[0].0.as_str()), (Some(code), result), "{skew}");
        assert!(clock[0].1.contains(message), "{clock:?}");
    }
    Ok(())
}

#[tokio::test]
async fn paused_and_closed_exchanges_are_failures() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.pause_trading();
    let (code, status) = doctor(&setup, "status").await?;
    assert_eq!(code, Some(1));
    assert_eq!(
        status[0],
        ("failure".to_owned(), "trading is paused".to_owned())
    );
    setup.exchange.resume_trading();
    setup.exchange.set_active(false);
    let (code, status) = doctor(&setup, "status").await?;
    assert_eq!((code, status[0].0.as_str()), (Some(1), "failure"));
    Ok(())
}

#[tokio::test]
async fn planned_maintenance_is_a_warning() -> TestResult {
    let setup = Setup::new().await?;
    let from = Utc::now() + TimeDelta::hours(3);
    setup
        .exchange
        .schedule_pause(from, Duration::from_secs(3600));
    let (code, schedule) = doctor(&setup, "schedule").await?;
    assert_eq!(code, Some(0));
    assert_eq!(schedule[0].0, "warning");
    assert!(
        schedule[0].1.starts_with("maintenance from"),
        "{schedule:?}"
    );
    Ok(())
}

#[tokio::test]
async fn shard_without_money_is_a_warning() -> TestResult {
    let setup = Setup::new().await?;
    setup.exchange.market("KXTEST-26-A").on_shard(3);
    setup.exchange.user().deposit(1, Dollars::from_cents(100));
    let (code, funds) = doctor(&setup, "funds").await?;
    assert_eq!((code, funds[0].0.as_str()), (Some(0), "warning"));
    assert!(funds[0].1.ends_with("no money on shard 3"), "{funds:?}");
    Ok(())
}

#[tokio::test]
async fn exchange_that_cannot_be_reached_is_a_failure() -> TestResult {
    let setup = Setup::new().await?;
    let config = fs::read_to_string(setup.config_path())?;
    let address = setup.exchange.address().to_string();
    fs::write(setup.config_path(), config.replace(&address, "127.0.0.1:1"))?;
    let (code, connection) = doctor(&setup, "connection").await?;
    assert_eq!((code, connection[0].0.as_str()), (Some(1), "failure"));
    Ok(())
}

#[tokio::test]
async fn missing_key_names_the_variables() -> TestResult {
    let setup = Setup::new().await?;
    let config = fs::read_to_string(setup.config_path())?;
    let without_key: Vec<_> = config
        .lines()
        .filter(|line| !line.contains("key"))
        .collect();
    fs::write(setup.config_path(), without_key.join("\n"))?;
    let (code, id) = doctor(&setup, "key id").await?;
    assert_eq!(code, Some(1));
    assert_eq!(
        id[0],
        ("failure".to_owned(), "no key is configured".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn failed_check_fails_although_nobody_reads_the_report() -> TestResult {
    let setup = Setup::new().await?;
    std::fs::remove_file(setup.key_path())?;
    for arguments in ["doctor", "doctor --json"] {
        let mut command = setup.command(arguments);
        command.stdout(std::process::Stdio::piped());
        let mut child = command.stderr(std::process::Stdio::null()).spawn()?;
        drop(child.stdout.take());
        assert_eq!(child.wait().await?.code(), Some(1), "{arguments}");
    }
    Ok(())
}

/// The commands would not start with these keys.
#[tokio::test]
async fn key_from_contradicting_places_is_a_failure() -> TestResult {
    let setup = Setup::new().await?;
    let config = fs::read_to_string(setup.config_path())?;
    let key_id = setup.exchange.user().credentials().key_id().to_owned();
    let pem = setup.exchange.user().private_key().to_pkcs8_pem();
    let path = setup.key_path().display().to_string();
    let id_variable = ("KALSHI_DEMO_API_KEY_ID", &*key_id);
    let key_variable = ("KALSHI_DEMO_PRIVATE_KEY", pem.as_str());
    let path_variable = ("KALSHI_DEMO_PRIVATE_KEY_PATH", &*path);
    for (setting, variables, message) in [
        (
            "",
            &[id_variable, key_variable, path_variable][..],
            "unset one of them",
        ),
        ("private_key_path", &[id_variable], "or neither"),
        ("key_id", &[key_variable], "or neither"),
    ] {
        let is_kept = |line: &&str| {
            let is_key = line.starts_with("key_id") || line.starts_with("private_key_path");
            !is_key || (!setting.is_empty() && line.starts_with(setting))
        };
        let lines: Vec<_> = config.lines().filter(is_kept).collect();
        fs::write(setup.config_path(), lines.join("\n"))?;
        for command in ["doctor", "keys check", "keys check --offline"] {
            let mut program = setup.command(&format!("{command} --json"));
            program.envs(variables.iter().copied());
            let run = Run::capture(program).await?;
            assert_ne!(run.code, Some(0), "{command} {setting}: {}", run.stdout);
            if setting == "key_id" && command != "doctor" {
                assert!(
                    run.stderr.contains("there is no key file"),
                    "{}",
                    run.stderr
                );
                continue;
            }
            let document = run.document()?;
            let mut checks = document["checks"].as_array().into_iter().flatten();
            let failure = checks.find(|check| check["result"] == "failure");
            let failure = failure.ok_or("a failure")?.to_string();
            assert!(failure.contains("credentials"), "{failure}");
            assert!(failure.contains(message), "{failure}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn unknown_field_is_rejected_before_the_checks() -> TestResult {
    let setup = Setup::new().await?;
    for command in ["doctor", "keys check"] {
        let run = setup.run(&format!("{command} --fields nothing")).await?;
        assert_eq!(run.code, Some(2), "{}", run.stderr);
    }
    assert!(setup.exchange.requests().is_empty());
    Ok(())
}
