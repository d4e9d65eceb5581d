//! What the server refuses for being too much, and that others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{Registry, Server, eventually, tools_call};

fn waiting_call(server: &Server, token: &str) -> reqwest::RequestBuilder {
    server.post("/mcp", Some(token), &tools_call("bucket_list", json!({})))
}

#[tokio::test]
async fn one_token_gets_its_share_and_no_more() {
    let registry = Registry::start().await;
    registry.add_user("qk_other");
    let vars = [("MCP_MAX_IN_FLIGHT_PER_TOKEN", "2")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let faults = registry.faults();
    let hold = faults.hold("Buckets");
    let mut in_flight = Vec::new();
    for count in 1..=2 {
        in_flight.push(waiting_call(&server, DEMO_TOKEN).send().await.unwrap());
        eventually("the call waits", || async {
            faults.waiting("Buckets") == count
        })
        .await;
    }
    let refused = server.list_tools(DEMO_TOKEN).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "too_many_requests");
    assert_eq!(body["error"]["retryable"], true);
    let other = server.list_tools("qk_other").send().await.unwrap();
    assert_eq!(other.status(), 200, "another caller is not concerned");

    // A call whose client has gone makes room.
    drop(in_flight.pop());
    eventually("there is room again", || async {
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status() == 200
    })
    .await;
    drop(hold);
}

#[tokio::test]
async fn a_full_server_says_so_and_is_healthy() {
    let registry = Registry::start().await;
    let vars = [("MCP_MAX_IN_FLIGHT", "2")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let faults = registry.faults();
    let hold = faults.hold("Buckets");
    let first = waiting_call(&server, DEMO_TOKEN).send().await.unwrap();
    let second = waiting_call(&server, DEMO_TOKEN).send().await.unwrap();
    eventually("the calls wait", || async {
        faults.waiting("Buckets") == 2
    })
    .await;
    for token in [Some(DEMO_TOKEN), None] {
        let request = server.post("/mcp", token, &tools_call("auth_status", json!({})));
        let request = request.header("origin", crate::harness::CATALOG);
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
        assert!(
            refused
                .headers()
                .contains_key("access-control-allow-origin")
        );
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"]["code"], "overloaded");
    }
    assert_eq!(server.health().await, Some(200));
    drop(hold);
    for call in [first, second] {
        let text = call.text().await.unwrap();
        assert!(text.contains("\"isError\":false"), "{text}");
    }
    let after = server.list_tools(DEMO_TOKEN).send().await.unwrap();
    assert_eq!(after.status(), 200);
}

#[tokio::test]
async fn clients_that_dawdle_hold_nobody_up() {
    let registry = Registry::start().await;
    let vars = [("MCP_MAX_IN_FLIGHT", "64")];
    let server = Server::start_with(&registry.url(), &vars).await;
    let connect = || TcpStream::connect(server.address).unwrap();
    // Neither headers that never end nor bodies that never come take a place
    // that others need.
    let mut dawdlers: Vec<_> = (0..200).map(|_| connect()).collect();
    for (number, dawdler) in dawdlers.iter_mut().enumerate() {
        let line = match number % 4 {
            0 => "".to_owned(),
            1 => "POST /mcp HTT".to_owned(),
            2 => "POST /mcp HTTP/1.1\r\nHost: x\r\nX-A: ".to_owned(),
            _ if number < 100 => format!(
                "POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEMO_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
            ),
            _ => "GET /healthz HTTP/1.1\r\n".to_owned(),
        };
        dawdler.write_all(line.as_bytes()).unwrap();
    }
    for _ in 0..20 {
        let answer = server.list_tools("qk_unknown").send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    drop(dawdlers);
    eventually("their places are free", || async {
        server.list_tools(DEMO_TOKEN).send().await.unwrap().status() == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_refused_by_its_declared_length_before_it_is_sent() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEMO_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}
