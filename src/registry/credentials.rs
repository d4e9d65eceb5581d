//! What a registry lets us in with.

use std::fmt;

use jiff::Timestamp;

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

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
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
