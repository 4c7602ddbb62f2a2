//! In-process tests that cover every operation.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use clap::{CommandFactory, Parser};
use kalshi_mock::MockExchange;
use kalshi_sdk::{
    limits::RateLimits,
    operation::{Location, Parameter, ParameterType},
};

use super::{Invocation, NamedOperation, OPERATIONS};
use crate::{
    api::{Api, ApiClient},
    options::{Command, Options},
};

/// Parses the command line of a call.
fn parse(arguments: &[&str]) -> Result<Invocation, String> {
    let program = ["kalshi", "call"].iter().chain(arguments);
    let options = Options::try_parse_from(program).map_err(|error| error.to_string())?;
    match options.command {
        Command::Call(call) => call.0.map_err(|failure| failure.to_string()),
        _ => unreachable!(),
    }
}

/// Returns a value that the exchange accepts for the parameter.
fn sample(parameter: &Parameter) -> &'static str {
    if let Some(first) = parameter.values.first() {
        return first;
    }
    match (parameter.kind, parameter.name) {
        (ParameterType::Boolean, _) => "true",
        (ParameterType::Integer, "period_interval") => "60",
        (ParameterType::UnixSeconds, _) => "1790000000",
        (ParameterType::UnixMillis, _) => "1790000000000",
        (ParameterType::String, name) if name.contains("date") => "2026-01-02",
        (ParameterType::String, name) if name.ends_with("_time") => "2026-01-02T00:00:00Z",
        (ParameterType::String, name)
            if name.ends_with("_id") && parameter.location == Location::Path =>
        {
            "5f0c2a1e-7d43-4b8a-9c16-2e8f3d70b5a9"
        }
        _ => "7",
    }
}

#[tokio::test]
async fn every_operation_can_be_called() {
    let exchange = MockExchange::builder()
        .seed(7)
        .without_limits()
        .start()
        .await
        .unwrap();
    let clients = [
        ApiClient::Trade(
            exchange
                .client_builder()
                .unwrap()
                .rate_limits(RateLimits::Unlimited)
                .build()
                .unwrap(),
        ),
        ApiClient::Perps(
            exchange
                .perps_client_builder()
                .unwrap()
                .rate_limits(RateLimits::Unlimited)
                .build()
                .unwrap(),
        ),
        ApiClient::Klear(exchange.klear_client().unwrap()),
    ];
    for &NamedOperation {
        ref name,
        api,
        operation,
        ..
    } in OPERATIONS.iter()
    {
        let mut arguments = vec![name.clone()];
        for parameter in operation.parameters {
            if parameter.required {
                let option = parameter.name.replace('_', "-");
                arguments.push(format!("--{option}={}", sample(parameter)));
            }
        }
        // Each parameter is optional, but one of them must be present.
        if operation.id == "GetOrderQueuePositions" {
            arguments.push("--event-ticker=7".to_owned());
        }
        if operation.has_body {
            arguments.push("--body={}".to_owned());
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let call = parse(&arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(std::ptr::eq(call.operation, operation), "{name}");
        let body = call.body.as_deref().map(super::arguments::read_body);
        let body = body.transpose().unwrap();
        let client = clients
            .iter()
            .zip(Api::ALL)
            .find_map(|(client, other)| (other == api).then_some(client))
            .unwrap();
        exchange.clear_requests();
        let result = call.fetch_page(client, body.as_deref(), None).await;
        let received = exchange.requests();
        let [request] = &received[..] else {
            panic!("{name}: {} requests, {:?}", received.len(), result.err());
        };
        let called = request.operation.unwrap();
        assert_eq!(
            (called.id, called.path, &called.method),
            (operation.id, operation.path, &operation.method),
            "{name}"
        );
        let status = request.status.unwrap().as_u16();
        let error = result.as_ref().err().map(ToString::to_string);
        // The sample ids do not exist, and an empty body lacks required fields.
        let expected: &[u16] = match operation.has_body {
            true => &[200, 201, 204, 400, 403, 404, 409],
            false => &[200, 201, 204, 403, 404, 409],
        };
        assert!(expected.contains(&status), "{name}: {status} {error:?}");
        assert_eq!(
            result.is_ok(),
            (200..300).contains(&status),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn names_are_accepted_in_every_spelling() {
    for name in [
        "get-markets",
        "get_markets",
        "GetMarkets",
        "trade:GetMarkets",
        "trade:get-markets",
        "trade:get_markets",
    ] {
        assert_eq!(parse(&[name]).unwrap().operation.id, "GetMarkets", "{name}");
    }
    assert_eq!(parse(&["get-rfqs"]).unwrap().operation.id, "GetRFQs");
    let error = parse(&["get-market"]).err().unwrap();
    assert!(error.contains("--ticker"), "{error}");
    for typo in ["get-markts", "GetMarkts", "get_markts"] {
        let error = parse(&[typo, "--limit", "5"]).err().unwrap();
        assert!(error.contains("did you mean get-markets?"), "{error}");
    }
    let error = parse(&["walk-the-dog"]).err().unwrap();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn name_shared_by_two_apis_needs_a_prefix() {
    let error = parse(&["IntraExchangeInstanceTransfer", "--body", "{}"]).err();
    let error = error.unwrap();
    let expected =
        "write trade:intra-exchange-instance-transfer or perps:intra-exchange-instance-transfer";
    assert!(error.contains(expected), "{error}");
    let call = parse(&["perps:IntraExchangeInstanceTransfer", "--body={}"]);
    assert_eq!(call.unwrap().api, Api::Perps);
}

/// Completion scripts are generated from these subcommands.
#[test]
fn every_operation_is_a_subcommand_with_its_parameters() {
    let mut command = Options::command();
    command.build();
    command.clone().debug_assert();
    let call = command.find_subcommand("call").unwrap();
    for NamedOperation {
        name, operation, ..
    } in OPERATIONS.iter()
    {
        let found = call.find_subcommand(name).unwrap();
        assert_eq!(found.get_name(), *name);
        let options: Vec<_> = found
            .get_arguments()
            .filter_map(|it| it.get_long())
            .collect();
        for parameter in operation.parameters {
            let option = parameter.name.replace('_', "-");
            assert!(options.contains(&option.as_str()), "{name}: {option}");
        }
    }
}

#[test]
fn option_named_like_a_global_one_is_prefixed() {
    let parameter = &kalshi_sdk::operation::GET_MARKETS.parameters[0];
    let long = parameter.name.to_owned();
    let argument = super::command_line::argument(parameter, std::slice::from_ref(&long));
    assert_eq!(argument.get_long(), Some(&*format!("param-{long}")));
}

#[test]
fn last_page_has_no_cursor() {
    let next = |text: &str| super::arguments::next_cursor(text, "cursor").unwrap();
    for last in ["{}", r#"{"cursor":""}"#, r#"{"cursor":null,"a":[1]}"#] {
        assert_eq!(next(last), None, "{last}");
    }
    assert_eq!(next(r#"{"cursor":"a\"b"}"#).as_deref(), Some("a\"b"));
}
