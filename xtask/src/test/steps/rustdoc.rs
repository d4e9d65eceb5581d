//! Step `rustdoc`.

use super::Outcome;
use crate::command;
use crate::test::session::Session;

/// Private items have docstrings as well, and those refer to each other.
pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let mut cargo = command::cargo();
    cargo.current_dir(&session.workspace);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    cargo.args(["doc", "--workspace", "--no-deps", "--locked"]);
    command::stream(cargo.arg("--document-private-items"))?;
    Ok(Outcome::Passed)
}
