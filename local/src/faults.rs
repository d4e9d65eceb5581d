//! Faults that can be switched on. A new kind is a variant of [`Fault`] and a question to
//! [`Faults`] where it bites.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::load_balancer::pattern;

/// Something that goes wrong on purpose. At most one of each kind is on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// Pulls of images fail with CannotPullContainerError.
    RefusePulls {
        /// The image as the task definition has it, with `*` and `?`, for example `*@sha256:3f2a*`.
        #[serde(default = "every")]
        image: String,
    },
    /// Every AWS call is answered as if its session token had expired.
    ExpiredCredentials,
    /// AWS calls are refused for their rate.
    Throttle {
        /// `service:Operation` with `*` and `?`, for example `ecs:Describe*`.
        #[serde(default = "every")]
        operation: String,
        /// The share of the calls that are refused: 0 to 1.
        #[serde(default = "always")]
        probability: f64,
    },
    /// AWS calls take longer.
    Latency {
        /// `service:Operation` with `*` and `?`.
        #[serde(default = "every")]
        operation: String,
        /// How much longer, in milliseconds.
        milliseconds: u64,
    },
}

fn every() -> String {
    "*".to_owned()
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// The kind's name, as in the control requests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::RefusePulls { .. } => "refuse-pulls",
            Self::ExpiredCredentials => "expired-credentials",
            Self::Throttle { .. } => "throttle",
            Self::Latency { .. } => "latency",
        }
    }
}

/// What goes wrong with one AWS call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    ExpiredCredentials,
    Throttled,
}

/// The faults that are on. A new life starts without any.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Switches `fault` on, in the place of one of its kind.
    pub(crate) fn set(&self, fault: Fault) {
        let mut faults = self.lock();
        faults.retain(|other| other.name() != fault.name());
        faults.push(fault);
    }

    /// Switches the fault of this name off, or all; tells whether any was on.
    pub(crate) fn clear(&self, name: Option<&str>) -> bool {
        let mut faults = self.lock();
        let before = faults.len();
        faults.retain(|fault| name.is_some_and(|name| fault.name() != name));
        faults.len() < before
    }

    /// Whether the pull of `image` is refused.
    pub(crate) fn refuses_pull(&self, image: &str) -> bool {
        self.lock().iter().any(
            |fault| matches!(fault, Fault::RefusePulls { image: refused } if pattern::matches(refused, image)),
        )
    }

    /// Whether the call `service:Operation` is refused, and how.
    pub(crate) fn refusal(&self, operation: &str) -> Option<Refusal> {
        let faults = self.lock();
        if faults.contains(&Fault::ExpiredCredentials) {
            return Some(Refusal::ExpiredCredentials);
        }
        faults
            .iter()
            .any(|fault| match fault {
                Fault::Throttle {
                    operation: glob,
                    probability,
                } => {
                    pattern::matches(glob, operation) && rand::rng().random::<f64>() < *probability
                }
                _ => false,
            })
            .then_some(Refusal::Throttled)
    }

    /// How much longer the call `service:Operation` takes.
    pub(crate) fn latency(&self, operation: &str) -> Duration {
        self.lock()
            .iter()
            .map(|fault| match fault {
                Fault::Latency {
                    operation: glob,
                    milliseconds,
                } if pattern::matches(glob, operation) => Duration::from_millis(*milliseconds),
                _ => Duration::ZERO,
            })
            .sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_kind_and_only_the_named_operations() {
        let faults = Faults::default();
        for milliseconds in [10, 20] {
            faults.set(Fault::Latency {
                operation: "ecs:*".to_owned(),
                milliseconds,
            });
        }
        assert_eq!(faults.latency("ecs:ListTasks"), Duration::from_millis(20));
        assert_eq!(faults.latency("ecr:ListImages"), Duration::ZERO);
        faults.set(Fault::Throttle {
            operation: "ecs:Describe*".to_owned(),
            probability: 1.0,
        });
        assert_eq!(
            faults.refusal("ecs:DescribeTasks"),
            Some(Refusal::Throttled)
        );
        assert_eq!(faults.refusal("ecs:ListTasks"), None);
        assert!(faults.clear(Some("throttle")));
        assert!(!faults.clear(Some("throttle")));
        assert_eq!(faults.list().len(), 1);
        assert!(faults.clear(None));
    }

    #[test]
    fn defaults_and_unknown_names() {
        let fault: Fault = serde_json::from_str(r#"{"fault":"throttle"}"#).unwrap();
        assert_eq!(
            fault,
            Fault::Throttle {
                operation: "*".to_owned(),
                probability: 1.0
            }
        );
        assert!(serde_json::from_str::<Fault>(r#"{"fault":"gremlins"}"#).is_err());
    }
}
