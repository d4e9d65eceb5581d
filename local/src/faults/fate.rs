//! What becomes of one AWS call.

use std::time::Duration;

use super::Fault;
use super::dice::Dice;
use crate::load_balancer::pattern;

/// What goes wrong with one AWS call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub delay: Duration,
    pub refusal: Option<Refusal>,
    pub cut_off: Option<CutOff>,
}

/// In the order in which AWS looks: who, may they, how often, and then the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    ExpiredCredentials,
    Denied,
    Throttled,
    ServerError,
}

/// When the connection of a call ends without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutOff {
    /// Nothing was carried out.
    Before,
    /// The operation was carried out.
    After,
}

impl Fate {
    /// Lets a fault bear upon the call `operation`, by chance where it has a seed.
    pub(super) fn suffer(&mut self, fault: &Fault, operation: &str, dice: &mut Dice) {
        let concerns = |glob: &str| pattern::matches(glob, operation);
        let mut throw = |seed: u64| dice.throw(seed, &purpose(fault, operation));
        match fault {
            Fault::ExpiredCredentials => self.refuse(Refusal::ExpiredCredentials),
            Fault::Deny { operation } if concerns(operation) => self.refuse(Refusal::Denied),
            Fault::Throttle {
                operation,
                probability,
                seed,
            } if concerns(operation) && throw(*seed) < *probability => {
                self.refuse(Refusal::Throttled);
            }
            Fault::ServerError {
                operation,
                probability,
                seed,
            } if concerns(operation) && throw(*seed) < *probability => {
                self.refuse(Refusal::ServerError);
            }
            Fault::CutOff {
                operation: glob,
                probability,
                carried_out,
                seed,
            } if concerns(glob) && throw(*seed) < *probability => {
                let late = dice.throw(*seed, &purpose(fault, &format!("{operation} late")));
                self.cut_off = Some(if late < *carried_out {
                    CutOff::After
                } else {
                    CutOff::Before
                });
            }
            Fault::Latency {
                operation,
                milliseconds,
                up_to,
                seed,
            } if concerns(operation) => {
                let least = Duration::from_millis(*milliseconds);
                let most = up_to.map_or(least, Duration::from_millis);
                self.delay += least + most.saturating_sub(least).mul_f64(throw(*seed));
            }
            _ => {}
        }
    }

    /// The strongest refusal stays.
    fn refuse(&mut self, refusal: Refusal) {
        let strongest = self.refusal.map_or(refusal, |other| other.min(refusal));
        self.refusal = Some(strongest);
    }
}

/// What the dice are thrown for: each fault and operation has its own sequence.
pub(super) fn purpose(fault: &Fault, operation: &str) -> String {
    format!("{} {} {operation}", fault.name(), fault.target().0)
}
