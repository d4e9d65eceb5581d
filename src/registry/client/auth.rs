//! Being let in: HTTP Basic as it is, or a token that a token server gives for it (Distribution's
//! "Token Authentication Specification"), renewed when it ends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;

use super::failure::{Failure, successful};
use super::refusal::Refusal;
use super::{ANSWER_DEADLINE, Trust, client_with, is_loopback};
use crate::registry::credentials::{Credentials, Renewal};

/// How long before their end credentials are renewed: clocks differ, and requests take their time.
const MARGIN: Duration = Duration::from_secs(60);

/// What a request carries to be let in, as of one moment.
#[derive(Clone, Default)]
struct Pass {
    credentials: Option<Credentials>,
    /// A token server's token, which goes before the credentials.
    token: Option<String>,
    /// Who sold the token: not every refusal names the token server again.
    seller: Option<Challenge>,
    /// Whether a renewal before the end gave nothing that lasts longer.
    renewed_in_vain: bool,
    /// Grows with every renewal.
    generation: u64,
}

impl Pass {
    fn ends_soon(&self) -> bool {
        let credentials = self.credentials.as_ref();
        self.token.is_none()
            && !self.renewed_in_vain
            && credentials.is_some_and(|credentials| credentials.end_within(MARGIN))
    }
}

/// Keeps what lets us in.
pub struct Authoriser {
    pass: Mutex<Pass>,
    renewal: Option<Renewal>,
    /// Whom the registry's client trusts.
    trust: Trust,
    /// One renewal at a time: uploads run side by side.
    renewing: tokio::sync::Mutex<()>,
}

/// What the registry asks for (RFC 9110, section 11.6.1).
#[derive(Debug, Clone, PartialEq)]
enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authoriser {
    pub fn new(credentials: Option<Credentials>, renewal: Option<Renewal>, trust: Trust) -> Self {
        Self {
            pass: Mutex::new(Pass {
                credentials,
                ..Pass::default()
            }),
            renewal,
            trust,
            renewing: tokio::sync::Mutex::new(()),
        }
    }

    fn pass(&self) -> Pass {
        let pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        pass.clone()
    }

    fn keep(&self, pass: Pass) {
        *self.pass.lock().unwrap_or_else(PoisonError::into_inner) = pass;
    }

    /// The request with what lets us in, renewed if it is about to end, and the generation of that.
    pub async fn sign(&self, request: RequestBuilder) -> Result<(RequestBuilder, u64), Failure> {
        self.renew_ahead().await?;
        let pass = self.pass();
        let request = match (&pass.token, &pass.credentials) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some(credentials)) => {
                request.basic_auth(credentials.user(), Some(credentials.password()))
            }
            (None, None) => request,
        };
        Ok((request, pass.generation))
    }

    async fn renew_ahead(&self) -> Result<(), Failure> {
        let Some(renewal) = self.renewal.as_ref().filter(|_| self.pass().ends_soon()) else {
            return Ok(());
        };
        let _one = self.renewing.lock().await;
        let mut pass = self.pass();
        if !pass.ends_soon() {
            return Ok(());
        }
        match renewal.credentials().await {
            Ok(fresh) => {
                pass.renewed_in_vain = fresh.end_within(MARGIN);
                pass.credentials = Some(fresh);
                pass.generation += 1;
            }
            Err(failure)
                if pass
                    .credentials
                    .as_ref()
                    .is_some_and(Credentials::has_expired) =>
            {
                return Err(failure);
            }
            Err(failure) => {
                tracing::debug!("credentials that end soon cannot be renewed: {failure}");
                pass.renewed_in_vain = true;
            }
        }
        self.keep(pass);
        Ok(())
    }

    /// Gets a better pass than that of `generation`, which was refused with `headers`; whether
    /// there is one.
    pub async fn renew(
        &self,
        client: &Client,
        refusal: Refusal,
        headers: &HeaderMap,
        generation: u64,
    ) -> Result<bool, Failure> {
        let _one = self.renewing.lock().await;
        let mut pass = self.pass();
        if pass.generation > generation {
            return Ok(true);
        }
        let seller = Challenge::read(headers).or_else(|| pass.seller.clone());
        let seller = seller.filter(|challenge| *challenge != Challenge::Basic);
        // A token that was refused may merely have ended; credentials that were refused have.
        let fresh_needed = seller.is_none();
        let has_ended = pass
            .credentials
            .as_ref()
            .is_some_and(Credentials::has_expired);
        match &self.renewal {
            Some(renewal) if fresh_needed || has_ended => {
                match renewal.credentials().await {
                    Ok(fresh) => pass.credentials = Some(fresh),
                    // As far as we know they are good: the refusal says more.
                    Err(failure) if refusal == Refusal::Silent && !has_ended => {
                        tracing::debug!("credentials cannot be renewed: {failure}");
                        return Ok(false);
                    }
                    Err(failure) => return Err(failure),
                }
                pass.renewed_in_vain = false;
            }
            None if fresh_needed => return Ok(false),
            _ => {}
        }
        pass.token = None;
        if let Some(Challenge::Bearer {
            realm,
            service,
            scope,
        }) = &seller
        {
            let asked_for = [("service", service.as_deref()), ("scope", scope.as_deref())];
            let credentials = pass.credentials.as_ref();
            let token = fetch_token(client, self.trust, realm, asked_for, credentials);
            pass.token = Some(token.await?);
        }
        pass.seller = seller;
        pass.generation += 1;
        self.keep(pass);
        Ok(true)
    }
}

/// Buys a token from the token server at `realm`.
async fn fetch_token(
    client: &Client,
    trust: Trust,
    realm: &str,
    asked_for: [(&str, Option<&str>); 2],
    credentials: Option<&Credentials>,
) -> Result<String, Failure> {
    let unusable =
        |reason: &str| Failure::Protocol(format!("the registry's token server {reason}"));
    let mut url = Url::parse(realm).map_err(|_| unusable("has no usable address"))?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() != "https" && !is_loopback(host) {
        return Err(unusable(
            "is not reached with https, so it gets no password",
        ));
    }
    // What is enough for a registry on this machine is not for a token server elsewhere, which
    // gets the password. Making a client takes time, so only then.
    let verifying = match trust {
        Trust::AnyCertificate if !is_loopback(host) => Some(client_with(Trust::Verified)?),
        _ => None,
    };
    let client = verifying.as_ref().unwrap_or(client);
    for (name, value) in asked_for {
        // Several scopes stand in one challenge, and go as one parameter each.
        for value in value.unwrap_or_default().split_whitespace() {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut request = client.get(url).timeout(ANSWER_DEADLINE);
    if let Some(credentials) = credentials {
        request = request.basic_auth(credentials.user(), Some(credentials.password()));
    }
    let answer = request.send().await.map_err(Failure::connection)?;
    let answer: TokenAnswer = successful(answer)
        .await?
        .json()
        .await
        .map_err(|_| unusable("gave an answer that is not its specification's"))?;
    let token = answer.token.or(answer.access_token);
    token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| unusable("gave no token"))
}

impl Challenge {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
        let texts: Vec<&str> = challenges.filter_map(|value| value.to_str().ok()).collect();
        let bearer = texts.iter().find_map(|text| Self::bearer(text));
        let is_basic = |text: &&str| {
            scheme(text).is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        };
        bearer.or_else(|| texts.iter().any(is_basic).then_some(Self::Basic))
    }

    fn bearer(text: &str) -> Option<Self> {
        let (_, parameters) =
            scheme(text).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
        let (mut realm, mut service, mut scope) = (None, None, None);
        let mut rest = parameters.trim();
        // name="value", where a value may hold commas.
        while let Some((name, value)) = rest.split_once("=\"") {
            let (value, tail) = value.split_once('"')?;
            let slot = match name
                .trim()
                .trim_start_matches(',')
                .trim()
                .to_ascii_lowercase()
                .as_str()
            {
                "realm" => &mut realm,
                "service" => &mut service,
                "scope" => &mut scope,
                _ => &mut None,
            };
            *slot = Some(value.to_owned());
            rest = tail;
        }
        Some(Self::Bearer {
            realm: realm?,
            service,
            scope,
        })
    }
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    text.trim().split_once(' ').or(Some((text.trim(), "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, text.parse().unwrap());
        Challenge::read(&headers)
    }

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        assert_eq!(
            read(
                r#"Bearer realm="https://a/token",service="reg",scope="repository:a/b:pull,push""#
            ),
            bearer(
                "https://a/token",
                Some("reg"),
                Some("repository:a/b:pull,push")
            )
        );
        assert_eq!(
            read(r#"bearer  service="x", Realm="https://a/t", error="invalid_token""#),
            bearer("https://a/t", Some("x"), None)
        );
        assert_eq!(
            read(r#"Basic realm="https://a/,service=""#),
            Some(Challenge::Basic)
        );
        assert_eq!(read("Basic"), Some(Challenge::Basic));
        assert_eq!(read(r#"Bearer service="no realm""#), None);
        assert_eq!(read(r#"Bearer realm="unclosed"#), None);
        assert_eq!(read("Negotiate"), None);
    }
}
