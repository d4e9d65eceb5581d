//! Programs that we did not write. The variables are those of the whole test run: see docs/testing.md.

use std::io::Write;
use std::path::PathBuf;

/// The AWS CLI: what `QUILT_MCP_AWS_CLI` names, else `aws` on the `PATH`. Where it is missing, says
/// so and gives `None`; where tools are required, fails.
pub fn aws_cli() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("QUILT_MCP_AWS_CLI").map(PathBuf::from) {
        assert!(path.is_file(), "QUILT_MCP_AWS_CLI names no file: {path:?}");
        return Some(path);
    }
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search_path)
        .map(|folder| folder.join("aws"))
        .find(|path| path.is_file());
    if found.is_none() {
        skip("aws is not installed");
    }
    found
}

fn skip(reason: &str) {
    let required = std::env::var_os("QUILT_MCP_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "{reason}, and QUILT_MCP_REQUIRE_TOOLS=1 requires it"
    );
    println!("skipped: {reason}");
    if let Some(file) = std::env::var_os("QUILT_MCP_SKIPPED") {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        let line = format!("{}::{test}: {reason}\n", env!("CARGO_CRATE_NAME"));
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap();
    }
}
