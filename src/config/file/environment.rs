//! One environment's table, checked key by key: what the types of its keys cannot say.

use toml::Spanned;
use url::Url;

use super::ConfigError;
use super::model::{
    DEFAULT_BAKE_SECONDS, DEFAULT_CONTAINER, DEFAULT_DESIRED_COUNT, DEFAULT_TIMEOUT_SECONDS,
    EnvironmentModel,
};
use super::source::Source;
use crate::config::{DeployThrough, Environment, LOCAL};

impl Source<'_> {
    /// The environment `name`, once nothing in its table is wrong.
    pub(super) fn environment(
        &self,
        name: &Spanned<String>,
        model: EnvironmentModel,
    ) -> Result<Environment, ConfigError> {
        self.check_name(name)?;
        self.check_places(&model)?;
        self.check_numbers(&model)?;
        let url = self.endpoint(&model)?;
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
            |value| !value.is_empty() && value.bytes().all(is_word),
        )
    }

    /// The account, and what is in it.
    fn check_places(&self, model: &EnvironmentModel) -> Result<(), ConfigError> {
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
            |value| value.split('-').count() >= 3 && value.bytes().all(is_word),
        )?;
        let in_a_name = |byte: u8| is_word(byte) || b"._/".contains(&byte);
        self.matches(
            &model.repository,
            "repository",
            "an ECR repository's name, without registry or tag",
            |value| !value.is_empty() && value.bytes().all(in_a_name),
        )?;
        let of_letters = |value: &str, more: &[u8]| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || more.contains(&byte);
            !value.is_empty() && value.bytes().all(allowed)
        };
        for (value, key) in [(&model.cluster, "cluster"), (&model.service, "service")] {
            self.matches(
                value,
                key,
                "a name of letters, digits, - and _, or an ARN",
                |value| of_letters(value, b"-_") || value.starts_with("arn:"),
            )?;
        }
        if let Some(container) = &model.container {
            self.matches(
                container,
                "container",
                "a name of letters, digits, - and _",
                |value| of_letters(value, b"-_"),
            )?;
        }
        Ok(())
    }

    fn check_numbers(&self, model: &EnvironmentModel) -> Result<(), ConfigError> {
        let refuse = |span, key: &str| {
            Err(self.invalid(span, format!("{key} must be at least 1"), "here", None))
        };
        match (&model.desired_count, &model.timeout_seconds) {
            (Some(count), _) if *count.get_ref() < 1 => refuse(count.span(), "desired_count"),
            (_, Some(timeout)) if *timeout.get_ref() < 1 => {
                refuse(timeout.span(), "timeout_seconds")
            }
            _ => Ok(()),
        }
    }

    /// Where the server answers, and whose pages may ask it.
    fn endpoint(&self, model: &EnvironmentModel) -> Result<Url, ConfigError> {
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
        Ok(url)
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
}

/// Whether it is in the names of environments and regions: lower-case letters, digits and dashes.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
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
