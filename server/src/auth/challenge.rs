use http::HeaderValue;

use crate::config::OAuth;
use crate::http::metadata_url;

/// The `WWW-Authenticate` of a 401 (RFC 6750, section 3); with an issuer, it
/// leads to the metadata (RFC 9728, section 5.1) and names the scopes to ask for.
#[derive(Debug)]
pub(super) struct Challenge {
    guidance: String,
}

impl Challenge {
    pub(super) fn new(oauth: Option<&OAuth>) -> Self {
        let mut guidance = String::new();
        if let Some(oauth) = oauth {
            guidance = format!(r#", resource_metadata="{}""#, metadata_url(&oauth.resource));
            if !oauth.scopes.is_empty() {
                guidance.push_str(&format!(r#", scope="{}""#, oauth.scopes.join(" ")));
            }
        }
        Self { guidance }
    }

    /// For a request that brought no token.
    pub(super) fn bare(&self) -> HeaderValue {
        header(format!(r#"Bearer realm="quilt"{}"#, self.guidance))
    }

    /// For a token that is no good, and why.
    pub(super) fn invalid_token(&self, description: &'static str) -> HeaderValue {
        header(format!(
            r#"Bearer realm="quilt", error="invalid_token", error_description="{description}"{}"#,
            self.guidance
        ))
    }
}

fn header(value: String) -> HeaderValue {
    HeaderValue::try_from(value).expect("URLs and scopes are visible ASCII")
}
