//! S3 and Athena as moto, which we did not write, understands our requests.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Registry, Server};
use crate::support::tool_named_by;
use crate::tools::{bad, good};

const RAW: &str = "quilt-local-raw";

/// A running moto; ends when dropped.
struct Moto {
    process: Child,
    url: String,
    http: reqwest::Client,
}

impl Moto {
    fn start() -> Option<Self> {
        let mut process = Command::new(tool_named_by("QUILT_MCP_MOTO_SERVER", "moto_server")?)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let url = loop {
            let line = log.next().expect("moto ended").unwrap();
            if let Some((_, url)) = line.split_once("Running on ") {
                break url.trim().to_owned();
            }
        };
        std::thread::spawn(move || log.for_each(drop));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Some(Self { process, url, http })
    }

    /// Asks as the account itself, which moto does not verify.
    async fn put(&self, path: &str, body: impl Into<reqwest::Body>) {
        let scope = "AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request";
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none");
        let request = self.http.put(format!("{}{path}", self.url)).body(body);
        let answer = request
            .header("authorization", authorization)
            .send()
            .await
            .unwrap();
        assert!(
            answer.status().is_success(),
            "{path}: {}",
            answer.text().await.unwrap()
        );
    }

    /// Has the next query answer with these rows.
    async fn queue_rows(&self, rows: Value, columns: Value) {
        let results = json!({"results": [{"rows": rows, "column_info": columns}]});
        let url = format!("{}/moto-api/static/athena/query-results", self.url);
        let answer = self.http.post(url).json(&results).send().await.unwrap();
        assert_eq!(answer.status(), 201);
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn stack(moto: &Moto) -> (Registry, Server) {
    moto.put(&format!("/{RAW}"), "").await;
    let enable = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    moto.put(&format!("/{RAW}?versioning"), enable).await;
    let registry = Registry::start().await;
    let vars = [("AWS_ENDPOINT_URL", moto.url.as_str())];
    let server = Server::start_with(&registry.url(), &vars).await;
    (registry, server)
}

#[tokio::test]
async fn an_object_is_written_found_read_and_linked() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    let key = "raw/ü + 100% (a&b)?.csv";
    let content = "a,b\n1,grün\n";
    let put = json!({"bucket": RAW, "key": key, "content": content, "content_type": "text/csv"});
    let written = good(&server, "s3_object_put", put.clone()).await;
    assert_eq!(written["size"], 12);
    let version = written["version_id"].as_str().unwrap();

    let info = good(
        &server,
        "s3_object_info",
        json!({"bucket": RAW, "key": key}),
    )
    .await;
    assert_eq!(
        (&info["size"], &info["content_type"]),
        (&json!(12), &json!("text/csv"))
    );
    assert_eq!(info["version_id"], version);

    let list = good(&server, "s3_object_list", json!({"bucket": RAW})).await;
    assert_eq!(list["folders"], json!(["raw/"]));
    let list = json!({"bucket": RAW, "prefix": "raw/ü", "folders": false});
    let list = good(&server, "s3_object_list", list).await;
    assert_eq!(list["objects"][0]["key"], key);

    let read = good(&server, "object_read", json!({"uri": written["uri"]})).await;
    assert_eq!(read["text"], content);
    assert_eq!(read["next_offset"], Value::Null);
    // Parts end between characters: the ü of "grün" has two bytes, the 9th and 10th.
    let part = json!({"uri": written["uri"], "max_bytes": 9});
    let part = good(&server, "object_read", part).await;
    assert_eq!(
        (&part["text"], &part["next_offset"]),
        (&json!("a,b\n1,gr"), &json!(8))
    );
    let rest = json!({"uri": written["uri"], "offset": part["next_offset"]});
    let rest = good(&server, "object_read", rest).await;
    assert_eq!(rest["text"], "ün\n");

    let link = json!({"bucket": RAW, "key": key, "expires_in": 600});
    let link = good(&server, "s3_object_link", link).await;
    assert_eq!(link["expires_in"], 600);
    let url = link["url"].as_str().unwrap();
    assert!(url.starts_with(&moto.url), "{url}");
    let downloaded = moto.http.get(url).send().await.unwrap();
    assert_eq!(downloaded.text().await.unwrap(), content);

    let again = bad(&server, "s3_object_put", put).await;
    assert_eq!(again["code"], "conflict", "{again}");
    let replace = json!({"bucket": RAW, "key": key, "content": "x", "overwrite": true});
    let replaced = good(&server, "s3_object_put", replace).await;
    assert_ne!(replaced["version_id"], version);
    let old = good(&server, "object_read", json!({"uri": written["uri"]})).await;
    assert_eq!(old["text"], content, "a version stays what it was");
}

#[tokio::test]
async fn lists_go_page_by_page() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    for number in 0..7 {
        moto.put(&format!("/{RAW}/n/{number}.txt"), "x").await;
    }
    let mut keys = Vec::new();
    let mut token = Value::Null;
    loop {
        let arguments = json!({"bucket": RAW, "prefix": "n/", "max_keys": 3, "token": token});
        let page = good(&server, "s3_object_list", arguments).await;
        keys.extend(
            page["objects"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["key"].clone()),
        );
        token = page["next_token"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(keys.len(), 7, "{keys:?}");
}

#[tokio::test]
async fn what_is_not_there_or_no_text_is_said_to_be_so() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    moto.put(
        &format!("/{RAW}/binary.gz"),
        &b"\x1f\x8b\x08\x00\xff\xfe"[..],
    )
    .await;
    moto.put(&format!("/{RAW}/empty.txt"), "").await;
    for (tool, arguments, code) in [
        (
            "object_read",
            json!({"uri": format!("s3://{RAW}/no-such")}),
            "not_found",
        ),
        (
            "object_read",
            json!({"uri": "s3://no-such-bucket-here/x"}),
            "not_found",
        ),
        (
            "object_read",
            json!({"uri": format!("s3://{RAW}/binary.gz")}),
            "invalid_input",
        ),
        (
            "s3_object_info",
            json!({"bucket": RAW, "key": "no-such"}),
            "not_found",
        ),
        (
            "s3_object_link",
            json!({"bucket": RAW, "key": "no-such"}),
            "not_found",
        ),
        (
            "s3_object_list",
            json!({"bucket": "no-such-bucket-here"}),
            "not_found",
        ),
    ] {
        let error = bad(&server, tool, arguments.clone()).await;
        assert_eq!(error["code"], code, "{tool} {arguments}: {error}");
    }
    let empty = good(
        &server,
        "object_read",
        json!({"uri": format!("s3://{RAW}/empty.txt")}),
    )
    .await;
    assert_eq!(
        (&empty["text"], &empty["total_bytes"]),
        (&json!(""), &json!(0))
    );
}

#[tokio::test]
async fn a_bomb_is_not_unpacked() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    // More than anyone should hold: the tool takes its part and no more.
    moto.put(&format!("/{RAW}/large.txt"), "x".repeat(20_000_000))
        .await;
    let large = json!({"uri": format!("s3://{RAW}/large.txt"), "max_bytes": 500_000});
    let large = good(&server, "object_read", large).await;
    assert_eq!(large["text"].as_str().unwrap().len(), 500_000);
    assert_eq!(large["total_bytes"], 20_000_000);
    assert_eq!(large["next_offset"], 500_000);
}

#[tokio::test]
async fn a_package_gets_texts_and_gives_them_back() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    let arguments = json!({
        "bucket": RAW,
        "name": "lab/notes",
        "entries": {"README.md": {"type": "inline", "content": "# Notes", "content_type": "text/markdown"}},
    });
    good(&server, "package_create", arguments).await;
    let browse = good(
        &server,
        "package_browse",
        json!({"bucket": RAW, "name": "lab/notes"}),
    )
    .await;
    let uri = browse["files"][0]["uri"].as_str().unwrap();
    assert!(
        uri.contains("?versionId="),
        "the entry names one version: {uri}"
    );
    for uri in [
        uri,
        &format!("quilt+s3://{RAW}#package=lab/notes&path=README.md"),
    ] {
        let read = good(&server, "object_read", json!({ "uri": uri })).await;
        assert_eq!(read["text"], "# Notes", "{uri}");
        assert_eq!(read["content_type"], "text/markdown");
    }
}

#[tokio::test]
async fn a_query_answers_with_its_rows() {
    let Some(moto) = Moto::start() else { return };
    let (_registry, server) = stack(&moto).await;
    let cell = |text: &str| json!({"VarCharValue": text});
    let rows = json!([
        {"Data": [cell("name"), cell("n")]},
        {"Data": [cell("a"), cell("1")]},
        {"Data": [cell("b"), {}]},
    ]);
    let column = |name: &str, kind: &str| {
        json!({"CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name,
            "Type": kind, "Precision": 1, "Scale": 0, "Nullable": "UNKNOWN", "CaseSensitive": true})
    };
    moto.queue_rows(
        rows,
        json!([column("name", "varchar"), column("n", "integer")]),
    )
    .await;
    let arguments = json!({"sql": "SELECT name, n FROM t", "database": "db", "max_rows": 10});
    let result = good(&server, "athena_query", arguments).await;
    assert_eq!(result["state"], "SUCCEEDED");
    assert_eq!(
        result["columns"][1],
        json!({"name": "n", "kind": "integer"})
    );
    assert_eq!(result["rows"], json!([["a", "1"], ["b", null]]));
    assert_eq!(result["truncated"], false);
    let arguments = json!({"execution_id": result["execution_id"], "max_rows": 1});
    let again = good(&server, "athena_query_results", arguments).await;
    assert_eq!(again["rows"], json!([["a", "1"]]));
    assert_eq!(again["truncated"], true);

    let unknown = json!({"execution_id": "11111111-1111-1111-1111-111111111111"});
    let error = bad(&server, "athena_query_results", unknown).await;
    assert!(
        error["code"] == "aws_failed"
            || error["code"] == "aws_unavailable"
            || error["code"] == "not_found",
        "{error}"
    );
    let about = good(
        &server,
        "get_resource",
        json!({"uri": "quilt-platform://athena"}),
    )
    .await;
    let text = about["text"].as_str().unwrap();
    assert!(text.contains("Work group: `primary`"), "{text}");
}
