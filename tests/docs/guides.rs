//! The guides, command by command.

use crate::console::{Typed, typed};
use crate::markdown::{Page, pages};
use crate::place::{Place, has_changes};
use crate::support::{skip, tool};

/// Pages whose `console` blocks are run, each as one session from a fresh start.
const RUN: &[&str] = &[
    "README.md",
    "docs/guides/daily-work.md",
    "docs/guides/first-release.md",
    "docs/guides/operations.md",
    "docs/guides/troubleshooting.md",
];
/// What runs the tests cannot be run by one of them.
const THE_TESTS: &str = "cargo xtask";
/// What stands on pages that come before the program is on the `PATH`.
const FROM_SOURCE: &str = "cargo run --release -- ";

/// Types a page's commands and holds what they write against what the page shows.
fn follow(path: &str) {
    let Some(_) = tool("jq").and(tool("curl")) else {
        return;
    };
    let blocks = Page::read(path).blocks();
    let commands: Vec<_> = blocks
        .iter()
        .filter(|block| block.language == "console")
        .flat_map(|block| typed(&block.text))
        .filter(|typed| !typed.command.starts_with(THE_TESTS))
        .map(|typed| Typed {
            command: typed.command.replace(FROM_SOURCE, "quilt-mcp-deploy "),
            ..typed
        })
        .collect();
    assert!(!commands.is_empty());
    let named = |name: &str| commands.iter().any(|typed| typed.command.contains(name));
    let place = match named("--env staging") {
        true => Place::with_environments(),
        false => Place::bare(),
    };
    place.type_in(path, &commands);
}

#[test]
fn readme() {
    follow("README.md");
}

#[test]
fn first_release() {
    follow("docs/guides/first-release.md");
}

#[test]
fn daily_work() {
    if has_changes() {
        return skip(
            "this checkout has changes, and the guide rolls out what its commit published",
        );
    }
    follow("docs/guides/daily-work.md");
}

#[test]
fn troubleshooting() {
    follow("docs/guides/troubleshooting.md");
}

#[test]
fn operations() {
    follow("docs/guides/operations.md");
}

#[test]
fn every_console_is_run() {
    let with_console: Vec<String> = pages()
        .into_iter()
        .filter(|page| {
            page.blocks()
                .iter()
                .any(|block| block.language == "console")
        })
        .map(|page| page.path)
        .collect();
    assert_eq!(with_console, RUN);
}
