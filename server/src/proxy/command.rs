//! A command of the shell, which ends with all that it started when nobody waits for it.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};

/// How much of what a command prints is read, in bytes; the pipe is closed then.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// Why a command printed nothing of use.
#[derive(Debug)]
pub(super) enum CommandFailure {
    /// It cannot be run.
    Io(io::Error),
    /// It says that it failed.
    Status(ExitStatus),
    /// The time for it is over.
    Limit,
}

impl From<io::Error> for CommandFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What the command prints on its standard output, unless `limit` comes first.
pub(super) async fn run(
    command: &str,
    limit: impl Future<Output = ()>,
) -> Result<String, CommandFailure> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    let running = async {
        let mut printed = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(OUTPUT_LIMIT).read_to_end(&mut printed).await?;
        }
        io::Result::Ok((child.wait().await?, printed))
    };
    let (status, printed) = tokio::select! {
        ended = running => ended?,
        () = limit => return Err(CommandFailure::Limit),
    };
    group.leave_alone();
    if !status.success() {
        return Err(CommandFailure::Status(status));
    }
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// The command and whatever it started; killed when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// What runs on in the background was meant to.
    fn leave_alone(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // No such group: everything in it has ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    /// The process that a command has noted in a file, once it has.
    async fn noted(path: &Path) -> Pid {
        loop {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if let Some(pid) = text.strip_suffix('\n').and_then(|pid| pid.parse().ok()) {
                return Pid::from_raw(pid).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether it runs; one that has ended and that nobody has asked about yet does not.
    fn runs(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn what_it_started_is_killed_when_the_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let command = format!("sleep 3000 & echo $! > {}; wait", file.display());
        let limit = async {
            noted(&file).await;
        };
        let ended = run(&command, limit).await;
        assert!(matches!(ended, Err(CommandFailure::Limit)), "{ended:?}");
        let pid = noted(&file).await;
        let ends = async {
            while runs(pid) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(30), ends).await;
        assert!(waited.is_ok(), "{pid:?} runs on");
    }

    #[tokio::test]
    async fn what_it_prints_comes_back_with_an_end() {
        let never = std::future::pending;
        assert_eq!(run("echo a; echo b", never()).await.unwrap(), "a\nb\n");
        let failed = run("echo a; exit 3", never()).await;
        assert!(
            matches!(&failed, Err(CommandFailure::Status(status)) if status.code() == Some(3)),
            "{failed:?}"
        );
        let endless = run("yes", never()).await;
        assert!(endless.is_err(), "its pipe is closed");
    }
}
