use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use moka::Expiry;
use moka::future::Cache;
use thiserror::Error;

use super::me::{MeQuery, NoVariables};
use super::token::{BearerToken, TokenHash};
use crate::registry::{RegistryClient, RegistryError};

/// How long an accepted token is believed, at most.
const ACCEPTED_FOR: Duration = Duration::from_secs(60);
/// How long a refused token is not asked about again.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// How many verdicts are remembered.
const VERDICTS: u64 = 10_000;
/// How long a registry may take to say who calls.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(10);
/// What a client is told to wait for when the registry does not say.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// A caller whom the registry knows, and the token that says so.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token to ask the registry with.
    pub token: BearerToken,
}

/// Why a token does not pass.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The JWT's own `exp` is over (RFC 7519, section 4.1.4).
    #[error("the bearer token has expired")]
    Expired,
    /// The registry does not know the token.
    #[error("the Quilt registry does not accept the bearer token")]
    Unknown,
    /// Nobody can say: the registry gave no verdict.
    #[error("the bearer token cannot be checked now: {cause}")]
    NoVerdict {
        /// What happened.
        cause: RegistryError,
        /// When to try again.
        retry_after: Duration,
    },
}

/// Asks the registry who holds a token, and remembers the answer for a while.
///
/// One question per token is on its way at a time: requests that bring the same
/// token meanwhile wait for its answer. That nobody could answer is not
/// remembered.
#[derive(Clone, Debug)]
pub struct Validator {
    registry: RegistryClient,
    verdicts: Cache<TokenHash, Verdict>,
}

#[derive(Clone, Copy, Debug)]
struct Verdict {
    accepted: bool,
    valid_for: Duration,
}

struct UntilVerdictEnds;

impl Expiry<TokenHash, Verdict> for UntilVerdictEnds {
    fn expire_after_create(
        &self,
        _: &TokenHash,
        verdict: &Verdict,
        _: Instant,
    ) -> Option<Duration> {
        Some(verdict.valid_for)
    }
}

impl Validator {
    /// A validator with nothing remembered.
    pub fn new(registry: RegistryClient) -> Self {
        let verdicts = Cache::builder()
            .max_capacity(VERDICTS)
            .expire_after(UntilVerdictEnds)
            .build();
        Self { registry, verdicts }
    }

    /// Checks a token.
    ///
    /// # Errors
    /// When the token has expired, is refused, or cannot be checked.
    pub async fn validate(&self, token: BearerToken) -> Result<Caller, Refusal> {
        if token.remaining(SystemTime::now()) == Some(Duration::ZERO) {
            return Err(Refusal::Expired);
        }
        let verdict = self
            .verdicts
            .try_get_with(token.hash(), self.ask(&token))
            .await
            .map_err(|cause: Arc<RegistryError>| no_verdict(&cause))?;
        if verdict.accepted {
            Ok(Caller { token })
        } else {
            Err(Refusal::Unknown)
        }
    }

    /// Forgets a token that the registry has refused since.
    pub async fn forget(&self, token: TokenHash) {
        self.verdicts.invalidate(&token).await;
    }

    async fn ask(&self, token: &BearerToken) -> Result<Verdict, RegistryError> {
        let question = self.registry.ask::<MeQuery>(token, &NoVariables {});
        let answer = tokio::time::timeout(VALIDATION_TIMEOUT, question)
            .await
            .unwrap_or(Err(RegistryError::TimedOut));
        let accepted = match answer {
            Ok(data) => data.me.is_some(),
            Err(RegistryError::Unauthorized) => false,
            Err(error) => return Err(error),
        };
        let valid_for = if accepted {
            let remaining = token.remaining(SystemTime::now());
            remaining.unwrap_or(ACCEPTED_FOR).min(ACCEPTED_FOR)
        } else {
            REFUSED_FOR
        };
        Ok(Verdict {
            accepted,
            valid_for,
        })
    }
}

fn no_verdict(cause: &RegistryError) -> Refusal {
    let retry_after = match cause {
        RegistryError::Unavailable {
            retry_after: Some(retry_after),
            ..
        } => *retry_after,
        _ => DEFAULT_RETRY_AFTER,
    };
    Refusal::NoVerdict {
        cause: cause.clone(),
        retry_after,
    }
}
