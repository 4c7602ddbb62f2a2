//! `kalshi doctor`: checks that a bot can start.

mod account;
mod checks;
mod exchange;
mod key;

use clap::Args;
use kalshi_sdk::{AuthFailure, Client, PrivateKey};

pub(crate) use self::{
    account::check_with_exchange,
    checks::Checks,
    key::{algorithm, check_credentials, check_file, check_key},
};
use crate::{
    context::Context,
    failure::{Exit, Failure},
};

#[derive(Args)]
#[command(
    after_long_help = "Each line is ok, info, a warning or a failure. The exit code is 0 if nothing failed, so that a bot can start, \
                       and 1 otherwise. Only reads are sent. If the exchange does not know the key id, the key is also tried on the \
                       other one of demo and production."
)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        Checks::check_fields(context)?;
        let progress = context.output.progress("checks");
        let mut checks = Checks::default();
        let environment = context.environment()?;
        checks.ok(
            "exchange",
            format!("{}, {}", context.exchange(), environment.rest_url()),
        );
        let key = check_configuration(&mut checks, context);
        exchange::check_dns(&mut checks, &environment).await;
        let public = Client::builder().environment(environment.clone()).build()?;
        let status = exchange::check_status(&mut checks, &environment, &public).await;
        if status.is_some() {
            exchange::check_schedule(&mut checks, &public).await;
        }
        if let (Some((id, _)), Some(_)) = (&key, &status) {
            let client = context.client()?;
            match account::check_access(&mut checks, &client).await {
                Ok(()) => {
                    account::check_scopes(&mut checks, &client, id).await;
                    account::check_funds(&mut checks, &client, status.as_ref()).await;
                    account::check_costs(&mut checks, &client).await;
                    account::check_clock(&mut checks, &client);
                    check_margin(&mut checks, context).await;
                }
                Err(Some(AuthFailure::UnknownKeyId)) => {
                    let credentials = context.credentials()?;
                    let other = account::other_environment(&environment, credentials).await;
                    if let Some(option) = other {
                        checks.failure(
                            "environment",
                            "the key belongs to the other exchange (demo or production), which accepts it",
                            format!("use {option}, or a key of this exchange"),
                        );
                    }
                }
                Err(_) => {}
            }
        }
        exchange::check_spec(&mut checks, &environment).await;
        progress.finish();
        checks.print(context)
    }
}

/// Checks the key id and the private key. Returns both if they are usable.
fn check_configuration(checks: &mut Checks, context: &Context) -> Option<(String, PrivateKey)> {
    let prefix = context.variable_prefix();
    let Some(id) = context.key_id() else {
        checks.failure(
            "key id",
            "no key is configured",
            format!(
                "set {prefix}API_KEY_ID and {prefix}PRIVATE_KEY_PATH, or `key_id` and `private_key_path` in a profile"
            ),
        );
        return None;
    };
    match is_uuid(&id) {
        true => checks.ok("key id", id.clone()),
        false => checks.warning(
            "key id",
            "not in the format of a key id such as a952bcbe-ec3b-4b5b-b8f9-11dae589608c",
            "copy the key id again from the exchange's site",
        ),
    }
    let key = match context.key_path() {
        Some(path) => check_file(checks, &path, context.passphrase().as_deref())?,
        // The private key is in a variable, or it is missing.
        None => {
            if let Some(mock) = context.mock() {
                mock.user().private_key().clone()
            } else if let Ok(pem) = std::env::var(format!("{prefix}PRIVATE_KEY")) {
                let read = match context.passphrase() {
                    Some(passphrase) => PrivateKey::from_pem_with_passphrase(&pem, &passphrase),
                    None => PrivateKey::from_pem(&pem),
                };
                match read {
                    Ok(key) => key,
                    Err(error) => {
                        checks.failure("key", error.to_string(), "correct the variable");
                        return None;
                    }
                }
            } else {
                checks.failure(
                    "key file",
                    "no private key is configured",
                    format!("set {prefix}PRIVATE_KEY_PATH, or `private_key_path` in the profile"),
                );
                return None;
            }
        }
    };
    if context.key_path().is_none() && !check_key(checks, &key) {
        return None;
    }
    check_credentials(checks, context).then_some((id, key))
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// Reports whether the account may trade perpetual futures.
async fn check_margin(checks: &mut Checks, context: &Context) {
    let Ok(client) = context.perps_client() else {
        return;
    };
    match client.get_margin_enabled().send().await {
        Ok(access) if access.enabled => checks.info("margin", "the account may trade perps"),
        Ok(_) => checks.info("margin", "the account may not trade perps"),
        Err(error) => checks.info("margin", format!("unknown: {error}")),
    }
}
