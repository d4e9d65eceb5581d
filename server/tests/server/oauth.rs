//! What the server says about who issues its tokens, and whose tokens it takes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{CATALOG, Registry, Server, tools_list};

const PUBLIC: &str = "https://mcp.example.com/mcp/platform/mcp";
const ISSUER: &str = "https://connect.example.com";
const VARS: [(&str, &str); 3] = [
    ("MCP_PUBLIC_URL", PUBLIC),
    ("MCP_AUTHORIZATION_SERVERS", ISSUER),
    ("MCP_SCOPES", "openid,platform"),
];

#[tokio::test]
async fn a_challenge_leads_to_the_metadata() {
    let registry = Registry::start().await;
    let server = Server::start_with(&registry.url(), &VARS).await;
    for token in [None, Some("qk_other")] {
        let request = server.post("/mcp", token, &tools_list());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        let url = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp/platform/mcp";
        assert!(
            challenge.contains(&format!("resource_metadata=\"{url}\"")),
            "{challenge}"
        );
        assert!(
            challenge.contains("scope=\"openid platform\""),
            "{challenge}"
        );
    }
    for suffix in ["", "/mcp", "/mcp/platform/mcp"] {
        let url = server.url(&format!("/.well-known/oauth-protected-resource{suffix}"));
        let request = server.http.get(url).header("origin", CATALOG);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{suffix}");
        assert!(answer.headers().contains_key("access-control-allow-origin"));
        let metadata: Value = answer.json().await.unwrap();
        assert_eq!(
            metadata,
            json!({
                "resource": PUBLIC,
                "authorization_servers": [ISSUER],
                "bearer_methods_supported": ["header"],
                "resource_name": "Quilt",
                "scopes_supported": ["openid", "platform"],
            })
        );
    }
}

/// A client that finds metadata would look for an issuer that is not there.
#[tokio::test]
async fn without_an_issuer_there_is_nothing_to_lead_to() {
    let registry = Registry::start().await;
    let server = Server::start_with(&registry.url(), &VARS[..1]).await;
    let answer = server
        .post("/mcp", None, &tools_list())
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.headers()["www-authenticate"],
        r#"Bearer realm="quilt""#
    );
    let url = server.url("/.well-known/oauth-protected-resource");
    assert_eq!(server.http.get(url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_token_for_somebody_else_is_refused_without_asking() {
    let registry = Registry::start().await;
    let server = Server::start_with(&registry.url(), &VARS[..1]).await;
    let platform = format!("{}/mcp/platform", registry.url());
    for (audience, status) in [
        (json!(PUBLIC), 200),
        (json!(platform), 200),
        (json!(["https://other.example", platform]), 200),
        (json!("https://other.example/mcp"), 401),
        (json!([]), 401),
        (json!(17), 401),
    ] {
        let claims = json!({ "id": "u1", "aud": audience }).to_string();
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        registry.add_user(&token);
        let before = registry.faults().asked("Me");
        let answer = server.list_tools(&token).send().await.unwrap();
        assert_eq!(answer.status(), status, "{audience}");
        let asked = registry.faults().asked("Me") > before;
        assert_eq!(asked, status == 200, "{audience}");
        if status == 401 {
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("another audience"), "{challenge}");
        }
    }
    let named = [("MCP_AUDIENCES", "https://connect.example.com/mcp/platform")];
    let server = Server::start_with(&registry.url(), &named).await;
    let claims = json!({ "aud": "https://connect.example.com/mcp/platform" }).to_string();
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    registry.add_user(&token);
    assert_eq!(
        server.list_tools(&token).send().await.unwrap().status(),
        200
    );
    assert_eq!(
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status(),
        200
    );
}
