use std::time::Duration;

use bytes::BytesMut;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use super::credentials::LentCredentials;
use super::error::RegistryError;
use super::operation::Operation;
use super::roots::trusted_roots;
use crate::auth::BearerToken;
use crate::config::StackUrl;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(30);
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// GraphQL messages shown to callers are cut here, in characters.
const MESSAGE_LIMIT: usize = 500;

/// A client of one registry's GraphQL. Clones share connections.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    http: reqwest::Client,
    graphql: Url,
    credentials: Url,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a, V> {
    operation_name: &'a str,
    query: &'a str,
    variables: &'a V,
}

#[derive(Deserialize)]
struct Response {
    data: Option<serde_json::Value>,
    #[serde(default)]
    errors: Vec<GraphqlError>,
}

#[derive(Deserialize)]
struct GraphqlError {
    message: String,
}

impl RegistryClient {
    /// A client for the registry at `url`.
    ///
    /// Redirects are not followed: the token belongs to this registry alone.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(url: &StackUrl) -> Result<Self, reqwest::Error> {
        let (roots, source) = trusted_roots();
        tracing::debug!(roots = roots.len(), ?source, "trusted roots loaded");
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("quilt-mcp-server/", env!("CARGO_PKG_VERSION")))
            .tls_certs_only(roots)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT);
        if url.is_loopback() {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            graphql: url.join(["graphql"]),
            credentials: url.join(["api", "auth", "get_credentials"]),
        })
    }

    /// Exchanges the token for temporary AWS credentials of its holder.
    ///
    /// # Errors
    /// When the registry lends none.
    pub async fn lend_credentials(
        &self,
        token: &BearerToken,
    ) -> Result<LentCredentials, RegistryError> {
        let response = self
            .http
            .get(self.credentials.clone())
            .header(header::AUTHORIZATION, token.authorization())
            .timeout(CREDENTIALS_TIMEOUT)
            .send()
            .await?;
        check_status(&response)?;
        LentCredentials::read(&read_bounded(response).await?)
    }

    /// Asks, as the holder of `token`.
    ///
    /// # Errors
    /// When there is no complete answer, including one that has `errors`.
    pub async fn ask<O: Operation>(
        &self,
        token: &BearerToken,
        variables: &O::Variables,
    ) -> Result<O::Data, RegistryError> {
        let response = self
            .http
            .post(self.graphql.clone())
            .header(header::AUTHORIZATION, token.authorization())
            .json(&Request {
                operation_name: O::NAME,
                query: O::DOCUMENT,
                variables,
            })
            .send()
            .await?;
        check_status(&response)?;
        let body = read_bounded(response).await?;
        let unreadable = |error: serde_json::Error| RegistryError::Unreadable(error.to_string());
        let answer: Response = serde_json::from_slice(&body).map_err(unreadable)?;
        if let Some(error) = answer.errors.first() {
            let message = error.message.chars().take(MESSAGE_LIMIT).collect();
            return Err(RegistryError::Refused(message));
        }
        let data = answer
            .data
            .ok_or_else(|| RegistryError::Unreadable("neither data nor errors".to_owned()))?;
        serde_json::from_value(data).map_err(unreadable)
    }
}

fn check_status(response: &reqwest::Response) -> Result<(), RegistryError> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Unauthorized,
        StatusCode::TOO_MANY_REQUESTS => unavailable(response),
        _ if status.is_server_error() => unavailable(response),
        _ => RegistryError::UnexpectedStatus(status.as_u16()),
    })
}

fn unavailable(response: &reqwest::Response) -> RegistryError {
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    RegistryError::Unavailable {
        status: response.status().as_u16(),
        retry_after,
    }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<BytesMut, RegistryError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(RegistryError::TooLarge {
                limit_bytes: ANSWER_LIMIT,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
