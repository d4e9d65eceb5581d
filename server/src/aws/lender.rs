use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use moka::Expiry;
use moka::future::Cache;

use crate::auth::{BearerToken, TokenHash};
use crate::registry::{LentCredentials, RegistryClient, RegistryError};

/// Credentials are asked for anew so long before they end.
const MARGIN: Duration = Duration::from_secs(300);
/// How many callers' credentials are kept.
const CALLERS: u64 = 1_000;

/// Exchanges callers' tokens for AWS credentials at the registry, and keeps them
/// until shortly before they end. One exchange per token is on its way at a time.
#[derive(Clone, Debug)]
pub struct Lender {
    registry: RegistryClient,
    lent: Cache<TokenHash, LentCredentials>,
}

struct UntilShortlyBeforeTheEnd;

impl Expiry<TokenHash, LentCredentials> for UntilShortlyBeforeTheEnd {
    fn expire_after_create(
        &self,
        _: &TokenHash,
        lent: &LentCredentials,
        _: Instant,
    ) -> Option<Duration> {
        Some(lent.remaining(SystemTime::now()).saturating_sub(MARGIN))
    }
}

impl Lender {
    /// A lender that has lent nothing yet.
    pub fn new(registry: RegistryClient) -> Self {
        let lent = Cache::builder()
            .max_capacity(CALLERS)
            .expire_after(UntilShortlyBeforeTheEnd)
            .build();
        Self { registry, lent }
    }

    /// The credentials of the holder of `token`.
    ///
    /// # Errors
    /// When the registry lends none. There are no others to fall back to.
    pub async fn lend(&self, token: &BearerToken) -> Result<LentCredentials, RegistryError> {
        self.lent
            .try_get_with(token.hash(), self.registry.lend_credentials(token))
            .await
            .map_err(|error: Arc<RegistryError>| (*error).clone())
    }

    /// Forgets credentials that AWS does not accept any more.
    pub async fn forget(&self, token: TokenHash) {
        self.lent.invalidate(&token).await;
    }
}
