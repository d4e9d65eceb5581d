//! Pages of allowed origins may call; others may not.

use quilt_demo_registry::DEMO_TOKEN;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::harness::{CATALOG, Registry, Server, tools_list};

async fn preflight(server: &Server, origin: &str) -> HeaderMap {
    let answer = server
        .http
        .request(Method::OPTIONS, server.url("/mcp/platform/mcp"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,mcp-protocol-version",
        )
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.headers().clone()
}

#[tokio::test]
async fn a_preflight_passes_without_a_token() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let headers = preflight(&server, CATALOG).await;
    assert_eq!(headers["access-control-allow-origin"], CATALOG);
    let methods = headers["access-control-allow-methods"].to_str().unwrap();
    assert!(methods.contains("POST"), "{methods}");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    for header in ["authorization", "content-type", "mcp-protocol-version"] {
        assert!(allowed.contains(header), "{allowed}");
    }
    assert_eq!(registry.faults().asked("Me"), 0);

    let other = preflight(&server, "https://evil.example").await;
    assert_eq!(other.get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn answers_good_and_bad_carry_the_headers() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    registry.faults().fail_with(None);
    for (token, outage, status) in [
        (Some(DEMO_TOKEN), None, 200),
        (None, None, 401),
        (Some("qk_other"), None, 401),
        (Some("qk_third"), Some(502), 503),
    ] {
        registry.faults().fail_with(outage);
        let request = server.post("/mcp/", token, &tools_list());
        let answer = request.header("origin", CATALOG).send().await.unwrap();
        assert_eq!(answer.status(), status);
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], CATALOG, "{status}");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap();
        for header in ["mcp-session-id", "www-authenticate"] {
            assert!(exposed.contains(header), "{exposed}");
        }
    }
}

#[tokio::test]
async fn the_list_of_origins_is_one_list_for_both_checks() {
    let registry = Registry::start().await;
    let listed = "https://a.example,http://localhost:3000,https://b.example:443";
    for (list, origin, allowed) in [
        (Some(listed), "https://a.example", true),
        (Some(listed), "http://localhost:3000", true),
        (Some(listed), "https://b.example", true),
        (Some(listed), "https://a.example:8443", false),
        (Some(listed), "http://a.example", false),
        (Some(listed), "http://localhost:3001", false),
        (Some(listed), CATALOG, false),
        (Some(listed), "null", false),
        (Some(""), CATALOG, false),
        (None, CATALOG, true),
        (None, "https://evil.example", false),
    ] {
        let vars: Vec<_> = list
            .map(|list| ("MCP_ALLOWED_ORIGINS", list))
            .into_iter()
            .collect();
        let server = Server::start_with(&registry.url(), &vars).await;
        let granted = preflight(&server, origin).await;
        assert_eq!(
            granted.contains_key("access-control-allow-origin"),
            allowed,
            "preflight of {origin} with {list:?}"
        );
        let request = server.list_tools(DEMO_TOKEN).header("origin", origin);
        let status = request.send().await.unwrap().status();
        assert_eq!(
            status,
            if allowed { 200 } else { 403 },
            "{origin} with {list:?}"
        );
    }
}

#[tokio::test]
async fn clients_that_are_no_browsers_send_no_origin() {
    let registry = Registry::start().await;
    let server = Server::start_with(&registry.url(), &[("MCP_ALLOWED_ORIGINS", "")]).await;
    assert_eq!(
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status(),
        200
    );
}
