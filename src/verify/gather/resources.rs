//! What a task definition refers to: the log group, secrets and parameters, roles.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::arn::last_part;
use crate::aws::direct::{Question, Service};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::verify::gather::unseen;
use crate::verify::{Fetched, LogGroup, Missing, Role, Secret, Task, Verdict};

pub(super) async fn log_group(
    clients: &Clients,
    environment: &Environment,
    task: &Fetched<Task>,
) -> Fetched<LogGroup> {
    let task = task.as_ref().map_err(|_| unseen("task definition"))?;
    let container = task.container(&environment.container);
    let Some(name) = container.and_then(|container| container.log_group.clone()) else {
        return Err(Missing::Other(
            "the container names no awslogs-group".into(),
        ));
    };
    if let Some(region) = container.and_then(|container| container.log_region.as_deref())
        && region != environment.region
    {
        return Err(Missing::Other(format!(
            "{name} is in another region, {region}"
        )));
    }
    let mut pages = clients
        .logs
        .describe_log_groups()
        .log_group_name_prefix(&name)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::new("logs:DescribeLogGroups", &name, &error))?;
        let found = page
            .log_groups()
            .iter()
            .find(|group| group.log_group_name() == Some(&name));
        if let Some(group) = found {
            return Ok(LogGroup {
                name,
                exists: true,
                retention_days: group.retention_in_days(),
            });
        }
    }
    Ok(LogGroup {
        name,
        exists: false,
        retention_days: None,
    })
}

pub(super) async fn secrets(clients: &Clients, task: &Fetched<Task>) -> Fetched<Vec<Secret>> {
    let task = task.as_ref().map_err(|_| unseen("task definition"))?;
    let references = task
        .containers
        .iter()
        .flat_map(|container| &container.secrets);
    Ok(join_all(references.map(|(variable, reference)| async move {
        Secret {
            variable: variable.clone(),
            reference: reference.clone(),
            state: secret(clients, reference).await,
        }
    }))
    .await)
}

/// Where `valueFrom` leads.
#[derive(Debug, PartialEq, Eq)]
enum Reference {
    /// Secrets Manager, by the secret's ARN.
    Secret(String),
    /// Parameter Store, by name; an ARN does not tell whether the name begins with a slash.
    Parameter(Vec<String>),
}

/// The ARN of the secret in Secrets Manager that `valueFrom` leads to, if it does.
pub(crate) fn secret_arn(value_from: &str) -> Option<String> {
    match reference(value_from) {
        Reference::Secret(arn) => Some(arn),
        Reference::Parameter(_) => None,
    }
}

/// Reads `valueFrom`, whose ARN of a secret may go on with a JSON key, a stage and a version.
fn reference(value_from: &str) -> Reference {
    let parts: Vec<&str> = value_from.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "secretsmanager", _, _, "secret", _, ..] => {
            Reference::Secret(parts[..7].join(":"))
        }
        ["arn", _, "ssm", _, _, resource, ..] => {
            let name = resource
                .trim_start_matches("parameter")
                .trim_start_matches('/');
            Reference::Parameter(vec![name.to_owned(), format!("/{name}")])
        }
        _ => Reference::Parameter(vec![value_from.to_owned()]),
    }
}

async fn secret(clients: &Clients, value_from: &str) -> Fetched<Verdict> {
    match reference(value_from) {
        Reference::Secret(arn) => {
            let question = Question {
                service: Service::SecretsManager,
                action: "secretsmanager:DescribeSecret",
                resource: arn.clone(),
                parameters: json!({"SecretId": arn}),
            };
            match clients.direct.ask(&question).await {
                Ok(answer) if !answer["DeletedDate"].is_null() => {
                    Ok(Verdict::Unusable("is to be deleted".into()))
                }
                Ok(_) => Ok(Verdict::Usable),
                Err(error) if error.code.as_deref() == Some("ResourceNotFoundException") => {
                    Ok(Verdict::Absent)
                }
                Err(error) => Err(error.into()),
            }
        }
        Reference::Parameter(names) => {
            let question = Question {
                service: Service::Ssm,
                action: "ssm:DescribeParameters",
                resource: value_from.to_owned(),
                parameters: json!({"ParameterFilters": [
                    {"Key": "Name", "Option": "Equals", "Values": names},
                ]}),
            };
            let answer = clients.direct.ask(&question).await?;
            let found = answer["Parameters"]
                .as_array()
                .is_some_and(|found| !found.is_empty());
            Ok(if found {
                Verdict::Usable
            } else {
                Verdict::Absent
            })
        }
    }
}

pub(super) async fn roles(clients: &Clients, task: &Fetched<Task>) -> Fetched<Vec<Role>> {
    let task = task.as_ref().map_err(|_| unseen("task definition"))?;
    let roles = [
        ("execution", &task.execution_role),
        ("task", &task.task_role),
    ];
    let asked = roles.into_iter().filter_map(|(purpose, arn)| {
        let arn = arn.clone()?;
        Some(async move {
            Role {
                purpose,
                trust: trust(clients, &arn).await,
                arn,
            }
        })
    });
    Ok(join_all(asked).await)
}

async fn trust(clients: &Clients, arn: &str) -> Fetched<Option<Value>> {
    match get_role(clients, last_part(arn)).await {
        Ok(answer) => {
            let encoded = answer["Role"]["AssumeRolePolicyDocument"].as_str();
            let policy = encoded.and_then(decoded).ok_or_else(|| {
                AwsError::incomplete("iam:GetRole", arn, "holds no readable trust policy")
            })?;
            Ok(Some(policy))
        }
        Err(error) if error.code.as_deref() == Some("NoSuchEntity") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// IAM writes policies percent-encoded (RFC 3986); some emulators do not.
fn decoded(policy: &str) -> Option<Value> {
    let plain = percent_encoding::percent_decode_str(policy)
        .decode_utf8()
        .ok()?;
    serde_json::from_str(&plain)
        .or_else(|_| serde_json::from_str(policy))
        .ok()
}

/// A role, by its name.
pub(super) async fn get_role(clients: &Clients, name: &str) -> Result<Value, AwsError> {
    let question = Question {
        service: Service::Iam,
        action: "iam:GetRole",
        resource: format!("role {name}"),
        parameters: json!({"RoleName": name}),
    };
    clients.direct.ask(&question).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_from_leads_to_a_secret_or_a_parameter() {
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/key-AbCdEf";
        let of_secret = || Reference::Secret(secret.to_owned());
        let parameter = |names: &[&str]| {
            Reference::Parameter(names.iter().map(|&name| name.to_owned()).collect())
        };
        for (value_from, expected) in [
            (secret.to_owned(), of_secret()),
            (format!("{secret}:password::"), of_secret()),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter/quilt/key".to_owned(),
                parameter(&["quilt/key", "/quilt/key"]),
            ),
            ("key".to_owned(), parameter(&["key"])),
            ("/quilt/key".to_owned(), parameter(&["/quilt/key"])),
        ] {
            assert_eq!(reference(&value_from), expected, "{value_from}");
        }
    }

    #[test]
    fn policies_are_decoded() {
        let policy = json!({"Statement": [{"Action": "sts:AssumeRole"}]});
        let encoded = percent_encoding::utf8_percent_encode(
            &policy.to_string(),
            percent_encoding::NON_ALPHANUMERIC,
        )
        .to_string();
        assert_eq!(decoded(&encoded), Some(policy.clone()));
        assert_eq!(decoded(&policy.to_string()), Some(policy));
        assert_eq!(decoded("%7B"), None);
    }
}
