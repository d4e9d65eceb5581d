//! What is taken and refused, and where the refusal points.

use super::error::where_environments_are;
use super::*;
use crate::config::DeployThrough;

const GOOD: &str = r#"
default_environment = "staging"

[environments.staging]
account_id = "123456789012"
region = "eu-west-1"
repository = "acme-staging-mcp-server"
cluster = "acme-staging"
service = "acme-staging-mcp-server"
url = "https://mcp.staging.acme.example/mcp/"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new(FILE_NAME), text)
}

/// The line number, from 1, that an error points at.
fn line_of(error: &ConfigError) -> usize {
    match error {
        ConfigError::Invalid { text, at, .. } => {
            text.inner()[..at.offset()].lines().count().max(1)
                + usize::from(text.inner()[..at.offset()].ends_with('\n'))
        }
        other => panic!("{other} points at no line"),
    }
}

#[test]
fn fills_in_what_is_left_out() {
    let config = parse(GOOD).unwrap();
    let environment = config.environment("staging").unwrap();
    assert_eq!(environment.container, "mcp-server");
    assert_eq!(environment.desired_count, 2);
    assert_eq!(environment.deploy_through, DeployThrough::Ecs);
    assert_eq!(config.choose(None), "staging");
    assert_eq!(config.choose(Some("local")), "local");
    assert_eq!(Config::default().choose(None), "local");
}

#[test]
fn points_at_the_wrong_line() {
    for (from, to, line, says) in [
        (
            "\"123456789012\"",
            "\"1234\"",
            5,
            "account_id must be 12 digits",
        ),
        ("\"123456789012\"", "123456789012", 5, "invalid type"),
        ("eu-west-1", "Ireland", 6, "region must be"),
        ("https://mcp", "http://mcp", 10, "url must be https"),
        (
            "https://mcp",
            "https://me:secret@mcp",
            10,
            "must not carry a user",
        ),
        ("region = \"eu-west-1\"\n", "", 4, "missing field `region`"),
        (
            "service = \"",
            "service = \"https://",
            9,
            "service must be a name",
        ),
        (
            "cluster = \"acme-staging\"",
            "cluster = \"\"",
            8,
            "cluster must be",
        ),
        (
            "service =",
            "container = \"https://mcp\"\nservice =",
            9,
            "container must be a name",
        ),
        ("service =", "servise =", 9, "unknown field `servise`"),
        ("[environments.staging]", "[environments.staging", 4, ""),
        (
            "[environments.staging]",
            "[environments.local]",
            4,
            "built-in environment",
        ),
        ("\"staging\"\n", "\"stage\"\n", 2, "which is not defined"),
        (
            "acme-staging-mcp-server\"\ncluster",
            "Acme:latest\"\ncluster",
            7,
            "ECR repository's name",
        ),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is in the sample");
        let error = parse(&text).unwrap_err();
        assert!(
            error.to_string().contains(says),
            "{error} does not say {says}"
        );
        assert_eq!(line_of(&error), line, "{error}");
    }
}

#[test]
fn an_account_that_is_not_quoted_is_told_of_quotes() {
    let text = GOOD.replacen("\"123456789012\"", "123456789012", 1);
    let error = parse(&text).unwrap_err();
    let ConfigError::Invalid { help, .. } = error else {
        panic!("{error} points at no line");
    };
    assert_eq!(help.as_deref(), Some("put the value in quotes"));
}

#[test]
fn releases_go_through_a_stack_where_it_is_named() {
    let with = |lines: &str| parse(&format!("{GOOD}{lines}\n"));
    let ways = |lines: &str| {
        let config = with(lines).unwrap();
        config
            .environment("staging")
            .unwrap()
            .deploy_through
            .clone()
    };
    let by_stack = DeployThrough::CloudFormation {
        stack: "acme-mcp".into(),
    };
    let both = "deploy_through = \"cloudformation\"\nstack = \"acme-mcp\"";
    assert_eq!(ways(both), by_stack);
    assert_eq!(ways("deploy_through = \"ecs\""), DeployThrough::Ecs);
    for (lines, line, says) in [
        (
            "deploy_through = \"terraform\"",
            11,
            "`ecs` or `cloudformation`",
        ),
        (
            "deploy_through = \"cloudformation\"",
            4,
            "needs the key stack",
        ),
        ("stack = \"acme-mcp\"", 11, "is only for"),
        (
            "deploy_through = \"cloudformation\"\nstack = \"acme_mcp\"",
            12,
            "a stack's name",
        ),
    ] {
        let error = with(lines).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(line_of(&error), line, "{error}");
    }
}

#[test]
fn a_secret_in_a_url_is_not_repeated() {
    let error = parse(&GOOD.replacen("https://mcp", "https://me:hunter2@mcp", 1)).unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn unknown_environment_lists_the_known_ones() {
    let error = parse(GOOD).unwrap().environment("prod").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no environment named `prod`; there are `local`, `staging`"
    );
    assert!(where_environments_are(&["local".into()]).contains("looked for in this folder"));
}
