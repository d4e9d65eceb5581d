use serde_json::{Value, json};

use super::failure::Failure;

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

/// Whether a server asks or tells something by it (JSON-RPC 2.0, section 4).
pub(super) fn is_call(message: &Value) -> bool {
    message["jsonrpc"] == "2.0" && message["method"].is_string()
}

/// The message as the answer to the request of this id, if it is that (JSON-RPC 2.0, section 5).
/// An error without an id answers the one request that was sent.
pub(super) fn answer_to(id: &Value, message: &Value) -> Option<Value> {
    let (has_result, has_error) = (
        message.get("result").is_some(),
        message["error"]["code"].is_i64(),
    );
    let answers = &message["id"] == id || (has_error && message["id"].is_null());
    if message["jsonrpc"] != "2.0" || message.get("method").is_some() || !answers {
        return None;
    }
    if has_result == has_error {
        return None;
    }
    let mut answer = message.clone();
    answer["id"] = id.clone();
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_json_rpc_answer_to_the_request_is_one() {
        let error = json!({"code": -32600, "message": "no"});
        for (message, is) in [
            (json!({"jsonrpc": "2.0", "id": 1, "result": {}}), true),
            (json!({"jsonrpc": "2.0", "id": 1, "error": error}), true),
            (json!({"jsonrpc": "2.0", "id": null, "error": error}), true),
            (json!({"jsonrpc": "2.0", "error": error}), true),
            (json!({"jsonrpc": "2.0", "id": null, "result": {}}), false),
            (json!({"jsonrpc": "2.0", "id": 2, "result": {}}), false),
            (json!({"jsonrpc": "2.0", "id": "1", "result": {}}), false),
            (json!({"jsonrpc": "1.0", "id": 1, "result": {}}), false),
            (json!({"id": 1, "result": {}}), false),
            (json!({"jsonrpc": "2.0", "id": 1}), false),
            (json!({"jsonrpc": "2.0", "id": 1, "error": "no"}), false),
            (
                json!({"jsonrpc": "2.0", "id": 1, "result": {}, "error": error}),
                false,
            ),
            (json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}), false),
            (json!({"hello": 1}), false),
            (json!([{"jsonrpc": "2.0", "id": 1, "result": {}}]), false),
            (json!("hello"), false),
        ] {
            let answer = answer_to(&json!(1), &message);
            assert_eq!(answer.is_some(), is, "{message}");
            assert!(answer.is_none_or(|answer| answer["id"] == 1));
        }
    }
}
