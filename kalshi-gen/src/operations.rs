//! The operations of a spec, and the documentation of the client's methods.

mod table;

use quote::format_ident;
use serde_json::{Map, Value};

pub(crate) use self::table::table;
use crate::{
    docs,
    error::{Error, JsonPath},
    names, scalars,
    spec::{self, follow, str_field},
    unix_time::UnixTime,
};

/// The field of a parameter in which a fixup stores the name of the setter for several values.
pub(crate) const PLURAL: &str = "x-kalshi-plural";

/// Default cost of an operation in tokens.
pub const DEFAULT_TOKEN_COST: u64 = 10;

/// An operation of the spec.
pub struct Operation {
    /// The `operationId` of the spec.
    pub id: String,
    /// The HTTP method in capitals.
    pub method: String,
    /// The path with parameters in braces.
    pub path: String,
    /// The first tag, or an empty string.
    pub tag: String,
    /// The summary, or an empty string.
    pub summary: String,
    /// The description, or an empty string.
    pub description: String,
    /// `true` if the exchange requires a signature.
    pub auth: bool,
    /// Tokens that a request takes.
    pub token_cost: u64,
    /// Tokens that each item of a batch takes, or `None` if the operation is not a batch.
    pub token_cost_per_item: Option<u64>,
    /// A boolean query parameter and the tokens that a request takes if it is `true`. `None` if no parameter changes the cost.
    pub token_cost_with: Option<(String, u64)>,
    /// The bucket: `read`, `write` or `balance`.
    pub bucket: String,
    /// `true` if requests take tokens ahead of others.
    pub takes_priority: bool,
    /// `true` if the spec marks the operation as deprecated.
    pub deprecated: bool,
    /// The pagination, or `None` if the operation is not paginated.
    pub paging: Option<Paging>,
    /// The parameters, starting with those of the path item.
    pub parameters: Vec<Parameter>,
    /// `true` if the request has a body.
    pub has_body: bool,
    /// The name of the response's schema, or `None` if it has no name.
    pub response: Option<String>,
    /// `true` if the response contains a secret, such as a private key.
    pub returns_secret: bool,
}

/// A parameter of an operation.
pub struct Parameter {
    /// The name in the request.
    pub name: String,
    /// The description, or an empty string.
    pub description: String,
    /// The variant of `ParameterType` that describes the value, or each value of a list.
    pub kind: &'static str,
    /// The known values, or an empty list.
    pub values: Vec<String>,
    /// `true` for a list, in either form.
    pub is_list: bool,
    /// `true` if the parameter is a segment of the path.
    pub in_path: bool,
    /// `true` if the parameter is required.
    pub required: bool,
    /// `true` for a list that is sent as one comma-separated value.
    pub comma_separated: bool,
    /// `true` if the parameter is sent as a header.
    pub in_header: bool,
    /// The unit of a Unix time, or `None` for other parameters.
    pub unix_time: Option<UnixTime>,
    /// `true` if the spec marks the parameter as deprecated.
    pub deprecated: bool,
    /// The name of the setter for several values, if the parameter's own name is singular.
    pub plural: Option<String>,
}

/// Pagination of a list.
pub struct Paging {
    /// The parameter for the cursor.
    pub cursor_parameter: String,
    /// The response field with the next cursor.
    pub cursor_field: String,
    /// The parameter for the page size, or `None` if the page size is fixed.
    pub limit_parameter: Option<String>,
    /// The response field with the list, or `None` if there are several lists.
    pub items_field: Option<String>,
    /// The response fields with lists.
    pub lists: Vec<String>,
}

/// Returns all operations of a normalised spec.
pub fn list(tree: &Value) -> Result<Vec<Operation>, Error> {
    spec::operations(tree)
        .map(|(path, method, node)| operation(tree, path, method, node))
        .collect()
}

fn operation(
    tree: &Value,
    path: &str,
    method: &str,
    node: &Map<String, Value>,
) -> Result<Operation, Error> {
    let location = JsonPath::new(&["paths", path, method]);
    let string = |key| str_field(node, key).unwrap_or_default().trim().to_owned();
    let parameters: Vec<_> = node
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let has_body = node.contains_key("requestBody");
    let bucket = match node.get("x-rate-bucket") {
        Some(bucket) => match bucket.as_str() {
            Some(bucket @ ("read" | "write" | "balance")) => bucket.to_owned(),
            other => {
                let other = other.map_or_else(|| bucket.to_string(), str::to_owned);
                return Err(Error::at(
                    &location.join("x-rate-bucket"),
                    format!("`{other}` is not one of read, write and balance"),
                ));
            }
        },
        None if method == "get" => "read".to_owned(),
        None => "write".to_owned(),
    };
    Ok(Operation {
        id: string("operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        tag: node
            .get("tags")
            .and_then(|tags| tags.get(0)?.as_str())
            .unwrap_or_default()
            .to_owned(),
        summary: string("summary"),
        description: string("description"),
        // An empty requirement makes the signature optional.
        auth: node
            .get("security")
            .and_then(Value::as_array)
            .is_some_and(|list| {
                !list.is_empty()
                    && !list
                        .iter()
                        .any(|one| one.as_object().is_some_and(Map::is_empty))
            }),
        token_cost: cost(node, "x-token-cost", &location)?.unwrap_or(DEFAULT_TOKEN_COST),
        token_cost_per_item: cost(node, "x-token-cost-per-item", &location)?,
        token_cost_with: cost_with(&parameters, &location)?,
        takes_priority: flag(node, "x-priority", &location)?
            .unwrap_or(method == "delete" && bucket == "write"),
        bucket,
        deprecated: node.get("deprecated") == Some(&Value::Bool(true)),
        paging: paging(tree, node, &parameters),
        parameters: self::parameters(tree, parameters),
        has_body,
        response: success_schema(node)
            .and_then(|schema| spec::schema_name(spec::reference(schema)?))
            .map(str::to_owned),
        returns_secret: spec::referenced_schemas(tree, success_schema(node).into_iter())
            .contains(scalars::SECRET),
    })
}

/// Returns the schema of the success response of a normalised operation.
pub fn success_schema(node: &Map<String, Value>) -> Option<&Value> {
    let responses = node.get("responses")?.as_object()?;
    let (_, response) = responses
        .iter()
        .find(|(status, _)| status.starts_with('2'))?;
    response.pointer("/content/application~1json/schema")
}

fn cost(node: &Map<String, Value>, key: &str, location: &JsonPath) -> Result<Option<u64>, Error> {
    node.get(key)
        .map(|cost| {
            let cost = cost.as_u64().filter(|cost| u32::try_from(*cost).is_ok());
            cost.ok_or_else(|| Error::at(&location.join(key), "a cost is a whole number of tokens"))
        })
        .transpose()
}

/// Returns the parameter that changes the cost of its operation.
fn cost_with(
    parameters: &[&Map<String, Value>],
    location: &JsonPath,
) -> Result<Option<(String, u64)>, Error> {
    let mut found = None;
    for node in parameters {
        let name = str_field(node, "name").unwrap_or_default();
        let location = location.join("parameters").join(name);
        let Some(tokens) = cost(node, "x-token-cost", &location)? else {
            continue;
        };
        let kind = node.get("schema").and_then(|schema| schema.get("type"));
        let is_flag = kind.and_then(Value::as_str) == Some("boolean");
        if !is_flag || str_field(node, "in") != Some("query") {
            let message = "only a boolean query parameter can have a cost of its own";
            return Err(Error::at(&location, message));
        }
        if found.replace((name.to_owned(), tokens)).is_some() {
            let message = "a second parameter of the operation has a cost of its own";
            return Err(Error::at(&location, message));
        }
    }
    Ok(found)
}

fn flag(node: &Map<String, Value>, key: &str, location: &JsonPath) -> Result<Option<bool>, Error> {
    node.get(key)
        .map(|flag| {
            let flag = flag.as_bool();
            flag.ok_or_else(|| Error::at(&location.join(key), "must be true or false"))
        })
        .transpose()
}

fn parameters(tree: &Value, nodes: Vec<&Map<String, Value>>) -> Vec<Parameter> {
    let mut parameters: Vec<_> = nodes
        .into_iter()
        .map(|node| parameter(tree, node))
        .collect();
    let names: Vec<_> = parameters
        .iter()
        .map(|parameter| names::field(&parameter.name))
        .collect();
    for parameter in &mut parameters {
        // Another parameter with that name needs the setter.
        parameter.plural.take_if(|plural| names.contains(plural));
    }
    parameters
}

fn parameter(tree: &Value, node: &Map<String, Value>) -> Parameter {
    let list = node
        .get("schema")
        .and_then(|schema| schema.get("type")?.as_str())
        == Some("array");
    let name = str_field(node, "name").unwrap_or_default();
    let description = str_field(node, "description").unwrap_or_default().trim();
    let schema = node.get("schema").and_then(Value::as_object);
    let unix_time = schema.and_then(|schema| UnixTime::from_schema(name, schema, description));
    let value = node.get("schema").map(|schema| {
        let schema = follow(tree, schema);
        follow(tree, schema.get("items").unwrap_or(schema))
    });
    let values = value.and_then(|value| value.get("enum")?.as_array());
    Parameter {
        name: name.to_owned(),
        description: description.to_owned(),
        kind: match (
            unix_time,
            value.and_then(|value| value.get("type")?.as_str()),
        ) {
            (Some(UnixTime::Seconds), _) => "UnixSeconds",
            (Some(UnixTime::Millis), _) => "UnixMillis",
            (None, Some("integer")) => "Integer",
            (None, Some("number")) => "Number",
            (None, Some("boolean")) => "Boolean",
            (None, _) => "String",
        },
        values: values
            .into_iter()
            .flatten()
            .filter_map(|value| Some(value.as_str()?.to_owned()))
            .collect(),
        is_list: list,
        in_path: str_field(node, "in") == Some("path"),
        unix_time,
        deprecated: node.get("deprecated") == Some(&Value::Bool(true)),
        plural: str_field(node, PLURAL).filter(|_| list).map(str::to_owned),
        required: node.get("required") == Some(&Value::Bool(true)),
        in_header: str_field(node, "in") == Some("header"),
        comma_separated: list && node.get("explode") == Some(&Value::Bool(false)),
    }
}

/// Returns the pagination of an operation that takes a cursor and responds with one.
fn paging(
    tree: &Value,
    node: &Map<String, Value>,
    parameters: &[&Map<String, Value>],
) -> Option<Paging> {
    let find_parameter = |names: &[&str]| {
        let mut found = names.iter().filter(|name| {
            parameters
                .iter()
                .any(|other| str_field(other, "name") == Some(name))
        });
        found.next().map(ToString::to_string)
    };
    let schema = follow(tree, success_schema(node)?);
    let properties = schema.get("properties")?.as_object()?;
    let is_string = |name: &str| {
        let schema = properties.get(name).map(|schema| follow(tree, schema));
        schema.is_some_and(|schema| {
            schema.get("type").and_then(Value::as_str) == Some("string")
                && schema.get("format").is_none()
                && schema.get("enum").is_none()
        })
    };
    let cursor_field = ["cursor", "next_cursor"]
        .into_iter()
        .find(|name| is_string(name))?;
    let lists: Vec<String> = properties
        .iter()
        .filter(|(_, property)| property.get("type").and_then(Value::as_str) == Some("array"))
        .map(|(name, _)| name.clone())
        .collect();
    Some(Paging {
        cursor_parameter: find_parameter(&["cursor"])?,
        cursor_field: cursor_field.to_owned(),
        limit_parameter: find_parameter(&["limit", "page_size"]),
        items_field: match &lists[..] {
            [name] => Some(name.clone()),
            _ => None,
        },
        lists,
    })
}

impl Operation {
    /// Returns the name of the operation's constant, such as `GET_MARKETS`.
    pub(crate) fn constant(&self) -> syn::Ident {
        format_ident!("{}", names::snake(&self.id).to_ascii_uppercase())
    }

    /// Returns the method and path as inline code.
    pub(crate) fn route(&self) -> String {
        docs::inline_code(&format!("{} {}", self.method, self.path))
    }

    /// Returns the documentation of the client's method. `preferred` is the hand-written alternative to recommend.
    pub(crate) fn doc(&self, preferred: Option<&str>) -> String {
        let (summary, description) = (
            docs::markdown(&self.summary),
            docs::markdown(&self.description),
        );
        let mut doc = String::new();
        if summary.is_empty() {
            doc.push_str(&format!("`{}`.", self.id));
        } else {
            doc.push_str(&format!("{}.", summary.trim_end_matches('.')));
        }
        if let Some(preferred) = preferred {
            doc.push_str(&format!("\n\nPrefer {preferred}."));
        }
        if !description.is_empty() {
            doc.push_str(&format!("\n\n{description}"));
        }
        let access = if self.auth { "signed" } else { "public" };
        let cost = match self.token_cost_per_item {
            Some(per_item) => format!("{per_item} tokens per item"),
            None if self.token_cost == 1 => "1 token".to_owned(),
            None => format!("{} tokens", self.token_cost),
        };
        doc.push_str(&format!(
            "\n\n{}, operation `{}`: {access}, {cost} from the {} bucket",
            self.route(),
            self.id,
            self.bucket
        ));
        if let Some((parameter, tokens)) = &self.token_cost_with {
            doc.push_str(&format!(" ({tokens} with `{parameter}`)"));
        }
        if self.paging.is_some() {
            doc.push_str(", paginated");
        }
        doc.push('.');
        let list = |required: bool| {
            let chosen = self
                .parameters
                .iter()
                .filter(|parameter| parameter.required == required);
            chosen
                .map(|parameter| format!("`{}`", parameter.name))
                .collect::<Vec<_>>()
                .join(", ")
        };
        for (label, parameters) in [("Required", list(true)), ("Optional", list(false))] {
            if !parameters.is_empty() {
                doc.push_str(&format!("\n\n{label}: {parameters}."));
            }
        }
        doc
    }
}
