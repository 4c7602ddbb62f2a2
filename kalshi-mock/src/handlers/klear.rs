//! Responses of the clearing API: samples with the ids, dates and filters of the request.

use super::common::{HandlerResult, echo};
use crate::call::Call;

pub(super) fn respond(call: &Call<'_>) -> HandlerResult {
    Ok(echo(call))
}
