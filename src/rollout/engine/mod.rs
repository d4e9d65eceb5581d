//! What every story of a deployment is told with: the clients, the one UpdateService, the
//! watching. The stories themselves are [`release`](mod@super::release),
//! [`rollback`](super::rollback) and [`attach`](super::attach).

mod health_checks;
mod pace;
mod stop;
mod update;
mod watch;

pub(super) use self::pace::Pace;
pub(super) use self::stop::Stop;
pub(super) use self::update::Update;
pub(super) use self::watch::Watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::preflight::PreflightError;
use crate::aws::{AwsError, Clients};
use crate::config::Environment;
use crate::interrupt::Interrupt;
use crate::release::ReleaseError;
use crate::report::{Event, Reporter};
use crate::stack::StackError;

/// One environment, and who is told what happens in it.
pub struct Engine<'a> {
    /// The AWS clients.
    pub clients: &'a Clients,
    /// The environment.
    pub environment: &'a Environment,
    /// Who shows what happens.
    pub reporter: &'a dyn Reporter,
    /// Whether the operator wants to go.
    pub interrupt: &'a Interrupt,
    blindness_told: Arc<AtomicBool>,
}

impl<'a> Engine<'a> {
    /// An engine for this environment.
    pub fn new(
        clients: &'a Clients,
        environment: &'a Environment,
        reporter: &'a dyn Reporter,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            clients,
            environment,
            reporter,
            interrupt,
            blindness_told: Arc::default(),
        }
    }

    /// The same, heeding `interrupt`: what answers a signal must not be ended by that signal.
    pub(super) fn heeding<'b>(&self, interrupt: &'b Interrupt) -> Engine<'b>
    where
        'a: 'b,
    {
        Engine {
            interrupt,
            blindness_told: self.blindness_told.clone(),
            ..*self
        }
    }

    /// Tells, once, that the caller may not see service deployments.
    pub(super) fn tell_blindness(&self) {
        if !self.blindness_told.swap(true, Ordering::Relaxed) {
            self.warn(
                "this caller cannot see ECS's service deployments (ecs:ListServiceDeployments, \
                 ecs:DescribeServiceDeployments, ecs:DescribeServiceRevisions): a rollback is \
                 recognised by the service's deployments only"
                    .into(),
            );
        }
    }

    pub(super) fn warn(&self, message: String) {
        self.reporter.event(Event::Warning { message });
    }
}

/// Why a deployment could not be begun, or not be found.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Something was not right beforehand.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// There is no release revision.
    #[error(transparent)]
    Release(Box<ReleaseError>),
    /// UpdateService was refused.
    #[error(transparent)]
    Update(AwsError),
    /// UpdateService's answer was lost and the service does not show whether it was heard.
    #[error("{reason}; the service shows no deployment of {revision}, but it may still appear")]
    UpdateUnknown {
        /// What became of the call.
        reason: String,
        /// The revision that it asked for.
        revision: String,
    },
    /// There is no deployment to attach to.
    #[error("service {service} has no {what}")]
    NoDeployment {
        /// The service.
        service: String,
        /// What was looked for.
        what: String,
    },
    /// The operator names a revision that ECS does not have.
    #[error("there is no revision {name} to return to: {}", reason.message)]
    NoRevision {
        /// What was looked for.
        name: String,
        /// What ECS said.
        reason: Box<AwsError>,
    },
    /// The operator names a revision that is no release.
    #[error(
        "{name} is a template, which releases are made from: the image that it names need not exist"
    )]
    Template {
        /// The revision.
        name: String,
    },
    /// The stack stands in the way, or its update ended early.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The deployment cannot be stopped.
    #[error(transparent)]
    Stop(AwsError),
}

impl From<ReleaseError> for RolloutError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}
