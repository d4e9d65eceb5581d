//! The stdio proxy, as a client that starts it meets it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{Registry, Server, command, eventually, initialize, tools_call, tools_list};

const PATIENCE: Duration = Duration::from_secs(30);

/// A running proxy; killed when dropped.
pub struct Proxy {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    said: JoinHandle<String>,
}

impl Proxy {
    pub fn start(url: &str, arguments: &[&str], vars: &[(&str, &str)]) -> Self {
        let mut child = command(&["proxy", url])
            .args(arguments)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(vars.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, output) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            output,
            said,
        }
    }

    fn of(server: &Server) -> Self {
        Self::start(&server.url("/mcp"), &[], &[("QUILT_MCP_TOKEN", DEMO_TOKEN)])
    }

    pub fn send(&mut self, message: &Value) {
        self.send_line(&message.to_string());
    }

    fn send_line(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    pub async fn answer(&self) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(line) = self.output.try_recv() {
                return serde_json::from_str(&line).unwrap();
            }
            assert!(Instant::now() < deadline, "no answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(self) -> ExitStatus {
        self.end_saying().await.0
    }

    /// How it ends, and all that it wrote to standard error.
    pub async fn end_saying(mut self) -> (ExitStatus, String) {
        drop(self.input.take());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let nothing = std::thread::spawn(String::new);
                let said = std::mem::replace(&mut self.said, nothing);
                return (status, said.join().unwrap());
            }
            assert!(Instant::now() < deadline, "the proxy never ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn messages_go_there_and_back() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut proxy = Proxy::of(&server);
    proxy.send(&initialize("2025-06-18"));
    assert_eq!(
        proxy.answer().await["result"]["protocolVersion"],
        "2025-06-18"
    );
    proxy.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    proxy.send(&tools_call("bucket_list", json!({})));
    let answer = proxy.answer().await;
    assert_eq!(answer["id"], 2);
    assert_eq!(answer["result"]["structuredContent"]["total"], 3);
    for (line, code) in [("{", -32700), ("[]", -32600), ("7", -32600)] {
        proxy.send_line(line);
        assert_eq!(proxy.answer().await["error"]["code"], code, "{line}");
    }
    proxy.send_line("");
    proxy.send(&json!({"jsonrpc": "2.0", "id": "x", "method": "no/such"}));
    let answer = proxy.answer().await;
    assert_eq!(
        (
            &answer["id"],
            &answer["error"]["code"],
            &answer["error"]["message"]
        ),
        (
            &json!("x"),
            &json!(-32601),
            &json!("this server has no method no/such")
        )
    );
    assert!(proxy.end().await.success());
}

#[tokio::test]
async fn what_fails_is_an_error_and_not_the_end() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut proxy = Proxy::start(&server.url("/mcp"), &[], &[]);
    proxy.send(&tools_list());
    let error = proxy.answer().await["error"].clone();
    assert_eq!(
        (&error["code"], &error["data"]["status"]),
        (&json!(-32001), &json!(401))
    );
    drop(proxy);

    let mut proxy = Proxy::start(
        &server.url("/nowhere"),
        &[],
        &[("QUILT_MCP_TOKEN", DEMO_TOKEN)],
    );
    proxy.send(&tools_list());
    let error = proxy.answer().await["error"].clone();
    assert_eq!(error["data"], json!({"status": 404, "retryable": false}));
    drop(proxy);

    let arguments = ["--token-command", "exit 3"];
    let mut proxy = Proxy::start(&server.url("/mcp"), &arguments, &[]);
    proxy.send(&tools_list());
    let error = proxy.answer().await["error"].clone();
    assert_eq!(error["code"], -32001);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("exit status: 3"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refused_token_is_got_anew_once() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    // The first token has been refused since; the second is good; the third is not.
    let script = format!(
        "echo x >> {0}; case $(wc -l < {0}) in 2) echo {DEMO_TOKEN};; *) echo qk_stale;; esac",
        count.display()
    );
    let mut proxy = Proxy::start(&server.url("/mcp"), &["--token-command", &script], &[]);
    for _ in 0..3 {
        proxy.send(&tools_list());
        assert!(proxy.answer().await["result"]["tools"].is_array());
    }
    let runs = || std::fs::read_to_string(&count).unwrap().lines().count();
    assert_eq!(runs(), 2);
    registry.data().change(|catalog| catalog.users.clear());
    server.call("auth_status", json!({})).await;
    proxy.send(&tools_list());
    assert_eq!(proxy.answer().await["error"]["data"]["status"], 401);
    assert_eq!(runs(), 3, "it is not asked again and again");
    drop(proxy);

    let file = folder.path().join("token");
    std::fs::write(&file, "qk_stale\n").unwrap();
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let arguments = ["--token-file", file.to_str().unwrap()];
    let mut proxy = Proxy::start(&server.url("/mcp"), &arguments, &[]);
    proxy.send(&tools_list());
    assert_eq!(proxy.answer().await["error"]["data"]["status"], 401);
    std::fs::write(&file, DEMO_TOKEN).unwrap();
    proxy.send(&tools_list());
    assert!(proxy.answer().await["result"]["tools"].is_array());
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let address = server.address.to_string();
    let mut proxy = Proxy::of(&server);
    proxy.send(&tools_list());
    assert!(proxy.answer().await["result"].is_object());
    drop(server);
    proxy.send(&tools_list());
    let vars = [("MCP_LISTEN", address.as_str())];
    let server = Server::start_with(&registry.url(), &vars).await;
    assert!(proxy.answer().await["result"]["tools"].is_array());
    drop(server);
    proxy.send(&tools_list());
    let error = proxy.answer().await["error"].clone();
    assert_eq!(error["data"]["retryable"], true, "{error}");
}

#[tokio::test]
async fn a_cancelled_request_is_given_up_and_not_answered() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let faults = registry.faults();
    let _hold = faults.hold("Buckets");
    let mut proxy = Proxy::of(&server);
    proxy.send(&tools_call("bucket_list", json!({})));
    eventually("the tool asks", || async { faults.waiting("Buckets") == 1 }).await;
    let cancelled = json!({"requestId": 2, "reason": "enough"});
    proxy
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled}));
    eventually("the tool gives up", || async {
        faults.waiting("Buckets") == 0
    })
    .await;
    proxy.send(&tools_list());
    assert_eq!(
        proxy.answer().await["id"],
        1,
        "the cancelled call has no answer"
    );
}

#[tokio::test]
async fn what_is_in_flight_is_answered_after_the_last_word() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let faults = registry.faults();
    let hold = faults.hold("Buckets");
    let mut proxy = Proxy::of(&server);
    proxy.send(&tools_call("bucket_list", json!({})));
    eventually("the tool asks", || async { faults.waiting("Buckets") == 1 }).await;
    drop(proxy.input.take());
    drop(hold);
    assert_eq!(proxy.answer().await["id"], 2);
    assert!(proxy.end().await.success());
}

/// What is wrong with the command line is said at once, and never a token with it.
#[tokio::test]
async fn what_can_never_work_is_refused_at_the_start() {
    let good = "https://localhost:1/mcp";
    for (url, arguments, says) in [
        (
            "http://mcp.example.com/mcp",
            &[][..],
            "tokens travel only over https",
        ),
        ("ftp://x/y", &[], "give an https URL"),
        (
            "mcp.example.com/mcp",
            &[],
            "the MCP endpoint's URL is not a URL such as https://mcp.example.com/mcp (",
        ),
        ("https://user:pass@host/mcp", &[], "user name or password"),
        (good, &["--token-env", "NO_SUCH"], "the variable NO_SUCH,"),
        (good, &["--token-env", "qk_secret"], "looks like a token"),
        (good, &["--token-command", " "], "--token-command is empty"),
    ] {
        let proxy = Proxy::start(url, arguments, &[("QUILT_MCP_TOKEN", DEMO_TOKEN)]);
        let (status, said) = proxy.end_saying().await;
        assert_eq!(status.code(), Some(78), "{url}: {said}");
        assert!(said.contains(says), "{said}");
        for secret in ["pass@", "qk_secret", DEMO_TOKEN] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}
