//! Requests that two servers could read differently: none is read at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use quilt_demo_registry::DEMO_TOKEN;

use crate::harness::{Registry, Server};

/// How long a first word is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long without another word there is none.
const SILENCE: Duration = Duration::from_millis(700);

/// What the server sends until it closes the connection or falls silent.
fn answer(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
        stream.set_read_timeout(Some(SILENCE)).unwrap();
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_framing_is_refused() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let smuggled = "POST /mcp HTTP/1.1\r\nHost: x\r\n\r\n";
    for (name, head) in [
        (
            "two lengths",
            "Content-Length: 0\r\nContent-Length: 30\r\n\r\n",
        ),
        ("a list of lengths", "Content-Length: 0, 30\r\n\r\n"),
        ("a signed length", "Content-Length: +0\r\n\r\n"),
        ("a length in words", "Content-Length: zero\r\n\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n"),
        (
            "a coding after chunked",
            "Transfer-Encoding: chunked, gzip\r\n\r\n",
        ),
        ("a space before the colon", "Content-Length : 0\r\n\r\n"),
        ("a folded line", "X-A: b\r\n c: d\r\n\r\n"),
        ("a NUL in a value", "X-A: b\0c\r\n\r\n"),
        (
            "a bad chunk",
            "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
        ),
    ] {
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEMO_TOKEN}\r\nContent-Type: application/json\r\n{head}{smuggled}"
        );
        let answer = answer(&server, request.as_bytes());
        let answers = answer.matches("HTTP/1.1 ").count();
        assert!(
            answers <= 1,
            "{name}: the rest was read as a request: {answer}"
        );
        assert!(!answer.contains("HTTP/1.1 2"), "{name}: {answer}");
    }
}

/// RFC 9112, section 6.3: with both, the transfer coding counts, and the length is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_does_not_split_the_stream() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEMO_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    let answer = answer(&server, request.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_without_end_is_cut() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let many = "X-A: b\r\n".repeat(200);
    let long = format!("X-A: {}\r\n", "b".repeat(300_000));
    for header in [many, long] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        let answer = answer(&server, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    assert_eq!(server.health().await, Some(200));
}
