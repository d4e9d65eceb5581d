//! Exit codes.

use quilt_mcp_deploy::cli::Exit;

use crate::page::{Page, code};

pub fn page() -> String {
    let mut page = Page::new(
        "Exit codes",
        "They are a promise: a code keeps its meaning until the next major version. What a CI job does \
         with each stands in [daily work](../guides/daily-work.md).",
    );
    let rows = Exit::ALL
        .iter()
        .map(|exit| [code(&(*exit as u8).to_string()), exit.meaning().to_owned()]);
    page.table(["code", "meaning"], rows.collect());
    page.text()
}

#[test]
fn codes_are_in_order_and_each_is_there_once() {
    let codes: Vec<u8> = Exit::ALL.iter().map(|exit| *exit as u8).collect();
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(codes, sorted);
}
