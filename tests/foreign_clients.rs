//! The local environment as clients see it that we did not write: the AWS CLI, skopeo and a
//! Docker engine.

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::docker::docker;
use support::rehearsal::{Ended, Rehearsal};
use support::{tool, tool_named_by};

const COMMIT: &str = "3333333333333333333333333333333333333333";

/// The AWS CLI against the environment.
fn aws(rehearsal: &Rehearsal, program: &Path, arguments: &[&str]) -> Ended {
    Command::new(program)
        .args(arguments)
        .env(
            "AWS_ENDPOINT_URL",
            rehearsal.description()["endpoint_url"].as_str().unwrap(),
        )
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_PAGER", "")
        .output()
        .unwrap()
        .into()
}

#[test]
fn the_aws_cli_describes_the_service_its_tasks_targets_and_logs() {
    let Some(program) = tool_named_by("QUILT_MCP_AWS_CLI", "aws") else {
        return;
    };
    let rehearsal = Rehearsal::new();
    rehearsal.deploy(&rehearsal.server(COMMIT), &[]).expect(0);
    let ask = |arguments: &[&str]| aws(&rehearsal, &program, arguments).expect(0).json();

    let services = ask(&[
        "ecs",
        "describe-services",
        "--cluster",
        "quilt-local",
        "--services",
        "quilt-local-mcp-server",
    ]);
    let service = &services["services"][0];
    assert_eq!(service["runningCount"], 2);
    assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");

    let tasks = ask(&["ecs", "list-tasks", "--cluster", "quilt-local"]);
    let tasks: Vec<&str> = tasks["taskArns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arn| arn.as_str().unwrap())
        .collect();
    assert_eq!(tasks.len(), 2);
    assert!(
        tasks[0].starts_with("arn:aws:ecs:us-east-1:111122223333:task/quilt-local/"),
        "{}",
        tasks[0]
    );

    let group = service["loadBalancers"][0]["targetGroupArn"]
        .as_str()
        .unwrap();
    let health = ask(&[
        "elbv2",
        "describe-target-health",
        "--target-group-arn",
        group,
    ]);
    let healthy = |target: &&Value| target["TargetHealth"]["State"] == "healthy";
    assert_eq!(
        health["TargetHealthDescriptions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(healthy)
            .count(),
        2
    );

    let stream = format!(
        "mcp-server/mcp-server/{}",
        tasks[0].rsplit('/').next().unwrap()
    );
    let events = ask(&[
        "logs",
        "get-log-events",
        "--log-group-name",
        "/quilt/quilt-local/mcp-server",
        "--log-stream-name",
        &stream,
    ]);
    assert!(
        events["events"].to_string().contains("listening"),
        "{events:#}"
    );

    // The waiter that other tools decide by.
    aws(
        &rehearsal,
        &program,
        &[
            "ecs",
            "wait",
            "services-stable",
            "--cluster",
            "quilt-local",
            "--services",
            "quilt-local-mcp-server",
        ],
    )
    .expect(0);
}

#[test]
fn skopeo_pushes_and_pulls() {
    let Some(skopeo) = tool("skopeo") else { return };
    let rehearsal = Rehearsal::new();
    rehearsal.run(&["local", "up"]).expect(0);
    let image = rehearsal.server(COMMIT);
    let registry = rehearsal.description()["registry"]
        .as_str()
        .unwrap()
        .to_owned();
    let folder = tempfile::tempdir().unwrap();
    let auth = folder.path().join("auth.json");
    log_in(
        Command::new(&skopeo)
            .arg("login")
            .arg("--tls-verify=false")
            .arg("--authfile")
            .arg(&auth),
        &rehearsal,
        &registry,
    );

    let remote = format!("docker://{registry}/quilt-local-mcp-server:by-skopeo");
    let copy = |from: &str, to: &str| {
        let copied: Ended = Command::new(&skopeo)
            .args([
                "copy",
                "--preserve-digests",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                "--authfile",
            ])
            .arg(&auth)
            .args([from, to])
            .output()
            .unwrap()
            .into();
        copied.expect(0);
    };
    copy(&format!("oci:{}", image.layout.display()), &remote);
    let back = folder.path().join("back");
    copy(&remote, &format!("oci:{}", back.display()));
    let back = quilt_mcp_deploy::image::layout::read(&back).unwrap();
    assert_eq!(back.digest, image.digest);

    let rolled_out = rehearsal
        .run(&["rollout", "--tag", "by-skopeo", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(rolled_out["verdict"]["verdict"], "succeeded");
}

/// `login` of skopeo or Docker, the password on its standard input.
fn log_in(login: &mut Command, rehearsal: &Rehearsal, registry: &str) {
    let mut login = login
        .args(["--username", "AWS", "--password-stdin", registry])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    login
        .stdin
        .take()
        .unwrap()
        .write_all(rehearsal.registry_password().as_bytes())
        .unwrap();
    assert!(login.wait().unwrap().success());
}

#[test]
fn docker_pushes_and_its_image_goes_live_in_containers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut login) = docker(folder.path()) else {
        return;
    };
    let Some(skopeo) = tool("skopeo") else { return };
    let rehearsal = Rehearsal::new();
    rehearsal
        .run(&["local", "up", "--runtime", "docker"])
        .expect(0);
    let registry = rehearsal.description()["registry"]
        .as_str()
        .unwrap()
        .to_owned();
    log_in(login.arg("login"), &rehearsal, &registry);

    let image = rehearsal.server(COMMIT);
    let archive = folder.path().join("image.tar");
    let reference = format!("{registry}/quilt-local-mcp-server:by-docker");
    let converted = Command::new(skopeo)
        .args([
            "copy",
            "--quiet",
            &format!("oci:{}", image.layout.display()),
        ])
        .arg(format!("docker-archive:{}:{reference}", archive.display()))
        .status()
        .unwrap();
    assert!(converted.success());
    for arguments in [
        vec!["load", "--input", archive.to_str().unwrap()],
        vec!["push", &reference],
    ] {
        let ended: Ended = docker(folder.path())
            .unwrap()
            .args(&arguments)
            .output()
            .unwrap()
            .into();
        ended.expect(0);
    }

    let live = rehearsal
        .run(&["rollout", "--tag", "by-docker", "--output", "json"])
        .expect(0)
        .json();
    assert_eq!(live["verdict"]["verdict"], "succeeded");
    rehearsal.run(&["smoke"]).expect(0);
    let containers = || {
        let listed: Ended = docker(folder.path())
            .unwrap()
            .args(["ps", "--quiet"])
            .output()
            .unwrap()
            .into();
        listed.expect(0).stdout.lines().count()
    };
    assert_eq!(containers(), 2);
    rehearsal.run(&["local", "down"]).expect(0);
    assert_eq!(containers(), 0);
}
