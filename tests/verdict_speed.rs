//! From the first evidence of a broken release to the verdict, beside `aws ecs wait
//! services-stable` on the same releases in the same run. A benchmark, not a test of time:
//! `cargo xtask bench verdict` prints the table.

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quilt_mcp_deploy::image::Image;
use serde_json::Value;
use support::rehearsal::Rehearsal;

const AWS_CLI: &str = "QUILT_MCP_AWS_CLI";

/// What a watcher of a broken release said, and when, after the first evidence of it.
struct Said {
    seconds: f64,
    exit: Option<i32>,
}

#[test]
#[ignore = "a benchmark: cargo xtask bench verdict"]
fn of_broken_releases() {
    let aws = PathBuf::from(std::env::var(AWS_CLI).expect("QUILT_MCP_AWS_CLI names the AWS CLI"));
    let rehearsal = Rehearsal::new();
    rehearsal
        .deploy(&rehearsal.server(&"1".repeat(40)), &[])
        .expect(0);
    let missing = rehearsal.server(&"2".repeat(40));
    let pulls = format!("*@{}", missing.digest);
    rehearsal
        .run(&["local", "fault", "refuse-pulls", "--image", &pulls])
        .expect(0);
    let releases = [
        ("exits at start", rehearsal.fixture("exits")),
        ("never healthy", rehearsal.fixture("unhealthy")),
        ("cannot be pulled", missing),
    ];
    println!("seconds from the first evidence (a stopped task or an unhealthy target)");
    println!(
        "{:<18} {:>22} {:>30}",
        "release", "quilt-mcp-deploy", "aws ecs wait services-stable"
    );
    for (name, image) in &releases {
        let (ours, theirs) = race(&rehearsal, &aws, image);
        println!("{name:<18} {:>22} {:>30}", ours.shown(), theirs.shown());
        assert_eq!(ours.exit, Some(8), "{name}");
    }
}

impl Said {
    fn shown(&self) -> String {
        let exit = self.exit.map_or("none".to_owned(), |code| code.to_string());
        format!("{:.1} s, exit {exit}", self.seconds)
    }
}

/// Releases a broken image and lets both watch it.
fn race(rehearsal: &Rehearsal, aws: &PathBuf, image: &Image) -> (Said, Said) {
    let tag = format!("test-{}", image.digest.short());
    let layout = image.layout.to_str().unwrap();
    let mut ours = rehearsal
        .command(&[
            "deploy",
            "--output",
            "ndjson",
            "--image-layout",
            layout,
            "--tag",
            &tag,
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut waiter: Option<Child> = None;
    let mut evidence = None;
    let mut verdict = None;
    for line in BufReader::new(ours.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        match event["event"].as_str() {
            Some("rollout_started") => waiter = Some(wait_stable(rehearsal, aws)),
            Some("task") if event["status"] == "STOPPED" => {
                evidence.get_or_insert_with(Instant::now);
            }
            Some("target") if event["state"] == "unhealthy" => {
                evidence.get_or_insert_with(Instant::now);
            }
            Some("rollback_started" | "verdict") => {
                verdict.get_or_insert_with(Instant::now);
            }
            _ => {}
        }
    }
    let evidence = evidence.expect("a broken release shows evidence");
    let ours = Said {
        seconds: seconds(evidence, verdict.expect("a verdict")),
        exit: ours.wait().unwrap().code(),
    };
    let mut waiter = waiter.expect("the rollout was started");
    let exit = waiter.wait().unwrap().code();
    let theirs = Said {
        seconds: seconds(evidence, Instant::now()),
        exit,
    };
    (ours, theirs)
}

fn seconds(from: Instant, to: Instant) -> f64 {
    to.checked_duration_since(from)
        .unwrap_or(Duration::ZERO)
        .as_secs_f64()
}

fn wait_stable(rehearsal: &Rehearsal, aws: &PathBuf) -> Child {
    let endpoint = rehearsal.description()["endpoint_url"]
        .as_str()
        .unwrap()
        .to_owned();
    Command::new(aws)
        .args(["--endpoint-url", &endpoint, "--region", "us-east-1"])
        .args(["ecs", "wait", "services-stable", "--cluster", "quilt-local"])
        .args(["--services", "quilt-local-mcp-server"])
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
