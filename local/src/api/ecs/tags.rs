use serde_json::json;

use super::{is_cluster, show_tags};
use crate::api::error::{Answer, ApiError};
use crate::api::input::Input;
use crate::aws::{Moment, names};
use crate::state::{State, Tag, merge_tags};

/// The tags of the resource that an ARN names.
fn of<'a>(state: &'a mut State, arn: &str) -> Result<&'a mut Vec<Tag>, ApiError> {
    if is_cluster(arn) {
        return Ok(&mut state.cluster_tags);
    }
    let definitions = state.task_definitions.iter_mut();
    if let Some(definition) = definitions
        .filter(|definition| definition.arn() == arn)
        .last()
    {
        return Ok(&mut definition.tags);
    }
    let mut services = state.services.iter_mut();
    if let Some(service) = services.find(|service| names::service(&service.name) == arn) {
        return Ok(&mut service.tags);
    }
    let mut tasks = state.tasks.iter_mut();
    if let Some(task) = tasks.find(|task| names::task(&task.id) == arn) {
        return Ok(&mut task.tags);
    }
    Err(ApiError::invalid(
        "The specified resource does not exist. Specify a valid ARN and try again.",
    ))
}

pub(super) fn tag(state: &mut State, input: &Input, _: Moment) -> Answer {
    let new = input.tags("tags")?;
    merge_tags(of(state, input.required("resourceArn")?)?, new);
    Ok(json!({}))
}

pub(super) fn untag(state: &mut State, input: &Input, _: Moment) -> Answer {
    let keys = input.texts("tagKeys");
    of(state, input.required("resourceArn")?)?.retain(|tag| !keys.contains(&tag.key.as_str()));
    Ok(json!({}))
}

pub(super) fn list(state: &mut State, input: &Input, _: Moment) -> Answer {
    Ok(json!({ "tags": show_tags(of(state, input.required("resourceArn")?)?) }))
}
