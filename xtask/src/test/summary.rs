//! The end of a run: what ran, what was skipped, and why.

use std::fmt;

/// How a step ended.
pub enum Verdict {
    Passed,
    Failed(String),
    Skipped(String),
    Unselected,
}

/// One line of the table.
pub struct Row {
    pub step: &'static str,
    pub verdict: Verdict,
    /// Wall time.
    pub seconds: f64,
}

impl Row {
    /// A step that this run was told to leave out.
    pub fn unselected(step: &'static str) -> Self {
        Self {
            step,
            verdict: Verdict::Unselected,
            seconds: 0.0,
        }
    }
}

/// What a run tells at its end.
pub struct Summary {
    pub rows: Vec<Row>,
    pub skipped_tests: Vec<String>,
    pub notes: Vec<String>,
    /// Whether a skip is a failure.
    pub ci: bool,
}

impl Summary {
    /// Whether nothing failed and, in CI, nothing was skipped.
    pub fn succeeded(&self) -> bool {
        let skip_matters = self.ci && self.skipped_something();
        self.rows.iter().all(Row::is_no_failure) && !skip_matters
    }

    fn skipped_something(&self) -> bool {
        let skipped = |row: &Row| matches!(row.verdict, Verdict::Skipped(_));
        self.rows.iter().any(skipped) || !self.skipped_tests.is_empty()
    }

    fn conclusion(&self) -> &'static str {
        match (self.succeeded(), self.skipped_something()) {
            (true, false) => "everything that was selected ran and passed",
            (true, true) => "what ran passed; something was skipped",
            (false, true) if self.rows.iter().all(Row::is_no_failure) => {
                "failed: something was skipped, which CI=true does not allow"
            }
            (false, _) => "failed",
        }
    }
}

impl Row {
    fn is_no_failure(&self) -> bool {
        !matches!(self.verdict, Verdict::Failed(_))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<9}  {:<12}  {:>7}", "step", "result", "seconds")?;
        for row in &self.rows {
            let (result, why) = match &row.verdict {
                Verdict::Passed => ("passed", ""),
                Verdict::Failed(why) => ("failed", why.as_str()),
                Verdict::Skipped(why) => ("skipped", why.as_str()),
                Verdict::Unselected => ("not selected", ""),
            };
            let line = format!("{:<9}  {result:<12}  {:>7.1}  {why}", row.step, row.seconds);
            writeln!(f, "{}", line.trim_end())?;
        }
        list(f, "Skipped tests", &self.skipped_tests)?;
        list(f, "Notes", &self.notes)?;
        write!(f, "\ncargo xtask test: {}", self.conclusion())
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}:")?;
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(verdicts: Vec<Verdict>, skipped_tests: &[&str], ci: bool) -> Summary {
        let row = |(verdict, step)| Row {
            step,
            verdict,
            seconds: 1.25,
        };
        Summary {
            rows: verdicts
                .into_iter()
                .zip(["fmt", "deny", "test"])
                .map(row)
                .collect(),
            skipped_tests: skipped_tests.iter().map(|&line| line.to_owned()).collect(),
            notes: Vec::new(),
            ci,
        }
    }

    fn skipped() -> Verdict {
        Verdict::Skipped("no python3".to_owned())
    }

    fn failed() -> Verdict {
        Verdict::Failed("`cargo test` ended with exit status: 101".to_owned())
    }

    #[test]
    fn the_verdict_follows_the_steps_and_ci() {
        use Verdict::{Passed, Unselected};
        let cases = [
            (
                summary(vec![Passed, Passed], &[], false),
                true,
                "ran and passed",
            ),
            (
                summary(vec![Passed, Passed], &[], true),
                true,
                "ran and passed",
            ),
            (
                summary(vec![Passed, Unselected], &[], true),
                true,
                "ran and passed",
            ),
            (
                summary(vec![Passed, skipped()], &[], false),
                true,
                "was skipped",
            ),
            (
                summary(vec![Passed, skipped()], &[], true),
                false,
                "CI=true",
            ),
            (
                summary(vec![Passed], &["a: none"], false),
                true,
                "was skipped",
            ),
            (summary(vec![Passed], &["a: none"], true), false, "CI=true"),
            (
                summary(vec![Passed, failed()], &[], false),
                false,
                ": failed",
            ),
            (
                summary(vec![skipped(), failed()], &[], true),
                false,
                ": failed",
            ),
        ];
        for (summary, succeeded, conclusion) in cases {
            let text = summary.to_string();
            assert_eq!(summary.succeeded(), succeeded, "{text}");
            assert!(text.lines().last().unwrap().contains(conclusion), "{text}");
        }
    }

    #[test]
    fn it_lists_what_ran_and_what_did_not_and_why() {
        let mut summary = summary(
            vec![Verdict::Passed, skipped(), failed()],
            &["registry_docker::pushes: skopeo is not installed"],
            false,
        );
        summary.rows.push(Row::unselected("docker"));
        summary.notes.push("advisories were not checked".to_owned());
        assert_eq!(
            summary.to_string(),
            "step       result        seconds\n\
             fmt        passed            1.2\n\
             deny       skipped           1.2  no python3\n\
             test       failed            1.2  `cargo test` ended with exit status: 101\n\
             docker     not selected      0.0\n\
             \n\
             Skipped tests:\n  registry_docker::pushes: skopeo is not installed\n\
             \n\
             Notes:\n  advisories were not checked\n\
             \n\
             cargo xtask test: failed"
        );
    }
}
