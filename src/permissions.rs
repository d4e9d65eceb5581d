//! The IAM actions that each command needs, and on what: the one list that `verify` asks
//! IAM about and that policies for CI are made from.

/// What an action is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The cluster's tasks.
    Tasks,
    /// The revisions of the service's task definition.
    TaskDefinition,
    /// The execution role and the task role, passed to ECS tasks only.
    Roles,
    /// The log group.
    LogGroup,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The command.
    pub command: &'static str,
    /// What it needs besides `sts:GetCallerIdentity`, which everybody may.
    pub permissions: &'static [Permission],
}

const fn on(on: On, action: &'static str) -> Permission {
    Permission { action, on }
}

/// What the commands need that release a server.
///
/// The actions' resource types are those of AWS's Service Authorization Reference.
pub const NEEDS: [Needs; 7] = [
    Needs {
        command: "publish",
        permissions: &[
            on(On::Anything, "ecr:GetAuthorizationToken"),
            on(On::Repository, "ecr:DescribeRepositories"),
            on(On::Repository, "ecr:DescribeImages"),
            on(On::Repository, "ecr:BatchGetImage"),
            on(On::Repository, "ecr:GetDownloadUrlForLayer"),
            on(On::Repository, "ecr:BatchCheckLayerAvailability"),
            on(On::Repository, "ecr:InitiateLayerUpload"),
            on(On::Repository, "ecr:UploadLayerPart"),
            on(On::Repository, "ecr:CompleteLayerUpload"),
            on(On::Repository, "ecr:PutImage"),
            on(On::Repository, "ecr:DescribeImageScanFindings"),
        ],
    },
    Needs {
        command: "rollout",
        permissions: &[
            on(On::Repository, "ecr:DescribeRepositories"),
            on(On::Repository, "ecr:DescribeImages"),
            on(On::Service, "ecs:DescribeServices"),
            on(On::Anything, "ecs:ListTaskDefinitions"),
            on(On::Anything, "ecs:DescribeTaskDefinition"),
            on(On::TaskDefinition, "ecs:RegisterTaskDefinition"),
            on(On::TaskDefinition, "ecs:TagResource"),
            on(On::Service, "ecs:UpdateService"),
            on(On::Anything, "ecs:ListTasks"),
            on(On::Tasks, "ecs:DescribeTasks"),
            on(On::Service, "ecs:ListServiceDeployments"),
            on(On::ServiceDeployments, "ecs:DescribeServiceDeployments"),
            on(On::ServiceRevisions, "ecs:DescribeServiceRevisions"),
            on(On::Anything, "elasticloadbalancing:DescribeTargetHealth"),
            on(On::LogGroup, "logs:FilterLogEvents"),
            on(On::Roles, "iam:PassRole"),
        ],
    },
    Needs {
        command: "rollback and stop",
        permissions: &[on(On::ServiceDeployments, "ecs:StopServiceDeployment")],
    },
    Needs {
        command: "status",
        permissions: &[
            on(On::Service, "ecs:DescribeServices"),
            on(On::Anything, "ecs:ListTasks"),
            on(On::Tasks, "ecs:DescribeTasks"),
            on(On::Anything, "ecs:DescribeTaskDefinition"),
            on(On::Anything, "ecs:ListTaskDefinitions"),
            on(On::Anything, "elasticloadbalancing:DescribeTargetHealth"),
        ],
    },
    Needs {
        command: "history",
        permissions: &[
            on(On::Service, "ecs:DescribeServices"),
            on(On::Service, "ecs:ListServiceDeployments"),
            on(On::ServiceDeployments, "ecs:DescribeServiceDeployments"),
            on(On::ServiceRevisions, "ecs:DescribeServiceRevisions"),
            on(On::Anything, "ecs:ListTaskDefinitions"),
            on(On::Anything, "ecs:DescribeTaskDefinition"),
        ],
    },
    Needs {
        command: "logs",
        permissions: &[on(On::LogGroup, "logs:FilterLogEvents")],
    },
    Needs {
        command: "prune",
        permissions: &[
            on(On::Repository, "ecr:DescribeImages"),
            on(On::Repository, "ecr:BatchDeleteImage"),
        ],
    },
];

/// What `verify` asks with besides; without one of these it knows less, and says so.
pub const VERIFY: [Permission; 18] = [
    on(On::Repository, "ecr:BatchGetImage"),
    on(On::Cluster, "ecs:DescribeClusters"),
    on(On::Roles, "iam:GetRole"),
    on(On::Anything, "iam:SimulatePrincipalPolicy"),
    on(On::Anything, "elasticloadbalancing:DescribeTargetGroups"),
    on(
        On::Anything,
        "elasticloadbalancing:DescribeTargetGroupAttributes",
    ),
    on(On::Anything, "elasticloadbalancing:DescribeLoadBalancers"),
    on(
        On::Anything,
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
    ),
    on(On::Anything, "elasticloadbalancing:DescribeListeners"),
    on(On::Anything, "elasticloadbalancing:DescribeRules"),
    on(On::Anything, "ec2:DescribeSubnets"),
    on(On::Anything, "ec2:DescribeRouteTables"),
    on(On::Anything, "ec2:DescribeSecurityGroups"),
    on(On::Anything, "ec2:DescribeVpcEndpoints"),
    on(On::Anything, "logs:DescribeLogGroups"),
    on(On::Anything, "secretsmanager:DescribeSecret"),
    on(On::Anything, "ssm:DescribeParameters"),
    on(On::Service, "ecs:DescribeServices"),
];

/// Every action of the commands, each once, with the commands that need it.
pub fn all() -> Vec<(Permission, Vec<&'static str>)> {
    let mut found: Vec<(Permission, Vec<&'static str>)> = Vec::new();
    for needs in &NEEDS {
        for permission in needs.permissions {
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
    const OTHERS: [&str; 5] = [
        // Only where the repository is not there; Terraform makes it.
        "ecr:CreateRepository",
        // What a task needs, not the caller.
        "logs:CreateLogStream",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameters",
        // A condition key.
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
            .chain(VERIFY.iter().map(|permission| permission.action))
            .chain(OTHERS)
            .collect();
        for action in named {
            assert!(listed.contains(&action.as_str()), "{action} is not listed");
        }
    }

    fn collect(folder: &Path, named: &mut Vec<String>) {
        // STS is left out: nobody has to grant GetCallerIdentity, and the rest is for trust policies.
        const SERVICES: [&str; 8] = [
            "ecs",
            "ecr",
            "logs",
            "elasticloadbalancing",
            "iam",
            "ec2",
            "ssm",
            "secretsmanager",
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
    fn each_is_listed_once_and_named_by_its_commands() {
        let all = all();
        let describe: Vec<_> = all
            .iter()
            .filter(|(permission, _)| permission.action == "ecs:DescribeServices")
            .collect();
        assert_eq!(describe.len(), 1);
        assert_eq!(describe[0].1, ["rollout", "status", "history"]);
    }
}
