//! Deployments that are attached to, stopped, undone, interrupted and repeated, by the real
//! binary on the local environment.

mod support;

use std::process::{Child, Stdio};
use std::time::Duration;

use quilt_mcp_deploy::image::Image;
use serde_json::Value;
use support::rehearsal::{Ended, Rehearsal};

/// A service that runs one release, and another image that is published.
struct Scene {
    rehearsal: Rehearsal,
    first: Value,
    second: Image,
}

impl Scene {
    fn set() -> Self {
        let rehearsal = Rehearsal::new();
        let first = rehearsal
            .deploy(&rehearsal.server(&"1".repeat(40)), &[])
            .expect(0)
            .json();
        let second = rehearsal.server(&"2".repeat(40));
        rehearsal.publish(&second).expect(0);
        Self {
            rehearsal,
            first,
            second,
        }
    }

    /// Tasks of the next revision stay PENDING.
    fn hold_the_next_release(&self) {
        let arn = self.first["revision"]["arn"].as_str().unwrap();
        let number: u32 = arn.rsplit(':').next().unwrap().parse().unwrap();
        let next = format!("*:{}", number + 1);
        let hold = ["slow-start", "--revision", &next, "--seconds", "86400"];
        self.run(&[&["local", "fault"], &hold[..]].concat())
            .expect(0);
    }

    fn release(&self) -> [String; 5] {
        let digest = self.second.digest.to_string();
        ["rollout", "--digest", &digest, "--output", "json"].map(str::to_owned)
    }

    fn roll_out(&self, more: &[&str]) -> Ended {
        let release = self.release();
        let arguments: Vec<&str> = release
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        self.run(&arguments)
    }

    fn start_rolling_out(&self, more: &[&str]) -> Child {
        let release = self.release();
        self.rehearsal
            .command(&[])
            .args(release)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.rehearsal.run(arguments)
    }

    fn runs_first(&self) -> bool {
        self.rehearsal.status()["release"]["digest"] == self.first["digest"]
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Value) -> bool) {
        for _ in 0..600 {
            if holds(&self.rehearsal.status()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("never: {what}");
    }

    fn wait_until_in_flight(&self) {
        self.wait_until("a second deployment", |status| {
            status["deployments"].as_array().unwrap().len() == 2
        });
    }

    /// Waits until a rollout that was started after the calls were counted anew watches its deployment.
    fn wait_until_it_watches(&self) {
        for _ in 0..600 {
            if self.calls("ecs:DescribeTasks") > 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the rollout never watches");
    }

    /// How often an operation was asked for since the last reset.
    fn calls(&self, operation: &str) -> u64 {
        let counted = self
            .run(&["local", "calls", "--output", "json"])
            .expect(0)
            .json();
        counted["operations"][operation]["calls"]
            .as_u64()
            .unwrap_or(0)
    }
}

fn signal(child: &Child, name: &str) {
    let sent = std::process::Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

fn end(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

#[test]
fn watch_attaches_to_a_deployment_that_nobody_waited_for() {
    let scene = Scene::set();
    let started = scene.roll_out(&["--no-wait"]).expect(0).json();
    assert_eq!(started["verdict"], Value::Null);
    let watched = scene.run(&["watch", "--output", "json"]).expect(0).json();
    assert_eq!(watched["deployment"], started["deployment"]);
    assert_eq!(watched["revision"], started["revision"]["arn"]);
    assert_eq!(watched["verdict"]["verdict"], "succeeded");
    scene.run(&["watch", "--deployment", "ecs-svc/0"]).expect(4);
}

#[test]
fn another_deployment_in_flight_is_refused_undone_or_superseded() {
    let scene = Scene::set();
    scene.hold_the_next_release();
    let held = scene.roll_out(&["--no-wait"]).expect(0).json();
    let third = scene.rehearsal.server(&"3".repeat(40));
    scene.rehearsal.publish(&third).expect(0);
    let digest = third.digest.to_string();
    let refused = scene.run(&["rollout", "--digest", &digest]).expect(11);
    let deployment = held["deployment"].as_str().unwrap();
    assert!(refused.stderr.contains(deployment), "{}", refused.stderr);

    let back = scene
        .run(&["rollback", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(back["done"], true);
    assert_eq!(back["from"], held["revision"]["arn"]);
    assert_eq!(back["to"], scene.first["revision"]["arn"]);
    assert!(scene.runs_first());

    let again = scene.start_rolling_out(&[]);
    scene.wait_until_in_flight();
    scene.run(&["rollout", "--digest", &digest]).expect(11);
    let other = scene
        .rehearsal
        .other_machine()
        .args(["rollout", "--digest", &digest, "--supersede"])
        .output()
        .unwrap();
    Ended::from(other).expect(0);
    let superseded = end(again).expect(9).json();
    assert_eq!(superseded["verdict"]["verdict"], "superseded");
    assert_eq!(scene.rehearsal.status()["release"]["digest"], digest);
}

#[test]
fn a_rollback_goes_to_the_last_revision_that_succeeded_not_to_the_number_before() {
    let scene = Scene::set();
    let broken = scene.rehearsal.fixture("exits");
    scene.rehearsal.deploy(&broken, &[]).expect(8);
    let second = scene.roll_out(&[]).expect(0).json();
    let back = scene
        .run(&["rollback", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(back["from"], second["revision"]["arn"]);
    assert_eq!(back["to"], scene.first["revision"]["arn"]);
    assert_eq!(back["verdict"]["verdict"], "succeeded");
    assert!(scene.runs_first());
    let history = scene.run(&["history", "--output", "json"]).expect(0).json();
    let newest = &history["releases"][0];
    assert_eq!(newest["revision"], back["to"]);
    assert_eq!(newest["returned_from"], back["from"], "{history:#}");
    let shown = scene.run(&["history", "--limit", "1"]).expect(0).stdout;
    assert!(shown.contains(", back from "), "{shown}");

    let to = second["revision"]["arn"].as_str().unwrap();
    scene.run(&["rollback", "--to", to]).expect(0);
    assert_eq!(
        scene.rehearsal.status()["release"]["revision"],
        second["revision"]["arn"]
    );
}

#[test]
fn a_rollback_goes_to_no_revision_that_is_none_and_does_not_start_again_what_runs() {
    let scene = Scene::set();
    let second = scene.roll_out(&[]).expect(0).json();
    for (to, told) in [
        (
            "quilt-local-mcp-server:999",
            "no revision quilt-local-mcp-server:999",
        ),
        ("999", "no revision quilt-local-mcp-server:999"),
        ("quilt-local-mcp-server:1", "is a template"),
        ("no such revision", "no revision no such revision"),
    ] {
        let refused = scene.run(&["rollback", "--to", to]).expect(4);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        assert!(refused.stderr.contains("history"), "{}", refused.stderr);
        assert!(
            !refused.stderr.contains("returning to"),
            "{}",
            refused.stderr
        );
    }
    // By its number alone, and the one that runs: no task is replaced.
    let to = second["revision"]["arn"].as_str().unwrap();
    let number = to.rsplit(':').next().unwrap();
    let again = scene.run(&["rollback", "--to", number]).expect(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    let status = scene.rehearsal.status();
    assert_eq!(status["release"]["revision"], second["revision"]["arn"]);
    assert_eq!(
        status["deployments"][0]["id"], second["deployment"],
        "{status}"
    );

    let back = scene.run(&["rollback"]).expect(0);
    assert!(back.stderr.contains("forth to"), "{}", back.stderr);
    assert!(scene.runs_first());
}

#[test]
fn after_the_first_release_there_is_nothing_to_return_to() {
    let scene = Scene::set();
    let refused = scene.run(&["rollback"]).expect(4);
    let told = "no earlier revision";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(scene.runs_first());
}

#[test]
fn ecs_s_own_return_is_never_taken_for_a_release() {
    let scene = Scene::set();
    let first = scene.first["revision"]["arn"].as_str().unwrap();
    let hold = ["--revision", first, "--seconds", "86400"];
    scene
        .run(&[&["local", "fault", "slow-start"], &hold[..]].concat())
        .expect(0);
    scene.run(&["local", "calls", "--reset"]).expect(0);
    let broken = scene.rehearsal.fixture("exits");
    let started = scene.rehearsal.deploy(&broken, &["--no-wait"]).expect(0);
    let broken = &started.json()["revision"]["arn"];
    scene.wait_until("a return", |status| {
        let deployments = status["deployments"].as_array().unwrap();
        let primary = deployments.iter().find(|one| one["status"] == "PRIMARY");
        primary.unwrap()["task_definition"] == first && deployments.len() > 1
    });
    let start = |command: &str| {
        let mut command = scene.rehearsal.command(&[command, "--output", "json"]);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let (watch, rollback) = (start("watch"), start("rollback"));
    scene.run(&["local", "fault", "clear"]).expect(0);
    for (watched, returned) in [
        (end(watch), end(rollback)),
        (end(start("watch")), end(start("rollback"))),
    ] {
        let watched = watched.expect(8).json();
        assert_eq!(&watched["revision"], broken);
        assert_eq!(watched["verdict"]["verdict"], "rolled_back");
        assert_eq!(watched["verdict"]["to"], first);
        let returned = returned.expect(0).json();
        assert_eq!(&returned["from"], broken);
        assert_eq!(returned["to"], first);
        assert_eq!(returned["done"], true);
    }
    assert_eq!(scene.calls("ecs:UpdateService"), 1);
    assert_eq!(scene.calls("ecs:StopServiceDeployment"), 0);
    scene.roll_out(&[]).expect(0);
    scene.run(&["watch"]).expect(0);
}

#[test]
fn a_deployment_that_was_stopped_is_called_so() {
    let scene = Scene::set();
    scene.run(&["stop"]).expect(4);
    scene.hold_the_next_release();
    let release = scene.start_rolling_out(&[]);
    scene.wait_until_in_flight();
    let stopped = scene.run(&["stop", "--output", "json"]).expect(0).json();
    let ended = end(release).expect(7).json();
    assert_eq!(stopped["deployment"], ended["deployment"]);
    assert_eq!(ended["verdict"]["evidence"]["kind"], "stopped");
}

#[test]
fn a_signal_leaves_the_deployment_or_undoes_it() {
    let scene = Scene::set();
    scene.hold_the_next_release();
    for (sent, code) in [("-INT", 130), ("-TERM", 143)] {
        scene.run(&["local", "calls", "--reset"]).expect(0);
        let release = scene.start_rolling_out(&[]);
        scene.wait_until_it_watches();
        signal(&release, sent);
        let ended = end(release).expect(code);
        assert_eq!(ended.json()["interrupted"], true);
        assert_eq!(ended.json()["verdict"], Value::Null);
        let text = format!("{}{}", ended.stdout, ended.stderr);
        assert!(text.contains("deployment"), "{text}");
        // It goes on: the same command attaches to it.
    }
    scene.run(&["local", "calls", "--reset"]).expect(0);
    let release = scene.start_rolling_out(&["--on-interrupt", "rollback"]);
    scene.wait_until_it_watches();
    signal(&release, "-INT");
    let ended = end(release).expect(130).json();
    assert_eq!(ended["verdict"]["verdict"], "rolled_back");
    assert!(scene.runs_first());
}

#[test]
fn a_killed_release_run_again_is_one_release() {
    let scene = Scene::set();
    scene.run(&["local", "calls", "--reset"]).expect(0);
    let revisions = |scene: &Scene| {
        let history = scene.run(&["history", "--output", "json"]).expect(0).json();
        let digest = scene.second.digest.to_string();
        let releases = history["releases"].as_array().unwrap().clone();
        let own = releases.iter().filter(|past| past["digest"] == digest);
        own.count()
    };
    for milliseconds in [20, 60, 120, 250, 500, 1000, 2000] {
        let release = scene.start_rolling_out(&[]);
        std::thread::sleep(Duration::from_millis(milliseconds));
        signal(&release, "-KILL");
        end(release);
    }
    let last = scene.roll_out(&[]).expect(0).json();
    assert_eq!(last["verdict"]["verdict"], "succeeded");
    assert_eq!(scene.calls("ecs:RegisterTaskDefinition"), 1);
    assert_eq!(scene.calls("ecs:UpdateService"), 1);
    assert_eq!(revisions(&scene), 1);
}

#[test]
fn force_starts_a_deployment_of_what_runs() {
    let scene = Scene::set();
    let digest = scene.first["digest"].as_str().unwrap();
    let rollout = ["rollout", "--digest", digest, "--output", "json"];
    let nothing = scene.run(&rollout).expect(0).json();
    assert_eq!(nothing["nothing_to_do"], true);
    let forced = scene
        .run(&[&rollout[..], &["--force"]].concat())
        .expect(0)
        .json();
    assert_eq!(forced["started"], true);
    assert_eq!(forced["revision"]["arn"], nothing["revision"]["arn"]);
    assert_ne!(forced["deployment"], nothing["deployment"]);
    assert_eq!(forced["verdict"]["verdict"], "succeeded");
}

#[test]
fn without_service_deployments_a_rollback_is_still_a_rollback() {
    let scene = Scene::set();
    let deny = ["local", "fault", "deny", "ecs:*ServiceDeployments"];
    scene.run(&deny).expect(0);
    let broken = scene.rehearsal.fixture("exits");
    let ended = scene.rehearsal.deploy(&broken, &[]).expect(8);
    let told = "cannot see ECS's service deployments";
    assert_eq!(ended.stderr.matches(told).count(), 1, "{}", ended.stderr);
    assert!(scene.runs_first());
}

#[test]
fn a_look_at_ten_tasks_is_six_calls() {
    let scene = Scene::set();
    scene
        .rehearsal
        .update_service(|update| update.desired_count(10));
    scene.wait_until("ten tasks", |status| {
        let targets = status["targets"].as_array().unwrap();
        targets
            .iter()
            .filter(|target| target["state"] == "healthy")
            .count()
            == 10
    });
    scene.run(&["local", "calls", "--reset"]).expect(0);
    scene.roll_out(&["--bake", "2"]).expect(0);
    let counted = scene
        .run(&["local", "calls", "--output", "json"])
        .expect(0)
        .json();
    let looks = scene.calls("ecs:DescribeTasks");
    let total = counted["total"].as_u64().unwrap();
    println!("{total} calls, {looks} looks");
    assert!(looks > 5, "{counted:#}");
    assert_eq!(scene.calls("ecs:ListTasks"), 2 * looks);
    assert_eq!(
        scene.calls("elasticloadbalancing:DescribeTargetHealth"),
        looks
    );
    // What is asked once, and the looks.
    assert!(total <= 6 * looks + 30, "{counted:#}");
}
