//! Pages' `sh` blocks, carried out: each line that calls the program, in the order of the page,
//! where `staging` and `prod` are local environments.

use std::process::Command;

use crate::commands::{lines, lines_of};
use crate::console::Typed;
use crate::markdown::{Page, pages};
use crate::place::{Place, has_changes};
use crate::support::shell::words;
use crate::support::{skip, tool, tool_named_by};

/// Pages whose lines are run, each page's from a fresh start.
const RUN: &[&str] = &[
    "docs/guides/adopt-cloudformation.md",
    "docs/guides/adopt-terraform.md",
    "docs/guides/connect-clients.md",
    "docs/guides/operations.md",
    "docs/guides/troubleshooting.md",
    "docs/images.md",
    "docs/local.md",
    "docs/rollout.md",
    "docs/terraform.md",
];
/// Lines that begin like this are run by another test.
const ELSEWHERE: &[(&str, &str)] = &[(
    "quilt-mcp-deploy build --builder docker",
    "tests/image_docker, with a real engine and a base image of its own",
)];
/// Lines that read or write what is the reader's own: in a folder of the test's, which is their home too.
const IN_THE_READERS_FOLDER: &[&str] = &["quilt-mcp-deploy init", "quilt-mcp-deploy connect"];

/// The second can be returned from.
const TWO_RELEASES: &str = "quilt-mcp-deploy deploy --env staging && \
     quilt-mcp-deploy publish --env staging --tag second-try && \
     quilt-mcp-deploy rollout --env staging --tag second-try";

/// Runs a page's lines in `place`. `given` is what the page takes for granted: a line's beginning,
/// and what was done before it.
fn carry_out(path: &str, place: &Place, given: &[(&str, &str)]) {
    assert!(RUN.contains(&path), "{path} is not on the list");
    let Some(_) = tool("jq") else {
        return;
    };
    let folder = place.folder().display();
    let mut commands = Vec::new();
    for line in lines_of(&Page::read(path)) {
        if ELSEWHERE.iter().any(|(start, _)| line.starts_with(start)) {
            continue;
        }
        let before = given.iter().filter(|(start, _)| line.starts_with(start));
        commands.extend(before.map(|(_, before)| succeeds((*before).to_owned())));
        let readers = IN_THE_READERS_FOLDER;
        commands.push(succeeds(
            match readers.iter().any(|start| line.starts_with(start)) {
                true => format!("(cd '{folder}' && HOME='{folder}' {line})"),
                false => line,
            },
        ));
    }
    assert!(!commands.is_empty(), "{path} has no command");
    place.type_in(path, &commands);
}

fn succeeds(command: String) -> Typed {
    Typed {
        command,
        shown: Vec::new(),
        code: 0,
    }
}

#[test]
fn adopt_cloudformation() {
    let place = Place::with_environments();
    carry_out("docs/guides/adopt-cloudformation.md", &place, &[]);
}

#[test]
fn adopt_terraform() {
    let Some(terraform) = tool_named_by("QUILT_MCP_TERRAFORM", "terraform") else {
        return;
    };
    for path in ["docs/guides/adopt-terraform.md", "docs/terraform.md"] {
        let place = Place::with_environments().where_terraform_made_staging(&terraform);
        carry_out(path, &place, &[]);
    }
}

#[test]
fn connect_clients() {
    let place = Place::with_environments();
    carry_out("docs/guides/connect-clients.md", &place, &[]);
    let written = std::fs::read_to_string(place.folder().join(".cursor/mcp.json")).unwrap();
    assert!(written.contains("QUILT_MCP_TOKEN"), "{written}");
}

#[test]
fn operations() {
    let released = "quilt-mcp-deploy deploy --env prod";
    carry_out(
        "docs/guides/operations.md",
        &Place::with_environments(),
        &[("quilt-mcp-deploy status", released)],
    );
}

#[test]
fn troubleshooting() {
    carry_out(
        "docs/guides/troubleshooting.md",
        &Place::with_environments(),
        &[("quilt-mcp-deploy status", TWO_RELEASES)],
    );
}

#[test]
fn images() {
    let released = "quilt-mcp-deploy deploy --env staging";
    carry_out(
        "docs/images.md",
        &Place::with_environments(),
        &[("digest=", released)],
    );
}

#[test]
fn local() {
    carry_out("docs/local.md", &Place::with_environments(), &[]);
}

#[test]
fn rollout() {
    if has_changes() {
        return skip("this checkout has changes, and the page rolls out what its commit published");
    }
    let under_way = "quilt-mcp-deploy local fault slow-start --seconds 20 && \
         quilt-mcp-deploy rollout --tag third-try --no-wait";
    carry_out(
        "docs/rollout.md",
        &Place::with_environments(),
        &[
            ("quilt-mcp-deploy plan", "export QUILT_MCP_ENV=staging"),
            ("quilt-mcp-deploy plan", TWO_RELEASES),
            (
                "quilt-mcp-deploy plan",
                "quilt-mcp-deploy publish --tag third-try",
            ),
            ("quilt-mcp-deploy stop", under_way),
        ],
    );
}

#[test]
fn every_page_with_a_command_is_carried_out() {
    let with_command: Vec<String> = pages()
        .into_iter()
        .filter(|page| !lines_of(page).is_empty())
        .map(|page| page.path)
        .collect();
    assert_eq!(with_command, RUN);
    let all: Vec<String> = pages().iter().flat_map(lines_of).collect();
    for (start, who) in ELSEWHERE {
        let mut lines = all.iter().filter(|line| line.starts_with(start)).peekable();
        assert!(lines.peek().is_some(), "{start} need not be run by {who}");
        lines.for_each(|line| is_known(line));
    }
}

/// `--help` behind a command shows it, unless something before it is not known.
fn is_known(line: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"))
        .args(&words(line)[1..])
        .arg("--help")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
}

/// What is not fenced has no language, and nobody would run it.
#[test]
fn every_command_stands_in_a_fenced_block() {
    for page in pages() {
        for text in page.indented() {
            let lines = lines(&text);
            assert!(
                lines.is_empty(),
                "{}: {lines:?} is not in a fenced block",
                page.path
            );
        }
    }
}
