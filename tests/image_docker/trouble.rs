//! Engines that misbehave, and none at all.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use quilt_mcp_deploy::image::docker::{Engine, Patience};
use quilt_mcp_deploy::image::{DockerBuildError, build_docker};

use crate::support::fake_engine::{self, Behaviour};
use crate::{from, workspace};

#[tokio::test]
async fn engines_that_misbehave_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = workspace(folder.path(), &[]);
    let short = Duration::from_millis(500);
    let long = Patience {
        hello: Duration::from_secs(60),
        silence: Duration::from_secs(60),
        ..Patience::default()
    };
    for (behaviour, signs) in [
        (Behaviour::Old, &["1.39", "1.41"][..]),
        (
            Behaviour::Refuses,
            &[
                "no Docker engine answers",
                "permission denied",
                "--builder native",
            ],
        ),
        (
            Behaviour::Mute,
            &["no Docker engine answers", "no answer within"],
        ),
        (Behaviour::Stalls, &["said nothing", "Step 1/9 : FROM x"]),
        (Behaviour::Dies, &["failed at Step 1/9 : FROM x"]),
        (Behaviour::Nothing, &["without naming an image", "Step 1/9"]),
        (Behaviour::Arm, &["linux/arm64", "linux/amd64"]),
    ] {
        let mut patience = long;
        match behaviour {
            Behaviour::Mute => patience.hello = short,
            Behaviour::Stalls => patience.silence = short,
            _ => {}
        }
        let host = fake_engine::start(behaviour).await;
        let built = async {
            let engine = Engine::find(Some(&host), patience).await?;
            build_docker(&checkout, &engine, &from("x", &checkout), &|_| ()).await
        };
        let text = built.await.unwrap_err().to_string();
        for sign in signs {
            assert!(text.contains(sign), "{sign}: {text}");
        }
    }
    for (host, sign) in [
        ("unix:///nowhere/docker.sock", "/nowhere/docker.sock"),
        ("tcp://127.0.0.1:1", "refused"),
        ("ssh://elsewhere", "ssh://elsewhere"),
    ] {
        let error = Engine::find(Some(host), long).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DockerBuildError::NoEngine { .. }), "{text}");
        assert!(
            text.contains(sign) && text.contains("DOCKER_HOST"),
            "{text}"
        );
    }
}

#[test]
fn the_command_says_which_builder_and_why_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    workspace(folder.path(), &[]);
    let build = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"))
            .arg("build")
            .args(arguments)
            .current_dir(folder.path())
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("QUILT_MCP_STATE_DIR", folder.path().join("state"))
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .unwrap()
    };
    let refused = build(&["--builder", "docker"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(5), "{text}");
    for sign in ["/nowhere/docker.sock", "--builder native"] {
        assert!(text.contains(sign), "{sign}: {text}");
    }
    let malformed = build(&["--build-arg", "RUST_IMAGE"]);
    assert_eq!(malformed.status.code(), Some(2));

    let built = build(&["--output", "json"]);
    assert!(built.status.success(), "{built:?}");
    let built: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    assert_eq!(built["builder"], "native");
    let layout = Path::new(built["image"]["layout"].as_str().unwrap());
    assert!(layout.join("sbom.cdx.json").is_file());
}
