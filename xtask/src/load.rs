//! `cargo xtask soak` and `cargo xtask bench-server`: the MCP server under load, on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command;
use crate::test::mcp_python;

const DEMO_TOKEN: &str = "qk_local_demo";
const CONNECTIONS: [&str; 3] = ["1", "16", "256"];

/// Load the MCP server for a while, with a registry that fails now and then, and see what is left
#[derive(clap::Args)]
pub struct SoakArgs {
    /// How long, in seconds
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(10..=3600))]
    seconds: u64,
}

/// Compare the MCP server with the same tool on Python's FastMCP, side by side
#[derive(clap::Args)]
pub struct BenchArgs {
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    seconds: u64,
}

/// What was built: the server and the load on it.
struct Built {
    workspace: PathBuf,
    target: PathBuf,
    server: PathBuf,
    load: PathBuf,
    registry: PathBuf,
}

/// A process of ours; killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the soak test and prints its figures.
///
/// # Errors
/// When it cannot be built or started.
pub fn soak(args: SoakArgs) -> anyhow::Result<ExitCode> {
    let built = build()?;
    let status = Command::new(&built.load)
        .args(["soak", &args.seconds.to_string()])
        .env("QUILT_MCP_SERVER", &built.server)
        .status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs the benchmark and prints a table.
///
/// # Errors
/// When it cannot be built, or Python's side cannot be installed.
pub fn bench(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let built = build()?;
    let tools = built.target.join("tools");
    let python = mcp_python(&tools).map_err(anyhow::Error::msg)?;
    let mut registry = Command::new(&built.registry);
    let (_registry, registry_url) = announced(registry.arg("127.0.0.1:0"))?;
    let twin = built.workspace.join("server/benches/fastmcp_twin.py");
    let ours = |port: &str| {
        let mut command = Command::new(&built.server);
        command.arg("serve").env_clear();
        command.env("QUILT_CATALOG_URL", "https://catalog.example.com");
        command.env("QUILT_REGISTRY_URL", &registry_url);
        command.env("MCP_LISTEN", format!("127.0.0.1:{port}"));
        command
            .env("MCP_LOG", "warn")
            .env("MCP_MAX_IN_FLIGHT_PER_TOKEN", "512");
        command.env("MCP_MAX_IN_FLIGHT", "512");
        command
    };
    let theirs = |port: &str| {
        let mut command = Command::new(&python);
        command.arg(&twin).args([port, &registry_url]);
        command
    };
    let seconds = args.seconds.to_string();
    let size = fs::metadata(&built.server)?.len();
    println!(
        "binary (the image holds nothing else): {:.1} MiB",
        size as f64 / 1024.0 / 1024.0
    );
    println!(
        "| server | connections | requests/s | p50 ms | p99 ms | failed | start ms | idle MiB | loaded MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    measure("quilt-mcp-server", &built.load, &seconds, ours)?;
    measure("FastMCP", &built.load, &seconds, theirs)?;
    Ok(ExitCode::SUCCESS)
}

fn measure(
    name: &str,
    load: &Path,
    seconds: &str,
    command: impl Fn(&str) -> Command,
) -> anyhow::Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port()
        .to_string();
    let begun = Instant::now();
    let mut server = command(&port);
    let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let running = Running(child);
    while std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err() {
        if begun.elapsed() > Duration::from_secs(60) {
            bail!("{name} did not start");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let start = begun.elapsed().as_millis();
    std::thread::sleep(Duration::from_secs(1));
    let pid = running.0.id().to_string();
    let idle = resident_mib(&pid);
    for connections in CONNECTIONS {
        let url = format!("http://127.0.0.1:{port}/mcp");
        let mut bench = Command::new(load);
        bench.args(["bench", &url, DEMO_TOKEN, &pid, connections, seconds]);
        let output = bench.stderr(Stdio::inherit()).output()?;
        let figures: Value = serde_json::from_slice(&output.stdout).context("no figures")?;
        println!(
            "| {name} | {connections} | {} | {} | {} | {} | {start} | {idle:.1} | {} |",
            figures["requests_per_second"],
            figures["p50_ms"],
            figures["p99_ms"],
            figures["failed"],
            figures["rss_mib"],
        );
    }
    Ok(())
}

fn resident_mib(pid: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Starts a program that prints its URL first.
fn announced(command: &mut Command) -> anyhow::Result<(Running, String)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let running = Running(child);
    let mut url = String::new();
    BufReader::new(stdout).read_line(&mut url)?;
    Ok((running, url.trim().to_owned()))
}

/// The server as the image has it, and the load as fast as it gets.
fn build() -> anyhow::Result<Built> {
    let mut cargo = command::cargo();
    cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&command::capture(&mut cargo)?)?;
    let folder = |name: &str| -> anyhow::Result<PathBuf> {
        let path = metadata[name].as_str().map(PathBuf::from);
        path.with_context(|| format!("`cargo metadata` gave no {name}"))
    };
    let (workspace, target) = (folder("workspace_root")?, folder("target_directory")?);
    let image = ["build", "--locked", "--profile", "image"];
    for arguments in [
        &[
            "-p",
            "quilt-mcp-server",
            "--bin",
            "quilt-mcp-server",
            "--example",
            "load",
        ][..],
        &["-p", "quilt-demo-registry", "--example", "serve"][..],
    ] {
        let mut cargo = command::cargo();
        cargo.current_dir(&workspace).args(image).args(arguments);
        command::stream(&mut cargo)?;
    }
    let built = target.join("image");
    Ok(Built {
        server: built.join("quilt-mcp-server"),
        load: built.join("examples/load"),
        registry: built.join("examples/serve"),
        workspace,
        target,
    })
}
