//! AWS clients for one environment: credentials, endpoint, retry policy, the account guard.

mod described;
pub mod direct;
mod error;
pub mod service_deployments;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::config::{Environment, is_loopback};
pub use described::{describe_service, described_service};
pub use error::{AwsError, AwsErrorKind, root_causes};
use error::{credentials_error, kind_of_code};

/// Longest time that one AWS call may take, with its retries.
const CALL_DEADLINE: Duration = Duration::from_secs(60);
/// How often a call is sent at most: with nearly half of the attempts failing, one call in
/// six hundred still fails.
const ATTEMPTS: u32 = 8;
/// Longest wait between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// The first wait between two attempts, at most: AWS throttles by the second, an endpoint on
/// this machine does not.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const FIRST_BACKOFF_ON_LOOPBACK: Duration = Duration::from_millis(100);
/// Longest time that one attempt of an AWS call may take.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(10);

/// The AWS clients of one environment.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Elastic Container Service.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Container Registry (its API; the registry itself speaks OCI).
    pub ecr: aws_sdk_ecr::Client,
    /// Elastic Load Balancing v2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// The APIs that only a few questions are asked of.
    pub direct: direct::Direct,
    sts: aws_sdk_sts::Client,
    caller: Arc<OnceLock<Caller>>,
}

/// Who the credentials belong to, as STS says.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The 12-digit account id.
    pub account_id: String,
    /// The ARN of the user or assumed role.
    pub arn: String,
}

impl Clients {
    /// Clients for `environment`; makes no call.
    pub async fn connect(environment: &Environment) -> Self {
        let config = sdk_config(environment).await;
        Self {
            ecs: aws_sdk_ecs::Client::new(&config),
            ecr: aws_sdk_ecr::Client::new(&config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            direct: direct::Direct::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            caller: Arc::default(),
        }
    }

    /// Who the credentials belong to, once [`Self::guard_account`] has asked.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.get()
    }

    /// Refuses to go on unless the credentials belong to the environment's account.
    ///
    /// # Errors
    /// [`GuardError::WrongAccount`] when they belong to another one, and
    /// [`GuardError::Aws`] when STS cannot tell (no credentials, expired ones, no network).
    pub async fn guard_account(&self, environment: &Environment) -> Result<Caller, GuardError> {
        let identity = match self.sts.get_caller_identity().send().await {
            Ok(identity) => identity,
            Err(error) => return Err(not_identified(environment, &error).await.into()),
        };
        let caller = Caller {
            account_id: identity.account.unwrap_or_default(),
            arn: identity.arn.unwrap_or_default(),
        };
        if caller.account_id == environment.account_id {
            // Asked a second time, STS says the same.
            let _ = self.caller.set(caller.clone());
            Ok(caller)
        } else {
            Err(GuardError::WrongAccount {
                environment: environment.name.clone(),
                expected: environment.account_id.clone(),
                actual: caller.account_id,
                caller: caller.arn,
            })
        }
    }
}

/// Why STS did not say who the caller is. The SDK tells of the last source of credentials that it
/// tried; where a profile is named, what that lacks is what its user wants to know.
async fn not_identified(
    environment: &Environment,
    error: &SdkError<GetCallerIdentityError, HttpResponse>,
) -> AwsError {
    let with = |profile: &str| format!("{} with profile {profile}", environment.name);
    let credentials = match &environment.profile {
        Some(profile) => with(profile),
        None => environment.name.clone(),
    };
    let mut said = AwsError::new("sts:GetCallerIdentity", credentials, error);
    let named = || {
        environment
            .profile
            .clone()
            .or_else(|| std::env::var("AWS_PROFILE").ok())
    };
    if said.kind == AwsErrorKind::CredentialsMissing
        && let Some(profile) = named()
    {
        said.resource = with(&profile);
        let credentials = ProfileFileCredentialsProvider::builder()
            .profile_name(profile)
            .build();
        match credentials.provide_credentials().await {
            Err(CredentialsError::CredentialsNotLoaded(_)) => {
                said.message =
                    "the shared AWS configuration has no such profile, or none with credentials"
                        .into();
            }
            Err(lack) => said.message = root_causes(&lack),
            Ok(_) => {}
        }
    }
    said
}

/// Why a command may not touch an environment's account.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The credentials are good, but for another account.
    #[error(
        "environment {environment} is in account {expected}, but the credentials are for account {actual} ({caller})"
    )]
    WrongAccount {
        /// The environment's name.
        environment: String,
        /// The account that the configuration names.
        expected: String,
        /// The account that STS names.
        actual: String,
        /// The caller's ARN.
        caller: String,
    },
    /// STS did not say who the caller is.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

async fn sdk_config(environment: &Environment) -> SdkConfig {
    let loopback = environment.endpoint_url.as_ref().is_some_and(is_loopback);
    let first_backoff = if loopback {
        FIRST_BACKOFF_ON_LOOPBACK
    } else {
        FIRST_BACKOFF
    };
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(environment.region.clone()))
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(first_backoff)
                .with_max_backoff(LONGEST_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_DEADLINE)
                .operation_attempt_timeout(ATTEMPT_DEADLINE)
                .build(),
        );
    if let Some(profile) = &environment.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &environment.endpoint_url {
        loader = loader.endpoint_url(endpoint.as_str());
    }
    if environment.is_local() {
        // The local environment checks that a caller signs, not who signs: no real key is ever sent to it.
        loader = loader
            .credentials_provider(Credentials::from_keys("local", "local", None))
            .http_client(trusting_nobody());
    }
    loader.load().await
}

/// An HTTP client for the local environment, which speaks plain HTTP: without the machine's
/// certificates, since reading them takes longer than most commands' calls to it.
fn trusting_nobody() -> SharedHttpClient {
    let nobody = TlsContext::builder().with_trust_store(TrustStore::empty());
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(nobody.build().expect("an empty trust store is valid"))
        .build_https()
}
