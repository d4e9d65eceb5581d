//! Starts servers and registries, and stops what it started.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quilt_demo_registry::{DEMO_TOKEN, DemoRegistry, Faults};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Nothing here takes long; what has not happened by then will not.
const PATIENCE: Duration = Duration::from_secs(30);

/// The catalog whose pages may call.
pub const CATALOG: &str = "https://catalog.example.com";

/// A command of the binary with an empty environment.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-server"));
    command.args(arguments).env_clear();
    command
}

/// Asks until the answer is yes.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut question: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !question().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A registry in this process.
pub struct Registry {
    registry: DemoRegistry,
    pub address: SocketAddr,
    _stop: DropGuard,
}

impl Registry {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let registry = DemoRegistry::sample();
        let stop = CancellationToken::new();
        tokio::spawn(registry.clone().serve(listener, stop.clone()));
        Self {
            registry,
            address,
            _stop: stop.drop_guard(),
        }
    }

    pub fn faults(&self) -> &Faults {
        self.registry.faults()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has the registry know another bearer: another user of the same name.
    pub fn add_user(&self, token: &str) {
        self.registry.change(|catalog| {
            let mut user = catalog.users[DEMO_TOKEN].clone();
            user.name = format!("user{}", catalog.users.len());
            catalog.users.insert(token.to_owned(), user);
        });
    }

    /// The registry itself, to look into and to change.
    pub fn data(&self) -> &DemoRegistry {
        &self.registry
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    pub address: SocketAddr,
    pub http: reqwest::Client,
}

impl Server {
    /// A server of that registry.
    pub async fn start(registry: &Registry) -> Self {
        Self::start_with(&registry.url(), &[]).await
    }

    /// A server with more variables set.
    pub async fn start_with(registry_url: &str, vars: &[(&str, &str)]) -> Self {
        let mut child = command(&["serve"])
            .env("QUILT_CATALOG_URL", CATALOG)
            .env("QUILT_REGISTRY_URL", registry_url)
            .env("MCP_LISTEN", "127.0.0.1:0")
            .envs(vars.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Arc::default();
        gather(child.stdout.take().unwrap(), Arc::clone(&output));
        gather(child.stderr.take().unwrap(), Arc::clone(&output));
        let mut server = Self {
            child,
            output,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let line = server.line(|line| line["message"] == "listening").await;
        server.address = line["address"].as_str().unwrap().parse().unwrap();
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything printed so far.
    pub fn output(&self) -> Vec<String> {
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The first line of the log that fits, as soon as it is there.
    pub async fn line(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let find = || {
            self.output()
                .iter()
                .filter_map(|line| serde_json::from_str::<Value>(line).ok())
                .find(&fits)
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(line) = find() {
                return line;
            }
            let output = self.output().join("\n");
            assert!(Instant::now() < deadline, "no such line in:\n{output}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A POST as an MCP client sends it.
    pub fn post(
        &self,
        path: &str,
        token: Option<&str>,
        message: &Value,
    ) -> reqwest::RequestBuilder {
        let request = self
            .http
            .post(self.url(path))
            .header("accept", "application/json, text/event-stream")
            .json(message);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A harmless message with the demo token; whether it passes shows the way is free.
    pub fn list_tools(&self, token: &str) -> reqwest::RequestBuilder {
        self.post("/mcp", Some(token), &tools_list())
    }

    /// The `result` of a tool, as raw HTTP has it.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let request = self.post("/mcp/", Some(DEMO_TOKEN), &tools_call(tool, arguments));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut message = first_event(&answer.text().await.unwrap());
        message["result"].take()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// The status with which the process ends, as soon as it does.
    pub async fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server never ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn health(&self) -> Option<u16> {
        let answer = self.http.get(self.url("/healthz")).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when the process has ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(stream: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    });
}

pub fn tools_list() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })
}

pub fn tools_call(tool: &str, arguments: Value) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": { "name": tool, "arguments": arguments },
    })
}

pub fn initialize(version: &str) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "0" },
        },
    })
}

/// What a client reads that looks at the first `data:` line only, as the catalog does.
pub fn first_event(body: &str) -> Value {
    let data = body
        .lines()
        .find_map(|line| line.strip_prefix("data:"))
        .unwrap_or_else(|| panic!("no data line in: {body}"));
    serde_json::from_str(data).unwrap()
}
