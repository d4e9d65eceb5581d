//! Starting, refusing to start, and the health check.

use predicates::prelude::*;
use predicates::str::contains;

use crate::harness::{Registry, Server, command};

/// A run that must not start, with its variables.
fn refuse(vars: &[(&str, &str)]) -> assert_cmd::assert::Assert {
    assert_cmd::Command::from_std(command(&["serve"]))
        .envs(vars.iter().copied())
        .timeout(std::time::Duration::from_secs(30))
        .assert()
        .code(78)
        .stdout("")
}

#[test]
fn all_problems_are_reported_together() {
    let assert = refuse(&[
        ("QUILT_CATALOG_URL", "http://catalog.example.com"),
        ("MCP_LISTEN", "8000"),
        (
            "MCP_ALLOWED_ORIGINS",
            "https://ok.example, *, https://x.example/path",
        ),
        ("MCP_ALLOWED_HOSTS", "mcp.example.com, a b"),
        ("MCP_LOG", "info,="),
        ("MCP_DRAIN_GRACE_SECONDS", "soon"),
        ("MCP_DRAIN_TIMEOUT_SECONDS", "121"),
        ("MCP_BUILD_COMMIT", "not a commit"),
    ]);
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    let named: Vec<_> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("  - ")?.split(' ').next())
        .collect();
    assert_eq!(
        named,
        [
            "QUILT_CATALOG_URL",
            "QUILT_REGISTRY_URL",
            "MCP_LISTEN",
            "MCP_ALLOWED_ORIGINS",
            "MCP_ALLOWED_ORIGINS",
            "MCP_ALLOWED_HOSTS",
            "MCP_LOG",
            "MCP_DRAIN_GRACE_SECONDS",
            "MCP_DRAIN_TIMEOUT_SECONDS",
            "MCP_BUILD_COMMIT",
        ],
        "{stderr}"
    );
    assert!(
        stderr.starts_with("quilt-mcp-server: 10 problems"),
        "{stderr}"
    );
}

#[test]
fn each_wrong_stack_url_is_explained() {
    for (url, because) in [
        ("", "is not set"),
        ("registry.example.com", "is not a URL"),
        (
            "http://registry.example.com",
            "tokens travel only over https",
        ),
        (
            "http://127.0.0.1.example.com",
            "tokens travel only over https",
        ),
        ("ftp://registry.example.com", "the scheme `ftp`"),
        ("https://registry.example.com/?x=1", "query or fragment"),
        (
            "https://u:hunter2@registry.example.com",
            "user name or password",
        ),
    ] {
        refuse(&[
            ("QUILT_CATALOG_URL", "https://catalog.example.com"),
            ("QUILT_REGISTRY_URL", url),
        ])
        .stderr(contains("1 problem ").and(contains("QUILT_REGISTRY_URL")))
        .stderr(contains(because).and(contains("hunter2").not()));
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let registry = Registry::start().await;
    let address = registry.address.to_string();
    assert_cmd::Command::from_std(command(&["serve"]))
        .env("QUILT_CATALOG_URL", "https://catalog.example.com")
        .env("QUILT_REGISTRY_URL", registry.url())
        .env("MCP_LISTEN", &address)
        .assert()
        .code(1)
        .stderr(contains(format!("cannot listen on {address}")).and(contains("MCP_LISTEN")));
}

#[tokio::test]
async fn an_unknown_variable_is_a_warning() {
    let registry = Registry::start().await;
    let vars = [("MCP_ALLOWED_ORIGIN", "https://x.example")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let warning = server.line(|line| line["level"] == "WARN").await;
    let message = warning["message"].as_str().unwrap();
    assert!(
        message.starts_with("MCP_ALLOWED_ORIGIN is not a variable"),
        "{message}"
    );
}

#[tokio::test]
async fn the_start_is_announced_with_the_build() {
    let registry = Registry::start().await;
    let vars = [("MCP_BUILD_COMMIT", "3f2a9c1-dirty")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let line = server.line(|line| line["message"] == "listening").await;
    assert_eq!(line["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(line["commit"], "3f2a9c1-dirty");
    assert_eq!(line["registry"], registry.url());
}

#[test]
fn the_version_names_the_commit() {
    let version = env!("CARGO_PKG_VERSION");
    for (commit, expected) in [
        (None, format!("quilt-mcp-server {version}\n")),
        (
            Some("3f2a9c1"),
            format!("quilt-mcp-server {version}+3f2a9c1\n"),
        ),
    ] {
        let mut command = command(&["--version"]);
        command.envs(commit.map(|commit| ("MCP_BUILD_COMMIT", commit)));
        assert_cmd::Command::from_std(command)
            .assert()
            .success()
            .stdout(expected);
    }
}

#[tokio::test]
async fn the_health_check_asks_this_machine() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let check = |listen: String| {
        let mut command = command(&["healthcheck"]);
        command.env("MCP_LISTEN", listen);
        assert_cmd::Command::from_std(command).assert()
    };
    let port = server.address.port();
    let asked = tokio::task::spawn_blocking(move || {
        check(format!("127.0.0.1:{port}")).success().stderr("");
        check(format!("0.0.0.0:{port}")).success().stderr("");
        check("nonsense".to_owned()).code(78);
    });
    asked.await.unwrap();

    let gone = server.address;
    drop(server);
    tokio::task::spawn_blocking(move || {
        check(gone.to_string())
            .code(1)
            .stderr(contains("no answer from http://127.0.0.1:"));
    })
    .await
    .unwrap();
}
