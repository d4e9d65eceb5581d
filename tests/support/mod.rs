//! What several test suites share.

// Every suite uses its own part.
#![allow(dead_code)]

pub mod aws_endpoint;
pub mod cli;
pub mod fake_registry;
pub mod images;
pub mod moto;
pub mod template;

use std::path::PathBuf;

/// Set to `1` where every program that a test can use must be there (in CI).
const REQUIRE_TOOLS: &str = "QUILT_MCP_REQUIRE_TOOLS";

/// Finds a program that we did not write. Where it is missing, says so and gives `None`, so
/// that the test can pass without it; where tools are required, fails.
pub fn tool(name: &str) -> Option<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search_path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.or_else(|| missing_tool(name))
}

/// Says that a program is missing; where tools are required, fails.
pub fn missing_tool(name: &str) -> Option<PathBuf> {
    assert!(
        std::env::var_os(REQUIRE_TOOLS).is_none_or(|value| value != "1"),
        "{name} is not installed, and {REQUIRE_TOOLS}=1 requires it"
    );
    println!("skipped: {name} is not installed");
    None
}
