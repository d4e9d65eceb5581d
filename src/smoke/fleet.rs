//! Enough handshakes and calls that no task's peculiarity is missed by luck.
//!
//! Only `initialize` says which version answers. If a share `p` of the tasks is of another
//! version and every connection is answered by a task taken at random, `n` handshakes all
//! show one version with the chance `p^n + (1-p)^n`: for [`HANDSHAKES`] = 18, 1 in 131,072 where
//! half the tasks differ, and 1 in 1,477 where one of three does. They are done in a row,
//! so that a load balancer that takes its targets in turn shows up to 18 of them.
//!
//! A server that keeps sessions in a task's memory refuses a call that another task gets.
//! [`FOLLOWED`] = 10 sessions are followed by two calls each: with two tasks, all twenty reach
//! the right one with the chance 1 in 1,048,576, with more tasks less. Two calls in
//! a row reach different tasks of a load balancer that takes turns, so it cannot fall in
//! step with the test.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::exchange::{Agreed, Endpoint};
use super::{Problem, SmokeError, SmokeTest, Step};

/// How many handshakes are done.
pub const HANDSHAKES: usize = 18;
/// How many of them are followed by calls.
pub const FOLLOWED: usize = 10;
/// The protocol version that we offer.
const PROTOCOL: &str = "2025-11-25";

/// What the handshakes and calls showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Session {
    /// The server's name.
    pub server: String,
    /// The server's version, with the commit where it says so; the commonest of them.
    pub version: String,
    /// The protocol version agreed on.
    pub protocol: String,
    /// The tools' names.
    pub tools: Vec<String>,
    /// Every version that answered, and how often; one, unless mixed ones are allowed.
    pub versions: Vec<ServerVersion>,
    /// How many handshakes were done.
    pub handshakes: usize,
    /// Whether the server opens sessions (`Mcp-Session-Id`).
    pub sessions: bool,
    /// The call of a harmless tool, where the server has one.
    pub tool_call: Option<ToolCall>,
}

/// A version that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServerVersion {
    /// The version, with the commit where it says so.
    pub version: String,
    /// The commit, where it says so.
    pub commit: Option<String>,
    /// How many handshakes it answered.
    pub answers: usize,
}

/// The call of a tool that only reads and needs no arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ToolCall {
    /// The tool.
    pub tool: String,
    /// Whether the tool itself reported a failure.
    pub is_error: bool,
    /// The beginning of what it said, if it failed.
    pub error: Option<String>,
}

impl Session {
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.versions.len() > 1 {
            warnings.push(format!(
                "tasks of {} versions answer: {}",
                self.versions.len(),
                shown(&self.versions).join(", ")
            ));
        }
        if let Some(call) = &self.tool_call
            && call.is_error
        {
            warnings.push(format!(
                "the tool {} reported a failure: {}",
                call.tool,
                call.error.as_deref().unwrap_or("it does not say which")
            ));
        }
        warnings
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Initialized {
    protocol_version: String,
    server_info: ServerInfo,
}

#[derive(Debug, Deserialize)]
struct ServerInfo {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolPage {
    tools: Vec<Tool>,
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tool {
    name: String,
    #[serde(default)]
    annotations: Value,
    #[serde(default)]
    input_schema: Value,
}

impl Tool {
    /// Whether calling it changes nothing and needs nothing.
    fn is_harmless(&self) -> bool {
        let needs_nothing = match self.input_schema.get("required") {
            None => true,
            Some(required) => required.as_array().is_some_and(Vec::is_empty),
        };
        self.annotations["readOnlyHint"] == true && needs_nothing
    }
}

/// Shakes hands again and again, then calls.
pub(super) async fn visit(
    endpoint: &mut Endpoint,
    test: &SmokeTest,
) -> Result<Session, SmokeError> {
    let mut opened = Vec::with_capacity(HANDSHAKES);
    for which in 1..=HANDSHAKES {
        opened.push(initialize(endpoint, which).await?);
    }
    let versions = versions(opened.iter().map(|(server, _)| server.version.as_str()));
    let outcome = async {
        expect(&versions, test).map_err(|problem| endpoint.failed(&Step::Versions, problem))?;
        follow(endpoint, &opened).await
    }
    .await;
    for (_, agreed) in &opened {
        endpoint.end(agreed).await;
    }
    let (tools, tool_call) = outcome?;
    let (server, agreed) = &opened[0];
    Ok(Session {
        server: server.name.clone(),
        version: versions[0].version.clone(),
        protocol: agreed.protocol.clone(),
        tools,
        versions,
        handshakes: opened.len(),
        sessions: agreed.session.is_some(),
        tool_call,
    })
}

async fn initialize(
    endpoint: &mut Endpoint,
    which: usize,
) -> Result<(ServerInfo, Agreed), SmokeError> {
    let step = Step::Initialize(which, HANDSHAKES);
    let params = json!({
        "protocolVersion": PROTOCOL,
        "capabilities": {},
        "clientInfo": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
    });
    let reply = endpoint.request(&step, "initialize", params, None).await?;
    let initialized: Initialized = parse(endpoint, &step, reply.result)?;
    let session = reply
        .headers
        .get("mcp-session-id")
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let agreed = Agreed {
        protocol: initialized.protocol_version,
        session,
    };
    Ok((initialized.server_info, agreed))
}

/// Calls in the sessions, each call on a connection of its own.
async fn follow(
    endpoint: &mut Endpoint,
    opened: &[(ServerInfo, Agreed)],
) -> Result<(Vec<String>, Option<ToolCall>), SmokeError> {
    let mut tools = Vec::new();
    for (_, agreed) in opened.iter().take(FOLLOWED) {
        endpoint
            .notify(&Step::Initialized, "notifications/initialized", agreed)
            .await?;
        tools = list_tools(endpoint, agreed).await?;
        endpoint
            .request(&Step::Ping, "ping", json!({}), Some(agreed))
            .await?;
    }
    if tools.is_empty() {
        return Err(endpoint.failed(&Step::ListTools, Problem::NoTools));
    }
    let call = match tools.iter().find(|tool| tool.is_harmless()) {
        Some(tool) => Some(call_tool(endpoint, &tool.name, &opened[0].1).await?),
        None => None,
    };
    Ok((tools.into_iter().map(|tool| tool.name).collect(), call))
}

async fn list_tools(endpoint: &mut Endpoint, agreed: &Agreed) -> Result<Vec<Tool>, SmokeError> {
    /// A server that never stops paging is broken.
    const MOST_PAGES: usize = 50;
    let step = Step::ListTools;
    let mut tools = Vec::new();
    let mut params = json!({});
    for _ in 0..MOST_PAGES {
        let reply = endpoint
            .request(&step, "tools/list", params, Some(agreed))
            .await?;
        let page: ToolPage = parse(endpoint, &step, reply.result)?;
        tools.extend(page.tools);
        match page.next_cursor {
            None => return Ok(tools),
            Some(cursor) => params = json!({"cursor": cursor}),
        }
    }
    let endless = Problem::Malformed(format!("the list goes on after {MOST_PAGES} pages"));
    Err(endpoint.failed(&step, endless))
}

async fn call_tool(
    endpoint: &mut Endpoint,
    tool: &str,
    agreed: &Agreed,
) -> Result<ToolCall, SmokeError> {
    let step = Step::CallTool(tool.to_owned());
    let params = json!({"name": tool, "arguments": {}});
    let reply = endpoint
        .request(&step, "tools/call", params, Some(agreed))
        .await?;
    let is_error = reply.result["isError"] == true;
    let said = reply.result["content"][0]["text"].as_str();
    Ok(ToolCall {
        tool: tool.to_owned(),
        is_error,
        error: said.filter(|_| is_error).map(|text| endpoint.shown(text)),
    })
}

fn parse<T: serde::de::DeserializeOwned>(
    endpoint: &Endpoint,
    step: &Step,
    result: Value,
) -> Result<T, SmokeError> {
    serde_json::from_value(result)
        .map_err(|error| endpoint.failed(step, Problem::Malformed(error.to_string())))
}

/// The versions that answered, the commonest first.
fn versions<'a>(answers: impl Iterator<Item = &'a str>) -> Vec<ServerVersion> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for version in answers {
        *counted.entry(version).or_default() += 1;
    }
    let mut versions: Vec<ServerVersion> = counted
        .into_iter()
        .map(|(version, answers)| ServerVersion {
            version: version.to_owned(),
            commit: commit_of(version).map(str::to_owned),
            answers,
        })
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.answers));
    versions
}

/// The build metadata of a semantic version, which our server fills with its commit.
fn commit_of(version: &str) -> Option<&str> {
    version.split_once('+').map(|(_, commit)| commit)
}

fn expect(versions: &[ServerVersion], test: &SmokeTest) -> Result<(), Problem> {
    if let Some(expected) = &test.expect_commit {
        refuse(versions, &format!("commit {expected}"), |seen| {
            seen.commit
                .as_deref()
                .is_some_and(|commit| is_same_commit(commit, expected))
        })?;
    }
    if let Some(expected) = &test.expect_version {
        refuse(versions, &format!("version {expected}"), |seen| {
            seen.version == *expected || seen.version.split('+').next() == Some(expected)
        })?;
    }
    if versions.len() > 1 && !test.allow_mixed {
        return Err(Problem::Mixed(shown(versions)));
    }
    Ok(())
}

fn refuse(
    versions: &[ServerVersion],
    expected: &str,
    is_expected: impl Fn(&ServerVersion) -> bool,
) -> Result<(), Problem> {
    match versions.iter().find(|seen| !is_expected(seen)) {
        None => Ok(()),
        Some(other) => Err(Problem::Unexpected {
            expected: expected.to_owned(),
            seen: format!(
                "version {} ({} of {} handshakes)",
                other.version,
                other.answers,
                versions.iter().map(|seen| seen.answers).sum::<usize>()
            ),
        }),
    }
}

/// Whether one is the other, or a shortening of it to at least git's seven digits.
fn is_same_commit(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() {
        (one, other)
    } else {
        (other, one)
    };
    short.len() >= 7 && long.starts_with(short)
}

fn shown(versions: &[ServerVersion]) -> Vec<String> {
    versions
        .iter()
        .map(|seen| format!("{} ({} handshakes)", seen.version, seen.answers))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss(share: f64) -> f64 {
        share.powi(HANDSHAKES as i32) + (1.0 - share).powi(HANDSHAKES as i32)
    }

    #[test]
    fn what_is_promised_of_the_numbers_is_so() {
        for share in [1.0 / 2.0, 1.0 / 3.0] {
            assert!(miss(share) < 1e-3, "{share}: {}", miss(share));
        }
        // Each of the two calls reaches the session's own one of two tasks.
        let sessions = 0.5_f64.powi(2 * FOLLOWED as i32);
        assert!(sessions < 1e-3, "{sessions}");
    }

    #[test]
    fn commits_are_compared_in_full_or_shortened() {
        let full = "3f2a9c1d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b";
        for (one, other, same) in [
            (full, full, true),
            (full, "3f2a9c1", true),
            ("3f2a9c1", full, true),
            (full, "3f2a9c", false),
            (full, "3f2a9c2", false),
            (full, "", false),
        ] {
            assert_eq!(is_same_commit(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn only_tools_that_read_and_need_nothing_are_called() {
        for (tool, harmless) in [
            (
                json!({"name": "a", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object"}}),
                true,
            ),
            (
                json!({"name": "a", "annotations": {"readOnlyHint": true}, "inputSchema": {"required": []}}),
                true,
            ),
            (
                json!({"name": "a", "annotations": {"readOnlyHint": true}, "inputSchema": {"required": ["b"]}}),
                false,
            ),
            (
                json!({"name": "a", "annotations": {"readOnlyHint": false}}),
                false,
            ),
            (json!({"name": "a"}), false),
        ] {
            let parsed: Tool = serde_json::from_value(tool.clone()).unwrap();
            assert_eq!(parsed.is_harmless(), harmless, "{tool}");
        }
    }
}
