//! The log of a CI job, and what GitHub Actions makes of it.

use quilt_mcp_deploy::report::View;
use quilt_mcp_deploy::report::github::summary;
use quilt_mcp_deploy::report::lines::{Detail, Log, LogStyle};
use quilt_mcp_deploy::report::sink::Sink;
use quilt_mcp_deploy::report::style::Style;

use crate::script::{RUNS, Written, show, timeline};

fn log(name: &str, how: LogStyle) -> String {
    let written = Written::default();
    show(name, &mut Log::new(Sink::new(written.clone()), how));
    written.text()
}

const PLAIN: LogStyle = LogStyle {
    detail: Detail::Normal,
    github: false,
    result_explains: false,
    style: Style {
        color: false,
        unicode: true,
    },
};

#[test]
fn a_line_a_change() {
    for name in RUNS {
        insta::assert_snapshot!(format!("log {name}"), log(name, PLAIN));
    }
}

#[test]
fn a_quiet_log_says_what_went_wrong() {
    let quiet = LogStyle {
        detail: Detail::Quiet,
        ..PLAIN
    };
    assert_eq!(log("good", quiet), "");
    insta::assert_snapshot!("quiet log unknown", log("unknown", quiet));
    let errors = LogStyle {
        detail: Detail::Errors,
        ..PLAIN
    };
    let text = log("unknown", errors);
    assert!(text.starts_with("error: time ran out\n"), "{text}");
}

#[test]
fn github_gets_groups_and_annotations() {
    let github = LogStyle {
        github: true,
        ..PLAIN
    };
    for name in RUNS {
        let text = log(name, github);
        let opened = text.matches("::group::").count();
        assert_eq!(opened, text.matches("::endgroup::").count(), "{text}");
        insta::assert_snapshot!(format!("github log {name}"), text);
    }
}

/// As the runner reads a log: a command is a line that starts with `::`, or has `##[` in it.
#[test]
fn a_hostile_log_line_gives_github_no_command() {
    let github = LogStyle {
        github: true,
        ..PLAIN
    };
    let ours = ["group", "endgroup", "warning title=", "error title="];
    for line in log("failed", github).lines() {
        assert!(!line.trim_start().starts_with("##["), "{line}");
        if let Some(command) = line.trim_start().strip_prefix("::") {
            assert!(ours.iter().any(|ours| command.starts_with(ours)), "{line}");
            assert!(!command.contains("\n"), "{line}");
        }
    }
}

#[test]
fn github_gets_a_job_summary() {
    for name in RUNS {
        let text = summary(&timeline(name)).unwrap();
        insta::assert_snapshot!(format!("job summary {name}"), text);
    }
}

#[test]
fn colours_where_they_are_wanted() {
    let colored = LogStyle {
        style: Style {
            color: true,
            unicode: true,
        },
        ..PLAIN
    };
    let text = log("failed", colored);
    assert!(text.contains("\u{1b}[36m"), "{text}");
    assert!(
        !text.contains("\u{1b}[31m<script>"),
        "the log line's own colour was kept: {text}"
    );
    assert!(!log("failed", PLAIN).contains('\u{1b}'));
}

#[test]
fn ascii_where_nothing_else_can_be_shown() {
    let ascii = LogStyle {
        style: Style {
            color: false,
            unicode: false,
        },
        detail: Detail::Verbose,
        ..PLAIN
    };
    for name in RUNS {
        assert!(log(name, ascii).is_ascii());
    }
}

#[test]
fn a_summary_is_appended_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("summary.md");
    std::fs::write(&file, "from another step\n").unwrap();
    let mut view = quilt_mcp_deploy::report::github::JobSummary::new(file.clone());
    show("good", &mut view);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("from another step\n### "), "{text}");
    assert_eq!(text.matches("### ").count(), 1);
    view.tick(std::time::Duration::from_secs(1));
}
