//! Podman in Docker's place.

use std::path::{Path, PathBuf};
use std::process::Command;

use quilt_mcp_deploy::image::{check, layout};
use serde_json::Value;

use crate::service::Service;
use crate::support::docker::{self, base_archive, import};
use crate::support::tool;
use crate::support::workspace::static_program;
use crate::{PROGRAM, workspace};

/// What a sandbox allows: no groups of processes, no network of its own.
const SETTINGS: &str = "[containers]
cgroups = \"disabled\"
netns = \"host\"

[engine]
cgroup_manager = \"cgroupfs\"
events_logger = \"file\"
";

/// Registries on this machine may speak plain HTTP, as Docker allows them by itself.
const REGISTRIES: &str = "[[registry]]
prefix = \"127.0.0.1\"
location = \"127.0.0.1\"
insecure = true
";

/// Where Podman has its own logins, in its folder (podman-login(1)).
pub const AUTH_FILE: &str = "containers/auth.json";

/// Podman with all that it keeps in `folder`, at `podman/podman.sock` there.
pub fn podman(folder: &Path) -> Option<(Service, PathBuf)> {
    let podman = tool("podman")?;
    let socket = folder.join("podman/podman.sock");
    std::fs::create_dir_all(folder.join("podman")).unwrap();
    std::fs::write(folder.join("containers.conf"), SETTINGS).unwrap();
    std::fs::write(folder.join("registries.conf"), REGISTRIES).unwrap();
    let place = |name: &str| folder.join(name).display().to_string();
    let address = format!("unix://{}", socket.display());
    let arguments = [
        podman.to_str().unwrap(),
        "--root",
        &place("root"),
        "--runroot",
        &place("run"),
        "--tmpdir",
        &place("tmp"),
        "--storage-driver",
        "vfs",
        "system",
        "service",
        "--time",
        "0",
        &address,
    ];
    let configure = |command: &mut Command| {
        command
            .env("CONTAINERS_CONF", folder.join("containers.conf"))
            .env("CONTAINERS_REGISTRIES_CONF", folder.join("registries.conf"))
            .env("XDG_RUNTIME_DIR", folder)
            .env("BUILDAH_ISOLATION", "chroot");
    };
    let answers = || {
        let version = client(folder, &socket).arg("version").output();
        version.unwrap().status.success()
    };
    let service = Service::start(&arguments, configure, &folder.join("log"), answers);
    Some((service.unwrap_or_else(|log| panic!("{log}")), socket))
}

/// Docker's own client, with its settings in `folder`.
pub fn client(folder: &Path, socket: &Path) -> Command {
    let mut docker = Command::new("docker");
    docker
        .env("DOCKER_CONFIG", folder)
        .env("DOCKER_HOST", format!("unix://{}", socket.display()));
    docker
}

#[test]
fn podman_builds_the_image_wherever_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    if tool("docker").is_none() {
        return;
    }
    let Some((_service, socket)) = podman(folder.path()) else {
        return;
    };
    let base = "localhost/quilt-mcp-test-base:podman";
    let program = static_program(folder.path(), PROGRAM);
    let archive = base_archive(folder.path(), &program, "podman");
    import(client(folder.path(), &socket), &archive, base);
    let checkout = workspace(&folder.path().join("checkout"), &[]);
    let build = |found_by: &dyn Fn(&mut Command)| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"));
        command
            .args(["build", "--builder", "docker", "--build-network", "host"])
            .args(["--build-arg", &format!("RUST_IMAGE={base}")])
            .args(["--output", "json"])
            .current_dir(&checkout.root)
            .env("QUILT_MCP_STATE_DIR", folder.path().join("state"))
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("DOCKER_HOST");
        found_by(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let built: Value = serde_json::from_slice(&output.stdout).unwrap();
        layout::read(Path::new(built["image"]["layout"].as_str().unwrap())).unwrap()
    };

    let image = build(&|command| {
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    });
    check::check(&image).unwrap();
    assert_eq!(image.commit.as_deref(), Some(checkout.commit.as_str()));
    let run = image.config.config().as_ref().unwrap();
    assert_eq!(run.user().as_deref(), Some("65532:65532"));

    // Where Docker listens too, Docker is taken.
    if !Path::new("/var/run/docker.sock").exists() {
        let again = build(&|command| {
            command
                .env("HOME", folder.path())
                .env("XDG_RUNTIME_DIR", folder.path());
        });
        assert_eq!(again.digest, image.digest);
    }

    // Docker makes the same of it.
    let Some(by_docker) = docker::docker(folder.path()) else {
        return;
    };
    import(by_docker, &archive, base);
    let host = std::env::var_os("DOCKER_HOST");
    let theirs = build(&|command| {
        command.envs(host.iter().map(|host| ("DOCKER_HOST", host)));
    });
    assert_eq!(theirs.digest, image.digest);
}
