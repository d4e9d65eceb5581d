//! What happens, as events; and who shows them. The stages know [`Event`] and
//! [`Reporter`] only: nothing but a reporter writes to the terminal.

mod human;
pub mod table;

use std::time::Duration;

use serde::Serialize;

pub use human::HumanReporter;

/// A stage of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Starting the local environment.
    Local,
    /// Building the image.
    Build,
    /// Pushing it to the environment's repository.
    Publish,
    /// Moving the service to it.
    Rollout,
    /// Using the result as an MCP client would.
    Smoke,
}

impl Stage {
    /// Its name, as in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Build => "build",
            Self::Publish => "publish",
            Self::Rollout => "rollout",
            Self::Smoke => "smoke",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A stage began.
    StageStarted {
        /// Which.
        stage: Stage,
    },
    /// A stage ended well.
    StageFinished {
        /// Which.
        stage: Stage,
        /// How long it took.
        elapsed: Duration,
        /// Its result in a few words.
        outcome: String,
    },
    /// A stage got on.
    Progress {
        /// Which.
        stage: Stage,
        /// What it is doing.
        message: String,
    },
    /// The counts or the state of our deployment changed.
    Deployment {
        /// Tasks that run.
        running: i32,
        /// Tasks that start.
        pending: i32,
        /// Tasks that should run.
        desired: i32,
        /// Tasks that failed.
        failed: i32,
        /// ECS's rollout state.
        rollout: String,
    },
    /// A task of our deployment changed its status.
    Task {
        /// Its id.
        id: String,
        /// Its status.
        status: String,
        /// Why it stopped, if it did.
        reason: Option<String>,
    },
    /// A target of our deployment changed its state.
    Target {
        /// Its address and port.
        address: String,
        /// Its state.
        state: String,
        /// The reason code.
        reason: Option<String>,
    },
    /// ECS wrote a service event.
    ServiceEvent {
        /// Its text.
        message: String,
    },
    /// What success still lacks changed.
    Waiting {
        /// What is lacking.
        waiting_for: String,
    },
    /// Something an operator should know.
    Warning {
        /// What.
        message: String,
    },
}

/// Shows events.
pub trait Reporter: Send + Sync {
    /// Shows one event.
    fn event(&self, event: Event);

    /// A stage got on.
    fn progress(&self, stage: Stage, message: String) {
        self.event(Event::Progress { stage, message });
    }

    /// Something an operator should know.
    fn warn(&self, message: impl Into<String>)
    where
        Self: Sized,
    {
        self.event(Event::Warning {
            message: message.into(),
        });
    }
}
