//! Errors as an operator meets them: what happened, what to do next, and the exit code.

use std::io::Write as _;

use super::Exit;
use crate::aws::{AwsError, GuardError};
use crate::config::{ConfigError, LocalEnvironmentError, LockError};
use crate::history::HistoryError;
use crate::image::LayoutError;
use crate::image::SourceError;
use crate::image::check::CheckError;
use crate::image::{BuildError, DockerBuildError};
use crate::logs::SourceError as LogSourceError;
use crate::plan::PlanError;
use crate::registry::{CopyError, PushError, ScanError};
use crate::release::ReleaseError;
use crate::report::lines::told;
use crate::report::style::Style;
use crate::report::{ErrorReport, ReportError};
use crate::rollout::RolloutError;
use crate::rollout::preflight::PreflightError;
use crate::smoke::SmokeError;
use crate::stack::StackError;
use crate::status::StatusError;
use miette::{GraphicalReportHandler, GraphicalTheme};

/// Why a command ended without its result.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    message: String,
    /// The place in a file, drawn.
    excerpt: Option<String>,
    hint: Option<String>,
}

impl Failure {
    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A failure with this exit code and message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            excerpt: None,
            hint: None,
        }
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what was done before.
    pub fn after(mut self, done: &str) -> Self {
        self.message = format!("{done}, then {}", self.message);
        self
    }

    fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// A failed AWS call in a stage whose failures end with `exit`.
    pub fn aws(exit: Exit, error: &AwsError) -> Self {
        let exit = if error.is_credentials() {
            Exit::Credentials
        } else {
            exit
        };
        Self::new(exit, error.to_string()).maybe_hint(error.hint())
    }

    /// The state folder cannot be used.
    pub fn state_folder(message: impl Into<String>) -> Self {
        Self::new(Exit::Internal, message).hint(
            "make the folder writable and free some space, or set QUILT_MCP_STATE_DIR to another one",
        )
    }

    /// What a report shows of it.
    pub fn into_report(self) -> ErrorReport {
        ErrorReport {
            exit_code: self.exit as u8,
            message: self.message,
            hint: self.hint,
            excerpt: self.excerpt,
        }
    }

    /// Shows it on stderr where there is no report to do so, and gives its exit code.
    ///
    /// Where nobody listens or there is no room, the exit code still says it.
    pub fn show_plain(self) -> Exit {
        let exit = self.exit;
        let _ = writeln!(
            std::io::stderr(),
            "{}",
            told(&self.into_report(), Style::default())
        );
        exit
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Self::new(Exit::Internal, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let hint = miette::Diagnostic::help(&error).map(|help| help.to_string());
        let excerpt = place_in_file(&error);
        Self {
            hint: hint.filter(|_| excerpt.is_none()),
            excerpt,
            ..Self::new(Exit::Usage, error.to_string())
        }
    }
}

/// The place in the file, drawn: what miette draws without the message that it starts with.
fn place_in_file(error: &ConfigError) -> Option<String> {
    if !matches!(error, ConfigError::Invalid { .. }) {
        return None;
    }
    let mut drawn = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(80)
        .render_report(&mut drawn, error)
        .ok()?;
    let place = drawn
        .lines()
        .skip_while(|line| !line.trim_start().starts_with('╭'));
    Some(place.collect::<Vec<_>>().join("\n"))
}

impl From<LocalEnvironmentError> for Failure {
    fn from(error: LocalEnvironmentError) -> Self {
        Self::new(Exit::Preflight, error.to_string())
            .hint("`quilt-mcp-deploy local up` starts it, and `quilt-mcp-deploy deploy` does so by itself")
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::new(Exit::InFlight, error.to_string())
                .hint("nothing was changed; wait until it ends, then run the same command again"),
            LockError::Unwritable { .. } => Self::state_folder(error.to_string()),
        }
    }
}

impl From<quilt_mcp_local::Error> for Failure {
    fn from(error: quilt_mcp_local::Error) -> Self {
        match error {
            quilt_mcp_local::Error::State { .. } => Self::state_folder(error.to_string()),
            _ => Self::new(Exit::Preflight, error.to_string()),
        }
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        match &error {
            GuardError::WrongAccount { .. } => Self::new(Exit::Credentials, error.to_string())
                .hint("nothing was changed; choose the environment's profile, or correct account_id in quilt-mcp.toml"),
            GuardError::Aws(aws) => Self::aws(Exit::Preflight, aws),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        Self::new(Exit::Build, error.to_string())
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(Exit::Build, error.to_string())
    }
}

impl From<DockerBuildError> for Failure {
    fn from(error: DockerBuildError) -> Self {
        Self::new(Exit::Build, error.to_string())
    }
}

/// An image that was built elsewhere; what goes wrong with a layout of our own builders is a
/// [`BuildError`] or a [`DockerBuildError`].
impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Self {
        Self::new(Exit::Publish, error.to_string()).hint(
            "give --image-layout the folder of a linux/amd64 image in OCI image layout, as `build` leaves one; nothing was published",
        )
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        Self::new(Exit::Publish, error.to_string())
    }
}

impl From<PushError> for Failure {
    fn from(error: PushError) -> Self {
        Self::new(Exit::Publish, error.to_string())
    }
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        Self::new(Exit::Publish, error.to_string())
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        match &error {
            ScanError::Aws(error) => Self::aws(Exit::Publish, error),
            ScanError::NoResult { remedy, .. } => Self::new(Exit::Publish, error.to_string()).hint(
                format!("the image is published under its tag, but was not rolled out; {remedy}"),
            ),
        }
    }
}

impl From<PreflightError> for Failure {
    fn from(error: PreflightError) -> Self {
        let exit = match &error {
            PreflightError::Aws(aws) => return Self::aws(Exit::Preflight, aws),
            PreflightError::InFlight { .. } => Exit::InFlight,
            _ => Exit::Preflight,
        };
        Self::new(exit, error.to_string()).maybe_hint(error.hint())
    }
}

impl From<ReleaseError> for Failure {
    fn from(error: ReleaseError) -> Self {
        match &error {
            ReleaseError::Aws(aws) => Self::aws(Exit::Preflight, aws),
            ReleaseError::Compose(_) => Self::new(Exit::Preflight, error.to_string())
                .hint("set container in quilt-mcp.toml to the container that runs the server"),
            ReleaseError::Unregistered(_) => Self::new(Exit::Unknown, error.to_string())
                .hint("the service was not touched; running the same command again is safe: it takes the revision if it is there"),
            ReleaseError::Answer { .. } => Self::new(Exit::Unknown, error.to_string()),
        }
    }
}

impl From<RolloutError> for Failure {
    fn from(error: RolloutError) -> Self {
        match error {
            RolloutError::Preflight(error) => error.into(),
            RolloutError::Release(error) => (*error).into(),
            RolloutError::Update(aws) | RolloutError::Stop(aws) => {
                Self::aws(Exit::Preflight, &aws)
            }
            RolloutError::Stack(error) => error.into(),
            RolloutError::NoDeployment { .. } => Self::new(Exit::Preflight, error.to_string())
                .hint("`quilt-mcp-deploy status` shows the service's deployments"),
            RolloutError::NoRevision { .. } | RolloutError::Template { .. } => {
                Self::new(Exit::Preflight, error.to_string())
                    .hint("nothing was changed; `quilt-mcp-deploy history` lists the releases")
            }
            RolloutError::UpdateUnknown { .. } => {
                Self::new(Exit::Unknown, error.to_string())
                    .hint("look with `quilt-mcp-deploy status`; running the same command again is safe: it attaches to the deployment if there is one")
            }
        }
    }
}

impl From<StackError> for Failure {
    fn from(error: StackError) -> Self {
        let exit = match &error {
            StackError::Aws(aws) => return Self::aws(Exit::Preflight, aws),
            StackError::NotFound { .. }
            | StackError::NotUpdatable { .. }
            | StackError::NotStoppable { .. }
            | StackError::NoParameter { .. }
            | StackError::NotItsService { .. }
            | StackError::NoDigest { .. } => Exit::Preflight,
            StackError::InProgress { .. } => Exit::InFlight,
            StackError::UpdateFailed { status, .. } if status.has_returned() => Exit::RolledBack,
            StackError::UpdateFailed { .. } | StackError::NoRevision { .. } => Exit::RolloutFailed,
            StackError::NotMoved { .. } => Exit::Superseded,
            StackError::Unknown { .. } => Exit::Unknown,
            StackError::Left { signal, .. } => signal.map_or(Exit::Interrupted, Exit::from),
        };
        Self::new(exit, error.to_string()).maybe_hint(error.hint())
    }
}

impl From<SmokeError> for Failure {
    fn from(error: SmokeError) -> Self {
        Self::new(Exit::Smoke, error.to_string()).hint(error.problem.remedy())
    }
}

impl From<StatusError> for Failure {
    fn from(error: StatusError) -> Self {
        match error {
            StatusError::Service(error) => error.into(),
            StatusError::Release(error) => error.into(),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Service(error) => error.into(),
            PlanError::Release(error) => error.into(),
            PlanError::Stack(error) => error.into(),
        }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Service(error) => error.into(),
            HistoryError::Aws(error) => Self::aws(Exit::Preflight, &error),
            HistoryError::Release(error) => error.into(),
        }
    }
}

impl From<LogSourceError> for Failure {
    fn from(error: LogSourceError) -> Self {
        Self::new(Exit::Preflight, error.to_string())
            .hint("set logDriver, awslogs-group and awslogs-stream-prefix in the task definition, or look where its lines go")
    }
}
