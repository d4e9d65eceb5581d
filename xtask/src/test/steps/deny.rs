//! Step `deny`: cargo-deny judges the dependencies by `deny.toml`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::Outcome;
use crate::command;
use crate::test::session::Session;

/// The cargo-deny whose rules `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let program = program(session)?;
    let deny = || {
        let mut command = Command::new(&program);
        command
            .current_dir(&session.workspace)
            // The RustSec database comes by git, which must not ask for a password.
            .env("GIT_TERMINAL_PROMPT", "0")
            .arg("--locked");
        command
    };
    command::stream(deny().args(["check", "licenses", "bans", "sources"]))?;
    // A machine without the network can still judge everything else.
    match command::capture(deny().args(["fetch", "db"])) {
        Ok(_) => command::stream(deny().args(["check", "advisories"]))?,
        Err(error) => session.note(format!(
            "advisories were not checked: the RustSec database could not be fetched ({error:#})"
        )),
    }
    Ok(Outcome::Passed)
}

/// The cargo-deny on the `PATH` where it is of the right series, else the one set up earlier,
/// else one built now.
fn program(session: &Session) -> anyhow::Result<PathBuf> {
    let ours = session.tools.join("bin/cargo-deny");
    let known = command::on_path("cargo-deny")
        .into_iter()
        .chain([ours.clone()]);
    for program in known.filter(|path| command::is_executable(path)) {
        let printed = command::capture(Command::new(&program).arg("--version"))?;
        if is_of_our_series(&printed) {
            return Ok(program);
        }
    }
    println!("building cargo-deny {VERSION}: some minutes, this once");
    let build = session.tools.join("build");
    let mut cargo = command::cargo();
    cargo
        .current_dir(&session.workspace)
        .args(["install", "--locked", "--force", "--root"])
        .arg(&session.tools)
        .arg("--target-dir")
        .arg(&build)
        .arg(format!("cargo-deny@{VERSION}"));
    command::stream(&mut cargo)?;
    fs::remove_dir_all(build)?;
    Ok(ours)
}

/// Whether `cargo-deny --version` printed a version that differs from ours in its patch only.
fn is_of_our_series(printed: &str) -> bool {
    let series = |version: &str| {
        let mut numbers = version.split('.');
        (
            numbers.next().map(str::to_owned),
            numbers.next().map(str::to_owned),
        )
    };
    let version = printed.split_whitespace().last().unwrap_or_default();
    series(version) == series(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_series_of_cargo_deny_is_not_used() {
        for (printed, ours) in [
            ("cargo-deny 0.20.2\n", true),
            ("cargo-deny 0.20.9", true),
            ("cargo-deny 0.19.2", false),
            ("cargo-deny 0.2.20", false),
            ("cargo-deny 1.20.2", false),
            ("", false),
        ] {
            assert_eq!(is_of_our_series(printed), ours, "{printed}");
        }
    }
}
