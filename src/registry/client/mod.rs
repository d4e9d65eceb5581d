//! The requests of the OCI distribution specification that publishing and promoting need, over
//! reqwest.
//!
//! A general registry client would do, but for four things: it must tell a busy registry (429,
//! `Retry-After`) from a refusing one, report the digest that the registry computed, go on with
//! an upload that broke, and keep upload addresses, which hold session secrets, out of errors.

mod auth;
mod blobs;
mod failure;
mod link;
mod manifests;
mod refusal;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};

use super::access::Access;
use crate::image::{Digest, RepositoryName};
use auth::Authoriser;
pub use blobs::Progress;
pub use failure::Failure;
pub use manifests::Manifest;
use refusal::Refusal;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// For an answer to a request that carries little.
const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

const CONTENT_DIGEST: &str = "docker-content-digest";

/// One repository of a registry, over HTTP.
pub struct RemoteRepository {
    client: reqwest::Client,
    base: Url,
    authoriser: Authoriser,
}

impl RemoteRepository {
    /// Connects with https. A registry on this machine may also be one without TLS or with a
    /// certificate of its own, as for Docker's client; and no proxy stands before it.
    pub async fn connect(access: &Access) -> Result<Self, Failure> {
        let name = &access.repository;
        let local = is_loopback(name.registry());
        let trust = if local {
            Trust::AnyCertificate
        } else {
            Trust::Verified
        };
        let client = client_with(trust)?;
        let has_tls = !local || has_tls(&client, name).await;
        let scheme = if has_tls { "https" } else { "http" };
        let base = format!("{scheme}://{}/v2/{}/", name.registry(), name.path());
        Ok(Self {
            client,
            base: Url::parse(&base).map_err(|error| Failure::Protocol(error.to_string()))?,
            authoriser: Authoriser::new(access.credentials.clone(), access.renewal.clone(), trust),
        })
    }

    fn url(&self, path: &str) -> Result<Url, Failure> {
        self.base
            .join(path)
            .map_err(|error| Failure::Protocol(error.to_string()))
    }

    /// Sends what `build` makes of a request, and again if the registry wants to see better
    /// credentials and there are some.
    async fn execute(
        &self,
        method: Method,
        url: Url,
        build: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        let send = || async {
            let request = self.client.request(method.clone(), url.clone());
            self.send(&url, build(request.timeout(ANSWER_DEADLINE)))
                .await
        };
        let (answer, generation) = send().await?;
        let (refusal, answer) = self.refusal(&url, answer).await?;
        if let Some(refusal) = refusal
            && self.renewed(refusal, &answer, generation).await?
        {
            return send().await.map(|(answer, _)| answer);
        }
        Ok(answer)
    }

    /// Sends a request whose body can be sent once only.
    async fn execute_once(&self, url: &Url, request: RequestBuilder) -> Result<Response, Failure> {
        let (answer, generation) = self.send(url, request).await?;
        let (refusal, answer) = self.refusal(url, answer).await?;
        // A refusal without a word would be met again and again: only HEAD has to be silent.
        let refusal = refusal.filter(|refusal| *refusal != Refusal::Silent);
        if let Some(refusal) = refusal
            && self.renewed(refusal, &answer, generation).await?
        {
            return Err(Failure::Reauthorised);
        }
        Ok(answer)
    }

    /// Our credentials go along, unless the request goes to another host than the registry's.
    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<(Response, u64), Failure> {
        let (request, generation) = if self.is_registry(url) {
            self.authoriser.sign(request).await?
        } else {
            (request, 0)
        };
        let answer = request.send().await.map_err(Failure::connection)?;
        Ok((answer, generation))
    }

    /// What an answer of the registry's own refuses, and the answer.
    async fn refusal(
        &self,
        url: &Url,
        answer: Response,
    ) -> Result<(Option<Refusal>, Response), Failure> {
        if self.is_registry(url) {
            Refusal::of(answer).await
        } else {
            Ok((None, answer))
        }
    }

    async fn renewed(
        &self,
        refusal: Refusal,
        answer: &Response,
        generation: u64,
    ) -> Result<bool, Failure> {
        self.authoriser
            .renew(&self.client, refusal, answer.headers(), generation)
            .await
    }

    fn is_registry(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }
}

/// Whom a client believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// A server whose certificate the machine trusts, and nobody without TLS.
    Verified,
    /// Anybody on this machine.
    AnyCertificate,
}

fn client_with(trust: Trust) -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder()
        .user_agent(concat!("quilt-mcp-deploy/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_DEADLINE);
    let client = match trust {
        Trust::Verified => client.https_only(true),
        Trust::AnyCertificate => client.no_proxy().tls_danger_accept_invalid_certs(true),
    };
    client.build().map_err(Failure::connection)
}

/// Whether the registry on this machine wants https. Plain HTTP is tried first: getting ready for
/// a handshake (AWS-LC gathers entropy, once in a process) takes longer than all the rest of a
/// publish that has nothing to do.
async fn has_tls(client: &reqwest::Client, name: &RepositoryName) -> bool {
    let ask = |scheme: &str| {
        let url = format!("{scheme}://{}/v2/", name.registry());
        client.get(url).timeout(CONNECT_DEADLINE).send()
    };
    match ask("http").await {
        Ok(answer) if answer.url().scheme() == "https" => true,
        // What nginx and servers in Go say to plain HTTP where they want TLS; others say nothing.
        Ok(answer) if answer.status() != StatusCode::BAD_REQUEST => false,
        _ => ask("https").await.is_ok(),
    }
}

/// Whether a registry's host is this machine: `localhost`, 127.0.0.0/8 or ::1.
pub fn is_loopback(registry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{registry}/")) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn content_digest(headers: &HeaderMap) -> Result<Option<Digest>, Failure> {
    let Some(value) = headers.get(CONTENT_DIGEST) else {
        return Ok(None);
    };
    let digest = value.to_str().ok().and_then(|text| text.parse().ok());
    digest.map(Some).ok_or_else(|| {
        Failure::Protocol("the registry's Docker-Content-Digest is not a sha256 digest".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Credentials;

    #[test]
    fn only_this_machine_is_spoken_to_in_plain_http() {
        for (registry, expected) in [
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("127.8.8.8", true),
            ("[::1]:5000", true),
            ("LOCALHOST:1", true),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com", false),
            ("10.0.0.1:5000", false),
            ("111122223333.dkr.ecr.us-east-1.amazonaws.com", false),
        ] {
            assert_eq!(is_loopback(registry), expected, "{registry}");
        }
    }

    #[test]
    fn credentials_stay_with_the_registry() {
        let credentials = Credentials::new("u", "p", None);
        let repository = RemoteRepository {
            client: reqwest::Client::new(),
            base: Url::parse("http://127.0.0.1:5000/v2/a/").unwrap(),
            authoriser: Authoriser::new(Some(credentials), None, Trust::Verified),
        };
        for (address, expected) in [
            ("http://127.0.0.1:5000/v2/a/blobs/uploads/1", true),
            ("http://127.0.0.1:5001/v2/a/blobs/uploads/1", false),
            ("http://127.0.0.2:5000/v2/a/blobs/uploads/1", false),
            ("https://127.0.0.1:5000/v2/a/blobs/uploads/1", false),
        ] {
            let url = Url::parse(address).unwrap();
            assert_eq!(repository.is_registry(&url), expected, "{address}");
        }
    }
}
