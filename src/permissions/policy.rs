//! The IAM policy of some commands in one environment: what the Terraform module `github-oidc`
//! gives CI, for a role of any other kind.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Needs, On, actions_on};

/// What the statements of a policy name.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The AWS account.
    pub account_id: String,
    /// The region.
    pub region: String,
    /// The ECR repository's name.
    pub repository: String,
    /// The ECS cluster's name.
    pub cluster: String,
    /// The ECS service's name.
    pub service: String,
    /// The family of its task definitions.
    pub family: String,
    /// ARNs of the execution role and the task role.
    pub roles: Vec<String>,
    /// The log group's name, where the container logs to CloudWatch.
    pub log_group: Option<String>,
    /// ARNs of the containers' secrets in Secrets Manager.
    pub secrets: Vec<String>,
    /// The name of the CloudFormation stack that releases go through.
    pub stack: Option<String>,
    /// The ARN of the role that will have the policy.
    pub caller: Option<String>,
}

/// A policy document, as IAM takes it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: String,
    effect: &'static str,
    action: BTreeSet<&'static str>,
    resource: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
}

impl Policy {
    /// What `commands` need, a statement for each kind of thing that they need something on.
    /// What [`Names`] has no name for is left out: there is nothing to grant.
    pub fn of<'a>(commands: impl IntoIterator<Item = &'a Needs>, names: &Names) -> Self {
        let statement = |(on, action)| Statement {
            sid: format!("{on:?}"),
            effect: "Allow",
            action,
            resource: names.resources(on),
            condition: names.condition(on),
        };
        let mut statements: Vec<Statement> = actions_on(commands)
            .into_iter()
            .map(statement)
            .filter(|statement| !statement.resource.is_empty())
            .collect();
        statements.sort_by(|one, other| one.sid.cmp(&other.sid));
        Self {
            version: "2012-10-17",
            statement: statements,
        }
    }

    /// How long it is, as IAM counts: without white space.
    pub fn characters(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.chars().count())
    }
}

impl Names {
    fn resources(&self, on: On) -> Vec<String> {
        let Self {
            cluster, service, ..
        } = self;
        let ecs = |resource: String| self.arn("ecs", &resource);
        let the_service = ecs(format!("service/{cluster}/{service}"));
        match on {
            On::Anything | On::InCluster => vec!["*".to_owned()],
            On::Repository => vec![self.arn("ecr", &format!("repository/{}", self.repository))],
            On::Cluster => vec![self.cluster_arn()],
            On::Service => vec![the_service],
            On::ServiceDeployments => vec![
                the_service,
                ecs(format!("service-deployment/{cluster}/{service}/*")),
            ],
            On::ServiceRevisions => vec![
                the_service,
                ecs(format!("service-revision/{cluster}/{service}/*")),
            ],
            On::Tasks => vec![ecs(format!("task/{cluster}/*"))],
            On::TaskDefinition | On::NewTaskDefinition => {
                vec![ecs(format!("task-definition/{}:*", self.family))]
            }
            On::Roles | On::PassedRoles => self.roles.clone(),
            On::Caller => self.caller.clone().into_iter().collect(),
            On::Secrets => self.secrets.clone(),
            On::LogGroup => self
                .log_group
                .iter()
                .map(|group| self.arn("logs", &format!("log-group:{group}")))
                .flat_map(|arn| [arn.clone(), format!("{arn}:*")])
                .collect(),
            On::Stack => self
                .stack
                .iter()
                .map(|stack| self.arn("cloudformation", &format!("stack/{stack}/*")))
                .collect(),
        }
    }

    fn condition(&self, on: On) -> Option<Value> {
        match on {
            On::InCluster => Some(json!({ "ArnEquals": { "ecs:cluster": self.cluster_arn() } })),
            On::NewTaskDefinition => {
                Some(json!({ "StringEquals": { "ecs:CreateAction": "RegisterTaskDefinition" } }))
            }
            On::PassedRoles => Some(
                json!({ "StringEquals": { "iam:PassedToService": "ecs-tasks.amazonaws.com" } }),
            ),
            _ => None,
        }
    }

    fn cluster_arn(&self) -> String {
        self.arn("ecs", &format!("cluster/{}", self.cluster))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            account_id,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account_id}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::listed;

    #[test]
    fn what_has_no_name_is_not_granted() {
        let policy = Policy::of(listed(), &Names::default());
        let sids: Vec<&str> = policy
            .statement
            .iter()
            .map(|statement| statement.sid.as_str())
            .collect();
        for absent in [
            "Caller",
            "LogGroup",
            "PassedRoles",
            "Roles",
            "Secrets",
            "Stack",
        ] {
            assert!(!sids.contains(&absent), "{absent}");
        }
        assert!(sids.contains(&"Service") && sids.is_sorted(), "{sids:?}");
    }

    #[test]
    fn everything_is_only_looked_at() {
        let policy = Policy::of(listed(), &Names::default());
        for statement in policy.statement {
            if statement.resource == ["*"] {
                for action in statement.action {
                    let (_, operation) = action.split_once(':').unwrap();
                    let looks = operation.starts_with("Describe") || operation.starts_with("List");
                    assert!(looks || action == "ecr:GetAuthorizationToken", "{action}");
                }
            }
        }
    }
}
