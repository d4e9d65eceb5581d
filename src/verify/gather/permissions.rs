//! What IAM says that the caller may do: a simulation, which carries nothing out.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use super::resources::get_role;
use crate::arn::{last_part, partition};
use crate::aws::direct::{Question, Service as Api};
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::permissions::{self, On};
use crate::verify::{Caller, Decision, Fetched, Missing, Service, Task};

const ACTION: &str = "iam:SimulatePrincipalPolicy";

pub(super) async fn decisions(
    clients: &Clients,
    environment: &Environment,
    caller: &Caller,
    service: &Fetched<Option<Service>>,
    task: &Fetched<Task>,
) -> Fetched<Vec<Decision>> {
    let principal = principal(clients, caller).await?;
    let task = task.as_ref().ok();
    let resources = Resources {
        partition: partition(&caller.arn),
        environment,
        service: service.as_ref().ok().and_then(Option::as_ref),
        task,
    };
    let needs = permissions::needs_through(&environment.deploy_through);
    let asked = permissions::actions_on(needs)
        .into_iter()
        .filter_map(|(on, actions)| {
            let arns = resources.arns(on);
            (!arns.is_empty()).then(|| simulate(clients, &principal, on, actions, arns, &resources))
        });
    let answers = join_all(asked).await;
    let mut decisions = Vec::new();
    for answer in answers {
        decisions.extend(answer?);
    }
    Ok(decisions)
}

/// The user or role whose policies count; a session's name is no part of a role.
async fn principal(clients: &Clients, caller: &Caller) -> Fetched<String> {
    let other = |reason: &str| Err(Missing::Other(reason.to_owned()));
    let resource = caller.arn.splitn(6, ':').nth(5).unwrap_or_default();
    let parts: Vec<&str> = resource.split('/').collect();
    match parts.as_slice() {
        ["user", ..] => Ok(caller.arn.clone()),
        ["root"] => other("the root user is allowed everything, and cannot be simulated"),
        ["assumed-role", name, ..] => {
            // Only IAM knows the role's path.
            let answer = get_role(clients, name).await?;
            let arn = answer["Role"]["Arn"].as_str();
            Ok(arn
                .ok_or_else(|| AwsError::incomplete("iam:GetRole", *name, "holds no ARN"))?
                .to_owned())
        }
        _ => other("the caller is neither a user nor a role: IAM cannot simulate it"),
    }
}

async fn simulate(
    clients: &Clients,
    principal: &str,
    on: On,
    actions: BTreeSet<&'static str>,
    arns: Vec<String>,
    resources: &Resources<'_>,
) -> Result<Vec<Decision>, AwsError> {
    let mut decisions = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let question = Question {
            service: Api::Iam,
            action: ACTION,
            resource: principal.to_owned(),
            parameters: json!({
                "PolicySourceArn": principal,
                "ActionNames": actions,
                "ResourceArns": arns,
                "ContextEntries": resources.context(),
                "Marker": marker,
            }),
        };
        let answer = clients.direct.ask(&question).await?;
        let results = answer["EvaluationResults"].as_array();
        decisions.extend(
            results
                .into_iter()
                .flatten()
                .map(|result| decision(on, result)),
        );
        match (answer["IsTruncated"].as_str(), answer["Marker"].as_str()) {
            (Some("true"), Some(next)) => marker = Some(next.to_owned()),
            _ => return Ok(decisions),
        }
    }
}

fn decision(on: On, result: &Value) -> Decision {
    let text = |name: &str| result[name].as_str().unwrap_or_default().to_owned();
    let lacks_context = result["MissingContextValues"]
        .as_array()
        .is_some_and(|missing| !missing.is_empty());
    let allowed = match (result["EvalDecision"].as_str(), lacks_context) {
        (Some("allowed"), _) => Some(true),
        (Some("explicitDeny" | "implicitDeny"), false) => Some(false),
        _ => None,
    };
    Decision {
        action: text("EvalActionName"),
        on,
        resource: text("EvalResourceName"),
        allowed,
    }
}

/// The ARNs that actions are granted on.
struct Resources<'a> {
    partition: &'a str,
    environment: &'a Environment,
    service: Option<&'a Service>,
    task: Option<&'a Task>,
}

impl Resources<'_> {
    /// What `on` is in this environment; none where it is not known.
    fn arns(&self, on: On) -> Vec<String> {
        let environment = self.environment;
        let cluster = last_part(&environment.cluster);
        let service = &environment.service;
        // A name that no task and no deployment has: policies name them with wildcards.
        const ANY: &str = "00000000000000000000000000000000";
        match on {
            On::Anything | On::InCluster => vec!["*".to_owned()],
            On::Repository => {
                vec![self.arn("ecr", &format!("repository/{}", environment.repository))]
            }
            On::Cluster => vec![self.arn("ecs", &format!("cluster/{cluster}"))],
            On::Service => vec![match self.service {
                Some(service) => service.arn.clone(),
                None => self.arn("ecs", &format!("service/{cluster}/{service}")),
            }],
            On::ServiceDeployments => {
                vec![self.arn(
                    "ecs",
                    &format!("service-deployment/{cluster}/{service}/{ANY}"),
                )]
            }
            On::ServiceRevisions => {
                vec![self.arn(
                    "ecs",
                    &format!("service-revision/{cluster}/{service}/{ANY}"),
                )]
            }
            On::Tasks => vec![self.arn("ecs", &format!("task/{cluster}/{ANY}"))],
            On::TaskDefinition | On::NewTaskDefinition => self
                .task
                .map(|task| self.arn("ecs", &format!("task-definition/{}:1", task.family)))
                .into_iter()
                .collect(),
            On::Roles | On::PassedRoles => self
                .task
                .into_iter()
                .flat_map(Task::roles)
                .cloned()
                .collect(),
            On::Stack => environment
                .deploy_through
                .stack()
                .map(|stack| self.arn("cloudformation", &format!("stack/{stack}/{ANY}")))
                .into_iter()
                .collect(),
            On::LogGroup => self
                .task
                .and_then(|task| task.container(&environment.container))
                .and_then(|container| container.log_group.as_ref())
                .map(|group| self.arn("logs", &format!("log-group:{group}:log-stream:")))
                .into_iter()
                .collect(),
            // Only verify itself needs something on these, and it finds out by asking.
            On::Caller | On::Secrets => Vec::new(),
        }
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{resource}",
            self.partition, self.environment.region, self.environment.account_id
        )
    }

    /// What the condition keys that our policies use will hold.
    fn context(&self) -> Value {
        let mut entries = vec![
            ("iam:PassedToService", "ecs-tasks.amazonaws.com".to_owned()),
            ("ecs:CreateAction", "RegisterTaskDefinition".to_owned()),
            ("aws:RequestedRegion", self.environment.region.clone()),
        ];
        if let Some(service) = self.service {
            entries.push(("ecs:cluster", service.cluster_arn.clone()));
        }
        entries
            .into_iter()
            .map(|(key, value)| {
                json!({
                    "ContextKeyName": key,
                    "ContextKeyType": "string",
                    "ContextKeyValues": [value],
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read() {
        for (decided, missing, allowed) in [
            ("allowed", json!(null), Some(true)),
            ("allowed", json!(["aws:RequestTag/x"]), Some(true)),
            ("implicitDeny", json!(null), Some(false)),
            ("explicitDeny", json!([]), Some(false)),
            ("implicitDeny", json!(["aws:RequestTag/x"]), None),
            ("something new", json!(null), None),
        ] {
            let result = json!({
                "EvalActionName": "ecr:PutImage", "EvalResourceName": "*",
                "EvalDecision": decided, "MissingContextValues": missing,
            });
            assert_eq!(
                decision(On::Repository, &result).allowed,
                allowed,
                "{result}"
            );
        }
    }
}
