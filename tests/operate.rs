//! What an operator asks between releases, on the local environment by the real binary:
//! `plan`, `history`, `logs`.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;
use support::rehearsal::Rehearsal;

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

#[test]
fn plan_history_and_logs_tell_of_good_and_broken_releases() {
    let rehearsal = Rehearsal::new();
    let first = rehearsal
        .deploy(&rehearsal.server(FIRST), &[])
        .expect(0)
        .json();
    let digest = first["digest"].as_str().unwrap();

    let plan = ["plan", "--digest", digest, "--detailed-exitcode"];
    let same = rehearsal.run(&plan).expect(0);
    assert!(same.stdout.contains("no changes"), "{}", same.stdout);
    let broken = rehearsal
        .deploy(&rehearsal.fixture("exits"), &[])
        .expect(8)
        .json();
    let second = rehearsal
        .deploy(&rehearsal.server(SECOND), &[])
        .expect(0)
        .json();
    let back = rehearsal.run(&[&plan[..], &["--output", "json"]].concat());
    let back = back.expect(3).json();
    assert_eq!(back["running"]["commit"], SECOND);
    assert_eq!(back["changes"][0]["path"][0], "image");
    assert_eq!(back["template"]["newer_than_running"], false);
    assert_eq!(back["deployment"]["rolls_back"], true);

    history(&rehearsal, &[&first, &broken, &second]);
    logs(&rehearsal);
}

fn history(rehearsal: &Rehearsal, released: &[&Value; 3]) {
    let run = rehearsal.run(&["history", "--output", "json"]).expect(0);
    let history = run.json();
    assert_eq!(history["degraded"], Value::Null, "{}", run.stderr);
    let releases = history["releases"].as_array().unwrap();
    for (released, verdict) in released
        .iter()
        .zip(["succeeded", "rolled_back", "succeeded"])
    {
        let arn = &released["revision"]["arn"];
        let release = releases.iter().find(|past| past["revision"] == *arn);
        let release = release.unwrap_or_else(|| panic!("{arn} is not in {history:#}"));
        assert_eq!(release["digest"], released["digest"]);
        if verdict == "succeeded" {
            assert_eq!(release["verdict"], verdict, "{release:#}");
            assert!(release["seconds"].as_f64().unwrap() > 0.0, "{release:#}");
        } else {
            assert_ne!(release["verdict"], "succeeded", "{release:#}");
        }
        assert!(release["released"]["caller"].is_string(), "{release:#}");
    }
    assert_eq!(releases[0]["revision"], released[2]["revision"]["arn"]);
    assert_eq!(releases[0]["commit"], SECOND);
    assert_eq!(releases[0]["current"], true);
    let started: Vec<&str> = releases
        .iter()
        .filter_map(|release| release["started_at"].as_str())
        .collect();
    assert!(
        started.is_sorted_by(|newer, older| newer >= older),
        "{started:?}"
    );
    let text = rehearsal.run(&["history"]).expect(0).stdout;
    assert!(text.contains("succeeded"), "{text}");
}

fn logs(rehearsal: &Rehearsal) {
    let all = rehearsal
        .run(&["logs", "--since", "1h", "--output", "json"])
        .expect(0)
        .json();
    let lines = all["lines"].as_array().unwrap();
    let times: Vec<jiff::Timestamp> = lines
        .iter()
        .map(|line| line["at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let broken = lines
        .iter()
        .find(|line| {
            line["message"]
                .as_str()
                .unwrap()
                .contains("the catalogue cannot be opened")
        })
        .expect("the stopped tasks' lines are there");
    let task = broken["task"].as_str().unwrap();
    let of_task = rehearsal.run(&["logs", "--task", task]).expect(0).stdout;
    assert!(!of_task.is_empty());
    assert!(
        of_task.lines().all(|line| line.contains(&task[..8])),
        "{of_task}"
    );
    let filtered = rehearsal
        .run(&["logs", "--filter", "catalogue"])
        .expect(0)
        .stdout;
    assert!(!filtered.is_empty());
    assert!(
        filtered.lines().all(|line| line.contains("catalogue")),
        "{filtered}"
    );
    let two = rehearsal.run(&["logs", "--lines", "2"]).expect(0).stdout;
    assert_eq!(two.lines().count(), 2, "{two}");
    let none = rehearsal
        .run(&["logs", "--task", "ffffffffffffffff"])
        .expect(0);
    assert_eq!(none.stdout, "");
    rehearsal.run(&["logs", "--since", "soon"]).expect(2);
}

/// Every line that the tasks write while somebody follows is shown once, up to Ctrl-C.
#[test]
fn following_loses_and_doubles_no_line() {
    let rehearsal = Rehearsal::new();
    rehearsal.deploy(&rehearsal.server(FIRST), &[]).expect(0);
    let arguments = ["logs", "--follow", "--lines", "3", "--output", "json"];
    let mut following = rehearsal
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut seen: Vec<Value> = Vec::new();
    let mut read = |seen: &mut Vec<Value>| {
        let line = stdout.next().expect("following goes on").unwrap();
        seen.push(serde_json::from_str(&line).unwrap());
    };
    for _ in 0..3 {
        read(&mut seen);
    }
    // The second release's tasks start, and the first one's drain and say so.
    rehearsal.deploy(&rehearsal.server(SECOND), &[]).expect(0);
    let first_new = seen[2]["at"].as_str().unwrap().to_owned();
    let all = rehearsal
        .run(&["logs", "--since", &first_new, "--output", "json"])
        .expect(0)
        .json();
    let expected = all["lines"].as_array().unwrap();
    assert!(expected.len() > 4, "{expected:#?}");
    let missing = |seen: &[Value]| expected.iter().any(|line| !seen.contains(line));
    while missing(&seen) {
        read(&mut seen);
    }
    let ids: Vec<String> = expected.iter().map(Value::to_string).collect();
    for id in &ids {
        let count =
            |lines: &mut dyn Iterator<Item = String>| lines.filter(|line| line == id).count();
        let written = count(&mut ids.iter().cloned());
        let shown = count(&mut seen.iter().map(Value::to_string));
        assert_eq!(shown, written, "{id}");
    }
    let interrupted = std::process::Command::new("kill")
        .args(["-INT", &following.id().to_string()])
        .status()
        .unwrap();
    assert!(interrupted.success());
    stdout.for_each(drop);
    let ended = following.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_status_that_is_watched_shows_what_changes_until_a_signal() {
    let rehearsal = Rehearsal::new();
    rehearsal.deploy(&rehearsal.server(FIRST), &[]).expect(0);
    let refused = rehearsal.run(&["status", "--watch", "--output", "json"]);
    assert!(refused.expect(2).stderr.contains("ndjson"));

    let watch = ["status", "--watch", "--every", "1"];
    let events = [&watch[..], &["--output", "ndjson"]].concat();
    let spawn = |arguments: &[&str]| {
        let mut command = rehearsal.command(arguments);
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut events = spawn(&events);
    let mut text = spawn(&watch);
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    let mut commit_seen = |commit: &str| {
        lines.by_ref().any(|line| {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            event["event"] == "snapshot" && event["result"]["release"]["commit"] == commit
        })
    };
    assert!(commit_seen(FIRST));
    rehearsal.deploy(&rehearsal.server(SECOND), &[]).expect(0);
    assert!(commit_seen(SECOND));
    let mut shown = BufReader::new(text.stdout.take().unwrap()).lines();
    for commit in [FIRST, SECOND] {
        assert!(shown.any(|line| line.unwrap().contains(commit)));
    }
    for child in [&mut events, &mut text] {
        let pid = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        assert!(sent.unwrap().success());
    }
    // What they still write must find somebody who reads.
    for line in lines.chain(shown) {
        line.unwrap();
    }
    assert_eq!(events.wait().unwrap().code(), Some(130));
    assert_eq!(text.wait().unwrap().code(), Some(130));
}
