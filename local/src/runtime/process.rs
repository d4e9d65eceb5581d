//! Tasks as ordinary child processes. There is no namespace: a task sees this machine's file system,
//! runs as this process's user, and listens where `MCP_LISTEN` tells it, on its own loopback address.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc as async_mpsc, oneshot};

use super::{Exit, Launch, LaunchError, LogTarget, Running, image, launcher, lines, program};
use crate::aws::{Moment, names};
use crate::ecs::outcome::Started;
use crate::state::ecs::Process;
use crate::world::World;

/// How long a dead task's output may take to be read: a grandchild could hold it open for ever.
const LAST_LINES: Duration = Duration::from_secs(1);

type Spawned = io::Result<Child>;

/// The running tasks, and the thread that starts them.
pub(crate) struct Processes {
    launcher: Vec<OsString>,
    /// The kernel signals a child when the *thread* that started it ends, so one thread starts them
    /// all and lives as long as the process.
    spawner: mpsc::Sender<(Command, oneshot::Sender<Spawned>)>,
    running: Arc<Mutex<HashMap<String, Supervised>>>,
}

/// A running task.
struct Supervised {
    stop: async_mpsc::UnboundedSender<Duration>,
    program: program::Program,
}

impl Processes {
    pub(crate) fn start(launcher: Vec<OsString>) -> Result<Self, crate::Error> {
        if launcher.is_empty() {
            return Err(crate::Error::NoLauncher);
        }
        let (spawner, requests) = mpsc::channel::<(Command, oneshot::Sender<Spawned>)>();
        let runtime = Handle::current();
        std::thread::Builder::new()
            .name("task-spawner".to_owned())
            .spawn(move || {
                let _guard = runtime.enter();
                for (mut command, reply) in requests {
                    // Nobody waits for the reply when the environment is ending: the child is dropped
                    // and killed with it.
                    let _ = reply.send(command.spawn());
                }
            })
            .map_err(|error| crate::Error::Ended {
                part: "task spawner",
                reason: error.to_string(),
            })?;
        Ok(Self {
            launcher,
            spawner,
            running: Arc::default(),
        })
    }

    pub(super) async fn launch(
        &self,
        world: &Arc<World>,
        launch: Launch,
    ) -> Result<Running, LaunchError> {
        let pulled = image::pull(world, &launch.image).await?;
        let root = image::root_filesystem(world, &pulled).await?;
        let pull_stopped_at = Moment::now();
        let cannot_start = |why: String| {
            LaunchError::CannotStart(format!(
                "failed to create shim task: OCI runtime create failed: unable to start container process: {why}"
            ))
        };
        let listen = format!("{}:{}", launch.address, launch.port);
        let program = program::resolve(&root, &pulled.configuration, &launch.container, &listen)
            .map_err(cannot_start)?;
        let child = self
            .spawn(self.command(&program))
            .await
            .map_err(|error| cannot_start(error.to_string()))?;
        let pid = child
            .id()
            .ok_or_else(|| cannot_start("it has no process id".to_owned()))?;
        let started = Started {
            image_digest: pulled.digest,
            runtime_id: format!("{}-{}", launch.task, &names::digits()[..10]),
            process: start_time(pid).map(|started| Process { pid, started }),
            pull_stopped_at,
        };
        let (stop, stops) = async_mpsc::unbounded_channel();
        self.lock()
            .insert(launch.task.clone(), Supervised { stop, program });
        let (exited, exit) = oneshot::channel();
        let registered = Arc::clone(&self.running);
        let world = Arc::clone(world);
        tokio::spawn(async move {
            let outcome = supervise(world, child, launch.log, stops).await;
            registered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&launch.task);
            // The engine waits for it, unless the environment is ending.
            let _ = exited.send(outcome);
        });
        Ok(Running { started, exit })
    }

    pub(super) fn stop(&self, task: &str, timeout: Duration) {
        if let Some(child) = self.lock().get(task) {
            // A task that has just ended needs no stop.
            let _ = child.stop.send(timeout);
        }
    }

    /// Runs a command beside the task's program: in its image, with its environment.
    pub(super) async fn check(&self, task: &str, command: &[String], timeout: Duration) -> bool {
        let beside = self
            .lock()
            .get(task)
            .map(|child| child.program.beside(command));
        let program = match beside {
            Some(Ok(program)) => program,
            Some(Err(why)) => {
                tracing::debug!(task, why, "health check");
                return false;
            }
            None => return false,
        };
        let mut command = self.command(&program);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = self.spawn(command).await else {
            return false;
        };
        let pid = child.id();
        match tokio::time::timeout(timeout, child.wait()).await {
            Ok(ended) => ended.is_ok_and(|status| status.success()),
            Err(_) => {
                signal_group(pid, Signal::KILL);
                false
            }
        }
    }

    fn command(&self, program: &program::Program) -> Command {
        let mut command = Command::new(&self.launcher[0]);
        let parent = OsString::from(std::process::id().to_string());
        command
            .args(&self.launcher[1..])
            .args(launcher::arguments(
                &parent,
                &program.path,
                &program.arguments,
            ))
            .env_clear()
            .envs(
                program
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(&program.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    async fn spawn(&self, command: Command) -> Spawned {
        let gone = || io::Error::other("the environment is ending");
        let (reply, spawned) = oneshot::channel();
        self.spawner.send((command, reply)).map_err(|_| gone())?;
        spawned.await.map_err(|_| gone())?
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Supervised>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lives with the child: reads its output, stops it when told, and tells how it ended.
async fn supervise(
    world: Arc<World>,
    mut child: Child,
    log: Option<LogTarget>,
    mut stops: async_mpsc::UnboundedReceiver<Duration>,
) -> Exit {
    let pid = child.id();
    let output = child
        .stdout
        .take()
        .map(|output| tokio::spawn(lines::copy(Arc::clone(&world), log.clone(), output)));
    let errors = child
        .stderr
        .take()
        .map(|errors| tokio::spawn(lines::copy(world, log, errors)));
    let status = tokio::select! {
        status = child.wait() => status,
        Some(timeout) = stops.recv() => end(&mut child, pid, timeout).await,
    };
    // What the program started and left behind ends with it.
    signal_group(pid, Signal::KILL);
    for reader in [output, errors].into_iter().flatten() {
        let abort = reader.abort_handle();
        if tokio::time::timeout(LAST_LINES, reader).await.is_err() {
            abort.abort();
        }
    }
    match status {
        Ok(status) => exit(status),
        Err(error) => Exit {
            code: None,
            reason: Some(error.to_string()),
        },
    }
}

async fn end(child: &mut Child, pid: Option<u32>, timeout: Duration) -> io::Result<ExitStatus> {
    // Not yet waited for, so the process id is still this child's.
    if let Some(pid) = raw(pid)
        && let Err(error) = kill_process(pid, Signal::TERM)
    {
        tracing::debug!(%error, "SIGTERM");
    }
    if let Ok(status) = tokio::time::timeout(timeout, child.wait()).await {
        return status;
    }
    signal_group(pid, Signal::KILL);
    child.wait().await
}

/// Exit codes as a shell tells them: 128 and the signal's number for a killed process.
fn exit(status: ExitStatus) -> Exit {
    Exit {
        code: status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal)),
        reason: None,
    }
}

fn signal_group(pid: Option<u32>, signal: Signal) {
    if let Some(pid) = raw(pid) {
        // No such group: everything in it has ended.
        let _ = kill_process_group(pid, signal);
    }
}

fn raw(pid: Option<u32>) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid?).ok()?)
}

/// When the process started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name, may hold spaces and brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// Ends what a former life left running, if it is still the very same process.
pub(crate) fn end_leftovers(processes: &[Process]) {
    for process in processes {
        if start_time(process.pid) == Some(process.started) {
            tracing::warn!(
                pid = process.pid,
                "a task of a former life still ran: killed"
            );
            signal_group(Some(process.pid), Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let code = |raw: i32| exit(ExitStatus::from_raw(raw)).code;
        assert_eq!(code(0), Some(0));
        assert_eq!(code(3 << 8), Some(3));
        assert_eq!(code(9), Some(137));
        assert_eq!(code(15), Some(143));
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = start_time(std::process::id());
        assert!(own.is_some());
        assert_eq!(own, start_time(std::process::id()));
        assert_eq!(start_time(u32::MAX), None);
    }
}
