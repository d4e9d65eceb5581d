//! When to try again, and how long to wait before.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::client::Failure;

/// Longest wait that a registry may impose with `Retry-After`.
const LONGEST_IMPOSED_WAIT: Duration = Duration::from_secs(60);

/// How often and how patiently a request is repeated after trouble that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: usize,
    /// Wait before the second attempt; it doubles from there, with jitter.
    pub first_wait: Duration,
    /// Longest wait between two attempts.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    /// Six attempts in about 15 seconds.
    fn default() -> Self {
        Self {
            attempts: 6,
            first_wait: Duration::from_millis(300),
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// Repeats `attempt` while its trouble may pass; `notify` hears of each failure and of the
    /// wait after it.
    pub(super) async fn run<T, F>(
        &self,
        attempt: impl FnMut() -> F,
        notify: impl FnMut(&Failure, Duration),
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        attempt
            .retry(self.backoff())
            .when(|failure: &Failure| failure.may_pass() || failure.is_lost_upload())
            .adjust(|failure, wait| Some(Self::wait(wait?, failure.retry_after())))
            .notify(notify)
            .await
    }

    fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.attempts.saturating_sub(1))
            .with_jitter()
    }

    /// The wait before the next attempt: ours, or what the registry asks for if that is longer.
    fn wait(ours: Duration, asked_for: Option<Duration>) -> Duration {
        asked_for.map_or(ours, |asked_for| {
            ours.max(asked_for.min(LONGEST_IMPOSED_WAIT))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_may_ask_for_a_longer_wait_but_not_for_any() {
        let seconds = Duration::from_secs;
        for (ours, asked_for, expected) in [
            (seconds(1), None, seconds(1)),
            (seconds(1), Some(seconds(5)), seconds(5)),
            (seconds(9), Some(seconds(5)), seconds(9)),
            (seconds(1), Some(seconds(3600)), LONGEST_IMPOSED_WAIT),
        ] {
            assert_eq!(RetryPolicy::wait(ours, asked_for), expected);
        }
    }
}
