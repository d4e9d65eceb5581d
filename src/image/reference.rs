//! Names of images: registry, repository, tag, digest.
//!
//! The grammar is that of the OCI distribution specification ("Pulling manifests"),
//! with one house rule more: the registry is never left out, so that no name means
//! another registry on another machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::digest::{Digest, DigestError};

const LONGEST_TAG: usize = 128;
const LONGEST_REPOSITORY: usize = 255;

/// A tag: at most 128 of letters, digits, `_`, `.` and `-`, not starting with `.` or `-`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = text.bytes().next().is_some_and(is_word);
        let goes_on_well = text
            .bytes()
            .all(|byte| is_word(byte) || byte == b'.' || byte == b'-');
        if starts_well && goes_on_well && text.len() <= LONGEST_TAG {
            Ok(Self(text.to_owned()))
        } else {
            Err(ReferenceError::Tag(text.to_owned()))
        }
    }
}

/// Where images are kept: a registry's host (with its port, if any) and a repository in it.
///
/// Displays as ECR's "repository URI": `111122223333.dkr.ecr.us-east-1.amazonaws.com/name`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryName {
    registry: String,
    path: String,
}

impl RepositoryName {
    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository's name within its registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The image with this tag.
    pub fn tagged(&self, tag: &Tag) -> ImageReference {
        ImageReference {
            repository: self.clone(),
            tag: Some(tag.clone()),
            digest: None,
        }
    }

    /// The image with this digest.
    pub fn with_digest(&self, digest: &Digest) -> ImageReference {
        ImageReference {
            repository: self.clone(),
            tag: None,
            digest: Some(digest.clone()),
        }
    }
}

impl FromStr for RepositoryName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (registry, path) = text
            .split_once('/')
            .filter(|(registry, _)| is_registry(registry))
            .ok_or_else(|| ReferenceError::Registry(text.to_owned()))?;
        if path.len() <= LONGEST_REPOSITORY && path.split('/').all(is_path_component) {
            Ok(Self {
                registry: registry.to_owned(),
                path: path.to_owned(),
            })
        } else {
            Err(ReferenceError::Repository(path.to_owned()))
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

/// The full name of an image: `registry/repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference {
    repository: RepositoryName,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageReference {
    /// Where the image is kept.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The tag, if the name has one.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if the name has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same image held fast to `digest`; a tag stays, as a comment for people.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self {
            digest: Some(digest.clone()),
            ..self.clone()
        }
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag.parse()?)),
            _ => (name, None),
        };
        Ok(Self {
            repository: repository.parse()?,
            tag,
            digest,
        })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `TryFrom<String>` and `Into<String>` through the text form, as serde wants them.
macro_rules! text_form {
    ($($name:ty),*) => {$(
        impl TryFrom<String> for $name {
            type Error = ReferenceError;

            fn try_from(text: String) -> Result<Self, ReferenceError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    )*};
}
text_form!(Tag, RepositoryName, ImageReference);

/// A host is told from the first part of a repository as Docker does it: by a dot, by a port, or by being `localhost`.
fn is_registry(text: &str) -> bool {
    let (host, port) = split_port(text);
    let names_a_host =
        host == "localhost" || host.contains('.') || port.is_some() || host.starts_with('[');
    names_a_host
        && is_host(host)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    host.split('.').all(|label| {
        let is_label_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_label_byte)
    })
}

/// `[a-z0-9]+` parts joined by one of `.`, `_`, `__` or any number of `-`.
fn is_path_component(component: &str) -> bool {
    let is_alphanumeric = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let bytes = component.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_alphanumeric(*first)
        && is_alphanumeric(*last)
        && component
            .split(|letter: char| letter.is_ascii() && is_alphanumeric(letter as u8))
            .all(|separator| {
                matches!(separator, "" | "." | "_" | "__")
                    || separator.bytes().all(|byte| byte == b'-')
            })
}

/// Why a text is not an image's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The tag breaks the rules for tags.
    #[error(
        "`{0}` is not a tag: expected 1 to 128 letters, digits, `_`, `.` or `-`, not starting with `.` or `-`"
    )]
    Tag(String),
    /// The registry is missing or is not a host name.
    #[error(
        "`{0}` does not start with a registry's host: expected `host[:port]/repository`, for example 111122223333.dkr.ecr.us-east-1.amazonaws.com/quilt-mcp-server"
    )]
    Registry(String),
    /// The repository's name breaks the rules.
    #[error(
        "`{0}` is not a repository name: expected lower-case letters and digits, joined by `.`, `_`, `-` or `/`, at most 255 in all"
    )]
    Repository(String),
    /// The part after `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_a_name_apart() {
        let digest = Digest::of(b"x");
        for (text, registry, path, tag, has_digest) in [
            (
                "localhost:5000/a".to_owned(),
                "localhost:5000",
                "a",
                None,
                false,
            ),
            (
                "127.0.0.1:5000/a:1".to_owned(),
                "127.0.0.1:5000",
                "a",
                Some("1"),
                false,
            ),
            (
                "[::1]:5000/a/b:x".to_owned(),
                "[::1]:5000",
                "a/b",
                Some("x"),
                false,
            ),
            (
                "111122223333.dkr.ecr.us-east-1.amazonaws.com/quilt-mcp-server:1.4.0-3f2a9c1"
                    .to_owned(),
                "111122223333.dkr.ecr.us-east-1.amazonaws.com",
                "quilt-mcp-server",
                Some("1.4.0-3f2a9c1"),
                false,
            ),
            (
                format!("r.io/a_b/c__d/e---f@{digest}"),
                "r.io",
                "a_b/c__d/e---f",
                None,
                true,
            ),
            (
                format!("r.io/a:T_1@{digest}"),
                "r.io",
                "a",
                Some("T_1"),
                true,
            ),
        ] {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!(reference.repository().registry(), registry, "{text}");
            assert_eq!(reference.repository().path(), path, "{text}");
            assert_eq!(reference.tag().map(Tag::as_str), tag, "{text}");
            assert_eq!(reference.digest().is_some(), has_digest, "{text}");
            assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn refuses_names_that_mean_something_else() {
        for text in [
            "",
            "ubuntu",
            "library/ubuntu",
            "r.io",
            "r.io/",
            "r.io//a",
            "r.io/A",
            "r.io/a/",
            "r.io/-a",
            "r.io/a..b",
            "r.io/a___b",
            "r.io/a b",
            "r.io/a:",
            "r.io/a:-x",
            "r.io/a:x y",
            "r.io/a@sha256:12",
            "r.io:0/a",
            "r.io:70000/a",
            "-r.io/a",
            "r..io/a",
            "[::g]:80/a",
            "https://r.io/a",
            "user:secret@r.io/a",
            "r.io/../a",
            "r.io/ä",
        ] {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
        assert!("x".repeat(128).parse::<Tag>().is_ok());
        assert!("x".repeat(129).parse::<Tag>().is_err());
        assert!(
            format!("r.io/{}", "x".repeat(256))
                .parse::<RepositoryName>()
                .is_err()
        );
    }

    #[test]
    fn pinning_keeps_the_tag() {
        let digest = Digest::of(b"x");
        let reference: ImageReference = "r.io/a:1".parse().unwrap();
        assert_eq!(
            reference.pinned(&digest).to_string(),
            format!("r.io/a:1@{digest}")
        );
    }

    proptest! {
        #[test]
        fn well_formed_names_round_trip(
            host in "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){1,3}",
            port in proptest::option::of(1..=u16::MAX),
            path in "[a-z0-9]{1,4}((\\.|_|__|-{1,3}|/)[a-z0-9]{1,4}){0,4}",
            tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}"),
            content in proptest::option::of(any::<u8>()),
        ) {
            let mut text = host;
            if let Some(port) = port { text += &format!(":{port}"); }
            text += &format!("/{path}");
            if let Some(tag) = tag { text += &format!(":{tag}"); }
            if let Some(content) = content { text += &format!("@{}", Digest::of(&[content])); }
            let reference: ImageReference = text.parse().unwrap();
            prop_assert_eq!(reference.to_string(), text);
            let json = serde_json::to_string(&reference).unwrap();
            prop_assert_eq!(serde_json::from_str::<ImageReference>(&json).unwrap(), reference);
        }

        #[test]
        fn what_parses_displays_as_it_was(text in "[a-z0-9.:/@_\\-\\[\\]]{0,40}") {
            if let Ok(reference) = text.parse::<ImageReference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
