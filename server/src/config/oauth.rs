use super::stack_url::StackUrl;

/// What is wrong when issuers are named and the public URL is not.
pub(super) const NEEDED: &str = "is not set; with MCP_AUTHORIZATION_SERVERS, the server must know its own public URL, such as https://mcp.example.com/mcp";

/// What the server publishes about who issues its tokens (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth {
    /// The URL of this server's MCP endpoint, as its clients know it.
    pub resource: StackUrl,
    /// The authorization servers; never empty.
    pub issuers: Vec<StackUrl>,
    /// The scopes that a client asks for.
    pub scopes: Vec<String>,
}

/// Checks one scope (RFC 6749, section 3.3).
pub(super) fn scope(value: &str) -> Result<String, String> {
    let allowed =
        |byte: u8| byte == 0x21 || (0x23..=0x5B).contains(&byte) || (0x5D..=0x7E).contains(&byte);
    if value.bytes().all(allowed) {
        Ok(value.to_owned())
    } else {
        Err(format!("holds `{value}`, which is not a scope"))
    }
}

/// Tokens of Quilt's own authorization server are for its `/mcp/platform`; those
/// for this server name its public URL.
pub(super) fn default_audiences(registry: &StackUrl, public_url: Option<&StackUrl>) -> Vec<String> {
    let platform = registry.join(["mcp", "platform"]).to_string();
    let own = public_url.map(ToString::to_string);
    std::iter::once(platform).chain(own).collect()
}
