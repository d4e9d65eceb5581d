//! What is wrong with `quilt-mcp.toml` or the command line.

use crate::support::aws_endpoint::AwsEndpoint;
use crate::support::cli::Cli;
use crate::user::{ACCOUNT, configuration, user_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_environment_lists_the_known_ones() {
    let endpoint = AwsEndpoint::of_account(ACCOUNT).await;
    let cli = user_of(&endpoint).credentials();
    for command in ["deploy", "publish", "rollout", "status", "smoke"] {
        cli.refuses(
            &[command, "--env", "prod"],
            2,
            &["no environment named `prod`", "`local`, `staging`", "--env"],
        );
    }
    assert!(endpoint.operations().is_empty());
}

/// What replaces what, the line and the words that the message shows.
#[test]
fn a_wrong_line_is_pointed_at() {
    let good = configuration("http://127.0.0.1:9");
    for (from, to, line, says) in [
        ("[environments.staging]", "[environments.staging", 3, ""),
        (
            "account_id = \"123456789012\"\n",
            "",
            3,
            "missing field `account_id`",
        ),
        (
            "\"123456789012\"",
            "\"12345\"",
            4,
            "account_id must be 12 digits",
        ),
        ("\"eu-west-1\"", "7", 5, "invalid type: integer"),
        (
            "endpoint_url = \"http",
            "endpoint_url = \"ftp",
            6,
            "must start with https://",
        ),
        ("cluster = ", "clutser = ", 8, "unknown field `clutser`"),
        (
            "http://127.0.0.1:9/mcp",
            "http://mcp.example.com/mcp",
            10,
            "url must be https",
        ),
    ] {
        let cli = Cli::new();
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        cli.write("quilt-mcp.toml", &text);
        let wrong_line = text.lines().nth(line - 1).unwrap();
        let place = format!("quilt-mcp.toml:{line}:");
        cli.refuses(&["status"], 2, &[says, &place, wrong_line]);
    }
}

#[test]
fn a_file_that_is_not_there() {
    let cli = Cli::new();
    cli.refuses(
        &["status", "--config", "elsewhere.toml"],
        2,
        &["cannot read elsewhere.toml", "No such file"],
    );
}

#[test]
fn usage() {
    let cli = Cli::new();
    let digest = format!("sha256:{}", "a".repeat(64));
    for (arguments, says) in [
        (vec![], "Usage"),
        (vec!["deplyo"], "unrecognized subcommand 'deplyo'"),
        (
            vec!["status", "--output", "yaml"],
            "[possible values: text, json, ndjson]",
        ),
        (vec!["rollout", "--digest", "latest"], "--digest"),
        (
            vec!["rollout", "--digest", &digest, "--tag", "1"],
            "cannot be used with",
        ),
        (vec!["rollout", "--timeout", "0"], "--timeout"),
        (vec!["publish", "--image-layout", "image"], "--tag"),
        (vec!["local", "up", "--port", "65533"], "65532"),
    ] {
        let run = cli.run(&arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?} does not say {says}");
        assert_eq!(run.stdout, "");
    }
    assert!(!cli.state().exists());
}
