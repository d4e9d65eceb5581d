//! How often to look: often enough to be quick, seldom enough not to be throttled.

use std::time::Duration;

use crate::config::{Environment, is_loopback};
use crate::rollout::observation::Observation;

/// Between two looks at AWS, which throttles calls by account and region
/// (Amazon ECS API Reference, "Request throttling").
const AWS: Duration = Duration::from_secs(5);
/// Between two looks at an endpoint on this machine, which does not.
const LOOPBACK: Duration = Duration::from_millis(250);
/// How much longer the wait gets at most while calls fail.
const SLOWEST: u32 = 6;
/// How far a wait strays, in percent, so that many rollouts do not look at one instant.
const STRAY: u32 = 20;

/// The wait between two looks.
#[derive(Debug, Clone)]
pub(in crate::rollout) struct Pace {
    interval: Duration,
    slowness: u32,
    turn: u32,
}

impl Pace {
    /// For this environment's endpoint.
    pub(in crate::rollout) fn of(environment: &Environment) -> Self {
        let loopback = environment.endpoint_url.as_ref().is_some_and(is_loopback);
        Self {
            interval: if loopback { LOOPBACK } else { AWS },
            slowness: 1,
            turn: std::process::id(),
        }
    }

    /// How long to wait after this look: longer while calls fail.
    pub(in crate::rollout) fn after(&mut self, seen: &Observation) -> Duration {
        self.slowness = if seen.failures.is_empty() {
            1
        } else {
            (self.slowness * 2).min(SLOWEST)
        };
        self.next()
    }

    /// How long to wait without having seen anything.
    pub(in crate::rollout) fn next(&mut self) -> Duration {
        // A linear congruential step is random enough to spread waits.
        self.turn = self
            .turn
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        let percent = 100 - STRAY + (self.turn >> 16) % (2 * STRAY + 1);
        self.interval * self.slowness * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strays_a_little_and_slows_down_while_calls_fail() {
        let mut pace = Pace {
            interval: Duration::from_secs(10),
            slowness: 1,
            turn: 7,
        };
        let failing = Observation {
            failures: vec!["throttled".into()],
            ..Observation::default()
        };
        let waits: Vec<Duration> = (0..50)
            .map(|_| pace.after(&Observation::default()))
            .collect();
        assert!(waits.iter().all(|wait| (8..=12).contains(&wait.as_secs())));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
        for _ in 0..10 {
            pace.after(&failing);
        }
        assert!((48..=72).contains(&pace.after(&failing).as_secs()));
        assert!((8..=12).contains(&pace.after(&Observation::default()).as_secs()));
    }
}
