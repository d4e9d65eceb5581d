//! Step `clippy`.

use super::Outcome;
use crate::command;
use crate::test::session::Session;

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let mut cargo = command::cargo();
    cargo.current_dir(&session.workspace);
    cargo.args(["clippy", "--workspace", "--all-targets", "--locked"]);
    command::stream(cargo.args(["--", "-D", "warnings"]))?;
    Ok(Outcome::Passed)
}
