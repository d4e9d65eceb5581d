//! What to do where a registry does not give an engine a base image.

use std::path::Path;

use super::base_images::BaseImage;
use super::logins::Found;

/// Why a registry gave no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It does not know who asks, or does not let them.
    Denied,
    /// Too many images were asked for.
    TooMany,
}

/// Words of an engine or a registry, in small letters: moby's "pull access denied", the codes of the OCI
/// distribution specification ("Error Codes"), ECR's and docker-registry's "no basic auth credentials".
const SIGNS: &[(&str, Refusal)] = &[
    ("toomanyrequests", Refusal::TooMany),
    ("too many requests", Refusal::TooMany),
    ("pull access denied", Refusal::Denied),
    ("unauthorized", Refusal::Denied),
    ("authentication required", Refusal::Denied),
    ("no basic auth credentials", Refusal::Denied),
    ("denied: ", Refusal::Denied),
];

fn refusal(reason: &str) -> Option<Refusal> {
    let reason = reason.to_lowercase();
    let sign = SIGNS.iter().find(|(sign, _)| reason.contains(sign));
    sign.map(|(_, refusal)| *refusal)
}

/// What to do about `reason`, which the engine gave for `image`, where it is a registry's refusal.
/// `found` is the login that was sent for it, or why none was; `file` is where it was looked for.
pub fn advice(reason: &str, image: &BaseImage, found: &Found, file: &Path) -> Option<String> {
    let (name, host) = (&image.name, image.registry.host());
    let (login, file) = (image.registry.login(), file.display());
    let pull = format!("get the image first (`docker pull {name}`)");
    Some(match (refusal(reason)?, found) {
        (Refusal::Denied, Found::Login(_)) => format!(
            "{host} refused the login that {file} has for it: look whether {name} exists and that account may pull it; a login that has ended is renewed by `{login}`"
        ),
        (Refusal::TooMany, Found::Login(_)) => format!(
            "{host} lets the account of the login in {file} pull no more for now: wait, or take the image from another registry (`--build-arg`)"
        ),
        (Refusal::Denied, Found::Nothing) => {
            format!("{file} has no login for {host}: `{login}`, or {pull}")
        }
        (Refusal::TooMany, Found::Nothing) => format!(
            "{host} lets those pull more who are logged in, and {file} has no login for it: `{login}`, or wait"
        ),
        (_, Found::Unknown(error)) => {
            format!("no login at {host} was sent: {error}; mend that, or {pull}")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::auth::DockerCredentials;

    use super::*;
    use crate::image::docker::base_images;
    use crate::image::docker::logins::LoginError;

    /// As Docker 20.10 and 28, docker-registry, Docker Hub and ECR have written them.
    #[test]
    fn refusals_of_registries_are_known() {
        for (reason, expected) in [
            (
                "pull access denied for quilt/rust, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                Some(Refusal::Denied),
            ),
            (
                "Head \"http://127.0.0.1:5000/v2/rust/manifests/1\": no basic auth credentials",
                Some(Refusal::Denied),
            ),
            (
                "Head \"https://a.com/v2/rust/manifests/1\": unauthorized: authentication required",
                Some(Refusal::Denied),
            ),
            (
                "denied: Your authorization token has expired. Reauthenticate and try again.",
                Some(Refusal::Denied),
            ),
            (
                "toomanyrequests: You have reached your unauthenticated pull rate limit.",
                Some(Refusal::TooMany),
            ),
            (
                "manifest for a.com/rust:1 not found: manifest unknown",
                None,
            ),
            ("dial tcp 127.0.0.1:1: connect: connection refused", None),
        ] {
            assert_eq!(refusal(reason), expected, "{reason}");
        }
    }

    #[test]
    fn the_advice_knows_what_was_done_already() {
        let file = Path::new("/home/a/.docker/config.json");
        let login = || {
            Found::Login(DockerCredentials {
                username: Some("u".to_owned()),
                password: Some("s3cret".to_owned()),
                ..DockerCredentials::default()
            })
        };
        let unknown = || {
            Found::Unknown(LoginError::Malformed {
                file: file.to_owned(),
                line: 7,
                column: 1,
            })
        };
        for (name, reason, found, signs) in [
            (
                "a.com/b:1",
                "unauthorized",
                Found::Nothing,
                &[
                    "`docker login a.com`",
                    "`docker pull a.com/b:1`",
                    "no login",
                ][..],
            ),
            (
                "b",
                "pull access denied",
                Found::Nothing,
                &["`docker login`", "docker.io"],
            ),
            (
                "b",
                "toomanyrequests",
                Found::Nothing,
                &["`docker login`", "wait"],
            ),
            (
                "a.com/b",
                "unauthorized",
                login(),
                &["a.com refused the login", "may pull", "has ended"],
            ),
            (
                "a.com/b",
                "toomanyrequests",
                login(),
                &["pull no more", "--build-arg"],
            ),
            (
                "a.com/b",
                "unauthorized",
                unknown(),
                &["was sent", "line 7", "docker pull a.com/b"],
            ),
        ] {
            let images = base_images::of(&format!("FROM {name}"), &HashMap::new()).unwrap();
            let text = advice(reason, &images[0], &found, file).unwrap();
            for sign in signs {
                assert!(text.contains(sign), "{sign}: {text}");
            }
            assert!(!text.contains("s3cret"), "{text}");
            assert_eq!(advice("no space left", &images[0], &found, file), None);
        }
    }
}
