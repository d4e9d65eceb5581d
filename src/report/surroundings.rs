//! Where this process runs, as far as it matters for what is shown: found out once.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::ValueEnum;

use super::style::Style;

/// How results are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// One JSON object, a contract: see docs/output.md
    Json,
    /// The events as they happen, one JSON object a line; the result is the last
    Ndjson,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The narrowest and the widest that tables are drawn on a terminal, in columns.
const WIDTHS: (u16, u16) = (40, 120);

/// Where this process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether stderr is a terminal that can be drawn on.
    pub live: bool,
    /// The columns of stderr.
    pub width: u16,
    /// Whether stdout is a terminal that can be drawn on.
    pub stdout_live: bool,
    /// The columns of stdout.
    pub stdout_width: u16,
    /// Whether the log is one of GitHub Actions, which reads workflow commands from it.
    pub github: bool,
    /// The file that takes the job's summary, in GitHub Actions.
    pub job_summary: Option<PathBuf>,
    /// How text on stderr is drawn.
    pub style: Style,
    /// How text on stdout is drawn.
    pub stdout_style: Style,
}

impl Surroundings {
    /// Looks at this process's environment and streams.
    pub fn find(color: Color) -> Self {
        let (stderr, stdout) = (std::io::stderr(), std::io::stdout());
        Self::of(
            color,
            &|name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            stderr.is_terminal().then(|| columns_of(&stderr)),
            stdout.is_terminal().then(|| columns_of(&stdout)),
        )
    }

    /// The surroundings with these variables; a stream that is a terminal has its columns.
    fn of(
        color: Color,
        variable: &dyn Fn(&str) -> Option<String>,
        stderr: Option<u16>,
        stdout: Option<u16>,
    ) -> Self {
        let is = |name: &str| variable(name).is_some_and(|value| value == "true" || value == "1");
        let dumb = variable("TERM").is_none_or(|terminal| terminal == "dumb");
        let github = is("GITHUB_ACTIONS");
        let utf8 = locale_is_utf8(variable);
        let style = |columns: Option<u16>| Style {
            color: match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => columns.is_some() && !dumb && variable("NO_COLOR").is_none(),
            },
            // What is not a terminal passes bytes on, and UTF-8 is what programs expect.
            unicode: columns.is_none() || utf8,
        };
        let width = |columns: Option<u16>| {
            columns.map_or(super::table::WIDTH, |columns| {
                columns.clamp(WIDTHS.0, WIDTHS.1)
            })
        };
        Self {
            live: stderr.is_some() && !dumb && !is("CI") && !github,
            width: width(stderr),
            stdout_live: stdout.is_some() && !dumb,
            stdout_width: width(stdout),
            github,
            job_summary: variable("GITHUB_STEP_SUMMARY")
                .filter(|_| github)
                .map(PathBuf::from),
            style: style(stderr),
            stdout_style: style(stdout),
        }
    }
}

fn columns_of(stream: impl std::os::fd::AsFd) -> u16 {
    terminal_size::terminal_size_of(stream).map_or(super::table::WIDTH, |(width, _)| width.0)
}

/// The character set of the locale, by the variables and in the order of POSIX (XBD 8.2).
fn locale_is_utf8(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable)
        .is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(color: Color, variables: &[(&str, &str)], stderr: Option<u16>) -> Surroundings {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Surroundings::of(color, &variable, stderr, stderr)
    }

    #[test]
    fn a_terminal_is_live_unless_it_is_dumb_or_a_ci_job() {
        let term = ("TERM", "xterm");
        for (variables, columns, live) in [
            (&[term][..], Some(100), true),
            (&[term], None, false),
            (&[("TERM", "dumb")], Some(100), false),
            (&[], Some(100), false),
            (&[term, ("CI", "true")], Some(100), false),
            (&[term, ("CI", "false")], Some(100), true),
            (&[term, ("GITHUB_ACTIONS", "true")], Some(100), false),
        ] {
            assert_eq!(
                of(Color::Auto, variables, columns).live,
                live,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let term = ("TERM", "xterm");
        for (color, variables, columns, colored) in [
            (Color::Auto, &[term][..], Some(80), true),
            (Color::Auto, &[term, ("NO_COLOR", "1")], Some(80), false),
            (Color::Auto, &[("TERM", "dumb")], Some(80), false),
            (Color::Auto, &[term], None, false),
            (Color::Always, &[("NO_COLOR", "1")], None, true),
            (Color::Never, &[term], Some(80), false),
        ] {
            assert_eq!(
                of(color, variables, columns).style.color,
                colored,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn unicode_follows_the_locale_of_a_terminal() {
        for (variables, columns, unicode) in [
            (&[("LANG", "en_GB.UTF-8")][..], Some(80), true),
            (&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")], Some(80), false),
            (&[("LC_CTYPE", "C.utf8"), ("LANG", "C")], Some(80), true),
            (&[], Some(80), false),
            (&[("LC_ALL", "C")], None, true),
        ] {
            assert_eq!(
                of(Color::Auto, variables, columns).style.unicode,
                unicode,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn tables_keep_within_sensible_widths() {
        for (columns, width) in [
            (Some(20), 40),
            (Some(40), 40),
            (Some(97), 97),
            (Some(300), 120),
            (None, 80),
        ] {
            assert_eq!(of(Color::Auto, &[], columns).width, width);
        }
    }

    #[test]
    fn a_job_summary_is_githubs_only() {
        let file = ("GITHUB_STEP_SUMMARY", "/tmp/summary");
        assert_eq!(of(Color::Auto, &[file], None).job_summary, None);
        assert!(
            of(Color::Auto, &[file, ("GITHUB_ACTIONS", "true")], None)
                .job_summary
                .is_some()
        );
    }
}
