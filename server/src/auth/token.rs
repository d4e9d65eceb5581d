use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The longest token that is looked at, in bytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// A caller's bearer token: a JWT or an API key, opaque but for a
/// JWT's `exp` and `aud`.
///
/// It shows itself only to the registry: neither `Debug` nor a log can print it.
#[derive(Clone)]
pub struct BearerToken {
    authorization: HeaderValue,
    hash: TokenHash,
    claims: Claims,
}

/// What a JWT says about itself, as far as it matters here.
///
/// Nothing is verified: the registry does that. The claims only narrow what its
/// verdict is good for.
#[derive(Clone, Debug, Default, PartialEq)]
struct Claims {
    /// `exp` (RFC 7519, section 4.1.4).
    expires: Option<SystemTime>,
    /// `aud` (RFC 7519, section 4.1.3); one that is no text or list of texts names nobody.
    audiences: Option<Arc<[String]>>,
}

/// SHA-256 of a token: what the server remembers and logs instead of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

/// Why a request brings no usable token.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// No `Authorization` header.
    #[error("a Quilt bearer token is required")]
    Missing,
    /// Another scheme, no token, several headers, or characters that RFC 6750 does not allow.
    #[error("the Authorization header is not of the form `Bearer <token>`")]
    Malformed,
    /// More than 8 KiB.
    #[error("the bearer token is longer than {} KiB", TOKEN_LIMIT / 1024)]
    TooLong,
}

impl BearerToken {
    /// Takes the token out of a request's `Authorization` header
    /// (RFC 6750, section 2.1; the scheme's name in any case, RFC 9110, section 11.1).
    ///
    /// # Errors
    /// When there is no token, or none that could be one.
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or(TokenError::Missing)?;
        if values.next().is_some() {
            return Err(TokenError::Malformed);
        }
        let (scheme, token) = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or(TokenError::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(TokenError::Malformed);
        }
        Self::parse(token.trim_matches(' '))
    }

    /// Reads the token itself.
    ///
    /// # Errors
    /// When it is too long or not a `b64token` of RFC 6750.
    pub fn parse(token: &str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_LIMIT {
            return Err(TokenError::TooLong);
        }
        if !is_b64token(token) {
            return Err(TokenError::Malformed);
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| TokenError::Malformed)?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            hash: TokenHash(Sha256::digest(token).into()),
            claims: Claims::of(token),
        })
    }

    /// The header that presents the token to the registry; marked as sensitive.
    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// What stands for the token wherever it is remembered.
    pub fn hash(&self) -> TokenHash {
        self.hash
    }

    /// How long a JWT is still valid by its own `exp`, zero once it is not;
    /// `None` for a token that says nothing about it.
    pub fn remaining(&self, now: SystemTime) -> Option<Duration> {
        let expires = self.claims.expires?;
        Some(expires.duration_since(now).unwrap_or_default())
    }

    /// Whether the token is for one of `audiences`, or for nobody in particular.
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let bare = |url: &str| url.trim_end_matches('/').to_owned();
        self.claims.audiences.as_ref().is_none_or(|named| {
            let mut named = named.iter();
            named.any(|one| audiences.iter().any(|audience| bare(audience) == bare(one)))
        })
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({})", self.hash)
    }
}

/// The first 16 hexadecimal digits: enough to tell callers apart in a log.
impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..8]))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

impl Claims {
    /// The claims of what looks like a signed JWT; none of anything else.
    fn of(token: &str) -> Self {
        Self::parse(token).unwrap_or_default()
    }

    fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, payload, _signature, None) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next())
        else {
            return None;
        };
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        Some(Self {
            expires: claims.get("exp").and_then(moment),
            audiences: claims.get("aud").map(audiences),
        })
    }
}

/// A `NumericDate` (RFC 7519, section 2).
fn moment(claim: &Value) -> Option<SystemTime> {
    let since_epoch = Duration::try_from_secs_f64(claim.as_f64()?.max(0.0)).ok()?;
    UNIX_EPOCH.checked_add(since_epoch)
}

fn audiences(claim: &Value) -> Arc<[String]> {
    let one = claim.as_str().into_iter();
    let many = claim
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    one.chain(many).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_taken_from_one_well_formed_header() {
        for value in ["Bearer qk_a-b.c~d+e/f==", "bearer qk_x", "BEARER   qk_x "] {
            assert!(
                BearerToken::from_headers(&headers(&[value])).is_ok(),
                "{value}"
            );
        }
        let long = format!("Bearer {}", "a".repeat(TOKEN_LIMIT + 1));
        for (values, expected) in [
            (&[][..], TokenError::Missing),
            (&["Bearer"][..], TokenError::Malformed),
            (&["Bearer "][..], TokenError::Malformed),
            (&["Bearer =="][..], TokenError::Malformed),
            (&["Basic cXVpbHQ6"][..], TokenError::Malformed),
            (&["Bearer a b"][..], TokenError::Malformed),
            (&["Bearer a,b"][..], TokenError::Malformed),
            (&["Bearer a", "Bearer b"][..], TokenError::Malformed),
            (&[long.as_str()][..], TokenError::TooLong),
        ] {
            let error = BearerToken::from_headers(&headers(values)).unwrap_err();
            assert_eq!(error, expected, "{values:?}");
        }
        let longest = "a".repeat(TOKEN_LIMIT);
        assert!(BearerToken::parse(&longest).is_ok());
    }

    #[test]
    fn only_a_jwt_with_a_number_for_exp_expires() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let remaining = |token: &str| BearerToken::parse(token).unwrap().remaining(at(1_000));
        assert_eq!(
            remaining(&jwt(r#"{"exp":1060}"#)),
            Some(Duration::from_secs(60))
        );
        assert_eq!(remaining(&jwt(r#"{"exp":1000}"#)), Some(Duration::ZERO));
        assert_eq!(remaining(&jwt(r#"{"exp":-5}"#)), Some(Duration::ZERO));
        assert_eq!(remaining("qk_key"), None);
        assert_eq!(remaining(&jwt(r#"{"exp":"1060"}"#)), None);
        assert_eq!(remaining(&jwt(r#"{"exp":1e300}"#)), None);
        assert_eq!(remaining(&jwt("not json")), None);
        assert_eq!(remaining("a.b"), None);
        assert_eq!(remaining("a.b.c.d"), None);
    }

    #[test]
    fn a_token_is_for_those_that_it_names() {
        let ours = ["https://registry.example.com/mcp/platform".to_owned()];
        for (claims, expected) in [
            ("{}", true),
            (
                r#"{"aud":"https://registry.example.com/mcp/platform"}"#,
                true,
            ),
            (
                r#"{"aud":"https://registry.example.com/mcp/platform/"}"#,
                true,
            ),
            (
                r#"{"aud":["https://a.example","https://registry.example.com/mcp/platform"]}"#,
                true,
            ),
            (r#"{"aud":"https://registry.example.com/mcp"}"#, false),
            (r#"{"aud":"https://evil.example"}"#, false),
            (r#"{"aud":"https://evil.example","exp":"soon"}"#, false),
            (r#"{"aud":[]}"#, false),
            (r#"{"aud":""}"#, false),
            (r#"{"aud":7}"#, false),
            (r#"{"aud":null}"#, false),
        ] {
            let token = BearerToken::parse(&jwt(claims)).unwrap();
            assert_eq!(token.is_for(&ours), expected, "{claims}");
        }
        assert!(BearerToken::parse("qk_key").unwrap().is_for(&ours));
    }

    #[test]
    fn a_token_never_shows_itself() {
        let token = BearerToken::parse("qk_secret_value").unwrap();
        let shown = format!("{token:?} {:?} {:?}", token.authorization(), token.hash());
        assert!(!shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_header_value_is_read_without_a_panic(value in "\\PC{0,200}") {
            if let Ok(value) = HeaderValue::try_from(value) {
                let mut headers = HeaderMap::new();
                headers.insert(header::AUTHORIZATION, value);
                let _ = BearerToken::from_headers(&headers);
            }
        }

        #[test]
        fn any_payload_is_read_without_a_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
            let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
            prop_assert!(BearerToken::parse(&token).is_ok());
        }

        #[test]
        fn equal_hashes_mean_equal_tokens(a in "[a-zA-Z0-9._~+/-]{1,40}", b in "[a-zA-Z0-9._~+/-]{1,40}") {
            let hash = |token: &str| BearerToken::parse(token).unwrap().hash();
            prop_assert_eq!(hash(&a) == hash(&b), a == b);
        }
    }
}
