//! Secrets Manager and Systems Manager's Parameter Store, as far as they are looked at.

use serde_json::{Value, json};

use super::error::{Answer, ApiError};
use super::input::Input;
use super::page::page;
use crate::aws::Moment;
use crate::secrets::{Entry, Secrets, Store};

pub(super) fn secrets_manager(secrets: &Secrets, operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "DescribeSecret" => secret(secrets, input).map(|entry| {
            json!({
                "ARN": entry.arn(),
                "Name": entry.name,
                "CreatedDate": entry.created_at.to_json(),
                "LastChangedDate": entry.changed_at.to_json(),
                "VersionIdsToStages": { version_id(&entry): ["AWSCURRENT"] },
                "Tags": [],
            })
        }),
        "GetSecretValue" => secret(secrets, input).map(|entry| {
            json!({
                "ARN": entry.arn(),
                "Name": entry.name,
                "VersionId": version_id(&entry),
                "SecretString": entry.value.expose(),
                "VersionStages": ["AWSCURRENT"],
                "CreatedDate": entry.changed_at.to_json(),
            })
        }),
        _ => return None,
    })
}

fn secret(secrets: &Secrets, input: &Input) -> Result<Entry, ApiError> {
    let id = input.required("SecretId")?;
    secrets.secret(id).ok_or_else(|| {
        ApiError::new(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        )
    })
}

/// A UUID in form, the version's number in substance.
fn version_id(entry: &Entry) -> String {
    format!("00000000-0000-4000-8000-{:012x}", entry.version)
}

pub(super) fn parameter_store(secrets: &Secrets, operation: &str, input: &Input) -> Option<Answer> {
    Some(match operation {
        "GetParameter" => input.required("Name").and_then(|name| {
            let entry = secrets
                .parameter(name)
                .ok_or_else(|| ApiError::new("ParameterNotFound", ""))?;
            Ok(json!({ "Parameter": parameter(&entry) }))
        }),
        "GetParameters" => Ok(parameters(secrets, input)),
        "DescribeParameters" => describe_parameters(secrets, input),
        _ => return None,
    })
}

fn parameters(secrets: &Secrets, input: &Input) -> Value {
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in input.texts("Names") {
        match secrets.parameter(name) {
            Some(entry) => found.push(parameter(&entry)),
            None => invalid.push(name),
        }
    }
    json!({ "Parameters": found, "InvalidParameters": invalid })
}

fn parameter(entry: &Entry) -> Value {
    json!({
        "Name": entry.name,
        "Type": "SecureString",
        "Value": entry.value.expose(),
        "Version": entry.version,
        "LastModifiedDate": entry.changed_at.to_json(),
        "ARN": entry.arn(),
        "DataType": "text",
    })
}

fn describe_parameters(secrets: &Secrets, input: &Input) -> Answer {
    let filters = input.list("ParameterFilters");
    let mut names: Option<Vec<&str>> = None;
    for filter in filters {
        let text = |member: &str| filter.get(member).and_then(Value::as_str);
        if text("Key") != Some("Name") || text("Option").unwrap_or("Equals") != "Equals" {
            return Err(ApiError::new(
                "InvalidFilterKey",
                "The local environment rehearses filters by the whole Name only.",
            ));
        }
        let values = filter.get("Values").and_then(Value::as_array);
        names = values.map(|values| values.iter().filter_map(Value::as_str).collect());
    }
    let shown = secrets
        .list()
        .into_iter()
        .filter(|entry| entry.store == Store::ParameterStore)
        .filter(|entry| {
            names
                .as_ref()
                .is_none_or(|names| names.contains(&entry.name.as_str()))
        })
        .map(|entry| {
            json!({
                "Name": entry.name,
                "ARN": entry.arn(),
                "Type": "SecureString",
                "KeyId": "alias/aws/ssm",
                "LastModifiedDate": Moment::to_json(entry.changed_at),
                "Version": entry.version,
                "Tier": "Standard",
                "DataType": "text",
            })
        })
        .collect();
    let (shown, next): (Vec<Value>, _) = page(shown, input, "MaxResults", 50)?;
    Ok(json!({ "Parameters": shown, "NextToken": next }))
}
