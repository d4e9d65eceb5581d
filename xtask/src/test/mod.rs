//! `cargo xtask test`: sets up what the suites need, runs everything, says what ran.

mod cargo_tool;
mod session;
mod skips;
mod steps;
mod summary;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::builder::PossibleValuesParser;

use session::Session;
pub use session::folders;
use steps::{Outcome, STEPS, Step};
pub use steps::{docker, mcp_python};
use summary::{Row, Summary, Verdict};

/// Run every check and test, setting up what they need under the target folder
///
/// Ends with a table of what ran, what was skipped and why. Exit status 0 only when nothing
/// failed; with CI=true in the environment a skip is a failure too.
#[derive(clap::Args)]
pub struct Args {
    /// Run these steps only
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = step_names())]
    only: Vec<String>,
    /// Leave these steps out
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = step_names())]
    skip: Vec<String>,
    /// Arguments for `cargo test` instead of --workspace, such as `--test registry_push`
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo_test: Vec<OsString>,
}

impl Args {
    fn selects(&self, step: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == step);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

fn step_names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

/// Runs the selected steps, all of them even when one fails, and prints the summary.
///
/// # Errors
/// When there is no place to work in: cargo does not know the target folder, or it cannot be
/// written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut session = Session::begin(args.cargo_test.clone())?;
    let rows = STEPS
        .iter()
        .map(|step| {
            if args.selects(step.name) {
                run_step(step, &mut session)
            } else {
                Row::unselected(step.name)
            }
        })
        .collect();
    let ci = session.ci;
    let report = session.end();
    let summary = Summary {
        rows,
        skipped_tests: report.skipped_tests,
        notes: report.notes,
        ci,
    };
    println!("\n{summary}");
    Ok(if summary.succeeded() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Sets up what these steps set up; gives the environment variables that tests find it by.
///
/// # Errors
/// When one cannot be had, with the reason.
pub fn tools(steps: &[&str]) -> anyhow::Result<Vec<(&'static str, OsString)>> {
    let mut session = Session::begin(Vec::new())?;
    for step in STEPS.iter().filter(|step| steps.contains(&step.name)) {
        if let Outcome::Skipped(why) = (step.run)(&mut session)? {
            anyhow::bail!("{}: {why}", step.name);
        }
    }
    let exports = session.exports();
    Ok(exports.map(|(name, value)| (name, value.clone())).collect())
}

fn run_step(step: &Step, session: &mut Session) -> Row {
    println!("\n== {}: {}", step.name, step.about);
    let begun = Instant::now();
    let verdict = match (step.run)(session) {
        Ok(Outcome::Passed) => Verdict::Passed,
        Ok(Outcome::Skipped(why)) => {
            println!("skipped: {why}");
            Verdict::Skipped(why)
        }
        Err(error) => {
            let why = format!("{error:#}");
            println!("failed: {why}");
            Verdict::Failed(why)
        }
    };
    Row {
        step: step.name,
        verdict,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn selected(words: &[&str]) -> Vec<&'static str> {
        let line = std::iter::once(&"test").chain(words);
        let args = Cli::try_parse_from(line).unwrap().args;
        STEPS
            .iter()
            .map(|step| step.name)
            .filter(|name| args.selects(name))
            .collect()
    }

    #[test]
    fn every_step_runs_unless_told_otherwise() {
        assert_eq!(
            selected(&[]),
            [
                "fmt",
                "clippy",
                "rustdoc",
                "tls",
                "deny",
                "book",
                "workflows",
                "tools",
                "node",
                "terraform",
                "docker",
                "test"
            ]
        );
        assert_eq!(selected(&["--only", "test,fmt"]), ["fmt", "test"]);
        assert_eq!(
            selected(&["--only", "fmt", "--only", "tls"]),
            ["fmt", "tls"]
        );
        assert_eq!(
            selected(&["--skip", "deny,docker", "--skip", "fmt"]),
            [
                "clippy",
                "rustdoc",
                "tls",
                "book",
                "workflows",
                "tools",
                "node",
                "terraform",
                "test"
            ]
        );
        assert_eq!(selected(&["--only", "fmt,tls", "--skip", "tls"]), ["fmt"]);
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = match Cli::try_parse_from(["test", "--only", "format"]) {
            Ok(_) => panic!("`format` is no step"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains("fmt, clippy, rustdoc, tls"), "{error}");
    }

    #[test]
    fn what_follows_two_dashes_is_for_cargo_test() {
        let cli = Cli::try_parse_from(["test", "--only", "test", "--", "--test", "moto"]).unwrap();
        assert_eq!(cli.args.cargo_test, ["--test", "moto"]);
    }

    #[test]
    fn the_arguments_are_consistent() {
        let command = <Args as clap::Args>::augment_args(clap::Command::new("test"));
        command.clone().debug_assert();
        assert!(Args::from_arg_matches(&command.get_matches_from(["test"])).is_ok());
    }
}
