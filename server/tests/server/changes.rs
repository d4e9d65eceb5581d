//! The tools that look into packages and change them, against a registry that remembers.

use serde_json::{Value, json};

use crate::harness::{CATALOG, Registry, Server};
use crate::tools::{bad, good};

const RAW: &str = "quilt-local-raw";
const LIVER: &str = "genomics/rnaseq-liver-2026-03";

fn entry(key: &str) -> Value {
    json!({ "type": "uri", "uri": format!("s3://{RAW}/{key}") })
}

async fn contents(registry: &Registry, name: &str) -> Value {
    let catalog = registry.data().catalog();
    let package = catalog.package(RAW, name).unwrap();
    let entries = package.latest().entries.iter().map(|entry| {
        let described = json!({
            "at": entry.physical_key(package),
            "size": entry.size,
            "hash": entry.hash(package),
            "meta": entry.meta,
        });
        (entry.path.clone(), described)
    });
    Value::Object(entries.collect())
}

#[tokio::test]
async fn a_package_is_created_once() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let arguments = json!({
        "bucket": RAW,
        "name": "lab/new",
        "message": "First",
        "meta": {"project": "x"},
        "entries": {"a.csv": entry("a%20b.csv?versionId=v1"), "b/c.csv": entry("c.csv")},
    });
    let created = good(&server, "package_create", arguments.clone()).await;
    assert_eq!(created["total_entries"], 2);
    assert_eq!(created["replaced"], Value::Null);
    assert_eq!(created["changes"], Value::Null);
    let now = contents(&registry, "lab/new").await;
    assert_eq!(
        now["a.csv"]["at"],
        format!("s3://{RAW}/a%20b.csv?versionId=v1")
    );

    let error = bad(&server, "package_create", arguments).await;
    assert_eq!(error["code"], "conflict");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("package_patch") && message.contains("overwrite"),
        "{message}"
    );
    assert_eq!(
        registry
            .data()
            .catalog()
            .package(RAW, "lab/new")
            .unwrap()
            .revisions
            .len(),
        1
    );

    let arguments = json!({
        "bucket": RAW,
        "name": "lab/new",
        "overwrite": true,
        "entries": {"a.csv": entry("a%20b.csv?versionId=v2"), "d.csv": entry("d.csv")},
    });
    let replaced = good(&server, "package_create", arguments).await;
    assert_eq!(replaced["replaced"], created["hash"]);
    let changes = &replaced["changes"];
    assert_eq!(changes["added_paths"], json!(["d.csv"]));
    assert_eq!(changes["removed_paths"], json!(["b/c.csv"]));
    assert_eq!(changes["changed_paths"], json!(["a.csv"]));
    assert_eq!(changes["kept"], 0);
}

#[tokio::test]
async fn a_patch_leaves_what_it_does_not_name() {
    let registry = Registry::start().await;
    let full = json!({"user_meta": {"lane": 3}, "source": "sequencer"});
    registry.data().change(|catalog| {
        let package = catalog
            .packages
            .iter_mut()
            .find(|package| package.name == LIVER)
            .unwrap();
        let entry = &mut package.revisions[0].entries[0];
        entry.meta = full.as_object().cloned();
        entry.hash = Some("ab".repeat(32));
        entry.physical_key = Some(format!("s3://{RAW}/elsewhere/read%20me.md?versionId=abc"));
    });
    let server = Server::start(&registry).await;
    let before = contents(&registry, LIVER).await;
    let arguments = json!({
        "bucket": RAW,
        "name": LIVER,
        "set": {"notes.txt": entry("notes.txt"), "samples.csv": entry("samples-2.csv")},
        "delete": ["qc/multiqc_report.html"],
        "message": "Notes",
    });
    let patched = good(&server, "package_patch", arguments).await;
    assert_eq!(patched["changes"]["added_paths"], json!(["notes.txt"]));
    assert_eq!(patched["changes"]["changed_paths"], json!(["samples.csv"]));
    assert_eq!(
        patched["changes"]["removed_paths"],
        json!(["qc/multiqc_report.html"])
    );
    assert_eq!(patched["changes"]["kept"], 3);
    assert_eq!(patched["total_entries"], 5);
    let after = contents(&registry, LIVER).await;
    for path in [
        "README.md",
        "fastq/lane3_R1.fastq.gz",
        "fastq/lane4_R1.fastq.gz",
    ] {
        assert_eq!(after[path], before[path], "{path}");
    }
    assert_eq!(after["README.md"]["meta"], full);
    let catalog = registry.data().catalog();
    let latest = catalog.package(RAW, LIVER).unwrap().latest().clone();
    assert_eq!(
        latest.metadata["tissue"], "liver",
        "the package's metadata stay"
    );
    assert_eq!(latest.message, "Notes");

    // Metadata alone.
    let arguments = json!({"bucket": RAW, "name": LIVER, "meta": {"tissue": "kidney"}});
    let patched = good(&server, "package_patch", arguments).await;
    assert_eq!(patched["changes"]["kept"], 5);
    let catalog = registry.data().catalog();
    assert_eq!(
        catalog.package(RAW, LIVER).unwrap().latest().metadata["tissue"],
        "kidney"
    );
}

#[tokio::test]
async fn a_package_that_is_too_large_is_refused_and_never_truncated() {
    let registry = Registry::start().await;
    registry.data().change(|catalog| {
        let package = catalog
            .packages
            .iter_mut()
            .find(|package| package.name == LIVER)
            .unwrap();
        let one = package.revisions[0].entries[0].clone();
        let many = (0..10_001).map(|n| {
            let mut entry = one.clone();
            entry.path = format!("f{n}");
            entry
        });
        package.revisions[0].entries = many.collect();
    });
    let server = Server::start(&registry).await;
    let liver = json!({"bucket": RAW, "name": LIVER});
    let with = |more: Value| {
        let mut arguments = liver.clone();
        arguments
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        arguments
    };
    for (tool, arguments) in [
        ("package_patch", with(json!({"delete": ["f1"]}))),
        ("package_patch", with(json!({"set": {"x": entry("x")}}))),
        (
            "package_create",
            with(json!({"overwrite": true, "entries": {"x": entry("x")}})),
        ),
        ("package_diff", with(json!({"from": "latest"}))),
    ] {
        let error = bad(&server, tool, arguments).await;
        assert_eq!(error["code"], "too_large", "{tool}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains("10001"),
            "{error}"
        );
    }
    let catalog = registry.data().catalog();
    assert_eq!(
        catalog.package(RAW, LIVER).unwrap().revisions.len(),
        2,
        "nothing was pushed"
    );
}

#[tokio::test]
async fn wrong_changes_change_nothing() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let one = json!({"x": entry("x")});
    let all: Vec<_> = contents(&registry, LIVER)
        .await
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    for (tool, arguments, code) in [
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": {}}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": {"../x": entry("x")}}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": {"x/": entry("x")}}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": {"x": {"type": "uri", "uri": "https://evil.example/x"}}}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": {"x": {"type": "file", "path": "/etc/passwd"}}}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": "no-such-bucket", "name": "a/b", "entries": one}),
            "invalid_input",
        ),
        (
            "package_create",
            json!({"bucket": RAW, "name": "a/b", "entries": one, "workflow": "forbidden"}),
            "registry_failed",
        ),
        (
            "package_patch",
            json!({"bucket": RAW, "name": LIVER}),
            "invalid_input",
        ),
        (
            "package_patch",
            json!({"bucket": RAW, "name": LIVER, "delete": ["no/such"]}),
            "not_found",
        ),
        (
            "package_patch",
            json!({"bucket": RAW, "name": LIVER, "delete": all}),
            "invalid_input",
        ),
        (
            "package_patch",
            json!({"bucket": RAW, "name": "no/such", "set": one}),
            "not_found",
        ),
        (
            "package_revision_delete",
            json!({"bucket": RAW, "name": LIVER, "hash": "latest"}),
            "invalid_input",
        ),
        (
            "package_revision_delete",
            json!({"bucket": RAW, "name": LIVER, "hash": "0".repeat(64)}),
            "registry_failed",
        ),
    ] {
        let error = bad(&server, tool, arguments.clone()).await;
        assert_eq!(error["code"], code, "{tool} {arguments}: {error}");
    }
    // The registry's own words reach the model.
    let arguments = json!({"bucket": RAW, "name": "a/b", "entries": one, "workflow": "forbidden"});
    let error = bad(&server, "package_create", arguments).await;
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("forbidden refuses it"),
        "{error}"
    );
    let catalog = registry.data().catalog();
    assert!(catalog.package(RAW, "a/b").is_none());
    assert_eq!(catalog.package(RAW, LIVER).unwrap().revisions.len(), 2);
}

#[tokio::test]
async fn revisions_are_listed_compared_and_deleted() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let liver = json!({"bucket": RAW, "name": LIVER, "per_page": 1});
    let first = good(&server, "package_revisions", liver).await;
    assert_eq!(
        (&first["total"], &first["next_page"]),
        (&json!(2), &json!(2))
    );
    let page = json!({"bucket": RAW, "name": LIVER, "per_page": 1, "page": 2});
    let second = good(&server, "package_revisions", page).await;
    assert_eq!(second["next_page"], Value::Null);
    let old = second["revisions"][0]["hash"].clone();

    let diff = json!({"bucket": RAW, "name": LIVER, "from": old});
    let diff = good(&server, "package_diff", diff).await;
    assert_eq!(diff["to"], first["revisions"][0]["hash"]);
    assert_eq!(diff["metadata_changed"], true);
    let added = json!(["fastq/lane4_R1.fastq.gz", "qc/multiqc_report.html"]);
    assert_eq!(diff["changes"]["added_paths"], added);
    assert_eq!(diff["changes"]["kept"], 3);
    let same = json!({"bucket": RAW, "name": LIVER, "from": "latest"});
    let same = good(&server, "package_diff", same).await;
    assert_eq!(same["changes"]["kept"], 5);
    assert_eq!(same["metadata_changed"], false);

    let delete = json!({"bucket": RAW, "name": LIVER, "hash": old});
    let deleted = good(&server, "package_revision_delete", delete).await;
    assert_eq!(deleted["deleted"], old);
    let left = good(
        &server,
        "package_revisions",
        json!({"bucket": RAW, "name": LIVER}),
    )
    .await;
    assert_eq!(left["total"], 1);
    assert_eq!(left["revisions"][0]["hash"], first["revisions"][0]["hash"]);
}

#[tokio::test]
async fn a_package_is_browsed_folder_by_folder_and_page_by_page() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let top = good(
        &server,
        "package_browse",
        json!({"bucket": RAW, "name": LIVER}),
    )
    .await;
    assert_eq!(top["total"], 4);
    assert_eq!(top["folders"][0]["path"], "fastq");
    assert_eq!(
        top["files"][0]["uri"],
        format!("s3://{RAW}/{LIVER}/README.md")
    );
    let mut seen = Vec::new();
    let mut offset = json!(0);
    while offset.is_number() {
        let arguments = json!({"bucket": RAW, "name": LIVER, "offset": offset, "max_entries": 3});
        let page = good(&server, "package_browse", arguments).await;
        for kind in ["folders", "files"] {
            seen.extend(
                page[kind]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one["path"].clone()),
            );
        }
        offset = page["next_offset"].clone();
    }
    assert_eq!(seen.len(), 4);
    let arguments = json!({"bucket": RAW, "name": LIVER, "path": "fastq"});
    let folder = good(&server, "package_browse", arguments).await;
    assert_eq!(folder["files"].as_array().unwrap().len(), 2);
    let arguments = json!({"bucket": RAW, "name": LIVER, "path": "nowhere"});
    assert_eq!(
        bad(&server, "package_browse", arguments).await["code"],
        "not_found"
    );
}

#[tokio::test]
async fn a_files_url_is_the_catalogs_and_of_one_revision() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let arguments = json!({"bucket": RAW, "name": LIVER, "path": "qc/multiqc_report.html"});
    let url = good(&server, "package_file_url", arguments).await;
    assert_eq!(
        url["url"],
        format!("{CATALOG}/browse/demo-session/qc/multiqc_report.html")
    );
    assert_eq!(url["hash"].as_str().unwrap().len(), 64);
    for path in ["no/such", "qc"] {
        let arguments = json!({"bucket": RAW, "name": LIVER, "path": path});
        assert_eq!(
            bad(&server, "package_file_url", arguments).await["code"],
            "not_found",
            "{path}"
        );
    }
}

#[tokio::test]
async fn objects_are_searched() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let mut page = good(
        &server,
        "search_objects",
        json!({"query": "csv", "size": 3}),
    )
    .await;
    let total = page["total"].as_i64().unwrap();
    assert!(total > 3);
    let mut count = 0;
    loop {
        count += page["objects"].as_array().unwrap().len();
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        page = good(
            &server,
            "search_objects",
            json!({"cursor": cursor, "size": 3}),
        )
        .await;
        assert_eq!(page["total"], Value::Null);
    }
    assert_eq!(i64::try_from(count).unwrap(), total);
    let newest = json!({"query": "csv", "order": "newest", "size": 1});
    let newest = good(&server, "search_objects", newest).await;
    assert_eq!(
        newest["objects"][0]["key"],
        "clinical/biomarker-panel-q2/panel.csv"
    );
    let nothing = good(&server, "search_objects", json!({"query": "xylophone"})).await;
    assert_eq!(
        nothing,
        json!({"total": 0, "objects": [], "next_cursor": null})
    );
    for arguments in [
        json!({"buckets": ["no-such-bucket"]}),
        json!({"cursor": "nonsense"}),
    ] {
        assert_eq!(
            bad(&server, "search_objects", arguments).await["code"],
            "invalid_input"
        );
    }
}

#[tokio::test]
async fn tables_are_set_renamed_and_removed() {
    let registry = Registry::start().await;
    let server = Server::start(&registry).await;
    let config = "schema:\n- name: a\n  type: STRING\n";
    let set = json!({"bucket": RAW, "table": "samples", "config": config});
    let tables = good(&server, "tabulator_table_set", set).await;
    assert_eq!(tables["tables"], json!(["samples"]));
    let list = good(&server, "tabulator_table_list", json!({"bucket": RAW})).await;
    assert_eq!(
        list["tables"][0],
        json!({"name": "samples", "config": config})
    );
    let rename = json!({"bucket": RAW, "table": "samples", "new_name": "lanes"});
    let tables = good(&server, "tabulator_table_rename", rename.clone()).await;
    assert_eq!(tables["tables"], json!(["lanes"]));
    assert_eq!(
        bad(&server, "tabulator_table_rename", rename).await["code"],
        "invalid_input"
    );
    let wrong = json!({"bucket": RAW, "table": "lanes", "config": "nothing"});
    let error = bad(&server, "tabulator_table_set", wrong).await;
    assert!(
        error["message"].as_str().unwrap().contains("no schema"),
        "{error}"
    );
    let remove = json!({"bucket": RAW, "table": "lanes", "config": null});
    let tables = good(&server, "tabulator_table_set", remove).await;
    assert_eq!(tables["tables"], json!([]));
    let list = bad(
        &server,
        "tabulator_table_list",
        json!({"bucket": "no-such-bucket"}),
    )
    .await;
    assert_eq!(list["code"], "not_found");
    let wrong = json!({"bucket": RAW, "table": "a; DROP", "config": null});
    assert_eq!(
        bad(&server, "tabulator_table_set", wrong).await["code"],
        "invalid_input"
    );
}
