//! What is seen of whoever answered, for messages that people can act on.

use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::Response;
use url::Url;

use crate::http::BUILD_HEADER;

/// Where the page is that explains what may stand between.
const GUIDE: &str = "docs/guides/connect-clients.md (What stands between)";

/// Whoever answered, by the head of the answer: a body may hold anything, and is never repeated.
#[derive(Debug)]
pub(super) struct Answerer {
    pub(super) status: StatusCode,
    /// Scheme, host and path.
    url: String,
    /// Without its parameters.
    media_type: Option<String>,
    /// Where a redirect leads, without what it is asked there.
    location: Option<String>,
    /// The scheme that a 401 asks for.
    challenge: Option<String>,
    /// Whether it says that it is `quilt-mcp-server`.
    is_ours: bool,
}

impl Answerer {
    pub(super) fn of(response: &Response) -> Self {
        let headers = response.headers();
        let location = text(headers, &header::LOCATION)
            .and_then(|location| response.url().join(location).ok())
            .map(|url| plain(&url));
        let challenge = text(headers, &header::WWW_AUTHENTICATE)
            .and_then(|challenge| challenge.split_whitespace().next())
            .map(|scheme| scheme.trim_end_matches(',').to_owned());
        Self {
            status: response.status(),
            url: plain(response.url()),
            media_type: media_type(headers),
            location,
            challenge,
            is_ours: headers.contains_key(BUILD_HEADER),
        }
    }

    /// Whether a person was answered, and no program.
    pub(super) fn is_web_page(&self) -> bool {
        matches!(
            self.media_type.as_deref(),
            Some("text/html" | "application/xhtml+xml")
        )
    }

    pub(super) fn is_stream(&self) -> bool {
        self.media_type.as_deref() == Some("text/event-stream")
    }

    /// What it means, and where to look.
    fn advice(&self) -> String {
        let what = match self.status.as_u16() {
            300..=399 => {
                "redirects are not followed, so that the token goes nowhere else; a sign-in stands before the server, or the URL is not the MCP endpoint's (its path is /mcp)"
            }
            202 => {
                "that is the answer to a notification, and this was a request; look at the URL, which may be another service's"
            }
            401 if self.is_ours => "the token is missing, expired or of another stack",
            401 => {
                "that was not Quilt's MCP server but a gateway before it that wants authentication of its own; ask whoever runs it to let the MCP endpoint through"
            }
            403 if self.is_ours => {
                "the server does not serve under this host name; ask whoever runs it for the right URL (MCP_ALLOWED_HOSTS)"
            }
            403 => {
                "that was not Quilt's MCP server but a gateway or firewall before it, whose rules refuse the message; ask whoever runs it to let the MCP endpoint through"
            }
            405 => {
                "whoever answered takes no POST, so it is no MCP server; most often it is the catalog; look at the URL, whose path is /mcp, and at the load balancer's rules"
            }
            200..=299 if self.is_web_page() => {
                "that is a web page, such as a sign-in or the catalog; look at the URL, whose path is /mcp, and at what stands before the server"
            }
            200..=299 => {
                "that is not a JSON-RPC answer to this request; look at the URL, which may be another service's (the path is /mcp)"
            }
            404 => "look at the URL: the MCP endpoint's path is /mcp",
            429 => "there are too many requests under way; try again shortly",
            502..=504 => "the server is not reached or has no capacity; try again shortly",
            _ => "look at the URL, whose path is /mcp, and at what stands before the server",
        };
        format!("{what}; see {GUIDE}")
    }
}

/// `https://mcp.example.com/mcp answered HTTP 302 Found with text/html, to https://sso.example.com/: …`
impl fmt::Display for Answerer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered HTTP {}", self.url, self.status.as_u16())?;
        if let Some(reason) = self.status.canonical_reason() {
            write!(f, " {reason}")?;
        }
        match &self.media_type {
            Some(kind) => write!(f, " with {kind}")?,
            None => f.write_str(" without a media type")?,
        }
        if let Some(location) = self
            .location
            .as_ref()
            .filter(|_| self.status.is_redirection())
        {
            write!(f, ", a redirect to {location}")?;
        }
        if let Some(scheme) = &self.challenge {
            write!(f, ", asking for {scheme} authentication")?;
        }
        write!(f, ": {}", self.advice())
    }
}

/// A URL without what it is asked: that may be secret.
fn plain(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Fails for URLs without a host, which have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name).map(HeaderValue::to_str)?.ok()
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let essence = text(headers, &header::CONTENT_TYPE)?.split(';').next()?;
    let essence = essence.trim().to_ascii_lowercase();
    Some(essence).filter(|essence| !essence.is_empty())
}
