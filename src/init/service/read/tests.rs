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
fn a_stack_that_holds_the_service_is_named() {
    let listeners = vec![listener(443, true, &["mcp.acme.example"], &[])];
    let mut seen = seen(&[], listeners);
    seen.stack = Some("acme-mcp".to_owned());
    let draft = draft(&seen, None).unwrap();
    assert_eq!(draft.text("deploy_through"), Some("cloudformation"));
    assert_eq!(draft.text("stack"), Some("acme-mcp"));
    draft.environment("staging").unwrap();
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
