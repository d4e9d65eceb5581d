//! Load on a running MCP server, and what it costs: the workhorse of
//! `cargo xtask soak` and `cargo xtask bench-server`. Loopback only.
//!
//!     load bench URL TOKEN PID CONNECTIONS SECONDS    one line of JSON with the figures
//!     load soak SECONDS                               a server, a faulty registry, mixed load

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use quilt_demo_registry::{DEMO_TOKEN, DemoRegistry};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["bench", url, token, pid, connections, seconds] => {
            bench(url, token, pid, connections, seconds).await
        }
        ["soak", seconds] => soak(seconds).await,
        _ => Err("load bench URL TOKEN PID CONNECTIONS SECONDS | load soak SECONDS".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// A client of its own connection; all goes to this machine, so it trusts nobody.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .pool_max_idle_per_host(1)
        .tcp_nodelay(true)
        .timeout(Duration::from_secs(60))
        .build()
}

fn call(
    client: &reqwest::Client,
    url: &str,
    token: &str,
    tool: &str,
    arguments: &Value,
) -> reqwest::RequestBuilder {
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": tool, "arguments": arguments },
    });
    client
        .post(url)
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .json(&message)
}

/// One tool on many connections.
async fn bench(
    url: &str,
    token: &str,
    pid: &str,
    connections: &str,
    seconds: &str,
) -> Result<bool, Failure> {
    let is_here = url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:");
    if !is_here {
        return Err("load goes to this machine only".into());
    }
    let connections: usize = connections.parse()?;
    let length = Duration::from_secs(seconds.parse::<u64>()?.min(600));
    let clients: Vec<_> = (0..connections)
        .map(|_| client())
        .collect::<Result<_, _>>()?;
    let begun = Instant::now();
    let ends = begun + length;
    let mut tasks: JoinSet<Result<(Vec<u32>, u64), Failure>> = JoinSet::new();
    for client in clients {
        let (url, token) = (url.to_owned(), token.to_owned());
        tasks.spawn(async move {
            let (mut micros, mut failed) = (Vec::new(), 0);
            let arguments = json!({ "contains": "e" });
            while Instant::now() < ends {
                let sent = Instant::now();
                let answer = call(&client, &url, &token, "bucket_list", &arguments)
                    .send()
                    .await;
                let text = match answer {
                    Ok(answer) => answer.text().await.unwrap_or_default(),
                    Err(_) => String::new(),
                };
                if text.contains("quilt-local-raw") {
                    micros.push(u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX));
                } else {
                    failed += 1;
                }
            }
            Ok((micros, failed))
        });
    }
    let (mut micros, mut failed) = (Vec::new(), 0);
    while let Some(task) = tasks.join_next().await {
        let (more, missed) = task??;
        micros.extend(more);
        failed += missed;
    }
    micros.sort_unstable();
    let rank = |share: f64| {
        let at = (micros.len() as f64 * share) as usize;
        micros
            .get(at.min(micros.len().saturating_sub(1)))
            .map(|micros| f64::from(*micros) / 1000.0)
    };
    let figures = json!({
        "connections": connections,
        "requests_per_second": (micros.len() as f64 / begun.elapsed().as_secs_f64()).round(),
        "p50_ms": rank(0.5),
        "p99_ms": rank(0.99),
        "failed": failed,
        "rss_mib": resident_mib(pid),
    });
    println!("{figures}");
    Ok(failed == 0)
}

/// The resident memory of a process, in MiB (proc(5)).
fn resident_mib(pid: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some((kib / 102.4).round() / 10.0)
}

/// The server under test; killed when dropped.
struct Server {
    child: Child,
    url: String,
    metrics: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Minutes of everything at once: good calls, bad calls, clients that leave,
/// unknown tokens, and a registry that fails, hangs and heals.
async fn soak(seconds: &str) -> Result<bool, Failure> {
    let seconds: u64 = seconds.parse()?;
    let registry = DemoRegistry::sample();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let registry_url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(registry.clone().serve(listener, CancellationToken::new()));
    let server = start(&registry_url).await?;
    let pid = server.child.id().to_string();
    let (over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let mut tasks = JoinSet::new();
    for number in 0..24 {
        tasks.spawn(mixed_load(number, server.url.clone(), Arc::clone(&over)));
    }
    let mut memory = Vec::new();
    let mut round = 0_u64;
    while begun.elapsed() < Duration::from_secs(seconds) {
        inject(&registry, round);
        tokio::time::sleep(Duration::from_secs(2)).await;
        memory.extend(resident_mib(&pid));
        round += 1;
    }
    registry.faults().fail_with(None);
    registry.faults().delay(Duration::ZERO);
    over.store(true, Ordering::Relaxed);
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(counts) = tasks.join_next().await {
        for (answer, count) in counts? {
            *answers.entry(answer).or_default() += count;
        }
    }
    report(&server, &pid, begun.elapsed(), &memory, &answers).await
}

/// What is left when all clients have gone: nothing in flight, memory flat.
async fn report(
    server: &Server,
    pid: &str,
    took: Duration,
    memory: &[f64],
    answers: &BTreeMap<String, u64>,
) -> Result<bool, Failure> {
    let client = client()?;
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_idle = loop {
        let text = client.get(&server.metrics).send().await?.text().await?;
        if text.contains("quilt_mcp_requests_in_flight 0") {
            break true;
        }
        if Instant::now() > deadline {
            break false;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let warm = &memory[memory.len() / 5..];
    let half = warm.len() / 2;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let (early, late) = (mean(&warm[..half]), mean(&warm[half..]));
    let is_flat = late < early * 1.15 + 2.0;
    let still_good = call(&client, &server.url, DEMO_TOKEN, "bucket_list", &json!({}))
        .send()
        .await?;
    let is_good = still_good.status().is_success();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))?.count();
    let sockets = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    let figures = json!({
        "seconds": took.as_secs(),
        "answers": answers,
        "memory_mib": { "first_half": early, "second_half": late, "last": resident_mib(pid) },
        "threads": threads,
        "open_files": sockets,
        "memory_is_flat": is_flat,
        "nothing_in_flight": is_idle,
        "serves_after": is_good,
    });
    println!("{}", serde_json::to_string_pretty(&figures)?);
    Ok(is_flat && is_idle && is_good)
}

async fn start(registry_url: &str) -> Result<Server, Failure> {
    let program = std::env::var("QUILT_MCP_SERVER")
        .map_err(|_| "QUILT_MCP_SERVER names the server's binary")?;
    let free_port = async || -> Result<u16, Failure> {
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await?
            .local_addr()?
            .port())
    };
    let (port, metrics) = (free_port().await?, free_port().await?);
    let child = Command::new(program)
        .arg("serve")
        .env_clear()
        .env("QUILT_CATALOG_URL", "https://catalog.example.com")
        .env("QUILT_REGISTRY_URL", registry_url)
        .env("MCP_LISTEN", format!("127.0.0.1:{port}"))
        .env("MCP_METRICS_LISTEN", format!("127.0.0.1:{metrics}"))
        .stdout(Stdio::null())
        .spawn()?;
    let server = Server {
        child,
        url: format!("http://127.0.0.1:{port}/mcp"),
        metrics: format!("http://127.0.0.1:{metrics}/metrics"),
    };
    let client = client()?;
    for _ in 0..500 {
        if client.get(&server.metrics).send().await.is_ok() {
            return Ok(server);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err("the server did not start".into())
}

/// A different trouble every other round.
fn inject(registry: &DemoRegistry, round: u64) {
    let faults = registry.faults();
    faults.fail_with(None);
    faults.delay(Duration::ZERO);
    match round % 10 {
        1 => faults.fail_with(Some(503)),
        3 => faults.delay(Duration::from_millis(300)),
        5 => faults.fail_with(Some(500)),
        7 => faults.delay(Duration::from_secs(3)),
        9 => faults.fail_with(Some(429)),
        _ => {}
    }
}

async fn mixed_load(number: u64, url: String, over: Arc<AtomicBool>) -> BTreeMap<String, u64> {
    let calls = [
        ("bucket_list", json!({})),
        ("package_list", json!({"bucket": "quilt-local-raw"})),
        (
            "package_browse",
            json!({"bucket": "quilt-local-raw", "name": "genomics/rnaseq-liver-2026-03"}),
        ),
        ("search_packages", json!({"query": "liver"})),
        ("package_list", json!({"bucket": "no-such-bucket"})),
        ("athena_query", json!({"sql": "DROP TABLE t"})),
        ("catalog_url", json!({"bucket": "quilt-local-raw"})),
    ];
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    let Ok(client) = client() else { return answers };
    let mut turn = number;
    while !over.load(Ordering::Relaxed) {
        turn += 1;
        let (tool, arguments) = &calls[usize::try_from(turn).unwrap_or(0) % calls.len()];
        let unknown = format!("qk_unknown_{turn}");
        let token = if turn.is_multiple_of(17) {
            &unknown
        } else {
            DEMO_TOKEN
        };
        let request = call(&client, &url, token, tool, arguments);
        let answer = if turn.is_multiple_of(13) {
            // A client that leaves in the middle.
            let _ = tokio::time::timeout(Duration::from_millis(2), request.send()).await;
            "left".to_owned()
        } else {
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status().as_u16().to_string();
                    match answer.text().await {
                        Ok(_) => status,
                        Err(_) => "broken".to_owned(),
                    }
                }
                Err(_) => "no answer".to_owned(),
            }
        };
        *answers.entry(answer).or_default() += 1;
    }
    answers
}
