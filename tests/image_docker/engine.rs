//! A real engine, from nothing.

use std::process::Command;
use std::sync::Mutex;

use quilt_mcp_deploy::image::docker::{Engine, Patience};
use quilt_mcp_deploy::image::{
    BuildProgress, Checkout, DockerBuildError, Image, build_docker, check,
};

use crate::support::docker::{docker, import_base};
use crate::support::tool;
use crate::support::workspace::static_program;
use crate::{DOCKERFILE, PROGRAM, from, workspace};

async fn build(checkout: &Checkout, base: &str) -> Result<Image, DockerBuildError> {
    let engine = Engine::find(None, Patience::default()).await.unwrap();
    build_docker(checkout, &engine, &from(base, checkout), &|_| ()).await
}

#[tokio::test]
async fn a_real_engine_builds_the_image_and_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    if docker(folder.path()).is_none() {
        return;
    }
    let program = static_program(folder.path(), PROGRAM);
    for salt in ["one", "two"] {
        let base = format!("quilt-mcp-test-base:{salt}");
        import_base(folder.path(), &base, &program, salt);
    }
    let checkout = workspace(&folder.path().join("a"), &[]);
    let engine = Engine::find(None, Patience::default()).await.unwrap();
    let steps = Mutex::new(Vec::new());
    let options = from("quilt-mcp-test-base:one", &checkout);
    let image = build_docker(&checkout, &engine, &options, &|step| {
        steps.lock().unwrap().push(step);
    })
    .await
    .unwrap();

    check::check(&image).unwrap();
    assert_eq!(image.commit.as_deref(), Some(checkout.commit.as_str()));
    assert_eq!(image.version.as_deref(), Some("1.4.0"));
    assert_eq!(image.created, Some(checkout.committed_at));
    let run = image.config.config().as_ref().unwrap();
    assert_eq!(run.user().as_deref(), Some("65532:65532"));
    let steps = steps.into_inner().unwrap();
    let counted =
        |step: &&BuildProgress| matches!(step, BuildProgress::Step { total, .. } if *total > 10);
    assert!(steps.iter().filter(counted).count() > 10, "{steps:?}");
    assert!(
        steps.iter().any(
            |step| matches!(step, BuildProgress::Message { line } if line.contains("Compiling"))
        ),
        "{steps:?}"
    );

    // Another folder, and a base image that no step is cached for: the same files, the same digest.
    let elsewhere = workspace(&folder.path().join("b/c"), &[]);
    let again = build(&elsewhere, "quilt-mcp-test-base:two").await.unwrap();
    assert_eq!(again.digest, image.digest);

    // The engine runs what was made of its export.
    let Some(skopeo) = tool("skopeo") else { return };
    let archive = folder.path().join("image.tar");
    let name = "quilt-mcp-test:built";
    let converted = Command::new(skopeo)
        .args([
            "copy",
            "--quiet",
            &format!("oci:{}", image.layout.display()),
        ])
        .arg(format!("docker-archive:{}:{name}", archive.display()))
        .status()
        .unwrap();
    assert!(converted.success());
    let say = |arguments: &[&str]| {
        let output = docker(folder.path())
            .unwrap()
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    say(&["load", "--input", archive.to_str().unwrap()]);
    let said = say(&["run", "--rm", "--network", "host", "--read-only", name]);
    assert_eq!(said, "quilt-mcp-server 1.4.0\n");
}

#[tokio::test]
async fn a_step_that_fails_is_named_with_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    if docker(folder.path()).is_none() {
        return;
    }
    let program = static_program(folder.path(), PROGRAM);
    import_base(
        folder.path(),
        "quilt-mcp-test-base:broken",
        &program,
        "broken",
    );
    let broken = workspace(&folder.path().join("a"), &[("server/src/broken.rs", "")]);
    let error = build(&broken, "quilt-mcp-test-base:broken")
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DockerBuildError::Step { .. }), "{text}");
    for sign in [
        "Step ",
        "RUN touch server/src/main.rs",
        "101",
        "error[E0308]: mismatched types",
    ] {
        assert!(text.contains(sign), "{sign}: {text}");
    }

    let text = build(&broken, "127.0.0.1:1/none")
        .await
        .unwrap_err()
        .to_string();
    for sign in ["FROM ${RUST_IMAGE}", "127.0.0.1:1"] {
        assert!(text.contains(sign), "{sign}: {text}");
    }

    // A program that wants a loader would not start in the image.
    let dynamic = std::env::current_exe().unwrap();
    import_base(
        folder.path(),
        "quilt-mcp-test-base:dynamic",
        &dynamic,
        "dynamic",
    );
    let checkout = workspace(&folder.path().join("b"), &[]);
    let error = build(&checkout, "quilt-mcp-test-base:dynamic")
        .await
        .unwrap_err();
    assert!(
        matches!(error, DockerBuildError::NotStatic { .. }),
        "{error}"
    );
}

#[test]
fn the_base_image_has_the_compiler_of_the_toolchain_file() {
    let toolchain = include_str!("../../rust-toolchain.toml");
    let toolchain: toml::Table = toolchain.parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let line = DOCKERFILE
        .lines()
        .find(|line| line.starts_with("ARG RUST_IMAGE="));
    assert!(
        line.unwrap().contains(&format!("rust:{channel}-")),
        "{line:?}"
    );
}
