//! `kalshi call`: calls any operation of the three APIs, and prints the response.

mod arguments;
mod command_line;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use kalshi_sdk::{Operation, reqwest::Method};
use serde_json::value::RawValue;
use tokio::signal;

use self::arguments::Arguments;
pub(crate) use self::command_line::{NamedOperation, OPERATIONS, bucket_name};
use super::interrupt::unless_interrupted;
use crate::{
    api::{Api, ApiClient},
    context::Context,
    failure::{Exit, Failure},
    output::Record,
};

/// A parsed call, or the error if no operation has the given name.
pub(crate) struct Call(Result<Invocation, Failure>);

impl Call {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.0?.run(context).await
    }
}

/// An operation with its arguments.
struct Invocation {
    api: Api,
    operation: &'static Operation,
    arguments: Arguments,
    /// JSON, `@FILE`, or `@-` for standard input.
    body: Option<String>,
    /// Reads all pages of a list if `true`.
    all: bool,
}

impl Invocation {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        context.output.check_raw_json()?;
        let body = self.body.as_deref().map(arguments::read_body).transpose()?;
        let needs_key = self.operation.auth && !context.dry_run;
        let client = ApiClient::new(context, self.api, needs_key)?;
        // The request is validated before the question is asked.
        let request = self.arguments.request(
            &client,
            self.operation,
            body.as_deref(),
            self.arguments.cursor(self.operation),
        )?;
        let request = request.build().map_err(Failure::usage)?;
        if context.dry_run {
            let text = |body: &kalshi_sdk::reqwest::Body| {
                String::from_utf8_lossy(body.as_bytes().unwrap_or_default()).into_owned()
            };
            let record = Record::new("request")
                .field("exchange", context.exchange())
                .field("method", request.method().as_str())
                .field("url", request.url().as_str())
                .field("body", request.body().map(text));
            context.output.print([record])?;
            return Ok(Exit::Success);
        }
        if self.operation.method == Method::GET {
            return tokio::select! {
                result = self.read(&client, context) => result.map(|()| Exit::Success),
                Ok(()) = signal::ctrl_c() => Ok(Exit::Interrupted),
            };
        }
        let question = format!(
            "{}: {} {}?",
            context.exchange(),
            request.method(),
            request.url()
        );
        if !context.confirm(&question)? {
            context.output.note("nothing was sent");
            return Ok(Exit::Failure);
        }
        let spinner = context.output.spinner("sending the request");
        let cursor = self.arguments.cursor(self.operation);
        let response = self.fetch_page(&client, body.as_deref(), cursor);
        let response = unless_interrupted(response).await;
        spinner.finish();
        let response = response
            .ok_or_else(|| Failure::unknown("interrupted before the response arrived"))??;
        self.print_written(&response, context);
        Ok(Exit::Success)
    }

    /// Prints the response to a write. The exit code reports the outcome even if the output cannot be written, and the response, which
    /// may be needed to undo the write, goes to standard error.
    fn print_written(&self, text: &str, context: &Context) {
        let Err(failure) = context.output.raw_json(text) else {
            return;
        };
        // Standard error may be a log, which must not contain a secret.
        let response = match self.operation.returns_secret && !std::io::stderr().is_terminal() {
            true => "it contains a secret, which is lost: revoke it, and repeat the request",
            false => text,
        };
        context.output.note(&format!(
            "the request was executed, but its response cannot be printed: {failure}\n{response}"
        ));
    }

    /// Sends a read and prints the response, or each page of a list.
    async fn read(&self, client: &ApiClient, context: &Context) -> Result<(), Failure> {
        let mut cursor = self.arguments.cursor(self.operation).map(str::to_owned);
        let mut pages = 0;
        loop {
            let progress = context.output.progress("responses");
            for _ in 0..pages {
                progress.increment();
            }
            let text = self.fetch_page(client, None, cursor.as_deref()).await?;
            progress.finish();
            pages += 1;
            context.output.raw_json(&text)?;
            let Some(paging) = self.operation.paging.filter(|_| self.all) else {
                return Ok(());
            };
            let Some(next) = arguments::next_cursor(&text, paging.cursor_field)? else {
                return Ok(());
            };
            if cursor.as_ref() == Some(&next) {
                return Err(
                    "the exchange repeated the cursor, so the list appears to be endless".into(),
                );
            }
            cursor = Some(next);
        }
    }

    /// Sends the request, and returns the response as received.
    async fn fetch_page(
        &self,
        client: &ApiClient,
        body: Option<&RawValue>,
        cursor: Option<&str>,
    ) -> Result<String, Failure> {
        let request = self
            .arguments
            .request(client, self.operation, body, cursor)?;
        let is_write = self.operation.method != Method::GET;
        let text = match request.send_text().await {
            Ok(response) => response.into_inner(),
            Err(error) if is_write && error.may_have_taken_effect() => {
                return Err(Failure::unknown(error));
            }
            Err(error) if is_write && !error.was_not_processed() => {
                return Err(Failure::rejected(error));
            }
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_str::<&RawValue>(&text) {
            Err(error) if !text.trim().is_empty() => {
                let error = format!("the response is not JSON: {error}");
                Err(match is_write {
                    true => Failure::unknown(error),
                    false => error.into(),
                })
            }
            _ => Ok(text),
        }
    }
}
