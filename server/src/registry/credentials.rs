use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;

use super::error::RegistryError;

/// Temporary AWS credentials of one caller, as the registry lends them.
///
/// They show themselves to the signer only: `Debug` prints neither secret.
#[derive(Clone)]
pub struct LentCredentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret that signs.
    pub secret_access_key: String,
    /// The token that goes along.
    pub session_token: String,
    /// When they end.
    pub expires: SystemTime,
}

/// The answer of `/api/auth/get_credentials`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

impl LentCredentials {
    /// Reads the registry's answer. What is wrong with it is not told in detail:
    /// the detail could be a secret.
    pub(super) fn read(body: &[u8]) -> Result<Self, RegistryError> {
        let unreadable = || RegistryError::Unreadable("not the credentials asked for".to_owned());
        let answer: Answer = serde_json::from_slice(body).map_err(|_| unreadable())?;
        let expiration: Timestamp = answer.expiration.parse().map_err(|_| unreadable())?;
        if answer.access_key_id.is_empty() || answer.secret_access_key.is_empty() {
            return Err(unreadable());
        }
        Ok(Self {
            access_key_id: answer.access_key_id,
            secret_access_key: answer.secret_access_key,
            session_token: answer.session_token,
            expires: expiration.into(),
        })
    }

    /// How long they are still valid; zero once they are not.
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires.duration_since(now).unwrap_or_default()
    }
}

impl fmt::Debug for LentCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LentCredentials")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_wrong_is_refused_without_repeating_it() {
        let good = r#"{"AccessKeyId":"ASIAX","SecretAccessKey":"s3cr3t","SessionToken":"t0k3n","Expiration":"2026-01-01T00:00:00+00:00"}"#;
        let lent = LentCredentials::read(good.as_bytes()).unwrap();
        assert!(!format!("{lent:?}").contains("s3cr3t") && !format!("{lent:?}").contains("t0k3n"));
        for (part, instead) in [
            ("2026-01-01T00:00:00+00:00", "s3cr3t"),
            (r#""s3cr3t""#, "17"),
            (r#""ASIAX""#, r#""""#),
            ("SessionToken", "Token"),
        ] {
            let wrong = good.replace(part, instead);
            let error = LentCredentials::read(wrong.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(
                !error.contains("s3cr3t") && !error.contains("17"),
                "{error}"
            );
        }
    }
}
