//! moto, an emulator of AWS's APIs that we did not write, as a server of this test's own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::tool_named_by;

/// Names the `moto_server` program, where it is not on the PATH.
const PROGRAM: &str = "QUILT_MCP_MOTO_SERVER";
/// The account that moto says every caller is of.
pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";

/// A running moto; ends when dropped.
pub struct Moto {
    process: Child,
    url: String,
    client: reqwest::Client,
}

impl Moto {
    /// Starts moto, where it is installed.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts moto with settings of its own, which are environment variables.
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let mut process = Command::new(tool_named_by(PROGRAM, "moto_server")?)
            .args(["-H", "127.0.0.1", "-p", "0"])
            // A new service's tasks count as running at once.
            .env("MOTO_ECS_SERVICE_RUNNING", "2")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let url = loop {
            let Some(line) = log.next() else {
                panic!("moto ended: {said:?}")
            };
            let line = line.unwrap();
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
            said.push(line);
        };
        // Keep reading, or moto blocks on a full pipe.
        std::thread::spawn(move || log.for_each(drop));
        Some(Self {
            process,
            url,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls ECS as it is on the wire; `parameters` and answer are its own JSON.
    pub async fn ecs(&self, operation: &str, parameters: Value) -> Value {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        self.call("ecs", target, parameters).await
    }

    /// Calls ECR as it is on the wire.
    pub async fn ecr(&self, operation: &str, parameters: Value) -> Value {
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        self.call("ecr", target, parameters).await
    }

    /// Calls a service that speaks AWS's JSON protocol.
    pub async fn call(&self, service: &str, target: impl AsRef<str>, parameters: Value) -> Value {
        let request = self
            .request(service)
            .header("x-amz-target", target.as_ref())
            .header("content-type", "application/x-amz-json-1.1");
        let body = answer(request.body(parameters.to_string())).await;
        serde_json::from_str(&body).unwrap()
    }

    /// Calls a service that speaks AWS's query protocol; the answer is its XML.
    pub async fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("Action", action), ("Version", version)])
            .extend_pairs(parameters)
            .finish();
        let request = self.request(service);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(form)).await
    }

    fn request(&self, service: &str) -> reqwest::RequestBuilder {
        // moto reads account, region and service from the signature's scope, and checks no signature.
        let scope = format!("AKIAIOSFODNN7EXAMPLE/20260101/{REGION}/{service}/aws4_request");
        let credential = format!("AWS4-HMAC-SHA256 Credential={scope}");
        self.client.post(&self.url).header(
            "authorization",
            format!("{credential}, SignedHeaders=host, Signature=none"),
        )
    }
}

async fn answer(request: reqwest::RequestBuilder) -> String {
    let shown = format!("{request:?}");
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body = answer.text().await.unwrap();
    assert!(status.is_success(), "{shown}: {status} {body}");
    body
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to do then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
