use std::fmt;

use url::{Host, Origin, Url};

/// The origin of a web page: scheme, host and port (RFC 6454).
///
/// Two libraries want the same origin in two spellings, so both come from one
/// value: browsers omit a scheme's default port, the transport's own check
/// takes an origin without a port for any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    host: Host,
    port: u16,
}

impl WebOrigin {
    /// Reads an origin such as `https://catalog.example.com`.
    ///
    /// # Errors
    /// With a phrase that says what the value is instead.
    pub fn parse(value: &str) -> Result<Self, String> {
        if value == "*" || value == "null" {
            return Err(format!(
                "holds `{value}`; name each origin, such as https://catalog.example.com"
            ));
        }
        let refusal = || {
            "holds an entry that is not an origin: give scheme and host, such as https://catalog.example.com, without a path"
                .to_owned()
        };
        let url = Url::parse(value).map_err(|_| refusal())?;
        let bare = url.path() == "/"
            && !value.ends_with('/')
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(refusal());
        }
        Self::of(&url).ok_or_else(refusal)
    }

    /// The origin of an `http` or `https` URL.
    pub(super) fn of(url: &Url) -> Option<Self> {
        match url.origin() {
            Origin::Tuple(scheme, host, port) if scheme == "https" || scheme == "http" => {
                Some(Self { scheme, host, port })
            }
            _ => None,
        }
    }

    /// With its port, even where the scheme implies it.
    pub fn with_port(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// As a browser sends it.
impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = Origin::Tuple(self.scheme.clone(), self.host.clone(), self.port);
        f.write_str(&origin.ascii_serialization())
    }
}
