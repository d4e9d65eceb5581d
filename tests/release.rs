//! Whole releases on the local environment, by the real binary: good, changed and broken ones.

mod support;

use std::net::TcpStream;

use serde_json::Value;
use support::rehearsal::{Client, Rehearsal};

const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

#[test]
fn a_checkout_goes_live_and_a_second_deploy_has_nothing_to_do() {
    let rehearsal = Rehearsal::new();
    let first = rehearsal
        .run(&["deploy", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(first["verdict"]["verdict"], "succeeded");
    assert_eq!(first["nothing_to_do"], false);
    assert_eq!(first["smoke"]["handshake"], "complete");
    assert!(
        first["smoke"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tool| tool == "search_packages")
    );
    for stage in ["local", "build", "publish", "rollout", "smoke"] {
        assert!(first["seconds"][stage].is_number(), "{stage}");
    }

    let again = rehearsal
        .run(&["deploy", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(again["nothing_to_do"], true);
    assert_eq!(
        again["revision"],
        with(&first["revision"], "registered", Value::Bool(false))
    );
    assert_eq!(again["deployment"], first["deployment"]);

    let status = rehearsal.status();
    assert_eq!(status["release"]["digest"], first["digest"]);
    assert_eq!(status["release"]["commit"], first["commit"]);
    assert_eq!(status["targets"].as_array().unwrap().len(), 2);
    let text = rehearsal.run(&["status"]).expect(0).stdout;
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert!(text.contains(first["commit"].as_str().unwrap()), "{text}");
}

fn with(object: &Value, key: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[key] = value;
    object
}

#[test]
fn a_changed_server_rolls_over_without_a_failed_request() {
    let rehearsal = Rehearsal::new();
    let first = rehearsal
        .deploy(&rehearsal.server(FIRST), &[])
        .expect(0)
        .json();
    let client = Client::start(first["url"].as_str().unwrap());
    let second = rehearsal
        .deploy(&rehearsal.server(SECOND), &[])
        .expect(0)
        .json();
    let (answered, errors) = client.stop();
    assert_eq!(errors, Vec::<String>::new());
    assert!(
        answered > 20,
        "only {answered} calls were made during the rolling update"
    );
    assert_ne!(first["digest"], second["digest"]);
    assert!(
        second["smoke"]["version"]
            .as_str()
            .unwrap()
            .contains(SECOND)
    );
    assert_eq!(rehearsal.status()["release"]["commit"], SECOND);
}

#[test]
fn a_broken_release_is_rolled_back_explained_and_never_noticed_by_clients() {
    let rehearsal = Rehearsal::new();
    let good = rehearsal
        .deploy(&rehearsal.server(FIRST), &[])
        .expect(0)
        .json();
    let client = Client::start(good["url"].as_str().unwrap());

    let exits = rehearsal
        .deploy(&rehearsal.fixture("exits"), &[])
        .expect(8)
        .json();
    let group = &exits["diagnosis"]["stopped"][0];
    assert_eq!(group["stop_code"], "EssentialContainerExited");
    assert_eq!(group["exit_code"], 3);
    assert!(
        group["log"]
            .to_string()
            .contains("the catalogue cannot be opened"),
        "{group:#}"
    );
    assert_eq!(rehearsal.status()["release"]["digest"], good["digest"]);

    let unhealthy = rehearsal
        .deploy(&rehearsal.fixture("unhealthy"), &[])
        .expect(8)
        .json();
    let group = &unhealthy["diagnosis"]["stopped"][0];
    assert!(
        group["reason"].as_str().unwrap().contains("health check"),
        "{group:#}"
    );
    assert!(
        group["log"]
            .to_string()
            .contains("the index is still empty"),
        "{group:#}"
    );
    assert!(
        unhealthy["diagnosis"]["targets"]
            .to_string()
            .contains("Target.ResponseCodeMismatch"),
        "{unhealthy:#}"
    );
    assert_eq!(rehearsal.status()["release"]["digest"], good["digest"]);

    let second = rehearsal.server(SECOND);
    let image = format!("*@{}", second.digest);
    rehearsal
        .run(&["local", "fault", "refuse-pulls", "--image", &image])
        .expect(0);
    let pull = rehearsal.deploy(&second, &[]).expect(8).json();
    let group = &pull["diagnosis"]["stopped"][0];
    assert_eq!(group["stop_code"], "TaskFailedToStart");
    assert!(
        group["reason"]
            .as_str()
            .unwrap()
            .contains("CannotPullContainerError"),
        "{group:#}"
    );
    assert!(
        group["hint"]
            .as_str()
            .unwrap()
            .contains("ecr:BatchGetImage"),
        "{group:#}"
    );
    assert_eq!(rehearsal.status()["release"]["digest"], good["digest"]);

    let (answered, errors) = client.stop();
    assert_eq!(errors, Vec::<String>::new());
    assert!(answered > 20, "only {answered} calls were made");
}

#[test]
fn a_broken_release_is_left_alone_where_rollback_is_off() {
    let rehearsal = Rehearsal::new();
    let good = rehearsal
        .deploy(&rehearsal.server(FIRST), &[])
        .expect(0)
        .json();
    turn_rollback_off(&rehearsal);
    let client = Client::start(good["url"].as_str().unwrap());
    let failed = rehearsal
        .deploy(&rehearsal.fixture("exits"), &[])
        .expect(7)
        .json();
    assert_eq!(failed["verdict"]["verdict"], "failed");
    assert_eq!(failed["exit_code"], 7);
    let (_, errors) = client.stop();
    assert_eq!(errors, Vec::<String>::new());
}

fn turn_rollback_off(rehearsal: &Rehearsal) {
    use aws_sdk_ecs::types::{DeploymentCircuitBreaker, DeploymentConfiguration};
    let breaker = DeploymentCircuitBreaker::builder()
        .enable(true)
        .rollback(false)
        .build();
    rehearsal.update_service(|update| {
        update.deployment_configuration(
            DeploymentConfiguration::builder()
                .deployment_circuit_breaker(breaker)
                .build(),
        )
    });
}

#[test]
fn down_leaves_nothing_behind_and_up_recovers_from_a_crash() {
    let rehearsal = Rehearsal::new();
    rehearsal.deploy(&rehearsal.server(FIRST), &[]).expect(0);
    let tasks = task_processes(&rehearsal);
    assert_eq!(tasks.len(), 2);

    let environment = rehearsal.description()["pid"].as_u64().unwrap().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &environment])
        .status()
        .unwrap();
    assert!(killed.success());
    wait_until("the tasks of the crashed environment are gone", || {
        tasks.iter().all(|pid| !runs(pid))
    });
    rehearsal.run(&["status"]).expect(4);

    rehearsal.run(&["local", "up"]).expect(0);
    wait_until("the service is healthy again", || {
        rehearsal.status()["targets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|target| target["state"] == "healthy")
            .count()
            == 2
    });
    assert_eq!(rehearsal.status()["release"]["commit"], FIRST);

    let description = rehearsal.description();
    let tasks = task_processes(&rehearsal);
    rehearsal.run(&["local", "down"]).expect(0);
    assert_eq!(rehearsal.description()["running"], false);
    assert!(tasks.iter().all(|pid| !runs(pid)));
    for address in [
        "endpoint_url",
        "load_balancer_url",
        "quilt_registry_url",
        "registry",
    ] {
        let address = description[address]
            .as_str()
            .unwrap()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        assert!(
            TcpStream::connect(address).is_err(),
            "{address} still listens"
        );
    }
}

/// The processes of the tasks: those whose parent is the environment.
fn task_processes(rehearsal: &Rehearsal) -> Vec<String> {
    let parent = rehearsal.description()["pid"].to_string();
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    processes
        .filter(|pid| stat(pid).is_some_and(|stat| stat.1 == parent))
        .collect()
}

fn runs(pid: &str) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// State and parent of a process (proc(5), /proc/pid/stat).
fn stat(pid: &str) -> Option<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("never: {what}");
}

#[test]
fn two_deploys_at_once_are_one_deploy() {
    let rehearsal = Rehearsal::new();
    rehearsal.run(&["local", "up"]).expect(0);
    let image = rehearsal.server(FIRST);
    let layout = image.layout.to_str().unwrap();
    let arguments = ["deploy", "--image-layout", layout, "--tag", "one"];
    let mut first = rehearsal.command(&arguments);
    let first = first
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lock = rehearsal.state().join("local.lock");
    wait_until("the first deploy holds the lock", || {
        std::fs::read_to_string(&lock).is_ok_and(|holder| holder == first.id().to_string())
    });
    let second = rehearsal.run(&arguments).expect(11);
    assert!(
        second.stderr.contains(&first.id().to_string()),
        "{}",
        second.stderr
    );
    let first = first.wait_with_output().unwrap();
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
}
