//! The repository, and CI's role.

use serde_json::json;

use super::{KEY, REPOSITORY, Scenario};

pub fn repository() -> [Scenario; 2] {
    let least = || Scenario {
        name: "repository",
        module: "modules/ecr",
        template: "ecr.yaml",
        inputs: json!({"name": "quilt/sales-prod/mcp-server"}),
        parameters: vec![("Name", "quilt/sales-prod/mcp-server")],
        listener_port: 443,
    };
    let most = least().and(
        "repository-for-others",
        json!({
            "keep_releases": 12,
            "untagged_days": 3,
            "kms_key_arn": KEY,
            "pull_account_ids": ["210987654321", "123456789012"],
        }),
        &[
            ("KeepReleases", "12"),
            ("UntaggedDays", "3"),
            ("KmsKeyArn", KEY),
            ("PullAccountIds", "210987654321,123456789012"),
        ],
    );
    [least(), most]
}

pub fn release_role() -> [Scenario; 2] {
    const PROVIDER: &str =
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    const SERVICE: &str =
        "arn:aws:ecs:us-east-1:123456789012:service/sales-prod/sales-prod-mcp-server";
    const EXECUTION: &str = "arn:aws:iam::123456789012:role/sales-prod-mcp-server-execution";
    const TASK: &str = "arn:aws:iam::123456789012:role/sales-prod-mcp-server-task";
    const LOGS: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/quilt/sales-prod/mcp-server";
    const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:quilt/proxy-a1B2c3";
    let least = || Scenario {
        name: "release-role",
        module: "modules/github-oidc",
        template: "github-oidc.yaml",
        inputs: json!({
            "name": "sales-prod-mcp-server-release",
            "oidc_provider_arn": PROVIDER,
            "subjects": ["repo:acme/quilt-mcp:environment:prod"],
            "commands": ["publish", "rollout through CloudFormation", "verify"],
            "repository_arn": REPOSITORY,
            "stack_arn": "arn:aws:cloudformation:us-east-1:123456789012:stack/sales-prod-mcp-server/*",
            "service_arn": SERVICE,
            "task_definition_family": "sales-prod-mcp-server",
            "task_role_arns": [EXECUTION, TASK],
            "log_group_arn": LOGS,
        }),
        parameters: vec![
            ("Name", "sales-prod-mcp-server-release"),
            ("OidcProviderArn", PROVIDER),
            ("Subjects", "repo:acme/quilt-mcp:environment:prod"),
            ("RepositoryArn", REPOSITORY),
            ("StackName", "sales-prod-mcp-server"),
            ("ServiceArn", SERVICE),
            ("TaskDefinitionFamily", "sales-prod-mcp-server"),
            ("ExecutionRoleArn", EXECUTION),
            ("TaskRoleArn", TASK),
            ("LogGroupArn", LOGS),
        ],
        listener_port: 443,
    };
    let most = least().and(
        "release-role-with-boundary",
        json!({
            "subjects": ["repo:acme/a:environment:prod", "repo:acme/b:ref:refs/heads/main"],
            "secret_arns": [SECRET],
            "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
        }),
        &[
            (
                "Subjects",
                "repo:acme/a:environment:prod,repo:acme/b:ref:refs/heads/main",
            ),
            ("SecretArn", SECRET),
            (
                "PermissionsBoundaryArn",
                "arn:aws:iam::123456789012:policy/boundary",
            ),
        ],
    );
    [least(), most]
}
