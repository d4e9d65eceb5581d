//! docs/reference/server-variables.md is made from the server's own list.

use std::path::Path;

use quilt_mcp_server::config::VARIABLES;

/// Set to `1` to write the page anew instead of comparing it.
const WRITE: &str = "QUILT_MCP_WRITE_REFERENCE";
const ABOUT: &str = "# Variables of the server

<!-- Made by `cargo test --workspace --test reference`; changes here are lost. -->

What the server does with them stands in [the MCP server](../server.md#variables).

| variable | default | meaning |
|---|---|---|
";

#[test]
fn the_page_is_of_this_version() {
    let mut text = ABOUT.to_owned();
    for variable in VARIABLES {
        let cells = [
            format!("`{}`", variable.name),
            variable.default.to_owned(),
            variable.meaning.to_owned(),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/server-variables.md");
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        std::fs::write(&file, &text).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == text,
        "docs/reference/server-variables.md is stale: run `{WRITE}=1 cargo test --workspace --test reference`"
    );
}
