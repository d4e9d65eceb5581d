//! Wrong usage, told as every other error is: clap knows people only.

use std::process::ExitCode;

use clap::ValueEnum;
use clap::error::ErrorKind;

use super::{Exit, Failure};
use crate::report::{Color, Output, Report, ReportOptions, Surroundings};

/// Shows help, the version or what is wrong with the command line, and gives the exit code.
pub fn tell(error: &clap::Error) -> ExitCode {
    let asked = output_asked_for(std::env::args().skip(1));
    let output = match asked {
        Some(output @ (Output::Json | Output::Ndjson)) if error.use_stderr() => output,
        _ => {
            // Where nobody listens the exit code still says it.
            let _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => Exit::Done.into(),
            };
        }
    };
    let options = ReportOptions {
        output,
        quiet: false,
        verbose: false,
        page: None,
    };
    let told = Report::of_process(&options, &Surroundings::find(Color::Auto))
        .and_then(|report| report.finish(Exit::Usage as u8, Some(failure(error).into_report())));
    match told {
        Ok(()) => Exit::Usage.into(),
        Err(unwritten) => {
            Failure::from(unwritten).show_plain();
            Exit::Usage.into()
        }
    }
}

/// The value of `--output`, on a command line that could not be read as a whole.
fn output_asked_for(arguments: impl IntoIterator<Item = String>) -> Option<Output> {
    let mut arguments = arguments
        .into_iter()
        .take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--output") {
            Some("") => arguments.next()?,
            Some(rest) => match rest.strip_prefix('=') {
                Some(value) => value.to_owned(),
                None => continue,
            },
            None => continue,
        };
        return Output::from_str(&value, false).ok();
    }
    None
}

/// clap's words, first what is wrong, then what helps.
fn failure(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(Exit::Usage, "no command is given")
            .hint("the same with --help lists the commands");
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim().split("\n\n").map(in_one_line);
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let helps: Vec<String> = paragraphs
        .filter(|paragraph| !paragraph.starts_with("For more information"))
        .map(|paragraph| match paragraph.strip_prefix("tip: ") {
            Some(tip) => tip.to_owned(),
            None => paragraph.replacen("Usage: ", "usage: ", 1),
        })
        .collect();
    Failure::new(Exit::Usage, message).hint(helps.join("; "))
}

fn in_one_line(paragraph: &str) -> String {
    let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn output_is_found_where_the_rest_makes_no_sense() {
        for (line, expected) in [
            ("rolout --output json", Some(Output::Json)),
            ("--output=ndjson --no", Some(Output::Ndjson)),
            ("--output text --output json", Some(Output::Text)),
            ("--output xml", None),
            ("--output", None),
            ("--outputs json", None),
            ("logs -- --output json", None),
        ] {
            let words = line.split(' ').map(str::to_owned);
            assert_eq!(output_asked_for(words), expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_and_what_helps_are_told_apart() {
        for (line, message, hint) in [
            ("rolout", "unrecognized subcommand 'rolout'", "'rollout'"),
            (
                "promote",
                "the following required arguments were not provided: --from <NAME>",
                "usage: quilt-mcp-deploy promote",
            ),
            (
                "status --colour never",
                "unexpected argument '--colour' found",
                "a similar argument exists: '--color'",
            ),
            ("local", "no command is given", "--help"),
        ] {
            let words = ["quilt-mcp-deploy"].into_iter().chain(line.split(' '));
            let error = Cli::try_parse_from(words).unwrap_err();
            let report = failure(&error).into_report();
            assert!(report.message.starts_with(message), "{}", report.message);
            assert!(!report.message.contains('\n'));
            let told = report.hint.unwrap();
            assert!(told.contains(hint), "{line}: {told}");
        }
    }
}
