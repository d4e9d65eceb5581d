//! What a builder tells while it works.

use std::path::PathBuf;

use serde::Serialize;

use super::digest::Digest;

/// One step of a build; builders report, whoever called them shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum BuildProgress {
    /// The compiler starts.
    Compiling {
        /// The target triple.
        target: String,
        /// The C compiler, where it says its name.
        c_compiler: Option<String>,
    },
    /// A step of a Dockerfile starts.
    Step {
        /// Its number, from 1.
        current: u32,
        /// How many there are.
        total: u32,
        /// What it does, as the engine writes it.
        instruction: String,
    },
    /// A line that the build tool wrote for people: a warning, a download, a wait for a lock.
    Message {
        /// The line, without colours.
        line: String,
    },
    /// Something that the operator should know once the build is over, too.
    Warning {
        /// What it is.
        message: String,
    },
    /// One more crate is ready.
    Compiled {
        /// The crate's name.
        name: String,
        /// How many are ready by now.
        ready: usize,
        /// Whether it was ready before the build, from an earlier one.
        fresh: bool,
    },
    /// The server's binary is there and has been checked.
    BinaryReady {
        /// Where it is.
        path: PathBuf,
        /// Its size in bytes.
        bytes: u64,
    },
    /// The image is complete.
    ImageReady {
        /// The image's digest.
        digest: Digest,
        /// What a registry will hold of it, in bytes.
        bytes: u64,
    },
}
