//! What the Docker builder made of the real Dockerfile: whether it may be published, whether it
//! serves, and how it differs from what the native builder made.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::builds::Builds;
use super::world::World;

/// How long the server may take to begin on a busy machine.
const START: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(200);
const DOCKER: &str = "server:docker";
const NATIVE: &str = "server:native";

/// What was seen, in sentences.
///
/// # Errors
/// When the image is refused, does not run or is not healthy.
pub fn of_docker_s_image(world: &World, builds: &Builds) -> anyhow::Result<String> {
    let (docker, native) = (builds.by_docker()?, builds.by_us()?);
    // An image that fails the check is refused here.
    world.publish(&docker, "by-docker-builder")?;
    world.load(&docker, DOCKER)?;
    world.load(&native, NATIVE)?;
    let version = world.docker_says(&["run", "--rm", "--network=host", DOCKER, "--version"])?;
    serve(world)?;
    let (program, other) = (world.binary_of(DOCKER)?, world.binary_of(NATIVE)?);
    let compared = if program == other {
        "is the native builder's, byte for byte".to_owned()
    } else {
        let (len, other) = (program.len(), other.len());
        format!("is another than the native builder's ({len} and {other} bytes)")
    };
    Ok(format!(
        "The Docker builder's image passed the check, said `{version}` and served: its own \
         `healthcheck` answered 0. Its binary {compared}."
    ))
}

/// Runs the image until its health check passes.
fn serve(world: &World) -> anyhow::Result<()> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("MCP_LISTEN=127.0.0.1:{port}");
    let id = world.docker_says(&[
        "run",
        "--detach",
        "--network=host",
        "--read-only",
        "--env",
        &listen,
        "--env=QUILT_CATALOG_URL=https://catalog.example.com",
        "--env=QUILT_REGISTRY_URL=https://registry.example.com",
        DOCKER,
    ])?;
    let healthy = wait_until_healthy(world, &id);
    let log = world.docker_says(&["logs", &id]);
    world.docker(&["rm", "--force", &id])?;
    healthy.with_context(|| log.unwrap_or_default())
}

fn wait_until_healthy(world: &World, id: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    loop {
        let asked = world.docker(&["exec", id, "/quilt-mcp-server", "healthcheck"]);
        if asked.is_ok() || Instant::now() > deadline {
            return asked;
        }
        thread::sleep(PAUSE);
    }
}
