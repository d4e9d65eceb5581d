use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use reqwest::Response;
use serde_json::Value;
use sse_stream::SseStream;
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use url::Url;

use super::answerer::Answerer;
use super::failure::Failure;
use super::message;
use super::token::{TokenFailure, TokenSource};
use crate::registry::trusted_roots;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence of a server that is alive: with MCP 2026-07-28 nothing comes before the answer,
/// which takes 120 s at most (10 s for the token, 110 s for a query), and the network wants some.
const SILENCE: Duration = Duration::from_secs(135);
/// How often a message is sent that no server has taken.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest answer that is no stream, in bytes.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// Where a message names its own protocol version (specification 2026-07-28).
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION_HEADER: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// The server far away.
pub struct Remote {
    http: reqwest::Client,
    url: Url,
    source: TokenSource,
    token: AsyncMutex<Token>,
    agreed: Mutex<HeaderMap>,
}

/// The token in use, and how often it has been got.
#[derive(Default)]
struct Token {
    generation: u64,
    authorization: Option<HeaderValue>,
}

impl Remote {
    /// The server at `url`, with tokens of `source`.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(url: Url, source: TokenSource, is_loopback: bool) -> Result<Self, reqwest::Error> {
        let (roots, _) = trusted_roots();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("quilt-mcp-proxy/", env!("CARGO_PKG_VERSION")))
            .tls_certs_only(roots)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE);
        if is_loopback {
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build()?,
            url,
            source,
            token: AsyncMutex::default(),
            agreed: Mutex::default(),
        })
    }

    /// Sends a request, and everything that comes back for it to `answers`.
    pub(super) async fn ask(
        &self,
        id: &Value,
        message: &Value,
        answers: &mpsc::Sender<Value>,
    ) -> Result<(), Failure> {
        let response = self.send(message).await?;
        let answerer = Answerer::of(&response);
        if !answerer.status.is_success() {
            let body = read_json(response).await.ok().flatten();
            let Some(answer) = body.as_ref().and_then(|body| message::answer_to(id, body)) else {
                return Err(self.refusal(answerer, body.as_ref()));
            };
            pass(answer, answers).await;
            return Ok(());
        }
        if answerer.is_stream() {
            return self
                .follow(response, answerer, (id, message), answers)
                .await;
        }
        let session = response.headers().get(SESSION_HEADER).cloned();
        let body = read_json(response).await?;
        let Some(answer) = body.and_then(|body| message::answer_to(id, &body)) else {
            return Err(Failure::NotMcp(answerer));
        };
        self.remember_session(session);
        self.remember_version(message, &answer);
        pass(answer, answers).await;
        Ok(())
    }

    /// Passes on a stream's messages, up to the answer to the request.
    async fn follow(
        &self,
        response: Response,
        answerer: Answerer,
        (id, message): (&Value, &Value),
        answers: &mpsc::Sender<Value>,
    ) -> Result<(), Failure> {
        let session = response.headers().get(SESSION_HEADER).cloned();
        let mut events = SseStream::from_bytes_stream(response.bytes_stream());
        while let Some(event) = events.next().await {
            let Some(data) = event.map_err(|_| Failure::Broke)?.data else {
                continue;
            };
            if data.trim().is_empty() {
                continue;
            }
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                return Err(Failure::NotMcp(answerer));
            };
            if message::is_call(&event) {
                pass(event, answers).await;
                continue;
            }
            let Some(answer) = message::answer_to(id, &event) else {
                return Err(Failure::NotMcp(answerer));
            };
            self.remember_session(session);
            self.remember_version(message, &answer);
            pass(answer, answers).await;
            return Ok(());
        }
        Err(Failure::Broke)
    }

    /// What a status means that is no success: in the server's own words, where it has any.
    fn refusal(&self, answerer: Answerer, body: Option<&Value>) -> Failure {
        let said = body.and_then(|body| body["error"]["message"].as_str());
        let Some(said) = said else {
            return Failure::NotMcp(answerer);
        };
        let mut message = said.to_owned();
        if answerer.status == StatusCode::UNAUTHORIZED && matches!(self.source, TokenSource::None) {
            message += "; set QUILT_MCP_TOKEN where the client is started, or use --token-command";
        }
        Failure::Http {
            status: answerer.status.as_u16(),
            message,
        }
    }

    /// Sends a message that wants no answer.
    pub(super) async fn tell(&self, message: &Value) -> Result<(), Failure> {
        let response = self.send(message).await?;
        let answerer = Answerer::of(&response);
        match answerer.status.is_success() {
            true if answerer.is_web_page() => Err(Failure::NotMcp(answerer)),
            true => Ok(()),
            false => {
                let body = read_json(response).await.ok().flatten();
                Err(self.refusal(answerer, body.as_ref()))
            }
        }
    }

    /// Sends a message until a server takes it: again where none was reached, or
    /// one said that it did not begin; with a new token, once, where the old one
    /// was refused.
    async fn send(&self, message: &Value) -> Result<Response, Failure> {
        let mut pause = FIRST_PAUSE;
        let mut has_new_token = false;
        let mut tries = 1;
        loop {
            let (generation, authorization) = self.authorization(None).await?;
            let outcome = self.post(message, authorization).await;
            let wait = match outcome {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                    if has_new_token || !self.source.can_change() {
                        return Ok(response);
                    }
                    has_new_token = true;
                    self.authorization(Some(generation)).await?;
                    continue;
                }
                Ok(response) if tries < TRIES && was_not_begun(response.status()) => {
                    retry_after(response.headers()).unwrap_or(pause)
                }
                Err(error)
                    if tries < TRIES && (error.is_connect() || may_be_sent_twice(message)) =>
                {
                    pause
                }
                Ok(response) => return Ok(response),
                Err(error) => return Err(unreachable(&error)),
            };
            tracing::info!(tries, seconds = wait.as_secs_f32(), "trying again");
            tokio::time::sleep(wait.min(LONGEST_PAUSE)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tries += 1;
        }
    }

    async fn post(
        &self,
        message: &Value,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, reqwest::Error> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(header::ACCEPT, "application/json, text/event-stream")
            .headers(self.headers(message))
            .json(message);
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.send().await
    }

    /// The token; got anew when it is still the one that was `refused`.
    async fn authorization(
        &self,
        refused: Option<u64>,
    ) -> Result<(u64, Option<HeaderValue>), TokenFailure> {
        let mut token = self.token.lock().await;
        if token.generation == 0 || refused == Some(token.generation) {
            token.authorization = self.source.authorization().await?;
            token.generation += 1;
        }
        Ok((token.generation, token.authorization.clone()))
    }

    /// What was agreed on, unless the message speaks for itself.
    fn headers(&self, message: &Value) -> HeaderMap {
        let params = &message["params"];
        let Some(version) = params["_meta"][VERSION_KEY].as_str() else {
            return self
                .agreed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
        };
        let mut headers = HeaderMap::new();
        let name = params["name"].as_str().or_else(|| params["uri"].as_str());
        for (header, value) in [
            (VERSION_HEADER, Some(version)),
            (METHOD_HEADER, message["method"].as_str()),
            (NAME_HEADER, name),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(header, value);
            }
        }
        headers
    }

    fn remember_version(&self, request: &Value, answer: &Value) {
        let version = answer["result"]["protocolVersion"].as_str();
        if request["method"] == "initialize"
            && let Some(version) = version.and_then(|version| HeaderValue::from_str(version).ok())
        {
            self.agree(VERSION_HEADER, version);
        }
    }

    fn remember_session(&self, session: Option<HeaderValue>) {
        if let Some(session) = session {
            self.agree(SESSION_HEADER, session);
        }
    }

    fn agree(&self, name: HeaderName, value: HeaderValue) {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        agreed.insert(name, value);
    }
}

async fn pass(answer: Value, answers: &mpsc::Sender<Value>) {
    // An error means that the client reads no more.
    let _ = answers.send(answer).await;
}

/// Whether doing a message twice is doing it once: a connection may have broken
/// after the server had taken it.
fn may_be_sent_twice(message: &Value) -> bool {
    message["method"] != "tools/call"
}

/// Statuses by which a server or load balancer says that nothing was done.
fn was_not_begun(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// The body, if it is JSON.
async fn read_json(mut response: Response) -> Result<Option<Value>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| Failure::Broke)? {
        if body.len() + chunk.len() > ANSWER_LIMIT {
            return Err(Failure::TooLong {
                limit: ANSWER_LIMIT,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&body).ok())
}

fn unreachable(error: &reqwest::Error) -> Failure {
    let why = if error.is_connect() {
        "no connection"
    } else if error.is_timeout() {
        "no answer in time"
    } else {
        return Failure::Broke;
    };
    let host = error.url().and_then(Url::host_str).unwrap_or("this URL");
    Failure::Unreachable {
        host: host.to_owned(),
        why,
    }
}
