//! Step `test`.

use super::Outcome;
use crate::command;
use crate::test::session::Session;

/// Names the file to which a test that skips itself appends `test: reason`.
const SKIPPED: &str = "QUILT_MCP_SKIPPED";
/// Set to `1` where a missing program fails the test that wants it.
const REQUIRE_TOOLS: &str = "QUILT_MCP_REQUIRE_TOOLS";

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let mut cargo = command::cargo();
    cargo
        .current_dir(&session.workspace)
        .envs(session.exports())
        .env(SKIPPED, session.skips.path())
        .args(["test", "--locked", "--no-fail-fast"]);
    if session.ci {
        cargo.env(REQUIRE_TOOLS, "1");
    }
    if session.cargo_test.is_empty() {
        cargo.arg("--workspace");
    } else {
        cargo.args(&session.cargo_test);
    }
    command::stream(&mut cargo)?;
    Ok(Outcome::Passed)
}
