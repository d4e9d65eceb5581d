//! What several test suites share.

// Every suite uses its own part.
#![allow(dead_code)]

pub mod aws_endpoint;
pub mod cli;
pub mod cloudformation;
pub mod docker;
pub mod docker_registry;
pub mod fake_engine;
pub mod fake_registry;
pub mod images;
pub mod moto;
pub mod proxy;
pub mod rehearsal;
pub mod schema;
pub mod shell;
pub mod stack;
pub mod template;
pub mod terraform;
pub mod tls;
pub mod wire;
pub mod workspace;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

/// Set to `1` where every program that a test can use must be there (in CI).
const REQUIRE_TOOLS: &str = "QUILT_MCP_REQUIRE_TOOLS";
/// Names a file that gets a line `test: reason` for each test that was skipped.
const SKIPPED: &str = "QUILT_MCP_SKIPPED";

/// Finds a program that we did not write on the `PATH`. Where it is missing, says so and gives
/// `None`, so that the test can pass without it; where tools are required, fails.
pub fn tool(name: &str) -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search_path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Finds a program as [`tool`] does, but where the environment variable names one, takes that.
pub fn tool_named_by(variable: &str, name: &str) -> Option<PathBuf> {
    match std::env::var_os(variable).map(PathBuf::from) {
        Some(path) => {
            assert!(path.is_file(), "{variable} names no file: {path:?}");
            Some(path)
        }
        None => tool(name),
    }
}

/// Says that the calling test is skipped and why; where tools are required, fails it.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os(REQUIRE_TOOLS).is_none_or(|value| value != "1"),
        "{reason}, and {REQUIRE_TOOLS}=1 requires it"
    );
    note_skipped(reason);
}

/// Says that the calling test is skipped since `program` needs root; also where tools are
/// required, for no setup can change that.
pub fn skip_without_root(program: &str) {
    note_skipped(&format!("{program} needs root"));
}

fn note_skipped(reason: &str) {
    println!("skipped: {reason}");
    let Some(file) = std::env::var_os(SKIPPED) else {
        return;
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("{}::{test}: {reason}\n", env!("CARGO_CRATE_NAME"));
    // One write, so that lines of tests that run at the same time do not mix.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{SKIPPED}: could not append to {file:?}: {error}"));
}
