//! Who judges a mutant: commands that must fail.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::command;

/// A copy of what is mutated, and where the programs are that judge it.
pub struct Copy {
    /// The copy.
    pub folder: PathBuf,
    /// Environment variables that name the programs.
    pub tools: Vec<(&'static str, OsString)>,
}

impl Copy {
    /// What this variable names.
    pub fn tool(&self, variable: &str) -> Option<&OsString> {
        let mut tools = self.tools.iter();
        tools
            .find(|(name, _)| *name == variable)
            .map(|(_, value)| value)
    }
}

/// How a mutant was caught.
#[derive(Debug, PartialEq)]
pub struct Catch {
    /// The judge that failed.
    pub judge: String,
    /// What of it failed, in its own words.
    pub culprit: String,
}

/// A command of which a mutant is caught when it fails.
pub struct Judge {
    /// What it is called.
    pub name: String,
    /// The folder that it runs in.
    command: Command,
    /// Before each mutant whose file is below this folder only.
    only_below: Option<String>,
    /// The files that it is about, and so is asked first.
    about: Vec<String>,
}

impl Judge {
    /// A command.
    pub fn new(name: impl Into<String>, command: Command) -> Self {
        Self {
            name: name.into(),
            command,
            only_below: None,
            about: Vec::new(),
        }
    }

    /// Tests of the root package, chosen by their names, with this variable naming the folder that
    /// they are about. None may be skipped. The tests are built now and run without cargo, which
    /// would take longer than they do.
    ///
    /// # Errors
    /// When they do not build.
    pub fn tests(suite: &str, tests: &[&str], variable: &str, copy: &Copy) -> anyhow::Result<Self> {
        let mut program = Command::new(build(suite)?);
        program
            .arg("--quiet")
            .args(tests)
            .envs(copy.tools.iter().map(|(name, value)| (name, value)))
            .env("QUILT_MCP_REQUIRE_TOOLS", "1")
            .env("RUST_BACKTRACE", "0")
            .env(variable, &copy.folder);
        Ok(Self::new(format!("tests/{suite}"), program))
    }

    /// The same, for mutants of files below this folder.
    pub fn below(mut self, folder: &str) -> Self {
        self.only_below = Some(format!("{folder}/"));
        self
    }

    /// The same, asked before others about mutants of these files.
    pub fn about(mut self, files: impl IntoIterator<Item = String>) -> Self {
        self.about = files.into_iter().collect();
        self
    }

    /// Whether it is the one to be asked first about a file.
    pub fn is_about(&self, file: &str) -> bool {
        self.about.iter().any(|about| about == file)
    }

    /// Whether it has something to say about a file.
    pub fn concerns(&self, file: &str) -> bool {
        self.only_below
            .as_deref()
            .is_none_or(|folder| file.starts_with(folder))
    }

    /// What caught the mutant; `None` when the command passes.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn catches(&mut self) -> anyhow::Result<Option<Catch>> {
        let output = self
            .command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("could not start {}", self.name))?;
        if output.status.success() {
            return Ok(None);
        }
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(Some(Catch {
            judge: self.name.clone(),
            culprit: culprit(&said).unwrap_or_else(|| "it failed".to_owned()),
        }))
    }
}

impl Catch {
    /// Which file of tests caught it: of a suite of ours, its module too.
    pub fn by(&self) -> String {
        let test = self.culprit.strip_prefix("test ");
        match test.and_then(|test| test.split_once("::")) {
            Some((module, _)) => format!("{}/{module}.rs", self.judge),
            None => self.judge.clone(),
        }
    }
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.judge, self.culprit)
    }
}

/// Builds a suite; gives its program. As part of the workspace: for one package alone cargo would
/// choose other features, and compile every dependency anew.
fn build(suite: &str) -> anyhow::Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["test", "--no-run", "--message-format", "json"]);
    cargo.args(["--workspace", "--test", suite]);
    let said = command::capture(&mut cargo)?;
    executable(&said, suite).with_context(|| format!("cargo built no suite {suite}"))
}

/// The program of a suite in cargo's messages.
fn executable(messages: &str, suite: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == suite)
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
}

/// What failed, in the words of Terraform's and cargo's reports.
fn culprit(said: &str) -> Option<String> {
    let of_terraform = |line: &str| {
        let run = line
            .trim()
            .strip_prefix("run \"")?
            .strip_suffix("\"... fail")?;
        Some(format!("run {run}"))
    };
    let of_cargo = |line: &str| {
        let test = line.strip_prefix("---- ")?.strip_suffix(" stdout ----")?;
        Some(format!("test {test}"))
    };
    let error = |line: &str| Some(line.strip_prefix("Error: ")?.to_owned());
    said.lines()
        .find_map(|line| of_terraform(line).or_else(|| of_cargo(line)))
        .or_else(|| said.lines().find_map(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_culprit_is_named() {
        for (said, by) in [
            (
                "a.tftest.hcl... in progress\n  run \"one\"... pass\n  run \"two\"... fail\n",
                "run two",
            ),
            ("\nError: Invalid reference\n", "Invalid reference"),
            (
                "failures:\n\n---- policy::the_plan stdout ----\n",
                "test policy::the_plan",
            ),
        ] {
            assert_eq!(culprit(said).as_deref(), Some(by));
        }
        assert_eq!(culprit("nothing of note"), None);
    }

    #[test]
    fn a_suite_s_module_is_named() {
        let caught = Catch {
            judge: "tests/terraform".to_owned(),
            culprit: "test policy::the_plan".to_owned(),
        };
        assert_eq!(caught.by(), "tests/terraform/policy.rs");
    }

    #[test]
    fn the_program_of_a_suite_is_found() {
        let messages = r#"not a message
{"reason":"compiler-artifact","target":{"name":"terraform"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"moto"},"executable":"/t/moto-1"}
{"reason":"compiler-artifact","target":{"name":"terraform"},"executable":"/t/terraform-1"}
"#;
        let found = executable(messages, "terraform").unwrap();
        assert_eq!(found, PathBuf::from("/t/terraform-1"));
        assert_eq!(executable(messages, "other"), None);
    }

    #[test]
    fn failing_is_catching() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let files = ["modules/b.tf".to_owned()];
            Judge::new("sh", command).below("modules").about(files)
        };
        assert_eq!(shell("exit 0").catches().unwrap(), None);
        let caught = shell("echo 'Error: no' >&2; exit 1").catches().unwrap();
        let caught = caught.unwrap();
        assert_eq!(
            (caught.to_string().as_str(), caught.by().as_str()),
            ("sh: no", "sh")
        );
        assert!(shell("").concerns("modules/a.tf") && !shell("").concerns("environments/a.tf"));
        assert!(shell("").is_about("modules/b.tf") && !shell("").is_about("modules/a.tf"));
    }
}
