//! Programs from crates.io that judge our work, built once into the tools folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::session::Session;
use crate::command;

/// A program that `cargo install` gives.
pub struct CargoTool {
    /// The crate and its program.
    pub name: &'static str,
    /// The version that our files are written for.
    pub version: &'static str,
    /// What `cargo install` is told besides.
    pub arguments: &'static [&'static str],
}

impl CargoTool {
    /// The program on the `PATH` where it is of the right series, else the one built earlier,
    /// else one built now.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn program(&self, session: &Session) -> anyhow::Result<PathBuf> {
        let ours = session.tools.join("bin").join(self.name);
        let known = command::on_path(self.name)
            .into_iter()
            .chain([ours.clone()]);
        for program in known.filter(|path| command::is_executable(path)) {
            let printed = command::capture(Command::new(&program).arg("--version"))?;
            if is_of_series(&printed, self.version) {
                return Ok(program);
            }
        }
        println!(
            "building {} {}: some minutes, this once",
            self.name, self.version
        );
        let build = session.tools.join("build");
        let mut cargo = command::cargo();
        cargo
            .current_dir(&session.workspace)
            .args(["install", "--locked", "--force", "--root"])
            .arg(&session.tools)
            .arg("--target-dir")
            .arg(&build)
            .args(self.arguments)
            .arg(format!("{}@{}", self.name, self.version));
        command::stream(&mut cargo)?;
        fs::remove_dir_all(build)?;
        Ok(ours)
    }
}

/// Whether `--version` printed a version that differs from `wanted` in its patch only.
fn is_of_series(printed: &str, wanted: &str) -> bool {
    let series = |version: &str| {
        let mut numbers = version.trim_start_matches('v').split('.');
        (
            numbers.next().map(str::to_owned),
            numbers.next().map(str::to_owned),
        )
    };
    let version = printed.split_whitespace().last().unwrap_or_default();
    series(version) == series(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_series_is_not_used() {
        for (printed, ours) in [
            ("cargo-deny 0.20.2\n", true),
            ("cargo-deny 0.20.9", true),
            ("mdbook v0.20.4\n", true),
            ("cargo-deny 0.19.2", false),
            ("cargo-deny 0.2.20", false),
            ("cargo-deny 1.20.2", false),
            ("", false),
        ] {
            assert_eq!(is_of_series(printed, "0.20.2"), ours, "{printed}");
        }
    }
}
