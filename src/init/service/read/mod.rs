//! From what was seen of a service to the keys of its environment.

use std::collections::BTreeMap;

use toml_edit::Array;
use url::Url;

use super::ServiceError;
use crate::image::ImageReference;
use crate::init::Draft;
use crate::verify::{MatchedOn, Rule, pattern};

/// What was seen of a service.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its ARN, which has its account.
    pub arn: String,
    /// Its region.
    pub region: String,
    /// Its cluster's name.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// The CloudFormation stack that holds it.
    pub stack: Option<String>,
    /// The container that the load balancer sends requests to.
    pub target_container: Option<String>,
    /// The containers of its task definition.
    pub containers: Vec<SeenContainer>,
    /// The listeners of its load balancers.
    pub listeners: Vec<SeenListener>,
}

/// A container of the task definition.
#[derive(Debug, Clone, Default)]
pub struct SeenContainer {
    /// Its name.
    pub name: String,
    /// Its image, as the task definition names it.
    pub image: String,
    /// The variables of the server that tell of its endpoint.
    pub variables: BTreeMap<String, String>,
}

/// A listener.
#[derive(Debug, Clone)]
pub struct SeenListener {
    /// Its port.
    pub port: i32,
    /// Whether it speaks TLS.
    pub https: bool,
    /// Its rules that lead to the service.
    pub rules: Vec<Rule>,
}

/// The paths that the server answers MCP on, the one to be preferred first.
const PATHS: [&str; 3] = ["/mcp/", "/mcp", "/mcp/platform/mcp"];
/// The name that our modules and templates give the server's container.
const USUAL_CONTAINER: &str = "mcp-server";

/// The keys that it tells, as far as it does; `container` is the server's where that is known.
///
/// # Errors
/// [`ServiceError::NoContainer`] where there is none of that name, [`ServiceError::WhichContainer`]
/// where several could be the server.
pub fn draft(seen: &Seen, container: Option<&str>) -> Result<Draft, ServiceError> {
    let mut draft = Draft::default();
    let account = seen.arn.split(':').nth(4).unwrap_or_default();
    draft.set("account_id", account);
    draft.set("region", seen.region.as_str());
    draft.set("cluster", seen.cluster.as_str());
    draft.set("service", seen.service.as_str());
    if let Some(stack) = &seen.stack {
        let because = "the service is a resource of this stack";
        draft.set("deploy_through", "cloudformation");
        draft.guess("stack", stack.as_str(), because);
    }
    let Some(server) = server(seen, container)? else {
        return Ok(draft);
    };
    draft.set("container", server.name.as_str());
    repository(&mut draft, server, account, &seen.region);
    url(&mut draft, seen, server);
    cors_origins(&mut draft, server);
    Ok(draft)
}

fn server<'a>(
    seen: &'a Seen,
    named: Option<&str>,
) -> Result<Option<&'a SeenContainer>, ServiceError> {
    let by_name = |name: &str| {
        seen.containers
            .iter()
            .find(|container| container.name == name)
    };
    let names = || {
        let names = seen.containers.iter().map(|one| one.name.clone());
        names.collect::<Vec<_>>()
    };
    if let Some(named) = named {
        let absent = || ServiceError::NoContainer {
            named: named.to_owned(),
            known: names(),
        };
        return by_name(named).map(Some).ok_or_else(absent);
    }
    let target = seen.target_container.as_deref();
    let found = target.and_then(by_name);
    match (
        found.or_else(|| by_name(USUAL_CONTAINER)),
        &seen.containers[..],
    ) {
        (Some(found), _) => Ok(Some(found)),
        (None, []) => Ok(None),
        (None, [only]) => Ok(Some(only)),
        (None, _) => Err(ServiceError::WhichContainer(names())),
    }
}

fn repository(draft: &mut Draft, server: &SeenContainer, account: &str, region: &str) {
    let Ok(image) = server.image.parse::<ImageReference>() else {
        return;
    };
    let name = image.repository();
    let own = format!("{account}.dkr.ecr.{region}.amazonaws.com");
    // China's partition has a suffix behind that.
    if name.registry().starts_with(&own) {
        draft.set("repository", name.path());
    } else {
        let because = format!(
            "the image comes from {}, which is not this account and region",
            name.registry()
        );
        draft.guess("repository", name.path(), because);
    }
}

fn url(draft: &mut Draft, seen: &Seen, server: &SeenContainer) {
    if let Some(url) = variable(server, "MCP_PUBLIC_URL") {
        // The server's paths with and without the slash are the same.
        let slash = if url.ends_with('/') { "" } else { "/" };
        return draft.set("url", format!("{url}{slash}"));
    }
    if let Some(url) = seen.listeners.iter().find_map(url_of_listener) {
        return draft.guess("url", url, "the listener's rule");
    }
    if let Some(catalog) = variable(server, "QUILT_CATALOG_URL") {
        let url = format!("{}{}", catalog.trim_end_matches('/'), PATHS[0]);
        draft.guess(
            "url",
            url,
            "the catalog's host, since no listener's rule names one",
        );
    }
}

fn url_of_listener(listener: &SeenListener) -> Option<String> {
    if !listener.https {
        return None;
    }
    let (host, path) = listener.rules.iter().find_map(url_of_rule)?;
    Some(match listener.port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    })
}

fn url_of_rule(rule: &Rule) -> Option<(&str, &'static str)> {
    let hosts = rule
        .conditions
        .iter()
        .find_map(|condition| match condition {
            MatchedOn::Host(hosts) => Some(hosts),
            _ => None,
        })?;
    let host = hosts.iter().find(|host| !host.contains(['*', '?']))?;
    let path = PATHS.into_iter().find(|path| {
        rule.conditions.iter().all(|condition| match condition {
            MatchedOn::Path(patterns) => patterns.iter().any(|one| pattern::path(one, path)),
            _ => true,
        })
    })?;
    Some((host, path))
}

/// As the server has it: what the variable lists, else the catalog.
fn cors_origins(draft: &mut Draft, server: &SeenContainer) {
    let listed = server.variables.get("MCP_ALLOWED_ORIGINS");
    let origins: Vec<String> = match (listed, variable(server, "QUILT_CATALOG_URL")) {
        (Some(listed), _) => listed
            .split(',')
            .map(|origin| origin.trim().to_owned())
            .filter(|origin| !origin.is_empty())
            .collect(),
        (None, Some(catalog)) => Url::parse(catalog)
            .map(|catalog| catalog.origin().ascii_serialization())
            .into_iter()
            .collect(),
        (None, None) => Vec::new(),
    };
    if !origins.is_empty() {
        draft.set("cors_origins", origins.into_iter().collect::<Array>());
    }
}

fn variable<'a>(server: &'a SeenContainer, name: &str) -> Option<&'a str> {
    let value = server.variables.get(name)?.trim();
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests;
