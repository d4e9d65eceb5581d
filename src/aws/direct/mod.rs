//! The few questions to IAM, EC2, Secrets Manager, Systems Manager and CloudFormation.
//!
//! An SDK crate for each would add minutes to every build (`aws-sdk-ec2` alone is larger than
//! all that we use otherwise) for a dozen calls. The requests are signed by the SDK's own
//! signer with the credentials of the SDK's own chain; only the wire format is ours:
//! the AWS Query protocol (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>), EC2's
//! dialect of it, and AWS JSON 1.1.

mod question;
mod service;
mod xml;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use backon::{ExponentialBuilder, Retryable};
use serde_json::Value;

pub use question::Question;
pub use service::Service;

use super::{
    ATTEMPT_DEADLINE, AwsError, AwsErrorKind, CALL_DEADLINE, credentials_error, root_causes,
};
use service::{Protocol, endpoint};

/// Attempts of one call, as for the SDK's own clients.
const ATTEMPTS: usize = 4;

/// The APIs that are asked directly.
#[derive(Debug, Clone)]
pub struct Direct {
    /// Made when something is asked: reading the machine's certificates takes longer than most
    /// commands' calls to an endpoint near by, and few of them ask.
    http: Arc<LazyLock<Result<reqwest::Client, String>>>,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
    endpoint_url: Option<String>,
}

fn http_client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .timeout(ATTEMPT_DEADLINE)
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {}", root_causes(&error)))
}

impl Direct {
    /// With the credentials, region and endpoint of the SDK's own clients; makes no call.
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            http: Arc::new(LazyLock::new(http_client)),
            credentials: config.credentials_provider(),
            region: config
                .region()
                .map(|region| region.as_ref().to_owned())
                .unwrap_or_default(),
            endpoint_url: config.endpoint_url().map(str::to_owned),
        }
    }

    /// Asks; the answer is the JSON object, or the XML as [`xml::read`] turns it into one.
    ///
    /// # Errors
    /// [`AwsError`], after retries where AWS throttled, failed or was not reached.
    pub async fn ask(&self, question: &Question) -> Result<Value, AwsError> {
        let patience = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_jitter()
            .with_max_times(ATTEMPTS - 1);
        let asked = (|| self.attempt(question))
            .retry(patience)
            .when(|error: &AwsError| {
                matches!(
                    error.kind,
                    AwsErrorKind::Throttled | AwsErrorKind::Unreachable | AwsErrorKind::Server
                )
            });
        tokio::time::timeout(CALL_DEADLINE, asked)
            .await
            .unwrap_or_else(|_| {
                Err(question.failed(
                    AwsErrorKind::Unreachable,
                    format!("no answer within {} s", CALL_DEADLINE.as_secs()),
                ))
            })
    }

    async fn attempt(&self, question: &Question) -> Result<Value, AwsError> {
        let request = self.signed(question).await?;
        let http = (**self.http)
            .as_ref()
            .map_err(|reason| question.failed(AwsErrorKind::Unreachable, reason.clone()))?;
        let lost = |error: reqwest::Error| {
            question.failed(AwsErrorKind::Unreachable, root_causes(&error.without_url()))
        };
        let request = reqwest::Request::try_from(request).map_err(lost)?;
        let answer = http.execute(request).await.map_err(lost)?;
        let status = answer.status();
        let id = ["x-amzn-requestid", "x-amz-request-id"]
            .iter()
            .find_map(|name| answer.headers().get(*name))
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let body = answer.text().await.map_err(lost)?;
        let read = match question.service.protocol() {
            Protocol::Query { .. } => xml::read(&body),
            Protocol::Json { .. } => serde_json::from_str(&body).map_err(|error| error.to_string()),
        };
        if !status.is_success() {
            return Err(AwsError {
                request_id: id,
                ..question.refused(status.as_u16(), &read.unwrap_or_default())
            });
        }
        read.map_err(|error| {
            AwsError::incomplete(
                question.action,
                &question.resource,
                &format!("cannot be read: {error}"),
            )
        })
    }

    async fn signed(&self, question: &Question) -> Result<http::Request<Vec<u8>>, AwsError> {
        let (default, region) = endpoint(question.service, &self.region);
        let url = self.endpoint_url.clone().unwrap_or(default);
        let provider = self.credentials.as_ref().ok_or_else(|| {
            question.failed(
                AwsErrorKind::CredentialsMissing,
                "there is no provider of credentials".into(),
            )
        })?;
        let identity = provider
            .provide_credentials()
            .await
            .map_err(|error| {
                let reason = root_causes(credentials_error(&error).unwrap_or(&error));
                question.failed(AwsErrorKind::CredentialsMissing, reason)
            })?
            .into();
        let unsignable = |reason: String| question.failed(AwsErrorKind::Refused, reason);
        let mut request = question
            .request(&url)
            .map_err(|error| unsignable(error.to_string()))?;
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name(question.service.name())
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsignable(error.to_string()))?
            .into();
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            SignableBody::Bytes(request.body()),
        )
        .map_err(|error| unsignable(error.to_string()))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| unsignable(error.to_string()))?
            .into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
