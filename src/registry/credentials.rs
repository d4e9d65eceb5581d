//! What a registry lets us in with.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;

use super::client::Failure;

/// A user name and a password; never shown, not even by `Debug`, and never serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
    expires_at: Option<Timestamp>,
}

impl Credentials {
    /// Credentials that are good until `expires_at`, or for good.
    pub fn new(
        user: impl Into<String>,
        password: impl Into<String>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
            expires_at,
        }
    }

    /// When they stop being good; ECR's last 12 hours.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether they have stopped being good.
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|time| time <= Timestamp::now())
    }

    /// Whether they will have stopped being good in `margin` from now.
    pub(super) fn end_within(&self, margin: Duration) -> bool {
        let then = Timestamp::now() + margin;
        self.expires_at.is_some_and(|time| time <= then)
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

type FreshCredentials = BoxFuture<'static, Result<Credentials, String>>;

/// Gives new credentials when the old ones have ended, or says why there are none.
#[derive(Clone)]
pub struct Renewal(Arc<dyn Fn() -> FreshCredentials + Send + Sync>);

impl Renewal {
    /// Credentials from `ask`, which is asked each time.
    pub fn new<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Credentials, String>> + Send + 'static,
    {
        Self(Arc::new(move || ask().boxed()))
    }

    pub(super) async fn credentials(&self) -> Result<Credentials, Failure> {
        (self.0)().await.map_err(Failure::Login)
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_user_nor_password() {
        let shown = format!("{:?}", Credentials::new("us3r", "s3cret", None));
        assert!(
            !shown.contains("us3r") && !shown.contains("s3cret"),
            "{shown}"
        );
    }
}
