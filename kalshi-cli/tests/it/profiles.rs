//! Choice of the exchange and the key.

use crate::harness::{Run, Setup, TestResult, program};

#[tokio::test]
async fn missing_key_error_names_the_sources() -> TestResult {
    let run = Run::of(program("balance")).await?;
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr.contains("KALSHI_DEMO_API_KEY_ID"),
        "{}",
        run.stderr
    );
    let run = Run::of(program("--production balance")).await?;
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
