//! Engines that a test starts for itself.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const START: Duration = Duration::from_secs(90);
const STOP: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// A program that runs in the background; it is stopped when this is dropped, and also when the
/// test is killed. What root's engine mounts, nobody else sees, and it goes with the engine.
pub struct Service {
    child: Child,
}

impl Service {
    /// Starts what `arguments` say, once `configure` has been at it, with its output in `log`;
    /// waits until `answers`. When it ends before that, gives what it logged.
    pub fn start(
        arguments: &[&str],
        configure: impl FnOnce(&mut Command),
        log: &Path,
        answers: impl Fn() -> bool,
    ) -> Result<Self, String> {
        let output = std::fs::File::create(log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM"]);
        if rustix::process::geteuid().is_root() {
            command.args(["unshare", "--mount", "--propagation", "private"]);
        }
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        configure(&mut command);
        let child = command.spawn().unwrap();
        let mut service = Self { child };
        let deadline = Instant::now() + START;
        while !answers() {
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            if service.child.try_wait().unwrap().is_some() {
                return Err(said());
            }
            assert!(Instant::now() < deadline, "{arguments:?}: {}", said());
            std::thread::sleep(PAUSE);
        }
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if kill_process(Pid::from_child(&self.child), Signal::TERM).is_err() {
            return;
        }
        let deadline = Instant::now() + STOP;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                drop(self.child.kill());
            }
            std::thread::sleep(PAUSE);
        }
    }
}
