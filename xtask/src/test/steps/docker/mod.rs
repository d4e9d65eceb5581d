//! Step `docker`: an engine for the tests that want one, the machine's or one of our own.

mod address;
mod engine;
mod leftovers;

use std::path::Path;

use super::Outcome;
use crate::command;
use crate::test::session::Session;
use address::Address;

pub use engine::Engine;

/// Where an engine listens unless told otherwise.
const USUAL: &str = "unix:///var/run/docker.sock";
/// What Docker's clients call the engine's address.
const DOCKER_HOST: &str = "DOCKER_HOST";

pub fn run(session: &mut Session) -> anyhow::Result<Outcome> {
    match find_or_start(&session.tools) {
        Ok((host, engine)) => {
            session.export(DOCKER_HOST, host);
            if let Some(engine) = engine {
                session.keep(engine);
            }
            Ok(Outcome::Passed)
        }
        Err(reasons) => Ok(Outcome::Skipped(reasons)),
    }
}

/// The address of an engine: one that runs, or one that is started and stops when it is dropped.
///
/// # Errors
/// Why there is none.
pub fn find_or_start(tools: &Path) -> Result<(String, Option<Engine>), String> {
    let named = std::env::var(DOCKER_HOST)
        .ok()
        .filter(|host| !host.is_empty());
    let mut reasons = Vec::new();
    for host in named.into_iter().chain([USUAL.to_owned()]) {
        match host.parse::<Address>().and_then(|address| address.ping()) {
            Ok(()) => return Ok((host, None)),
            Err(why) => reasons.push(format!("{host}: {why}")),
        }
    }
    match start(tools) {
        Ok(engine) => Ok((engine.host(), Some(engine))),
        Err(why) => {
            reasons.push(why);
            Err(reasons.join("; "))
        }
    }
}

fn start(tools: &Path) -> Result<Engine, String> {
    let program = command::on_path("dockerd").ok_or("dockerd is not installed")?;
    if !rustix::process::geteuid().is_root() {
        return Err("dockerd needs root".to_owned());
    }
    Engine::start(&program, tools).map_err(|error| format!("dockerd did not start: {error:#}"))
}
