//! The registry over a real socket, as the server sees it.

use std::net::Ipv4Addr;
use std::time::Duration;

use quilt_demo_registry::{DEMO_TOKEN, DemoRegistry, Refusal};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

struct Running {
    registry: DemoRegistry,
    url: String,
    _stop: DropGuard,
}

async fn start() -> Running {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let registry = DemoRegistry::sample();
    let stop = CancellationToken::new();
    tokio::spawn(registry.clone().serve(listener, stop.clone()));
    Running {
        registry,
        url,
        _stop: stop.drop_guard(),
    }
}

impl Running {
    async fn post(&self, token: Option<&str>, query: &str, variables: Value) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .post(&self.url)
            .json(&json!({ "query": query, "operationName": "Probe", "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    async fn ask(&self, query: &str, variables: Value) -> Value {
        let response = self.post(Some(DEMO_TOKEN), query, variables).await;
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }
}

#[tokio::test]
async fn the_demo_user_is_known_and_others_are_not() {
    let running = start().await;
    let query = "query Probe { me { email role { name } } }";
    let known = running.ask(query, json!({})).await;
    assert_eq!(known["data"]["me"]["email"], "demo@quilt.example");

    let refused = running.post(Some("qk_other"), query, json!({})).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);

    running.registry.faults().refuse_by(Refusal::NullMe);
    for token in [Some("qk_other"), None] {
        let answer = running.post(token, query, json!({})).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(
            answer.json::<Value>().await.unwrap()["data"]["me"],
            Value::Null
        );
    }
}

/// What Chromium makes of it is tested with the MCP server (`browser.rs`).
#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let endpoint = "http://127.0.0.1:8000/mcp/?a=\"&b";
    let registry = DemoRegistry::sample().with_mcp_endpoint(endpoint);
    tokio::spawn(registry.serve(listener, stop.clone()));
    let _stop = stop.drop_guard();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut bodies = Vec::new();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
    ] {
        let answer = client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let headers = answer.headers();
        assert_eq!(headers["content-type"], kind, "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        bodies.push(answer.text().await.unwrap());
    }
    let html = &bodies[0];
    let value = r#"value="http://127.0.0.1:8000/mcp/?a=&quot;&amp;b""#;
    assert!(html.contains(value), "{html}");
    assert!(html.contains(&format!("value=\"{DEMO_TOKEN}\"")), "{html}");
    for inline in ["<style", " style=", "onclick", "src=\"http", "href=\"http"] {
        assert!(!html.contains(inline), "the policy forbids {inline}");
    }
}

#[tokio::test]
async fn without_a_caller_there_is_no_data() {
    let running = start().await;
    let answer = running
        .post(None, "query Probe { buckets { name } }", json!({}))
        .await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["data"], Value::Null);
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("Not authenticated"), "{message}");
}

#[tokio::test]
async fn wrong_operations_get_graphql_errors() {
    let running = start().await;
    for (query, variables) in [
        ("query Probe { me { shoeSize } }", json!({})),
        ("query Probe { me }", json!({})),
        ("query Probe {", json!({})),
        ("query Other { me { name } }", json!({})),
        (
            "query Probe($b: String!) { packages(bucket: $b) { total } }",
            json!({}),
        ),
        (
            "query Probe($b: String!) { packages(bucket: $b) { total } }",
            json!({"b": 3}),
        ),
    ] {
        let answer = running.ask(query, variables).await;
        assert!(
            answer["errors"][0]["message"].is_string(),
            "{query}: {answer}"
        );
        assert!(answer.get("data").is_none(), "{query}: {answer}");
    }
}

#[tokio::test]
async fn packages_are_listed_page_by_page() {
    let running = start().await;
    let query = "query Probe($n: Int, $o: PackageListOrder) {
        packages(bucket: \"quilt-local-raw\") { total page(number: $n, perPage: 2, order: $o) { name } }
    }";
    let mut names = Vec::new();
    for number in 1..=3 {
        let answer = running.ask(query, json!({"n": number, "o": "NAME"})).await;
        assert_eq!(answer["data"]["packages"]["total"], 5);
        for package in answer["data"]["packages"]["page"].as_array().unwrap() {
            names.push(package["name"].as_str().unwrap().to_owned());
        }
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(names.len(), 5);

    let newest = running.ask(query, json!({"n": 1, "o": "MODIFIED"})).await;
    assert_eq!(
        newest["data"]["packages"]["page"][0]["name"],
        "imaging/organoid-plate-12"
    );
    let missing = "query Probe { packages(bucket: \"no-such-bucket\") { total } }";
    assert_eq!(
        running.ask(missing, json!({})).await["data"]["packages"],
        Value::Null
    );
}

#[tokio::test]
async fn a_revision_shows_its_folders() {
    let running = start().await;
    let query = "query Probe($path: String!) {
        package(bucket: \"quilt-local-raw\", name: \"genomics/rnaseq-liver-2026-03\") {
            revisions { total page { hash } }
            revision { hash totalEntries totalBytes userMeta dir(path: $path) {
                size children { __typename ... on PackageFile { path physicalKey } ... on PackageDir { path } }
            } }
        }
    }";
    let top = running.ask(query, json!({"path": ""})).await;
    assert_eq!(top.get("errors"), None);
    let package = &top["data"]["package"];
    assert_eq!(package["revisions"]["total"], 2);
    assert_eq!(
        package["revisions"]["page"][0]["hash"],
        package["revision"]["hash"]
    );
    assert_eq!(package["revision"]["totalEntries"], 5);
    assert_eq!(
        package["revision"]["dir"]["size"],
        package["revision"]["totalBytes"]
    );
    let kinds: Vec<_> = package["revision"]["dir"]["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|child| {
            (
                child["path"].as_str().unwrap(),
                child["__typename"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("README.md", "PackageFile"),
            ("fastq", "PackageDir"),
            ("qc", "PackageDir"),
            ("samples.csv", "PackageFile"),
        ]
    );
    let none = running.ask(query, json!({"path": "no/such"})).await;
    assert_eq!(none["data"]["package"]["revision"]["dir"], Value::Null);
}

#[tokio::test]
async fn a_search_is_taken_up_at_its_cursor() {
    let running = start().await;
    let first = "query Probe($text: String, $order: PackageOrdering) {
        searchPackages(searchString: $text, latestOnly: true) {
            __typename
            ... on PackagesSearchResultSet { total firstPage(size: 4, ordering: $order) {
                __typename
                ... on PackagesSearchResultSetPage { cursor hits { name meta } }
                ... on InvalidInput { errors { name message } }
            } }
        }
    }";
    let more = "query Probe($after: String!) { searchMorePackages(after: $after, size: 4) {
        __typename
        ... on PackagesSearchResultSetPage { cursor hits { name } }
    } }";
    let answer = running
        .ask(first, json!({"text": "*", "order": "sys:name:asc"}))
        .await;
    let total = answer["data"]["searchPackages"]["total"].as_i64().unwrap();
    let mut page = answer["data"]["searchPackages"]["firstPage"].clone();
    let mut names = Vec::new();
    loop {
        for hit in page["hits"].as_array().unwrap() {
            names.push(hit["name"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["cursor"].as_str() else {
            break;
        };
        let answer = running.ask(more, json!({ "after": cursor })).await;
        page = answer["data"]["searchMorePackages"].clone();
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
    assert_eq!(i64::try_from(names.len()).unwrap(), total);

    let liver = running.ask(first, json!({"text": "liver counts"})).await;
    assert_eq!(liver["data"]["searchPackages"]["total"], 1);
    let nothing = running.ask(first, json!({"text": "xylophone"})).await;
    assert_eq!(
        nothing["data"]["searchPackages"]["__typename"],
        "EmptySearchResultSet"
    );
    let wrong = running.ask(first, json!({"order": "by name"})).await;
    assert_eq!(
        wrong["data"]["searchPackages"]["firstPage"]["__typename"],
        "InvalidInput"
    );
    let lost = running.ask(more, json!({"after": "nonsense"})).await;
    assert_eq!(
        lost["data"]["searchMorePackages"]["__typename"],
        "InvalidInput"
    );
}

#[tokio::test]
async fn faults_are_switched_on_and_off() {
    let running = start().await;
    let faults = running.registry.faults();
    let query = "query Probe { me { name } }";
    faults.fail_with(Some(502));
    let failed = running.post(Some(DEMO_TOKEN), query, json!({})).await;
    assert_eq!(failed.status(), StatusCode::BAD_GATEWAY);
    faults.fail_with(None);

    let hold = faults.hold("Probe");
    let held = running.ask(query, json!({}));
    tokio::pin!(held);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut held).await;
    assert!(early.is_err(), "a held operation waits");
    drop(hold);
    assert_eq!(held.await["data"]["me"]["name"], "demo");
    assert_eq!(faults.asked("Probe"), 2);
}
