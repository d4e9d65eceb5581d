//! Programs that we did not write: found, or their absence said
//! (`QUILT_MCP_REQUIRE_TOOLS`, `QUILT_MCP_SKIPPED`; docs/testing.md).

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

const REQUIRE_TOOLS: &str = "QUILT_MCP_REQUIRE_TOOLS";
const SKIPPED: &str = "QUILT_MCP_SKIPPED";

/// The program that the variable names, else the one of that name on the `PATH`;
/// `None` where there is neither, after saying so.
pub fn tool_named_by(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable).map(PathBuf::from) {
        assert!(path.exists(), "{variable} names nothing: {path:?}");
        return Some(path);
    }
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search_path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("{name} is not installed ({variable})"));
    }
    found
}

/// Says that the calling test is skipped and why; where tools are required, fails it.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os(REQUIRE_TOOLS).is_none_or(|value| value != "1"),
        "{reason}, and {REQUIRE_TOOLS}=1 requires it"
    );
    println!("skipped: {reason}");
    let Some(file) = std::env::var_os(SKIPPED) else {
        return;
    };
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("{}::{test}: {reason}\n", env!("CARGO_CRATE_NAME"));
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{SKIPPED}: could not append to {file:?}: {error}"));
}
