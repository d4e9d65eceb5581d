//! What a browser on another origin may do: the catalog's own MCP client runs in one.
//!
//! The Fetch standard (<https://fetch.spec.whatwg.org/#http-cors-protocol>) decides: a preflight
//! carries no token, and an answer whose headers a page may not read is no answer to it.

use reqwest::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderName, ORIGIN,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::exchange::Endpoint;
use super::{Problem, SmokeError, Step};

/// The headers that an MCP client in a page sets, which no server allows by default.
const NEEDED_HEADERS: [&str; 4] = [
    "authorization",
    "content-type",
    "mcp-protocol-version",
    "mcp-session-id",
];
/// The headers that an MCP client in a page must be able to read.
const READ_HEADERS: [&str; 2] = ["mcp-session-id", "www-authenticate"];

/// What a browser on one origin may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cors {
    /// The origin.
    pub origin: String,
    /// `Access-Control-Allow-Methods` of the preflight.
    pub allow_methods: Vec<String>,
    /// `Access-Control-Allow-Headers` of the preflight.
    pub allow_headers: Vec<String>,
    /// `Access-Control-Expose-Headers` of an answer.
    pub expose_headers: Vec<String>,
}

impl Cors {
    pub(super) fn warnings(&self) -> Option<String> {
        let hidden: Vec<&str> = READ_HEADERS
            .into_iter()
            .filter(|header| !lists(&self.expose_headers, header))
            .collect();
        (!hidden.is_empty()).then(|| {
            format!(
                "pages of {} cannot read {}: Access-Control-Expose-Headers does not name it",
                self.origin,
                hidden.join(" and ")
            )
        })
    }
}

/// Asks as a browser on `origin` would: the preflight, then a refused request that it must be able to read.
pub(super) async fn check(endpoint: &mut Endpoint, origin: &str) -> Result<Cors, SmokeError> {
    let step = Step::Preflight(origin.to_owned());
    let request = endpoint
        .bare(reqwest::Method::OPTIONS)
        .header(ORIGIN, origin)
        .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(ACCESS_CONTROL_REQUEST_HEADERS, NEEDED_HEADERS.join(","));
    let preflight = endpoint.send(&step, request).await?;
    let refused = |reason: String| Problem::Cors(reason);
    if !preflight.status().is_success() {
        let status = preflight.status().as_u16();
        return Err(endpoint.failed(
            &step,
            refused(format!(
                "the preflight was answered {status}; it carries no token and must pass without one"
            )),
        ));
    }
    let headers = preflight.headers().clone();
    let cors = judge(origin, &headers).map_err(|why| endpoint.failed(&step, refused(why)))?;

    let request = endpoint
        .message(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}))
        .header(ORIGIN, origin);
    let answer = endpoint.send(&step, request).await?;
    let status = answer.status().as_u16();
    allows_origin(origin, answer.headers()).map_err(|why| {
        endpoint.failed(
            &step,
            refused(format!("the {status} without a token: {why}")),
        )
    })?;
    Ok(Cors {
        expose_headers: listed(answer.headers(), &ACCESS_CONTROL_EXPOSE_HEADERS),
        ..cors
    })
}

/// Whether the preflight lets an MCP client through.
fn judge(origin: &str, headers: &HeaderMap) -> Result<Cors, String> {
    allows_origin(origin, headers)?;
    let allow_methods = listed(headers, &ACCESS_CONTROL_ALLOW_METHODS);
    // POST is a CORS-safelisted method: it passes where no method is named.
    if !allow_methods.is_empty() && !lists(&allow_methods, "post") && !lists(&allow_methods, "*") {
        return Err(format!(
            "Access-Control-Allow-Methods is {}, without POST",
            allow_methods.join(", ")
        ));
    }
    let allow_headers = listed(headers, &ACCESS_CONTROL_ALLOW_HEADERS);
    let missing: Vec<&str> = NEEDED_HEADERS
        .into_iter()
        .filter(|header| {
            // The wildcard never covers Authorization.
            !(lists(&allow_headers, header)
                || lists(&allow_headers, "*") && *header != "authorization")
        })
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "Access-Control-Allow-Headers lacks {}",
            missing.join(", ")
        ));
    }
    Ok(Cors {
        origin: origin.to_owned(),
        allow_methods,
        allow_headers,
        expose_headers: Vec::new(),
    })
}

fn allows_origin(origin: &str, headers: &HeaderMap) -> Result<(), String> {
    match headers
        .get(ACCESS_CONTROL_ALLOW_ORIGIN)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    {
        Some(allowed) if allowed == origin || allowed == "*" => Ok(()),
        Some(other) => Err(format!("Access-Control-Allow-Origin is {other}")),
        None => Err("Access-Control-Allow-Origin is missing".into()),
    }
}

/// A comma-separated header, also where it is sent in several lines.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .split(',')
                .map(|item| item.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .filter(|item| !item.is_empty())
        .collect()
}

fn lists(items: &[String], wanted: &str) -> bool {
    items.iter().any(|item| item.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN_OF_PAGE: &str = "https://catalog.example.com";
    const ALL: &str = "Authorization, content-type,mcp-protocol-version, Mcp-Session-Id";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn judges_preflights() {
        let origin = ("access-control-allow-origin", ORIGIN_OF_PAGE);
        let all = ("access-control-allow-headers", ALL);
        type Headers<'a> = &'a [(&'static str, &'a str)];
        let cases: [(Headers<'_>, Option<&str>); 8] = [
            (&[origin, all], None),
            (&[("access-control-allow-origin", "*"), all], None),
            (&[all], Some("Access-Control-Allow-Origin is missing")),
            (
                &[
                    (
                        "access-control-allow-origin",
                        "https://catalog.example.com:443",
                    ),
                    all,
                ],
                Some("Access-Control-Allow-Origin is https://catalog.example.com:443"),
            ),
            (
                &[origin],
                Some("lacks authorization, content-type, mcp-protocol-version, mcp-session-id"),
            ),
            (
                &[origin, ("access-control-allow-headers", "*")],
                Some("lacks authorization"),
            ),
            (
                &[origin, all, ("access-control-allow-methods", "GET, DELETE")],
                Some("without POST"),
            ),
            (
                &[origin, all, ("access-control-allow-methods", "GET,POST")],
                None,
            ),
        ];
        for (pairs, refusal) in cases {
            let judged = judge(ORIGIN_OF_PAGE, &headers(pairs));
            match refusal {
                None => assert!(judged.is_ok(), "{pairs:?}: {judged:?}"),
                Some(words) => {
                    let why = judged.unwrap_err();
                    assert!(why.contains(words), "{pairs:?}: {why}");
                }
            }
        }
    }
}
