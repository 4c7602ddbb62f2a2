//! Command line of `kalshi call`: a subcommand for each operation, built from the operation tables.

use std::sync::LazyLock;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches,
    builder::{PossibleValue, PossibleValuesParser, StyledStr, TypedValueParser},
    error::ErrorKind,
};
use kalshi_sdk::{
    Operation,
    operation::{Bucket, Parameter, ParameterType},
};

use super::{Arguments, Call, Invocation};
use crate::{api::Api, failure::Failure, output::sanitize};

/// Ids of the arguments that are not parameters. They contain spaces, so no parameter of a spec can have the same id.
const BODY: &str = "call --body";
const ALL_PAGES: &str = "call --all";

impl Args for Call {
    fn augment_args(command: Command) -> Command {
        command
            .subcommand_required(true)
            .subcommand_value_name("OPERATION")
            .subcommand_help_heading("Operations")
            .disable_help_subcommand(true)
            // clap would suggest hundreds of names for an unknown one, so unknown names are accepted here and rejected below.
            .allow_external_subcommands(true)
            .after_help("Options of an operation: kalshi call OPERATION --help. Search: kalshi operations --search TEXT.")
            // Deferred, so that other commands do not build 200 subcommands.
            .defer(|command| {
                command.subcommands(OPERATIONS.iter().map(subcommand))
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Call {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Some((name, matches)) = matches.subcommand() else {
            return Err(clap::Error::raw(
                ErrorKind::MissingSubcommand,
                "an operation is required\n",
            ));
        };
        let Some(&NamedOperation { api, operation, .. }) = find_operation(name) else {
            return Ok(Self(Err(unknown_operation(name))));
        };
        let arguments = operation.parameters.iter().filter_map(|parameter| {
            let values = matches.get_many::<String>(&argument_id(parameter))?;
            Some((parameter, values.cloned().collect()))
        });
        Ok(Self(Ok(Invocation {
            api,
            operation,
            arguments: Arguments(arguments.collect()),
            body: match operation.has_body {
                true => matches.get_one(BODY).cloned(),
                false => None,
            },
            all: operation.paging.is_some() && matches.get_flag(ALL_PAGES),
        })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// An operation with its name on the command line, such as `get-markets`. A name that several APIs have is prefixed with the name of
/// the API: `perps:get-markets`.
pub(crate) struct NamedOperation {
    pub(crate) name: String,
    pub(crate) api: Api,
    pub(crate) operation: &'static Operation,
    is_ambiguous: bool,
}

/// The operations of the three APIs.
pub(crate) static OPERATIONS: LazyLock<Vec<NamedOperation>> = LazyLock::new(|| {
    let all = || {
        let apis = Api::ALL.into_iter();
        apis.flat_map(|api| {
            api.operations()
                .iter()
                .map(move |operation| (api, operation))
        })
    };
    let named = all().map(|(api, operation)| {
        let is_ambiguous = all().filter(|(_, it)| it.id == operation.id).count() > 1;
        let name = kebab_case(operation.id);
        NamedOperation {
            name: match is_ambiguous {
                true => format!("{}:{name}", api.name()),
                false => name,
            },
            api,
            operation,
            is_ambiguous,
        }
    });
    named.collect()
});

/// Returns the name of a bucket.
pub(crate) fn bucket_name(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Read => "read",
        Bucket::Write => "write",
        Bucket::Balance => "balance",
        _ => "other",
    }
}

/// Returns the operation with this command-line name, or `None` if no operation has it.
fn find_operation(name: &str) -> Option<&'static NamedOperation> {
    OPERATIONS.iter().find(|named| named.name == name)
}

/// Returns the error for a name that is unknown or ambiguous.
fn unknown_operation(name: &str) -> Failure {
    let normalized = kebab_case(name).replace('_', "-");
    let matching = OPERATIONS.iter();
    let matching: Vec<_> = matching
        .filter(|named| kebab_case(named.operation.id) == normalized)
        .map(|named| &*named.name)
        .collect();
    if !matching.is_empty() {
        return Failure::usage(format!(
            "{normalized} is an operation of more than one API: write {}",
            matching.join(" or ")
        ));
    }
    let nearest = OPERATIONS
        .iter()
        .map(|named| {
            let similarity = strsim::normalized_damerau_levenshtein(&named.name, &normalized);
            (similarity, &named.name)
        })
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut message = format!("there is no operation {name:?}");
    if let Some((_, nearest)) = nearest.filter(|(similarity, _)| *similarity > 0.6) {
        message.push_str(&format!("; did you mean {nearest}?"));
    }
    message.push_str(" `kalshi operations --search TEXT` lists operations");
    Failure::usage(message)
}

/// Returns `get-markets` for `GetMarkets`, and `get-rfqs` for `GetRFQs`.
fn kebab_case(id: &str) -> String {
    let mut out = String::with_capacity(id.len() + 8);
    let mut rest = id.chars();
    let mut previous: Option<char> = None;
    while let Some(c) = rest.next() {
        let mut after = rest.clone();
        let (next, after) = (after.next(), after.next());
        // The plural `s` of an abbreviation does not begin a word.
        let is_plural = next == Some('s') && after.is_none_or(|c| c.is_ascii_uppercase());
        let begins_word = previous.is_some_and(|previous| {
            !previous.is_ascii_uppercase()
                || next.is_some_and(|next| next.is_ascii_lowercase()) && !is_plural
        });
        if c.is_ascii_uppercase() && begins_word {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        previous = Some(c);
    }
    out
}

fn subcommand(named: &'static NamedOperation) -> Command {
    let NamedOperation {
        name,
        api,
        operation,
        is_ambiguous,
    } = named;
    let kebab_name = kebab_case(operation.id);
    let qualified = |name: &str| format!("{}:{name}", api.name());
    let snake = kebab_name.replace('-', "_");
    let mut aliases = vec![qualified(&snake), qualified(operation.id)];
    if !is_ambiguous {
        aliases.extend([qualified(&kebab_name), snake, operation.id.to_owned()]);
    }
    Command::new(&**name)
        .aliases(aliases)
        .about(sanitize(operation.summary))
        .defer(add_options)
}

/// Adds the options of an operation to its subcommand.
fn add_options(command: Command) -> Command {
    let Some(&NamedOperation { operation, .. }) = find_operation(command.get_name()) else {
        return command;
    };
    let reserved: Vec<String> = command
        .get_arguments()
        .filter_map(|argument| Some(argument.get_long()?.to_owned()))
        .chain(["all", "body", "help"].map(str::to_owned))
        .collect();
    let parameters = operation.parameters.iter();
    let mut command = command
        .long_about(StyledStr::from(description(operation)))
        .args(parameters.map(|parameter| argument(parameter, &reserved)));
    if operation.has_body {
        command = command.arg(
            Arg::new(BODY)
                .long("body")
                .value_name("JSON|@FILE")
                .required(true)
                .allow_hyphen_values(true)
                .help(
                    "The body as JSON, or @FILE to read it from a file, or @- from standard input",
                ),
        );
    }
    if operation.paging.is_some() {
        command = command.arg(
            Arg::new(ALL_PAGES)
                .long("all")
                .action(ArgAction::SetTrue)
                .help("Read all pages, and print each as a document of its own"),
        );
    }
    command
}

/// Returns the long help of an operation: summary, path, access and cost.
fn description(operation: &Operation) -> String {
    let access = match operation.auth {
        true => "signed",
        false => "public",
    };
    let mut text = format!(
        "{}\n\n{} {}\n{}, {access}, ",
        sanitize(operation.summary),
        operation.method,
        operation.path,
        operation.id,
    );
    text.push_str(&match operation.token_cost_per_item {
        Some(tokens) => format!("{tokens} tokens per item"),
        None if operation.token_cost == 1 => "1 token".to_owned(),
        None => format!("{} tokens", operation.token_cost),
    });
    text.push_str(&format!(
        " from the {} bucket",
        bucket_name(operation.bucket)
    ));
    if let Some((parameter, tokens)) = operation.token_cost_with {
        text.push_str(&format!(" ({tokens} with {parameter})"));
    }
    let attributes = [
        (operation.paging.is_some(), ", paginated"),
        (operation.deprecated, ", deprecated"),
        (operation.returns_secret, ", returns a secret"),
    ];
    text.extend(
        attributes
            .iter()
            .filter(|(applies, _)| *applies)
            .map(|(_, text)| *text),
    );
    text
}

fn argument_id(parameter: &Parameter) -> String {
    format!("parameter {}", parameter.name)
}

/// Returns the option for a parameter. It begins with `--param-` if a global option has the same name.
pub(super) fn argument(parameter: &'static Parameter, reserved: &[String]) -> Arg {
    let mut long = parameter.name.replace('_', "-");
    if reserved.contains(&long) {
        long = format!("param-{long}");
    }
    let mut help = sanitize(parameter.description);
    if parameter.deprecated {
        help = format!("Deprecated. {help}");
    }
    if parameter.required {
        help.push_str(" [required]");
    }
    let mut argument = Arg::new(argument_id(parameter))
        .long(long.clone())
        .required(parameter.required)
        .help(help)
        .value_name(type_name(parameter.kind));
    if parameter.name != long && parameter.name.contains('_') && !long.starts_with("param-") {
        argument = argument.alias(parameter.name);
    }
    argument = match parameter.list {
        Some(_) => argument.action(ArgAction::Append),
        None => argument,
    };
    match parameter.kind {
        ParameterType::Boolean => {
            argument.value_parser(PossibleValuesParser::new(["true", "false"]))
        }
        ParameterType::String => match parameter.values {
            [] => argument.allow_hyphen_values(true),
            known => argument.value_parser(OpenValues(known)),
        },
        _ => argument
            .value_parser(json_number)
            .allow_negative_numbers(true),
    }
}

fn type_name(kind: ParameterType) -> &'static str {
    match kind {
        ParameterType::Boolean => "BOOLEAN",
        ParameterType::Integer => "INTEGER",
        ParameterType::Number => "NUMBER",
        ParameterType::UnixSeconds => "UNIX_SECONDS",
        ParameterType::UnixMillis => "UNIX_MILLISECONDS",
        _ => "TEXT",
    }
}

/// Accepts a JSON number, and returns it unchanged.
fn json_number(text: &str) -> Result<String, String> {
    match serde_json::from_str::<serde_json::Number>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("not a number".to_owned()),
    }
}

/// Accepts any string, and offers the known values in help and completions. The exchange may accept newer values.
#[derive(Clone)]
struct OpenValues(&'static [&'static str]);

impl TypedValueParser for OpenValues {
    type Value = String;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        let text = value.to_str().map(str::to_owned);
        text.ok_or_else(|| clap::Error::raw(ErrorKind::InvalidUtf8, "a value is not UTF-8\n"))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}
