//! Watching a deployment to its verdict.

use std::collections::BTreeMap;

use super::Engine;
use super::pace::Pace;
use crate::release::Document;
use crate::report::Event;
use crate::rollout::changes::changes;
use crate::rollout::decide::{Decision, Plan, Verdict, decide};
use crate::rollout::diagnosis::Diagnosis;
use crate::rollout::logs::LogTail;
use crate::rollout::observation::{History, ServiceDeployment, Sight};
use crate::rollout::observe::{Followed, Observer};
use crate::rollout::preflight::Snapshot;

/// How the watching ended.
#[derive(Debug)]
pub(in crate::rollout) struct Watched {
    /// The verdict; absent when the operator did not wait for it.
    pub(in crate::rollout) verdict: Option<Verdict>,
    /// Why, unless it succeeded.
    pub(in crate::rollout) diagnosis: Option<Diagnosis>,
    /// The service deployment as it was seen last.
    pub(in crate::rollout) service_deployment: Option<ServiceDeployment>,
}

impl Engine<'_> {
    /// Watches what the plan is after to its verdict, or until the operator interrupts.
    pub(in crate::rollout) async fn watch(
        &self,
        plan: &Plan,
        followed: Followed<'_>,
        before: &Snapshot,
        document: Option<&Document>,
    ) -> Watched {
        let mut observer =
            Observer::new(self.clients, self.environment, before.target_groups.clone())
                .following(followed)
                .through(plan.stack.clone());
        let mut logs =
            document.and_then(|document| LogTail::new(self.clients, document, &plan.container));
        let mut pace = Pace::of(self.environment);
        let mut history = History::default();
        let mut said = String::new();
        let verdict = loop {
            let observation = observer.observe().await;
            for event in changes(&history, &observation, plan, before) {
                self.reporter.event(event);
            }
            if observation.service_deployment == Sight::Unavailable {
                self.tell_blindness();
            }
            let wait = pace.after(&observation);
            history.push(observation);
            if let Some(logs) = &mut logs {
                logs.read_stopped(&history.stopped_tasks(&plan.deployment))
                    .await;
            }
            match decide(plan, &history) {
                Decision::Done(verdict) => break Some(verdict),
                Decision::Wait { waiting_for } if waiting_for != said => {
                    said.clone_from(&waiting_for);
                    self.reporter.event(Event::Waiting { waiting_for });
                }
                Decision::Wait { .. } => {}
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.interrupt.requested() => break None,
            }
        };
        let diagnosis = match (&verdict, logs) {
            (Some(Verdict::Succeeded), _) => None,
            (_, logs) => {
                let stopped = history.stopped_tasks(&plan.deployment);
                let lines = match logs {
                    Some(mut logs) => logs.finish(&stopped).await,
                    None => BTreeMap::new(),
                };
                let checks = self.health_checks(before).await;
                Some(Diagnosis::of(&history, before, plan, &lines, &checks))
            }
        };
        Watched {
            verdict,
            diagnosis,
            service_deployment: history.service_deployments().next_back().cloned(),
        }
    }
}
