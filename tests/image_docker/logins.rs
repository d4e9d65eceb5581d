//! Base images of registries that want a login.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};

use crate::podman::podman;
use crate::support::docker::{base_archive, docker, import};
use crate::support::docker_registry::{DockerRegistry, PASSWORD, Setup, USER};
use crate::support::fake_engine::{self, Behaviour, Logins};
use crate::support::tool;
use crate::support::workspace::static_program;
use crate::{PROGRAM, podman, workspace};

const HUB: &str = "https://index.docker.io/v1/";

/// An operator with settings of Docker's client and a checkout.
struct Operator {
    root: tempfile::TempDir,
    checkout: PathBuf,
}

impl Operator {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let checkout = workspace(&root.path().join("checkout"), &[]).root;
        Self { root, checkout }
    }

    /// The folder of Docker's settings with this configuration.
    fn settings(&self, config: &Value) -> PathBuf {
        let folder = self.root.path().join("settings");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        folder
    }

    /// Puts a helper `docker-credential-test` that does this on the operator's PATH. Another process
    /// writes it, since nobody may have a program open for writing while it starts.
    fn helper(&self, script: &str) {
        let folder = self.root.path().join("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join("docker-credential-test");
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" >\"$2\" && chmod 755 \"$2\"";
        let mut command = Command::new("sh");
        command.args(["-c", write, "sh", script]).arg(program);
        assert!(command.status().unwrap().success());
    }

    /// A build with this base image and these settings.
    fn build(&self, base: &str, settings: &Path) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [self.root.path().join("bin")].into_iter();
        let path: OsString =
            std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"));
        command
            .args(["build", "--builder", "docker", "--build-network", "host"])
            .args(["--build-arg", &format!("RUST_IMAGE={base}")])
            .current_dir(&self.checkout)
            .env("PATH", path)
            .env("HOME", self.root.path().join("home"))
            .env("DOCKER_CONFIG", settings)
            .env("QUILT_MCP_STATE_DIR", self.root.path().join("state"))
            .env("QUILT_MCP_LOG", "trace")
            .env_remove("CARGO_TARGET_DIR");
        command
    }
}

/// All that it said, which is no secret.
fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    let encoded = STANDARD.encode(format!("u:{PASSWORD}"));
    for secret in [PASSWORD, "s3cret", &encoded] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

/// A build whose base image is refused: what it said, and the logins that the engine got, read as Go
/// reads them.
async fn refused(
    operator: &Operator,
    base: &str,
    config: &Value,
    arguments: &[&str],
) -> (String, Option<Value>) {
    let logins = Logins::default();
    let engine = fake_engine::start_noting(Behaviour::Denied, logins.clone()).await;
    let mut command = operator.build(base, &operator.settings(config));
    command.args(arguments).env("DOCKER_HOST", engine);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let sent = logins.lock().unwrap().pop().unwrap();
    let sent = sent.map(|sent| serde_json::from_slice(&URL_SAFE.decode(sent).unwrap()).unwrap());
    (said(&output), sent)
}

/// The parts of the logins that an engine needs.
fn parts(sent: Option<Value>) -> Value {
    let Some(Value::Object(logins)) = sent else {
        return Value::Null;
    };
    let needed = |(host, login): (String, Value)| {
        let part = |name: &str| login[name].as_str().unwrap_or("-").to_owned();
        let parts = ["username", "password", "identitytoken"].map(part);
        assert_eq!(login["serveraddress"], host);
        (host, Value::from(parts.join(" ")))
    };
    logins.into_iter().map(needed).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_gets_the_logins_at_the_registries_of_the_base_images_only() {
    let operator = Operator::new();
    let answer = json!({"ServerURL": "x", "Username": "u", "Secret": PASSWORD});
    operator.helper(&format!(
        "read -r key; echo \"$key\" >>asked; echo '{answer}'"
    ));
    let auth = STANDARD.encode(format!("u:{PASSWORD}"));
    let user = format!("u {PASSWORD} -");
    let file = json!({"auths": {"a.com:5": {"auth": auth}, HUB: {"auth": auth}}});
    let token = json!({"auths": {"a.com": {"auth": "MDA6", "identitytoken": PASSWORD}}});
    for (base, config, expected) in [
        ("a.com:5/rust:1", &file, json!({"a.com:5": user})),
        ("rust:1", &file, json!({HUB: user})),
        ("a.com/rust:1", &file, Value::Null),
        (
            "a.com/rust:1",
            &token,
            json!({"a.com": format!("00  {PASSWORD}")}),
        ),
        (
            "a.com/rust@sha256:00",
            &json!({"credHelpers": {"a.com": "test", "b.com": "missing"}}),
            json!({"a.com": user}),
        ),
        (
            "quilt/rust",
            &json!({"credsStore": "test"}),
            json!({HUB: user}),
        ),
        ("rust", &json!({}), Value::Null),
    ] {
        let (text, sent) = refused(&operator, base, config, &[]).await;
        assert_eq!(parts(sent), expected, "{base} {config}");
        let advised = match expected {
            Value::Null => "has no login for",
            _ => "refused the login that",
        };
        assert!(text.contains(advised), "{advised}: {text}");
        assert!(!text.contains("warning"), "{text}");
    }
    let asked = std::fs::read_to_string(operator.checkout.join("asked")).unwrap();
    assert_eq!(asked, format!("a.com\n{HUB}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_read_is_a_warning_and_the_build_goes_on() {
    let operator = Operator::new();
    operator.helper(&format!("echo {PASSWORD}; echo {PASSWORD} >&2; exit 3"));
    let settings = operator.root.path().join("settings/config.json");
    let file = settings.display().to_string();
    for (config, signs) in [
        (
            json!({"credsStore": "missing"}),
            &["docker-credential-missing", "is not on the PATH"][..],
        ),
        (
            json!({"credHelpers": {"a.com": "test"}}),
            &["docker-credential-test", "failed (exit status: 3)"],
        ),
        (
            json!({"auths": {"a.com": {"auth": PASSWORD}}}),
            &["is not USER:PASSWORD"],
        ),
        (
            json!({"auths": PASSWORD}),
            &["is not a configuration of Docker"],
        ),
    ] {
        for format in ["text", "ndjson"] {
            let arguments = ["--output", format];
            let (text, sent) = refused(&operator, "a.com/rust:1", &config, &arguments).await;
            assert_eq!(sent, None, "{config}");
            let warning = text.lines().find(|line| line.contains("warning"));
            let warning = warning.unwrap_or_else(|| panic!("{text}"));
            for sign in signs
                .iter()
                .chain(&["a.com", file.as_str(), "goes on without"])
            {
                assert!(warning.contains(sign), "{sign}: {text}");
            }
            assert!(text.contains("no login at a.com was sent"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_takes_a_base_image_that_wants_a_login() {
    let operator = Operator::new();
    let Some(registry) = private_registry(&operator).await else {
        return;
    };
    let settings = operator.root.path().join("logged-in");
    let Some(client) = docker(&settings) else {
        return;
    };
    log_in(client, &registry.host);
    let client = || docker(&settings).unwrap();
    takes_a_private_base_image(&operator, &registry, &settings, client, |_| ());
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_takes_a_base_image_that_wants_a_login() {
    let operator = Operator::new();
    let Some(registry) = private_registry(&operator).await else {
        return;
    };
    if tool("docker").is_none() {
        return;
    }
    let Some((_service, socket)) = podman(operator.root.path()) else {
        return;
    };
    let settings = operator.root.path().join("logged-in");
    std::fs::create_dir(&settings).unwrap();
    let config = logged_in_as(&registry.host, PASSWORD).to_string();
    std::fs::write(settings.join("config.json"), &config).unwrap();
    let host = format!("unix://{}", socket.display());
    takes_a_private_base_image(
        &operator,
        &registry,
        &settings,
        || podman::client(&settings, &socket),
        |build| {
            build.env("DOCKER_HOST", &host);
        },
    );

    // Where Docker's client has no login, Podman's own is taken.
    let remove = ["image", "rm", "--force", &base(&registry)];
    let removed = podman::client(&settings, &socket).args(remove).output();
    assert!(removed.unwrap().status.success());
    let own = operator.root.path().join(podman::AUTH_FILE);
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(own, config).unwrap();
    let mut build = operator.build(&base(&registry), &operator.settings(&json!({})));
    let output = build.env("DOCKER_HOST", &host).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

fn base(registry: &DockerRegistry) -> String {
    format!("{}/quilt/base:login", registry.host)
}

async fn private_registry(operator: &Operator) -> Option<DockerRegistry> {
    let setup = Setup {
        password: true,
        tls: false,
    };
    DockerRegistry::start(operator.root.path(), setup).await
}

fn logged_in_as(host: &str, password: &str) -> Value {
    json!({"auths": {host: {"auth": STANDARD.encode(format!("{USER}:{password}"))}}})
}

/// With the login of these settings, the engine that `client` speaks to builds on an image of the
/// registry; without it, and with another password, the advice fits.
fn takes_a_private_base_image(
    operator: &Operator,
    registry: &DockerRegistry,
    settings: &Path,
    client: impl Fn() -> Command,
    find: impl Fn(&mut Command),
) {
    let folder = operator.root.path();
    let base = base(registry);
    let archive = base_archive(folder, &static_program(folder, PROGRAM), "login");
    import(client(), &archive, &base);
    for arguments in [["push", &base].as_slice(), &["image", "rm", &base]] {
        let done = client().args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    let build = |settings: &Path| {
        let mut command = operator.build(&base, settings);
        find(&mut command);
        let output = command.output().unwrap();
        (output.status.code(), said(&output))
    };

    for (config, sign) in [
        (json!({}), format!("`docker login {}`", registry.host)),
        (
            logged_in_as(&registry.host, "another"),
            format!("{} refused the login that", registry.host),
        ),
    ] {
        let (code, text) = build(&operator.settings(&config));
        assert_eq!(code, Some(5), "{text}");
        assert!(text.contains(&sign), "{sign}: {text}");
    }
    let (code, text) = build(settings);
    assert_eq!(code, Some(0), "{text}");
}

/// As an operator does it.
fn log_in(mut docker: Command, host: &str) {
    let mut login = docker
        .args(["login", "--username", USER, "--password-stdin", host])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = login.stdin.take().unwrap();
    input.write_all(PASSWORD.as_bytes()).unwrap();
    drop(input);
    assert!(login.wait().unwrap().success());
}
