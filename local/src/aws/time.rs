use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A point in time: milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    pub(crate) fn now() -> Self {
        Self(u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default())
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero if it is yet to come.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The form of the JSON protocols: seconds since the epoch, with a fraction.
    pub(crate) fn to_json(self) -> Value {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds fit a double until the year 287396"
        )]
        let seconds = self.0 as f64 / 1000.0;
        json!(seconds)
    }

    /// RFC 3339 in UTC: the form of the Query protocol.
    pub(crate) fn to_rfc3339(self) -> String {
        i64::try_from(self.0)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::MAX)
            .to_string()
    }
}

/// The value of a `Date` header (RFC 9110, section 5.6.7).
pub(crate) fn http_date() -> String {
    Timestamp::now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
