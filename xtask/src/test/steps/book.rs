//! Step `book`: mdBook makes a book of `docs/`. Its links are followed by `tests/docs.rs`.

use std::process::Command;

use anyhow::ensure;

use super::Outcome;
use crate::command;
use crate::test::cargo_tool::CargoTool;
use crate::test::session::{self, Session};

/// Built for one book of a few pages: what makes the program fast would take longer than it saves.
const MDBOOK: CargoTool = CargoTool {
    name: "mdbook",
    version: "0.5.4",
    arguments: &["--debug", "--no-default-features", "--features", "search"],
};

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let program = MDBOOK.program(session)?;
    let (_, target) = session::folders()?;
    let book = target.join("book");
    let mut mdbook = Command::new(program);
    mdbook
        .current_dir(&session.workspace)
        .args(["build", "--dest-dir"])
        .arg(&book);
    let said = command::capture(&mut mdbook)?;
    ensure!(
        book.join("index.html").is_file(),
        "mdBook wrote no index.html: {said}"
    );
    Ok(Outcome::Passed)
}
