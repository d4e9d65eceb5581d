//! Step `deny`: cargo-deny judges the dependencies by `deny.toml`.

use std::process::Command;

use super::Outcome;
use crate::command;
use crate::test::cargo_tool::CargoTool;
use crate::test::session::Session;

/// The cargo-deny whose rules `deny.toml` is written for.
const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
    arguments: &[],
};

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let program = CARGO_DENY.program(session)?;
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
