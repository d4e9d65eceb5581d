//! Protocol versions, by raw HTTP and through rmcp's own client.

use quilt_demo_registry::DEMO_TOKEN;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};

use crate::harness::{Registry, Server, first_event, initialize, tools_list};

const HANDSHAKE_VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

fn transport(server: &Server, token: &str) -> StreamableHttpClientTransport<reqwest::Client> {
    let config =
        StreamableHttpClientTransportConfig::with_uri(server.url("/mcp/")).auth_header(token);
    StreamableHttpClientTransport::with_client(server.http.clone(), config)
}

#[tokio::test]
async fn each_version_with_a_handshake_is_spoken() {
    let registry = Registry::start().await;
    let vars = [("MCP_BUILD_COMMIT", "3f2a9c1")];
    let server = Server::start_with(&registry.url(), &vars).await;
    for version in HANDSHAKE_VERSIONS {
        let request = server.post("/mcp", Some(DEMO_TOKEN), &initialize(version));
        let answer = request.send().await.unwrap();
        let message = first_event(&answer.text().await.unwrap());
        assert_eq!(message["result"]["protocolVersion"], version);
        let info = &message["result"]["serverInfo"];
        assert_eq!(info["name"], "quilt-mcp-server");
        assert_eq!(
            info["version"],
            format!("{}+3f2a9c1", env!("CARGO_PKG_VERSION"))
        );

        let request = server
            .list_tools(DEMO_TOKEN)
            .header("mcp-protocol-version", version);
        assert_eq!(request.send().await.unwrap().status(), 200, "{version}");
    }
    let request = server
        .list_tools(DEMO_TOKEN)
        .header("mcp-protocol-version", "1999-01-01");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let message: Value = answer.json().await.unwrap();
    assert_eq!(
        message,
        json!({"jsonrpc": "2.0", "id": 1, "error": {
            "code": -32600,
            "message": "Unsupported MCP-Protocol-Version: 1999-01-01",
        }})
    );
}

#[tokio::test]
async fn an_unknown_version_is_answered_with_one_that_is_known() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let request = server.post("/mcp", Some(DEMO_TOKEN), &initialize("2020-01-01"));
    let message = first_event(&request.send().await.unwrap().text().await.unwrap());
    let version = message["result"]["protocolVersion"].as_str().unwrap();
    assert!(HANDSHAKE_VERSIONS.contains(&version), "{version}");
}

#[tokio::test]
async fn a_notification_is_accepted() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let request = server.post("/mcp", Some(DEMO_TOKEN), &initialized);
    assert_eq!(request.send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_client_gets_the_kind_of_answer_that_it_accepts() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for (accept, status, kind) in [
        (None, 200, "text/event-stream"),
        (Some("*/*"), 200, "text/event-stream"),
        (Some("text/event-stream"), 200, "text/event-stream"),
        (Some("application/json"), 200, "application/json"),
        (Some("text/html"), 406, "application/json"),
    ] {
        let mut request = server
            .http
            .post(server.url("/mcp"))
            .bearer_auth(DEMO_TOKEN)
            .json(&tools_list());
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{accept:?}");
        assert_eq!(answer.headers()["content-type"], kind, "{accept:?}");
        let body = answer.text().await.unwrap();
        let message = match kind {
            "application/json" => serde_json::from_str(&body).unwrap(),
            _ => first_event(&body),
        };
        let answered = message["result"]["tools"].is_array();
        assert_eq!(answered, status == 200, "{message}");
    }
}

#[tokio::test]
async fn a_wrong_message_is_answered_in_json() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let bomb = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (body, id, code) in [
        ("", json!(null), -32700),
        ("{", json!(null), -32700),
        ("\u{feff}{}", json!(null), -32700),
        (bomb.as_str(), json!(null), -32700),
        ("[]", json!(null), -32600),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            json!(null),
            -32600,
        ),
        (
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            json!(7),
            -32600,
        ),
        (r#"{"id":"x","method":"ping"}"#, json!("x"), -32600),
        (r#""ping""#, json!(null), -32600),
    ] {
        let request = server
            .http
            .post(server.url("/mcp"))
            .bearer_auth(DEMO_TOKEN)
            .header("content-type", "application/json; charset=utf-8")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        let start: String = body.chars().take(60).collect();
        assert_eq!(answer.status(), 400, "{start}");
        let message: Value = answer.json().await.unwrap();
        assert_eq!(message["error"]["code"], code, "{start}: {message}");
        assert_eq!(message["id"], id, "{start}");
    }
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "gzip"),
    ] {
        let request = server.list_tools(DEMO_TOKEN).header(name, value);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 415, "{name}: {value}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn rmcps_client_works_with_a_handshake() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let client = ().serve(transport(&server, DEMO_TOKEN)).await.unwrap();
    use_tools(&client).await;
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn rmcps_client_works_without_one() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let lifecycle = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let transport = transport(&server, DEMO_TOKEN);
    let client = ().serve_with_lifecycle(transport, lifecycle).await.unwrap();
    use_tools(&client).await;
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn rmcps_client_is_told_that_its_token_is_refused() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let refused = ().serve(transport(&server, "qk_other")).await;
    let error = format!("{:?}", refused.expect_err("refused"));
    assert!(error.contains("invalid_token"), "{error}");
}

async fn use_tools(client: &RunningService<RoleClient, ()>) {
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 25);

    let arguments = json!({"bucket": "quilt-local-raw", "filter": "wgs"});
    let call = CallToolRequestParams::new("package_list")
        .with_arguments(arguments.as_object().unwrap().clone());
    let result = client.call_tool(call).await.unwrap();
    assert_eq!(result.is_error, Some(false));
    let list = result.structured_content.unwrap();
    assert_eq!(list["packages"][0]["name"], "genomics/wgs-trio-017");

    let call = CallToolRequestParams::new("package_list");
    let result = client.call_tool(call).await.unwrap();
    assert_eq!(result.is_error, Some(true));
    assert_eq!(
        result.structured_content.unwrap()["error"]["code"],
        "invalid_input"
    );
}
