//! What the real binary writes to stdout, to stderr, to a job's summary and to a page, of a
//! release that fails.

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::cli::Cli;
use support::rehearsal::{Ended, Rehearsal};
use support::schema::{assert_valid, schema};

/// Every line is an event as the schema says, the last is the result; gives the last.
fn assert_stream(ended: &Ended) -> Value {
    let schema = schema("event");
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for (index, line) in lines.iter().enumerate() {
        if let Err(error) = schema.validate(line) {
            panic!("{error}: {line}");
        }
        assert_eq!(line["sequence"], index + 1);
        assert_eq!(
            line["event"] == "result",
            index + 1 == lines.len(),
            "{line}"
        );
    }
    lines.last().unwrap().clone()
}

/// A release whose tasks exit, into an environment that never had another.
struct Broken {
    rehearsal: Rehearsal,
    layout: String,
    folder: tempfile::TempDir,
}

impl Broken {
    fn new() -> Self {
        let rehearsal = Rehearsal::new();
        let layout = rehearsal.fixture("exits").layout;
        Self {
            layout: layout.into_os_string().into_string().unwrap(),
            rehearsal,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn deploy(&self, more: &[&str]) -> Command {
        let arguments = ["deploy", "--image-layout", &self.layout, "--tag", "broken"];
        let mut command = self.rehearsal.command(&[&arguments, more].concat());
        for variable in ["CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NO_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn run(command: &mut Command) -> Ended {
    command.output().unwrap().into()
}

#[test]
fn a_failed_release_in_every_way_it_is_shown() {
    let broken = Broken::new();

    let page = broken.file("incident.html");
    let text = run(&mut broken.deploy(&["--report", page.to_str().unwrap()])).expect(7);
    assert!(!text.stdout.contains("warning:"), "{}", text.stdout);
    assert!(
        text.stdout.contains("the catalogue cannot be opened"),
        "{}",
        text.stdout
    );
    assert!(text.stderr.contains("  task        "), "{}", text.stderr);
    assert!(
        !text.stderr.contains('\u{1b}'),
        "no colour where there is no terminal"
    );
    let page = std::fs::read_to_string(page).unwrap();
    for part in [
        "<svg",
        "EssentialContainerExited",
        "the catalogue cannot be opened",
    ] {
        assert!(page.contains(part), "{part}");
    }

    let json = run(&mut broken.deploy(&["--output", "json", "--force"])).expect(7);
    assert_valid("deploy", &json.json());
    assert!(
        json.stderr.contains("2 tasks stopped") || json.stderr.contains("tasks stopped: "),
        "{}",
        json.stderr
    );

    let stream = run(&mut broken.deploy(&["--output", "ndjson", "--force"])).expect(7);
    let last = assert_stream(&stream);
    assert_eq!(last["exit_code"], 7);
    assert_valid("deploy", &last["result"]);
    assert_eq!(stream.stderr, "", "a stream is all there is");

    let quiet = run(&mut broken.deploy(&["--quiet", "--force"])).expect(7);
    assert!(!quiet.stderr.contains("  task "), "{}", quiet.stderr);

    on_github(&broken);
    what_other_commands_print(&broken.rehearsal);
}

fn on_github(broken: &Broken) {
    let summary = broken.file("summary.md");
    let ended = run(broken
        .deploy(&["--force"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary))
    .expect(7);
    for command in ["::group::rollout\n", "::endgroup::\n", "\n::error title="] {
        assert!(
            ended.stderr.contains(command),
            "{command}: {}",
            ended.stderr
        );
    }
    assert!(!ended.stdout.contains("::"), "{}", ended.stdout);
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("### "), "{summary}");
    assert!(
        summary.contains("the catalogue cannot be opened"),
        "{summary}"
    );
}

fn what_other_commands_print(rehearsal: &Rehearsal) {
    for (arguments, name) in [
        (&["status"][..], "status"),
        (&["history"], "history"),
        (&["logs"], "logs"),
        (&["plan", "--tag", "broken"], "plan"),
        (&["local", "status"], "local-status"),
        (&["local", "calls"], "local-calls"),
    ] {
        let json = rehearsal
            .run(&[arguments, &["--output", "json"]].concat())
            .expect(0);
        assert_valid(name, &json.json());
        assert_eq!(json.json()["version"], 1, "{}", json.stdout);
        let stream = rehearsal
            .run(&[arguments, &["--output", "ndjson"]].concat())
            .expect(0);
        assert_eq!(assert_stream(&stream)["exit_code"], 0);
    }
}

#[test]
fn a_command_that_is_refused_prints_an_error_object() {
    let cli = Cli::new();
    for arguments in [&["status"][..], &["smoke"], &["rollout", "--tag", "1.0.0"]] {
        let json = cli.run(&[arguments, &["--output", "json"]].concat());
        assert_valid("error", &json.json());
        let stream = cli.run(&[arguments, &["--output", "ndjson"]].concat());
        let last: Value = serde_json::from_str(stream.stdout.trim()).unwrap();
        assert_valid("event", &last);
        assert_eq!(last["error"]["exit_code"], stream.code);
        assert!(stream.stderr.starts_with("error: "), "{}", stream.stderr);
        let text = cli.run(arguments);
        assert_eq!(text.stdout, "");
        let page = cli.work().join("page.html");
        cli.run(&[arguments, &["--report", "page.html"]].concat());
        assert!(
            std::fs::read_to_string(&page)
                .unwrap()
                .contains("local environment")
        );
        std::fs::remove_file(page).unwrap();
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_is_done() {
    let cli = Cli::new();
    let run = cli.run(&[
        "local",
        "up",
        "--port",
        "0",
        "--report",
        "missing/page.html",
    ]);
    run.assert_refusal(
        2,
        &["missing/page.html cannot be written", "nothing was done"],
    );
    assert!(!cli.state().exists());
}

/// Interrupted while it shows what a task wrote: the page is there all the same.
#[test]
fn an_interrupted_command_leaves_its_page() {
    let broken = Broken::new();
    run(&mut broken.deploy(&[])).expect(7);
    let page = broken.file("page.html");
    let arguments = ["logs", "--follow", "--report", page.to_str().unwrap()];
    let mut child = broken
        .rehearsal
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "{line}");
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(read(&page).contains("interrupted"));
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
