use std::fmt::{self, Write};

use url::Url;

use crate::aws::Region;
use crate::config::StackUrl;

/// The longest key, in bytes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const KEY_LIMIT: usize = 1024;

/// An object's key, checked: URLs drop `.` and `..` segments, so a key that has
/// them would name another object, or another bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Reads a key.
    ///
    /// # Errors
    /// With a sentence that says what is wrong.
    pub fn parse(key: &str) -> Result<Self, String> {
        if key.is_empty() || key.len() > KEY_LIMIT {
            return Err(format!("an object's key has 1 to {KEY_LIMIT} bytes"));
        }
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err("an object's key here has no . or .. parts".to_owned());
        }
        if key.chars().any(char::is_control) {
            return Err("an object's key here has no control characters".to_owned());
        }
        Ok(Self(key.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One object, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Address {
    /// The bucket's name, checked by its own rules.
    pub bucket: String,
    /// The key.
    pub key: ObjectKey,
    /// The version; the current one when absent.
    pub version: Option<String>,
}

/// As Quilt writes a physical key.
impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "s3://{}/{}",
            self.bucket,
            encode(self.key.as_str(), true)
        )?;
        match &self.version {
            Some(version) => write!(f, "?versionId={}", encode(version, false)),
            None => Ok(()),
        }
    }
}

/// The URL of a bucket or object: by the bucket's own host name, or by its path
/// where the name has dots (which no wildcard certificate fits) or the endpoint
/// is not AWS's. `None` when the parts do not arrive in the URL as they are.
pub(super) fn url(
    endpoint: Option<&StackUrl>,
    region: &Region,
    bucket: &str,
    key: Option<&str>,
) -> Option<Url> {
    let suffix = region.dns_suffix();
    let key = encode(key.unwrap_or_default(), true);
    let (base, path) = match endpoint {
        Some(endpoint) => {
            let prefix = endpoint.path().trim_end_matches('/');
            (
                endpoint.origin().to_string(),
                format!("{prefix}/{bucket}/{key}"),
            )
        }
        None if bucket.contains('.') => (
            format!("https://s3.{region}.{suffix}"),
            format!("/{bucket}/{key}"),
        ),
        None => (
            format!("https://{bucket}.s3.{region}.{suffix}"),
            format!("/{key}"),
        ),
    };
    let url = Url::parse(&format!("{base}{path}")).ok()?;
    (url.path() == path && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

/// Percent-encodes as Signature Version 4 wants it: all but unreserved
/// characters, and but slashes in a path.
pub(super) fn encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if is_path => encoded.push('/'),
            _ => write!(encoded, "%{byte:02X}").expect("a String takes any text"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_aws_hosts() {
        let region = Region::parse("eu-west-1").unwrap();
        for (bucket, key, expected) in [
            ("data", None, "https://data.s3.eu-west-1.amazonaws.com/"),
            (
                "data",
                Some("a b/ü+?#.txt"),
                "https://data.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC%2B%3F%23.txt",
            ),
            (
                "my.data",
                Some("x"),
                "https://s3.eu-west-1.amazonaws.com/my.data/x",
            ),
            (
                "data",
                Some("/x//y/"),
                "https://data.s3.eu-west-1.amazonaws.com//x//y/",
            ),
            (
                "data",
                Some("%2e%2e/x"),
                "https://data.s3.eu-west-1.amazonaws.com/%252e%252e/x",
            ),
        ] {
            let url = url(None, &region, bucket, key).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        assert_eq!(url(None, &region, "data", Some("a/../b")), None);
    }

    proptest! {
        #[test]
        fn no_key_leaves_its_bucket(key in "\\PC{1,60}|[./%2eE\\\\]{1,20}") {
            let endpoint = StackUrl::parse("http://127.0.0.1:5000").unwrap();
            let region = Region::default();
            if let Ok(key) = ObjectKey::parse(&key) {
                for (endpoint, host, prefix) in [
                    (None, "data.s3.us-east-1.amazonaws.com", "/"),
                    (Some(&endpoint), "127.0.0.1", "/data/"),
                ] {
                    let url = url(endpoint, &region, "data", Some(key.as_str())).unwrap();
                    prop_assert_eq!(url.host_str(), Some(host));
                    prop_assert!(url.path().starts_with(prefix));
                    prop_assert_eq!(url.query(), None);
                    prop_assert_eq!(url.username(), "");
                }
            }
        }
    }
}
