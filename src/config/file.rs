//! Reading `quilt-mcp.toml`: found upwards from the working folder, checked
//! whole, and refused with the line that is wrong.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::{DeployThrough, Environment, LOCAL};

/// The configuration file's name.
pub const FILE_NAME: &str = "quilt-mcp.toml";

/// What the configuration file says.
#[derive(Debug, Default, Clone)]
pub struct Config {
    /// Where it was read from; absent when there is no file.
    pub path: Option<PathBuf>,
    /// The environment to use when none is named.
    pub default_environment: Option<String>,
    environments: BTreeMap<String, Environment>,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML, lacks a key, has an unknown key, or a value is wrong.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// The file's name and text.
        #[source_code]
        text: Arc<NamedSource<String>>,
        /// Where.
        #[label("{label}")]
        at: SourceSpan,
        /// What stands beside the place.
        label: String,
        /// What to do.
        #[help]
        help: Option<String>,
    },
    /// No such environment.
    #[error(
        "there is no environment named `{name}`; there {}",
        known_environments(known)
    )]
    #[diagnostic(help("{}", where_environments_are(known)))]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
}

fn known_environments(known: &[String]) -> String {
    match known {
        [one] => format!("is only `{one}`"),
        many => format!(
            "are {}",
            many.iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}

/// With the built-in one alone, the file is most likely in another folder, or not written yet.
fn where_environments_are(known: &[String]) -> String {
    match known {
        [_] => format!(
            "environments stand in {FILE_NAME}, which is looked for in this folder and those above: go where it is, name it with --config, or have `quilt-mcp-deploy init` write it"
        ),
        _ => format!("name one with --env, QUILT_MCP_ENV or default_environment in {FILE_NAME}"),
    }
}

/// The environments that releases can go to. Unknown keys are refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileModel {
    /// The environment that commands use without `--env` and `QUILT_MCP_ENV`.
    #[schemars(with = "Option<String>", extend("default" = LOCAL))]
    default_environment: Option<Spanned<String>>,
    /// One table for each environment; its name has lower-case letters, digits and dashes, and is not `local`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, EnvironmentModel>")]
    environments: BTreeMap<Spanned<String>, EnvironmentModel>,
}

/// One environment: an account, a repository, a service and a URL.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EnvironmentModel {
    /// The 12-digit AWS account; commands refuse any other (exit code 13) before a change.
    #[schemars(with = "String", extend("pattern" = "^[0-9]{12}$"))]
    account_id: Spanned<String>,
    /// The AWS region.
    #[schemars(with = "String")]
    region: Spanned<String>,
    /// A profile of the shared AWS configuration.
    profile: Option<String>,
    /// Another endpoint for every AWS API.
    #[schemars(with = "Option<String>")]
    endpoint_url: Option<Spanned<String>>,
    /// The ECR repository's name, without registry or tag.
    #[schemars(with = "String")]
    repository: Spanned<String>,
    /// The ECS cluster's name or ARN.
    #[schemars(with = "String")]
    cluster: Spanned<String>,
    /// The ECS service's name.
    #[schemars(with = "String")]
    service: Spanned<String>,
    /// The container, in the task definition, that runs the server.
    #[schemars(with = "Option<String>", extend("default" = DEFAULT_CONTAINER))]
    container: Option<Spanned<String>>,
    /// The public URL of the MCP endpoint; https, but for loopback hosts.
    #[schemars(with = "String")]
    url: Spanned<String>,
    /// Web origins, such as `https://catalog.example.com`, whose pages use the endpoint; the smoke test asks as a browser there would.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    cors_origins: Vec<Spanned<String>>,
    /// Who moves the service to a release: `ecs` or `cloudformation`.
    #[schemars(with = "Option<String>", extend("default" = "ecs", "enum" = ["ecs", "cloudformation"]))]
    deploy_through: Option<Spanned<String>>,
    /// The name of the CloudFormation stack that holds the service; needed with `cloudformation`.
    #[schemars(with = "Option<String>")]
    stack: Option<Spanned<String>>,
    /// How many tasks the first release starts, when the service has none.
    #[schemars(with = "Option<i32>", extend("default" = DEFAULT_DESIRED_COUNT))]
    desired_count: Option<Spanned<i32>>,
    /// How long success must hold before it is believed, in seconds.
    #[schemars(extend("default" = DEFAULT_BAKE_SECONDS))]
    bake_seconds: Option<u64>,
    /// How long a rollout may take before the answer is "not known", in seconds.
    #[schemars(with = "Option<u64>", extend("default" = DEFAULT_TIMEOUT_SECONDS))]
    timeout_seconds: Option<Spanned<u64>>,
    /// Tags for the revisions and repositories that we create.
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// The JSON Schema of the configuration file: what editors and the reference know of it.
pub fn schema() -> Schema {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<FileModel>();
    schema.insert("title".into(), FILE_NAME.into());
    schema
}

/// The container's name when the configuration names none.
const DEFAULT_CONTAINER: &str = "mcp-server";
/// ECS drains and registers targets in tens of seconds: success is believed after one such span.
const DEFAULT_BAKE_SECONDS: u64 = 30;
const DEFAULT_TIMEOUT_SECONDS: u64 = 1800;
const DEFAULT_DESIRED_COUNT: i32 = 2;

impl Config {
    /// Reads `explicit`, or the nearest `quilt-mcp.toml` at or above `folder`; none is fine.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read or is wrong.
    pub fn load(explicit: Option<&Path>, folder: &Path) -> Result<Self, ConfigError> {
        match Self::find(explicit, folder) {
            None => Ok(Self::default()),
            Some(path) => {
                let text =
                    std::fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable {
                        path: path.clone(),
                        source,
                    })?;
                Self::parse(&path, &text)
            }
        }
    }

    /// `explicit`, or the nearest `quilt-mcp.toml` at or above `folder`.
    pub fn find(explicit: Option<&Path>, folder: &Path) -> Option<PathBuf> {
        match explicit {
            Some(path) => Some(path.to_owned()),
            None => folder
                .ancestors()
                .map(|ancestor| ancestor.join(FILE_NAME))
                .find(|candidate| candidate.is_file()),
        }
    }

    /// Reads the text of a configuration file; `path` is for messages.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] pointing at the first wrong line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let model: FileModel = toml::from_str(text).map_err(|error| source.syntax(&error))?;
        let mut environments = BTreeMap::new();
        for (name, environment) in model.environments {
            let environment = source.environment(&name, environment)?;
            environments.insert(name.into_inner(), environment);
        }
        if let Some(default) = &model.default_environment
            && default.get_ref() != LOCAL
            && !environments.contains_key(default.get_ref())
        {
            return Err(source.invalid(
                default.span(),
                format!(
                    "default_environment names `{}`, which is not defined",
                    default.get_ref()
                ),
                "no [environments] table has this name",
                None,
            ));
        }
        Ok(Self {
            path: Some(path.to_owned()),
            default_environment: model.default_environment.map(Spanned::into_inner),
            environments,
        })
    }

    /// The names of the environments in the file, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.environments.keys().map(String::as_str)
    }

    /// The environment's name to use: asked for, else the file's default, else `local`.
    pub fn choose(&self, asked: Option<&str>) -> String {
        asked
            .or(self.default_environment.as_deref())
            .unwrap_or(LOCAL)
            .to_owned()
    }

    /// The environment of this name, from the file.
    ///
    /// # Errors
    /// [`ConfigError::UnknownEnvironment`] listing those that exist.
    pub fn environment(&self, name: &str) -> Result<&Environment, ConfigError> {
        self.environments
            .get(name)
            .ok_or_else(|| ConfigError::UnknownEnvironment {
                name: name.to_owned(),
                known: std::iter::once(LOCAL.to_owned())
                    .chain(self.environments.keys().cloned())
                    .collect(),
            })
    }
}

/// The file being read, for messages that point into it.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn invalid(
        &self,
        span: Range<usize>,
        message: String,
        label: impl Into<String>,
        help: Option<&str>,
    ) -> ConfigError {
        ConfigError::Invalid {
            message: format!("{}: {message}", self.path.display()),
            text: Arc::new(NamedSource::new(
                self.path.display().to_string(),
                self.text.to_owned(),
            )),
            at: span.into(),
            label: label.into(),
            help: help.map(str::to_owned),
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or(0..0);
        // A missing key is reported over the whole table: its header line is the place to look.
        let first_line_end = self.text[span.start..]
            .find('\n')
            .map_or(self.text.len(), |offset| span.start + offset);
        let span = span.start..span.end.min(first_line_end).max(span.start);
        let message = error.message().trim().to_owned();
        let label = if message.starts_with("missing field") {
            "in this table"
        } else {
            "here"
        };
        self.invalid(
            span,
            message,
            label,
            Some("the keys are described in docs/reference/configuration.md"),
        )
    }

    fn environment(
        &self,
        name: &Spanned<String>,
        model: EnvironmentModel,
    ) -> Result<Environment, ConfigError> {
        self.check_name(name)?;
        self.matches(
            &model.account_id,
            "account_id",
            "12 digits, in quotes",
            |value| value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()),
        )?;
        self.matches(
            &model.region,
            "region",
            "an AWS region such as us-east-1",
            |value| {
                value.split('-').count() >= 3
                    && value.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                    })
            },
        )?;
        self.matches(
            &model.repository,
            "repository",
            "an ECR repository's name, without registry or tag",
            |value| {
                !value.is_empty()
                    && value.bytes().all(|byte| {
                        byte.is_ascii_lowercase()
                            || byte.is_ascii_digit()
                            || b"._-/".contains(&byte)
                    })
            },
        )?;
        for (value, key) in [(&model.cluster, "cluster"), (&model.service, "service")] {
            self.matches(value, key, "not empty", |value| !value.trim().is_empty())?;
        }
        if let Some(count) = &model.desired_count
            && *count.get_ref() < 1
        {
            return Err(self.invalid(
                count.span(),
                "desired_count must be at least 1".into(),
                "here",
                None,
            ));
        }
        if let Some(timeout) = &model.timeout_seconds
            && *timeout.get_ref() < 1
        {
            return Err(self.invalid(
                timeout.span(),
                "timeout_seconds must be at least 1".into(),
                "here",
                None,
            ));
        }
        let url = self.url(&model.url, "url")?;
        if url.scheme() != "https" && !is_loopback(&url) {
            return Err(self.invalid(
                model.url.span(),
                "url must be https: bearer tokens travel over it".into(),
                "not https",
                None,
            ));
        }
        for origin in &model.cors_origins {
            self.matches(
                origin,
                "cors_origins",
                "origins such as https://catalog.example.com: scheme and host, no path",
                is_origin,
            )?;
        }
        let deploy_through = self.deploy_through(name, model.deploy_through, model.stack)?;
        Ok(Environment {
            name: name.get_ref().clone(),
            account_id: model.account_id.into_inner(),
            region: model.region.into_inner(),
            profile: model.profile,
            endpoint_url: model
                .endpoint_url
                .map(|value| self.url(&value, "endpoint_url"))
                .transpose()?,
            repository: model.repository.into_inner(),
            cluster: model.cluster.into_inner(),
            service: model.service.into_inner(),
            container: model
                .container
                .map_or_else(|| DEFAULT_CONTAINER.to_owned(), Spanned::into_inner),
            url,
            cors_origins: model
                .cors_origins
                .into_iter()
                .map(Spanned::into_inner)
                .collect(),
            deploy_through,
            desired_count: model
                .desired_count
                .map_or(DEFAULT_DESIRED_COUNT, Spanned::into_inner),
            bake_seconds: model.bake_seconds.unwrap_or(DEFAULT_BAKE_SECONDS),
            timeout_seconds: model
                .timeout_seconds
                .map_or(DEFAULT_TIMEOUT_SECONDS, Spanned::into_inner),
            tags: model.tags,
        })
    }

    fn deploy_through(
        &self,
        name: &Spanned<String>,
        through: Option<Spanned<String>>,
        stack: Option<Spanned<String>>,
    ) -> Result<DeployThrough, ConfigError> {
        if let Some(through) = &through {
            let known = |value: &str| matches!(value, "ecs" | "cloudformation");
            self.matches(
                through,
                "deploy_through",
                "`ecs` or `cloudformation`",
                known,
            )?;
        }
        let by_stack = through.is_some_and(|through| through.get_ref() == "cloudformation");
        match (by_stack, stack) {
            (false, None) => Ok(DeployThrough::Ecs),
            (false, Some(stack)) => Err(self.invalid(
                stack.span(),
                "stack is only for deploy_through = \"cloudformation\"".into(),
                "here",
                None,
            )),
            (true, None) => Err(self.invalid(
                name.span(),
                "deploy_through = \"cloudformation\" needs the key stack".into(),
                "in this table",
                Some("stack is the name of the CloudFormation stack that holds the service"),
            )),
            (true, Some(stack)) => {
                self.matches(
                    &stack,
                    "stack",
                    "a stack's name: a letter, then letters, digits and dashes, 128 at most",
                    is_stack_name,
                )?;
                Ok(DeployThrough::CloudFormation {
                    stack: stack.into_inner(),
                })
            }
        }
    }

    fn check_name(&self, name: &Spanned<String>) -> Result<(), ConfigError> {
        if name.get_ref() == LOCAL {
            return Err(self.invalid(
                name.span(),
                format!("`{LOCAL}` is the built-in environment and cannot be defined"),
                "choose another name",
                None,
            ));
        }
        self.matches(
            name,
            "an environment's name",
            "lower-case letters, digits and dashes",
            |value| {
                !value.is_empty()
                    && value.bytes().all(|byte| {
                        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
                    })
            },
        )
    }

    fn matches(
        &self,
        value: &Spanned<String>,
        key: &str,
        wanted: &str,
        accept: impl Fn(&str) -> bool,
    ) -> Result<(), ConfigError> {
        if accept(value.get_ref()) {
            return Ok(());
        }
        Err(self.invalid(
            value.span(),
            format!("{key} must be {wanted}"),
            format!("this is `{}`", value.get_ref()),
            None,
        ))
    }

    fn url(&self, value: &Spanned<String>, key: &str) -> Result<Url, ConfigError> {
        let refuse = |why: String| self.invalid(value.span(), format!("{key} {why}"), "here", None);
        let url = Url::parse(value.get_ref())
            .map_err(|error| refuse(format!("is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("must start with https://".into()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("must not carry a user or a password".into()));
        }
        Ok(url)
    }
}

/// Whether this is an origin as browsers write it (RFC 6454 section 6.2).
fn is_origin(value: &str) -> bool {
    Url::parse(value).is_ok_and(|url| url.origin().ascii_serialization() == value)
}

/// Whether CloudFormation takes it as a stack's name (AWS CloudFormation API Reference, `CreateStack`).
fn is_stack_name(value: &str) -> bool {
    value.len() <= 128
        && value.starts_with(|first: char| first.is_ascii_alphabetic())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a URL's host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
default_environment = "staging"

[environments.staging]
account_id = "123456789012"
region = "eu-west-1"
repository = "acme-staging-mcp-server"
cluster = "acme-staging"
service = "acme-staging-mcp-server"
url = "https://mcp.staging.acme.example/mcp/"
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new(FILE_NAME), text)
    }

    /// The line number, from 1, that an error points at.
    fn line_of(error: &ConfigError) -> usize {
        match error {
            ConfigError::Invalid { text, at, .. } => {
                text.inner()[..at.offset()].lines().count().max(1)
                    + usize::from(text.inner()[..at.offset()].ends_with('\n'))
            }
            other => panic!("{other} points at no line"),
        }
    }

    #[test]
    fn fills_in_what_is_left_out() {
        let config = parse(GOOD).unwrap();
        let environment = config.environment("staging").unwrap();
        assert_eq!(environment.container, "mcp-server");
        assert_eq!(environment.desired_count, 2);
        assert_eq!(environment.deploy_through, DeployThrough::Ecs);
        assert_eq!(config.choose(None), "staging");
        assert_eq!(config.choose(Some("local")), "local");
        assert_eq!(Config::default().choose(None), "local");
    }

    #[test]
    fn points_at_the_wrong_line() {
        for (from, to, line, says) in [
            (
                "\"123456789012\"",
                "\"1234\"",
                5,
                "account_id must be 12 digits",
            ),
            ("\"123456789012\"", "123456789012", 5, "invalid type"),
            ("eu-west-1", "Ireland", 6, "region must be"),
            ("https://mcp", "http://mcp", 10, "url must be https"),
            (
                "https://mcp",
                "https://me:secret@mcp",
                10,
                "must not carry a user",
            ),
            ("region = \"eu-west-1\"\n", "", 4, "missing field `region`"),
            ("service =", "servise =", 9, "unknown field `servise`"),
            ("[environments.staging]", "[environments.staging", 4, ""),
            (
                "[environments.staging]",
                "[environments.local]",
                4,
                "built-in environment",
            ),
            ("\"staging\"\n", "\"stage\"\n", 2, "which is not defined"),
            (
                "acme-staging-mcp-server\"\ncluster",
                "Acme:latest\"\ncluster",
                7,
                "ECR repository's name",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is in the sample");
            let error = parse(&text).unwrap_err();
            assert!(
                error.to_string().contains(says),
                "{error} does not say {says}"
            );
            assert_eq!(line_of(&error), line, "{error}");
        }
    }

    #[test]
    fn releases_go_through_a_stack_where_it_is_named() {
        let with = |lines: &str| parse(&format!("{GOOD}{lines}\n"));
        let ways = |lines: &str| {
            let config = with(lines).unwrap();
            config
                .environment("staging")
                .unwrap()
                .deploy_through
                .clone()
        };
        let by_stack = DeployThrough::CloudFormation {
            stack: "acme-mcp".into(),
        };
        let both = "deploy_through = \"cloudformation\"\nstack = \"acme-mcp\"";
        assert_eq!(ways(both), by_stack);
        assert_eq!(ways("deploy_through = \"ecs\""), DeployThrough::Ecs);
        for (lines, line, says) in [
            (
                "deploy_through = \"terraform\"",
                11,
                "`ecs` or `cloudformation`",
            ),
            (
                "deploy_through = \"cloudformation\"",
                4,
                "needs the key stack",
            ),
            ("stack = \"acme-mcp\"", 11, "is only for"),
            (
                "deploy_through = \"cloudformation\"\nstack = \"acme_mcp\"",
                12,
                "a stack's name",
            ),
        ] {
            let error = with(lines).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(line_of(&error), line, "{error}");
        }
    }

    #[test]
    fn a_secret_in_a_url_is_not_repeated() {
        let error = parse(&GOOD.replacen("https://mcp", "https://me:hunter2@mcp", 1)).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn unknown_environment_lists_the_known_ones() {
        let error = parse(GOOD).unwrap().environment("prod").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no environment named `prod`; there are `local`, `staging`"
        );
        assert!(where_environments_are(&["local".into()]).contains("looked for in this folder"));
    }
}
