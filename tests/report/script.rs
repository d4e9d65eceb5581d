//! Runs as they happen, event by event, and views that keep what they show.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use quilt_mcp_deploy::report::timeline::Timeline;
use quilt_mcp_deploy::report::{ErrorReport, Event, Record, Release, Stage, StoppedGroup, View};
use serde_json::json;

const DEPLOYMENT: &str = "ecs-svc/1234567890123456789";
const REVISION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/acme-mcp-server:42";
const BEFORE: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/acme-mcp-server:41";
const TASKS: [&str; 2] = [
    "3f2a9c1b0d4e4f5a8b7c6d5e4f3a2b1c",
    "9b8a7c6d5e4f4a3b2c1d0e9f8a7b6c5d",
];
const HOSTILE: &str = "\u{1b}[31m<script>alert('x')</script> ::error::no ##[warning]no";

/// Every run that is shown.
pub const RUNS: [&str; 6] = [
    "good",
    "failed",
    "rolled back",
    "superseded",
    "unknown",
    "refused",
];

/// The run of this name.
pub fn run(name: &str) -> Vec<Record> {
    let mut run = Run::default();
    match name {
        "refused" => run.at(
            0.2,
            error(
                13,
                "the credentials are of account 210987654321, environment staging is 123456789012",
            ),
        ),
        _ => {
            run.begin();
            match name {
                "good" => run.good(),
                "failed" => run.failed(),
                "rolled back" => run.rolled_back(),
                "superseded" => run.superseded(),
                "unknown" => run.unknown(),
                other => panic!("there is no run `{other}`"),
            }
        }
    }
    run.records
}

#[derive(Default)]
struct Run {
    records: Vec<Record>,
}

impl Run {
    fn at(&mut self, seconds: f64, event: Event) {
        let began: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let elapsed = Duration::from_secs_f64(seconds);
        self.records.push(Record {
            version: 1,
            sequence: self.records.len() as u64 + 1,
            at: began + elapsed,
            elapsed,
            event,
        });
    }

    fn begin(&mut self) {
        self.at(
            0.0,
            Event::StageStarted {
                stage: Stage::Publish,
            },
        );
        self.at(
            1.5,
            Event::Progress {
                stage: Stage::Publish,
                message: "2097152 of 4970146 bytes".into(),
            },
        );
        self.at(
            4.25,
            Event::StageFinished {
                stage: Stage::Publish,
                elapsed: Duration::from_millis(4250),
                outcome: "acme-mcp-server:1.4.0-3f2a9c1 (4970146 bytes sent)".into(),
            },
        );
        self.at(
            4.3,
            Event::StageStarted {
                stage: Stage::Rollout,
            },
        );
        self.at(5.0, Event::RolloutStarted(Release {
            environment: "staging".into(),
            service: "acme-mcp-server".into(),
            deployment: DEPLOYMENT.into(),
            revision: REVISION.into(),
            previous_revision: Some(BEFORE.into()),
            image: Some("123456789012.dkr.ecr.eu-west-1.amazonaws.com/acme-mcp-server@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".into()),
            commit: Some("3f2a9c1b0d4e4f5a8b7c6d5e4f3a2b1c0d9e8f7a".into()),
        }));
        self.deployment(5.2, 0, 2, 0, "IN_PROGRESS");
        self.at(
            5.2,
            service_deployment("IN_PROGRESS", Some("SCALE_UP"), None, 0),
        );
        self.ecs(
            6.0,
            "(service acme-mcp-server) has started 2 tasks: (task 3f2a9c1b) (task 9b8a7c6d).",
        );
        self.task(6.0, 0, "PROVISIONING", None);
        self.task(6.0, 1, "PROVISIONING", None);
        self.at(
            6.0,
            Event::Waiting {
                waiting_for: "2 of 2 tasks to run".into(),
            },
        );
    }

    fn healthy(&mut self) {
        self.task(18.0, 0, "RUNNING", None);
        self.task(19.5, 1, "RUNNING", None);
        self.deployment(19.5, 2, 0, 0, "IN_PROGRESS");
        self.target(
            20.0,
            "10.0.1.17:8080",
            "initial",
            Some("Elb.RegistrationInProgress"),
        );
        self.target(
            20.0,
            "10.0.2.34:8080",
            "initial",
            Some("Elb.RegistrationInProgress"),
        );
        self.at(
            20.0,
            Event::Waiting {
                waiting_for: "2 of 2 targets to be healthy".into(),
            },
        );
        self.target(31.0, "10.0.1.17:8080", "healthy", None);
        self.target(33.0, "10.0.2.34:8080", "healthy", None);
    }

    fn good(&mut self) {
        self.healthy();
        self.deployment(58.0, 2, 0, 0, "COMPLETED");
        self.at(58.0, service_deployment("SUCCESSFUL", None, None, 0));
        self.ecs(
            58.0,
            "(service acme-mcp-server) has reached a steady state.",
        );
        self.verdict(88.0, "succeeded", 0, "acme-mcp-server:42 is live");
        self.at(
            88.0,
            Event::StageFinished {
                stage: Stage::Rollout,
                elapsed: Duration::from_millis(83700),
                outcome: "acme-mcp-server:42 is live".into(),
            },
        );
        self.end(88.5, 0, Some("succeeded"), None);
    }

    fn broken(&mut self) {
        self.task(18.0, 0, "RUNNING", None);
        self.task(18.0, 1, "RUNNING", None);
        self.target(
            20.0,
            "10.0.1.17:8080",
            "initial",
            Some("Elb.RegistrationInProgress"),
        );
        self.target(
            32.0,
            "10.0.1.17:8080",
            "unhealthy",
            Some("Target.ResponseCodeMismatch"),
        );
        self.task(
            40.0,
            0,
            "STOPPED",
            Some("Essential container in task exited (exit code 3)"),
        );
        self.task(
            41.0,
            1,
            "STOPPED",
            Some("Essential container in task exited (exit code 3)"),
        );
        self.deployment(41.0, 0, 0, 2, "IN_PROGRESS");
        self.at(
            41.0,
            service_deployment("IN_PROGRESS", Some("SCALE_UP"), None, 2),
        );
    }

    fn diagnosis(&mut self, seconds: f64) {
        self.at(
            seconds,
            Event::Stopped(StoppedGroup {
                count: 2,
                stop_code: "EssentialContainerExited".into(),
                reason: "Essential container in task exited".into(),
                exit_code: Some(3),
                container_reason: None,
                hint: Some("the server ended by itself: the log below has its last words".into()),
                log: vec![
                    "opening the catalogue".into(),
                    "the catalogue cannot be opened: 100 % full".into(),
                    HOSTILE.into(),
                ],
            }),
        );
    }

    fn failed(&mut self) {
        self.broken();
        self.diagnosis(41.5);
        self.verdict(41.5, "failed", 7, "acme-mcp-server:42 failed: 2 tasks failed and none was healthy: Essential container in task exited");
        self.end(41.6, 7, Some("failed"), None);
    }

    fn rolled_back(&mut self) {
        self.broken();
        self.at(
            41.5,
            Event::RollbackStarted {
                to: BEFORE.into(),
                reason: "2 tasks failed and none was healthy".into(),
            },
        );
        self.at(
            43.0,
            service_deployment(
                "ROLLBACK_IN_PROGRESS",
                None,
                Some("Service deployment rolled back because of StopServiceDeployment"),
                2,
            ),
        );
        self.at(
            55.0,
            service_deployment("ROLLBACK_SUCCESSFUL", None, None, 2),
        );
        self.diagnosis(55.0);
        self.verdict(55.0, "rolled_back", 8, "acme-mcp-server:42 rolled back to acme-mcp-server:41: 2 tasks failed and none was healthy");
        self.end(55.1, 8, Some("rolled_back"), None);
    }

    fn superseded(&mut self) {
        self.at(
            15.0,
            Event::OtherDeployment {
                id: "ecs-svc/9876543210987654321".into(),
                revision: REVISION.replace(":42", ":43"),
            },
        );
        self.verdict(15.0, "superseded", 9, "acme-mcp-server:42 superseded by deployment ecs-svc/9876543210987654321 of acme-mcp-server:43");
        self.end(15.1, 9, Some("superseded"), None);
    }

    fn unknown(&mut self) {
        self.at(100.0, Event::Warning { message: "ecs:DescribeServices on acme-mcp-server failed: ThrottlingException; looking again".into() });
        self.verdict(
            605.0,
            "unknown",
            10,
            "acme-mcp-server:42 not known: still waiting for 2 of 2 tasks to run",
        );
        self.end(605.1, 10, Some("unknown"), Some("time ran out"));
    }

    fn deployment(&mut self, seconds: f64, running: i32, pending: i32, failed: i32, rollout: &str) {
        self.at(
            seconds,
            Event::Deployment {
                running,
                pending,
                desired: 2,
                failed,
                rollout: rollout.into(),
            },
        );
    }

    fn task(&mut self, seconds: f64, task: usize, status: &str, reason: Option<&str>) {
        self.at(
            seconds,
            Event::Task {
                id: TASKS[task].into(),
                status: status.into(),
                reason: reason.map(Into::into),
            },
        );
    }

    fn target(&mut self, seconds: f64, address: &str, state: &str, reason: Option<&str>) {
        self.at(
            seconds,
            Event::Target {
                address: address.into(),
                state: state.into(),
                reason: reason.map(Into::into),
            },
        );
    }

    fn ecs(&mut self, seconds: f64, message: &str) {
        self.at(
            seconds,
            Event::ServiceEvent {
                message: message.into(),
            },
        );
    }

    fn verdict(&mut self, seconds: f64, verdict: &str, exit_code: u8, explanation: &str) {
        self.at(
            seconds,
            Event::Verdict {
                verdict: verdict.into(),
                exit_code,
                explanation: explanation.into(),
            },
        );
    }

    fn end(&mut self, seconds: f64, exit_code: u8, verdict: Option<&str>, message: Option<&str>) {
        self.at(seconds, Event::Result {
            exit_code,
            result: Some(json!({"version": 1, "environment": "staging", "verdict": {"verdict": verdict}, "exit_code": exit_code})),
            error: message.map(|message| report(exit_code, message)),
        });
    }
}

fn service_deployment(
    status: &str,
    stage: Option<&str>,
    reason: Option<&str>,
    failures: i32,
) -> Event {
    Event::ServiceDeployment {
        status: status.into(),
        lifecycle_stage: stage.map(Into::into),
        reason: reason.map(Into::into),
        failures: Some(failures),
        threshold: Some(3),
    }
}

fn report(exit_code: u8, message: &str) -> ErrorReport {
    ErrorReport {
        exit_code,
        message: message.into(),
        hint: Some("`quilt-mcp-deploy status` shows what runs; 100 % safe to run again".into()),
        excerpt: None,
    }
}

fn error(exit_code: u8, message: &str) -> Event {
    Event::Result {
        exit_code,
        result: None,
        error: Some(report(exit_code, message)),
    }
}

/// The story of the run of this name.
pub fn timeline(name: &str) -> Timeline {
    let mut timeline = Timeline::default();
    run(name).iter().for_each(|record| timeline.push(record));
    timeline
}

/// What a view wrote.
#[derive(Clone, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Shows the run of this name in `view`, as time goes by.
pub fn show(name: &str, view: &mut dyn View) {
    let mut last = 0;
    for record in run(name) {
        for second in last..record.elapsed.as_secs() {
            view.tick(Duration::from_secs(second));
        }
        last = record.elapsed.as_secs();
        view.record(&record).unwrap();
    }
}
