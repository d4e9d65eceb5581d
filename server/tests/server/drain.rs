//! SIGTERM, as ECS sends it.

use quilt_demo_registry::DEMO_TOKEN;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Registry, Server, eventually, first_event, tools_call};

#[tokio::test]
async fn a_call_in_flight_finishes() {
    let registry = Registry::start().await;
    let vars = [
        ("MCP_DRAIN_GRACE_SECONDS", "5"),
        ("MCP_DRAIN_TIMEOUT_SECONDS", "60"),
    ];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    let faults = registry.faults();
    let hold = faults.hold("Buckets");
    let request = server.post(
        "/mcp",
        Some(DEMO_TOKEN),
        &tools_call("bucket_list", json!({})),
    );
    let in_flight = tokio::spawn(async move { request.send().await?.text().await });
    eventually("the call is in flight", || async {
        faults.waiting("Buckets") == 1
    })
    .await;

    server.signal(Signal::TERM);
    eventually("/healthz says 503", || async {
        server.health().await == Some(503)
    })
    .await;
    let late = server.call("auth_status", json!({})).await;
    assert_eq!(late["isError"], false, "calls are served during the grace");
    eventually("the listener closes", || async {
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    })
    .await;

    drop(hold);
    let message = first_event(&in_flight.await.unwrap().unwrap());
    assert_eq!(message["result"]["structuredContent"]["total"], 3);
    let ended = server.end().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
    let stopped = server.line(|line| line["message"] == "stopped").await;
    assert_eq!(stopped["ended"], "Drained");
}

#[tokio::test]
async fn a_call_that_does_not_finish_is_given_up() {
    let registry = Registry::start().await;
    let vars = [
        ("MCP_DRAIN_GRACE_SECONDS", "0"),
        ("MCP_DRAIN_TIMEOUT_SECONDS", "1"),
    ];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    let faults = registry.faults();
    let _hold = faults.hold("Buckets");
    let request = server.post(
        "/mcp",
        Some(DEMO_TOKEN),
        &tools_call("bucket_list", json!({})),
    );
    let in_flight = tokio::spawn(async move { request.send().await?.text().await });
    eventually("the call is in flight", || async {
        faults.waiting("Buckets") == 1
    })
    .await;

    server.signal(Signal::TERM);
    let ended = server.end().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
    let stopped = server.line(|line| line["message"] == "stopped").await;
    assert_eq!(stopped["ended"], "DrainTimedOut");
    assert!(
        in_flight.await.unwrap().is_err(),
        "a cut answer is an error, not an empty one"
    );
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let registry = Registry::start().await;
        let vars = [
            ("MCP_DRAIN_GRACE_SECONDS", "120"),
            ("MCP_DRAIN_TIMEOUT_SECONDS", "120"),
        ];
        let mut server = Server::start_with(&registry.url(), &vars).await;
        server.signal(Signal::TERM);
        server.line(|line| line["message"] == "draining").await;
        server.signal(second);
        let ended = server.end().await;
        assert_eq!(ended.code(), Some(code), "{ended}");
    }
}

#[tokio::test]
async fn an_idle_server_ends_after_the_grace() {
    let registry = Registry::start().await;
    let vars = [
        ("MCP_DRAIN_GRACE_SECONDS", "0"),
        ("MCP_DRAIN_TIMEOUT_SECONDS", "120"),
    ];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    // An idle connection that is kept alive must not hold the end up.
    assert_eq!(server.health().await, Some(200));
    server.signal(Signal::INT);
    let ended = server.end().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
}

#[tokio::test]
async fn calls_of_any_length_that_can_finish_do() {
    let registry = Registry::start().await;
    let vars = [
        ("MCP_DRAIN_GRACE_SECONDS", "1"),
        ("MCP_DRAIN_TIMEOUT_SECONDS", "60"),
    ];
    let mut server = Server::start_with(&registry.url(), &vars).await;
    server.call("auth_status", json!({})).await;
    let faults = registry.faults();
    let mut calls = Vec::new();
    // The longest first: all are in flight when the signal comes, but for the shortest, perhaps.
    for millis in [20_000, 8_000, 3_000, 1_000, 100] {
        faults.delay(std::time::Duration::from_millis(millis));
        let asked = faults.asked("Buckets");
        let message = tools_call("bucket_list", json!({}));
        let request = server.post("/mcp", Some(DEMO_TOKEN), &message);
        calls.push(tokio::spawn(
            async move { request.send().await?.text().await },
        ));
        eventually("the call is in flight", || async {
            faults.asked("Buckets") > asked
        })
        .await;
    }
    server.signal(Signal::TERM);
    for call in calls {
        let message = first_event(&call.await.unwrap().unwrap());
        assert_eq!(message["result"]["structuredContent"]["total"], 3);
    }
    let ended = server.end().await;
    assert_eq!(ended.code(), Some(0), "{ended}");
    let stopped = server.line(|line| line["message"] == "stopped").await;
    assert_eq!(stopped["ended"], "Drained");
}
