//! The stdio proxy: a local MCP server for clients that start one, which passes
//! every message on to a remote server and brings the answers back.
//!
//! It understands no more of MCP than it must: which message is a request, what
//! cancels it, and which protocol version was agreed on.

mod answerer;
mod command;
mod failure;
mod message;
mod remote;
mod token;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use message::{Incoming, error};
pub use remote::Remote;
pub use token::{NotAToken, TokenFailure, TokenSource};

/// How long requests in flight may take once the client has said its last word.
const DRAIN: Duration = Duration::from_secs(120);
/// The longest message that a client may send, in bytes; the server takes no more.
const LINE_LIMIT: u64 = 4 * 1024 * 1024;
/// How many answers wait for a client that does not read.
const ANSWERS: usize = 256;

/// Why the proxy ended early.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// The client's side broke.
    #[error("the connection to the MCP client broke: {0}")]
    Stdio(#[from] io::Error),
    /// A message without an end.
    #[error("the MCP client sent a line of more than {} MiB", LINE_LIMIT / (1024 * 1024))]
    LineTooLong,
}

/// Relays until the client closes its side, then lets requests in flight finish.
///
/// # Errors
/// When the client's side breaks.
pub async fn relay(
    remote: Remote,
    mut input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> Result<(), ProxyError> {
    let (answers, queue) = mpsc::channel(ANSWERS);
    let writing = tokio::spawn(write_lines(queue, output));
    let relay = Relay {
        remote: Arc::new(remote),
        answers,
        in_flight: InFlight::default(),
        tasks: TaskTracker::new(),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut input).take(LINE_LIMIT + 1);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        if line.len() as u64 > LINE_LIMIT {
            return Err(ProxyError::LineTooLong);
        }
        relay.take(&line).await;
        if writing.is_finished() {
            break;
        }
    }
    relay.tasks.close();
    if tokio::time::timeout(DRAIN, relay.tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("requests were still in flight when the client had gone");
    }
    drop(relay);
    writing.await.map_err(io::Error::other)??;
    Ok(())
}

/// One line per message, as the stdio transport wants it
/// (<https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#stdio>).
async fn write_lines(
    mut queue: mpsc::Receiver<Value>,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    while let Some(message) = queue.recv().await {
        let mut line = message.to_string();
        line.push('\n');
        output.write_all(line.as_bytes()).await?;
        output.flush().await?;
    }
    Ok(())
}

struct Relay {
    remote: Arc<Remote>,
    answers: mpsc::Sender<Value>,
    in_flight: InFlight,
    tasks: TaskTracker,
}

impl Relay {
    async fn take(&self, line: &[u8]) {
        match Incoming::read(line) {
            Incoming::Nothing => {}
            Incoming::Broken(answer) => self.answer(answer).await,
            Incoming::Cancelled { request } => self.in_flight.cancel(&request),
            Incoming::Request { id, message } => self.ask(id, message),
            Incoming::Other(message) => self.tell(message),
        }
    }

    async fn answer(&self, answer: Value) {
        // An error means that the client reads no more; the loop ends then.
        let _ = self.answers.send(answer).await;
    }

    fn ask(&self, id: Value, message: Value) {
        let (remote, answers) = (Arc::clone(&self.remote), self.answers.clone());
        let request = self.in_flight.begin(&id);
        self.tasks.spawn(async move {
            let asking = remote.ask(&id, &message, &answers);
            let failed = tokio::select! {
                asked = asking => asked.err(),
                // A cancelled request is not answered; dropping it tells the server.
                () = request.cancelled.cancelled() => None,
            };
            if let Some(failure) = failed {
                tracing::warn!(%failure, request = %id, "a request got no answer");
                let _ = answers.send(error(id, &failure)).await;
            }
        });
    }

    fn tell(&self, message: Value) {
        let remote = Arc::clone(&self.remote);
        self.tasks.spawn(async move {
            if let Err(failure) = remote.tell(&message).await {
                tracing::warn!(%failure, "a notification could not be passed on");
            }
        });
    }
}

/// The requests that are on their way, by the text of their ids.
#[derive(Clone, Default)]
struct InFlight {
    requests: Arc<Mutex<HashMap<String, CancellationToken>>>,
}

struct Request {
    id: String,
    cancelled: CancellationToken,
    in_flight: InFlight,
}

impl InFlight {
    fn begin(&self, id: &Value) -> Request {
        let (id, cancelled) = (id.to_string(), CancellationToken::new());
        self.requests().insert(id.clone(), cancelled.clone());
        Request {
            id,
            cancelled,
            in_flight: self.clone(),
        }
    }

    fn cancel(&self, id: &Value) {
        if let Some(request) = self.requests().get(&id.to_string()) {
            request.cancel();
        }
    }

    fn requests(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.in_flight.requests().remove(&self.id);
    }
}
