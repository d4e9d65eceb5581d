//! Content digests, the identity of everything that a registry holds.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const ALGORITHM: &str = "sha256";
const HEX_LENGTH: usize = 64;

/// A SHA-256 content digest: `sha256:` and 64 lower-case hex digits.
///
/// The form is that of the OCI image specification, section "Digests".
#[derive(
    Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self::from_hash(Sha256::digest(content).as_slice())
    }

    /// The digest and the length in bytes of everything `reader` gives.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Sha256::new();
        let length = io::copy(&mut reader, &mut hasher)?;
        Ok((Self::from_hash(hasher.finalize().as_slice()), length))
    }

    pub(crate) fn from_hash(hash: &[u8]) -> Self {
        Self(format!("{ALGORITHM}:{}", hex::encode(hash)))
    }

    /// The whole digest, `sha256:...`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hex digits without the algorithm.
    pub fn hex(&self) -> &str {
        &self.0[ALGORITHM.len() + 1..]
    }

    /// The first 12 hex digits: enough to tell images apart in a table or a tag.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, hex) = text
            .split_once(':')
            .ok_or_else(|| DigestError::Malformed(text.to_owned()))?;
        if algorithm != ALGORITHM {
            return Err(DigestError::Algorithm(text.to_owned()));
        }
        let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() == HEX_LENGTH && hex.bytes().all(is_lower_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DigestError::Malformed(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a digest that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not `sha256:` with 64 lower-case hex digits.
    #[error("`{0}` is not a digest: expected sha256: and 64 lower-case hex digits")]
    Malformed(String),
    /// Another algorithm than SHA-256.
    #[error("digest `{0}` uses an algorithm other than sha256, which is the only one supported")]
    Algorithm(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digests_content_as_sha256() {
        // The example of FIPS 180-2, appendix B.1.
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").as_str(), expected);
        let (digest, length) = Digest::of_reader(&b"abc"[..]).unwrap();
        assert_eq!((digest.as_str(), length), (expected, 3));
    }

    #[test]
    fn refuses_what_is_not_a_sha256_digest() {
        let hex = "a".repeat(64);
        for text in [
            "",
            "sha256",
            "sha256:",
            &hex,
            &format!("sha256:{}", "a".repeat(63)),
            &format!("sha256:{}", "a".repeat(65)),
            &format!("sha256:{}", "A".repeat(64)),
            &format!("sha256:{}g", "a".repeat(63)),
            &format!("sha256:../{}", "a".repeat(61)),
            &format!(" sha256:{hex}"),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
        let other = format!("sha512:{}", "a".repeat(128));
        assert_eq!(other.parse::<Digest>(), Err(DigestError::Algorithm(other)));
    }

    proptest! {
        #[test]
        fn text_round_trips(content: Vec<u8>) {
            let digest = Digest::of(&content);
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest.clone());
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn parsing_never_panics(text: String) {
            let _ = text.parse::<Digest>();
        }
    }
}
