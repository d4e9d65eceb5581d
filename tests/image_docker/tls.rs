//! An engine that wants TLS and knows its clients by their certificates.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use quilt_mcp_deploy::image::{check, layout};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use crate::service::Service;
use crate::support::docker::{base_archive, import};
use crate::support::fake_engine::{self, Behaviour};
use crate::support::workspace::static_program;
use crate::support::{skip_without_root, tool};
use crate::{PROGRAM, workspace};

/// A CA and what it signed for the engine, for `127.0.0.1` alone, and for its client.
struct Signed {
    folder: PathBuf,
}

impl Signed {
    /// Makes them, in files that are called as Docker's clients want it.
    fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(folder.join("engine")).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = folder.file_name().unwrap().to_str().unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), ca.as_ref().pem()).unwrap();
        for (place, names) in [
            (folder.join("engine"), vec!["127.0.0.1".to_owned()]),
            (folder.clone(), Vec::new()),
        ] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(names).unwrap();
            let certificate = params.signed_by(&key, &ca).unwrap();
            std::fs::write(place.join("cert.pem"), certificate.pem()).unwrap();
            std::fs::write(place.join("key.pem"), key.serialize_pem()).unwrap();
        }
        Self { folder }
    }

    /// A client's folder with some of its files taken from elsewhere, or taken away.
    fn but(&self, to: PathBuf, others: &[(&str, Option<&Signed>)]) -> PathBuf {
        std::fs::create_dir(&to).unwrap();
        for file in ["ca.pem", "cert.pem", "key.pem"] {
            let other = others.iter().find(|(name, _)| *name == file);
            let from = other.map_or(Some(self), |(_, from)| *from);
            if let Some(from) = from {
                std::fs::copy(from.folder.join(file), to.join(file)).unwrap();
            }
        }
        to
    }
}

/// Debian's or Docker's own engine, which listens on a port and nowhere else.
struct Dockerd {
    _service: Service,
    /// Its sockets: a short path that only root writes.
    _run: tempfile::TempDir,
    port: u16,
}

impl Dockerd {
    fn start(folder: &Path, signed: &Signed) -> Option<Self> {
        let dockerd = tool("dockerd")?;
        if !rustix::process::geteuid().is_root() {
            skip_without_root("dockerd");
            return None;
        }
        let run = tempfile::tempdir_in("/run").unwrap();
        let options = [
            ("--data-root", folder.join("data")),
            ("--exec-root", run.path().join("exec")),
            ("--pidfile", run.path().join("pid")),
            ("--tlscacert", signed.folder.join("ca.pem")),
            ("--tlscert", signed.folder.join("engine/cert.pem")),
            ("--tlskey", signed.folder.join("engine/key.pem")),
        ];
        let options = options.map(|(name, path)| format!("{name}={}", path.display()));
        // A free port may be taken by another before the engine has it.
        for _ in 0..5 {
            let port = free_port();
            let host = format!("--host=tcp://127.0.0.1:{port}");
            let mut arguments = vec![dockerd.to_str().unwrap(), "--tlsverify", &host];
            arguments.extend(options.iter().map(String::as_str));
            arguments.extend(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
            arguments.extend(["--ip-forward=false", "--ip-masq=false"]);
            let answers = || {
                let version = client(folder, port, &signed.folder).arg("version").output();
                version.unwrap().status.success()
            };
            match Service::start(&arguments, |_| (), &folder.join("log"), answers) {
                Ok(service) => {
                    return Some(Self {
                        _service: service,
                        _run: run,
                        port,
                    });
                }
                Err(log) => assert!(log.contains("address already in use"), "{log}"),
            }
        }
        panic!("no port stayed free");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Docker's own client.
fn client(folder: &Path, port: u16, certificates: &Path) -> Command {
    let mut command = Command::new("docker");
    command
        .env("DOCKER_CONFIG", folder)
        .env("DOCKER_HOST", format!("tcp://127.0.0.1:{port}"))
        .env("DOCKER_TLS_VERIFY", "1")
        .env("DOCKER_CERT_PATH", certificates);
    command
}

/// Ours, with `host` as `DOCKER_HOST` and, for TLS, the folder of certificates.
fn build(checkout: &Path, host: &str, certificates: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"));
    command
        .args(["build", "--builder", "docker", "--build-network", "host"])
        .args(["--build-arg", "RUST_IMAGE=quilt-mcp-test-base:tls"])
        .args(["--output", "json"])
        .current_dir(checkout)
        .env("DOCKER_HOST", host)
        .env("QUILT_MCP_STATE_DIR", checkout.with_file_name("state"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("DOCKER_TLS_VERIFY");
    if let Some(certificates) = certificates {
        command
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", certificates);
    }
    command.output().unwrap()
}

fn refused(output: &Output, signs: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{text}");
    for sign in signs {
        assert!(text.contains(sign), "{sign}: {text}");
    }
}

#[test]
fn an_engine_behind_tls_builds_for_those_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let signed = Signed::new(root.join("signed"));
    if tool("docker").is_none() {
        return;
    }
    let Some(engine) = Dockerd::start(root, &signed) else {
        return;
    };
    let program = static_program(root, PROGRAM);
    let archive = base_archive(root, &program, "tls");
    let docker = client(root, engine.port, &signed.folder);
    import(docker, &archive, "quilt-mcp-test-base:tls");
    let checkout = workspace(&root.join("checkout"), &[]);
    let host = format!("tcp://127.0.0.1:{}", engine.port);

    let built = build(&checkout.root, &host, Some(&signed.folder));
    assert!(built.status.success(), "{built:?}");
    let built: Value = serde_json::from_slice(&built.stdout).unwrap();
    let image = layout::read(Path::new(built["image"]["layout"].as_str().unwrap())).unwrap();
    check::check(&image).unwrap();

    let other = Signed::new(root.join("other"));
    let stranger = [("cert.pem", Some(&other)), ("key.pem", Some(&other))];
    for (name, others, signs) in [
        (
            "wrong-ca",
            &[("ca.pem", Some(&other))][..],
            &[
                "no TLS",
                "UnknownIssuer",
                "wrong-ca/ca.pem must hold the CA",
            ][..],
        ),
        (
            "stranger",
            &stranger,
            &["no TLS", "alert", "stranger/cert.pem must be signed"],
        ),
    ] {
        let certificates = signed.but(root.join(name), others);
        let output = build(&checkout.root, &host, Some(&certificates));
        refused(&output, &[&[host.as_str()], signs].concat());
    }
    let elsewhere = host.replace("127.0.0.1", "localhost");
    let output = build(&checkout.root, &elsewhere, Some(&signed.folder));
    refused(&output, &[&elsewhere, "not valid for name", "ca.pem"]);
    let output = build(&checkout.root, &host, None);
    refused(&output, &[&host, "wants TLS", "DOCKER_TLS_VERIFY=1"]);
}

#[test]
fn a_file_that_tls_lacks_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let checkout = workspace(&root.join("checkout"), &[]);
    let (signed, other) = (
        Signed::new(root.join("signed")),
        Signed::new(root.join("other")),
    );
    for (name, others, sign) in [
        ("no-ca", &[("ca.pem", None)][..], "No such file"),
        ("no-certificate", &[("cert.pem", None)], "No such file"),
        ("no-key", &[("key.pem", None)], "No such file"),
        ("mixed", &[("key.pem", Some(&other))], "not the key of"),
    ] {
        let certificates = signed.but(root.join(name), others);
        let output = build(&checkout.root, "tcp://127.0.0.1:1", Some(&certificates));
        let file = certificates.join(others[0].0).display().to_string();
        refused(&output, &[&file, sign, "DOCKER_CERT_PATH", "127.0.0.1:1"]);
    }
    let swapped = signed.but(root.join("swapped"), &[]);
    std::fs::copy(swapped.join("key.pem"), swapped.join("cert.pem")).unwrap();
    let output = build(&checkout.root, "tcp://127.0.0.1:1", Some(&swapped));
    refused(&output, &["swapped/cert.pem", "holds no certificate"]);

    // Nobody listens there.
    let output = build(&checkout.root, "tcp://127.0.0.1:1", Some(&signed.folder));
    refused(&output, &["no Docker engine answers", "refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_where_none_is_spoken_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let checkout = workspace(&folder.path().join("checkout"), &[]);
    let signed = Signed::new(folder.path().join("signed"));
    let host = fake_engine::start(Behaviour::Refuses).await;
    let output =
        tokio::task::spawn_blocking(move || build(&checkout.root, &host, Some(&signed.folder)));
    refused(
        &output.await.unwrap(),
        &["no TLS", "unset DOCKER_TLS_VERIFY"],
    );
}
