//! The IAM actions that each command needs, and on what: the one list that `verify` asks
//! IAM about, that `policy` writes policies from, and that the Terraform module `github-oidc`
//! makes CI's policy from.

mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::config::DeployThrough;
pub use policy::{Names, Policy};

/// What an action is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Everything: the action knows no resources, or is asked about all of them.
    Anything,
    /// The ECR repository.
    Repository,
    /// The ECS cluster.
    Cluster,
    /// The ECS service.
    Service,
    /// The service's deployments.
    ServiceDeployments,
    /// The service's revisions.
    ServiceRevisions,
    /// Whatever is in the cluster, which is a condition (`ecs:cluster`).
    InCluster,
    /// The cluster's tasks.
    Tasks,
    /// The revisions of the service's task definition.
    TaskDefinition,
    /// The same, while they are registered (`ecs:CreateAction`).
    NewTaskDefinition,
    /// The execution role and the task role.
    Roles,
    /// The same, passed to ECS tasks only (`iam:PassedToService`).
    PassedRoles,
    /// The role that makes the calls.
    Caller,
    /// The secrets of the containers.
    Secrets,
    /// The log group.
    LogGroup,
    /// The CloudFormation stack that releases go through.
    Stack,
}

/// An action and what it is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The IAM action.
    pub action: &'static str,
    /// What it is granted on.
    pub on: On,
}

/// The actions of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The command.
    pub command: &'static str,
    /// What it needs besides `sts:GetCallerIdentity`, which everybody may.
    pub permissions: Vec<Permission>,
}

/// The list as it is written. The actions' resource types are those of AWS's Service
/// Authorization Reference.
const LIST: &str = include_str!("../../terraform/modules/github-oidc/actions.json");

#[derive(Deserialize)]
struct Listed {
    command: &'static str,
    needs: BTreeMap<On, Vec<&'static str>>,
}

static LISTED: LazyLock<Vec<Needs>> = LazyLock::new(|| {
    let listed: Vec<Listed> = serde_json::from_str(LIST).expect("a test reads the list");
    listed.into_iter().map(Needs::from).collect()
});

impl From<Listed> for Needs {
    fn from(listed: Listed) -> Self {
        let permissions = listed.needs.into_iter().flat_map(|(on, actions)| {
            let permission = move |action| Permission { action, on };
            actions.into_iter().map(permission)
        });
        Self {
            command: listed.command,
            permissions: permissions.collect(),
        }
    }
}

/// The command that only looks, and knows less where it may not.
const VERIFY: &str = "verify";

/// The commands that move a service, by the way that releases go.
const BY_ECS: [&str; 2] = ["rollout", "rollback and stop"];
const BY_STACK: [&str; 1] = ["rollout through CloudFormation"];

/// Every command of the list, `verify` too.
pub fn listed() -> &'static [Needs] {
    &LISTED
}

/// What the commands need in an environment whose releases go this way.
pub fn needs_through(way: &DeployThrough) -> impl Iterator<Item = &'static Needs> {
    let others: &[&str] = match way {
        DeployThrough::Ecs => &BY_STACK,
        DeployThrough::CloudFormation { .. } => &BY_ECS,
    };
    needs().filter(|needs| !others.contains(&needs.command))
}

/// What the commands need that release a server.
pub fn needs() -> impl Iterator<Item = &'static Needs> {
    LISTED.iter().filter(|needs| needs.command != VERIFY)
}

/// What `verify` asks with; without one of these it knows less, and says so.
///
/// # Panics
/// Never: a test holds that the list has it.
pub fn verify() -> &'static [Permission] {
    let found = LISTED.iter().find(|needs| needs.command == VERIFY);
    &found.expect("the list has verify").permissions
}

impl Needs {
    /// Whether it needs anything on this.
    pub fn needs_on(&self, on: On) -> bool {
        self.permissions
            .iter()
            .any(|permission| permission.on == on)
    }
}

/// What the commands need, by what they need it on.
pub fn actions_on<'a>(
    commands: impl IntoIterator<Item = &'a Needs>,
) -> BTreeMap<On, BTreeSet<&'static str>> {
    let mut actions: BTreeMap<On, BTreeSet<&'static str>> = BTreeMap::new();
    for permission in commands.into_iter().flat_map(|needs| &needs.permissions) {
        actions
            .entry(permission.on)
            .or_default()
            .insert(permission.action);
    }
    actions
}

/// Every action of the commands, each once, with the commands that need it.
pub fn all() -> Vec<(Permission, Vec<&'static str>)> {
    let mut found: Vec<(Permission, Vec<&'static str>)> = Vec::new();
    for needs in needs() {
        for permission in &needs.permissions {
            match found.iter_mut().find(|(known, _)| known == permission) {
                Some((_, commands)) => commands.push(needs.command),
                None => found.push((*permission, vec![needs.command])),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Actions that nobody has to grant, or that only a special case needs.
    const OTHERS: [&str; 6] = [
        // Only where the repository is not there; Terraform makes it.
        "ecr:CreateRepository",
        // What a task needs, not the caller.
        "logs:CreateLogStream",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameters",
        // Condition keys.
        "ecs:CreateAction",
        "iam:PassedToService",
    ];

    #[test]
    fn every_action_that_the_code_names_is_listed() {
        let mut named = Vec::new();
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut named,
        );
        assert!(named.len() > 20, "{named:?}");
        let listed: Vec<&str> = all()
            .iter()
            .map(|(permission, _)| permission.action)
            .chain(verify().iter().map(|permission| permission.action))
            .chain(OTHERS)
            .collect();
        for action in named {
            assert!(listed.contains(&action.as_str()), "{action} is not listed");
        }
    }

    fn collect(folder: &Path, named: &mut Vec<String>) {
        // STS is left out: nobody has to grant GetCallerIdentity, and the rest is for trust policies.
        const SERVICES: [&str; 10] = [
            "ecs",
            "ecr",
            "logs",
            "elasticloadbalancing",
            "iam",
            "ec2",
            "ssm",
            "secretsmanager",
            "cloudformation",
            "inspector2",
        ];
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, named);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            for quoted in text.split('"') {
                if let Some((service, operation)) = quoted.split_once(':')
                    && SERVICES.contains(&service)
                    && operation.starts_with(|first: char| first.is_ascii_uppercase())
                    && operation
                        .chars()
                        .all(|letter| letter.is_ascii_alphanumeric())
                {
                    named.push(quoted.to_owned());
                }
            }
        }
    }

    #[test]
    fn each_way_has_its_own_commands_and_the_others() {
        let names = |way: &DeployThrough| -> Vec<&str> {
            needs_through(way).map(|needs| needs.command).collect()
        };
        let by_ecs = names(&DeployThrough::Ecs);
        let by_stack = names(&DeployThrough::CloudFormation { stack: "s".into() });
        assert!(by_ecs.contains(&"rollout") && by_ecs.contains(&"publish"));
        assert!(by_stack.contains(&"rollout through CloudFormation"));
        assert!(by_stack.contains(&"publish") && !by_stack.contains(&"rollout"));
        assert_eq!(by_ecs.len() + by_stack.len(), 2 * needs().count() - 3);
    }

    #[test]
    fn each_is_listed_once_and_named_by_its_commands() {
        let all = all();
        let describe: Vec<_> = all
            .iter()
            .filter(|(permission, _)| permission.action == "ecs:DescribeServices")
            .collect();
        assert_eq!(describe.len(), 1);
        assert_eq!(
            describe[0].1,
            [
                "rollout",
                "rollback and stop",
                "rollout through CloudFormation",
                "status",
                "history",
                "logs",
                "promote from",
                "images",
                "prune"
            ]
        );
    }
}
