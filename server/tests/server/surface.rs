//! Paths, methods and headers.

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{Registry, Server, first_event, initialize, tools_call, tools_list};

#[tokio::test]
async fn health_needs_no_token_and_names_the_build() {
    let registry = Registry::start().await;
    let vars = [("MCP_BUILD_COMMIT", "3f2a9c1")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let answer = server
        .http
        .get(server.url("/healthz"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        answer.headers()["x-quilt-mcp-server"],
        format!("{version}+3f2a9c1")
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body,
        json!({"status": "ok", "version": version, "commit": "3f2a9c1"})
    );
    assert_eq!(registry.faults().asked("Me"), 0);
}

#[tokio::test]
async fn mcp_is_served_at_each_of_its_paths() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for path in ["/mcp", "/mcp/", "/mcp/platform/mcp"] {
        let answer = server
            .post(path, Some(DEMO_TOKEN), &tools_list())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let message = first_event(&answer.text().await.unwrap());
        assert_eq!(message["result"]["tools"].as_array().unwrap().len(), 25);
    }
}

#[tokio::test]
async fn unknown_paths_are_404_with_and_without_a_token() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for path in [
        "/",
        "/mcp/x",
        "/mcpx",
        "/mcp/platform",
        "/sse",
        "/.well-known/oauth-protected-resource",
    ] {
        for token in [None, Some(DEMO_TOKEN)] {
            let answer = server
                .post(path, token, &tools_list())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 404, "{path}");
            let body: Value = answer.json().await.unwrap();
            assert_eq!(body["error"]["code"], "not_found");
        }
    }
}

#[tokio::test]
async fn there_is_no_stream_to_get_and_no_session_to_delete() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for method in [
        reqwest::Method::GET,
        reqwest::Method::DELETE,
        reqwest::Method::PUT,
    ] {
        let request = server.http.request(method.clone(), server.url("/mcp/"));
        let answer = request.bearer_auth(DEMO_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "POST");
    }
}

#[tokio::test]
async fn no_session_is_opened() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let request = server.post("/mcp", Some(DEMO_TOKEN), &initialize("2025-06-18"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("mcp-session-id"), None);
    // A second task never saw the handshake, and answers all the same.
    let other = Server::start(&registry).await;
    assert_eq!(other.call("bucket_list", json!({})).await["isError"], false);
}

#[tokio::test]
async fn a_body_over_four_mebibytes_is_413() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let query = "x".repeat(4 * 1024 * 1024);
    let message = tools_call("search_packages", json!({ "query": query }));
    let request = server.post("/mcp", Some(DEMO_TOKEN), &message);
    assert_eq!(request.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn only_listed_hosts_are_answered() {
    let registry = Registry::start().await;
    let vars = [(
        "MCP_ALLOWED_HOSTS",
        "mcp.example.com,other.example.com:8443",
    )];
    let server = Server::start_with(&registry.url(), &vars).await;
    for (host, status) in [
        ("mcp.example.com", 200),
        ("mcp.example.com:443", 200),
        ("other.example.com:8443", 200),
        ("other.example.com", 403),
        ("evil.example.com", 403),
    ] {
        let request = server.list_tools(DEMO_TOKEN).header("host", host);
        assert_eq!(request.send().await.unwrap().status(), status, "{host}");
    }
    // The load balancer asks for the health by address.
    assert_eq!(server.health().await, Some(200));
}
