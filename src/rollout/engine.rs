//! The engine: update the service once, watch it to a verdict, undo it where asked.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use serde::Serialize;

use super::changes::changes;
use super::logs::LogTail;
use super::observation::Service;
use super::observe::Observer;
use super::preflight::{PreflightError, Snapshot};
use super::{Decision, Diagnosis, Evidence, History, Plan, Verdict, decide};
use crate::arn::last_part;
use crate::aws::{AwsError, Clients};
use crate::config::{Environment, is_loopback};
use crate::release::{ReleaseError, ReleaseTags, Revision, find_or_register, newest_template};
use crate::report::{Event, Reporter};

/// What to do when a release cannot succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnFailure {
    /// Return the service to the revision that ran before.
    Rollback,
    /// Leave it to ECS and to people.
    Leave,
}

/// The image to release.
#[derive(Debug, Clone)]
pub struct ReleaseImage {
    /// `registry/repository@digest`.
    pub reference: String,
    /// The digest.
    pub digest: String,
    /// What the revision's tags say of it.
    pub tags: ReleaseTags,
}

/// How a rollout is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What to do on failure; the service's own circuit breaker decides when absent.
    pub on_failure: Option<OnFailure>,
    /// Whether to watch to the verdict.
    pub wait: bool,
    /// How long success must hold.
    pub bake: Duration,
    /// How long to wait for a verdict.
    pub timeout: Duration,
}

/// What became of a rollout.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The release revision.
    pub revision: Revision,
    /// Our deployment's id.
    pub deployment: String,
    /// Whether this run started the deployment; false when it was there already.
    pub started: bool,
    /// The verdict; absent when nobody waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
}

impl Outcome {
    /// Whether there was nothing to do: the service ran this release, healthy, before we came.
    pub fn is_nothing_to_do(&self) -> bool {
        !self.started && self.verdict == Some(Verdict::Succeeded)
    }
}

/// Why a rollout could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Something was not right beforehand.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// There is no release revision.
    #[error(transparent)]
    Release(#[from] ReleaseError),
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
}

/// A rollout in one environment.
pub struct Rollout<'a> {
    /// The AWS clients.
    pub clients: &'a Clients,
    /// The environment.
    pub environment: &'a Environment,
    /// Who shows what happens.
    pub reporter: &'a dyn Reporter,
    /// How it is to be done.
    pub options: Options,
}

impl Rollout<'_> {
    /// Releases `image`: registers the revision if it differs, updates the service if it
    /// differs, watches to the verdict, and returns to the last good revision where that is asked.
    ///
    /// # Errors
    /// [`RolloutError`] when the release could not be begun; how it went is in the [`Outcome`].
    pub async fn run(&self, image: &ReleaseImage) -> Result<Outcome, RolloutError> {
        let before = Snapshot::take(self.clients, self.environment).await?;
        let template = newest_template(self.clients, &before.task_definition).await?;
        if !template.tagged {
            self.warn(format!(
                "no revision of the family is tagged ManagedBy=terraform; the release is based on {}, which the service runs",
                template.described.document.arn()
            ));
        }
        let expected = template
            .newest_release
            .as_ref()
            .map(|release| release.document.arn());
        before.refuse_in_flight(expected.unwrap_or_default())?;
        let revision = find_or_register(
            self.clients,
            &template,
            &self.environment.container,
            &image.reference,
            &image.tags,
            &self.environment.tags,
        )
        .await?;
        before.refuse_in_flight(&revision.arn)?;

        let (deployment, started) = match running_deployment(&before, &revision.arn) {
            Some(deployment) => (deployment, false),
            None => (self.update(&revision.arn, &before).await?, true),
        };
        let plan = Plan {
            deployment: deployment.clone(),
            revision: revision.arn.clone(),
            previous_revision: before
                .last_good_revision()
                .filter(|good| *good != revision.arn)
                .map(str::to_owned),
            container: self.environment.container.clone(),
            digest: Some(image.digest.clone()),
            bake: if started {
                self.options.bake
            } else {
                Duration::ZERO
            },
            timeout: self.options.timeout,
            fail_fast: self.on_failure(&before) == OnFailure::Rollback || !before.rolls_back,
        };
        let mut outcome = Outcome {
            revision,
            deployment,
            started,
            verdict: None,
            diagnosis: None,
        };
        if self.options.wait {
            let (verdict, diagnosis) = self.watch(&plan, &before, Some(&outcome.revision)).await;
            let (verdict, diagnosis) = self.undo_if_asked(verdict, diagnosis, &plan, &before).await;
            outcome.verdict = Some(verdict);
            outcome.diagnosis = diagnosis;
        }
        Ok(outcome)
    }

    /// Sends UpdateService once; answers the id of the deployment that it started.
    async fn update(&self, revision: &str, before: &Snapshot) -> Result<String, RolloutError> {
        let first_release = before.service.desired == 0;
        let answer = self
            .clients
            .ecs
            .update_service()
            .cluster(&self.environment.cluster)
            .service(&self.environment.service)
            .task_definition(revision)
            .set_desired_count(first_release.then_some(self.environment.desired_count))
            .set_force_new_deployment((before.task_definition == revision).then_some(true))
            .customize()
            // UpdateService has no client token: a retry could start a second deployment.
            .config_override(
                aws_sdk_ecs::config::Builder::default().retry_config(RetryConfig::disabled()),
            )
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let service = answer.service().map(super::observe::service_view);
                let primary = service.as_ref().and_then(Service::primary);
                match primary.filter(|primary| primary.task_definition == revision) {
                    Some(primary) => Ok(primary.id.clone()),
                    None => {
                        let error = AwsError::incomplete(
                            "ecs:UpdateService",
                            &self.environment.service,
                            "names no PRIMARY deployment of the revision",
                        );
                        self.reconcile(revision, before, error).await
                    }
                }
            }
            Err(error) => {
                let error = AwsError::new("ecs:UpdateService", &self.environment.service, &error);
                if error.is_ambiguous() {
                    self.reconcile(revision, before, error).await
                } else {
                    Err(RolloutError::Update(error))
                }
            }
        }
    }

    /// UpdateService's answer was lost: the service itself shows whether it was heard.
    async fn reconcile(
        &self,
        revision: &str,
        before: &Snapshot,
        lost: AwsError,
    ) -> Result<String, RolloutError> {
        const LOOKS: u32 = 5;
        self.warn(format!(
            "{lost}; looking at the service instead of sending it again"
        ));
        let known: Vec<&str> = before
            .service
            .deployments
            .iter()
            .map(|known| known.id.as_str())
            .collect();
        for _ in 0..LOOKS {
            tokio::time::sleep(self.poll_interval()).await;
            let Ok(now) = Snapshot::take(self.clients, self.environment).await else {
                continue;
            };
            let ours = now.service.deployments.iter().find(|deployment| {
                deployment.task_definition == revision && !known.contains(&deployment.id.as_str())
            });
            if let Some(ours) = ours {
                return Ok(ours.id.clone());
            }
        }
        Err(RolloutError::UpdateUnknown {
            reason: lost.to_string(),
            revision: last_part(revision).to_owned(),
        })
    }

    /// Watches `plan` to its verdict; the diagnosis is there unless it succeeded.
    async fn watch(
        &self,
        plan: &Plan,
        before: &Snapshot,
        revision: Option<&Revision>,
    ) -> (Verdict, Option<Diagnosis>) {
        let observer = Observer::new(self.clients, self.environment, before.target_groups.clone());
        let mut logs = revision
            .and_then(|revision| LogTail::new(self.clients, &revision.document, &plan.container));
        let mut history = History::default();
        let mut said = String::new();
        loop {
            let observation = observer.observe().await;
            for event in changes(history.last(), &observation, plan, before) {
                self.reporter.event(event);
            }
            history.push(observation);
            if let Some(logs) = &mut logs {
                logs.read_stopped(&history.stopped_tasks(&plan.deployment))
                    .await;
            }
            match decide(plan, &history) {
                Decision::Done(Verdict::Succeeded) => return (Verdict::Succeeded, None),
                Decision::Done(verdict) => {
                    let lines = match &mut logs {
                        Some(logs) => logs.finish(&history.stopped_tasks(&plan.deployment)).await,
                        None => BTreeMap::new(),
                    };
                    let diagnosis = Diagnosis::of(&history, before, plan, &lines);
                    return (verdict, Some(diagnosis));
                }
                Decision::Wait { waiting_for } => {
                    if waiting_for != said {
                        self.reporter.event(Event::Waiting {
                            waiting_for: waiting_for.clone(),
                        });
                        said = waiting_for;
                    }
                }
            }
            tokio::time::sleep(self.poll_interval()).await;
        }
    }

    /// Returns to the last good revision when the release failed and that is what should happen.
    async fn undo_if_asked(
        &self,
        verdict: Verdict,
        diagnosis: Option<Diagnosis>,
        plan: &Plan,
        before: &Snapshot,
    ) -> (Verdict, Option<Diagnosis>) {
        let (Verdict::Failed { evidence }, Some(good)) = (&verdict, &plan.previous_revision) else {
            return (verdict, diagnosis);
        };
        if self.on_failure(before) == OnFailure::Leave
            || matches!(evidence, Evidence::ServiceInactive { .. })
        {
            return (verdict, diagnosis);
        }
        self.warn(format!(
            "the release cannot succeed: {evidence}; returning to {good}"
        ));
        let now = match Snapshot::take(self.clients, self.environment).await {
            Ok(now) => now,
            Err(error) => {
                self.warn(format!("the rollback could not be started: {error}"));
                return (verdict, diagnosis);
            }
        };
        let back = match running_deployment(&now, good) {
            Some(deployment) => Ok(deployment),
            None => self.update(good, &now).await,
        };
        let deployment = match back {
            Ok(deployment) => deployment,
            Err(error) => {
                self.warn(format!("the rollback could not be started: {error}"));
                return (verdict, diagnosis);
            }
        };
        let return_plan = Plan {
            deployment,
            revision: good.clone(),
            previous_revision: None,
            digest: None,
            bake: Duration::ZERO,
            ..plan.clone()
        };
        match self.watch(&return_plan, &now, None).await {
            (Verdict::Succeeded, _) => (
                Verdict::RolledBack {
                    to: good.clone(),
                    reason: evidence.to_string(),
                },
                diagnosis,
            ),
            (other, _) => {
                self.warn(format!("the rollback to {good} did not succeed: {other}"));
                (verdict, diagnosis)
            }
        }
    }

    /// What to do on failure: as asked, else as the service's circuit breaker does.
    fn on_failure(&self, before: &Snapshot) -> OnFailure {
        self.options.on_failure.unwrap_or(if before.rolls_back {
            OnFailure::Rollback
        } else {
            OnFailure::Leave
        })
    }

    /// How long to wait between two looks: AWS throttles, an endpoint on this machine does not.
    fn poll_interval(&self) -> Duration {
        if self
            .environment
            .endpoint_url
            .as_ref()
            .is_some_and(is_loopback)
        {
            Duration::from_millis(250)
        } else {
            Duration::from_secs(5)
        }
    }

    fn warn(&self, message: String) {
        self.reporter.event(Event::Warning { message });
    }
}

/// The PRIMARY deployment, when it runs `revision` and has not failed.
fn running_deployment(snapshot: &Snapshot, revision: &str) -> Option<String> {
    use super::observation::RolloutState::Failed;
    let primary = snapshot.service.primary()?;
    (primary.task_definition == revision
        && primary.rollout != Failed
        && snapshot.service.desired > 0)
        .then(|| primary.id.clone())
}
