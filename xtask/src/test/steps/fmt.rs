//! Step `fmt`.

use super::Outcome;
use crate::command;
use crate::test::session::Session;

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let mut cargo = command::cargo();
    cargo.current_dir(&session.workspace);
    command::stream(cargo.args(["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}
