//! A local environment of a test's own, driven through the real binary.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder as UpdateService;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use quilt_mcp_deploy::image::assemble::{ImageSpec, assemble};
use quilt_mcp_deploy::image::{Checkout, Image, NativeOptions, build_native, layout};
use serde_json::Value;
use tempfile::TempDir;

use super::images::spec;

/// Environments take turns: each starts servers, and a machine may have two cores.
static TURN: Mutex<()> = Mutex::new(());

/// A local environment in a folder of its own, on ports of its own; stopped when dropped.
pub struct Rehearsal {
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// The output, once the command is seen to have ended with `code`.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Rehearsal {
    pub fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            folder: tempfile::tempdir().unwrap(),
            _turn: turn,
        }
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The binary with this environment, in the checkout.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quilt-mcp-deploy"));
        command
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("QUILT_MCP_STATE_DIR", self.state())
            .env("QUILT_MCP_LOCAL_PORT", "0")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("QUILT_MCP_ENV")
            .env_remove("QUILT_MCP_TOKEN")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// The binary with this environment as an AWS account behind a configuration of the test's own.
    pub fn run_with(&self, configuration: &Path, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.arg("--config").arg(configuration);
        for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            command.env(variable, "test");
        }
        command.output().unwrap().into()
    }

    /// `deploy` of an image made by the test.
    pub fn deploy(&self, image: &Image, more: &[&str]) -> Ended {
        let tag = format!("test-{}", image.digest.short());
        let layout = image.layout.to_str().unwrap();
        let mut arguments = vec![
            "deploy",
            "--output",
            "json",
            "--image-layout",
            layout,
            "--tag",
            &tag,
        ];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// `publish` of an image made by the test.
    pub fn publish(&self, image: &Image) -> Ended {
        let tag = format!("test-{}", image.digest.short());
        let layout = image.layout.to_str().unwrap();
        self.run(&["publish", "--image-layout", layout, "--tag", &tag])
    }

    /// The binary as another operator has it: the same environment, without this machine's locks.
    pub fn other_machine(&self) -> Command {
        let description = self.description();
        let state = self.folder.path().join("other-machine");
        let local = state.join("local");
        if !local.exists() {
            std::fs::create_dir_all(&state).unwrap();
            std::os::unix::fs::symlink(self.state().join("local"), &local).unwrap();
        }
        assert_eq!(description["running"], true);
        let mut command = self.command(&[]);
        command.env("QUILT_MCP_STATE_DIR", state);
        command
    }

    pub fn status(&self) -> Value {
        self.run(&["status", "--output", "json"]).expect(0).json()
    }

    /// Changes the service as an operator would with the AWS CLI: by ECS's own API.
    pub fn update_service(&self, change: impl FnOnce(UpdateService) -> UpdateService) {
        let description = self.description();
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::from_keys("test", "test", None))
            .endpoint_url(description["endpoint_url"].as_str().unwrap())
            .build();
        let update = aws_sdk_ecs::Client::from_conf(config)
            .update_service()
            .cluster("quilt-local")
            .service("quilt-local-mcp-server");
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(change(update).send())
            .unwrap();
    }

    /// What `local status` says.
    pub fn description(&self) -> Value {
        self.run(&["local", "status", "--output", "json"])
            .expect(0)
            .json()
    }

    /// A client of the environment's ECR that we did not write.
    pub fn ecr(&self) -> aws_sdk_ecr::Client {
        use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region};
        let config = aws_sdk_ecr::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(self.description()["endpoint_url"].as_str().unwrap())
            .build();
        aws_sdk_ecr::Client::from_conf(config)
    }

    /// The registry's password for the user `AWS`, as ECR gives it.
    pub fn registry_password(&self) -> String {
        let ask = self.ecr().get_authorization_token().send();
        let answer = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(ask)
            .unwrap();
        let token = answer.authorization_data()[0]
            .authorization_token()
            .unwrap();
        let decoded = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
        decoded.strip_prefix("AWS:").unwrap().to_owned()
    }

    /// An image whose program is the fixture of this name.
    pub fn fixture(&self, name: &str) -> Image {
        let program = self.folder.path().join(name);
        let source = format!("{}/tests/fixtures/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let compiled = Command::new("rustc")
            .args([
                "--edition",
                "2024",
                "-C",
                "target-feature=+crt-static",
                "-o",
            ])
            .arg(&program)
            .arg(source)
            .status()
            .unwrap();
        assert!(compiled.success());
        self.image(&std::fs::read(program).unwrap(), spec())
    }

    /// The real server, as the image of another commit.
    pub fn server(&self, revision: &str) -> Image {
        self.image(
            server_binary(),
            ImageSpec {
                revision: revision.into(),
                ..spec()
            },
        )
    }

    fn image(&self, binary: &[u8], spec: ImageSpec) -> Image {
        layout::write(
            &self.folder.path().join("images"),
            &assemble(&spec, binary.to_vec()).unwrap(),
        )
        .unwrap()
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        self.run(&["local", "down"]);
    }
}

/// The server's program, built once by the native builder and taken out of its image.
pub fn server_binary() -> &'static [u8] {
    static BINARY: OnceLock<Vec<u8>> = OnceLock::new();
    BINARY.get_or_init(|| {
        let checkout = Checkout::discover(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let image = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(build_native(&checkout, &NativeOptions::default(), &|_| {}))
            .unwrap();
        image
            .layers
            .iter()
            .find_map(|layer| program_in(&image.blob_path(&layer.digest)))
            .unwrap()
    })
}

fn program_in(layer: &Path) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(layer).unwrap()));
    archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find_map(|mut entry| {
            let found = entry.path().unwrap().ends_with("quilt-mcp-server");
            found.then(|| {
                let mut binary = Vec::new();
                entry.read_to_end(&mut binary).unwrap();
                binary
            })
        })
}

/// An MCP client that calls a tool twenty times a second until it is stopped.
pub struct Client {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<String>>,
}

impl Client {
    pub fn start(url: &str) -> Self {
        let (stop, answered) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (url, stopping, counted) = (url.to_owned(), stop.clone(), answered.clone());
        let thread = std::thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut errors = Vec::new();
                while !stopping.load(Ordering::Relaxed) {
                    match call(&http, &url).await {
                        Ok(()) => drop(counted.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => errors.push(error),
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                errors
            })
        });
        Self {
            stop,
            answered,
            thread,
        }
    }

    /// Stops it: how many calls were answered well, and what went wrong with the others.
    pub fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let errors = self.thread.join().unwrap();
        (self.answered.load(Ordering::Relaxed), errors)
    }
}

async fn call(http: &reqwest::Client, url: &str) -> Result<(), String> {
    let body = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "bucket_list", "arguments": {}},
    });
    let answer = http
        .post(url)
        .bearer_auth("qk_local_demo")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18")
        .json(&body)
        .send()
        .await
        .map_err(|error| format!("{error:?}"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| format!("{error:?}"))?;
    if status.is_success() && text.contains("\"isError\":false") {
        Ok(())
    } else {
        Err(format!("{status}: {text}"))
    }
}
