use std::fmt;

use url::{Host, Url};

use super::origin::WebOrigin;

/// The address of a Quilt stack's catalog or registry, without a trailing slash.
///
/// Always `https`, or `http` on a loopback host: bearer tokens travel to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackUrl {
    url: Url,
}

impl StackUrl {
    /// Reads and checks an address.
    ///
    /// # Errors
    /// With a phrase that says what is wrong; it never repeats a password.
    pub fn parse(value: &str) -> Result<Self, String> {
        Self::parse_like(value, "https://registry.example.com")
    }

    /// Reads and checks an address of the same kind as `example`, which messages show.
    ///
    /// # Errors
    /// As [`StackUrl::parse`].
    pub fn parse_like(value: &str, example: &str) -> Result<Self, String> {
        let url = Url::parse(value)
            .map_err(|error| format!("is not a URL such as {example} ({error})"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("holds a user name or password; callers bring their own tokens".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or fragment; give scheme, host and path only".to_owned());
        }
        let stack = Self { url };
        match stack.url.scheme() {
            "https" if stack.url.has_host() => Ok(stack),
            "http" if stack.is_loopback() => Ok(stack),
            "http" => Err(
                "is http; tokens travel only over https (http is for a loopback host)".to_owned(),
            ),
            other => Err(format!("has the scheme `{other}`; give an https URL")),
        }
    }

    /// Whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The address as it was given.
    pub fn into_url(self) -> Url {
        self.url
    }

    /// The path, which begins with a slash.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The origin that pages of this address have.
    pub fn origin(&self) -> WebOrigin {
        WebOrigin::of(&self.url).expect("http and https URLs have an origin")
    }

    /// The URL of what lies under the address, each segment encoded as one.
    pub fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.url.clone();
        url.path_segments_mut()
            .expect("http and https URLs have a path")
            .pop_if_empty()
            .extend(segments);
        url
    }
}

impl fmt::Display for StackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str().trim_end_matches('/'))
    }
}
