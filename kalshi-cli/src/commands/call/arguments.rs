//! Arguments of an operation, and the request built from them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
};

use kalshi_sdk::{
    CustomRequest, Operation,
    operation::{ListFormat, Location, Parameter},
};
use serde_json::value::RawValue;

use crate::{api::ApiClient, failure::Failure};

/// The given parameters and their values.
pub(super) struct Arguments(pub(super) Vec<(&'static Parameter, Vec<String>)>);

impl Arguments {
    /// Returns the given cursor, or `None` if the list is read from its start.
    pub(super) fn cursor(&self, operation: &Operation) -> Option<&str> {
        let name = operation.paging?.cursor_parameter;
        let mut parameters = self.0.iter();
        let (_, values) = parameters.find(|(parameter, _)| parameter.name == name)?;
        values.first().map(String::as_str)
    }

    /// Returns the request for the page at `cursor`, which is ignored if the operation is not paginated.
    pub(super) fn request(
        &self,
        client: &ApiClient,
        operation: &'static Operation,
        body: Option<&RawValue>,
        cursor: Option<&str>,
    ) -> Result<CustomRequest, Failure> {
        let in_location = |location| {
            let parameters = self.0.iter();
            parameters.filter(move |(parameter, _)| parameter.location == location)
        };
        let in_path: Vec<_> = in_location(Location::Path)
            .flat_map(|(parameter, values)| values.iter().map(|value| (parameter.name, &**value)))
            .collect();
        let path = operation.path_with(&in_path).map_err(Failure::usage)?;
        let mut request = client.request(operation.method.clone(), path);
        if !operation.auth {
            request = request.unsigned();
        }
        let cursor_parameter = operation.paging.map(|paging| paging.cursor_parameter);
        for (parameter, values) in in_location(Location::Query) {
            if Some(parameter.name) == cursor_parameter {
                continue;
            }
            if parameter.list == Some(ListFormat::CommaSeparated) {
                request = request.query(&[(parameter.name, values.join(","))]);
                continue;
            }
            for value in values {
                request = request.query(&[(parameter.name, value)]);
            }
        }
        if let (Some(name), Some(cursor)) = (cursor_parameter, cursor) {
            request = request.query(&[(name, cursor)]);
        }
        for (parameter, values) in in_location(Location::Header) {
            for value in values {
                request = request.header(parameter.name, value);
            }
        }
        Ok(match body {
            Some(body) => request.json(body),
            None => request,
        })
    }
}

/// Returns the JSON of `--body`, which is JSON, `@FILE`, or `@-` for standard input. Numbers keep all their digits.
pub(super) fn read_body(argument: &str) -> Result<Box<RawValue>, Failure> {
    let text = match argument.strip_prefix('@') {
        Some("-") => {
            let mut text = String::new();
            io::stdin().lock().read_to_string(&mut text)?;
            text
        }
        Some(path) => fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("cannot read the body {path}: {error}")))?,
        None => argument.to_owned(),
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("the body is not JSON: {error}")))
}

/// Returns the cursor of the next page, or `None` after the last one.
pub(super) fn next_cursor(text: &str, field: &str) -> Result<Option<String>, Failure> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let Some(cursor) = fields.get(field) else {
        return Ok(None);
    };
    let cursor: Option<String> = serde_json::from_str(cursor.get())?;
    Ok(cursor.filter(|cursor| !cursor.is_empty()))
}
