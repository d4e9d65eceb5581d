use serde_json::{Value, json};

use super::remote::Failure;

/// What a line of a client's is.
pub(super) enum Incoming {
    /// An empty line.
    Nothing,
    /// No message; what to answer.
    Broken(Value),
    /// The client waits for a request's answer no longer.
    Cancelled { request: Value },
    /// A message that wants an answer.
    Request { id: Value, message: Value },
    /// A notification, or an answer to the server.
    Other(Value),
}

impl Incoming {
    pub(super) fn read(line: &[u8]) -> Self {
        if line.trim_ascii().is_empty() {
            return Self::Nothing;
        }
        let message: Value = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(error) => return broken(-32700, &format!("not JSON: {error}")),
        };
        if !message.is_object() {
            return broken(-32600, "a message is a JSON object");
        }
        let method = message["method"].as_str();
        let id = &message["id"];
        if method == Some("notifications/cancelled") {
            let request = message["params"]["requestId"].clone();
            return Self::Cancelled { request };
        }
        if method.is_some() && (id.is_string() || id.is_number()) {
            let id = id.clone();
            return Self::Request { id, message };
        }
        Self::Other(message)
    }
}

fn broken(code: i64, reason: &str) -> Incoming {
    Incoming::Broken(json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": { "code": code, "message": reason },
    }))
}

/// The answer to a request that could not be passed on or brought back.
pub(super) fn error(id: Value, failure: &Failure) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": failure.code(), "message": failure.to_string(), "data": failure.data() },
    })
}
