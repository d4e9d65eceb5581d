//! Faults that can be switched on. A new kind is a variant of [`Fault`] and a question to
//! [`Faults`] where it bites.

mod dice;
mod fate;
mod fault;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::aws::{Moment, names};
use crate::load_balancer::pattern;
use crate::state::ecs::Task;
use dice::Dice;
pub(crate) use fate::{CutOff, Fate, Refusal};
pub(crate) use fault::Invalid;
pub use fault::{Fault, Vulnerability, any_seed};

/// A fault that is on.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub id: u64,
    pub fault: Fault,
    /// What its seconds count from.
    pub since: Moment,
}

/// The faults that are on. A new life starts without any.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Switches>);

#[derive(Debug, Default)]
struct Switches {
    on: Vec<Active>,
    dice: Dice,
    next_id: u64,
}

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.active()
            .into_iter()
            .map(|active| active.fault)
            .collect()
    }

    pub(crate) fn active(&self) -> Vec<Active> {
        self.lock().on.clone()
    }

    /// Switches `fault` on, in the place of one of its kind and target.
    pub(crate) fn set(&self, fault: Fault) -> Result<(), Invalid> {
        fault.check()?;
        let mut switches = self.lock();
        let same = |other: &Fault| other.name() == fault.name() && other.target() == fault.target();
        switches.on.retain(|active| !same(&active.fault));
        switches.dice.forget(&fate::purpose(&fault, ""));
        switches.next_id += 1;
        let id = switches.next_id;
        switches.on.push(Active {
            id,
            fault,
            since: Moment::now(),
        });
        Ok(())
    }

    /// Switches the faults of this name off, or all; tells whether any was on.
    pub(crate) fn clear(&self, name: Option<&str>) -> bool {
        let mut switches = self.lock();
        let before = switches.on.len();
        switches
            .on
            .retain(|active| name.is_some_and(|name| active.fault.name() != name));
        switches.on.len() < before
    }

    /// Switches one fault off: it has happened.
    pub(crate) fn happened(&self, id: u64) {
        self.lock().on.retain(|active| active.id != id);
    }

    /// Lets the seconds of a fault count from `now`.
    pub(crate) fn restart(&self, id: u64, now: Moment) {
        for active in &mut self.lock().on {
            if active.id == id {
                active.since = now;
            }
        }
    }

    /// What becomes of the call `service:Operation`.
    pub(crate) fn fate(&self, operation: &str) -> Fate {
        let mut switches = self.lock();
        let Switches { on, dice, .. } = &mut *switches;
        let mut fate = Fate::default();
        for active in on.iter() {
            fate.suffer(&active.fault, operation, dice);
        }
        fate
    }

    /// Whether IAM lets nobody do this: `service:Operation`.
    pub(crate) fn denies(&self, action: &str) -> bool {
        self.any(|fault| match fault {
            Fault::Deny { operation } => pattern::matches(operation, action).then_some(()),
            _ => None,
        })
        .is_some()
    }

    /// Whether the pull of `image` is refused.
    pub(crate) fn refuses_pull(&self, image: &str) -> bool {
        self.any(|fault| match fault {
            Fault::RefusePulls { image: refused } => pattern::matches(refused, image).then_some(()),
            _ => None,
        })
        .is_some()
    }

    /// How long the start of a task is held back.
    pub(crate) fn slow_start(&self, task: &Task) -> Option<Duration> {
        self.any(|fault| match fault {
            Fault::SlowStart {
                image,
                revision,
                seconds,
            } if concerns(image, revision, task) => Some(Duration::from_secs_f64(*seconds)),
            _ => None,
        })
    }

    /// When a task crashes, and with which exit code.
    pub(crate) fn crash(&self, task: &Task) -> Option<(Duration, i32)> {
        self.any(|fault| match fault {
            Fault::CrashTasks {
                image,
                revision,
                after_seconds,
                exit_code,
            } if concerns(image, revision, task) => {
                Some((Duration::from_secs_f64(*after_seconds), *exit_code))
            }
            _ => None,
        })
    }

    /// Whether the health checks of a task fail: with a status, or without an answer.
    pub(crate) fn unhealthy(&self, task: &Task, now: Moment) -> Option<Option<u16>> {
        self.any(|fault| match fault {
            Fault::Unhealthy {
                image,
                revision,
                status,
                for_seconds,
            } if concerns(image, revision, task) => {
                let age = now.since(task.started_at.unwrap_or(now));
                let over = for_seconds.is_some_and(|seconds| age.as_secs_f64() > seconds);
                (!over).then_some(*status)
            }
            _ => None,
        })
    }

    /// After how many bytes an upload request to `repository` breaks off.
    pub(crate) fn upload_limit(&self, repository: &str) -> Option<u64> {
        self.any(|fault| match fault {
            Fault::BreakUploads {
                repository: glob,
                after_bytes,
                ..
            } if pattern::matches(glob, repository) => Some(*after_bytes),
            _ => None,
        })
    }

    /// An upload broke off: one of the fault's times is over.
    pub(crate) fn upload_broke(&self, repository: &str) {
        let mut switches = self.lock();
        for active in switches.on.iter_mut().rev() {
            if let Fault::BreakUploads {
                repository: glob,
                times,
                ..
            } = &mut active.fault
                && pattern::matches(glob, repository)
            {
                *times = times.map(|times| times.saturating_sub(1));
                break;
            }
        }
        let over = |fault: &Fault| matches!(fault, Fault::BreakUploads { times: Some(0), .. });
        switches.on.retain(|active| !over(&active.fault));
    }

    /// Whether `repository` mounts no blob of another one.
    pub(crate) fn refuses_mount(&self, repository: &str) -> bool {
        self.any(|fault| match fault {
            Fault::RefuseMounts { repository: glob } => {
                pattern::matches(glob, repository).then_some(())
            }
            _ => None,
        })
        .is_some()
    }

    /// What the scan of an image in `repository` finds.
    pub(crate) fn vulnerabilities(&self, repository: &str) -> Vec<Vulnerability> {
        let switches = self.lock();
        let faults = switches.on.iter().map(|active| &active.fault);
        faults
            .filter_map(|fault| match fault {
                Fault::Vulnerability(found) if pattern::matches(&found.repository, repository) => {
                    Some(found.clone())
                }
                _ => None,
            })
            .collect()
    }

    /// How long after the push an image in `repository` is scanned.
    pub(crate) fn slow_scan(&self, repository: &str) -> Duration {
        let slow = self.any(|fault| match fault {
            Fault::SlowScan {
                repository: glob,
                seconds,
            } if pattern::matches(glob, repository) => Some(Duration::from_secs_f64(*seconds)),
            _ => None,
        });
        slow.unwrap_or_default()
    }

    /// The newest fault that answers.
    fn any<T>(&self, ask: impl FnMut(&Fault) -> Option<T>) -> Option<T> {
        let switches = self.lock();
        switches
            .on
            .iter()
            .rev()
            .map(|active| &active.fault)
            .find_map(ask)
    }

    fn lock(&self) -> MutexGuard<'_, Switches> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn concerns(image: &str, revision: &str, task: &Task) -> bool {
    pattern::matches(image, &task.container.image)
        && pattern::matches(revision, names::last_part(&task.task_definition))
}

#[cfg(test)]
mod tests;
