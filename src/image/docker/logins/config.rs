//! The configuration of Docker's client, as far as it tells of logins
//! (docs.docker.com/reference/cli/docker/login, "Credential stores" and "Credential helpers").

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bollard::auth::DockerCredentials;
use serde::Deserialize;

use super::LoginError;
use crate::image::docker::base_images::Registry;

/// What of the configuration tells of logins. It has no `Debug`: it may hold passwords.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    auths: Option<BTreeMap<String, Entry>>,
    cred_helpers: Option<BTreeMap<String, String>>,
    creds_store: Option<String>,
}

/// A login that the file itself holds; an empty one says only that a store has it.
#[derive(Default, Deserialize)]
struct Entry {
    /// `USER:PASSWORD` in base64.
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Who has the login of a registry.
pub enum Keeper {
    /// The helper `docker-credential-NAME`.
    Helper {
        /// The program.
        program: String,
        /// Under which name it is asked for the registry.
        key: String,
    },
    /// The file itself.
    File(DockerCredentials),
}

impl Config {
    /// The configuration in `file`, where there is one.
    pub async fn read(file: &Path) -> Result<Self, LoginError> {
        match tokio::fs::read(file).await {
            Ok(content) => Self::parse(&content, file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LoginError::Unreadable {
                file: file.to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    /// A parser's own words may repeat a password, so only the place is told.
    fn parse(content: &[u8], file: &Path) -> Result<Self, LoginError> {
        serde_json::from_slice(content).map_err(|error| LoginError::Malformed {
            file: file.to_owned(),
            line: error.line(),
            column: error.column(),
        })
    }

    /// Who has the login of `registry`, as Docker's client decides it: the registry's own helper,
    /// else the store for all of them, else the file (`GetCredentialsStore` in docker/cli's
    /// `configfile` package).
    pub fn keeper(&self, registry: &Registry, file: &Path) -> Result<Option<Keeper>, LoginError> {
        if let Some((key, name)) = of(self.cred_helpers.as_ref(), registry)
            && !name.is_empty()
        {
            return Ok(Some(helper(name, key)));
        }
        if let Some(name) = self.creds_store.as_deref().filter(|name| !name.is_empty()) {
            return Ok(Some(helper(name, registry.key())));
        }
        let Some((key, entry)) = of(self.auths.as_ref(), registry) else {
            return Ok(None);
        };
        let login = entry.login().map_err(|Undecodable| LoginError::Entry {
            file: file.to_owned(),
            key: key.to_owned(),
        })?;
        Ok(login.map(Keeper::File))
    }
}

/// What is kept for the registry under its own key, else under a name that means it.
fn of<'a, T>(
    kept: Option<&'a BTreeMap<String, T>>,
    registry: &Registry,
) -> Option<(&'a str, &'a T)> {
    let kept = kept?;
    let exact = kept.get_key_value(registry.key());
    exact
        .or_else(|| kept.iter().find(|(key, _)| registry.is_meant_by(key)))
        .map(|(key, value)| (key.as_str(), value))
}

fn helper(name: &str, key: &str) -> Keeper {
    Keeper::Helper {
        program: format!("docker-credential-{name}"),
        key: key.to_owned(),
    }
}

/// `auth` is not what it should be.
struct Undecodable;

impl Entry {
    /// The login, where the entry holds one.
    fn login(&self) -> Result<Option<DockerCredentials>, Undecodable> {
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let (username, password) = match set(&self.auth) {
            Some(auth) => decoded(&auth).ok_or(Undecodable)?,
            None => (set(&self.username), set(&self.password)),
        };
        let login = DockerCredentials {
            username,
            password,
            identitytoken: set(&self.identitytoken),
            registrytoken: set(&self.registrytoken),
            ..DockerCredentials::default()
        };
        Ok((login != DockerCredentials::default()).then_some(login))
    }
}

/// User and password of an entry (`decodeAuth` in docker/cli's `configfile` package, which also takes
/// off the zeros that old clients wrote at the end).
fn decoded(auth: &str) -> Option<(Option<String>, Option<String>)> {
    let any_padding =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decoded = GeneralPurpose::new(&STANDARD, any_padding)
        .decode(auth)
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    let password = password.trim_matches('\0');
    (!user.is_empty()).then(|| (Some(user.to_owned()), Some(password.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;
    use crate::image::docker::base_images;

    const FILE: &str = "/home/a/.docker/config.json";

    fn registry(image: &str) -> Registry {
        let dockerfile = format!("FROM {image}");
        let images = base_images::of(&dockerfile, &HashMap::new()).unwrap();
        images[0].registry.clone()
    }

    /// Who has the login of the image's registry, in one line.
    fn keeper(config: &serde_json::Value, image: &str) -> String {
        let config = Config::parse(config.to_string().as_bytes(), Path::new(FILE)).unwrap();
        match config.keeper(&registry(image), Path::new(FILE)) {
            Ok(None) => "nobody".to_owned(),
            Ok(Some(Keeper::Helper { program, key })) => format!("{program} {key}"),
            Ok(Some(Keeper::File(login))) => {
                let parts = [
                    login.username,
                    login.password,
                    login.identitytoken,
                    login.registrytoken,
                ];
                parts.map(|part| part.unwrap_or("-".to_owned())).join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn who_has_the_login_of_a_registry() {
        let hub = "https://index.docker.io/v1/";
        for (config, image, expected) in [
            (json!({}), "rust", "nobody"),
            (json!({"auths": null, "credsStore": ""}), "rust", "nobody"),
            // dTpw is u:p.
            (
                json!({"auths": {"a.com": {"auth": "dTpw"}}}),
                "rust",
                "nobody",
            ),
            (
                json!({"auths": {"a.com": {"auth": "dTpw"}}}),
                "a.com/b",
                "u p - -",
            ),
            (
                json!({"auths": {"https://a.com/v1/": {"auth": "dTpw"}}}),
                "a.com/b",
                "u p - -",
            ),
            (
                json!({"auths": {"a.com:5": {"auth": "dTpw"}}}),
                "a.com/b",
                "nobody",
            ),
            (
                json!({"auths": {"a.com:5": {"auth": "dTpw"}}}),
                "a.com:5/b",
                "u p - -",
            ),
            (json!({"auths": {hub: {"auth": "dTpw"}}}), "rust", "u p - -"),
            // Podman's `podman login docker.io` writes it so.
            (
                json!({"auths": {"docker.io": {"auth": "dTpw"}}}),
                "rust",
                "u p - -",
            ),
            // Without padding, with a zero at the end, with a colon in the password.
            (
                json!({"auths": {"a.com": {"auth": "dTpwAA"}}}),
                "a.com/b",
                "u p - -",
            ),
            (
                json!({"auths": {"a.com": {"auth": "dTpwOnE="}}}),
                "a.com/b",
                "u p:q - -",
            ),
            (
                json!({"auths": {"a.com": {"username": "u", "password": "p"}}}),
                "a.com/b",
                "u p - -",
            ),
            (
                json!({"auths": {"a.com": {"auth": "MDA6", "identitytoken": "t"}}}),
                "a.com/b",
                "00  t -",
            ),
            (
                json!({"auths": {"a.com": {"registrytoken": "r"}}}),
                "a.com/b",
                "- - - r",
            ),
            (json!({"auths": {"a.com": {}}}), "a.com/b", "nobody"),
            // Helpers.
            (
                json!({"auths": {"a.com": {}}, "credsStore": "pass"}),
                "a.com/b",
                "docker-credential-pass a.com",
            ),
            (
                json!({"credsStore": "desktop"}),
                "rust",
                "docker-credential-desktop https://index.docker.io/v1/",
            ),
            (
                json!({"credHelpers": {"a.com": "ecr-login"}, "credsStore": "pass"}),
                "a.com/b",
                "docker-credential-ecr-login a.com",
            ),
            (
                json!({"credHelpers": {"https://a.com": "x"}}),
                "a.com/b",
                "docker-credential-x https://a.com",
            ),
            (
                json!({"credHelpers": {"a.com": ""}, "auths": {"a.com": {"auth": "dTpw"}}}),
                "a.com/b",
                "u p - -",
            ),
            (
                json!({"credHelpers": {"a.com": "ecr-login"}}),
                "b.com/b",
                "nobody",
            ),
        ] {
            assert_eq!(keeper(&config, image), expected, "{config} {image}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_without_its_content() {
        for auth in ["s3cret!", "czNjcmV0", "OnMzY3JldA==", "_w=="] {
            let config = json!({"auths": {"a.com": {"auth": auth}}});
            let text = keeper(&config, "a.com/b");
            assert!(text.contains(FILE) && text.contains("a.com"), "{text}");
            assert!(!text.contains(auth), "{text}");
        }
        for content in [
            "{\"auths\": \"s3cret\"}",
            "{\"credsStore\": [\"s3cret",
            "s3cret",
        ] {
            let Err(error) = Config::parse(content.as_bytes(), Path::new(FILE)) else {
                panic!("{content}");
            };
            let text = format!("{error} {error:?}");
            assert!(text.contains(FILE) && text.contains("line 1"), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
