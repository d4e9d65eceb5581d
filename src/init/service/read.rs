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
    if let Some(stack) = &seen.stack
        && Draft::takes("deploy_through")
    {
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
mod tests {
    use super::*;

    const ECR: &str = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/quilt/acme/mcp-server";

    fn seen(variables: &[(&str, &str)], listeners: Vec<SeenListener>) -> Seen {
        Seen {
            arn: "arn:aws:ecs:eu-west-1:111111111111:service/acme/acme-mcp-server".into(),
            region: "eu-west-1".into(),
            cluster: "acme".into(),
            service: "acme-mcp-server".into(),
            stack: None,
            target_container: Some("server".into()),
            containers: vec![SeenContainer {
                name: "server".into(),
                image: format!("{ECR}@sha256:{}", "0".repeat(64)),
                variables: variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
            }],
            listeners,
        }
    }

    fn listener(port: i32, https: bool, hosts: &[&str], paths: &[&str]) -> SeenListener {
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        let mut conditions = Vec::new();
        if !hosts.is_empty() {
            conditions.push(MatchedOn::Host(owned(hosts)));
        }
        if !paths.is_empty() {
            conditions.push(MatchedOn::Path(owned(paths)));
        }
        SeenListener {
            port,
            https,
            rules: vec![Rule {
                conditions,
                ..Rule::default()
            }],
        }
    }

    fn found(draft: &Draft, key: &str) -> (String, bool) {
        let entry = draft
            .entries()
            .iter()
            .find(|entry| entry.key == key)
            .unwrap_or_else(|| panic!("there is no {key}"));
        (entry.value.to_string(), entry.guess.is_some())
    }

    #[test]
    fn a_service_tells_its_environment() {
        let seen = seen(
            &[("QUILT_CATALOG_URL", "https://catalog.acme.example/")],
            vec![listener(
                443,
                true,
                &["mcp.acme.example"],
                &["/mcp", "/mcp/*"],
            )],
        );
        let draft = draft(&seen, None).unwrap();
        let environment = draft.environment("staging").unwrap();
        assert_eq!(environment.account_id, "111111111111");
        assert_eq!(environment.repository, "quilt/acme/mcp-server");
        assert_eq!(environment.container, "server");
        assert_eq!(environment.url.as_str(), "https://mcp.acme.example/mcp/");
        assert_eq!(environment.cors_origins, ["https://catalog.acme.example"]);
        assert!(found(&draft, "url").1);
        assert!(!found(&draft, "repository").1);
    }

    #[test]
    fn the_url_comes_from_who_knows_best() {
        let catalog = ("QUILT_CATALOG_URL", "https://catalog.acme.example");
        let public = ("MCP_PUBLIC_URL", "https://mcp.acme.example/mcp");
        let rule = |hosts: &[&str], paths: &[&str]| vec![listener(443, true, hosts, paths)];
        for (variables, listeners, url) in [
            (
                &[catalog, public][..],
                rule(&["other.example"], &[]),
                Some(("https://mcp.acme.example/mcp/", false)),
            ),
            (
                &[catalog],
                rule(&["a.example"], &["/mcp"]),
                Some(("https://a.example/mcp", true)),
            ),
            (
                &[],
                rule(&["*.example", "b.example"], &[]),
                Some(("https://b.example/mcp/", true)),
            ),
            (
                &[],
                vec![listener(8443, true, &["c.example"], &["/mcp*"])],
                Some(("https://c.example:8443/mcp/", true)),
            ),
            (&[], rule(&["d.example"], &["/other"]), None),
            (&[], rule(&[], &["/mcp/*"]), None),
            (&[], vec![listener(80, false, &["e.example"], &[])], None),
            (
                &[catalog],
                rule(&[], &["/mcp/*"]),
                Some(("https://catalog.acme.example/mcp/", true)),
            ),
        ] {
            let draft = draft(&seen(variables, listeners), None).unwrap();
            match url {
                Some((url, guessed)) => {
                    assert_eq!(draft.text("url"), Some(url));
                    assert_eq!(found(&draft, "url").1, guessed);
                }
                None => assert_eq!(draft.missing(), ["url"]),
            }
        }
    }

    #[test]
    fn another_registry_is_a_guess() {
        for (image, repository, guessed) in [
            (format!("{ECR}:1.0.0"), "quilt/acme/mcp-server", false),
            (
                ECR.replace("111111111111", "222222222222"),
                "quilt/acme/mcp-server",
                true,
            ),
            ("ghcr.io/quiltdata/mcp:1".to_owned(), "quiltdata/mcp", true),
        ] {
            let mut seen = seen(&[], Vec::new());
            seen.containers[0].image = image;
            let draft = draft(&seen, None).unwrap();
            assert_eq!(draft.text("repository"), Some(repository));
            assert_eq!(found(&draft, "repository").1, guessed);
        }
    }

    #[test]
    fn the_server_is_found_among_several_containers() {
        let with = |names: &[&str], target: Option<&str>, asked: Option<&str>| {
            let mut seen = seen(&[], Vec::new());
            seen.target_container = target.map(str::to_owned);
            let container = |name: &&str| SeenContainer {
                name: (*name).to_owned(),
                ..SeenContainer::default()
            };
            seen.containers = names.iter().map(container).collect();
            let drafted = draft(&seen, asked);
            drafted.map(|draft| draft.text("container").map(str::to_owned))
        };
        for (names, target, asked, expected) in [
            (&["a", "b"][..], Some("b"), None, Some("b")),
            (&["a", "b"], Some("b"), Some("a"), Some("a")),
            (&["a", "mcp-server"], None, None, Some("mcp-server")),
            (&["a"], None, None, Some("a")),
            (&[], None, None, None),
        ] {
            assert_eq!(with(names, target, asked).unwrap().as_deref(), expected);
        }
        for (target, asked, says) in [
            (None, None, "which one runs the server is not told"),
            (Some("b"), Some("c"), "no container c"),
        ] {
            let error = with(&["a", "b"], target, asked).unwrap_err().to_string();
            assert!(error.contains("a, b") && error.contains(says), "{error}");
        }
    }

    #[test]
    fn origins_are_those_that_the_server_lets_in() {
        for (variables, expected) in [
            (
                &[(
                    "MCP_ALLOWED_ORIGINS",
                    "https://a.example, https://b.example",
                )][..],
                &["https://a.example", "https://b.example"][..],
            ),
            (
                &[
                    ("MCP_ALLOWED_ORIGINS", ""),
                    ("QUILT_CATALOG_URL", "https://catalog.acme.example"),
                ],
                &[],
            ),
            (&[], &[]),
        ] {
            let listeners = vec![listener(443, true, &["mcp.acme.example"], &[])];
            let draft = draft(&seen(variables, listeners), None).unwrap();
            assert_eq!(draft.environment("a").unwrap().cors_origins, expected);
        }
    }
}
