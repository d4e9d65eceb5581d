//! Which images the Dockerfile takes from a registry.

use std::collections::HashMap;

use parse_dockerfile::{Flag, Instruction};

/// The one name that stands for no image (docs.docker.com/reference/dockerfile, "FROM").
const NOTHING: &str = "scratch";
const HUB: &str = "docker.io";
/// Other names of Docker's own registry (moby's `registry` package; podman-login(1)).
const HUB_TOO: &[&str] = &["index.docker.io", "registry-1.docker.io"];
/// What Docker's client and its engines call that registry where credentials are kept and sent
/// (`IndexServer` in moby's `registry` package).
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A registry as the names of images have it: a host, with its port if any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registry(String);

impl Registry {
    /// The registry of an image: what stands before the first `/` if that can only be a host, else
    /// Docker Hub (`splitDockerDomain` in distribution's `reference` package).
    fn of(image: &str) -> Self {
        let host = image.split_once('/').map(|(first, _)| first);
        let is_host = |first: &&str| {
            first.contains(['.', ':'])
                || *first == "localhost"
                || first.contains(|letter: char| letter.is_uppercase())
        };
        match host.filter(is_host) {
            Some(host) if host != HUB_TOO[0] => Self(host.to_owned()),
            _ => Self(HUB.to_owned()),
        }
    }

    /// The host.
    pub fn host(&self) -> &str {
        &self.0
    }

    /// Under which name an engine looks for credentials, and helpers keep them.
    pub fn key(&self) -> &str {
        if self.0 == HUB { HUB_KEY } else { &self.0 }
    }

    /// Whether this is what a key of Docker's configuration means; older clients wrote addresses
    /// there (`ConvertToHostname` in moby's `registry` package).
    pub fn is_meant_by(&self, key: &str) -> bool {
        let address = ["https://", "http://"]
            .iter()
            .find_map(|scheme| key.strip_prefix(scheme))
            .unwrap_or(key);
        let host = address.split('/').next().unwrap_or_default();
        host == self.0 || (self.0 == HUB && HUB_TOO.contains(&host))
    }

    /// The command that logs in there.
    pub fn login(&self) -> String {
        if self.0 == HUB {
            "docker login".to_owned()
        } else {
            format!("docker login {}", self.0)
        }
    }
}

/// An image that a stage begins with or copies from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// As the Dockerfile has it, which is how Docker repeats it.
    written: String,
    /// With the arguments put in.
    pub name: String,
    /// Where it comes from.
    pub registry: Registry,
}

impl BaseImage {
    /// Whether the step, as the engine names it, is about this image.
    pub fn is_of(&self, step: &str) -> bool {
        step.split([' ', '='])
            .any(|word| word == self.written || word == self.name)
    }
}

/// The images that the Dockerfile names, with these build arguments; a name whose variables have no
/// value is left out, for the engine to speak of.
///
/// # Errors
/// What of the Dockerfile is not understood.
pub fn of(
    dockerfile: &str,
    given: &HashMap<String, String>,
) -> Result<Vec<BaseImage>, parse_dockerfile::Error> {
    let dockerfile = parse_dockerfile::parse(dockerfile)?;
    let mut arguments = Arguments::of(given);
    for argument in dockerfile.global_args() {
        arguments.declare(&argument.arguments.value);
    }
    let mut images = Vec::new();
    let mut stages: Vec<String> = Vec::new();
    for stage in dockerfile.stages() {
        let copied = stage.instructions.iter().filter_map(copied_from);
        for written in [&*stage.from.image.value].into_iter().chain(copied) {
            let name = arguments.put_in(written);
            if is_image(&name) && !is_stage(&name, &stages) {
                images.push(BaseImage {
                    written: written.to_owned(),
                    registry: Registry::of(&name),
                    name,
                });
            }
        }
        let name = stage.from.as_.as_ref().map(|(_, name)| &*name.value);
        stages.push(name.unwrap_or_default().to_owned());
    }
    Ok(images)
}

/// What `COPY --from=` names.
fn copied_from<'a>(instruction: &'a Instruction<'_>) -> Option<&'a str> {
    let Instruction::Copy(copy) = instruction else {
        return None;
    };
    let from = |flag: &&Flag<'_>| flag.name.value == "from";
    let value = copy.options.iter().find(from)?.value.as_ref()?;
    Some(&value.value)
}

fn is_image(name: &str) -> bool {
    !name.is_empty() && name != NOTHING && !name.contains('$')
}

/// An earlier stage, by its name or its number.
fn is_stage(name: &str, stages: &[String]) -> bool {
    let number = name.parse::<usize>().ok();
    number.is_some_and(|number| number < stages.len())
        || stages.iter().any(|stage| stage.eq_ignore_ascii_case(name))
}

/// Arguments that hold before the first stage, the only ones that `FROM` knows.
struct Arguments<'a> {
    given: &'a HashMap<String, String>,
    declared: HashMap<String, String>,
}

impl<'a> Arguments<'a> {
    fn of(given: &'a HashMap<String, String>) -> Self {
        Self {
            given,
            declared: HashMap::new(),
        }
    }

    /// Takes note of `NAME` or `NAME=DEFAULT`, once or several times.
    fn declare(&mut self, text: &str) {
        for declared in text.split_whitespace() {
            let (name, default) = match declared.split_once('=') {
                Some((name, default)) => (name, Some(self.put_in(unquoted(default)))),
                None => (declared, None),
            };
            if let Some(value) = self.given.get(name).cloned().or(default) {
                self.declared.insert(name.to_owned(), value);
            }
        }
    }

    fn put_in(&self, text: &str) -> String {
        shellexpand::env_with_context_no_errors(unquoted(text), |name| self.declared.get(name))
            .into_owned()
    }
}

fn unquoted(text: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arguments: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        arguments.iter().map(owned).collect()
    }

    #[test]
    fn the_images_that_a_dockerfile_takes_from_a_registry() {
        let base = &[("BASE", "localhost:5000/rust")][..];
        for (dockerfile, arguments, expected) in [
            ("FROM scratch", &[][..], &[][..]),
            ("FROM rust", &[], &["docker.io rust"]),
            (
                "from --platform=linux/amd64 ghcr.io/a/b:1@sha256:00 as x\nFROM x\nFROM X AS y",
                &[],
                &["ghcr.io ghcr.io/a/b:1@sha256:00"],
            ),
            (
                "FROM --platform=$BUILDPLATFORM \\\n  # where from\n  host:5/a AS x",
                &[],
                &["host:5 host:5/a"],
            ),
            // The Dockerfile's default, and what takes its place.
            ("ARG BASE=a/b\nFROM $BASE", &[], &["docker.io a/b"]),
            (
                "ARG BASE=a/b\nFROM $BASE AS build",
                base,
                &["localhost:5000 localhost:5000/rust"],
            ),
            ("ARG BASE\nFROM $BASE", &[], &[]),
            (
                "ARG BASE\nFROM ${BASE}:1",
                base,
                &["localhost:5000 localhost:5000/rust:1"],
            ),
            ("FROM ${BASE:-quay.io/b}", base, &["quay.io quay.io/b"]),
            (
                "ARG HOST=quay.io TAG='2'\nARG BASE=\"${HOST}/rust:$TAG\"\nFROM \"${BASE}\"",
                &[("TAG", "3")],
                &["quay.io quay.io/rust:3"],
            ),
            // An argument of a stage is none of FROM's.
            (
                "ARG BASE=a\nFROM $BASE\nARG BASE=quay.io/b\nFROM $BASE",
                &[],
                &["docker.io a", "docker.io a"],
            ),
            (
                "FROM a AS x\nFROM scratch\nCOPY --from=x / /\nCOPY --from=0 / /\n\
                 COPY --chown=1 --from=quay.io/b / /\nCOPY c d",
                &[],
                &["docker.io a", "quay.io quay.io/b"],
            ),
            (
                "FROM scratch\nRUN <<END\nFROM quay.io/a\nEND\nRUN x \\\n FROM b",
                &[],
                &[],
            ),
        ] {
            let images = of(dockerfile, &given(arguments)).unwrap();
            let found: Vec<_> = images
                .iter()
                .map(|image| format!("{} {}", image.registry.host(), image.name))
                .collect();
            assert_eq!(found, expected, "{dockerfile}");
        }
        for dockerfile in ["", "FROM", "FRM scratch", "RUN x\nFROM scratch"] {
            assert!(of(dockerfile, &given(&[])).is_err(), "{dockerfile}");
        }
    }

    #[test]
    fn our_own_dockerfile_takes_one_image() {
        let dockerfile = include_str!("../../../server/Dockerfile");
        let usual = of(dockerfile, &given(&[])).unwrap();
        let hosts: Vec<_> = usual.iter().map(|image| image.registry.host()).collect();
        assert_eq!(hosts, ["docker.io"]);

        let other = "registry.example.com/rust:1";
        let images = of(dockerfile, &given(&[("RUST_IMAGE", other)])).unwrap();
        assert_eq!(images[0].name, other);
        assert!(images[0].is_of("Step 2/27 : FROM ${RUST_IMAGE} AS build"));
        assert!(images[0].is_of("STEP 1/27: FROM registry.example.com/rust:1 AS build"));
        assert!(!images[0].is_of("Step 9/27 : RUN registry.example.com/rust:12"));
    }

    #[test]
    fn registries_and_their_keys() {
        for (image, host, key) in [
            ("rust", "docker.io", HUB_KEY),
            ("rust:1.95@sha256:00", "docker.io", HUB_KEY),
            ("quilt/rust", "docker.io", HUB_KEY),
            ("docker.io/library/rust", "docker.io", HUB_KEY),
            ("index.docker.io/library/rust", "docker.io", HUB_KEY),
            ("localhost/rust", "localhost", "localhost"),
            ("host:5000/a/b:1", "host:5000", "host:5000"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000", "127.0.0.1:5000"),
            ("[::1]:5000/a", "[::1]:5000", "[::1]:5000"),
            ("Host/a", "Host", "Host"),
        ] {
            let registry = Registry::of(image);
            assert_eq!((registry.host(), registry.key()), (host, key), "{image}");
        }
    }

    #[test]
    fn keys_of_the_configuration_mean_a_registry() {
        for (image, key, meant) in [
            ("rust", HUB_KEY, true),
            ("rust", "docker.io", true),
            ("rust", "index.docker.io", true),
            ("rust", "https://registry-1.docker.io/v2/", true),
            ("rust", "hub.example.com", false),
            ("a.com/b", "a.com", true),
            ("a.com/b", "https://a.com", true),
            ("a.com/b", "http://a.com/v1/", true),
            ("a.com/b", "a.com:443", false),
            ("a.com/b", "b.a.com", false),
            ("a.com:5/b", "a.com", false),
            ("docker.io.example.com/b", "docker.io", false),
        ] {
            assert_eq!(Registry::of(image).is_meant_by(key), meant, "{image} {key}");
        }
    }
}
