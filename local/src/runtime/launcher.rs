//! The step between this process and the image's program: it ties the program's life to the
//! environment's, so that not even a SIGKILL of the environment leaves an orphan.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Becomes the image's program. `args` are what the environment appended to
/// [`Options::launcher`](crate::Options): its own process id, the program, the program's arguments.
///
/// Returns only if that fails.
#[must_use]
pub fn exec_task(args: &[OsString]) -> io::Error {
    let [parent, program, arguments @ ..] = args else {
        return io::Error::new(
            io::ErrorKind::InvalidInput,
            "the launcher expects the process id of the environment and a program",
        );
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    // The environment may have ended before the signal was armed.
    let expected = parent.to_str().and_then(|parent| parent.parse().ok());
    if expected.is_none() || expected != getppid().map(Pid::as_raw_pid) {
        return io::Error::other("the environment that started this task is gone");
    }
    Command::new(program).args(arguments).exec()
}

/// The arguments that [`exec_task`] expects.
pub(super) fn arguments<'a>(
    parent: &'a OsStr,
    program: &'a Path,
    arguments: &'a [String],
) -> impl Iterator<Item = &'a OsStr> {
    [parent, program.as_os_str()]
        .into_iter()
        .chain(arguments.iter().map(OsStr::new))
}
