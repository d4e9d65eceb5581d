//! Step `tools`: programs from PyPI that judge our work, in an environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Outcome;
use crate::command;
use crate::test::session::Session;

/// Every package with its version, so that the same commit is always judged by the same tools.
const REQUIREMENTS: &str = include_str!("../../../requirements.txt");
/// The oldest Python on which those versions install.
const OLDEST: (u32, u32) = (3, 11);
/// Names under which a Python may be installed; the machine's own comes last, for where a
/// version manager comes first on the `PATH`.
const PYTHONS: &[&str] = &[
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "/usr/bin/python3",
];

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    let environment = Environment(session.tools.join("venv"));
    if !environment.is_ready() {
        match find_python() {
            Ok(python) => environment.set_up(&python)?,
            Err(why) => return Ok(Outcome::Skipped(why)),
        }
    }
    session.export("QUILT_MCP_MOTO_SERVER", environment.program("moto_server"));
    session.export("QUILT_MCP_AWS_CLI", environment.program("aws"));
    session.export("QUILT_MCP_CFN_LINT", environment.program("cfn-lint"));
    Ok(Outcome::Passed)
}

/// A Python virtual environment at this path.
struct Environment(PathBuf);

impl Environment {
    fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// Written last, so that an interrupted installation is not taken for a finished one.
    fn stamp(&self) -> PathBuf {
        self.0.join("installed.txt")
    }

    /// Whether it holds what is asked for and the Python it was made with is still there.
    fn is_ready(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|installed| installed == REQUIREMENTS)
            && self.check().is_ok()
    }

    fn set_up(&self, python: &Path) -> anyhow::Result<()> {
        let mut venv = Command::new(python);
        command::stream(venv.args(["-m", "venv", "--clear"]).arg(&self.0))?;
        let requirements = self.0.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS)?;
        let mut pip = Command::new(self.program("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-input"]);
        pip.args(["--disable-pip-version-check", "--requirement"]);
        command::stream(pip.arg(&requirements))?;
        self.check()?;
        fs::write(self.stamp(), REQUIREMENTS)?;
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        for (program, argument) in [
            ("moto_server", "--help"),
            ("aws", "--version"),
            ("cfn-lint", "--version"),
        ] {
            command::capture(Command::new(self.program(program)).arg(argument))?;
        }
        Ok(())
    }
}

/// A Python that is new enough and can make virtual environments, else why there is none.
pub fn find_python() -> Result<PathBuf, String> {
    let mut reasons = Vec::new();
    for name in PYTHONS {
        let Some(path) = locate(name) else { continue };
        let mut version = Command::new(&path);
        version.args(["-c", "import sys; print(*sys.version_info[:2])"]);
        // A version manager's stand-in for a Python that is not installed fails here.
        let Ok(printed) = command::capture(&mut version) else {
            continue;
        };
        if !is_new_enough(&printed) {
            let version = printed.trim().replace(' ', ".");
            reasons.push(format!("{} is version {version}", path.display()));
        } else if command::capture(Command::new(&path).args(["-c", "import ensurepip, venv"]))
            .is_err()
        {
            reasons.push(format!(
                "{} has no ensurepip (Debian's package python3-venv)",
                path.display()
            ));
        } else {
            return Ok(path);
        }
    }
    let (major, minor) = OLDEST;
    reasons.insert(0, format!("no usable Python {major}.{minor} or newer"));
    Err(reasons.join("; "))
}

fn locate(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if path.is_absolute() {
        command::is_executable(path).then(|| path.to_owned())
    } else {
        command::on_path(name)
    }
}

/// Whether a printed `MAJOR MINOR` is at least [`OLDEST`].
fn is_new_enough(printed: &str) -> bool {
    let numbers: Vec<u32> = printed
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    matches!(numbers[..], [major, minor] if (major, minor) >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_python_is_not_taken() {
        for (printed, enough) in [
            ("3 11\n", true),
            ("3 14\n", true),
            ("4 0\n", true),
            ("3 10\n", false),
            ("2 7\n", false),
            ("3\n", false),
            ("", false),
            ("three eleven", false),
        ] {
            assert_eq!(is_new_enough(printed), enough, "{printed:?}");
        }
    }

    #[test]
    fn every_requirement_is_pinned() {
        let mut names = Vec::new();
        for line in REQUIREMENTS.lines().filter(|line| !line.starts_with('#')) {
            let (name, version) = line.split_once("==").unwrap_or_else(|| panic!("{line}"));
            assert!(
                version.starts_with(|first: char| first.is_ascii_digit()),
                "{line}"
            );
            names.push(name);
        }
        for name in ["moto", "awscli", "cfn-lint"] {
            assert!(names.contains(&name), "{names:?}");
        }
    }
}
