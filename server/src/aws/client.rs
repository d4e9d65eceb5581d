use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::error::AwsError;
use super::lender::Lender;
use super::region::Region;
use super::sign::{Scope, SigningFailed};
use crate::auth::BearerToken;
use crate::config::Aws;
use crate::registry::{LentCredentials, RegistryClient, trusted_roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;

/// Sends signed requests. Clones share connections and lent credentials.
#[derive(Clone, Debug)]
pub struct AwsClient {
    http: reqwest::Client,
    lender: Lender,
    /// Where AWS is.
    pub(super) aws: Aws,
}

/// One request, before it is signed.
pub(super) struct AwsRequest<'a> {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) region: &'a Region,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// An answer, read whole.
pub(super) struct AwsAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: BytesMut,
}

impl AwsClient {
    /// A client for the configured AWS, with what `registry` lends.
    ///
    /// Redirects are not followed: a signature is for one host.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(aws: &Aws, registry: RegistryClient) -> Result<Self, reqwest::Error> {
        let (roots, _) = trusted_roots();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("quilt-mcp-server/", env!("CARGO_PKG_VERSION")))
            .tls_certs_only(roots)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        if aws.endpoint.as_ref().is_some_and(|url| url.is_loopback()) {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            lender: Lender::new(registry),
            aws: aws.clone(),
        })
    }

    /// Sends a request as the holder of `token`, and reads the answer whatever its status.
    pub(super) async fn send(
        &self,
        token: &BearerToken,
        request: AwsRequest<'_>,
    ) -> Result<AwsAnswer, AwsError> {
        let operation = request.operation;
        let credentials = self.credentials(token).await?;
        let headers: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let signature = Scope {
            service: request.service,
            region: request.region,
            credentials: &credentials,
        }
        .headers(
            request.method.as_str(),
            &request.url,
            &headers,
            &request.body,
        )
        .map_err(|SigningFailed| AwsError::Unsignable { operation })?;
        let mut builder = self.http.request(request.method, request.url);
        for (name, value) in &headers {
            builder = builder.header(*name, *value);
        }
        let sending = builder.headers(signature).body(request.body).send();
        let response = sending
            .await
            .map_err(|error| unavailable(operation, error))?;
        read(operation, response).await
    }

    /// A URL that opens for whoever holds it, until `expires_in` or the
    /// credentials are over; gives the shorter of both.
    pub(super) async fn presign(
        &self,
        token: &BearerToken,
        region: &Region,
        url: &Url,
        expires_in: Duration,
    ) -> Result<(Url, Duration), AwsError> {
        let credentials = self.credentials(token).await?;
        let remaining = credentials.remaining(std::time::SystemTime::now());
        let scope = Scope {
            service: "s3",
            region,
            credentials: &credentials,
        };
        let operation = "GetObject";
        let expires_in = expires_in.min(remaining);
        scope
            .presigned(url, expires_in)
            .map(|url| (url, expires_in))
            .map_err(|SigningFailed| AwsError::Unsignable { operation })
    }

    async fn credentials(&self, token: &BearerToken) -> Result<LentCredentials, AwsError> {
        self.lender
            .lend(token)
            .await
            .map_err(AwsError::NoCredentials)
    }

    /// Turns an error of AWS's into ours; lent credentials that AWS does not
    /// know any more are forgotten.
    pub(super) async fn refusal(
        &self,
        token: &BearerToken,
        operation: &'static str,
        resource: String,
        refusal: Refusal,
    ) -> AwsError {
        let Refusal {
            status,
            code,
            message,
        } = refusal;
        match code.as_str() {
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidToken"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId" => {
                self.lender.forget(token.hash()).await;
                AwsError::CredentialsEnded
            }
            "NoSuchKey" | "NoSuchBucket" | "NoSuchVersion" | "NotFound" => {
                AwsError::NotFound { resource }
            }
            _ if status == StatusCode::NOT_FOUND => AwsError::NotFound { resource },
            "SlowDown" | "ThrottlingException" | "TooManyRequestsException" | "RequestTimeout" => {
                AwsError::Unavailable {
                    operation,
                    reason: code,
                }
            }
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                AwsError::Unavailable {
                    operation,
                    reason: format!("HTTP {}", status.as_u16()),
                }
            }
            _ if status == StatusCode::FORBIDDEN || code == "AccessDeniedException" => {
                AwsError::Denied {
                    operation,
                    resource,
                    message,
                }
            }
            _ => AwsError::Refused {
                operation,
                code,
                message,
            },
        }
    }
}

/// An error as AWS tells it.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
}

async fn read(
    operation: &'static str,
    mut response: reqwest::Response,
) -> Result<AwsAnswer, AwsError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| unavailable(operation, error))? else {
            break;
        };
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(AwsError::Unreadable { operation });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(AwsAnswer {
        status,
        headers,
        body,
    })
}

fn unavailable(operation: &'static str, error: reqwest::Error) -> AwsError {
    let reason = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    tracing::warn!(operation, reason, "AWS request failed");
    AwsError::Unavailable {
        operation,
        reason: reason.to_owned(),
    }
}
