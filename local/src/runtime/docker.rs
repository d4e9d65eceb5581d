//! Tasks as containers of a Docker engine on this machine.
//!
//! They use the host's network, so that a task listens on its own loopback address and reaches the
//! demo Quilt registry, which listens on loopback only; `MCP_LISTEN` tells it where.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::auth::DockerCredentials;
use bollard::container::LogOutput;
use bollard::errors::Error as DockerError;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, ExecConfig, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    WaitContainerOptions,
};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::{Exit, Launch, LaunchError, LogTarget, Running, environment, image, lines, strings};
use crate::aws::Moment;
use crate::ecs::outcome::Started;
use crate::registry::auth::USER;
use crate::world::World;

/// Marks the containers of one state folder.
const LABEL: &str = "com.quiltdata.mcp-deploy.local";
/// How long the last log lines of an ended container may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// A Docker engine.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: Docker,
    /// The value of [`LABEL`]: the state folder.
    owner: String,
}

impl Engine {
    /// Connects, and removes the containers that a former life of this state folder left.
    pub(crate) async fn connect(state_dir: &Path) -> Result<Self, crate::Error> {
        let refused = |error: DockerError| crate::Error::Docker(error.to_string());
        let docker = Docker::connect_with_defaults()
            .map_err(refused)?
            .negotiate_version()
            .await
            .map_err(refused)?;
        let engine = Self {
            docker,
            owner: state_dir.display().to_string(),
        };
        engine.remove_leftovers().await.map_err(refused)?;
        Ok(engine)
    }

    async fn remove_leftovers(&self) -> Result<(), DockerError> {
        let label = format!("{LABEL}={}", self.owner);
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        for container in self.docker.list_containers(Some(options)).await? {
            if let Some(id) = container.id {
                tracing::warn!(container = id, "a task of a former life: removed");
                self.remove(&id).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn launch(
        &self,
        world: &Arc<World>,
        launch: Launch,
    ) -> Result<Running, LaunchError> {
        let (name, digest) = self.pull(world, &launch.image).await?;
        let pull_stopped_at = Moment::now();
        let cannot_start = |error: DockerError| LaunchError::CannotStart(error.to_string());
        let body = self.body(&format!("{name}@{digest}"), &launch);
        let options = CreateContainerOptionsBuilder::new()
            .name(&container_name(&launch.task))
            .build();
        let created = self
            .docker
            .create_container(Some(options), body)
            .await
            .map_err(cannot_start)?;
        if let Err(error) = self.docker.start_container(&created.id, None).await {
            self.remove_or_warn(&created.id).await;
            return Err(cannot_start(error));
        }
        let (exited, exit) = oneshot::channel();
        let engine = self.clone();
        let world = Arc::clone(world);
        let id = created.id.clone();
        tokio::spawn(async move {
            let outcome = engine.supervise(&world, &id, launch.log.as_ref()).await;
            // The engine waits for it, unless the environment is ending.
            let _ = exited.send(outcome);
        });
        let started = Started {
            image_digest: digest,
            runtime_id: created.id,
            process: None,
            pull_stopped_at,
        };
        Ok(Running { started, exit })
    }

    /// Pulls by digest, with a token of ECR. Returns the repository's address and the digest.
    async fn pull(&self, world: &World, image: &str) -> Result<(String, String), LaunchError> {
        let source = image::locate(world, image)?;
        let (host, digest) = world.read(|state| {
            let repository = state.repository(&source.repository);
            let digest = repository.and_then(|repository| repository.resolve(&source.reference));
            (state.addresses.registry_host(), digest)
        });
        let digest =
            digest.ok_or_else(|| LaunchError::CannotPull(format!("{image}: not found")))?;
        let name = format!("{host}/{}", source.repository);
        let credentials = DockerCredentials {
            username: Some(USER.to_owned()),
            password: Some(world.registry_password.clone()),
            serveraddress: Some(host),
            ..DockerCredentials::default()
        };
        let options = CreateImageOptionsBuilder::new()
            .from_image(&name)
            .tag(&digest)
            .platform("linux/amd64")
            .build();
        self.docker
            .create_image(Some(options), None, Some(credentials))
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|error| LaunchError::CannotPull(error.to_string()))?;
        Ok((name, digest))
    }

    fn body(&self, image: &str, launch: &Launch) -> ContainerCreateBody {
        let container = &launch.container;
        let flag = |name: &str| container.get(name).and_then(Value::as_bool);
        let text = |name: &str| {
            container
                .get(name)
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        let linux = container.get("linuxParameters");
        let init = linux
            .and_then(|linux| linux.get("initProcessEnabled"))
            .and_then(Value::as_bool);
        let mut variables = environment(&[], container);
        let listen = format!("{}:{}", launch.address, launch.port);
        super::set(&mut variables, "MCP_LISTEN", &listen);
        let host = HostConfig {
            network_mode: Some("host".to_owned()),
            readonly_rootfs: flag("readonlyRootFilesystem"),
            privileged: flag("privileged"),
            init,
            cap_drop: linux.and_then(|linux| capabilities(linux, "drop")),
            cap_add: linux.and_then(|linux| capabilities(linux, "add")),
            memory: memory(container),
            ..HostConfig::default()
        };
        let variables = variables
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"));
        ContainerCreateBody {
            image: Some(image.to_owned()),
            user: text("user"),
            working_dir: text("workingDirectory"),
            entrypoint: strings(container, "entryPoint"),
            cmd: strings(container, "command"),
            env: Some(variables.collect()),
            labels: Some(HashMap::from([(LABEL.to_owned(), self.owner.clone())])),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        }
    }

    /// Lives with the container: reads its output, tells how it ended, and removes it.
    async fn supervise(&self, world: &Arc<World>, id: &str, log: Option<&LogTarget>) -> Exit {
        let copying = tokio::spawn(copy_logs(
            self.docker.clone(),
            Arc::clone(world),
            id.to_owned(),
            log.cloned(),
        ));
        let code = self.wait(id).await;
        let abort = copying.abort_handle();
        if tokio::time::timeout(LAST_LINES, copying).await.is_err() {
            abort.abort();
        }
        let reason = self.reason(id).await;
        self.remove_or_warn(id).await;
        Exit { code, reason }
    }

    async fn wait(&self, id: &str) -> Option<i32> {
        let mut ends = self.docker.wait_container(id, None::<WaitContainerOptions>);
        let code = match ends.next().await? {
            Ok(end) => end.status_code,
            Err(DockerError::DockerContainerWaitError { code, .. }) => code,
            Err(error) => {
                tracing::warn!(container = id, %error, "nobody knows how it ended");
                return None;
            }
        };
        i32::try_from(code).ok()
    }

    async fn reason(&self, id: &str) -> Option<String> {
        let state = self.docker.inspect_container(id, None).await.ok()?.state?;
        state
            .oom_killed
            .unwrap_or(false)
            .then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned())
    }

    pub(super) async fn check(&self, task: &str, command: &[String], timeout: Duration) -> bool {
        match tokio::time::timeout(timeout, self.execute(task, command)).await {
            Ok(Ok(code)) => code == Some(0),
            Ok(Err(error)) => {
                tracing::debug!(task, %error, "health check");
                false
            }
            Err(_) => false,
        }
    }

    async fn execute(&self, task: &str, command: &[String]) -> Result<Option<i64>, DockerError> {
        let options = ExecConfig {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let execution = self
            .docker
            .create_exec(&container_name(task), options)
            .await?;
        if let StartExecResults::Attached { mut output, .. } = self
            .docker
            .start_exec(&execution.id, None::<StartExecOptions>)
            .await?
        {
            while output.try_next().await?.is_some() {}
        }
        Ok(self.docker.inspect_exec(&execution.id).await?.exit_code)
    }

    pub(super) async fn stop(&self, task: &str, timeout: Duration) {
        let seconds = i32::try_from(timeout.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopped = self
            .docker
            .stop_container(&container_name(task), Some(options))
            .await;
        if let Err(error) = stopped {
            tracing::debug!(task, %error, "docker stop");
        }
    }

    async fn remove(&self, id: &str) -> Result<(), DockerError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        self.docker.remove_container(id, Some(options)).await
    }

    async fn remove_or_warn(&self, id: &str) {
        if let Err(error) = self.remove(id).await {
            tracing::warn!(container = id, %error, "the container is left behind");
        }
    }
}

fn container_name(task: &str) -> String {
    format!("quilt-mcp-local-{task}")
}

/// MiB in the definition, bytes for Docker.
fn memory(container: &Map<String, Value>) -> Option<i64> {
    let mebibytes = container.get("memory")?.as_i64()?;
    mebibytes.checked_mul(1024 * 1024)
}

fn capabilities(linux: &Value, which: &str) -> Option<Vec<String>> {
    strings(linux.get("capabilities")?.as_object()?, which)
}

async fn copy_logs(docker: Docker, world: Arc<World>, id: String, log: Option<LogTarget>) {
    let options = LogsOptionsBuilder::new()
        .follow(true)
        .stdout(true)
        .stderr(true)
        .build();
    let mut output = docker.logs(&id, Some(options));
    // One unfinished line per stream.
    let mut pending: [Vec<u8>; 2] = Default::default();
    while let Some(chunk) = output.next().await {
        let (stream, bytes) = match chunk {
            Ok(LogOutput::StdErr { message }) => (1, message),
            Ok(other) => (0, other.into_bytes()),
            Err(error) => {
                tracing::debug!(container = id, %error, "its log ended");
                break;
            }
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let buffer = &mut pending[stream];
            buffer.extend_from_slice(line);
            if buffer.ends_with(b"\n") || buffer.len() as u64 >= lines::LONGEST {
                lines::write(&world, log.as_ref(), buffer);
                buffer.clear();
            }
        }
    }
    for rest in pending {
        lines::write(&world, log.as_ref(), &rest);
    }
}
