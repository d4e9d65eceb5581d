//! CORS as a real browser understands it: a page of another origin, in Chromium.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use quilt_demo_registry::DEMO_TOKEN;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::harness::{Registry, Server};
use crate::support::tool_named_by;

const PATIENCE: Duration = Duration::from_secs(60);

/// What the page does: calls of each kind, and what it may see of the answers.
const PAGE: &str = r#"<!doctype html><title>page</title><script>
const url = "URL";
async function call(token, origin) {
  const headers = { "content-type": "application/json", "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-06-18" };
  if (token) headers.authorization = "Bearer " + token;
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call",
    params: { name: "bucket_list", arguments: {} } });
  try {
    const answer = await fetch(url, { method: "POST", headers, body });
    return { status: answer.status, text: await answer.text(),
      challenge: answer.headers.get("www-authenticate"), retry: answer.headers.get("retry-after"),
      build: answer.headers.get("x-quilt-mcp-server") };
  } catch (error) { return { blocked: String(error) }; }
}
async function run() {
  const good = await call("TOKEN"), none = await call(null), refused = await call("qk_refused");
  await fetch("/outage", { method: "POST" });
  const outage = await call("qk_during_the_outage");
  await fetch("/result", { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ good, none, refused, outage }) });
}
run();
</script>"#;

/// A running Chromium; killed when dropped.
struct Browser(
    Child,
    #[expect(dead_code, reason = "kept until the browser ends")] tempfile::TempDir,
);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn browser(chromium: &Path, profile: &tempfile::TempDir) -> Command {
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-proxy-server",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()));
    command
}

/// What a page sees of a server that allows the page's origin, or another.
async fn see(is_allowed: bool) -> Option<Value> {
    let chromium = tool_named_by("QUILT_MCP_CHROMIUM", "chromium")?;
    let registry = Registry::start().await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let page = format!("http://{}", listener.local_addr().unwrap());
    let allowed = if is_allowed {
        page.as_str()
    } else {
        "https://elsewhere.example"
    };
    let server = Server::start_with(&registry.url(), &[("MCP_ALLOWED_ORIGINS", allowed)]).await;
    let html = PAGE
        .replace("URL", &server.url("/mcp"))
        .replace("TOKEN", DEMO_TOKEN);
    let (results, mut result) = mpsc::channel::<Value>(1);
    let faults = registry.faults().clone();
    let app = Router::new()
        .route("/", get(async || Html(html)))
        .route("/outage", post(async move || faults.fail_with(Some(503))))
        .route(
            "/result",
            post(
                async |State(results): State<mpsc::Sender<Value>>, Json(seen): Json<Value>| {
                    let _ = results.send(seen).await;
                },
            ),
        )
        .with_state(results);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let profile = tempfile::tempdir().unwrap();
    let child = browser(&chromium, &profile)
        .arg(&page)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _browser = Browser(child, profile);
    let seen = tokio::time::timeout(PATIENCE, result.recv()).await;
    Some(seen.expect("the page never reported").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_an_allowed_origin_calls_and_reads_refusals() {
    let Some(seen) = see(true).await else { return };
    assert_eq!(seen["good"]["status"], 200, "{seen}");
    assert!(
        seen["good"]["text"]
            .as_str()
            .unwrap()
            .contains("quilt-local-raw")
    );
    assert!(
        seen["good"]["build"].is_string(),
        "the build header is exposed"
    );
    for (call, challenge) in [("none", "realm"), ("refused", "invalid_token")] {
        assert_eq!(seen[call]["status"], 401, "{seen}");
        let shown = seen[call]["challenge"]
            .as_str()
            .expect("the challenge is exposed");
        assert!(shown.contains(challenge), "{shown}");
    }
    assert_eq!(seen["outage"]["status"], 503, "{seen}");
    assert_eq!(seen["outage"]["retry"], "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_blocked_by_its_browser() {
    let Some(seen) = see(false).await else { return };
    for call in ["good", "none", "refused", "outage"] {
        assert!(seen[call]["blocked"].is_string(), "{call}: {seen}");
    }
}

/// The demo registry's page, as it is once its call has ended.
fn demo_page(chromium: &Path, registry: &Registry, endpoint: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = browser(chromium, &profile)
        .args(["--dump-dom", "--virtual-time-budget=20000"])
        .arg(format!("{}/?endpoint={endpoint}#call", registry.url()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_registrys_page_shows_what_a_browser_lets_it_see() {
    let Some(chromium) = tool_named_by("QUILT_MCP_CHROMIUM", "chromium") else {
        return;
    };
    let registry = Registry::start().await;
    let origin = registry.url();
    let allowed = [("MCP_ALLOWED_ORIGINS", origin.as_str())];
    for (vars, says) in [
        (&allowed[..], "HTTP 200: 25 tools"),
        (&[], "TypeError: Failed to fetch"),
    ] {
        let server = Server::start_with(&registry.url(), vars).await;
        let endpoint = server.url("/mcp/");
        let page = tokio::task::block_in_place(|| demo_page(&chromium, &registry, &endpoint));
        assert!(page.contains(says), "{page}");
        assert_eq!(page.contains("bucket_list"), !vars.is_empty(), "{page}");
    }
}
