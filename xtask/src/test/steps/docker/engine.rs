//! A Docker engine of our own, for a machine that has the program but no engine running.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::address::Address;
use super::leftovers::Places;

/// How long an engine may take to answer on a busy machine.
const START: Duration = Duration::from_secs(90);
/// How long it may take to stop its containers and itself.
const STOP: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// The engine leaves the machine's network alone: no bridge, no packet filter rules, no
/// forwarding. The tests' containers share the machine's network, so they need none, and an
/// unprivileged sandbox may refuse them.
const NO_NETWORK: &[&str] = &[
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
];

/// A running engine; stopped, with everything it left behind, when dropped.
pub struct Engine {
    child: Child,
    socket: PathBuf,
    places: Places,
}

impl Engine {
    /// Starts an engine and waits until it answers.
    ///
    /// # Errors
    /// When it cannot be started, ends by itself, or does not answer in time; the error ends
    /// with the last line of its log.
    pub fn start(program: &Path, tools: &Path) -> anyhow::Result<Self> {
        let places = Places {
            run: run_folder(tools),
            data: tools.join("docker"),
        };
        places.clear().context("an earlier engine is in the way")?;
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&places.run)?;
        private.create(&places.data)?;
        let log_file = tools.join("dockerd.log");
        let log = File::create(&log_file)?;
        let socket = places.run.join("docker.sock");
        let child = Command::new(program)
            .arg("--data-root")
            .arg(&places.data)
            .arg("--exec-root")
            .arg(places.run.join("exec"))
            .arg("--pidfile")
            .arg(places.run.join("dockerd.pid"))
            .arg("--host")
            .arg(format!("unix://{}", socket.display()))
            .args(NO_NETWORK)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        // From here on, whatever happens, dropping it stops it.
        let mut engine = Self {
            child,
            socket,
            places,
        };
        engine.wait_until_it_answers().with_context(|| {
            let text = fs::read_to_string(&log_file).unwrap_or_default();
            let last = text.lines().last().unwrap_or("it logged nothing");
            format!("{} ends with: {last}", log_file.display())
        })?;
        Ok(engine)
    }

    /// Its address, for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let address = Address::Unix(self.socket.clone());
        let deadline = Instant::now() + START;
        loop {
            let Err(why) = address.ping() else {
                return Ok(());
            };
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if Instant::now() > deadline {
                bail!(
                    "it did not answer within {} seconds: {why}",
                    START.as_secs()
                );
            }
            thread::sleep(PAUSE);
        }
    }

    fn stop(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
            let deadline = Instant::now() + STOP;
            while self.child.try_wait()?.is_none() {
                if Instant::now() > deadline {
                    self.child.kill()?;
                    self.child.wait()?;
                }
                thread::sleep(PAUSE);
            }
        }
        self.places.clear()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("warning: the Docker engine was not stopped cleanly: {error:#}");
        }
    }
}

/// A folder that is short, since a socket's path has at most 107 bytes; that only root can
/// write, as only root can start an engine; and that is the same for the next run with this
/// target folder, so that it finds what a killed run left.
fn run_folder(tools: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    tools.hash(&mut hasher);
    PathBuf::from(format!("/run/quilt-mcp-xtask-{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sockaddr_un`'s path, less its closing NUL (unix(7)).
    const LONGEST_SOCKET_PATH: usize = 107;

    #[test]
    fn sockets_have_short_paths_however_deep_the_target_folder() {
        let deep = PathBuf::from("/deep".repeat(100));
        let folder = run_folder(&deep);
        let socket = folder.join("exec/containerd/containerd-debug.sock.ttrpc");
        assert!(socket.as_os_str().len() <= LONGEST_SOCKET_PATH);
        assert_eq!(run_folder(&deep), folder);
        assert_ne!(run_folder(Path::new("/other")), folder);
    }
}
