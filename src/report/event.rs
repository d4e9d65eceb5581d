//! What can happen, and the envelope that it travels in.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The version of the event stream; it grows when a field changes its meaning or goes.
pub const STREAM_VERSION: u32 = 1;

/// An event with its place in the stream and in time: a line of `--output ndjson`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// The version of the stream.
    pub version: u32,
    /// Its place in the stream: 1, 2, 3 …
    pub sequence: u64,
    /// When it happened, by this machine's clock (RFC 3339, UTC).
    pub at: Timestamp,
    /// Seconds since the command started, by a clock that is never set back.
    #[serde(rename = "elapsed_seconds", serialize_with = "seconds")]
    #[schemars(with = "f64", rename = "elapsed_seconds")]
    pub elapsed: Duration,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A stage of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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

/// How a check of an environment came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It is as it must be.
    Ok,
    /// It works, but should be looked at.
    Warning,
    /// It is not as it must be.
    Failed,
    /// It could not be found out, which is not a pass.
    Unknown,
    /// It does not concern this environment.
    Skipped,
}

impl CheckOutcome {
    /// Its name, as in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// A check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it came out.
    pub outcome: CheckOutcome,
    /// What was seen.
    pub detail: String,
    /// What to do about it, where something is to be done.
    pub remedy: Option<String>,
}

/// What is being released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Release {
    /// The environment.
    pub environment: String,
    /// The ECS service.
    pub service: String,
    /// Our deployment's id, `ecs-svc/…`.
    pub deployment: String,
    /// The release revision's ARN.
    pub revision: String,
    /// The ARN of the revision that ran before, if one ran.
    pub previous_revision: Option<String>,
    /// The image by digest.
    pub image: Option<String>,
    /// The commit that the image was built from, where known.
    pub commit: Option<String>,
}

/// Tasks that stopped the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoppedGroup {
    /// How many.
    pub count: usize,
    /// ECS's code.
    pub stop_code: String,
    /// ECS's words.
    pub reason: String,
    /// The container's exit code.
    pub exit_code: Option<i32>,
    /// The container's own reason, where it adds something.
    pub container_reason: Option<String>,
    /// What it usually means and what to look at.
    pub hint: Option<String>,
    /// The last lines that one of them wrote.
    pub log: Vec<String>,
}

impl StoppedGroup {
    /// How many stopped and how, in a few words.
    pub fn headline(&self) -> String {
        let tasks = if self.count == 1 { "task" } else { "tasks" };
        let exit = self
            .exit_code
            .map(|code| format!(", exit code {code}"))
            .unwrap_or_default();
        format!("{} {tasks} stopped: {}{exit}", self.count, self.stop_code)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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
        /// How long it took, in seconds.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        #[schemars(with = "f64", rename = "seconds")]
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
    /// The service is being moved: what the following events are about.
    RolloutStarted(Release),
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
    /// The ECS service deployment changed (the newer API, with life-cycle stages and the breaker).
    ServiceDeployment {
        /// `PENDING`, `IN_PROGRESS`, `SUCCESSFUL`, `STOPPED`, `ROLLBACK_IN_PROGRESS` and so on.
        status: String,
        /// `SCALE_UP`, `PRODUCTION_TRAFFIC_SHIFT`, `BAKE_TIME` and so on, while one is known.
        lifecycle_stage: Option<String>,
        /// ECS's reason for the status.
        reason: Option<String>,
        /// How many failures the circuit breaker has counted.
        failures: Option<i32>,
        /// At how many it triggers, as ECS reports it.
        threshold: Option<i32>,
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
    /// The service is being returned to what it ran before.
    RollbackStarted {
        /// The revision's ARN.
        to: String,
        /// Why.
        reason: String,
    },
    /// A deployment that is not ours came up on the service.
    OtherDeployment {
        /// Its id.
        id: String,
        /// Its revision's ARN.
        revision: String,
    },
    /// Part of a diagnosis: tasks of our deployment that stopped the same way.
    Stopped(StoppedGroup),
    /// What became of the rollout.
    Verdict {
        /// `succeeded`, `failed`, `rolled_back`, `superseded`, `stopped` or `unknown`.
        verdict: String,
        /// The exit code that goes with it.
        exit_code: u8,
        /// One sentence for people.
        explanation: String,
    },
    /// A check of the environment was made.
    Check(Check),
    /// A line of a task's log.
    LogLine {
        /// The task's id.
        task: String,
        /// When the task wrote it.
        at: Option<Timestamp>,
        /// The line as it was written.
        message: String,
    },
    /// Something an operator should know.
    Warning {
        /// What.
        message: String,
    },
    /// What explains a result, or is left for an operator to do.
    Note {
        /// What.
        message: String,
    },
    /// What a command that goes on looking sees now; the next one takes its place.
    Snapshot {
        /// The object that `--output json` prints without `--watch`.
        result: Value,
    },
    /// The command ended: always the last event.
    Result {
        /// The exit code.
        exit_code: u8,
        /// The object that `--output json` prints, where the command got so far.
        result: Option<Value>,
        /// What went wrong, where something did.
        error: Option<ErrorReport>,
    },
}

/// What went wrong, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorReport {
    /// The exit code, as in docs/output.md.
    pub exit_code: u8,
    /// What happened, to what, and why.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The place in a file, drawn for people.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Milliseconds are enough for people and keep the lines short.
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
