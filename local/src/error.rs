use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why the local environment could not start, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process holds the lock of the state folder.
    #[error(
        "a local environment already runs on {}: use it, stop it, or choose another state folder",
        .0.display()
    )]
    AlreadyRunning(PathBuf),
    /// A port was asked for by number and is taken.
    #[error(
        "port {} of {} is in use, so the {listener} cannot listen there: stop what uses it, or choose another port with `local up --port` or QUILT_MCP_LOCAL_PORT (0 takes any free one)",
        .address.port(), .address.ip()
    )]
    PortInUse {
        /// What wanted to listen.
        listener: &'static str,
        /// The address that is taken.
        address: SocketAddr,
    },
    /// A listener could not be opened for another reason than a port in use.
    #[error("the {listener} cannot listen on {address}: {source}")]
    Listen {
        /// What wanted to listen.
        listener: &'static str,
        /// The address that was asked for.
        address: SocketAddr,
        /// The reason.
        source: io::Error,
    },
    /// The state folder, or something in it, could not be read or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    State {
        /// What was tried, for example `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file of the state folder does not hold what this version writes.
    #[error("{} is not a state that this version can read ({reason}): remove {} to start afresh", .path.display(), .folder.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The state folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `RuntimeKind::Docker` was asked for and no engine answers.
    #[error(
        "no Docker engine answers ({0}): start one, set DOCKER_HOST, or use the process runtime"
    )]
    Docker(String),
    /// The process runtime was asked for without a launcher.
    #[error("the process runtime needs a launcher: the command that calls exec_task")]
    NoLauncher,
    /// A part of the environment ended although nobody stopped it.
    #[error("the {part} ended: {reason}")]
    Ended {
        /// Which part.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

impl Error {
    pub(crate) fn state(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::State {
            action,
            path,
            source,
        }
    }
}
