//! How a command ended, in a number that scripts depend on.

use std::process::ExitCode;

use crate::interrupt::Signal;

/// Exit codes: an interface, described in docs/reference/exit-codes.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// A fault of this program or this machine.
    Internal = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// `plan --detailed-exitcode`: a rollout would change something.
    PlanChanges = 3,
    /// Something was not right beforehand; nothing was changed.
    Preflight = 4,
    /// The image was not built.
    Build = 5,
    /// The image was not published.
    Publish = 6,
    /// The release failed and was not rolled back.
    RolloutFailed = 7,
    /// The release failed and the service returned to what it ran before.
    RolledBack = 8,
    /// Somebody else's deployment took the release's place.
    Superseded = 9,
    /// Time ran out, or the answer is not known.
    Unknown = 10,
    /// Another deployment is under way.
    InFlight = 11,
    /// The endpoint does not answer as an MCP server should.
    Smoke = 12,
    /// No or wrong credentials, or another account.
    Credentials = 13,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: [Self; 16] = [
        Self::Done,
        Self::Internal,
        Self::Usage,
        Self::PlanChanges,
        Self::Preflight,
        Self::Build,
        Self::Publish,
        Self::RolloutFailed,
        Self::RolledBack,
        Self::Superseded,
        Self::Unknown,
        Self::InFlight,
        Self::Smoke,
        Self::Credentials,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What it says to an operator, as the reference has it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Internal => "a fault of the program or of this machine",
            Self::Usage => "wrong usage or configuration",
            Self::PlanChanges => "`plan --detailed-exitcode`: a rollout would change something",
            Self::Preflight => {
                "something was not right beforehand, or AWS refused to begin; the service was not changed"
            }
            Self::Build => "the image was not built",
            Self::Publish => "the image was not published",
            Self::RolloutFailed => "the release failed and was not rolled back",
            Self::RolledBack => "the release failed and the service returned to what it ran before",
            Self::Superseded => "somebody else's deployment took the release's place",
            Self::Unknown => "time ran out, or the answer is not known",
            Self::InFlight => "another deployment is under way",
            Self::Smoke => {
                "the service runs the release, but the endpoint does not answer as an MCP server should"
            }
            Self::Credentials => "no, expired or foreign credentials",
            Self::Interrupted => {
                "stopped by Ctrl-C; ECS goes on with what it was told, unless `--on-interrupt rollback`"
            }
            Self::Terminated => "stopped by SIGTERM; otherwise as 130",
        }
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Interrupt => Self::Interrupted,
            Signal::Terminate => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
