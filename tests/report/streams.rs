//! What programs read from stdout.

use quilt_mcp_deploy::report::View as _;
use quilt_mcp_deploy::report::results::Results;
use quilt_mcp_deploy::report::style::Style;
use quilt_mcp_deploy::report::{Output, Report, Reporter as _};
use serde_json::Value;

use crate::script::{RUNS, Written, show};

fn stdout(name: &str, output: Output) -> String {
    let written = Written::default();
    show(
        name,
        &mut Results::new(written.clone(), output, Style::default(), false),
    );
    written.text()
}

#[test]
fn a_stream_of_events_that_ends_with_the_result() {
    for name in RUNS {
        let text = stdout(name, Output::Ndjson);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for (index, line) in lines.iter().enumerate() {
            assert_eq!(line["version"], 1);
            assert_eq!(line["sequence"], index + 1);
            assert_eq!(
                line["event"] == "result",
                index + 1 == lines.len(),
                "{line}"
            );
        }
        insta::assert_snapshot!(format!("ndjson {name}"), text);
    }
}

#[test]
fn one_object() {
    for name in RUNS {
        let text = stdout(name, Output::Json);
        serde_json::from_str::<Value>(&text).unwrap();
        insta::assert_snapshot!(format!("json {name}"), text);
    }
}

#[test]
fn events_are_no_text_result() {
    for name in RUNS {
        assert_eq!(stdout(name, Output::Text), "");
    }
}

/// A result with two faces.
#[derive(serde::Serialize)]
struct Answer {
    answer: u32,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the answer is {}", self.answer)
    }
}

#[test]
fn a_result_is_text_at_once_and_an_object_at_the_end() {
    for (output, at_once, at_the_end) in [
        (Output::Text, "the answer is 42\n", "the answer is 42\n"),
        (Output::Json, "", "{\n  \"answer\": 42\n}\n"),
    ] {
        let written = Written::default();
        let results = Results::new(written.clone(), output, Style::default(), false);
        let report = Report::new(vec![Box::new(results)], 80);
        report.print(&Answer { answer: 42 }).unwrap();
        assert_eq!(written.text(), at_once);
        report.finish(0, None).unwrap();
        assert_eq!(written.text(), at_the_end);
    }
}

/// A stdout that is full.
struct Full;

impl std::io::Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_result_that_is_not_written_is_no_success() {
    let results = |output| Results::new(Full, output, Style::default(), false);
    for output in [Output::Json, Output::Ndjson] {
        let written = Written::default();
        let other = Results::new(written.clone(), Output::Ndjson, Style::default(), false);
        let report = Report::new(vec![Box::new(results(output)), Box::new(other)], 80);
        report.warn("something");
        report.print(&Answer { answer: 42 }).unwrap();
        let error = report.finish(0, None).unwrap_err().to_string();
        assert!(error.contains("cannot be written to stdout"), "{error}");
        assert_eq!(written.text().lines().count(), 2, "the other view goes on");
    }
    let report = Report::new(vec![Box::new(results(Output::Text))], 80);
    report.print(&Answer { answer: 42 }).unwrap_err();
    // Nobody to show a log line to is an error as well.
    let mut view = results(Output::Text);
    view.print("x").unwrap_err();
}
