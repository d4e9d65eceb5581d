//! The Docker builder with a real engine, from nothing, and with engines that misbehave.

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use quilt_mcp_deploy::image::docker::{Context, Engine, Patience};
use quilt_mcp_deploy::image::{
    BuildProgress, Checkout, DockerBuildError, DockerOptions, Image, build_docker, check,
};
use support::docker::{docker, import_base};
use support::fake_engine::{self, Behaviour};
use support::tool;
use support::workspace::{small_workspace, static_program};

const DOCKERFILE: &str = include_str!("../server/Dockerfile");
const PROGRAM: &str = "fn main() { println!(\"quilt-mcp-server 1.4.0\"); }\n";
const OTHERS: &[(&str, &str)] = &[
    ("server/Dockerfile", DOCKERFILE),
    ("src/lib.rs", ""),
    ("local/Cargo.toml", ""),
    ("xtask/Cargo.toml", ""),
];

fn workspace(root: &Path, more: &[(&str, &str)]) -> Checkout {
    small_workspace(root, PROGRAM, &[OTHERS, more].concat())
}

fn from(base: &str, checkout: &Checkout) -> DockerOptions {
    DockerOptions {
        build_args: vec![("RUST_IMAGE".to_owned(), base.to_owned())],
        network: Some("host".to_owned()),
        target_directory: Some(checkout.root.join("target")),
    }
}

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

#[tokio::test]
async fn engines_that_misbehave_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = workspace(folder.path(), &[]);
    let patience = Patience {
        hello: Duration::from_millis(500),
        silence: Duration::from_millis(500),
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
        let error = Engine::find(Some(host), patience).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DockerBuildError::NoEngine { .. }), "{text}");
        assert!(
            text.contains(sign) && text.contains("DOCKER_HOST"),
            "{text}"
        );
    }
}

/// Files of a checkout, with reasons to leave some out.
const FILES: &[(&str, &str)] = &[
    ("a.md", ""),
    ("docs/a.md", ""),
    ("docs/deep/b.txt", ""),
    ("docs/deep/keep/c.txt", ""),
    ("data/x1", ""),
    ("data/x2", ""),
    ("data/[y]", ""),
    ("{a,b}", ""),
    ("tmp/one/two", ""),
];

#[tokio::test]
async fn dockerignore_means_what_docker_takes_it_for() {
    let folder = tempfile::tempdir().unwrap();
    if docker(folder.path()).is_none() {
        return;
    }
    for (number, ignore) in [
        "*.md\n",
        "**/*.md\n!docs/a.md\n",
        "docs/*\n!docs/deep/keep\n",
        "*\n!docs/deep\ndocs/deep/keep/*\n",
        "data/x?\ntmp/**/two\n",
        "data/[!x]*\n# no\n/tmp/\n",
        "{a,b}\n**/b.txt\n",
        "**\n!data/\n",
    ]
    .into_iter()
    .enumerate()
    {
        let root = folder.path().join(format!("case-{number}"));
        let dockerfile = [
            ("Dockerfile", "FROM scratch\nCOPY . /\n"),
            (".dockerignore", ignore),
        ];
        let checkout = workspace(&root, &[FILES, &dockerfile].concat());
        let context = Context::of(&checkout).unwrap();
        let mut ours: Vec<String> = context
            .files()
            .iter()
            .map(|path| path.to_str().unwrap().to_owned())
            .collect();
        // Docker's client always sends these two: the engine needs them.
        ours.retain(|path| path != "Dockerfile" && path != ".dockerignore");
        assert_eq!(ours, in_docker(folder.path(), &root), "{ignore:?}");
    }
}

/// The files that Docker's own client sends, less git's.
fn in_docker(folder: &Path, root: &Path) -> Vec<String> {
    let say = |arguments: &[&str]| {
        let output = docker(folder).unwrap().args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    let image = say(&["build", "--quiet", root.to_str().unwrap()]);
    let image = String::from_utf8(image).unwrap().trim().to_owned();
    let container = say(&["create", &image, "none"]);
    let container = String::from_utf8(container).unwrap().trim().to_owned();
    let exported = say(&["export", &container]);
    say(&["rm", &container]);
    say(&["image", "rm", &image]);
    let mut archive = tar::Archive::new(&exported[..]);
    let mut files: Vec<String> = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.header().entry_type().is_file())
        .map(|entry| entry.path().unwrap().to_str().unwrap().to_owned())
        .filter(|path| !path.starts_with(".git/") && !path.starts_with("dev/"))
        .filter(|path| {
            ![
                "Dockerfile",
                ".dockerignore",
                ".dockerenv",
                "etc/hosts",
                "etc/hostname",
                "etc/resolv.conf",
            ]
            .contains(&path.as_str())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn no_secret_and_no_build_product_enters_the_context() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = [
        ("server/.env", "TOKEN=x"),
        ("server/tls/key.pem", "x"),
        ("terraform/terraform.tfstate", "x"),
        (".cargo/credentials.toml", "x"),
    ];
    let checkout = workspace(folder.path(), &secrets);
    std::fs::create_dir_all(folder.path().join("target/debug")).unwrap();
    std::fs::write(folder.path().join("target/debug/x"), "").unwrap();
    std::fs::write(folder.path().join("server/src/new.rs"), "").unwrap();
    let context = Context::of(&checkout).unwrap();
    let has = |path: &str| context.files().iter().any(|file| file == Path::new(path));
    for (secret, _) in secrets {
        assert!(!has(secret), "{secret}");
    }
    assert!(!has("target/debug/x") && !has(".git/config"));
    assert!(has("server/src/main.rs") && has("Cargo.lock"));
    assert!(
        has("server/src/new.rs"),
        "a new file that is not ignored belongs to the source"
    );
}

#[test]
fn our_own_context_holds_what_the_dockerfile_copies_and_little_else() {
    let checkout = Checkout::discover(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let context = Context::of(&checkout).unwrap();
    let has = |path: &str| context.files().iter().any(|file| file == Path::new(path));
    for needed in [
        "Cargo.lock",
        "src/lib.rs",
        "local/src/lib.rs",
        "xtask/src/main.rs",
        "server/src/main.rs",
    ] {
        assert!(has(needed), "{needed}");
    }
    for other in [
        "README.md",
        "src/cli/mod.rs",
        "server/tests/server/main.rs",
        "docs/testing.md",
    ] {
        assert!(!has(other), "{other}");
    }
}

#[test]
fn the_base_image_has_the_compiler_of_the_toolchain_file() {
    let toolchain = include_str!("../rust-toolchain.toml");
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
