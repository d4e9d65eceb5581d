//! Each tool, good and bad, as raw HTTP shows it.

use quilt_demo_registry::DEMO_TOKEN;
use serde_json::{Value, json};

use crate::harness::{CATALOG, Registry, Server, eventually, first_event, tools_call, tools_list};

const RAW: &str = "quilt-local-raw";
const LIVER: &str = "genomics/rnaseq-liver-2026-03";

/// The `structuredContent` of a call that must succeed.
pub async fn good(server: &Server, tool: &str, arguments: Value) -> Value {
    let mut result = server.call(tool, arguments).await;
    assert_eq!(result["isError"], false, "{result}");
    let text = result["content"][0]["text"].as_str().unwrap();
    let structured: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        structured, result["structuredContent"],
        "text and structure agree"
    );
    result["structuredContent"].take()
}

/// The error of a call that must fail.
pub async fn bad(server: &Server, tool: &str, arguments: Value) -> Value {
    let mut result = server.call(tool, arguments).await;
    assert_eq!(result["isError"], true, "{result}");
    let error = result["structuredContent"]["error"].take();
    assert!(
        error["message"].is_string() && error["retryable"].is_boolean(),
        "{error}"
    );
    error
}

#[tokio::test]
async fn every_tool_is_described_for_a_model() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let answer = server.list_tools(DEMO_TOKEN).send().await.unwrap();
    let message = first_event(&answer.text().await.unwrap());
    let tools = message["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "athena_query",
            "athena_query_results",
            "auth_status",
            "bucket_list",
            "catalog_url",
            "get_resource",
            "object_read",
            "package_browse",
            "package_create",
            "package_diff",
            "package_file_url",
            "package_info",
            "package_list",
            "package_patch",
            "package_revision_delete",
            "package_revisions",
            "s3_object_info",
            "s3_object_link",
            "s3_object_list",
            "s3_object_put",
            "search_objects",
            "search_packages",
            "tabulator_table_list",
            "tabulator_table_rename",
            "tabulator_table_set",
        ]
    );
    for tool in tools {
        let name = &tool["name"];
        assert!(tool["description"].as_str().unwrap().len() > 80, "{name}");
        let changes = [
            "package_create",
            "package_patch",
            "package_revision_delete",
            "s3_object_put",
            "tabulator_table_rename",
            "tabulator_table_set",
        ];
        let is_change = changes.contains(&name.as_str().unwrap());
        let annotations = &tool["annotations"];
        assert_eq!(annotations["readOnlyHint"], !is_change, "{name}");
        assert_eq!(annotations["destructiveHint"], is_change, "{name}");
        assert!(annotations["idempotentHint"].is_boolean(), "{name}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        let text = tool.to_string();
        assert!(
            !text.contains("\"uint"),
            "clients warn about unsigned formats: {name}"
        );
        for (argument, schema) in tool["inputSchema"]["properties"]
            .as_object()
            .into_iter()
            .flatten()
        {
            assert!(
                schema["description"].is_string(),
                "{name}.{argument} is not described"
            );
        }
    }
}

#[tokio::test]
async fn auth_status_tells_who_calls() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let status = good(&server, "auth_status", json!({})).await;
    assert_eq!(
        status,
        json!({
            "name": "demo",
            "email": "demo@quilt.example",
            "is_admin": false,
            "role": "ReadWriteScientist",
            "available_roles": ["ReadWriteScientist", "ReadOnly"],
            "catalog_url": CATALOG,
            "registry_url": registry.url(),
        })
    );
}

#[tokio::test]
async fn bucket_list_ranks_and_filters() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let names = |list: &Value| -> Vec<String> {
        let buckets = list["buckets"].as_array().unwrap();
        buckets
            .iter()
            .map(|bucket| bucket["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = good(&server, "bucket_list", json!({})).await;
    assert_eq!(
        names(&all),
        ["quilt-local-analysis", RAW, "quilt-local-reference"]
    );
    assert_eq!(all["total"], 3);
    let tagged = good(&server, "bucket_list", json!({"contains": "SEQUENCING"})).await;
    assert_eq!(names(&tagged), [RAW]);
    let none = good(&server, "bucket_list", json!({"contains": "xylophone"})).await;
    assert_eq!(none, json!({"total": 0, "buckets": []}));
}

#[tokio::test]
async fn package_list_goes_page_by_page() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut names = Vec::new();
    let mut page = json!(1);
    while page.is_number() {
        let arguments = json!({"bucket": RAW, "page": page, "per_page": 2});
        let list = good(&server, "package_list", arguments).await;
        assert_eq!(list["total"], 5);
        for package in list["packages"].as_array().unwrap() {
            names.push(package["name"].as_str().unwrap().to_owned());
        }
        page = list["next_page"].clone();
    }
    assert_eq!(names.len(), 5);
    assert!(names.is_sorted(), "{names:?}");

    let newest = good(
        &server,
        "package_list",
        json!({"bucket": RAW, "order": "modified"}),
    )
    .await;
    assert_eq!(newest["packages"][0]["name"], "imaging/organoid-plate-12");
    let filtered = good(
        &server,
        "package_list",
        json!({"bucket": RAW, "filter": "genomics/"}),
    )
    .await;
    assert_eq!(filtered["total"], 2);

    let error = bad(&server, "package_list", json!({"bucket": "no-such-bucket"})).await;
    assert_eq!(error["code"], "not_found");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no-such-bucket")
    );
}

#[tokio::test]
async fn package_info_shows_a_revision_and_its_folders() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let latest = good(
        &server,
        "package_info",
        json!({"bucket": RAW, "name": LIVER}),
    )
    .await;
    assert_eq!(latest["total_entries"], 5);
    assert_eq!(latest["total_bytes"], json!(82_154_292_935_i64));
    assert_eq!(latest["metadata"]["tissue"], "liver");
    assert_eq!(latest["total_revisions"], 2);
    assert_eq!(latest["revisions"][0]["hash"], latest["hash"]);
    assert_eq!(
        latest["folder"]["entries"][1],
        json!({"path": "fastq", "kind": "folder", "size": 82_149_562_368_i64})
    );

    let first = latest["revisions"][1]["hash"].clone();
    let older = json!({"bucket": RAW, "name": LIVER, "revision": first, "path": "fastq/"});
    let older = good(&server, "package_info", older).await;
    assert_eq!(older["hash"], first);
    assert_eq!(older["folder"]["path"], "fastq");
    assert_eq!(older["folder"]["total"], 1);

    let few = json!({"bucket": RAW, "name": LIVER, "max_entries": 1, "max_revisions": 1});
    let few = good(&server, "package_info", few).await;
    assert_eq!(few["folder"]["entries"].as_array().unwrap().len(), 1);
    assert_eq!(few["folder"]["total"], 4);
    assert_eq!(few["folder"]["truncated"], true);
    assert_eq!(few["revisions"].as_array().unwrap().len(), 1);

    let unknown = "0".repeat(64);
    for (arguments, named) in [
        (json!({"bucket": RAW, "name": "no/such"}), "no/such"),
        (
            json!({"bucket": "no-such-bucket", "name": LIVER}),
            "no-such-bucket",
        ),
        (
            json!({"bucket": RAW, "name": LIVER, "revision": unknown}),
            unknown.as_str(),
        ),
        (
            json!({"bucket": RAW, "name": LIVER, "path": "no/folder"}),
            "no/folder",
        ),
    ] {
        let error = bad(&server, "package_info", arguments).await;
        assert_eq!(error["code"], "not_found");
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
}

#[tokio::test]
async fn search_packages_finds_and_goes_on() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut page = good(
        &server,
        "search_packages",
        json!({"size": 5, "order": "name"}),
    )
    .await;
    assert_eq!(page["total"], 12);
    let mut names = Vec::new();
    loop {
        for package in page["packages"].as_array().unwrap() {
            names.push(package["name"].as_str().unwrap().to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        let arguments = json!({"cursor": cursor, "size": 5});
        page = good(&server, "search_packages", arguments).await;
    }
    assert_eq!(names.len(), 12);
    assert!(names.is_sorted(), "{names:?}");

    let found = json!({"query": "liver counts", "buckets": ["quilt-local-analysis"]});
    let found = good(&server, "search_packages", found).await;
    assert_eq!(found["total"], 1);
    assert_eq!(found["packages"][0]["metadata"]["reference"], "GRCh38.p14");
    let history = json!({"query": "liver counts", "latest_only": false, "order": "oldest"});
    let history = good(&server, "search_packages", history).await;
    assert_eq!(
        history["packages"][0]["metadata"]["reference"],
        "GRCh38.p13"
    );
    let recent = json!({"modified_after": "2026-05-01T00:00:00Z", "order": "newest"});
    let recent = good(&server, "search_packages", recent).await;
    assert_eq!(recent["packages"][0]["name"], "clinical/biomarker-panel-q2");
    let nothing = good(&server, "search_packages", json!({"query": "xylophone"})).await;
    assert_eq!(
        nothing,
        json!({"total": 0, "packages": [], "next_cursor": null})
    );
}

#[tokio::test]
async fn the_registrys_own_complaint_reaches_the_model() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    for (arguments, complaint) in [
        (
            json!({"buckets": ["no-such-bucket"]}),
            "No such bucket: no-such-bucket",
        ),
        (
            json!({"cursor": "nonsense"}),
            "The cursor is not one that a search returned",
        ),
    ] {
        let error = bad(&server, "search_packages", arguments).await;
        assert_eq!(error["code"], "invalid_input");
        assert!(
            error["message"].as_str().unwrap().contains(complaint),
            "{error}"
        );
    }
}

#[tokio::test]
async fn catalog_url_links_without_asking() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let arguments = json!({"bucket": RAW, "package": LIVER, "path": "fastq"});
    let link = good(&server, "catalog_url", arguments).await;
    assert_eq!(
        link["url"],
        format!("{CATALOG}/b/{RAW}/packages/{LIVER}/tree/latest/fastq")
    );
    let error = bad(&server, "catalog_url", json!({"package": LIVER})).await;
    assert_eq!(error["code"], "invalid_input");
}

#[tokio::test]
async fn wrong_arguments_are_answered_before_the_registry_is_asked() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let long = "x".repeat(1001);
    let many: Vec<_> = (0..101).map(|n| format!("bucket-{n}")).collect();
    for (tool, arguments, named) in [
        ("package_list", json!({}), "bucket"),
        ("package_list", json!({"bucket": "s3://x"}), "without s3://"),
        (
            "package_list",
            json!({"bucket": RAW, "per_page": 101}),
            "between 1 and 100",
        ),
        (
            "package_list",
            json!({"bucket": RAW, "page": 0}),
            "between 1 and",
        ),
        (
            "package_list",
            json!({"bucket": RAW, "page": "1"}),
            "page: invalid type",
        ),
        (
            "package_list",
            json!({"bucket": RAW, "order": "size"}),
            "modified",
        ),
        (
            "package_info",
            json!({"bucket": RAW, "name": "liver"}),
            "namespace/name",
        ),
        (
            "package_info",
            json!({"bucket": RAW, "name": LIVER, "revision": "abc"}),
            "64",
        ),
        (
            "package_info",
            json!({"bucket": RAW, "name": LIVER, "path": "../x"}),
            "..",
        ),
        ("search_packages", json!({"query": long}), "1000 characters"),
        ("search_packages", json!({"buckets": many}), "at most 100"),
        ("search_packages", json!({"querry": "liver"}), "querry"),
        ("auth_status", json!({"who": "me"}), "who"),
    ] {
        let error = bad(&server, tool, arguments).await;
        assert_eq!(error["code"], "invalid_input", "{error}");
        assert_eq!(error["retryable"], false);
        assert!(
            error["message"].as_str().unwrap().contains(named),
            "{error}"
        );
    }
    for operation in ["Packages", "Package", "SearchPackages"] {
        assert_eq!(registry.faults().asked(operation), 0, "{operation}");
    }
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let request = server.post(
        "/mcp",
        Some(DEMO_TOKEN),
        &tools_call("package_burn", json!({})),
    );
    let answer = request.send().await.unwrap();
    let message = first_event(&answer.text().await.unwrap());
    assert_eq!(message["error"]["code"], -32602);
    assert!(
        message["error"]["message"]
            .as_str()
            .unwrap()
            .contains("package_burn")
    );
}

#[tokio::test]
async fn each_failure_of_the_registry_has_its_code() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    server.call("auth_status", json!({})).await;
    for (status, code, retryable) in [
        (500, "registry_unavailable", true),
        (429, "registry_unavailable", true),
        (404, "registry_failed", false),
        (401, "unauthorized", false),
    ] {
        registry.faults().fail_with(Some(status));
        for tool in ["auth_status", "bucket_list", "search_packages"] {
            // A refused token is forgotten: the next request would ask about it anew.
            if status == 401 && tool != "auth_status" {
                continue;
            }
            let error = bad(&server, tool, json!({})).await;
            assert_eq!(error["code"], code, "{tool}, registry {status}");
            assert_eq!(error["retryable"], retryable, "{tool}, registry {status}");
        }
    }
    let next = server.post("/mcp", Some(DEMO_TOKEN), &tools_list());
    assert_eq!(
        next.send().await.unwrap().status(),
        401,
        "the verdict was forgotten"
    );
}

#[tokio::test]
async fn a_call_ends_when_its_client_goes() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let faults = registry.faults();
    let _hold = faults.hold("Buckets");
    let request = server.post(
        "/mcp",
        Some(DEMO_TOKEN),
        &tools_call("bucket_list", json!({})),
    );
    // The answer's headers come at once; its stream stays open while the tool runs.
    let answer = request.send().await.unwrap();
    eventually("the tool asks", || async { faults.waiting("Buckets") == 1 }).await;
    drop(answer);
    eventually("the tool gives up", || async {
        faults.waiting("Buckets") == 0
    })
    .await;
    let line = server.line(|line| line["tool"] == "bucket_list").await;
    assert_eq!(line["complete"], false);
}
