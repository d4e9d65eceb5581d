//! Requests, each on a connection of its own, and what came back.

use std::time::{Duration, Instant};

use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sse_stream::SseStream;
use url::Url;

use super::{Problem, SmokeError, SmokeTest, Step, Timing, Token};
use crate::config::is_loopback;

/// Most bytes of one answer; the server's own limit for a body is 4 MiB.
const LARGEST_ANSWER: usize = 8 << 20;
/// Most bytes of an unexpected body that are read.
const LARGEST_EXCERPT: usize = 64 << 10;
/// How much of it is shown, in characters.
const EXCERPT: usize = 160;
const CONNECT: Duration = Duration::from_secs(5);

/// The endpoint, and what was seen of it so far.
pub(super) struct Endpoint {
    pub(super) url: Url,
    pub(super) patience: Duration,
    token: Option<Token>,
    http: reqwest::Client,
    next_id: u64,
    versions: Vec<String>,
    times: Vec<(&'static str, Duration)>,
}

/// The answer to a JSON-RPC request.
pub(super) struct Reply {
    pub(super) result: Value,
    pub(super) headers: HeaderMap,
}

/// What a client sends along once it has shaken hands.
#[derive(Debug, Clone, Default)]
pub(super) struct Agreed {
    pub(super) protocol: String,
    pub(super) session: Option<String>,
}

impl Endpoint {
    pub(super) fn new(test: &SmokeTest) -> Result<Self, SmokeError> {
        let mut builder = reqwest::Client::builder()
            // No connection is kept, so none is used twice.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT.min(test.patience));
        if is_loopback(&test.url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| SmokeError {
            url: test.url.to_string(),
            step: Step::NoToken,
            problem: Problem::Client(crate::aws::root_causes(&error)),
        })?;
        Ok(Self {
            url: test.url.clone(),
            patience: test.patience,
            token: test.token.clone(),
            http,
            next_id: 0,
            versions: Vec::new(),
            times: Vec::new(),
        })
    }

    /// A request of the browser's kind, or any other without a token.
    pub(super) fn bare(&self, method: reqwest::Method) -> RequestBuilder {
        self.http.request(method, self.url.clone())
    }

    /// An MCP message, not yet sent.
    pub(super) fn message(&self, message: &Value) -> RequestBuilder {
        self.bare(reqwest::Method::POST)
            .header(ACCEPT, "application/json, text/event-stream")
            .json(message)
    }

    fn signed(&self, message: &Value, agreed: Option<&Agreed>) -> RequestBuilder {
        let mut request = self.message(message);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        if let Some(agreed) = agreed {
            request = request.header("mcp-protocol-version", &agreed.protocol);
            if let Some(session) = &agreed.session {
                request = request.header("mcp-session-id", session);
            }
        }
        request
    }

    /// Sends a request and reads the head of its answer; redirects are refused.
    pub(super) async fn send(
        &mut self,
        step: &Step,
        request: RequestBuilder,
    ) -> Result<Response, SmokeError> {
        let began = Instant::now();
        let answer = tokio::time::timeout(self.patience, request.send())
            .await
            .map_err(|_| self.failed(step, Problem::TimedOut(self.patience)))?
            .map_err(|error| self.failed(step, unreachable(&error)))?;
        self.took(step.name(), began.elapsed());
        let version = format!("{:?}", answer.version());
        if !self.versions.contains(&version) {
            self.versions.push(version);
        }
        if answer.status().is_redirection() {
            let to = answer.headers().get(LOCATION).map_or_else(
                || "nowhere".to_owned(),
                |to| String::from_utf8_lossy(to.as_bytes()).into_owned(),
            );
            let status = answer.status().as_u16();
            return Err(self.failed(step, Problem::Redirected { status, to }));
        }
        Ok(answer)
    }

    /// An MCP notification: the server owes nothing but 202 (or 200).
    pub(super) async fn notify(
        &mut self,
        step: &Step,
        method: &str,
        agreed: &Agreed,
    ) -> Result<(), SmokeError> {
        let message = json!({"jsonrpc": "2.0", "method": method});
        let answer = self.send(step, self.signed(&message, Some(agreed))).await?;
        self.accept(step, answer, Some(agreed)).await.map(drop)
    }

    /// An MCP request and its result.
    pub(super) async fn request(
        &mut self,
        step: &Step,
        method: &str,
        params: Value,
        agreed: Option<&Agreed>,
    ) -> Result<Reply, SmokeError> {
        self.next_id += 1;
        let id = self.next_id;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let answer = self.send(step, self.signed(&message, agreed)).await?;
        let answer = self.accept(step, answer, agreed).await?;
        let headers = answer.headers().clone();
        let read = tokio::time::timeout(self.patience, read(answer, id));
        let message = match read.await {
            Ok(message) => message,
            Err(_) => Err(Problem::TimedOut(self.patience)),
        };
        let result = message
            .and_then(result_of)
            .map_err(|problem| self.failed(step, self.told(problem)))?;
        Ok(Reply { result, headers })
    }

    /// Ends a session; a courtesy that no server has to know.
    pub(super) async fn end(&mut self, agreed: &Agreed) {
        let Some(session) = &agreed.session else {
            return;
        };
        let mut request = self
            .bare(reqwest::Method::DELETE)
            .header("mcp-protocol-version", &agreed.protocol)
            .header("mcp-session-id", session);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let _ = tokio::time::timeout(self.patience, request.send()).await;
    }

    /// Refuses an answer that is not a success.
    async fn accept(
        &self,
        step: &Step,
        answer: Response,
        agreed: Option<&Agreed>,
    ) -> Result<Response, SmokeError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let in_session = agreed.is_some_and(|agreed| agreed.session.is_some());
        let problem = match status {
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST if in_session => Problem::SessionLost {
                status: status.as_u16(),
            },
            _ => Problem::Status {
                status: status.as_u16(),
                html: content_type(&answer).contains("html"),
                body: self.excerpt(answer).await,
            },
        };
        Err(self.failed(step, self.told(problem)))
    }

    /// The beginning of a body, in one line.
    pub(super) async fn excerpt(&self, answer: Response) -> String {
        let read = async {
            let mut body = Vec::new();
            let mut chunks = answer.bytes_stream();
            while let Some(Ok(chunk)) = chunks.next().await {
                body.extend_from_slice(&chunk);
                if body.len() > LARGEST_EXCERPT {
                    break;
                }
            }
            body
        };
        let body = tokio::time::timeout(self.patience, read)
            .await
            .unwrap_or_default();
        self.shown(&String::from_utf8_lossy(&body))
    }

    /// What a server said, in one line and without the token, should it echo that.
    pub(super) fn shown(&self, text: &str) -> String {
        match &self.token {
            Some(token) => one_line(&text.replace(token.expose(), "(token)")),
            None => one_line(text),
        }
    }

    /// The problem with the server's words as [`shown`](Self::shown).
    fn told(&self, problem: Problem) -> Problem {
        match problem {
            Problem::ContentType { content_type, body } => Problem::ContentType {
                content_type,
                body: self.shown(&body),
            },
            Problem::Rpc { code, message } => Problem::Rpc {
                code,
                message: self.shown(&message),
            },
            Problem::Malformed(text) => Problem::Malformed(self.shown(&text)),
            other => other,
        }
    }

    pub(super) fn failed(&self, step: &Step, problem: Problem) -> SmokeError {
        SmokeError {
            url: self.url.to_string(),
            step: step.clone(),
            problem,
        }
    }

    pub(super) fn took(&mut self, step: &'static str, elapsed: Duration) {
        self.times.push((step, elapsed));
    }

    pub(super) fn http_version(&self) -> String {
        self.versions.join(", ")
    }

    /// By step, in the order in which they were first taken.
    pub(super) fn timings(&self) -> Vec<Timing> {
        let mut names: Vec<&'static str> = Vec::new();
        for (name, _) in &self.times {
            if !names.contains(name) {
                names.push(name);
            }
        }
        names
            .into_iter()
            .map(|step| {
                let mut times: Vec<f64> = self
                    .times
                    .iter()
                    .filter(|(name, _)| *name == step)
                    .map(|(_, elapsed)| (elapsed.as_secs_f64() * 1000.0).round() / 1000.0)
                    .collect();
                times.sort_by(f64::total_cmp);
                Timing {
                    step,
                    requests: times.len(),
                    median_seconds: times[times.len() / 2],
                    slowest_seconds: times[times.len() - 1],
                }
            })
            .collect()
    }
}

fn unreachable(error: &reqwest::Error) -> Problem {
    let reason = crate::aws::root_causes(error);
    if reason.contains("certificate") {
        Problem::Certificate(reason)
    } else {
        Problem::Unreachable(reason)
    }
}

pub(super) fn content_type(answer: &Response) -> String {
    answer
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("of no content type")
        .to_ascii_lowercase()
}

fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let printable: String = words
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    match printable.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &printable[..end]),
        None => printable,
    }
}

/// The JSON-RPC message that answers request `id`: the body, or the event that carries it.
async fn read(answer: Response, id: u64) -> Result<Value, Problem> {
    let kind = content_type(&answer);
    if kind.starts_with("text/event-stream") {
        let mut events = SseStream::from_bytes_stream(answer.bytes_stream());
        let mut read = 0;
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| Problem::Unreachable(error.to_string()))?;
            let data = event.data.unwrap_or_default();
            read += data.len();
            if read > LARGEST_ANSWER {
                return Err(too_long());
            }
            match serde_json::from_str::<Value>(&data) {
                Ok(message) if message["id"] == id => return Ok(message),
                // Priming events, notifications and keep-alives come before the answer.
                _ => {}
            }
        }
        return Err(Problem::Malformed(
            "the event stream ended without the answer".into(),
        ));
    }
    let mut body = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(|error| unreachable(&error))?);
        if body.len() > LARGEST_ANSWER {
            return Err(too_long());
        }
    }
    if !kind.starts_with("application/json") {
        return Err(Problem::ContentType {
            content_type: kind,
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    }
    let message: Value =
        serde_json::from_slice(&body).map_err(|error| Problem::Malformed(error.to_string()))?;
    if message["id"] == id {
        Ok(message)
    } else {
        Err(Problem::Malformed(format!(
            "it answers request {}, not {id}",
            message["id"]
        )))
    }
}

fn too_long() -> Problem {
    Problem::Malformed(format!("it is longer than {LARGEST_ANSWER} bytes"))
}

fn result_of(mut message: Value) -> Result<Value, Problem> {
    if let Some(error) = message.get("error") {
        return Err(Problem::Rpc {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"]
                .as_str()
                .unwrap_or("without a message")
                .to_owned(),
        });
    }
    match message.get_mut("result") {
        Some(result) if result.is_object() => Ok(result.take()),
        _ => Err(Problem::Malformed("it has neither result nor error".into())),
    }
}
