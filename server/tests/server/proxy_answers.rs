//! The stdio proxy before endpoints that answer what an MCP server would not.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::harness::{initialize, tools_list};
use crate::proxy::Proxy;

type Answer = (u16, &'static [(HeaderName, &'static str)], &'static str);

const HTML: (HeaderName, &str) = (header::CONTENT_TYPE, "text/html; charset=utf-8");
const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
const EVENTS: (HeaderName, &str) = (header::CONTENT_TYPE, "text/event-stream");

/// The URL of an endpoint that gives every request this answer.
async fn endpoint((status, headers, body): Answer) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    let app = Router::new().fallback(async move || (status, headers, Body::from(body)));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// What becomes of a request there, and what is said on standard error.
async fn ask(answer: Answer) -> (Value, String) {
    let url = endpoint(answer).await;
    let mut proxy = Proxy::start(&url, &[], &[("QUILT_MCP_TOKEN", "qk_a")]);
    proxy.send(&tools_list());
    let answer = proxy.answer().await;
    let (status, said) = proxy.end_saying().await;
    assert!(status.success(), "{said}");
    (answer, said)
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_that_says_what_answered() {
    let other = r#"{"jsonrpc":"2.0","id":9,"result":{}}"#;
    for (answer, code, says) in [
        (
            (200, &[JSON][..], r#"{"hello":1}"#),
            -32000,
            &["HTTP 200 OK with application/json", "not a JSON-RPC answer"][..],
        ),
        ((200, &[JSON], other), -32000, &["not a JSON-RPC answer"]),
        ((200, &[], "hello"), -32000, &["without a media type"]),
        (
            (200, &[EVENTS], "data: {\"hello\":1}\n\n"),
            -32000,
            &["with text/event-stream", "not a JSON-RPC answer"],
        ),
        (
            (200, &[EVENTS], "data: hello\n\n"),
            -32000,
            &["not a JSON-RPC answer"],
        ),
        (
            (200, &[HTML], "<title>Sign in</title>"),
            -32000,
            &["with text/html", "a sign-in or the catalog"],
        ),
        (
            (
                302,
                &[(
                    header::LOCATION,
                    "https://sso.example.com/login?state=s3cret",
                )],
                "",
            ),
            -32000,
            &[
                "HTTP 302 Found",
                "a redirect to https://sso.example.com/login:",
            ],
        ),
        ((202, &[], ""), -32000, &["HTTP 202", "a notification"]),
        (
            (405, &[HTML], "<html>"),
            -32000,
            &["HTTP 405", "text/html", "the catalog"],
        ),
        (
            (
                401,
                &[HTML, (header::WWW_AUTHENTICATE, "Basic realm=x")],
                "",
            ),
            -32001,
            &["asking for Basic authentication", "a gateway"],
        ),
        ((403, &[HTML], "<html>"), -32001, &["HTTP 403", "firewall"]),
        (
            (404, &[HTML], "<html>"),
            -32000,
            &["HTTP 404", "the MCP endpoint's path is /mcp"],
        ),
    ] {
        let (error, said) = ask(answer).await;
        assert_eq!(error["id"], 1, "{error}");
        assert_eq!(error["error"]["code"], code, "{error}");
        assert_eq!(error["error"]["data"]["status"], answer.0, "{error}");
        let message = error["error"]["message"].as_str().unwrap();
        for says in says.iter().chain(&["/mcp answered HTTP ", "docs/guides/"]) {
            assert!(message.contains(says), "{says}: {message}");
        }
        assert!(said.contains(message), "{said}");
        assert!(!said.contains('\x1b'), "no colours: {said}");
        for secret in ["s3cret", "qk_a"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn answers_of_other_mcp_servers_come_back() {
    let refused = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#;
    let (answer, _) = ask((400, &[JSON], refused)).await;
    assert_eq!(
        (&answer["id"], &answer["error"]["message"]),
        (&json!(1), &json!("no"))
    );

    let events = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n\
        data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n";
    let url = endpoint((200, &[EVENTS], events)).await;
    let mut proxy = Proxy::start(&url, &[], &[]);
    proxy.send(&tools_list());
    assert_eq!(proxy.answer().await["method"], "notifications/progress");
    assert_eq!(proxy.answer().await["id"], 1);
}

/// Each is said for what it is, in the answer and on standard error.
#[tokio::test]
async fn what_is_no_token_is_said_for_what_it_is() {
    let url = endpoint((200, &[JSON], r#"{"jsonrpc":"2.0","id":0,"result":{}}"#)).await;
    for (arguments, variable, says) in [
        (
            &["--token-command", "true"][..],
            "",
            Some("the token command printed nothing"),
        ),
        (
            &["--token-command", "echo qk_a qk_b"],
            "",
            Some("the token command printed several words"),
        ),
        (
            &[],
            "Bearer qk_a",
            Some("QUILT_MCP_TOKEN holds `Bearer` before the token"),
        ),
        (&["--token-command", "echo qk_a; echo user: me"], "", None),
    ] {
        let mut proxy = Proxy::start(&url, arguments, &[("QUILT_MCP_TOKEN", variable)]);
        proxy.send(&initialize("2025-06-18"));
        let answer = proxy.answer().await;
        let (_, said) = proxy.end_saying().await;
        let Some(says) = says else {
            assert!(answer["result"].is_object(), "{answer}");
            continue;
        };
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(0), &json!(-32001))
        );
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(says), "{message}");
        assert!(said.contains(says) && !said.contains("qk_a"), "{said}");
    }
}
