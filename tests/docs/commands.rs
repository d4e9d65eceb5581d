//! Commands that no test can carry out, since they need an AWS account: the real binary at least
//! knows them, with every option and value.

use std::process::Command;

use crate::markdown::{Page, pages};
use crate::support::shell::words;

/// Where `sh` blocks may have commands of ours, and why they are not run.
const NOT_RUN: &[(&str, &str)] = &[
    (
        "docs/guides/adopt-cloudformation.md",
        "needs an AWS account with a Quilt stack",
    ),
    (
        "docs/guides/adopt-terraform.md",
        "needs an AWS account with a Quilt stack",
    ),
    (
        "docs/guides/connect-clients.md",
        "writes what a client reads, for a service that runs",
    ),
    ("docs/guides/operations.md", "looks at production"),
    (
        "docs/terraform.md",
        "needs an AWS account with a Quilt stack",
    ),
    (
        "docs/guides/troubleshooting.md",
        "a list to choose from; each is run in another guide",
    ),
];

/// The lines of a script that call the program, with what follows a `\` joined on.
pub fn calls(script: &str) -> Vec<Vec<String>> {
    let joined = script.replace("\\\n", " ");
    let mut calls = Vec::new();
    for line in joined.lines() {
        let line = line.split(" #").next().unwrap().trim();
        // What a variable is filled from, and what is in it then.
        let called = line.split_once("=$(").map(|(_, call)| call);
        let line = called.map_or(line, |call| call.split(" | ").next().unwrap());
        let words = words(&line.replace("$digest", &format!("sha256:{}", "0".repeat(64))));
        if words.first().is_some_and(|word| word == "quilt-mcp-deploy") {
            calls.push(words[1..].to_vec());
        }
    }
    calls
}

#[test]
fn every_command_of_a_script_is_known() {
    let mut seen = 0;
    for page in pages() {
        for call in shell_calls(&page) {
            let known = NOT_RUN.iter().any(|(path, _)| *path == page.path);
            assert!(known, "{}: {call:?} is neither run nor listed", page.path);
            check(&page.path, &call);
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} commands were found");
    for (path, why) in NOT_RUN {
        let calls = shell_calls(&Page::read(path)).len();
        assert!(
            calls > 0,
            "{path} has no such command: take it off the list"
        );
        println!("{path}: {calls} commands not run ({why})");
    }
}

fn shell_calls(page: &Page) -> Vec<Vec<String>> {
    page.blocks()
        .iter()
        .filter(|block| block.language == "sh")
        .flat_map(|block| calls(&block.text))
        .collect()
}

/// `--help` behind a command shows it, unless something before it is not known.
fn check(path: &str, call: &[String]) {
    let output = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"))
        .args(call)
        .arg("--help")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{path}: {call:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn calls_are_found() {
    let script = "# quilt-mcp-deploy no\ncd x\nquilt-mcp-deploy plan --tag \\\n    y  # why\n\
                  x=$(quilt-mcp-deploy status --output json | jq -r .x)\n";
    assert_eq!(
        calls(script),
        [["plan", "--tag", "y"], ["status", "--output", "json"]]
    );
}
