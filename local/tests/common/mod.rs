//! An environment in a child process, and what a client does with it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quilt_mcp_local::{Description, describe};
use reqwest::{Client, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Generous: a test fails by it only when something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

pub const FIXTURE: &str = env!("CARGO_BIN_EXE_local-environment-fixture");

pub struct Environment {
    pub folder: tempfile::TempDir,
    pub child: Child,
    pub description: Description,
    pub http: Client,
}

impl Drop for Environment {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub async fn start() -> Environment {
    start_in(tempfile::tempdir().unwrap()).await
}

pub async fn start_in(folder: tempfile::TempDir) -> Environment {
    let state = folder.path().join("state");
    let child = Command::new(FIXTURE)
        .arg("serve")
        .arg(&state)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    let description = eventually("the environment is up", async || {
        describe(&state)
            .unwrap()
            .filter(|description| description.pid == pid)
    })
    .await;
    assert!(description.alive);
    Environment {
        folder,
        child,
        description,
        http: Client::new(),
    }
}

/// Asks again until there is an answer.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// How a release behaves.
pub enum Release<'a> {
    Serve(&'a str),
    Crash,
    Sick,
}

impl Environment {
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// A call of the JSON protocol, as it is.
    pub async fn send(&self, target: &str, input: &Value) -> Response {
        self.http
            .post(&self.description.endpoint_url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test")
            .body(input.to_string())
            .send()
            .await
            .unwrap()
    }

    async fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        let response = self.send(&format!("{service}.{operation}"), &input).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{operation}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn ecs(&self, operation: &str, mut input: Value) -> Value {
        input["cluster"] = json!("quilt-local");
        self.call("AmazonEC2ContainerServiceV20141113", operation, input)
            .await
    }

    pub async fn ecr(&self, operation: &str, input: Value) -> Value {
        self.call("AmazonEC2ContainerRegistry_V20150921", operation, input)
            .await
    }

    pub async fn logs(&self, operation: &str, input: Value) -> Value {
        self.call("Logs_20140328", operation, input).await
    }

    pub fn control_url(&self, path: &str) -> String {
        format!("{}/_local/{path}", self.description.endpoint_url)
    }

    /// Switches a fault on.
    pub async fn fault(&self, fault: Value) {
        let request = self.http.put(self.control_url("faults"));
        let response = request.body(fault.to_string()).send().await.unwrap();
        let status = response.status();
        assert_eq!(status, StatusCode::OK, "{}", response.text().await.unwrap());
    }

    pub async fn faults(&self) -> Value {
        let response = self.http.get(self.control_url("faults")).send().await;
        response.unwrap().json().await.unwrap()
    }

    pub async fn clear_faults(&self) {
        let response = self.http.delete(self.control_url("faults")).send().await;
        assert_eq!(response.unwrap().status(), StatusCode::NO_CONTENT);
    }

    pub async fn calls(&self) -> Value {
        let response = self.http.get(self.control_url("calls")).send().await;
        response.unwrap().json().await.unwrap()
    }

    pub async fn service(&self) -> Value {
        let input = json!({ "services": [self.description.service] });
        self.ecs("DescribeServices", input).await["services"][0].take()
    }

    /// Tasks of the service by desired status.
    pub async fn tasks(&self, desired: &str) -> Vec<Value> {
        let input = json!({ "serviceName": self.description.service, "desiredStatus": desired });
        let arns = self.ecs("ListTasks", input).await["taskArns"].take();
        if arns.as_array().unwrap().is_empty() {
            return Vec::new();
        }
        let mut found = self.ecs("DescribeTasks", json!({ "tasks": arns })).await;
        found["tasks"].as_array_mut().unwrap().drain(..).collect()
    }

    pub async fn authorization(&self) -> String {
        let answer = self.ecr("GetAuthorizationToken", json!({})).await;
        let token = answer["authorizationData"][0]["authorizationToken"]
            .as_str()
            .unwrap();
        format!("Basic {token}")
    }

    pub fn registry_url(&self, rest: &str) -> String {
        format!(
            "http://{}/v2/{}/{rest}",
            self.description.registry, self.description.repository
        )
    }

    /// Registers a revision with this image and command, based on the template.
    pub async fn register(&self, image: &str, command: &[&str]) -> String {
        self.register_with(image, command, |_| ()).await
    }

    /// The same, with a changed container definition.
    pub async fn register_with(
        &self,
        image: &str,
        command: &[&str],
        change: impl FnOnce(&mut Value),
    ) -> String {
        let input = json!({ "taskDefinition": format!("{}:1", self.description.service) });
        let mut definition =
            self.ecs("DescribeTaskDefinition", input).await["taskDefinition"].take();
        let container = &mut definition["containerDefinitions"][0];
        container["image"] = json!(image);
        container["command"] = json!(command);
        container["stopTimeout"] = json!(2);
        container["healthCheck"]["command"] = json!(["CMD", "/server", "check"]);
        change(container);
        let answer = self.ecs("RegisterTaskDefinition", definition).await;
        answer["taskDefinition"]["taskDefinitionArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Rolls a revision out and returns the deployment's id.
    pub async fn update(&self, revision: &str) -> String {
        let input = json!({
            "service": self.description.service, "taskDefinition": revision, "desiredCount": 2,
        });
        let answer = self.ecs("UpdateService", input).await;
        answer["service"]["deployments"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Pushes the fixture's image if it is not there, registers the release and rolls it out.
    pub async fn release(&self, release: Release<'_>) -> String {
        let image = self.push_image().await;
        let command = match release {
            Release::Serve(version) => vec!["serve", version],
            Release::Crash => vec!["crash"],
            Release::Sick => vec!["sick"],
        };
        let revision = self.register(&image, &command).await;
        self.update(&revision).await
    }

    /// Waits until the service runs one deployment only, completed.
    pub async fn settled(&self) -> Value {
        eventually("the service settles", async || {
            let service = self.service().await;
            let deployments = service["deployments"].as_array().unwrap();
            let done = deployments.len() == 1 && deployments[0]["rolloutState"] == "COMPLETED";
            done.then_some(service)
        })
        .await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.description.load_balancer_url))
            .send()
            .await
            .unwrap()
    }

    /// What the service answers through the load balancer.
    pub async fn version(&self) -> String {
        self.get("/mcp/").await.text().await.unwrap()
    }

    pub async fn push_image(&self) -> String {
        let layer = layer(Path::new(env!("CARGO_BIN_EXE_local-server-fixture")));
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": { "Entrypoint": ["/server"], "Cmd": ["serve"], "User": "65532:65532" },
            "rootfs": { "type": "layers", "diff_ids": [layer.diff_id] },
        })
        .to_string()
        .into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &layer.content)],
        })
        .to_string();
        for blob in [config, layer.content] {
            self.push_blob(&blob).await;
        }
        let digest = digest(manifest.as_bytes());
        let response = self.push_manifest(&digest, manifest).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        format!(
            "{}/{}@{digest}",
            self.description.registry, self.description.repository
        )
    }

    pub async fn push_blob(&self, content: &[u8]) -> String {
        let digest = digest(content);
        let url = self.registry_url(&format!("blobs/uploads/?digest={digest}"));
        let response = self
            .http
            .post(url)
            .header("authorization", self.authorization().await)
            .body(content.to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        digest
    }

    pub async fn push_manifest(&self, reference: &str, manifest: String) -> Response {
        self.http
            .put(self.registry_url(&format!("manifests/{reference}")))
            .header("authorization", self.authorization().await)
            .header("content-type", "application/vnd.oci.image.manifest.v1+json")
            .body(manifest)
            .send()
            .await
            .unwrap()
    }
}

pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

pub fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

struct Layer {
    content: Vec<u8>,
    diff_id: String,
}

fn layer(program: &Path) -> Layer {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    archive.append_path_with_name(program, "server").unwrap();
    let archive = archive.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive).unwrap();
    Layer {
        content: gzip.finish().unwrap(),
        diff_id: digest(&archive),
    }
}
