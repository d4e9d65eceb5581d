//! What is measured against: the local environment's registry, a Docker engine, and images around
//! the real server's binary.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::{program, quietly, write};
use crate::command;
use crate::test::docker::{self, Engine};

/// Environments whose repositories images are promoted to.
pub const ENVIRONMENTS: usize = 32;
const REPOSITORY: &str = "quilt-local-mcp-server";

const DOCKERFILE: &str = "FROM scratch
COPY quilt-mcp-server /quilt-mcp-server
LABEL org.opencontainers.image.revision=bench
USER 65532:65532
ENTRYPOINT [\"/quilt-mcp-server\"]
CMD [\"serve\"]
";

pub struct World {
    workspace: PathBuf,
    target: PathBuf,
    tools: PathBuf,
    folder: PathBuf,
    binary: PathBuf,
    server: Vec<u8>,
    docker_host: String,
    registry: String,
    endpoint: String,
    _engine: Option<Engine>,
}

impl World {
    /// Builds the command and the server, and starts the local environment and, where none runs,
    /// a Docker engine.
    pub fn start() -> anyhow::Result<Self> {
        let (workspace, target) = crate::test::folders()?;
        let mut build = command::cargo();
        build
            .current_dir(&workspace)
            .args(["build", "--release", "--package", "quilt-mcp-deploy"]);
        command::stream(&mut build)?;
        let tools = target.join("tools");
        fs::create_dir_all(&tools)?;
        let (docker_host, engine) =
            docker::find_or_start(&tools).map_err(|reasons| anyhow::anyhow!(reasons))?;
        let folder = target.join("bench");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut world = Self {
            binary: target.join("release/quilt-mcp-deploy"),
            server: Vec::new(),
            docker_host,
            registry: String::new(),
            endpoint: String::new(),
            folder,
            workspace,
            target,
            tools,
            _engine: engine,
        };
        world.run(&["local", "up"])?;
        let description = world.ask(&["local", "status"])?;
        let field = |name: &str| description[name].as_str().unwrap_or_default().to_owned();
        (world.registry, world.endpoint) = (field("registry"), field("endpoint_url"));
        world.write_configuration()?;
        world.log_in()?;
        world.server = world.build_server()?;
        Ok(world)
    }

    fn write_configuration(&self) -> anyhow::Result<()> {
        let environments: String = (0..ENVIRONMENTS)
            .map(|number| {
                format!(
                    "[environments.to-{number}]\naccount_id = \"111122223333\"\nregion = \"us-east-1\"\n\
                     endpoint_url = \"{}\"\nrepository = \"by-us/{number}\"\ncluster = \"quilt-local\"\n\
                     service = \"{REPOSITORY}\"\ncontainer = \"mcp-server\"\nurl = \"http://127.0.0.1:1/mcp/\"\n",
                    self.endpoint
                )
            })
            .collect();
        write(&self.folder.join("quilt-mcp.toml"), environments.as_bytes())
    }

    /// Docker and skopeo, with the registry's password on their standard input.
    fn log_in(&self) -> anyhow::Result<()> {
        let token = self.ecr("GetAuthorizationToken", &json!({}))?;
        let token = token["authorizationData"][0]["authorizationToken"].as_str();
        let mut decode = Command::new("base64");
        decode
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut decode = decode.spawn()?;
        let mut input = decode.stdin.take().context("base64 has no input")?;
        input.write_all(token.context("ECR gave no token")?.as_bytes())?;
        drop(input);
        let decoded = String::from_utf8(decode.wait_with_output()?.stdout)?;
        let password = decoded
            .split_once(':')
            .context("the token holds no password")?
            .1;
        for mut login in [
            self.docker_command(&["login"])?,
            self.skopeo_command(&["login", "--tls-verify=false"])?,
        ] {
            let mut login = login
                .args(["--username", "AWS", "--password-stdin", &self.registry])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            login
                .stdin
                .take()
                .context("no input")?
                .write_all(password.as_bytes())?;
            if !login.wait()?.success() {
                bail!("the registry refused a login");
            }
        }
        Ok(())
    }

    /// The server's binary, out of the image that the native builder makes.
    fn build_server(&self) -> anyhow::Result<Vec<u8>> {
        let layout = self.build(&self.workspace, &self.target, &["--builder=native"])?;
        self.load(&layout, "server:x")?;
        self.binary_of("server:x")
    }

    /// The image of a checkout, compiled in `target`: a folder.
    pub fn build(
        &self,
        checkout: &Path,
        target: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<PathBuf> {
        let mut build = self.command(&["build", "--output", "json"]);
        build
            .args(arguments)
            .current_dir(checkout)
            .env("CARGO_TARGET_DIR", target);
        let built: Value = serde_json::from_str(&command::capture(&mut build)?)?;
        let layout = built["image"]["layout"].as_str().context("no layout")?;
        Ok(layout.into())
    }

    /// Gives an image to the engine, under this name.
    pub fn load(&self, layout: &Path, name: &str) -> anyhow::Result<()> {
        let archive = self.folder.join("load.tar").display().to_string();
        self.skopeo(&[
            "copy",
            "--quiet",
            &format!("oci:{}", layout.display()),
            &format!("docker-archive:{archive}:{name}"),
        ])?;
        self.docker(&["load", "--quiet", "--input", &archive])?;
        fs::remove_file(archive).context("an archive cannot be removed")
    }

    /// The server's binary out of an image that the engine has.
    pub fn binary_of(&self, image: &str) -> anyhow::Result<Vec<u8>> {
        let id = self.docker_says(&["create", image])?;
        let binary = self.folder.join("quilt-mcp-server");
        let from = format!("{id}:/quilt-mcp-server");
        self.docker(&["cp", &from, &binary.display().to_string()])?;
        self.docker(&["rm", &id])?;
        let content = fs::read(&binary).context("the server's binary cannot be read")?;
        // It is read-only: the next one could not be written over it.
        fs::remove_file(binary).context("the server's binary cannot be removed")?;
        Ok(content)
    }

    /// Docker's context, with a binary of its own for each number.
    pub fn docker_context(&self, number: u64) -> anyhow::Result<()> {
        let folder = PathBuf::from(self.context());
        let mut binary = self.server.clone();
        // Bytes that do not compress, over those that nothing reads: behind the end.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..(if number == 0 { 0 } else { binary.len() / 16 }) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            binary.extend_from_slice(&state.to_le_bytes());
        }
        let path = folder.join("quilt-mcp-server");
        write(&path, &binary)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
        fs::set_permissions(&path, mode)?;
        write(&folder.join("Dockerfile"), DOCKERFILE.as_bytes())
    }

    /// An image around such a binary, as an OCI layout.
    pub fn image(&self, name: &str, number: u64) -> anyhow::Result<PathBuf> {
        drop(fs::remove_dir_all(self.context()));
        self.docker_context(number)?;
        let tag = format!("bench:{name}");
        self.docker(&["build", "--quiet", "--tag", &tag, &self.context()])?;
        let archive = self.folder.join(format!("{name}.tar"));
        self.docker(&["save", "--output", &archive.display().to_string(), &tag])?;
        let layout = self.folder.join("layouts").join(name);
        fs::create_dir_all(self.folder.join("layouts"))?;
        self.skopeo_copy(
            &format!("docker-archive:{}", archive.display()),
            &format!("oci:{}", layout.display()),
        )?;
        fs::remove_file(archive)?;
        drop(fs::remove_dir_all(self.context()));
        Ok(layout)
    }

    pub fn context(&self) -> String {
        self.folder.join("context").display().to_string()
    }

    pub fn reference(&self, tag: &str) -> String {
        format!("{}/{REPOSITORY}:{tag}", self.registry)
    }

    pub fn remote(&self, tag: &str) -> String {
        self.remote_in(REPOSITORY, tag)
    }

    pub fn remote_in(&self, repository: &str, tag: &str) -> String {
        format!("docker://{}/{repository}:{tag}", self.registry)
    }

    pub fn publish(&self, layout: &Path, tag: &str) -> anyhow::Result<()> {
        let layout = layout.display().to_string();
        self.run(&["publish", "--image-layout", &layout, "--tag", tag])
    }

    pub fn promote(&self, tag: &str, number: usize) -> anyhow::Result<()> {
        let to = format!("to-{number}");
        self.run(&[
            "promote", "--from", "local", "--to", &to, "--tag", tag, "--force",
        ])
    }

    pub fn create_repository(&self, name: &str) -> anyhow::Result<()> {
        self.ecr("CreateRepository", &json!({"repositoryName": name}))
            .map(drop)
    }

    /// This repository.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// What stays from one run to the next.
    pub fn tools(&self) -> &Path {
        &self.tools
    }

    /// What goes with this run.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What Docker's client prints, less the last line's end.
    pub fn docker_says(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let said = command::capture(&mut self.docker_command(arguments)?)?;
        Ok(said.trim_end().to_owned())
    }

    pub fn docker(&self, arguments: &[&str]) -> anyhow::Result<()> {
        quietly(&mut self.docker_command(arguments)?)
    }

    pub fn skopeo_copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        self.skopeo(&[
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            from,
            to,
        ])
    }

    fn skopeo(&self, arguments: &[&str]) -> anyhow::Result<()> {
        quietly(&mut self.skopeo_command(arguments)?)
    }

    fn docker_command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(program("docker")?);
        command
            .args(arguments)
            .env("DOCKER_HOST", &self.docker_host)
            .env("DOCKER_BUILDKIT", "0")
            .env("DOCKER_CONFIG", self.folder.join("docker"));
        Ok(command)
    }

    fn skopeo_command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(program("skopeo")?);
        command
            .args(arguments)
            .env("REGISTRY_AUTH_FILE", self.folder.join("skopeo.json"));
        Ok(command)
    }

    /// Our own command.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("DOCKER_HOST", &self.docker_host)
            .env("QUILT_MCP_STATE_DIR", self.folder.join("state"))
            .env("QUILT_MCP_LOCAL_PORT", "0")
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        quietly(&mut self.command(arguments))
    }

    fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.command(arguments);
        command.args(["--output", "json"]);
        Ok(serde_json::from_str(&command::capture(&mut command)?)?)
    }

    /// One call of ECR's API; the local environment checks that a caller signs, not who.
    fn ecr(&self, operation: &str, parameters: &Value) -> anyhow::Result<Value> {
        let address = self
            .endpoint
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let body = parameters.to_string();
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "POST / HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.{operation}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/ecr/aws4_request, \
             SignedHeaders=host, Signature=none\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .context("a malformed answer")?;
        if !head.lines().next().unwrap_or_default().contains(" 200 ") {
            bail!("ecr:{operation} answered {head}\n{body}");
        }
        Ok(serde_json::from_str(body)?)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["local", "down"]) {
            eprintln!("warning: the local environment was not stopped: {error:#}");
        }
    }
}
