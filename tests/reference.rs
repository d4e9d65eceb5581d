//! docs/reference is made from the program, the modules and the templates themselves; a page that
//! is not what they say now is stale.

#[path = "reference/cloudformation.rs"]
mod cloudformation;
#[path = "reference/commands.rs"]
mod commands;
#[path = "reference/configuration.rs"]
mod configuration;
#[path = "reference/exit_codes.rs"]
mod exit_codes;
#[path = "reference/page.rs"]
mod page;
#[path = "reference/terraform.rs"]
mod terraform;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Set to `1` to write the pages anew instead of comparing them.
const WRITE: &str = "QUILT_MCP_WRITE_REFERENCE";
/// Made from the server's own code, by the test of the same name beside it.
const OF_THE_SERVER: &str = "server-variables.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("docs/reference")
}

#[test]
fn every_page_is_of_this_version() {
    let mut names = BTreeSet::from([OF_THE_SERVER.to_owned()]);
    for (name, text) in [
        ("commands.md", Some(commands::page())),
        ("configuration.md", Some(configuration::page())),
        ("exit-codes.md", Some(exit_codes::page())),
        ("terraform.md", Some(terraform::page())),
        ("cloudformation.md", cloudformation::page()),
    ] {
        let Some(text) = text else { continue };
        let file = folder().join(name);
        if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
            std::fs::write(&file, &text).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == text,
            "docs/reference/{name} is stale: run `{WRITE}=1 cargo test --workspace --test reference`"
        );
        names.insert(name.to_owned());
    }
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "docs/reference/{name} is of nothing");
    }
}
