//! The events of a run folded into what they tell: who was in which state from when on.

use std::time::Duration;

use jiff::Timestamp;

use super::{Check, ErrorReport, Event, Record, Release, Stage, StoppedGroup};

/// What a run's events tell.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// When the first event happened.
    pub began: Option<Timestamp>,
    /// When the last event happened, since the start.
    pub length: Duration,
    /// The stages in their order.
    pub stages: Vec<StageSpan>,
    /// What is being released.
    pub release: Option<Release>,
    /// The states of our deployment.
    pub deployment: Track,
    /// The states of the ECS service deployment.
    pub service_deployment: Track,
    /// The counts of our deployment.
    pub counts: Vec<Counts>,
    /// The tasks of our deployment.
    pub tasks: Vec<Track>,
    /// The targets of our deployment.
    pub targets: Vec<Track>,
    /// What ECS, the operator's tool and others had to say.
    pub notes: Vec<Note>,
    /// What success still lacks.
    pub waiting_for: Option<String>,
    /// What the stage under way is doing.
    pub step: Option<String>,
    /// Tasks that stopped, by how.
    pub stopped: Vec<StoppedGroup>,
    /// The checks of the environment.
    pub checks: Vec<Check>,
    /// What became of the rollout.
    pub verdict: Option<Verdict>,
    /// How the command ended.
    pub ended: Option<Ended>,
}

/// A stage and how long it took.
#[derive(Debug, Clone)]
pub struct StageSpan {
    /// Which.
    pub stage: Stage,
    /// When it began, since the start.
    pub began: Duration,
    /// When it ended well.
    pub ended: Option<Duration>,
    /// Its result in a few words.
    pub outcome: Option<String>,
}

/// One thing and the states that it went through.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// Its states, oldest first; empty when it was never seen.
    pub states: Vec<State>,
}

/// A state and since when.
#[derive(Debug, Clone)]
pub struct State {
    /// Since when, since the start.
    pub since: Duration,
    /// The state, in ECS's word.
    pub state: String,
    /// Why.
    pub reason: Option<String>,
}

impl Track {
    /// The last state.
    pub fn last(&self) -> Option<&State> {
        self.states.last()
    }

    fn push(&mut self, since: Duration, state: &str, reason: Option<&String>) {
        let reason = reason.cloned();
        if self
            .last()
            .is_none_or(|last| last.state != state || last.reason != reason)
        {
            self.states.push(State {
                since,
                state: state.to_owned(),
                reason,
            });
        }
    }
}

/// The counts of a deployment.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields are those of the event")]
pub struct Counts {
    pub at: Duration,
    pub running: i32,
    pub pending: i32,
    pub desired: i32,
    pub failed: i32,
}

/// Who says a [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// ECS, as a service event.
    Ecs,
    /// This tool: a warning.
    Warning,
    /// This tool: a rollback begins.
    Rollback,
    /// Somebody else's deployment.
    Other,
}

impl Speaker {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Warning => "warning",
            Self::Rollback => "rollback",
            Self::Other => "other",
        }
    }
}

/// Something that was said.
#[derive(Debug, Clone)]
pub struct Note {
    /// When, since the start.
    pub at: Duration,
    /// By whom.
    pub speaker: Speaker,
    /// What.
    pub message: String,
}

/// A verdict; see [`Event::Verdict`].
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are those of the event")]
pub struct Verdict {
    pub verdict: String,
    pub exit_code: u8,
    pub explanation: String,
}

/// How the command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The exit code.
    pub exit_code: u8,
    /// What went wrong.
    pub error: Option<ErrorReport>,
}

impl Timeline {
    /// Takes one more event.
    pub fn push(&mut self, record: &Record) {
        let at = record.elapsed;
        self.began.get_or_insert(record.at);
        self.length = self.length.max(at);
        match &record.event {
            Event::StageStarted { stage } => {
                self.step = None;
                self.stages.push(StageSpan {
                    stage: *stage,
                    began: at,
                    ended: None,
                    outcome: None,
                });
            }
            Event::StageFinished { stage, outcome, .. } => self.finish(*stage, at, outcome),
            Event::RolloutStarted(release) => self.release = Some(release.clone()),
            Event::Deployment {
                running,
                pending,
                desired,
                failed,
                rollout,
            } => {
                self.deployment.push(at, rollout, None);
                self.counts.push(Counts {
                    at,
                    running: *running,
                    pending: *pending,
                    desired: *desired,
                    failed: *failed,
                });
            }
            Event::ServiceDeployment {
                status,
                lifecycle_stage,
                reason,
                ..
            } => {
                let state = lifecycle_stage.as_ref().unwrap_or(status);
                self.service_deployment.push(at, state, reason.as_ref());
            }
            Event::Task { id, status, reason } => {
                track(&mut self.tasks, id).push(at, status, reason.as_ref());
            }
            Event::Target {
                address,
                state,
                reason,
            } => {
                track(&mut self.targets, address).push(at, state, reason.as_ref());
            }
            Event::ServiceEvent { message } => self.note(at, Speaker::Ecs, message.clone()),
            Event::Warning { message } => self.note(at, Speaker::Warning, message.clone()),
            Event::RollbackStarted { to, reason } => {
                let to = crate::arn::last_part(to);
                self.note(
                    at,
                    Speaker::Rollback,
                    format!("returning to {to}: {reason}"),
                );
            }
            Event::OtherDeployment { id, revision } => {
                let revision = crate::arn::last_part(revision);
                self.note(
                    at,
                    Speaker::Other,
                    format!("deployment {id} of {revision} came up"),
                );
            }
            Event::Waiting { waiting_for } => self.waiting_for = Some(waiting_for.clone()),
            Event::Stopped(group) => self.stopped.push(group.clone()),
            Event::Check(check) => self.checks.push(check.clone()),
            Event::Verdict {
                verdict,
                exit_code,
                explanation,
            } => {
                self.verdict = Some(Verdict {
                    verdict: verdict.clone(),
                    exit_code: *exit_code,
                    explanation: explanation.clone(),
                });
            }
            Event::Result {
                exit_code, error, ..
            } => {
                self.ended = Some(Ended {
                    exit_code: *exit_code,
                    error: error.clone(),
                });
            }
            Event::Progress { message, .. } => self.step = Some(message.clone()),
            Event::LogLine { .. } | Event::Note { .. } | Event::Snapshot { .. } => {}
        }
    }

    /// The stage under way.
    pub fn stage(&self) -> Option<&StageSpan> {
        self.stages.iter().rev().find(|span| span.ended.is_none())
    }

    fn finish(&mut self, stage: Stage, at: Duration, outcome: &str) {
        let open = |span: &&mut StageSpan| span.stage == stage && span.ended.is_none();
        if let Some(span) = self.stages.iter_mut().rev().find(open) {
            span.ended = Some(at);
            span.outcome = Some(outcome.to_owned());
        }
    }

    fn note(&mut self, at: Duration, speaker: Speaker, message: String) {
        self.notes.push(Note {
            at,
            speaker,
            message,
        });
    }
}

fn track<'a>(tracks: &'a mut Vec<Track>, name: &str) -> &'a mut Track {
    let index = tracks
        .iter()
        .position(|track| track.name == name)
        .unwrap_or_else(|| {
            tracks.push(Track {
                name: name.to_owned(),
                states: Vec::new(),
            });
            tracks.len() - 1
        });
    &mut tracks[index]
}
